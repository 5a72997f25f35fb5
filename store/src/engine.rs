//! The one module that knows there are two engines: opening, one connection, arguments, rows, errors and the few words
//! of SQL that differ. Never knows a table.
//!
//! SQL is written once, with `$1` arguments and the placeholders of [`dialect`].

mod dialect;
mod failure;
mod rows;

use std::str::FromStr as _;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Connection as _, PgPool, Postgres, SqliteConnection, SqlitePool};

use self::dialect::translate;
use self::failure::failed;
use self::rows::Names;
use crate::error::{Result, StoreError};
use crate::value::{Bind, Cell, Row};

/// How hard SQLite tries to survive a power cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// Every acknowledged write survives a power cut.
    #[default]
    Full,
    /// Acknowledged writes survive a crash of the process, but the last ones perhaps not a power cut.
    Normal,
}

/// The two dialects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

/// An open engine: where connections come from.
pub(crate) enum Pools {
    /// The readers; the writer connection is owned by its task.
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// One connection.
pub(crate) enum Conn {
    /// The writer.
    Sqlite(SqliteConnection),
    /// A reader.
    SqlitePooled(PoolConnection<sqlx::Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

/// The key of the PostgreSQL advisory lock under which migrations run.
const MIGRATION_LOCK: i64 = 0x0070_726f_766f_7374;

/// Tells which engine a URL means.
pub(crate) fn dialect_of(url: &str) -> Result<Dialect> {
    if url.starts_with("sqlite:") {
        Ok(Dialect::Sqlite)
    } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
        Ok(Dialect::Postgres)
    } else {
        Err(StoreError::Refused(
            "the database URL starts neither with sqlite: nor with postgres:",
        ))
    }
}

/// Opens the writer of a SQLite file, which creates the file.
pub(crate) async fn open_writer(url: &str, synchronous: Synchronous) -> Result<Conn> {
    let options = sqlite_options(url, synchronous)?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal);
    prepare_file(options.get_filename())?;
    let mut conn = SqliteConnection::connect_with(&options).await.map_err(failed)?;
    sqlx::query("PRAGMA wal_autocheckpoint = 2000")
        .execute(&mut conn)
        .await
        .map_err(failed)?;
    Ok(Conn::Sqlite(conn))
}

/// Makes directory and file, readable by the owner only: SQLite gives its side files the same rights.
fn prepare_file(path: &std::path::Path) -> Result<()> {
    let io = |error| StoreError::Engine(sqlx::Error::Io(error));
    if path.exists() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(io)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop).map_err(io)
}

/// Opens the readers of a SQLite file that exists.
pub(crate) async fn open_readers(url: &str, readers: u32, synchronous: Synchronous) -> Result<Pools> {
    let options = sqlite_options(url, synchronous)?.pragma("query_only", "ON");
    let pool = SqlitePoolOptions::new()
        .max_connections(readers.max(1))
        .min_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_with(options)
        .await
        .map_err(failed)?;
    Ok(Pools::Sqlite(pool))
}

/// Opens a PostgreSQL pool.
pub(crate) async fn open_postgres(url: &str, connections: u32) -> Result<Pools> {
    let options = PgConnectOptions::from_str(url)
        .map_err(failed)?
        .application_name("provost");
    let pool = PgPoolOptions::new()
        .max_connections(connections.max(2))
        .acquire_timeout(Duration::from_secs(10))
        .test_before_acquire(false)
        .connect_with(options)
        .await
        .map_err(failed)?;
    Ok(Pools::Postgres(pool))
}

fn sqlite_options(url: &str, synchronous: Synchronous) -> Result<SqliteConnectOptions> {
    if url.contains(":memory:") || url.contains("mode=memory") {
        return Err(StoreError::Refused(
            "an in-memory SQLite database cannot be shared between writer and readers",
        ));
    }
    let level = match synchronous {
        Synchronous::Full => SqliteSynchronous::Full,
        Synchronous::Normal => SqliteSynchronous::Normal,
    };
    Ok(SqliteConnectOptions::from_str(url)
        .map_err(failed)?
        .synchronous(level)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
        .statement_cache_capacity(400))
}

impl Pools {
    /// Takes a connection out of the pool.
    pub(crate) async fn acquire(&self) -> Result<Conn> {
        match self {
            Self::Sqlite(pool) => Ok(Conn::SqlitePooled(pool.acquire().await.map_err(failed)?)),
            Self::Postgres(pool) => Ok(Conn::Postgres(pool.acquire().await.map_err(failed)?)),
        }
    }

