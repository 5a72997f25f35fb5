//! Sessions: how they begin, end and are ended, at `/account`, `/logout` and by single logout.

use axum::http::StatusCode;
use jiff::SignedDuration;

use crate::app::{Browser, TestApp, on_each_engine};
use crate::directory;
use crate::saml_idp::{self, IDP, Person, STRANGER, sign_in};

const ANN: &str = "ann@home-lab.example";

async fn connected(app: &TestApp) -> Person {
    directory::organization(&app.app).await;
    saml_idp::connect(&app.app, "okta", |_| {}).await;
    Person::new("ann-1", ANN)
}

async fn is_in(browser: &mut Browser) -> bool {
    browser.get("/account").await.status == StatusCode::OK
}

#[tokio::test]
async fn each_sign_in_makes_a_new_session_and_a_planted_cookie_stays_worthless() {
    on_each_engine(|app| async move {
        let ann = connected(&app).await;
        let mut browser = app.browser();
        browser
            .cookies
            .insert("provost_session".to_owned(), "pvs_planted".to_owned());
        sign_in(&app.app, &mut browser, "okta", &ann).await;
        let first = browser.cookies["provost_session"].clone();
        assert_ne!(first, "pvs_planted");
        let mut thief = app.browser();
        thief
            .cookies
            .insert("provost_session".to_owned(), "pvs_planted".to_owned());
        assert!(!is_in(&mut thief).await);
        sign_in(&app.app, &mut browser, "okta", &ann).await;
        assert_ne!(browser.cookies["provost_session"], first);
    })
    .await;
}

#[tokio::test]
async fn signing_in_as_somebody_else_ends_the_session_before() {
    let app = TestApp::start().await;
    let ann = connected(&app).await;
    let mut browser = app.browser();
    sign_in(&app.app, &mut browser, "okta", &ann).await;
    let mut copy = browser.clone();
    sign_in(
        &app.app,
        &mut browser,
        "okta",
        &Person::new("dan-1", "dan@home-lab.example"),
    )
    .await;
    assert!(is_in(&mut browser).await && !is_in(&mut copy).await);
}

#[tokio::test]
async fn r118_a_session_ends_by_idling() {
    on_each_engine(|app| async move {
        let ann = connected(&app).await;
        let mut browser = app.browser();
        sign_in(&app.app, &mut browser, "okta", &ann).await;
        for _ in 0..3 {
            app.app.world.advance(SignedDuration::from_mins(110));
            assert!(is_in(&mut browser).await, "use keeps it alive");
        }
        app.app.world.advance(SignedDuration::from_mins(122));
        assert!(!is_in(&mut browser).await);
    })
    .await;
}

/// What an open page asks for by itself is no use: a stream of events, and what it fetches again and again.
#[tokio::test]
async fn r118_a_page_that_is_left_open_does_not_keep_its_session_alive() {
    on_each_engine(|app| async move {
        let ann = connected(&app).await;
        for (name, value) in [("accept", "text/event-stream"), ("x-unattended", "1")] {
            let mut browser = app.browser();
            sign_in(&app.app, &mut browser, "okta", &ann).await;
            let mut page = browser.clone();
            page.headers.insert(name, value.parse().unwrap());
            app.app.world.advance(SignedDuration::from_mins(110));
            assert!(is_in(&mut page).await, "{name}");
            app.app.world.advance(SignedDuration::from_mins(12));
            assert!(!is_in(&mut browser).await, "{name}");
        }
    })
    .await;
}

