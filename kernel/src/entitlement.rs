//! What the plan of an organization includes, and who sets things up for it (R-18, R-19, C-21). Everything is included unless
//! somebody takes it out. Never says what a plan costs.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::directory::AccountKind;

/// Something that a plan may leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Feature {
    /// Signing in through connections of the organization's own.
    Sso,
    /// Directory pushes through them.
    Scim,
    /// Making and changing roles.
    CustomRoles,
    /// Changing policies.
    Policies,
    /// Taking the audit log away.
    AuditExport,
}

impl Feature {
    /// Returns the name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sso => "single sign-on",
            Self::Scim => "provisioning by a directory",
            Self::CustomRoles => "roles of its own",
            Self::Policies => "policies of its own",
            Self::AuditExport => "export of the audit log",
        }
    }
}

/// What a plan includes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Entitlements {
    /// Signing in through connections of the organization's own. Without: refused with `entitlement_missing`; sessions that are
    /// open go on until they end.
    pub sso: bool,
    /// Directory pushes through them. Without: refused in SCIM's shape; who was pushed stays as is.
    pub scim: bool,
    /// Making and changing roles, by the organization itself.
    pub custom_roles: bool,
    /// Changing policies, by the organization itself. Those in force stay in force.
    pub policies: bool,
    /// Taking the audit log away, by the organization itself.
    pub audit_export: bool,
}

impl Default for Entitlements {
    fn default() -> Self {
        Self {
            sso: true,
            scim: true,
            custom_roles: true,
            policies: true,
            audit_export: true,
        }
    }
}

impl Entitlements {
    /// Tells whether something is included.
    pub const fn includes(&self, feature: Feature) -> bool {
        match feature {
            Feature::Sso => self.sso,
            Feature::Scim => self.scim,
            Feature::CustomRoles => self.custom_roles,
            Feature::Policies => self.policies,
            Feature::AuditExport => self.audit_export,
        }
    }
}

/// How many seats an organization's people may hold, by kind of account and over all license pools. A kind without a
/// number has no limit but those of the pools.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct SeatLimits {
    /// Seats of users.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub users: Option<u32>,
    /// Seats of readers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub readers: Option<u32>,
}

impl SeatLimits {
    /// Name of the field in an organization's settings.
    pub const KEY: &'static str = "seats";

    /// Reads the limits off an organization's settings; without limit where nothing is said.
    pub fn read(settings: &Value) -> Self {
        let found = settings.get(Self::KEY).cloned().unwrap_or_default();
        serde_json::from_value(found).unwrap_or_default()
    }

    /// Returns the limit of one kind.
    pub const fn of(&self, kind: AccountKind) -> Option<u32> {
        match kind {
            AccountKind::User => self.users,
            AccountKind::Reader => self.readers,
        }
    }
}

/// Who sets up connections and policies of an organization (C-21).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Setup {
    /// The organization's admins.
    #[default]
    SelfService,
    /// Whoever got a set-up link from an operator.
    Link,
    /// Operators alone.
    OperatorOnly,
}
