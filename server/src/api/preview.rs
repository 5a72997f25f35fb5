//! The stream of a preview: JSON Lines or server-sent events. The next portion is computed when the last one was taken,
//! so a slow reader slows the work down and a reader who leaves ends it.

use std::collections::VecDeque;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use provost_kernel::guard::Judgement;
use provost_kernel::preview::{Impact, Row};
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::api_keys::Caller;
use crate::flow::policy::Policies;
use crate::flow::policy::preview::{self, Preview};

/// Media type of JSON Lines.
pub(super) const LINES: &str = "application/jsonl";
/// Media type of server-sent events.
pub(super) const EVENTS: &str = "text/event-stream";

/// One line of a preview.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum PreviewLine {
    /// The first line.
    Begin {
        /// People who will be looked at.
        total: u32,
        /// People of the connection of whom no claims are known: they have never come through it, or its directory does not
        /// manage them.
        unknown: u32,
    },
    /// Somebody for whom something would change.
    Person {
        /// Address.
        #[serde(skip_serializing_if = "Option::is_none")]
        email: Option<String>,
        /// Name to display.
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// What would change.
        #[serde(flatten)]
        row: Box<Row>,
    },
    /// How far it is.
    Progress {
        /// People looked at.
        done: u64,
        /// People who will be looked at.
        total: u32,
        /// People for whom something would change.
        affected: u64,
    },
    /// The last line.
    End {
        /// Everything in numbers.
        impact: Box<Impact>,
        /// Whether saving would be held, and because of which organizations.
        judgement: Judgement,
        /// People whose claims are not known.
        unknown: u32,
    },
    /// The last line of a preview that broke off.
    Error {
        /// Stable code.
        code: String,
        /// What happened.
        detail: String,
    },
}

impl PreviewLine {
    /// Says what will be looked at.
    pub fn begin(preview: &Preview) -> Self {
        Self::Begin {
            total: preview.total(),
            unknown: preview.unknown(),
        }
    }

    /// Shows one person.
    pub fn person(person: preview::Person) -> Self {
        Self::Person {
            email: person.email,
            name: person.name,
            row: Box::new(person.row),
        }
    }

    fn progress(preview: &Preview) -> Self {
        Self::Progress {
            done: preview.impact().accounts,
            total: preview.total(),
            affected: preview.impact().affected,
        }
    }

    /// Sums up.
    pub fn end(preview: &Preview) -> Self {
        Self::End {
            impact: Box::new(preview.impact().clone()),
            judgement: preview.judgement(),
            unknown: preview.unknown(),
        }
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::Begin { .. } => "begin",
            Self::Person { .. } => "person",
            Self::Progress { .. } => "progress",
            Self::End { .. } => "end",
            Self::Error { .. } => "error",
        }
    }
}

/// A stream under way.
struct Running {
    app: App,
    preview: Preview,
    waiting: VecDeque<PreviewLine>,
    ended: bool,
    as_events: bool,
}

/// Streams a preview.
pub(super) async fn stream(
    app: App,
    caller: &Caller,
    id: &str,
    headers: &HeaderMap,
    edited: Policies,
) -> Result<Response> {
    let preview = preview::begin(&app, caller, id, edited).await?;
    let as_events = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains(EVENTS));
    let running = Running {
        app,
        waiting: VecDeque::from([PreviewLine::begin(&preview)]),
        preview,
        ended: false,
        as_events,
    };
    let lines = stream::unfold(running, |mut running| async move {
        let text = running.next().await?;
        Some((Ok::<_, std::convert::Infallible>(text), running))
    });
    let kind = if as_events { EVENTS } else { LINES };
    let headers = [
        (header::CONTENT_TYPE, kind),
        // Proxies that gather answers would hide the progress.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(lines)).into_response())
}

impl Running {
    /// Returns the next lines as text.
    async fn next(&mut self) -> Option<String> {
        if self.waiting.is_empty() {
            if self.ended {
                return None;
            }
            match self.preview.next(&self.app).await {
                Ok(Some(people)) => {
                    self.waiting.extend(people.into_iter().map(PreviewLine::person));
                    self.waiting.push_back(PreviewLine::progress(&self.preview));
                }
                Ok(None) => {
                    self.ended = true;
                    self.waiting.push_back(PreviewLine::end(&self.preview));
                }
                Err(error) => {
                    self.ended = true;
                    self.waiting.push_back(broken_off(&error));
                }
            }
        }
        let mut text = String::new();
        for line in self.waiting.drain(..) {
            let json = serde_json::to_string(&line).unwrap_or_default();
            if self.as_events {
                text.push_str("event: ");
                text.push_str(line.name());
                text.push_str("\ndata: ");
                text.push_str(&json);
                text.push_str("\n\n");
            } else {
                text.push_str(&json);
                text.push('\n');
            }
        }
        Some(text)
    }
}

fn broken_off(error: &AppError) -> PreviewLine {
    tracing::error!(code = error.code(), "a preview broke off");
    PreviewLine::Error {
        code: error.code().to_owned(),
        detail: error.public().to_owned(),
    }
}
