//! Requests as values: who wants what. Decides nothing.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::directory::{AccountKind, Authentication, Origin, Source, Status};
use crate::email::Email;
use crate::id::{AccountId, ConnectionId, GroupId, LicenseId, OrganizationId, RoleId, WorkspaceId};
use crate::keeping::KeptField;
use crate::plan::ProfilePatch;

/// A wish about the directory and who has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Who wants it.
    pub actor: Actor,
    /// What is wanted.
    pub action: Action,
}

/// Who acts. Rights follow from this alone; whether it is true was proved by the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "by")]
pub enum Actor {
    /// Somebody who operates the instance, or the command line on its machine (then without account).
    Operator {
        /// The operator's account.
        account: Option<AccountId>,
    },
    /// The declarative file.
    File,
    /// The product itself, for example an expiry.
    System,
    /// An admin of one organization.
    Admin {
        /// The admin's account; loaded and judged again with each request.
        account: AccountId,
        /// The organization that the admin acts for.
        organization: OrganizationId,
    },
    /// A key of the management API.
    Key {
        /// The key's identifier, never the key.
        key: String,
        /// The organization that the key is bound to; none acts for the whole instance.
        organization: Option<OrganizationId>,
    },
    /// Somebody without an account who sets a connection up by a link. May request nothing of people; stands in audit rows.
    SetupLink {
        /// The link's identifier, never its token.
        link: String,
        /// The one organization that the link is for.
        organization: OrganizationId,
    },
    /// A directory pushing through a connection.
    Scim {
        /// The connection.
        connection: ConnectionId,
    },
    /// The person who signs in. May request nothing here; stands in audit rows of sign-ins.
    Person,
}

impl Actor {
    /// Returns the actor as one stable word for audit rows: `operator`, `operator:ID`, `file`, `system`,
    /// `admin:ID@ORGANIZATION`, `api_key:ID`, `api_key:ID@ORGANIZATION`, `setup_link:ID@ORGANIZATION`, `scim:CONNECTION` or
    /// `person`.
    pub fn label(&self) -> String {
        match self {
            Self::Operator {
                account: Some(account),
            } => format!("operator:{account}"),
            Self::Operator { account: None } => "operator".to_owned(),
            Self::File => "file".to_owned(),
            Self::System => "system".to_owned(),
            Self::Admin {
                account,
                organization,
            } => format!("admin:{account}@{organization}"),
            Self::Key {
                key,
                organization: Some(organization),
            } => format!("api_key:{key}@{organization}"),
            Self::Key {
                key,
                organization: None,
            } => format!("api_key:{key}"),
            Self::SetupLink { link, organization } => format!("setup_link:{link}@{organization}"),
            Self::Scim { connection } => format!("scim:{connection}"),
            Self::Person => "person".to_owned(),
        }
    }

    /// Returns the general origin that lifecycle states keep.
    pub const fn origin(&self) -> Origin {
        match self {
            Self::Operator { .. } | Self::Admin { .. } | Self::Key { .. } | Self::SetupLink { .. } => {
                Origin::Admin
            }
            Self::File => Origin::File,
            Self::System => Origin::System,
            Self::Scim { .. } => Origin::Scim,
            Self::Person => Origin::Login,
        }
    }

