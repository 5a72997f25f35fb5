//! The five presets: how five products document their own single sign-on and provisioning, as values of our settings
//! (C-01 to C-29). Each has a suite of tests that holds the source's text. Never a mode of its own: a preset is a starting
//! point, and whoever changes a setting afterwards has changed that setting.

use serde::{Deserialize, Serialize};

use crate::connection::{
    DirectorySettings, ExistingAccount, JoinKey, MatchStep, OnDelete, OnExisting, OnInactiveMatch, OnNoRole,
    Provisioning, RoleSync, Settings,
};

/// A preset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// SCIM 1.1 alone makes and deletes people; deletion is final; workspaces by All, Fixed or Dynamic.
    Strict11,
    /// JIT on SAML: NameID, then e-mail and both names; one default workspace and role.
    FederatedMatch,
    /// JIT with expressions for organizations and roles, over a connection of the whole instance.
    PolicyExpressions,
    /// A directory pushes people and groups; deactivation, not deletion.
    DirectoryPush,
    /// People are invited or converted by hand; the SSO account stands beside the old one.
    InviteAndConvert,
}

impl Preset {
    /// Every preset.
    pub const ALL: [Self; 5] = [
        Self::Strict11,
        Self::FederatedMatch,
        Self::PolicyExpressions,
        Self::DirectoryPush,
        Self::InviteAndConvert,
    ];

    /// Returns the name shown to people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Strict11 => "Strict 1.1",
            Self::FederatedMatch => "Federated match",
            Self::PolicyExpressions => "Policy expressions",
            Self::DirectoryPush => "Directory push",
            Self::InviteAndConvert => "Invite and convert",
        }
    }

    /// Returns how accounts come into being.
    pub const fn provisioning(self) -> Provisioning {
        match self {
            Self::Strict11 | Self::DirectoryPush => Provisioning::Scim,
            Self::FederatedMatch | Self::PolicyExpressions => Provisioning::Jit,
            Self::InviteAndConvert => Provisioning::Manual,
        }
    }

    /// Returns the SCIM versions that are served.
    pub const fn scim_versions(self) -> &'static [&'static str] {
        match self {
            Self::Strict11 => &["1.1"],
            Self::DirectoryPush => &["1.1", "2.0"],
            Self::FederatedMatch | Self::PolicyExpressions | Self::InviteAndConvert => &[],
        }
    }

    /// Returns the SCIM operations that are allowed.
    pub const fn scim_operations(self) -> &'static [&'static str] {
        match self {
            Self::Strict11 => &["create", "delete"],
            Self::DirectoryPush => &["read", "create", "update", "deactivate", "delete", "groups"],
            Self::FederatedMatch | Self::PolicyExpressions | Self::InviteAndConvert => &[],
        }
    }

    /// Returns the settings; what a source leaves open keeps the product's default.
    pub fn settings(self) -> Settings {
        let settings = Settings::default();
        match self {
            Self::Strict11 => Settings {
                match_chain: vec![MatchStep::Subject, MatchStep::UserName],
                on_no_role: OnNoRole::DefaultRole,
                role_sync: RoleSync::Creation,
                directory: DirectorySettings {
                    on_delete: OnDelete::Now,
                    ..DirectorySettings::default()
                },
                ..settings
            },
            Self::FederatedMatch => Settings {
                match_chain: vec![MatchStep::Subject, MatchStep::EmailGivenSurname],
                on_inactive_match: OnInactiveMatch::CreateNew,
                on_no_role: OnNoRole::DefaultRole,
                role_sync: RoleSync::Creation,
                ..settings
            },
            Self::PolicyExpressions => Settings {
                match_chain: vec![MatchStep::Subject],
                require_domain: false,
                on_no_role: OnNoRole::Skip,
                role_sync: RoleSync::UntilEdited,
                keep_unplaced: true,
                ..settings
            },
            Self::DirectoryPush => Settings {
                match_chain: vec![MatchStep::Subject, MatchStep::UserName],
                on_no_role: OnNoRole::DefaultRole,
                directory: DirectorySettings {
                    join_by: vec![JoinKey::UserName],
                    on_delete: OnDelete::Deactivate,
                    existing: OnExisting::default(),
                    ..DirectorySettings::default()
                },
                ..settings
            },
            Self::InviteAndConvert => Settings {
                existing_account: ExistingAccount::Additional,
                ..settings
            },
        }
    }
}

#[cfg(test)]
mod tests;
