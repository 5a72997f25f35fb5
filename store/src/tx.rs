//! The two handles that repository functions hang on: [`Reader`] looks up, [`Tx`] writes. Never opens a connection.
//!
//! A change whose answer nobody waits for is queued by [`Tx::later`] and run together with the others: before the next
//! statement that is not queued, or at the end. On PostgreSQL that makes one round trip of many.
//!
//! There a transaction begins with its first statement that changes or locks something ([`Stage`]): what is only looked up
//! before sees the newest committed state at each statement, in a transaction (READ COMMITTED) or not. A job that looks up and
//! then queues all that it changes is never in one: its end is a single statement.

use std::collections::BTreeSet;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use provost_kernel::id::AccountId;

use crate::engine::batch::{Apart, Change, Durability, Insert, Looks, Note, Query, Work};
use crate::engine::{Conn, Waiting};
use crate::error::{Result, StoreError};
use crate::feed::NewEvent;
use crate::seal::Sealer;
use crate::value::{Bind, Row};

/// Looks up. On SQLite the engine itself refuses writes through it.
pub struct Reader {
    conn: Conn,
    pub(crate) sealer: Arc<Sealer>,
    /// Rounds asked of the engine, of all connections of this store.
    rounds: Arc<AtomicU64>,
    /// Changes that wait; always empty but in a [`Tx`].
    queue: Vec<Change>,
    alone: Option<Alone>,
    stage: Stage,
}

/// How far the transaction of a connection is.
#[derive(Default)]
pub(crate) enum Stage {
    /// There is none to begin here: it is somebody else's matter, or not needed.
    #[default]
    Other,
    /// It begins with the first statement that changes or locks something.
    Idle,
    /// It has begun, and has to be ended.
    Begun,
    /// It has done everything but number its events, which goes with the commit.
    Noted,
    /// The one statement that is all of it is under way. Whoever goes away now does not know whether it is kept.
    Ending,
    /// The one statement that is all of it failed: nothing is kept.
    Failed,
    /// It was one statement, and is kept once this has been waited for.
    Ended(Option<Waiting>),
}

/// A job that is one statement on PostgreSQL and needs no transaction around it.
#[derive(Clone, Copy)]
struct Alone {
    durability: Durability,
    spent: bool,
}

/// One write transaction. Everything of [`Reader`] works here too and sees the transaction's own writes.
///
/// Committed when the closure given to [`crate::Store::write`] returns `Ok`, else rolled back.
pub struct Tx {
    reader: Reader,
    pub(crate) pending: Vec<NewEvent>,
    /// Accounts that this transaction has locked, so that nobody else changes them before it ends. PostgreSQL only.
    pub(crate) held: BTreeSet<AccountId>,
}

impl Reader {
    pub(crate) const fn new(conn: Conn, sealer: Arc<Sealer>, rounds: Arc<AtomicU64>) -> Self {
        Self {
            conn,
            sealer,
            rounds,
            queue: Vec::new(),
            alone: None,
            stage: Stage::Other,
        }
    }

    pub(crate) const fn conn(&mut self) -> &mut Conn {
        &mut self.conn
    }

    pub(crate) fn into_conn(self) -> Conn {
        self.conn
    }

    /// Returns when what the last look-up saw is sure to be remembered, whatever crashes. For readers that note how far they
    /// are: other changes are seen a moment before their writers are told that they are kept.
    ///
    /// # Errors
    /// The engine's error; then it is unknown.
    pub async fn written_down(&mut self) -> Result<()> {
        self.conn.written_down().await
    }

    /// Counts a round.
    pub(crate) fn count_round(&self) {
        self.rounds.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) async fn rows(&mut self, sql: &str, binds: Vec<Bind>) -> Result<Vec<Row>> {
        self.settle().await?;
        self.begin_round(|| !is_plain(sql)).await?;
        self.conn.rows(sql, binds).await
    }

    /// As [`Self::rows`], for a look-up that may take many milliseconds.
    pub(crate) async fn rows_long(&mut self, sql: &str, binds: Vec<Bind>) -> Result<Vec<Row>> {
        self.settle().await?;
        self.begin_round(|| !is_plain(sql)).await?;
        self.conn.rows_long(sql, binds).await
    }

    /// Reads the first row, if there is one.
    pub(crate) async fn one<T>(
        &mut self,
        sql: &str,
        binds: Vec<Bind>,
        read: impl FnOnce(Row) -> Result<T>,
    ) -> Result<Option<T>> {
        self.row(sql, binds).await?.map(read).transpose()
    }

    /// Reads every row.
    pub(crate) async fn all<T>(
        &mut self,
        sql: &str,
        binds: Vec<Bind>,
        read: impl FnMut(Row) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.rows(sql, binds).await?.into_iter().map(read).collect()
    }

