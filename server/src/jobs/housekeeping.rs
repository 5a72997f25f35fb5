//! Removes what has expired, in small portions so that nobody waits for it.

use jiff::SignedDuration;
use provost_store::{Retention, StoreError};

use crate::app::App;

/// Rows removed of each table in one transaction.
const PORTION: u32 = 500;
/// Portions of one run; the next run goes on.
const PORTIONS: usize = 200;
/// Sessions, tokens and other ended things are kept this long, for the pages that show them.
const ENDED_DAYS: i64 = 7;
/// Jobs that are done are kept this long, for whoever looks for a cause.
const JOB_DAYS: i64 = 7;
/// The history of mails goes back this far.
const MAIL_DAYS: i64 = 90;
/// The history of webhooks goes back this far.
const DELIVERY_DAYS: i64 = 30;

/// Removes expired rows.
pub(super) async fn run(app: &App) -> anyhow::Result<()> {
    let now = app.world.now();
    let before = |days: i64| now.checked_sub(SignedDuration::from_hours(days * 24));
    let retention = Retention {
        traces_before: before(i64::from(app.defaults.trace_days()))?,
        ended_before: before(ENDED_DAYS)?,
        jobs_before: before(JOB_DAYS)?,
    };
    let mails_before = before(MAIL_DAYS)?;
    let deliveries_before = before(DELIVERY_DAYS)?;
    let requests_before = before(i64::from(app.defaults.scim_log_days()))?;
    let mut removed = 0;
    for _ in 0..PORTIONS {
        let portion: Result<u64, StoreError> = app
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let purged = tx.purge(&retention, PORTION, now).await?;
                    let mails = tx.purge_mails(mails_before, PORTION).await?
                        + tx.purge_deliveries(deliveries_before, PORTION).await?;
                    Ok(purged + mails + tx.purge_scim_requests(requests_before, PORTION).await?)
                })
            })
            .await;
        let portion = portion?;
        removed += portion;
        if portion == 0 {
            break;
        }
    }
    if removed > 0 {
        tracing::debug!(rows = removed, "expired rows were removed");
    }
    Ok(())
}
