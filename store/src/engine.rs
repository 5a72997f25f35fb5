//! The one module that knows that there are two engines: opening, one connection, arguments, rows, errors and the few
//! words of SQL that differ. Never knows a table.
//!
//! SQL is written once, with `$1` arguments and the placeholders of [`dialect`].

pub(crate) mod batch;
mod dialect;
mod failure;
mod postgres;
mod sqlite;

use std::collections::VecDeque;

use futures_util::stream::{self, BoxStream, StreamExt as _};
use sqlx::AssertSqlSafe;

use self::batch::{Change, Durability, Looks, Note, Query};
use self::dialect::translate;
use self::failure::failed;
pub(crate) use self::postgres::{Waiting, Writing};
use crate::error::{Result, StoreError};
use crate::value::{Bind, Cell, Row, binds};

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

/// Rows with the names of their columns.
pub(crate) type NamedRows<'c> = BoxStream<'c, Result<(Vec<String>, Vec<Cell>)>>;

/// An open engine: where connections come from.
pub(crate) enum Pools {
    /// The readers; the writer's connection is owned by its thread.
    Sqlite(sqlite::Pool),
    Postgres(postgres::Pool),
}

/// One connection.
pub(crate) enum Conn {
    Sqlite(sqlite::Handle),
    Postgres(postgres::Postgresql),
}

/// The key of the PostgreSQL advisory lock under which migrations run.
const MIGRATION_LOCK: i64 = 0x0070_726f_766f_7374;
/// Rows after which a look-up on SQLite lets others go on.
const LONG: usize = 200;
/// Rows of a table that are read at a time on SQLite.
const PAGE: usize = 500;

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
pub(crate) fn open_writer(url: &str, synchronous: Synchronous) -> Result<Conn> {
    Ok(Conn::Sqlite(sqlite::Place::of(url, synchronous)?.open_writer()?))
}

/// Makes the readers of a SQLite file that exists.
pub(crate) fn open_readers(url: &str, readers: u32, synchronous: Synchronous) -> Result<Pools> {
    let place = sqlite::Place::of(url, synchronous)?;
    Ok(Pools::Sqlite(sqlite::Pool::new(place, readers)))
}

/// Opens a PostgreSQL pool.
pub(crate) async fn open_postgres(url: &str, connections: u32) -> Result<Pools> {
    Ok(Pools::Postgres(postgres::open(url, connections).await?))
}

impl Pools {
    /// Takes a connection out of the pool.
    pub(crate) async fn acquire(&self) -> Result<Conn> {
        match self {
            Self::Sqlite(pool) => Ok(Conn::Sqlite(pool.acquire().await?)),
            Self::Postgres(pool) => Ok(Conn::Postgres(pool.acquire().await?)),
        }
    }

