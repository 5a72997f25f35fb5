//! Short-lived tokens for directories: OAuth client credentials.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use provost::flow::scim::tokens;
use provost_oidc::jose::{Algorithm, SigningKey, sign_compact};
use serde_json::{Value, json};

use super::lab::{self, Directory};
use crate::app::{Page, TestApp, on_each_engine};

async fn ask(test: &TestApp, path: &str, fields: &[(&str, &str)], basic: Option<(&str, &str)>) -> Page {
    let mut browser = test.browser();
    if let Some((id, secret)) = basic {
        let value = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
        browser.headers.insert("authorization", value.parse().unwrap());
    }
    browser.post(path, fields).await
}

/// Address, fields, basic credentials, error.
type Case<'a> = (
    &'a str,
    Vec<(&'a str, &'a str)>,
    Option<(String, String)>,
    &'a str,
);

const GRANT: (&str, &str) = ("grant_type", "client_credentials");

#[tokio::test]
async fn a_client_gets_tokens_of_its_own_connection_for_an_hour() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let (id, secret) = lab::made(&test.app, "okta", "entra gallery", true).await;
        for path in ["/scim/okta/oauth2/token", "/oauth2/token"] {
            for is_basic in [true, false] {
                let mut fields = vec![GRANT, ("scope", "scim")];
                if !is_basic {
                    fields.extend([("client_id", id.as_str()), ("client_secret", secret.as_str())]);
                }
                let basic = is_basic.then_some((id.as_str(), secret.as_str()));
                let page = ask(&test, path, &fields, basic).await;
                assert_eq!(page.status, 200, "{}", page.body);
                assert_eq!(page.header("cache-control"), Some("no-store"));
                let answer = page.json();
                assert_eq!(answer["token_type"], "Bearer");
                assert_eq!(answer["expires_in"], 3600);
                assert_eq!(answer["scope"], "scim");
                let token = answer["access_token"].as_str().unwrap();
                Directory::with(&test, "okta", token)
                    .get("/Schemas")
                    .await
                    .expect(200);
                Directory::with(&test, "acme", token)
                    .get("/Schemas")
                    .await
                    .refused(401, None);
            }
        }
        let page = ask(&test, "/oauth2/token", &[GRANT], Some((&id, &secret))).await;
        let token = page.json()["access_token"].as_str().unwrap().to_owned();
        let client = Directory::with(&test, "okta", &token);
        test.app.world.advance(SignedDuration::from_mins(59));
        client.get("/Schemas").await.expect(200);
        test.app.world.advance(SignedDuration::from_mins(2));
        client.get("/Schemas").await.refused(401, None);
    })
    .await;
}

#[tokio::test]
async fn revoking_the_client_ends_its_tokens_at_once() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let (id, secret) = lab::made(&test.app, "okta", "client", true).await;
        let page = ask(&test, "/oauth2/token", &[GRANT], Some((&id, &secret))).await;
        let token = page.json()["access_token"].as_str().unwrap().to_owned();
        tokens::revoke(&test.app, id.clone()).await.unwrap();
        Directory::with(&test, "okta", &token)
            .get("/Schemas")
            .await
            .refused(401, None);
        let page = ask(&test, "/oauth2/token", &[GRANT], Some((&id, &secret))).await;
        assert_eq!(
            (page.status.as_u16(), page.json()["error"].as_str()),
            (401, Some("invalid_client"))
        );
    })
    .await;
}

#[tokio::test]
async fn wrong_credentials_of_every_kind_get_nothing() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let (id, secret) = lab::made(&test.app, "okta", "client", true).await;
        let bearer = lab::token(&test.app, "okta").await;
        let other = lab::made(&test.app, "acme", "client", true).await;
        let both = |id: &str, secret: &str| Some((id.to_owned(), secret.to_owned()));
        let cases: Vec<Case<'_>> = vec![
            ("/oauth2/token", vec![GRANT], both(&id, "wrong"), "invalid_client"),
            (
                "/oauth2/token",
                vec![GRANT],
                both("scl_unknown", &secret),
                "invalid_client",
            ),
            (
                "/oauth2/token",
                vec![GRANT],
                both(&id, &other.1),
                "invalid_client",
            ),
            ("/oauth2/token", vec![GRANT], both(&id, &bearer), "invalid_client"),
            (
                "/oauth2/token",
                vec![GRANT, ("client_id", &id)],
                None,
                "invalid_client",
            ),
            (
                "/scim/acme/oauth2/token",
                vec![GRANT],
                both(&id, &secret),
                "invalid_client",
            ),
            (
                "/scim/no-such/oauth2/token",
                vec![GRANT],
                both(&id, &secret),
                "invalid_client",
            ),
            (
                "/oauth2/token",
                vec![GRANT, ("scope", "scim openid")],
                both(&id, &secret),
                "invalid_scope",
            ),
            (
                "/scim/okta/oauth2/token",
                vec![("grant_type", "authorization_code")],
                both(&id, &secret),
                "unsupported_grant_type",
            ),
            (
                "/scim/okta/oauth2/token",
                vec![],
                both(&id, &secret),
                "invalid_request",
            ),
        ];
        for (path, fields, basic, error) in cases {
            let basic = basic.as_ref().map(|(id, secret)| (id.as_str(), secret.as_str()));
            let page = ask(&test, path, &fields, basic).await;
            assert_eq!(page.json()["error"], error, "{path} {fields:?} {}", page.body);
            assert!(!page.body.contains(&secret));
        }
    })
    .await;
}

