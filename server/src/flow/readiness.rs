//! Readiness: whether this node can do its work.

use provost_store::StoreError;
use serde::Serialize;

use crate::app::App;

/// What `/readyz` answers. Names what is wrong in general terms; details are in the log.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Whether the database can be written and its schema is current.
    pub database: bool,
}

impl Report {
    /// Tells whether everything is in order.
    pub const fn is_ready(&self) -> bool {
        self.database
    }
}

/// Checks what a request would need: a read, and a write transaction, which a full disk, a lost lock or a
/// read-only replica would refuse.
pub async fn check(app: &App) -> Report {
    let read = app.store.ping().await;
    let write = app
        .store
        .write::<_, (), StoreError>(|_tx| Box::pin(async { Ok(()) }))
        .await;
    for error in [read.as_ref().err(), write.as_ref().err()].into_iter().flatten() {
        tracing::error!(
            code = error.code(),
            source = crate::error::chain(error),
            "the database is not ready"
        );
    }
    Report {
        database: read.is_ok() && write.is_ok(),
    }
}
