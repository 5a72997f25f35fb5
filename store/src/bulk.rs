//! What is done to many people at once from the console, and how far it is. Never decides about anybody.

use jiff::Timestamp;
use provost_kernel::id::{AccountId, OrganizationId};
use provost_kernel::provision::Actor;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::tx::{Reader, Tx};
use crate::value::{Row, binds, json};

/// One run over many people.
#[derive(Clone, Debug, PartialEq)]
pub struct BulkRun {
    /// Identifier.
    pub id: String,
    /// Whose members.
    pub organization: OrganizationId,
    /// For whom it acts.
    pub actor: Actor,
    /// What is done, as the word of the console.
    pub action: String,
    /// How many people there are.
    pub total: u32,
    /// How far it is.
    pub progress: BulkProgress,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was through.
    pub finished_at: Option<Timestamp>,
}

/// How far a run is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BulkProgress {
    /// People dealt with.
    pub done: u32,
    /// People for whom something changed.
    pub changed: u32,
    /// Those who were refused.
    pub refused: Vec<BulkRefused>,
}

/// Somebody who was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkRefused {
    /// Who.
    pub account: AccountId,
    /// Why, as a stable code.
    pub code: String,
    /// The trace that says more.
    pub trace: String,
}

const COLUMNS: &str = "SELECT id, organization, actor, action, total, done, changed, refused, created_at, finished_at FROM bulk_runs";

impl Tx {
    /// Keeps a new run with its people.
    ///
    /// # Errors
    /// `engine`.
    pub async fn insert_bulk_run(&mut self, run: &BulkRun, accounts: &[AccountId]) -> Result<()> {
        let sql = "INSERT INTO bulk_runs (id, organization, actor, action, accounts, total, done, changed, refused, created_at) \
                   VALUES ($1, $2, $3, $4, $5, $6, 0, 0, '[]', $7)";
        let row = binds![
            &run.id,
            &run.organization,
            json(&run.actor)?,
            &run.action,
            json(&accounts)?,
            run.total,
            run.created_at,
        ];
        self.run(sql, row).await.map(drop)
    }

    /// Notes how far a run is. Once it is through, its people are forgotten; the refused stay.
    ///
    /// # Errors
    /// `engine`.
    pub async fn note_bulk_run(
        &mut self,
        id: &str,
        progress: &BulkProgress,
        finished_at: Option<Timestamp>,
    ) -> Result<()> {
        let sql = "UPDATE bulk_runs SET done = $2, changed = $3, refused = $4, finished_at = $5, \
                   accounts = CASE WHEN $6 = 1 THEN '[]' ELSE accounts END WHERE id = $1";
        let row = binds![
            id,
            progress.done,
            progress.changed,
            json(&progress.refused)?,
            finished_at,
            i64::from(finished_at.is_some()),
        ];
        self.run(sql, row).await.map(drop)
    }
}

impl Reader {
    /// Finds a run.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn bulk_run(&mut self, id: &str) -> Result<Option<BulkRun>> {
        let sql = format!("{COLUMNS} WHERE id = $1");
        self.one(&sql, binds![id], run).await
    }

    /// Returns the people of a run that is not through.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn bulk_accounts(&mut self, id: &str) -> Result<Vec<AccountId>> {
        let sql = "SELECT accounts FROM bulk_runs WHERE id = $1 AND finished_at IS NULL";
        let found = self
            .one(sql, binds![id], |mut row| row.json("bulk_runs.accounts"))
            .await?;
        Ok(found.unwrap_or_default())
    }
}

fn run(mut row: Row) -> Result<BulkRun> {
    Ok(BulkRun {
        id: row.text("bulk_runs.id")?,
        organization: OrganizationId::new(row.text("bulk_runs.organization")?),
        actor: row.json("bulk_runs.actor")?,
        action: row.text("bulk_runs.action")?,
        total: row.count("bulk_runs.total")?,
        progress: BulkProgress {
            done: row.count("bulk_runs.done")?,
            changed: row.count("bulk_runs.changed")?,
            refused: row.json("bulk_runs.refused")?,
        },
        created_at: row.time("bulk_runs.created_at")?,
        finished_at: row.opt_time("bulk_runs.finished_at")?,
    })
}
