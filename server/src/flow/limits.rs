//! How often a client may try. Counted in the store, so that the limit holds across nodes.

use crate::app::App;
use crate::error::{AppError, Result};

/// Something that may be tried so often only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limited {
    /// Asking which provider serves an address, by client address.
    Discovery,
    /// Beginning a sign-in, by client address.
    Start,
    /// Presenting an answer of a provider, by client address.
    Answer,
    /// Requests of apps that are kept while their person signs in, by client address.
    Authorize,
    /// Password attempts, by client address.
    PasswordByClient,
    /// Password attempts, by client address and account address together: an attacker elsewhere cannot use it up.
    PasswordByBoth,
}

impl Limited {
    /// Returns the name in the key, the window in seconds and how often.
    const fn rule(self) -> (&'static str, u32, u32) {
        match self {
            Self::Discovery => ("discovery", 60, 60),
            Self::Start => ("start", 60, 120),
            // Whole offices sit behind one address at nine in the morning.
            Self::Answer => ("answer", 60, 600),
            Self::Authorize => ("authorize", 60, 600),
            Self::PasswordByClient => ("password", 300, 50),
            Self::PasswordByBoth => ("password_both", 900, 10),
        }
    }
}

/// Counts one try.
///
/// # Errors
/// 429 above the limit; those of the store.
pub async fn count(app: &App, what: Limited, key: &str) -> Result<()> {
    let (name, window, limit) = what.rule();
    let key = format!("{name}:{key}");
    let now = app.world.now();
    let hit = app
        .store
        .write(move |tx| Box::pin(async move { tx.hit(&key, window, limit, now).await }))
        .await?;
    if hit.allowed {
        return Ok(());
    }
    metrics::counter!("provost_rate_limited_total", "what" => name).increment(1);
    Err(AppError::too_many(
        u64::try_from(hit.retry_after_seconds).unwrap_or(1),
    ))
}
