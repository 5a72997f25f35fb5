//! Webhooks: who is told of events by signed calls; what became of each call; sending again.

mod views;

use crate::route::{delete, get, patch, post};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use jiff::Timestamp;
use provost_kernel::id::OrganizationId;

use super::endpoint::{Answer, Endpoint, JSON, Verb, query_of, schema_of};
use super::page::{Asked, Page, Sent, cursor, invalid_cursor, limit, open_cursor, time};
use crate::app::App;
use crate::error::Result;
use crate::flow::api_keys::{Caller, Scope};
use crate::flow::webhooks::{self, NewWebhook, WebhookChange, delivering, history};
use views::{
    AttemptView, ChangeBody, DeliveryDetail, DeliveryQuery, DeliveryView, MadeView, NewWebhookBody,
    ReplayBody, ReplayedView, WebhookView, Webhooks, detail,
};

const ONE: &[Answer] = &[Answer {
    status: 200,
    what: "The webhook.",
    content: &[(JSON, Some(schema_of::<WebhookView>))],
}];
const DELIVERY: &[Answer] = &[Answer {
    status: 200,
    what: "The delivery with its tries.",
    content: &[(JSON, Some(schema_of::<DeliveryDetail>))],
}];

/// The endpoints of this area.
pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        verb: Verb::Post,
        path: "/api/v1/webhooks",
        name: "createWebhook",
        area: "Webhooks",
        summary: "Make a webhook",
        description: "Tells an https address of what happens from now on: each event of the feed as one POST, signed as Standard \
                      Webhooks describes, at least once and in order for each account. Calls that fail are repeated with growing \
                      pauses for three days. The secret is shown once.",
        scope: Scope::WebhooksWrite,
        query: None,
        body: Some(schema_of::<NewWebhookBody>),
        answers: &[Answer {
            status: 201,
            what: "The webhook with its secret.",
            content: &[(JSON, Some(schema_of::<MadeView>))],
        }],
        problems: &[
            (404, "not_found"),
            (409, "too_many_webhooks"),
            (422, "invalid_webhook"),
        ],
        handler: || post(create),
    },
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/webhooks",
        name: "listWebhooks",
        area: "Webhooks",
        summary: "List webhooks, oldest first",
        description: "Of all, or of the key's organization. Secrets are never shown again.",
        scope: Scope::WebhooksRead,
        query: None,
        body: None,
        answers: &[Answer {
            status: 200,
            what: "The webhooks.",
            content: &[(JSON, Some(schema_of::<Webhooks>))],
        }],
        problems: &[],
        handler: || get(list),
    },
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/webhooks/{webhook}",
        name: "getWebhook",
        area: "Webhooks",
        summary: "Get a webhook and whether its calls arrive",
        description: "",
        scope: Scope::WebhooksRead,
        query: None,
        body: None,
        answers: ONE,
        problems: &[],
        handler: || get(one),
    },
    Endpoint {
        verb: Verb::Patch,
        path: "/api/v1/webhooks/{webhook}",
        name: "updateWebhook",
        area: "Webhooks",
        summary: "Change a webhook, or switch it off and on",
        description: "What is absent stays. One that is switched on again goes on where it stopped.",
        scope: Scope::WebhooksWrite,
        query: None,
        body: Some(schema_of::<ChangeBody>),
        answers: ONE,
        problems: &[(422, "invalid_webhook")],
        handler: || patch(update),
    },
    Endpoint {
        verb: Verb::Delete,
        path: "/api/v1/webhooks/{webhook}",
        name: "deleteWebhook",
        area: "Webhooks",
        summary: "Delete a webhook with its history",
        description: "",
        scope: Scope::WebhooksWrite,
        query: None,
        body: None,
        answers: &[Answer {
            status: 204,
            what: "It is gone.",
            content: &[],
        }],
        problems: &[],
        handler: || delete(remove),
    },
    Endpoint {
        verb: Verb::Post,
        path: "/api/v1/webhooks/{webhook}/rotate-secret",
        name: "rotateWebhookSecret",
        area: "Webhooks",
        summary: "Give a webhook a new secret",
        description: "For a day, calls carry the signature of the one before, too. The secret is shown once.",
        scope: Scope::WebhooksWrite,
        query: None,
        body: None,
        answers: &[Answer {
            status: 200,
            what: "The webhook with its secret.",
            content: &[(JSON, Some(schema_of::<MadeView>))],
        }],
        problems: &[],
        handler: || post(rotate),
    },
    Endpoint {
        verb: Verb::Post,
        path: "/api/v1/webhooks/{webhook}/test",
        name: "testWebhook",
        area: "Webhooks",
        summary: "Make one call now, and say how it went",
        description: "A signed call of the type `webhook.test`. It stands in no history.",
        scope: Scope::WebhooksWrite,
        query: None,
        body: None,
        answers: &[Answer {
            status: 200,
            what: "How it went.",
            content: &[(JSON, Some(schema_of::<AttemptView>))],
        }],
        problems: &[],
        handler: || post(test),
    },
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/webhooks/{webhook}/deliveries",
        name: "listDeliveries",
        area: "Webhooks",
        summary: "List what a webhook was told or is to be told, newest event first",
        description: "For 30 days.",
        scope: Scope::WebhooksRead,
        query: Some(query_of::<DeliveryQuery>),
        body: None,
        answers: &[Answer {
            status: 200,
            what: "A page of deliveries.",
            content: &[(JSON, Some(schema_of::<Page<DeliveryView>>))],
        }],
        problems: &[],
        handler: || get(deliveries),
    },
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/webhooks/{webhook}/deliveries/{delivery}",
        name: "getDelivery",
        area: "Webhooks",
        summary: "Get a delivery with how each try went",
        description: "",
        scope: Scope::WebhooksRead,
        query: None,
        body: None,
        answers: DELIVERY,
        problems: &[],
        handler: || get(delivery),
    },
    Endpoint {
        verb: Verb::Post,
        path: "/api/v1/webhooks/{webhook}/deliveries/{delivery}/replay",
        name: "replayDelivery",
        area: "Webhooks",
        summary: "Send one delivery again",
        description: "With the same `webhook-id`, so that whoever has seen it knows.",
        scope: Scope::WebhooksWrite,
        query: None,
        body: None,
        answers: DELIVERY,
        problems: &[(409, "wrong_state")],
        handler: || post(replay_one),
    },
    Endpoint {
        verb: Verb::Post,
        path: "/api/v1/webhooks/{webhook}/replay",
        name: "replayWebhook",
        area: "Webhooks",
        summary: "Send deliveries again: those that were given up, or all",
        description: "",
        scope: Scope::WebhooksWrite,
        query: None,
        body: Some(schema_of::<ReplayBody>),
        answers: &[Answer {
            status: 200,
            what: "How many.",
            content: &[(JSON, Some(schema_of::<ReplayedView>))],
        }],
        problems: &[],
        handler: || post(replay),
    },
];

