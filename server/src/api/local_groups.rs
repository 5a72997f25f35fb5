//! Groups that an organization keeps by hand, and who is in them.

use crate::route::{delete, get, patch, post, put};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use jiff::Timestamp;
use provost_kernel::facts::AccountFacts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::accounts::carry_out;
use super::answer::MembershipView;
use super::conditional::{IfMatch, tagged};
use super::endpoint::{Answer, Endpoint, JSON, Verb, query_of, schema_of};
use super::page::{Asked, Page, PageQuery, Sent};
use super::rows::{self, Rows};
use crate::app::App;
use crate::error::Result;
use crate::flow::api_keys::{Caller, Scope};
use crate::flow::local_groups::members::{self, Step};
use crate::flow::local_groups::{self, Found, Wanted};

const GROUP: &[Answer] = &[Answer {
    status: 200,
    what: "The group as it is now.",
    content: &[(JSON, Some(schema_of::<LocalGroupView>))],
}];

const DONE: &[Answer] = &[Answer {
    status: 204,
    what: "Done.",
    content: &[],
}];

/// The endpoints of this area.
pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/organizations/{organization}/groups",
        name: "listLocalGroups",
        area: "Groups",
        summary: "List the groups that an organization keeps by hand, by name",
        description: "Groups that directories push stand under their connections.",
        scope: Scope::AccountsRead,
        query: Some(query_of::<PageQuery>),
        body: None,
        answers: &[Answer {
            status: 200,
            what: "A page of groups.",
            content: &[(JSON, Some(schema_of::<Page<LocalGroupView>>))],
        }],
        problems: &[],
        handler: || get(list),
    },
    Endpoint {
        verb: Verb::Post,
        path: "/api/v1/organizations/{organization}/groups",
        name: "createLocalGroup",
        area: "Groups",
        summary: "Make a group without members",
        description: "Its members get the roles and workspaces that it leads to, beside whatever else they hold. Only who may grant an \
                      owner role lets a group lead to one.",
        scope: Scope::MembershipsWrite,
        query: None,
        body: Some(schema_of::<LocalGroupBody>),
        answers: &[Answer {
            status: 201,
            what: "The group.",
            content: &[(JSON, Some(schema_of::<LocalGroupView>))],
        }],
        problems: &[
            (403, "not_permitted"),
            (409, "group_name_taken"),
            (422, "invalid_group"),
            (422, "name_missing"),
        ],
        handler: || post(create),
    },
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/organizations/{organization}/groups/{group}",
        name: "getLocalGroup",
        area: "Groups",
        summary: "Get a group that an organization keeps by hand",
        description: "",
        scope: Scope::AccountsRead,
        query: None,
        body: None,
        answers: GROUP,
        problems: &[],
        handler: || get(one),
    },
    Endpoint {
        verb: Verb::Patch,
        path: "/api/v1/organizations/{organization}/groups/{group}",
        name: "changeLocalGroup",
        area: "Groups",
        summary: "Rename a group, describe it anew, or let it lead to something else",
        description: "What is absent stays; lists that are given are exact. Where it leads to something else, its members are brought \
                      along in the background, one decision for each: `settling` says how far that is.",
        scope: Scope::MembershipsWrite,
        query: None,
        body: Some(schema_of::<LocalGroupBody>),
        answers: GROUP,
        problems: &[
            (403, "not_permitted"),
            (409, "group_name_taken"),
            (422, "invalid_group"),
            (422, "name_missing"),
        ],
        handler: || patch(change),
    },
    Endpoint {
        verb: Verb::Delete,
        path: "/api/v1/organizations/{organization}/groups/{group}",
        name: "deleteLocalGroup",
        area: "Groups",
        summary: "Delete a group",
        description: "Its name is free and it leads to nothing at once; its members are taken out in the background, and with that \
                      lose what came from it. Who must not lose it, such as the last owner, keeps it as if granted by hand.",
        scope: Scope::MembershipsWrite,
        query: None,
        body: None,
        answers: DONE,
        problems: &[(403, "not_permitted")],
        handler: || delete(remove),
    },
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/organizations/{organization}/groups/{group}/members",
        name: "listLocalGroupMembers",
        area: "Groups",
        summary: "List the members of a group by account",
        description: "",
        scope: Scope::AccountsRead,
        query: Some(query_of::<PageQuery>),
        body: None,
        answers: &[Answer {
            status: 200,
            what: "A page of members.",
            content: &[(JSON, Some(schema_of::<Page<LocalGroupMember>>))],
        }],
        problems: &[],
        handler: || get(list_members),
    },
    Endpoint {
        verb: Verb::Put,
        path: "/api/v1/organizations/{organization}/groups/{group}/members/{account}",
        name: "putLocalGroupMember",
        area: "Groups",
        summary: "Put a member of the organization into a group",
        description: "Doing it twice changes nothing. It pins nothing: rules go on deciding about their own grants.",
        scope: Scope::MembershipsWrite,
        query: None,
        body: None,
        answers: DONE,
        problems: &[(403, "not_permitted"), (409, "deleted"), (422, "unknown_member")],
        handler: || put(put_member),
    },
    Endpoint {
        verb: Verb::Delete,
        path: "/api/v1/organizations/{organization}/groups/{group}/members/{account}",
        name: "removeLocalGroupMember",
        area: "Groups",
        summary: "Take a person out of a group",
        description: "Takes exactly what came from the group. Doing it twice changes nothing.",
        scope: Scope::MembershipsWrite,
        query: None,
        body: None,
        answers: DONE,
        problems: &[
            (403, "not_permitted"),
            (409, "last_emergency_admin"),
            (409, "last_owner"),
        ],
        handler: || delete(remove_member),
    },
    Endpoint {
        verb: Verb::Post,
        path: "/api/v1/organizations/{organization}/groups/{group}/members:bulk",
        name: "changeLocalGroupMembers",
        area: "Groups",
        summary: "Put several people into a group, or take them out",
        description: "Each is judged for herself; the answer has a result for each.",
        scope: Scope::MembershipsWrite,
        query: None,
        body: Some(schema_of::<MembersBody>),
        answers: &[Answer {
            status: 200,
            what: "What became of each row.",
            content: &[(JSON, Some(schema_of::<Rows>))],
        }],
        problems: &[(422, "too_many_rows")],
        handler: || post(change_members),
    },
];

