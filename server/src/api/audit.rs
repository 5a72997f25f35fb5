//! The audit log: reading and exporting it; and the list of jobs.

use crate::route::get;
use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use futures_util::stream;
use jiff::Timestamp;
use provost_kernel::id::{AccountId, ConnectionId, OrganizationId};
use provost_store::{AuditFilter, AuditOrder, AuditRow, JobSight};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::endpoint::{Answer, Endpoint, JSON, Verb, query_of, schema_of};
use super::page::{Asked, Page, cursor, invalid_cursor, limit, open_cursor, time};
use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::api_keys::{Caller, Scope};
use crate::flow::audit;
use crate::spreadsheet::{MEDIA_TYPE, Sheet};

/// Media type of an export in lines.
const LINES: &str = "application/jsonl";
/// Rows read at once while exporting.
const PIECE: u32 = 500;

/// The endpoints of this area.
pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/audit",
        name: "listAudit",
        area: "Audit",
        summary: "Read the audit log, newest first",
        description: "Of one organization, or of the instance where none is named. Every row has who, what, before and after, and \
                      the reference of the trace that tells why. The rows of each log form a hash chain.",
        scope: Scope::AuditRead,
        query: Some(query_of::<AuditQuery>),
        body: None,
        answers: &[Answer {
            status: 200,
            what: "A page of rows.",
            content: &[(JSON, Some(schema_of::<Page<AuditView>>))],
        }],
        problems: &[(404, "not_found")],
        handler: || get(list),
    },
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/audit/export",
        name: "exportAudit",
        area: "Audit",
        summary: "Export the audit log, oldest first",
        description: "All rows that the filter wants, as JSON Lines or CSV, while they are read. An organization's own keys export \
                      only if its plan includes that.",
        scope: Scope::AuditRead,
        query: Some(query_of::<ExportQuery>),
        body: None,
        answers: &[Answer {
            status: 200,
            what: "The rows, a line each.",
            content: &[(LINES, None), ("text/csv", None)],
        }],
        problems: &[(403, "entitlement_missing"), (404, "not_found")],
        handler: || get(export),
    },
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/jobs",
        name: "listJobs",
        area: "Audit",
        summary: "List background jobs, newest first",
        description: "What waits, runs, is done or was given up, with the last error. Needs a key of the whole instance.",
        scope: Scope::JobsRead,
        query: Some(query_of::<JobQuery>),
        body: None,
        answers: &[Answer {
            status: 200,
            what: "A page of jobs.",
            content: &[(JSON, Some(schema_of::<Page<JobView>>))],
        }],
        problems: &[(403, "instance_key_needed")],
        handler: || get(jobs),
    },
];

/// Which rows are wanted.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AuditQuery {
    /// Whose log; absent: the instance's, or that of the key's organization.
    organization: Option<String>,
    /// Of this kind, such as `user.created`, or of all that begin with it, such as `user`.
    kind: Option<String>,
    /// By this actor, as rows write it.
    actor: Option<String>,
    /// About this account.
    account: Option<String>,
    /// Through this connection.
    connection: Option<String>,
    /// At this time or later (RFC 3339).
    since: Option<String>,
    /// Before this time (RFC 3339).
    until: Option<String>,
    /// Where the page before ended: its `next`.
    cursor: Option<String>,
    /// Entries of a page, 50 if absent.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u32>,
}

/// Which rows are wanted, and how.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ExportQuery {
    /// `jsonl` (default) or `csv`.
    format: Option<Format>,
    /// Whose log; absent: the instance's, or that of the key's organization.
    organization: Option<String>,
    /// Of this kind, such as `user.created`, or of all that begin with it, such as `user`.
    kind: Option<String>,
    /// By this actor, as rows write it.
    actor: Option<String>,
    /// About this account.
    account: Option<String>,
    /// Through this connection.
    connection: Option<String>,
    /// At this time or later (RFC 3339).
    since: Option<String>,
    /// Before this time (RFC 3339).
    until: Option<String>,
}

