//! Events: the one list from which the store writes audit rows and outbox rows.
//! Never decides anything: every event is read off a decision. Never holds secrets.
//!
//! | code | when | `data` |
//! |---|---|---|
//! | `user.created` | an account comes into being | `after`: the account |
//! | `user.updated` | profile fields change | `before`, `after`: the fields |
//! | `user.activated` | first sign-in, reactivation | `from`, `to`, `origin` |
//! | `user.suspended`, `user.deactivated`, `user.deleted`, `user.restored` | other lifecycle changes | `from`, `to`, `origin` |
//! | `user.authentication_changed` | a standard account becomes an SSO account or the reverse | `before`, `after` |
//! | `user.linked`, `user.unlinked` | a federated identity is kept or forgotten | `connection`, `subject` |
//! | `membership.created` | an account joins an organization | `after`: the membership |
//! | `membership.updated` | grants change | `edits` |
//! | `membership.removed` | an account leaves an organization | `before`: the membership |
//! | `session.created` | a sign-in succeeds | `session`, `connection`, `methods` |
//! | `session.revoked` | all sessions of an account end; or one, by its person or provider (the store adds that) | `reason`; `session` if one |
//! | `group.created` | a directory makes a group | `group`, `name`, `external_id` |
//! | `group.updated` | it is renamed or described anew | `group`, `before`, `after` |
//! | `group.deleted` | it is deleted | `group`, `name`, `external_id` |
//! | `group.members_added`, `group.members_removed` | people join or leave it, or a local group | `group`, `accounts` (at most 100), `count` |
//!
//! Groups that an organization keeps by hand have the same kinds, with the organization (the server adds the first three).
//!
//! | code | when | `data` |
//! |---|---|---|
//! | `sign_in.refused` | a sign-in is refused | `code` |
//! | `request.refused` | a provisioning request is refused | `code` |
//! | `alert.raised` | something wants an admin's eye | `code`, `text` |
//!
//! Events stand in the order of the plan, so the feed of one account tells its story in order.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::directory::{Group, Origin, Status};
use crate::id::{AccountId, ConnectionId, GroupId, OrganizationId, TraceId};
use crate::plan::{Change, Decision, GroupPatch, MembershipEdit, OpenSession, ProfilePatch, Verdict};
use crate::provision::Actor;

/// Most members that an event names; the count says how many there are.
const MEMBERS_LISTED: usize = 100;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Stable kind.
    pub kind: EventKind,
    /// About whom; none for a refused stranger.
    pub account: Option<AccountId>,
    /// In which organization, if in one.
    pub organization: Option<OrganizationId>,
    /// Through which connection it was decided, if through one.
    pub connection: Option<ConnectionId>,
    /// Who acted ([`Actor::label`]).
    pub actor: String,
    /// Particulars, per kind as the module's table says.
    pub data: Value,
    /// The trace that explains it.
    pub trace: TraceId,
    /// When it was decided.
    pub at: Timestamp,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $code:literal),+ $(,)?) => {
        /// Kinds of events; see the module's table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum EventKind {$(
            $(#[$doc])*
            #[serde(rename = $code)]
            $name,
        )+}

        impl EventKind {
            /// Every kind, for documentation and webhook filters.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Returns the stable code.
            pub const fn code(self) -> &'static str {
                match self {$(Self::$name => $code,)+}
            }
        }
    };
}

kinds! {
    /// An account came into being.
    UserCreated = "user.created",
    /// Profile fields changed.
    UserUpdated = "user.updated",
    /// The account became active.
    UserActivated = "user.activated",
    /// The account was suspended.
    UserSuspended = "user.suspended",
    /// The account was deactivated.
    UserDeactivated = "user.deactivated",
    /// The account was deleted.
    UserDeleted = "user.deleted",
    /// A deleted account was restored.
    UserRestored = "user.restored",
    /// The account signs in another way now.
    UserAuthenticationChanged = "user.authentication_changed",
    /// A federated identity is kept.
    UserLinked = "user.linked",
    /// A federated identity is forgotten.
    UserUnlinked = "user.unlinked",
    /// An account joined an organization.
    MembershipCreated = "membership.created",
    /// Grants changed.
    MembershipUpdated = "membership.updated",
    /// An account left an organization.
    MembershipRemoved = "membership.removed",
    /// A session was opened.
    SessionCreated = "session.created",
    /// Sessions were ended.
    SessionRevoked = "session.revoked",
    /// A directory made a group.
    GroupCreated = "group.created",
    /// A group was renamed or described anew.
    GroupUpdated = "group.updated",
    /// A group was deleted.
    GroupDeleted = "group.deleted",
    /// People joined a group.
    GroupMembersAdded = "group.members_added",
    /// People left a group.
    GroupMembersRemoved = "group.members_removed",
    /// A sign-in was refused.
    SignInRefused = "sign_in.refused",
    /// A provisioning request was refused.
    RequestRefused = "request.refused",
    /// Something wants an admin's eye.
    AlertRaised = "alert.raised",
}

