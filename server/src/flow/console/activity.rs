//! What happened in an organization, from four logs in one order: attempts with their explanations, requests of
//! directories, the audit log, and what webhooks were told.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use provost_kernel::directory::Account;
use provost_kernel::id::{AccountId, ConnectionId, OrganizationId, TraceId};
use provost_store::{
    AuditFilter, AuditOrder, AuditRow, Delivery, DeliveryFilter, DeliveryState, Reader, ScimRequest,
    ScimRequestFilter, StoreError, TraceFilter, TraceRecord,
};

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::api_keys::Caller;
use crate::flow::traces;

/// Entries of one page.
pub const PAGE: usize = 50;
/// Most connections of an organization whose directories are looked at.
const CONNECTIONS: u32 = 100;

/// Which of the logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Which {
    /// All of them.
    #[default]
    All,
    /// Attempts to sign in, and what directories' pushes decided.
    Attempts,
    /// Requests of directories.
    Scim,
    /// The audit log.
    Changes,
    /// What webhooks were told.
    Events,
}

/// What is wanted; all conditions hold.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Which of the logs.
    pub which: Which,
    /// Through this connection.
    pub connection: Option<ConnectionId>,
    /// About this account.
    pub account: Option<AccountId>,
    /// Only what was refused or failed.
    pub refused: bool,
    /// Only attempts that were refused for this reason, as code of the denial.
    pub why: Option<String>,
    /// At this time or later.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
    /// Where the page before ended.
    pub cursor: Cursor,
}

/// Where a page ended, in each of the logs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// Position in the audit log.
    pub audit: Option<i64>,
    /// Last attempt.
    pub trace: Option<(Timestamp, TraceId)>,
    /// Last request of a directory.
    pub scim: Option<(Timestamp, String)>,
    /// Last delivery to a webhook.
    pub event: Option<(Timestamp, String)>,
}

impl Cursor {
    /// Writes the cursor for an address.
    pub fn write(&self) -> String {
        let audit = self.audit.map(|at| at.to_string()).unwrap_or_default();
        let keyed = |at: Option<Timestamp>, id: &str| {
            at.map_or_else(String::new, |at| format!("{}.{id}", at.as_millisecond()))
        };
        let trace = self
            .trace
            .as_ref()
            .map_or_else(String::new, |(at, id)| keyed(Some(*at), id.as_str()));
        let scim = self
            .scim
            .as_ref()
            .map_or_else(String::new, |(at, id)| keyed(Some(*at), id));
        let event = self
            .event
            .as_ref()
            .map_or_else(String::new, |(at, id)| keyed(Some(*at), id));
        format!("{audit}~{trace}~{scim}~{event}")
    }

    /// Reads a cursor; what cannot be read begins anew.
    pub fn read(text: &str) -> Self {
        let mut parts = text.split('~');
        let audit = parts.next().and_then(|part| part.parse().ok());
        let keyed = |part: Option<&str>| {
            let (at, id) = part?.split_once('.')?;
            let is_id = id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_graphic());
            let at = Timestamp::from_millisecond(at.parse().ok()?).ok()?;
            is_id.then(|| (at, id.to_owned()))
        };
        let trace = keyed(parts.next()).map(|(at, id)| (at, TraceId::new(id)));
        Self {
            audit,
            trace,
            scim: keyed(parts.next()),
            event: keyed(parts.next()),
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Item {
    /// An attempt, with its explanation.
    Attempt(Box<TraceRecord>),
    /// A request of a directory.
    Scim(Box<ScimRequest>),
    /// A row of the audit log.
    Change(Box<AuditRow>),
    /// An event that a webhook was told, or is to be told, with the address.
    Event(Box<(Delivery, String)>),
}

impl Item {
    /// Returns when it happened.
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Attempt(record) => record.trace.at,
            Self::Scim(request) => request.at,
            Self::Change(row) => row.event.at,
            Self::Event(told) => told.0.created_at,
        }
    }

    /// Returns whom it is about.
    pub fn account(&self) -> Option<AccountId> {
        match self {
            Self::Attempt(record) => record.trace.account.clone(),
            Self::Scim(request) => request
                .target
                .as_ref()
                .filter(|target| target.starts_with("acc_"))
                .map(AccountId::new),
            Self::Change(row) => row.event.account.clone(),
            Self::Event(told) => Some(&told.0.subject)
                .filter(|subject| !subject.is_empty())
                .map(AccountId::new),
        }
    }

    /// Returns the admin or operator who did it.
    pub fn actor(&self) -> Option<AccountId> {
        match self {
            Self::Attempt(_) | Self::Scim(_) | Self::Event(_) => None,
            Self::Change(row) => actor_of(row),
        }
    }
}

/// Returns the admin or operator who made a change, as the label of the actor says.
pub fn actor_of(row: &AuditRow) -> Option<AccountId> {
    let (kind, who) = row.event.actor.split_once(':')?;
    let who = who.split('@').next().filter(|who| !who.is_empty())?;
    matches!(kind, "admin" | "operator").then(|| AccountId::new(who))
}

