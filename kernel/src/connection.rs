//! A connection to one identity provider: who it serves, its provisioning mode and the settings C-01 to C-29.
//! Never holds protocol details or secrets: those belong to the server.

use serde::{Deserialize, Serialize};

use crate::attribute::AttributeDefinition;
use crate::directory::ProfileField;
use crate::email::Email;
use crate::id::{ConnectionId, OrganizationId};
use crate::policy::{OrganizationPolicy, Policy};

/// A connection as decisions see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Connection {
    /// Identifier, also in the connection's URLs.
    pub id: ConnectionId,
    /// Label on sign-in buttons.
    pub name: String,
    /// Which organizations it may admit to (C-20).
    pub scope: Scope,
    /// Protocol spoken with the identity provider.
    pub protocol: Protocol,
    /// Whether people may sign in through it.
    pub enabled: bool,
    /// Domains verified for this connection's organization and served by it; e-mail outside never matches (R-111, C-15).
    pub domains: Vec<String>,
    /// How accounts come into being (C-01). One value, so two modes at once cannot be stored.
    pub provisioning: Provisioning,
    /// The settings with their defaults.
    #[serde(default)]
    pub settings: Settings,
    /// Default (fallback) policy for organizations without one of their own.
    #[serde(default)]
    pub policy: Option<Policy>,
    /// Policies of single organizations, used instead of the default.
    #[serde(default)]
    pub organization_policies: Vec<OrganizationPolicy>,
    /// Version; grows with each change of the connection.
    pub version: i64,
}

impl Connection {
    /// Tells whether an address lies in a verified domain of this connection. Subdomains are separate.
    pub fn serves(&self, email: &Email) -> bool {
        self.domains.iter().any(|domain| domain == email.domain())
    }

    /// Tells whether a rule of any policy looks at groups.
    pub fn reads_groups(&self) -> bool {
        self.policy.as_ref().is_some_and(Policy::reads_groups)
            || self
                .organization_policies
                .iter()
                .any(OrganizationPolicy::reads_groups)
    }

    /// Returns the organization that owns the connection; none for one of the whole instance.
    pub const fn owner(&self) -> Option<&OrganizationId> {
        match &self.scope {
            Scope::Instance => None,
            Scope::Organization { organization, .. } => Some(organization),
        }
    }

    /// Tells whether the connection may admit people to `organization`.
    pub fn reaches(&self, organization: &OrganizationId) -> bool {
        match &self.scope {
            Scope::Instance => true,
            Scope::Organization {
                organization: own,
                shared_with,
            } => own == organization || shared_with.contains(organization),
        }
    }
}

/// Reach of a connection (C-20, R-55, R-149).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Scope {
    /// All organizations of the instance.
    Instance,
    /// One organization, perhaps shared with others.
    Organization {
        /// The organization that owns the connection.
        organization: OrganizationId,
        /// Others it is shared with.
        #[serde(default)]
        shared_with: Vec<OrganizationId>,
    },
}

/// Protocols towards identity providers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// SAML 2.0.
    Saml,
    /// OpenID Connect.
    Oidc,
}

/// How accounts of a connection come into being (C-01, R-07).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Provisioning {
    /// An admin makes each account.
    Manual,
    /// At the first sign-in.
    #[default]
    Jit,
    /// Pushed by the directory; an unknown person is refused with an explanation (C-02).
    Scim,
}

/// Settings of a connection. Defaults are the bold column of the requirements.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Ordered match steps (C-12).
    #[serde(rename = "match")]
    pub match_chain: Vec<MatchStep>,
    /// Several candidates in one step.
    pub on_ambiguous: OnAmbiguous,
    /// How names are compared (C-13).
    pub name_comparison: NameComparison,
    /// An existing standard account found by matching (C-11).
    pub existing_account: ExistingAccount,
    /// A match that is not active (C-06).
    pub on_inactive_match: OnInactiveMatch,
    /// A different e-mail asserted for a known person (C-14).
    pub email_update: EmailUpdate,
    /// Whether JIT and linking work only inside verified domains (C-15).
    pub require_domain: bool,
    /// When rules are evaluated again for existing members (C-07).
    pub role_sync: RoleSync,
    /// Another mode than that for single fields.
    pub sync: FieldSync,
    /// No role results (C-08).
    pub on_no_role: OnNoRole,
    /// An existing member no longer matches (C-09).
    pub on_lost_match: OnLostMatch,
    /// Whether an account is kept that no organization accepts (C-10).
    pub keep_unplaced: bool,
    /// Whether "all workspaces" includes later ones (C-17).
    pub all_includes_future: bool,
    /// No free seat (C-23).
    pub on_no_seat: OnNoSeat,
    /// When a license is given (C-23).
    #[serde(alias = "license_at")]
    pub licence_at: LicenseAt,
    /// Who is told by mail (C-22).
    pub invite_on: InviteOn,
    /// When a change that takes access from many waits for an admin; none never holds any.
    pub strip_guard: Option<StripGuard>,
    /// Minutes without use after which a session of this connection ends: none is the installation's own limit, 0 never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_minutes: Option<u32>,
    /// What directory pushes do; matters where `provisioning` is `scim`.
    pub directory: DirectorySettings,
    /// Attributes of people that admins defined.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<AttributeDefinition>,
}

