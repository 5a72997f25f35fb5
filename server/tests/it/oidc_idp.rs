//! An OpenID provider on a port of its own: issues what a test wants, and counts what it is asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::{Json, Router};
use jiff::Timestamp;
use provost::app::App;
use provost::connection_config::{ClientAuthentication, OidcConfig, ProtocolConfig, secret};
use provost::route::{get, post};
use provost_kernel::connection::Protocol;
use provost_oidc::jose::{Algorithm, JwkSet, SigningKey, sign_compact};
use provost_oidc::pkce;
use provost_store::SecretMap;
use serde_json::{Map, Value, json};

use crate::app::{Browser, Page};
use crate::directory;

/// Our client id at the provider.
pub const CLIENT_ID: &str = "provost";
/// Our secret there.
pub const CLIENT_SECRET: &str = "a secret with : and % in it";

/// The provider.
#[derive(Clone)]
pub struct OidcIdp {
    /// Issuer.
    pub issuer: String,
    state: Arc<Mutex<Provider>>,
}

/// What it knows and does; tests bend it.
pub struct Provider {
    issuer: String,
    /// Key that signs now.
    pub key: Arc<SigningKey>,
    /// Keys that are published.
    pub published: Vec<Arc<SigningKey>>,
    /// Codes that were handed out: nonce, PKCE challenge, claims.
    codes: BTreeMap<String, (String, String, Map<String, Value>)>,
    /// What userinfo answers.
    pub userinfo: Value,
    /// Members to put into or take out of (null) the discovery document.
    pub discovery: Map<String, Value>,
    /// How often keys were fetched.
    pub key_fetches: usize,
    /// Whether every endpoint answers 500.
    pub is_down: bool,
    /// Now, for tokens.
    pub now: Timestamp,
}

/// Makes a key.
pub fn new_key() -> Arc<SigningKey> {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    Arc::new(SigningKey::from_pkcs8(Algorithm::Es256, &pair.serialize_der()).unwrap())
}

impl OidcIdp {
    /// Starts a provider.
    pub async fn start(now: Timestamp) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let key = new_key();
        let provider = Provider {
            issuer: issuer.clone(),
            published: vec![Arc::clone(&key)],
            key,
            codes: BTreeMap::new(),
            userinfo: json!({}),
            discovery: Map::new(),
            key_fetches: 0,
            is_down: false,
            now,
        };
        let this = Self {
            issuer,
            state: Arc::new(Mutex::new(provider)),
        };
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/jwks", get(jwks))
            .route("/token", post(token))
            .route("/userinfo", get(userinfo))
            .with_state(this.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        this
    }

    /// Opens it up, to look or to bend.
    pub fn provider(&self) -> MutexGuard<'_, Provider> {
        self.state.lock().unwrap()
    }

    /// Signs a token with the present key.
    pub fn sign(&self, typ: &str, claims: &Map<String, Value>) -> String {
        let key = Arc::clone(&self.provider().key);
        sign_compact(&key, typ, claims).unwrap()
    }

    /// Describes how a connection speaks with this provider.
    pub fn config(&self) -> OidcConfig {
        OidcConfig {
            issuer: self.issuer.clone(),
            client_id: CLIENT_ID.to_owned(),
            client_authentication: ClientAuthentication::ClientSecretBasic,
            scopes: vec!["openid".to_owned(), "email".to_owned(), "profile".to_owned()],
            id_token_algorithms: Vec::new(),
            userinfo: false,
            tenant: None,
            identifier_path: None,
            email_path: None,
            name_path: None,
            clock_skew_seconds: 60,
            upstream_logout: false,
        }
    }

    /// Makes a connection to this provider in the test organization.
    pub async fn connect(&self, app: &App, id: &str, change: impl FnOnce(&mut OidcConfig)) {
        let mut config = self.config();
        change(&mut config);
        let mut secrets = SecretMap::default();
        secrets.set(secret::OIDC_CLIENT_SECRET, CLIENT_SECRET);
        let connection = directory::connection(id, Protocol::Oidc);
        directory::put_connection(app, connection, ProtocolConfig::Oidc(config), secrets).await;
    }

    /// Follows our redirect as a person with these claims: hands out a code for the request and returns the query of
    /// the callback.
    pub fn authorize(&self, page: &Page, claims: &Value) -> BTreeMap<String, String> {
        let location = page
            .location()
            .unwrap_or_else(|| panic!("no redirect: {}", page.body));
        let url = url::Url::parse(&location).unwrap();
        let asked: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        assert_eq!(asked["response_type"], "code");
        assert_eq!(asked["client_id"], CLIENT_ID);
        assert_eq!(asked["code_challenge_method"], "S256");
        let code = provost::world::World::new().id("code_").unwrap();
        let claims = claims.as_object().unwrap().clone();
        let entry = (asked["nonce"].clone(), asked["code_challenge"].clone(), claims);
        self.provider().codes.insert(code.clone(), entry);
        BTreeMap::from([
            ("code".to_owned(), code),
            ("state".to_owned(), asked["state"].clone()),
        ])
    }

    /// Signs a person in from the first click to the callback.
    pub async fn sign_in(&self, browser: &mut Browser, connection: &str, claims: &Value) -> Page {
        let page = browser.get(&format!("/sso/{connection}/login")).await;
        let answer = self.authorize(&page, claims);
        callback(browser, connection, &answer).await
    }
}

