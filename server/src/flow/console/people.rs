//! The people of an organization, as the console lists and shows them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use provost_kernel::connection::Connection;
use provost_kernel::directory::{Account, Authentication};
use provost_kernel::facts::AccountFacts;
use provost_kernel::id::{AccountId, ConnectionId, OrganizationId, SessionId};
use provost_kernel::provision::Action;
use provost_store::{
    AuditRow, GroupRef, MailFilter, MailRecord, PeopleFilter, Reader, ScimRequest, ScimRequestFilter,
    SessionRecord, StoreError, TraceFilter, TraceRecord,
};

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::acting::{self, Refusal, Wish};
use crate::flow::api_keys::Caller;
use crate::flow::console::activity::actor_of;
use crate::flow::traces;

/// People of one page.
pub const PAGE: u32 = 50;
/// Most people of one bulk action.
pub const BULK: usize = 200;
/// Entries of a person's lists.
const RECENT: u32 = 20;

/// A page of people.
pub struct People {
    /// The people, newest account first.
    pub rows: Vec<AccountFacts>,
    /// When each of them last signed in.
    pub last_sign_ins: BTreeMap<AccountId, Timestamp>,
    /// Names of the connections through which they sign in.
    pub connections: BTreeMap<ConnectionId, String>,
    /// How many members the organization has.
    pub total: u64,
    /// Whether more follow.
    pub has_more: bool,
}

/// Lists people.
///
/// # Errors
/// Those of the store.
pub async fn list(app: &App, filter: PeopleFilter) -> Result<People> {
    let found = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let mut rows = reader.people(&filter, PAGE + 1).await?;
                let has_more = rows.len() > PAGE as usize;
                rows.truncate(PAGE as usize);
                let ids: Vec<AccountId> = rows.iter().map(|row| row.account.id.clone()).collect();
                let wanted: BTreeSet<ConnectionId> = rows
                    .iter()
                    .filter_map(|row| bound_to(&row.account).cloned())
                    .collect();
                let mut connections = BTreeMap::new();
                for id in wanted {
                    if let Some(record) = reader.connection(&id).await? {
                        connections.insert(id, record.connection.name);
                    }
                }
                Ok::<_, StoreError>(People {
                    last_sign_ins: reader.last_sign_ins(&ids).await?,
                    total: reader.count_people(&filter.organization).await?,
                    rows,
                    connections,
                    has_more,
                })
            })
        })
        .await?;
    Ok(found)
}

/// Lists the connections through which people may come into an organization: its own, and those shared with it.
///
/// # Errors
/// Those of the store.
pub async fn connections(app: &App, organization: &OrganizationId) -> Result<Vec<Connection>> {
    let organization = organization.clone();
    let found = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let mut found = Vec::new();
                for summary in reader.connections_for_organization(&organization).await? {
                    if let Some(record) = reader.connection(&summary.id).await? {
                        found.push(record.connection);
                    }
                }
                Ok::<_, StoreError>(found)
            })
        })
        .await?;
    Ok(found)
}

/// Everything about one person that an organization's admin may see.
pub struct Person {
    /// The account; memberships elsewhere are left out.
    pub facts: AccountFacts,
    /// Whether there are memberships elsewhere.
    pub belongs_elsewhere: bool,
    /// The connection through which the account signs in.
    pub connection: Option<Connection>,
    /// Other accounts with the same address in this organization.
    pub twins: Vec<Account>,
    /// Groups that a directory pushed.
    pub groups: Vec<GroupRef>,
    /// Live sessions; none of somebody who belongs elsewhere too.
    pub sessions: Vec<SessionRecord>,
    /// What happened, newest first.
    pub audit: Vec<AuditRow>,
    /// Attempts with their explanations, newest first.
    pub traces: Vec<TraceRecord>,
    /// The members who made the changes in the audit log.
    pub actors: BTreeMap<AccountId, Account>,
    /// Requests of the organization's own directory about this account, newest first.
    pub requests: Vec<ScimRequest>,
    /// Mails of the organization to this person, newest first.
    pub mails: Vec<MailRecord>,
    /// The last sign-in.
    pub last_sign_in: Option<Timestamp>,
}

