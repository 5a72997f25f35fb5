//! `/api/v1`: the management API, with keys as programs hold them.

mod bounds;
mod configuration;
mod documents;
mod events;
mod local_groups;
mod members;
mod people;
mod policies;
mod protocol;
mod saving;
mod traces;

use axum::body::Body;
use axum::http::{Method, header};
use provost::flow::api_keys::{self, NewKey, Scope};
use provost_kernel::directory::{ManagedBy, Organization, RolesPerMember};
use provost_kernel::id::OrganizationId;
use provost_store::StoreError;
use secrecy::ExposeSecret as _;
use serde_json::Value;

use crate::app::{Browser, Page, TestApp};
use crate::directory;
use crate::saml_idp::{self, Person, sign_in};

/// The organization that is not [`directory::ORGANIZATION`].
pub const OTHER: &str = "other";
/// The connection of the organization.
pub const CONNECTION: &str = "okta";
/// Who has signed in through it.
pub const ANN: &str = "ann@home-lab.example";

/// Makes two organizations, a connection of the first, and one person who has signed in.
pub async fn furnish(app: &TestApp) {
    directory::organization(&app.app).await;
    other_organization(app).await;
    saml_idp::connect(&app.app, CONNECTION, |_| {}).await;
    ann_signs_in(app, &["admin"]).await;
}

/// Makes the other organization.
pub async fn other_organization(app: &TestApp) {
    let now = app.app.world.now();
    app.app
        .store
        .write(move |tx| {
            Box::pin(async move {
                let organization = Organization {
                    id: OrganizationId::new(OTHER),
                    name: "Other".to_owned(),
                    roles_per_member: RolesPerMember::Many,
                    managed_by: ManagedBy::default(),
                };
                tx.put_organization(&organization, &serde_json::json!({}), now)
                    .await?;
                Ok::<_, StoreError>(())
            })
        })
        .await
        .unwrap();
}

/// Signs Ann in with these groups.
pub async fn ann_signs_in(app: &TestApp, groups: &[&str]) {
    let ann = Person::new("ann-1", ANN).with("groups", groups);
    let page = sign_in(&app.app, &mut app.browser(), CONNECTION, &ann).await;
    assert_eq!(page.location().as_deref(), Some("/account"), "{}", page.body);
}

/// Ann's account.
pub async fn ann(app: &TestApp) -> String {
    directory::accounts(&app.app, ANN).await[0].id.as_str().to_owned()
}

/// Makes a key.
pub async fn key(app: &TestApp, organization: Option<&str>, scopes: &[Scope]) -> String {
    let new = NewKey {
        label: "test".to_owned(),
        organization: organization.map(OrganizationId::new),
        scopes: scopes.to_vec(),
        days: Some(1),
    };
    let made = api_keys::create(&app.app, new).await.unwrap();
    made.secret.expose_secret().to_owned()
}

/// A program with a key.
pub struct Client {
    browser: Browser,
}

impl Client {
    /// A program with every scope, for the whole instance or for one organization.
    pub async fn new(app: &TestApp, organization: Option<&str>) -> Self {
        Self::with(app, &key(app, organization, Scope::ALL).await)
    }

    /// A program with this key.
    pub fn with(app: &TestApp, key: &str) -> Self {
        let mut browser = app.browser();
        browser.headers.clear();
        browser
            .headers
            .insert(header::AUTHORIZATION, format!("Bearer {key}").parse().unwrap());
        Self { browser }
    }

    /// A program without a key.
    pub fn stranger(app: &TestApp) -> Self {
        let mut browser = app.browser();
        browser.headers.clear();
        Self { browser }
    }

    /// Adds a header to every request.
    pub fn header(mut self, name: header::HeaderName, value: &str) -> Self {
        self.browser.headers.insert(name, value.parse().unwrap());
        self
    }

    /// Sends a request without a body.
    pub async fn send(&mut self, method: Method, path: &str) -> Page {
        self.browser.send(method, path, None, Body::empty()).await
    }

    /// Sends a request with a JSON body.
    pub async fn send_json(&mut self, method: Method, path: &str, body: &Value) -> Page {
        self.browser
            .send(method, path, Some("application/json"), body.to_string().into())
            .await
    }

    /// Sends a request with a body of another kind.
    pub async fn send_text(&mut self, method: Method, path: &str, kind: &str, body: &str) -> Page {
        self.browser
            .send(method, path, Some(kind), body.to_owned().into())
            .await
    }

    /// Reads.
    pub async fn get(&mut self, path: &str) -> Page {
        self.send(Method::GET, path).await
    }

    /// Posts JSON.
    pub async fn post(&mut self, path: &str, body: &Value) -> Page {
        self.send_json(Method::POST, path, body).await
    }
}

/// The code of a problem.
pub fn code(page: &Page) -> String {
    assert_eq!(
        page.header("content-type"),
        Some("application/problem+json"),
        "{}",
        page.body
    );
    let problem = page.json();
    assert_eq!(problem["status"], page.status.as_u16());
    assert_eq!(
        problem["request_id"].as_str(),
        page.header("x-request-id"),
        "{}",
        page.body
    );
    problem["code"].as_str().unwrap().to_owned()
}
