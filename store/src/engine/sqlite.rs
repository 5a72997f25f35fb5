//! SQLite, called in place: a statement is a function call of some microseconds, so it runs on the thread that asks
//! and costs no change of threads. The one writer has a thread of its own (see `writer.rs`), because it waits for the disk.
//! Never knows a table.

mod lists;

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::types::{Null, ValueRef};
use rusqlite::{Connection, OpenFlags, Statement};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use self::lists::{Known, short_lists, with_values};
use super::batch::{Looks, Query};
use super::dialect::translate;
use super::failure::{failed_sqlite, io_failed};
use super::{Dialect, Synchronous};
use crate::error::{Result, StoreError};
use crate::value::{Bind, Cell};

/// How long to wait for a lock that another process holds.
const BUSY: Duration = Duration::from_secs(5);
/// How long to wait for a free reader.
const ACQUIRE: Duration = Duration::from_secs(30);
/// Pages of 4 KiB in the log after which they are copied to the file. A page that was written several times since the last
/// time is copied once, so more is less work; a crash leaves so much to be looked through at the next start.
const WAL_PAGES: i64 = 8_000;
/// What the writer keeps in memory of the file, at most, KiB. A person stands on some forty pages all over it.
const WRITER_CACHE_KIB: i64 = 8_192;
/// Prepared statements that each connection keeps.
const STATEMENTS: usize = 400;

/// Where a database is and how hard it tries to survive a power cut.
#[derive(Clone)]
pub(super) struct Place {
    path: PathBuf,
    synchronous: Synchronous,
}

impl Place {
    /// Reads `sqlite:PATH`; the path may be percent-encoded.
    pub(super) fn of(url: &str, synchronous: Synchronous) -> Result<Self> {
        if url.contains(":memory:") || url.contains("mode=memory") {
            return Err(StoreError::Refused(
                "an in-memory SQLite database cannot be shared between writer and readers",
            ));
        }
        let path = url.strip_prefix("sqlite:").unwrap_or(url);
        let path = path.strip_prefix("//").unwrap_or(path);
        // Parameters of SQLite's own URLs are of no use here: the store decides how a file is opened.
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        let Some(path) = decoded(path).filter(|path| !path.is_empty()) else {
            return Err(StoreError::Refused("the database URL names no file"));
        };
        Ok(Self {
            path: path.into(),
            synchronous,
        })
    }

    /// Opens the writer, which creates the file.
    pub(super) fn open_writer(&self) -> Result<Handle> {
        prepare_file(&self.path)?;
        let conn = self.open()?;
        conn.pragma_update(None, "wal_autocheckpoint", WAL_PAGES)
            .map_err(failed_sqlite)?;
        conn.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)
            .map_err(failed_sqlite)?;
        Ok(Handle {
            conn: Some(conn),
            home: None,
        })
    }

    fn open(&self) -> Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_PRIVATE_CACHE;
        let conn = Connection::open_with_flags(&self.path, flags).map_err(failed_sqlite)?;
        let level = match self.synchronous {
            Synchronous::Full => "FULL",
            Synchronous::Normal => "NORMAL",
        };
        conn.busy_timeout(BUSY).map_err(failed_sqlite)?;
        conn.pragma_update(None, "foreign_keys", true)
            .map_err(failed_sqlite)?;
        conn.pragma_update(None, "journal_mode", "WAL")
            .map_err(failed_sqlite)?;
        conn.pragma_update(None, "synchronous", level)
            .map_err(failed_sqlite)?;
        // What a statement sorts or may have to take back stays in memory: it is small, and a file costs system calls.
        conn.pragma_update(None, "temp_store", "MEMORY")
            .map_err(failed_sqlite)?;
        conn.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(conn)
    }
}

