//! Configuration: the whole as a document; organizations, connections and applications one by one.

use std::collections::BTreeMap;

use crate::route::{delete, get, put};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::MethodRouter;
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
use crate::error::{AppError, Result};
use crate::flow::api_keys::{Caller, Scope};
use crate::flow::configuration::{self, Outcome, People, Tally};

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
        handler: || put_one(Entry::Organization),
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
        handler: || delete_one(Plain::Organization),
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
        problems: &[
            (403, "entitlement_missing"),
            (403, "setup_by_link"),
            (403, "setup_by_operator"),
            (422, "invalid_configuration"),
        ],
        handler: || put_one(Entry::Connection),
    },
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/connections/{connection}/affected",
        name: "listAffected",
        area: "Configuration",
        summary: "Show whom the end of a connection would concern",
        description: "How many people sign in through it, and the first of them. With `people`, everybody is decided about without \
                      effect, and the answer says for whom that would work and for whom not.",
        scope: Scope::AccountsRead,
        query: Some(query_of::<PeopleQuery>),
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
                      `people=convert` gives each an account with a password and a link to choose it, `people=delete` deletes each. \
                      Who may not be changed stays as is and is named. Nobody signs in through it from then on; more than 200 people \
                      are dealt with in the background. A connection that accounts stay bound to is switched off for good rather \
                      than removed; its tokens end.",
        scope: Scope::ConnectionsWrite,
        query: Some(query_of::<PeopleQuery>),
        body: None,
        answers: &[
            Answer {
                status: 200,
                what: "What became of it.",
                content: &[(JSON, Some(schema_of::<EndedView>))],
            },
            Answer {
                status: 202,
                what: "It is switched off; its people are being dealt with.",
                content: &[(JSON, Some(schema_of::<EndedView>))],
            },
        ],
        problems: &[
            (403, "setup_by_link"),
            (403, "setup_by_operator"),
            (409, "connection_in_use"),
            (409, "last_connection"),
            (409, "mail_off"),
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
        handler: || put_one(Entry::Application),
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
        handler: || delete_one(Plain::Application),
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
struct PeopleQuery {
    /// `keep`, `convert` (to accounts with a password) or `delete`.
    people: Option<People>,
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
    count: u64,
    /// The first of them.
    accounts: Vec<AccountView>,
    /// With `people`: what would become of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    outlook: Option<TallyView>,
}

/// What became, or would become, of the people of a connection.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "EndedPeople")]
struct TallyView {
    /// Converted or deleted; everybody where all are kept.
    done: u32,
    /// Left as they are, by the code that says why.
    refused: BTreeMap<String, u32>,
    /// The first 200 of those.
    refused_people: Vec<RefusedView>,
}

/// Somebody who stays as she is.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "RefusedPerson")]
struct RefusedView {
    /// The account.
    account: String,
    /// Its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// Why.
    code: String,
}

impl From<Tally> for TallyView {
    fn from(tally: Tally) -> Self {
        let named = tally.people.into_iter().map(|one| RefusedView {
            account: one.account.as_str().to_owned(),
            email: one.email.map(|email| email.to_string()),
            code: one.code,
        });
        Self {
            done: tally.done,
            refused: tally.refused,
            refused_people: named.collect(),
        }
    }
}

/// What became of a connection.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "EndedConnection")]
struct EndedView {
    /// `deleted`, `retired` where accounts stay bound to it, or `ending` while many people are dealt with in the background.
    outcome: &'static str,
    /// What became of its people so far.
    people: TallyView,
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

/// What is put one by one.
#[derive(Clone, Copy, Debug)]
enum Entry {
    Organization,
    Connection,
    Application,
}

fn put_one(what: Entry) -> MethodRouter<App> {
    put(
        move |State(app): State<App>,
              Extension(caller): Extension<Caller>,
              Path(id): Path<String>,
              Asked(query): Asked<ApplyQuery>,
              Sent(body): Sent<Map<String, Value>>| async move {
            let mode = query.mode();
            let report = match what {
                Entry::Organization => configuration::put_organization(&app, &caller, &id, body, mode).await,
                Entry::Connection => configuration::put_connection(&app, &caller, &id, body, mode).await,
                Entry::Application => configuration::put_application(&app, &caller, &id, body, mode).await,
            }?;
            Ok::<_, AppError>(Json(ReportView::of(report, &query)))
        },
    )
}

/// What is deleted without a word about people.
#[derive(Clone, Copy, Debug)]
enum Plain {
    Organization,
    Application,
}

fn delete_one(what: Plain) -> MethodRouter<App> {
    delete(
        move |State(app): State<App>, Extension(caller): Extension<Caller>, Path(id): Path<String>| async move {
            match what {
                Plain::Organization => configuration::delete_organization(&app, &caller, &id).await?,
                Plain::Application => configuration::delete_application(&app, &caller, &id).await?,
            }
            Ok::<_, AppError>(StatusCode::NO_CONTENT)
        },
    )
}

async fn affected(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Asked(query): Asked<PeopleQuery>,
) -> Result<Response> {
    let found = configuration::affected(&app, &caller, &id, SHOWN).await?;
    let accounts = found
        .people
        .into_iter()
        .map(|facts| AccountView::of(facts, &caller))
        .collect();
    let outlook = match query.people {
        None => None,
        Some(people) => Some(configuration::outlook(&app, &caller, &id, people).await?.into()),
    };
    Ok(Json(AffectedView {
        count: found.count,
        accounts,
        outlook,
    })
    .into_response())
}

async fn delete_connection(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Asked(query): Asked<PeopleQuery>,
) -> Result<Response> {
    let ended = configuration::delete_connection(&app, &caller, &id, query.people).await?;
    let (status, outcome) = match ended.outcome {
        Outcome::Deleted => (StatusCode::OK, "deleted"),
        Outcome::Retired => (StatusCode::OK, "retired"),
        Outcome::Ending => (StatusCode::ACCEPTED, "ending"),
    };
    let view = EndedView {
        outcome,
        people: ended.tally.into(),
    };
    Ok((status, Json(view)).into_response())
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
