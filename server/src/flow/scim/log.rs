//! The log of directories' requests, for admins.
//!
//! Entries wait in a bounded queue of this node and are written in batches by the job runner, so that logging neither
//! slows nor fails a request: where the queue is full or the store cannot be written, entries are dropped and counted.
//! Bodies are masked before they enter the queue.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use provost_store::{ScimRequest, StoreError};

use crate::app::App;
use crate::flow::scim::answer::Answer;
use crate::flow::scim::mask;

/// Entries that wait at most.
const MOST: usize = 4_000;
/// Entries that wake the runner before its time.
const MANY: usize = 500;
/// Entries of one transaction.
const BATCH: usize = 500;

/// Entries that wait to be written.
#[derive(Default)]
pub struct Queue(Mutex<VecDeque<ScimRequest>>);

impl Queue {
    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<ScimRequest>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Vec<ScimRequest> {
        let mut waiting = self.lock();
        let count = waiting.len().min(BATCH);
        waiting.drain(..count).collect()
    }
}

/// Adds an entry. Never waits.
pub fn add(app: &App, entry: ScimRequest) {
    let length = {
        let mut waiting = app.scim.log.lock();
        if waiting.len() >= MOST {
            drop(waiting);
            dropped(1);
            return;
        }
        waiting.push_back(entry);
        waiting.len()
    };
    if length == MANY {
        app.ring_jobs();
    }
}

/// Adds to an entry how its request ended.
pub fn conclude(entry: &mut ScimRequest, answer: &Answer) {
    entry.status = answer.status;
    let outcome = match answer.status {
        401 => "unauthenticated",
        429 => "too_fast",
        400..=499 | 501 => "refused",
        500.. => "failed",
        _ => "done",
    };
    outcome.clone_into(&mut entry.outcome);
    if let Some((code, detail)) = &answer.error {
        entry.code = Some(code.clone());
        entry.detail = Some(detail.clone());
    }
    entry.target.clone_from(&answer.target);
    entry.trace = answer.trace.as_ref().map(|trace| trace.as_str().to_owned());
    // Lists are the directory's own data over again; what was found is told by their numbers.
    entry.response = answer.body.as_ref().map(|body| match body.get("Resources") {
        Some(_) => serde_json::json!({
            "totalResults": body.get("totalResults"),
            "itemsPerPage": body.get("itemsPerPage"),
        })
        .to_string(),
        None => mask::written(body, 0),
    });
}

fn dropped(count: usize) {
    metrics::counter!("provost_scim_log_dropped_total").increment(u64::try_from(count).unwrap_or_default());
}

/// Writes what waits. Called by the runner of each node, and by whoever wants to read the log at once.
pub async fn flush(app: &App) {
    loop {
        let batch = app.scim.log.take();
        let count = batch.len();
        if count == 0 {
            return;
        }
        let written: Result<(), StoreError> = app
            .store
            .write(move |tx| Box::pin(async move { tx.insert_scim_requests(&batch).await }))
            .await;
        if let Err(error) = written {
            dropped(count);
            tracing::warn!(
                code = error.code(),
                count,
                "requests of directories could not be logged"
            );
            return;
        }
    }
}
