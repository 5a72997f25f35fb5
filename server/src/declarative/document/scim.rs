//! Directory push in the declarative file: the `scim` part of a connection.

use jiff::Timestamp;
use provost_kernel::connection::{
    DepartureGuard, DirectorySettings, JoinKey, OnDelete, OnExisting, OnInactive,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{SecretText, is_default, is_true, yes};
use crate::scim_config::{ScimAttribute, ScimClient, ScimConfig, ScimMode, ScimOperation, ScimVersion};

/// Directory push through a connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScimEntry {
    /// Protocol versions that are open (C-03).
    #[serde(default = "ScimVersion::all")]
    pub versions: Vec<ScimVersion>,
    /// What the directory may do (C-04).
    #[serde(default = "ScimOperation::all")]
    pub operations: Vec<ScimOperation>,
    /// Whether a directory may still look one person or group up where `read` is off: most look first, then create (C-04).
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub look_up: bool,
    /// How strictly requests are read: `compat` understands what real directories send, `strict` refuses whatever the
    /// standard refuses.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mode: ScimMode,
    /// Whether versions (ETags) are shown and `If-Match` is honored.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub etag: bool,
    /// A further header in which the token may come, for directories that cannot send `Authorization`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// Bearer tokens. Only digests are stored. A token that a later file does not mention stays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<ScimToken>,
    /// OAuth clients that prove themselves with a key instead of a secret (`private_key_jwt`, RFC 7523), for directories that
    /// fetch short-lived tokens. One that a later file does not mention ends, with the tokens that it got.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clients: Vec<ScimClient>,
    /// Attributes that only the directory gives and that are read-only here; the short form of the connection's `attributes`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<ScimAttribute>,
    /// How a person who signs in is joined to the pushed account, in order: `user_name`, `external_id` or `email`
    /// . The first key that fits decides.
    #[serde(default = "join_by", skip_serializing_if = "is_usual_join")]
    pub join_by: Vec<JoinKey>,
    /// The directory deletes a person (C-05): `soft` (restorable for `restore_days`), `now`, or `deactivate`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_delete: OnDelete,
    /// Days within which a person who was softly deleted gets the same account back.
    #[serde(default = "restore_days", skip_serializing_if = "is_usual_restore")]
    #[schemars(range(min = 1, max = 365))]
    pub restore_days: u32,
    /// The directory says that a person is not active (C-05): `deactivate`, or `{ delete_after_days: N }`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_inactive: OnInactive,
    /// A pushed person already has an account of this connection that no directory manages: `refuse`, or `link` to
    /// take it over.
    #[serde(default, skip_serializing_if = "is_default")]
    pub existing: OnExisting,
    /// Boolean attribute that makes a user (true) or a reader (false or absent), such as one of `attributes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind_attribute: Option<String>,
    /// Whether a deactivated person gives up the license. A deleted one always does.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub release_license_on_deactivate: bool,
    /// When departures wait for an admin: more than `at_least` people and more than `percent` of all within `minutes`.
    /// `off` never holds any.
    #[serde(default, skip_serializing_if = "is_default")]
    pub departure_guard: GuardEntry,
    /// Days without any request after which an alert is raised; 0 never raises one.
    #[serde(default = "silent_after_days", skip_serializing_if = "is_usual_silence")]
    #[schemars(range(max = 365))]
    pub silent_after_days: u32,
}

/// When departures wait for an admin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum GuardEntry {
    /// Never.
    Word(OffWord),
    /// Above these limits.
    Limits(DepartureGuard),
}

impl Default for GuardEntry {
    fn default() -> Self {
        Self::Limits(DepartureGuard::default())
    }
}

/// The word `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OffWord {
    /// Not at all.
    Off,
}

fn join_by() -> Vec<JoinKey> {
    DirectorySettings::default().join_by
}

fn is_usual_join(keys: &Vec<JoinKey>) -> bool {
    *keys == join_by()
}

fn restore_days() -> u32 {
    DirectorySettings::default().restore_days
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's skip_serializing_if passes a reference"
)]
fn is_usual_restore(days: &u32) -> bool {
    *days == restore_days()
}

const fn silent_after_days() -> u32 {
    crate::scim_config::SILENT_AFTER_DAYS
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's skip_serializing_if passes a reference"
)]
const fn is_usual_silence(days: &u32) -> bool {
    *days == silent_after_days()
}

impl ScimEntry {
    /// Collects what the server keeps of it; tokens are kept apart.
    pub fn config(&self) -> ScimConfig {
        ScimConfig {
            versions: self.versions.clone(),
            operations: self.operations.clone(),
            look_up: self.look_up,
            mode: self.mode,
            etag: self.etag,
            header: self.header.clone(),
            attributes: self.attributes.clone(),
            clients: self.clients.clone(),
            silent_after_days: Some(self.silent_after_days).filter(|days| *days > 0),
        }
    }

    /// Collects the settings that decisions see.
    pub fn directory(&self) -> DirectorySettings {
        DirectorySettings {
            join_by: self.join_by.clone(),
            on_delete: self.on_delete,
            restore_days: self.restore_days,
            on_inactive: self.on_inactive,
            existing: self.existing,
            kind_attribute: self.kind_attribute.clone(),
            release_license_on_deactivate: self.release_license_on_deactivate,
            departure_guard: match self.departure_guard {
                GuardEntry::Word(OffWord::Off) => None,
                GuardEntry::Limits(limits) => Some(limits),
            },
        }
    }

    /// Writes stored settings as an entry, without tokens.
    pub fn of(config: ScimConfig, directory: DirectorySettings) -> Self {
        Self {
            join_by: directory.join_by,
            on_delete: directory.on_delete,
            restore_days: directory.restore_days,
            on_inactive: directory.on_inactive,
            existing: directory.existing,
            kind_attribute: directory.kind_attribute,
            release_license_on_deactivate: directory.release_license_on_deactivate,
            departure_guard: directory
                .departure_guard
                .map_or(GuardEntry::Word(OffWord::Off), GuardEntry::Limits),
            versions: config.versions,
            operations: config.operations,
            look_up: config.look_up,
            mode: config.mode,
            etag: config.etag,
            header: config.header,
            tokens: Vec::new(),
            attributes: config.attributes,
            clients: config.clients,
            silent_after_days: config.silent_after_days.unwrap_or_default(),
        }
    }
}

/// A bearer token of a directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScimToken {
    /// What it is for; unique within the connection.
    pub label: String,
    /// The token, at least 24 characters. Absent: the stored one stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<SecretText>,
    /// When it expires (RFC 3339); absent: never. Counts when the token is first stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub expires_at: Option<Timestamp>,
}
