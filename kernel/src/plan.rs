//! Plans: the only thing that can be written about people. A plan is a value; the store applies it in one transaction.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::denial::Denial;
use crate::directory::{
    Account, AccountKind, Authentication, DirectoryProfile, Grant, Group, LicenseGrant, Link, Membership,
    Origin, ProfileField, Source, Status,
};
use crate::email::Email;
use crate::id::{
    AccountId, ConnectionId, GroupId, LicenseId, OrganizationId, RoleId, SessionId, WorkspaceId,
};
use crate::incoming::OneTimeProof;
use crate::keeping::Keeping;
use crate::local_group::HeldGroup;
use crate::trace::Trace;

/// The outcome of deciding: a verdict, what to write, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Whether the person or request is let through.
    pub verdict: Verdict,
    /// What to write. A refusal may still carry changes (an unplaced account is kept, a lost grant is taken away), never a session.
    pub plan: Plan,
    /// Every step with its reason.
    pub trace: Trace,
}

/// Whether the person or request is let through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Let through, as this account.
    Admitted(AccountId),
    /// Let through; it is about no single account, for example about a group.
    Accepted,
    /// Refused.
    Refused(Denial),
}

/// What to write, in order, all or nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Changes of the directory. Empty when everything already is as decided.
    pub changes: Vec<Change>,
    /// The session to open, at a sign-in.
    pub session: Option<OpenSession>,
    /// The proof to spend; a proof already spent fails the whole plan.
    pub spend: Option<OneTimeProof>,
}

/// One change of the directory. Versions are those that the facts showed; the store refuses others as a conflict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "change")]
#[expect(
    clippy::large_enum_variant,
    reason = "plans are short and live shortly; boxes would not pay for themselves"
)]
pub enum Change {
    /// Creates an account. Boxed because it is far larger than the others.
    CreateAccount {
        /// The account, version 1.
        account: Box<Account>,
        /// What a directory says about the person, if one pushed the account.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        profile: Option<DirectoryProfile>,
    },
    /// Changes profile fields.
    UpdateProfile {
        /// Whose.
        account: AccountId,
        /// Version that the facts showed.
        version: i64,
        /// Fields to set.
        set: ProfilePatch,
        /// The same fields as they were, for audit and undo.
        before: ProfilePatch,
    },
    /// Moves the account to another lifecycle state; only legal transitions are ever planned.
    SetStatus {
        /// Whose.
        account: AccountId,
        /// Version that the facts showed.
        version: i64,
        /// State that the facts showed.
        from: Status,
        /// New state.
        to: Status,
        /// Who caused it.
        origin: Origin,
    },
    /// Changes how the account signs in. To SSO, the password, pending e-mail changes and other proofs end (security.md 3, pre-hijacking).
    SetAuthentication {
        /// Whose.
        account: AccountId,
        /// Version that the facts showed.
        version: i64,
        /// As it was.
        from: Authentication,
        /// As it becomes.
        to: Authentication,
    },
    /// Keeps a federated identity.
    Link {
        /// Whose.
        account: AccountId,
        /// The identity.
        link: Link,
    },
    /// Forgets a federated identity.
    Unlink {
        /// Whose.
        account: AccountId,
        /// The identity.
        link: Link,
    },
    /// Adds a membership with all its grants; license seats are taken here too.
    AddMembership {
        /// Whose.
        account: AccountId,
        /// The membership, version 1.
        membership: Membership,
    },
    /// Changes grants of a membership.
    UpdateMembership {
        /// Whose.
        account: AccountId,
        /// In which organization.
        organization: OrganizationId,
        /// Version that the facts showed.
        version: i64,
        /// What changes; not empty.
        edits: Vec<MembershipEdit>,
    },
    /// Ends a membership and frees its seat.
    RemoveMembership {
        /// Whose.
        account: AccountId,
        /// In which organization.
        organization: OrganizationId,
        /// Version that the facts showed.
        version: i64,
        /// As it was, for audit.
        before: Box<Membership>,
    },
    /// Ends every session and refresh token of the account at once.
    RevokeSessions {
        /// Whose.
        account: AccountId,
        /// Why, as a stable word: `linked`, `suspended`, `deactivated`, `deleted`, `reset`.
        reason: String,
    },
    /// Raises an alert for admins without changing anything (C-14, R-124).
    Alert {
        /// About whom.
        account: AccountId,
        /// Stable code.
        code: String,
        /// Sentence for admins.
        text: String,
    },
    /// Creates a group without members.
    CreateGroup {
        /// The group, version 1.
        group: Box<Group>,
    },
    /// Changes what a directory says about a group. An empty patch only checks the version and raises it.
    UpdateGroup {
        /// Which.
        group: GroupId,
        /// Version that the facts showed.
        version: i64,
        /// Fields to set.
        set: GroupPatch,
        /// The same fields as they were.
        before: GroupPatch,
    },
    /// Deletes a group; its members stay, without it.
    DeleteGroup {
        /// Which.
        group: GroupId,
        /// Version that the facts showed.
        version: i64,
        /// As it was, for audit.
        before: Box<Group>,
    },
    /// Makes accounts members of a group and raises the group's version without checking it: writers of different members
    /// do not stand in each other's way. Who is a member already stays one.
    AddGroupMembers {
        /// Of which group.
        group: GroupId,
        /// Whom; any number.
        accounts: Vec<AccountId>,
    },
    /// Ends memberships of a group, like [`Change::AddGroupMembers`]. Who is no member stays none.
    RemoveGroupMembers {
        /// Of which group.
        group: GroupId,
        /// Whom; any number.
        accounts: Vec<AccountId>,
    },
    /// Queues another decision about accounts ([`crate::provision::push::Push::Reevaluate`]), because a change touches more
    /// people than one transaction should decide about.
    QueueReevaluation {
        /// Identifier of the job, made from that of the trace.
        job: String,
        /// Through which connection's rules.
        connection: ConnectionId,
        /// About whom; at most [`crate::provision::push::MOST_AT_ONCE`].
        accounts: Vec<AccountId>,
    },
}

