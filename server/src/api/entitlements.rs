//! What organizations' plans include (R-18, C-21).

use crate::route::{get, put};
use axum::extract::{Path, State};
use axum::{Extension, Json};

use super::endpoint::{Answer, Endpoint, JSON, Verb, schema_of};
use super::page::Sent;
use crate::app::App;
use crate::error::Result;
use crate::flow::api_keys::{Caller, Scope};
use crate::flow::entitlements::{self, Plan};

/// The endpoints of this area.
pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/organizations/{organization}/plan",
        name: "getPlan",
        area: "Plans",
        summary: "Get what an organization's plan includes and who sets things up",
        description: "",
        scope: Scope::OrganizationsRead,
        query: None,
        body: None,
        answers: &[Answer {
            status: 200,
            what: "The plan.",
            content: &[(JSON, Some(schema_of::<Plan>))],
        }],
        problems: &[],
        handler: || get(show),
    },
    Endpoint {
        verb: Verb::Put,
        path: "/api/v1/organizations/{organization}/plan",
        name: "putPlan",
        area: "Plans",
        summary: "Set what an organization's plan includes, how many seats it has, and who sets things up",
        description: "Needs a key of the whole instance. What is absent is as for a new organization: everything is included, without \
                      limits. Nobody loses a seat by a lower limit; nobody gets one before it is met. Without `sso`, sign-ins through the organization's own connections are \
                      refused and open sessions go on until they end; without `scim`, pushes are refused and everybody stays as \
                      is. The rest is refused to the organization's own keys and admins, never to operators.",
        scope: Scope::OrganizationsWrite,
        query: None,
        body: Some(schema_of::<Plan>),
        answers: &[Answer {
            status: 200,
            what: "The plan.",
            content: &[(JSON, Some(schema_of::<Plan>))],
        }],
        problems: &[(403, "not_permitted"), (409, "last_connection")],
        handler: || put(save),
    },
];

async fn show(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(organization): Path<String>,
) -> Result<Json<Plan>> {
    entitlements::get(&app, &caller, &organization).await.map(Json)
}

async fn save(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(organization): Path<String>,
    Sent(plan): Sent<Plan>,
) -> Result<Json<Plan>> {
    entitlements::set(&app, &caller, &organization, plan)
        .await
        .map(Json)
}
