//! What a directory may do through a connection, as stored beside the protocol settings under [`ScimConfig::KEY`].
//! Never holds tokens: those are rows of their own, kept as digests.

use provost_oidc::jose::JwkSet;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Settings of a directory's push that only the server needs; what decisions see is part of the kernel's connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScimConfig {
    /// Protocol versions that are open (C-03).
    pub versions: Vec<ScimVersion>,
    /// Operations that are allowed (C-04).
    pub operations: Vec<ScimOperation>,
    /// Whether the exact look-up stays open where `read` is not among the operations (C-04).
    pub look_up: bool,
    /// How strictly requests are read.
    pub mode: ScimMode,
    /// Whether versions are shown and demanded versions are honored.
    pub etag: bool,
    /// A further header in which the token may come.
    pub header: Option<String>,
    /// Attributes beyond the standard ones (R-83).
    pub attributes: Vec<ScimAttribute>,
    /// OAuth clients that prove themselves with a key (RFC 7523).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub clients: Vec<ScimClient>,
    /// Days without any request after which an alert is raised (R-169); none never raises one.
    pub silent_after_days: Option<u32>,
}

impl Default for ScimConfig {
    fn default() -> Self {
        Self {
            versions: ScimVersion::all(),
            operations: ScimOperation::all(),
            look_up: true,
            mode: ScimMode::default(),
            etag: true,
            header: None,
            attributes: Vec::new(),
            clients: Vec::new(),
            silent_after_days: Some(SILENT_AFTER_DAYS),
        }
    }
}

/// Days of silence that raise an alert unless the connection says otherwise: a long weekend is no alert.
pub const SILENT_AFTER_DAYS: u32 = 7;

impl ScimConfig {
    /// Name of the member that holds these settings.
    pub const KEY: &'static str = "scim";

    /// Reads the settings from a stored protocol configuration; none where no directory may push.
    pub fn of(stored: &Value) -> Option<Self> {
        serde_json::from_value(stored.get(Self::KEY)?.clone()).ok()
    }

    /// Tells whether an operation is allowed.
    pub fn allows(&self, operation: ScimOperation) -> bool {
        self.operations.contains(&operation)
    }
}

/// Protocol versions towards directories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum ScimVersion {
    /// SCIM 1.1.
    #[serde(rename = "1.1")]
    V1,
    /// SCIM 2.0.
    #[serde(rename = "2.0")]
    V2,
}

impl ScimVersion {
    /// Returns every version.
    pub fn all() -> Vec<Self> {
        vec![Self::V1, Self::V2]
    }
}

/// Operations of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScimOperation {
    /// Look people and groups up.
    Read,
    /// Create accounts.
    Create,
    /// Change accounts.
    Update,
    /// Deactivate and reactivate accounts.
    Deactivate,
    /// Delete accounts.
    Delete,
    /// Push groups.
    Groups,
}

impl ScimOperation {
    /// Returns every operation.
    pub fn all() -> Vec<Self> {
        vec![
            Self::Read,
            Self::Create,
            Self::Update,
            Self::Deactivate,
            Self::Delete,
            Self::Groups,
        ]
    }

    /// Returns the name as the declarative file writes it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Create => "create",
            Self::Update => "update",
            Self::Deactivate => "deactivate",
            Self::Delete => "delete",
            Self::Groups => "groups",
        }
    }
}

/// An OAuth client of a directory that proves itself with a key, so that nobody has to keep a secret (RFC 7523).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScimClient {
    /// Name within the connection; the `client_id` is `CONNECTION:ID`.
    #[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"))]
    pub id: String,
    /// Public keys of the client: a JSON Web Key Set.
    pub jwks: Value,
}

impl ScimClient {
    /// Reads the keys; none if there is no usable public key among them.
    pub fn keys(&self) -> Option<JwkSet> {
        let set = JwkSet::parse(self.jwks.to_string().as_bytes()).ok()?;
        (!set.keys().is_empty()).then_some(set)
    }
}

/// How strictly requests are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScimMode {
    /// Understands what real directories send, also where the standard says otherwise.
    #[default]
    Compat,
    /// The letter of RFC 7643 and 7644: unknown attributes and paths are refused.
    Strict,
}

/// An attribute that the operator adds to people (R-83).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScimAttribute {
    /// Name, such as `nfc`; letters, digits, `_` and `-`, beginning with a letter.
    #[schemars(regex(pattern = r"^[A-Za-z][A-Za-z0-9_-]{0,63}$"))]
    pub name: String,
    /// Kind of value.
    #[serde(default, rename = "type", skip_serializing_if = "is_default")]
    pub kind: ScimAttributeKind,
    /// Whether it holds a list.
    #[serde(default, skip_serializing_if = "is_default")]
    pub multi_valued: bool,
    /// Suggested values, shown to directories.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub canonical_values: Vec<String>,
    /// What it means, shown to directories.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// Kinds of values of admin-defined attributes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScimAttributeKind {
    /// Text.
    #[default]
    String,
    /// True or false.
    Boolean,
    /// A whole number.
    Integer,
    /// A number.
    Decimal,
    /// A moment in time.
    DateTime,
    /// A URI.
    Reference,
}

/// Tells whether a value is its default, which is then left out.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
