//! Rate limits that hold across all nodes: fixed windows, one row for each key. Never decides what to limit.

use jiff::Timestamp;

use crate::error::{Result, StoreError};
use crate::tx::Tx;
use crate::value::binds;

/// The answer to one hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Whether the hit is within the limit.
    pub allowed: bool,
    /// How many more are allowed in this window.
    pub remaining: u32,
    /// Seconds until the window ends, at least 1.
    pub retry_after_seconds: i64,
}

impl Tx {
    /// Counts a hit on `key`: at most `limit` are allowed in each window of `window_seconds`.
    ///
    /// # Errors
    /// `engine`.
    pub async fn hit(
        &mut self,
        key: &str,
        window_seconds: u32,
        limit: u32,
        now: Timestamp,
    ) -> Result<RateLimit> {
        self.hit_times(key, window_seconds, limit, 1, now).await
    }

    /// Counts several hits on `key` at once; allowed only if all of them are within the limit.
    ///
    /// # Errors
    /// `engine`.
    pub async fn hit_times(
        &mut self,
        key: &str,
        window_seconds: u32,
        limit: u32,
        times: u32,
        now: Timestamp,
    ) -> Result<RateLimit> {
        let length = i64::from(window_seconds.max(1)) * 1000;
        let at = now.as_millisecond();
        let start = at - at.rem_euclid(length);
        let sql = "INSERT INTO rate_limits (key, window_start, hits, expires_at) VALUES ($1, $2, $4, $3) \
                   ON CONFLICT (key) DO UPDATE SET \
                   hits = CASE WHEN rate_limits.window_start = excluded.window_start THEN rate_limits.hits + $4 ELSE $4 END, \
                   window_start = excluded.window_start, expires_at = excluded.expires_at RETURNING hits";
        let row = self.row(sql, binds![key, start, start + length, times]).await?;
        let hits = row
            .ok_or(StoreError::Corrupt("rate_limits"))?
            .int("rate_limits.hits")?;
        let left = i64::from(limit) - hits;
        Ok(RateLimit {
            allowed: left >= 0,
            remaining: u32::try_from(left.max(0)).unwrap_or(u32::MAX),
            retry_after_seconds: ((start + length - at) / 1000).max(1),
        })
    }
}
