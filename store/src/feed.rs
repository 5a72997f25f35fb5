//! The audit log and the event feed: both are written from one list of events, at the end of the transaction.
//!
//! The feed is one sequence without gaps, visible in commit order: a reader that follows it with a cursor never misses
//! an event. [`crate::flush`] writes both. An event stands in the feed once, and in the audit log in each chain that it
//! concerns ([`crate::concerned`]). Never updates or deletes a row.

use jiff::Timestamp;
use provost_kernel::id::{AccountId, ConnectionId, OrganizationId, TraceId};
use serde_json::Value;

use crate::digest;
use crate::error::{Result, StoreError};
use crate::tx::{Reader, Tx};
use crate::value::{Bind, Row, binds};

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

/// Asks for rows of the audit log, for [`audited`].
const AUDIT: &str = "SELECT organization, sequence, at, kind, actor, account, connection, trace, data, previous_hash, hash FROM audit";

impl Tx {
    /// Notes an event. It is written when the transaction ends, after those noted before it.
    pub fn record(&mut self, event: NewEvent) {
        self.pending.push(event);
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
    /// costs little beside a loud one; the answer may be empty although more follows. Events tell what the organization may
    /// read of them.
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
        let (events, cursor) = self.whole_events_of(organization, after, stretch, limit).await?;
        Ok((self.as_read_by(organization, events).await?, cursor))
    }

    /// As [`Self::events_of`], with all that events tell.
    pub(crate) async fn whole_events_of(
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
        Ok((events, cursor))
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
        let organization = organization.map_or("", OrganizationId::as_str);
        self.audit_rows(
            "organization = $1 AND sequence < $2 ORDER BY sequence DESC LIMIT $3",
            binds![organization, before.unwrap_or(i64::MAX), limit],
        )
        .await
    }

    /// Reads rows of the audit log: those that `wanted` says, which stands behind WHERE.
    pub(crate) async fn audit_rows(&mut self, wanted: &str, values: Vec<Bind>) -> Result<Vec<AuditRow>> {
        let rows = self.rows(&format!("{AUDIT} WHERE {wanted}"), values).await?;
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
        let sql = format!("{AUDIT} WHERE organization = $1 AND sequence > $2 ORDER BY sequence LIMIT 500");
        loop {
            let rows = self.rows(&sql, binds![chain, expected.0]).await?;
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

/// Whose chain of the audit log an event stands in; the instance's has no name.
pub(crate) fn chain(event: &NewEvent) -> String {
    event
        .organization
        .as_ref()
        .map_or_else(String::new, |organization| organization.as_str().to_owned())
}

/// The hash of a row of a chain, which the function `feed_flush` of PostgreSQL makes as well.
pub(crate) fn hash_of(previous: &str, sequence: i64, event: &NewEvent, data: &str) -> String {
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
fn audited(mut row: Row) -> Result<(AuditRow, String)> {
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