    /// Returns the source that grants of this actor keep.
    pub fn source(&self) -> Source {
        match self {
            Self::Operator { .. }
            | Self::Admin { .. }
            | Self::Key { .. }
            | Self::SetupLink { .. }
            | Self::System
            | Self::Person => Source::Manual,
            Self::File => Source::Import,
            Self::Scim { connection } => Source::Scim {
                connection: connection.clone(),
            },
        }
    }
}

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "action")]
pub enum Action {
    /// An account made by hand, by the file or by a push.
    CreateAccount(Box<NewAccount>),
    /// Profile fields set. The marks `operator` and `kind` of others than SSO readers stay with their own rules.
    UpdateProfile {
        /// Whose.
        account: AccountId,
        /// Fields to set.
        set: Box<ProfilePatch>,
    },
    /// Suspends, deactivates, reactivates or restores. Deleting is [`Action::Delete`].
    SetStatus {
        /// Whose.
        account: AccountId,
        /// The wanted state: `Active`, `Suspended` or `Deactivated`.
        to: Status,
    },
    /// Deletes, restorable for a while (C-05).
    Delete {
        /// Whose.
        account: AccountId,
        /// Whether the person may come back through the identity provider as a new account (C-29): forgets the links.
        allow_return: bool,
    },
    /// Edits one membership, making it if there is none. Hand edits pin (C-07).
    EditMembership {
        /// Whose.
        account: AccountId,
        /// In which organization.
        organization: OrganizationId,
        /// Edits in order; none at all just makes the membership.
        edits: Vec<GrantEdit>,
    },
    /// Ends one membership.
    RemoveMembership {
        /// Whose.
        account: AccountId,
        /// In which organization.
        organization: OrganizationId,
    },
    /// Says which memberships the actor wants; what the same source granted and does not say any more is taken back.
    /// Memberships and grants from other sources stay.
    SetMemberships {
        /// Whose.
        account: AccountId,
        /// All that the actor wants.
        memberships: Vec<DesiredMembership>,
    },
    /// Forgets the federated identity so that the next sign-in matches anew; ends all sessions.
    ResetSubject {
        /// Whose.
        account: AccountId,
    },
    /// Gives an account the federated identity and the address of another one, which is deleted: an admin has seen that both are
    /// the same person.
    TakeIdentity {
        /// Who stays.
        account: AccountId,
        /// Whose identity it gets.
        from: AccountId,
    },
    /// Invites whom an account was made for: judges only whether the actor may, and whether the person is still to come
    /// . Changes nothing by itself.
    Invite {
        /// Whom.
        account: AccountId,
        /// To which organization.
        organization: OrganizationId,
    },
    /// Moves a person with a password to single sign-on (R-93 to, C-24).
    Convert {
        /// The standard account.
        account: AccountId,
        /// Its address, by which other accounts of the person are looked for.
        email: Option<Email>,
        /// In which organization this is wanted.
        organization: OrganizationId,
        /// The connection that the person signs in through from now on.
        connection: ConnectionId,
        /// How.
        mode: ConversionMode,
    },
    /// Takes a conversion in place back: the account has no identity there any more, and needs a new password.
    Unconvert {
        /// The account.
        account: AccountId,
        /// Its address, by which other accounts of the person are looked for.
        email: Option<Email>,
    },
    /// Sets a field that a directory or identity provider keeps, for a while.
    OverrideField {
        /// Whose.
        account: AccountId,
        /// Which field.
        field: KeptField,
        /// What it shall hold.
        value: Value,
        /// When the directory's value returns.
        until: Timestamp,
    },
    /// Ends an override before its time, or, without a field, all whose time has come.
    EndOverride {
        /// Whose.
        account: AccountId,
        /// Which field; none means all that are over.
        field: Option<KeptField>,
        /// The address that returns, as the caller read it, so that it is known whether it is free.
        address: Option<Email>,
    },
    /// Makes the account an operator of the instance, or ends that.
    MakeOperator {
        /// Whose.
        account: AccountId,
        /// Operator or not.
        operator: bool,
    },
}

/// How a person is moved to single sign-on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ConversionMode {
    /// An SSO account is made beside the standard one, which goes on working.
    #[default]
    Additional,
    /// The account itself becomes an SSO account: its history stays, its password ends.
    InPlace,
}

