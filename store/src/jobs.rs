//! Background jobs: claimed by one worker at a time on any node, repeated until done or given up. Never runs one.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::error::Result;
use crate::tx::{Reader, Tx};
use crate::value::{Row, binds, json, list};

/// A job to be done.
#[derive(Clone, Debug, PartialEq)]
pub struct NewJob {
    /// Identifier.
    pub id: String,
    /// Kind, as a stable word.
    pub kind: String,
    /// At most one job is ever kept under a key.
    pub idempotency_key: Option<String>,
    /// What the worker needs.
    pub payload: Value,
    /// When it may run at the earliest.
    pub run_at: Timestamp,
}

/// How much work waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobBacklog {
    /// Jobs that are due or running.
    pub due: u32,
    /// Since when the oldest of them has been due.
    pub oldest: Option<Timestamp>,
    /// Jobs that were given up.
    pub dead: u32,
}

/// A job as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct JobRecord {
    /// The job.
    pub job: NewJob,
    /// How often it was claimed.
    pub attempts: i64,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// When it was given up.
    pub dead_at: Option<Timestamp>,
}

const COLUMNS: &str = "id, kind, idempotency_key, payload, run_at, attempts, last_error, dead_at";

impl Tx {
    /// Queues a job. False if one with the same idempotency key or id is kept already.
    ///
    /// # Errors
    /// `engine`.
    pub async fn enqueue(&mut self, job: &NewJob, now: Timestamp) -> Result<bool> {
        let sql = "INSERT INTO jobs (id, kind, idempotency_key, payload, run_at, attempts, created_at) \
                   VALUES ($1, $2, $3, $4, $5, 0, $6) ON CONFLICT DO NOTHING";
        let row = binds![
            &job.id,
            &job.kind,
            &job.idempotency_key,
            json(&job.payload)?,
            job.run_at,
            now
        ];
        Ok(self.run(sql, row).await? > 0)
    }

    /// Claims up to `count` due jobs of these kinds for `worker` until the lease ends; then others may claim them.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn claim_jobs(
        &mut self,
        kinds: &[&str],
        count: u32,
        lease: SignedDuration,
        worker: &str,
        now: Timestamp,
    ) -> Result<Vec<JobRecord>> {
        let sql = "SELECT id FROM jobs WHERE kind IN ({list:$1}) AND run_at <= $2 AND done_at IS NULL AND dead_at IS NULL \
                   AND (locked_until IS NULL OR locked_until <= $2) ORDER BY run_at, id LIMIT $3{skip_locked}";
        let mut due = Vec::new();
        for mut row in self.rows(sql, binds![list(kinds)?, now, count]).await? {
            due.push(row.text("jobs.id")?);
        }
        if due.is_empty() {
            return Ok(Vec::new());
        }
        let until = now.checked_add(lease).unwrap_or(Timestamp::MAX);
        let sql = format!(
            "UPDATE jobs SET locked_until = $2, locked_by = $3, attempts = attempts + 1 WHERE id IN ({{list:$1}}) \
             RETURNING {COLUMNS}"
        );
        let mut jobs = Vec::with_capacity(due.len());
        for row in self.rows(&sql, binds![list(&due)?, until, worker]).await? {
            jobs.push(record(row)?);
        }
        jobs.sort_by(|a, b| (a.job.run_at, &a.job.id).cmp(&(b.job.run_at, &b.job.id)));
        Ok(jobs)
    }

    /// Marks a job as done. False if the lease was lost to another worker.
    ///
    /// # Errors
    /// `engine`.
    pub async fn complete_job(&mut self, id: &str, worker: &str, now: Timestamp) -> Result<bool> {
        let sql = "UPDATE jobs SET done_at = $3, locked_until = NULL, locked_by = NULL \
                   WHERE id = $1 AND locked_by = $2 AND done_at IS NULL";
        Ok(self.run(sql, binds![id, worker, now]).await? > 0)
    }

    /// Puts a failed job back until `retry_at`, or gives it up if there is none. False if the lease was lost.
    ///
    /// # Errors
    /// `engine`.
    pub async fn fail_job(
        &mut self,
        id: &str,
        worker: &str,
        error: &str,
        retry_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<bool> {
        let sql = "UPDATE jobs SET last_error = $3, run_at = $4, dead_at = $5, locked_until = NULL, locked_by = NULL \
                   WHERE id = $1 AND locked_by = $2 AND done_at IS NULL";
        let dead_at = if retry_at.is_none() { Some(now) } else { None };
        Ok(self
            .run(sql, binds![id, worker, error, retry_at.unwrap_or(now), dead_at])
            .await?
            > 0)
    }
}

