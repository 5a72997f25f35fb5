//! Gives free seats to those who wait, oldest first (C-23). Who gets one is the kernel's decision; two nodes that fill the
//! same pool at once are told apart by the row of the pool, and decide again.

use jiff::Timestamp;
use provost_kernel::plan::{Change, Decision, MembershipEdit, Plan};
use provost_kernel::provision::Actor;
use provost_kernel::provision::seats::{self, SeatQueue};
use provost_store::{NewJob, StoreError, Tx, WaitedPool};

use super::{SEATS, new_job};
use crate::app::App;

/// Pools looked at in one go.
const POOLS: u32 = 50;
/// People who get a seat in one transaction.
const PORTION: u32 = 50;
/// How often a portion is tried when others write in between.
const TRIES: u32 = 5;

/// Fills every pool that has free seats and somebody who waits.
pub(super) async fn run(app: &App) -> anyhow::Result<()> {
    let mut after: Option<WaitedPool> = None;
    loop {
        let last = after.clone();
        let pools = app
            .store
            .read(|reader| {
                Box::pin(async move {
                    let after = last.as_ref().map(|pool| (&pool.organization, &pool.license));
                    reader.waited_pools(after, POOLS).await
                })
            })
            .await?;
        for pool in &pools {
            while fill(app, pool).await? > 0 {}
        }
        match pools.into_iter().last() {
            Some(pool) => after = Some(pool),
            None => return Ok(()),
        }
    }
}

/// Gives seats of one pool to the next portion and returns how many were given.
async fn fill(app: &App, pool: &WaitedPool) -> anyhow::Result<usize> {
    for _ in 0..TRIES {
        match portion(app, pool).await {
            Ok(given) => {
                if given > 0 {
                    tracing::info!(organization = %pool.organization, license = %pool.license, given, "seats were given");
                }
                return Ok(given);
            }
            Err(error) if error.is_retryable() => {}
            Err(error) => return Err(error.into()),
        }
    }
    anyhow::bail!(
        "the pool {} of {} changed under every try",
        pool.license,
        pool.organization
    )
}

async fn portion(app: &App, pool: &WaitedPool) -> Result<usize, StoreError> {
    let now = app.world.now();
    let (fresh, _) = app
        .world
        .fresh()
        .map_err(|_| StoreError::Refused("no randomness"))?;
    let pool = pool.clone();
    app.store
        .write(move |tx| {
            Box::pin(async move {
                let waiting = tx
                    .next_for_seat(&pool.organization, &pool.license, PORTION)
                    .await?;
                let queue = SeatQueue {
                    organization: pool.organization,
                    license: pool.license,
                    waiting: waiting.into_iter().map(|one| one.account).collect(),
                };
                let facts = tx.facts(&seats::need(&queue)).await?;
                let decision = seats::decide(&queue, &facts, &fresh, now);
                if decision.plan.changes.is_empty() {
                    return Ok(0);
                }
                tx.apply(&decision, &Actor::System, now).await?;
                Ok(decision.plan.changes.len())
            })
        })
        .await
}

/// Tells whether a plan may free a seat that somebody waits for.
pub fn frees_a_seat(plan: &Plan) -> bool {
    plan.changes.iter().any(|change| {
        if let Change::RemoveMembership { before, .. } = change {
            return before.license.as_ref().is_some_and(|license| license.seated);
        }
        if let Change::UpdateMembership { edits, .. } = change {
            return edits.iter().any(
                |edit| matches!(edit, MembershipEdit::SetLicense { from: Some(from), .. } if from.seated),
            );
        }
        false
    })
}

/// Queues, in the transaction of a decision that freed seats, that they are given away: the runner finds it within a second.
///
/// # Errors
/// `engine`.
pub async fn queue_in_tx(tx: &mut Tx, decision: &Decision, now: Timestamp) -> Result<(), StoreError> {
    if !frees_a_seat(&decision.plan) {
        return Ok(());
    }
    let job = NewJob {
        id: format!("job_seats_{}", decision.trace.id),
        kind: SEATS.to_owned(),
        idempotency_key: None,
        payload: serde_json::Value::Null,
        run_at: now,
    };
    tx.enqueue(&job, now).await.map(drop)
}

/// Has the seats that just came free given away at once instead of within a minute. Call it after the commit; that nothing
/// can be queued then is no error, because the next minute's run does the same.
pub async fn wake(app: &App) {
    let Ok(job) = new_job(&app.world, SEATS, None, serde_json::Value::Null) else {
        return;
    };
    let now = app.world.now();
    let queued: Result<bool, StoreError> = app
        .store
        .write(move |tx| Box::pin(async move { tx.enqueue(&job, now).await }))
        .await;
    match queued {
        Ok(_) => app.ring_jobs(),
        Err(error) => tracing::warn!(code = error.code(), "the queue for seats was not woken"),
    }
}
