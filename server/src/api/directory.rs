//! Organizations, members, accounts and connections: read only, but for pins.

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, put};
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::Serialize;

use super::answer::{AccountView, ConnectionView, MembershipView, OrganizationView};
use super::endpoint::{Answer, Endpoint, JSON, Verb, query_of, schema_of};
use super::page::{Asked, Page, PageQuery};
use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::api_keys::{Caller, Scope};
use crate::flow::{directory, pins};

/// The endpoints of this area.
pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/organizations",
        name: "listOrganizations",
        area: "Directory",
        summary: "List organizations by id",
        description: "A key of one organization sees just that one.",
        scope: Scope::OrganizationsRead,
        query: Some(query_of::<PageQuery>),
        body: None,
        answers: &[Answer {
            status: 200,
            what: "A page of organizations.",
            content: &[(JSON, Some(schema_of::<Page<OrganizationName>>))],
        }],
        problems: &[],
        handler: || get(organizations),
    },
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/organizations/{organization}",
        name: "getOrganization",
        area: "Directory",
        summary: "Get an organization with its roles, workspaces and license pools",
        description: "",
        scope: Scope::OrganizationsRead,
        query: None,
        body: None,
        answers: &[Answer {
            status: 200,
            what: "The organization.",
            content: &[(JSON, Some(schema_of::<OrganizationView>))],
        }],
        problems: &[],
        handler: || get(organization),
    },
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/organizations/{organization}/members",
        name: "listMembers",
        area: "Directory",
        summary: "List the members of an organization by account",
        description: "",
        scope: Scope::AccountsRead,
        query: Some(query_of::<PageQuery>),
        body: None,
        answers: &[Answer {
            status: 200,
            what: "A page of accounts.",
            content: &[(JSON, Some(schema_of::<Page<AccountView>>))],
        }],
        problems: &[],
        handler: || get(members),
    },
    Endpoint {
        verb: Verb::Put,
        path: "/api/v1/organizations/{organization}/members/{account}/pin",
        name: "pinMembership",
        area: "Directory",
        summary: "Pin a membership: rules leave it alone",
        description: "What the rules would change is still computed and shown as drift. Owners need a key of the \
                      whole instance.",
        scope: Scope::MembershipsWrite,
        query: None,
        body: None,
        answers: &[Answer {
            status: 200,
            what: "The membership as it is now.",
            content: &[(JSON, Some(schema_of::<MembershipView>))],
        }],
        problems: &[(403, "not_permitted")],
        handler: || put(pin),
    },
    Endpoint {
        verb: Verb::Delete,
        path: "/api/v1/organizations/{organization}/members/{account}/pin",
        name: "unpinMembership",
        area: "Directory",
        summary: "Return a membership to the rules",
        description: "Takes the pins of the membership and of everything granted in it away; the next sign-in or push decides \
                      again.",
        scope: Scope::MembershipsWrite,
        query: None,
        body: None,
        answers: &[Answer {
            status: 200,
            what: "The membership as it is now.",
            content: &[(JSON, Some(schema_of::<MembershipView>))],
        }],
        problems: &[(403, "not_permitted")],
        handler: || delete(unpin),
    },
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/accounts",
        name: "listAccounts",
        area: "Directory",
        summary: "List accounts by id, with their memberships",
        description: "A key of one organization sees its members.",
        scope: Scope::AccountsRead,
        query: Some(query_of::<PageQuery>),
        body: None,
        answers: &[Answer {
            status: 200,
            what: "A page of accounts.",
            content: &[(JSON, Some(schema_of::<Page<AccountView>>))],
        }],
        problems: &[],
        handler: || get(accounts),
    },
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/accounts/{account}",
        name: "getAccount",
        area: "Directory",
        summary: "Get an account with its memberships",
        description: "",
        scope: Scope::AccountsRead,
        query: None,
        body: None,
        answers: &[Answer {
            status: 200,
            what: "The account.",
            content: &[(JSON, Some(schema_of::<AccountView>))],
        }],
        problems: &[],
        handler: || get(account),
    },
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/connections",
        name: "listConnections",
        area: "Directory",
        summary: "List connections to identity providers by id",
        description: "A key of one organization sees those that the organization owns.",
        scope: Scope::ConnectionsRead,
        query: Some(query_of::<PageQuery>),
        body: None,
        answers: &[Answer {
            status: 200,
            what: "A page of connections.",
            content: &[(JSON, Some(schema_of::<Page<ConnectionView>>))],
        }],
        problems: &[],
        handler: || get(connections),
    },
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/connections/{connection}",
        name: "getConnection",
        area: "Directory",
        summary: "Get a connection",
        description: "Without protocol details and secrets.",
        scope: Scope::ConnectionsRead,
        query: None,
        body: None,
        answers: &[Answer {
            status: 200,
            what: "The connection.",
            content: &[(JSON, Some(schema_of::<ConnectionView>))],
        }],
        problems: &[],
        handler: || get(connection),
    },
];

