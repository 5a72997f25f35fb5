//! Two customers, their people, and apps that sign them in by hand-made requests.

use std::collections::BTreeMap;

use axum::http::{Method, header};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use provost::app::App;
use provost::cookie::Cookie;
use provost_kernel::connection::{Connection, Protocol, Provisioning, Scope, Settings};
use provost_kernel::directory::{
    Account, AccountKind, Authentication, Grant, License, LicenseGrant, ManagedBy, Membership, Organization,
    Origin, Role, RolesPerMember, Source, Status, Workspace,
};
use provost_kernel::email::Email;
use provost_kernel::id::{AccountId, ConnectionId, OrganizationId, SessionId, TraceId};
use provost_kernel::plan::{Change, Decision, OpenSession, Plan, Verdict};
use provost_kernel::provision::Actor;
use provost_kernel::trace::{SIGN_IN, Trace};
use provost_oidc::jose::{Algorithm, JwkSet};
use provost_oidc::pkce;
use provost_oidc::rp::id_token::{self, Expected, Nonce, VerifiedIdToken};
use provost_store::{ApplicationRecord, SecretMap, StoreError};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::app::{Browser, Page, TestApp};

/// The secret of the confidential apps.
pub const SECRET: &str = "a-secret-of-an-app-0123456789abcdef";
/// Where the confidential apps get their answers.
pub const CALLBACK: &str = "https://app.example/callback";

/// The application under test with its people and apps.
pub struct Lab {
    /// The application.
    pub test: TestApp,
}

impl Lab {
    /// Fills an empty application.
    pub async fn new(test: TestApp) -> Self {
        organizations(&test.app).await;
        connection(&test.app, "okta", "lab", true).await;
        let lab = Self { test };
        lab.register("app", json!({}), Some(SECRET), None).await;
        lab.register(
            "second",
            json!({ "redirect_uris": ["https://second.example/cb"] }),
            Some(SECRET),
            None,
        )
        .await;
        lab
    }

    /// The application itself.
    pub fn app(&self) -> &App {
        &self.test.app
    }

    /// Registers an app, or changes its registration.
    pub async fn register(
        &self,
        client_id: &str,
        config: Value,
        secret: Option<&str>,
        organizations: Option<&[&str]>,
    ) {
        let mut whole = json!({ "redirect_uris": [CALLBACK] });
        whole
            .as_object_mut()
            .unwrap()
            .extend(config.as_object().unwrap().clone());
        let record = ApplicationRecord {
            client_id: client_id.to_owned(),
            secret_digest: secret.map(provost::world::digest_of),
            config: whole,
            organizations: organizations.map(|ids| ids.iter().map(|id| (*id).into()).collect()),
            version: 0,
        };
        let now = self.app().world.now();
        self.app()
            .store
            .write(move |tx| Box::pin(async move { tx.put_application(&record, now).await }))
            .await
            .unwrap();
    }

    /// Makes Ada: an SSO account, admin of "lab", and by hand also a member of "other", which her connection does not reach.
    pub async fn ada(&self) -> AccountId {
        let member = |organization: &str, source: Source| Membership {
            organization: organization.into(),
            active: true,
            source: source.clone(),
            pinned: false,
            roles: vec![Grant {
                id: "admin".into(),
                source: source.clone(),
                pinned: false,
            }],
            workspaces: vec![Grant {
                id: "main".into(),
                source: source.clone(),
                pinned: false,
            }],
            groups: Vec::new(),
            all_workspaces: (organization == "lab").then(|| source.clone()),
            license: (organization == "lab").then(|| LicenseGrant {
                license: "standard".into(),
                source,
                pinned: false,
                seated: true,
            }),
            version: 1,
        };
        let rule = Source::Rule {
            connection: "okta".into(),
        };
        let memberships = vec![member("lab", rule), member("other", Source::Manual)];
        self.person("acc_ada", "ada@lab.example", Some("okta"), memberships)
            .await
    }

    /// Makes Bob: a password account, member of "lab" and of "other".
    pub async fn bob(&self) -> AccountId {
        let member = |organization: &str| Membership {
            organization: organization.into(),
            active: true,
            source: Source::Manual,
            pinned: false,
            roles: Vec::new(),
            workspaces: Vec::new(),
            groups: Vec::new(),
            all_workspaces: None,
            license: None,
            version: 1,
        };
        self.person(
            "acc_bob",
            "bob@elsewhere.example",
            None,
            vec![member("lab"), member("other")],
        )
        .await
    }

