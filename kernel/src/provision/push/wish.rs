//! What a directory wants, as values. Decides nothing.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::directory::Status;
use crate::id::{AccountId, GroupId};

/// A wish of a directory about its own people and groups. The connection is the one whose token was presented.
///
/// `if_version` is what the client believes to be the present version (`If-Match`); none takes any.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "push")]
pub enum Push {
    /// Makes a person (`POST /Users`), or brings back the one who left with the same user name or external id.
    CreateUser(Box<PushedUser>),
    /// Brings a person to the state given (`PUT`, or `PATCH` once it is applied to the document), status included.
    ReplaceUser {
        /// Whom.
        account: AccountId,
        /// Version that the client believes in.
        if_version: Option<i64>,
        /// The whole new state.
        user: Box<PushedUser>,
    },
    /// Deletes a person as the connection's `on_delete` says (C-05).
    DeleteUser {
        /// Whom.
        account: AccountId,
        /// Version that the client believes in.
        if_version: Option<i64>,
    },
    /// Goes on with people whom the directory took out long ago: who was deactivated is deleted, who was deleted is erased. The
    /// product itself asks for that, for accounts past the days of `on_inactive` and `restore_days`.
    ExpireUsers {
        /// Whom. Those whom the directory did not take out are passed over.
        accounts: Vec<AccountId>,
        /// The state that they are in for too long: `Deactivated` or `Deleted`. Who is in another one by now is passed over, so
        /// that a job that runs twice does not go two steps.
        from: Status,
    },
    /// Makes a group.
    CreateGroup {
        /// Identifier, made by the server's id source.
        id: GroupId,
        /// The group.
        group: Box<PushedGroup>,
        /// Its members.
        members: Vec<AccountId>,
    },
    /// Changes what is said about a group, its members, or both.
    ChangeGroup {
        /// Which.
        group: GroupId,
        /// Version that the client believes in.
        if_version: Option<i64>,
        /// The whole new description; none leaves it.
        set: Option<Box<PushedGroup>>,
        /// What happens to its members.
        members: MembersChange,
    },
    /// Deletes a group.
    DeleteGroup {
        /// Which.
        group: GroupId,
        /// Version that the client believes in.
        if_version: Option<i64>,
    },
    /// Runs the rules again for people whom the directory pushed: after a large change of a group, or of a policy.
    Reevaluate {
        /// Whom; at most [`super::MOST_AT_ONCE`]. Those who are gone or not managed by the directory are passed over.
        accounts: Vec<AccountId>,
    },
}

impl Push {
    /// Returns the account that the push is about; none for a new one, for several and for groups.
    pub const fn account(&self) -> Option<&AccountId> {
        match self {
            Self::ReplaceUser { account, .. } | Self::DeleteUser { account, .. } => Some(account),
            Self::CreateUser(_)
            | Self::ExpireUsers { .. }
            | Self::CreateGroup { .. }
            | Self::ChangeGroup { .. }
            | Self::DeleteGroup { .. }
            | Self::Reevaluate { .. } => None,
        }
    }
}

/// A person as a directory describes one. The fields beside the document are read from it by the server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PushedUser {
    /// The document, see [`crate::directory::DirectoryProfile`].
    pub document: Map<String, Value>,
    /// `userName`.
    pub user_name: Option<String>,
    /// `externalId`.
    pub external_id: Option<String>,
    /// `active`; none keeps the state, and is true for a new person.
    pub active: Option<bool>,
    /// The address that counts: the primary one, else the work one, else the first. Not yet judged.
    pub email: Option<String>,
    /// `name.givenName`.
    pub given_name: Option<String>,
    /// `name.familyName`.
    pub family_name: Option<String>,
    /// `displayName`, else `name.formatted`.
    pub display_name: Option<String>,
    /// Attributes that admins defined, by name.
    pub attributes: Map<String, Value>,
}

/// A group as a directory describes one, without its members.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PushedGroup {
    /// `displayName`.
    pub name: String,
    /// `externalId`.
    pub external_id: Option<String>,
    /// The document, see [`crate::directory::Group`].
    pub document: Map<String, Value>,
}

/// What happens to the members of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MembersChange {
    /// Some join and some leave. The cost follows their number, not the size of the group. Who is in both lists stays or joins.
    Delta {
        /// Who joins; who is a member already stays one.
        #[serde(default)]
        add: Vec<AccountId>,
        /// Who leaves; who is no member, or nobody at all, is passed over.
        #[serde(default)]
        remove: Vec<AccountId>,
    },
    /// These and no others are members.
    Replace(Vec<AccountId>),
}

impl MembersChange {
    /// No change.
    pub const NONE: Self = Self::Delta {
        add: Vec::new(),
        remove: Vec::new(),
    };
}
