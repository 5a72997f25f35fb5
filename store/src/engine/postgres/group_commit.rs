//! Commits of PostgreSQL that wait for the disk together, so that nobody holds a lock during that wait. The row that
//! numbers events is locked until the end of a transaction; with the disk's few milliseconds inside, one core and one disk
//! would give a few hundred transactions a second, however many connections there are.
//!
//! A transaction that is not the only one under way commits with `synchronous_commit = off`, which frees its locks at once.
//! Its caller is answered after a later statement of the connection here has had the log written down to a place behind that
//! commit. Whoever sees the change in between sees what a crash of PostgreSQL may still forget; whoever must not, asks
//! [`super::written_down`].
//!
//! After a crash of PostgreSQL the same statement on a new connection would prove nothing. So what counts is the connection
//! that was open when the commit began: a crash ends all connections, and whoever waited hears that the outcome is unknown.
//! Never knows a table.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use tokio::sync::{OnceCell, mpsc, oneshot};
use tokio::time::{sleep, timeout};

use crate::engine::failure::failed;
use crate::error::{Result, StoreError};

/// Has the log written down as far as it goes now, unless it already is. A message to nobody is the smallest transaction
/// whose commit waits for the disk (PostgreSQL, "Replication Management Functions").
pub(super) const WRITE_DOWN: &str = "SELECT CASE WHEN pg_current_wal_flush_lsn() < pg_current_wal_insert_lsn() \
                                     THEN pg_logical_emit_message(true, 'provost', '') END";
/// Whether [`WRITE_DOWN`] would be refused: asked first, because the right is looked at even where nothing is to be done.
const MAY_WRITE_DOWN: &str = "SELECT COALESCE(bool_or(has_function_privilege(oid, 'EXECUTE')), false) FROM pg_proc \
                              WHERE proname = 'pg_logical_emit_message'";
/// How long opening the connection, or one wait for the disk, may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The connection is closed after two of these without a commit that was shared.
const QUIET: Duration = Duration::from_secs(30);
/// Between two tries to open the connection.
const AGAIN: Duration = Duration::from_secs(1);

/// The way to the task that waits for the disk.
pub(crate) struct GroupCommit {
    /// Transactions under way.
    writing: AtomicUsize,
    /// Which connection of the task is open, counted from 1; 0 if none may be counted on.
    open: Arc<AtomicU64>,
    /// Whether the task was asked for a connection and has not answered.
    asked: Arc<AtomicBool>,
    queue: mpsc::UnboundedSender<Message>,
    /// Whether this role may have the log written down.
    able: OnceCell<bool>,
}

/// One transaction under way.
pub(crate) struct Writing(Arc<GroupCommit>);

/// The right to commit without waiting for the disk, and the duty to wait afterwards.
#[derive(Clone, Copy)]
pub(super) struct Ticket {
    connection: u64,
}

enum Message {
    Open,
    Wait(Ticket, oneshot::Sender<Result<()>>),
}

impl GroupCommit {
    /// Starts the task. It opens its connection when it is needed, and ends with the last handle.
    pub(super) fn start(options: PgConnectOptions) -> Arc<Self> {
        let (queue, messages) = mpsc::unbounded_channel();
        let group = Self {
            writing: AtomicUsize::new(0),
            open: Arc::default(),
            asked: Arc::default(),
            queue,
            able: OnceCell::new(),
        };
        let task = Task {
            // An operator who looks at the connections sees what this one is for.
            options: options.application_name("provost commit"),
            open: Arc::clone(&group.open),
            asked: Arc::clone(&group.asked),
            conn: None,
            number: 0,
        };
        tokio::spawn(task.serve(messages));
        Arc::new(group)
    }

    /// Tells whether this role may have the log written down. One that may not never shares a commit, so that what is visible
    /// is on the disk anyway.
    pub(super) async fn is_able(&self, conn: &mut PgConnection) -> std::result::Result<bool, sqlx::Error> {
        self.able
            .get_or_try_init(|| sqlx::query_scalar(MAY_WRITE_DOWN).fetch_one(conn))
            .await
            .copied()
    }