/// A page of what happened.
pub struct Page {
    /// Newest first.
    pub items: Vec<Item>,
    /// Where the next page begins.
    pub next: Option<Cursor>,
    /// The people whom it is about and who did it, as far as they are members here.
    pub people: BTreeMap<AccountId, Account>,
}

/// Lists what happened in an organization, or with `None` in the instance itself.
///
/// # Errors
/// Those of the store.
pub async fn list(
    app: &App,
    caller: &Caller,
    organization: Option<&OrganizationId>,
    wanted: Wanted,
) -> Result<Page> {
    list_of(app, caller, organization, wanted, PAGE).await
}

/// Lists as [`list`] does, this many entries.
///
/// # Errors
/// Those of the store.
pub async fn list_of(
    app: &App,
    caller: &Caller,
    organization: Option<&OrganizationId>,
    wanted: Wanted,
    size: usize,
) -> Result<Page> {
    let organization = organization.cloned();
    let looked = wanted.clone();
    let limit = u32::try_from(size).unwrap_or(u32::MAX).saturating_add(1);
    let (mut items, people) = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let mut items = collect(reader, organization.as_ref(), &looked, limit).await?;
                items.sort_by_key(|item| std::cmp::Reverse(item.at()));
                let people = named(reader, organization.as_ref(), items.iter().take(size)).await?;
                Ok::<_, StoreError>((items, people))
            })
        })
        .await?;
    let has_more = items.len() > size;
    items.truncate(size);
    let next = has_more.then(|| after(&wanted.cursor, &items));
    for item in &mut items {
        if let Item::Attempt(record) = item {
            traces::cut(record, caller);
        }
    }
    Ok(Page { items, next, people })
}

/// Collects the newest entries of each log that is wanted.
async fn collect(
    reader: &mut Reader,
    organization: Option<&OrganizationId>,
    wanted: &Wanted,
    limit: u32,
) -> std::result::Result<Vec<Item>, StoreError> {
    let is_wanted = |one: Which| wanted.which == Which::All || wanted.which == one;
    let mut items = Vec::new();
    if is_wanted(Which::Attempts) {
        items.extend(attempts(reader, organization, wanted, limit).await?);
    }
    // Only attempts end with a reason of this kind.
    let others = wanted.why.is_none();
    if others && is_wanted(Which::Scim) {
        items.extend(requests(reader, organization, wanted, limit).await?);
    }
    if others && is_wanted(Which::Changes) && !wanted.refused {
        items.extend(changes(reader, organization, wanted, limit).await?);
    }
    // What webhooks are told went through no connection.
    if others && is_wanted(Which::Events) && wanted.connection.is_none() {
        items.extend(events(reader, organization, wanted, limit).await?);
    }
    Ok(items)
}

/// Finds the people whom entries name, as far as they are members here.
async fn named(
    reader: &mut Reader,
    organization: Option<&OrganizationId>,
    items: impl Iterator<Item = &Item>,
) -> std::result::Result<BTreeMap<AccountId, Account>, StoreError> {
    let ids: BTreeSet<AccountId> = items
        .flat_map(|item| [item.account(), item.actor()])
        .flatten()
        .collect();
    let ids: Vec<AccountId> = ids.into_iter().collect();
    Ok(reader
        .account_facts(&ids)
        .await?
        .into_iter()
        .filter(|facts| {
            organization.is_none_or(|own| facts.memberships.iter().any(|held| held.organization == *own))
        })
        .map(|facts| (facts.account.id.clone(), facts.account))
        .collect())
}

/// Goes on in each log after the last entry that was shown of it.
fn after(before: &Cursor, items: &[Item]) -> Cursor {
    let mut cursor = before.clone();
    for item in items {
        match item {
            Item::Attempt(record) => cursor.trace = Some((record.trace.at, record.trace.id.clone())),
            Item::Scim(request) => cursor.scim = Some((request.at, request.id.clone())),
            Item::Change(row) => cursor.audit = Some(row.sequence),
            Item::Event(told) => cursor.event = Some((told.0.created_at, told.0.id.clone())),
        }
    }
    cursor
}

async fn attempts(
    reader: &mut Reader,
    organization: Option<&OrganizationId>,
    wanted: &Wanted,
    limit: u32,
) -> Result<Vec<Item>, StoreError> {
    let filter = TraceFilter {
        connection: wanted.connection.clone(),
        account: wanted.account.clone(),
        organization: organization.cloned(),
        refused: wanted.refused,
        verdict: wanted.why.clone(),
        since: wanted.since,
        until: wanted.until,
        before: wanted.cursor.trace.clone(),
    };
    let found = reader.traces(&filter, limit).await?;
    Ok(found
        .into_iter()
        .map(|record| Item::Attempt(Box::new(record)))
        .collect())
}