    /// Makes an active account.
    pub async fn person(
        &self,
        id: &str,
        email: &str,
        connection: Option<&str>,
        memberships: Vec<Membership>,
    ) -> AccountId {
        let id = AccountId::new(id);
        let now = self.app().world.now();
        let account = Account {
            id: id.clone(),
            kind: AccountKind::User,
            authentication: connection.map_or(Authentication::Standard, |connection| Authentication::Sso {
                connection: connection.into(),
            }),
            status: Status::Active,
            status_origin: Origin::System,
            email: Some(Email::parse(email).unwrap()),
            user_name: None,
            external_id: None,
            given_name: Some("Ada".to_owned()),
            family_name: Some("Byron".to_owned()),
            display_name: None,
            emergency_admin: false,
            operator: false,
            attributes: serde_json::Map::new(),
            edited: std::collections::BTreeSet::new(),
            keeping: provost_kernel::keeping::Keeping::default(),
            version: 1,
            created_at: now,
        };
        let mut changes = vec![Change::CreateAccount {
            account: Box::new(account),
            profile: None,
        }];
        changes.extend(memberships.into_iter().map(|membership| Change::AddMembership {
            account: id.clone(),
            membership,
        }));
        self.apply(
            &id,
            Plan {
                changes,
                ..Plan::default()
            },
        )
        .await;
        id
    }

    /// Writes a plan about a person.
    pub async fn apply(&self, account: &AccountId, plan: Plan) {
        apply(self.app(), account, plan).await;
    }

    /// Deactivates a person, as a directory would.
    pub async fn deactivate(&self, account: &AccountId) {
        let version = self.version_of(account).await;
        let status = Change::SetStatus {
            account: account.clone(),
            version,
            from: Status::Active,
            to: Status::Deactivated,
            origin: Origin::Scim,
        };
        let revoke = Change::RevokeSessions {
            account: account.clone(),
            reason: "deactivated".to_owned(),
        };
        self.apply(
            account,
            Plan {
                changes: vec![status, revoke],
                ..Plan::default()
            },
        )
        .await;
    }

    async fn version_of(&self, account: &AccountId) -> i64 {
        let wanted = account.clone();
        let read = self
            .app()
            .store
            .read(|reader| Box::pin(async move { reader.account(&wanted).await }));
        read.await.unwrap().unwrap().version
    }

    /// Opens a session for a person and a browser that holds its cookie.
    pub async fn sign_in(&self, account: &AccountId, connection: Option<&str>) -> Browser {
        self.sign_in_from(account, connection, self.app().world.now())
            .await
    }

    /// The same, for a person who proved herself at another time.
    pub async fn sign_in_from(
        &self,
        account: &AccountId,
        connection: Option<&str>,
        authenticated_at: Timestamp,
    ) -> Browser {
        let mut browser = self.test.browser();
        self.sign_browser_in(&mut browser, account, connection, authenticated_at)
            .await;
        browser
    }

    /// Opens a session in a browser that is open already.
    pub async fn sign_browser_in(
        &self,
        browser: &mut Browser,
        account: &AccountId,
        connection: Option<&str>,
        authenticated_at: Timestamp,
    ) {
        let (fresh, token) = self.app().world.fresh().unwrap();
        let session = OpenSession {
            id: fresh.session,
            digest: token.digest,
            account: account.clone(),
            connection: connection.map(ConnectionId::new),
            link: None,
            upstream_session: None,
            authenticated_at,
            methods: vec!["pwd".to_owned(), "mfa".to_owned()],
            class: Some("urn:loa:2".to_owned()),
            ends_at: self.app().world.now() + SignedDuration::from_hours(12),
            idle_seconds: 7200,
        };
        self.apply(
            account,
            Plan {
                session: Some(session),
                ..Plan::default()
            },
        )
        .await;
        let name = Cookie::Session.name(&self.app().config);
        browser
            .cookies
            .insert(name, token.secret.expose_secret().to_owned());
    }

    /// Returns the app "app".
    pub fn rp(&self) -> Rp {
        self.rp_named("app", CALLBACK)
    }

