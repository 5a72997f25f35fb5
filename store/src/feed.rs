//! The audit log and the event feed: both are written from one list of events, at the end of the transaction.
//!
//! The feed is one sequence without gaps, visible in commit order: a reader that follows it with a cursor never misses
//! an event. The row of `counters` that hands out the numbers is locked from the flush to the commit, so a number is
//! never handed out while a lower one is not yet committed. Events are flushed last, so the lock is held for one look and
//! one write.
//! The same lock guards the hash chains of the audit log, one chain for each organization. An event stands in the feed once,
//! and in the audit log in each chain that it concerns ([`crate::concerned`]).
//! Never updates or deletes a row.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use provost_kernel::id::{AccountId, ConnectionId, OrganizationId, TraceId};
use serde_json::Value;

use crate::concerned::{self, Circle};
use crate::digest;
use crate::engine::batch::Query;
use crate::error::{Result, StoreError};
use crate::tx::{Reader, Tx};
use crate::value::{Bind, Row, binds, json, list, parts};

/// Something that happened, to be written to the audit log and to the feed.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    /// When.
    pub at: Timestamp,
    /// Stable name, for example `user.created`.
    pub kind: String,
    /// Who did it, as a stable text, for example `scim:CONNECTION` or `account:ID`.
    pub actor: String,
    /// About whom.
    pub account: Option<AccountId>,
    /// In which organization; none for the instance.
    pub organization: Option<OrganizationId>,
    /// Through which connection.
    pub connection: Option<ConnectionId>,
    /// The trace that explains it.
    pub trace: Option<TraceId>,
    /// Details; never secrets.
    pub data: Value,
}

/// An event of the feed.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Position in the feed; the cursor.
    pub sequence: i64,
    /// Stable identifier, the same at each delivery.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// Stable name.
    pub kind: String,
    /// About whom.
    pub account: Option<AccountId>,
    /// In which organization.
    pub organization: Option<OrganizationId>,
    /// Through which connection.
    pub connection: Option<ConnectionId>,
    /// The trace that explains it.
    pub trace: Option<TraceId>,
    /// Details.
    pub data: Value,
}

/// A row of the audit log.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditRow {
    /// Position in the organization's chain, from 1 without gaps.
    pub sequence: i64,
    /// What happened.
    pub event: NewEvent,
    /// Hash of the row before, empty for the first.
    pub previous_hash: String,
    /// Hash over `previous_hash` and this row.
    pub hash: String,
}

/// Position and hash of the last row of each chain.
type Heads = BTreeMap<String, (i64, String)>;

impl Tx {
    /// Notes an event. It is written when the transaction ends, after those noted before it.
    pub fn record(&mut self, event: NewEvent) {
        self.pending.push(event);
    }

    /// Runs what is queued, then writes the noted events. In this order: rows of people are locked before the counter, by
    /// everybody, so nobody waits in a circle.
    pub(crate) async fn flush(&mut self) -> Result<()> {
        self.settle().await?;
        let events = std::mem::take(&mut self.pending);
        if events.is_empty() {
            return Ok(());
        }
        let (mut sequence, mut heads, circle) = self.lock_feed(&events).await?;
        let mut feed = Vec::with_capacity(events.len());
        let mut audit = Vec::with_capacity(events.len());
        for event in &events {
            sequence += 1;
            feed.push(feed_row(sequence, event, &json(&event.data)?));
            for row in circle.rows(event) {
                let data = json(&row.data)?;
                let head = heads.entry(chain(&row)).or_insert((0, String::new()));
                let hash = hash_of(&head.1, head.0 + 1, &row, &data);
                audit.push(audit_row(head.0 + 1, &row, data, &head.1, &hash));
                *head = (head.0 + 1, hash);
            }
        }
        let sql = "UPDATE counters SET value = $1 WHERE name = 'events'";
        self.later_exactly(1, sql, binds![sequence], StoreError::Corrupt("counters"));
        let into =
            "INSERT INTO events (sequence, id, at, kind, account, organization, connection, trace, data)";
        self.insert_later(into, feed, "");
        let into = "INSERT INTO audit (organization, sequence, at, kind, actor, account, connection, trace, data, \
                    previous_hash, hash)";
        self.insert_later(into, audit, "");
        let heads = heads
            .into_iter()
            .map(|(organization, (sequence, hash))| binds![organization, sequence, hash]);
        self.insert_later(
            "INSERT INTO audit_heads (organization, sequence, hash)",
            heads.collect(),
            " ON CONFLICT (organization) DO UPDATE SET sequence = excluded.sequence, hash = excluded.hash",
        );
        self.settle().await
    }

