//! Accounts: adding, changing, ending, bringing back; one or many; who is probably the same person; their sessions.

mod bodies;

pub(super) use bodies::given;

use crate::route::{delete, get, patch, post};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use provost_kernel::facts::AccountFacts;
use schemars::JsonSchema;
use serde::Serialize;

use bodies::{BatchBody, BulkBody, DeleteQuery, NewAccountBody, PatchBody, Return, TakeBody};

use super::answer::{AccountView, SessionView};
use super::conditional::{IfMatch, tagged};
use super::endpoint::{Answer, Endpoint, JSON, Verb, query_of, schema_of};
use super::invitations::InvitationView;
use super::page::{Asked, Sent};
use super::rows::{self, RowResult, Rows};
use crate::app::App;
use crate::error::Result;
use crate::flow::api_keys::{Caller, Scope};
use crate::flow::invitations::Letter;
use crate::flow::people::{self, Step};
use crate::flow::{acting, directory};

const ACCOUNT: &[Answer] = &[Answer {
    status: 200,
    what: "The account as it is now.",
    content: &[(JSON, Some(schema_of::<AccountView>))],
}];
const ROWS: &[Answer] = &[Answer {
    status: 200,
    what: "What became of each row.",
    content: &[(JSON, Some(schema_of::<Rows>))],
}];
const DONE: &[Answer] = &[Answer {
    status: 204,
    what: "It is done.",
    content: &[],
}];
const STEP_PROBLEMS: &[(u16, &str)] = &[
    (403, "not_permitted"),
    (409, "conflict"),
    (409, "illegal_transition"),
    (409, "last_owner"),
];

/// A step without a body.
const fn step(
    path: &'static str,
    name: &'static str,
    summary: &'static str,
    description: &'static str,
    handler: fn() -> axum::routing::MethodRouter<App>,
) -> Endpoint {
    Endpoint {
        verb: Verb::Post,
        path,
        name,
        area: "Accounts",
        summary,
        description,
        scope: Scope::AccountsWrite,
        query: None,
        body: None,
        answers: ACCOUNT,
        problems: STEP_PROBLEMS,
        handler,
    }
}

