//! Set-up links of organizations: made and shown once, listed, given a new address, revoked.

use crate::route::{delete, get, post};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use jiff::Timestamp;
use provost_store::SetupLink;
use schemars::JsonSchema;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};

use super::endpoint::{Answer, Endpoint, JSON, Verb, schema_of};
use super::page::{Page, Sent};
use crate::app::App;
use crate::error::Result;
use crate::flow::api_keys::{Caller, Scope as KeyScope};
use crate::flow::setup::links::{self, Made, New, Scope, State as Standing};

const MADE: Answer = Answer {
    status: 201,
    what: "The only time that the address is shown.",
    content: &[(JSON, Some(schema_of::<MadeLink>))],
};

/// The endpoints of this area.
pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/organizations/{organization}/setup-links",
        name: "listSetupLinks",
        area: "Set-up links",
        summary: "List the set-up links of an organization",
        description: "The 50 newest, ended ones too; never their addresses.",
        scope: KeyScope::ConnectionsRead,
        query: None,
        body: None,
        answers: &[Answer {
            status: 200,
            what: "The newest first.",
            content: &[(JSON, Some(schema_of::<Page<LinkView>>))],
        }],
        problems: &[],
        handler: || get(list),
    },
    Endpoint {
        verb: Verb::Post,
        path: "/api/v1/organizations/{organization}/setup-links",
        name: "createSetupLink",
        area: "Set-up links",
        summary: "Make a set-up link",
        description: "Whoever opens it sets up one connection of this organization, without an account: claims domains, gives the \
                      values of the identity provider, tests, connects the directory, goes live; as far as its scopes reach.",
        scope: KeyScope::ConnectionsWrite,
        query: None,
        body: Some(schema_of::<NewLinkBody>),
        answers: &[MADE],
        problems: &[
            (400, "invalid_setup_link"),
            (403, "setup_by_link"),
            (403, "setup_by_operator"),
            (403, "entitlement_missing"),
            (409, "too_many_setup_links"),
        ],
        handler: || post(create),
    },
    Endpoint {
        verb: Verb::Post,
        path: "/api/v1/organizations/{organization}/setup-links/{link}/regenerate",
        name: "regenerateSetupLink",
        area: "Set-up links",
        summary: "Give a set-up link a new address and a new end",
        description: "The old address opens nothing any more; what was done with it stays.",
        scope: KeyScope::ConnectionsWrite,
        query: None,
        body: Some(schema_of::<RenewBody>),
        answers: &[MADE],
        problems: &[
            (400, "invalid_setup_link"),
            (403, "setup_by_link"),
            (403, "setup_by_operator"),
            (409, "setup_link_ended"),
        ],
        handler: || post(regenerate),
    },
    Endpoint {
        verb: Verb::Delete,
        path: "/api/v1/organizations/{organization}/setup-links/{link}",
        name: "revokeSetupLink",
        area: "Set-up links",
        summary: "Take a set-up link back at once",
        description: "Whoever has a page of it open gets no further.",
        scope: KeyScope::ConnectionsWrite,
        query: None,
        body: None,
        answers: &[Answer {
            status: 204,
            what: "It opens nothing any more.",
            content: &[],
        }],
        problems: &[(409, "setup_link_ended")],
        handler: || delete(revoke),
    },
];

/// A link to be made.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewSetupLink")]
struct NewLinkBody {
    /// Whom or what it is for.
    #[serde(default)]
    label: String,
    /// What may be set up; absent or empty: all of it.
    #[serde(default)]
    scopes: Vec<Scope>,
    /// A connection of the organization that it is for; absent: whoever opens it begins one.
    #[serde(default)]
    connection: Option<String>,
    /// After how many days it ends; absent: 14.
    #[serde(default)]
    #[schemars(range(min = 1, max = 90))]
    days: Option<u32>,
}

/// A new end.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RenewedSetupLink")]
struct RenewBody {
    /// After how many days it ends; absent: 14.
    #[serde(default)]
    #[schemars(range(min = 1, max = 90))]
    days: Option<u32>,
}

/// A link as it is listed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "SetupLink")]
struct LinkView {
    /// Identifier.
    id: String,
    /// The one organization that it is for.
    organization: String,
    /// The one connection that it is for, once there is one.
    connection: Option<String>,
    /// Whom or what it is for.
    label: String,
    /// What may be set up.
    scopes: Vec<Scope>,
    /// Where it stands.
    state: Standing,
    /// Who made it.
    created_by: String,
    /// When it was made.
    #[schemars(with = "String")]
    created_at: Timestamp,
    /// When it ends.
    #[schemars(with = "String")]
    expires_at: Timestamp,
    /// When it was first opened.
    #[schemars(with = "Option<String>")]
    opened_at: Option<Timestamp>,
    /// When everything was done.
    #[schemars(with = "Option<String>")]
    done_at: Option<Timestamp>,
    /// When it was taken back.
    #[schemars(with = "Option<String>")]
    revoked_at: Option<Timestamp>,
    /// The link whose holder made this one for a colleague.
    asked_from: Option<String>,
    /// The step that it opens at, if it is for one.
    step: Option<String>,
}

/// A link that was just made.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "MadeSetupLink")]
struct MadeLink {
    /// The address to give away. It is not shown again.
    url: String,
    /// The link.
    link: LinkView,
}

fn view(link: SetupLink, now: Timestamp) -> LinkView {
    LinkView {
        state: links::state(&link, now),
        scopes: links::scopes(&link),
        id: link.id,
        organization: link.organization.to_string(),
        connection: link.connection.map(|id| id.to_string()),
        label: link.label,
        created_by: link.created_by,
        created_at: link.created_at,
        expires_at: link.expires_at,
        opened_at: link.opened_at,
        done_at: link.done_at,
        revoked_at: link.revoked_at,
        asked_from: link.asked_from,
        step: link.step,
    }
}

fn made(app: &App, made: Made) -> Response {
    let body = MadeLink {
        url: made.url.expose_secret().to_owned(),
        link: view(made.link, app.world.now()),
    };
    (StatusCode::CREATED, Json(body)).into_response()
}

async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(organization): Path<String>,
) -> Result<Json<Page<LinkView>>> {
    let now = app.world.now();
    let found = links::list(&app, &caller, &organization).await?;
    let items = found.into_iter().map(|link| view(link, now)).collect();
    Ok(Json(Page { items, next: None }))
}

async fn create(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(organization): Path<String>,
    Sent(body): Sent<NewLinkBody>,
) -> Result<Response> {
    let new = New {
        label: body.label,
        scopes: body.scopes,
        connection: body.connection,
        days: body.days,
    };
    Ok(made(
        &app,
        links::create(&app, &caller, &organization, new).await?,
    ))
}

async fn regenerate(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((organization, link)): Path<(String, String)>,
    Sent(body): Sent<RenewBody>,
) -> Result<Response> {
    let renewed = links::regenerate(&app, &caller, &organization, &link, body.days).await?;
    Ok(made(&app, renewed))
}

async fn revoke(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((organization, link)): Path<(String, String)>,
) -> Result<StatusCode> {
    links::revoke(&app, &caller, &organization, &link).await?;
    Ok(StatusCode::NO_CONTENT)
}
