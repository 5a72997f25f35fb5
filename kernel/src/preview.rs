//! What an edited policy would do, before it is saved: the same placing as at a sign-in, once with the saved and once
//! with the edited policy, over the last claims of everybody whom the connection knows. Writes nothing.
//!
//! Meant for streams: [`Preview`] is made once and shared, an account costs what its own organizations cost, and
//! [`Impact`] grows with organizations and roles, never with people.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::access::{self, Access, AccessMap};
use crate::connection::Provisioning;
use crate::denial::Denial;
use crate::directory::{Source, Status};
use crate::facts::{AccountFacts, OrganizationFacts, OrganizationsNeeded};
use crate::id::{AccountId, OrganizationId};
use crate::incoming::Incoming;
use crate::mapping::{Claims, InForce};
use crate::placing::{Member, Placing};
use crate::trace::Steps;

mod impact;

pub use impact::{Count, Impact, OrganizationImpact};

/// Two policies of one connection, to be compared.
#[derive(Clone, Copy, Debug)]
pub struct Preview<'a> {
    saved: &'a InForce,
    edited: &'a InForce,
}

/// Organizations loaded so far, by id.
pub type Organizations = BTreeMap<OrganizationId, OrganizationFacts>;

/// How somebody's access in an organization differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// Comes in.
    Gains,
    /// Is out.
    Loses,
    /// Is in either way, with something else.
    Changes,
}

/// What would become of one account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Difference {
    /// In which organizations something differs.
    pub organizations: Vec<OrganizationDifference>,
    /// Organizations in which the account is active under the saved policy.
    pub member_of: Vec<OrganizationId>,
    /// Whether the account would have no organization any more, or has none yet and would get one.
    pub entry: Option<How>,
    /// Why sign-ins of the account would be refused by the edited policy's rules, if they are not already.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub refused: Option<Denial>,
}

/// What would become of one account in one organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrganizationDifference {
    /// Which.
    pub organization: OrganizationId,
    /// How.
    pub how: How,
    /// Whether something is taken without a replacement of its kind; see [`Access::is_stripped_by`].
    pub stripped: bool,
    /// Access under the saved policy.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub before: Option<Access>,
    /// Access under the edited policy.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after: Option<Access>,
}

impl Difference {
    /// Tells whether nothing would change.
    pub const fn is_empty(&self) -> bool {
        self.organizations.is_empty() && self.refused.is_none()
    }
}

/// One row of a preview's list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Row {
    /// Whom it is about.
    pub account: AccountId,
    /// What would become of the account.
    #[serde(flatten)]
    pub difference: Difference,
}

impl<'a> Preview<'a> {
    /// Compares two policies of one connection.
    pub const fn new(saved: &'a InForce, edited: &'a InForce) -> Self {
        Self { saved, edited }
    }

    /// Tells which organizations must be loaded for these claims, beside those of the account's memberships. `every` is
    /// the ids of all organizations.
    pub fn organizations(&self, incoming: &Incoming, every: &[OrganizationId]) -> Vec<OrganizationId> {
        let claims = Claims::of(incoming);
        let mut found = Vec::new();
        for in_force in [self.saved, self.edited] {
            if in_force.connection().provisioning == Provisioning::Manual {
                continue;
            }
            match in_force.organizations_needed(&claims) {
                OrganizationsNeeded::None => {}
                OrganizationsNeeded::Ids(ids) => found.extend(ids),
                OrganizationsNeeded::All => found.extend(in_force.admitting(&claims, every)),
            }
        }
        found.sort();
        found.dedup();
        found
    }

    /// Compares what the two policies give one account. Whoever may not sign in now differs in nothing.
    pub fn difference(
        &self,
        known: &AccountFacts,
        incoming: &Incoming,
        organizations: &Organizations,
    ) -> Difference {
        if !matches!(known.account.status, Status::Active | Status::Invited) {
            return Difference::default();
        }
        let claims = Claims::of(incoming);
        let (before, refused_before) = outcome(self.saved, known, incoming, &claims, organizations);
        let (after, refused_after) = outcome(self.edited, known, incoming, &claims, organizations);
        let refused = refused_after.filter(|_| refused_before.is_none());
        compare(&before, &after, refused, organizations)
    }
}

/// The access that an account has after a sign-in under a policy, or the denial that leaves everything as it is.
fn outcome(
    in_force: &InForce,
    known: &AccountFacts,
    incoming: &Incoming,
    claims: &Claims,
    organizations: &Organizations,
) -> (AccessMap, Option<Denial>) {
    let connection = in_force.connection();
    if connection.provisioning == Provisioning::Manual {
        return (access::held(&known.memberships), None);
    }
    let mut wanted = match in_force.organizations_needed(claims) {
        OrganizationsNeeded::Ids(ids) => ids,
        OrganizationsNeeded::None => Vec::new(),
        OrganizationsNeeded::All => {
            let every: Vec<OrganizationId> = organizations.keys().cloned().collect();
            in_force.admitting(claims, &every)
        }
    };
    wanted.extend(known.memberships.iter().map(|held| held.organization.clone()));
    wanted.sort();
    wanted.dedup();
    let loaded: Vec<&OrganizationFacts> = wanted.iter().filter_map(|id| organizations.get(id)).collect();
    let asserted = &incoming.normalized;
    let source = Source::Rule {
        connection: connection.id.clone(),
    };
    let placing = Placing {
        in_force,
        organizations: &[],
        claims,
        asserted: (
            asserted.account_id.as_deref(),
            asserted.permission_profile_id.as_deref(),
        ),
        source: &source,
    };
    let member = Member {
        account: &known.account.id,
        emergency_admin: known.account.emergency_admin,
        held: &known.memberships,
    };
    let mut changes = Vec::new();
    match placing.run_over(loaded, member, &mut changes, &mut Steps::default()) {
        Ok(_) => (access::after(&known.memberships, &changes), None),
        Err(denial) => (access::held(&known.memberships), Some(denial)),
    }
}

fn compare(
    before: &AccessMap,
    after: &AccessMap,
    refused: Option<Denial>,
    organizations: &Organizations,
) -> Difference {
    let mut differences = Vec::new();
    for (id, had) in before {
        let has = after.get(id);
        if has != Some(had) {
            differences.push(OrganizationDifference {
                organization: id.clone(),
                how: if has.is_some() { How::Changes } else { How::Loses },
                stripped: had.is_stripped_by(has, organizations.get(id)),
                before: Some(had.clone()),
                after: has.cloned(),
            });
        }
    }
    for (id, has) in after.iter().filter(|(id, _)| !before.contains_key(*id)) {
        differences.push(OrganizationDifference {
            organization: id.clone(),
            how: How::Gains,
            stripped: false,
            before: None,
            after: Some(has.clone()),
        });
    }
    Difference {
        organizations: differences,
        member_of: before.keys().cloned().collect(),
        entry: match (before.is_empty(), after.is_empty()) {
            (true, false) => Some(How::Gains),
            (false, true) => Some(How::Loses),
            (true, true) | (false, false) => None,
        },
        refused,
    }
}

#[cfg(test)]
mod tests;
