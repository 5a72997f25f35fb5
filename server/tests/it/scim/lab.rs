//! Two customers with directories, and a client that speaks SCIM with one of them.

use std::path::Path;

use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use provost::app::App;
use provost::declarative::{self, Mode};
use provost::flow::scim::tokens::{self, Wanted};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::app::TestApp;

/// The schema extension for enterprises.
pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// The schema extension that holds the attributes that admins define.
pub const CUSTOM: &str = "urn:provost:scim:schemas:extension:custom:2.0:User";

/// The customers: `home-lab` with two directories and a JIT connection, `acme` with one directory.
const WORLD: &str = r#"
organizations:
  - id: home-lab
    name: Home Lab
    domains: [{ name: home-lab.example, verified: true }]
    roles: [{ id: owner, name: Owner }, { id: admin, name: Admin }, { id: member, name: Member, default: true }]
    workspaces: [{ id: main, name: Main, default: true }, { id: lab, name: Lab }]
    licenses: [{ id: standard, seats: 500 }]
  - id: acme
    domains: [{ name: acme.example, verified: true }]
    roles: [{ id: owner, name: Owner }, { id: member, name: Member, default: true }]
connections:
  - id: okta
    organization: home-lab
    protocol: oidc
    oidc: { issuer: "https://login.okta.example", client_id: provost, client_secret: "upstream-secret-0123456789" }
    domains: [home-lab.example]
    provisioning: scim
    scim: { attributes: [{ name: nfc }, { name: apiToken }] }
    policy:
      role: { expression: "groups && contains(groups, 'Admins') && 'Admin' || 'Member'" }
      workspaces: { mode: all }
      license: { fixed: standard }
  - id: entra
    organization: home-lab
    protocol: oidc
    oidc: { issuer: "https://login.entra.example", client_id: provost, client_secret: "upstream-secret-0123456789" }
    domains: [home-lab.example]
    provisioning: scim
    scim: { versions: ["1.1"] }
  - id: jit
    organization: home-lab
    protocol: oidc
    oidc: { issuer: "https://login.jit.example", client_id: provost, client_secret: "upstream-secret-0123456789" }
    domains: [home-lab.example]
    provisioning: jit
  - id: acme
    organization: acme
    protocol: oidc
    oidc: { issuer: "https://login.acme.example", client_id: provost, client_secret: "upstream-secret-0123456789" }
    domains: [acme.example]
    provisioning: scim
    scim: { header: X-Directory-Key }
"#;

/// The declarative file of the customers.
pub const fn world() -> &'static str {
    WORLD
}

/// Fills an empty application.
pub async fn fill(app: &App) {
    apply(app, WORLD).await;
}

/// Applies a declarative file.
pub async fn apply(app: &App, yaml: &str) {
    let document = declarative::read(yaml).unwrap();
    declarative::apply(app, document, Path::new("."), Mode::Write)
        .await
        .unwrap();
}

/// Applies the world again with a part of one connection's settings replaced.
pub async fn change(app: &App, from: &str, to: &str) {
    assert!(WORLD.contains(from), "{from}");
    apply(app, &WORLD.replace(from, to)).await;
}

/// Makes a token of a connection.
pub async fn token(app: &App, connection: &str) -> String {
    made(app, connection, "directory", false).await.1
}

/// Makes a token or client; returns its id and secret.
pub async fn made(app: &App, connection: &str, label: &str, is_client: bool) -> (String, String) {
    let wanted = Wanted {
        connection: connection.to_owned(),
        label: label.to_owned(),
        days: None,
        is_client,
    };
    let made = tokens::create(app, wanted).await.unwrap();
    (made.record.id, made.secret.expose_secret().to_owned())
}

/// A directory: the client of one connection.
#[derive(Clone)]
pub struct Directory {
    router: axum::Router,
    /// Base address without the host.
    pub base: String,
    /// Headers of every request.
    pub headers: HeaderMap,
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body; null if there is none.
    pub body: Value,
    /// Body as text.
    pub text: String,
}

