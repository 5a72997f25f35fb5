//! What operators chose for the whole instance in the place of its configuration. Never knows what a name stands for.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::error::Result;
use crate::tx::{Reader, Tx};
use crate::value::{Row, binds};

impl Tx {
    /// Keeps a value; none goes back to the configuration.
    ///
    /// # Errors
    /// `engine`.
    pub async fn put_instance_default(
        &mut self,
        name: &str,
        value: Option<u32>,
        now: Timestamp,
    ) -> Result<()> {
        let Some(value) = value else {
            let sql = "DELETE FROM instance_defaults WHERE name = $1";
            return self.run(sql, binds![name]).await.map(drop);
        };
        let sql = "INSERT INTO instance_defaults (name, value, changed_at) VALUES ($1, $2, $3) \
                   ON CONFLICT (name) DO UPDATE SET value = excluded.value, changed_at = excluded.changed_at";
        self.run(sql, binds![name, value, now]).await.map(drop)
    }
}

impl Reader {
    /// Returns what was chosen, by name.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn instance_defaults(&mut self) -> Result<BTreeMap<String, u32>> {
        let read = |mut row: Row| {
            let name = row.text("instance_defaults.name")?;
            Ok((name, row.count("instance_defaults.value")?))
        };
        let rows = self
            .rows("SELECT name, value FROM instance_defaults", Vec::new())
            .await?;
        rows.into_iter().map(read).collect()
    }
}
