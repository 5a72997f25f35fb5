//! The pump of one node: sends mail that waits, and moves conversion runs on. Any number of nodes may do so at once.

use std::time::Duration;

use tokio::sync::watch;

use crate::app::App;
use crate::flow::conversions::run;
use crate::flow::mail;

/// How often the store is asked when nothing rings.
const PAUSE: Duration = Duration::from_secs(1);

/// Runs until told to stop. Neither kind of work waits for the other.
pub(super) async fn pump(app: App, stop: watch::Receiver<bool>) {
    tokio::join!(send(app.clone(), stop.clone()), convert(app, stop));
}

async fn send(app: App, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        if let Err(error) = mail::deliver(&app).await {
            tracing::warn!(error = crate::error::chain(&error), "mail could not be sent");
        }
        tokio::select! {
            () = app.mail_rung() => {}
            () = tokio::time::sleep(PAUSE) => {}
            _ = stop.changed() => {}
        }
    }
}

async fn convert(app: App, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        // A run may take minutes, and is left between two writes without harm.
        tokio::select! {
            advanced = run::advance(&app) => {
                if let Err(error) = advanced {
                    tracing::warn!(error = crate::error::chain(&error), "a conversion run broke off");
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
