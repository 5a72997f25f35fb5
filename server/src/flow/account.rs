//! "My account": what a person may see of herself, and ending her own sessions.

use std::collections::BTreeMap;

use jiff::Timestamp;
use provost_kernel::directory::{Account, AccountKind, Authentication, Membership};
use provost_kernel::id::{OrganizationId, SessionId};
use provost_store::{Reader, SessionRecord, StoreError};

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::session::ActiveSession;
use crate::pages::account::{AccountPage, MembershipRow, SessionRow};

/// Collects the page of the person who is signed in.
///
/// # Errors
/// Those of the store.
pub async fn page(app: &App, active: &ActiveSession, notice: Option<String>) -> Result<AccountPage> {
    let now = app.world.now();
    let account = active.account.clone();
    let proved_by = active.session.connection.clone();
    let (organizations, sessions, connection) = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let sessions = reader.sessions_of_account(&account.id, now).await?;
                let connection = connection_name(reader, &account).await?;
                let memberships = reader.memberships(&account.id).await?;
                // One customer's provider could sign in as any of its people: what other customers gave them is not its
                // business, as with what apps are told.
                let reach = match &proved_by {
                    Some(id) => reader.connection(id).await?.map(|record| record.connection),
                    None => None,
                };
                let is_seen = |membership: &Membership| match (&proved_by, &reach) {
                    (None, _) => true,
                    (Some(_), Some(connection)) => connection.reaches(&membership.organization),
                    (Some(_), None) => false,
                };
                let mut rows = Vec::with_capacity(memberships.len());
                for membership in memberships.into_iter().filter(is_seen) {
                    rows.push(membership_row(reader, &membership).await?);
                }
                Ok::<_, StoreError>((rows, sessions, connection))
            })
        })
        .await?;
    let mut sessions: Vec<SessionRow> = sessions
        .iter()
        .filter(|session| session.is_live(now))
        .map(|session| session_row(session, &active.session.id))
        .collect();
    sessions.sort_by_key(|row| !row.current);
    Ok(AccountPage {
        form_token: active.form_token.clone(),
        name: name_of(&active.account),
        email: active.account.email.as_ref().map(ToString::to_string),
        connection,
        kind: kind_of(&active.account).to_owned(),
        notice,
        organizations,
        sessions,
    })
}

/// Ends one of the person's own sessions. Tells whether it was the one that asks.
///
/// # Errors
/// 404 for a session that is not hers; those of the store.
pub async fn end_session(app: &App, active: &ActiveSession, session: &str) -> Result<bool> {
    let now = app.world.now();
    let (id, owner) = (SessionId::new(session), active.account.id.clone());
    let is_current = id == active.session.id;
    app.store
        .write(move |tx| {
            Box::pin(async move {
                let found = tx.session(&id).await?;
                if found.is_none_or(|found| found.account != owner) {
                    return Err(AppError::not_found());
                }
                tx.revoke_session(&id, "ended_by_person", now).await?;
                Ok(())
            })
        })
        .await?;
    app.ring_jobs();
    Ok(is_current)
}

/// Says what kind of account it is.
pub(super) const fn kind_of(account: &Account) -> &'static str {
    match account.kind {
        AccountKind::User => "User",
        AccountKind::Reader => "Reader",
    }
}

/// Returns the name by which a person knows her account.
pub(super) fn name_of(account: &Account) -> String {
    let parts: Vec<&str> = [account.given_name.as_deref(), account.family_name.as_deref()]
        .into_iter()
        .flatten()
        .collect();
    account
        .display_name
        .clone()
        .or_else(|| (!parts.is_empty()).then(|| parts.join(" ")))
        .or_else(|| account.email.as_ref().map(ToString::to_string))
        .unwrap_or_else(|| "My account".to_owned())
}

async fn connection_name(reader: &mut Reader, account: &Account) -> Result<Option<String>, StoreError> {
    match &account.authentication {
        Authentication::Standard => Ok(None),
        Authentication::Sso { connection } => {
            let record = reader.connection(connection).await?;
            Ok(Some(record.map_or_else(
                || connection.to_string(),
                |record| record.connection.name,
            )))
        }
    }
}

async fn membership_row(reader: &mut Reader, membership: &Membership) -> Result<MembershipRow, StoreError> {
    let id: &OrganizationId = &membership.organization;
    let name = reader
        .organization(id)
        .await?
        .map_or_else(|| id.to_string(), |record| record.organization.name);
    let roles: BTreeMap<_, _> = reader
        .roles(id)
        .await?
        .into_iter()
        .map(|role| (role.id, role.name))
        .collect();
    let workspaces: BTreeMap<_, _> = reader
        .workspaces(id)
        .await?
        .into_iter()
        .map(|one| (one.id, one.name))
        .collect();
    let role_names = membership
        .roles
        .iter()
        .map(|grant| named(&roles, &grant.id))
        .collect();
    let workspace_names: Vec<String> = membership
        .workspaces
        .iter()
        .map(|grant| named(&workspaces, &grant.id))
        .collect();
    Ok(MembershipRow {
        name,
        active: membership.active,
        workspaces: if membership.all_workspaces.is_some() {
            "All workspaces".to_owned()
        } else if workspace_names.is_empty() {
            "No workspace".to_owned()
        } else {
            workspace_names.join(", ")
        },
        license: membership
            .license
            .as_ref()
            .filter(|grant| grant.seated)
            .map(|grant| grant.license.to_string()),
        roles: role_names,
    })
}

fn named<K: Ord + std::fmt::Display>(names: &BTreeMap<K, String>, id: &K) -> String {
    names.get(id).cloned().unwrap_or_else(|| id.to_string())
}

fn session_row(session: &SessionRecord, current: &SessionId) -> SessionRow {
    SessionRow {
        id: session.id.to_string(),
        current: session.id == *current,
        since: session.created_at.to_string(),
        since_text: for_people(session.created_at),
        last_seen: session.last_seen_at.to_string(),
        last_seen_text: for_people(session.last_seen_at),
        ends: session.ends_at.to_string(),
        ends_text: for_people(session.ends_at),
    }
}

fn for_people(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}