    /// Counts a transaction that writes on PostgreSQL until the answer is dropped.
    pub(crate) fn writing(&self) -> Option<Writing> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(pool) => Some(pool.writing()),
        }
    }

    /// Returns how many connections are open, and how many of them are idle.
    pub(crate) fn usage(&self) -> (u32, usize) {
        match self {
            Self::Sqlite(pool) => pool.usage(),
            Self::Postgres(pool) => pool.usage(),
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
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Gives back a connection on which nothing is under way, faster than dropping it does.
    pub(crate) fn release(self) {
        match self {
            Self::Sqlite(_) => {}
            Self::Postgres(conn) => conn.release(),
        }
    }

    /// Ends a transaction, gives the connection back, and returns when what was written is on the disk.
    pub(crate) async fn commit(self) -> Result<()> {
        match self {
            Self::Sqlite(conn) => conn.script("COMMIT"),
            Self::Postgres(conn) => postgres::commit(conn, "").await,
        }
    }

    /// As [`Self::commit`], and has the events numbered that [`Self::end`] noted.
    pub(crate) async fn commit_noted(self) -> Result<()> {
        match self {
            Self::Sqlite(conn) => conn.script("COMMIT"),
            Self::Postgres(conn) => postgres::commit(conn, postgres::NUMBER).await,
        }
    }

    /// Returns when what was visible to the last look-up is on the disk. On SQLite nothing else is ever visible.
    pub(crate) async fn written_down(&mut self) -> Result<()> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(conn) => postgres::written_down(conn).await,
        }
    }

    /// Throws a connection away whose state is unknown.
    pub(crate) fn discard(self) {
        match self {
            Self::Sqlite(_) => {}
            Self::Postgres(conn) => conn.discard(),
        }
    }

    /// Runs one statement and returns how many rows it changed.
    pub(crate) async fn run(&mut self, sql: &str, binds: Vec<Bind>) -> Result<u64> {
        match self {
            Self::Sqlite(conn) => conn.run(sql, binds),
            Self::Postgres(conn) => postgres::run(conn, sql, binds).await,
        }
    }

    /// Runs one statement and returns all its rows.
    pub(crate) async fn rows(&mut self, sql: &str, binds: Vec<Bind>) -> Result<Vec<Row>> {
        let rows = match self {
            Self::Sqlite(conn) => conn.rows(sql, binds)?,
            Self::Postgres(conn) => postgres::rows(conn, sql, binds).await?,
        };
        if rows.len() > LONG {
            tokio::task::yield_now().await;
        }
        Ok(rows.into_iter().map(Row::new).collect())
    }

    /// As [`Self::rows`], for a look-up that may take many milliseconds: on SQLite other tasks move to another thread first.
    pub(crate) async fn rows_long(&mut self, sql: &str, binds: Vec<Bind>) -> Result<Vec<Row>> {
        use tokio::runtime::{Handle, RuntimeFlavor};
        let can_move = Handle::try_current()
            .is_ok_and(|runtime| matches!(runtime.runtime_flavor(), RuntimeFlavor::MultiThread));
        match self {
            Self::Sqlite(conn) if can_move => {
                let rows = tokio::task::block_in_place(|| conn.rows(sql, binds))?;
                Ok(rows.into_iter().map(Row::new).collect())
            }
            Self::Sqlite(_) => self.rows(sql, binds).await,
            Self::Postgres(conn) => {
                let rows = postgres::rows_long(conn, sql, binds).await?;
                Ok(rows.into_iter().map(Row::new).collect())
            }
        }
    }

    /// Runs several look-ups and returns the rows of each: one after the other on SQLite, where a statement is a function
    /// call; in one round trip on PostgreSQL. They never return bytes.
    pub(crate) async fn together(&mut self, looks: Looks) -> Result<Vec<Vec<Row>>> {
        let found = match self {
            Self::Sqlite(conn) => conn.together(looks)?,
            Self::Postgres(conn) => postgres::together(conn, looks).await?,
        };
        Ok(found
            .into_iter()
            .map(|rows| rows.into_iter().map(Row::new).collect())
            .collect())
    }

    /// Runs changes, and perhaps one statement with rows beside them: one after the other on SQLite, as one statement on
    /// PostgreSQL. None may rely on another's effect. Without a transaction around it, it is one on PostgreSQL.
    pub(crate) async fn batch(
        &mut self,
        changes: Vec<Change>,
        beside: Option<Query>,
        durability: Durability,
    ) -> Result<Vec<Row>> {
        let rows = match self {
            Self::Sqlite(conn) => {
                for Change { work, needs, .. } in changes {
                    let query = work.query();
                    let hit = conn.run(&query.sql, query.binds)?;
                    if let Some((_, unmet)) = needs.filter(|(rows, _)| *rows != hit) {
                        return Err(unmet);
                    }
                }
                match beside {
                    Some(query) => conn.rows(&query.sql, query.binds)?,
                    None => Vec::new(),
                }
            }
            Self::Postgres(conn) => postgres::batch(conn, changes, beside, durability).await?,
        };
        Ok(rows.into_iter().map(Row::new).collect())
    }

    /// As [`Self::batch`], at the end of a transaction: the events in the note are numbered as it is committed
    /// ([`Self::commit_noted`]). PostgreSQL only; elsewhere a note is not read.
    pub(crate) async fn end(&mut self, changes: Vec<Change>, note: Option<Note>) -> Result<()> {
        match self {
            Self::Sqlite(_) => self.batch(changes, None, Durability::Full).await.map(drop),
            Self::Postgres(conn) => postgres::end(conn, changes, note).await,
        }
    }

    /// As [`Self::end`], where this is the whole transaction: the events are numbered with it
    /// (`migrations/0100_feed_flush.sql`). What is returned has to be waited for before anybody is told.
    pub(crate) async fn end_at_once(
        &mut self,
        changes: Vec<Change>,
        note: Option<Note>,
    ) -> Result<Option<Waiting>> {
        match self {
            Self::Sqlite(_) => self
                .batch(changes, None, Durability::Full)
                .await
                .map(|_none| None),
            Self::Postgres(conn) => postgres::end_at_once(conn, changes, note).await,
        }
    }

    /// Streams all rows of a table with the names of its columns.
    pub(crate) fn table<'c>(&'c mut self, table: &str) -> Result<NamedRows<'c>> {
        match self {
            Self::Postgres(conn) => {
                postgres::stream(conn, &format!("SELECT * FROM {table}"), Vec::new(), true)
            }
            Self::Sqlite(conn) => {
                let names = conn.names(&format!("SELECT * FROM {table}"))?;
                let sql =
                    format!("SELECT rowid, * FROM {table} WHERE rowid > ?1 ORDER BY rowid LIMIT {PAGE}");
                let pages = stream::try_unfold((conn, 0, VecDeque::new()), move |(conn, after, mut page)| {
                    let (sql, names) = (sql.clone(), names.clone());
                    async move {
                        if page.is_empty() {
                            tokio::task::yield_now().await;
                            page.extend(conn.rows(&sql, binds![after])?);
                        }
                        let Some(mut row): Option<Vec<Cell>> = page.pop_front() else {
                            return Ok(None);
                        };
                        let Some(Cell::Int(place)) = row.first().cloned() else {
                            return Err(StoreError::Corrupt("rowid"));
                        };
                        row.remove(0);
                        Ok(Some(((names, row), (conn, place, page))))
                    }
                });
                Ok(pages.boxed())
            }
        }
    }

    /// Runs statements without arguments and without preparing them.
    pub(crate) async fn script(&mut self, sql: &str) -> Result<()> {
        match self {
            Self::Sqlite(conn) => conn.script(sql),
            Self::Postgres(conn) => {
                let script = sqlx::raw_sql(AssertSqlSafe(translate(Dialect::Postgres, sql).into_owned()));
                script.execute(&mut **conn).await.map(drop).map_err(failed)
            }
        }
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
    async fn a_reader_of_sqlite_cannot_write_and_leaves_no_transaction_open() {
        let path = std::env::temp_dir().join(format!("provost-engine-{}.db", std::process::id()));
        let url = format!("sqlite:{}", path.display());
        let mut writer = open_writer(&url, Synchronous::Normal).unwrap();
        writer.script("CREATE TABLE t (a BIGINT)").await.unwrap();
        let readers = open_readers(&url, 1, Synchronous::Normal).unwrap();
        let mut reader = readers.acquire().await.unwrap();
        let insert = "INSERT INTO t (a) VALUES ($1)";
        assert_eq!(reader.run(insert, binds![1]).await.unwrap_err().code(), "engine");
        reader.begin_snapshot().await.unwrap();
        assert_eq!(reader.rows("SELECT a FROM t", Vec::new()).await.unwrap().len(), 0);
        for number in 0..1200 {
            assert_eq!(writer.run(insert, binds![number]).await.unwrap(), 1);
        }
        assert_eq!(reader.rows("SELECT a FROM t", Vec::new()).await.unwrap().len(), 0);
        drop(reader);
        let mut reader = readers.acquire().await.unwrap();
        let streamed: Vec<_> = reader.table("t").unwrap().collect().await;
        assert_eq!(streamed.len(), 1200);
        assert_eq!(
            streamed[1199].as_ref().unwrap(),
            &(vec!["a".to_owned()], vec![Cell::Int(1199)])
        );
        drop(streamed);
        drop(reader);
        readers.close().await;
        drop(writer);
        for file in ["db", "db-wal", "db-shm"] {
            let _ = std::fs::remove_file(path.with_extension(file));
        }
    }
}
