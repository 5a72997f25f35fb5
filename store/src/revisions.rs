//! Revisions: numbers that grow when something cached changes, so that every node notices. Never caches anything.

use crate::error::{Result, StoreError};
use crate::tx::{Reader, Tx};
use crate::value::binds;

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
        let row = self
            .row("SELECT revision FROM revisions WHERE name = $1", binds![name])
            .await?;
        row.map_or(Ok(0), |mut row| row.int("revisions"))
    }

    /// Returns all revisions.
    ///
    /// # Errors
    /// `engine`.
    pub async fn revisions(&mut self) -> Result<std::collections::BTreeMap<String, i64>> {
        let rows = self
            .rows("SELECT name, revision FROM revisions", Vec::new())
            .await?;
        rows.into_iter()
            .map(|mut row| Ok((row.text("revisions")?, row.int("revisions")?)))
            .collect()
    }
}
