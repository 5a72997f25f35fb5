//! Backup and restore: one portable file for both engines. JSON Lines: a header, for each table a line with its columns
//! followed by one line for each row, and a last line with the count, so that a cut file is noticed.
//!
//! Sealed values stay sealed: the data keys are needed again and are not part of the file.
//! Restores only into an empty database of the same schema version. Never overwrites a file.

use std::path::Path;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::digest::{from_hex, to_hex};
use crate::error::{Result, StoreError};
use crate::migrate;
use crate::store::Store;
use crate::tx::{Reader, Tx};
use crate::value::{Bind, Cell};

/// Every table, parents before children. A test compares this list with the database.
const TABLES: &[&str] = &[
    "meta",
    "counters",
    "revisions",
    "instance_defaults",
    "organizations",
    "roles",
    "workspaces",
    "licenses",
    "domains",
    "connections",
    "connection_organizations",
    "connection_domains",
    "accounts",
    "credentials",
    "links",
    "memberships",
    "membership_roles",
    "membership_workspaces",
    "groups",
    "group_members",
    "sessions",
    "session_clients",
    "login_requests",
    "spent_proofs",
    "applications",
    "application_organizations",
    "authorization_codes",
    "refresh_tokens",
    "signing_keys",
    "tokens",
    "invitations",
    "audit_heads",
    "audit",
    "events",
    "traces",
    "jobs",
    "rate_limits",
    "authorize_requests",
    "account_documents",
    "account_values",
    "group_stamps",
    "scim_requests",
    "scim_traffic",
    "sign_in_days",
    "push_counts",
    "last_claims",
    "policy_changes",
    "departure_approvals",
    "strips",
    "strip_approvals",
    "mails",
    "seat_events",
    "seat_kinds",
    "seat_days",
    "domain_claims",
    "second_factors",
    "recovery_codes",
    "half_sign_ins",
    "known_devices",
    "idempotency_keys",
    "imports",
    "conversions",
    "conversion_rows",
    "bulk_runs",
    "local_groups",
    "local_group_members",
    "drifts",
    "drift_asks",
    "drift_walks",
    "saved_views",
    "connection_drafts",
    "setup_links",
    "webhooks",
    "webhook_deliveries",
    "webhook_attempts",
];

/// Tables that triggers fill from others, also while restoring.
const DERIVED: &[&str] = &[
    "account_states",
    "directory_ranks",
    "feed_flush",
    "member_counts",
    "local_group_counts",
];

/// The table that belongs to the program and not to the data.
const MIGRATIONS: &str = "schema_migrations";
/// How long a restore may take.
const RESTORE_LIMIT: Duration = Duration::from_hours(24);
const FORMAT: &str = "provost-backup";
/// Rows that go over in one statement when restoring.
const BATCH: usize = 50;

/// What a backup or restore moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackupSummary {
    /// Rows of all tables.
    pub rows: u64,
    /// Schema version of the file.
    pub schema: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Header {
        format: String,
        schema: i64,
        data_key: String,
    },
    Table {
        name: String,
        columns: Vec<String>,
    },
    Row(Vec<Value>),
    End {
        rows: u64,
    },
}

impl Store {
    /// Writes everything to a new file, as of one moment, while others go on working.
    ///
    /// # Errors
    /// `backup` if the file exists or cannot be written, `engine`.
    pub async fn backup(&self, path: &Path) -> Result<BackupSummary> {
        // Rows go through a short queue to a thread that writes, so that memory stays small and no disk wait blocks others.
        let (lines, queue) = mpsc::channel(1024);
        let file = create(path)?;
        let writer = tokio::task::spawn_blocking(move || write_lines(file, queue));
        let dumped = self
            .snapshot(move |reader| Box::pin(async move { dump(reader, &lines).await }))
            .await;
        let written = writer.await.map_err(|_| StoreError::Panicked)?;
        let summary = dumped.and_then(|summary| written.map(|()| summary));
        if summary.is_err() {
            // A half-written backup must not look like one; the first error is what the caller learns.
            let _ = std::fs::remove_file(path);
        }
        summary
    }

