//! Seats of people who become the other kind of account: they count for that kind from then on, which may have a limit of its
//! own. Where that is used up, whoever asks is told so, or the person keeps the license and waits for a seat.

use super::{Action, Actor, Work};
use crate::denial::Denial;
use crate::directory::{AccountKind, LicenseGrant};
use crate::facts::{AccountFacts, OrganizationFacts};
use crate::id::{AccountId, OrganizationId};
use crate::plan::{Change, MembershipEdit};
use crate::trace::{Stage, StepOutcome, Steps};

impl Work<'_> {
    /// Judges the seats of everybody who becomes another kind of account in this plan. People are told that no seat is left; what a
    /// directory, the file or the end of an override brings about happens, and the person waits.
    pub(super) fn keep_kind_limits(&mut self, action: &Action) -> Result<(), Denial> {
        let may_wait = match self.actor {
            Actor::File | Actor::System | Actor::Scim { .. } => true,
            Actor::Operator { .. } | Actor::Key { .. } | Actor::Admin { .. } => {
                matches!(action, Action::EndOverride { .. })
            }
            Actor::Person | Actor::SetupLink { .. } => false,
        };
        let facts = self.facts;
        let known: Vec<&AccountFacts> = facts.accounts.iter().chain(&facts.candidates).collect();
        for (account, kind) in becoming(&self.changes) {
            let Some(known) = known.iter().find(|known| known.account.id == account) else {
                continue;
            };
            settle(
                (known, kind),
                &facts.organizations,
                &mut self.changes,
                may_wait,
                &mut self.steps,
            )?;
        }
        Ok(())
    }
}

/// Who becomes which kind of account.
fn becoming(changes: &[Change]) -> Vec<(AccountId, AccountKind)> {
    let mut found = Vec::new();
    for change in changes {
        if let Change::UpdateProfile { account, set, .. } = change
            && let Some(kind) = set.kind
        {
            found.push((account.clone(), kind));
        }
    }
    found
}

/// Lets somebody who becomes another kind of account keep the seats for which that kind has room, or wait for them.
///
/// # Errors
/// [`Denial::NoSeat`] unless the person may wait.
pub(super) fn settle(
    (known, kind): (&AccountFacts, AccountKind),
    organizations: &[OrganizationFacts],
    changes: &mut Vec<Change>,
    may_wait: bool,
    steps: &mut Steps,
) -> Result<(), Denial> {
    let account = &known.account.id;
    for facts in organizations {
        let id = &facts.organization.id;
        let Some(license) = license_after(known, id, changes).filter(|license| license.seated) else {
            continue;
        };
        if facts.has_room(kind) {
            continue;
        }
        if !may_wait {
            let text =
                format!("license: {id} has no seat left for the kind of account that {account} becomes");
            steps.about(Stage::License, StepOutcome::Refused, "license_no_seat", id, text);
            return Err(Denial::NoSeat);
        }
        let text = format!(
            "license: no seat is left for the kind of account that {account} becomes, waiting for one"
        );
        steps.about(Stage::License, StepOutcome::Warned, "license_queued", id, text);
        unseat(known, id, license, changes);
    }
    Ok(())
}

/// The license that somebody holds in an organization after these changes.
fn license_after(
    known: &AccountFacts,
    organization: &OrganizationId,
    changes: &[Change],
) -> Option<LicenseGrant> {
    let mut held = known.memberships.iter();
    let held = held.find(|held| held.organization == *organization);
    let mut license = held.and_then(|held| held.license.clone());
    for change in changes {
        if let Change::AddMembership { account, membership } = change
            && *account == known.account.id
            && membership.organization == *organization
        {
            license.clone_from(&membership.license);
        }
        if let Change::RemoveMembership {
            account,
            organization: left,
            ..
        } = change
            && *account == known.account.id
            && left == organization
        {
            license = None;
        }
        if let Change::UpdateMembership {
            account,
            organization: edited,
            edits,
            ..
        } = change
            && *account == known.account.id
            && edited == organization
        {
            for edit in edits {
                if let MembershipEdit::SetLicense { to, .. } = edit {
                    license.clone_from(to);
                }
            }
        }
    }
    license
}

/// Plans that a license is waited for, in the change that is there for the membership, or in one of its own.
fn unseat(
    known: &AccountFacts,
    organization: &OrganizationId,
    license: LicenseGrant,
    changes: &mut Vec<Change>,
) {
    let waits = LicenseGrant {
        seated: false,
        ..license.clone()
    };
    for change in changes.iter_mut() {
        if let Change::AddMembership { account, membership } = change
            && *account == known.account.id
            && membership.organization == *organization
        {
            membership.license = Some(waits);
            return;
        }
        let Change::UpdateMembership {
            account,
            organization: edited,
            edits,
            ..
        } = change
        else {
            continue;
        };
        if *account != known.account.id || edited != organization {
            continue;
        }
        let last = edits.iter_mut().rev().find_map(|edit| match edit {
            MembershipEdit::SetLicense { to, .. } => Some(to),
            MembershipEdit::GrantRole { .. }
            | MembershipEdit::RevokeRole { .. }
            | MembershipEdit::GrantWorkspace { .. }
            | MembershipEdit::RevokeWorkspace { .. }
            | MembershipEdit::SetAllWorkspaces { .. }
            | MembershipEdit::SetActive { .. }
            | MembershipEdit::SetPinned { .. } => None,
        });
        match last {
            Some(to) => *to = Some(waits),
            None => edits.push(MembershipEdit::SetLicense {
                from: Some(license),
                to: Some(waits),
            }),
        }
        return;
    }
    let mut held = known.memberships.iter();
    if let Some(held) = held.find(|held| held.organization == *organization) {
        changes.push(Change::UpdateMembership {
            account: known.account.id.clone(),
            organization: organization.clone(),
            version: held.version,
            edits: vec![MembershipEdit::SetLicense {
                from: Some(license),
                to: Some(waits),
            }],
        });
    }
}

#[cfg(test)]
mod tests;