/// Fields of a group to set; an absent field stays, `Some(None)` empties it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GroupPatch {
    /// Name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Identifier given by the directory.
    #[serde(skip_serializing_if = "Option::is_none", with = "present")]
    pub external_id: Option<Option<String>>,
    /// The whole document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<Map<String, Value>>,
}

/// One edit of a membership.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "edit")]
pub enum MembershipEdit {
    /// Grants a role, or changes source and pin of one already held.
    GrantRole {
        /// The role.
        role: RoleId,
        /// Who grants.
        source: Source,
        /// Whether it is pinned.
        pinned: bool,
    },
    /// Takes a role away.
    RevokeRole {
        /// The role.
        role: RoleId,
    },
    /// Grants a workspace, or changes source and pin of one already held.
    GrantWorkspace {
        /// The workspace.
        workspace: WorkspaceId,
        /// Who grants.
        source: Source,
        /// Whether it is pinned.
        pinned: bool,
    },
    /// Takes a workspace away.
    RevokeWorkspace {
        /// The workspace.
        workspace: WorkspaceId,
    },
    /// Includes all workspaces, future ones too, or ends that.
    SetAllWorkspaces {
        /// Who grants; none ends it.
        source: Option<Source>,
    },
    /// Sets or frees the license. The store judges whether a seat is free and answers a conflict if not.
    SetLicense {
        /// As it was.
        from: Option<LicenseGrant>,
        /// As it becomes.
        to: Option<LicenseGrant>,
    },
    /// Makes the membership live or suspends it.
    SetActive {
        /// Live or not.
        active: bool,
    },
    /// Pins or unpins the whole membership.
    SetPinned {
        /// Pinned or not.
        pinned: bool,
    },
    /// Puts the person into a local group. What she gets from it are edits of their own.
    JoinGroup {
        /// The group, as the facts showed it.
        group: HeldGroup,
        /// Version of the group that the facts showed; the store refuses others as a conflict.
        version: i64,
    },
    /// Takes the person out of a local group.
    LeaveGroup {
        /// The group.
        group: GroupId,
        /// Its name, for audit.
        name: String,
    },
}

impl Change {
    /// Whose membership in which organization this makes, edits or ends, if it does.
    pub fn membership(&self) -> Option<(&AccountId, &OrganizationId)> {
        if let Self::AddMembership { account, membership } = self {
            return Some((account, &membership.organization));
        }
        if let Self::UpdateMembership {
            account,
            organization,
            ..
        }
        | Self::RemoveMembership {
            account,
            organization,
            ..
        } = self
        {
            return Some((account, organization));
        }
        None
    }
}

impl MembershipEdit {
    /// Gives a license that is held a seat, or takes it: then the license waits for one.
    pub fn seat(license: &LicenseGrant, seated: bool) -> Self {
        Self::SetLicense {
            from: Some(license.clone()),
            to: Some(LicenseGrant {
                seated,
                ..license.clone()
            }),
        }
    }