    /// Locks the feed until the end of the transaction and returns its position, the heads of the chains, and whom the events
    /// concern.
    async fn lock_feed(&mut self, events: &[NewEvent]) -> Result<(i64, Heads, Circle)> {
        let own = list(events.iter().map(chain).collect::<BTreeSet<_>>())?;
        let (accounts, connections) = concerned::mentioned(events)?;
        let [members, owners] = concerned::queries(&accounts, &connections);
        // The counter first: once it is ours, nobody else can be at the heads, whose newest version the lock returns.
        let heads = "SELECT organization, sequence, hash FROM audit_heads WHERE organization IN ({of}\
                     SELECT value FROM {rows:$1} UNION SELECT organization FROM memberships WHERE account IN ({list:$2}) \
                     UNION SELECT organization FROM connections WHERE id IN ({list:$3}) AND organization IS NOT NULL\
                     {end}){lock}";
        let found = self
            .together(vec![
                Query::new(
                    "SELECT value FROM counters WHERE name = 'events'{lock}",
                    Vec::new(),
                ),
                Query::new(heads, binds![own, accounts, connections]),
                members,
                owners,
            ])
            .await?;
        let [counter, rows, members, owners] = parts(found)?;
        let mut counter = counter
            .into_iter()
            .next()
            .ok_or(StoreError::Corrupt("counters"))?;
        let mut heads = head_rows(rows)?;
        let circle = Circle::read(members, owners, events)?;
        let chains: BTreeSet<String> = events
            .iter()
            .flat_map(|event| circle.rows(event))
            .map(|row| chain(&row))
            .collect();
        if chains.iter().any(|chain| !heads.contains_key(chain)) {
            // A chain that began while this waited for the counter is not in sight of the look-up that waited.
            let sql =
                "SELECT organization, sequence, hash FROM audit_heads WHERE organization IN ({list:$1})";
            heads = head_rows(self.rows(sql, binds![list(&chains)?]).await?)?;
        }
        Ok((counter.int("counters.value")?, heads, circle))
    }

    /// Queues rows of equal width, in as few inserts as fit.
    pub(crate) fn insert_later(&mut self, into: &str, rows: Vec<Vec<Bind>>, end: &str) {
        // SQLite allows 32 766 arguments, PostgreSQL 65 535; small batches keep few different statements.
        const ROWS: usize = 50;
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            let batch: Vec<Vec<Bind>> = rows.by_ref().take(ROWS).collect();
            let mut number = 0;
            let mut values = Vec::with_capacity(batch.len());
            for row in &batch {
                let places: Vec<String> = (1..=row.len()).map(|at| format!("${}", number + at)).collect();
                number += row.len();
                values.push(format!("({})", places.join(", ")));
            }
            let sql = format!("{into} VALUES {}{end}", values.join(", "));
            self.later(sql, batch.into_iter().flatten().collect());
        }
    }
}

