//! Making the product grow until it falls over: series of measurements, rows that anyone may cause.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use provost::flow::limits::{self, Limited};
use provost_store::{StoreError, TraceFilter};
use serde_json::json;

use crate::app::{Browser, TestApp};
use crate::directory;
use crate::openid::lab::Lab;
use crate::saml_idp::{self, Person, sign_in};

async fn measurements(browser: &mut Browser) -> String {
    let page = browser.get("/metrics").await;
    assert_eq!(page.status, StatusCode::OK);
    page.body
}

#[tokio::test]
async fn made_up_methods_make_no_series_of_measurements() {
    let app = TestApp::start().await;
    let mut browser = app.browser();
    for number in 0..20 {
        let method = Method::from_bytes(format!("ATTACK{number}").as_bytes()).unwrap();
        browser.send(method, "/healthz", None, Body::empty()).await;
    }
    for number in 0..20 {
        browser.get(&format!("/nowhere-{number}")).await;
    }
    let text = measurements(&mut browser).await;
    assert!(text.contains("method=\"other\""), "{text}");
    assert!(!text.contains("ATTACK") && !text.contains("nowhere-"), "{text}");
}

#[tokio::test]
async fn logout_messages_that_do_not_verify_leave_a_bounded_number_of_traces() {
    let app = TestApp::start().await;
    directory::organization(&app.app).await;
    saml_idp::connect(&app.app, "okta", |_| {}).await;
    let mut browser = app.browser();
    let forged = "/sso/okta/saml/slo?SAMLRequest=AAAA&SigAlg=x&Signature=y";
    assert_eq!(browser.get(forged).await.status, StatusCode::FORBIDDEN);
    let mut allowed = 0;
    while limits::count(&app.app, Limited::Answer, "127.0.0.1")
        .await
        .is_ok()
    {
        allowed += 1;
        assert!(allowed < 10_000, "no limit");
    }
    assert_eq!(browser.get(forged).await.status, StatusCode::TOO_MANY_REQUESTS);
    let page = browser
        .post("/sso/okta/saml/slo", &[("SAMLRequest", "AAAA")])
        .await;
    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn a_request_of_an_app_that_is_kept_is_small_and_limited() {
    let lab = Lab::new(TestApp::start().await).await;
    let rp = lab.rp();
    let mut browser = lab.test.browser();
    // Each value within its own limit; together too much to keep for whoever asks.
    let state = "s".repeat(9_000);
    let more = [("state", state.as_str()), ("claims", state.as_str())];
    for page in [
        browser.get(&rp.authorize(&more)).await,
        browser
            .send(
                Method::POST,
                "/oauth2/authorize",
                Some("application/x-www-form-urlencoded"),
                rp.query(&more).into(),
            )
            .await,
    ] {
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{}", page.body);
    }
    assert_eq!(
        browser.get(&rp.authorize(&[])).await.status,
        StatusCode::SEE_OTHER
    );
    while limits::count(lab.app(), Limited::Authorize, "127.0.0.1")
        .await
        .is_ok()
    {}
    assert_eq!(
        browser.get(&rp.authorize(&[])).await.status,
        StatusCode::TOO_MANY_REQUESTS
    );
}

#[tokio::test]
async fn a_provider_that_sends_huge_claims_fills_no_disk() {
    let app = TestApp::start().await;
    directory::organization(&app.app).await;
    saml_idp::connect(&app.app, "okta", |_| {}).await;
    let groups: Vec<String> = (0..60)
        .map(|number| format!("{number}{}", "g".repeat(900)))
        .collect();
    let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
    let person = Person::new("ann-1", "ann@home-lab.example").with("groups", &groups);
    let page = sign_in(&app.app, &mut app.browser(), "okta", &person).await;
    assert_eq!(page.location().as_deref(), Some("/account"), "{}", page.body);
    let traces = app
        .app
        .store
        .read(|reader| Box::pin(async move { reader.traces(&TraceFilter::default(), 5).await }))
        .await;
    let traces: Result<_, StoreError> = traces;
    let [record]: [_; 1] = traces.unwrap().try_into().unwrap();
    let size = json!(record.trace).to_string().len() + record.claims.unwrap().to_string().len();
    assert!(size < 48 * 1024, "{size} bytes are kept of one sign-in");
}
