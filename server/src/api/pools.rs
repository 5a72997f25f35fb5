//! Workspaces and pools of licenses of an organization, one by one.

use crate::route::{delete, get, put};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use provost_kernel::directory::{AccountKind, License, Workspace};
use provost_kernel::id::{LicenseId, WorkspaceId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::endpoint::{Answer, Endpoint, JSON, Verb, schema_of};
use super::page::Sent;
use crate::app::App;
use crate::error::Result;
use crate::flow::api_keys::{Caller, Scope};
use crate::flow::{directory, pools};

const DONE: &[Answer] = &[Answer {
    status: 204,
    what: "Done.",
    content: &[],
}];

/// The endpoints of this area.
pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/organizations/{organization}/workspaces",
        name: "listWorkspaces",
        area: "Organizations",
        summary: "List the workspaces of an organization, in their order",
        description: "",
        scope: Scope::OrganizationsRead,
        query: None,
        body: None,
        answers: &[Answer {
            status: 200,
            what: "All of them.",
            content: &[(JSON, Some(schema_of::<Workspaces>))],
        }],
        problems: &[(404, "not_found")],
        handler: || get(workspaces),
    },
    Endpoint {
        verb: Verb::Put,
        path: "/api/v1/organizations/{organization}/workspaces/{workspace}",
        name: "putWorkspace",
        area: "Organizations",
        summary: "Make a workspace, or change the one with this identifier",
        description: "A new one is the last in order. A new default takes the place of the one before. Needs a key of the whole instance.",
        scope: Scope::OrganizationsWrite,
        query: None,
        body: Some(schema_of::<WorkspaceBody>),
        answers: DONE,
        problems: &[
            (403, "instance_key_needed"),
            (404, "not_found"),
            (409, "default_workspace"),
            (422, "invalid_workspace"),
        ],
        handler: || put(put_workspace),
    },
    Endpoint {
        verb: Verb::Delete,
        path: "/api/v1/organizations/{organization}/workspaces/{workspace}",
        name: "deleteWorkspace",
        area: "Organizations",
        summary: "Take a workspace away that nobody holds",
        description: "The default workspace goes once another one is the default. Needs a key of the whole instance.",
        scope: Scope::OrganizationsWrite,
        query: None,
        body: None,
        answers: DONE,
        problems: &[
            (403, "instance_key_needed"),
            (404, "not_found"),
            (409, "default_workspace"),
            (409, "workspace_in_use"),
        ],
        handler: || delete(delete_workspace),
    },
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/organizations/{organization}/licenses",
        name: "listLicenses",
        area: "Organizations",
        summary: "List the pools of licenses of an organization, in their order",
        description: "Meters, history and who waits stand under `seats`.",
        scope: Scope::OrganizationsRead,
        query: None,
        body: None,
        answers: &[Answer {
            status: 200,
            what: "All of them.",
            content: &[(JSON, Some(schema_of::<Licenses>))],
        }],
        problems: &[(404, "not_found")],
        handler: || get(licenses),
    },
    Endpoint {
        verb: Verb::Put,
        path: "/api/v1/organizations/{organization}/licenses/{license}",
        name: "putLicense",
        area: "Organizations",
        summary: "Make a pool of licenses, or change the one with this identifier",
        description: "Seats may fall below those in use; then none is free. A pool keeps its kind while accounts of the other one hold it \
                      or wait for it. Needs a key of the whole instance.",
        scope: Scope::OrganizationsWrite,
        query: None,
        body: Some(schema_of::<LicenseBody>),
        answers: DONE,
        problems: &[
            (403, "instance_key_needed"),
            (404, "not_found"),
            (409, "license_of_other_kind"),
            (422, "invalid_license"),
        ],
        handler: || put(put_license),
    },
    Endpoint {
        verb: Verb::Delete,
        path: "/api/v1/organizations/{organization}/licenses/{license}",
        name: "deleteLicense",
        area: "Organizations",
        summary: "Take a pool of licenses away that nobody holds or waits for",
        description: "Needs a key of the whole instance.",
        scope: Scope::OrganizationsWrite,
        query: None,
        body: None,
        answers: DONE,
        problems: &[
            (403, "instance_key_needed"),
            (404, "not_found"),
            (409, "license_in_use"),
        ],
        handler: || delete(delete_license),
    },
];

/// The workspaces of an organization.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Workspaces {
    /// In their order.
    items: Vec<WorkspaceView>,
}

/// A workspace.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "WorkspaceOfOrganization")]
struct WorkspaceView {
    /// Identifier within the organization.
    id: String,
    /// Name shown to people.
    name: String,
    /// Whether people land here where defaults apply.
    default: bool,
}

/// A workspace as it shall be.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WorkspaceBody {
    /// Name shown to people; the identifier if absent.
    #[serde(default)]
    name: Option<String>,
    /// Whether people land here where defaults apply.
    #[serde(default)]
    default: bool,
}

/// The pools of licenses of an organization.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Licenses {
    /// In their order.
    items: Vec<LicenseView>,
}

/// A pool of licenses.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "LicenseOfOrganization")]
struct LicenseView {
    /// Identifier within the organization.
    id: String,
    /// Seats; absent without limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    seats: Option<u32>,
    /// Seats that are taken.
    used: u32,
    /// The kind of account that it is for, `user` or `reader`; absent for both.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<AccountKind>,
}

/// A pool of licenses as it shall be.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LicenseBody {
    /// Seats; without limit if absent.
    #[serde(default)]
    seats: Option<u32>,
    /// The kind of account that it is for, `user` or `reader`; both if absent.
    #[serde(default)]
    kind: Option<AccountKind>,
}

async fn workspaces(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(organization): Path<String>,
) -> Result<Json<Workspaces>> {
    let facts = directory::organization(&app, &caller, &organization).await?;
    let items = facts.workspaces.into_iter().map(|workspace| WorkspaceView {
        id: workspace.id.to_string(),
        name: workspace.name,
        default: workspace.default,
    });
    Ok(Json(Workspaces {
        items: items.collect(),
    }))
}

async fn put_workspace(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((organization, workspace)): Path<(String, String)>,
    Sent(wanted): Sent<WorkspaceBody>,
) -> Result<StatusCode> {
    let workspace = Workspace {
        name: wanted.name.unwrap_or_else(|| workspace.clone()),
        id: WorkspaceId::new(workspace),
        default: wanted.default,
    };
    pools::put_workspace(&app, &caller, &organization, workspace).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn delete_workspace(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((organization, workspace)): Path<(String, String)>,
) -> Result<StatusCode> {
    pools::delete_workspace(&app, &caller, &organization, &workspace).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn licenses(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(organization): Path<String>,
) -> Result<Json<Licenses>> {
    let facts = directory::organization(&app, &caller, &organization).await?;
    let items = facts.licenses.into_iter().map(|pool| LicenseView {
        id: pool.license.id.to_string(),
        seats: pool.license.seats,
        used: pool.used,
        kind: pool.license.kind,
    });
    Ok(Json(Licenses {
        items: items.collect(),
    }))
}

async fn put_license(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((organization, license)): Path<(String, String)>,
    Sent(wanted): Sent<LicenseBody>,
) -> Result<StatusCode> {
    let license = License {
        id: LicenseId::new(license),
        seats: wanted.seats,
        kind: wanted.kind,
    };
    pools::put_license(&app, &caller, &organization, license).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn delete_license(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path((organization, license)): Path<(String, String)>,
) -> Result<StatusCode> {
    pools::delete_license(&app, &caller, &organization, &license).await?;
    Ok(StatusCode::NO_CONTENT)
}