impl Reader {
    /// Returns the events after a cursor, oldest first. Begin with cursor 0; go on with the last event's sequence.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn events(&mut self, after: i64, limit: u32) -> Result<Vec<Event>> {
        let sql = "SELECT sequence, id, at, kind, account, organization, connection, trace, data FROM events \
                   WHERE sequence > $1 ORDER BY sequence LIMIT $2";
        self.rows(sql, binds![after, limit])
            .await?
            .into_iter()
            .map(event)
            .collect()
    }

    /// Returns what of a stretch of the feed an organization may see, and the cursor to go on with: its own events, and
    /// those about accounts that are its members. Looks at no more than `stretch` events, so that a quiet organization
    /// costs little beside a loud one; the answer may be empty although more follows.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn events_of(
        &mut self,
        organization: &OrganizationId,
        after: i64,
        stretch: u32,
        limit: u32,
    ) -> Result<(Vec<Event>, i64)> {
        let newest = self.last_event().await?;
        let until = after.saturating_add(i64::from(stretch)).min(newest);
        let sql = "SELECT sequence, id, at, kind, account, organization, connection, trace, data FROM events e \
                   WHERE sequence > $1 AND sequence <= $2 AND (organization = $3 OR (organization IS NULL \
                   AND account IS NOT NULL AND EXISTS (SELECT 1 FROM memberships m WHERE m.account = e.account \
                   AND m.organization = $3))) ORDER BY sequence LIMIT $4";
        let rows = self.rows(sql, binds![after, until, organization, limit]).await?;
        let events: Vec<Event> = rows.into_iter().map(event).collect::<Result<_>>()?;
        let is_full = u32::try_from(events.len()).is_ok_and(|found| found >= limit);
        let cursor = match events.last() {
            Some(last) if is_full => last.sequence,
            Some(_) | None => until.max(after),
        };
        Ok((self.as_read_by(organization, events).await?, cursor))
    }

    /// Returns the position of the newest event, 0 if there is none.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn last_event(&mut self) -> Result<i64> {
        let row = self
            .row("SELECT value FROM counters WHERE name = 'events'", Vec::new())
            .await?;
        row.ok_or(StoreError::Corrupt("counters"))?.int("counters.value")
    }

    /// Returns rows of an organization's audit log (`None`: the instance's), newest first, before a position.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn audit(
        &mut self,
        organization: Option<&OrganizationId>,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<AuditRow>> {
        let sql = "SELECT organization, sequence, at, kind, actor, account, connection, trace, data, previous_hash, hash \
                   FROM audit WHERE organization = $1 AND sequence < $2 ORDER BY sequence DESC LIMIT $3";
        let organization = organization.map_or("", OrganizationId::as_str);
        let rows = self
            .rows(sql, binds![organization, before.unwrap_or(i64::MAX), limit])
            .await?;
        rows.into_iter()
            .map(|row| audited(row).map(|(row, _)| row))
            .collect()
    }

    /// Lists whose audit chains there are: organizations, deleted ones too, and the instance (`None`).
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn audit_chains(&mut self) -> Result<Vec<Option<OrganizationId>>> {
        let sql =
            "SELECT organization FROM audit_heads UNION SELECT organization FROM audit ORDER BY organization";
        let named = |mut row: Row| {
            let name = row.text("audit.organization")?;
            Ok((!name.is_empty()).then(|| OrganizationId::new(name)))
        };
        self.rows(sql, Vec::new()).await?.into_iter().map(named).collect()
    }

    /// Checks the whole hash chain of one organization and returns how many rows it has. Wants a snapshot, unless nobody writes.
    ///
    /// # Errors
    /// `corrupt` if a row was altered, removed or added behind the store's back.
    pub async fn verify_audit(&mut self, organization: Option<&OrganizationId>) -> Result<i64> {
        let mut expected = (0, String::new());
        let chain = organization.map_or("", OrganizationId::as_str);
        let sql = "SELECT organization, sequence, at, kind, actor, account, connection, trace, data, previous_hash, hash \
                   FROM audit WHERE organization = $1 AND sequence > $2 ORDER BY sequence LIMIT 500";
        loop {
            let rows = self.rows(sql, binds![chain, expected.0]).await?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                let (row, data) = audited(row)?;
                let hash = hash_of(&expected.1, row.sequence, &row.event, &data);
                if row.sequence != expected.0 + 1 || row.previous_hash != expected.1 || row.hash != hash {
                    return Err(StoreError::Corrupt("audit chain"));
                }
                expected = (row.sequence, hash);
            }
        }
        let sql = "SELECT sequence, hash FROM audit_heads WHERE organization = $1";
        let head = match self.row(sql, binds![chain]).await? {
            Some(mut row) => (row.int("audit_heads")?, row.text("audit_heads")?),
            None => (0, String::new()),
        };
        if head == expected {
            Ok(expected.0)
        } else {
            Err(StoreError::Corrupt("audit chain"))
        }
    }
}

