//! `provost backup` and `provost restore`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use provost_store::StoreError;

use super::print::{Busy, out};
use super::{Settings, open_store};
use crate::config::data_key;
use crate::world::World;

/// Write everything that is stored to a new file, while the server goes on working.
///
/// Secrets in it stay encrypted with the data key, which is not part of the file: keep a copy of it elsewhere.
/// The file fits both database engines.
#[derive(Args, Clone, Debug)]
pub struct Backup {
    /// File to write; must not exist.
    file: PathBuf,
    #[command(flatten)]
    settings: Settings,
}

impl Backup {
    /// Writes the backup.
    ///
    /// # Errors
    /// When the file exists or cannot be written, or the database cannot be read.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let world = World::new();
        let store = open_store(&self.settings.load()?, &world).await?;
        let busy = Busy::new("backing up");
        let begun = world.now();
        let written = store.backup(&self.file).await;
        drop(busy);
        if let Ok(summary) = written {
            // Only a note for the operator's console: the backup is good without it.
            let noted: Result<(), StoreError> = store
                .write(move |tx| Box::pin(async move { tx.note_backup(begun, summary).await }))
                .await;
            if let Err(error) = noted {
                tracing::warn!(code = error.code(), "the time of the backup could not be noted");
            }
        }
        store.close().await;
        let summary = written.with_context(|| format!("no backup in {}", self.file.display()))?;
        out(&format!(
            "{} rows (schema {}) in {}\n",
            summary.rows,
            summary.schema,
            self.file.display()
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Bring a backup into an empty database of either engine.
#[derive(Args, Clone, Debug)]
pub struct Restore {
    /// File that `provost backup` wrote.
    file: PathBuf,
    #[command(flatten)]
    settings: Settings,
}

impl Restore {
    /// Restores the backup.
    ///
    /// # Errors
    /// When there is no data key, the database is not empty, or the file is not a backup.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.settings.load()?;
        if data_key::load(&config)?.is_none() {
            // A new key could open none of the secrets in the backup.
            bail!(
                "put the data key of the backup at {} first",
                data_key::path(&config).display()
            );
        }
        let store = open_store(&config, &World::new()).await?;
        let busy = Busy::new("restoring");
        let restored = store.restore(&self.file).await;
        drop(busy);
        store.close().await;
        let summary = restored.with_context(|| format!("{} was not restored", self.file.display()))?;
        out(&format!(
            "{} rows restored from {}\n",
            summary.rows,
            self.file.display()
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}
