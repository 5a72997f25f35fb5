//! The harness: every test runs on both engines, each in a database of its own that is removed afterwards.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use jiff::Timestamp;
use provost_kernel::connection::{Connection, Protocol, Provisioning, Scope, Settings};
use provost_kernel::directory::{
    Account, AccountKind, Authentication, Grant, License, LicenseGrant, Link, ManagedBy, Membership,
    Organization, Origin, Role, RolesPerMember, Source, Status, Subject, Workspace,
};
use provost_kernel::email::Email;
use provost_kernel::id::{AccountId, ConnectionId, OrganizationId, TraceId};
use provost_kernel::plan::{Change, Decision, OpenSession, Plan, Verdict};
use provost_kernel::provision::Actor;
use provost_kernel::trace::Trace;
use provost_store::{
    Applied, DataKeys, DomainRecord, SecretMap, Store, StoreConfig, StoreError, Synchronous, Tx,
};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

/// The key of all test databases.
pub(crate) const KEY: [u8; 32] = [7; 32];

/// A database of one test.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    /// URL that the store opens.
    pub(crate) url: String,
    /// Directory of a SQLite database.
    pub(crate) directory: Option<PathBuf>,
    /// Where a database of PostgreSQL is, and the statement that removes it.
    undo: Option<(String, String)>,
}

static NEXT: AtomicU32 = AtomicU32::new(0);

