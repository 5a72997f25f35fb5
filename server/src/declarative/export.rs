//! Export: the stored state as a document that `apply` accepts as no change. Secrets are left out.

use std::fmt::Write as _;

use provost_kernel::connection::{Connection, Scope};
use provost_kernel::directory::{Account, Authentication, Status};
use provost_kernel::domain::DomainSettings;
use provost_kernel::entitlement::SeatLimits;
use provost_kernel::facts::AccountFacts;
use provost_kernel::id::{AccountId, ConnectionId, OrganizationId};
use provost_kernel::login::rules::SignInPolicy;
use provost_store::{ApplicationRecord, ConnectionRecord, Reader, StoreError};

use super::document::{
    AllWord, ApplicationEntry, ConnectionEntry, Document, DomainEntry, GroupEntry, GroupMemberEntry,
    LicenseEntry, MembershipEntry, OidcEntry, OrganizationEntry, Organizations, RoleEntry, SamlEntry,
    ScimEntry, ScimToken, ScopeWord, UserEntry, WorkspaceEntry, WorkspacesEntry,
};
use super::write::TOKEN_KIND;
use crate::app::App;
use crate::application_config::ApplicationConfig;
use crate::branding::Branding;
use crate::connection_config::{OidcConfig, ProtocolConfig, SamlConfig, ScimConfig, StoredConfigError};
use crate::flow::entitlements::Plan;

