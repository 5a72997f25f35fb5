//! Policies as data: what claims decide about organizations, roles, workspaces and licenses.
//! This module holds the shapes; compiling and evaluating them is `mapping`'s work.

use serde::{Deserialize, Serialize};

use crate::id::{LicenseId, OrganizationId, WorkspaceId};

/// A policy: the default one of a connection, or one organization's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// JMESPath; `true` or the exact organization id admits. Absent: the connection's own organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// Where roles come from. Absent: the organization's default role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleRule>,
    /// Where workspaces come from. Absent: the organization's default workspaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspaces: Option<WorkspaceRule>,
    /// Where the license comes from. Absent: none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license: Option<LicenseRule>,
}

impl Policy {
    /// Tells whether a rule looks at groups.
    pub fn reads_groups(&self) -> bool {
        let Self {
            organization,
            role,
            workspaces,
            license,
        } = self;
        read_groups(
            organization.as_deref(),
            role.as_ref(),
            workspaces.as_ref(),
            license.as_ref(),
        )
    }
}

impl OrganizationPolicy {
    /// Tells whether a rule looks at groups.
    pub fn reads_groups(&self) -> bool {
        let organization = self.organization_expression.as_deref();
        read_groups(
            organization,
            self.role.as_ref(),
            self.workspaces.as_ref(),
            self.license.as_ref(),
        )
    }
}

/// Every claim that holds groups has the word in its name, whichever provider made it.
fn read_groups(
    organization: Option<&str>,
    role: Option<&RoleRule>,
    workspaces: Option<&WorkspaceRule>,
    license: Option<&LicenseRule>,
) -> bool {
    let says = |text: &str| text.contains("groups");
    let role = role.is_some_and(|rule| match rule {
        RoleRule::Fixed(_) => false,
        RoleRule::Expression(text) => says(text),
        RoleRule::Groups(_) => true,
        RoleRule::Mapping(rows) => rows.iter().any(|row| says(&row.claim)),
    });
    let workspaces = workspaces
        .is_some_and(|rule| matches!(rule, WorkspaceRule::Dynamic { expression } if says(expression)));
    let license = license.is_some_and(|rule| matches!(rule, LicenseRule::Expression(text) if says(text)));
    organization.is_some_and(says) || role || workspaces || license
}

/// The own policy of one organization; used instead of the default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct OrganizationPolicy {
    /// The organization it is for.
    pub organization: OrganizationId,
    /// JMESPath; `true` or the exact organization id admits. Absent: everyone whom the connection lets through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization_expression: Option<String>,
    /// Where roles come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleRule>,
    /// Where workspaces come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspaces: Option<WorkspaceRule>,
    /// Where the license comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<LicenseRule>,
}

/// Where roles come from; exactly one source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RoleRule {
    /// One role for everyone, by exact name.
    Fixed(String),
    /// A JMESPath expression that returns exact role names.
    Expression(String),
    /// Group table, in priority order.
    Groups(Vec<GroupRoles>),
    /// Mapping builder: claims and values that lead to roles, in priority order.
    Mapping(Vec<ClaimRoles>),
}

/// One row of the mapping builder: whoever has this in a claim gets these roles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ClaimRoles {
    /// Claim, by its name; dots lead into nested claims (`address.country`). A name with a dot of its own is written in
    /// double quotes.
    pub claim: String,
    /// Value to look for.
    pub value: String,
    /// How the value is looked for.
    #[serde(rename = "match", default, skip_serializing_if = "is_has")]
    pub how: ClaimMatch,
    /// Exact names of the roles it leads to.
    pub roles: Vec<String>,
}

/// How a row of the mapping builder looks for its value. A list claim is looked through element by element.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ClaimMatch {
    /// The claim, or an element of it, is exactly the value.
    #[default]
    Equals,
    /// The claim, or an element of it, has the value somewhere in it.
    Contains,
    /// The claim, or an element of it, begins with the value.
    StartsWith,
    /// The claim, or an element of it, ends with the value.
    EndsWith,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands the field by reference"
)]
fn is_has(how: &ClaimMatch) -> bool {
    *how == ClaimMatch::Equals
}

impl RoleRule {
    /// Shows the rule as a JMESPath expression that gives the same names: what the console displays beside the rows, and
    /// what one starts from to write an expression by hand.
    pub fn expression(&self) -> String {
        crate::mapping::builder::expression(self)
    }
}

/// One row of the group table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GroupRoles {
    /// Value that the identity provider sends (Entra: group id; Okta: group name).
    pub value: String,
    /// Friendly name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Exact names of the roles it leads to.
    pub roles: Vec<String>,
}

/// Where workspaces come from: All, Fixed or Dynamic, never two at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", tag = "mode", deny_unknown_fields)]
pub enum WorkspaceRule {
    /// Every workspace. Written with braces, because only then are fields of the other modes refused beside it.
    All {},
    /// Named ones.
    Fixed {
        /// Their identifiers.
        ids: Vec<WorkspaceId>,
    },
    /// From a JMESPath expression that returns workspace ids or exact names. It also sees `role`, `roles` and `license`.
    Dynamic {
        /// The expression.
        expression: String,
    },
}

/// Where the license comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LicenseRule {
    /// One pool for everyone.
    Fixed(LicenseId),
    /// A JMESPath expression that returns a pool's id, or null for none.
    Expression(String),
}
