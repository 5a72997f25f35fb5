//! Typed identifiers. Never generated here: the server hands fresh ones in.

use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps an identifier that comes from the store, the configuration or the id source.
            pub fn new(value: impl Into<String>) -> Self {
                Self(value.into())
            }

            /// Returns the identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(value: &str) -> Self {
                Self(value.to_owned())
            }
        }
    )+};
}

ids! {
    /// An organization: the customer of the app. Chosen by people, so that policies can compare it with claims.
    OrganizationId,
    /// A workspace inside one organization; unique within it (`accountid` of R-40).
    WorkspaceId,
    /// A role inside one organization; unique within it (`permissionprofileid` of R-40).
    RoleId,
    /// A license pool inside one organization; unique within it.
    LicenseId,
    /// A connection to one identity provider.
    ConnectionId,
    /// An account of one person: stable for life, `sub` of the app's tokens.
    AccountId,
    /// A group pushed by a directory or made by hand.
    GroupId,
    /// A signed-in session of one account in one browser.
    SessionId,
    /// A trace of one attempt; the reference number on a refusal page.
    TraceId,
}
