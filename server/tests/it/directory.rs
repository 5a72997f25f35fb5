//! A small customer to sign in to: one organization with roles, workspaces and a verified domain.

use jiff::Timestamp;
use provost::app::App;
use provost::connection_config::ProtocolConfig;
use provost_kernel::connection::{Connection, Protocol, Provisioning, Scope, Settings};
use provost_kernel::directory::{
    Account, AccountKind, Authentication, ManagedBy, Organization, Origin, Role, RolesPerMember, Status,
    Workspace,
};
use provost_kernel::email::Email;
use provost_kernel::id::{AccountId, ConnectionId, OrganizationId, TraceId};
use provost_kernel::plan::{Change, Decision, Plan, Verdict};
use provost_kernel::policy::{Policy, RoleRule};
use provost_kernel::provision::Actor;
use provost_kernel::trace::Trace;
use provost_store::{DomainRecord, SecretMap, StoreError, TraceRecord};

/// The organization's id.
pub const ORGANIZATION: &str = "home-lab";
/// Its verified domain.
pub const DOMAIN: &str = "home-lab.example";

/// Makes the organization.
pub async fn organization(app: &App) {
    let now = app.world.now();
    app.store
        .write(move |tx| {
            Box::pin(async move {
                let id = OrganizationId::new(ORGANIZATION);
                let organization = Organization {
                    id: id.clone(),
                    name: "Home Lab".to_owned(),
                    roles_per_member: RolesPerMember::Many,
                    managed_by: ManagedBy::default(),
                };
                tx.put_organization(&organization, &serde_json::json!({}), now)
                    .await?;
                tx.set_roles(&id, &[role("Owner"), role("Admin"), role("Member")])
                    .await?;
                let workspaces =
                    [("main", "Main", true), ("lab", "Lab", false)].map(|(id, name, default)| Workspace {
                        id: id.into(),
                        name: name.to_owned(),
                        default,
                    });
                tx.set_workspaces(&id, &workspaces).await?;
                let domain = DomainRecord {
                    organization: id,
                    name: DOMAIN.to_owned(),
                    token: None,
                    verified_at: Some(now),
                    settings: serde_json::json!({}),
                };
                tx.put_domain(&domain, now).await?;
                Ok::<_, StoreError>(())
            })
        })
        .await
        .unwrap();
}

fn role(name: &str) -> Role {
    serde_json::from_value(serde_json::json!({
        "id": name.to_lowercase(), "name": name, "owner": name == "Owner", "default": name == "Member",
    }))
    .unwrap()
}

/// Describes a connection of the organization: JIT, the organization's domain, everyone becomes a Member.
pub fn connection(id: &str, protocol: Protocol) -> Connection {
    Connection {
        id: ConnectionId::new(id),
        name: format!("Sign in with {id}"),
        scope: Scope::Organization {
            organization: ORGANIZATION.into(),
            shared_with: Vec::new(),
        },
        protocol,
        enabled: true,
        domains: vec![DOMAIN.to_owned()],
        provisioning: Provisioning::Jit,
        settings: Settings::default(),
        policy: Some(Policy {
            role: Some(RoleRule::Expression(
                "groups && contains(groups, 'admin') && 'Admin' || 'Member'".to_owned(),
            )),
            ..Policy::default()
        }),
        organization_policies: Vec::new(),
        version: 0,
    }
}

/// Stores a connection.
pub async fn put_connection(app: &App, connection: Connection, config: ProtocolConfig, secrets: SecretMap) {
    let now = app.world.now();
    let config = serde_json::to_value(config).unwrap();
    app.store
        .write(move |tx| {
            Box::pin(async move {
                tx.put_connection(&connection, &config, &secrets, "live", now)
                    .await
            })
        })
        .await
        .unwrap();
}

/// Changes a stored connection.
pub async fn change_connection(
    app: &App,
    id: &str,
    change: impl FnOnce(&mut Connection, &mut serde_json::Value),
) {
    let (now, wanted) = (app.world.now(), ConnectionId::new(id));
    let record = app
        .store
        .read(|reader| Box::pin(async move { reader.connection(&wanted).await }))
        .await;
    let mut record = record.unwrap().unwrap();
    change(&mut record.connection, &mut record.protocol_config);
    app.store
        .write(move |tx| {
            Box::pin(async move {
                tx.put_connection(
                    &record.connection,
                    &record.protocol_config,
                    &record.secrets,
                    &record.status,
                    now,
                )
                .await
            })
        })
        .await
        .unwrap();
}