/// Form of an export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum Format {
    /// JSON Lines.
    #[default]
    Jsonl,
    /// CSV with a header.
    Csv,
}

/// A row of the audit log.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "AuditRow")]
struct AuditView {
    /// Position in the log, from 1 without gaps.
    sequence: i64,
    /// When.
    #[schemars(with = "String")]
    at: Timestamp,
    /// What happened, as a stable name.
    kind: String,
    /// Who did it.
    actor: String,
    /// In which organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<String>,
    /// About whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    /// Through which connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<String>,
    /// Reference number of the trace that explains it.
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
    /// Where to read that trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_url: Option<String>,
    /// Particulars by kind; `before` and `after` where something changed.
    data: Value,
    /// Hash of the row before, empty for the first.
    previous_hash: String,
    /// Hash over that and this row.
    hash: String,
}

/// Which jobs are wanted.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct JobQuery {
    /// Of this kind.
    kind: Option<String>,
    /// Where the page before ended: its `next`.
    cursor: Option<String>,
    /// Entries of a page, 50 if absent.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u32>,
}

/// A background job.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Job")]
struct JobView {
    /// Identifier.
    id: String,
    /// Kind, as a stable word.
    kind: String,
    /// `waiting`, `running`, `done` or `dead`.
    state: &'static str,
    /// How often it was begun.
    attempts: i64,
    /// What went wrong last.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
    /// When it was queued.
    #[schemars(with = "String")]
    created_at: Timestamp,
    /// When it may run at the earliest.
    #[schemars(with = "String")]
    run_at: Timestamp,
    /// When it was done or given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    ended_at: Option<Timestamp>,
}

impl From<AuditRow> for AuditView {
    fn from(row: AuditRow) -> Self {
        let event = row.event;
        let trace = event.trace.map(|id| id.as_str().to_owned());
        Self {
            sequence: row.sequence,
            at: event.at,
            kind: event.kind,
            actor: event.actor,
            organization: event.organization.map(|id| id.as_str().to_owned()),
            account: event.account.map(|id| id.as_str().to_owned()),
            connection: event.connection.map(|id| id.as_str().to_owned()),
            trace_url: trace.as_ref().map(|id| format!("/api/v1/traces/{id}")),
            trace,
            data: event.data,
            previous_hash: row.previous_hash,
            hash: row.hash,
        }
    }
}

impl JobView {
    fn of(sight: JobSight, now: Timestamp) -> Self {
        let record = sight.record;
        let is_held = sight.locked_until.is_some_and(|until| until > now);
        let state = match (sight.done_at, record.dead_at) {
            (Some(_), _) => "done",
            (None, Some(_)) => "dead",
            (None, None) if is_held => "running",
            (None, None) => "waiting",
        };
        Self {
            id: record.job.id,
            kind: record.job.kind,
            state,
            attempts: record.attempts,
            last_error: record.last_error,
            created_at: sight.created_at,
            run_at: record.job.run_at,
            ended_at: sight.done_at.or(record.dead_at),
        }
    }
}

impl ExportQuery {
    fn filter(&self, caller: &Caller) -> Result<AuditFilter> {
        let filter = AuditFilter {
            organization: self.organization.as_ref().map(OrganizationId::new),
            kind: self.kind.clone(),
            actor: self.actor.clone(),
            account: self.account.as_ref().map(AccountId::new),
            connection: self.connection.as_ref().map(ConnectionId::new),
            since: time(self.since.as_deref())?,
            until: time(self.until.as_deref())?,
            without_attempts: false,
        };
        audit::bounded(caller, filter)
    }
}