    /// Returns an app.
    pub fn rp_named(&self, client_id: &str, redirect_uri: &str) -> Rp {
        Rp {
            client_id: client_id.to_owned(),
            redirect_uri: redirect_uri.to_owned(),
            scope: "openid profile email organization".to_owned(),
            verifier: pkce::verifier(&self.app().world.bytes().unwrap())
                .expose()
                .to_owned(),
        }
    }

    /// A program without cookies.
    pub fn program(&self) -> Browser {
        let mut browser = self.test.browser();
        browser.headers.clear();
        browser
    }

    /// Sends a token request of an app that authenticates with HTTP Basic.
    pub async fn token(&self, client_id: &str, fields: &[(&str, &str)]) -> Page {
        let mut program = self.program();
        program
            .headers
            .insert(header::AUTHORIZATION, basic(client_id, SECRET).parse().unwrap());
        program.post("/oauth2/token", fields).await
    }

    /// Redeems a code; expects success.
    pub async fn redeem(&self, rp: &Rp, code: &str) -> Value {
        let page = self.token(&rp.client_id, &rp.code_form(code)).await;
        assert_eq!(page.status, 200, "{}", page.body);
        page.json()
    }

    /// Signs a person with a session in to an app, up to its tokens.
    pub async fn tokens(&self, rp: &Rp, browser: &mut Browser) -> Value {
        let code = rp.code(browser).await;
        self.redeem(rp, &code).await
    }

    /// Calls userinfo with an access token.
    pub async fn userinfo(&self, access_token: &str) -> Page {
        userinfo(self.program(), access_token).await
    }

    /// Asks about a token.
    pub async fn introspect(&self, client_id: &str, token: &str) -> Value {
        let mut program = self.program();
        program
            .headers
            .insert(header::AUTHORIZATION, basic(client_id, SECRET).parse().unwrap());
        let page = program.post("/oauth2/introspect", &[("token", token)]).await;
        assert_eq!(page.status, 200, "{}", page.body);
        page.json()
    }

    /// Verifies an ID token as an app does, with the published keys.
    pub async fn verify(&self, rp: &Rp, id_token: &str) -> VerifiedIdToken {
        let jwks = self.program().get("/oauth2/jwks").await.body;
        let expected = Expected {
            issuer: &self.app().config.issuer(),
            client_id: &rp.client_id,
            nonce: Nonce::Required("n-1"),
            algorithms: Algorithm::ALL,
            max_age: None,
            clock_skew: SignedDuration::ZERO,
            access_token: None,
            code: None,
        };
        let keys = JwkSet::parse(jwks.as_bytes()).unwrap();
        id_token::verify(id_token, &keys, &expected, self.app().world.now()).unwrap()
    }
}

/// Calls userinfo with an access token.
pub async fn userinfo(mut program: Browser, access_token: &str) -> Page {
    program.headers.insert(
        header::AUTHORIZATION,
        format!("Bearer {access_token}").parse().unwrap(),
    );
    program.get("/oauth2/userinfo").await
}

/// An app as it sends requests.
#[derive(Clone, Debug)]
pub struct Rp {
    /// Client id.
    pub client_id: String,
    /// Where it gets its answer.
    pub redirect_uri: String,
    /// What it asks for.
    pub scope: String,
    /// Its PKCE verifier.
    pub verifier: String,
}

impl Rp {
    /// The path of an authorization request, with some parameters changed (an empty value removes one).
    pub fn authorize(&self, changes: &[(&str, &str)]) -> String {
        format!("/oauth2/authorize?{}", self.query(changes))
    }

    /// The parameters of an authorization request.
    pub fn query(&self, changes: &[(&str, &str)]) -> String {
        let challenge = pkce::challenge(&self.verifier);
        let mut all: BTreeMap<&str, &str> = BTreeMap::from([
            ("client_id", self.client_id.as_str()),
            ("redirect_uri", &self.redirect_uri),
            ("response_type", "code"),
            ("scope", &self.scope),
            ("state", "s-1"),
            ("nonce", "n-1"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        for (name, value) in changes {
            if value.is_empty() {
                all.remove(name);
            } else {
                all.insert(name, value);
            }
        }
        url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(all)
            .finish()
    }

    /// Gets a code for the person of a browser with a session.
    pub async fn code(&self, browser: &mut Browser) -> String {
        let page = browser.get(&self.authorize(&[])).await;
        answer(&page)
            .get("code")
            .unwrap_or_else(|| panic!("no code: {page:?}"))
            .clone()
    }

    /// The form that redeems a code.
    pub fn code_form<'a>(&'a self, code: &'a str) -> Vec<(&'static str, &'a str)> {
        vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.redirect_uri),
            ("code_verifier", &self.verifier),
        ]
    }
}