async fn create(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Sent(body): Sent<NewWebhookBody>,
) -> Result<Response> {
    let new = NewWebhook {
        url: body.url,
        kinds: body.kinds,
        description: body.description,
        organization: body.organization.map(OrganizationId::new),
    };
    let made = webhooks::create(&app, &caller, new).await?;
    Ok((StatusCode::CREATED, Json(MadeView::from(made))).into_response())
}

async fn list(State(app): State<App>, Extension(caller): Extension<Caller>) -> Result<Response> {
    let found = webhooks::list(&app, &caller).await?;
    let items = found.into_iter().map(WebhookView::from).collect();
    Ok(Json(Webhooks { items }).into_response())
}

async fn one(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response> {
    let found = webhooks::find(&app, &caller, &id).await?;
    Ok(Json(WebhookView::from(found)).into_response())
}

async fn update(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Sent(body): Sent<ChangeBody>,
) -> Result<Response> {
    let change = WebhookChange {
        url: body.url,
        kinds: body.kinds,
        description: body.description,
        enabled: body.enabled,
    };
    let changed = webhooks::change(&app, &caller, &id, change).await?;
    Ok(Json(WebhookView::from(changed)).into_response())
}

async fn remove(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response> {
    webhooks::delete(&app, &caller, &id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn rotate(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response> {
    let made = webhooks::rotate(&app, &caller, &id).await?;
    Ok(Json(MadeView::from(made)).into_response())
}

async fn test(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response> {
    let attempt = delivering::test(&app, &caller, &id).await?;
    Ok(Json(AttemptView::from(attempt)).into_response())
}

async fn deliveries(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Asked(query): Asked<DeliveryQuery>,
) -> Result<Response> {
    let limit = limit(query.limit)?;
    let before = match query.cursor.as_deref().map(open_cursor).transpose()? {
        None => None,
        Some(parts) => {
            let [sequence] = <[String; 1]>::try_from(parts).map_err(|_| invalid_cursor())?;
            Some(sequence.parse::<i64>().map_err(|_| invalid_cursor())?)
        }
    };
    let found = history::deliveries(&app, &caller, &id, query.state, before, limit).await?;
    let is_full = u32::try_from(found.len()).is_ok_and(|count| count >= limit);
    let items: Vec<DeliveryView> = found.into_iter().map(DeliveryView::from).collect();
    let next = items
        .last()
        .filter(|_| is_full)
        .map(|last| cursor(&[last.sequence.to_string().as_str()]));
    Ok(Json(Page { items, next }).into_response())
}

async fn delivery(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((id, delivery)): Path<(String, String)>,
) -> Result<Response> {
    Ok(detail(history::delivery(&app, &caller, &id, &delivery).await?))
}

async fn replay_one(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((id, delivery)): Path<(String, String)>,
) -> Result<Response> {
    Ok(detail(history::replay_one(&app, &caller, &id, &delivery).await?))
}

async fn replay(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Sent(body): Sent<ReplayBody>,
) -> Result<Response> {
    let since = time(body.since.as_deref())?.unwrap_or(Timestamp::UNIX_EPOCH);
    let found = history::replay(&app, &caller, &id, since, body.all).await?;
    let view = ReplayedView {
        queued: found.queued,
        until: found.until,
    };
    Ok(Json(view).into_response())
}
