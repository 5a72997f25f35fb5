//! Moving people to single sign-on: preview, run, board, reminders, retiring, undoing.

mod bodies;
mod progress;

use std::collections::BTreeMap;

use crate::route::{get, post};
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use jiff::Timestamp;
use provost_kernel::id::{AccountId, OrganizationId};
use provost_kernel::provision::ConversionMode;
use provost_store::{Conversion, ConversionCounts, ConversionRow, ConversionRowFilter, ConversionRowState};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use bodies::ConversionBody;

use super::answer::word;
use super::endpoint::{Answer, Endpoint, JSON, Verb, query_of, schema_of};
use super::page::{Asked, Page, PageQuery, Sent};
use super::preview::{EVENTS, LINES};
use crate::app::App;
use crate::error::Result;
use crate::flow::api_keys::{Caller, Scope};
use crate::flow::conversions::{self, Standing, Turn, preview};

/// An answer with a run.
const RUN: &[Answer] = &[Answer {
    status: 200,
    what: "The run.",
    content: &[(JSON, Some(schema_of::<RunView>))],
}];

/// The endpoints of this area.
pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        verb: Verb::Post,
        path: "/api/v1/organizations/{organization}/conversions/preview",
        name: "previewConversion",
        area: "Conversions",
        summary: "Show who would be moved to single sign-on, and who would be passed over and why",
        description: "Writes nothing. Reasons are codes: `oneself`, `protected` (emergency admins, operators), `already_sso`, \
                      `domain_not_verified`, `no_seat`, `email_missing`, `suspended`, `deactivated`, `not_permitted`.",
        scope: Scope::ConversionsWrite,
        query: None,
        body: Some(schema_of::<ConversionBody>),
        answers: &[Answer {
            status: 200,
            what: "What would happen.",
            content: &[(JSON, Some(schema_of::<PreviewView>))],
        }],
        problems: &[],
        handler: || post(show_preview),
    },
    Endpoint {
        verb: Verb::Post,
        path: "/api/v1/organizations/{organization}/conversions",
        name: "startConversion",
        area: "Conversions",
        summary: "Move people to single sign-on, all or selected ones",
        description: "The run goes on in the background; follow it at `/api/v1/conversions/{conversion}/progress`.",
        scope: Scope::ConversionsWrite,
        query: None,
        body: Some(schema_of::<ConversionBody>),
        answers: RUN,
        problems: &[(403, "not_permitted"), (409, "mail_off")],
        handler: || post(start),
    },
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/organizations/{organization}/conversions",
        name: "listConversions",
        area: "Conversions",
        summary: "List an organization's runs, newest first",
        description: "",
        scope: Scope::AccountsRead,
        query: Some(query_of::<PageQuery>),
        body: None,
        answers: &[Answer {
            status: 200,
            what: "A page of runs.",
            content: &[(JSON, Some(schema_of::<Page<RunView>>))],
        }],
        problems: &[],
        handler: || get(list),
    },
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/conversions/{conversion}",
        name: "getConversion",
        area: "Conversions",
        summary: "Get a run and how far it is",
        description: "",
        scope: Scope::AccountsRead,
        query: None,
        body: None,
        answers: RUN,
        problems: &[],
        handler: || get(one),
    },
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/conversions/{conversion}/progress",
        name: "followConversion",
        area: "Conversions",
        summary: "Follow a run until it rests",
        description: "Sends the run again and again, as JSON Lines or, if asked for, as server-sent events named `progress`; the \
                      last one is `done`, `undone` or `paused`.",
        scope: Scope::AccountsRead,
        query: None,
        body: None,
        answers: &[Answer {
            status: 200,
            what: "The run, again and again.",
            content: &[(LINES, Some(schema_of::<RunView>)), (EVENTS, None)],
        }],
        problems: &[],
        handler: || get(progress::progress),
    },
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/conversions/{conversion}/people",
        name: "listConversionPeople",
        area: "Conversions",
        summary: "List the people of a run: invited, signed in through the connection, not yet",
        description: "",
        scope: Scope::AccountsRead,
        query: Some(query_of::<PeopleQuery>),
        body: None,
        answers: &[Answer {
            status: 200,
            what: "A page of people.",
            content: &[(JSON, Some(schema_of::<Page<PersonView>>))],
        }],
        problems: &[],
        handler: || get(people),
    },
    Endpoint {
        verb: Verb::Post,
        path: "/api/v1/conversions/{conversion}/pause",
        name: "pauseConversion",
        area: "Conversions",
        summary: "Stop a run for now",
        description: "",
        scope: Scope::ConversionsWrite,
        query: None,
        body: None,
        answers: RUN,
        problems: &[(403, "not_permitted"), (409, "wrong_state")],
        handler: || post(pause),
    },
    Endpoint {
        verb: Verb::Post,
        path: "/api/v1/conversions/{conversion}/resume",
        name: "resumeConversion",
        area: "Conversions",
        summary: "Have a stopped run go on",
        description: "",
        scope: Scope::ConversionsWrite,
        query: None,
        body: None,
        answers: RUN,
        problems: &[(403, "not_permitted"), (409, "wrong_state")],
        handler: || post(resume),
    },
    Endpoint {
        verb: Verb::Post,
        path: "/api/v1/conversions/{conversion}/undo",
        name: "undoConversion",
        area: "Conversions",
        summary: "Take a run back, within the time for it",
        description: "Accounts made beside others are deleted, retired ones come back; an account converted in place gets a link \
                      for a new password.",
        scope: Scope::ConversionsWrite,
        query: None,
        body: None,
        answers: RUN,
        problems: &[
            (403, "not_permitted"),
            (409, "wrong_state"),
            (409, "undo_expired"),
        ],
        handler: || post(undo),
    },
    Endpoint {
        verb: Verb::Post,
        path: "/api/v1/conversions/{conversion}/people/{account}/retry",
        name: "retryConversionPerson",
        area: "Conversions",
        summary: "Look again at a person who was passed over or did not work",
        description: "",
        scope: Scope::ConversionsWrite,
        query: None,
        body: None,
        answers: RUN,
        problems: &[(403, "not_permitted"), (409, "wrong_state")],
        handler: || post(retry),
    },
    Endpoint {
        verb: Verb::Post,
        path: "/api/v1/conversions/{conversion}/remind",
        name: "remindConversion",
        area: "Conversions",
        summary: "Remind everybody who has not signed in through the connection yet, once a day at most",
        description: "",
        scope: Scope::ConversionsWrite,
        query: None,
        body: None,
        answers: &[Answer {
            status: 200,
            what: "How many.",
            content: &[(JSON, Some(schema_of::<CountView>))],
        }],
        problems: &[(403, "not_permitted"), (409, "wrong_state"), (409, "mail_off")],
        handler: || post(remind),
    },
    Endpoint {
        verb: Verb::Post,
        path: "/api/v1/conversions/{conversion}/retire",
        name: "retireOriginals",
        area: "Conversions",
        summary: "Deactivate the standard accounts of those who have signed in through the connection",
        description: "",
        scope: Scope::ConversionsWrite,
        query: None,
        body: None,
        answers: &[Answer {
            status: 200,
            what: "How many.",
            content: &[(JSON, Some(schema_of::<CountView>))],
        }],
        problems: &[(403, "not_permitted"), (409, "wrong_state")],
        handler: || post(retire),
    },
];

