//! Imports of many people: what was sent, how far it is, and what went wrong, row by row. Never decides about a row.

use jiff::Timestamp;
use provost_kernel::id::OrganizationId;
use provost_kernel::provision::Actor;
use serde_json::Value;

use crate::error::Result;
use crate::tx::{Reader, Tx};
use crate::value::{Row, binds, json};

/// An import.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportRecord {
    /// Identifier.
    pub id: String,
    /// The organization whose import it is; none for the whole instance.
    pub organization: Option<OrganizationId>,
    /// For whom it acts.
    pub actor: Actor,
    /// How it is carried out.
    pub options: Value,
    /// `waiting`, `running` or `done`.
    pub state: String,
    /// Rows that were sent.
    pub total: u32,
    /// How far it is.
    pub progress: ImportProgress,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it was done.
    pub finished_at: Option<Timestamp>,
}

/// How far an import is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImportProgress {
    /// Rows dealt with.
    pub done: u32,
    /// Accounts made.
    pub created: u32,
    /// Accounts changed.
    pub updated: u32,
    /// Accounts that already were as wanted.
    pub unchanged: u32,
    /// Rows that were refused.
    pub failed: u32,
    /// What was wrong, as far as it is listed.
    pub problems: Value,
}

const COLUMNS: &str = "SELECT id, organization, actor, options, state, total, done, created, updated, unchanged, failed, problems, \
                       created_at, finished_at FROM imports";

impl Tx {
    /// Keeps a new import with what was sent.
    ///
    /// # Errors
    /// `engine`.
    pub async fn insert_import(&mut self, import: &ImportRecord, source: &str) -> Result<()> {
        let sql = "INSERT INTO imports (id, organization, actor, options, source, state, total, done, created, updated, \
                   unchanged, failed, problems, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0, 0, 0, 0, $8, $9)";
        let row = binds![
            &import.id,
            import.organization.as_ref(),
            json(&import.actor)?,
            json(&import.options)?,
            source,
            &import.state,
            import.total,
            json(&import.progress.problems)?,
            import.created_at,
        ];
        self.run(sql, row).await.map(drop)
    }

    /// Notes how far an import is. Once it is done, what was sent is forgotten.
    ///
    /// # Errors
    /// `engine`.
    pub async fn note_import(
        &mut self,
        id: &str,
        progress: &ImportProgress,
        finished_at: Option<Timestamp>,
    ) -> Result<()> {
        let sql = "UPDATE imports SET done = $2, created = $3, updated = $4, unchanged = $5, failed = $6, problems = $7, \
                   state = $8, finished_at = $9, source = CASE WHEN $8 = 'done' THEN '' ELSE source END WHERE id = $1";
        let state = if finished_at.is_some() { "done" } else { "running" };
        let row = binds![
            id,
            progress.done,
            progress.created,
            progress.updated,
            progress.unchanged,
            progress.failed,
            json(&progress.problems)?,
            state,
            finished_at,
        ];
        self.run(sql, row).await.map(drop)
    }
}

impl Reader {
    /// Finds an import.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn import(&mut self, id: &str) -> Result<Option<ImportRecord>> {
        let sql = format!("{COLUMNS} WHERE id = $1");
        self.one(&sql, binds![id], import).await
    }

    /// Returns what was sent, until the import is done.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn import_source(&mut self, id: &str) -> Result<Option<String>> {
        let sql = "SELECT source FROM imports WHERE id = $1 AND state <> 'done'";
        self.one(sql, binds![id], |mut row| row.text("imports.source"))
            .await
    }

    /// Lists imports, newest first, before one: all, or those of an organization.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn imports(
        &mut self,
        organization: Option<&OrganizationId>,
        before: Option<&str>,
        limit: u32,
    ) -> Result<Vec<ImportRecord>> {
        // Identifiers sort by time. `~` sorts after every letter of an identifier.
        let sql = format!(
            "{COLUMNS} WHERE ($1 IS NULL OR organization = $1) AND id < $2 ORDER BY id DESC LIMIT $3"
        );
        let values = binds![organization, before.unwrap_or("imp_~"), limit];
        self.all(&sql, values, import).await
    }
}

fn import(mut row: Row) -> Result<ImportRecord> {
    Ok(ImportRecord {
        id: row.text("imports.id")?,
        organization: row.opt_text("imports.organization")?.map(OrganizationId::new),
        actor: row.json("imports.actor")?,
        options: row.json("imports.options")?,
        state: row.text("imports.state")?,
        total: row.count("imports.total")?,
        progress: ImportProgress {
            done: row.count("imports.done")?,
            created: row.count("imports.created")?,
            updated: row.count("imports.updated")?,
            unchanged: row.count("imports.unchanged")?,
            failed: row.count("imports.failed")?,
            problems: row.json("imports.problems")?,
        },
        created_at: row.time("imports.created_at")?,
        finished_at: row.opt_time("imports.finished_at")?,
    })
}
