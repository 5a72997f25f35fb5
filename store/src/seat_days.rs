//! Seats by day, pool and kind of account: what was counted last on a day, and the most that was counted. A row is written
//! when something differs from the row before, so a day without one is like the day before. Never counts: the caller does.

use provost_kernel::directory::AccountKind;
use provost_kernel::id::{LicenseId, OrganizationId};

use crate::error::Result;
use crate::tx::{Reader, Tx};
use crate::value::{Row, binds, to_word};

/// What was counted on a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SeatsCounted {
    /// Seats held when it was counted last.
    pub used: u32,
    /// The most that were held when it was counted.
    pub most: u32,
    /// People who waited when it was counted last.
    pub waiting: u32,
    /// Seats that could be held; none without limit.
    pub seats: Option<u32>,
}

/// Seats of one pool, or of all, and one kind of account on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeatDay {
    /// The pool; none for all pools together.
    pub license: Option<LicenseId>,
    /// Which kind.
    pub kind: AccountKind,
    /// Day since 1970, in UTC.
    pub day: i64,
    /// What was counted.
    pub counted: SeatsCounted,
}

impl SeatDay {
    /// Tells whether this says nothing that is not known from the row before: of the same day or an earlier one, or from there
    /// being none, as of a pool that nobody ever used.
    pub fn is_known_from(&self, last: Option<&Self>) -> bool {
        let now = &self.counted;
        match last {
            Some(last) => {
                let then = &last.counted;
                (then.used, then.waiting, then.seats) == (now.used, now.waiting, now.seats)
                    && (last.day < self.day || then.most >= now.most)
            }
            None => now.used == 0 && now.waiting == 0,
        }
    }
}

const COLUMNS: &str = "SELECT license, kind, day, used, most, waiting, seats FROM seat_days";

impl Tx {
    /// Keeps what was counted on a day. Of several counts the last one stays, with the most of all.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn put_seat_day(&mut self, organization: &OrganizationId, counted: &SeatDay) -> Result<()> {
        let sql = "INSERT INTO seat_days (organization, license, kind, day, used, most, waiting, seats) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (organization, license, kind, day) DO UPDATE SET \
                   used = excluded.used, waiting = excluded.waiting, seats = excluded.seats, \
                   most = CASE WHEN seat_days.most > excluded.most THEN seat_days.most ELSE excluded.most END";
        let row = binds![
            organization,
            counted.license.as_ref().map_or("", LicenseId::as_str),
            to_word(&counted.kind)?,
            counted.day,
            counted.counted.used,
            counted.counted.most,
            counted.counted.waiting,
            counted.counted.seats
        ];
        self.run(sql, row).await.map(drop)
    }

    /// Forgets days before one, and returns how many rows went. The last row of each pool and kind before that day stays: the days
    /// after it are like it.
    ///
    /// # Errors
    /// `engine`.
    pub async fn purge_seat_days(&mut self, before: i64) -> Result<u64> {
        let sql = "DELETE FROM seat_days WHERE day < $1 AND EXISTS (SELECT 1 FROM seat_days n \
                   WHERE n.organization = seat_days.organization AND n.license = seat_days.license \
                   AND n.kind = seat_days.kind AND n.day > seat_days.day AND n.day <= $1)";
        self.run(sql, binds![before]).await
    }
}

impl Reader {
    /// Lists what was counted from a day on to another, and what was counted last before, by pool, kind and day.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn seat_days(
        &mut self,
        organization: &OrganizationId,
        from: i64,
        to: i64,
    ) -> Result<Vec<SeatDay>> {
        let sql = format!(
            "{COLUMNS} d WHERE organization = $1 AND day <= $3 AND (day >= $2 OR day = (SELECT MAX(b.day) FROM seat_days b \
             WHERE b.organization = d.organization AND b.license = d.license AND b.kind = d.kind AND b.day < $2)) \
             ORDER BY license, kind, day"
        );
        let rows = self.rows(&sql, binds![organization, from, to]).await?;
        rows.into_iter().map(seat_day).collect()
    }
}

fn seat_day(mut row: Row) -> Result<SeatDay> {
    Ok(SeatDay {
        license: Some(row.text("seat_days.license")?)
            .filter(|license| !license.is_empty())
            .map(LicenseId::new),
        kind: row.word("seat_days.kind")?,
        day: row.int("seat_days.day")?,
        counted: SeatsCounted {
            used: row.count("seat_days.used")?,
            most: row.count("seat_days.most")?,
            waiting: row.count("seat_days.waiting")?,
            seats: row.opt_count("seat_days.seats")?,
        },
    })
}
