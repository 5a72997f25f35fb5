//! Reading organizations, members, accounts and connections; and pins.

use std::collections::BTreeMap;

use crate::route::{delete, get, put};
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use jiff::Timestamp;
use provost_kernel::directory::{AccountKind, Status};
use provost_kernel::email::Email;
use provost_kernel::facts::AccountFacts;
use provost_kernel::id::{AccountId, ConnectionId, OrganizationId};
use provost_store::AccountFilter;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::{AccountView, ConnectionView, MembershipView, OrganizationView};
use super::conditional::tagged;
use super::endpoint::{Answer, Endpoint, JSON, Verb, query_of, schema_of};
use super::page::{Asked, Page, PageQuery, time};
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
        path: "/api/v1/organizations/{organization}/stale-accounts",
        name: "listStaleAccounts",
        area: "Accounts",
        summary: "List who has not been seen for long and came in just in time",
        description: "Active members whose connection makes accounts at the first sign-in and who have not signed in for `days`. \
                      No provider tells when they leave, so somebody has to look: suspend or delete with `accounts:bulk`.",
        scope: Scope::AccountsRead,
        query: Some(query_of::<StaleQuery>),
        body: None,
        answers: &[Answer {
            status: 200,
            what: "A page of accounts.",
            content: &[(JSON, Some(schema_of::<Page<AccountView>>))],
        }],
        problems: &[],
        handler: || get(stale),
    },
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/accounts",
        name: "listAccounts",
        area: "Directory",
        summary: "List accounts by id, with their memberships",
        description: "A key of one organization sees its members. All filters hold at once.",
        scope: Scope::AccountsRead,
        query: Some(query_of::<AccountsQuery>),
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

/// Which accounts are wanted.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AccountsQuery {
    /// With exactly this address.
    email: Option<String>,
    /// With this text in address, user name or name.
    search: Option<String>,
    /// `invited`, `active`, `suspended`, `deactivated` or `deleted`.
    status: Option<Status>,
    /// `user` or `reader`.
    kind: Option<AccountKind>,
    /// Bound to this connection.
    connection: Option<String>,
    /// Members of this organization.
    organization: Option<String>,
    /// Signing in through an identity provider, or with a password.
    sso: Option<bool>,
    /// Signed in at this time or later (RFC 3339).
    signed_in_since: Option<String>,
    /// Not signed in at this time or later (RFC 3339).
    not_signed_in_since: Option<String>,
    /// Where the page before ended: its `next`. Absent: from the beginning.
    cursor: Option<String>,
    /// Entries of a page, 50 if absent.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u32>,
}

async fn accounts(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<AccountsQuery>,
) -> Result<Response> {
    let (after, limit) = PageQuery::new(query.cursor, query.limit).asked()?;
    let filter = AccountFilter {
        organization: query.organization.map(OrganizationId::new),
        email_key: query
            .email
            .map(|email| Email::parse(&email).map_or(email, |email| email.key())),
        text: query.search,
        status: query.status,
        kind: query.kind,
        connection: query.connection.map(ConnectionId::new),
        sso: query.sso,
        signed_in_since: time(query.signed_in_since.as_deref())?,
        not_signed_in_since: time(query.not_signed_in_since.as_deref())?,
        ..AccountFilter::default()
    };
    let found = directory::search(&app, &caller, filter, after, limit).await?;
    Ok(people(found, &caller, limit))
}

/// Writes a page of accounts with when each signed in last.
fn people(
    found: (Vec<AccountFacts>, BTreeMap<AccountId, Timestamp>),
    caller: &Caller,
    limit: u32,
) -> Response {
    let (found, seen) = found;
    let items = found
        .into_iter()
        .map(|facts| {
            let at = seen.get(&facts.account.id).copied();
            AccountView::of(facts, caller).signed_in(at)
        })
        .collect();
    Json(Page::new(items, limit, |item: &AccountView| item.id.clone())).into_response()
}

/// Whom to look over.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct StaleQuery {
    /// Not seen for so many days, 90 if absent.
    #[schemars(range(min = 1, max = 3650))]
    days: Option<u32>,
    /// Where the page before ended: its `next`. Absent: from the beginning.
    cursor: Option<String>,
    /// Entries of a page, 50 if absent.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u32>,
}

async fn stale(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(organization): Path<String>,
    Asked(query): Asked<StaleQuery>,
) -> Result<Response> {
    let (after, limit) = PageQuery::new(query.cursor, query.limit).asked()?;
    let days = query.days.unwrap_or(directory::STALE_DAYS);
    let found = directory::stale(&app, &caller, &organization, days, after, limit).await?;
    Ok(people(found, &caller, limit))
}

async fn account(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response> {
    let facts = directory::account(&app, &caller, &id).await?;
    let at = directory::last_sign_in(&app, &facts.account.id).await?;
    let version = facts.account.version;
    let view = AccountView::of(facts, &caller).signed_in(at);
    Ok(tagged(version, Json(view).into_response()))
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