/// Lists what happened, in order: changes, then the session, then a refusal.
/// A decision that changes nothing and admits gives no event but the session's.
pub fn events(decision: &Decision, actor: &Actor, now: Timestamp) -> Vec<Event> {
    let event = |kind, account: Option<&AccountId>, organization: Option<&OrganizationId>, data| Event {
        kind,
        account: account.cloned(),
        organization: organization.cloned(),
        connection: decision.trace.connection.clone(),
        actor: actor.label(),
        data,
        trace: decision.trace.id.clone(),
        at: now,
    };
    let mut events: Vec<Event> = decision
        .plan
        .changes
        .iter()
        .flat_map(|change| {
            let mut told = Vec::new();
            if let Some((kind, data)) = describe_group(change) {
                told.push(event(kind, None, None, data));
            } else if let Some((kind, account, organization, data)) = describe(change) {
                told.push(event(kind, Some(account), organization, data));
            }
            for (kind, account, organization, data) in describe_local_groups(change) {
                told.push(event(kind, Some(account), Some(organization), data));
            }
            told
        })
        .collect();
    if let Some(session) = &decision.plan.session {
        events.push(event(
            EventKind::SessionCreated,
            Some(&session.account),
            None,
            describe_session(session),
        ));
    }
    if let Verdict::Refused(denial) = &decision.verdict {
        let kind = if decision.trace.kind == crate::trace::PROVISION {
            EventKind::RequestRefused
        } else {
            EventKind::SignInRefused
        };
        events.push(event(
            kind,
            decision.trace.account.as_ref(),
            None,
            json!({ "code": denial.code() }),
        ));
    }
    events
}

/// Describes a change about an account.
fn describe(change: &Change) -> Option<(EventKind, &AccountId, Option<&OrganizationId>, Value)> {
    Some(match change {
        Change::CreateAccount { account, .. } => (
            EventKind::UserCreated,
            &account.id,
            None,
            json!({ "after": account }),
        ),
        Change::UpdateProfile {
            account, set, before, ..
        } => (
            EventKind::UserUpdated,
            account,
            None,
            json!({ "before": shown(before, set), "after": shown(set, before) }),
        ),
        Change::SetStatus {
            account,
            from,
            to,
            origin,
            ..
        } => (
            status_kind(*from, *to),
            account,
            None,
            describe_status(*from, *to, *origin),
        ),
        Change::SetAuthentication {
            account, from, to, ..
        } => (
            EventKind::UserAuthenticationChanged,
            account,
            None,
            json!({ "before": from, "after": to }),
        ),
        Change::Link { account, link } => (EventKind::UserLinked, account, None, json!(link)),
        Change::Unlink { account, link } => (EventKind::UserUnlinked, account, None, json!(link)),
        Change::AddMembership { .. } | Change::UpdateMembership { .. } | Change::RemoveMembership { .. } => {
            return describe_membership(change);
        }
        Change::RevokeSessions { account, reason } => (
            EventKind::SessionRevoked,
            account,
            None,
            json!({ "reason": reason }),
        ),
        Change::Alert { account, code, text } => (
            EventKind::AlertRaised,
            account,
            None,
            json!({ "code": code, "text": text }),
        ),
        Change::CreateGroup { .. }
        | Change::UpdateGroup { .. }
        | Change::DeleteGroup { .. }
        | Change::AddGroupMembers { .. }
        | Change::RemoveGroupMembers { .. }
        | Change::QueueReevaluation { .. } => return None,
    })
}

/// Describes a change of a membership.
fn describe_membership(change: &Change) -> Option<(EventKind, &AccountId, Option<&OrganizationId>, Value)> {
    Some(match change {
        Change::AddMembership { account, membership } => (
            EventKind::MembershipCreated,
            account,
            Some(&membership.organization),
            json!({ "after": membership }),
        ),
        Change::UpdateMembership {
            account,
            organization,
            edits,
            ..
        } => (
            EventKind::MembershipUpdated,
            account,
            Some(organization),
            json!({ "edits": edits }),
        ),
        Change::RemoveMembership {
            account,
            organization,
            before,
            ..
        } => (
            EventKind::MembershipRemoved,
            account,
            Some(organization),
            json!({ "before": before }),
        ),
        Change::CreateAccount { .. }
        | Change::UpdateProfile { .. }
        | Change::SetStatus { .. }
        | Change::SetAuthentication { .. }
        | Change::Link { .. }
        | Change::Unlink { .. }
        | Change::RevokeSessions { .. }
        | Change::Alert { .. }
        | Change::CreateGroup { .. }
        | Change::UpdateGroup { .. }
        | Change::DeleteGroup { .. }
        | Change::AddGroupMembers { .. }
        | Change::RemoveGroupMembers { .. }
        | Change::QueueReevaluation { .. } => return None,
    })
}

