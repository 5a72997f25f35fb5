//! The declarative file as it is written: organizations, connections, applications, users.
//!
//! Field names are a contract: add, never rename. Owns the shapes and their JSON Schema; what they mean is
//! worked out in the sibling modules. Never touches files or the store.

mod application;
mod connection;
mod organization;
mod scim;
mod user;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use application::{ApplicationEntry, Organizations};
pub use connection::{ConnectionEntry, OidcEntry, SamlEntry, ScopeWord};
pub use organization::{
    DomainEntry, GroupEntry, GroupMemberEntry, LicenseEntry, OrganizationEntry, RoleEntry, WorkspaceEntry,
};
pub use scim::{ScimEntry, ScimToken};
pub use user::{MembershipEntry, UserEntry, WorkspacesEntry};

/// A Provost configuration: what `provost apply` brings in and `provost export` writes.
///
/// Applying adds and changes. What the file does not mention stays as it is, unless `prune` is set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "Provost declarative file")]
pub struct Document {
    /// Also delete what the file does not mention: organizations, connections, applications, and the roles, workspaces,
    /// licenses, domains and groups of organizations. Nothing that people still hold is deleted: that is an error. People are
    /// never deleted by omission.
    #[serde(skip_serializing_if = "is_false")]
    pub prune: bool,
    /// Customers of the app.
    pub organizations: Vec<OrganizationEntry>,
    /// Identity providers.
    pub connections: Vec<ConnectionEntry>,
    /// The apps behind Provost.
    pub applications: Vec<ApplicationEntry>,
    /// Accounts made by hand.
    pub users: Vec<UserEntry>,
}

/// A secret as written in the file. Shown by nothing but its own serialization, which the export never asks for.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct SecretText(String);

impl SecretText {
    /// Returns the secret.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for SecretText {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("[secret]")
    }
}

/// The word `all`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AllWord {
    /// Everything, later additions too.
    All,
}

/// Tells whether a flag has its default.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's skip_serializing_if passes a reference"
)]
pub(super) const fn is_false(value: &bool) -> bool {
    !*value
}

/// Tells whether a flag has its default.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's skip_serializing_if passes a reference"
)]
pub(super) const fn is_true(value: &bool) -> bool {
    *value
}

/// The default of flags that are on.
pub(super) const fn yes() -> bool {
    true
}

/// Tells whether a value is its default, which the export then leaves out.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Returns the JSON Schema of the file.
pub fn schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(Document);
    schema.insert(
        "$id".to_owned(),
        serde_json::Value::String("https://provost.example/schemas/provost.schema.json".to_owned()),
    );
    schema.to_value()
}
