//! Places pushed people: runs the connection's rules over what the directory says, and keeps count of the seats that the plan
//! takes and frees, so that several people in one plan do not count on the same seat.

use serde_json::{Map, Value};

use super::Work;
use crate::connection::OnNoSeat;
use crate::denial::Denial;
use crate::directory::{Account, AccountKind, GroupName, LicenseGrant, Membership};
use crate::facts::AccountFacts;
use crate::id::OrganizationId;
use crate::mapping::Claims;
use crate::placing::{self, Member, Placing};
use crate::plan::{Change, MembershipEdit};
use crate::provision::kinds;
use crate::trace::{Stage, StepOutcome};

/// Whom to place, and by what.
pub(super) struct Placed<'a> {
    /// The account as it will be.
    pub(super) account: &'a Account,
    /// The account as it is known; none for a new one.
    pub(super) known: Option<&'a AccountFacts>,
    /// What the directory says about the person.
    pub(super) document: &'a Map<String, Value>,
    /// The person's groups as they will be.
    pub(super) groups: &'a [GroupName],
    /// Whether the person comes back and finds the licenses again that were held before.
    pub(super) returns: bool,
}

impl Work<'_> {
    /// Plans the memberships. Whoever is placed nowhere keeps the account and waits.
    pub(super) fn place(&mut self, placed: &Placed<'_>) -> Result<(), Denial> {
        let account = placed.account;
        let held: &[Membership] = placed.known.map_or(&[], |known| known.memberships.as_slice());
        let claims = Claims::pushed(&self.connection.id, account, placed.document, placed.groups);
        if let Some(asked) = &mut self.asked {
            asked.push((
                claims,
                held.iter().map(|held| held.organization.clone()).collect(),
            ));
            return Ok(());
        }
        let placing = Placing {
            in_force: self.in_force,
            organizations: &self.organizations,
            claims: &claims,
            asserted: (None, None),
            source: &self.source,
            seats: None,
        };
        let member = Member {
            account: &account.id,
            emergency_admin: account.emergency_admin,
            held,
            kind: account.kind,
            signed_in: placed
                .known
                .is_some_and(|known| placing::has_signed_in(known, &self.connection.id)),
        };
        let mut changes = Vec::new();
        let active = placing.run(member, &mut changes, &mut self.steps)?;
        if active == 0 {
            let text = "no organization accepts the person yet; the account waits";
            self.steps
                .add(Stage::Organization, StepOutcome::Warned, "unplaced", text);
            placing::end_sessions_if_out(&account.id, held, &mut changes);
        }
        if placed.returns {
            for membership in held
                .iter()
                .filter(|held| self.connection.reaches(&held.organization))
            {
                self.seat_again(account, membership, &mut changes);
            }
        }
        let becomes = placed.known.filter(|known| known.account.kind != account.kind);
        if let Some(known) = becomes {
            let may_wait = self.connection.settings.on_no_seat != OnNoSeat::Refuse;
            let becomes = (known, account.kind);
            kinds::settle(
                becomes,
                &self.organizations,
                &mut changes,
                may_wait,
                &mut self.steps,
            )?;
        }
        let before = placed.known.map_or(account.kind, |known| known.account.kind);
        self.count_seats(held, &changes, (before, account.kind));
        self.changes.append(&mut changes);
        Ok(())
    }

    /// Gives a returning person the seat of a license that the rules leave alone, if one is free.
    fn seat_again(&mut self, account: &Account, held: &Membership, changes: &mut Vec<Change>) {
        let Some(license) = held.license.as_ref().filter(|license| !license.seated) else {
            return;
        };
        let id = &held.organization;
        let ended = changes.iter().any(
            |change| matches!(change, Change::RemoveMembership { organization, .. } if organization == id),
        );
        let edits = changes.iter_mut().find_map(|change| edits_in(change, id));
        let judged = edits.as_ref().is_some_and(|edits| {
            edits
                .iter()
                .any(|edit| matches!(edit, MembershipEdit::SetLicense { .. }))
        });
        let is_free = self
            .organizations
            .iter()
            .find(|facts| &facts.organization.id == id)
            .is_some_and(|facts| facts.has_seat(&license.license, account.kind, None));
        if ended || judged || !is_free {
            return;
        }
        let edit = MembershipEdit::SetLicense {
            from: Some(license.clone()),
            to: Some(LicenseGrant {
                seated: true,
                ..license.clone()
            }),
        };
        match edits {
            Some(edits) => edits.push(edit),
            None => changes.push(Change::UpdateMembership {
                account: account.id.clone(),
                organization: id.clone(),
                version: held.version,
                edits: vec![edit],
            }),
        }
        let text = format!("license: {} again", license.license);
        self.steps
            .about(Stage::License, StepOutcome::Passed, "license_restored", id, text);
    }

    /// Takes the seats of these changes off the count. `kinds` are what the account was and what it becomes.
    fn count_seats(&mut self, held: &[Membership], changes: &[Change], kinds: (AccountKind, AccountKind)) {
        for change in changes {
            match change {
                Change::AddMembership { membership, .. } => {
                    self.count_seat(
                        &membership.organization,
                        (None, membership.license.as_ref()),
                        kinds,
                    );
                }
                Change::RemoveMembership {
                    organization, before, ..
                } => {
                    self.count_seat(organization, (before.license.as_ref(), None), kinds);
                }
                Change::UpdateMembership {
                    organization, edits, ..
                } => {
                    let before = held.iter().find(|held| &held.organization == organization);
                    for edit in edits {
                        if let MembershipEdit::SetLicense { to, .. } = edit {
                            let from = before.and_then(|before| before.license.as_ref());
                            self.count_seat(organization, (from, to.as_ref()), kinds);
                        }
                    }
                }
                Change::CreateAccount { .. }
                | Change::UpdateProfile { .. }
                | Change::SetStatus { .. }
                | Change::SetAuthentication { .. }
                | Change::Link { .. }
                | Change::Unlink { .. }
                | Change::RevokeSessions { .. }
                | Change::Alert { .. }
                | Change::CreateGroup { .. }
                | Change::UpdateGroup { .. }
                | Change::DeleteGroup { .. }
                | Change::AddGroupMembers { .. }
                | Change::RemoveGroupMembers { .. }
                | Change::QueueReevaluation { .. } => {}
            }
        }
        if kinds.0 != kinds.1 {
            self.count_kept(held, changes, kinds);
        }
    }

    /// Counts the seats that somebody keeps for the other kind of account.
    fn count_kept(&mut self, held: &[Membership], changes: &[Change], (was, is): (AccountKind, AccountKind)) {
        for membership in held {
            let id = &membership.organization;
            let is_seated = membership.license.as_ref().is_some_and(|license| license.seated);
            let is_counted = changes.iter().any(|change| match change {
                Change::RemoveMembership { organization, .. } => organization == id,
                Change::UpdateMembership {
                    organization, edits, ..
                } => {
                    organization == id
                        && edits
                            .iter()
                            .any(|edit| matches!(edit, MembershipEdit::SetLicense { .. }))
                }
                Change::CreateAccount { .. }
                | Change::UpdateProfile { .. }
                | Change::SetStatus { .. }
                | Change::SetAuthentication { .. }
                | Change::Link { .. }
                | Change::Unlink { .. }
                | Change::AddMembership { .. }
                | Change::RevokeSessions { .. }
                | Change::Alert { .. }
                | Change::CreateGroup { .. }
                | Change::UpdateGroup { .. }
                | Change::DeleteGroup { .. }
                | Change::AddGroupMembers { .. }
                | Change::RemoveGroupMembers { .. }
                | Change::QueueReevaluation { .. } => false,
            });
            let mut loaded = self.organizations.iter_mut();
            if is_seated
                && !is_counted
                && let Some(facts) = loaded.find(|facts| facts.organization.id == *id)
            {
                facts.count_kind(was, false);
                facts.count_kind(is, true);
            }
        }
    }

    fn count_seat(
        &mut self,
        organization: &OrganizationId,
        (from, to): (Option<&LicenseGrant>, Option<&LicenseGrant>),
        (was, is): (AccountKind, AccountKind),
    ) {
        let Some(facts) = self
            .organizations
            .iter_mut()
            .find(|facts| &facts.organization.id == organization)
        else {
            return;
        };
        for pool in &mut facts.licenses {
            let takes = |grant: Option<&LicenseGrant>| {
                grant.is_some_and(|grant| grant.seated && grant.license == pool.license.id)
            };
            pool.used = pool
                .used
                .saturating_sub(u32::from(takes(from)))
                .saturating_add(u32::from(takes(to)));
        }
        if from.is_some_and(|grant| grant.seated) {
            facts.count_kind(was, false);
        }
        if to.is_some_and(|grant| grant.seated) {
            facts.count_kind(is, true);
        }
    }
}

/// The edits of a change of the membership in one organization.
fn edits_in<'a>(change: &'a mut Change, id: &OrganizationId) -> Option<&'a mut Vec<MembershipEdit>> {
    if let Change::UpdateMembership {
        organization, edits, ..
    } = change
        && organization == id
    {
        return Some(edits);
    }
    None
}
