//! Sign-ins by day: counted in the transaction that decides them, so that a chart costs the same whatever the number of
//! people. Never reads the attempts themselves.

use jiff::Timestamp;
use provost_kernel::id::ConnectionId;
use provost_kernel::trace::{PASSWORD_SIGN_IN, SIGN_IN, Trace};

use crate::days;
use crate::error::Result;
use crate::tx::{Reader, Tx};
use crate::value::binds;

/// The connection under which the sign-ins of the whole instance are counted.
const INSTANCE: &str = "";

/// The sign-ins of one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignInDay {
    /// Days since 1970, in UTC.
    pub day: i64,
    /// Those that let somebody in.
    pub admitted: u64,
    /// Those that were refused.
    pub refused: u64,
}

impl Tx {
    /// Counts an attempt if it is a sign-in: for its connection, and for the instance. A password counts for the instance
    /// only. Of pieces, so that sign-ins at the same moment do not wait for each other.
    pub(crate) fn count_sign_in(&mut self, trace: &Trace, verdict: &str) {
        let connection = match trace.kind.as_str() {
            SIGN_IN => trace.connection.as_ref(),
            PASSWORD_SIGN_IN => None,
            _ => return,
        };
        let day = days::of(trace.at);
        let admitted = i64::from(verdict == "admitted");
        let places = connection.map_or(
            "($1, $2, {shard}, $3, $4)",
            |_| "($1, $2, {shard}, $3, $4), ($5, $2, {shard}, $3, $4)",
        );
        let sql = format!(
            "INSERT INTO sign_in_days (connection, day, shard, admitted, refused) VALUES {places} \
             ON CONFLICT (connection, day, shard) DO UPDATE SET admitted = sign_in_days.admitted + excluded.admitted, \
             refused = sign_in_days.refused + excluded.refused"
        );
        let mut row = binds![INSTANCE, day, admitted, 1 - admitted];
        row.extend(connection.map(Into::into));
        self.later(sql, row);
    }

    /// Removes counts of days before a moment. Returns how many rows went.
    ///
    /// # Errors
    /// `engine`.
    pub async fn purge_sign_in_days(&mut self, before: Timestamp) -> Result<u64> {
        let day = days::of(before);
        self.run("DELETE FROM sign_in_days WHERE day < $1", binds![day])
            .await
    }
}

impl Reader {
    /// Sums the sign-ins of connections by day, or with none those of the whole instance; days without any are left out.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn sign_in_days(
        &mut self,
        connections: Option<&[ConnectionId]>,
        since: i64,
    ) -> Result<Vec<SignInDay>> {
        let of: Vec<&str> = connections.map_or_else(
            || vec![INSTANCE],
            |connections| connections.iter().map(ConnectionId::as_str).collect(),
        );
        let sql = "SELECT day, CAST(SUM(admitted) AS BIGINT), CAST(SUM(refused) AS BIGINT) FROM sign_in_days \
                   WHERE connection IN ({list:$1}) AND day >= $2 GROUP BY day ORDER BY day";
        self.rows(sql, binds![crate::value::list(&of)?, since])
            .await?
            .into_iter()
            .map(|mut row| {
                Ok(SignInDay {
                    day: row.int("sign_in_days.day")?,
                    admitted: row.int("sign_in_days.admitted")?.unsigned_abs(),
                    refused: row.int("sign_in_days.refused")?.unsigned_abs(),
                })
            })
            .collect()
    }
}
