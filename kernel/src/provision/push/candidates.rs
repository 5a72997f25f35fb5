//! Finds the organizations that may admit the people of a push, so that a push through a connection of the whole instance does
//! not load every organization (R-55, decision 11). Never decides: whoever is found is judged by the rules again.
//!
//! What rules see of a person depends on groups and on what becomes of the document, and both are known only after the first
//! look. So the push is decided once for its claims alone, by the same code and without placing anybody.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Push, Work};
use crate::connection::Scope;
use crate::facts::{Facts, Need, OrganizationsNeeded};
use crate::id::OrganizationId;
use crate::incoming::Fresh;
use crate::mapping::{Claims, InForce};

/// What the rules have to be asked about.
#[derive(Debug)]
pub struct Candidates<'a> {
    in_force: &'a InForce,
    claims: Vec<Claims>,
    found: BTreeSet<OrganizationId>,
    /// Whether rules have to be looked at for each id there is.
    is_open: bool,
}

/// Collects the organizations that may admit the people of a push, once everything else of [`super::need`] and
/// [`super::need_more`] is known. None where these loaded all organizations in reach, or nobody is to be placed.
pub fn candidates<'a>(
    push: &Push,
    facts: &Facts,
    in_force: &'a InForce,
    fresh: &Fresh,
    now: Timestamp,
) -> Option<Candidates<'a>> {
    if in_force.connection().scope != Scope::Instance {
        return None;
    }
    let mut work = Work::new(facts, in_force, fresh, now);
    work.asked = Some(Vec::new());
    // A refusal is met again when it is decided in earnest; until then it asked what it asked.
    let _refused = work.perform(push);
    let claims = work.asked.unwrap_or_default();
    if claims.is_empty() {
        return None;
    }
    let mut candidates = Candidates {
        in_force,
        claims: Vec::new(),
        found: BTreeSet::new(),
        is_open: false,
    };
    for (claims, held) in claims {
        // Of somebody who left and comes back, nothing of that was loaded.
        candidates.found.extend(held);
        match in_force.organizations_needed(&claims) {
            OrganizationsNeeded::None => {}
            OrganizationsNeeded::Ids(ids) => candidates.found.extend(ids),
            OrganizationsNeeded::All => {
                candidates.is_open = true;
                candidates.claims.push(claims);
            }
        }
    }
    Some(candidates)
}

impl Candidates<'_> {
    /// Tells whether [`Self::need`] wants the ids of all organizations there are.
    pub const fn is_open(&self) -> bool {
        self.is_open
    }

    /// Says what must be loaded; add it to the facts with [`Facts::join`]. `every` may be empty unless [`Self::is_open`].
    pub fn need(mut self, every: &[OrganizationId]) -> Need {
        for claims in &self.claims {
            self.found.extend(self.in_force.admitting(claims, every));
        }
        Need {
            organizations: OrganizationsNeeded::Ids(self.found.into_iter().collect()),
            ..Need::default()
        }
    }
}