    /// Returns the first row.
    pub(crate) async fn row(&mut self, sql: &str, binds: Vec<Bind>) -> Result<Option<Row>> {
        Ok(self.rows(sql, binds).await?.into_iter().next())
    }

    /// Runs several look-ups in one round, which see the same state, and returns the rows of each. Columns of bytes are
    /// not allowed.
    pub(crate) async fn together(&mut self, queries: Vec<Query>) -> Result<Vec<Vec<Row>>> {
        self.look(queries.into()).await
    }

    /// As [`Self::together`], for look-ups that speak of sets. They must not change anything.
    pub(crate) async fn look(&mut self, looks: Looks) -> Result<Vec<Vec<Row>>> {
        self.settle().await?;
        self.look_past_queue(looks).await
    }

    /// As [`Self::look`], for what does not rely on the effect of what is queued and may see the state before it.
    pub(crate) async fn look_past_queue(&mut self, looks: Looks) -> Result<Vec<Vec<Row>>> {
        let holds = || {
            let sets = looks.sets.iter().map(|set| &set.query);
            let mut queries = looks.queries.iter().chain(sets);
            looks.change.is_some() || queries.any(|query| !is_plain(&query.sql))
        };
        self.begin_round(holds).await?;
        self.conn.together(looks).await
    }

    /// Runs what is queued.
    pub(crate) async fn settle(&mut self) -> Result<()> {
        if self.queue.is_empty() {
            return Ok(());
        }
        self.settle_beside(None).await.map(drop)
    }

    async fn settle_beside(&mut self, beside: Option<Query>) -> Result<Vec<Row>> {
        self.begin_round(|| true).await?;
        let durability = self.alone.map_or(Durability::Full, |alone| alone.durability);
        let mut changes = std::mem::take(&mut self.queue);
        while self.alone.is_none()
            && let Some(rest) = split_off(&mut changes)
        {
            let first = std::mem::replace(&mut changes, rest);
            self.conn.batch(first, None, durability).await?;
            self.begin_round(|| true).await?;
        }
        self.conn.batch(changes, beside, durability).await
    }

    /// Ends what a job on PostgreSQL does: runs what is queued and has events numbered ([`crate::flush`]), as the whole
    /// transaction if none has begun, else with the commit.
    pub(crate) async fn end(&mut self, note: Option<Note>) -> Result<()> {
        if self.queue.is_empty() && note.is_none() {
            return Ok(());
        }
        let arguments: usize = self.queue.iter().map(|change| change.work.arguments()).sum();
        if arguments > ARGUMENTS {
            self.settle().await?;
        }
        let changes = std::mem::take(&mut self.queue);
        if !matches!(self.stage, Stage::Idle) {
            self.begin_round(|| true).await?;
            let is_noted = note.is_some();
            self.conn.end(changes, note).await?;
            if is_noted {
                self.stage = Stage::Noted;
            }
            return Ok(());
        }
        self.count_round();
        self.stage = Stage::Ending;
        let ended = self.conn.end_at_once(changes, note).await;
        let (stage, ended) = match ended {
            Ok(waiting) => (Stage::Ended(waiting), Ok(())),
            Err(error) => (Stage::Failed, Err(error)),
        };
        self.stage = stage;
        ended
    }

    /// Begins a round; with the transaction, if it is not under way and this one needs it, which is asked only then.
    async fn begin_round(&mut self, holds: impl Fn() -> bool + Send) -> Result<()> {
        if matches!(self.stage, Stage::Idle) && holds() {
            self.count_round();
            self.conn.begin().await?;
            self.stage = Stage::Begun;
        }
        self.count_round();
        match &mut self.alone {
            None => Ok(()),
            Some(alone) if !alone.spent => {
                alone.spent = true;
                Ok(())
            }
            // Each would be a transaction of its own.
            Some(_) => Err(StoreError::Engine(
                "a write of one round took a second one".into(),
            )),
        }
    }
}

/// Tells whether a statement neither changes nor locks anything.
fn is_plain(sql: &str) -> bool {
    const HOLDS: [&str; 7] = [
        "{lock}",
        "{hold}",
        "{share}",
        "{skip_locked}",
        "INSERT ",
        "UPDATE ",
        "DELETE ",
    ];
    !HOLDS.iter().any(|word| sql.contains(word))
}

/// Arguments that go together: PostgreSQL allows 65 535, and large statements gain nothing.
const ARGUMENTS: usize = 8_000;

/// Takes off what does not fit into one statement with the changes before it, if anything.
fn split_off(changes: &mut Vec<Change>) -> Option<Vec<Change>> {
    let mut arguments = 0;
    let at = changes.iter().position(|change| {
        arguments += change.work.arguments();
        arguments > ARGUMENTS
    })?;
    // One that is too long alone goes alone.
    let rest = changes.split_off(at.max(1));
    (!rest.is_empty()).then_some(rest)
}

