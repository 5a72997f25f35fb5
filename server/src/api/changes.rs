//! Changes of policies that the guard holds: listing, approving, rejecting.

use crate::route::{get, post};
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use jiff::Timestamp;
use provost_store::PolicyChange;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::answer::word;
use super::endpoint::{Answer, Endpoint, JSON, Verb, query_of, schema_of};
use super::page::{Asked, Page, PageQuery};
use crate::app::App;
use crate::error::Result;
use crate::flow::api_keys::{Caller, Scope};
use crate::flow::policy::change::{self, Found};
use crate::flow::policy::{Policies, waves};

/// The endpoints of this area.
pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/connections/{connection}/policy/changes",
        name: "listPolicyChanges",
        area: "Policies",
        summary: "List the changes of a connection's policies that were held, newest first",
        description: "",
        scope: Scope::PoliciesRead,
        query: Some(query_of::<PageQuery>),
        body: None,
        answers: &[Answer {
            status: 200,
            what: "A page of changes.",
            content: &[(JSON, Some(schema_of::<Page<ChangeView>>))],
        }],
        problems: &[],
        handler: || get(list),
    },
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/policy-changes/{change}",
        name: "getPolicyChange",
        area: "Policies",
        summary: "Get a change that was held",
        description: "With what it would do to people, as counted when it was held.",
        scope: Scope::PoliciesRead,
        query: None,
        body: None,
        answers: &[Answer {
            status: 200,
            what: "The change.",
            content: &[(JSON, Some(schema_of::<ChangeView>))],
        }],
        problems: &[],
        handler: || get(one),
    },
    Endpoint {
        verb: Verb::Post,
        path: "/api/v1/policy-changes/{change}/approve",
        name: "approvePolicyChange",
        area: "Policies",
        summary: "Approve a held change: its policies are in force",
        description: "",
        scope: Scope::PoliciesWrite,
        query: None,
        body: None,
        answers: &[Answer {
            status: 200,
            what: "The change.",
            content: &[(JSON, Some(schema_of::<ChangeView>))],
        }],
        problems: &[
            (403, "shared_connection"),
            (409, "change_settled"),
            (409, "change_stale"),
            (422, "invalid_policy"),
        ],
        handler: || post(approve),
    },
    Endpoint {
        verb: Verb::Post,
        path: "/api/v1/policy-changes/{change}/reject",
        name: "rejectPolicyChange",
        area: "Policies",
        summary: "Reject a held change",
        description: "",
        scope: Scope::PoliciesWrite,
        query: None,
        body: None,
        answers: &[Answer {
            status: 200,
            what: "The change.",
            content: &[(JSON, Some(schema_of::<ChangeView>))],
        }],
        problems: &[(403, "shared_connection"), (409, "change_settled")],
        handler: || post(reject),
    },
    Endpoint {
        verb: Verb::Post,
        path: "/api/v1/connections/{connection}/strips/{organization}/approve",
        name: "approveStrips",
        area: "Policies",
        summary: "Let a connection's rules go on taking access in an organization, for a day",
        description: "When sign-ins take access from more members within an hour than `strip_guard` allows, the rest is held and \
                      an alert `strip_held` is raised. This lets it happen.",
        scope: Scope::PoliciesWrite,
        query: None,
        body: None,
        answers: &[Answer {
            status: 200,
            what: "Until when.",
            content: &[(JSON, Some(schema_of::<StripsAnswer>))],
        }],
        problems: &[(403, "shared_connection")],
        handler: || post(approve_strips),
    },
];

/// For how long rules may go on.
const DAY: u32 = 24;

/// An approval.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct StripsAnswer {
    /// Until when rules may go on.
    #[schemars(with = "String")]
    until: Timestamp,
}

async fn approve_strips(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((connection, organization)): Path<(String, String)>,
) -> Result<Response> {
    let until = waves::approve(&app, &caller, &connection, &organization, DAY).await?;
    Ok(Json(StripsAnswer { until }).into_response())
}

/// A change of policies that was held.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "PolicyChange")]
pub struct ChangeView {
    /// Identifier.
    pub id: String,
    /// Of which connection.
    pub connection: String,
    /// `held`, `approved`, `rejected` or `superseded`.
    pub state: String,
    /// The new policies.
    #[schemars(with = "Policies")]
    pub policies: Value,
    /// What they would do to people.
    #[schemars(with = "Found")]
    pub found: Value,
    /// Who asked for it.
    pub asked_by: String,
    /// When.
    #[schemars(with = "String")]
    pub asked_at: Timestamp,
    /// Who settled it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled_by: Option<String>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub settled_at: Option<Timestamp>,
}

impl From<PolicyChange> for ChangeView {
    fn from(change: PolicyChange) -> Self {
        Self {
            id: change.id,
            connection: change.connection.as_str().to_owned(),
            state: word(&change.state),
            policies: change.policies,
            found: change.impact,
            asked_by: change.asked_by,
            asked_at: change.asked_at,
            settled_by: change.settled_by,
            settled_at: change.settled_at,
        }
    }
}

async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Asked(page): Asked<PageQuery>,
) -> Result<Response> {
    let limit = page.limit()?;
    let found = change::list(&app, &caller, &id, page.after()?, limit).await?;
    let items = found.into_iter().map(ChangeView::from).collect();
    Ok(Json(Page::new(items, limit, |item: &ChangeView| item.id.clone())).into_response())
}

async fn one(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response> {
    let found = change::find(&app, &caller, &id).await?;
    Ok(Json(ChangeView::from(found)).into_response())
}

async fn approve(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response> {
    change::approve(&app, &caller, &id).await?;
    let found = change::find(&app, &caller, &id).await?;
    Ok(Json(ChangeView::from(found)).into_response())
}

async fn reject(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response> {
    let found = change::reject(&app, &caller, &id).await?;
    Ok(Json(ChangeView::from(found)).into_response())
}
