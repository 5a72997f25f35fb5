//! What apps say about the sign-in that they ask for, followed to the identity provider and back to the app.

use axum::http::StatusCode;
use jiff::SignedDuration;
use provost_store::ApplicationRecord;
use serde_json::json;

use crate::app::{Browser, Page, TestApp, on_each_engine};
use crate::directory;
use crate::oidc_idp::{OidcIdp, callback};
use crate::saml_idp::{self, Answer, Person, post, read_request};

const ANN: &str = "ann@home-lab.example";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

async fn register(app: &TestApp, client_id: &str) {
    let record = ApplicationRecord {
        client_id: client_id.to_owned(),
        secret_digest: Some(provost::world::digest_of("a secret of at least 128 bits")),
        config: json!({ "name": format!("The {client_id}"), "redirect_uris": [format!("https://{client_id}.example/cb")] }),
        organizations: None,
        version: 0,
    };
    let now = app.app.world.now();
    app.app
        .store
        .write(move |tx| Box::pin(async move { tx.put_application(&record, now).await }))
        .await
        .unwrap();
}

fn authorize(client_id: &str, further: &str) -> String {
    format!(
        "/oauth2/authorize?response_type=code&client_id={client_id}&scope=openid&state=s-1&code_challenge={CHALLENGE}\
         &code_challenge_method=S256&redirect_uri=https%3A%2F%2F{client_id}.example%2Fcb{further}"
    )
}

/// Follows redirects of ours; stops at the identity provider, at the app, or at a page.
async fn open(browser: &mut Browser, url: &str) -> Page {
    let page = browser.get(url).await;
    browser.follow(page).await
}

fn is_at_app(page: &Page, client_id: &str) -> bool {
    page.location().is_some_and(|location| {
        location.starts_with(&format!("https://{client_id}.example/cb?")) && location.contains("code=")
    })
}

#[tokio::test]
async fn r06_the_second_app_asks_for_nothing() {
    on_each_engine(|app| async move {
        directory::organization(&app.app).await;
        saml_idp::connect(&app.app, "okta", |_| {}).await;
        for id in ["first", "second"] {
            register(&app, id).await;
        }
        let mut browser = app.browser();
        let page = open(&mut browser, &authorize("first", "&connection=okta")).await;
        let request = read_request(&page);
        assert!(!request.request.force_authn);
        let answer =
            Answer::new(&app.app, "okta", Some(&request.request.id)).issue(&Person::new("ann-1", ANN));
        let page = post(&mut browser, "okta", &answer, &request.relay_state).await;
        let page = browser.follow(page).await;
        assert!(is_at_app(&page, "first"), "{page:?}");
        let page = open(&mut browser, &authorize("second", "")).await;
        assert!(is_at_app(&page, "second"), "{page:?}");
    })
    .await;
}

#[tokio::test]
async fn the_hint_of_an_app_chooses_the_provider_and_its_name_stands_on_the_page() {
    let app = TestApp::start().await;
    directory::organization(&app.app).await;
    saml_idp::connect(&app.app, "okta", |_| {}).await;
    register(&app, "portal").await;
    let page = open(&mut app.browser(), &authorize("portal", "")).await;
    assert!(
        page.status == StatusCode::OK && page.body.contains("to continue to The portal"),
        "{}",
        page.body
    );
    for hint in [
        "&login_hint=ann%40home-lab.example",
        "&domain_hint=home-lab.example",
        "&connection=okta",
    ] {
        let page = open(&mut app.browser(), &authorize("portal", hint)).await;
        assert!(
            page.location()
                .is_some_and(|url| url.starts_with(saml_idp::SSO_URL)),
            "{hint}: {page:?}"
        );
    }
    let page = open(&mut app.browser(), &authorize("portal", "&organization=home-lab")).await;
    assert!(page.body.contains("Sign in to Home Lab"), "{}", page.body);
    let page = open(
        &mut app.browser(),
        &authorize("portal", "&login_hint=cara%40elsewhere.example"),
    )
    .await;
    assert_eq!(page.form("/login").fields["email"], "cara@elsewhere.example");
}

#[tokio::test]
async fn prompt_login_demands_a_fresh_sign_in_from_the_saml_provider() {
    let app = TestApp::start().await;
    directory::organization(&app.app).await;
    saml_idp::connect(&app.app, "okta", |_| {}).await;
    register(&app, "portal").await;
    let ann = Person::new("ann-1", ANN);
    let mut browser = app.browser();
    saml_idp::sign_in(&app.app, &mut browser, "okta", &ann).await;
    app.app.world.advance(SignedDuration::from_mins(10));
    for (is_fresh, code) in [(false, Some("saml_authn_too_old")), (true, None)] {
        let page = open(
            &mut browser,
            &authorize("portal", "&connection=okta&prompt=login"),
        )
        .await;
        let request = read_request(&page);
        assert!(request.request.force_authn, "the provider is asked for it");
        let mut answer = Answer::new(&app.app, "okta", Some(&request.request.id));
        if !is_fresh {
            answer.authenticated_at = Some(answer.at.checked_sub(SignedDuration::from_mins(10)).unwrap());
        }
        let page = post(&mut browser, "okta", &answer.issue(&ann), &request.relay_state).await;
        match code {
            Some(code) => {
                let record = directory::trace(&app.app, &directory::reference(&page)).await;
                assert_eq!(record.verdict, code);
                assert!(
                    page.body.contains("/login?return_to="),
                    "starting again keeps the app's request"
                );
            }
            None => assert!(is_at_app(&browser.follow(page).await, "portal")),
        }
    }
}

#[tokio::test]
async fn prompt_login_demands_a_fresh_sign_in_from_the_openid_provider() {
    let app = TestApp::start().await;
    directory::organization(&app.app).await;
    let idp = OidcIdp::start(app.app.world.now()).await;
    idp.connect(&app.app, "entra", |_| {}).await;
    register(&app, "portal").await;
    let now = app.app.world.now().as_second();
    let claims = |auth_time: serde_json::Value| json!({ "sub": "ann-1", "email": ANN, "email_verified": true, "auth_time": auth_time });
    let cases = [
        (json!(now - 600), Some("auth_time_too_old")),
        (json!(null), Some("auth_time_missing")),
        (json!(now), None),
    ];
    for (auth_time, code) in cases {
        let mut browser = app.browser();
        let page = open(
            &mut browser,
            &authorize("portal", "&connection=entra&prompt=login&acr_values=mfa"),
        )
        .await;
        let location = page.location().unwrap();
        assert!(
            location.contains("prompt=login") && location.contains("acr_values=mfa"),
            "{location}"
        );
        let page = callback(&mut browser, "entra", &idp.authorize(&page, &claims(auth_time))).await;
        match code {
            Some(code) => {
                let record = directory::trace(&app.app, &directory::reference(&page)).await;
                assert_eq!(record.verdict, code);
            }
            None => assert!(is_at_app(&browser.follow(page).await, "portal")),
        }
    }
}
