//! Roles of an organization, one by one (R-139, R-148, C-18): who and what uses each, making, changing, taking away.

use std::collections::BTreeMap;

use crate::route::{delete, get, put};
use axum::extract::{Path, State};
use axum::{Extension, Json};
use provost_kernel::directory::Role;
use provost_kernel::id::RoleId;
use provost_kernel::provision::roles::RoleUse;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::endpoint::{Answer, Endpoint, JSON, Verb, query_of, schema_of};
use super::page::{Asked, Sent};
use crate::app::App;
use crate::error::Result;
use crate::flow::api_keys::{Caller, Scope};
use crate::flow::roles;

/// The endpoints of this area.
pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/organizations/{organization}/roles",
        name: "listRoleUses",
        area: "Roles",
        summary: "List who and what uses each role of an organization",
        description: "Look here before a role is changed or taken away.",
        scope: Scope::OrganizationsRead,
        query: None,
        body: None,
        answers: &[Answer {
            status: 200,
            what: "The roles by identifier.",
            content: &[(JSON, Some(schema_of::<RoleUses>))],
        }],
        problems: &[],
        handler: || get(list),
    },
    Endpoint {
        verb: Verb::Put,
        path: "/api/v1/organizations/{organization}/roles/{role}",
        name: "putRole",
        area: "Roles",
        summary: "Make a role, or change the one with this identifier",
        description: "A new one is the last in order of priority. An organization keeps an active owner and, where it demands single \
                      sign-on, an emergency admin who manages its people. Owner roles need a key of the whole instance.",
        scope: Scope::OrganizationsWrite,
        query: None,
        body: Some(schema_of::<RoleBody>),
        answers: CHANGED,
        problems: &[
            (403, "entitlement_missing"),
            (403, "not_permitted"),
            (409, "last_emergency_admin"),
            (409, "last_owner"),
            (422, "invalid_role"),
        ],
        handler: || put(save),
    },
    Endpoint {
        verb: Verb::Delete,
        path: "/api/v1/organizations/{organization}/roles/{role}",
        name: "deleteRole",
        area: "Roles",
        summary: "Take a role away",
        description: "One that people hold, or that rules speak of, goes only if another one takes its place: `replacement`. Everybody \
                      who holds it gets that one in the same transaction.",
        scope: Scope::OrganizationsWrite,
        query: Some(query_of::<RoleQuery>),
        body: None,
        answers: CHANGED,
        problems: &[
            (403, "entitlement_missing"),
            (403, "not_permitted"),
            (409, "last_emergency_admin"),
            (409, "last_owner"),
            (409, "role_in_use"),
            (422, "unknown_replacement"),
        ],
        handler: || delete(remove),
    },
];

const CHANGED: &[Answer] = &[Answer {
    status: 200,
    what: "Done.",
    content: &[(JSON, Some(schema_of::<RoleChanged>))],
}];

/// A role as it shall be.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RoleBody {
    /// Exact name that expressions return; the identifier if absent.
    #[serde(default)]
    name: Option<String>,
    /// Whether holders are owners; no rule ever grants it.
    #[serde(default)]
    owner: bool,
    /// Whether holders may manage people. Owners may, too.
    #[serde(default)]
    admin: bool,
    /// Whether it is given where defaults apply.
    #[serde(default)]
    default: bool,
}

/// What takes the place of a role.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RoleQuery {
    /// Identifier of the role that takes its place.
    replacement: Option<String>,
}

/// Who and what uses the roles of an organization.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct RoleUses {
    /// By identifier of the role.
    items: BTreeMap<String, OneUse>,
}

/// Who and what uses a role.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "RoleUse")]
struct OneUse {
    /// People who hold it, in whatever state.
    people: u64,
    /// Active people who hold it through an active membership.
    active: u64,
    /// Rules that speak of it: a connection and a path in it.
    rules: Vec<String>,
}

/// What a change of roles comes with.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct RoleChanged {
    /// Sentences to read: rules that speak of a name that is gone.
    warnings: Vec<String>,
}

impl From<RoleUse> for OneUse {
    fn from(by: RoleUse) -> Self {
        Self {
            people: by.people,
            active: by.active,
            rules: by.rules,
        }
    }
}

async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(organization): Path<String>,
) -> Result<Json<RoleUses>> {
    let uses = roles::uses(&app, &caller, &organization).await?;
    let items = uses.into_iter().map(|(role, by)| (role.to_string(), by.into()));
    Ok(Json(RoleUses {
        items: items.collect(),
    }))
}

async fn save(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((organization, role)): Path<(String, String)>,
    Sent(wanted): Sent<RoleBody>,
) -> Result<Json<RoleChanged>> {
    let role = Role {
        name: wanted.name.unwrap_or_else(|| role.clone()),
        id: RoleId::new(role),
        owner: wanted.owner,
        admin: wanted.admin,
        default: wanted.default,
    };
    let warnings = roles::put(&app, &caller, &organization, role).await?;
    Ok(Json(RoleChanged { warnings }))
}

async fn remove(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((organization, role)): Path<(String, String)>,
    Asked(query): Asked<RoleQuery>,
) -> Result<Json<RoleChanged>> {
    let warnings = roles::delete(&app, &caller, &organization, &role, query.replacement.as_deref()).await?;
    Ok(Json(RoleChanged { warnings }))
}
