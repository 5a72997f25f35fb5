//! `/account/confirm`: proving again that it is she, for what is dangerous in the console, and coming back to where she was.

use axum::http::{StatusCode, header};
use jiff::SignedDuration;
use provost_kernel::id::AccountId;
use provost_store::SessionRecord;

use crate::app::{Browser, Page, TestApp, on_each_engine};
use crate::directory::{self, ORGANIZATION};
use crate::saml_idp::{self, Answer, Person};
use crate::second_factors::{CARA, PASSWORD, member, set_up, signed_in, totp};

const OWNER: &str = "olga@home-lab.example";

async fn sessions(app: &TestApp, account: &AccountId) -> Vec<SessionRecord> {
    let (id, now) = (account.clone(), app.app.world.now());
    let found = app
        .app
        .store
        .read(|reader| Box::pin(async move { reader.sessions_of_account(&id, now).await }))
        .await;
    found.unwrap()
}

async fn owner(app: &TestApp) -> AccountId {
    directory::organization(&app.app).await;
    let id = directory::standard_account(&app.app, OWNER, Some(PASSWORD)).await;
    member(app, &id, "owner").await;
    id
}

/// Tries what is dangerous from a page of the console: to delete Cara.
async fn delete(app: &TestApp, browser: &mut Browser) -> Page {
    let cara = directory::accounts(&app.app, CARA).await.remove(0).id;
    let page = format!("/console/{ORGANIZATION}/users/{cara}");
    let token = browser.get("/account").await.form("/logout").fields["form_token"].clone();
    let seen = app.app.config.public_url.join(&page).unwrap();
    browser
        .headers
        .insert(header::REFERER, seen.as_str().parse().unwrap());
    let answer = browser
        .post(&format!("{page}/delete"), &[("form_token", &token)])
        .await;
    browser.headers.remove(header::REFERER);
    answer
}

/// Follows the way that the refusal offers, up to the form for the password.
async fn confirm(refused: &Page, browser: &mut Browser) -> Page {
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.body);
    let (_, rest) = refused
        .body
        .split_once("href=\"/account/confirm?to=")
        .unwrap_or_else(|| panic!("{}", refused.body));
    let to = rest.split('"').next().unwrap();
    let page = browser.get(&format!("/account/confirm?to={to}")).await;
    let location = page.location().unwrap();
    browser.get(&location).await
}

#[tokio::test]
async fn a_fresh_proof_renews_the_session_that_she_has_and_leads_back() {
    on_each_engine(|app| async move {
        let id = owner(&app).await;
        let cara = directory::standard_account(&app.app, CARA, Some(PASSWORD)).await;
        member(&app, &cara, "member").await;
        let mut browser = signed_in(&app, OWNER).await;
        let before = sessions(&app, &id).await.remove(0);
        app.app.world.advance(SignedDuration::from_mins(16));
        let refused = delete(&app, &mut browser).await;
        let form_page = confirm(&refused, &mut browser).await;
        assert!(
            form_page.body.contains("Confirm that it is you"),
            "{}",
            form_page.body
        );
        let form = form_page.form("/login/password");
        assert_eq!(form.fields["email"], OWNER);
        let wrong = browser.submit(&form, &[("password", "not her password")]).await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(delete(&app, &mut browser).await.status, StatusCode::FORBIDDEN);
        let done = browser.submit(&form, &[("password", PASSWORD)]).await;
        let page = format!("/console/{ORGANIZATION}/users/{cara}");
        assert_eq!(done.location().as_deref(), Some(page.as_str()), "{}", done.body);
        // It is the same session, proved anew; there is no second one.
        let after = sessions(&app, &id).await;
        assert_eq!(after.len(), 1);
        assert_eq!(after[0].id, before.id);
        assert!(after[0].authenticated_at > before.authenticated_at);
        assert_eq!(after[0].created_at, before.created_at);
        assert_eq!(
            after[0].ends_at, before.ends_at,
            "a session does not live longer by it"
        );
        let done = delete(&app, &mut browser).await;
        assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
    })
    .await;
}

#[tokio::test]
async fn with_a_second_factor_the_password_alone_proves_nothing() {
    on_each_engine(|app| async move {
        let id = owner(&app).await;
        let cara = directory::standard_account(&app.app, CARA, Some(PASSWORD)).await;
        member(&app, &cara, "member").await;
        let mut browser = signed_in(&app, OWNER).await;
        let secret = set_up(&app, &mut browser).await;
        app.app.world.advance(SignedDuration::from_mins(16));
        let refused = delete(&app, &mut browser).await;
        let form = confirm(&refused, &mut browser).await.form("/login/password");
        let half = browser.submit(&form, &[("password", PASSWORD)]).await;
        assert_eq!(half.location().as_deref(), Some("/login/second"), "{}", half.body);
        assert_eq!(delete(&app, &mut browser).await.status, StatusCode::FORBIDDEN);
        let form = browser.get("/login/second").await.form("/login/second");
        let done = browser.submit(&form, &[("code", &totp(&app, &secret))]).await;
        assert_eq!(
            done.location().as_deref(),
            Some(format!("/console/{ORGANIZATION}/users/{cara}").as_str()),
            "{}",
            done.body
        );
        let after = sessions(&app, &id).await;
        assert_eq!(after.len(), 1);
        assert_eq!(after[0].methods, ["pwd", "otp", "mfa"]);
        assert_eq!(delete(&app, &mut browser).await.status, StatusCode::SEE_OTHER);
    })
    .await;
}

