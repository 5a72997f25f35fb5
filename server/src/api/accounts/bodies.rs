//! What requests about accounts say.

use provost_kernel::directory::AccountKind;
use provost_kernel::email::Email;
use provost_kernel::plan::ProfilePatch;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::error::{AppError, Fault, Result};
use crate::flow::invitations::Letter;
use crate::flow::people::{NewPerson, Step, WantedMembership};

/// A person to be added.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewAccount")]
pub(in crate::api) struct NewAccountBody {
    /// Address.
    email: String,
    /// `user` or `reader`.
    #[serde(default)]
    kind: AccountKind,
    /// The connection that the person signs in through; absent for an account with a password.
    #[serde(default)]
    connection: Option<String>,
    /// User name.
    #[serde(default)]
    user_name: Option<String>,
    /// Identifier given by a directory.
    #[serde(default)]
    external_id: Option<String>,
    /// Given name.
    #[serde(default)]
    given_name: Option<String>,
    /// Family name.
    #[serde(default)]
    family_name: Option<String>,
    /// Name to display.
    #[serde(default)]
    display_name: Option<String>,
    /// Whether the account opens the organization when its identity provider is down.
    #[serde(default)]
    emergency_admin: bool,
    /// Custom attributes.
    #[serde(default)]
    attributes: Map<String, Value>,
    /// Memberships from the start.
    #[serde(default)]
    memberships: Vec<MembershipBody>,
    /// Whether the person is invited: the account waits until she comes, and she gets a mail. Needs the scope
    /// `invitations:write`, too.
    #[serde(default)]
    invite: bool,
    /// With `invite`: no mail is sent.
    #[serde(default)]
    skip_invitation: bool,
}

/// A membership from the start.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewMembership")]
pub(in crate::api) struct MembershipBody {
    /// The organization; a key of one organization need not name it.
    #[serde(default)]
    organization: Option<String>,
    /// Roles by id or exact name; none gives the default role.
    #[serde(default)]
    roles: Vec<String>,
    /// Workspaces by id; absent gives the default ones.
    #[serde(default)]
    workspaces: Option<Vec<String>>,
    /// Every workspace, later ones too.
    #[serde(default)]
    all_workspaces: bool,
    /// License pool.
    #[serde(default)]
    license: Option<String>,
}

/// People to be added.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewAccounts")]
pub(in crate::api) struct BatchBody {
    /// At most 200.
    pub(super) accounts: Vec<NewAccountBody>,
}

/// A step to be taken with several accounts.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AccountsStep")]
pub(in crate::api) struct BulkBody {
    /// Accounts by id, at most 200.
    pub(super) accounts: Vec<String>,
    /// What is to be done.
    pub(super) action: BulkAction,
}

/// A step.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::api) enum BulkAction {
    /// Out for a while.
    Suspend,
    /// Out until an admin says otherwise.
    Deactivate,
    /// Invited by mail, or invited again.
    Invite,
    /// In, though the person has not come yet.
    Activate,
    /// In again.
    Reactivate,
    /// Back from deletion.
    Restore,
    /// Gone, and kept from coming back through the identity provider.
    Delete,
    /// Gone, and free to come back as somebody new.
    DeleteAllowReturn,
    /// The federated identity is forgotten.
    ResetIdentity,
}

/// Fields to change: absent stays, null empties.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "AccountChange")]
#[expect(
    clippy::option_option,
    reason = "absent, null and value are three different things in a change"
)]
pub(in crate::api) struct PatchBody {
    /// `user` or `reader`.
    kind: Option<AccountKind>,
    /// Address.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    email: Option<Option<String>>,
    /// User name.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    user_name: Option<Option<String>>,
    /// Identifier given by a directory.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    external_id: Option<Option<String>>,
    /// Given name.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    given_name: Option<Option<String>>,
    /// Family name.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    family_name: Option<Option<String>>,
    /// Name to display.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    display_name: Option<Option<String>>,
    /// Whether the account opens the organization when its identity provider is down.
    emergency_admin: Option<bool>,
    /// Custom attributes, replaced as a whole.
    attributes: Option<Map<String, Value>>,
}

/// Keeps "set to nothing" apart from "not set".
#[expect(
    clippy::option_option,
    reason = "absent, null and value are three different things in a change"
)]
pub(in crate::api) fn given<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(from).map(Some)
}

/// How an account is deleted.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct DeleteQuery {
    /// Whether the person may come back through the identity provider as somebody new: `block` (default) or `allow`.
    #[serde(rename = "return")]
    pub(super) comes_back: Option<Return>,
}

/// Coming back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::api) enum Return {
    /// Kept out.
    Block,
    /// Free to come back.
    Allow,
}

/// Who is the same person.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TakeIdentity")]
pub(in crate::api) struct TakeBody {
    /// The other account by id; it is deleted.
    pub(super) from: String,
}

impl NewAccountBody {
    /// Takes the person out.
    pub(super) fn person(self) -> NewPerson {
        NewPerson {
            invite: self.invite.then(|| Letter::invitation(!self.skip_invitation)),
            email: self.email,
            kind: self.kind,
            connection: self.connection,
            user_name: self.user_name,
            external_id: self.external_id,
            given_name: self.given_name,
            family_name: self.family_name,
            display_name: self.display_name,
            emergency_admin: self.emergency_admin,
            attributes: self.attributes,
            memberships: self
                .memberships
                .into_iter()
                .map(|one| WantedMembership {
                    organization: one.organization,
                    roles: one.roles,
                    workspaces: one.workspaces,
                    all_workspaces: one.all_workspaces,
                    license: one.license,
                })
                .collect(),
        }
    }
}

impl PatchBody {
    /// Takes the fields out.
    pub(super) fn patch(self) -> Result<ProfilePatch> {
        let email = match self.email {
            None => None,
            Some(None) => Some(None),
            Some(Some(text)) => Some(Some(Email::parse(&text).map_err(|_| {
                AppError::unprocessable("invalid_account", "The address cannot be used.").with_faults(vec![
                    Fault {
                        path: "email".to_owned(),
                        position: None,
                        message: "This is no e-mail address.".to_owned(),
                        suggestion: None,
                    },
                ])
            })?)),
        };
        Ok(ProfilePatch {
            kind: self.kind,
            email,
            user_name: self.user_name,
            external_id: self.external_id,
            given_name: self.given_name,
            family_name: self.family_name,
            display_name: self.display_name,
            emergency_admin: self.emergency_admin,
            attributes: self.attributes,
            ..ProfilePatch::default()
        })
    }
}

impl BulkAction {
    /// Says it in the words of the flow; none for an invitation, which is more than a step.
    pub(super) const fn step(self) -> Option<Step> {
        Some(match self {
            Self::Invite => return None,
            Self::Suspend => Step::Suspend,
            Self::Deactivate => Step::Deactivate,
            Self::Activate => Step::Activate,
            Self::Reactivate => Step::Reactivate,
            Self::Restore => Step::Restore,
            Self::Delete => Step::Delete { allow_return: false },
            Self::DeleteAllowReturn => Step::Delete { allow_return: true },
            Self::ResetIdentity => Step::ResetIdentity,
        })
    }
}
