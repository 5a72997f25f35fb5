//! The activity as it happens: the newest entries as server-sent events, for whoever looks at the first page of the list.

use std::convert::Infallible;
use std::time::Duration;

use askama::Template;
use axum::extract::{FromRequestParts as _, Query, State};
use axum::http::request::Parts;
use axum::response::IntoResponse as _;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream;
use serde::Deserialize;

use super::activity::{self, Asked, Entry};
use super::shell::{Place, Shell};
use super::streams;
use super::visit::{Manager, Outcome};
use crate::app::App;
use crate::error::AppError;
use crate::flow::console::activity as log;

/// How often the logs are looked at.
const PAUSE: Duration = Duration::from_secs(3);
/// After so many looks, a minute, the stream ends, and the browser asks for the next one.
const LOOKS: u32 = 20;

/// What the page shows already: the time of its newest entry.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Seen {
    seen: String,
}

#[derive(Template)]
#[template(path = "console/entries.html")]
struct EntriesPiece {
    shell: Shell,
    entries: Vec<Entry>,
}

/// What a stream remembers between two looks.
struct Watch {
    app: App,
    manager: Manager,
    /// The request, by which session and rights are looked at again.
    request: Parts,
    asked: Asked,
    seen: String,
    looks: u32,
    _open: streams::Open,
}

/// `GET …/activity/live`: a piece of the page each time that something newer fits the filters.
pub async fn follow(
    State(app): State<App>,
    manager: Manager,
    Query(asked): Query<Asked>,
    Query(seen): Query<Seen>,
    request: Parts,
) -> Outcome {
    let watch = Watch {
        app,
        manager,
        request,
        asked,
        seen: seen.seen,
        looks: 0,
        _open: streams::Open::new()?,
    };
    let pieces = stream::unfold(watch, |watch| async move { look(watch).await });
    let alive = KeepAlive::new().interval(Duration::from_secs(15));
    Ok(Sse::new(pieces).keep_alive(alive).into_response())
}

/// Waits for something newer. The stream ends with the last look, where the logs cannot be read, and as soon as there is
/// something that the browser may not see any more: its session has ended, or its person does not manage the organization now.
async fn look(mut watch: Watch) -> Option<(Result<Event, Infallible>, Watch)> {
    while watch.looks < LOOKS {
        if watch.looks > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        watch.looks += 1;
        let newest = entries(&watch, 1).await.ok()?;
        let Some(newest) = newest.into_iter().next().filter(|one| one.at.0 != watch.seen) else {
            continue;
        };
        watch.seen = newest.at.0;
        watch.manager = Manager::from_request_parts(&mut watch.request, &watch.app)
            .await
            .ok()?;
        let piece = EntriesPiece {
            entries: entries(&watch, log::PAGE).await.ok()?,
            shell: watch.manager.shell(Place::Activity),
        };
        let html = piece.render().ok()?;
        return Some((Ok(Event::default().event("piece").data(html.trim())), watch));
    }
    None
}

async fn entries(watch: &Watch, size: usize) -> Result<Vec<Entry>, AppError> {
    let manager = &watch.manager;
    let organization = &manager.organization.organization.id;
    let wanted = log::Wanted {
        cursor: log::Cursor::default(),
        ..watch.asked.wanted()
    };
    let found = log::list_of(&watch.app, &manager.caller, Some(organization), wanted, size).await?;
    let shell = manager.shell(Place::Activity);
    let items = found.items.iter();
    Ok(items
        .map(|item| activity::entry(&shell, item, &found.people))
        .collect())
}
