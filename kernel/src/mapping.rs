//! Turns policies into grants: which organizations, roles, workspaces and licenses a set of claims leads to.
//! Never looks at memberships that a person already has: comparing is the sign-in's work.
//!
//! Precedence (C-16): identifiers in the assertion (`accountid`, `permissionprofileid`), then the organization's own
//! policy, then the connection's default policy, then the defaults of the organization.
//! Two things no rule can ever do: create a role and grant an owner role.

use std::collections::BTreeMap;

use crate::connection::{Connection, Scope};
use crate::entitlement::Entitlements;
use crate::expression::{Expression, Kinds};
use crate::id::OrganizationId;
use crate::policy::{ClaimRoles, GroupRoles, LicenseRule, Policy, RoleRule, WorkspaceRule};

mod admission;
pub(crate) mod builder;
mod candidates;
mod claims;
mod license;
mod mentions;
mod placement;
mod role;
mod suggest;
mod workspace;

pub(crate) use admission::admits;
pub use claims::Claims;
pub use license::SeatCount;
pub(crate) use license::{Holder, license as license_of};
pub use mentions::mentions;
pub(crate) use placement::{AssertionIds, Placement, Skip, owner_role_ids, place};
pub(crate) use suggest::suggest;
pub(crate) use workspace::Given;

/// A connection with its policies compiled: what is in force at a sign-in. Share it in an `Arc`.
#[derive(Clone, Debug)]
pub struct InForce {
    connection: Connection,
    default: Compiled,
    own: BTreeMap<OrganizationId, Compiled>,
    rules: candidates::OwnRules,
    entitlements: Entitlements,
}

/// Why a policy cannot be put in force. Meant for the admin who saves it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message} (at byte {offset})")]
pub struct PolicyError {
    /// Which part of the connection, for example `policy.role.expression`.
    pub path: String,
    /// Byte offset in the expression; 0 where the fault is not in one.
    pub offset: usize,
    /// What is wrong, as a sentence.
    pub message: String,
}

/// A policy with its expressions compiled.
#[derive(Clone, Debug, Default)]
pub(crate) struct Compiled {
    organization: Option<Expression>,
    role: Option<Role>,
    workspaces: Option<Workspaces>,
    license: Option<License>,
}

#[derive(Clone, Debug)]
enum Role {
    Fixed(String),
    Expression(Expression),
    Groups(Vec<GroupRoles>),
    Mapping(Vec<builder::Row>),
}

#[derive(Clone, Debug)]
enum Workspaces {
    All,
    Fixed(Vec<crate::id::WorkspaceId>),
    Dynamic(Expression),
}

#[derive(Clone, Debug)]
enum License {
    Fixed(crate::id::LicenseId),
    Expression(Expression),
}

impl InForce {
    /// Compiles every expression of a connection.
    ///
    /// # Errors
    /// All faults at once, each with path, position and message: expressions that do not compile, two policies for one
    /// organization, a policy for an organization out of the connection's reach.
    pub fn compile(mut connection: Connection) -> Result<Self, Vec<PolicyError>> {
        let mut faults = Faults(Vec::new());
        for domain in &mut connection.domains {
            domain.make_ascii_lowercase();
        }
        let default = connection.policy.clone().unwrap_or_default();
        let default = faults.policy("policy", "policy.organization", &default);
        let mut own = BTreeMap::new();
        for (position, policy) in connection.organization_policies.iter().enumerate() {
            let path = format!("organization_policies[{position}]");
            let organization = &policy.organization;
            if !connection.reaches(organization) {
                faults.add(
                    &format!("{path}.organization"),
                    0,
                    format!("organization {organization} is out of the connection's reach"),
                );
            }
            let as_policy = Policy {
                organization: policy.organization_expression.clone(),
                role: policy.role.clone(),
                workspaces: policy.workspaces.clone(),
                license: policy.license.clone(),
            };
            let compiled = faults.policy(&path, &format!("{path}.organization_expression"), &as_policy);
            if own.insert(organization.clone(), compiled).is_some() {
                faults.add(
                    &format!("{path}.organization"),
                    0,
                    format!("there are two policies for organization {organization}"),
                );
            }
        }
        if faults.0.is_empty() {
            Ok(Self {
                connection,
                default,
                rules: candidates::OwnRules::of(&own),
                entitlements: Entitlements::default(),
                own,
            })
        } else {
            Err(faults.0)
        }
    }

    /// The same, for an owner whose plan includes this.
    #[must_use]
    pub const fn entitled(mut self, entitlements: Entitlements) -> Self {
        self.entitlements = entitlements;
        self
    }

    /// Returns what the owner's plan includes; everything for a connection of the whole instance.
    pub const fn entitlements(&self) -> &Entitlements {
        &self.entitlements
    }

