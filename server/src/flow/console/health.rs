//! How the instance does, for its operator: readiness, work that comes round by itself, the last backup. The defaults that hold for
//! everybody are read from the configuration.

use jiff::Timestamp;
use provost_store::{JobBacklog, LastBackup, StoreError};

use crate::app::App;
use crate::error::Result;
use crate::flow::readiness;
use crate::jobs::KINDS;

/// Work that comes round by itself.
#[derive(Clone, Debug)]
pub struct Round {
    /// Its stable name.
    pub kind: &'static str,
    /// Every how many seconds.
    pub seconds: u64,
    /// When it was last done, if that was in this round or the one before.
    pub done: Option<Timestamp>,
    /// What went wrong last, if the last one was not done.
    pub error: Option<String>,
}

/// How the instance does.
#[derive(Clone, Debug)]
pub struct Health {
    /// Whether the database can be written.
    pub is_ready: bool,
    /// Work that waits, and work that was given up.
    pub backlog: JobBacklog,
    /// Work that comes round.
    pub rounds: Vec<Round>,
    /// The last backup with `provost backup`.
    pub backup: Option<LastBackup>,
}

/// Looks at the instance.
///
/// # Errors
/// Those of the store.
pub async fn look(app: &App) -> Result<Health> {
    let now = app.world.now();
    let report = readiness::check(app).await;
    let keys: Vec<String> = KINDS
        .iter()
        .filter_map(|kind| Some((kind.name, kind.slot(now)?)))
        .flat_map(|(name, slot)| [format!("{name}:{slot}"), format!("{name}:{}", slot - 1)])
        .collect();
    let (backlog, sights, backup) = app
        .store
        .read(|reader| {
            Box::pin(async move {
                Ok::<_, StoreError>((
                    reader.job_backlog(now).await?,
                    reader.jobs_by_key(&keys).await?,
                    reader.last_backup().await?,
                ))
            })
        })
        .await?;
    let rounds = KINDS.iter().filter_map(|kind| {
        let seconds = kind.every?.as_secs();
        let mine = sights.iter().filter(|sight| sight.record.job.kind == kind.name);
        let done = mine.clone().filter_map(|sight| sight.done_at).max();
        let error = mine
            .filter(|sight| sight.done_at.is_none())
            .find_map(|sight| sight.record.last_error.clone());
        Some(Round {
            kind: kind.name,
            seconds,
            done,
            error,
        })
    });
    Ok(Health {
        is_ready: report.is_ready(),
        backlog,
        rounds: rounds.collect(),
        backup,
    })
}