/// Finds a member.
///
/// # Errors
/// 404 for whoever is no member; those of the store.
pub async fn find(
    app: &App,
    caller: &Caller,
    organization: &OrganizationId,
    account: &str,
) -> Result<Person> {
    let (id, own, now) = (AccountId::new(account), organization.clone(), app.world.now());
    let found = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let found = reader.account_facts(std::slice::from_ref(&id)).await?;
                let Some(mut facts) = found.into_iter().next() else {
                    return Ok(None);
                };
                let count = facts.memberships.len();
                facts.memberships.retain(|held| held.organization == own);
                if facts.memberships.is_empty() {
                    return Ok(None);
                }
                let belongs_elsewhere = count > facts.memberships.len();
                let connection = match bound_to(&facts.account) {
                    Some(id) => reader.connection(id).await?.map(|record| record.connection),
                    None => None,
                };
                let mut twins = Vec::new();
                if let Some(email) = &facts.account.email {
                    for twin in reader.accounts_by_email(email).await? {
                        let memberships = reader.memberships(&twin.id).await?;
                        if twin.id != id && memberships.iter().any(|held| held.organization == own) {
                            twins.push(twin);
                        }
                    }
                }
                let mut sessions = reader.sessions_of_account(&id, now).await?;
                sessions.retain(|session| session.is_live(now) && !belongs_elsewhere);
                // Of somebody who belongs elsewhere too, only what came through this organization's own connections.
                let filter = TraceFilter {
                    account: Some(id.clone()),
                    organization: belongs_elsewhere.then(|| own.clone()),
                    ..TraceFilter::default()
                };
                let owned = connection.as_ref().filter(|one| one.owner() == Some(&own));
                let requests = requests(reader, owned, &id).await?;
                let audit = reader.audit_about(&own, &id, RECENT).await?;
                let actors: BTreeSet<AccountId> = audit.iter().filter_map(actor_of).collect();
                let actors: Vec<AccountId> = actors.into_iter().collect();
                let actors = reader.account_facts(&actors).await?.into_iter();
                let is_ours =
                    |known: &AccountFacts| known.memberships.iter().any(|held| held.organization == own);
                let actors = actors
                    .filter(is_ours)
                    .map(|known| (known.account.id.clone(), known.account));
                let actors: BTreeMap<AccountId, Account> = actors.collect();
                let mails = MailFilter {
                    organization: Some(own.clone()),
                    account: Some(id.clone()),
                    ..MailFilter::default()
                };
                Ok::<_, StoreError>(Some(Person {
                    requests,
                    mails: reader.mails(&mails, None, RECENT).await?,
                    groups: reader
                        .groups_of(std::slice::from_ref(&id))
                        .await?
                        .remove(&id)
                        .unwrap_or_default(),
                    audit,
                    actors,
                    traces: reader.traces(&filter, RECENT).await?,
                    last_sign_in: reader.last_sign_ins(std::slice::from_ref(&id)).await?.remove(&id),
                    facts,
                    belongs_elsewhere,
                    connection,
                    twins,
                    sessions,
                }))
            })
        })
        .await?;
    let mut person = found.ok_or_else(AppError::not_found)?;
    for record in &mut person.traces {
        traces::cut(record, caller);
    }
    Ok(person)
}

/// Finds what a connection's directory asked about an account.
async fn requests(
    reader: &mut Reader,
    connection: Option<&Connection>,
    account: &AccountId,
) -> std::result::Result<Vec<ScimRequest>, StoreError> {
    let Some(connection) = connection else {
        return Ok(Vec::new());
    };
    let filter = ScimRequestFilter {
        connection: Some(connection.id.to_string()),
        target: Some(account.to_string()),
        ..ScimRequestFilter::default()
    };
    reader.scim_requests(&filter, RECENT).await
}

/// What became of one person of a bulk action.
pub struct Row {
    /// Whom.
    pub account: AccountId,
    /// Her name, if the person may be seen.
    pub known: Option<Account>,
    /// Changed or not, or why not.
    pub outcome: std::result::Result<bool, Refusal>,
}

/// Does the same to several people, one decision each: one refusal stops nobody else.
///
/// # Errors
/// Those of the store.
pub async fn bulk(
    app: &App,
    caller: &Caller,
    organization: &OrganizationId,
    accounts: Vec<AccountId>,
    action: impl Fn(AccountId) -> Action,
) -> Result<Vec<Row>> {
    let known = members_among(app, organization, accounts).await?;
    let mut rows = Vec::with_capacity(known.len());
    for account in known {
        let wish = Wish::new(caller.actor(), action(account.id.clone()));
        let outcome = acting::attempt(app, wish).await?.map(|acted| acted.is_change());
        rows.push(Row {
            account: account.id.clone(),
            known: Some(account),
            outcome,
        });
    }
    Ok(rows)
}

/// Returns those of some accounts that are members of an organization.
///
/// # Errors
/// Those of the store.
pub async fn members_among(
    app: &App,
    organization: &OrganizationId,
    accounts: Vec<AccountId>,
) -> Result<Vec<Account>> {
    let found = app
        .store
        .read(|reader| Box::pin(async move { reader.account_facts(&accounts).await }))
        .await?;
    Ok(found
        .into_iter()
        .filter(|facts| {
            facts
                .memberships
                .iter()
                .any(|held| held.organization == *organization)
        })
        .map(|facts| facts.account)
        .collect())
}

/// Ends one session of a member, or all of them. Tells how many ended.
///
/// # Errors
/// Those of the store.
pub async fn end_sessions(app: &App, account: &AccountId, session: Option<SessionId>) -> Result<u64> {
    let (account, now) = (account.clone(), app.world.now());
    let ended = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                let Some(id) = session else {
                    let ended = tx
                        .revoke_sessions_of_account(&account, "ended_by_admin", now)
                        .await?;
                    return Ok(ended.len() as u64);
                };
                match tx.session(&id).await? {
                    Some(found) if found.account == account => {
                        Ok::<_, StoreError>(u64::from(tx.revoke_session(&id, "ended_by_admin", now).await?))
                    }
                    Some(_) | None => Ok(0),
                }
            })
        })
        .await?;
    app.ring_jobs();
    Ok(ended)
}

/// Returns the connection of an SSO account.
pub const fn bound_to(account: &Account) -> Option<&ConnectionId> {
    match &account.authentication {
        Authentication::Standard => None,
        Authentication::Sso { connection } => Some(connection),
    }
}
