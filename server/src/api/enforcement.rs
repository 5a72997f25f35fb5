//! What an organization demands of sign-ins with a password.

use crate::route::{get, put};
use axum::extract::{Path, State};
use axum::{Extension, Json};
use provost_kernel::login::rules::SignInPolicy;
use schemars::JsonSchema;
use serde::Serialize;

use super::endpoint::{Answer, Endpoint, JSON, Verb, schema_of};
use super::page::Sent;
use crate::app::App;
use crate::error::Result;
use crate::flow::api_keys::{Caller, Scope};
use crate::flow::enforcement::{self, Enforcement, Missing};

const ONE: &[Answer] = &[Answer {
    status: 200,
    what: "What is demanded now.",
    content: &[(JSON, Some(schema_of::<EnforcementView>))],
}];

/// The endpoints of this area.
pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/organizations/{organization}/sign-in",
        name: "getSignInPolicy",
        area: "Sign-in",
        summary: "Get what an organization demands of sign-ins with a password",
        description: "With what is missing before single sign-on can be demanded.",
        scope: Scope::OrganizationsRead,
        query: None,
        body: None,
        answers: ONE,
        problems: &[],
        handler: || get(read),
    },
    Endpoint {
        verb: Verb::Put,
        path: "/api/v1/organizations/{organization}/sign-in",
        name: "putSignInPolicy",
        area: "Sign-in",
        summary: "Save what an organization demands of sign-ins with a password",
        description: "Single sign-on can be demanded only once somebody has signed in through a connection since it was last \
                      changed, and an emergency admin has proved her password and holds recovery codes; else 409 with all that \
                      is missing. What is absent gets its default. Sessions that the rules no longer allow end.",
        scope: Scope::SignInWrite,
        query: None,
        body: Some(schema_of::<SignInPolicy>),
        answers: ONE,
        problems: &[(409, "enforcement_not_ready")],
        handler: || put(save),
    },
];

/// What an organization demands.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "SignIn")]
pub(super) struct EnforcementView {
    /// What is demanded.
    #[serde(flatten)]
    policy: SignInPolicy,
    /// What is missing before single sign-on can be demanded.
    missing: Vec<MissingView>,
}

/// Something that is missing.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Missing")]
pub(super) struct MissingView {
    /// Stable code.
    code: Missing,
    /// What to do.
    advice: &'static str,
}

impl From<Enforcement> for EnforcementView {
    fn from(found: Enforcement) -> Self {
        Self {
            policy: found.policy,
            missing: found
                .missing
                .into_iter()
                .map(|code| MissingView {
                    code,
                    advice: code.advice(),
                })
                .collect(),
        }
    }
}

async fn read(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(organization): Path<String>,
) -> Result<Json<EnforcementView>> {
    Ok(Json(enforcement::get(&app, &caller, &organization).await?.into()))
}

async fn save(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(organization): Path<String>,
    Sent(policy): Sent<SignInPolicy>,
) -> Result<Json<EnforcementView>> {
    Ok(Json(
        enforcement::put(&app, &caller, &organization, policy)
            .await?
            .into(),
    ))
}
