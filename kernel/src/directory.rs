//! The directory as values: organizations, what they hand out, accounts, links and memberships.
//! Never knows how these are stored.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::email::Email;
use crate::id::{AccountId, ConnectionId, GroupId, LicenseId, OrganizationId, RoleId, WorkspaceId};
use crate::keeping::Keeping;
use crate::local_group::HeldGroup;

/// A customer organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organization {
    /// Identifier, also what `{{orgId}}` stands for in policies.
    pub id: OrganizationId,
    /// Name shown to people.
    pub name: String,
    /// Whether a member may hold several roles (C-19).
    #[serde(default)]
    pub roles_per_member: RolesPerMember,
    /// Who manages its people and connections (R-87, C-26).
    #[serde(default)]
    pub managed_by: ManagedBy,
}

/// Who manages an organization's people and connections (R-87, C-26).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ManagedBy {
    /// Members with a role marked `owner` or `admin`.
    #[default]
    OwnersAndAdmins,
    /// Members with a role marked `owner` alone.
    Owners,
}

/// How many roles one member of an organization may hold (C-19).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RolesPerMember {
    /// One: the first of the organization's roles, in their order, wins.
    One,
    /// Any number.
    #[default]
    Many,
}

/// A role that an organization hands out. Never created by a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// Identifier within the organization, stable across renames (`permissionprofileid`, R-40).
    pub id: RoleId,
    /// Exact name that expressions must return.
    pub name: String,
    /// Whether holders are owners: never grantable by a rule, and the last one is never lost.
    #[serde(default)]
    pub owner: bool,
    /// Whether holders may manage people of this organization. Owners may, too.
    #[serde(default)]
    pub admin: bool,
    /// Whether this role is given where defaults apply (R-28, C-08).
    #[serde(default)]
    pub default: bool,
}

impl Role {
    /// Tells whether holders manage the people of an organization that is managed by these (R-87, C-26).
    pub const fn manages(&self, managers: ManagedBy) -> bool {
        match managers {
            ManagedBy::OwnersAndAdmins => self.owner || self.admin,
            ManagedBy::Owners => self.owner,
        }
    }
}

/// A workspace of an organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workspace {
    /// Identifier within the organization (`accountid`, R-40).
    pub id: WorkspaceId,
    /// Name shown to people.
    pub name: String,
    /// Whether people land here where defaults apply.
    #[serde(default)]
    pub default: bool,
}

/// A pool of licenses of an organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct License {
    /// Identifier within the organization.
    pub id: LicenseId,
    /// Seats that may be held at once; none means without limit.
    #[serde(default)]
    pub seats: Option<u32>,
    /// Which kind of account the pool is for; none is for both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<AccountKind>,
}

impl License {
    /// Tells whether an account of this kind may hold a seat of the pool.
    pub fn serves(&self, kind: AccountKind) -> bool {
        self.kind.is_none_or(|own| own == kind)
    }
}

/// One person's account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// Stable identifier.
    pub id: AccountId,
    /// User or reader.
    pub kind: AccountKind,
    /// How this account signs in; an SSO account has no password.
    pub authentication: Authentication,
    /// Lifecycle state; see [`crate::lifecycle`].
    pub status: Status,
    /// Who put the account into its present state; decides who may take it out again (C-06).
    pub status_origin: Origin,
    /// Address, if one is known.
    pub email: Option<Email>,
    /// Name under which a directory or admin knows the person (SCIM `userName`).
    pub user_name: Option<String>,
    /// Identifier given by the directory (SCIM `externalId`).
    pub external_id: Option<String>,
    /// Given name.
    pub given_name: Option<String>,
    /// Family name (surname).
    pub family_name: Option<String>,
    /// Name to display; if absent, given and family name are shown.
    pub display_name: Option<String>,
    /// Whether this account opens the organization when its identity provider is down: never demoted or linked by a rule.
    #[serde(default)]
    pub emergency_admin: bool,
    /// Whether this account operates the whole instance. Only `provost operator add` and other operators set it.
    #[serde(default)]
    pub operator: bool,
    /// Attributes without a field of their own, by name.
    #[serde(default)]
    pub attributes: Map<String, Value>,
    /// Parts of the profile that somebody edited by hand since the account was made, so that sign-ins leave them alone.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub edited: BTreeSet<ProfileField>,
    /// Where attributes came from, and which fields are overridden for a while.
    #[serde(default, skip_serializing_if = "Keeping::is_empty")]
    pub keeping: Keeping,
    /// Version for optimistic locking; grows by one with each change.
    pub version: i64,
    /// When the account came into being.
    pub created_at: Timestamp,
}

/// Parts of a profile that sign-ins keep up to date together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ProfileField {
    /// Given, family and display name.
    Names,
    /// The address.
    Email,
    /// Attributes of one's own.
    Attributes,
}

/// Account kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum AccountKind {
    /// Works in the app.
    #[default]
    User,
    /// Only reads.
    Reader,
}

/// How an account signs in. One value, so that an SSO account with a password cannot be expressed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "by")]
pub enum Authentication {
    /// With a password kept here.
    Standard,
    /// Through the identity provider of one connection.
    Sso {
        /// The connection whose people this account belongs to.
        connection: ConnectionId,
    },
}