fn head_rows(rows: Vec<Row>) -> Result<Heads> {
    rows.into_iter()
        .map(|mut row| {
            let organization = row.text("audit_heads.organization")?;
            Ok((
                organization,
                (row.int("audit_heads.sequence")?, row.text("audit_heads.hash")?),
            ))
        })
        .collect()
}

fn chain(event: &NewEvent) -> String {
    event
        .organization
        .as_ref()
        .map_or_else(String::new, |organization| organization.as_str().to_owned())
}

fn hash_of(previous: &str, sequence: i64, event: &NewEvent, data: &str) -> String {
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    digest::fields(&[
        previous,
        &chain(event),
        &sequence.to_string(),
        &event.at.as_millisecond().to_string(),
        &event.kind,
        &event.actor,
        &text(event.account.as_ref().map(AccountId::as_str)),
        &text(event.connection.as_ref().map(ConnectionId::as_str)),
        &text(event.trace.as_ref().map(TraceId::as_str)),
        data,
    ])
}

fn feed_row(sequence: i64, event: &NewEvent, data: &str) -> Vec<Bind> {
    binds![
        sequence,
        format!("evt_{sequence:016x}"),
        event.at,
        &event.kind,
        event.account.as_ref(),
        event.organization.as_ref(),
        event.connection.as_ref(),
        event.trace.as_ref(),
        data,
    ]
}

fn audit_row(sequence: i64, event: &NewEvent, data: String, previous: &str, hash: &str) -> Vec<Bind> {
    binds![
        chain(event),
        sequence,
        event.at,
        &event.kind,
        &event.actor,
        event.account.as_ref(),
        event.connection.as_ref(),
        event.trace.as_ref(),
        data,
        previous,
        hash,
    ]
}

fn event(mut row: Row) -> Result<Event> {
    Ok(Event {
        sequence: row.int("events.sequence")?,
        id: row.text("events.id")?,
        at: row.time("events.at")?,
        kind: row.text("events.kind")?,
        account: row.opt_text("events.account")?.map(AccountId::new),
        organization: row.opt_text("events.organization")?.map(OrganizationId::new),
        connection: row.opt_text("events.connection")?.map(ConnectionId::new),
        trace: row.opt_text("events.trace")?.map(TraceId::new),
        data: row.json("events.data")?,
    })
}

/// Reads an audit row, and its data as the very text that was hashed.
pub(crate) fn audited(mut row: Row) -> Result<(AuditRow, String)> {
    let organization = row.text("audit.organization")?;
    let sequence = row.int("audit.sequence")?;
    let mut event = NewEvent {
        organization: Some(organization)
            .filter(|id| !id.is_empty())
            .map(OrganizationId::new),
        at: row.time("audit.at")?,
        kind: row.text("audit.kind")?,
        actor: row.text("audit.actor")?,
        account: row.opt_text("audit.account")?.map(AccountId::new),
        connection: row.opt_text("audit.connection")?.map(ConnectionId::new),
        trace: row.opt_text("audit.trace")?.map(TraceId::new),
        data: Value::Null,
    };
    let text = row.text("audit.data")?;
    event.data = serde_json::from_str(&text).map_err(|_| StoreError::Corrupt("audit.data"))?;
    let (previous_hash, hash) = (row.text("audit.previous_hash")?, row.text("audit.hash")?);
    Ok((
        AuditRow {
            sequence,
            event,
            previous_hash,
            hash,
        },
        text,
    ))
}
