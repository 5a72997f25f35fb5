//! What goes on after pushes without any directory asking: people whose days are over, and rules that run again for many
//! people after one large change. Both are decisions of the kernel like any other; the jobs only say when.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use provost_kernel::connection::{OnInactive, Provisioning};
use provost_kernel::directory::Status;
use provost_kernel::id::{AccountId, ConnectionId};
use provost_kernel::provision::Actor;
use provost_kernel::provision::push::{MOST_AT_ONCE, Push};
use provost_store::StoreError;
use serde::Deserialize;
use serde_json::Value;

use crate::app::App;
use crate::error::AppError;
use crate::flow::connection::{self, LiveConnection};
use crate::flow::scim::push::{self, Stop};

/// How often a decision is made anew when others wrote in between.
const TRIES: u32 = 6;
/// Accounts whose days are over in one transaction.
const STEP: u32 = 100;
/// Connections looked at in one step.
const CONNECTIONS: u32 = 100;

/// Payload of a queued re-evaluation, as the store writes it.
#[derive(Deserialize)]
struct Queued {
    connection: ConnectionId,
    accounts: Vec<AccountId>,
}

/// Runs the rules again for the people of a queued job.
///
/// # Errors
/// Those of the store; the job is tried again.
pub async fn reevaluate(app: &App, payload: &Value) -> anyhow::Result<()> {
    let queued: Queued = serde_json::from_value(payload.clone())?;
    for accounts in queued.accounts.chunks(MOST_AT_ONCE) {
        let wish = Push::Reevaluate {
            accounts: accounts.to_vec(),
        };
        perform(app, &queued.connection, wish).await?;
    }
    Ok(())
}

/// Deletes and erases people whose days are over (C-05): the work of the job.
///
/// # Errors
/// Those of the store.
pub async fn expire(app: &App) -> anyhow::Result<()> {
    let now = app.world.now();
    let mut after: Option<ConnectionId> = None;
    loop {
        let from = after.clone();
        let page = app
            .store
            .read(move |reader| Box::pin(async move { reader.connections(from.as_ref(), CONNECTIONS).await }))
            .await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.connection.id.clone());
        for record in &page {
            if record.connection.provisioning != Provisioning::Scim {
                continue;
            }
            let settings = &record.connection.settings.directory;
            let id = &record.connection.id;
            if let OnInactive::DeleteAfterDays(days) = settings.on_inactive {
                expire_from(app, id, Status::Deactivated, days_before(now, days)).await?;
            }
            expire_from(app, id, Status::Deleted, days_before(now, settings.restore_days)).await?;
        }
    }
}

fn days_before(now: Timestamp, days: u32) -> Timestamp {
    now.saturating_sub(SignedDuration::from_hours(24 * i64::from(days)))
        .unwrap_or(Timestamp::MIN)
}

async fn expire_from(app: &App, id: &ConnectionId, status: Status, before: Timestamp) -> anyhow::Result<()> {
    let mut seen: Vec<AccountId> = Vec::new();
    loop {
        let connection = id.clone();
        let due = app
            .store
            .read(move |reader| {
                Box::pin(async move { reader.departed_before(&connection, status, before, STEP).await })
            })
            .await?;
        // What the kernel passes over stays due; it must not be asked for over and over.
        let fresh: Vec<AccountId> = due.into_iter().filter(|id| !seen.contains(id)).collect();
        if fresh.is_empty() {
            return Ok(());
        }
        seen.extend(fresh.iter().cloned());
        let wish = Push::ExpireUsers {
            accounts: fresh,
            from: status,
        };
        perform(app, id, wish).await?;
    }
}

/// Decides and writes a push of our own.
async fn perform(app: &App, id: &ConnectionId, wish: Push) -> anyhow::Result<()> {
    let wish = Arc::new(wish);
    for _ in 0..TRIES {
        let live: Arc<LiveConnection> = match connection::find(app, id.as_str()).await {
            Ok(live) => live,
            // The connection went away, and its people with it.
            Err(error) if error.code() == "not_found" => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let (fresh, now) = (app.world.fresh()?.0, app.world.now());
        let wish = Arc::clone(&wish);
        let done = app
            .store
            .write(move |tx| {
                Box::pin(async move {
                    push::decide_as(tx, &live, &fresh, now, &wish, &Actor::System)
                        .await
                        .map(drop)
                })
            })
            .await;
        match done {
            Ok(()) => return Ok(()),
            Err(Stop::ConnectionChanged) => {}
            Err(Stop::Store(error)) if error.is_retryable() => {}
            Err(Stop::Store(error)) => return Err(error.into()),
            Err(Stop::Scim(error)) => return Err(error.into()),
        }
    }
    Err(AppError::unavailable("the directory changed under every try").into())
}

/// Lets a directory take out unusually many people for a while. False if there is no such connection.
///
/// # Errors
/// Those of the store.
pub async fn approve_departures(app: &App, connection: &str, minutes: u32) -> Result<bool, StoreError> {
    let (id, now) = (ConnectionId::new(connection), app.world.now());
    let until = now
        .saturating_add(SignedDuration::from_mins(i64::from(minutes)))
        .unwrap_or(Timestamp::MAX);
    app.store
        .write(move |tx| {
            Box::pin(async move {
                let Some(record) = tx.connection(&id).await? else {
                    return Ok(false);
                };
                tx.approve_departures(&id, until, now).await?;
                tx.record(super::watch::event(
                    &record.connection,
                    "departures.approved",
                    &Actor::Operator { account: None },
                    serde_json::json!({ "until": until }),
                    now,
                ));
                Ok(true)
            })
        })
        .await
}
