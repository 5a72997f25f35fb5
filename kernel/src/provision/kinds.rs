//! Seats of people who become the other kind of account: they count for that kind from then on, which may have a limit of its
//! own. Where that is used up, whoever asks is told so, or the person keeps the license and waits for a seat.

use super::{Action, Actor, Work, seats};
use crate::access;
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
    let theirs = changes
        .iter()
        .filter(|change| change.membership().is_some_and(|(whose, _)| whose == account));
    let after = access::memberships_after(&known.memberships, theirs);
    for facts in organizations {
        let id = &facts.organization.id;
        let held = after.iter().find(|held| held.organization == *id);
        let Some(license) = held
            .and_then(|held| held.license.as_ref())
            .filter(|license| license.seated)
        else {
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

/// Plans that a license is waited for, in the change that is there for the membership, or in one of its own.
fn unseat(
    known: &AccountFacts,
    organization: &OrganizationId,
    license: &LicenseGrant,
    changes: &mut Vec<Change>,
) {
    let account = &known.account.id;
    let waits = LicenseGrant {
        seated: false,
        ..license.clone()
    };
    let mut planned = changes.iter_mut();
    match planned.find(|change| change.membership() == Some((account, organization))) {
        Some(Change::AddMembership { membership, .. }) => membership.license = Some(waits),
        Some(Change::UpdateMembership { edits, .. }) => {
            let mut given = edits.iter_mut().rev().filter_map(|edit| {
                if let MembershipEdit::SetLicense { to, .. } = edit {
                    Some(to)
                } else {
                    None
                }
            });
            match given.next() {
                Some(to) => *to = Some(waits),
                None => edits.push(MembershipEdit::seat(license, false)),
            }
        }
        Some(_) | None => {
            let mut held = known.memberships.iter();
            if let Some(held) = held.find(|held| held.organization == *organization) {
                changes.push(seats::seat(account, held, license, false));
            }
        }
    }
}

#[cfg(test)]
mod tests;