    /// Reads a backup into this database, which must be empty, in one transaction.
    ///
    /// # Errors
    /// `refused` if the database holds anything, `backup` if the file is not a whole backup of this schema version,
    /// `sealed` if the data key is not the backup's.
    pub async fn restore(&self, path: &Path) -> Result<BackupSummary> {
        let path = path.to_owned();
        let (lines, queue) = mpsc::channel(1024);
        let reader = tokio::task::spawn_blocking(move || read_lines(&path, &lines));
        let restored = self
            .write_within(RESTORE_LIMIT, move |tx| {
                Box::pin(async move { load(tx, queue).await })
            })
            .await;
        match reader.await.map_err(|_| StoreError::Panicked)? {
            // The cause lies in the file; the transaction only saw the end of the queue.
            Err(error) if restored.is_err() => Err(error),
            Ok(()) | Err(_) => restored,
        }
    }
}

async fn dump(reader: &mut Reader, lines: &mpsc::Sender<Line>) -> Result<BackupSummary> {
    let gone = |_| StoreError::Backup("the file cannot be written".to_owned());
    let schema = migrate::newest();
    let data_key = reader.sealer.key_id();
    lines
        .send(Line::Header {
            format: FORMAT.to_owned(),
            schema,
            data_key,
        })
        .await
        .map_err(gone)?;
    let mut rows = 0;
    for table in TABLES {
        let mut columns_sent = false;
        let mut stream = reader.conn().table(table)?;
        while let Some((names, cells)) = stream.try_next().await? {
            if !columns_sent {
                lines
                    .send(Line::Table {
                        name: (*table).to_owned(),
                        columns: names,
                    })
                    .await
                    .map_err(gone)?;
                columns_sent = true;
            }
            lines
                .send(Line::Row(cells.into_iter().map(to_json).collect()))
                .await
                .map_err(gone)?;
            rows += 1;
        }
    }
    lines.send(Line::End { rows }).await.map_err(gone)?;
    Ok(BackupSummary { rows, schema })
}

async fn load(tx: &mut Tx, mut lines: mpsc::Receiver<Line>) -> Result<BackupSummary> {
    let damaged = |what: &str| StoreError::Backup(what.to_owned());
    let Some(Line::Header {
        format,
        schema,
        data_key,
    }) = lines.recv().await
    else {
        return Err(damaged("this is not a backup of Provost"));
    };
    if format != FORMAT || schema != migrate::newest() {
        return Err(damaged(
            "the backup was made by another version; restore it with that version and upgrade then",
        ));
    }
    if !tx.sealer.has_key(&data_key) {
        return Err(StoreError::Sealed("the backup was made with another data key"));
    }
    empty_first(tx).await?;
    let mut into = String::new();
    let mut width = 0;
    let mut batch: Vec<Vec<Bind>> = Vec::with_capacity(BATCH);
    let mut rows = 0;
    loop {
        match lines.recv().await {
            Some(Line::Row(values)) if !into.is_empty() && values.len() == width => {
                batch.push(values.iter().map(from_json).collect::<Result<_>>()?);
                rows += 1;
                if batch.len() == BATCH {
                    tx.insert_typed(&into, std::mem::take(&mut batch)).await?;
                }
            }
            Some(Line::Table { name, columns }) => {
                tx.insert_typed(&into, std::mem::take(&mut batch)).await?;
                into = insert_into(&name, &columns)?;
                width = columns.len();
            }
            Some(Line::End { rows: expected }) if expected == rows => {
                tx.insert_typed(&into, std::mem::take(&mut batch)).await?;
                return Ok(BackupSummary { rows, schema });
            }
            Some(Line::Row(_) | Line::Header { .. } | Line::End { .. }) => {
                return Err(damaged("the file is damaged"));
            }
            None => return Err(damaged("the file ends too early")),
        }
    }
}

/// Refuses a database that holds anything, and clears the few rows that a new one has.
async fn empty_first(tx: &mut Tx) -> Result<()> {
    for table in TABLES
        .iter()
        .filter(|table| !matches!(**table, "meta" | "counters" | "revisions"))
    {
        if tx
            .row(&format!("SELECT 1 FROM {table} LIMIT 1"), Vec::new())
            .await?
            .is_some()
        {
            return Err(StoreError::Refused("the database is not empty"));
        }
    }
    for table in ["meta", "counters", "revisions"] {
        tx.run(&format!("DELETE FROM {table}"), Vec::new()).await?;
    }
    Ok(())
}

