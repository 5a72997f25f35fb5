//! `/sso/{connection}/saml/…`: signing in and out through a SAML identity provider.

use axum::http::StatusCode;
use jiff::SignedDuration;
use provost::connection_config::{IdpInitiated, RequestBinding};
use provost_kernel::directory::{Authentication, Status};

use crate::app::{TestApp, on_each_engine};
use crate::directory::{self, account_count, accounts, reference, trace};
use crate::saml_idp::{self, Answer, IDP, Person, STRANGER, post, read_request, sign_in};

const ANN: &str = "ann@home-lab.example";

async fn connected(app: &TestApp) {
    directory::organization(&app.app).await;
    saml_idp::connect(&app.app, "okta", |_| {}).await;
}

#[tokio::test]
async fn r09_r38_jit_creates_one_account_and_the_next_sign_in_finds_it() {
    on_each_engine(|app| async move {
        connected(&app).await;
        assert_eq!(account_count(&app.app).await, 0);
        let ann = Person::new("ann-1", ANN).with("groups", &["admin"]);
        let mut browser = app.browser();
        let page = sign_in(&app.app, &mut browser, "okta", &ann).await;
        assert_eq!(
            (page.status, page.location().as_deref()),
            (StatusCode::SEE_OTHER, Some("/account")),
            "{}",
            page.body
        );
        let page = browser.get("/account").await;
        assert_eq!(page.status, StatusCode::OK);
        for part in [
            "Ann Example",
            ANN,
            "Home Lab",
            "Admin",
            "SSO",
            "Sign in with okta",
        ] {
            assert!(page.body.contains(part), "{part} is missing on: {}", page.body);
        }
        let found = accounts(&app.app, ANN).await;
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0].authentication,
            Authentication::Sso {
                connection: "okta".into()
            }
        );
        // Another browser, the same person: the NameID finds her.
        let again = sign_in(&app.app, &mut app.browser(), "okta", &ann).await;
        assert_eq!(again.location().as_deref(), Some("/account"));
        assert_eq!(account_count(&app.app).await, 1);
    })
    .await;
}

#[tokio::test]
async fn requests_go_out_signed_by_redirect_and_by_post() {
    let app = TestApp::start().await;
    directory::organization(&app.app).await;
    saml_idp::connect(&app.app, "posting", |saml| {
        saml.request_binding = RequestBinding::Post;
    })
    .await;
    let mut browser = app.browser();
    let page = browser.get("/sso/posting/login").await;
    assert_eq!(page.status, StatusCode::OK);
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.contains("script-src 'self'") && policy.contains("form-action 'self' https:"),
        "{policy}"
    );
    let request = read_request(&page);
    assert!(request.request.signed);
    assert_eq!(
        request.request.acs_url.as_deref(),
        Some(&*app.app.config.url("/sso/posting/saml/acs"))
    );
    let response = Answer::new(&app.app, "posting", Some(&request.request.id)).issue(&Person::new("p", ANN));
    let page = post(&mut browser, "posting", &response, &request.relay_state).await;
    assert_eq!(page.location().as_deref(), Some("/account"), "{}", page.body);
}

#[tokio::test]
async fn metadata_names_our_addresses() {
    let app = TestApp::start().await;
    connected(&app).await;
    let page = app.browser().get("/sso/okta/saml/metadata").await;
    assert_eq!(page.header("content-type"), Some("application/samlmetadata+xml"));
    for tail in ["metadata", "acs", "slo"] {
        assert!(
            page.body
                .contains(&app.app.config.url(&format!("/sso/okta/saml/{tail}"))),
            "{tail}"
        );
    }
    assert_eq!(
        app.browser().get("/sso/nobody/saml/metadata").await.status,
        StatusCode::NOT_FOUND
    );
}

