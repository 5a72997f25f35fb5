//! Makes the calls: at least once, in order for each account, again and again with growing pauses until they arrive or are given
//! up. Any number of nodes may do so at once.

use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use provost_store::{Attempt, Delivery, Event, NewEvent, Settled, StoreError, Webhook};

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::signing::sign;
use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::api_keys::Caller;

/// Deliveries that one node takes at a time.
const PORTION: u32 = 16;
/// Events for which deliveries are made in one transaction.
const STRETCH: usize = 200;
/// How long a node may take for what it took; longer than it can take.
const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// Seconds to wait after each failure; after the last one a delivery is given up. A day and a half in all.
const RETRIES: &[i64] = &[5, 30, 120, 600, 1800, 3600, 7200, 14_400, 28_800, 43_200, 28_800];

/// Makes deliveries of what happened and sends what is due, until nothing is. Returns how many arrived.
///
/// # Errors
/// Those of the store. A call that fails is no error: it is noted.
pub async fn deliver(app: &App) -> Result<usize> {
    queue(app).await?;
    let mut arrived = 0;
    loop {
        let now = app.world.now();
        let is_due = app
            .store
            .read(|reader| Box::pin(async move { reader.has_due_delivery(now).await }))
            .await
            .map_err(|error: StoreError| AppError::from(error))?;
        if !is_due {
            return Ok(arrived);
        }
        let claimed: Vec<Delivery> = app
            .store
            .write(move |tx| Box::pin(async move { tx.claim_deliveries(PORTION, LEASE, now).await }))
            .await
            .map_err(|error: StoreError| AppError::from(error))?;
        if claimed.is_empty() {
            return Ok(arrived);
        }
        let mut running = JoinSet::new();
        for delivery in claimed {
            let app = app.clone();
            running.spawn(async move { attempt(&app, delivery).await });
        }
        while let Some(done) = running.join_next().await {
            arrived += usize::from(done.map_err(AppError::internal)??);
        }
    }
}

/// Makes deliveries of what happened since each webhook was looked at last.
async fn queue(app: &App) -> Result<()> {
    let behind = app
        .store
        .read(|reader| Box::pin(async move { reader.webhooks_behind().await }))
        .await
        .map_err(|error: StoreError| AppError::from(error))?;
    for id in behind {
        loop {
            let ids: Vec<String> = (0..STRETCH)
                .map(|_| app.world.id("whd_"))
                .collect::<std::result::Result<_, _>>()?;
            let (wanted, now) = (id.clone(), app.world.now());
            let more = app
                .store
                .write(move |tx| Box::pin(async move { tx.queue_deliveries(&wanted, ids, now).await }))
                .await
                .map_err(|error: StoreError| AppError::from(error))?;
            if !more {
                break;
            }
        }
    }
    Ok(())
}

