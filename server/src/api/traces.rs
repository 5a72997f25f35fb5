//! Traces: why somebody got in, or did not.

use crate::route::get;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use jiff::Timestamp;
use provost_kernel::explain;
use provost_kernel::id::TraceId;
use provost_store::TraceRecord;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answer::word;
use super::endpoint::{Answer, Endpoint, JSON, Verb, query_of, schema_of};
use super::page::{Asked, Page, cursor, invalid_cursor, limit, open_cursor};
use crate::app::App;
use crate::error::Result;
use crate::flow::api_keys::{Caller, Scope};
use crate::flow::traces::{self, Wanted};

/// Media type of explanations in words.
const TEXT: &str = "text/plain";

/// The endpoints of this area.
pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/traces",
        name: "listTraces",
        area: "Traces",
        summary: "List traces, newest first",
        description: "Every sign-in and every push leaves one, kept for `trace_days`. A key of one organization sees those of \
                      the connections that the organization owns, without what was decided about other organizations.",
        scope: Scope::TracesRead,
        query: Some(query_of::<TraceQuery>),
        body: None,
        answers: &[Answer {
            status: 200,
            what: "A page of traces.",
            content: &[(JSON, Some(schema_of::<Page<TraceView>>))],
        }],
        problems: &[(404, "not_found")],
        handler: || get(list),
    },
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/traces/{reference}",
        name: "getTrace",
        area: "Traces",
        summary: "Get a trace by its reference number",
        description: "As JSON, or as text with `Accept: text/plain`. The number may be typed in lower case.",
        scope: Scope::TracesRead,
        query: None,
        body: None,
        answers: &[Answer {
            status: 200,
            what: "The trace.",
            content: &[(JSON, Some(schema_of::<TraceView>)), (TEXT, None)],
        }],
        problems: &[],
        handler: || get(one),
    },
];

/// Which traces are wanted.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TraceQuery {
    /// Of this connection.
    connection: Option<String>,
    /// Of this account.
    account: Option<String>,
    /// Where the page before ended: its `next`.
    cursor: Option<String>,
    /// Entries of a page, 50 if absent.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u32>,
}

/// A trace: every step of a decision with its reason.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Trace")]
pub struct TraceView {
    /// Reference number.
    pub reference: String,
    /// When it was decided.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// What was attempted: `sign_in`, `password_sign_in`, `provision`.
    pub kind: String,
    /// Through which connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<String>,
    /// The account found or created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// `admitted` or the code of the denial.
    pub verdict: String,
    /// The steps in order.
    pub steps: Vec<StepView>,
    /// The whole story in one sentence.
    pub sentence: String,
    /// The claims that came in, without secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claims: Option<Value>,
}

/// One step of a decision.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Step")]
pub struct StepView {
    /// Link of the chain: `verify`, `normalize`, `match`, `lifecycle`, `profile`, `organization`, `role`, `workspace`, `license`, `apply`.
    pub stage: String,
    /// `passed`, `skipped`, `warned` or `refused`.
    pub outcome: String,
    /// Stable code of what happened.
    pub code: String,
    /// The organization it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// One sentence.
    pub text: String,
}

impl From<TraceRecord> for TraceView {
    fn from(record: TraceRecord) -> Self {
        let sentence = explain::sentence(&record.trace);
        let trace = record.trace;
        Self {
            reference: trace.id.as_str().to_owned(),
            at: trace.at,
            kind: trace.kind,
            connection: trace.connection.map(|id| id.as_str().to_owned()),
            account: trace.account.map(|id| id.as_str().to_owned()),
            verdict: record.verdict,
            steps: trace
                .steps
                .into_iter()
                .map(|step| StepView {
                    stage: word(&step.stage),
                    outcome: word(&step.outcome),
                    code: step.code,
                    organization: step.organization.map(|id| id.as_str().to_owned()),
                    text: step.text,
                })
                .collect(),
            sentence,
            claims: record.claims,
        }
    }
}

async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<TraceQuery>,
) -> Result<Response> {
    let limit = limit(query.limit)?;
    let before = query.cursor.as_deref().map(before).transpose()?;
    let wanted = Wanted {
        connection: query.connection,
        account: query.account,
        before,
    };
    let found = traces::list(&app, &caller, wanted, limit).await?;
    let is_full = u32::try_from(found.len()).is_ok_and(|count| count >= limit);
    let next = found.last().filter(|_| is_full).map(|last| {
        cursor(&[
            last.trace.at.as_millisecond().to_string().as_str(),
            last.trace.id.as_str(),
        ])
    });
    let items = found.into_iter().map(TraceView::from).collect();
    Ok(Json(Page { items, next }).into_response())
}

fn before(cursor: &str) -> Result<(Timestamp, TraceId)> {
    let parts = <[String; 2]>::try_from(open_cursor(cursor)?).map_err(|_| invalid_cursor())?;
    let [at, id] = parts;
    let at = at
        .parse::<i64>()
        .ok()
        .and_then(|at| Timestamp::from_millisecond(at).ok())
        .ok_or_else(invalid_cursor)?;
    Ok((at, TraceId::new(id)))
}

async fn one(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(reference): Path<String>,
    headers: HeaderMap,
) -> Result<Response> {
    let record = traces::find(&app, &caller, &reference).await?;
    if wants_text(&headers) {
        let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
        return Ok((kind, traces::text(&record)).into_response());
    }
    Ok(Json(TraceView::from(record)).into_response())
}

fn wants_text(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.trim_start().starts_with(TEXT))
}