    /// Returns the connection.
    pub const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Returns the policy for one organization, and whether it is its own.
    pub(crate) fn policy_for(&self, organization: &OrganizationId) -> (&Compiled, bool) {
        self.own
            .get(organization)
            .map_or((&self.default, false), |own| (own, true))
    }

    /// Returns the organization that owns the connection, if one does.
    pub(crate) const fn owner(&self) -> Option<&OrganizationId> {
        match &self.connection.scope {
            Scope::Instance => None,
            Scope::Organization { organization, .. } => Some(organization),
        }
    }
}

/// What an expression has to give in its place.
#[derive(Clone, Copy)]
enum Wanted {
    /// `true` or an organization's id.
    Admission,
    /// Names of roles.
    Roles,
    /// Names of workspaces.
    Workspaces,
    /// A license.
    License,
}

impl Wanted {
    /// Says why an expression never does what it is there for.
    fn objection(self, expression: &Expression) -> Option<String> {
        let (useful, rule) = match self {
            Self::Admission => (
                Kinds::BOOLEAN.or(Kinds::STRING),
                "only true or the organization's own id admits",
            ),
            Self::Roles => (
                Kinds::STRING.or(Kinds::LIST),
                "a role rule gives a role's name or a list of names",
            ),
            Self::Workspaces => (
                Kinds::STRING.or(Kinds::LIST),
                "a workspace rule gives a workspace's id or name or a list of them",
            ),
            Self::License => (Kinds::STRING, "a license rule gives a license's id"),
        };
        let gives = expression.kinds();
        if gives.meets(useful) {
            return None;
        }
        let hint = match self {
            Self::Admission if gives.meets(Kinds::LIST) => "; for one of a list, add ` | [0]`",
            Self::Roles | Self::Workspaces | Self::License if gives.meets(Kinds::BOOLEAN) => {
                "; for a name, add ` && 'Name'`"
            }
            Self::Admission | Self::Roles | Self::Workspaces | Self::License => "",
        };
        Some(format!("{rule}, and this can only give {}{hint}", gives.names()))
    }
}

/// Faults found so far.
struct Faults(Vec<PolicyError>);

impl Faults {
    fn add(&mut self, path: &str, offset: usize, message: String) {
        self.0.push(PolicyError {
            path: path.to_owned(),
            offset,
            message,
        });
    }

    /// Compiles an expression and refuses one that can never give what is wanted there.
    fn expression(&mut self, path: &str, source: &str, wanted: Wanted) -> Option<Expression> {
        match Expression::compile(source) {
            Ok(expression) => {
                if let Some(message) = wanted.objection(&expression) {
                    self.add(path, 0, message);
                }
                Some(expression)
            }
            Err(error) => {
                self.add(path, error.offset, error.message);
                None
            }
        }
    }

    fn rows(&mut self, path: &str, rows: &[ClaimRoles]) -> Vec<builder::Row> {
        let mut compiled = Vec::with_capacity(rows.len());
        for (position, row) in rows.iter().enumerate() {
            match builder::Row::compile(row) {
                Ok(row) => compiled.push(row),
                Err(fault) => self.add(
                    &format!("{path}.role.mapping[{position}].{}", fault.field),
                    fault.offset,
                    fault.message,
                ),
            }
        }
        compiled
    }

    fn policy(&mut self, path: &str, organization_path: &str, policy: &Policy) -> Compiled {
        Compiled {
            organization: policy
                .organization
                .as_ref()
                .and_then(|source| self.expression(organization_path, source, Wanted::Admission)),
            role: match &policy.role {
                None => None,
                Some(RoleRule::Fixed(name)) => Some(Role::Fixed(name.clone())),
                Some(RoleRule::Groups(rows)) => Some(Role::Groups(rows.clone())),
                Some(RoleRule::Mapping(rows)) => Some(Role::Mapping(self.rows(path, rows))),
                Some(RoleRule::Expression(source)) => self
                    .expression(&format!("{path}.role.expression"), source, Wanted::Roles)
                    .map(Role::Expression),
            },
            workspaces: match &policy.workspaces {
                None => None,
                Some(WorkspaceRule::All {}) => Some(Workspaces::All),
                Some(WorkspaceRule::Fixed { ids }) => Some(Workspaces::Fixed(ids.clone())),
                Some(WorkspaceRule::Dynamic { expression }) => self
                    .expression(
                        &format!("{path}.workspaces.expression"),
                        expression,
                        Wanted::Workspaces,
                    )
                    .map(Workspaces::Dynamic),
            },
            license: match &policy.license {
                None => None,
                Some(LicenseRule::Fixed(id)) => Some(License::Fixed(id.clone())),
                Some(LicenseRule::Expression(source)) => self
                    .expression(&format!("{path}.license.expression"), source, Wanted::License)
                    .map(License::Expression),
            },
        }
    }
}

#[cfg(test)]
mod tests;
