//! The one file that knows there are two engines: opening, one connection, arguments, rows, errors and the few words
//! of SQL that differ. Never knows a table.
//!
//! SQL is written once, with `$1` arguments and these placeholders: `{blob}` (type of bytes), `{lock}` (row lock of a
//! select), `{skip_locked}` (row lock that passes over locked rows) and `{list:$1}` (the values of a JSON list of texts,
//! for `IN`).

use std::borrow::Cow;
use std::str::FromStr as _;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use sqlx::error::ErrorKind;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgPoolOptions, PgRow};
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{
    Arguments as _, AssertSqlSafe, Column as _, Connection as _, PgPool, Postgres, Row as _,
    SqliteConnection, SqlitePool, TypeInfo as _, ValueRef as _,
};

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
            Self::Sqlite(conn) => run_sqlite(conn, text, binds).await,
            Self::SqlitePooled(conn) => run_sqlite(conn, text, binds).await,
            Self::Postgres(conn) => {
                let query = sqlx::query_with(text, postgres_arguments(binds)?);
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
            Self::Sqlite(conn) => sqlite_stream(conn, text, binds, named)?,
            Self::SqlitePooled(conn) => sqlite_stream(conn, text, binds, named)?,
            Self::Postgres(conn) => {
                let query = sqlx::query_with(text, postgres_arguments(binds)?);
                query
                    .fetch(&mut **conn)
                    .map(move |row| postgres_row(&row.map_err(failed)?, named))
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

/// Names of the columns of a row.
pub(crate) type Names = Vec<String>;

type RowStream<'c> = futures_util::stream::BoxStream<'c, Result<(Names, Vec<Cell>)>>;

fn sqlite_stream<'c>(
    conn: &'c mut SqliteConnection,
    text: AssertSqlSafe<String>,
    binds: Vec<Bind>,
    named: bool,
) -> Result<RowStream<'c>> {
    let query = sqlx::query_with(text, sqlite_arguments(binds)?);
    Ok(query
        .fetch(conn)
        .map(move |row| sqlite_row(&row.map_err(failed)?, named))
        .boxed())
}

async fn run_sqlite(
    conn: &mut SqliteConnection,
    text: AssertSqlSafe<String>,
    binds: Vec<Bind>,
) -> Result<u64> {
    let query = sqlx::query_with(text, sqlite_arguments(binds)?);
    Ok(query.execute(conn).await.map_err(failed)?.rows_affected())
}

fn sqlite_arguments(binds: Vec<Bind>) -> Result<SqliteArguments> {
    let mut arguments = SqliteArguments::default();
    for bind in binds {
        match bind {
            Bind::Int(value) => arguments.add(value),
            Bind::Text(value) => arguments.add(value),
            Bind::Bytes(value) => arguments.add(value),
        }
        .map_err(|error| StoreError::Engine(sqlx::Error::Encode(error)))?;
    }
    Ok(arguments)
}

fn postgres_arguments(binds: Vec<Bind>) -> Result<PgArguments> {
    let mut arguments = PgArguments::default();
    for bind in binds {
        match bind {
            Bind::Int(value) => arguments.add(value),
            Bind::Text(value) => arguments.add(value),
            Bind::Bytes(value) => arguments.add(value),
        }
        .map_err(|error| StoreError::Engine(sqlx::Error::Encode(error)))?;
    }
    Ok(arguments)
}

fn sqlite_row(row: &SqliteRow, named: bool) -> Result<(Names, Vec<Cell>)> {
    let mut cells = Vec::with_capacity(row.len());
    for at in 0..row.len() {
        let value = row.try_get_raw(at).map_err(failed)?;
        let kind = value.type_info().name().to_owned();
        let null = value.is_null();
        drop(value);
        cells.push(match kind.as_str() {
            _ if null => Cell::Null,
            "INTEGER" => Cell::Int(row.try_get_unchecked(at).map_err(failed)?),
            "BLOB" => Cell::Bytes(row.try_get_unchecked(at).map_err(failed)?),
            _ => Cell::Text(row.try_get_unchecked(at).map_err(failed)?),
        });
    }
    let names = if named {
        row.columns()
            .iter()
            .map(|column| column.name().to_owned())
            .collect()
    } else {
        Vec::new()
    };
    Ok((names, cells))
}