#[tokio::test]
async fn the_metadata_names_the_grant_and_the_scope() {
    let test = TestApp::start().await;
    let page = test
        .browser()
        .send(
            Method::GET,
            "/.well-known/oauth-authorization-server",
            None,
            axum::body::Body::empty(),
        )
        .await;
    let document = page.json();
    let has = |list: &str, entry: &str| document[list].as_array().unwrap().iter().any(|one| one == entry);
    assert!(has("grant_types_supported", "client_credentials"));
    assert!(has("grant_types_supported", "authorization_code"));
    assert!(has("scopes_supported", "scim"));
    assert_eq!(document["issuer"], test.app.config.issuer());
}

fn new_key() -> SigningKey {
    let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    SigningKey::from_pkcs8(Algorithm::Es256, der.as_ref()).unwrap()
}

/// A client of `okta` that holds a key, and the world with its public part.
async fn keyed(test: &TestApp, key: &SigningKey) -> String {
    let jwks = json!({ "keys": [key.public().to_json()] });
    let short = "scim: { attributes: [{ name: nfc }, { name: apiToken }] }";
    let long = format!("scim: {{ attributes: [{{ name: nfc }}], clients: [{{ id: entra, jwks: {jwks} }}] }}");
    lab::change(&test.app, short, &long).await;
    "okta:entra".to_owned()
}

fn assertion(test: &TestApp, key: &SigningKey, changes: &[(&str, Value)]) -> String {
    let now = test.app.world.now().as_second();
    let mut claims = json!({
        "iss": "okta:entra", "sub": "okta:entra", "aud": test.app.config.issuer(), "iat": now, "exp": now + 60,
        "jti": test.app.world.id("").unwrap(),
    });
    for (name, value) in changes {
        claims[*name] = value.clone();
    }
    sign_compact(key, "JWT", claims.as_object().unwrap()).unwrap()
}

#[tokio::test]
async fn a_client_with_a_key_gets_tokens_until_the_settings_name_it_no_more() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let key = new_key();
        keyed(&test, &key).await;
        let ask_with = async |path: &str, assertion: &str| {
            let fields = [
                GRANT,
                (
                    "client_assertion_type",
                    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                ),
                ("client_assertion", assertion),
            ];
            ask(&test, path, &fields, None).await
        };
        for path in ["/oauth2/token", "/scim/okta/oauth2/token"] {
            let good = assertion(&test, &key, &[]);
            let page = ask_with(path, &good).await;
            assert_eq!(page.status, 200, "{}", page.body);
            assert_eq!(
                ask_with(path, &good).await.json()["error"],
                "invalid_client",
                "replayed"
            );
            let token = page.json()["access_token"].as_str().unwrap().to_owned();
            Directory::with(&test, "okta", &token)
                .get("/Users?count=1")
                .await
                .expect(200);
            Directory::with(&test, "acme", &token)
                .get("/Users?count=1")
                .await
                .refused(401, None);
        }
        let other = new_key();
        let past = test.app.world.now().as_second() - 600;
        for wrong in [
            assertion(&test, &other, &[]),
            assertion(&test, &key, &[("aud", json!("https://else.example"))]),
            assertion(&test, &key, &[("exp", json!(past))]),
            assertion(
                &test,
                &key,
                &[("iss", json!("okta:other")), ("sub", json!("okta:other"))],
            ),
            assertion(
                &test,
                &key,
                &[("iss", json!("none:entra")), ("sub", json!("none:entra"))],
            ),
        ] {
            assert_eq!(
                ask_with("/oauth2/token", &wrong).await.json()["error"],
                "invalid_client"
            );
        }
        let good = assertion(&test, &key, &[]);
        assert_eq!(
            ask_with("/scim/acme/oauth2/token", &good).await.json()["error"],
            "invalid_client"
        );
        let page = ask_with("/oauth2/token", &assertion(&test, &key, &[])).await;
        let token = page.json()["access_token"].as_str().unwrap().to_owned();
        // Without the client in the settings, its tokens open nothing.
        lab::fill(&test.app).await;
        Directory::with(&test, "okta", &token)
            .get("/Users?count=1")
            .await
            .refused(401, None);
        assert_eq!(
            ask_with("/oauth2/token", &assertion(&test, &key, &[]))
                .await
                .json()["error"],
            "invalid_client"
        );
    })
    .await;
}