/// Expects a refusal page and returns the code in its trace.
async fn refused(app: &TestApp, page: &crate::app::Page) -> String {
    assert_eq!(page.status, StatusCode::FORBIDDEN, "{}", page.body);
    assert!(
        page.body.contains("an administrator of Home Lab"),
        "whom to ask: {}",
        page.body
    );
    let record = trace(&app.app, &reference(page)).await;
    record.verdict
}

/// One fault put into an honest answer.
type Fault = fn(&mut Answer<'static>);

#[tokio::test]
async fn r30_nothing_is_looked_up_for_an_answer_that_does_not_verify() {
    on_each_engine(|app| async move {
        connected(&app).await;
        let ann = Person::new("ann-1", ANN);
        let cases: [(&str, Fault); 5] = [
            ("saml_signature_invalid", |answer| answer.keys = &STRANGER),
            ("saml_audience_mismatch", |answer| {
                answer.audience = "https://other.example".to_owned();
            }),
            ("saml_destination_mismatch", |answer| {
                answer.acs_url = "https://other.example/acs".to_owned();
            }),
            ("saml_too_old", |answer| {
                answer.at = answer.at.checked_sub(SignedDuration::from_hours(1)).unwrap();
            }),
            ("saml_issued_in_future", |answer| {
                answer.at = answer.at.checked_add(SignedDuration::from_hours(1)).unwrap();
            }),
        ];
        for (code, bend) in cases {
            let mut browser = app.browser();
            let request = read_request(&browser.get("/sso/okta/login").await);
            let mut answer = Answer::new(&app.app, "okta", Some(&request.request.id));
            bend(&mut answer);
            let page = post(&mut browser, "okta", &answer.issue(&ann), &request.relay_state).await;
            let found = refused(&app, &page).await;
            let is_age = code == "saml_too_old" && found == "saml_expired";
            assert!(found == code || is_age, "{code}: {found}");
            assert!(!page.body.contains(&found), "the person is not shown the code");
            assert!(!browser.cookies.contains_key("provost_session"));
            assert_eq!(account_count(&app.app).await, 0, "{code}");
        }
    })
    .await;
}

#[tokio::test]
async fn hostile_bodies_get_a_coded_refusal() {
    let app = TestApp::start().await;
    connected(&app).await;
    let deep = format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000));
    let encode = |text: &str| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text);
    let cases = [
        ("not base64!".to_owned(), "saml_base64"),
        (
            encode("<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><x>&e;</x>"),
            "saml_doctype",
        ),
        (encode(&deep), "saml_too_large"),
        (encode(&deep[..100_000]), "saml_too_deep"),
        (encode("<Response/>"), "saml_root_unexpected"),
    ];
    for (body, code) in cases {
        let page = post(&mut app.browser(), "okta", &body, "").await;
        if page.status == StatusCode::PAYLOAD_TOO_LARGE {
            assert_eq!(code, "saml_too_large");
            continue;
        }
        assert_eq!(refused(&app, &page).await, code);
    }
    let none = app
        .browser()
        .post("/sso/okta/saml/acs", &[("RelayState", "x")])
        .await;
    assert_eq!(none.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn fifty_parallel_posts_of_one_answer_open_one_session() {
    on_each_engine(|app| async move {
        connected(&app).await;
        let mut browser = app.browser();
        let request = read_request(&browser.get("/sso/okta/login").await);
        let response =
            Answer::new(&app.app, "okta", Some(&request.request.id)).issue(&Person::new("ann-1", ANN));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let (mut browser, response, state) =
                (browser.clone(), response.clone(), request.relay_state.clone());
            tasks.spawn(async move { post(&mut browser, "okta", &response, &state).await.status });
        }
        let statuses = tasks.join_all().await;
        let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
        assert_eq!(
            (count(StatusCode::SEE_OTHER), count(StatusCode::FORBIDDEN)),
            (1, 49),
            "{statuses:?}"
        );
        let account = accounts(&app.app, ANN).await.remove(0);
        let now = app.app.world.now();
        let sessions = app
            .app
            .store
            .read(|reader| Box::pin(async move { reader.sessions_of_account(&account.id, now).await }));
        assert_eq!(sessions.await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn r117_answers_to_no_request_are_an_opt_in_and_good_once() {
    on_each_engine(|app| async move {
        connected(&app).await;
        let ann = Person::new("ann-1", ANN);
        let unsolicited = |connection: &str| Answer::new(&app.app, connection, None).issue(&ann);
        let page = post(&mut app.browser(), "okta", &unsolicited("okta"), "").await;
        assert_eq!(refused(&app, &page).await, "saml_unsolicited");
        assert!(page.body.contains("Please start here"));
        assert_eq!(account_count(&app.app).await, 0);
        saml_idp::connect(&app.app, "open", |saml| {
            saml.idp_initiated = Some(IdpInitiated::default());
        })
        .await;
        let answer = unsolicited("open");
        for (target, expected) in [("https://evil.example/", "/account")] {
            let page = post(&mut app.browser(), "open", &answer, target).await;
            assert_eq!(page.location().as_deref(), Some(expected), "{}", page.body);
        }
        let page = post(&mut app.browser(), "open", &answer, "").await;
        assert_eq!(refused(&app, &page).await, "saml_replayed");
    })
    .await;
}

#[tokio::test]
async fn r117_relay_state_chooses_among_the_allowed_applications_only() {
    let app = TestApp::start().await;
    directory::organization(&app.app).await;
    for (id, uri) in [
        ("sample", "https://sample.example/cb"),
        ("second", "https://second.example/cb"),
        ("other", "https://other.example/cb"),
    ] {
        let record = provost_store::ApplicationRecord {
            client_id: id.to_owned(),
            secret_digest: None,
            config: serde_json::json!({ "redirect_uris": [uri] }),
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
    let allowed = vec!["sample".to_owned(), "second".to_owned()];
    saml_idp::connect(&app.app, "open", |saml| {
        saml.idp_initiated = Some(IdpInitiated {
            allowed_applications: allowed,
        });
    })
    .await;
    for (relay_state, expected) in [
        ("second", "https://second.example/"),
        ("sample", "https://sample.example/"),
        ("other", "https://sample.example/"),
        ("https://evil.example/", "https://sample.example/"),
        ("", "https://sample.example/"),
    ] {
        let answer = Answer::new(&app.app, "open", None).issue(&Person::new("ann-1", ANN));
        let page = post(&mut app.browser(), "open", &answer, relay_state).await;
        assert_eq!(page.location().as_deref(), Some(expected), "{relay_state}");
    }
}

#[tokio::test]
async fn an_answer_belongs_to_the_browser_the_connection_and_the_request_that_asked() {
    on_each_engine(|app| async move {
        connected(&app).await;
        saml_idp::connect(&app.app, "second", |_| {}).await;
        let mallory = Person::new("mallory", "mallory@home-lab.example");
        let mut attacker = app.browser();
        let request = read_request(&attacker.get("/sso/okta/login").await);
        let response = Answer::new(&app.app, "okta", Some(&request.request.id)).issue(&mallory);
        // Login forgery: the attacker's own answer, posted by the victim's browser.
        let mut victim = app.browser();
        victim.get("/login").await;
        let page = post(&mut victim, "okta", &response, &request.relay_state).await;
        assert_eq!(refused(&app, &page).await, "saml_request_not_open");
        assert!(!victim.cookies.contains_key("provost_session"));
        // A browser without any cookie.
        let page = post(&mut app.browser(), "okta", &response, &request.relay_state).await;
        assert_eq!(refused(&app, &page).await, "saml_request_not_open");
        // Another connection's address.
        let page = post(&mut attacker, "second", &response, &request.relay_state).await;
        assert_eq!(refused(&app, &page).await, "saml_request_not_open");
        // A RelayState that names something else.
        for tampered in ["https://evil.example/", "_00000000000000000000000000000000"] {
            let page = post(&mut attacker, "okta", &response, tampered).await;
            assert_eq!(refused(&app, &page).await, "saml_request_not_open", "{tampered}");
        }
        // All that has not used the request up: its owner may still finish.
        let page = post(&mut attacker, "okta", &response, &request.relay_state).await;
        assert_eq!(page.location().as_deref(), Some("/account"), "{}", page.body);
    })
    .await;
}

#[tokio::test]
async fn a_request_that_took_too_long_is_no_longer_open() {
    let app = TestApp::start().await;
    connected(&app).await;
    let mut browser = app.browser();
    let request = read_request(&browser.get("/sso/okta/login").await);
    app.app.world.advance(SignedDuration::from_mins(16));
    let response = Answer::new(&app.app, "okta", Some(&request.request.id)).issue(&Person::new("a", ANN));
    let page = post(&mut browser, "okta", &response, &request.relay_state).await;
    assert_eq!(refused(&app, &page).await, "saml_request_not_open");
    assert!(page.body.contains("Start sign-in again"));
}

#[tokio::test]
async fn r120_a_refusal_tells_the_reason_the_reference_and_whom_to_ask() {
    on_each_engine(|app| async move {
        connected(&app).await;
        let outsider = Person::new("x-1", "x@elsewhere.example");
        let page = sign_in(&app.app, &mut app.browser(), "okta", &outsider).await;
        assert_eq!(refused(&app, &page).await, "email_missing");
        assert!(
            page.body.contains("Your e-mail address does not fit"),
            "{}",
            page.body
        );
        let record = trace(&app.app, &reference(&page)).await;
        assert!(!record.trace.steps.is_empty());
        let claims = record.claims.unwrap();
        assert_eq!(claims["normalized"]["email"], "x@elsewhere.example");
        assert!(page.location().is_none(), "a page, not a redirect loop");
    })
    .await;
}

#[tokio::test]
async fn r168_a_deactivated_person_never_gets_in() {
    on_each_engine(|app| async move {
        connected(&app).await;
        let ann = Person::new("ann-1", ANN);
        let mut browser = app.browser();
        sign_in(&app.app, &mut browser, "okta", &ann).await;
        let account = accounts(&app.app, ANN).await.remove(0);
        directory::set_status(&app.app, &account, Status::Deactivated).await;
        assert_eq!(
            browser.get("/account").await.location().as_deref(),
            Some("/login"),
            "the old session is dead"
        );
        let page = sign_in(&app.app, &mut app.browser(), "okta", &ann).await;
        assert_eq!(refused(&app, &page).await, "deactivated");
        assert_eq!(account_count(&app.app).await, 1, "no ghost account");
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_is_switched_off_neither_begins_nor_ends_a_sign_in() {
    let app = TestApp::start().await;
    connected(&app).await;
    let mut browser = app.browser();
    let request = read_request(&browser.get("/sso/okta/login").await);
    directory::change_connection(&app.app, "okta", |connection, _| connection.enabled = false).await;
    let response = Answer::new(&app.app, "okta", Some(&request.request.id)).issue(&Person::new("a", ANN));
    let page = post(&mut browser, "okta", &response, &request.relay_state).await;
    assert_eq!(refused(&app, &page).await, "connection_disabled");
    let page = browser.get("/sso/okta/login").await;
    assert_eq!(refused(&app, &page).await, "connection_disabled");
}

#[tokio::test]
async fn a_transient_name_id_is_no_person() {
    let app = TestApp::start().await;
    connected(&app).await;
    let mut browser = app.browser();
    let request = read_request(&browser.get("/sso/okta/login").await);
    let mut answer = Answer::new(&app.app, "okta", Some(&request.request.id));
    answer.format = provost_saml::attributes::FORMAT_TRANSIENT.to_owned();
    let page = post(
        &mut browser,
        "okta",
        &answer.issue(&Person::new("_t", ANN)),
        &request.relay_state,
    )
    .await;
    assert_eq!(refused(&app, &page).await, "claims_transient_subject");
    assert_eq!(account_count(&app.app).await, 0);
}

#[tokio::test]
async fn r182_a_rolled_key_is_found_in_the_metadata_at_most_once_a_minute() {
    on_each_engine(|app| async move {
        directory::organization(&app.app).await;
        let published = saml_idp::PublishedMetadata::start(&IDP).await;
        let url = published.url.clone();
        saml_idp::connect(&app.app, "okta", |saml| {
            saml.signing_certificates = vec![STRANGER.certificate.clone()];
            saml.metadata_url = Some(url);
        })
        .await;
        // The connection knows an old key only; the metadata has the new one.
        let page = sign_in(&app.app, &mut app.browser(), "okta", &Person::new("ann-1", ANN)).await;
        assert_eq!(page.location().as_deref(), Some("/account"), "{}", page.body);
        assert_eq!(published.reads(), 1);
        // Garbage does not make us call again and again.
        for _ in 0..5 {
            let mut browser = app.browser();
            let request = read_request(&browser.get("/sso/okta/login").await);
            let mut answer = Answer::new(&app.app, "okta", Some(&request.request.id));
            answer.keys = &STRANGER;
            let page = post(
                &mut browser,
                "okta",
                &answer.issue(&Person::new("x", ANN)),
                &request.relay_state,
            )
            .await;
            assert_eq!(refused(&app, &page).await, "saml_signature_invalid");
        }
        assert_eq!(published.reads(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_attribute_may_be_the_subject_and_names_of_attributes_may_be_chosen() {
    let app = TestApp::start().await;
    directory::organization(&app.app).await;
    saml_idp::connect(&app.app, "okta", |saml| {
        for (field, name) in [
            ("subject", "employeeNumber"),
            ("email", "workMail"),
            ("groups", "teams"),
        ] {
            saml.attributes.insert(field.to_owned(), name.to_owned());
        }
    })
    .await;
    let person = |name_id: &str| {
        Person::new(name_id, "ignored@elsewhere.example")
            .with("employeeNumber", &["4711"])
            .with("workMail", &[ANN])
            .with("groups", &["admin"])
    };
    let mut browser = app.browser();
    let page = sign_in(&app.app, &mut browser, "okta", &person("one")).await;
    assert_eq!(page.location().as_deref(), Some("/account"), "{}", page.body);
    assert_eq!(
        sign_in(&app.app, &mut app.browser(), "okta", &person("two"))
            .await
            .location()
            .as_deref(),
        Some("/account")
    );
    assert_eq!(
        (account_count(&app.app).await, accounts(&app.app, ANN).await.len()),
        (1, 1)
    );
    let page = sign_in(&app.app, &mut app.browser(), "okta", &Person::new("three", ANN)).await;
    assert_eq!(refused(&app, &page).await, "claims_subject_attribute");
}

#[tokio::test]
async fn r27_people_join_while_others_sign_in() {
    on_each_engine(|app| async move {
        connected(&app).await;
        let mut tasks = tokio::task::JoinSet::new();
        // Twenty people at once, each from two browsers: one account each, and nobody is turned away.
        for number in 0..40 {
            let (inner, mut browser) = (app.app.clone(), app.browser());
            let person = Person::new(
                &format!("p-{}", number / 2),
                &format!("p{}@home-lab.example", number / 2),
            );
            tasks.spawn(async move { sign_in(&inner, &mut browser, "okta", &person).await });
        }
        for page in tasks.join_all().await {
            assert_eq!(
                page.location().as_deref(),
                Some("/account"),
                "{} {}",
                page.status,
                page.body
            );
        }
        assert_eq!(account_count(&app.app).await, 20);
    })
    .await;
}
