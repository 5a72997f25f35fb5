//! Configuration: the whole as a document; organizations, connections and applications one by one.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, put};
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::answer::AccountView;
use super::endpoint::{Answer, Endpoint, JSON, Verb, query_of, schema_of};
use super::page::{Asked, Sent};
use crate::app::App;
use crate::declarative::document::{ApplicationEntry, OrganizationEntry};
use crate::declarative::{ChangeKind, ConnectionEntry, Document, Mode, Report};
use crate::error::Result;
use crate::flow::api_keys::{Caller, Scope};
use crate::flow::configuration::{self, People};

const REPORT: &[Answer] = &[Answer {
    status: 200,
    what: "What was changed, or would be.",
    content: &[(JSON, Some(schema_of::<ReportView>))],
}];
const GONE: &[Answer] = &[Answer {
    status: 204,
    what: "It is gone.",
    content: &[],
}];
/// People shown of those whom the end of a connection concerns.
const SHOWN: u32 = 20;

/// The endpoints of this area.
pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/configuration",
        name: "exportConfiguration",
        area: "Configuration",
        summary: "Export the configuration as a document",
        description: "The declarative file, as `provost export` writes it; without secrets. Needs a key of the whole instance.",
        scope: Scope::ConfigurationRead,
        query: None,
        body: None,
        answers: &[Answer {
            status: 200,
            what: "The document.",
            content: &[(JSON, Some(schema_of::<Document>))],
        }],
        problems: &[(403, "instance_key_needed")],
        handler: || get(export),
    },
    Endpoint {
        verb: Verb::Put,
        path: "/api/v1/configuration",
        name: "applyConfiguration",
        area: "Configuration",
        summary: "Apply a document",
        description: "As `provost apply`: adds and changes, all or nothing; with `prune` also deletes. `dry_run=true` only tells. \
                      Needs a key of the whole instance.",
        scope: Scope::ConfigurationWrite,
        query: Some(query_of::<ApplyQuery>),
        body: Some(schema_of::<Document>),
        answers: REPORT,
        problems: &[(403, "instance_key_needed"), (422, "invalid_configuration")],
        handler: || put(apply),
    },
    Endpoint {
        verb: Verb::Put,
        path: "/api/v1/organizations/{organization}",
        name: "putOrganization",
        area: "Configuration",
        summary: "Make an organization, or bring it to what is wanted",
        description: "An entry of the declarative file; lists of roles, workspaces, licenses and domains are exact. What people still \
                      hold, and the default workspace, cannot go. Needs a key of the whole instance.",
        scope: Scope::OrganizationsWrite,
        query: Some(query_of::<ApplyQuery>),
        body: Some(schema_of::<OrganizationEntry>),
        answers: REPORT,
        problems: &[(403, "instance_key_needed"), (422, "invalid_configuration")],
        handler: || put(put_organization),
    },
    Endpoint {
        verb: Verb::Delete,
        path: "/api/v1/organizations/{organization}",
        name: "deleteOrganization",
        area: "Configuration",
        summary: "Delete an organization that nobody belongs to",
        description: "Needs a key of the whole instance.",
        scope: Scope::OrganizationsWrite,
        query: None,
        body: None,
        answers: GONE,
        problems: &[(403, "instance_key_needed"), (409, "organization_in_use")],
        handler: || delete(delete_organization),
    },
    Endpoint {
        verb: Verb::Put,
        path: "/api/v1/connections/{connection}",
        name: "putConnection",
        area: "Configuration",
        summary: "Make a connection, or bring it to what is wanted",
        description: "An entry of the declarative file. Secrets are written and never read: one that is not repeated stays. Policies \
                      that would take access from too many people are refused unless `approve=true`.",
        scope: Scope::ConnectionsWrite,
        query: Some(query_of::<ApplyQuery>),
        body: Some(schema_of::<ConnectionEntry>),
        answers: REPORT,
        problems: &[(422, "invalid_configuration")],
        handler: || put(put_connection),
    },
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/connections/{connection}/affected",
        name: "listAffected",
        area: "Configuration",
        summary: "Show whom the end of a connection would concern",
        description: "How many people sign in through it, and the first of them.",
        scope: Scope::AccountsRead,
        query: None,
        body: None,
        answers: &[Answer {
            status: 200,
            what: "The people.",
            content: &[(JSON, Some(schema_of::<AffectedView>))],
        }],
        problems: &[],
        handler: || get(affected),
    },
    Endpoint {
        verb: Verb::Delete,
        path: "/api/v1/connections/{connection}",
        name: "deleteConnection",
        area: "Configuration",
        summary: "End a connection",
        description: "Where people sign in through it, say what becomes of them: `people=keep` leaves them as they are, \
                      `people=delete` deletes each. A connection that accounts are bound to is switched off for good rather than removed; its tokens \
                      end at once.",
        scope: Scope::ConnectionsWrite,
        query: Some(query_of::<DeleteQuery>),
        body: None,
        answers: &[Answer {
            status: 200,
            what: "What became of it.",
            content: &[(JSON, Some(schema_of::<EndedView>))],
        }],
        problems: &[
            (403, "not_permitted"),
            (409, "connection_in_use"),
            (409, "last_owner"),
        ],
        handler: || delete(delete_connection),
    },
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/applications",
        name: "listApplications",
        area: "Configuration",
        summary: "List the applications",
        description: "All of them, without secrets. Needs a key of the whole instance.",
        scope: Scope::ApplicationsRead,
        query: None,
        body: None,
        answers: &[Answer {
            status: 200,
            what: "The applications.",
            content: &[(JSON, Some(schema_of::<Applications>))],
        }],
        problems: &[(403, "instance_key_needed")],
        handler: || get(applications),
    },
    Endpoint {
        verb: Verb::Put,
        path: "/api/v1/applications/{application}",
        name: "putApplication",
        area: "Configuration",
        summary: "Make an application, or bring it to what is wanted",
        description: "An entry of the declarative file. The secret is written and never read: one that is not repeated stays.",
        scope: Scope::ApplicationsWrite,
        query: Some(query_of::<ApplyQuery>),
        body: Some(schema_of::<ApplicationEntry>),
        answers: REPORT,
        problems: &[(422, "invalid_configuration")],
        handler: || put(put_application),
    },
    Endpoint {
        verb: Verb::Delete,
        path: "/api/v1/applications/{application}",
        name: "deleteApplication",
        area: "Configuration",
        summary: "Delete an application",
        description: "",
        scope: Scope::ApplicationsWrite,
        query: None,
        body: None,
        answers: GONE,
        problems: &[],
        handler: || delete(delete_application),
    },
];