/// Makes directory and file, readable by the owner only: SQLite gives its side files the same rights.
fn prepare_file(path: &Path) -> Result<()> {
    if path.exists() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(io_failed)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop).map_err(io_failed)
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            let hex = std::str::from_utf8(&digits).ok()?;
            bytes.push(u8::from_str_radix(hex, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// The readers.
pub(crate) struct Pool {
    home: Arc<Home>,
}

struct Home {
    place: Place,
    idle: Mutex<Vec<Connection>>,
    open: AtomicU32,
    most: u32,
    free: Arc<Semaphore>,
}

/// A connection; a reader goes home when it is dropped.
pub(crate) struct Handle {
    conn: Option<Connection>,
    home: Option<(Arc<Home>, OwnedSemaphorePermit)>,
}

impl Pool {
    pub(super) fn new(place: Place, most: u32) -> Self {
        let most = most.max(1);
        let free = Semaphore::new(usize::try_from(most).unwrap_or(1));
        Self {
            home: Arc::new(Home {
                place,
                idle: Mutex::new(Vec::new()),
                open: AtomicU32::new(0),
                most,
                free: Arc::new(free),
            }),
        }
    }

    pub(super) async fn acquire(&self) -> Result<Handle> {
        let waiting = Arc::clone(&self.home.free).acquire_owned();
        let Ok(permit) = tokio::time::timeout(ACQUIRE, waiting).await else {
            return Err(StoreError::Busy);
        };
        let permit = permit.map_err(|_| StoreError::Closed)?;
        let idle = self.home.idle().pop();
        let conn = match idle {
            Some(conn) => conn,
            None => self.home.open_reader()?,
        };
        Ok(Handle {
            conn: Some(conn),
            home: Some((Arc::clone(&self.home), permit)),
        })
    }

    pub(super) fn usage(&self) -> (u32, usize) {
        (self.home.open.load(Ordering::Relaxed), self.home.idle().len())
    }

    /// Waits for those at work, then closes all.
    pub(super) async fn close(&self) {
        let all = self.home.free.acquire_many(self.home.most).await;
        self.home.free.close();
        drop(all);
        self.home.idle().clear();
        self.home.open.store(0, Ordering::Relaxed);
    }
}

impl Home {
    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open_reader(&self) -> Result<Connection> {
        let conn = self.place.open()?;
        conn.pragma_update(None, "query_only", true)
            .map_err(failed_sqlite)?;
        self.open.fetch_add(1, Ordering::Relaxed);
        Ok(conn)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let (Some(conn), Some((home, permit))) = (self.conn.take(), self.home.take()) else {
            return;
        };
        // A job that broke off may have left its transaction open.
        let clean = conn.is_autocommit() || conn.execute_batch("ROLLBACK").is_ok();
        if clean {
            home.idle().push(conn);
        } else {
            home.open.fetch_sub(1, Ordering::Relaxed);
        }
        drop(permit);
    }
}

impl Handle {
    fn conn(&self) -> Result<&Connection> {
        self.conn.as_ref().ok_or(StoreError::Closed)
    }

    pub(super) fn script(&self, sql: &str) -> Result<()> {
        self.conn()?
            .execute_batch(&translate(Dialect::Sqlite, sql))
            .map_err(failed_sqlite)
    }

    /// Runs one statement and returns how many rows it changed.
    pub(super) fn run(&self, sql: &str, mut binds: Vec<Bind>) -> Result<u64> {
        let conn = self.conn()?;
        let mut statement = conn
            .prepare_cached(&text(sql, &mut binds))
            .map_err(failed_sqlite)?;
        bind(&mut statement, binds)?;
        if statement.column_count() == 0 {
            let changed = statement.raw_execute().map_err(failed_sqlite)?;
            return Ok(u64::try_from(changed).unwrap_or(u64::MAX));
        }
        let mut rows = statement.raw_query();
        while rows.next().map_err(failed_sqlite)?.is_some() {}
        Ok(conn.changes())
    }

    /// Runs one statement and returns the names of its columns and its rows.
    pub(super) fn rows(&self, sql: &str, mut binds: Vec<Bind>) -> Result<Vec<Vec<Cell>>> {
        let text = text(sql, &mut binds);
        let mut statement = self.conn()?.prepare_cached(&text).map_err(failed_sqlite)?;
        bind(&mut statement, binds)?;
        let width = statement.column_count();
        let mut rows = statement.raw_query();
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(failed_sqlite)? {
            let mut cells = Vec::with_capacity(width);
            for at in 0..width {
                cells.push(cell(row.get_ref(at).map_err(failed_sqlite)?)?);
            }
            found.push(cells);
        }
        Ok(found)
    }

    /// Runs look-ups one after the other; each set is looked up once.
    pub(super) fn together(&self, looks: Looks) -> Result<Vec<Vec<Vec<Cell>>>> {
        let rows = |query: Query| self.rows(&query.sql, query.binds);
        let mut found = Vec::new();
        if let Some(change) = looks.change {
            found.push(rows(change)?);
        }
        let mut known = Vec::new();
        for set in looks.sets {
            let first = |row: Vec<Cell>| match row.into_iter().next() {
                Some(Cell::Text(text)) => Some(text),
                Some(Cell::Null | Cell::Int(_) | Cell::Bytes(_)) | None => None,
            };
            let values = rows(with_values(set.query, &known)?)?;
            let values: Vec<String> = values.into_iter().filter_map(first).collect();
            if set.is_shown {
                let members = values.iter().cloned();
                found.push(members.map(|member| vec![Cell::Text(member)]).collect());
            }
            known.push(Known {
                name: set.name,
                values,
            });
        }
        for query in looks.queries {
            found.push(rows(with_values(query, &known)?)?);
        }
        Ok(found)
    }

    pub(super) fn names(&self, sql: &str) -> Result<Vec<String>> {
        let statement = self.conn()?.prepare_cached(sql).map_err(failed_sqlite)?;
        Ok(statement.column_names().into_iter().map(str::to_owned).collect())
    }
}

/// Writes a statement in SQLite's words.
fn text<'s>(sql: &'s str, binds: &mut [Bind]) -> Cow<'s, str> {
    match short_lists(sql, binds) {
        Cow::Borrowed(sql) => translate(Dialect::Sqlite, sql),
        Cow::Owned(sql) => Cow::Owned(translate(Dialect::Sqlite, &sql).into_owned()),
    }
}