/// The endpoints of this area.
pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        verb: Verb::Post,
        path: "/api/v1/accounts",
        name: "createAccount",
        area: "Accounts",
        summary: "Add a person",
        description: "With `connection` the account signs in through that identity provider and its address must lie in one of \
                      the connection's domains; without, it has a password. One address may have one of each. A key of one \
                      organization adds members of that organization. With `invite` the account waits until its person comes \
                      with the link that she gets by mail, or without any mail with `skip_invitation`; that needs the scope \
                      `invitations:write`, too.",
        scope: Scope::AccountsWrite,
        query: None,
        body: Some(schema_of::<NewAccountBody>),
        answers: &[Answer {
            status: 201,
            what: "The new account.",
            content: &[(JSON, Some(schema_of::<AddedView>))],
        }],
        problems: &[
            (403, "not_permitted"),
            (404, "not_found"),
            (409, "account_exists"),
            (409, "no_seat"),
            (409, "mail_off"),
            (422, "invalid_account"),
            (422, "domain_not_verified"),
            (422, "domain_reserved"),
        ],
        handler: || post(create),
    },
    Endpoint {
        verb: Verb::Post,
        path: "/api/v1/accounts:batch",
        name: "createAccounts",
        area: "Accounts",
        summary: "Add several people at once",
        description: "Each row is judged for itself; the answer has a result for each.",
        scope: Scope::AccountsWrite,
        query: None,
        body: Some(schema_of::<BatchBody>),
        answers: ROWS,
        problems: &[(422, "too_many_rows")],
        handler: || post(batch),
    },
    Endpoint {
        verb: Verb::Post,
        path: "/api/v1/accounts:bulk",
        name: "changeAccounts",
        area: "Accounts",
        summary: "Take the same step with several accounts",
        description: "Each account is judged for itself; the answer has a result for each.",
        scope: Scope::AccountsWrite,
        query: None,
        body: Some(schema_of::<BulkBody>),
        answers: ROWS,
        problems: &[(422, "too_many_rows")],
        handler: || post(bulk),
    },
    Endpoint {
        verb: Verb::Patch,
        path: "/api/v1/accounts/{account}",
        name: "updateAccount",
        area: "Accounts",
        summary: "Change fields of an account",
        description: "What is absent stays, `null` empties. Fields that a directory keeps are refused: change them there.",
        scope: Scope::AccountsWrite,
        query: None,
        body: Some(schema_of::<PatchBody>),
        answers: ACCOUNT,
        problems: &[
            (403, "not_permitted"),
            (409, "conflict"),
            (409, "directory_managed"),
            (409, "no_seat"),
            (422, "invalid_account"),
            (422, "domain_not_verified"),
            (422, "email_missing"),
        ],
        handler: || patch(update),
    },
    Endpoint {
        verb: Verb::Delete,
        path: "/api/v1/accounts/{account}",
        name: "deleteAccount",
        area: "Accounts",
        summary: "Delete an account",
        description: "Restorable for a while. Sessions and refresh tokens end at once. Another account of the same person \
                      stays as it is.",
        scope: Scope::AccountsWrite,
        query: Some(query_of::<DeleteQuery>),
        body: None,
        answers: ACCOUNT,
        problems: STEP_PROBLEMS,
        handler: || delete(remove),
    },
    step(
        "/api/v1/accounts/{account}/suspend",
        "suspendAccount",
        "Suspend an account",
        "Sessions and refresh tokens end at once.",
        || post(suspend),
    ),
    step(
        "/api/v1/accounts/{account}/deactivate",
        "deactivateAccount",
        "Deactivate an account",
        "Sessions and refresh tokens end at once. Nothing is lost.",
        || post(deactivate),
    ),
    step(
        "/api/v1/accounts/{account}/activate",
        "activateAccount",
        "Let a person in who was invited and has not come yet",
        "Her invitation means nothing any more.",
        || post(activate),
    ),
    step(
        "/api/v1/accounts/{account}/reactivate",
        "reactivateAccount",
        "Let a suspended or deactivated account in again",
        "",
        || post(reactivate),
    ),
    step(
        "/api/v1/accounts/{account}/restore",
        "restoreAccount",
        "Bring a deleted account back",
        "With its memberships, if nobody else has taken its address or name.",
        || post(restore),
    ),
    step(
        "/api/v1/accounts/{account}/reset-identity",
        "resetIdentity",
        "Forget the federated identity of an account",
        "The next sign-in is matched anew. Sessions end at once.",
        || post(reset_identity),
    ),
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/accounts/{account}/probable-matches",
        name: "listProbableMatches",
        area: "Accounts",
        summary: "List accounts that are probably the same person",
        description: "Nothing is assumed and nothing is linked: `take-identity` is the explicit step.",
        scope: Scope::AccountsRead,
        query: None,
        body: None,
        answers: &[Answer {
            status: 200,
            what: "The accounts, with reasons.",
            content: &[(JSON, Some(schema_of::<ProbableMatches>))],
        }],
        problems: &[],
        handler: || get(probable_matches),
    },
    Endpoint {
        verb: Verb::Post,
        path: "/api/v1/accounts/{account}/take-identity",
        name: "takeIdentity",
        area: "Accounts",
        summary: "Say that another account of the connection is the same person",
        description: "The account keeps its roles and data and gets identity and address of the other one, which is deleted. \
                      For people whose identity provider names them differently since their address changed.",
        scope: Scope::AccountsWrite,
        query: None,
        body: Some(schema_of::<TakeBody>),
        answers: ACCOUNT,
        problems: &[
            (403, "not_permitted"),
            (409, "conflict"),
            (409, "deleted"),
            (409, "directory_managed"),
            (409, "last_owner"),
            (409, "illegal_transition"),
        ],
        handler: || post(take_identity),
    },
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/accounts/{account}/sessions",
        name: "listSessions",
        area: "Accounts",
        summary: "List the live sessions of an account, newest first",
        description: "",
        scope: Scope::AccountsRead,
        query: None,
        body: None,
        answers: &[Answer {
            status: 200,
            what: "The sessions.",
            content: &[(JSON, Some(schema_of::<Sessions>))],
        }],
        problems: &[],
        handler: || get(sessions),
    },
    Endpoint {
        verb: Verb::Delete,
        path: "/api/v1/accounts/{account}/sessions",
        name: "endSessions",
        area: "Accounts",
        summary: "End all sessions of an account",
        description: "With their refresh tokens.",
        scope: Scope::AccountsWrite,
        query: None,
        body: None,
        answers: DONE,
        problems: &[(403, "not_permitted")],
        handler: || delete(end_sessions),
    },
    Endpoint {
        verb: Verb::Delete,
        path: "/api/v1/accounts/{account}/sessions/{session}",
        name: "endSession",
        area: "Accounts",
        summary: "End one session of an account",
        description: "With its refresh tokens.",
        scope: Scope::AccountsWrite,
        query: None,
        body: None,
        answers: DONE,
        problems: &[(403, "not_permitted")],
        handler: || delete(end_session),
    },
];

