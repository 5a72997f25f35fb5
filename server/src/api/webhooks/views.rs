//! Webhooks and what became of their calls, as the API reads and writes them.

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use provost_store::{Attempt, Delivery, DeliveryState, Webhook};
use schemars::JsonSchema;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};

use crate::flow::webhooks::WithSecret;

/// A webhook to be made.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewWebhook")]
pub(super) struct NewWebhookBody {
    /// Where to: an https address that is not in the operator's own network.
    pub(super) url: String,
    /// Kinds of events such as `user.created`, or `user.*` for all of a family; absent or empty for all.
    #[serde(default)]
    pub(super) kinds: Vec<String>,
    /// What it is for.
    pub(super) description: Option<String>,
    /// Whose events; a key of one organization need not name it. Absent with a key of the instance: all events.
    pub(super) organization: Option<String>,
}

/// What is to be changed; what is absent stays.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "WebhookChange")]
pub(super) struct ChangeBody {
    /// Where to.
    pub(super) url: Option<String>,
    /// Kinds of events; empty for all.
    pub(super) kinds: Option<Vec<String>>,
    /// What it is for; empty for nothing.
    pub(super) description: Option<String>,
    /// Whether events are told.
    pub(super) enabled: Option<bool>,
}

/// Which deliveries are wanted.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeliveryQuery {
    /// `pending`, `delivered` or `failed`.
    #[schemars(with = "Option<String>")]
    pub(super) state: Option<DeliveryState>,
    /// Where the page before ended: its `next`.
    pub(super) cursor: Option<String>,
    /// Entries of a page, 50 if absent.
    #[schemars(range(min = 1, max = 200))]
    pub(super) limit: Option<u32>,
}

/// What is to be sent again.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Replay")]
pub(super) struct ReplayBody {
    /// Made at this time or later (RFC 3339); absent: all that is kept.
    pub(super) since: Option<String>,
    /// Those that arrived, too.
    pub(super) all: bool,
}

/// A webhook, without its secret.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Webhook")]
pub(super) struct WebhookView {
    /// Identifier.
    id: String,
    /// Whose events; absent for all of the instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<String>,
    /// Where to.
    url: String,
    /// Kinds of events; empty for all.
    kinds: Vec<String>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// Whether events are told.
    enabled: bool,
    /// Why it was switched off by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_reason: Option<String>,
    /// Since when nothing has arrived, if something failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    failing_since: Option<Timestamp>,
    /// Until when calls carry the signature of the secret before, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    previous_secret_until: Option<Timestamp>,
    /// When it was made.
    #[schemars(with = "String")]
    created_at: Timestamp,
}

/// A webhook with its secret, for this one time.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "MadeWebhook")]
pub(super) struct MadeView {
    /// The webhook.
    webhook: WebhookView,
    /// The secret, `whsec_…`, as libraries of Standard Webhooks take it.
    secret: String,
}

/// Webhooks.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct Webhooks {
    /// Oldest first.
    pub(super) items: Vec<WebhookView>,
}

/// One event that was told or is to be told.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Delivery")]
pub(super) struct DeliveryView {
    /// Identifier.
    id: String,
    /// Identifier of the event: the `webhook-id` of the call.
    event: String,
    /// Kind of the event.
    kind: String,
    /// `pending`, `delivered` or `failed`.
    state: String,
    /// How often it was tried.
    attempts: i64,
    /// Status of the last answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_status: Option<i64>,
    /// What went wrong last.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
    /// When it is tried next; absent unless it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    next_attempt_at: Option<Timestamp>,
    /// When it was made.
    #[schemars(with = "String")]
    created_at: Timestamp,
    /// When it arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    delivered_at: Option<Timestamp>,
    #[serde(skip)]
    pub(super) sequence: i64,
}

/// A delivery with its tries.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct DeliveryDetail {
    /// The delivery.
    delivery: DeliveryView,
    /// How each try went, oldest first.
    attempts: Vec<AttemptView>,
}

/// How one try went.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "DeliveryAttempt")]
pub(super) struct AttemptView {
    /// When.
    #[schemars(with = "String")]
    at: Timestamp,
    /// Status of the answer, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<i64>,
    /// What went wrong; absent if it arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// The beginning of an answer that was no yes, without what looks like a secret. Absent if a private address answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<String>,
    /// How long it took.
    milliseconds: i64,
}

/// How many deliveries are sent again.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Replayed")]
pub(super) struct ReplayedView {
    /// Queued; at most 10,000 at once.
    pub(super) queued: u64,
    /// When the newest of them was made, if there may be more: go on with `since` from here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub(super) until: Option<Timestamp>,
}

impl From<Webhook> for WebhookView {
    fn from(webhook: Webhook) -> Self {
        Self {
            id: webhook.id,
            organization: webhook.organization.map(|id| id.as_str().to_owned()),
            url: webhook.url,
            kinds: webhook.kinds,
            description: webhook.description,
            enabled: webhook.enabled,
            disabled_reason: webhook.disabled_reason,
            failing_since: webhook.failing_since,
            previous_secret_until: webhook.previous_until,
            created_at: webhook.created_at,
        }
    }
}

impl From<WithSecret> for MadeView {
    fn from(made: WithSecret) -> Self {
        Self {
            webhook: made.webhook.into(),
            secret: made.secret.expose_secret().to_owned(),
        }
    }
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        Self {
            state: super::super::answer::word(&delivery.state),
            next_attempt_at: (delivery.state == DeliveryState::Pending).then_some(delivery.due_at),
            id: delivery.id,
            event: delivery.event,
            kind: delivery.kind,
            attempts: delivery.attempts,
            last_status: delivery.last_status,
            last_error: delivery.last_error,
            created_at: delivery.created_at,
            delivered_at: delivery.delivered_at,
            sequence: delivery.sequence,
        }
    }
}

impl From<Attempt> for AttemptView {
    fn from(attempt: Attempt) -> Self {
        Self {
            at: attempt.at,
            status: attempt.status,
            error: attempt.error,
            answer: attempt.answer,
            milliseconds: attempt.milliseconds,
        }
    }
}

pub(super) fn detail((delivery, attempts): (Delivery, Vec<Attempt>)) -> Response {
    let view = DeliveryDetail {
        delivery: delivery.into(),
        attempts: attempts.into_iter().map(AttemptView::from).collect(),
    };
    Json(view).into_response()
}
