//! The two handles that repository functions hang on: [`Reader`] looks up, [`Tx`] writes. Never opens a connection.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use crate::engine::Conn;
use crate::error::Result;
use crate::feed::NewEvent;
use crate::seal::Sealer;
use crate::value::{Bind, Row};

/// Looks up. On SQLite the engine itself refuses writes through it.
pub struct Reader {
    conn: Conn,
    pub(crate) sealer: Arc<Sealer>,
}

/// One write transaction. Everything of [`Reader`] works here too and sees the transaction's own writes.
///
/// Committed when the closure given to [`crate::Store::write`] returns `Ok`, else rolled back.
pub struct Tx {
    reader: Reader,
    pub(crate) pending: Vec<NewEvent>,
}

impl Reader {
    pub(crate) const fn new(conn: Conn, sealer: Arc<Sealer>) -> Self {
        Self { conn, sealer }
    }

    pub(crate) const fn conn(&mut self) -> &mut Conn {
        &mut self.conn
    }

    pub(crate) async fn rows(&mut self, sql: &str, binds: Vec<Bind>) -> Result<Vec<Row>> {
        self.conn.rows(sql, binds).await
    }

    /// Returns the first row.
    pub(crate) async fn row(&mut self, sql: &str, binds: Vec<Bind>) -> Result<Option<Row>> {
        Ok(self.conn.rows(sql, binds).await?.into_iter().next())
    }
}

impl Tx {
    pub(crate) const fn new(reader: Reader) -> Self {
        Self {
            reader,
            pending: Vec::new(),
        }
    }

    pub(crate) fn into_conn(self) -> Conn {
        self.reader.conn
    }

    /// Runs one statement and returns how many rows it changed.
    pub(crate) async fn run(&mut self, sql: &str, binds: Vec<Bind>) -> Result<u64> {
        self.reader.conn.run(sql, binds).await
    }

    pub(crate) fn forget_pending(&mut self) {
        self.pending.clear();
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
