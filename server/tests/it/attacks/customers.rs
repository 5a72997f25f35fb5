//! One customer's provider against other customers: every provider signs whatever it likes.

use axum::http::StatusCode;
use provost::connection_config::ProtocolConfig;
use provost_kernel::connection::{Connection, Protocol, Scope};
use provost_kernel::directory::{ManagedBy, Organization, RolesPerMember};
use provost_kernel::id::OrganizationId;
use provost_store::SecretMap;
use serde_json::json;

use crate::app::{Browser, TestApp, on_each_engine};
use crate::directory::{self, account_count};
use crate::oidc_idp::OidcIdp;
use crate::openid::lab::Lab;
use crate::saml_idp::{self, Answer, ENTITY_ID, IDP, Person, STRANGER, post, sign_in};

const ANN: &str = "ann@home-lab.example";

/// Makes a second customer whose provider is the attacker's: it uses the first one's entity ID, with its own key.
async fn evil_customer(app: &TestApp) {
    let now = app.app.world.now();
    app.app
        .store
        .write(move |tx| {
            Box::pin(async move {
                let organization = Organization {
                    id: OrganizationId::new("evil"),
                    name: "Evil Corp".to_owned(),
                    roles_per_member: RolesPerMember::Many,
                    managed_by: ManagedBy::default(),
                };
                tx.put_organization(&organization, &json!({}), now).await
            })
        })
        .await
        .unwrap();
    let connection = Connection {
        scope: Scope::Organization {
            organization: "evil".into(),
            shared_with: Vec::new(),
        },
        domains: Vec::new(),
        ..directory::connection("evil", Protocol::Saml)
    };
    let mut config = saml_idp::config();
    config.signing_certificates = vec![STRANGER.certificate.clone()];
    directory::put_connection(
        &app.app,
        connection,
        ProtocolConfig::Saml(config),
        SecretMap::default(),
    )
    .await;
}

async fn both(app: &TestApp) {
    directory::organization(&app.app).await;
    saml_idp::connect(&app.app, "okta", |_| {}).await;
    evil_customer(app).await;
}

async fn is_in(browser: &mut Browser) -> bool {
    browser.get("/account").await.status == StatusCode::OK
}

#[tokio::test]
async fn r30_a_provider_cannot_answer_for_another_connection() {
    on_each_engine(|app| async move {
        both(&app).await;
        let ann = Person::new("ann-1", ANN);
        sign_in(&app.app, &mut app.browser(), "okta", &ann).await;
        assert_eq!(account_count(&app.app).await, 1);
        let begin = |connection: &'static str| {
            let mut browser = app.browser();
            async move {
                let page = browser.get(&format!("/sso/{connection}/login")).await;
                (browser, page)
            }
        };
        // Signed by the evil provider, posted to the victim's address, for a request of either connection.
        for asked in ["okta", "evil"] {
            for posted in ["okta", "evil"] {
                for (keys, right) in [(&*STRANGER, "evil"), (&*IDP, "okta")] {
                    if asked == posted && posted == right {
                        continue;
                    }
                    let (mut browser, page) = begin(asked).await;
                    let location = page.location().unwrap();
                    assert!(location.starts_with("https://idp.example/sso"), "{location}");
                    let request = saml_idp_request(&location);
                    let mut answer = Answer::new(&app.app, posted, Some(&request.0));
                    answer.keys = keys;
                    let page = post(&mut browser, posted, &answer.issue(&ann), &request.1).await;
                    assert_eq!(
                        page.status,
                        StatusCode::FORBIDDEN,
                        "asked {asked}, posted {posted}, signed {right}"
                    );
                    assert!(!is_in(&mut browser).await);
                }
            }
        }
        assert_eq!(account_count(&app.app).await, 1);
    })
    .await;
}

/// Reads id and relay state of a request that may be unsigned.
fn saml_idp_request(location: &str) -> (String, String) {
    let url = url::Url::parse(location).unwrap();
    let relay = url
        .query_pairs()
        .find(|(name, _)| name == "RelayState")
        .unwrap()
        .1
        .into_owned();
    (relay.clone(), relay)
}

