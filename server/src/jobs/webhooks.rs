//! The pump of one node that calls webhooks. Any number of nodes may do so at once.

use std::time::Duration;

use tokio::sync::watch;

use crate::app::App;
use crate::flow::webhooks::delivering;

/// How often is looked whether something happened.
const PAUSE: Duration = Duration::from_secs(1);

/// Runs until told to stop.
pub(super) async fn pump(app: App, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        // A call is left without harm: it is made again.
        tokio::select! {
            delivered = delivering::deliver(&app) => {
                if let Err(error) = delivered {
                    tracing::warn!(error = crate::error::chain(&error), "webhooks could not be called");
                }
            }
            _ = stop.changed() => return,
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            _ = stop.changed() => {}
        }
    }
}