impl Settings {
    /// Returns after how many seconds without use a session ends; never later than by its age.
    pub fn idle_seconds(&self, usual: i64, absolute: i64) -> i64 {
        match self.idle_minutes {
            None => usual,
            Some(0) => absolute,
            Some(minutes) => (i64::from(minutes) * 60).min(absolute),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            match_chain: vec![MatchStep::Subject, MatchStep::EmailGivenSurname],
            on_ambiguous: OnAmbiguous::default(),
            name_comparison: NameComparison::default(),
            existing_account: ExistingAccount::default(),
            on_inactive_match: OnInactiveMatch::default(),
            email_update: EmailUpdate::default(),
            require_domain: true,
            role_sync: RoleSync::default(),
            sync: FieldSync::default(),
            on_no_role: OnNoRole::default(),
            on_lost_match: OnLostMatch::default(),
            keep_unplaced: true,
            all_includes_future: true,
            on_no_seat: OnNoSeat::default(),
            licence_at: LicenseAt::default(),
            invite_on: InviteOn::default(),
            strip_guard: Some(StripGuard::default()),
            idle_minutes: None,
            directory: DirectorySettings::default(),
            attributes: Vec::new(),
        }
    }
}

/// Who is told by mail about a new account of the connection (C-22). Whoever comes just in time never is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct InviteOn {
    /// Whoever is added by hand, where the request does not say otherwise.
    pub manual: bool,
    /// Whoever is moved from a password to the connection, where the request does not say otherwise.
    pub conversion: bool,
    /// Whoever the directory pushes.
    pub scim: bool,
}

impl Default for InviteOn {
    fn default() -> Self {
        Self {
            manual: true,
            conversion: true,
            scim: false,
        }
    }
}

/// When rules that take access from many people of one organization wait for an admin: both limits must be passed, by an
/// edited policy over everybody it is tried on, by sign-ins within the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct StripGuard {
    /// Share of the organization's members, in percent.
    pub percent: u32,
    /// Fewer people than this are never held.
    pub at_least: u32,
    /// Length of the window for sign-ins, in minutes.
    pub minutes: u32,
}

impl Default for StripGuard {
    fn default() -> Self {
        Self {
            percent: 20,
            at_least: 10,
            minutes: 60,
        }
    }
}

/// What directory pushes do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DirectorySettings {
    /// How a person who signs in is joined to the pushed account, in order; the first key that fits decides.
    pub join_by: Vec<JoinKey>,
    /// The directory deletes a person (C-05).
    pub on_delete: OnDelete,
    /// Days within which a person who was softly deleted gets the same account back.
    pub restore_days: u32,
    /// The directory says that a person is not active (C-05).
    pub on_inactive: OnInactive,
    /// A pushed person already has an account of this connection that no directory manages.
    pub existing: OnExisting,
    /// Boolean attribute that makes a user (true) or a reader (false or absent); none leaves kinds alone.
    pub kind_attribute: Option<String>,
    /// Whether a deactivated person gives up the license. A deleted one always does.
    pub release_license_on_deactivate: bool,
    /// When departures wait for an admin; none never holds any.
    pub departure_guard: Option<DepartureGuard>,
}

impl Default for DirectorySettings {
    fn default() -> Self {
        Self {
            join_by: vec![JoinKey::UserName, JoinKey::ExternalId, JoinKey::Email],
            on_delete: OnDelete::default(),
            restore_days: 30,
            on_inactive: OnInactive::default(),
            existing: OnExisting::default(),
            kind_attribute: None,
            release_license_on_deactivate: true,
            departure_guard: Some(DepartureGuard::default()),
        }
    }
}

/// What joins a sign-in to a pushed account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum JoinKey {
    /// The pushed `userName`, without regard to case, equals the subject or the asserted user name.
    UserName,
    /// The pushed `externalId` equals the subject, exactly.
    ExternalId,
    /// The pushed address equals the asserted one, if the provider vouches for it.
    Email,
}

/// The directory deletes a person (C-05).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OnDelete {
    /// Deleted, restorable by the directory for some days.
    #[default]
    Soft,
    /// Deleted for good: personal data, links and memberships end at once; the bare identifier stays and is never used again.
    Now,
    /// Deactivated only; the directory no longer manages the account.
    Deactivate,
}

