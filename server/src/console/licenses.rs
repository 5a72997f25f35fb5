//! Seats over time, and who took, gave back and waited for them lately. Never counts: what is drawn was kept by day.

use std::collections::BTreeMap;

use provost_kernel::directory::Account;
use provost_kernel::id::LicenseId;
use provost_store::{SeatChange, SeatEvent, days};

use super::chart::{self, Chart, Day, Plot};
use super::format;
use super::shell::Shell;
use crate::flow::seats::Days;

/// What became of a seat.
pub(super) struct SeatRow {
    pub(super) at: (String, String),
    pub(super) who: String,
    /// The page of the person, if she is known.
    pub(super) person: Option<String>,
    pub(super) license: String,
    pub(super) what: &'static str,
    pub(super) actor: String,
    pub(super) trace: String,
}

/// Draws the seats of each pool by day, users and readers together.
pub(super) fn charts(shell: &Shell, found: &Days) -> Vec<Chart> {
    let mut pools: BTreeMap<&LicenseId, BTreeMap<i64, Day>> = BTreeMap::new();
    for series in &found.series {
        let Some(license) = &series.license else { continue };
        let pool = pools.entry(license).or_default();
        for (date, counted) in &series.days {
            let at = days::number(*date);
            let day = pool.entry(at).or_insert(Day { at, ..Day::default() });
            day.first += u64::from(counted.used);
            day.second += u64::from(counted.waiting);
            day.limit = day.limit.max(counted.seats.map(u64::from));
        }
    }
    pools
        .into_iter()
        .zip(0_u32..)
        .map(|((license, days), place)| {
            let days: Vec<Day> = days.into_values().collect();
            let plot = Plot {
                id: format!("seats-{place}"),
                title: shell.t2("licenses.by_day", license, &days.len()),
                days: &days,
                first: "licenses.held",
                second: "licenses.waiting",
                limit: "chart.limit",
                is_level: true,
                is_calm: true,
                nothing: "licenses.no_days",
            };
            chart::draw(shell, plot)
        })
        .collect()
}

/// Tells who took, gave back and waited for seats.
pub(super) fn rows(shell: &Shell, found: &[(SeatEvent, Option<Account>)]) -> Vec<SeatRow> {
    found
        .iter()
        .map(|(event, account)| SeatRow {
            at: (event.at.to_string(), format::time(event.at)),
            who: account
                .as_ref()
                .map_or_else(|| event.account.to_string(), format::name),
            person: account
                .as_ref()
                .map(|known| super::person::link(&shell.base, &known.id)),
            license: event.license.to_string(),
            what: shell.t(match event.what {
                SeatChange::Taken => "licenses.taken",
                SeatChange::Released => "licenses.released",
                SeatChange::Waiting => "licenses.waits",
                SeatChange::Left => "licenses.left",
            }),
            actor: super::activity::actor(shell, &event.actor, None),
            trace: super::page::segment(event.trace.as_str()),
        })
        .collect()
}
