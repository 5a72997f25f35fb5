//! The one writer of SQLite: queued jobs share a commit (group commit). An answer goes out only after the commit, so an
//! acknowledged write is durable; a failing job rolls back only itself. Never used for PostgreSQL.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use crate::engine::batch::Durability;
use crate::error::{Result, StoreError};
use crate::tx::Tx;

/// The most jobs that share a commit.
const BATCH: usize = 128;
/// How many jobs may wait; callers beyond wait to be let in.
const QUEUE: usize = 4096;
/// How long one job may take. Jobs never touch the network, so this is generous.
pub(crate) const JOB_LIMIT: Duration = Duration::from_mins(1);

/// A queued write, its types hidden.
pub(crate) trait Job: Send {
    /// Tells whether the write is a single round and, on PostgreSQL, has no transaction around it.
    fn is_alone(&self) -> bool;
    /// Runs the write and says whether to keep it.
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> BoxFuture<'a, bool>;
    /// Tells the caller how it went, once it is known whether the commit succeeded.
    fn answer(self: Box<Self>, commit: Result<()>);
}

enum Message {
    Run(Box<dyn Job>),
    Close(oneshot::Sender<()>),
}

/// The way to the writer task.
pub(crate) struct Writer {
    queue: mpsc::Sender<Message>,
}

/// A write with its types.
pub(crate) struct Write<F, T, E> {
    job: Option<F>,
    limit: Duration,
    /// Set for a job that is a single round and, on PostgreSQL, has no transaction around it.
    pub(crate) alone: Option<Durability>,
    outcome: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Write<F, T, E> {
    pub(crate) fn new(job: F, limit: Duration) -> (Self, oneshot::Receiver<Result<T, E>>) {
        let (reply, answer) = oneshot::channel();
        (
            Self {
                job: Some(job),
                limit,
                alone: None,
                outcome: None,
                reply,
            },
            answer,
        )
    }
}

impl<F, T, E> Job for Write<F, T, E>
where
    F: for<'a> FnOnce(&'a mut Tx) -> BoxFuture<'a, Result<T, E>> + Send,
    T: Send,
    E: From<StoreError> + Send,
{
    fn is_alone(&self) -> bool {
        self.alone.is_some()
    }

    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let Some(job) = self.job.take() else { return false };
            tx.begin_job(self.alone);
            let work = async {
                let value = job(tx).await?;
                tx.flush().await?;
                Ok(value)
            };
            let outcome = match tokio::time::timeout(self.limit, AssertUnwindSafe(work).catch_unwind()).await
            {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(_panic)) => Err(StoreError::Panicked.into()),
                Err(_elapsed) if tx.is_ending() => Err(unknown().into()),
                Err(_elapsed) => Err(StoreError::TimedOut.into()),
            };
            tx.forget();
            let keep = outcome.is_ok();
            self.outcome = Some(outcome);
            keep
        })
    }

    fn answer(self: Box<Self>, commit: Result<()>) {
        let outcome = match (self.outcome, commit) {
            (Some(Err(own)), _) => Err(own),
            (Some(Ok(_)) | None, Err(failed)) => Err(failed.into()),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(StoreError::Closed.into()),
        };
        // A caller that went away does not need the answer.
        let _ = self.reply.send(outcome);
    }
}

impl Writer {
    /// Starts the thread that owns the writer's connection. It is not one of the runtime's, because it waits for the disk
    /// at each commit.
    ///
    /// # Errors
    /// `engine` if the operating system gives no thread.
    pub(crate) fn start(tx: Tx) -> Result<Self> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let runtime = Handle::current();
        std::thread::Builder::new()
            .name("provost-writer".to_owned())
            .spawn(move || runtime.block_on(serve(tx, jobs)))
            .map_err(|error| StoreError::Engine(error.into()))?;
        Ok(Self { queue })
    }

    pub(crate) async fn queue(&self, job: Box<dyn Job>) -> Result<()> {
        self.queue
            .send(Message::Run(job))
            .await
            .map_err(|_| StoreError::Closed)
    }

    pub(crate) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.queue.send(Message::Close(done)).await.is_ok() {
            let _ = closed.await;
        }
    }
}

async fn serve(mut tx: Tx, mut jobs: mpsc::Receiver<Message>) {
    while let Some(message) = jobs.recv().await {
        match message {
            Message::Run(first) => {
                if let Some(done) = batch(&mut tx, first, &mut jobs).await {
                    drop(tx);
                    let _ = done.send(());
                    return;
                }
            }
            Message::Close(done) => {
                drop(tx);
                let _ = done.send(());
                return;
            }
        }
    }
}

/// Runs the first job and those that wait behind it in one transaction. Returns the sender if a close came in between.
async fn batch(
    tx: &mut Tx,
    first: Box<dyn Job>,
    jobs: &mut mpsc::Receiver<Message>,
) -> Option<oneshot::Sender<()>> {
    let mut close = None;
    let mut ran: Vec<Box<dyn Job>> = Vec::new();
    let mut healthy = tx.conn().begin().await;
    let mut end_of_last = "";
    let mut next = Some(first);
    while let Some(mut job) = next.take() {
        if healthy.is_ok() {
            healthy = in_savepoint(tx, job.as_mut(), &mut end_of_last).await;
        }
        ran.push(job);
        if healthy.is_ok() && ran.len() < BATCH {
            match jobs.try_recv() {
                Ok(Message::Run(job)) => next = Some(job),
                Ok(Message::Close(done)) => close = Some(done),
                Err(_) => {}
            }
        }
    }
    let committed = match healthy {
        Ok(()) => tx.conn().script(&format!("{end_of_last} COMMIT")).await,
        Err(error) => Err(error),
    };
    if let Err(error) = &committed {
        tracing::warn!(
            code = error.code(),
            jobs = ran.len(),
            "a batch of writes was not committed"
        );
        // Fails when SQLite has rolled back by itself; then there is nothing left to do.
        let _ = tx.conn().script("ROLLBACK").await;
    }
    for job in ran {
        job.answer(committed.as_ref().copied().map_err(again));
    }
    close
}

/// Runs one job in a savepoint, so that its failure takes back nothing of the others. The end of the job before goes
/// with the beginning of this one.
async fn in_savepoint(tx: &mut Tx, job: &mut dyn Job, end_of_last: &mut &'static str) -> Result<()> {
    tx.conn().script(&format!("{end_of_last} SAVEPOINT job")).await?;
    *end_of_last = if job.run(tx).await {
        "RELEASE job;"
    } else {
        "ROLLBACK TO job; RELEASE job;"
    };
    Ok(())
}

/// Says that the time was up while the statement that is the whole transaction was under way.
fn unknown() -> StoreError {
    StoreError::Unavailable("the database did not say in time whether it keeps a change".into())
}

/// Says the same error to several callers.
fn again(error: &StoreError) -> StoreError {
    match error {
        StoreError::Busy => StoreError::Busy,
        StoreError::Closed => StoreError::Closed,
        StoreError::Unavailable(source) => StoreError::Unavailable(source.to_string().into()),
        StoreError::Engine(source) => StoreError::Engine(source.to_string().into()),
        StoreError::Conflict(_)
        | StoreError::ProofSpent
        | StoreError::TooMany(_)
        | StoreError::Refused(_)
        | StoreError::Corrupt(_)
        | StoreError::Sealed(_)
        | StoreError::Migration(_)
        | StoreError::Backup(_)
        | StoreError::TimedOut
        | StoreError::Panicked => StoreError::Engine(error.to_string().into()),
    }
}