/// How a change is carried out.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct ApplyQuery {
    /// Only tell what would change.
    dry_run: bool,
    /// Go on although a guard would hold it.
    approve: bool,
}

impl ApplyQuery {
    const fn mode(&self) -> Mode {
        match (self.dry_run, self.approve) {
            (true, _) => Mode::DryRun,
            (false, true) => Mode::Approved,
            (false, false) => Mode::Write,
        }
    }
}

/// What becomes of people.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DeleteQuery {
    /// `keep` or `delete`.
    people: Option<PeopleWord>,
}

/// What becomes of people.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum PeopleWord {
    /// They stay as they are.
    Keep,
    /// Each is deleted.
    Delete,
}

/// What was changed, or would be.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "ApplyReport")]
struct ReportView {
    /// Whether it was only tried.
    dry_run: bool,
    /// Changes in order; none where everything already was as wanted.
    changes: Vec<ApplyChange>,
    /// Things worth a look that hinder nothing.
    warnings: Vec<ApplyWarning>,
}

/// One change.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct ApplyChange {
    /// `created`, `changed` or `deleted`.
    kind: &'static str,
    /// What, such as `connection home-okta`.
    what: String,
    /// Fields, such as `enabled: true → false`. Never a secret.
    fields: Vec<String>,
}

/// Something worth a look.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct ApplyWarning {
    /// Where.
    path: String,
    /// What.
    message: String,
}

/// Whom the end of a connection would concern.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Affected")]
struct AffectedView {
    /// How many.
    count: usize,
    /// The first of them.
    accounts: Vec<AccountView>,
}

