//! `/login`, `/login/password`, `/login/{organization}`, `/password/{token}`: the way in for people.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use provost::flow::set_password;
use provost_kernel::connection::Scope;
use provost_kernel::directory::Status;
use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::api::Client;
use crate::app::{Browser, Page, TestApp, on_each_engine};
use crate::directory::{self, accounts};
use crate::saml_idp::{self, read_request};

const PASSWORD: &str = "correct horse battery";
const CARA: &str = "cara@freelance.example";

async fn submit_email(browser: &mut Browser, email: &str) -> Page {
    let form = browser.get("/login").await.form("/login");
    browser.submit(&form, &[("email", email)]).await
}

async fn submit_password(browser: &mut Browser, email: &str, password: &str) -> Page {
    let form = browser.get("/login/password").await.form("/login/password");
    browser
        .submit(&form, &[("email", email), ("password", password)])
        .await
}

#[tokio::test]
async fn r05_the_work_email_leads_to_the_provider_that_serves_it() {
    on_each_engine(|app| async move {
        directory::organization(&app.app).await;
        saml_idp::connect(&app.app, "okta", |_| {}).await;
        let mut browser = app.browser();
        let page = submit_email(&mut browser, " Ann@HOME-LAB.example ").await;
        assert!(
            page.location().unwrap().starts_with(saml_idp::SSO_URL),
            "{page:?}"
        );
        let request = read_request(&page);
        let person = saml_idp::Person::new("ann-1", "ann@home-lab.example");
        let answer = saml_idp::Answer::new(&app.app, "okta", Some(&request.request.id)).issue(&person);
        let page = saml_idp::post(&mut browser, "okta", &answer, &request.relay_state).await;
        assert_eq!(page.location().as_deref(), Some("/account"));
        let page = browser.get("/login").await;
        assert_eq!(
            page.location().as_deref(),
            Some("/account"),
            "who is in need not sign in"
        );
    })
    .await;
}

#[tokio::test]
async fn subdomains_and_unknown_domains_get_the_password_form() {
    let app = TestApp::start().await;
    directory::organization(&app.app).await;
    saml_idp::connect(&app.app, "okta", |_| {}).await;
    for email in ["ann@sub.home-lab.example", "ann@elsewhere.example"] {
        let page = submit_email(&mut app.browser(), email).await;
        assert_eq!(page.status, StatusCode::OK);
        assert_eq!(page.form("/login/password").fields["email"], email);
    }
    let page = submit_email(&mut app.browser(), "no address").await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.body.contains("role=\"alert\""));
}

#[tokio::test]
async fn the_front_door_leads_to_the_sign_in_page() {
    let app = TestApp::start().await;
    let page = app.browser().get("/").await;
    assert_eq!(page.location().as_deref(), Some("/login"));
}

#[tokio::test]
async fn the_password_form_may_end_at_an_app() {
    // Browsers apply `form-action` to the redirects behind a form too, and an app lives elsewhere.
    let app = TestApp::start().await;
    directory::organization(&app.app).await;
    let mut browser = app.browser();
    let shown = browser.get("/login/password").await;
    let after_email = submit_email(&mut browser, "ann@elsewhere.example").await;
    let after_mistake = submit_password(&mut browser, "ann@elsewhere.example", "not the password").await;
    for page in [shown, after_email, after_mistake] {
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains("form-action 'self' https:"), "{policy}");
    }
}

#[tokio::test]
async fn r116_several_providers_are_offered_as_buttons_with_their_labels() {
    let app = TestApp::start().await;
    directory::organization(&app.app).await;
    saml_idp::connect(&app.app, "okta", |_| {}).await;
    saml_idp::connect(&app.app, "entra", |_| {}).await;
    saml_idp::connect(&app.app, "off", |_| {}).await;
    directory::change_connection(&app.app, "off", |connection, _| connection.enabled = false).await;
    let page = submit_email(&mut app.browser(), "ann@home-lab.example").await;
    assert_eq!(page.status, StatusCode::OK);
    for id in ["okta", "entra"] {
        assert!(page.body.contains(&format!("Sign in with {id}")), "{}", page.body);
        assert!(
            page.body
                .contains(&format!("/sso/{id}/login?login_hint=ann%40home-lab.example")),
            "{}",
            page.body
        );
    }
    assert!(!page.body.contains("Sign in with off"));
}

