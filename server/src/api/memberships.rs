//! Memberships: making, editing, ending; one or many at once.

use crate::route::{delete, get, post, put};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::Deserialize;

use super::accounts::{carry_out, given};
use super::answer::MembershipView;
use super::conditional::{IfMatch, tagged};
use super::endpoint::{Answer, Endpoint, JSON, Verb, schema_of};
use super::page::Sent;
use super::rows::{self, Rows};
use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::api_keys::{Caller, Scope};
use crate::flow::directory;
use crate::flow::memberships::{self, Step, Wanted};

const MEMBERSHIP: &[Answer] = &[Answer {
    status: 200,
    what: "The membership as it is now.",
    content: &[(JSON, Some(schema_of::<MembershipView>))],
}];

/// The endpoints of this area.
pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/organizations/{organization}/members/{account}",
        name: "getMembership",
        area: "Memberships",
        summary: "Get a membership",
        description: "Every grant says where it came from and whether it is pinned.",
        scope: Scope::AccountsRead,
        query: None,
        body: None,
        answers: MEMBERSHIP,
        problems: &[],
        handler: || get(show),
    },
    Endpoint {
        verb: Verb::Put,
        path: "/api/v1/organizations/{organization}/members/{account}",
        name: "putMembership",
        area: "Memberships",
        summary: "Make a membership, or bring it to what is wanted",
        description: "What is absent stays; lists that are given are exact. For a new membership, absent roles and workspaces are \
                      the organization's default ones. What hands grant is pinned: rules leave it alone.",
        scope: Scope::MembershipsWrite,
        query: None,
        body: Some(schema_of::<MembershipChange>),
        answers: MEMBERSHIP,
        problems: &[
            (403, "not_permitted"),
            (409, "deleted"),
            (409, "last_owner"),
            (409, "no_seat"),
            (422, "invalid_account"),
        ],
        handler: || put(change),
    },
    Endpoint {
        verb: Verb::Delete,
        path: "/api/v1/organizations/{organization}/members/{account}",
        name: "removeMembership",
        area: "Memberships",
        summary: "End a membership",
        description: "Its seat is free at once. Who is a member of no other organization is signed out.",
        scope: Scope::MembershipsWrite,
        query: None,
        body: None,
        answers: &[Answer {
            status: 204,
            what: "It is ended.",
            content: &[],
        }],
        problems: &[(403, "not_permitted"), (409, "last_owner")],
        handler: || delete(remove),
    },
    Endpoint {
        verb: Verb::Post,
        path: "/api/v1/organizations/{organization}/members:bulk",
        name: "changeMemberships",
        area: "Memberships",
        summary: "Take the same step with several memberships",
        description: "Each is judged for itself; the answer has a result for each.",
        scope: Scope::MembershipsWrite,
        query: None,
        body: Some(schema_of::<BulkBody>),
        answers: &[Answer {
            status: 200,
            what: "What became of each row.",
            content: &[(JSON, Some(schema_of::<Rows>))],
        }],
        problems: &[(422, "too_many_rows"), (422, "invalid_body")],
        handler: || post(bulk),
    },
];

/// What a membership shall be.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[expect(
    clippy::option_option,
    reason = "absent, null and value are three different things in a change"
)]
struct MembershipChange {
    /// Roles by id or exact name.
    roles: Option<Vec<String>>,
    /// Workspaces by id.
    workspaces: Option<Vec<String>>,
    /// Every workspace, later ones too.
    all_workspaces: Option<bool>,
    /// License pool; null frees the seat.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Option<String>")]
    license: Option<Option<String>>,
    /// Whether access is live.
    active: Option<bool>,
}

/// A step to be taken with several memberships.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "MembershipsStep")]
struct BulkBody {
    /// Accounts by id, at most 200.
    accounts: Vec<String>,
    /// What is to be done.
    action: BulkAction,
    /// The role by id or exact name, for `grant_role` and `revoke_role`.
    #[serde(default)]
    role: Option<String>,
}

/// A step.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "MembershipAction")]
enum BulkAction {
    /// Rules leave it alone.
    Pin,
    /// Rules decide again.
    Unpin,
    /// Access is live.
    Activate,
    /// Access rests.
    Suspend,
    /// It ends.
    Remove,
    /// A role is granted.
    GrantRole,
    /// A role is taken.
    RevokeRole,
}

async fn show(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((organization, account)): Path<(String, String)>,
) -> Result<Response> {
    let known = memberships::must_be_member(&app, &caller, &organization, &account).await?;
    answer(&known, &organization)
}

fn answer(known: &provost_kernel::facts::AccountFacts, organization: &str) -> Result<Response> {
    let held = memberships::held(known, organization).ok_or_else(AppError::not_found)?;
    Ok(tagged(
        held.version,
        Json(MembershipView::from(held)).into_response(),
    ))
}

async fn change(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((organization, account)): Path<(String, String)>,
    IfMatch(version): IfMatch,
    Sent(body): Sent<MembershipChange>,
) -> Result<Response> {
    let wanted = Wanted {
        roles: body.roles,
        workspaces: body.workspaces,
        all_workspaces: body.all_workspaces,
        license: body.license,
        active: body.active,
    };
    let known = memberships::put(&app, &caller, &organization, &account, &wanted, version).await?;
    answer(&known, &organization)
}

async fn remove(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((organization, account)): Path<(String, String)>,
    IfMatch(version): IfMatch,
) -> Result<Response> {
    memberships::remove(&app, &caller, &organization, &account, version).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn bulk(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(organization): Path<String>,
    Sent(body): Sent<BulkBody>,
) -> Result<Response> {
    let facts = directory::organization(&app, &caller, &organization).await?;
    rows::check(body.accounts.len())?;
    let role = || {
        body.role
            .clone()
            .ok_or_else(|| AppError::unprocessable("invalid_body", "This step needs a role."))
    };
    let step = match body.action {
        BulkAction::Pin => Step::Pin,
        BulkAction::Unpin => Step::Unpin,
        BulkAction::Activate => Step::Activate,
        BulkAction::Suspend => Step::Suspend,
        BulkAction::Remove => Step::Remove,
        BulkAction::GrantRole => Step::GrantRole(role()?),
        BulkAction::RevokeRole => Step::RevokeRole(role()?),
    };
    let mut results = Vec::with_capacity(body.accounts.len());
    for id in body.accounts {
        let wish = memberships::step_wish(&app, &caller, &facts, &id, &step).await;
        results.push(carry_out(&app, Some(id), wish).await?);
    }
    app.ring_jobs();
    Ok(Json(Rows::new(results)).into_response())
}
