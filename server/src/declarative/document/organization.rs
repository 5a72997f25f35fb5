//! Organizations in the declarative file.

use provost_kernel::directory::{AccountKind, ManagedBy, RolesPerMember};
use provost_kernel::domain::SignInRule;
use provost_kernel::entitlement::{Entitlements, SeatLimits, Setup};
use provost_kernel::login::rules::SignInPolicy;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::branding::Branding;

use super::{is_default, is_false};

/// A customer organization and what it hands out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrganizationEntry {
    /// Identifier: in URLs, in policies (`{{orgId}}`) and in the app's tokens. Never changes.
    #[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"))]
    pub id: String,
    /// Name shown to people; the identifier if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Domains of the organization's e-mail addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<DomainEntry>,
    /// Roles in order of priority. Rules never make roles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<RoleEntry>,
    /// Workspaces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workspaces: Vec<WorkspaceEntry>,
    /// License pools.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub licenses: Vec<LicenseEntry>,
    /// Whether a member may hold one role or many (C-19).
    #[serde(default, skip_serializing_if = "is_default")]
    pub roles_per_member: RolesPerMember,
    /// Who manages the organization's people and connections: owners and admins, or owners alone (C-26).
    #[serde(default, skip_serializing_if = "is_default")]
    pub managed_by: ManagedBy,
    /// How mail to the organization's people looks and speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<Branding>,
    /// What the organization's plan includes; everything by default (C-21).
    #[serde(default, skip_serializing_if = "is_default")]
    pub entitlements: Entitlements,
    /// Who sets up connections and policies (C-21).
    #[serde(default, skip_serializing_if = "is_default")]
    pub setup: Setup,
    /// How many seats users and readers may hold, over all license pools (R-179). Absent: what is stored stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seats: Option<SeatLimits>,
    /// What the organization demands of sign-ins with a password (R-184). Absent: what is stored stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign_in: Option<SignInPolicy>,
    /// Groups kept by hand, known by their names (R-107). Absent: what is stored stays, with `prune` too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<GroupEntry>>,
}

/// A group kept by hand. Groups that directories push are theirs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupEntry {
    /// Name, unique in the organization without regard to case.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Roles that its members get, by identifier or exact name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// Workspaces that its members get, by identifier.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workspaces: Vec<String>,
    /// Members of the organization who are in it. They are put in; others are taken out only with `prune`. Absent: whoever is in
    /// it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<Vec<GroupMemberEntry>>,
}

/// A member of a group, known as users are: by e-mail and connection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupMemberEntry {
    /// E-mail address.
    pub email: String,
    /// The connection through which the person signs in; absent: with a password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<String>,
}

/// A domain of an organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DomainEntry {
    /// Host name such as `example.com`; subdomains are separate. Public mail providers and public suffixes are refused.
    pub name: String,
    /// Whether the operator vouches that the domain belongs to the organization (R-111). False takes nothing back.
    #[serde(default, skip_serializing_if = "is_false")]
    pub verified: bool,
    /// Whether people with an address in this domain must sign in through the organization's identity provider (R-113).
    #[serde(default, skip_serializing_if = "is_default")]
    pub sign_in: SignInRule,
    /// Addresses that may use a password nevertheless.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<String>,
    /// Whether no other organization may make accounts with an address in this domain (R-112).
    #[serde(default, skip_serializing_if = "is_false")]
    pub prevent_outside_sign_ups: bool,
    /// Whether accounts that the organization adds with an address in this domain are active at once, without an invitation
    /// (R-112).
    #[serde(default, skip_serializing_if = "is_false")]
    pub auto_activate: bool,
}

/// A role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleEntry {
    /// Identifier within the organization (`permissionprofileid`); survives renames.
    pub id: String,
    /// Exact name that expressions return; the identifier if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether holders are owners. Taken to be so for the identifier `owner` when absent. No rule ever grants such a role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<bool>,
    /// Whether holders may manage people. Taken to be so for the identifiers `owner` and `admin` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin: Option<bool>,
    /// Whether this role is given where defaults apply.
    #[serde(default, skip_serializing_if = "is_false")]
    pub default: bool,
    /// Identifiers of roles whose place this one takes (R-139): who holds them gets this one, and they are gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaces: Vec<String>,
}

/// A workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkspaceEntry {
    /// Identifier within the organization (`accountid`).
    pub id: String,
    /// Name shown to people; the identifier if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether people land here where defaults apply.
    #[serde(default, skip_serializing_if = "is_false")]
    pub default: bool,
}

/// A license pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LicenseEntry {
    /// Identifier within the organization.
    pub id: String,
    /// Seats; absent means without limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seats: Option<u32>,
    /// Which kind of account the pool is for: `user` or `reader`; absent is for both (R-179).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<AccountKind>,
}