/// Opens our callback with an answer in the query.
pub async fn callback(browser: &mut Browser, connection: &str, answer: &BTreeMap<String, String>) -> Page {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(answer)
        .finish();
    browser
        .get(&format!("/sso/{connection}/oidc/callback?{query}"))
        .await
}

async fn discovery(State(idp): State<OidcIdp>) -> impl IntoResponse {
    let provider = idp.provider();
    if provider.is_down {
        return (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({})));
    }
    let issuer = &provider.issuer;
    let mut document = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/jwks"),
        "userinfo_endpoint": format!("{issuer}/userinfo"),
        "end_session_endpoint": format!("{issuer}/end-session"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256", "none"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    });
    for (name, value) in &provider.discovery {
        document[name] = value.clone();
    }
    (StatusCode::OK, Json(document))
}

async fn jwks(State(idp): State<OidcIdp>) -> impl IntoResponse {
    let mut provider = idp.provider();
    provider.key_fetches += 1;
    if provider.is_down {
        return (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({})));
    }
    let keys = provider.published.iter().map(|key| key.public().clone());
    (StatusCode::OK, Json(JwkSet::from_keys(keys).to_json()))
}

async fn token(
    State(idp): State<OidcIdp>,
    headers: HeaderMap,
    Form(form): Form<BTreeMap<String, String>>,
) -> impl IntoResponse {
    let mut provider = idp.provider();
    if !is_our_client(&headers, &form) {
        return (
            StatusCode::UNAUTHORIZED,
            Json(json!({ "error": "invalid_client" })),
        );
    }
    let found = form.get("code").and_then(|code| provider.codes.remove(code));
    let Some((nonce, challenge, claims)) = found else {
        return (
            StatusCode::BAD_REQUEST,
            Json(json!({ "error": "invalid_grant", "error_description": "code unknown" })),
        );
    };
    assert!(
        pkce::verify(&form["code_verifier"], &challenge),
        "the verifier fits the challenge"
    );
    let now = provider.now.as_second();
    let mut token = Map::new();
    token.insert("iss".to_owned(), json!(provider.issuer));
    token.insert("aud".to_owned(), json!(CLIENT_ID));
    token.insert("iat".to_owned(), json!(now));
    token.insert("exp".to_owned(), json!(now + 300));
    token.insert("nonce".to_owned(), json!(nonce));
    token.extend(claims);
    let id_token = sign_compact(&provider.key, "JWT", &token).unwrap();
    let answer =
        json!({ "access_token": "at", "token_type": "Bearer", "expires_in": 60, "id_token": id_token });
    (StatusCode::OK, Json(answer))
}

fn is_our_client(headers: &HeaderMap, form: &BTreeMap<String, String>) -> bool {
    let Some(basic) = headers.get("authorization") else {
        return form.get("client_id").is_some_and(|id| id == CLIENT_ID)
            && form
                .get("client_secret")
                .is_some_and(|secret| secret == CLIENT_SECRET);
    };
    let text = basic.to_str().unwrap().strip_prefix("Basic ").unwrap();
    let pair = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text).unwrap();
    let pair = String::from_utf8(pair).unwrap();
    let (id, secret) = pair.split_once(':').unwrap();
    let decode = |text: &str| {
        let query = format!("x={text}");
        url::form_urlencoded::parse(query.as_bytes())
            .next()
            .unwrap()
            .1
            .into_owned()
    };
    decode(id) == CLIENT_ID && decode(secret) == CLIENT_SECRET
}

async fn userinfo(State(idp): State<OidcIdp>, headers: HeaderMap) -> impl IntoResponse {
    assert_eq!(headers["authorization"], "Bearer at");
    Json(idp.provider().userinfo.clone())
}
