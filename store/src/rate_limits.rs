//! Rate limits that hold across all nodes: fixed windows, one row for each key. Never decides what to limit.

use jiff::Timestamp;

use crate::engine::batch::Query;
use crate::error::{Result, StoreError};
use crate::tx::Tx;
use crate::value::{Row, binds};

const COUNT: &str = "INSERT INTO rate_limits (key, window_start, hits, expires_at) VALUES ($1, $2, 1, $3) \
    ON CONFLICT (key) DO UPDATE SET \
    hits = CASE WHEN rate_limits.window_start = excluded.window_start THEN rate_limits.hits + 1 ELSE 1 END, \
    window_start = excluded.window_start, expires_at = excluded.expires_at";

/// What was counted on a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hits {
    window_start: i64,
    hits: i64,
}

impl Hits {
    /// Asks for the hits on `key`.
    pub(crate) fn query(key: &str) -> Query {
        let sql = "SELECT window_start, hits FROM rate_limits WHERE key = $1";
        Query::new(sql, binds![key])
    }

    /// Reads the answer to [`Self::query`].
    pub(crate) fn read(mut row: Row) -> Result<Self> {
        Ok(Self {
            window_start: row.int("rate_limits.window_start")?,
            hits: row.int("rate_limits.hits")?,
        })
    }

    /// Returns the seconds until the next hit is allowed, if that is not now.
    pub fn retry_after(&self, window_seconds: u32, limit: u32, now: Timestamp) -> Option<i64> {
        let (start, end) = window(window_seconds, now);
        let used_up = self.window_start == start && self.hits >= i64::from(limit);
        used_up.then(|| seconds_until(end, now))
    }
}

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

/// The window that `now` is in: its beginning and end in milliseconds.
fn window(window_seconds: u32, now: Timestamp) -> (i64, i64) {
    let length = i64::from(window_seconds.max(1)) * 1000;
    let at = now.as_millisecond();
    let start = at - at.rem_euclid(length);
    (start, start + length)
}

fn seconds_until(end: i64, now: Timestamp) -> i64 {
    ((end - now.as_millisecond()) / 1000).max(1)
}

impl Tx {
    /// Queues a hit on `key`, of which `limit` are allowed in each window of `window_seconds`. The job fails with
    /// `too_many` if this one is not, and nothing of it is kept, the hit included.
    pub fn hit_or_fail(&mut self, key: &str, window_seconds: u32, limit: u32, now: Timestamp) {
        let (start, end) = window(window_seconds, now);
        let sql = format!(
            "{COUNT} WHERE rate_limits.window_start <> excluded.window_start OR rate_limits.hits < $4"
        );
        let too_many = StoreError::TooMany(seconds_until(end, now));
        self.later_exactly(1, sql, binds![key, start, end, limit], too_many);
    }

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
        let (start, end) = window(window_seconds, now);
        let sql = "INSERT INTO rate_limits (key, window_start, hits, expires_at) VALUES ($1, $2, $4, $3) \
                   ON CONFLICT (key) DO UPDATE SET \
                   hits = CASE WHEN rate_limits.window_start = excluded.window_start THEN rate_limits.hits + $4 ELSE $4 END, \
                   window_start = excluded.window_start, expires_at = excluded.expires_at RETURNING hits";
        let row = self.row(sql, binds![key, start, end, times]).await?;
        let hits = row
            .ok_or(StoreError::Corrupt("rate_limits"))?
            .int("rate_limits.hits")?;
        let left = i64::from(limit) - hits;
        Ok(RateLimit {
            allowed: left >= 0,
            remaining: u32::try_from(left.max(0)).unwrap_or(u32::MAX),
            retry_after_seconds: seconds_until(end, now),
        })
    }
}