#[tokio::test]
async fn r118_a_connection_has_an_idle_limit_of_its_own() {
    on_each_engine(|app| async move {
        let ann = connected(&app).await;
        saml_idp::connect(&app.app, "entra", |_| {}).await;
        saml_idp::connect(&app.app, "google", |_| {}).await;
        for (id, minutes) in [("okta", 15), ("entra", 0)] {
            let minutes = Some(minutes);
            directory::change_connection(&app.app, id, |connection, _| {
                connection.settings.idle_minutes = minutes;
            })
            .await;
        }
        let (mut short, mut never, mut usual) = (app.browser(), app.browser(), app.browser());
        sign_in(&app.app, &mut short, "okta", &ann).await;
        let [dan, eve] = ["dan", "eve"].map(|name| Person::new(name, &format!("{name}@home-lab.example")));
        sign_in(&app.app, &mut never, "entra", &dan).await;
        sign_in(&app.app, &mut usual, "google", &eve).await;
        for _ in 0..3 {
            app.app.world.advance(SignedDuration::from_mins(14));
            assert!(is_in(&mut short).await, "use keeps it alive");
        }
        app.app.world.advance(SignedDuration::from_mins(17));
        let page = short.get("/account").await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.body);
        assert!(page.location().unwrap().starts_with("/login"), "{page:?}");
        // The cookie opens nothing any more, neither here nor for an app.
        assert_eq!(short.get("/console").await.status, StatusCode::SEE_OTHER);
        // 59 minutes without use so far.
        assert!(is_in(&mut usual).await && is_in(&mut never).await);
        app.app.world.advance(SignedDuration::from_mins(122));
        assert!(!is_in(&mut usual).await, "the installation's limit");
        app.app.world.advance(SignedDuration::from_mins(240));
        assert!(is_in(&mut never).await, "0 never ends it by idling");
        app.app.world.advance(SignedDuration::from_hours(12));
        assert!(!is_in(&mut never).await, "it still ends by age");
    })
    .await;
}

#[tokio::test]
async fn a_session_ends_by_age_however_busy_it_is() {
    let app = TestApp::start_with(&[("session_hours", "2"), ("session_idle_minutes", "60")]).await;
    let ann = connected(&app).await;
    let mut browser = app.browser();
    sign_in(&app.app, &mut browser, "okta", &ann).await;
    for _ in 0..3 {
        app.app.world.advance(SignedDuration::from_mins(30));
        assert!(is_in(&mut browser).await);
    }
    app.app.world.advance(SignedDuration::from_mins(31));
    assert!(!is_in(&mut browser).await);
}

#[tokio::test]
async fn a_password_session_does_not_end_by_idling() {
    let app = TestApp::start().await;
    directory::standard_account(&app.app, "cara@freelance.example", Some("correct horse battery")).await;
    let mut browser = app.browser();
    let form = browser.get("/login/password").await.form("/login/password");
    browser
        .submit(
            &form,
            &[
                ("email", "cara@freelance.example"),
                ("password", "correct horse battery"),
            ],
        )
        .await;
    app.app.world.advance(SignedDuration::from_hours(3));
    assert!(
        is_in(&mut browser).await,
        "idle sign-out is for SSO sessions only (R-118)"
    );
}

#[tokio::test]
async fn the_provider_may_end_the_session_earlier() {
    let app = TestApp::start().await;
    let ann = connected(&app).await;
    let mut browser = app.browser();
    let request = saml_idp::read_request(&browser.get("/sso/okta/login").await);
    let mut answer = saml_idp::Answer::new(&app.app, "okta", Some(&request.request.id));
    answer.session_ends = Some(
        app.app
            .world
            .now()
            .checked_add(SignedDuration::from_mins(20))
            .unwrap(),
    );
    saml_idp::post(&mut browser, "okta", &answer.issue(&ann), &request.relay_state).await;
    assert!(is_in(&mut browser).await);
    app.app.world.advance(SignedDuration::from_mins(21));
    assert!(!is_in(&mut browser).await);
}