impl Answer {
    /// Returns a header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Returns the `id` of the resource.
    pub fn id(&self) -> String {
        self.body["id"]
            .as_str()
            .unwrap_or_else(|| panic!("no id: {self:?}"))
            .to_owned()
    }

    /// Checks the status and returns the answer.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{} {:?}", self.text, self.headers);
        self
    }

    /// Checks that this is an error of SCIM 2.0 with this kind.
    #[track_caller]
    pub fn refused(self, status: u16, kind: Option<&str>) -> Self {
        let this = self.expect(status);
        assert_eq!(
            this.body["schemas"],
            json!(["urn:ietf:params:scim:api:messages:2.0:Error"]),
            "{}",
            this.text
        );
        assert_eq!(this.body["status"], json!(status.to_string()));
        assert_eq!(
            this.body.get("scimType").and_then(Value::as_str),
            kind,
            "{}",
            this.text
        );
        assert!(
            this.body["detail"].as_str().is_some_and(|text| text.len() > 5),
            "{}",
            this.text
        );
        this
    }
}

impl Directory {
    /// The directory of a connection, with a new token.
    pub async fn of(test: &TestApp, connection: &str) -> Self {
        let token = token(&test.app, connection).await;
        Self::with(test, connection, &token)
    }

    /// A client of a connection with any token.
    pub fn with(test: &TestApp, connection: &str, token: &str) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        Self {
            router: test.router.clone(),
            base: format!("/scim/{connection}/v2"),
            headers,
        }
    }

    /// A client without any token.
    pub fn stranger(test: &TestApp, connection: &str) -> Self {
        let mut this = Self::with(test, connection, "x");
        this.headers.clear();
        this
    }

    /// Speaks with another node.
    pub fn use_router(&mut self, router: axum::Router) {
        self.router = router;
    }

    /// The same with another header.
    pub fn and(&self, name: &'static str, value: &str) -> Self {
        let mut this = self.clone();
        this.headers.insert(name, HeaderValue::from_str(value).unwrap());
        this
    }

    /// Sends a request with any body.
    pub async fn raw(&self, method: &str, path: &str, kind: Option<&str>, body: impl Into<Body>) -> Answer {
        let uri = if path.starts_with("/scim") {
            path.to_owned()
        } else {
            format!("{}{path}", self.base)
        };
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).unwrap())
            .uri(uri)
            .body(body.into())
            .unwrap();
        *request.headers_mut() = self.headers.clone();
        if let Some(kind) = kind {
            request
                .headers_mut()
                .insert(header::CONTENT_TYPE, kind.parse().unwrap());
        }
        request
            .extensions_mut()
            .insert(ConnectInfo(std::net::SocketAddr::from(([127, 0, 0, 1], 40_000))));
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 64 * 1024 * 1024).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: if text.is_empty() {
                Value::Null
            } else {
                serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
            },
            text,
        }
    }

    /// Sends a JSON body.
    pub async fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.raw(method, path, Some("application/scim+json"), body.to_string())
            .await
    }

    /// Reads.
    pub async fn get(&self, path: &str) -> Answer {
        self.raw("GET", path, None, Body::empty()).await
    }

    /// Creates.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, &body).await
    }

    /// Replaces.
    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send("PUT", path, &body).await
    }

    /// Changes, by the operations of a PATCH.
    pub async fn patch(&self, path: &str, operations: Value) -> Answer {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": operations,
        });
        self.send("PATCH", path, &body).await
    }

    /// Deletes.
    pub async fn delete(&self, path: &str) -> Answer {
        self.raw("DELETE", path, None, Body::empty()).await
    }

    /// Makes a person and returns the id.
    pub async fn hire(&self, name: &str) -> String {
        self.post("/Users", person(name)).await.expect(201).id()
    }
}

/// A person as Okta describes one.
pub fn person(name: &str) -> Value {
    let domain = "home-lab.example";
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": format!("{name}@{domain}"),
        "externalId": format!("00u-{name}"),
        "name": { "givenName": name, "familyName": "Muster" },
        "emails": [{ "value": format!("{name}@{domain}"), "type": "work", "primary": true }],
        "displayName": format!("{name} Muster"),
        "active": true,
    })
}
