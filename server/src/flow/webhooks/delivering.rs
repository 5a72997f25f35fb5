//! Makes the calls: at least once, in order for each account, again and again with growing pauses until they arrive or are given
//! up. Any number of nodes may do so at once; one webhook is called by one node at a time, so that a slow receiver holds up
//! nobody else's. A receiver to which nothing has arrived for three days is called no more, and its owners are told.

use std::time::Instant;

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::{SignedDuration, Timestamp};
use provost_store::{Attempt, Delivery, Event, Settled, StoreError, Tried, Webhook};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::signing::sign;
use super::{answer, off};
use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::api_keys::Caller;
use crate::outbound::{Answer, OutboundError};

/// Webhooks that one node calls at the same time.
pub const LANES: usize = 16;
/// Accounts of which one webhook is told at the same time.
const PORTION: u32 = 8;
/// How long a node may take for the calls of one webhook; longer than it can take.
const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// Seconds to wait after each failure; after the last one a delivery is given up. Three days in all, a little more or less so
/// that what failed together does not come back together.
const RETRIES: &[i64] = &[5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400];
/// A webhook to which nothing arrives rests at least so long between two calls.
const SHORTEST_REST: SignedDuration = SignedDuration::from_secs(5);
/// And at most so long.
const LONGEST_REST: SignedDuration = SignedDuration::from_mins(10);
/// Longest wait that a receiver may ask for.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(24);
/// A webhook to which nothing has arrived for so long is switched off.
const LONG_FAILURE: SignedDuration = SignedDuration::from_hours(72);

/// Makes deliveries of what happened since the last look.
///
/// # Errors
/// Those of the store.
pub async fn spread(app: &App) -> Result<()> {
    let behind = app
        .store
        .read(|reader| Box::pin(async move { reader.webhooks_behind().await }))
        .await?;
    let mut more = behind.feed;
    while more {
        let now = app.world.now();
        more = app
            .store
            .write(move |tx| Box::pin(async move { tx.spread_events(now).await }))
            .await?;
    }
    for id in behind.webhooks {
        let mut more = true;
        while more {
            let (id, now) = (id.clone(), app.world.now());
            more = app
                .store
                .write(move |tx| Box::pin(async move { tx.catch_up_webhook(&id, now).await }))
                .await?;
        }
    }
    Ok(())
}

/// Claims webhooks that are to be called.
///
/// # Errors
/// Those of the store.
pub async fn claim(app: &App, count: usize) -> Result<Vec<String>> {
    let (count, now) = (u32::try_from(count).unwrap_or(u32::MAX), app.world.now());
    let is_due = app
        .store
        .read(|reader| Box::pin(async move { reader.has_due_webhook(now).await }))
        .await?;
    if !is_due {
        return Ok(Vec::new());
    }
    let claimed = app
        .store
        .write(move |tx| Box::pin(async move { tx.claim_webhooks(count, LEASE, now).await }))
        .await?;
    Ok(claimed)
}

/// Calls a webhook that was claimed with what is due, a few accounts at a time, or with one delivery while its calls fail.
/// Returns how many arrived.
///
/// # Errors
/// Those of the store.
pub async fn call_webhook(app: &App, id: &str) -> Result<usize> {
    let (wanted, now) = (id.to_owned(), app.world.now());
    let loaded: std::result::Result<_, StoreError> = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let Some(webhook) = reader.webhook(&wanted).await? else {
                    return Ok(None);
                };
                let count = if webhook.failing_since.is_some() {
                    1
                } else {
                    PORTION
                };
                let mut due = Vec::new();
                for delivery in reader.due_deliveries(&wanted, count, now).await? {
                    let own = webhook.organization.as_ref();
                    let event = reader.event_at(delivery.sequence, own).await?;
                    due.push((delivery, event));
                }
                Ok(Some((webhook, due)))
            })
        })
        .await;
    let Some((webhook, due)) = loaded.map_err(AppError::from)? else {
        return Ok(0);
    };
    let mut running = JoinSet::new();
    for (delivery, event) in due {
        let (app, webhook) = (app.clone(), webhook.clone());
        running.spawn(async move { attempt(&app, &webhook, delivery, event).await });
    }
    let mut tried = Vec::new();
    let mut wait = None;
    while let Some(done) = running.join_next().await {
        let (one, asked) = done.map_err(AppError::internal)??;
        tried.push(one);
        wait = wait.max(asked);
    }
    settle(app, webhook, tried, wait).await
}

/// Notes how calls went, and switches off whom calls do not reach any more.
async fn settle(app: &App, webhook: Webhook, tried: Vec<Tried>, wait: Option<Timestamp>) -> Result<usize> {
    let count = |settled: fn(&Settled) -> bool| tried.iter().filter(|one| settled(&one.settled)).count();
    let arrived = count(|settled| *settled == Settled::Delivered);
    let given_up = count(|settled| *settled == Settled::GivenUp);
    for (outcome, number) in [
        ("delivered", arrived),
        ("given_up", given_up),
        ("failed", tried.len() - arrived - given_up),
    ] {
        let number = u64::try_from(number).unwrap_or_default();
        metrics::counter!("provost_webhook_calls_total", "outcome" => outcome).increment(number);
    }
    let now = app.world.now();
    let is_gone = tried.iter().any(|one| one.attempt.status == Some(410));
    let rest = if arrived > 0 || tried.is_empty() {
        None
    } else {
        now.checked_add(rest_after(webhook.failing_since, now)).ok()
    };
    let rest = rest.max(wait);
    let id = webhook.id.clone();
    let failing_since = app
        .store
        .write(move |tx| Box::pin(async move { tx.settle_webhook(&id, &tried, rest).await }))
        .await?;
    if is_gone {
        // Whoever answers so wants no more calls (Standard Webhooks).
        off::switch_off(app, &webhook, off::Reason::Gone).await?;
    } else if failing_since.is_some_and(|since| now.duration_since(since) >= LONG_FAILURE) {
        off::switch_off(app, &webhook, off::Reason::Unreachable).await?;
    }
    Ok(arrived)
}

