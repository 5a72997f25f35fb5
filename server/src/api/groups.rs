//! Groups that directories push: read-only here, because the directory keeps them.

use crate::route::get;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use jiff::Timestamp;
use provost_store::search::DirectoryGroup;
use schemars::JsonSchema;
use serde::Serialize;

use super::endpoint::{Answer, Endpoint, JSON, Verb, query_of, schema_of};
use super::page::{Asked, Page, PageQuery};
use crate::app::App;
use crate::error::Result;
use crate::flow::api_keys::{Caller, Scope};
use crate::flow::groups;

/// The endpoints of this area.
pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/connections/{connection}/groups",
        name: "listGroups",
        area: "Groups",
        summary: "List the groups that a directory has pushed, by id",
        description: "Read-only here: change them in the directory.",
        scope: Scope::AccountsRead,
        query: Some(query_of::<PageQuery>),
        body: None,
        answers: &[Answer {
            status: 200,
            what: "A page of groups.",
            content: &[(JSON, Some(schema_of::<Page<GroupView>>))],
        }],
        problems: &[],
        handler: || get(list),
    },
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/connections/{connection}/groups/{group}",
        name: "getGroup",
        area: "Groups",
        summary: "Get a group",
        description: "",
        scope: Scope::AccountsRead,
        query: None,
        body: None,
        answers: &[Answer {
            status: 200,
            what: "The group.",
            content: &[(JSON, Some(schema_of::<GroupView>))],
        }],
        problems: &[],
        handler: || get(one),
    },
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/connections/{connection}/groups/{group}/members",
        name: "listGroupMembers",
        area: "Groups",
        summary: "List the members of a group by account",
        description: "",
        scope: Scope::AccountsRead,
        query: Some(query_of::<PageQuery>),
        body: None,
        answers: &[Answer {
            status: 200,
            what: "A page of members.",
            content: &[(JSON, Some(schema_of::<Page<GroupMember>>))],
        }],
        problems: &[],
        handler: || get(members),
    },
];

/// A group.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Group")]
struct GroupView {
    /// Identifier.
    id: String,
    /// The connection whose directory pushes it.
    connection: String,
    /// Always `scim`.
    source: &'static str,
    /// Name, as rules compare it.
    name: String,
    /// Identifier given by the directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<String>,
    /// How many members it has.
    members: u64,
    /// Grows with each change.
    version: i64,
    /// When it came into being.
    #[schemars(with = "String")]
    created_at: Timestamp,
    /// When it or its members last changed.
    #[schemars(with = "String")]
    updated_at: Timestamp,
}

/// A member of a group.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct GroupMember {
    /// The account.
    account: String,
    /// What the account is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    display: Option<String>,
}

impl GroupView {
    fn of(group: DirectoryGroup, connection: &str) -> Self {
        Self {
            id: group.id.as_str().to_owned(),
            connection: connection.to_owned(),
            source: "scim",
            name: group.name,
            external_id: group.external_id,
            members: group.members,
            version: group.version,
            created_at: group.created_at,
            updated_at: group.updated_at,
        }
    }
}

async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(connection): Path<String>,
    Asked(page): Asked<PageQuery>,
) -> Result<Response> {
    let limit = page.limit()?;
    let found = groups::list(&app, &caller, &connection, page.after()?, limit).await?;
    let items = found
        .into_iter()
        .map(|group| GroupView::of(group, &connection))
        .collect();
    Ok(Json(Page::new(items, limit, |group: &GroupView| group.id.clone())).into_response())
}

async fn one(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((connection, id)): Path<(String, String)>,
) -> Result<Response> {
    let group = groups::find(&app, &caller, &connection, &id).await?;
    Ok(Json(GroupView::of(group, &connection)).into_response())
}

async fn members(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((connection, id)): Path<(String, String)>,
    Asked(page): Asked<PageQuery>,
) -> Result<Response> {
    let limit = page.limit()?;
    let found = groups::members(&app, &caller, &connection, &id, page.after()?, limit).await?;
    let items = found
        .into_iter()
        .map(|member| GroupMember {
            account: member.account.as_str().to_owned(),
            display: member.display,
        })
        .collect();
    Ok(Json(Page::new(items, limit, |member: &GroupMember| {
        member.account.clone()
    }))
    .into_response())
}
