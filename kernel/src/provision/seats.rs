//! Gives free seats of a license pool to those who wait, oldest first (C-23). The product itself asks for it, whenever seats
//! may have come free. Never takes a seat away and never looks for who waits: the store hands the queue in.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::directory::{LicenseGrant, Membership, Status};
use crate::facts::{AccountFacts, Facts, LicensePool, Need, OrganizationsNeeded};
use crate::id::{AccountId, LicenseId, OrganizationId};
use crate::incoming::Fresh;
use crate::plan::{Change, Decision, MembershipEdit, Plan, Verdict};
use crate::trace::{PROVISION, Stage, StepOutcome, Steps, Trace};

/// People who wait for a seat of one pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeatQueue {
    /// The organization.
    pub organization: OrganizationId,
    /// The pool.
    pub license: LicenseId,
    /// Who waits, who came first first. May be cut short: the next run goes on.
    pub waiting: Vec<AccountId>,
}

/// Says what must be loaded to fill seats.
pub fn need(queue: &SeatQueue) -> Need {
    Need {
        accounts: queue.waiting.clone(),
        organizations: OrganizationsNeeded::Ids(vec![queue.organization.clone()]),
        ..Need::default()
    }
}

/// Decides who gets a seat. Whoever does not wait any more, may not sign in, or is of a kind whose seats are used up, is passed
/// over and keeps the place.
pub fn decide(queue: &SeatQueue, facts: &Facts, fresh: &Fresh, now: Timestamp) -> Decision {
    let mut steps = Steps::default();
    let mut changes = Vec::new();
    let (organization, license) = (&queue.organization, &queue.license);
    // Counted on while seats are given: of the pool, and of each kind of account.
    let loaded = facts
        .organizations
        .iter()
        .find(|facts| facts.organization.id == *organization);
    let mut known = loaded.cloned();
    let pool = loaded.and_then(|facts| facts.pool(license));
    let mut free = pool.map_or(0, free_seats);
    let text = format!(
        "license: {free} free in {license}, {} waiting",
        queue.waiting.len()
    );
    steps.about(
        Stage::License,
        StepOutcome::Passed,
        "seats_free",
        organization,
        text,
    );
    for id in &queue.waiting {
        if free == 0 {
            break;
        }
        let Some((person, held, grant)) = waits(queue, facts, id) else {
            continue;
        };
        let kind = person.account.kind;
        // A pool may be for another kind by now, though whoever becomes another kind is taken out of the queue.
        if pool.is_some_and(|pool| !pool.license.serves(kind)) {
            let text = format!("license: {license} is not for the kind of account that {id} is");
            let (skipped, code) = (StepOutcome::Skipped, "license_wrong_kind");
            steps.about(Stage::License, skipped, code, organization, text);
            continue;
        }
        let Some(here) = known.as_mut().filter(|here| here.has_room(kind)) else {
            let text = format!("license: no more seats for this kind of account, {id} goes on waiting");
            steps.about(
                Stage::License,
                StepOutcome::Skipped,
                "seats_of_kind_used",
                organization,
                text,
            );
            continue;
        };
        here.count_kind(kind, true);
        free -= 1;
        changes.push(seat(&person.account.id, held, grant, true));
        let text = format!("license: {id} waited for {license} and gets a seat");
        steps.about(
            Stage::License,
            StepOutcome::Passed,
            "seat_given",
            organization,
            text,
        );
    }
    Decision {
        verdict: Verdict::Accepted,
        plan: Plan {
            changes,
            ..Plan::default()
        },
        trace: Trace {
            id: fresh.trace.clone(),
            at: now,
            kind: PROVISION.to_owned(),
            connection: None,
            account: None,
            steps: steps.into_vec(),
        },
    }
}

/// Plans that a license which somebody holds gets a seat, or gives it back and waits.
pub(super) fn seat(account: &AccountId, held: &Membership, license: &LicenseGrant, seated: bool) -> Change {
    Change::UpdateMembership {
        account: account.clone(),
        organization: held.organization.clone(),
        version: held.version,
        edits: vec![MembershipEdit::seat(license, seated)],
    }
}

/// Frees the seats of an account's memberships. The licenses stay the account's, waiting, so that whoever comes back finds
/// them again.
pub(super) fn release<'m>(
    account: &AccountId,
    memberships: impl Iterator<Item = &'m Membership>,
    changes: &mut Vec<Change>,
    steps: &mut Steps,
) {
    for held in memberships {
        let Some(license) = held.license.as_ref().filter(|license| license.seated) else {
            continue;
        };
        let text = format!("license: the seat in {} is free again", license.license);
        let organization = &held.organization;
        steps.about(
            Stage::License,
            StepOutcome::Passed,
            "license_released",
            organization,
            text,
        );
        changes.push(seat(account, held, license, false));
    }
}

/// Free seats; as many as anybody could want where there is no limit.
fn free_seats(pool: &LicensePool) -> u32 {
    pool.license
        .seats
        .map_or(u32::MAX, |seats| seats.saturating_sub(pool.used))
}

/// Tells whether somebody still waits for a seat of the pool, and with what.
fn waits<'a>(
    queue: &SeatQueue,
    facts: &'a Facts,
    id: &AccountId,
) -> Option<(&'a AccountFacts, &'a Membership, &'a LicenseGrant)> {
    let known = facts.accounts.iter().find(|known| known.account.id == *id)?;
    let held = known
        .memberships
        .iter()
        .find(|held| held.organization == queue.organization && held.active)?;
    let grant = held
        .license
        .as_ref()
        .filter(|grant| !grant.seated && grant.license == queue.license)?;
    matches!(known.account.status, Status::Active | Status::Invited).then_some((known, held, grant))
}

#[cfg(test)]
mod tests;
