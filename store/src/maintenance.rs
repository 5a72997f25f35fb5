//! Removing what has expired, in small batches so that other writers hardly wait. Never touches accounts, audit or events.

use jiff::{SignedDuration, Timestamp};

use crate::error::Result;
use crate::tx::Tx;
use crate::value::binds;

/// Until when things are kept; everything older goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Traces decided before this.
    pub traces_before: Timestamp,
    /// Sessions, codes and refresh tokens that ended before this; keep them a while so that reuse is still noticed.
    pub ended_before: Timestamp,
    /// Jobs done before this; their idempotency keys are free again.
    pub jobs_before: Timestamp,
}

/// Counts of pushes older than this are of no window of the guard against mass deactivation.
const LONGEST_WINDOW: SignedDuration = SignedDuration::from_hours(24 * 31);
/// No chart goes back further.
const LONGEST_CHART: SignedDuration = SignedDuration::from_hours(24 * 400);

impl Tx {
    /// Removes up to `batch` expired rows of each kind and returns how many went. Repeat until that is 0.
    ///
    /// # Errors
    /// `engine`.
    pub async fn purge(&mut self, retention: &Retention, batch: u32, now: Timestamp) -> Result<u64> {
        let rules = [
            ("login_requests", "id", "expires_at < $1", now),
            ("authorize_requests", "id", "expires_at < $1", now),
            ("spent_proofs", "proof_key", "until < $1", now),
            ("rate_limits", "key", "expires_at < $1", now),
            ("half_sign_ins", "digest", "expires_at < $1", now),
            ("known_devices", "digest", "expires_at < $1", now),
            ("idempotency_keys", "id", "expires_at < $1", now),
            (
                "authorization_codes",
                "digest",
                "expires_at < $1",
                retention.ended_before,
            ),
            (
                "refresh_tokens",
                "digest",
                "absolute_expires_at < $1",
                retention.ended_before,
            ),
            ("sessions", "id", "ends_at < $1", retention.ended_before),
            ("traces", "id", "at < $1", retention.traces_before),
            ("jobs", "id", "done_at < $1", retention.jobs_before),
            ("bulk_runs", "id", "finished_at < $1", retention.jobs_before),
            // Only those that a client gets anew by itself: a token that a person made stays in the list.
            ("tokens", "id", "kind = 'scim_access' AND expires_at < $1", now),
        ];
        let mut gone = 0;
        for (table, key, condition, before) in rules {
            let sql = format!(
                "DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} WHERE {condition} LIMIT $2)"
            );
            gone += self.run(&sql, binds![before, batch]).await?;
        }
        let window = now.checked_sub(LONGEST_WINDOW).unwrap_or(Timestamp::MIN);
        let chart = now.checked_sub(LONGEST_CHART).unwrap_or(Timestamp::MIN);
        Ok(gone + self.purge_pushes(window).await? + self.purge_sign_in_days(chart).await?)
    }
}