/// Sends one delivery. Tells how that went, and until when the receiver asks to be left alone.
async fn attempt(
    app: &App,
    webhook: &Webhook,
    delivery: Delivery,
    event: Option<Event>,
) -> Result<(Tried, Option<Timestamp>)> {
    let Some(event) = event else {
        let attempt = failed(app.world.now(), "the event is not kept any more".to_owned());
        let settled = Settled::GivenUp;
        return Ok((
            Tried {
                delivery,
                attempt,
                settled,
            },
            None,
        ));
    };
    let (attempt, wait) = call(app, webhook, &event.id, &payload(&event)).await;
    let [jitter] = app.world.bytes::<1>()?;
    let since = webhook.failing_since.unwrap_or(attempt.at);
    let settled = if attempt.error.is_none() {
        Settled::Delivered
    } else if attempt.status == Some(410) || attempt.at.duration_since(since) >= LONG_FAILURE {
        // The webhook is switched off now; what waits goes on when it is switched on again.
        Settled::Again(attempt.at)
    } else {
        retry_at(delivery.failures, attempt.at, jitter).map_or(Settled::GivenUp, |at| {
            Settled::Again(wait.map_or(at, |wait| wait.max(at)))
        })
    };
    Ok((
        Tried {
            delivery,
            attempt,
            settled,
        },
        wait,
    ))
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
    Ok(call(app, &webhook, &event, &body).await.0)
}

/// What an event says to the outside, in the shape of Standard Webhooks.
pub(super) fn payload(event: &Event) -> Value {
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
async fn call(app: &App, webhook: &Webhook, id: &str, body: &Value) -> (Attempt, Option<Timestamp>) {
    let (at, began) = (app.world.now(), Instant::now());
    let text = body.to_string();
    let headers = match headers(webhook, id, at, &text) {
        Ok(headers) => headers,
        Err(error) => return (failed(at, error), None),
    };
    let answered = app
        .outbound
        .request(Method::POST, &webhook.url, headers, Some(text))
        .await;
    let milliseconds = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
    (of_answer(at, milliseconds, &answered), asked_wait(&answered, at))
}

fn of_answer(
    at: Timestamp,
    milliseconds: i64,
    answered: &std::result::Result<Answer, OutboundError>,
) -> Attempt {
    let (status, error, answer) = match answered {
        Ok(answer) if answer.is_success() => (Some(answer.status), None, None),
        Ok(answer) => {
            // What answers inside the operator's own network is not for tenants to read.
            let kept = answer.is_public.then(|| answer::masked(&answer.body)).flatten();
            (
                Some(answer.status),
                Some(format!("answered {}", answer.status)),
                kept,
            )
        }
        Err(error) => (None, Some(error.to_string()), None),
    };
    Attempt {
        at,
        status: status.map(i64::from),
        error: error.map(|text| text.chars().take(500).collect()),
        answer,
        milliseconds,
    }
}

const fn failed(at: Timestamp, error: String) -> Attempt {
    Attempt {
        at,
        status: None,
        error: Some(error),
        answer: None,
        milliseconds: 0,
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

/// Reads how long a receiver asks to be left alone, in seconds or as a date (RFC 9110 10.2.3).
fn asked_wait(answered: &std::result::Result<Answer, OutboundError>, now: Timestamp) -> Option<Timestamp> {
    let answer = answered
        .as_ref()
        .ok()
        .filter(|answer| matches!(answer.status, 429 | 503))?;
    let text = answer.headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let until = match text.parse::<u32>() {
        Ok(seconds) => now
            .checked_add(SignedDuration::from_secs(i64::from(seconds)))
            .ok()?,
        Err(_) => jiff::fmt::rfc2822::parse(text).ok()?.timestamp(),
    };
    Some(until.min(now.checked_add(LONGEST_WAIT).ok()?)).filter(|until| *until > now)
}

/// When a delivery is tried again: `jitter` makes the pause up to a tenth shorter or longer.
fn retry_at(failures: i64, now: Timestamp, jitter: u8) -> Option<Timestamp> {
    let seconds = RETRIES.get(usize::try_from(failures).unwrap_or(usize::MAX))?;
    let milliseconds = seconds * 900 + seconds * 200 * i64::from(jitter) / 255;
    now.checked_add(SignedDuration::from_millis(milliseconds)).ok()
}

/// How long a webhook rests after a call that failed: a quarter of the time for which it has failed.
fn rest_after(failing_since: Option<Timestamp>, now: Timestamp) -> SignedDuration {
    let long = failing_since.map_or(SignedDuration::ZERO, |since| now.duration_since(since));
    SignedDuration::from_secs(long.as_secs() / 4)
        .max(SHORTEST_REST)
        .min(LONGEST_REST)
}

#[cfg(test)]
mod tests;
