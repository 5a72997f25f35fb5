//! Claims due jobs and runs them, a few at a time, until told to stop. Any number of nodes may do so at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use provost_store::{JobRecord, StoreError};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{KINDS, Kind, kind, mail, new_job, webhooks};
use crate::app::App;
use crate::flow::defaults;
use crate::flow::openid::notify;
use crate::flow::scim::log;

/// Jobs that one node runs at a time.
const PARALLEL: usize = 8;
/// How often the store is asked when nothing rings.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a claim lasts; then another node may take the job.
const LEASE: SignedDuration = SignedDuration::from_secs(90);
/// How long one job may take; shorter than the lease, so that no two nodes run it at once.
const LIMIT: Duration = Duration::from_mins(1);

/// The runner of one node.
pub struct Runner {
    app: App,
    worker: String,
    stop: watch::Receiver<bool>,
}

impl Runner {
    /// Starts running jobs; ends after `stop` becomes true and the running jobs have ended.
    pub fn start(app: App, stop: watch::Receiver<bool>) -> tokio::task::JoinHandle<()> {
        let worker = app.world.id("node_").unwrap_or_else(|_| "node".to_owned());
        tokio::spawn(Self { app, worker, stop }.run())
    }

    async fn run(mut self) {
        let pump = tokio::spawn(mail::pump(self.app.clone(), self.stop.clone()));
        let caller = tokio::spawn(webhooks::pump(self.app.clone(), self.stop.clone()));
        let mut running = JoinSet::new();
        let mut seen_slots = HashMap::new();
        while !*self.stop.borrow() {
            self.queue_recurring(&mut seen_slots).await;
            if let Err(error) = notify::sweep(&self.app).await {
                tracing::warn!(code = error.code(), "apps of ended sessions could not be found");
            }
            if let Err(error) = defaults::refresh(&self.app).await {
                tracing::warn!(
                    code = error.code(),
                    "the defaults of the instance could not be read"
                );
            }
            log::flush(&self.app).await;
            let free = PARALLEL.saturating_sub(running.len());
            let claimed = if free == 0 {
                Vec::new()
            } else {
                self.claim(free).await
            };
            let is_full = claimed.len() == free;
            for job in claimed {
                running.spawn(run_one(self.app.clone(), self.worker.clone(), job));
            }
            while running.try_join_next().is_some() {}
            if is_full && running.len() < PARALLEL {
                continue;
            }
            tokio::select! {
                () = self.app.jobs_rung() => {}
                () = tokio::time::sleep(PAUSE) => {}
                _ = running.join_next(), if !running.is_empty() => {}
                _ = self.stop.changed() => {}
            }
        }
        while running.join_next().await.is_some() {}
        // An error only says that it has ended already.
        let _ = pump.await;
        let _ = caller.await;
        log::flush(&self.app).await;
    }

    /// Queues what comes round by itself: one job for each slot of time, whichever node is first.
    async fn queue_recurring(&self, seen: &mut HashMap<&'static str, i64>) {
        let now = self.app.world.now();
        for kind in KINDS {
            let Some(slot) = kind.slot(now) else { continue };
            if seen.get(kind.name) == Some(&slot) {
                continue;
            }
            let key = format!("{}:{slot}", kind.name);
            let Ok(job) = new_job(&self.app.world, kind.name, Some(key), serde_json::Value::Null) else {
                return;
            };
            let queued: Result<bool, StoreError> = self
                .app
                .store
                .write(move |tx| Box::pin(async move { tx.enqueue(&job, now).await }))
                .await;
            match queued {
                Ok(_) => {
                    seen.insert(kind.name, slot);
                }
                Err(error) => {
                    tracing::warn!(kind = kind.name, code = error.code(), "a job could not be queued");
                }
            }
        }
    }

    async fn claim(&self, free: usize) -> Vec<JobRecord> {
        let names: Arc<[&'static str]> = KINDS.iter().map(|kind| kind.name).collect();
        let count = u32::try_from(free).unwrap_or(1);
        let (worker, now) = (self.worker.clone(), self.app.world.now());
        let claimed: Result<Vec<JobRecord>, StoreError> = self
            .app
            .store
            .write(move |tx| Box::pin(async move { tx.claim_jobs(&names, count, LEASE, &worker, now).await }))
            .await;
        claimed.unwrap_or_else(|error| {
            tracing::warn!(code = error.code(), "jobs could not be claimed");
            Vec::new()
        })
    }
}

async fn run_one(app: App, worker: String, record: JobRecord) {
    let Some(kind) = kind(&record.job.kind) else {
        return;
    };
    let work = tokio::time::timeout(LIMIT, (kind.work)(&app, &record.job.payload)).await;
    let outcome =
        work.unwrap_or_else(|_| Err(anyhow::anyhow!("took longer than {} seconds", LIMIT.as_secs())));
    let now = app.world.now();
    let id = record.job.id.clone();
    let (written, label): (Result<bool, StoreError>, _) = match outcome {
        Ok(()) => {
            let done = app
                .store
                .write(move |tx| Box::pin(async move { tx.complete_job(&id, &worker, now).await }));
            (done.await, "done")
        }
        Err(error) => {
            let retry = retry_at(kind, record.attempts, now);
            tracing::warn!(
                kind = kind.name,
                attempts = record.attempts,
                given_up = retry.is_none(),
                error = format!("{error:#}"),
                "a job failed"
            );
            let text: String = format!("{error:#}").chars().take(500).collect();
            let failed = app
                .store
                .write(move |tx| Box::pin(async move { tx.fail_job(&id, &worker, &text, retry, now).await }));
            (failed.await, if retry.is_some() { "failed" } else { "given_up" })
        }
    };
    metrics::counter!("provost_jobs_total", "kind" => kind.name, "outcome" => label).increment(1);
    if let Err(error) = written {
        // The lease ends by itself and the job runs again.
        tracing::warn!(
            kind = kind.name,
            code = error.code(),
            "the outcome of a job could not be written"
        );
    }
}

fn retry_at(kind: &Kind, attempts: i64, now: jiff::Timestamp) -> Option<jiff::Timestamp> {
    let failures = usize::try_from(attempts.max(1)).unwrap_or(usize::MAX);
    let seconds = kind.retries.get(failures - 1)?;
    now.checked_add(SignedDuration::from_secs(*seconds)).ok()
}