/// A group that an organization keeps by hand.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "LocalGroup")]
struct LocalGroupView {
    /// Identifier.
    id: String,
    /// The organization that keeps it.
    organization: String,
    /// Always `local`.
    source: &'static str,
    /// Name, unique in the organization without regard to case.
    name: String,
    /// What it is for.
    description: String,
    /// Roles that its members get, by id.
    roles: Vec<String>,
    /// Workspaces that its members get, by id.
    workspaces: Vec<String>,
    /// How many members it has.
    members: u64,
    /// How far members are brought to what the group leads to; absent once all are.
    #[serde(skip_serializing_if = "Option::is_none")]
    settling: Option<Settling>,
    /// Grows with each change of the group, not of its members.
    version: i64,
    /// When it came into being.
    #[schemars(with = "String")]
    created_at: Timestamp,
    /// When the group itself last changed.
    #[schemars(with = "String")]
    updated_at: Timestamp,
}

/// How far a run over the members of a group is.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "LocalGroupSettling")]
struct Settling {
    /// Members dealt with.
    done: u32,
    /// Members in all.
    total: u32,
}

/// A group as it shall be.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "LocalGroupChange")]
struct LocalGroupBody {
    /// Name, unique in the organization without regard to case. Needed for a new group.
    name: Option<String>,
    /// What it is for.
    description: Option<String>,
    /// Roles that its members get, by id or exact name.
    roles: Option<Vec<String>>,
    /// Workspaces that its members get, by id.
    workspaces: Option<Vec<String>>,
}

impl From<LocalGroupBody> for Wanted {
    fn from(body: LocalGroupBody) -> Self {
        Self {
            name: body.name,
            description: body.description,
            roles: body.roles,
            workspaces: body.workspaces,
        }
    }
}

/// A member of a group.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct LocalGroupMember {
    /// The account.
    account: String,
    /// Address, if one is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// What she has in the organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    membership: Option<MembershipView>,
}

/// Several people and one step.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "LocalGroupMembersChange")]
struct MembersBody {
    /// The step.
    action: MembersAction,
    /// Accounts, at most 200.
    accounts: Vec<String>,
}