/// What a run would do.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "ConversionPreview")]
pub(super) struct PreviewView {
    /// How many would be invited.
    invited: u32,
    /// How many would be passed over, by reason.
    skipped: BTreeMap<&'static str, u32>,
    /// Whether selecting people one by one is the better choice, because some use single sign-on already.
    recommends_selected: bool,
    /// Everybody.
    people: Vec<PreviewPerson>,
}

/// What would become of one person.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "ConversionPreviewPerson")]
struct PreviewPerson {
    /// The account.
    account: String,
    /// Its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// Why the person would be passed over; absent for those who would be invited.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// A run and how far it is.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Conversion")]
pub(super) struct RunView {
    /// Identifier.
    id: String,
    /// Whose people.
    organization: String,
    /// Through which connection.
    connection: String,
    /// `additional` or `in_place`.
    mode: ConversionMode,
    /// `running`, `paused`, `done`, `undoing` or `undone`.
    state: String,
    /// Whether each person gets a mail.
    notify: bool,
    /// When it began.
    #[schemars(with = "String")]
    created_at: Timestamp,
    /// When it was through.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    done_at: Option<Timestamp>,
    /// Until when it can be undone.
    #[schemars(with = "String")]
    undo_until: Timestamp,
    /// People by what became of them; absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    people: Option<CountsView>,
}

/// People by what became of them.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "ConversionCounts")]
struct CountsView {
    /// Still to come.
    pending: u32,
    /// Moved and told.
    invited: u32,
    /// Passed over.
    skipped: u32,
    /// Did not work.
    failed: u32,
    /// Whose standard account was retired.
    retired: u32,
    /// Taken back.
    undone: u32,
    /// Who have signed in through the connection.
    signed_in: u32,
}

impl From<ConversionCounts> for CountsView {
    fn from(counts: ConversionCounts) -> Self {
        Self {
            pending: counts.pending,
            invited: counts.invited,
            skipped: counts.skipped,
            failed: counts.failed,
            retired: counts.retired,
            undone: counts.undone,
            signed_in: counts.signed_in,
        }
    }
}

impl From<Conversion> for RunView {
    fn from(run: Conversion) -> Self {
        Self {
            id: run.id,
            organization: run.organization.as_str().to_owned(),
            connection: run.connection.as_str().to_owned(),
            mode: run.mode,
            state: word(&run.state),
            notify: run.notify,
            created_at: run.created_at,
            done_at: run.done_at,
            undo_until: run.undo_until,
            people: None,
        }
    }
}

impl From<Standing> for RunView {
    fn from(standing: Standing) -> Self {
        Self {
            people: Some(standing.counts.into()),
            ..standing.run.into()
        }
    }
}

/// One person of a run.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "ConversionPerson")]
pub(super) struct PersonView {
    /// The standard account (or, in place, the account).
    account: String,
    /// Its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// `pending`, `invited`, `skipped`, `failed`, `retired` or `undone`.
    state: String,
    /// Why the person was passed over or did not work.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The account that the person signs in with from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    converted: Option<String>,
    /// Whether she has done so.
    signed_in: bool,
    /// State of the standard account.
    account_status: String,
    /// When she was reminded last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    reminded_at: Option<Timestamp>,
}

impl From<ConversionRow> for PersonView {
    fn from(row: ConversionRow) -> Self {
        Self {
            account: row.account.as_str().to_owned(),
            email: row.email.map(|email| email.to_string()),
            state: word(&row.state),
            reason: row.reason,
            converted: row.converted.map(|id| id.as_str().to_owned()),
            signed_in: row.signed_in,
            account_status: word(&row.status),
            reminded_at: row.reminded_at,
        }
    }
}

/// Which people are wanted.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PeopleQuery {
    /// In this state.
    #[schemars(with = "Option<String>")]
    state: Option<ConversionRowState>,
    /// Who have signed in through the connection (true), or not yet (false).
    signed_in: Option<bool>,
    /// Where the page before ended: its `next`. Absent: from the beginning.
    cursor: Option<String>,
    /// Entries of a page, 50 if absent.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u32>,
}