/// Lists the accounts with an address.
pub async fn accounts(app: &App, email: &str) -> Vec<Account> {
    let email = Email::parse(email).unwrap();
    let found = app
        .store
        .read(|reader| Box::pin(async move { reader.accounts_by_email(&email).await }))
        .await;
    found.unwrap()
}

/// Counts all accounts.
pub async fn account_count(app: &App) -> usize {
    let all = app
        .store
        .read(|reader| Box::pin(async move { reader.accounts(None, 1000).await }))
        .await;
    all.unwrap().len()
}

/// Opens a trace by its reference number.
pub async fn trace(app: &App, reference: &str) -> TraceRecord {
    let id = TraceId::new(reference);
    let found = app
        .store
        .read(|reader| Box::pin(async move { reader.trace(&id).await }))
        .await;
    found.unwrap().unwrap_or_else(|| panic!("no trace {reference}"))
}

/// Finds the reference number on a refusal page.
pub fn reference(page: &crate::app::Page) -> String {
    let (_, rest) = page
        .body
        .split_once("<code>")
        .unwrap_or_else(|| panic!("no reference on: {}", page.body));
    rest.split('<').next().unwrap().to_owned()
}

/// Writes a standard account, with a password if one is given.
pub async fn standard_account(app: &App, email: &str, password: Option<&str>) -> AccountId {
    put_account(app, email, Authentication::Standard, password).await
}

/// Writes an account that is bound to a connection.
pub async fn sso_account(app: &App, email: &str, connection: &str) -> AccountId {
    put_account(
        app,
        email,
        Authentication::Sso {
            connection: connection.into(),
        },
        None,
    )
    .await
}

async fn put_account(
    app: &App,
    email: &str,
    authentication: Authentication,
    password: Option<&str>,
) -> AccountId {
    let account = account(app, email, authentication);
    let id = account.id.clone();
    create_account(app, account).await;
    if let Some(password) = password {
        let hash = app
            .passwords
            .hash(password.to_owned().into(), [9; 16])
            .await
            .unwrap();
        let (account, now) = (id.clone(), app.world.now());
        app.store
            .write(move |tx| Box::pin(async move { tx.set_password_hash(&account, &hash, now).await }))
            .await
            .unwrap();
    }
    id
}

/// Describes an account of somebody who belongs nowhere yet.
pub fn account(app: &App, email: &str, authentication: Authentication) -> Account {
    Account {
        id: AccountId::new(app.world.id("acc_").unwrap()),
        kind: AccountKind::User,
        authentication,
        status: Status::Active,
        status_origin: Origin::Admin,
        email: Some(Email::parse(email).unwrap()),
        user_name: None,
        external_id: None,
        given_name: None,
        family_name: None,
        display_name: None,
        emergency_admin: false,
        operator: false,
        attributes: serde_json::Map::new(),
        edited: std::collections::BTreeSet::new(),
        keeping: provost_kernel::keeping::Keeping::default(),
        version: 1,
        created_at: app.world.now(),
    }
}

/// Writes an account.
pub async fn create_account(app: &App, account: Account) {
    let id = account.id.clone();
    let change = Change::CreateAccount {
        account: Box::new(account),
        profile: None,
    };
    apply(app, &id, vec![change]).await;
}

/// Moves an account into another lifecycle state, as an admin does, and ends its sessions.
pub async fn set_status(app: &App, account: &Account, to: Status) {
    let id = account.id.clone();
    let changes = vec![
        Change::SetStatus {
            account: id.clone(),
            version: account.version,
            from: account.status,
            to,
            origin: Origin::Admin,
        },
        Change::RevokeSessions {
            account: id.clone(),
            reason: "deactivated".to_owned(),
        },
    ];
    apply(app, &id, changes).await;
}

async fn apply(app: &App, account: &AccountId, changes: Vec<Change>) {
    let now: Timestamp = app.world.now();
    let decision = Decision {
        verdict: Verdict::Admitted(account.clone()),
        plan: Plan {
            changes,
            session: None,
            spend: None,
        },
        trace: Trace {
            id: TraceId::new(app.world.reference().unwrap()),
            at: now,
            kind: "provision".to_owned(),
            connection: None,
            account: Some(account.clone()),
            steps: Vec::new(),
        },
    };
    app.store
        .write(move |tx| {
            Box::pin(async move {
                tx.apply(&decision, &Actor::Operator { account: None }, now)
                    .await
                    .map(drop)
            })
        })
        .await
        .unwrap();
}