/// What became of a connection.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "EndedConnection")]
struct EndedView {
    /// `deleted`, or `retired` where accounts are bound to it.
    outcome: &'static str,
}

/// Applications.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Applications {
    /// By client id.
    items: Vec<ApplicationView>,
}

/// An application, without its secret.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Application")]
struct ApplicationView {
    /// Client id.
    client_id: String,
    /// Whether it has a secret.
    has_secret: bool,
    /// Organizations whose people may use it; absent: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    organizations: Option<Vec<String>>,
    /// Registration, as in the declarative file.
    registration: Value,
}

impl ReportView {
    fn of(report: Report, query: &ApplyQuery) -> Self {
        Self {
            dry_run: query.dry_run,
            changes: report
                .changes
                .into_iter()
                .map(|change| ApplyChange {
                    kind: match change.kind {
                        ChangeKind::Created => "created",
                        ChangeKind::Changed => "changed",
                        ChangeKind::Deleted => "deleted",
                    },
                    what: change.what,
                    fields: change.fields,
                })
                .collect(),
            warnings: report
                .warnings
                .into_iter()
                .map(|warning| ApplyWarning {
                    path: warning.path,
                    message: warning.message,
                })
                .collect(),
        }
    }
}

async fn export(State(app): State<App>, Extension(caller): Extension<Caller>) -> Result<Response> {
    Ok(Json(configuration::export(&app, &caller).await?).into_response())
}

async fn apply(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<ApplyQuery>,
    Sent(document): Sent<Document>,
) -> Result<Response> {
    let report = configuration::apply(&app, &caller, document, query.mode()).await?;
    Ok(Json(ReportView::of(report, &query)).into_response())
}

async fn put_organization(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Asked(query): Asked<ApplyQuery>,
    Sent(body): Sent<Map<String, Value>>,
) -> Result<Response> {
    let report = configuration::put_organization(&app, &caller, &id, body, query.mode()).await?;
    Ok(Json(ReportView::of(report, &query)).into_response())
}

async fn delete_organization(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response> {
    configuration::delete_organization(&app, &caller, &id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn put_connection(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Asked(query): Asked<ApplyQuery>,
    Sent(body): Sent<Map<String, Value>>,
) -> Result<Response> {
    let report = configuration::put_connection(&app, &caller, &id, body, query.mode()).await?;
    Ok(Json(ReportView::of(report, &query)).into_response())
}

async fn affected(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response> {
    let found = configuration::affected(&app, &caller, &id, SHOWN).await?;
    let accounts = found
        .people
        .into_iter()
        .map(|facts| AccountView::of(facts, &caller))
        .collect();
    Ok(Json(AffectedView {
        count: found.count,
        accounts,
    })
    .into_response())
}

async fn delete_connection(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Asked(query): Asked<DeleteQuery>,
) -> Result<Response> {
    let people = query.people.map(|word| match word {
        PeopleWord::Keep => People::Keep,
        PeopleWord::Delete => People::Delete,
    });
    let gone = configuration::delete_connection(&app, &caller, &id, people).await?;
    let outcome = if gone { "deleted" } else { "retired" };
    Ok(Json(EndedView { outcome }).into_response())
}

async fn applications(State(app): State<App>, Extension(caller): Extension<Caller>) -> Result<Response> {
    let found = configuration::applications(&app, &caller).await?;
    let items = found
        .into_iter()
        .map(|record| ApplicationView {
            client_id: record.client_id,
            has_secret: record.secret_digest.is_some(),
            organizations: record
                .organizations
                .map(|ids| ids.iter().map(|id| id.as_str().to_owned()).collect()),
            registration: record.config,
        })
        .collect();
    Ok(Json(Applications { items }).into_response())
}

async fn put_application(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Asked(query): Asked<ApplyQuery>,
    Sent(body): Sent<Map<String, Value>>,
) -> Result<Response> {
    let report = configuration::put_application(&app, &caller, &id, body, query.mode()).await?;
    Ok(Json(ReportView::of(report, &query)).into_response())
}

async fn delete_application(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response> {
    configuration::delete_application(&app, &caller, &id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