/// The directory says that a person is not active (C-05).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OnInactive {
    /// Deactivated, until the directory says otherwise.
    #[default]
    Deactivate,
    /// Deactivated, and deleted after so many days.
    DeleteAfterDays(u32),
}

/// A pushed person already has an account of the connection that no directory manages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OnExisting {
    /// Refuse as a conflict that names the attribute; the directory may still find the account and change it by its id.
    #[default]
    Refuse,
    /// Take it over: from now on the directory manages it.
    Link,
}

/// When departures wait for an admin: both limits must be passed within the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct DepartureGuard {
    /// Share of the people who were active when the window began, in percent.
    pub percent: u32,
    /// Fewer departures than this are never held.
    pub at_least: u32,
    /// Length of the window in minutes.
    pub minutes: u32,
}

impl Default for DepartureGuard {
    fn default() -> Self {
        Self {
            percent: 20,
            at_least: 10,
            minutes: 60,
        }
    }
}

/// Steps of the match chain (C-12).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum MatchStep {
    /// NameID or `sub`, exact.
    Subject,
    /// E-mail and both names.
    EmailGivenSurname,
    /// E-mail alone, if the identity provider verified it and the domain is ours.
    VerifiedEmail,
    /// Directory identifier equal to the subject's value.
    ExternalId,
    /// User name equal to the subject's value or the asserted user name.
    UserName,
}

/// What happens with several candidates. Never a silent pick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OnAmbiguous {
    /// Refuse and list the candidates in the trace.
    #[default]
    Fail,
    /// Let the person say which of them is hers.
    Ask,
}

/// How names are compared (C-13).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum NameComparison {
    /// Trimmed, Unicode-normalized (NFKC), without case.
    #[default]
    Folded,
    /// Character for character.
    Strict,
}

/// A standard account found by matching at an SSO sign-in (C-11).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ExistingAccount {
    /// Link it: it becomes an SSO account, its password and all its sessions end.
    #[default]
    Link,
    /// Leave it alone and make an additional SSO account.
    Additional,
    /// Refuse the sign-in.
    Refuse,
}

/// A match that is not active (C-06). Refusal is forced where SCIM or an admin took the person out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OnInactiveMatch {
    /// Refuse.
    #[default]
    Refuse,
    /// Reactivate.
    Reactivate,
    /// Create a new account.
    CreateNew,
}

/// A different e-mail asserted for a known person (C-14).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EmailUpdate {
    /// Update if the new one lies in a verified domain and is free; else keep the old one and raise an alert.
    #[default]
    IfOwnDomainAndFree,
    /// Update whenever it is free; refuse otherwise.
    Always,
    /// Keep the old one.
    Never,
}

/// When rules are evaluated again for existing members (C-07, R-141).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RoleSync {
    /// Only when the membership comes into being.
    Creation,
    /// At every sign-in; the identity provider wins over hand edits.
    EveryLogin,
    /// At every sign-in until someone edits by hand.
    #[default]
    UntilEdited,
}

/// Modes of single fields, where they differ: a field that is absent follows [`Settings::role_sync`] if rules give it, and
/// is kept up to date until somebody edits it by hand if it belongs to the profile. `role_sync` also says whether the membership
/// as a whole is judged again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct FieldSync {
    /// Given, family and display name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub names: Option<RoleSync>,
    /// The address; `email_update` says which addresses are taken over at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<RoleSync>,
    /// Attributes of one's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<RoleSync>,
    /// Roles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roles: Option<RoleSync>,
    /// Workspaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspaces: Option<RoleSync>,
    /// The license.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license: Option<RoleSync>,
}

impl FieldSync {
    /// Returns the mode of a part of the profile.
    pub fn of_profile(&self, field: ProfileField) -> RoleSync {
        match field {
            ProfileField::Names => self.names,
            ProfileField::Email => self.email,
            ProfileField::Attributes => self.attributes,
        }
        .unwrap_or_default()
    }
}

/// When a license is given (C-23). It makes a difference where a directory makes the accounts: elsewhere an account's first
/// sign-in creates it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LicenseAt {
    /// As soon as the account is made.
    #[default]
    Creation,
    /// When the person signs in for the first time.
    FirstLogin,
}

/// No role results in an organization (C-08).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OnNoRole {
    /// Skip the organization.
    #[default]
    Skip,
    /// Give the organization's default role.
    DefaultRole,
}

/// An existing member no longer matches (C-09). Manual memberships are never removed by a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OnLostMatch {
    /// Remove only grants that this connection's rules made and nobody pinned.
    #[default]
    RemoveRuleGrants,
    /// Suspend the membership.
    Suspend,
    /// Keep everything.
    Keep,
}

/// No free seat in the license pool (C-23).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OnNoSeat {
    /// Refuse the sign-in.
    Refuse,
    /// Let the person in without a seat and queue for one.
    #[default]
    Queue,
    /// Use another pool of the organization.
    Other(crate::id::LicenseId),
}