#[tokio::test]
async fn r115_r116_an_organization_has_a_sign_in_page_of_its_own_that_may_hide_the_password() {
    on_each_engine(|app| async move {
        directory::organization(&app.app).await;
        saml_idp::connect(&app.app, "okta", |_| {}).await;
        let page = app
            .browser()
            .get("/login/home-lab?return_to=par_0123456789")
            .await;
        assert_eq!(page.status, StatusCode::OK);
        for part in [
            "Sign in to Home Lab",
            "Sign in with okta",
            "/sso/okta/login?return_to=par_0123456789",
            "Use a password",
        ] {
            assert!(page.body.contains(part), "{part} is missing on: {}", page.body);
        }
        assert_eq!(
            app.browser().get("/login/nobody").await.status,
            StatusCode::NOT_FOUND
        );
        // An owner may hide the password form; whoever may use one still can, and nobody has to be proved ready for it.
        let mut client = Client::new(&app, Some(directory::ORGANIZATION)).await;
        let path = "/api/v1/organizations/home-lab/sign-in";
        for (hidden, is_offered) in [(true, false), (false, true)] {
            let page = client
                .send_json(Method::PUT, path, &json!({ "hide_password_form": hidden }))
                .await;
            assert_eq!(page.json()["hide_password_form"], hidden, "{}", page.body);
            let page = app.browser().get("/login/home-lab").await;
            assert_eq!(page.body.contains("Use a password"), is_offered, "{}", page.body);
            assert!(page.body.contains("Sign in with okta"));
            let page = app.browser().get("/login/password").await;
            assert!(page.body.contains("type=\"password\""), "{}", page.body);
        }
    })
    .await;
}

#[tokio::test]
async fn a_standard_account_signs_in_with_its_password() {
    on_each_engine(|app| async move {
        directory::standard_account(&app.app, CARA, Some(PASSWORD)).await;
        let mut browser = app.browser();
        let page = submit_email(&mut browser, CARA).await;
        let page = browser
            .submit(&page.form("/login/password"), &[("password", PASSWORD)])
            .await;
        assert_eq!(
            (page.status, page.location().as_deref()),
            (StatusCode::SEE_OTHER, Some("/account")),
            "{}",
            page.body
        );
        let page = browser.get("/account").await;
        assert!(
            page.body.contains(CARA) && page.body.contains("Password") && !page.body.contains(">SSO<"),
            "{}",
            page.body
        );
    })
    .await;
}

