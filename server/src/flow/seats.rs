//! Seats of an organization: how many are in use by whom, who waits, and what became of them. Reads only: seats are given
//! and taken by decisions.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use provost_kernel::directory::{AccountKind, License};
use provost_kernel::facts::{AccountFacts, KindMeter};
use provost_kernel::id::{AccountId, LicenseId, OrganizationId};
use provost_store::{Meter, Reader, SeatDay, SeatEvent, SeatsCounted, StoreError, Waiting, days};

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::api_keys::Caller;

/// Most people of one pool in the list of the waiting.
const MOST: u32 = 1000;
/// Most days that are told at once.
const MOST_DAYS: i64 = 366;
/// Days that are told where nobody says which.
const DEFAULT_DAYS: i64 = 30;

/// One pool with its use.
#[derive(Clone, Debug)]
pub struct Pool {
    /// The pool.
    pub license: License,
    /// Seats held.
    pub used: u32,
    /// Seats held and people waiting, by kind of account.
    pub by_kind: BTreeMap<AccountKind, (u32, u32)>,
}

/// Everything in numbers.
#[derive(Clone, Debug)]
pub struct Use {
    /// Active members by kind of account, with or without a license.
    pub members: BTreeMap<AccountKind, u32>,
    /// The pools, in their order.
    pub pools: Vec<Pool>,
    /// Seats over all pools, by kind of account, with the limits of the organization's plan.
    pub kinds: BTreeMap<AccountKind, KindMeter>,
}

/// Seats of one pool, or of all, and one kind of account, by day.
#[derive(Clone, Debug)]
pub struct Series {
    /// The pool; none for all pools together.
    pub license: Option<LicenseId>,
    /// Which kind.
    pub kind: AccountKind,
    /// Each day from the first that was counted on, in order.
    pub days: Vec<(Date, SeatsCounted)>,
}

/// Seats by day.
#[derive(Clone, Debug)]
pub struct Days {
    /// The first day.
    pub from: Date,
    /// The last day, which is today at most.
    pub to: Date,
    /// What was counted.
    pub series: Vec<Series>,
}

/// Somebody who waits.
#[derive(Clone, Debug)]
pub struct Waits {
    /// For a seat of which pool.
    pub license: LicenseId,
    /// Who.
    pub account: AccountFacts,
    /// Since when.
    pub since: Option<Timestamp>,
}

/// Counts the seats of an organization.
///
/// # Errors
/// 404 out of sight; those of the store.
pub async fn count(app: &App, caller: &Caller, organization: &str) -> Result<Use> {
    let id = visible(caller, organization)?;
    let (meters, licenses, kinds) = app
        .store
        .read(|reader| {
            Box::pin(async move {
                if !exists(reader, &id).await? {
                    return Ok(None);
                }
                Ok::<_, StoreError>(Some((
                    reader.seat_meters(&id).await?,
                    reader.licenses(&id).await?,
                    reader.seat_kinds(&id).await?,
                )))
            })
        })
        .await?
        .ok_or_else(AppError::not_found)?;
    let of = |license: Option<&LicenseId>| -> Vec<&Meter> {
        let meters = meters.iter();
        meters.filter(|meter| meter.license.as_ref() == license).collect()
    };
    Ok(Use {
        members: of(None)
            .into_iter()
            .map(|meter| (meter.kind, meter.used))
            .collect(),
        kinds,
        pools: licenses
            .into_iter()
            .map(|(license, used)| Pool {
                by_kind: of(Some(&license.id))
                    .into_iter()
                    .map(|meter| (meter.kind, (meter.used, meter.waiting)))
                    .collect(),
                license,
                used,
            })
            .collect(),
    })
}

/// Lists who waits for a seat, pool by pool in the order in which seats are given; of one pool, if one is named.
///
/// # Errors
/// 404 for an organization out of sight; those of the store.
pub async fn waiting(
    app: &App,
    caller: &Caller,
    organization: &str,
    license: Option<&str>,
) -> Result<Vec<Waits>> {
    let (id, license) = (visible(caller, organization)?, license.map(LicenseId::new));
    let found = app
        .store
        .read(|reader| {
            Box::pin(async move {
                if !exists(reader, &id).await? {
                    return Ok(None);
                }
                let mut all = Vec::new();
                for (pool, _) in reader.licenses(&id).await? {
                    if license.as_ref().is_some_and(|wanted| *wanted != pool.id) {
                        continue;
                    }
                    let waiting = reader.waiting_for_seat(&id, &pool.id, MOST).await?;
                    let ids: Vec<AccountId> = waiting.iter().map(|one| one.account.clone()).collect();
                    let accounts = reader.account_facts(&ids).await?;
                    all.extend(together(&pool.id, waiting, accounts));
                }
                Ok::<_, StoreError>(Some(all))
            })
        })
        .await?;
    found.ok_or_else(AppError::not_found)
}

