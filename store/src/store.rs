//! Opening the store, and the three ways in: [`Store::write`], [`Store::read`] and [`Store::snapshot`].
//! Knows no table except the data key's check value.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::engine::batch::Durability;
use crate::engine::{self, Conn, Dialect, Pools, Synchronous};
use crate::error::{Result, StoreError};
use crate::migrate;
use crate::seal::{DataKeys, Sealer};
use crate::tx::{Reader, Stage, Tx};
use crate::value::binds;
use crate::writer::{JOB_LIMIT, Job, Write, Writer};

/// How to open the store.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// `sqlite:PATH` or `postgres://…`.
    pub url: String,
    /// The keys that seal secrets at rest.
    pub data_keys: DataKeys,
    /// Connections at most: readers on SQLite (which has one more, the writer), all on PostgreSQL.
    pub connections: u32,
    /// How hard SQLite tries to survive a power cut.
    pub synchronous: Synchronous,
}

/// The open store. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    pools: Pools,
    /// Only on SQLite.
    writer: Option<Writer>,
    sealer: Arc<Sealer>,
    rounds: Arc<AtomicU64>,
}

impl Store {
    /// Opens the database, creates a missing SQLite file and brings the schema up to date.
    ///
    /// # Errors
    /// `migration` if the schema is newer than this program or a migration was altered, `sealed` if the data key is not
    /// the one that this database was made with, `engine` if the database cannot be reached.
    pub async fn open(config: &StoreConfig) -> Result<Self> {
        let sealer = Arc::new(Sealer::new(&config.data_keys)?);
        let rounds = Arc::new(AtomicU64::new(0));
        let inner = match engine::dialect_of(&config.url)? {
            Dialect::Sqlite => {
                let mut conn = engine::open_writer(&config.url, config.synchronous)?;
                migrate::migrate(&mut conn).await?;
                let pools = engine::open_readers(&config.url, config.connections, config.synchronous)?;
                let reader = Reader::new(conn, Arc::clone(&sealer), Arc::clone(&rounds));
                Inner {
                    pools,
                    writer: Some(Writer::start(Tx::new(reader))?),
                    sealer,
                    rounds,
                }
            }
            Dialect::Postgres => {
                let pools = engine::open_postgres(&config.url, config.connections).await?;
                migrate::migrate(&mut pools.acquire().await?).await?;
                Inner {
                    pools,
                    writer: None,
                    sealer,
                    rounds,
                }
            }
        };
        let store = Self {
            inner: Arc::new(inner),
        };
        store
            .write(|tx| Box::pin(async move { tx.check_data_key().await }))
            .await?;
        Ok(store)
    }

    /// Runs a job in one transaction and returns after it is durable. All or nothing: an error, a panic or a job that
    /// takes too long leaves nothing behind. The job goes on when the caller goes away.
    ///
    /// Never call `write` inside a job, and never wait for the network there: on SQLite other writers wait.
    ///
    /// # Errors
    /// What the job returns, or the [`StoreError`] of the transaction itself.
    pub async fn write<F, T, E>(&self, job: F) -> Result<T, E>
    where
        F: for<'a> FnOnce(&'a mut Tx) -> BoxFuture<'a, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.write_within(JOB_LIMIT, job).await
    }

    /// As [`Self::write`], for a job that is a single round: what it queues, and at most one statement beside it. On
    /// PostgreSQL that is one statement without BEGIN and COMMIT. A second round is an error.
    ///
    /// # Errors
    /// What the job returns, or the [`StoreError`] of the transaction itself.
    pub async fn write_round<F, T, E>(&self, durability: Durability, job: F) -> Result<T, E>
    where
        F: for<'a> FnOnce(&'a mut Tx) -> BoxFuture<'a, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (mut write, answer) = Write::new(job, JOB_LIMIT);
        write.alone = Some(durability);
        self.queue(write, answer).await
    }

    /// Like [`Self::write`], with a limit of its own for jobs that move everything.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub async fn write_within<F, T, E>(&self, limit: Duration, job: F) -> Result<T, E>
    where
        F: for<'a> FnOnce(&'a mut Tx) -> BoxFuture<'a, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (write, answer) = Write::new(job, limit);
        self.queue(write, answer).await
    }

    async fn queue<F, T, E>(
        &self,
        write: Write<F, T, E>,
        answer: oneshot::Receiver<Result<T, E>>,
    ) -> Result<T, E>
    where
        F: for<'a> FnOnce(&'a mut Tx) -> BoxFuture<'a, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        if let Some(writer) = &self.inner.writer {
            writer.queue(Box::new(write)).await?;
        } else {
            tokio::spawn(write_alone(Arc::clone(&self.inner), Box::new(write)));
        }
        answer.await.unwrap_or_else(|_| Err(StoreError::Closed.into()))
    }

    /// Looks up, without a transaction: each statement sees the newest committed state. On SQLite the statements run on
    /// the thread that asks, so what reads very many rows belongs in [`Self::snapshot`].
    ///
    /// # Errors
    /// What the job returns, or `busy` if no connection becomes free in time.
    pub async fn read<F, T, E>(&self, job: F) -> Result<T, E>
    where
        F: for<'a> FnOnce(&'a mut Reader) -> BoxFuture<'a, Result<T, E>> + Send,
        E: From<StoreError>,
    {
        let mut reader = self.inner.reader().await?;
        let found = job(&mut reader).await;
        if found.is_ok() {
            reader.into_conn().release();
        }
        found
    }

    /// Looks up in one consistent state of the database, for exports and backups.
    ///
    /// # Errors
    /// What the job returns, or the [`StoreError`] of the transaction itself.
    pub async fn snapshot<F, T, E>(&self, job: F) -> Result<T, E>
    where
        F: for<'a> FnOnce(&'a mut Reader) -> BoxFuture<'a, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        let work = async move {
            let mut reader = inner.reader().await?;
            reader.conn().begin_snapshot().await?;
            let outcome = job(&mut reader).await;
            reader.conn().script("ROLLBACK").await?;
            reader.into_conn().release();
            outcome
        };
        // In a task of its own, so that a caller that goes away leaves no transaction open; on SQLite, where a statement
        // keeps its thread, on a thread on which nobody else waits.
        let work = match self.inner.pools {
            Pools::Sqlite(_) => {
                let runtime = Handle::current();
                tokio::task::spawn_blocking(move || runtime.block_on(work))
            }
            Pools::Postgres(_) => tokio::spawn(work),
        };
        work.await.unwrap_or_else(|_| Err(StoreError::Panicked.into()))
    }

    /// Waits for queued writes, then closes all connections.
    pub async fn close(&self) {
        if let Some(writer) = &self.inner.writer {
            writer.close().await;
        }
        self.inner.pools.close().await;
    }

    /// Answers whether the database can be reached, for readiness.
    ///
    /// # Errors
    /// The engine's error.
    pub async fn ping(&self) -> Result<()> {
        self.read(|reader| Box::pin(async move { reader.row("SELECT 1", Vec::new()).await.map(drop) }))
            .await
    }

    /// Returns how many rounds were asked of the engine so far: statements, or several of them that went together, and the
    /// beginning and end of transactions on PostgreSQL. For measurements.
    pub fn rounds(&self) -> u64 {
        self.inner.rounds.load(Ordering::Relaxed)
    }

    /// Returns how many pooled connections are open, and how many of them are idle, for measurements.
    pub fn connections(&self) -> (u32, usize) {
        self.inner.pools.usage()
    }

    /// Names the engine: `sqlite` or `postgres`.
    pub fn engine_name(&self) -> &'static str {
        match self.inner.pools {
            Pools::Sqlite(_) => "sqlite",
            Pools::Postgres(_) => "postgres",
        }
    }

    /// Returns the schema version that this program works with.
    pub fn schema_version() -> i64 {
        migrate::newest()
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Store({})", self.engine_name())
    }
}

