//! What webhooks were told, and sending it again.

use jiff::Timestamp;
use provost_store::{Attempt, Delivery, DeliveryState, Requeued, Webhook};

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::api_keys::Caller;

/// Counts what a webhook is still to be told, no further than 1,000.
///
/// # Errors
/// 404; those of the store.
pub async fn waiting(app: &App, caller: &Caller, id: &str) -> Result<u32> {
    let id = super::find(app, caller, id).await?.id;
    let count = app
        .store
        .read(|reader| Box::pin(async move { reader.waiting_deliveries(&id).await }))
        .await?;
    Ok(count)
}

/// Lists deliveries of a webhook, newest event first, before a position.
///
/// # Errors
/// 404; those of the store.
pub async fn deliveries(
    app: &App,
    caller: &Caller,
    id: &str,
    state: Option<DeliveryState>,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<Delivery>> {
    let id = super::find(app, caller, id).await?.id;
    let found = app
        .store
        .read(|reader| Box::pin(async move { reader.deliveries(&id, state, before, limit).await }))
        .await?;
    Ok(found)
}

/// Finds a delivery with how its tries went.
///
/// # Errors
/// 404; those of the store.
pub async fn delivery(
    app: &App,
    caller: &Caller,
    id: &str,
    delivery: &str,
) -> Result<(Delivery, Vec<Attempt>)> {
    let (id, delivery) = (super::find(app, caller, id).await?.id, delivery.to_owned());
    let found = app
        .store
        .read(|reader| Box::pin(async move { reader.delivery(&id, &delivery).await }))
        .await?;
    found.ok_or_else(AppError::not_found)
}

/// Sends one delivery again.
///
/// # Errors
/// 404; 409 (`wrong_state`) for one that waits anyway; those of the store.
pub async fn replay_one(
    app: &App,
    caller: &Caller,
    id: &str,
    delivery: &str,
) -> Result<(Delivery, Vec<Attempt>)> {
    let known = self::delivery(app, caller, id, delivery).await?.0;
    let now = app.world.now();
    let queued = app
        .store
        .write(move |tx| Box::pin(async move { tx.replay_delivery(&known.webhook, &known.id, now).await }))
        .await?;
    if !queued {
        return Err(AppError::conflict(
            "wrong_state",
            "The delivery waits for its turn already.",
        ));
    }
    self::delivery(app, caller, id, delivery).await
}

/// Sends deliveries again that were made at this time or later, the oldest first: those that were given up, or all.
///
/// # Errors
/// 404; those of the store.
pub async fn replay(app: &App, caller: &Caller, id: &str, since: Timestamp, all: bool) -> Result<Requeued> {
    let id = super::find(app, caller, id).await?.id;
    let now = app.world.now();
    let queued = app
        .store
        .write(move |tx| Box::pin(async move { tx.replay_deliveries(&id, since, all, now).await }))
        .await?;
    Ok(queued)
}

/// Writes the body of a delivery's call, for people; nothing if the event is not kept any more. Whoever asks has found the
/// delivery.
///
/// # Errors
/// Those of the store.
pub async fn payload(app: &App, webhook: &Webhook, delivery: &Delivery) -> Result<String> {
    let (sequence, own) = (delivery.sequence, webhook.organization.clone());
    let event = app
        .store
        .read(|reader| Box::pin(async move { reader.event_at(sequence, own.as_ref()).await }))
        .await?;
    let Some(event) = event else {
        return Ok(String::new());
    };
    serde_json::to_string_pretty(&super::delivering::payload(&event)).map_err(AppError::internal)
}