/// Why nothing could be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The database failed.
    #[error("the database failed: {}", crate::error::chain(.0))]
    Store(#[from] StoreError),
    /// A stored connection cannot be read.
    #[error(transparent)]
    Connection(#[from] StoredConfigError),
    /// A stored application cannot be read.
    #[error("the stored registration of application {0} cannot be read")]
    Application(String),
}

/// Entries of one page of the store.
const PAGE: u32 = 200;

/// Reads the stored state in one consistent snapshot.
///
/// # Errors
/// [`ExportError`].
pub async fn export(app: &App) -> Result<Document, ExportError> {
    app.store
        .snapshot(|reader| Box::pin(async move { document(reader).await }))
        .await
}

/// Reads one organization with the connections that it owns, in one consistent snapshot; none if there is no such. Neither people,
/// who may belong to others too, nor applications, which are the instance's.
///
/// # Errors
/// [`ExportError`].
pub async fn export_organization(app: &App, id: OrganizationId) -> Result<Option<Document>, ExportError> {
    app.store
        .snapshot(|reader| Box::pin(async move { document_of(reader, &id).await }))
        .await
}

/// Renders a document as YAML with a note about what is missing.
///
/// # Errors
/// Never for documents made by [`export`].
pub fn render(document: &Document) -> Result<String, serde_norway::Error> {
    let mut bytes = Vec::new();
    let mut serializer = serde_norway::Serializer::new(&mut bytes);
    serde_norway::with::singleton_map_recursive::serialize(document, &mut serializer)?;
    let mut text = String::from(
        "# Written by `provost export`. Secrets are not part of it: applying this file keeps those that are stored.\n",
    );
    let _ = write!(text, "{}", String::from_utf8_lossy(&bytes));
    Ok(text)
}

async fn document(reader: &mut Reader) -> Result<Document, ExportError> {
    let mut document = Document::default();
    let mut after: Option<OrganizationId> = None;
    loop {
        let page = reader.organizations(after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.organization.id.clone());
        for record in &page {
            document.organizations.push(organization(reader, record).await?);
        }
    }
    let mut after: Option<ConnectionId> = None;
    loop {
        let page = reader.connections(after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.connection.id.clone());
        for record in &page {
            document.connections.push(connection(reader, record).await?);
        }
    }
    for record in reader.applications().await? {
        document.applications.push(application(&record)?);
    }
    document.users = users(reader).await?;
    for entry in &mut document.organizations {
        members(reader, entry).await?;
    }
    Ok(document)
}

async fn document_of(reader: &mut Reader, id: &OrganizationId) -> Result<Option<Document>, ExportError> {
    let Some(record) = reader.organization(id).await? else {
        return Ok(None);
    };
    let mut document = Document {
        organizations: vec![organization(reader, &record).await?],
        ..Document::default()
    };
    let mut after: Option<ConnectionId> = None;
    loop {
        let page = reader.connections_owned_by(id, after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.connection.id.clone());
        for record in &page {
            document.connections.push(connection(reader, record).await?);
        }
    }
    Ok(Some(document))
}

async fn organization(
    reader: &mut Reader,
    record: &provost_store::OrganizationRecord,
) -> Result<OrganizationEntry, ExportError> {
    let id = &record.organization.id;
    let unless = |name: &str, id: &str| (name != id).then(|| name.to_owned());
    let domains = reader.domains(id).await?;
    let roles = reader.roles(id).await?;
    let workspaces = reader.workspaces(id).await?;
    let licenses = reader.licenses(id).await?;
    let plan = Plan::of(&record.settings);
    Ok(OrganizationEntry {
        entitlements: plan.entitlements,
        setup: plan.setup,
        seats: Some(plan.seats).filter(|seats| *seats != SeatLimits::default()),
        id: id.as_str().to_owned(),
        name: unless(&record.organization.name, id.as_str()),
        domains: domains
            .into_iter()
            .map(|domain| {
                let settings = DomainSettings::read(&domain.settings);
                DomainEntry {
                    name: domain.name,
                    verified: domain.verified_at.is_some(),
                    sign_in: settings.sign_in,
                    exceptions: settings.exceptions.into_iter().map(String::from).collect(),
                    prevent_outside_sign_ups: settings.prevent_outside_sign_ups,
                    auto_activate: settings.auto_activate,
                }
            })
            .collect(),
        roles: roles
            .into_iter()
            .map(|role| {
                let implied = role.id.as_str() == "owner";
                RoleEntry {
                    name: unless(&role.name, role.id.as_str()),
                    owner: (role.owner != implied).then_some(role.owner),
                    admin: (role.admin != (role.owner || role.id.as_str() == "admin")).then_some(role.admin),
                    default: role.default,
                    replaces: Vec::new(),
                    id: role.id.as_str().to_owned(),
                }
            })
            .collect(),
        workspaces: workspaces
            .into_iter()
            .map(|workspace| WorkspaceEntry {
                name: unless(&workspace.name, workspace.id.as_str()),
                default: workspace.default,
                id: workspace.id.as_str().to_owned(),
            })
            .collect(),
        licenses: licenses
            .into_iter()
            .map(|(license, _)| LicenseEntry {
                id: license.id.as_str().to_owned(),
                seats: license.seats,
                kind: license.kind,
            })
            .collect(),
        roles_per_member: record.organization.roles_per_member,
        managed_by: record.organization.managed_by,
        sign_in: Some(SignInPolicy::read(&record.settings))
            .filter(|policy| *policy != SignInPolicy::default()),
        mail: Some(Branding::of(&record.settings)).filter(|branding| *branding != Branding::default()),
        groups: groups(reader, id).await?,
    })
}

/// Groups kept by hand, without their members; none where there are no groups.
async fn groups(reader: &mut Reader, id: &OrganizationId) -> Result<Option<Vec<GroupEntry>>, ExportError> {
    let groups = reader
        .local_groups_of(id)
        .await?
        .into_iter()
        .map(|group| GroupEntry {
            name: group.name,
            description: group.description,
            roles: group.roles.iter().map(ToString::to_string).collect(),
            workspaces: group.workspaces.iter().map(ToString::to_string).collect(),
            members: None,
        });
    let groups: Vec<GroupEntry> = groups.collect();
    Ok(Some(groups).filter(|groups| !groups.is_empty()))
}

/// Adds to the groups of an organization who is in them, as far as the file can name them.
async fn members(reader: &mut Reader, entry: &mut OrganizationEntry) -> Result<(), ExportError> {
    let id = OrganizationId::new(&entry.id);
    let stored = reader.local_groups_of(&id).await?;
    for (group, stored) in entry.groups.iter_mut().flatten().zip(stored) {
        let mut members = Vec::new();
        let mut after: Option<AccountId> = None;
        loop {
            let page = reader
                .local_group_members(&stored.id, after.as_ref(), PAGE)
                .await?;
            let Some(last) = page.last() else { break };
            after = Some(last.clone());
            let people = reader.account_facts(&page).await?;
            members.extend(people.iter().filter_map(|facts| group_member(&facts.account)));
        }
        members.sort();
        group.members = Some(members);
    }
    Ok(())
}

/// Names a member of a group as the file names people; none for who has no address, or was deleted.
pub(super) fn group_member(account: &Account) -> Option<GroupMemberEntry> {
    let connection = match &account.authentication {
        Authentication::Standard => None,
        Authentication::Sso { connection } => Some(connection.to_string()),
    };
    let email = account
        .email
        .as_ref()
        .filter(|_| account.status != Status::Deleted)?;
    Some(GroupMemberEntry {
        email: email.as_str().to_owned(),
        connection,
    })
}

async fn connection(reader: &mut Reader, record: &ConnectionRecord) -> Result<ConnectionEntry, ExportError> {
    let id = &record.connection.id;
    let config = ProtocolConfig::of(id.as_str(), &record.protocol_config)?;
    let scim = ScimConfig::of(&record.protocol_config);
    let mut entry = connection_entry(&record.connection, config, scim);
    if let Some(scim) = &mut entry.scim {
        let tokens = reader.tokens(TOKEN_KIND, Some(id)).await?;
        let live = tokens.into_iter().filter(|token| token.revoked_at.is_none());
        scim.tokens = live
            .map(|token| ScimToken {
                label: token.label,
                token: None,
                expires_at: token.expires_at,
            })
            .collect();
    }
    Ok(entry)
}

/// Writes a stored connection as an entry, without secrets and tokens, to be changed and applied again.
///
/// # Errors
/// [`StoredConfigError`].
pub fn entry_of(record: &ConnectionRecord) -> Result<ConnectionEntry, StoredConfigError> {
    let id = &record.connection.id;
    let config = ProtocolConfig::of(id.as_str(), &record.protocol_config)?;
    let scim = ScimConfig::of(&record.protocol_config);
    Ok(connection_entry(&record.connection, config, scim))
}

/// Writes a connection as an entry, without secrets and tokens.
pub(super) fn connection_entry(
    connection: &Connection,
    config: ProtocolConfig,
    scim: Option<ScimConfig>,
) -> ConnectionEntry {
    let Connection {
        id,
        name,
        scope,
        protocol,
        enabled,
        domains,
        provisioning,
        settings,
        ..
    } = connection.clone();
    let (scope, organization, shared_with) = match scope {
        Scope::Instance => (Some(ScopeWord::Instance), None, Vec::new()),
        Scope::Organization {
            organization,
            shared_with,
        } => (None, Some(organization), shared_with),
    };
    let (saml, oidc) = match config {
        ProtocolConfig::Saml(config) => (Some(saml(config)), None),
        ProtocolConfig::Oidc(config) => (None, Some(oidc(config))),
    };
    ConnectionEntry {
        name: (name != id.as_str()).then_some(name),
        organization: organization.map(|organization| organization.as_str().to_owned()),
        scope,
        shared_with: shared_with
            .iter()
            .map(|organization| organization.as_str().to_owned())
            .collect(),
        protocol,
        enabled,
        saml,
        oidc,
        domains,
        provisioning,
        scim: scim.map(|scim| ScimEntry::of(scim, settings.directory)),
        attributes: settings.attributes,
        match_chain: settings.match_chain,
        on_ambiguous: settings.on_ambiguous,
        name_comparison: settings.name_comparison,
        existing_account: settings.existing_account,
        on_inactive_match: settings.on_inactive_match,
        email_update: settings.email_update,
        require_domain: settings.require_domain,
        role_sync: settings.role_sync,
        sync: settings.sync,
        on_no_role: settings.on_no_role,
        on_lost_match: settings.on_lost_match,
        keep_unplaced: settings.keep_unplaced,
        all_includes_future: settings.all_includes_future,
        on_no_seat: settings.on_no_seat,
        licence_at: settings.licence_at,
        invite_on: settings.invite_on,
        strip_guard: settings.strip_guard,
        idle_minutes: settings.idle_minutes,
        policy: connection.policy.clone(),
        organization_policies: connection.organization_policies.clone(),
        id: id.as_str().to_owned(),
    }
}

/// Shows metadata by its address where it has one, else as fields.
fn saml(config: SamlConfig) -> SamlEntry {
    let is_fetched = config.metadata_url.is_some();
    let field = |value: Option<String>| value.filter(|_| !is_fetched);
    SamlEntry {
        metadata_file: None,
        metadata: None,
        metadata_url: config.metadata_url,
        entity_id: Some(config.idp_entity_id),
        sso_url: field(config.sso_redirect_url),
        sso_post_url: field(config.sso_post_url),
        slo_url: field(config.slo_redirect_url),
        slo_post_url: field(config.slo_post_url),
        slo_response_url: field(config.slo_response_url),
        certificates: if is_fetched {
            Vec::new()
        } else {
            config.signing_certificates
        },
        sp_entity_id: config.sp_entity_id,
        request_binding: config.request_binding,
        sign_requests: Some(config.sign_requests),
        name_id_format: config.name_id_format,
        requested_authn_context: config.requested_authn_context,
        force_authn: config.force_authn,
        idp_initiated: config.idp_initiated,
        clock_skew_seconds: Some(config.clock_skew_seconds),
        allow_cbc: config.allow_cbc,
        attributes: config.attributes,
    }
}

fn oidc(config: OidcConfig) -> OidcEntry {
    OidcEntry {
        issuer: config.issuer,
        client_id: config.client_id,
        client_secret: None,
        client_key: None,
        client_authentication: config.client_authentication,
        scopes: config.scopes,
        id_token_algorithms: config.id_token_algorithms,
        userinfo: config.userinfo,
        tenant: config.tenant,
        identifier_path: config.identifier_path,
        email_path: config.email_path,
        name_path: config.name_path,
        clock_skew_seconds: Some(config.clock_skew_seconds),
        upstream_logout: config.upstream_logout,
    }
}

fn application(record: &ApplicationRecord) -> Result<ApplicationEntry, ExportError> {
    let config: ApplicationConfig = serde_json::from_value(record.config.clone())
        .map_err(|_| ExportError::Application(record.client_id.clone()))?;
    let organizations = match &record.organizations {
        None => Organizations::Word(AllWord::All),
        Some(ids) => Organizations::Listed(ids.iter().map(|id| id.as_str().to_owned()).collect()),
    };
    Ok(ApplicationEntry::new(
        record.client_id.clone(),
        config,
        organizations,
    ))
}

/// Accounts that hands made: those that sign-ins and directories made come back by themselves.
async fn users(reader: &mut Reader) -> Result<Vec<UserEntry>, ExportError> {
    let mut users = Vec::new();
    let mut after: Option<AccountId> = None;
    loop {
        let page = reader.accounts(after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(users) };
        after = Some(last.account.id.clone());
        users.extend(page.iter().filter_map(user));
    }
}

fn user(facts: &AccountFacts) -> Option<UserEntry> {
    let account = &facts.account;
    let from_file = facts
        .memberships
        .iter()
        .any(|membership| is_of_file(&membership.source));
    let is_by_hand = account.authentication == Authentication::Standard || from_file;
    if !is_by_hand || account.status == Status::Deleted {
        return None;
    }
    let connection = match &account.authentication {
        Authentication::Standard => None,
        Authentication::Sso { connection } => Some(connection.as_str().to_owned()),
    };
    Some(UserEntry {
        email: account.email.as_ref()?.as_str().to_owned(),
        connection,
        kind: account.kind,
        given_name: account.given_name.clone(),
        family_name: account.family_name.clone(),
        display_name: account.display_name.clone(),
        user_name: account.user_name.clone(),
        external_id: account.external_id.clone(),
        emergency_admin: account.emergency_admin,
        password: None,
        password_hash: None,
        memberships: facts.memberships.iter().filter_map(membership).collect(),
    })
}

const fn is_of_file(source: &provost_kernel::directory::Source) -> bool {
    matches!(source, provost_kernel::directory::Source::Import)
}

/// Shows what the file granted; grants from elsewhere are not the file's to repeat.
fn membership(membership: &provost_kernel::directory::Membership) -> Option<MembershipEntry> {
    if !is_of_file(&membership.source) {
        return None;
    }
    let granted: Vec<String> = membership
        .workspaces
        .iter()
        .filter(|grant| is_of_file(&grant.source))
        .map(|grant| grant.id.as_str().to_owned())
        .collect();
    let all = membership.all_workspaces.as_ref().is_some_and(is_of_file);
    Some(MembershipEntry {
        organization: membership.organization.as_str().to_owned(),
        roles: membership
            .roles
            .iter()
            .filter(|grant| is_of_file(&grant.source))
            .map(|grant| grant.id.as_str().to_owned())
            .collect(),
        workspaces: Some(if all {
            WorkspacesEntry::Word(AllWord::All)
        } else {
            WorkspacesEntry::Ids(granted)
        }),
        license: membership
            .license
            .as_ref()
            .filter(|grant| is_of_file(&grant.source))
            .map(|grant| grant.license.as_str().to_owned()),
    })
}