impl Authentication {
    /// Returns the connection whose people the account belongs to.
    pub const fn connection(&self) -> Option<&ConnectionId> {
        match self {
            Self::Standard => None,
            Self::Sso { connection } => Some(connection),
        }
    }
}

/// Lifecycle states of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Made known, has not signed in yet.
    Invited,
    /// May sign in.
    Active,
    /// Kept out for now.
    Suspended,
    /// Left: keeps its link so that re-provisioning restores it.
    Deactivated,
    /// Deleted, restorable for a while (C-05).
    Deleted,
}

/// Who caused a state or change, in general terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A sign-in decided by rules.
    Login,
    /// A directory through SCIM.
    Scim,
    /// An admin or operator, by hand.
    Admin,
    /// The declarative file.
    File,
    /// The product itself, for example an expiry.
    System,
}

/// Where a grant came from. Sources let manual edits and automation live together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Source {
    /// An admin, by hand.
    Manual,
    /// A rule of a connection at sign-in.
    Rule {
        /// The connection whose rule granted.
        connection: ConnectionId,
    },
    /// A directory push.
    Scim {
        /// The connection that pushed.
        connection: ConnectionId,
    },
    /// An accepted invitation.
    Invitation,
    /// An import or the declarative file.
    Import,
    /// A local group that the person is in ([`crate::local_group`]).
    Group {
        /// The group.
        group: GroupId,
    },
}

/// What a directory says about a person: the whole SCIM document in 2.0 spelling, without `id`, `meta`, `schemas`,
/// `groups` and `password`. Kept beside the account and loaded only when asked for. An account that has one is managed by
/// the directory. It has no version of its own: each change of it counts as a change of the account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DirectoryProfile {
    /// The document. `active` in it is the directory's word; what holds is the account's status.
    pub document: Map<String, Value>,
}

/// A group that a directory pushes. Its members are rows of their own and never part of this value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Identifier, made here.
    pub id: GroupId,
    /// The connection that pushes it; group names mean nothing outside of it.
    pub connection: ConnectionId,
    /// Identifier given by the directory (SCIM `externalId`), unique within the connection.
    pub external_id: Option<String>,
    /// Name that rules compare (SCIM `displayName`), unique within the connection without regard to case.
    pub name: String,
    /// The SCIM document without `id`, `meta`, `schemas` and `members`.
    pub document: Map<String, Value>,
    /// Version; grows with each change of the group or of its members.
    pub version: i64,
}

/// A group as its members' rules see it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GroupName {
    /// Identifier.
    pub id: GroupId,
    /// Name.
    pub name: String,
    /// Identifier given by the directory.
    pub external_id: Option<String>,
}

impl Group {
    /// Returns what rules see of the group.
    pub fn naming(&self) -> GroupName {
        GroupName {
            id: self.id.clone(),
            name: self.name.clone(),
            external_id: self.external_id.clone(),
        }
    }
}

/// The identity at an identity provider: compared exactly, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Subject {
    /// Issuer: SAML entity ID or OIDC issuer. Part of the key, so a changed issuer matches no old link.
    pub issuer: String,
    /// SAML NameID format URI; empty for OIDC.
    pub format: String,
    /// NameID or `sub` as received.
    pub value: String,
}

/// A federated identity kept on an account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Link {
    /// The connection it belongs to.
    pub connection: ConnectionId,
    /// The identity there.
    pub subject: Subject,
}

/// One account in one organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// The organization.
    pub organization: OrganizationId,
    /// Whether access is live; a suspended membership keeps its grants without effect.
    pub active: bool,
    /// Where the membership came from.
    pub source: Source,
    /// Whether a hand edit pinned it, so that no rule removes it (C-07).
    pub pinned: bool,
    /// Roles with their sources.
    pub roles: Vec<Grant<RoleId>>,
    /// Workspaces with their sources.
    pub workspaces: Vec<Grant<WorkspaceId>>,
    /// Set when every workspace, future ones too, is included (R-21, C-17); holds who granted that.
    pub all_workspaces: Option<Source>,
    /// License, if one is held or waited for.
    pub license: Option<LicenseGrant>,
    /// Local groups of the organization that the person is in, by id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<HeldGroup>,
    /// Version for optimistic locking.
    pub version: i64,
}

impl Membership {
    /// Tells whether a hand edit holds anything of it against the rules (C-07).
    #[must_use]
    pub fn is_held_by_hand(&self) -> bool {
        self.pinned
            || self.roles.iter().any(|grant| grant.pinned)
            || self.workspaces.iter().any(|grant| grant.pinned)
            || self.license.as_ref().is_some_and(|license| license.pinned)
    }
}

/// One thing granted, with its source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Grant<T> {
    /// What is granted.
    pub id: T,
    /// Who granted it.
    pub source: Source,
    /// Whether a hand edit pinned it (C-07).
    pub pinned: bool,
}

/// A license held or waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LicenseGrant {
    /// The pool.
    pub license: LicenseId,
    /// Who granted it.
    pub source: Source,
    /// Whether a hand edit pinned it.
    pub pinned: bool,
    /// False while the person waits for a free seat (C-23).
    pub seated: bool,
}