/// Builds the head of an insert. Names come from a file, so only known tables and plain words are let through.
fn insert_into(table: &str, columns: &[String]) -> Result<String> {
    let is_word = |name: &String| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    if !TABLES.contains(&table) || !columns.iter().all(is_word) {
        return Err(StoreError::Backup(format!(
            "unknown table or column in {}",
            table.escape_debug()
        )));
    }
    Ok(format!("INSERT INTO {table} ({})", columns.join(", ")))
}

impl Tx {
    /// Inserts rows whose nulls have no type: they are written out instead of bound.
    async fn insert_typed(&mut self, into: &str, rows: Vec<Vec<Bind>>) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut values = Vec::new();
        let mut tuples = Vec::with_capacity(rows.len());
        for row in rows {
            let mut places = Vec::with_capacity(row.len());
            for value in row {
                if matches!(value, Bind::Text(None)) {
                    places.push("NULL".to_owned());
                } else {
                    values.push(value);
                    places.push(format!("${}", values.len()));
                }
            }
            tuples.push(format!("({})", places.join(", ")));
        }
        self.run(&format!("{into} VALUES {}", tuples.join(", ")), values)
            .await
            .map(drop)
    }
}

impl Reader {
    /// Lists tables that a backup would not contain: none, unless a migration forgot to name its table here.
    ///
    /// # Errors
    /// `engine`.
    pub async fn tables_without_backup(&mut self) -> Result<Vec<String>> {
        let mut tables = self.conn().tables().await?;
        tables.retain(|table| {
            table != MIGRATIONS && !TABLES.contains(&table.as_str()) && !DERIVED.contains(&table.as_str())
        });
        Ok(tables)
    }
}

fn to_json(cell: Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Int(value) => value.into(),
        Cell::Text(value) => value.into(),
        Cell::Bytes(value) => Value::Array(vec![to_hex(&value).into()]),
    }
}

fn from_json(value: &Value) -> Result<Bind> {
    let damaged = || StoreError::Backup("the file holds an unknown value".to_owned());
    match value {
        Value::Null => Ok(Bind::Text(None)),
        Value::Number(number) => Ok(Bind::Int(Some(number.as_i64().ok_or_else(damaged)?))),
        Value::String(text) => Ok(Bind::Text(Some(text.clone()))),
        Value::Array(bytes) => {
            let hex = bytes.first().and_then(Value::as_str).ok_or_else(damaged)?;
            Ok(Bind::Bytes(Some(from_hex(hex).ok_or_else(damaged)?)))
        }
        Value::Bool(_) | Value::Object(_) => Err(damaged()),
    }
}

fn create(path: &Path) -> Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    // Password hashes and personal data are inside.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .map_err(|error| StoreError::Backup(format!("{}: {error}", path.display())))
}

fn write_lines(file: std::fs::File, mut lines: mpsc::Receiver<Line>) -> Result<()> {
    use std::io::Write as _;
    let failed = |error: std::io::Error| StoreError::Backup(error.to_string());
    let mut file = std::io::BufWriter::new(file);
    while let Some(line) = lines.blocking_recv() {
        serde_json::to_writer(&mut file, &line).map_err(|error| StoreError::Backup(error.to_string()))?;
        file.write_all(b"\n").map_err(failed)?;
    }
    file.into_inner()
        .map_err(|error| failed(error.into_error()))?
        .sync_all()
        .map_err(failed)
}

fn read_lines(path: &Path, lines: &mpsc::Sender<Line>) -> Result<()> {
    use std::io::BufRead as _;
    let failed = |error: std::io::Error| StoreError::Backup(format!("{}: {error}", path.display()));
    let file = std::io::BufReader::new(std::fs::File::open(path).map_err(failed)?);
    for (number, line) in (1_u64..).zip(file.lines()) {
        let line = serde_json::from_str(&line.map_err(failed)?)
            .map_err(|_| StoreError::Backup(format!("line {number} is not a line of a backup")))?;
        if lines.blocking_send(line).is_err() {
            // The transaction has failed and says why.
            return Ok(());
        }
    }
    Ok(())
}
