//! Holds rules back that would take access from many people at once, until an admin approves. A typing error in a rule, or
//! claims that a provider suddenly leaves out, must not empty an organization overnight.
//! Never decides who has access: it only postpones what rules take.

use serde::{Deserialize, Serialize};

use crate::access;
use crate::connection::StripGuard;
use crate::directory::Membership;
use crate::facts::{Facts, Strips};
use crate::id::{AccountId, OrganizationId};
use crate::plan::{Change, Decision};
use crate::preview::Impact;
use crate::trace::{Stage, StepOutcome, Steps};

/// What the guard says about an edited policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Judgement {
    /// Organizations that would lose too much; empty if the edit may be saved.
    pub held: Vec<Held>,
}

/// One organization that would lose too much.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Held {
    /// Which.
    pub organization: OrganizationId,
    /// People who would lose something.
    pub stripped: u64,
    /// Members on whom the policy was tried.
    pub members: u64,
    /// Their share in percent, rounded down.
    pub percent: u64,
}

impl Judgement {
    /// Tells whether an admin has to approve.
    pub const fn is_held(&self) -> bool {
        !self.held.is_empty()
    }
}

/// Judges what an edited policy would do to everybody.
pub fn judge(impact: &Impact, guard: Option<&StripGuard>) -> Judgement {
    let Some(guard) = guard else {
        return Judgement::default();
    };
    let held = impact
        .organizations
        .iter()
        .filter(|(_, one)| passes(guard, one.stripped, one.members))
        .map(|(organization, one)| Held {
            organization: organization.clone(),
            stripped: one.stripped,
            members: one.members,
            percent: one
                .stripped
                .saturating_mul(100)
                .checked_div(one.members)
                .unwrap_or(100),
        })
        .collect();
    Judgement { held }
}

/// Tells whether both limits are passed.
const fn passes(guard: &StripGuard, stripped: u64, of: u64) -> bool {
    stripped >= guard.at_least as u64
        && stripped > 0
        && stripped.saturating_mul(100) > of.saturating_mul(guard.percent as u64)
}

/// Lists the organizations in which a decision takes something from the account, `held` being its memberships. Their
/// [`Strips`] belong into the facts of a second look, where the connection has a guard.
pub fn stripped(decision: &Decision, held: &[Membership]) -> Vec<OrganizationId> {
    strips(&decision.plan.changes, held, &[])
}

fn strips(
    changes: &[Change],
    held: &[Membership],
    facts: &[crate::facts::OrganizationFacts],
) -> Vec<OrganizationId> {
    let after = access::after(held, changes);
    access::held(held)
        .into_iter()
        .filter(|(organization, before)| {
            let facts = facts.iter().find(|facts| facts.organization.id == *organization);
            before.is_stripped_by(after.get(organization), facts)
        })
        .map(|(organization, _)| organization)
        .collect()
}

/// Takes the changes back with which rules would go on stripping an organization. Returns in how many of the account's
/// organizations nothing changes now.
pub(crate) fn hold(
    guard: Option<&StripGuard>,
    facts: &Facts,
    account: &AccountId,
    held: &[Membership],
    changes: &mut Vec<Change>,
    steps: &mut Steps,
) -> usize {
    let Some(guard) = guard.filter(|_| !facts.strips.is_empty()) else {
        return 0;
    };
    let mut kept = 0;
    for organization in strips(changes, held, &facts.organizations) {
        let Some(counts) = facts.strips.get(&organization) else {
            continue;
        };
        if !is_wave(guard, *counts) {
            continue;
        }
        changes.retain(|change| !is_about(change, &organization));
        kept += 1;
        let text = format!(
            "{organization}: what the rules take waits for an admin's approval, because {} of {} members lost something \
             within {} minutes; nothing changes",
            counts.recent,
            counts.members.saturating_add(counts.recent),
            guard.minutes
        );
        steps.about(
            Stage::Apply,
            StepOutcome::Warned,
            "held",
            &organization,
            text.clone(),
        );
        changes.push(Change::Alert {
            account: account.clone(),
            code: "strip_held".to_owned(),
            text,
        });
    }
    kept
}

/// Tells whether one more person is too many. People who lost all access are no members any more.
const fn is_wave(guard: &StripGuard, counts: Strips) -> bool {
    let stripped = counts.recent as u64 + 1;
    let members = counts.members as u64 + counts.recent as u64;
    !counts.approved && passes(guard, stripped, members)
}

fn is_about(change: &Change, id: &OrganizationId) -> bool {
    if let Change::UpdateMembership { organization, .. } | Change::RemoveMembership { organization, .. } =
        change
    {
        return organization == id;
    }
    false
}

#[cfg(test)]
mod tests;
