//! Counts of what a directory took away lately, for the guard against mass deactivation. Never decides what is too much.

use jiff::Timestamp;
use provost_kernel::facts::Departures;
use provost_kernel::id::ConnectionId;

use crate::engine::batch::{Apart, Query, Work};
use crate::error::Result;
use crate::tx::{Reader, Tx};
use crate::value::binds;

const MINUTE: i64 = 60_000;

/// The kind under which applied decisions count people whom a directory deactivated or deleted.
pub(crate) const DEPARTURE: &str = "departure";

impl Tx {
    /// Counts pushes of a kind, for example `deactivated` or `deleted`, in the minute of `now`.
    ///
    /// # Errors
    /// `engine`.
    pub async fn count_pushes(
        &mut self,
        connection: &ConnectionId,
        kind: &str,
        pushes: u32,
        now: Timestamp,
    ) -> Result<()> {
        let sql = "INSERT INTO push_counts (connection, kind, minute, shard, pushes) VALUES ($1, $2, $3, {shard}, $4) \
                   ON CONFLICT (connection, kind, minute, shard) DO UPDATE SET \
                   pushes = push_counts.pushes + excluded.pushes";
        let minute = now.as_millisecond().div_euclid(MINUTE);
        let query = Query::new(sql, binds![connection, kind, minute, pushes]);
        self.later_apart(Apart::Pushes, Work::Own(query), None).await
    }

    /// Removes counts of minutes before a moment. Returns how many rows went.
    ///
    /// # Errors
    /// `engine`.
    pub async fn purge_pushes(&mut self, before: Timestamp) -> Result<u64> {
        let minute = before.as_millisecond().div_euclid(MINUTE);
        self.run("DELETE FROM push_counts WHERE minute < $1", binds![minute])
            .await
    }
}

impl Reader {
    /// Returns how many people a directory deactivated or deleted since a moment, exact to the minute, and how many are
    /// active now. Whether an admin approved going on is not known here.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn departures(&mut self, connection: &ConnectionId, since: Timestamp) -> Result<Departures> {
        let recent = self.pushes_since(connection, &[DEPARTURE], since).await?;
        let (_, active) = self.directory_size(connection).await?;
        Ok(Departures {
            recent: u32::try_from(recent).unwrap_or(u32::MAX),
            active: u32::try_from(active).unwrap_or(u32::MAX),
            approved: false,
        })
    }

    /// Returns how many pushes of these kinds came since a moment, exact to the minute.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn pushes_since(
        &mut self,
        connection: &ConnectionId,
        kinds: &[&str],
        since: Timestamp,
    ) -> Result<u64> {
        let sql = "SELECT CAST(COALESCE(SUM(pushes), 0) AS BIGINT) FROM push_counts \
                   WHERE connection = $1 AND kind IN ({list:$2}) AND minute >= $3";
        let minute = since.as_millisecond().div_euclid(MINUTE);
        let row = self
            .row(sql, binds![connection, crate::value::list(kinds)?, minute])
            .await?;
        Ok(row
            .map(|mut row| row.int("push_counts"))
            .transpose()?
            .map_or(0, i64::unsigned_abs))
    }
}