/// A new account.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "AddedAccount")]
struct AddedView {
    /// The account.
    #[serde(flatten)]
    account: AccountView,
    /// The invitation, if the person was invited.
    #[serde(skip_serializing_if = "Option::is_none")]
    invitation: Option<InvitationView>,
}

/// Accounts that are probably the same person.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct ProbableMatches {
    /// At most 20.
    items: Vec<ProbableMatch>,
}

/// An account that is probably the same person.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct ProbableMatch {
    /// The account.
    account: AccountView,
    /// Why: `same_email`, `same_name`.
    reasons: Vec<&'static str>,
    /// Whether `take-identity` is possible with it.
    can_take_identity: bool,
}

/// Sessions.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Sessions {
    /// Newest first.
    items: Vec<SessionView>,
}

fn answer(status: StatusCode, facts: AccountFacts, caller: &Caller) -> Response {
    let version = facts.account.version;
    tagged(
        version,
        (status, Json(AccountView::of(facts, caller))).into_response(),
    )
}

async fn create(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Sent(body): Sent<NewAccountBody>,
) -> Result<Response> {
    let added = people::add(&app, &caller, body.person()).await?;
    let facts = directory::account(&app, &caller, added.account.as_str()).await?;
    let version = facts.account.version;
    let view = AddedView {
        account: AccountView::of(facts, &caller),
        invitation: added
            .invitation
            .map(|invitation| InvitationView::of(&app, invitation)),
    };
    Ok(tagged(version, (StatusCode::CREATED, Json(view)).into_response()))
}

async fn batch(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Sent(body): Sent<BatchBody>,
) -> Result<Response> {
    rows::check(body.accounts.len())?;
    let mut results = Vec::with_capacity(body.accounts.len());
    for one in body.accounts {
        results.push(match people::attempt(&app, &caller, one.person()).await {
            Ok(Ok(added)) => RowResult::added(added),
            Ok(Err(refusal)) => RowResult::refused(None, &refusal.into()),
            Err(error) if error.status().is_client_error() => RowResult::refused(None, &error),
            Err(error) => return Err(error),
        });
    }
    Ok(Json(Rows::new(results)).into_response())
}

/// Carries one row out. What is wrong with the row is its result; what is wrong with us ends the whole request.
pub(super) async fn carry_out(
    app: &App,
    account: Option<String>,
    wish: Result<acting::Wish>,
) -> Result<RowResult> {
    match wish {
        Ok(wish) => Ok(RowResult::decided(account, acting::attempt(app, wish).await?)),
        Err(error) if error.status().is_client_error() => Ok(RowResult::refused(account, &error)),
        Err(error) => Err(error),
    }
}

