//! When the last backup was made, so that an operator can see it. A backup that other tools make is not known here.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::backup::BackupSummary;
use crate::error::{Result, StoreError};
use crate::tx::{Reader, Tx};
use crate::value::{binds, json};

const KEY: &str = "last_backup";

/// The last backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastBackup {
    /// When it was begun.
    pub at: Timestamp,
    /// Rows of all tables.
    pub rows: u64,
}

impl Tx {
    /// Notes that a backup was made.
    ///
    /// # Errors
    /// `engine`.
    pub async fn note_backup(&mut self, at: Timestamp, summary: BackupSummary) -> Result<()> {
        let note = LastBackup {
            at,
            rows: summary.rows,
        };
        let sql = "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
        self.run(sql, binds![KEY, json(&note)?]).await.map(drop)
    }
}

impl Reader {
    /// Returns the last backup, if one was ever made.
    ///
    /// # Errors
    /// `engine`, `corrupt`.
    pub async fn last_backup(&mut self) -> Result<Option<LastBackup>> {
        let sql = "SELECT value FROM meta WHERE key = $1";
        let Some(mut row) = self.row(sql, binds![KEY]).await? else {
            return Ok(None);
        };
        let text = row.text("meta.value")?;
        serde_json::from_str(&text)
            .map(Some)
            .map_err(|_| StoreError::Corrupt("meta.value"))
    }
}
