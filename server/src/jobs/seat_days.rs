//! Counts seats for the history by day. Runs every hour; a row is written when something differs. Two nodes that count at the
//! same moment write the same.

use std::collections::BTreeMap;

use provost_kernel::directory::AccountKind;
use provost_kernel::id::{LicenseId, OrganizationId};
use provost_store::{Reader, SeatDay, SeatsCounted, StoreError, days};

use crate::app::App;

/// Organizations looked at in one go.
const PORTION: u32 = 200;
/// How long days are kept.
const KEPT_DAYS: i64 = 3 * 366;

/// Counts the seats of every organization.
pub(super) async fn run(app: &App) -> anyhow::Result<()> {
    let day = days::of(app.world.now());
    let mut after: Option<OrganizationId> = None;
    loop {
        let from = after.clone();
        let page = app
            .store
            .read(|reader| Box::pin(async move { reader.organizations(from.as_ref(), PORTION).await }))
            .await?;
        let Some(last) = page.last() else { break };
        after = Some(last.organization.id.clone());
        for record in &page {
            one(app, &record.organization.id, day).await?;
        }
    }
    app.store
        .write(move |tx| Box::pin(async move { tx.purge_seat_days(day - KEPT_DAYS).await }))
        .await?;
    Ok(())
}

async fn one(app: &App, organization: &OrganizationId, day: i64) -> Result<(), StoreError> {
    let id = organization.clone();
    let news = app
        .store
        .read(|reader| Box::pin(async move { news(reader, &id, day).await }))
        .await?;
    if news.is_empty() {
        return Ok(());
    }
    let id = organization.clone();
    app.store
        .write(move |tx| {
            Box::pin(async move {
                // One that was deleted meanwhile has no history.
                if tx.organization(&id).await?.is_none() {
                    return Ok(());
                }
                for counted in &news {
                    tx.put_seat_day(&id, counted).await?;
                }
                Ok(())
            })
        })
        .await
}

/// Counts the seats of an organization and returns what differs from what is kept.
async fn news(reader: &mut Reader, id: &OrganizationId, day: i64) -> Result<Vec<SeatDay>, StoreError> {
    let mut pools: Vec<(Option<LicenseId>, Option<u32>)> = reader
        .licenses(id)
        .await?
        .into_iter()
        .map(|(license, _)| (Some(license.id), license.seats))
        .collect();
    pools.push((None, None));
    let kinds = reader.seat_kinds(id).await?;
    let mut counted: BTreeMap<(Option<LicenseId>, AccountKind), SeatsCounted> = BTreeMap::new();
    for (license, seats) in pools {
        for kind in [AccountKind::User, AccountKind::Reader] {
            let seats = match &license {
                Some(_) => seats,
                None => kinds.get(&kind).and_then(|meter| meter.limit),
            };
            let empty = SeatsCounted {
                seats,
                ..SeatsCounted::default()
            };
            counted.insert((license.clone(), kind), empty);
        }
    }
    for meter in reader.seat_meters(id).await? {
        // What counts members is no pool.
        let Some(license) = meter.license else { continue };
        for place in [Some(license), None] {
            let one = counted.entry((place, meter.kind)).or_default();
            one.used += meter.used;
            one.most = one.used;
            one.waiting += meter.waiting;
        }
    }
    let kept = reader.seat_days(id, day, day).await?;
    let days = counted.into_iter().map(|((license, kind), counted)| SeatDay {
        license,
        kind,
        day,
        counted,
    });
    Ok(days
        .filter(|now| {
            let mut same = kept.iter();
            let last = same.rfind(|old| old.license == now.license && old.kind == now.kind);
            !now.is_known_from(last)
        })
        .collect())
}