async fn bulk(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Sent(body): Sent<BulkBody>,
) -> Result<Response> {
    rows::check(body.accounts.len())?;
    let step = body.action.step();
    let mut results = Vec::with_capacity(body.accounts.len());
    for id in body.accounts {
        let Some(step) = step else {
            results.push(invite(&app, &caller, id).await?);
            continue;
        };
        let wish = people::step_wish(&app, &caller, &id, step).await;
        results.push(carry_out(&app, Some(id), wish).await?);
    }
    app.ring_jobs();
    Ok(Json(Rows::new(results)).into_response())
}

/// Invites one person. What is wrong with the row is its result.
async fn invite(app: &App, caller: &Caller, id: String) -> Result<RowResult> {
    match people::invite(app, caller, &id, Letter::invitation(true)).await {
        Ok(invitation) => Ok(RowResult::invited(id, invitation)),
        Err(error) if error.status().is_client_error() => Ok(RowResult::refused(Some(id), &error)),
        Err(error) => Err(error),
    }
}

async fn update(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    IfMatch(version): IfMatch,
    Sent(body): Sent<PatchBody>,
) -> Result<Response> {
    // What is out of sight is so whatever is sent.
    directory::account(&app, &caller, &id).await?;
    let facts = people::update(&app, &caller, &id, body.patch()?, version).await?;
    Ok(answer(StatusCode::OK, facts, &caller))
}

async fn take(app: &App, caller: &Caller, id: &str, step: Step, version: Option<i64>) -> Result<Response> {
    let facts = people::take_step(app, caller, id, step, version).await?;
    Ok(answer(StatusCode::OK, facts, caller))
}

async fn remove(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    IfMatch(version): IfMatch,
    Asked(query): Asked<DeleteQuery>,
) -> Result<Response> {
    let step = Step::Delete {
        allow_return: query.comes_back == Some(Return::Allow),
    };
    take(&app, &caller, &id, step, version).await
}

async fn suspend(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    IfMatch(version): IfMatch,
) -> Result<Response> {
    take(&app, &caller, &id, Step::Suspend, version).await
}

async fn deactivate(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    IfMatch(version): IfMatch,
) -> Result<Response> {
    take(&app, &caller, &id, Step::Deactivate, version).await
}

async fn activate(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    IfMatch(version): IfMatch,
) -> Result<Response> {
    take(&app, &caller, &id, Step::Activate, version).await
}

async fn reactivate(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    IfMatch(version): IfMatch,
) -> Result<Response> {
    take(&app, &caller, &id, Step::Reactivate, version).await
}

async fn restore(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    IfMatch(version): IfMatch,
) -> Result<Response> {
    take(&app, &caller, &id, Step::Restore, version).await
}

async fn reset_identity(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    IfMatch(version): IfMatch,
) -> Result<Response> {
    take(&app, &caller, &id, Step::ResetIdentity, version).await
}

async fn probable_matches(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response> {
    let found = people::probable_matches(&app, &caller, &id).await?;
    let items = found
        .into_iter()
        .map(|one| ProbableMatch {
            account: AccountView::of(one.facts, &caller),
            reasons: one.reasons,
            can_take_identity: one.can_take_identity,
        })
        .collect();
    Ok(Json(ProbableMatches { items }).into_response())
}

async fn take_identity(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    IfMatch(version): IfMatch,
    Sent(body): Sent<TakeBody>,
) -> Result<Response> {
    let facts = people::take_identity(&app, &caller, &id, &body.from, version).await?;
    Ok(answer(StatusCode::OK, facts, &caller))
}

async fn sessions(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response> {
    let found = people::sessions(&app, &caller, &id).await?;
    let items = found.iter().map(SessionView::from).collect();
    Ok(Json(Sessions { items }).into_response())
}

async fn end_sessions(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response> {
    people::end_sessions(&app, &caller, &id, None).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn end_session(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((id, session)): Path<(String, String)>,
) -> Result<Response> {
    people::end_sessions(&app, &caller, &id, Some(&session)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
