//! Following a run until it rests, as JSON Lines or server-sent events.

use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;

use super::RunView;
use crate::api::preview::{EVENTS, LINES};
use crate::app::App;
use crate::error::Result;
use crate::flow::api_keys::Caller;
use crate::flow::conversions;

/// How often a stream looks how far a run is.
const PAUSE: Duration = Duration::from_millis(500);

/// A stream under way.
struct Following {
    app: App,
    caller: Caller,
    id: String,
    as_events: bool,
    is_first: bool,
    is_over: bool,
}

pub(super) async fn progress(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response> {
    conversions::find(&app, &caller, &id).await?;
    let as_events = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains(EVENTS));
    let following = Following {
        app,
        caller,
        id,
        as_events,
        is_first: true,
        is_over: false,
    };
    let lines = stream::unfold(following, |mut following| async move {
        let text = following.next().await?;
        Some((Ok::<_, std::convert::Infallible>(text), following))
    });
    let kind = if as_events { EVENTS } else { LINES };
    let headers = [
        (header::CONTENT_TYPE, kind),
        // Proxies that gather answers would hide the progress.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(lines)).into_response())
}

impl Following {
    async fn next(&mut self) -> Option<String> {
        if self.is_over {
            return None;
        }
        if !std::mem::take(&mut self.is_first) {
            tokio::time::sleep(PAUSE).await;
        }
        // Whoever follows learns that it broke off by the missing last line.
        let standing = conversions::find(&self.app, &self.caller, &self.id).await.ok()?;
        self.is_over = conversions::is_at_rest(&standing.run);
        let json = serde_json::to_string(&RunView::from(standing)).unwrap_or_default();
        Some(if self.as_events {
            format!("event: progress\ndata: {json}\n\n")
        } else {
            format!("{json}\n")
        })
    }
}