#[tokio::test]
async fn a_person_ends_her_other_sessions_and_nobody_elses() {
    on_each_engine(|app| async move {
        let ann = connected(&app).await;
        let (mut here, mut there, mut dan) = (app.browser(), app.browser(), app.browser());
        sign_in(&app.app, &mut here, "okta", &ann).await;
        app.app.world.advance(SignedDuration::from_secs(2));
        sign_in(&app.app, &mut there, "okta", &ann).await;
        sign_in(
            &app.app,
            &mut dan,
            "okta",
            &Person::new("dan-1", "dan@home-lab.example"),
        )
        .await;
        let page = here.get("/account").await;
        let forms: Vec<_> = page
            .forms()
            .into_iter()
            .filter(|form| form.action.contains("/revoke"))
            .collect();
        assert_eq!(forms.len(), 2, "{}", page.body);
        // Somebody else's session, with her own valid form.
        let mut foreign = dan.get("/account").await.form("/revoke");
        foreign
            .fields
            .insert("form_token".to_owned(), forms[0].fields["form_token"].clone());
        assert_eq!(here.submit(&foreign, &[]).await.status, StatusCode::NOT_FOUND);
        assert!(is_in(&mut dan).await);
        // Without the token.
        assert_eq!(
            here.submit(&forms[1], &[("form_token", "x")]).await.status,
            StatusCode::FORBIDDEN
        );
        assert!(is_in(&mut there).await);
        let page = here.submit(&forms[1], &[]).await;
        let page = here.follow(page).await;
        assert!(
            page.body.contains("The other session has ended."),
            "{}",
            page.body
        );
        assert!(is_in(&mut here).await && !is_in(&mut there).await);
    })
    .await;
}

#[tokio::test]
async fn signing_out_asks_first_and_needs_the_form() {
    let app = TestApp::start().await;
    let ann = connected(&app).await;
    let mut browser = app.browser();
    sign_in(&app.app, &mut browser, "okta", &ann).await;
    let page = browser.get("/logout").await;
    assert!(page.body.contains("Sign out?") && page.body.contains(ANN));
    assert!(is_in(&mut browser).await, "opening the page ends nothing");
    assert_eq!(browser.post("/logout", &[]).await.status, StatusCode::FORBIDDEN);
    assert!(is_in(&mut browser).await);
}

#[tokio::test]
async fn r119_single_logout_goes_to_the_saml_provider_and_comes_back() {
    on_each_engine(|app| async move {
        let ann = connected(&app).await;
        let mut browser = app.browser();
        sign_in(&app.app, &mut browser, "okta", &ann).await;
        let mut copy = browser.clone();
        let form = browser.get("/logout").await.form("/logout");
        let page = browser.submit(&form, &[]).await;
        let location = page.location().unwrap();
        assert!(
            location.starts_with(saml_idp::SLO_URL) && location.contains("Signature="),
            "{location}"
        );
        assert!(
            !is_in(&mut copy).await,
            "the session has ended before the provider answers"
        );
        let answer = saml_idp::logout_response(&app.app, "okta", &location);
        let page = browser.get(&answer).await;
        assert!(
            page.status == StatusCode::OK && page.body.contains("You are signed out"),
            "{}",
            page.body
        );
    })
    .await;
}

#[tokio::test]
async fn single_logout_from_the_provider_ends_the_session_it_names() {
    on_each_engine(|app| async move {
        let ann = connected(&app).await;
        let (mut first, mut second, mut dan) = (app.browser(), app.browser(), app.browser());
        let mut indexes = Vec::new();
        for browser in [&mut first, &mut second] {
            let request = saml_idp::read_request(&browser.get("/sso/okta/login").await);
            let answer = saml_idp::Answer::new(&app.app, "okta", Some(&request.request.id));
            indexes.push(answer.session_index.clone());
            saml_idp::post(browser, "okta", &answer.issue(&ann), &request.relay_state).await;
        }
        sign_in(
            &app.app,
            &mut dan,
            "okta",
            &Person::new("dan-1", "dan@home-lab.example"),
        )
        .await;
        // Unsigned by a trusted key: nothing ends, and the refusal has a reference.
        let forged = saml_idp::logout_request(&app.app, "okta", "ann-1", &[], &STRANGER);
        let page = app.browser().get(&forged).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
        let record = directory::trace(&app.app, &directory::reference(&page)).await;
        assert_eq!(record.verdict, "saml_signature_invalid");
        assert!(is_in(&mut first).await && is_in(&mut second).await);
        // One session index.
        let request = saml_idp::logout_request(&app.app, "okta", "ann-1", &indexes[..1], &IDP);
        let page = first.get(&request).await;
        let location = page.location().unwrap();
        assert!(
            location.starts_with(saml_idp::SLO_URL) && location.contains("SAMLResponse="),
            "{location}"
        );
        assert!(
            location.contains("RelayState=idp-state") && location.contains("Signature="),
            "{location}"
        );
        assert!(!first.cookies.contains_key("provost_session"));
        assert!(!is_in(&mut first).await && is_in(&mut second).await && is_in(&mut dan).await);
        // The same request again is a replay.
        assert_eq!(app.browser().get(&request).await.status, StatusCode::FORBIDDEN);
        // All sessions of the subject.
        let request = saml_idp::logout_request(&app.app, "okta", "ann-1", &[], &IDP);
        assert_eq!(app.browser().get(&request).await.status, StatusCode::SEE_OTHER);
        assert!(!is_in(&mut second).await && is_in(&mut dan).await);
    })
    .await;
}

