//! Places pushed people: runs the connection's rules over what the directory says, and keeps count of the seats that the plan
//! takes and frees, so that several people in one plan do not count on the same seat.

use serde_json::{Map, Value};

use super::Work;
use crate::access;
use crate::connection::OnNoSeat;
use crate::denial::Denial;
use crate::directory::{Account, AccountKind, GroupName, Membership};
use crate::facts::AccountFacts;
use crate::id::{LicenseId, OrganizationId};
use crate::mapping::Claims;
use crate::placing::{self, Member, Placing};
use crate::plan::{Change, MembershipEdit};
use crate::provision::{kinds, seats};
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
        match edits {
            Some(edits) => edits.push(MembershipEdit::seat(license, true)),
            None => changes.push(seats::seat(&account.id, held, license, true)),
        }
        let text = format!("license: {} again", license.license);
        self.steps
            .about(Stage::License, StepOutcome::Passed, "license_restored", id, text);
    }

    /// Takes the seats of these changes off the count. `was` and `is` are the kinds of account before and after.
    fn count_seats(
        &mut self,
        held: &[Membership],
        changes: &[Change],
        (was, is): (AccountKind, AccountKind),
    ) {
        let after = access::memberships_after(held, changes);
        for (organization, [from, to]) in access::seats(held, &after) {
            let mut loaded = self.organizations.iter_mut();
            let Some(facts) = loaded.find(|facts| facts.organization.id == *organization) else {
                continue;
            };
            if (from, was) == (to, is) {
                continue;
            }
            for pool in &mut facts.licenses {
                let of_pool = |license: Option<&LicenseId>| u32::from(license == Some(&pool.license.id));
                pool.used = pool
                    .used
                    .saturating_sub(of_pool(from))
                    .saturating_add(of_pool(to));
            }
            if from.is_some() {
                facts.count_kind(was, false);
            }
            if to.is_some() {
                facts.count_kind(is, true);
            }
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