/// How many people.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "ConversionDone")]
pub(super) struct CountView {
    /// For how many it was done.
    done: u32,
    /// For how many not.
    skipped: u32,
}

async fn show_preview(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(organization): Path<String>,
    Sent(body): Sent<ConversionBody>,
) -> Result<Response> {
    let found = preview::preview(&app, &caller, &body.wanted(&app, organization).await?).await?;
    let people = found.people.into_iter().map(|person| PreviewPerson {
        account: person.account.as_str().to_owned(),
        email: person.email.map(|email| email.to_string()),
        reason: person.reason,
    });
    let view = PreviewView {
        invited: found.invited,
        skipped: found.skipped,
        recommends_selected: found.recommends_selected,
        people: people.collect(),
    };
    Ok(Json(view).into_response())
}

async fn start(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(organization): Path<String>,
    Sent(body): Sent<ConversionBody>,
) -> Result<Response> {
    let standing = conversions::start(&app, &caller, &body.wanted(&app, organization).await?).await?;
    Ok(Json(RunView::from(standing)).into_response())
}

async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(organization): Path<String>,
    Asked(page): Asked<PageQuery>,
) -> Result<Response> {
    let limit = page.limit()?;
    let organization = OrganizationId::new(organization);
    let found = conversions::list(&app, &caller, &organization, page.after()?, limit).await?;
    let items = found.into_iter().map(RunView::from).collect();
    Ok(Json(Page::new(items, limit, |item: &RunView| item.id.clone())).into_response())
}

async fn one(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response> {
    Ok(Json(RunView::from(conversions::find(&app, &caller, &id).await?)).into_response())
}

async fn people(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Asked(query): Asked<PeopleQuery>,
) -> Result<Response> {
    let (after, limit) = PageQuery::new(query.cursor, query.limit).asked()?;
    let filter = ConversionRowFilter {
        state: query.state,
        signed_in: query.signed_in,
        not_reminded_since: None,
    };
    let after = after.map(AccountId::new);
    let found = conversions::rows(&app, &caller, &id, filter, after, limit).await?;
    let items = found.into_iter().map(PersonView::from).collect();
    Ok(Json(Page::new(items, limit, |item: &PersonView| item.account.clone())).into_response())
}

async fn turned(app: &App, caller: &Caller, id: &str, turn: Turn) -> Result<Response> {
    Ok(Json(RunView::from(conversions::turn(app, caller, id, turn).await?)).into_response())
}

async fn pause(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response> {
    turned(&app, &caller, &id, Turn::Pause).await
}

async fn resume(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response> {
    turned(&app, &caller, &id, Turn::Resume).await
}

async fn undo(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response> {
    turned(&app, &caller, &id, Turn::Undo).await
}

async fn retry(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((id, account)): Path<(String, String)>,
) -> Result<Response> {
    let standing = conversions::retry(&app, &caller, &id, &AccountId::new(account)).await?;
    Ok(Json(RunView::from(standing)).into_response())
}

async fn remind(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response> {
    let outcome = conversions::remind(&app, &caller, &id).await?;
    let view = CountView {
        done: outcome.reminded,
        skipped: outcome.skipped,
    };
    Ok(Json(view).into_response())
}

async fn retire(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response> {
    let outcome = conversions::retire(&app, &caller, &id).await?;
    let view = CountView {
        done: outcome.retired,
        skipped: outcome.skipped,
    };
    Ok(Json(view).into_response())
}
