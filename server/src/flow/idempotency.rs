//! Requests that are sent again: the first answer is kept for a day under the caller's key, and given again.
//!
//! Of requests that come at the same moment, one is carried out and the others wait for its answer. A node that dies in
//! between holds the key until its lease ends; then the request is carried out anew, and finds what is already there.

use std::time::Duration;

use jiff::SignedDuration;
use provost_store::{Claim, KeptAnswer, StoreError};

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::api_keys::Caller;
use crate::world::digest_of;

/// For how long an answer is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(24);
/// For how long a request may be carried out, well above the time limit of every endpoint.
const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// How long a request waits for its twin, and how often it looks.
const LOOKS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(100);
/// Longest key.
pub const LONGEST_KEY: usize = 200;

/// What is to be done with a request.
pub enum Turn {
    /// It is carried out; its answer is kept under this.
    Go(String),
    /// It was, and this was the answer.
    Again(KeptAnswer),
}

/// Finds out whose turn it is. `request` is everything that makes the request what it is.
///
/// # Errors
/// 409 (`idempotency_key_reused`) for a key that another request has used, 409 (`idempotency_key_busy`) when the twin takes
/// too long; those of the store.
pub async fn begin(app: &App, caller: &Caller, key: &str, request: &str) -> Result<Turn> {
    let id = digest_of(&format!("{}\n{key}", caller.key));
    let digest = digest_of(request);
    for _ in 0..LOOKS {
        let now = app.world.now();
        let (lease, expires) = (after(now, LEASE), after(now, KEPT));
        let (wanted, asked) = (id.clone(), digest.clone());
        let claim = app
            .store
            .write(move |tx| {
                Box::pin(async move { tx.claim_request(&wanted, &asked, lease, expires, now).await })
            })
            .await;
        match claim {
            Ok(Claim::Mine) => return Ok(Turn::Go(id)),
            Ok(Claim::Answered(answer)) => return Ok(Turn::Again(answer)),
            Ok(Claim::Different) => {
                return Err(AppError::conflict(
                    "idempotency_key_reused",
                    "This Idempotency-Key was used for another request. Use a new one for each.",
                ));
            }
            Ok(Claim::Busy) => tokio::time::sleep(PAUSE).await,
            Err(error) if error.is_retryable() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(AppError::conflict(
        "idempotency_key_busy",
        "The same request is being carried out. Ask again in a moment.",
    ))
}

/// Keeps the answer of a request that was carried out; without one, the key is free again.
///
/// # Errors
/// Those of the store.
pub async fn end(app: &App, id: String, answer: Option<KeptAnswer>) -> Result<(), StoreError> {
    app.store
        .write(move |tx| {
            Box::pin(async move {
                match answer {
                    Some(answer) => tx.keep_answer(&id, &answer).await,
                    None => tx.release_request(&id).await,
                }
            })
        })
        .await
}

fn after(now: jiff::Timestamp, by: SignedDuration) -> jiff::Timestamp {
    now.checked_add(by).unwrap_or(jiff::Timestamp::MAX)
}