impl Inner {
    async fn reader(&self) -> Result<Reader> {
        let conn = self.pools.acquire().await?;
        Ok(Reader::new(
            conn,
            Arc::clone(&self.sealer),
            Arc::clone(&self.rounds),
        ))
    }
}

/// Runs one write on PostgreSQL, in a task of its own so that a caller that goes away leaves no transaction open. Its types
/// are hidden, because every type of a task is code of its own, and there are hundreds of writes.
async fn write_alone(inner: Arc<Inner>, mut write: Box<dyn Job>) {
    let mut tx = match inner.reader().await {
        Ok(reader) if write.is_alone() => Tx::new(reader),
        Ok(reader) => Tx::new(reader).begins_late(),
        Err(error) => return write.answer(Err(error)),
    };
    let writing = (!write.is_alone()).then(|| inner.pools.writing());
    let keep = write.run(&mut tx).await;
    if matches!(tx.stage(), Stage::Begun | Stage::Noted) {
        tx.count_round();
    }
    let ended = match tx.into_parts() {
        (conn, Stage::Begun) if keep => conn.commit().await,
        (conn, Stage::Noted) if keep => conn.commit_noted().await,
        (conn, Stage::Begun | Stage::Noted) => rolled_back(conn).await,
        (conn, Stage::Ending) => {
            conn.discard();
            Ok(())
        }
        (conn, Stage::Ended(shared)) => {
            conn.release();
            match shared {
                Some(shared) => shared.wait().await,
                None => Ok(()),
            }
        }
        (conn, Stage::Other | Stage::Idle | Stage::Failed) => {
            if keep {
                conn.release();
            }
            Ok(())
        }
    };
    drop(writing);
    write.answer(ended);
}

async fn rolled_back(mut conn: Conn) -> Result<()> {
    let ended = conn.script("ROLLBACK").await;
    match ended {
        Ok(()) => conn.release(),
        Err(_) => conn.discard(),
    }
    ended
}

impl Tx {
    /// Makes sure that the data key fits this database, so that a wrong key is noticed at start and not at a sign-in.
    async fn check_data_key(&mut self) -> Result<()> {
        const PLACE: (&str, &str, &str) = ("meta", "value", "data_key_check");
        let stored = self
            .row("SELECT value FROM meta WHERE key = $1", binds![PLACE.2])
            .await?;
        if let Some(mut row) = stored {
            let sealed =
                crate::digest::from_hex(&row.text("meta.value")?).ok_or(StoreError::Corrupt("meta.value"))?;
            return self
                .sealer
                .open(PLACE, &sealed)
                .map(drop)
                .map_err(|_| StoreError::Sealed("data key"));
        }
        let sealed = crate::digest::to_hex(&self.sealer.seal(PLACE, b"provost")?);
        let sql = "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING";
        self.run(sql, binds![PLACE.2, sealed]).await.map(drop)
    }
}