/// An organization in a list.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "OrganizationName")]
pub(super) struct OrganizationName {
    /// Identifier.
    id: String,
    /// Name shown to people.
    name: String,
}

async fn organizations(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Asked(page): Asked<PageQuery>,
) -> Result<Response> {
    let limit = page.limit()?;
    let found = directory::organizations(&app, &caller, page.after()?, limit).await?;
    let items = found
        .into_iter()
        .map(|record| OrganizationName {
            id: record.organization.id.as_str().to_owned(),
            name: record.organization.name,
        })
        .collect();
    Ok(Json(Page::new(items, limit, |item: &OrganizationName| item.id.clone())).into_response())
}

async fn organization(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response> {
    let facts = directory::organization(&app, &caller, &id).await?;
    Ok(Json(OrganizationView::from(facts)).into_response())
}

async fn members(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Asked(page): Asked<PageQuery>,
) -> Result<Response> {
    let limit = page.limit()?;
    let found = directory::members(&app, &caller, &id, page.after()?, limit).await?;
    // Where else somebody belongs is not this list's to tell, whatever the key.
    let items = found
        .into_iter()
        .map(|mut facts| {
            facts
                .memberships
                .retain(|held| held.organization.as_str() == id.as_str());
            AccountView::of(facts, &caller)
        })
        .collect();
    Ok(Json(Page::new(items, limit, |item: &AccountView| item.id.clone())).into_response())
}

async fn pin(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((organization, account)): Path<(String, String)>,
) -> Result<Response> {
    set_pin(&app, &caller, &organization, &account, true).await
}

async fn unpin(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((organization, account)): Path<(String, String)>,
) -> Result<Response> {
    set_pin(&app, &caller, &organization, &account, false).await
}

async fn set_pin(
    app: &App,
    caller: &Caller,
    organization: &str,
    account: &str,
    pinned: bool,
) -> Result<Response> {
    let facts = pins::set(app, caller, organization, account, pinned).await?;
    let held = facts
        .memberships
        .iter()
        .find(|held| held.organization.as_str() == organization)
        .ok_or_else(AppError::not_found)?;
    Ok(Json(MembershipView::from(held)).into_response())
}

async fn accounts(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Asked(page): Asked<PageQuery>,
) -> Result<Response> {
    let limit = page.limit()?;
    let found = directory::accounts(&app, &caller, page.after()?, limit).await?;
    let items = found
        .into_iter()
        .map(|facts| AccountView::of(facts, &caller))
        .collect();
    Ok(Json(Page::new(items, limit, |item: &AccountView| item.id.clone())).into_response())
}

async fn account(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response> {
    let facts = directory::account(&app, &caller, &id).await?;
    Ok(Json(AccountView::of(facts, &caller)).into_response())
}

async fn connections(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Asked(page): Asked<PageQuery>,
) -> Result<Response> {
    let limit = page.limit()?;
    let found = directory::connections(&app, &caller, page.after()?, limit).await?;
    let items = found.iter().map(ConnectionView::from).collect();
    Ok(Json(Page::new(items, limit, |item: &ConnectionView| item.id.clone())).into_response())
}

async fn connection(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response> {
    let record = directory::connection(&app, &caller, &id).await?;
    Ok(Json(ConnectionView::from(&record)).into_response())
}
