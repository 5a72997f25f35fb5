//! Revisions: numbers that grow when something cached changes, so that every node notices. Never caches anything.

use crate::engine::batch::Query;
use crate::error::{Result, StoreError};
use crate::tx::{Reader, Tx};
use crate::value::{Row, binds};

impl Tx {
    /// Marks everything under `name` as changed and returns the new revision.
    ///
    /// # Errors
    /// `engine`.
    pub async fn bump_revision(&mut self, name: &str) -> Result<i64> {
        let sql = "INSERT INTO revisions (name, revision) VALUES ($1, 1) \
                   ON CONFLICT (name) DO UPDATE SET revision = revisions.revision + 1 RETURNING revision";
        self.row(sql, binds![name])
            .await?
            .ok_or(StoreError::Corrupt("revisions"))?
            .int("revisions")
    }
}

impl Reader {
    /// Returns the revision of `name`, 0 before the first change. Names in use: `organizations`, `connections`,
    /// `applications`, `signing_keys`.
    ///
    /// # Errors
    /// `engine`.
    pub async fn revision(&mut self, name: &str) -> Result<i64> {
        let Query { sql, binds } = query(name);
        read(self.rows(&sql, binds).await?)
    }

    /// Returns all revisions.
    ///
    /// # Errors
    /// `engine`.
    pub async fn revisions(&mut self) -> Result<std::collections::BTreeMap<String, i64>> {
        let Query { sql, binds } = all_query();
        read_all(self.rows(&sql, binds).await?)
    }
}

/// Asks for all revisions.
pub(crate) fn all_query() -> Query {
    Query::new("SELECT name, revision FROM revisions", Vec::new())
}

/// Reads the answer to [`all_query`].
pub(crate) fn read_all(rows: Vec<Row>) -> Result<std::collections::BTreeMap<String, i64>> {
    rows.into_iter()
        .map(|mut row| Ok((row.text("revisions")?, row.int("revisions")?)))
        .collect()
}

/// Asks for the revision of `name`.
pub(crate) fn query(name: &str) -> Query {
    Query::new("SELECT revision FROM revisions WHERE name = $1", binds![name])
}

/// Reads the answer to [`query`].
pub(crate) fn read(rows: Vec<Row>) -> Result<i64> {
    let first = rows.into_iter().next();
    first.map_or(Ok(0), |mut row| row.int("revisions"))
}