/// Sends one delivery and notes how that went. Tells whether it arrived.
async fn attempt(app: &App, delivery: Delivery) -> Result<bool> {
    let (webhook, sequence) = (delivery.webhook.clone(), delivery.sequence);
    let loaded: std::result::Result<_, StoreError> = app
        .store
        .read(|reader| {
            Box::pin(async move { Ok((reader.webhook(&webhook).await?, reader.event_at(sequence).await?)) })
        })
        .await;
    let (Some(webhook), event) = loaded.map_err(AppError::from)? else {
        return Ok(false);
    };
    let attempt = match &event {
        Some(event) => call(app, &webhook, &event.id, &payload(event)).await,
        None => Attempt {
            at: app.world.now(),
            status: None,
            error: Some("the event is not kept any more".to_owned()),
            milliseconds: 0,
        },
    };
    let is_gone = attempt.status == Some(410);
    let settled = if attempt.error.is_none() {
        Settled::Delivered
    } else {
        retry_at(delivery.failures, attempt.at)
            .filter(|_| event.is_some() && !is_gone)
            .map_or(Settled::GivenUp, Settled::Again)
    };
    let outcome = match settled {
        Settled::Delivered => "delivered",
        Settled::Again(_) => "failed",
        Settled::GivenUp => "given_up",
    };
    metrics::counter!("provost_webhook_calls_total", "outcome" => outcome).increment(1);
    app.store
        .write(move |tx| {
            Box::pin(async move {
                tx.settle_delivery(&delivery, &attempt, settled).await?;
                // Whoever answers so wants no more calls (Standard Webhooks).
                if is_gone && tx.disable_webhook(&webhook.id, "answered 410 (Gone)").await? {
                    tx.record(NewEvent {
                        at: attempt.at,
                        kind: "webhook.disabled".to_owned(),
                        actor: "system".to_owned(),
                        account: None,
                        organization: webhook.organization.clone(),
                        connection: None,
                        trace: None,
                        data: json!({ "webhook": webhook.id, "reason": "answered 410 (Gone)" }),
                    });
                }
                Ok::<_, StoreError>(())
            })
        })
        .await
        .map_err(AppError::from)?;
    Ok(settled == Settled::Delivered)
}

/// Makes one call, now, that tells nothing but that calls arrive.
///
/// # Errors
/// 404; those of the store.
pub async fn test(app: &App, caller: &Caller, id: &str) -> Result<Attempt> {
    let webhook = super::find(app, caller, id).await?;
    let event = app.world.id("evt_")?;
    let body = json!({
        "type": "webhook.test",
        "timestamp": app.world.now(),
        "data": { "id": event, "webhook": webhook.id },
    });
    Ok(call(app, &webhook, &event, &body).await)
}

/// What an event says to the outside, in the shape of Standard Webhooks.
fn payload(event: &Event) -> Value {
    json!({
        "type": event.kind,
        "timestamp": event.at,
        "data": {
            "id": event.id,
            "account": event.account,
            "organization": event.organization,
            "connection": event.connection,
            "trace": event.trace,
            "data": event.data,
        },
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long a call took is measured, and decides nothing"
)]
async fn call(app: &App, webhook: &Webhook, id: &str, body: &Value) -> Attempt {
    let (at, began) = (app.world.now(), Instant::now());
    let text = body.to_string();
    let headers = match headers(webhook, id, at, &text) {
        Ok(headers) => headers,
        Err(error) => {
            return Attempt {
                at,
                status: None,
                error: Some(error),
                milliseconds: 0,
            };
        }
    };
    let answered = app
        .outbound
        .request(Method::POST, &webhook.url, headers, Some(text))
        .await;
    let milliseconds = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
    let (status, error) = match answered {
        Ok(answer) if answer.is_success() => (Some(answer.status), None),
        Ok(answer) => (Some(answer.status), Some(format!("answered {}", answer.status))),
        Err(error) => (None, Some(error.to_string())),
    };
    Attempt {
        at,
        status: status.map(i64::from),
        error: error.map(|text| text.chars().take(500).collect()),
        milliseconds,
    }
}

fn headers(webhook: &Webhook, id: &str, at: Timestamp, body: &str) -> std::result::Result<HeaderMap, String> {
    let value = |text: &str| HeaderValue::from_str(text).map_err(|error| error.to_string());
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(HeaderName::from_static("webhook-id"), value(id)?);
    let seconds = at.as_second().to_string();
    headers.insert(HeaderName::from_static("webhook-timestamp"), value(&seconds)?);
    let mut signature = value(&sign(webhook, id, at, body))?;
    signature.set_sensitive(true);
    headers.insert(HeaderName::from_static("webhook-signature"), signature);
    Ok(headers)
}

fn retry_at(failures: i64, now: Timestamp) -> Option<Timestamp> {
    let seconds = RETRIES.get(usize::try_from(failures).unwrap_or(usize::MAX))?;
    now.checked_add(SignedDuration::from_secs(*seconds)).ok()
}
