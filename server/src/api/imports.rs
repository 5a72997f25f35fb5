//! Imports of many people from a file of comma-separated values.

use crate::route::{get, post};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use jiff::Timestamp;
use provost_store::ImportRecord;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;

use super::endpoint::{Answer, Endpoint, JSON, LARGEST_CSV, Verb, query_of, schema_of};
use super::page::{Asked, Page, PageQuery};
use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::api_keys::{Caller, Scope};
use crate::flow::imports::{self, ImportOptions, RowProblem};

/// The endpoints of this area.
pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        verb: Verb::Post,
        path: "/api/v1/imports",
        name: "createImport",
        area: "Imports",
        summary: "Import people from a file of comma-separated values",
        description: "The first line names the columns: `email`, and as wanted `kind`, `connection`, `given_name`, `family_name`, \
                      `display_name`, `user_name`, `external_id`, `organization`, `roles`, `workspaces` (lists with semicolons) \
                      and `license`. At most 100,000 rows. Each row is judged for itself; whoever is already as the row says stays \
                      unchanged, so a file may be sent again. A large import goes on as a job: ask for it by its id.",
        scope: Scope::AccountsWrite,
        query: Some(query_of::<ImportOptions>),
        body: Some(csv_text),
        answers: &[
            Answer {
                status: 201,
                what: "The import is done.",
                content: &[(JSON, Some(schema_of::<ImportView>))],
            },
            Answer {
                status: 202,
                what: "The import has begun.",
                content: &[(JSON, Some(schema_of::<ImportView>))],
            },
        ],
        problems: &[(422, "invalid_import")],
        handler: || post(create).layer(DefaultBodyLimit::max(LARGEST_CSV)),
    },
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/imports",
        name: "listImports",
        area: "Imports",
        summary: "List imports, newest first",
        description: "A key of one organization sees those that keys of that organization asked for.",
        scope: Scope::AccountsRead,
        query: Some(query_of::<PageQuery>),
        body: None,
        answers: &[Answer {
            status: 200,
            what: "A page of imports.",
            content: &[(JSON, Some(schema_of::<Page<ImportView>>))],
        }],
        problems: &[],
        handler: || get(list),
    },
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/imports/{import}",
        name: "getImport",
        area: "Imports",
        summary: "Get an import with its progress and its problems",
        description: "Of the problems, the first 1,000 are listed; all are counted.",
        scope: Scope::AccountsRead,
        query: None,
        body: None,
        answers: &[Answer {
            status: 200,
            what: "The import.",
            content: &[(JSON, Some(schema_of::<ImportView>))],
        }],
        problems: &[],
        handler: || get(one),
    },
];

/// The body: text in another form than JSON.
fn csv_text(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "examples": ["email,given_name\nann@example.com,Ann\n"] })
}

/// An import.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Import")]
struct ImportView {
    /// Identifier.
    id: String,
    /// `waiting`, `running` or `done`.
    state: String,
    /// Whether it was only tried.
    dry_run: bool,
    /// Rows of the file.
    total: u32,
    /// Rows dealt with.
    done: u32,
    /// Accounts made, or that would be.
    created: u32,
    /// Accounts changed, or that would be.
    updated: u32,
    /// Accounts that already were as their row says.
    unchanged: u32,
    /// Rows that were refused.
    failed: u32,
    /// What is wrong, row by row.
    problems: Vec<RowProblem>,
    /// Who asked for it.
    asked_by: String,
    /// When.
    #[schemars(with = "String")]
    created_at: Timestamp,
    /// When it was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    finished_at: Option<Timestamp>,
}

impl From<ImportRecord> for ImportView {
    fn from(record: ImportRecord) -> Self {
        let options: ImportOptions = serde_json::from_value(record.options).unwrap_or_default();
        Self {
            id: record.id,
            state: record.state,
            dry_run: options.dry_run,
            total: record.total,
            done: record.progress.done,
            created: record.progress.created,
            updated: record.progress.updated,
            unchanged: record.progress.unchanged,
            failed: record.progress.failed,
            problems: serde_json::from_value(record.progress.problems).unwrap_or_default(),
            asked_by: record.actor.label(),
            created_at: record.created_at,
            finished_at: record.finished_at,
        }
    }
}

async fn create(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Asked(options): Asked<ImportOptions>,
    body: Result<String, axum::extract::rejection::StringRejection>,
) -> Result<Response> {
    let text = body.map_err(|rejection| {
        if rejection.status().as_u16() == 413 {
            return AppError::new(rejection.status(), "too_large", "The request is too large.");
        }
        AppError::unprocessable("invalid_import", "The file cannot be imported: it is not UTF-8.")
    })?;
    let record = imports::start(&app, &caller, text, options).await?;
    let status = if record.finished_at.is_some() {
        StatusCode::CREATED
    } else {
        StatusCode::ACCEPTED
    };
    Ok((status, Json(ImportView::from(record))).into_response())
}

async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Asked(page): Asked<PageQuery>,
) -> Result<Response> {
    let limit = page.limit()?;
    let found = imports::list(&app, &caller, page.after()?, limit).await?;
    let items = found.into_iter().map(ImportView::from).collect();
    Ok(Json(Page::new(items, limit, |item: &ImportView| item.id.clone())).into_response())
}

async fn one(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response> {
    let record = imports::find(&app, &caller, &id).await?;
    Ok(Json(ImportView::from(record)).into_response())
}