/// An account to create. A password is never part of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewAccount {
    /// User or reader.
    #[serde(default)]
    pub kind: AccountKind,
    /// Standard, or bound to a connection.
    pub authentication: Authentication,
    /// First state: `Invited` (default, becomes active at the first sign-in) or `Active`.
    #[serde(default)]
    pub active: bool,
    /// Address; required for standard accounts and, unless a directory pushes, for all.
    pub email: Option<Email>,
    /// User name.
    #[serde(default)]
    pub user_name: Option<String>,
    /// Directory identifier.
    #[serde(default)]
    pub external_id: Option<String>,
    /// Given name.
    #[serde(default)]
    pub given_name: Option<String>,
    /// Family name.
    #[serde(default)]
    pub family_name: Option<String>,
    /// Name to display.
    #[serde(default)]
    pub display_name: Option<String>,
    /// Emergency admin mark.
    #[serde(default)]
    pub emergency_admin: bool,
    /// Attributes without a field of their own.
    #[serde(default)]
    pub attributes: Map<String, Value>,
    /// Memberships from the start.
    #[serde(default)]
    pub memberships: Vec<DesiredMembership>,
}

/// A membership as somebody wants it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesiredMembership {
    /// In which organization.
    pub organization: OrganizationId,
    /// Roles by id; none gives the organization's default role.
    #[serde(default)]
    pub roles: Vec<RoleId>,
    /// Workspaces.
    #[serde(default)]
    pub workspaces: WorkspacesWanted,
    /// License pool.
    #[serde(default)]
    pub license: Option<LicenseId>,
}

/// Workspaces that somebody wants for a member.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkspacesWanted {
    /// The organization's default workspaces.
    #[default]
    Default,
    /// All, later ones too.
    All,
    /// These.
    Ids(Vec<WorkspaceId>),
}

/// One edit of a membership by hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "edit")]
pub enum GrantEdit {
    /// Grants a role and pins it.
    GrantRole {
        /// The role.
        role: RoleId,
    },
    /// Takes a role away; pins the membership so that no rule gives it back.
    RevokeRole {
        /// The role.
        role: RoleId,
    },
    /// Grants a workspace and pins it.
    GrantWorkspace {
        /// The workspace.
        workspace: WorkspaceId,
    },
    /// Takes a workspace away; pins the membership.
    RevokeWorkspace {
        /// The workspace.
        workspace: WorkspaceId,
    },
    /// Includes all workspaces, later ones too, or ends that.
    AllWorkspaces {
        /// Included or not.
        included: bool,
    },
    /// Sets the license, or frees it.
    License {
        /// The pool; none frees.
        license: Option<LicenseId>,
    },
    /// Makes the membership live or suspends it.
    Active {
        /// Live or not.
        active: bool,
    },
    /// Keeps the membership as it is: rules leave it alone from now on (C-07).
    Pin,
    /// Lets rules decide again: unpins the membership and all its grants.
    ReturnToAutomatic,
    /// Puts a member into a local group of the organization. Pins nothing.
    JoinGroup {
        /// The group.
        group: GroupId,
    },
    /// Takes a member out of a local group. Pins nothing.
    LeaveGroup {
        /// The group.
        group: GroupId,
        /// Whether what came from the group stays, as if granted by hand: for who must not lose it, such as the last owner.
        #[serde(default)]
        keep: bool,
    },
    /// Makes what comes from local groups what they lead to now. Pins nothing.
    SettleGroups {
        /// As for [`GrantEdit::LeaveGroup`].
        #[serde(default)]
        keep: bool,
    },
}

impl Action {
    /// Returns the account that the action is about; none for a new one.
    pub const fn account(&self) -> Option<&AccountId> {
        match self {
            Self::CreateAccount(_) => None,
            Self::UpdateProfile { account, .. }
            | Self::SetStatus { account, .. }
            | Self::Delete { account, .. }
            | Self::EditMembership { account, .. }
            | Self::RemoveMembership { account, .. }
            | Self::SetMemberships { account, .. }
            | Self::ResetSubject { account }
            | Self::TakeIdentity { account, .. }
            | Self::Invite { account, .. }
            | Self::Convert { account, .. }
            | Self::Unconvert { account, .. }
            | Self::OverrideField { account, .. }
            | Self::EndOverride { account, .. }
            | Self::MakeOperator { account, .. } => Some(account),
        }
    }
}
