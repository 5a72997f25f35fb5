//! What an organization wants of a domain that it has. Never says whether it has it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::email::Email;

/// Settings of a domain; they count only while the domain is in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct DomainSettings {
    /// Whether people with an address in the domain must sign in through the organization's identity provider.
    pub sign_in: SignInRule,
    /// Addresses that may use a password nevertheless.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub exceptions: Vec<Email>,
    /// Whether no other organization may make accounts with an address in the domain.
    pub prevent_outside_sign_ups: bool,
    /// Whether accounts that the organization adds with an address in the domain are active at once, without an invitation
    ///
    pub auto_activate: bool,
}

/// How people may sign in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SignInRule {
    /// With a password or through an identity provider.
    #[default]
    Optional,
    /// Through an identity provider only, but for exceptions and emergency admins.
    Required,
}

impl DomainSettings {
    /// Reads stored settings. What cannot be read counts as the strictest: a password must never get in by a fault of ours.
    pub fn read(stored: &Value) -> Self {
        serde_json::from_value(stored.clone()).unwrap_or_else(|_| Self {
            sign_in: SignInRule::Required,
            prevent_outside_sign_ups: true,
            ..Self::default()
        })
    }

    /// Tells whether an address is an exception from `sign_in`.
    pub fn excepts(&self, email: &Email) -> bool {
        self.exceptions
            .iter()
            .any(|excepted| excepted.key() == email.key())
    }
}