/// Describes who joins and leaves local groups by a change of a membership.
fn describe_local_groups(change: &Change) -> Vec<(EventKind, &AccountId, &OrganizationId, Value)> {
    let Change::UpdateMembership {
        account,
        organization,
        edits,
        ..
    } = change
    else {
        return Vec::new();
    };
    let told = |kind, group: &GroupId| {
        let data = json!({ "group": group, "accounts": [account], "count": 1 });
        Some((kind, account, organization, data))
    };
    let one = |edit: &MembershipEdit| {
        if let MembershipEdit::JoinGroup { group, .. } = edit {
            return told(EventKind::GroupMembersAdded, &group.id);
        }
        if let MembershipEdit::LeaveGroup { group, .. } = edit {
            return told(EventKind::GroupMembersRemoved, group);
        }
        None
    };
    edits.iter().filter_map(one).collect()
}

/// Describes a change about a group.
fn describe_group(change: &Change) -> Option<(EventKind, Value)> {
    let named =
        |group: &Group| json!({ "group": group.id, "name": group.name, "external_id": group.external_id });
    let members = |group: &GroupId, accounts: &[AccountId]| {
        let listed: Vec<&AccountId> = accounts.iter().take(MEMBERS_LISTED).collect();
        json!({ "group": group, "accounts": listed, "count": accounts.len() })
    };
    Some(match change {
        Change::CreateGroup { group } => (EventKind::GroupCreated, named(group)),
        Change::DeleteGroup { before, .. } => (EventKind::GroupDeleted, named(before)),
        Change::UpdateGroup {
            group, set, before, ..
        } => {
            // An empty patch only checks a version: nothing happened.
            if *set == GroupPatch::default() {
                return None;
            }
            let data = json!({ "group": group, "before": before, "after": set });
            (EventKind::GroupUpdated, data)
        }
        Change::AddGroupMembers { group, accounts } => {
            (EventKind::GroupMembersAdded, members(group, accounts))
        }
        Change::RemoveGroupMembers { group, accounts } => {
            (EventKind::GroupMembersRemoved, members(group, accounts))
        }
        Change::CreateAccount { .. }
        | Change::UpdateProfile { .. }
        | Change::SetStatus { .. }
        | Change::SetAuthentication { .. }
        | Change::Link { .. }
        | Change::Unlink { .. }
        | Change::AddMembership { .. }
        | Change::UpdateMembership { .. }
        | Change::RemoveMembership { .. }
        | Change::RevokeSessions { .. }
        | Change::Alert { .. }
        | Change::QueueReevaluation { .. } => return None,
    })
}

/// Shows a patch; of a directory profile, only the attributes that the other side does not have alike.
fn shown(patch: &ProfilePatch, other: &ProfilePatch) -> Value {
    let mut patch = patch.clone();
    if let Some(Some(profile)) = &mut patch.profile {
        let other = other.profile.iter().flatten().next();
        profile
            .document
            .retain(|name, value| other.and_then(|other| other.document.get(name)) != Some(value));
    }
    json!(patch)
}

const fn status_kind(from: Status, to: Status) -> EventKind {
    match (from, to) {
        (Status::Deleted, Status::Active | Status::Deactivated | Status::Suspended | Status::Invited) => {
            EventKind::UserRestored
        }
        (Status::Invited | Status::Active | Status::Suspended | Status::Deactivated, Status::Active) => {
            EventKind::UserActivated
        }
        (_, Status::Suspended) => EventKind::UserSuspended,
        (_, Status::Deactivated) => EventKind::UserDeactivated,
        (_, Status::Deleted) => EventKind::UserDeleted,
        // No transition leads back to Invited; named for completeness.
        (_, Status::Invited) => EventKind::UserUpdated,
    }
}

fn describe_status(from: Status, to: Status, origin: Origin) -> Value {
    json!({ "from": from, "to": to, "origin": origin })
}

/// Names the session without anything that would open it: the digest stays out.
fn describe_session(session: &OpenSession) -> Value {
    let mut data = Map::new();
    data.insert("session".to_owned(), json!(session.id));
    data.insert("connection".to_owned(), json!(session.connection));
    data.insert("methods".to_owned(), json!(session.methods));
    Value::Object(data)
}