async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<AuditQuery>,
) -> Result<Response> {
    let limit = limit(query.limit)?;
    let before = match query.cursor.as_deref().map(open_cursor).transpose()? {
        None => None,
        Some(parts) => match <[String; 1]>::try_from(parts) {
            Ok([sequence]) => Some(sequence.parse::<i64>().map_err(|_| invalid_cursor())?),
            Err(_) => return Err(invalid_cursor()),
        },
    };
    let wanted = ExportQuery {
        format: None,
        organization: query.organization,
        kind: query.kind,
        actor: query.actor,
        account: query.account,
        connection: query.connection,
        since: query.since,
        until: query.until,
    };
    let filter = wanted.filter(&caller)?;
    let rows = audit::page(&app, filter, AuditOrder::Before(before), limit).await?;
    let items: Vec<AuditView> = rows.into_iter().map(AuditView::from).collect();
    Ok(Json(Page::new(items, limit, |row: &AuditView| {
        row.sequence.to_string()
    }))
    .into_response())
}

async fn export(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<ExportQuery>,
) -> Result<Response> {
    let filter = query.filter(&caller)?;
    audit::may_export(&app, &caller).await?;
    let format = query.format.unwrap_or_default();
    let (media, name) = match format {
        Format::Jsonl => (LINES, "audit.jsonl"),
        Format::Csv => (MEDIA_TYPE, "audit.csv"),
    };
    let pieces = stream::try_unfold(Some(0_i64), move |after| {
        let (app, filter) = (app.clone(), filter.clone());
        async move {
            let Some(after) = after else { return Ok(None) };
            let rows = audit::page(&app, filter, AuditOrder::After(after), PIECE).await?;
            let is_full = u32::try_from(rows.len()).is_ok_and(|count| count >= PIECE);
            let next = rows.last().map(|row| row.sequence).filter(|_| is_full);
            let text = match format {
                Format::Jsonl => lines(rows)?,
                Format::Csv => table(rows, after == 0)?,
            };
            Ok::<_, AppError>(Some((text, next)))
        }
    });
    let headers = [
        (header::CONTENT_TYPE, media.to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ),
    ];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

fn lines(rows: Vec<AuditRow>) -> Result<String> {
    let mut text = String::new();
    for row in rows {
        text.push_str(&serde_json::to_string(&AuditView::from(row)).map_err(AppError::internal)?);
        text.push('\n');
    }
    Ok(text)
}

fn table(rows: Vec<AuditRow>, with_header: bool) -> Result<String> {
    let mut sheet = Sheet::default();
    if with_header {
        sheet.row([
            "sequence",
            "at",
            "kind",
            "actor",
            "organization",
            "account",
            "connection",
            "trace",
            "data",
            "previous_hash",
            "hash",
        ])?;
    }
    for row in rows {
        let row = AuditView::from(row);
        let cell = |value: Option<String>| value.unwrap_or_default();
        sheet.row([
            row.sequence.to_string(),
            row.at.to_string(),
            row.kind,
            row.actor,
            cell(row.organization),
            cell(row.account),
            cell(row.connection),
            cell(row.trace),
            row.data.to_string(),
            row.previous_hash,
            row.hash,
        ])?;
    }
    sheet.text()
}

async fn jobs(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<JobQuery>,
) -> Result<Response> {
    let limit = limit(query.limit)?;
    let before = match query.cursor.as_deref().map(open_cursor).transpose()? {
        None => None,
        Some(parts) => match <[String; 2]>::try_from(parts) {
            Ok([at, id]) => Some((at.parse::<Timestamp>().map_err(|_| invalid_cursor())?, id)),
            Err(_) => return Err(invalid_cursor()),
        },
    };
    let found = audit::jobs(&app, &caller, query.kind, before, limit).await?;
    let is_full = u32::try_from(found.len()).is_ok_and(|count| count >= limit);
    let now = app.world.now();
    let items: Vec<JobView> = found.into_iter().map(|sight| JobView::of(sight, now)).collect();
    let next = items
        .last()
        .filter(|_| is_full)
        .map(|last| cursor(&[last.created_at.to_string().as_str(), last.id.as_str()]));
    Ok(Json(Page { items, next }).into_response())
}