async fn requests(
    reader: &mut Reader,
    organization: Option<&OrganizationId>,
    wanted: &Wanted,
    limit: u32,
) -> Result<Vec<Item>, StoreError> {
    let own = match organization {
        Some(organization) => {
            reader
                .connections_owned_by(organization, None, CONNECTIONS)
                .await?
        }
        None => reader.connections(None, CONNECTIONS).await?,
    };
    let own = own
        .into_iter()
        .map(|record| record.connection.id)
        .filter(|id| wanted.connection.as_ref().is_none_or(|wanted| wanted == id));
    let mut items = Vec::new();
    for connection in own {
        let filter = ScimRequestFilter {
            connection: Some(connection.to_string()),
            outcomes: if wanted.refused {
                ["refused", "failed", "unauthenticated", "too_fast"]
                    .map(str::to_owned)
                    .to_vec()
            } else {
                Vec::new()
            },
            target: wanted.account.as_ref().map(ToString::to_string),
            since: wanted.since,
            until: wanted.until,
            before: wanted.cursor.scim.clone(),
            ..ScimRequestFilter::default()
        };
        let found = reader.scim_requests(&filter, limit).await?;
        items.extend(found.into_iter().map(|request| Item::Scim(Box::new(request))));
    }
    Ok(items)
}

async fn changes(
    reader: &mut Reader,
    organization: Option<&OrganizationId>,
    wanted: &Wanted,
    limit: u32,
) -> Result<Vec<Item>, StoreError> {
    let filter = AuditFilter {
        organization: organization.cloned(),
        account: wanted.account.clone(),
        connection: wanted.connection.clone(),
        without_attempts: true,
        since: wanted.since,
        until: wanted.until,
        ..AuditFilter::default()
    };
    let order = AuditOrder::Before(wanted.cursor.audit);
    let found = reader.audit_where(&filter, order, limit).await?;
    Ok(found.into_iter().map(|row| Item::Change(Box::new(row))).collect())
}

async fn events(
    reader: &mut Reader,
    organization: Option<&OrganizationId>,
    wanted: &Wanted,
    limit: u32,
) -> Result<Vec<Item>, StoreError> {
    let filter = DeliveryFilter {
        subject: wanted.account.as_ref().map(ToString::to_string),
        state: wanted.refused.then_some(DeliveryState::Failed),
        since: wanted.since,
        until: wanted.until,
        before: wanted.cursor.event.clone(),
    };
    let own = reader.webhooks(organization).await?;
    let mut items = Vec::new();
    for webhook in own
        .iter()
        .filter(|webhook| webhook.organization.as_ref() == organization)
    {
        let found = reader.deliveries_where(&webhook.id, &filter, limit).await?;
        items.extend(
            found
                .into_iter()
                .map(|told| Item::Event(Box::new((told, webhook.url.clone())))),
        );
    }
    Ok(items)
}

/// Finds the explanation of an attempt: one that came through a connection of the organization, or one about somebody who
/// is its member and nobody else's.
///
/// # Errors
/// 404; those of the store.
pub async fn explanation(
    app: &App,
    caller: &Caller,
    organization: &OrganizationId,
    reference: &str,
) -> Result<(TraceRecord, Option<Account>)> {
    let mut record = traces::by_reference(&app.store, reference)
        .await?
        .ok_or_else(AppError::not_found)?;
    let (connection, account) = (record.trace.connection.clone(), record.trace.account.clone());
    let own = organization.clone();
    let (is_ours, about) = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let is_ours = traces::is_of(reader, &own, connection, account.clone()).await?;
                let about = match account {
                    Some(id) => reader.account_facts(&[id]).await?.into_iter().next(),
                    None => None,
                };
                let is_member = |known: &provost_kernel::facts::AccountFacts| {
                    known.memberships.iter().any(|held| held.organization == own)
                };
                let about = about.filter(is_member).map(|known| known.account);
                Ok::<_, StoreError>((is_ours, about))
            })
        })
        .await?;
    if !is_ours {
        return Err(AppError::not_found());
    }
    traces::cut(&mut record, caller);
    Ok((record, about))
}

#[cfg(test)]
mod tests {
    use super::Cursor;
    use jiff::Timestamp;
    use provost_kernel::id::TraceId;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let at = Timestamp::from_millisecond(1_700_000_000_123).unwrap();
        let cursor = Cursor {
            audit: Some(12),
            trace: Some((at, TraceId::new("AAAA-BBBB-CCCC"))),
            scim: Some((at, "req_1".to_owned())),
            event: Some((at, "dlv_1".to_owned())),
        };
        assert_eq!(Cursor::read(&cursor.write()), cursor);
        assert_eq!(Cursor::read(&Cursor::default().write()), Cursor::default());
    }

    #[test]
    fn what_is_no_cursor_begins_anew() {
        for hostile in ["", "~", "x~y~z", "~99999999999999999999.a~", "~1.\n~", "~~~~~~"] {
            assert_eq!(Cursor::read(hostile), Cursor::default(), "{hostile:?}");
        }
    }
}