fn together(license: &LicenseId, waiting: Vec<Waiting>, accounts: Vec<AccountFacts>) -> Vec<Waits> {
    let mut accounts: BTreeMap<AccountId, AccountFacts> = accounts
        .into_iter()
        .map(|known| (known.account.id.clone(), known))
        .collect();
    waiting
        .into_iter()
        .filter_map(|one| {
            Some(Waits {
                license: license.clone(),
                account: accounts.remove(&one.account)?,
                since: one.since,
            })
        })
        .collect()
}

/// Lists what became of an organization's seats, newest first.
///
/// # Errors
/// 404 out of sight; those of the store.
pub async fn history(
    app: &App,
    caller: &Caller,
    organization: &str,
    before: Option<(Timestamp, AccountId)>,
    limit: u32,
) -> Result<Vec<SeatEvent>> {
    let id = visible(caller, organization)?;
    app.store
        .read(|reader| {
            Box::pin(async move {
                if !exists(reader, &id).await? {
                    return Ok(None);
                }
                reader.seat_events(&id, before, limit).await.map(Some)
            })
        })
        .await?
        .ok_or_else(AppError::not_found)
}

/// Lists the seats of an organization by day, pool and kind of account. Without a range: the last thirty days.
///
/// # Errors
/// 404 out of sight; 400 (`invalid_query`) for a range that is turned round or longer than 366 days; those of the store.
pub async fn days(
    app: &App,
    caller: &Caller,
    organization: &str,
    from: Option<Date>,
    to: Option<Date>,
) -> Result<Days> {
    let id = visible(caller, organization)?;
    let today = days::of(app.world.now());
    let last = to.map_or(today, days::number).min(today);
    let first = from.map_or(last - DEFAULT_DAYS + 1, days::number);
    if first > last || last - first >= MOST_DAYS {
        return Err(AppError::bad_request(
            "invalid_query",
            "The first day comes before the last one, which is not after today, and at most 366 days are asked for.",
        ));
    }
    let rows = app
        .store
        .read(|reader| {
            Box::pin(async move {
                if !exists(reader, &id).await? {
                    return Ok(None);
                }
                reader.seat_days(&id, first, last).await.map(Some)
            })
        })
        .await?
        .ok_or_else(AppError::not_found)?;
    let mut by: BTreeMap<(Option<LicenseId>, AccountKind), Vec<SeatDay>> = BTreeMap::new();
    for row in rows {
        by.entry((row.license.clone(), row.kind)).or_default().push(row);
    }
    let series = by.into_iter().map(|((license, kind), rows)| Series {
        license,
        kind,
        days: spread(&rows, first, last),
    });
    Ok(Days {
        from: days::date(first),
        to: days::date(last),
        series: series.collect(),
    })
}

/// Fills the days between rows: a day without one is like the day before.
fn spread(rows: &[SeatDay], first: i64, last: i64) -> Vec<(Date, SeatsCounted)> {
    let mut rows = rows.iter().peekable();
    let mut latest: Option<&SeatDay> = None;
    let mut spread = Vec::new();
    for day in first..=last {
        while let Some(row) = rows.next_if(|row| row.day <= day) {
            latest = Some(row);
        }
        let Some(row) = latest else { continue };
        let counted = if row.day == day {
            row.counted
        } else {
            SeatsCounted {
                most: row.counted.used,
                ..row.counted
            }
        };
        spread.push((days::date(day), counted));
    }
    spread
}

fn visible(caller: &Caller, organization: &str) -> Result<OrganizationId> {
    let id = OrganizationId::new(organization);
    if caller.sees(&id) {
        Ok(id)
    } else {
        Err(AppError::not_found())
    }
}

async fn exists(reader: &mut Reader, id: &OrganizationId) -> std::result::Result<bool, StoreError> {
    Ok(reader.organization(id).await?.is_some())
}
