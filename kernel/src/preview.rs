//! What an edited policy would do, before it is saved: the same placing as at a sign-in or push, once with the saved
//! and once with the edited policy, over what was last heard of everybody: the last claims, or, where a directory makes the
//! accounts, what it pushed. Writes nothing.
//!
//! Seats are used up from one person to the next, once under each policy: with 50 seats, the 51st person is shown to wait for one
//! (or to be refused). Whoever comes first in the order of the stream gets the seat, so the caller keeps to one order.
//!
//! Meant for streams: [`Preview`] is made once and shared, an account costs what its own organizations cost, and
//! [`Impact`] grows with organizations and roles, never with people.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::access::{self, Access, AccessMap};
use crate::connection::{Connection, Provisioning};
use crate::denial::Denial;
use crate::directory::{Account, GroupName, Source, Status};
use crate::facts::{AccountFacts, OrganizationFacts, OrganizationsNeeded};
use crate::id::{AccountId, ConnectionId, OrganizationId};
use crate::incoming::Incoming;
use crate::mapping::{Claims, InForce, SeatCount};
use crate::placing::{self, Member, Placing};
use crate::trace::Steps;

mod impact;

pub use impact::{Count, Impact, OrganizationImpact};

/// Two policies of one connection, to be compared.
#[derive(Clone, Copy, Debug)]
pub struct Preview<'a> {
    saved: &'a InForce,
    edited: &'a InForce,
}

/// What was last heard of a person, as rules see it: made once and tried on both policies.
#[derive(Clone, Debug)]
pub struct Heard {
    claims: Claims,
    account_id: Option<String>,
    permission_profile_id: Option<String>,
    /// Whether a directory said it. Rules then run at its pushes; else they run at sign-ins.
    pushed: bool,
}

impl Heard {
    /// Takes what a provider said at a sign-in.
    pub fn at_sign_in(incoming: &Incoming) -> Self {
        Self {
            claims: Claims::of(incoming),
            account_id: incoming.normalized.account_id.clone(),
            permission_profile_id: incoming.normalized.permission_profile_id.clone(),
            pushed: false,
        }
    }

    /// Takes what a directory pushed: the document and the groups of one of its accounts.
    pub fn pushed(
        connection: &ConnectionId,
        account: &Account,
        document: &Map<String, Value>,
        groups: &[GroupName],
    ) -> Self {
        Self {
            claims: Claims::pushed(connection, account, document, groups),
            account_id: None,
            permission_profile_id: None,
            pushed: true,
        }
    }

    /// Returns the claims.
    pub const fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Tells whether rules of a connection run over this at all: where a directory pushes, sign-ins run none.
    const fn counts(&self, connection: &Connection) -> bool {
        match connection.provisioning {
            Provisioning::Manual => false,
            Provisioning::Jit => !self.pushed,
            Provisioning::Scim => self.pushed,
        }
    }

    /// The source of what the rules give.
    fn source(&self, connection: &Connection) -> Source {
        let connection = connection.id.clone();
        if self.pushed {
            Source::Scim { connection }
        } else {
            Source::Rule { connection }
        }
    }
}

/// Seats that the people looked at so far would take, under each of the two policies.
#[derive(Clone, Debug, Default)]
pub struct Seats {
    saved: SeatCount,
    edited: SeatCount,
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
    pub fn organizations(&self, heard: &Heard, every: &[OrganizationId]) -> Vec<OrganizationId> {
        let claims = &heard.claims;
        let mut found = Vec::new();
        for in_force in [self.saved, self.edited] {
            if !heard.counts(in_force.connection()) {
                continue;
            }
            match in_force.organizations_needed(claims) {
                OrganizationsNeeded::None => {}
                OrganizationsNeeded::Ids(ids) => found.extend(ids),
                OrganizationsNeeded::All => found.extend(in_force.admitting(claims, every)),
            }
        }
        found.sort();
        found.dedup();
        found
    }

    /// Compares what the two policies give one account, after those who were looked at before. Whoever may not sign in now differs in nothing.
    pub fn difference(
        &self,
        known: &AccountFacts,
        heard: &Heard,
        organizations: &Organizations,
        seats: &mut Seats,
    ) -> Difference {
        if !matches!(known.account.status, Status::Active | Status::Invited) {
            return Difference::default();
        }
        let (before, refused_before) = outcome(self.saved, known, heard, organizations, &mut seats.saved);
        let (after, refused_after) = outcome(self.edited, known, heard, organizations, &mut seats.edited);
        let refused = refused_after.filter(|_| refused_before.is_none());
        compare(&before, &after, refused, organizations)
    }
}

/// The access that an account has after a sign-in or push under a policy, or the denial that leaves everything as it is.
fn outcome(
    in_force: &InForce,
    known: &AccountFacts,
    heard: &Heard,
    organizations: &Organizations,
    seats: &mut SeatCount,
) -> (AccessMap, Option<Denial>) {
    let connection = in_force.connection();
    if !heard.counts(connection) {
        return (access::held(&known.memberships), None);
    }
    let claims = &heard.claims;
    let mut wanted = match in_force.organizations_needed(claims) {
        OrganizationsNeeded::Ids(ids) => ids,
        OrganizationsNeeded::None => Vec::new(),
        OrganizationsNeeded::All => {
            let every: Vec<OrganizationId> = organizations.keys().cloned().collect();
            in_force.admitting(claims, &every)
        }
    };
    wanted.extend(known.memberships.iter().map(|held| held.organization.clone()));
    wanted.retain(|id| connection.reaches(id));
    wanted.sort();
    wanted.dedup();
    let loaded: Vec<&OrganizationFacts> = wanted.iter().filter_map(|id| organizations.get(id)).collect();
    let placing = Placing {
        in_force,
        organizations: &[],
        claims,
        asserted: (
            heard.account_id.as_deref(),
            heard.permission_profile_id.as_deref(),
        ),
        source: &heard.source(connection),
        seats: Some(seats),
    };
    let member = Member {
        account: &known.account.id,
        emergency_admin: known.account.emergency_admin,
        held: &known.memberships,
        kind: known.account.kind,
        signed_in: !heard.pushed || placing::has_signed_in(known, &connection.id),
    };
    let mut changes = Vec::new();
    let placed = placing.run_over(loaded, member, &mut changes, &mut Steps::default());
    match placed {
        Ok(_) => {
            let after = access::memberships_after(&known.memberships, &changes);
            for (organization, held) in access::seats(&known.memberships, &after) {
                seats.count(organization, known.account.kind, held);
            }
            (access::held(&after), None)
        }
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