fn unique() -> String {
    format!(
        "provost_store_{}_{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}

impl Database {
    pub(crate) fn sqlite() -> Self {
        let directory = std::env::temp_dir().join(unique());
        std::fs::create_dir_all(&directory).unwrap();
        Self {
            url: format!("sqlite:{}/provost.db", directory.display()),
            directory: Some(directory),
            undo: None,
        }
    }

    /// A schema of its own on the server that `PROVOST_TEST_POSTGRES_URL` names; none if that is not set.
    pub(crate) async fn postgres() -> Option<Self> {
        let server = server()?;
        let schema = unique();
        execute(&server, &format!("CREATE SCHEMA {schema}")).await;
        let separator = if server.contains('?') { '&' } else { '?' };
        let url = format!("{server}{separator}options=-c%20search_path%3D{schema}");
        Some(Self {
            url,
            directory: None,
            undo: Some((server, format!("DROP SCHEMA {schema} CASCADE"))),
        })
    }

    /// A whole database of its own there, whose connections can be told from those of other tests by its name.
    pub(crate) async fn postgres_apart() -> Option<(Self, String)> {
        let server = server()?;
        let name = unique();
        execute(&server, &format!("CREATE DATABASE {name}")).await;
        let (address, _) = server.rsplit_once('/').unwrap();
        let database = Self {
            url: format!("{address}/{name}"),
            directory: None,
            undo: Some((server, format!("DROP DATABASE {name} WITH (FORCE)"))),
        };
        Some((database, name))
    }

    pub(crate) fn is_postgres(&self) -> bool {
        self.directory.is_none()
    }

    pub(crate) fn config(&self) -> StoreConfig {
        StoreConfig {
            url: self.url.clone(),
            data_keys: DataKeys::new(KEY),
            connections: 8,
            synchronous: Synchronous::Full,
        }
    }

    pub(crate) async fn open(&self) -> Store {
        Store::open(&self.config()).await.unwrap()
    }

    /// Changes rows behind the store's back.
    pub(crate) async fn execute(&self, sql: &str) {
        if let Some(directory) = &self.directory {
            let conn = rusqlite::Connection::open(directory.join("provost.db")).unwrap();
            conn.busy_timeout(Duration::from_secs(5)).unwrap();
            // Per connection in SQLite, and on for all of the store's.
            conn.pragma_update(None, "foreign_keys", true).unwrap();
            conn.execute_batch(sql).unwrap();
        } else {
            execute(&self.url, sql).await;
        }
    }

    pub(crate) async fn remove(self) {
        if let Some(directory) = self.directory {
            std::fs::remove_dir_all(directory).unwrap();
        }
        if let Some((server, undo)) = self.undo {
            execute(&server, &undo).await;
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "only the harness reads where the test server is"
)]
fn server() -> Option<String> {
    let Ok(server) = std::env::var("PROVOST_TEST_POSTGRES_URL") else {
        let required = std::env::var("PROVOST_TEST_REQUIRE_POSTGRES").is_ok_and(|value| value == "1");
        assert!(
            !required,
            "PROVOST_TEST_REQUIRE_POSTGRES is set and PROVOST_TEST_POSTGRES_URL is not"
        );
        return None;
    };
    Some(server)
}

async fn execute(url: &str, sql: &str) {
    let mut conn = sqlx::PgConnection::connect(url).await.unwrap();
    conn.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
    conn.close().await.unwrap();
}

/// Runs a test with an open store and cleans up, also after a failure.
pub(crate) async fn with_store<F, Fut>(database: Option<Database>, test: F)
where
    F: FnOnce(Store, Database) -> Fut,
    Fut: Future<Output = ()>,
{
    let Some(database) = database else { return };
    let store = database.open().await;
    let outcome = AssertUnwindSafe(test(store.clone(), database.clone()))
        .catch_unwind()
        .await;
    store.close().await;
    database.remove().await;
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

/// Declares a test that runs on both engines.
macro_rules! conformance {
    ($($(#[$doc:meta])* async fn $name:ident($store:pat, $database:pat) $body:block)+) => {$(
        mod $name {
            use super::*;

            $(#[$doc])*
            async fn case($store: provost_store::Store, $database: crate::support::Database) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                crate::support::with_store(Some(crate::support::Database::sqlite()), case).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                crate::support::with_store(crate::support::Database::postgres().await, case).await;
            }
        }
    )+};
}
pub(crate) use conformance;

/// Makes a moment, in seconds after a fixed one.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

pub(crate) fn org() -> OrganizationId {
    OrganizationId::from("home-lab")
}

pub(crate) fn okta() -> ConnectionId {
    ConnectionId::from("home-okta")
}

pub(crate) fn connection(id: &ConnectionId) -> Connection {
    Connection {
        id: id.clone(),
        name: "Okta".to_owned(),
        scope: Scope::Organization {
            organization: org(),
            shared_with: vec!["other".into()],
        },
        protocol: Protocol::Oidc,
        enabled: true,
        domains: vec!["home-lab.example".to_owned()],
        provisioning: Provisioning::Jit,
        settings: Settings::default(),
        policy: None,
        organization_policies: Vec::new(),
        version: 0,
    }
}

pub(crate) fn roles() -> Vec<Role> {
    ["owner", "admin", "member"]
        .map(|id| {
            serde_json::from_value(
                json!({"id": id, "name": id, "owner": id == "owner", "default": id == "member"}),
            )
        })
        .map(Result::unwrap)
        .to_vec()
}

/// Two organizations, the first with roles, workspaces, two seats, a domain and a connection shared with the second.
pub(crate) async fn seed(store: &Store) {
    store
        .write(|tx| {
            Box::pin(async move {
                for id in ["home-lab", "other"] {
                    let organization = Organization {
                        id: id.into(),
                        name: id.to_uppercase(),
                        roles_per_member: RolesPerMember::Many,
                        managed_by: ManagedBy::default(),
                    };
                    tx.put_organization(&organization, &json!({}), at(0)).await?;
                }
                tx.set_roles(&org(), &roles()).await?;
                let workspace = |id: &str, default| Workspace {
                    id: id.into(),
                    name: id.to_owned(),
                    default,
                };
                tx.set_workspaces(&org(), &[workspace("main", true), workspace("lab", false)])
                    .await?;
                let license = |id: &str, seats| License {
                    id: id.into(),
                    seats,
                    kind: None,
                };
                tx.set_licenses(&org(), &[license("standard", Some(2)), license("open", None)])
                    .await?;
                let domain = DomainRecord {
                    organization: org(),
                    name: "home-lab.example".to_owned(),
                    token: None,
                    verified_at: Some(at(0)),
                    settings: json!({}),
                };
                tx.put_domain(&domain, at(0)).await?;
                let mut secrets = SecretMap::default();
                secrets.set("client_secret", "swordfish-in-clear-text");
                for id in [okta(), "second".into()] {
                    tx.put_connection(
                        &connection(&id),
                        &json!({"issuer": "https://idp"}),
                        &secrets,
                        "active",
                        at(0),
                    )
                    .await?;
                }
                Ok::<_, StoreError>(())
            })
        })
        .await
        .unwrap();
}

pub(crate) fn account(id: &str) -> Account {
    Account {
        id: id.into(),
        kind: AccountKind::User,
        authentication: Authentication::Sso { connection: okta() },
        status: Status::Active,
        status_origin: Origin::Login,
        email: Some(Email::parse(&format!("{id}@home-lab.example")).unwrap()),
        user_name: Some(format!("{id}.Name")),
        external_id: Some(format!("ext-{id}")),
        given_name: Some("Ada".to_owned()),
        family_name: Some("Lovelace".to_owned()),
        display_name: None,
        emergency_admin: false,
        operator: false,
        attributes: json!({"department": "R&D"}).as_object().cloned().unwrap(),
        edited: std::collections::BTreeSet::new(),
        keeping: provost_kernel::keeping::Keeping::default(),
        version: 1,
        created_at: at(10),
    }
}

pub(crate) fn standard(id: &str) -> Account {
    Account {
        authentication: Authentication::Standard,
        user_name: None,
        external_id: None,
        ..account(id)
    }
}

pub(crate) fn rule() -> Source {
    Source::Rule { connection: okta() }
}

pub(crate) fn seat(license: &str, seated: bool) -> LicenseGrant {
    LicenseGrant {
        license: license.into(),
        source: rule(),
        pinned: false,
        seated,
    }
}

pub(crate) fn membership(license: Option<LicenseGrant>) -> Membership {
    Membership {
        organization: org(),
        active: true,
        source: rule(),
        pinned: false,
        roles: vec![Grant {
            id: "owner".into(),
            source: Source::Manual,
            pinned: true,
        }],
        workspaces: vec![Grant {
            id: "main".into(),
            source: rule(),
            pinned: false,
        }],
        all_workspaces: None,
        license,
        groups: Vec::new(),
        version: 1,
    }
}

pub(crate) fn subject(value: &str) -> Subject {
    Subject {
        issuer: "https://idp".to_owned(),
        format: String::new(),
        value: value.to_owned(),
    }
}

pub(crate) fn link(value: &str) -> Link {
    Link {
        connection: okta(),
        subject: subject(value),
    }
}

pub(crate) fn create(account: Account) -> Change {
    Change::CreateAccount {
        account: Box::new(account),
        profile: None,
    }
}

pub(crate) fn open_session(id: &str, account: &str) -> OpenSession {
    OpenSession {
        id: id.into(),
        digest: format!("digest-{id}"),
        account: account.into(),
        connection: Some(okta()),
        link: Some(link(account)),
        upstream_session: Some(format!("up-{account}")),
        authenticated_at: at(50),
        methods: vec!["pwd".to_owned()],
        class: Some("loa2".to_owned()),
        ends_at: at(10_000),
        idle_seconds: 600,
    }
}

/// A decision that admits with these changes.
pub(crate) fn decision(trace: &str, account: &str, changes: Vec<Change>) -> Decision {
    Decision {
        verdict: Verdict::Admitted(account.into()),
        plan: Plan {
            changes,
            session: None,
            spend: None,
        },
        trace: Trace {
            id: TraceId::from(trace),
            at: at(100),
            kind: provost_kernel::trace::SIGN_IN.to_owned(),
            connection: Some(okta()),
            account: Some(AccountId::from(account)),
            steps: Vec::new(),
        },
    }
}

/// Applies a decision in a transaction of its own.
pub(crate) async fn apply(store: &Store, decision: Decision) -> Result<Applied, StoreError> {
    store
        .write(move |tx| Box::pin(async move { apply_in(tx, &decision).await }))
        .await
}

pub(crate) async fn apply_in(tx: &mut Tx, decision: &Decision) -> Result<Applied, StoreError> {
    tx.apply(decision, &Actor::System, at(100)).await
}

/// Makes another owner of the first organization, so that the others may go.
pub(crate) async fn another_owner(store: &Store) {
    let join = Change::AddMembership {
        account: "keeper".into(),
        membership: membership(None),
    };
    apply(
        store,
        decision("keeper", "keeper", vec![create(account("keeper")), join]),
    )
    .await
    .unwrap();
}

/// Opens session `s1` of a new account `ada`, for codes and refresh tokens.
pub(crate) async fn signed_in(store: &Store) {
    seed(store).await;
    let mut first = decision("trace-s1", "ada", vec![create(account("ada"))]);
    first.plan.session = Some(open_session("s1", "ada"));
    apply(store, first).await.unwrap();
}
