//! Answers of the API: what kernel and store values look like to programs. Names here are part of the contract.

use std::collections::BTreeMap;

use jiff::Timestamp;
use provost_kernel::attribute::AttributeSource;
use provost_kernel::directory::{AccountKind, Authentication, Source};
use provost_kernel::facts::{AccountFacts, OrganizationFacts};
use provost_kernel::keeping::FieldOverride;
use provost_store::ConnectionRecord;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::flow::api_keys::Caller;

/// Writes a value that serde writes as a plain string.
pub(super) fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(text)) => text,
        Ok(_) | Err(_) => String::new(),
    }
}

/// An organization with what it hands out.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Organization")]
pub(super) struct OrganizationView {
    /// Identifier, also what `{{orgId}}` stands for.
    pub(super) id: String,
    /// Name shown to people.
    pub(super) name: String,
    /// How many roles a member may hold: `one` or `many`.
    pub(super) roles_per_member: String,
    /// Who manages its people and connections: `owners_and_admins` or `owners`.
    pub(super) managed_by: String,
    /// Roles in order of priority.
    pub(super) roles: Vec<RoleView>,
    /// Workspaces in order.
    pub(super) workspaces: Vec<WorkspaceView>,
    /// License pools.
    pub(super) licenses: Vec<LicenseView>,
}

/// A role.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Role")]
pub(super) struct RoleView {
    /// Identifier, stable across renames.
    id: String,
    /// Exact name that expressions return.
    name: String,
    /// Whether holders are owners; no rule ever grants it.
    owner: bool,
    /// Whether holders may manage people.
    admin: bool,
    /// Whether it is given where defaults apply.
    default: bool,
}

/// A workspace.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Workspace")]
pub(super) struct WorkspaceView {
    /// Identifier.
    id: String,
    /// Name.
    name: String,
    /// Whether people land here where defaults apply.
    default: bool,
}

/// A license pool with its use.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "License")]
pub(super) struct LicenseView {
    /// Identifier.
    id: String,
    /// Seats; absent without limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    seats: Option<u32>,
    /// Seats held now.
    used: u32,
}

impl From<OrganizationFacts> for OrganizationView {
    fn from(facts: OrganizationFacts) -> Self {
        Self {
            id: facts.organization.id.as_str().to_owned(),
            name: facts.organization.name,
            roles_per_member: word(&facts.organization.roles_per_member),
            managed_by: word(&facts.organization.managed_by),
            roles: facts
                .roles
                .into_iter()
                .map(|role| RoleView {
                    id: role.id.as_str().to_owned(),
                    name: role.name,
                    owner: role.owner,
                    admin: role.admin,
                    default: role.default,
                })
                .collect(),
            workspaces: facts
                .workspaces
                .into_iter()
                .map(|workspace| WorkspaceView {
                    id: workspace.id.as_str().to_owned(),
                    name: workspace.name,
                    default: workspace.default,
                })
                .collect(),
            licenses: facts
                .licenses
                .into_iter()
                .map(|pool| LicenseView {
                    id: pool.license.id.as_str().to_owned(),
                    seats: pool.license.seats,
                    used: pool.used,
                })
                .collect(),
        }
    }
}

/// An account with its memberships, as far as the key may see them.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Account")]
pub(super) struct AccountView {
    /// Stable identifier: `sub` towards apps.
    pub(super) id: String,
    /// `user` or `reader`.
    kind: AccountKind,
    /// `invited`, `active`, `suspended`, `deactivated` or `deleted`.
    status: String,
    /// The connection whose people it belongs to; absent for an account with a password.
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<String>,
    /// Whether it signs in through an identity provider: the label beside the address.
    sso: bool,
    /// Address.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// User name.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_name: Option<String>,
    /// Identifier given by the directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<String>,
    /// Given name.
    #[serde(skip_serializing_if = "Option::is_none")]
    given_name: Option<String>,
    /// Family name.
    #[serde(skip_serializing_if = "Option::is_none")]
    family_name: Option<String>,
    /// Name to display.
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    /// Whether the account opens the organization when its identity provider is down.
    emergency_admin: bool,
    /// Custom attributes.
    attributes: Value,
    /// Where attributes came from: `scim`, `saml`, `oidc` or `manual`; one that is missing was set by hand.
    attribute_sources: BTreeMap<String, AttributeSource>,
    /// Fields that hold something else than the directory wants, for a while.
    overrides: Vec<OverrideView>,
    /// Memberships; a key of one organization sees its own only.
    memberships: Vec<MembershipView>,
    /// When the person last signed in, as far as that is known; in lists and single answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    last_sign_in_at: Option<Timestamp>,
    /// Grows with each change.
    version: i64,
    /// When it came into being.
    #[schemars(with = "String")]
    created_at: Timestamp,
}

