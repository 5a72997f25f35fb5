//! Users in the declarative file: accounts made by hand.

use provost_kernel::directory::AccountKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AllWord, SecretText, is_default, is_false};

/// An account made by hand, known by its e-mail and connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UserEntry {
    /// E-mail address.
    pub email: String,
    /// The connection through whose identity provider the person signs in; absent: with a password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<String>,
    /// `user` or `reader`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub kind: AccountKind,
    /// Given name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_name: Option<String>,
    /// Family name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family_name: Option<String>,
    /// Name to display.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Name in the customer's directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_name: Option<String>,
    /// Identifier in the customer's directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Whether this account opens its organization when the identity provider is down. No rule ever demotes or links it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub emergency_admin: bool,
    /// Password, for development and first set-up only; prefer `password_hash` or a set-password link. Used only while the account has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretText>,
    /// Argon2id hash in PHC form (`$argon2id$…`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_hash: Option<SecretText>,
    /// Memberships. What an earlier file granted and this one does not say any more is taken back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub memberships: Vec<MembershipEntry>,
}

/// A membership of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MembershipEntry {
    /// The organization.
    pub organization: String,
    /// Roles, by identifier or exact name; none gives the organization's default role.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// Workspaces: `all`, or a list of identifiers; absent gives the organization's default workspaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspaces: Option<WorkspacesEntry>,
    /// License pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
}

/// Workspaces of a membership.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum WorkspacesEntry {
    /// `all`.
    Word(AllWord),
    /// Identifiers.
    Ids(Vec<String>),
}