    /// Returns how many connections are open, and how many of them are idle.
    pub(crate) fn usage(&self) -> (u32, usize) {
        match self {
            Self::Sqlite(pool) => (pool.size(), pool.num_idle()),
            Self::Postgres(pool) => (pool.size(), pool.num_idle()),
        }
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

impl Conn {
    pub(crate) const fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) | Self::SqlitePooled(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Throws a connection away whose state is unknown.
    pub(crate) fn discard(self) {
        match self {
            Self::Sqlite(_) | Self::SqlitePooled(_) => {}
            Self::Postgres(conn) => drop(conn.detach()),
        }
    }

    /// Runs one statement and returns how many rows it changed.
    pub(crate) async fn run(&mut self, sql: &str, binds: Vec<Bind>) -> Result<u64> {
        let text = AssertSqlSafe(translate(self.dialect(), sql).into_owned());
        match self {
            Self::Sqlite(conn) => rows::run_sqlite(conn, text, binds).await,
            Self::SqlitePooled(conn) => rows::run_sqlite(conn, text, binds).await,
            Self::Postgres(conn) => {
                let query = sqlx::query_with(text, rows::postgres_arguments(binds)?);
                Ok(query.execute(&mut **conn).await.map_err(failed)?.rows_affected())
            }
        }
    }

    /// Runs one statement and returns all its rows.
    pub(crate) async fn rows(&mut self, sql: &str, binds: Vec<Bind>) -> Result<Vec<Row>> {
        self.stream(sql, binds, false)?
            .map_ok(|(_, cells)| Row::new(cells))
            .try_collect()
            .await
    }

    /// Runs one statement and streams its rows: names of columns are made only if asked for by `named`.
    pub(crate) fn stream(
        &mut self,
        sql: &str,
        binds: Vec<Bind>,
        named: bool,
    ) -> Result<impl Stream<Item = Result<(Names, Vec<Cell>)>> + Send + Unpin + '_> {
        let text = AssertSqlSafe(translate(self.dialect(), sql).into_owned());
        let stream = match self {
            Self::Sqlite(conn) => rows::sqlite_stream(conn, text, binds, named)?,
            Self::SqlitePooled(conn) => rows::sqlite_stream(conn, text, binds, named)?,
            Self::Postgres(conn) => {
                let query = sqlx::query_with(text, rows::postgres_arguments(binds)?);
                query
                    .fetch(&mut **conn)
                    .map(move |row| rows::postgres_row(&row.map_err(failed)?, named))
                    .boxed()
            }
        };
        Ok(stream)
    }

    /// Runs statements without arguments and without preparing them.
    pub(crate) async fn script(&mut self, sql: &str) -> Result<()> {
        let script = sqlx::raw_sql(AssertSqlSafe(translate(self.dialect(), sql).into_owned()));
        match self {
            Self::Sqlite(conn) => script.execute(&mut *conn).await.map(drop),
            Self::SqlitePooled(conn) => script.execute(&mut **conn).await.map(drop),
            Self::Postgres(conn) => script.execute(&mut **conn).await.map(drop),
        }
        .map_err(failed)
    }

    /// Begins a transaction that writes. On SQLite it takes the write lock at once, so that it cannot fail half-way.
    pub(crate) async fn begin(&mut self) -> Result<()> {
        let sql = match self.dialect() {
            Dialect::Sqlite => "BEGIN IMMEDIATE",
            Dialect::Postgres => "BEGIN ISOLATION LEVEL READ COMMITTED",
        };
        self.script(sql).await
    }

    /// Begins a transaction that reads one consistent state.
    pub(crate) async fn begin_snapshot(&mut self) -> Result<()> {
        let sql = match self.dialect() {
            Dialect::Sqlite => "BEGIN DEFERRED",
            Dialect::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        };
        self.script(sql).await
    }

    /// Waits until no other node migrates, until the end of the transaction. SQLite's write lock already does that.
    pub(crate) async fn lock_migrations(&mut self) -> Result<()> {
        match self.dialect() {
            Dialect::Sqlite => Ok(()),
            Dialect::Postgres => {
                self.script(&format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
                    .await
            }
        }
    }

    /// Lists the tables of this database.
    pub(crate) async fn tables(&mut self) -> Result<Vec<String>> {
        let sql = match self.dialect() {
            Dialect::Sqlite => {
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            }
            Dialect::Postgres => {
                "SELECT table_name::text FROM information_schema.tables WHERE table_schema = current_schema()"
            }
        };
        self.rows(sql, Vec::new())
            .await?
            .into_iter()
            .map(|mut row| row.text("tables"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_two_kinds_of_url_are_known() {
        assert_eq!(dialect_of("sqlite:/tmp/x.db").unwrap(), Dialect::Sqlite);
        assert_eq!(dialect_of("postgres://localhost/x").unwrap(), Dialect::Postgres);
        assert_eq!(dialect_of("mysql://x").unwrap_err().code(), "refused");
    }

    #[tokio::test]
    async fn a_reader_of_sqlite_cannot_write() {
        let path = std::env::temp_dir().join(format!("provost-engine-{}.db", std::process::id()));
        let url = format!("sqlite:{}", path.display());
        let mut writer = open_writer(&url, Synchronous::Normal).await.unwrap();
        writer.script("CREATE TABLE t (a BIGINT)").await.unwrap();
        let readers = open_readers(&url, 1, Synchronous::Normal).await.unwrap();
        let mut reader = readers.acquire().await.unwrap();
        assert_eq!(
            reader
                .run("INSERT INTO t (a) VALUES (1)", Vec::new())
                .await
                .unwrap_err()
                .code(),
            "engine"
        );
        assert_eq!(
            writer
                .run("INSERT INTO t (a) VALUES (1)", Vec::new())
                .await
                .unwrap(),
            1
        );
        assert_eq!(reader.rows("SELECT a FROM t", Vec::new()).await.unwrap().len(), 1);
        drop(reader);
        readers.close().await;
        drop(writer);
        for file in ["db", "db-wal", "db-shm"] {
            let _ = std::fs::remove_file(path.with_extension(file));
        }
    }
}