#[tokio::test]
async fn r111_a_provider_cannot_take_over_or_make_people_of_another_domain() {
    on_each_engine(|app| async move {
        both(&app).await;
        sign_in(&app.app, &mut app.browser(), "okta", &Person::new("ann-1", ANN)).await;
        // The same entity ID, NameID and address: links belong to a connection, addresses to verified domains.
        let (mut browser, request) = {
            let mut browser = app.browser();
            let page = browser.get("/sso/evil/login").await;
            let request = saml_idp_request(&page.location().unwrap());
            (browser, request)
        };
        let mut answer = Answer::new(&app.app, "evil", Some(&request.0));
        answer.keys = &STRANGER;
        let page = post(
            &mut browser,
            "evil",
            &answer.issue(&Person::new("ann-1", ANN)),
            &request.1,
        )
        .await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{}", page.body);
        assert!(!page.body.contains("Home Lab"), "{}", page.body);
        assert_eq!(account_count(&app.app).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_provider_signs_nobody_of_another_connection_out() {
    on_each_engine(|app| async move {
        both(&app).await;
        let mut ann = app.browser();
        sign_in(&app.app, &mut ann, "okta", &Person::new("ann-1", ANN)).await;
        for (connection, keys) in [("evil", &*STRANGER), ("okta", &*STRANGER), ("evil", &*IDP)] {
            for indexes in [vec![], vec!["session-1".to_owned(), "_session".to_owned()]] {
                let request = saml_idp::logout_request(&app.app, connection, "ann-1", &indexes, keys);
                app.browser().get(&request).await;
                assert!(is_in(&mut ann).await, "{connection}");
            }
        }
        // A good message for one address is no good at another.
        let request = saml_idp::logout_request(&app.app, "evil", "ann-1", &[], &STRANGER);
        app.browser()
            .get(&request.replace("/sso/evil/", "/sso/okta/"))
            .await;
        assert!(is_in(&mut ann).await);
        assert!(ENTITY_ID.starts_with("https://idp.example"));
    })
    .await;
}

#[tokio::test]
async fn a_session_through_one_customer_does_not_show_what_another_gave() {
    let lab = Lab::new(TestApp::start().await).await;
    let ada = lab.ada().await;
    let mut browser = lab.sign_in(&ada, Some("okta")).await;
    let page = browser.get("/account").await;
    assert!(page.body.contains("Home Lab"), "{}", page.body);
    assert!(!page.body.contains("Other Ltd"), "{}", page.body);
    let bob = lab.bob().await;
    let page = lab.sign_in(&bob, None).await.get("/account").await;
    assert!(
        page.body.contains("Home Lab") && page.body.contains("Other Ltd"),
        "{}",
        page.body
    );
}

#[tokio::test]
async fn a_logout_token_that_names_nobody_here_is_not_answered_with_yes() {
    let app = TestApp::start().await;
    directory::organization(&app.app).await;
    let idp = OidcIdp::start(app.app.world.now()).await;
    idp.connect(&app.app, "entra", |config| {
        config.identifier_path = Some("oid".to_owned());
    })
    .await;
    let claims = json!({
        "sub": "pairwise-1", "oid": "object-1", "email": ANN, "email_verified": true, "given_name": "Ann",
        "family_name": "Example", "sid": "upstream-1",
    });
    let mut browser = app.browser();
    idp.sign_in(&mut browser, "entra", &claims).await;
    assert!(is_in(&mut browser).await);
    let now = app.app.world.now();
    let token = |more: serde_json::Value| {
        let mut token = json!({
            "iss": idp.issuer, "aud": crate::oidc_idp::CLIENT_ID, "iat": now.as_second(), "exp": now.as_second() + 120,
            "jti": "jti-1", "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
        });
        token
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        idp.sign("logout+jwt", token.as_object().unwrap())
    };
    let address = "/sso/entra/oidc/backchannel-logout";
    let page = app
        .browser()
        .post(
            address,
            &[("logout_token", &token(json!({ "sub": "pairwise-1" })))],
        )
        .await;
    assert_eq!(
        page.status,
        StatusCode::BAD_REQUEST,
        "she is still in, so the provider must hear of it"
    );
    assert!(is_in(&mut browser).await);
    let named = token(json!({ "sub": "pairwise-1", "sid": "upstream-1" }));
    let page = app.browser().post(address, &[("logout_token", &named)]).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    assert!(!is_in(&mut browser).await);
}