/// One account in one organization.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Membership")]
pub(super) struct MembershipView {
    /// The organization.
    pub(super) organization: String,
    /// Whether access is live.
    active: bool,
    /// Where it came from.
    source: SourceView,
    /// Whether it is pinned: rules leave it alone.
    pinned: bool,
    /// Roles.
    roles: Vec<GrantView>,
    /// Workspaces.
    workspaces: Vec<GrantView>,
    /// Whether every workspace is included, later ones too.
    all_workspaces: bool,
    /// License held or waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    license: Option<LicenseGrantView>,
    /// Local groups of the organization that the person is in.
    groups: Vec<MembershipGroup>,
    /// Grows with each change.
    version: i64,
}

/// Something granted.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Grant")]
pub(super) struct GrantView {
    /// What.
    id: String,
    /// By whom.
    source: SourceView,
    /// Whether it is pinned.
    pinned: bool,
}

/// A license held or waited for.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "LicenseGrant")]
pub(super) struct LicenseGrantView {
    /// The pool.
    id: String,
    /// Whether a seat is held; else the person waits for one.
    seated: bool,
    /// By whom.
    source: SourceView,
    /// Whether it is pinned.
    pinned: bool,
}

/// Where a grant came from.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Source")]
pub(super) struct SourceView {
    /// `manual`, `rule`, `scim`, `invitation`, `import` or `group`.
    kind: &'static str,
    /// Through which connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<String>,
    /// From which local group of the organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
}

impl From<&Source> for SourceView {
    fn from(source: &Source) -> Self {
        let (kind, connection) = match source {
            Source::Manual => ("manual", None),
            Source::Rule { connection } => ("rule", Some(connection)),
            Source::Scim { connection } => ("scim", Some(connection)),
            Source::Invitation => ("invitation", None),
            Source::Import => ("import", None),
            Source::Group { group } => {
                return Self {
                    kind: "group",
                    connection: None,
                    group: Some(group.as_str().to_owned()),
                };
            }
        };
        Self {
            kind,
            group: None,
            connection: connection.map(|id| id.as_str().to_owned()),
        }
    }
}

/// A field that holds something else than the directory wants, for a while.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Override")]
pub(super) struct OverrideView {
    /// Which field.
    field: String,
    /// When the directory's value returns.
    #[schemars(with = "String")]
    until: Timestamp,
    /// What the directory wants by now.
    returns: Value,
    /// Who did that.
    by: String,
}

impl From<FieldOverride> for OverrideView {
    fn from(held: FieldOverride) -> Self {
        Self {
            field: held.field.to_string(),
            until: held.until,
            returns: held.returns,
            by: held.by,
        }
    }
}

impl AccountView {
    /// Shows an account to a caller: memberships elsewhere are left out.
    pub(super) fn of(facts: AccountFacts, caller: &Caller) -> Self {
        let account = facts.account;
        let connection = match &account.authentication {
            Authentication::Standard => None,
            Authentication::Sso { connection } => Some(connection.as_str().to_owned()),
        };
        Self {
            id: account.id.as_str().to_owned(),
            kind: account.kind,
            status: word(&account.status),
            sso: connection.is_some(),
            connection,
            email: account.email.map(|email| email.to_string()),
            user_name: account.user_name,
            external_id: account.external_id,
            given_name: account.given_name,
            family_name: account.family_name,
            display_name: account.display_name,
            emergency_admin: account.emergency_admin,
            attributes: Value::Object(account.attributes),
            attribute_sources: account.keeping.sources,
            overrides: account
                .keeping
                .overrides
                .into_iter()
                .map(OverrideView::from)
                .collect(),
            memberships: facts
                .memberships
                .iter()
                .filter(|held| caller.sees(&held.organization))
                .map(MembershipView::from)
                .collect(),
            last_sign_in_at: None,
            version: account.version,
            created_at: account.created_at,
        }
    }