impl Reader {
    /// Finds a job.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn job(&mut self, id: &str) -> Result<Option<JobRecord>> {
        self.row(&format!("SELECT {COLUMNS} FROM jobs WHERE id = $1"), binds![id])
            .await?
            .map(record)
            .transpose()
    }

    /// Measures how much work waits.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn job_backlog(&mut self, now: Timestamp) -> Result<JobBacklog> {
        let sql = "SELECT COUNT(*), MIN(run_at) FROM jobs WHERE run_at <= $1 AND done_at IS NULL AND dead_at IS NULL";
        let mut backlog = JobBacklog::default();
        if let Some(mut row) = self.row(sql, binds![now]).await? {
            backlog.due = row.count("jobs.due")?;
            backlog.oldest = row.opt_time("jobs.run_at")?;
        }
        let sql = "SELECT COUNT(*) FROM jobs WHERE dead_at IS NOT NULL";
        if let Some(mut row) = self.row(sql, binds![]).await? {
            backlog.dead = row.count("jobs.dead")?;
        }
        Ok(backlog)
    }

    /// Lists jobs that were given up, oldest first.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn dead_jobs(&mut self, limit: u32) -> Result<Vec<JobRecord>> {
        let sql =
            format!("SELECT {COLUMNS} FROM jobs WHERE dead_at IS NOT NULL ORDER BY dead_at, id LIMIT $1");
        self.rows(&sql, binds![limit])
            .await?
            .into_iter()
            .map(record)
            .collect()
    }
}

/// A job as a list shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct JobSight {
    /// The job.
    pub record: JobRecord,
    /// When it was queued.
    pub created_at: Timestamp,
    /// When it was done.
    pub done_at: Option<Timestamp>,
    /// Until when a worker holds it.
    pub locked_until: Option<Timestamp>,
}

impl Reader {
    /// Finds the jobs that were queued under these keys.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn jobs_by_key(&mut self, keys: &[String]) -> Result<Vec<JobSight>> {
        let sql = format!(
            "SELECT {COLUMNS}, created_at, done_at, locked_until FROM jobs WHERE idempotency_key IN ({{list:$1}})"
        );
        let rows = self.rows(&sql, binds![list(keys)?]).await?;
        rows.into_iter().map(sight).collect()
    }

    /// Lists jobs of a kind, or of all, newest first by time of queueing, before one.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn jobs(
        &mut self,
        kind: Option<&str>,
        before: Option<(Timestamp, &str)>,
        limit: u32,
    ) -> Result<Vec<JobSight>> {
        let (at, id) = before.map_or((i64::MAX, ""), |(at, id)| (at.as_millisecond(), id));
        let sql = format!(
            "SELECT {COLUMNS}, created_at, done_at, locked_until FROM jobs WHERE ($1 IS NULL OR kind = $1) \
             AND (created_at < $2 OR (created_at = $2 AND id < $3)) ORDER BY created_at DESC, id DESC LIMIT $4"
        );
        let rows = self.rows(&sql, binds![kind, at, id, limit]).await?;
        rows.into_iter().map(sight).collect()
    }
}

fn sight(mut row: Row) -> Result<JobSight> {
    Ok(JobSight {
        record: take(&mut row)?,
        created_at: row.time("jobs.created_at")?,
        done_at: row.opt_time("jobs.done_at")?,
        locked_until: row.opt_time("jobs.locked_until")?,
    })
}

fn record(mut row: Row) -> Result<JobRecord> {
    take(&mut row)
}

fn take(row: &mut Row) -> Result<JobRecord> {
    let job = NewJob {
        id: row.text("jobs.id")?,
        kind: row.text("jobs.kind")?,
        idempotency_key: row.opt_text("jobs.idempotency_key")?,
        payload: row.json("jobs.payload")?,
        run_at: row.time("jobs.run_at")?,
    };
    Ok(JobRecord {
        job,
        attempts: row.int("jobs.attempts")?,
        last_error: row.opt_text("jobs.last_error")?,
        dead_at: row.opt_time("jobs.dead_at")?,
    })
}