#[tokio::test]
async fn somebody_elses_proof_does_not_count_and_leaves_no_session() {
    on_each_engine(|app| async move {
        let id = owner(&app).await;
        let cara = directory::standard_account(&app.app, CARA, Some(PASSWORD)).await;
        member(&app, &cara, "member").await;
        let mallory =
            directory::standard_account(&app.app, "mallory@freelance.example", Some(PASSWORD)).await;
        member(&app, &mallory, "owner").await;
        let mut browser = signed_in(&app, OWNER).await;
        let before = sessions(&app, &id).await;
        app.app.world.advance(SignedDuration::from_mins(16));
        let refused = delete(&app, &mut browser).await;
        let form = confirm(&refused, &mut browser).await.form("/login/password");
        let other = browser
            .submit(
                &form,
                &[("email", "mallory@freelance.example"), ("password", PASSWORD)],
            )
            .await;
        assert_eq!(other.status, StatusCode::FORBIDDEN, "{}", other.body);
        assert!(other.body.contains("somebody else"), "{}", other.body);
        assert!(sessions(&app, &mallory).await.is_empty());
        let after = sessions(&app, &id).await;
        assert_eq!(after.len(), 1);
        assert_eq!(after[0].authenticated_at, before[0].authenticated_at);
        assert!(browser.get("/account").await.body.contains(OWNER));
        assert_eq!(delete(&app, &mut browser).await.status, StatusCode::FORBIDDEN);
    })
    .await;
}

#[tokio::test]
async fn through_an_identity_provider_she_is_asked_anew_and_an_old_proof_does_not_count() {
    on_each_engine(|app| async move {
        directory::organization(&app.app).await;
        saml_idp::connect(&app.app, "okta", |_| {}).await;
        let ann = Person::new("ann-1", "ann@home-lab.example").with("groups", &["admin"]);
        let mut browser = app.browser();
        let page = saml_idp::sign_in(&app.app, &mut browser, "okta", &ann).await;
        assert_eq!(page.location().as_deref(), Some("/account"), "{}", page.body);
        let id = directory::accounts(&app.app, "ann@home-lab.example")
            .await
            .remove(0)
            .id;
        let before = sessions(&app, &id).await;
        app.app.world.advance(SignedDuration::from_mins(16));
        let to = format!("/console/{ORGANIZATION}/users");
        let start = browser.get(&format!("/account/confirm?to={to}")).await;
        let location = start.location().unwrap();
        assert!(location.starts_with("/sso/okta/login?"), "{location}");
        let page = browser.get(&location).await;
        let request = saml_idp::read_request(&page);
        assert!(request.request.force_authn, "the provider shall ask her");
        // The provider did not ask her: what it says is of an hour ago.
        let mut response = Answer::new(&app.app, "okta", Some(&request.request.id));
        response.authenticated_at = Some(app.app.world.now() - SignedDuration::from_hours(1));
        let answer = saml_idp::post(&mut browser, "okta", &response.issue(&ann), &request.relay_state).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.body);
        // It did: her session is proved anew.
        let page = browser.get(&location).await;
        let request = saml_idp::read_request(&page);
        let response = Answer::new(&app.app, "okta", Some(&request.request.id));
        let answer = saml_idp::post(&mut browser, "okta", &response.issue(&ann), &request.relay_state).await;
        assert_eq!(answer.location().as_deref(), Some(to.as_str()), "{}", answer.body);
        let after = sessions(&app, &id).await;
        assert_eq!(after.len(), 1);
        assert_eq!(after[0].id, before[0].id);
        assert!(after[0].authenticated_at > before[0].authenticated_at);
        // Somebody else at the same provider.
        app.app.world.advance(SignedDuration::from_mins(16));
        let page = browser.get(&location).await;
        let request = saml_idp::read_request(&page);
        let bob = Person::new("bob-1", "bob@home-lab.example");
        let response = Answer::new(&app.app, "okta", Some(&request.request.id));
        let answer = saml_idp::post(&mut browser, "okta", &response.issue(&bob), &request.relay_state).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.body);
        assert_eq!(
            sessions(&app, &id).await[0].authenticated_at,
            after[0].authenticated_at
        );
        let bob = directory::accounts(&app.app, "bob@home-lab.example")
            .await
            .remove(0)
            .id;
        assert!(sessions(&app, &bob).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn the_way_back_is_a_page_of_ours() {
    let app = TestApp::start().await;
    owner(&app).await;
    let mut browser = signed_in(&app, OWNER).await;
    for hostile in [
        "https://evil.example/",
        "//evil.example",
        "/console//evil.example",
        "/console/../logout",
        "/logout",
        "",
    ] {
        let to: String = url::form_urlencoded::byte_serialize(hostile.as_bytes()).collect();
        let page = browser.get(&format!("/account/confirm?to={to}")).await;
        let location = page.location().unwrap();
        assert!(
            location.ends_with("&return_to=%2Faccount"),
            "{hostile}: {location}"
        );
    }
    // A stranger is asked to sign in first.
    let page = app.browser().get("/account/confirm?to=/console/home-lab").await;
    assert_eq!(
        page.location().as_deref(),
        Some("/login?return_to=%2Fconsole%2Fhome-lab")
    );
}