    /// Adds when the person last signed in.
    pub(super) const fn signed_in(mut self, at: Option<Timestamp>) -> Self {
        self.last_sign_in_at = at;
        self
    }
}

/// A live session.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Session")]
pub(super) struct SessionView {
    /// Identifier: `sid` towards apps.
    id: String,
    /// The connection that proved the person; absent for a password.
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<String>,
    /// How the person was proved.
    methods: Vec<String>,
    /// When the person signed in.
    #[schemars(with = "String")]
    authenticated_at: Timestamp,
    /// When it was last used, exact to a minute.
    #[schemars(with = "String")]
    last_seen_at: Timestamp,
    /// When it ends at the latest.
    #[schemars(with = "String")]
    ends_at: Timestamp,
}

impl From<&provost_store::SessionRecord> for SessionView {
    fn from(session: &provost_store::SessionRecord) -> Self {
        Self {
            id: session.id.as_str().to_owned(),
            connection: session.connection.as_ref().map(|id| id.as_str().to_owned()),
            methods: session.methods.clone(),
            authenticated_at: session.authenticated_at,
            last_seen_at: session.last_seen_at,
            ends_at: session.ends_at,
        }
    }
}

impl From<&provost_kernel::directory::Membership> for MembershipView {
    fn from(held: &provost_kernel::directory::Membership) -> Self {
        let grant = |id: &str, source: &Source, pinned: bool| GrantView {
            id: id.to_owned(),
            source: source.into(),
            pinned,
        };
        Self {
            organization: held.organization.as_str().to_owned(),
            active: held.active,
            source: (&held.source).into(),
            pinned: held.pinned,
            roles: held
                .roles
                .iter()
                .map(|one| grant(one.id.as_str(), &one.source, one.pinned))
                .collect(),
            workspaces: held
                .workspaces
                .iter()
                .map(|one| grant(one.id.as_str(), &one.source, one.pinned))
                .collect(),
            all_workspaces: held.all_workspaces.is_some(),
            license: held.license.as_ref().map(|license| LicenseGrantView {
                id: license.license.as_str().to_owned(),
                seated: license.seated,
                source: (&license.source).into(),
                pinned: license.pinned,
            }),
            groups: held
                .groups
                .iter()
                .map(|group| MembershipGroup {
                    id: group.id.as_str().to_owned(),
                    name: group.name.clone(),
                })
                .collect(),
            version: held.version,
        }
    }
}

/// A local group that a member is in.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct MembershipGroup {
    /// Identifier.
    id: String,
    /// Name.
    name: String,
}

/// A connection to an identity provider, without protocol details and secrets.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Connection")]
pub(super) struct ConnectionView {
    /// Identifier.
    pub(super) id: String,
    /// Label of the sign-in button.
    name: String,
    /// The organization that owns it; absent for a connection of the whole instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<String>,
    /// Further organizations that it may admit to.
    shared_with: Vec<String>,
    /// `saml` or `oidc`.
    protocol: String,
    /// Whether people may sign in through it.
    enabled: bool,
    /// `manual`, `jit` or `scim`.
    provisioning: String,
    /// Domains served.
    domains: Vec<String>,
    /// Grows with each change.
    version: i64,
}

impl From<&ConnectionRecord> for ConnectionView {
    fn from(record: &ConnectionRecord) -> Self {
        use provost_kernel::connection::Scope;

        let connection = &record.connection;
        let (organization, shared_with) = match &connection.scope {
            Scope::Instance => (None, Vec::new()),
            Scope::Organization {
                organization,
                shared_with,
            } => (
                Some(organization.as_str().to_owned()),
                shared_with.iter().map(|id| id.as_str().to_owned()).collect(),
            ),
        };
        Self {
            id: connection.id.as_str().to_owned(),
            name: connection.name.clone(),
            organization,
            shared_with,
            protocol: word(&connection.protocol),
            enabled: connection.enabled,
            provisioning: word(&connection.provisioning),
            domains: connection.domains.clone(),
            version: connection.version,
        }
    }
}
