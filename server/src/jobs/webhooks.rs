//! The pump of one node that calls webhooks. Any number of nodes may do so at once.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::app::App;
use crate::error::Result;
use crate::flow::webhooks::delivering::{self, LANES};

/// How often is looked whether something happened.
const PAUSE: Duration = Duration::from_secs(1);

/// Runs until told to stop. Each webhook that is called takes one lane, so that a slow one holds up none of the others. Calls that
/// run at the end are left without harm: they are made again.
pub(super) async fn pump(app: App, mut stop: watch::Receiver<bool>) {
    let mut running = JoinSet::new();
    while !*stop.borrow() {
        let begun = tokio::select! {
            begun = begin(&app, &mut running) => begun,
            _ = stop.changed() => return,
        };
        let is_busy = begun.unwrap_or_else(|error| {
            tracing::warn!(
                error = crate::error::chain(&error),
                "webhooks could not be called"
            );
            false
        });
        let is_full = running.len() >= LANES;
        tokio::select! {
            Some(done) = running.join_next(), if is_busy || is_full => told(done),
            () = tokio::time::sleep(PAUSE) => {}
            _ = stop.changed() => {}
        }
        while let Some(done) = running.try_join_next() {
            told(done);
        }
    }
}

/// Begins calling what is due. Tells whether anything was.
async fn begin(app: &App, running: &mut JoinSet<Result<usize>>) -> Result<bool> {
    delivering::spread(app).await?;
    let free = LANES.saturating_sub(running.len());
    if free == 0 {
        return Ok(false);
    }
    let claimed = delivering::claim(app, free).await?;
    let is_busy = !claimed.is_empty();
    for id in claimed {
        let app = app.clone();
        running.spawn(async move { delivering::call_webhook(&app, &id).await });
    }
    Ok(is_busy)
}

fn told(done: std::result::Result<Result<usize>, tokio::task::JoinError>) {
    match done {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::warn!(
            error = crate::error::chain(&error),
            "a webhook could not be called"
        ),
        Err(error) => tracing::warn!(%error, "a call of a webhook broke off"),
    }
}