#[tokio::test]
async fn r02_every_password_refusal_looks_alike() {
    on_each_engine(|app| async move {
        directory::organization(&app.app).await;
        saml_idp::connect(&app.app, "okta", |_| {}).await;
        directory::standard_account(&app.app, CARA, Some(PASSWORD)).await;
        directory::sso_account(&app.app, "ann@home-lab.example", "okta").await;
        directory::standard_account(&app.app, "gone@freelance.example", Some(PASSWORD)).await;
        let gone = accounts(&app.app, "gone@freelance.example").await.remove(0);
        directory::set_status(&app.app, &gone, Status::Deactivated).await;
        let cases = [
            (CARA, "wrong password here"),
            ("nobody@freelance.example", PASSWORD),
            ("ann@home-lab.example", PASSWORD),
            ("gone@freelance.example", PASSWORD),
            ("not an address", PASSWORD),
            (CARA, &"x".repeat(100_000)),
            (CARA, ""),
        ];
        let mut shapes = Vec::new();
        for (email, password) in cases {
            let mut browser = app.browser();
            let before = app.app.passwords.verifications();
            let page = submit_password(&mut browser, email, password).await;
            assert_eq!(
                page.status,
                StatusCode::UNPROCESSABLE_ENTITY,
                "{email}: {}",
                page.body
            );
            assert_eq!(
                app.app.passwords.verifications() - before,
                1,
                "{email}: the same work, account or not"
            );
            assert!(!browser.cookies.contains_key("provost_session"), "{email}");
            let token = &page.form("/login/password").fields["form_token"];
            shapes.push(page.body.replace(email, "EMAIL").replace(token, "TOKEN"));
        }
        assert!(shapes.windows(2).all(|pair| pair[0] == pair[1]), "{shapes:#?}");
        // The admin can tell them apart.
        let mut verdicts = Vec::new();
        for _ in 0..50 {
            let found = app.app.store.read(|reader| {
                Box::pin(async move { reader.traces(&provost_store::TraceFilter::default(), 100).await })
            });
            verdicts = found
                .await
                .unwrap()
                .into_iter()
                .map(|record| record.verdict)
                .collect();
            if verdicts
                .iter()
                .any(|verdict| verdict == "password_refused_for_sso")
            {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        for wanted in ["password_refused_for_sso", "deactivated"] {
            assert!(
                verdicts.iter().any(|verdict| verdict == wanted),
                "{wanted}: {verdicts:?}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn forms_need_their_token_and_their_origin() {
    on_each_engine(|app| async move {
        directory::standard_account(&app.app, CARA, Some(PASSWORD)).await;
        let mut attacker = app.browser();
        let form = attacker.get("/login/password").await.form("/login/password");
        let fields = [("email", CARA), ("password", PASSWORD)];
        // Login forgery: the attacker's form in the victim's browser.
        let mut victim = app.browser();
        victim.get("/login").await;
        assert_eq!(victim.submit(&form, &fields).await.status, StatusCode::FORBIDDEN);
        // No cookie, no token, empty token.
        assert_eq!(
            app.browser().submit(&form, &fields).await.status,
            StatusCode::FORBIDDEN
        );
        assert_eq!(
            attacker.post("/login/password", &fields).await.status,
            StatusCode::FORBIDDEN
        );
        let page = attacker
            .submit(&form, &[("form_token", ""), fields[0], fields[1]])
            .await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
        // Right token, foreign origin.
        for (name, value) in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            let mut browser = attacker.clone();
            browser.headers.insert(name, value.parse().unwrap());
            assert_eq!(
                browser.submit(&form, &fields).await.status,
                StatusCode::FORBIDDEN,
                "{name}: {value}"
            );
        }
        // Behind `Referrer-Policy: no-referrer` browsers write "null" even on our own forms; the newer header counts.
        let mut private = attacker.clone();
        private.headers.insert("origin", "null".parse().unwrap());
        private
            .headers
            .insert("sec-fetch-site", "same-origin".parse().unwrap());
        assert_eq!(
            private.submit(&form, &fields).await.location().as_deref(),
            Some("/account")
        );
        let mut own = attacker.clone();
        own.headers
            .insert("origin", app.app.config.issuer().parse().unwrap());
        own.headers
            .insert("sec-fetch-site", "same-origin".parse().unwrap());
        assert_eq!(
            own.submit(&form, &fields).await.location().as_deref(),
            Some("/account")
        );
    })
    .await;
}

#[tokio::test]
async fn no_parameter_leads_away_from_here() {
    let app = TestApp::start().await;
    directory::organization(&app.app).await;
    directory::standard_account(&app.app, CARA, Some(PASSWORD)).await;
    saml_idp::connect(&app.app, "okta", |_| {}).await;
    for hostile in [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "%0d%0aLocation:x",
    ] {
        let mut browser = app.browser();
        let page = browser
            .get(&format!("/login?return_to={}", hostile.replace('/', "%2F")))
            .await;
        assert!(
            !page.body.contains("evil") && !page.body.contains("javascript:"),
            "{}",
            page.body
        );
        let form = browser.get("/login/password").await.form("/login/password");
        let fields = [("email", CARA), ("password", PASSWORD), ("return_to", hostile)];
        let page = browser.submit(&form, &fields).await;
        assert_eq!(page.location().as_deref(), Some("/account"), "{hostile}");
        let mut browser = app.browser();
        let request = read_request(
            &browser
                .get(&format!(
                    "/sso/okta/login?return_to={}",
                    hostile.replace('/', "%2F")
                ))
                .await,
        );
        let person = saml_idp::Person::new("ann-1", "ann@home-lab.example");
        let answer = saml_idp::Answer::new(&app.app, "okta", Some(&request.request.id)).issue(&person);
        let page = saml_idp::post(&mut browser, "okta", &answer, &request.relay_state).await;
        assert_eq!(page.location().as_deref(), Some("/account"), "{hostile}");
    }
}

#[tokio::test]
async fn guessing_is_limited_by_client_and_locks_nobody_else_out() {
    on_each_engine(|app| async move {
        directory::standard_account(&app.app, CARA, Some(PASSWORD)).await;
        let mut attacker = app.browser();
        let mut last = StatusCode::OK;
        for _ in 0..12 {
            last = submit_password(&mut attacker, CARA, "wrong password here")
                .await
                .status;
        }
        assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
        let page = submit_password(&mut attacker, CARA, PASSWORD).await;
        assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS);
        assert!(page.header("retry-after").is_some());
        // Cara herself, elsewhere.
        let attempt = provost::flow::password::Attempt {
            email: CARA.to_owned(),
            password: PASSWORD.to_owned().into(),
            return_to: provost::flow::return_to::ReturnTo::Account,
            client: "203.0.113.9".to_owned(),
            browser: provost::flow::password::SignInBrowser::default(),
        };
        let entry = provost::flow::password::sign_in(&app.app, attempt).await.unwrap();
        assert!(
            matches!(entry, provost::flow::password::Entry::In(_)),
            "{entry:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_one_time_link_sets_a_password_once() {
    on_each_engine(|app| async move {
        let id = directory::standard_account(&app.app, CARA, Some(PASSWORD)).await;
        let mut old = app.browser();
        submit_password(&mut old, CARA, PASSWORD).await;
        let link = set_password::link(&app.app, &id)
            .await
            .unwrap()
            .expose_secret()
            .to_owned();
        let mut browser = app.browser();
        let page = browser.get(&link).await;
        assert!(page.body.contains(CARA), "{}", page.body);
        assert_eq!(
            app.browser().get(&link).await.status,
            StatusCode::OK,
            "opening uses nothing up"
        );
        let form = |page: &Page| {
            let mut form = page.forms().remove(0);
            form.action.clone_from(&link);
            form
        };
        let new = "an entirely new one";
        for (password, repeat) in [("short", "short"), (new, "something different"), (CARA, CARA)] {
            let page = browser
                .submit(&form(&page), &[("password", password), ("repeat", repeat)])
                .await;
            assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{password}");
        }
        let done = browser
            .submit(&form(&page), &[("password", new), ("repeat", new)])
            .await;
        assert_eq!(done.location().as_deref(), Some("/account"), "{}", done.body);
        assert_eq!(browser.get("/account").await.status, StatusCode::OK);
        assert_eq!(
            old.get("/account").await.status,
            StatusCode::SEE_OTHER,
            "older sessions have ended"
        );
        assert_eq!(browser.get(&link).await.status, StatusCode::NOT_FOUND);
        let again = browser
            .submit(&form(&page), &[("password", new), ("repeat", new)])
            .await;
        assert_eq!(again.status, StatusCode::NOT_FOUND);
        assert_eq!(
            submit_password(&mut app.browser(), CARA, PASSWORD).await.status,
            StatusCode::UNPROCESSABLE_ENTITY
        );
        assert_eq!(
            submit_password(&mut app.browser(), CARA, new).await.status,
            StatusCode::SEE_OTHER
        );
    })
    .await;
}

#[tokio::test]
async fn a_one_time_link_expires() {
    let app = TestApp::start().await;
    let id = directory::standard_account(&app.app, CARA, None).await;
    let link = set_password::link(&app.app, &id)
        .await
        .unwrap()
        .expose_secret()
        .to_owned();
    app.app.world.advance(jiff::SignedDuration::from_hours(73));
    assert_eq!(app.browser().get(&link).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_connection_of_the_whole_instance_serves_its_domains_too() {
    let app = TestApp::start().await;
    directory::organization(&app.app).await;
    saml_idp::connect(&app.app, "shared", |_| {}).await;
    directory::change_connection(&app.app, "shared", |connection, _| {
        connection.scope = Scope::Instance;
    })
    .await;
    let page = submit_email(&mut app.browser(), "ann@home-lab.example").await;
    assert!(page.location().unwrap().starts_with(saml_idp::SSO_URL));
}

#[tokio::test]
async fn pages_are_titled_labelled_and_free_of_inline_code() {
    let app = TestApp::start().await;
    directory::organization(&app.app).await;
    saml_idp::connect(&app.app, "okta", |_| {}).await;
    for path in [
        "/login",
        "/login/password",
        "/login/home-lab",
        "/logout",
        "/nowhere",
    ] {
        let page = app.browser().get(path).await;
        let body = &page.body;
        assert!(
            body.contains("<html lang=\"en\">") && body.matches("<h1").count() == 1,
            "{path}: {body}"
        );
        assert!(
            !body.contains(" style=") && !body.contains("<style") && !body.contains(" onclick"),
            "{path}"
        );
        let inputs = body.matches("<input").count() - body.matches("type=\"hidden\"").count();
        assert_eq!(
            inputs,
            body.matches("<label for=").count(),
            "{path}: every field has a label"
        );
        assert!(
            page.header("content-security-policy")
                .unwrap()
                .contains("default-src 'none'"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn cookies_are_locked_to_the_host_behind_https() {
    let app = TestApp::start_with(&[("public_url", "https://sso.example.com")]).await;
    let page = app.browser().get("/login").await;
    let cookie = page.header("set-cookie").unwrap();
    for part in [
        "__Host-provost_browser=pvb_",
        "Path=/",
        "HttpOnly",
        "Secure",
        "SameSite=None",
    ] {
        assert!(cookie.contains(part), "{part}: {cookie}");
    }
    directory::standard_account(&app.app, CARA, Some(PASSWORD)).await;
    let mut browser = app.browser();
    let page = submit_password(&mut browser, CARA, PASSWORD).await;
    let cookie = page.header("set-cookie").unwrap();
    for part in [
        "__Host-provost_session=pvs_",
        "HttpOnly",
        "Secure",
        "SameSite=Lax",
    ] {
        assert!(cookie.contains(part), "{part}: {cookie}");
    }
    assert!(
        !cookie.contains("Domain") && !cookie.contains("Max-Age"),
        "{cookie}"
    );
}
