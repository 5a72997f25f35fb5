//! Seats of people who become the other kind of account: they count for that kind from then on, which may have a limit of its
//! own. Where that is used up, whoever asks is told so, or the person keeps the license and waits for a seat.
//!
//! A license of a pool that is for the former kind alone does not stay, held or waited for: it moves to the pool that is for the new
//! kind if there is exactly one, and is given back otherwise. Which of several pools to pay for is nobody's guess.

use super::{Action, Actor, Work};
use crate::access;
use crate::denial::Denial;
use crate::directory::{AccountKind, LicenseGrant, Membership};
use crate::facts::{AccountFacts, OrganizationFacts};
use crate::id::{AccountId, LicenseId, OrganizationId};
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

/// Lets somebody who becomes another kind of account keep the seats for which that kind has room, or wait for them, and takes those
/// that are not for that kind.
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
        let mut held = after.iter().filter(|held| held.organization == *id);
        let Some(license) = held.next().and_then(|held| held.license.as_ref()) else {
            continue;
        };
        let Some(mut wanted) = for_kind(license, kind, facts) else {
            let text = format!(
                "license: {} is not for the kind of account that {account} becomes, given back",
                license.license
            );
            steps.about(
                Stage::License,
                StepOutcome::Warned,
                "license_wrong_kind",
                id,
                text,
            );
            replace(known, id, license, None, changes);
            continue;
        };
        let moves = wanted.license != license.license;
        if moves {
            let text = format!(
                "license: {} is not for the kind of account that {account} becomes, {} takes its place",
                license.license, wanted.license
            );
            steps.about(Stage::License, StepOutcome::Passed, "license_moved", id, text);
        }
        if wanted.seated && !has_seat(facts, &wanted.license, kind, moves) {
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
            wanted.seated = false;
        }
        if wanted != *license {
            replace(known, id, license, Some(wanted), changes);
        }
    }
    Ok(())
}

/// What becomes of a license when its holder becomes this kind of account: none if nothing can take its place.
fn for_kind(license: &LicenseGrant, kind: AccountKind, facts: &OrganizationFacts) -> Option<LicenseGrant> {
    let serves = facts
        .pool(&license.license)
        .is_none_or(|pool| pool.license.serves(kind));
    if serves {
        return Some(license.clone());
    }
    let mut own = facts
        .licenses
        .iter()
        .filter(|pool| pool.license.kind == Some(kind));
    let (only, another) = (own.next()?, own.next());
    another.is_none().then(|| LicenseGrant {
        license: only.license.id.clone(),
        ..license.clone()
    })
}

/// Tells whether there is a seat for somebody who is of this kind from now on. Whoever stays in the pool has the pool's seat already.
fn has_seat(facts: &OrganizationFacts, license: &LicenseId, kind: AccountKind, moves: bool) -> bool {
    if moves {
        facts.has_seat(license, kind, None)
    } else {
        facts.has_room(kind)
    }
}

/// Plans another license, or none, in the change that is there for the membership, or in one of its own.
fn replace(
    known: &AccountFacts,
    organization: &OrganizationId,
    license: &LicenseGrant,
    wanted: Option<LicenseGrant>,
    changes: &mut Vec<Change>,
) {
    let account = &known.account.id;
    let edit = |wanted| MembershipEdit::SetLicense {
        from: Some(license.clone()),
        to: wanted,
    };
    let mut planned = changes.iter_mut();
    match planned.find(|change| change.membership() == Some((account, organization))) {
        Some(Change::AddMembership { membership, .. }) => membership.license = wanted,
        Some(Change::UpdateMembership { edits, .. }) => {
            let mut given = edits.iter_mut().rev().filter_map(|edit| {
                if let MembershipEdit::SetLicense { to, .. } = edit {
                    Some(to)
                } else {
                    None
                }
            });
            match given.next() {
                Some(to) => *to = wanted,
                None => edits.push(edit(wanted)),
            }
        }
        Some(_) | None => {
            let mut held = known.memberships.iter();
            if let Some(held) = held.find(|held| held.organization == *organization) {
                changes.push(relicensed(account, held, edit(wanted)));
            }
        }
    }
}

fn relicensed(account: &AccountId, held: &Membership, edit: MembershipEdit) -> Change {
    Change::UpdateMembership {
        account: account.clone(),
        organization: held.organization.clone(),
        version: held.version,
        edits: vec![edit],
    }
}

#[cfg(test)]
mod tests;