    /// Makes the edit in a membership as a value. The version stays: the store counts it.
    pub fn apply(&self, membership: &mut Membership) {
        match self {
            Self::GrantRole { role, source, pinned } => {
                membership.roles.retain(|grant| grant.id != *role);
                membership.roles.push(Grant {
                    id: role.clone(),
                    source: source.clone(),
                    pinned: *pinned,
                });
            }
            Self::RevokeRole { role } => membership.roles.retain(|grant| grant.id != *role),
            Self::GrantWorkspace {
                workspace,
                source,
                pinned,
            } => {
                membership.workspaces.retain(|grant| grant.id != *workspace);
                membership.workspaces.push(Grant {
                    id: workspace.clone(),
                    source: source.clone(),
                    pinned: *pinned,
                });
            }
            Self::RevokeWorkspace { workspace } => {
                membership.workspaces.retain(|grant| grant.id != *workspace);
            }
            Self::SetAllWorkspaces { source } => membership.all_workspaces.clone_from(source),
            Self::SetLicense { to, .. } => membership.license.clone_from(to),
            Self::SetActive { active } => membership.active = *active,
            Self::SetPinned { pinned } => membership.pinned = *pinned,
            Self::JoinGroup { group, .. } => {
                membership.groups.retain(|held| held.id != group.id);
                membership.groups.push(group.clone());
                membership.groups.sort_by(|one, other| one.id.cmp(&other.id));
            }
            Self::LeaveGroup { group, .. } => membership.groups.retain(|held| held.id != *group),
        }
    }
}

/// Profile fields to set; an absent field stays, `Some(None)` empties it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProfilePatch {
    /// Kind of account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<AccountKind>,
    /// Address.
    #[serde(skip_serializing_if = "Option::is_none", with = "present")]
    pub email: Option<Option<Email>>,
    /// User name.
    #[serde(skip_serializing_if = "Option::is_none", with = "present")]
    pub user_name: Option<Option<String>>,
    /// Directory identifier.
    #[serde(skip_serializing_if = "Option::is_none", with = "present")]
    pub external_id: Option<Option<String>>,
    /// Given name.
    #[serde(skip_serializing_if = "Option::is_none", with = "present")]
    pub given_name: Option<Option<String>>,
    /// Family name.
    #[serde(skip_serializing_if = "Option::is_none", with = "present")]
    pub family_name: Option<Option<String>>,
    /// Name to display.
    #[serde(skip_serializing_if = "Option::is_none", with = "present")]
    pub display_name: Option<Option<String>>,
    /// Emergency admin mark.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub emergency_admin: Option<bool>,
    /// Operator mark.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<bool>,
    /// All attributes without a field of their own, replaced as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Map<String, Value>>,
    /// Parts of the profile that were edited by hand, replaced as a whole; an empty set returns them all to the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edited: Option<BTreeSet<ProfileField>>,
    /// Where attributes came from and what is overridden, replaced as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keeping: Option<Keeping>,
    /// What a directory says about the person, replaced as a whole.
    #[serde(skip_serializing_if = "Option::is_none", with = "present")]
    pub profile: Option<Option<Box<DirectoryProfile>>>,
}

/// Keeps "set to nothing" apart from "not set" in JSON.
mod present {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(
        clippy::option_option,
        clippy::ref_option,
        reason = "absent, null and value are three different things in a patch; serde gives the shape"
    )]
    pub(super) fn serialize<T: Serialize, S: Serializer>(
        value: &Option<Option<T>>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        value.as_ref().and_then(Option::as_ref).serialize(to)
    }

    #[expect(
        clippy::option_option,
        reason = "absent, null and value are three different things in a patch"
    )]
    pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Option<T>>, D::Error> {
        Option::<T>::deserialize(from).map(Some)
    }
}

/// A session to open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpenSession {
    /// Identifier, `sid` of the app's tokens.
    pub id: SessionId,
    /// Digest of the cookie token.
    pub digest: String,
    /// Whose.
    pub account: AccountId,
    /// The connection that proved the person; none for a password.
    pub connection: Option<ConnectionId>,
    /// The identity it was proved with, for logout by the provider.
    pub link: Option<Link>,
    /// Session at the provider, for logout.
    pub upstream_session: Option<String>,
    /// When the person authenticated (`auth_time`).
    pub authenticated_at: Timestamp,
    /// Methods (`amr`).
    pub methods: Vec<String>,
    /// Class (`acr`).
    pub class: Option<String>,
    /// Absolute end of the session.
    pub ends_at: Timestamp,
    /// Idle limit in seconds.
    pub idle_seconds: i64,
}

/// Seats asked for by a plan: pool and how many more (or fewer) it takes.
pub type SeatDelta = (OrganizationId, LicenseId, i32);