/// The parameters of an answer that reached the app by redirect.
pub fn answer(page: &Page) -> BTreeMap<String, String> {
    assert_eq!(page.status, 303, "{page:?}");
    let url = url::Url::parse(&page.location().unwrap()).unwrap_or_else(|_| panic!("{page:?}"));
    url.query_pairs().into_owned().collect()
}

/// The value of an `Authorization` header.
pub fn basic(client_id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{client_id}:{secret}")))
}

/// The claims of a token, unverified.
pub fn claims(token: &str) -> Value {
    part(token, 1)
}

/// The header of a token, unverified.
pub fn token_header(token: &str) -> Value {
    part(token, 0)
}

fn part(token: &str, at: usize) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(at).unwrap()).unwrap()).unwrap()
}

/// One text of a JSON answer.
pub fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name} in {value}"))
}

/// Sends a request without a body.
pub async fn options(mut browser: Browser, path: &str) -> Page {
    browser
        .send(Method::OPTIONS, path, None, axum::body::Body::empty())
        .await
}

/// Writes a plan about a person.
pub async fn apply(app: &App, account: &AccountId, plan: Plan) {
    let now = app.world.now();
    let decision = Decision {
        verdict: Verdict::Admitted(account.clone()),
        plan,
        trace: Trace {
            id: TraceId::new(app.world.reference().unwrap()),
            at: now,
            kind: SIGN_IN.to_owned(),
            connection: None,
            account: Some(account.clone()),
            steps: Vec::new(),
        },
    };
    app.store
        .write(move |tx| Box::pin(async move { tx.apply(&decision, &Actor::System, now).await }))
        .await
        .unwrap();
}

/// The session that tokens speak of.
pub fn session_of(tokens: &Value) -> SessionId {
    SessionId::new(text(&claims(text(tokens, "id_token")), "sid"))
}

async fn organizations(app: &App) {
    let now = app.world.now();
    app.store
        .write(move |tx| {
            Box::pin(async move {
                for (id, name) in [("lab", "Home Lab"), ("other", "Other Ltd")] {
                    let id = OrganizationId::new(id);
                    let organization = Organization {
                        id: id.clone(),
                        name: name.to_owned(),
                        roles_per_member: RolesPerMember::Many,
                        managed_by: ManagedBy::default(),
                    };
                    tx.put_organization(&organization, &json!({}), now).await?;
                    let roles = ["owner", "admin", "member"].map(|id| {
                        let role = json!({ "id": id, "name": id, "owner": id == "owner" });
                        serde_json::from_value::<Role>(role).unwrap()
                    });
                    tx.set_roles(&id, &roles).await?;
                    let workspaces = ["main", "attic"].map(|id| Workspace {
                        id: id.into(),
                        name: id.to_owned(),
                        default: false,
                    });
                    tx.set_workspaces(&id, &workspaces).await?;
                    tx.set_licenses(
                        &id,
                        &[License {
                            id: "standard".into(),
                            seats: Some(5),
                            kind: None,
                        }],
                    )
                    .await?;
                }
                Ok::<_, StoreError>(())
            })
        })
        .await
        .unwrap();
}

/// Stores a connection of an organization.
pub async fn connection(app: &App, id: &str, organization: &str, enabled: bool) {
    let now = app.world.now();
    let connection = Connection {
        id: id.into(),
        name: id.to_owned(),
        scope: Scope::Organization {
            organization: organization.into(),
            shared_with: Vec::new(),
        },
        protocol: Protocol::Saml,
        enabled,
        domains: vec!["lab.example".to_owned()],
        provisioning: Provisioning::Jit,
        settings: Settings::default(),
        policy: None,
        organization_policies: Vec::new(),
        version: 0,
    };
    app.store
        .write(move |tx| {
            Box::pin(async move {
                tx.put_connection(&connection, &json!({}), &SecretMap::default(), "live", now)
                    .await
            })
        })
        .await
        .unwrap();
}