/// A step with several people.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "LocalGroupMembersAction")]
enum MembersAction {
    /// Puts them into the group.
    Add,
    /// Takes them out.
    Remove,
}

impl From<Found> for LocalGroupView {
    fn from(found: Found) -> Self {
        let Found { row, run } = found;
        let group = row.group;
        Self {
            id: group.id.to_string(),
            organization: group.organization.to_string(),
            source: "local",
            name: group.name,
            description: group.description,
            roles: group.roles.iter().map(ToString::to_string).collect(),
            workspaces: group.workspaces.iter().map(ToString::to_string).collect(),
            members: row.members,
            settling: run.map(|run| Settling {
                done: run.progress.done,
                total: run.total,
            }),
            version: group.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(organization): Path<String>,
    Asked(page): Asked<PageQuery>,
) -> Result<Response> {
    let limit = page.limit()?;
    let found = local_groups::list(&app, &caller, &organization, page.after()?, limit).await?;
    let page = Page::new(found, limit, provost_store::LocalGroupRow::key);
    let items = page
        .items
        .into_iter()
        .map(|row| LocalGroupView::from(Found { row, run: None }))
        .collect();
    Ok(Json(Page {
        items,
        next: page.next,
    })
    .into_response())
}

async fn create(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(organization): Path<String>,
    Sent(body): Sent<LocalGroupBody>,
) -> Result<Response> {
    let found = local_groups::create(&app, &caller, &organization, &body.into()).await?;
    let version = found.row.group.version;
    let answer = (StatusCode::CREATED, Json(LocalGroupView::from(found)));
    Ok(tagged(version, answer.into_response()))
}

fn answer(found: Found) -> Response {
    let version = found.row.group.version;
    tagged(version, Json(LocalGroupView::from(found)).into_response())
}

async fn one(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((organization, group)): Path<(String, String)>,
) -> Result<Response> {
    Ok(answer(
        local_groups::find(&app, &caller, &organization, &group).await?,
    ))
}

async fn change(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((organization, group)): Path<(String, String)>,
    IfMatch(version): IfMatch,
    Sent(body): Sent<LocalGroupBody>,
) -> Result<Response> {
    let found = local_groups::change(&app, &caller, &organization, &group, &body.into(), version).await?;
    Ok(answer(found))
}

async fn remove(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((organization, group)): Path<(String, String)>,
    IfMatch(version): IfMatch,
) -> Result<StatusCode> {
    local_groups::delete(&app, &caller, &organization, &group, version).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn list_members(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((organization, group)): Path<(String, String)>,
    Asked(page): Asked<PageQuery>,
) -> Result<Response> {
    let limit = page.limit()?;
    let found = members::list(&app, &caller, &organization, &group, page.after()?, limit).await?;
    let items = found.into_iter().map(member).collect();
    Ok(Json(Page::new(items, limit, |member: &LocalGroupMember| {
        member.account.clone()
    }))
    .into_response())
}

fn member(known: AccountFacts) -> LocalGroupMember {
    LocalGroupMember {
        account: known.account.id.to_string(),
        email: known.account.email.map(|email| email.to_string()),
        membership: known.memberships.first().map(MembershipView::from),
    }
}

async fn put_member(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((organization, group, account)): Path<(String, String, String)>,
) -> Result<StatusCode> {
    members::act(&app, &caller, &organization, &group, &account, Step::Add).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn remove_member(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((organization, group, account)): Path<(String, String, String)>,
) -> Result<StatusCode> {
    members::act(&app, &caller, &organization, &group, &account, Step::Remove).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn change_members(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((organization, group)): Path<(String, String)>,
    Sent(body): Sent<MembersBody>,
) -> Result<Response> {
    local_groups::find(&app, &caller, &organization, &group).await?;
    rows::check(body.accounts.len())?;
    let step = match body.action {
        MembersAction::Add => Step::Add,
        MembersAction::Remove => Step::Remove,
    };
    let mut results = Vec::with_capacity(body.accounts.len());
    for id in body.accounts {
        let known = crate::flow::memberships::must_be_member(&app, &caller, &organization, &id).await;
        let wish = known.map(|_| members::wish(&caller, &organization, &group, &id, step));
        results.push(carry_out(&app, Some(id), wish).await?);
    }
    app.ring_jobs();
    Ok(Json(Rows::new(results)).into_response())
}
