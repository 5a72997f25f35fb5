//! The end of a transaction: what is queued is run, then the noted events are numbered and chained.
//!
//! The row of `counters` that hands out the numbers is locked from there to the commit, so a number is never handed out while
//! a lower one is not yet committed. The same lock guards the hash chains of the audit log, one for each organization. Rows of
//! people are locked before it, by everybody, so nobody waits in a circle.
//!
//! On PostgreSQL a trigger numbers and chains (`migrations/0100_feed_flush.sql`), in the one statement that is the whole transaction
//! or in the round that commits it: locked in a round before, the row would be held while answers travel. On SQLite nobody else
//! writes, and the same is done here.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use provost_kernel::id::{AccountId, ConnectionId, OrganizationId, TraceId};
use serde::Serialize;

use crate::concerned::Circle;
use crate::engine::Dialect;
use crate::engine::batch::{Insert, Note, Query};
use crate::error::{Result, StoreError};
use crate::feed::{NewEvent, chain, hash_of};
use crate::tx::Tx;
use crate::value::{Bind, Row, binds, json, list, parts};

/// Position and hash of the last row of each chain.
type Heads = BTreeMap<String, (i64, String)>;
/// An event as each chain gets it, see [`Circle::rows`].
type Rows<'a> = Vec<Cow<'a, NewEvent>>;

/// An event as a row of the feed or, with a chain, of the audit log.
#[derive(Serialize)]
struct Noted<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    chain: Option<String>,
    at: i64,
    kind: &'a str,
    actor: &'a str,
    account: Option<&'a AccountId>,
    organization: Option<&'a OrganizationId>,
    connection: Option<&'a ConnectionId>,
    trace: Option<&'a TraceId>,
    /// JSON as the text that is kept and hashed.
    data: String,
}

impl Tx {
    /// Runs what is queued and writes the noted events. Nothing may follow in this transaction.
    pub(crate) async fn flush(&mut self) -> Result<()> {
        let events = std::mem::take(&mut self.pending);
        if self.is_alone() || (events.is_empty() && self.conn().dialect() == Dialect::Sqlite) {
            return self.settle().await;
        }
        let circle = self.circle(&events).await?;
        let rows: Vec<Rows<'_>> = events.iter().map(|event| circle.rows(event)).collect();
        match self.conn().dialect() {
            Dialect::Sqlite => self.chain_up(&events, &rows).await,
            Dialect::Postgres => {
                let note = (!events.is_empty()).then(|| note(&events, &rows)).transpose()?;
                self.end(note).await
            }
        }
    }

    /// Finds out whom events concern. Costs nothing for people who come into being with them, as far as one organization goes.
    async fn circle(&mut self, events: &[NewEvent]) -> Result<Circle> {
        let mut circle = Circle::of(events);
        let unknown = circle.unknown(events);
        self.look_around(&mut circle, unknown).await?;
        Ok(circle)
    }

    /// Numbers and chains events on SQLite.
    async fn chain_up(&mut self, events: &[NewEvent], rows: &[Rows<'_>]) -> Result<()> {
        let chains: BTreeSet<String> = rows.iter().flatten().map(|row| chain(row)).collect();
        let (mut sequence, mut heads) = self.heads(&chains).await?;
        let mut feed = Vec::with_capacity(events.len());
        let mut audit = Vec::with_capacity(events.len());
        for (event, rows) in events.iter().zip(rows) {
            sequence += 1;
            feed.push(feed_row(sequence, event, &json(&event.data)?));
            for row in rows {
                let data = json(&row.data)?;
                let head = heads.entry(chain(row)).or_insert((0, String::new()));
                let hash = hash_of(&head.1, head.0 + 1, row, &data);
                audit.push(audit_row(head.0 + 1, row, data, &head.1, &hash));
                *head = (head.0 + 1, hash);
            }
        }
        let sql = "UPDATE counters SET value = $1 WHERE name = 'events'";
        self.later_exactly(1, sql, binds![sequence], StoreError::Corrupt("counters"));
        let into =
            "INSERT INTO events (sequence, id, at, kind, account, organization, connection, trace, data)";
        self.insert_later(Insert::plain(into, feed, ""));
        let into = "INSERT INTO audit (organization, sequence, at, kind, actor, account, connection, trace, data, \
                    previous_hash, hash)";
        self.insert_later(Insert::plain(into, audit, ""));
        let heads = heads
            .into_iter()
            .map(|(organization, (sequence, hash))| binds![organization, sequence, hash]);
        self.insert_later(Insert::plain(
            "INSERT INTO audit_heads (organization, sequence, hash)",
            heads.collect(),
            " ON CONFLICT (organization) DO UPDATE SET sequence = excluded.sequence, hash = excluded.hash",
        ));
        self.settle().await
    }

    /// Reads the position of the feed and the heads of chains.
    async fn heads(&mut self, chains: &BTreeSet<String>) -> Result<(i64, Heads)> {
        let found = self
            .together(vec![
                Query::new("SELECT value FROM counters WHERE name = 'events'", Vec::new()),
                Query::new(
                    "SELECT organization, sequence, hash FROM audit_heads WHERE organization IN ({list:$1})",
                    binds![list(chains)?],
                ),
            ])
            .await?;
        let [counter, heads] = parts(found)?;
        let mut counter = counter
            .into_iter()
            .next()
            .ok_or(StoreError::Corrupt("counters"))?;
        let heads = heads.into_iter().map(head).collect::<Result<_>>()?;
        Ok((counter.int("counters.value")?, heads))
    }
}

/// Writes events down for the trigger.
fn note(events: &[NewEvent], rows: &[Rows<'_>]) -> Result<Note> {
    let mut note = Note::default();
    for (event, rows) in events.iter().zip(rows) {
        let data = json(&event.data)?;
        for row in rows {
            let data = match row {
                Cow::Borrowed(_) => data.clone(),
                Cow::Owned(row) => json(&row.data)?,
            };
            let chain = chain(row);
            let noted = json(&noted(row, Some(chain.clone()), data))?;
            note.chains.entry(chain).or_default().push(noted);
        }
        note.events.push(json(&noted(event, None, data))?);
    }
    Ok(note)
}

fn noted(event: &NewEvent, chain: Option<String>, data: String) -> Noted<'_> {
    Noted {
        chain,
        at: event.at.as_millisecond(),
        kind: &event.kind,
        actor: &event.actor,
        account: event.account.as_ref(),
        organization: event.organization.as_ref(),
        connection: event.connection.as_ref(),
        trace: event.trace.as_ref(),
        data,
    }
}

fn head(mut row: Row) -> Result<(String, (i64, String))> {
    let organization = row.text("audit_heads.organization")?;
    Ok((
        organization,
        (row.int("audit_heads.sequence")?, row.text("audit_heads.hash")?),
    ))
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