#[tokio::test]
async fn logout_messages_may_be_posted() {
    let app = TestApp::start().await;
    directory::organization(&app.app).await;
    saml_idp::connect(&app.app, "okta", |saml| {
        saml.slo_redirect_url = None;
        saml.slo_post_url = Some(saml_idp::SLO_URL.to_owned());
    })
    .await;
    let ann = Person::new("ann-1", ANN);
    let mut browser = app.browser();
    sign_in(&app.app, &mut browser, "okta", &ann).await;
    let unsigned = app
        .browser()
        .post("/sso/okta/saml/slo", &[("SAMLRequest", "PGEvPg==")])
        .await;
    assert_eq!(unsigned.status, StatusCode::FORBIDDEN);
    let request = saml_idp::logout_request_form(&app.app, "okta", "ann-1", &IDP);
    let page = app
        .browser()
        .post("/sso/okta/saml/slo", &[("SAMLRequest", &request)])
        .await;
    assert!(
        page.form(saml_idp::SLO_URL).fields.contains_key("SAMLResponse"),
        "{}",
        page.body
    );
    assert!(!is_in(&mut browser).await);
    // And out, by a form that posts itself.
    sign_in(&app.app, &mut browser, "okta", &ann).await;
    let form = browser.get("/logout").await.form("/logout");
    let page = browser.submit(&form, &[]).await;
    let form = page.form(saml_idp::SLO_URL);
    assert!(
        form.fields.contains_key("SAMLRequest") && form.fields.contains_key("RelayState"),
        "{}",
        page.body
    );
}

#[tokio::test]
async fn a_second_node_sees_the_end_of_a_session_at_once() {
    on_each_engine(|app| async move {
        let ann = connected(&app).await;
        let mut browser = app.browser();
        sign_in(&app.app, &mut browser, "okta", &ann).await;
        let other = provost::router::router(app.second_node().await);
        let mut there = Browser::new(other, app.app.config.issuer());
        there.cookies.clone_from(&browser.cookies);
        assert!(is_in(&mut there).await);
        let form = browser.get("/logout").await.form("/logout");
        browser.submit(&form, &[]).await;
        assert!(!is_in(&mut there).await);
    })
    .await;
}

#[tokio::test]
async fn a_second_node_sees_a_changed_connection_at_once() {
    on_each_engine(|app| async move {
        let ann = connected(&app).await;
        let other = provost::router::router(app.second_node().await);
        let mut there = Browser::new(other, app.app.config.issuer());
        let page = sign_in(&app.app, &mut there, "okta", &ann).await;
        assert_eq!(page.location().as_deref(), Some("/account"));
        directory::change_connection(&app.app, "okta", |_, config| {
            config["signing_certificates"] = serde_json::json!([STRANGER.certificate]);
        })
        .await;
        let page = sign_in(&app.app, &mut there, "okta", &ann).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
    })
    .await;
}