    /// Counts a transaction until the answer is dropped.
    pub(super) fn enter(self: &Arc<Self>) -> Writing {
        self.writing.fetch_add(1, Ordering::Relaxed);
        Writing(Arc::clone(self))
    }

    /// Decides, right before a commit, whether it is one that shares the wait. Alone it would only take longer.
    pub(super) fn ticket(&self) -> Option<Ticket> {
        if self.writing.load(Ordering::Relaxed) < 2 {
            return None;
        }
        let connection = self.open.load(Ordering::Acquire);
        if connection > 0 {
            return Some(Ticket { connection });
        }
        if !self.asked.swap(true, Ordering::Relaxed) {
            let _ = self.queue.send(Message::Open);
        }
        None
    }

    /// Waits until what was committed with the ticket is on the disk.
    ///
    /// # Errors
    /// `unavailable` if nobody can tell: PostgreSQL may have crashed before.
    pub(super) async fn wait(&self, ticket: Ticket) -> Result<()> {
        let (done, answer) = oneshot::channel();
        let _ = self.queue.send(Message::Wait(ticket, done));
        answer.await.unwrap_or_else(|_| Err(unknown()))
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.0.writing.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Task {
    options: PgConnectOptions,
    open: Arc<AtomicU64>,
    asked: Arc<AtomicBool>,
    conn: Option<PgConnection>,
    /// Of the newest connection.
    number: u64,
}

impl Task {
    async fn serve(mut self, mut messages: mpsc::UnboundedReceiver<Message>) {
        loop {
            let message = if self.conn.is_some() {
                match timeout(QUIET, messages.recv()).await {
                    Ok(message) => message,
                    Err(_quiet) => {
                        self.rest().await;
                        continue;
                    }
                }
            } else {
                messages.recv().await
            };
            match message {
                Some(Message::Open) => self.open().await,
                Some(Message::Wait(ticket, done)) => {
                    let mut waiting = vec![(ticket, done)];
                    while let Ok(next) = messages.try_recv() {
                        match next {
                            Message::Wait(ticket, done) => waiting.push((ticket, done)),
                            Message::Open => self.open().await,
                        }
                    }
                    self.write_down(waiting).await;
                }
                None => return,
            }
        }
    }

    /// Opens the connection and tries once what it is for: a database that cannot do it never sees a shared commit.
    async fn open(&mut self) {
        if self.conn.is_none() {
            let opened = timeout(PATIENCE, async {
                let mut conn = self.options.connect().await?;
                sqlx::query("SELECT pg_logical_emit_message(true, 'provost', '')")
                    .execute(&mut conn)
                    .await?;
                Ok::<_, sqlx::Error>(conn)
            });
            match opened.await {
                Ok(Ok(conn)) => {
                    self.conn = Some(conn);
                    self.number += 1;
                }
                Ok(Err(_)) | Err(_) => sleep(AGAIN).await,
            }
        }
        if self.conn.is_some() {
            self.open.store(self.number, Ordering::Release);
        }
        self.asked.store(false, Ordering::Relaxed);
    }

    /// The first time, gives no tickets any more; the second time nobody can hold one, and the connection is closed.
    async fn rest(&mut self) {
        if self.open.swap(0, Ordering::AcqRel) == 0
            && let Some(conn) = self.conn.take()
        {
            let _ = timeout(PATIENCE, conn.close()).await;
        }
    }

    async fn write_down(&mut self, waiting: Vec<(Ticket, oneshot::Sender<Result<()>>)>) {
        let done = match &mut self.conn {
            Some(conn) => timeout(PATIENCE, sqlx::query(WRITE_DOWN).execute(conn)).await,
            None => Ok(Err(sqlx::Error::WorkerCrashed)),
        };
        let is_done = matches!(done, Ok(Ok(_)));
        if !is_done {
            self.open.store(0, Ordering::Release);
            self.conn = None;
        }
        for (ticket, answer) in waiting {
            let is_kept = is_done && ticket.connection == self.number;
            let _ = answer.send(if is_kept { Ok(()) } else { Err(unknown()) });
        }
    }
}

fn unknown() -> StoreError {
    failed(sqlx::Error::Io(std::io::Error::other(
        "the connection that had the commit written down was lost",
    )))
}