fn bind(statement: &mut Statement<'_>, binds: Vec<Bind>) -> Result<()> {
    // A value that the statement does not use is no error.
    let wanted = statement.parameter_count();
    for (at, value) in (1..=wanted).zip(binds) {
        match value {
            Bind::Int(Some(value)) => statement.raw_bind_parameter(at, value),
            Bind::Text(Some(value)) => statement.raw_bind_parameter(at, value),
            Bind::Bytes(Some(value)) => statement.raw_bind_parameter(at, value),
            Bind::Int(None) | Bind::Text(None) | Bind::Bytes(None) => statement.raw_bind_parameter(at, Null),
        }
        .map_err(failed_sqlite)?;
    }
    Ok(())
}

fn cell(value: ValueRef<'_>) -> Result<Cell> {
    Ok(match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(value) => Cell::Int(value),
        ValueRef::Real(value) => Cell::Text(value.to_string()),
        ValueRef::Text(text) => Cell::Text(
            std::str::from_utf8(text)
                .map_err(|_| StoreError::Corrupt("a text that is not UTF-8"))?
                .to_owned(),
        ),
        ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_file_in_several_ways() {
        for (url, path) in [
            ("sqlite:/tmp/x.db", "/tmp/x.db"),
            ("sqlite:./data/provost.db", "./data/provost.db"),
            ("sqlite:///tmp/x.db?mode=rwc", "/tmp/x.db"),
            ("sqlite:/tmp/a%20b%25.db", "/tmp/a b%.db"),
        ] {
            let place = Place::of(url, Synchronous::Full).unwrap();
            assert_eq!(place.path.to_str(), Some(path), "{url}");
        }
        for url in ["sqlite:", "sqlite::memory:", "sqlite:x?mode=memory", "sqlite:%zz"] {
            assert!(Place::of(url, Synchronous::Full).is_err(), "{url}");
        }
    }
}
