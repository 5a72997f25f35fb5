//! Readiness: whether this node can do its work.

use std::time::Duration;

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

/// How long the database may take. Whoever asks gives up soon; "not ready" must come before that, and an absent database
/// answers nothing at all.
const PATIENCE: Duration = Duration::from_secs(2);

/// Checks what a request would need: a read, and a write transaction, which a full disk, a lost lock or a
/// read-only replica would refuse.
pub async fn check(app: &App) -> Report {
    let write = app
        .store
        .write::<_, (), StoreError>(|_tx| Box::pin(async { Ok(()) }));
    let both = async {
        app.store.ping().await?;
        write.await
    };
    let outcome = tokio::time::timeout(PATIENCE, both)
        .await
        .unwrap_or(Err(StoreError::TimedOut));
    if let Err(error) = &outcome {
        tracing::error!(
            code = error.code(),
            source = crate::error::chain(error),
            "the database is not ready"
        );
    }
    Report {
        database: outcome.is_ok(),
    }
}