fn postgres_row(row: &PgRow, named: bool) -> Result<(Names, Vec<Cell>)> {
    let mut cells = Vec::with_capacity(row.len());
    for at in 0..row.len() {
        let value = row.try_get_raw(at).map_err(failed)?;
        let kind = value.type_info().name().to_owned();
        cells.push(match kind.as_str() {
            _ if value.is_null() => Cell::Null,
            "INT8" => Cell::Int(row.try_get(at).map_err(failed)?),
            "INT4" => Cell::Int(i64::from(row.try_get::<i32, _>(at).map_err(failed)?)),
            "BYTEA" => Cell::Bytes(row.try_get(at).map_err(failed)?),
            _ => Cell::Text(row.try_get(at).map_err(failed)?),
        });
    }
    let names = if named {
        row.columns()
            .iter()
            .map(|column| column.name().to_owned())
            .collect()
    } else {
        Vec::new()
    };
    Ok((names, cells))
}

/// Puts the words of one engine in place of the placeholders.
fn translate(dialect: Dialect, sql: &str) -> Cow<'_, str> {
    if !sql.contains('{') {
        return Cow::Borrowed(sql);
    }
    let (blob, lock, skip, before, after) = match dialect {
        Dialect::Sqlite => ("BLOB", "", "", "SELECT value FROM json_each(", ")"),
        Dialect::Postgres => (
            "BYTEA",
            " FOR UPDATE",
            " FOR UPDATE SKIP LOCKED",
            "SELECT json_array_elements_text(",
            "::json)",
        ),
    };
    let mut text = sql
        .replace("{blob}", blob)
        .replace("{lock}", lock)
        .replace("{skip_locked}", skip);
    while let Some((head, rest)) = text.split_once("{list:") {
        let Some((argument, tail)) = rest.split_once('}') else {
            break;
        };
        text = format!("{head}{before}{argument}{after}{tail}");
    }
    Cow::Owned(text)
}

/// Turns an engine's error into ours.
pub(crate) fn failed(error: sqlx::Error) -> StoreError {
    let Some(database) = error.as_database_error() else {
        return match error {
            sqlx::Error::PoolTimedOut => StoreError::Busy,
            sqlx::Error::PoolClosed => StoreError::Closed,
            other => StoreError::Engine(other),
        };
    };
    let code = database.code().unwrap_or_default();
    match database.kind() {
        ErrorKind::UniqueViolation => {
            let name = database
                .constraint()
                .map_or_else(|| sqlite_constraint(database.message()), str::to_owned);
            StoreError::Conflict(name)
        }
        ErrorKind::ForeignKeyViolation => StoreError::Conflict("foreign_key".to_owned()),
        // SQLite: BUSY and LOCKED with their extended codes. PostgreSQL: serialization failure, deadlock, lock time-out.
        _ if matches!(
            &*code,
            "5" | "6" | "261" | "262" | "517" | "518" | "40001" | "40P01" | "55P03"
        ) =>
        {
            StoreError::Busy
        }
        _ => StoreError::Engine(error),
    }
}

/// SQLite names the columns of a violated index, PostgreSQL the index. This makes both the index's name.
fn sqlite_constraint(message: &str) -> String {
    let columns = message.rsplit_once(": ").map_or(message, |(_, columns)| columns);
    match columns {
        "accounts.email_key" => "accounts_standard_email".to_owned(),
        "accounts.connection, accounts.email_key" => "accounts_sso_email".to_owned(),
        "accounts.connection, accounts.external_id" => "accounts_external_id".to_owned(),
        "accounts.connection, accounts.user_name_key" => "accounts_user_name".to_owned(),
        "links.connection, links.subject_key" => "links_subject".to_owned(),
        "domains.name" => "domains_verified".to_owned(),
        "roles.organization, roles.name" => "roles_name".to_owned(),
        "sessions.digest" => "sessions_digest".to_owned(),
        "tokens.digest" => "tokens_digest".to_owned(),
        "invitations.digest" => "invitations_digest".to_owned(),
        "jobs.idempotency_key" => "jobs_idempotency".to_owned(),
        "groups.connection, groups.external_id" => "groups_external_id".to_owned(),
        _ => format!("{}_pkey", columns.split('.').next().unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_become_each_engines_words() {
        let sql = "SELECT a FROM t WHERE b IN ({list:$1}) AND c IN ({list:$2}){lock}";
        assert_eq!(
            translate(Dialect::Sqlite, sql),
            "SELECT a FROM t WHERE b IN (SELECT value FROM json_each($1)) AND c IN (SELECT value FROM json_each($2))"
        );
        assert_eq!(
            translate(Dialect::Postgres, sql),
            "SELECT a FROM t WHERE b IN (SELECT json_array_elements_text($1::json)) \
             AND c IN (SELECT json_array_elements_text($2::json)) FOR UPDATE"
        );
    }

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