impl Tx {
    pub(crate) const fn new(reader: Reader) -> Self {
        Self {
            reader,
            pending: Vec::new(),
            held: BTreeSet::new(),
        }
    }

    /// Begins a job: with a durability, one that is a single round.
    pub(crate) fn begin_job(&mut self, alone: Option<Durability>) {
        self.reader.alone = alone.map(|durability| Alone {
            durability,
            spent: false,
        });
    }

    /// Has the transaction begin when it must.
    pub(crate) fn begins_late(mut self) -> Self {
        self.reader.stage = Stage::Idle;
        self
    }

    /// Tells whether the job is a single round.
    pub(crate) const fn is_alone(&self) -> bool {
        self.reader.alone.is_some()
    }

    pub(crate) const fn stage(&self) -> &Stage {
        &self.reader.stage
    }

    /// Tells whether it is unknown what became of the transaction.
    pub(crate) const fn is_ending(&self) -> bool {
        matches!(self.reader.stage, Stage::Ending)
    }

    pub(crate) fn into_parts(self) -> (Conn, Stage) {
        (self.reader.conn, self.reader.stage)
    }

    /// Runs one statement and returns how many rows it changed.
    pub(crate) async fn run(&mut self, sql: &str, binds: Vec<Bind>) -> Result<u64> {
        self.reader.settle().await?;
        self.reader.begin_round(|| true).await?;
        self.reader.conn.run(sql, binds).await
    }

    /// Queues a change: an insert, update or delete without `RETURNING`, which neither needs the effect of another queued
    /// one nor touches a row that another one writes.
    pub(crate) fn later(&mut self, sql: impl Into<String>, binds: Vec<Bind>) {
        self.queue(Work::Own(Query::new(sql, binds)), None, None);
    }

    /// As [`Self::later`], for rows of this transaction alone: they may be inserted together with those of others.
    pub(crate) fn insert_later(&mut self, insert: Insert) {
        // SQLite allows 32 766 arguments, PostgreSQL 65 535; small batches keep few different statements.
        const ROWS: usize = 50;
        let mut rows = insert.rows.into_iter().peekable();
        while rows.peek().is_some() {
            let insert = Insert {
                into: insert.into.clone(),
                row: insert.row.clone(),
                rows: rows.by_ref().take(ROWS).collect(),
                end: insert.end,
            };
            self.queue(Work::Rows(insert), None, None);
        }
    }

    /// As [`Self::later`], for a change that must hit exactly `rows` rows; the job fails with `unmet` if it does not.
    pub(crate) fn later_exactly(
        &mut self,
        rows: u64,
        sql: impl Into<String>,
        binds: Vec<Bind>,
        unmet: StoreError,
    ) {
        self.queue(Work::Own(Query::new(sql, binds)), Some((rows, unmet)), None);
    }

    /// Queues a change that may not wait beside another of its sort: runs what is queued first if there is one.
    pub(crate) async fn later_apart(
        &mut self,
        apart: Apart,
        work: Work,
        needs: Option<(u64, StoreError)>,
    ) -> Result<()> {
        if self.reader.queue.iter().any(|change| change.apart == Some(apart)) {
            self.settle().await?;
        }
        self.queue(work, needs, Some(apart));
        Ok(())
    }

    fn queue(&mut self, work: Work, needs: Option<(u64, StoreError)>, apart: Option<Apart>) {
        self.reader.queue.push(Change { work, needs, apart });
    }

    /// Runs one statement beside what is queued, in one round, and returns its first row. It does not see the effects of
    /// what is queued.
    pub(crate) async fn row_beside(&mut self, sql: &str, binds: Vec<Bind>) -> Result<Option<Row>> {
        let rows = self.reader.settle_beside(Some(Query::new(sql, binds))).await?;
        Ok(rows.into_iter().next())
    }

    /// Runs a change with `RETURNING` and look-ups in one round, and returns its rows first. The look-ups must not rely on
    /// its effect, which PostgreSQL does not show them. Columns of bytes are not allowed.
    pub(crate) async fn change_and_look(&mut self, change: Query, looks: Looks) -> Result<Vec<Vec<Row>>> {
        let change = Some(change);
        self.reader.look(Looks { change, ..looks }).await
    }

    /// Forgets what was noted and queued, at the end of a job.
    pub(crate) fn forget(&mut self) {
        self.pending.clear();
        self.held.clear();
        self.reader.queue.clear();
    }
}

impl Deref for Tx {
    type Target = Reader;
    fn deref(&self) -> &Reader {
        &self.reader
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Reader {
        &mut self.reader
    }
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Reader")
    }
}

impl std::fmt::Debug for Tx {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Tx")
    }
}
