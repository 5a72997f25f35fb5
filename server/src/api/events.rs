//! The event feed: one ordered sequence, at least once, followed with a cursor.

use crate::route::get;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use jiff::Timestamp;
use provost_store::Event;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::endpoint::{Answer, Endpoint, JSON, Verb, query_of, schema_of};
use super::page::{Asked, cursor, invalid_cursor, limit, open_cursor};
use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::api_keys::{Caller, Scope};
use crate::flow::feed;

/// Longest wait of one request in seconds; shorter than what proxies bear.
const LONGEST_WAIT: u32 = 20;

/// The endpoints of this area.
pub(super) const ENDPOINTS: &[Endpoint] = &[Endpoint {
    verb: Verb::Get,
    path: "/api/v1/events",
    name: "listEvents",
    area: "Events",
    summary: "Follow the event feed",
    description: "Begin without `after`, keep `cursor` once the events are dealt with, and ask again with it: each event is \
                  delivered at least once, in order, and recognized by its `id`. A key of one organization sees the \
                  events of the organization and of its members; pages may then be empty although `more` is true.",
    scope: Scope::EventsRead,
    query: Some(query_of::<EventQuery>),
    body: None,
    answers: &[Answer {
        status: 200,
        what: "A piece of the feed, oldest first.",
        content: &[(JSON, Some(schema_of::<EventPage>))],
    }],
    problems: &[],
    handler: || get(list),
}];

/// Where to read the feed.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EventQuery {
    /// The `cursor` of the piece before. Absent: from the oldest event on.
    after: Option<String>,
    /// Events of a piece, 50 if absent.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u32>,
    /// Seconds to wait for an event if there is none, 0 if absent.
    #[schemars(range(min = 0, max = 20))]
    wait: Option<u32>,
}

/// A piece of the feed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct EventPage {
    /// The events, oldest first.
    items: Vec<EventView>,
    /// Where to go on, also when there was nothing.
    cursor: String,
    /// Whether more is known to follow.
    more: bool,
}

/// Something that happened.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Event")]
pub(super) struct EventView {
    /// Stable identifier, the same at each delivery.
    id: String,
    /// When.
    #[schemars(with = "String")]
    at: Timestamp,
    /// Stable name, such as `user.created`.
    kind: String,
    /// About whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    /// In which organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<String>,
    /// Through which connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<String>,
    /// Reference number of the trace that explains it.
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
    /// Particulars, by kind.
    data: Value,
}

impl From<Event> for EventView {
    fn from(event: Event) -> Self {
        Self {
            id: event.id,
            at: event.at,
            kind: event.kind,
            account: event.account.map(|id| id.as_str().to_owned()),
            organization: event.organization.map(|id| id.as_str().to_owned()),
            connection: event.connection.map(|id| id.as_str().to_owned()),
            trace: event.trace.map(|id| id.as_str().to_owned()),
            data: event.data,
        }
    }
}

async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<EventQuery>,
) -> Result<Response> {
    let limit = limit(query.limit)?;
    let wait = query.wait.unwrap_or(0);
    if wait > LONGEST_WAIT {
        return Err(AppError::bad_request(
            "invalid_query",
            "At most 20 seconds can be waited.",
        ));
    }
    let after = query.after.as_deref().map(position).transpose()?.unwrap_or(0);
    let piece = feed::read(&app, &caller, after, limit, wait).await?;
    let page = EventPage {
        items: piece.events.into_iter().map(EventView::from).collect(),
        cursor: cursor(&[piece.cursor.to_string().as_str()]),
        more: piece.more,
    };
    Ok(Json(page).into_response())
}

fn position(cursor: &str) -> Result<i64> {
    let [sequence] = <[String; 1]>::try_from(open_cursor(cursor)?).map_err(|_| invalid_cursor())?;
    sequence
        .parse()
        .ok()
        .filter(|sequence| *sequence >= 0)
        .ok_or_else(invalid_cursor)
}
