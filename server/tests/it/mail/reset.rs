//! A new password by mail.

use axum::http::StatusCode;

use super::{choose_password, give_password, with_mail};
use crate::app::{Browser, Page, TestApp};
use crate::directory;
use crate::saml_idp::{self, Person, sign_in};

const CARA: &str = "cara@freelance.example";
const OLD: &str = "correct horse battery";
const NEW: &str = "another horse staple";

async fn ask(app: &TestApp, email: &str) -> Page {
    let mut browser = app.browser();
    let page = browser.get("/login/forgot").await;
    browser
        .submit(&page.form("/login/forgot"), &[("email", email)])
        .await
}

async fn signs_in(browser: &mut Browser, password: &str) -> bool {
    let page = browser.get("/login/password").await;
    let form = page.form("/login/password");
    let page = browser
        .submit(&form, &[("email", CARA), ("password", password)])
        .await;
    page.status == StatusCode::SEE_OTHER
}

#[tokio::test]
async fn r01_a_forgotten_password_is_set_anew_through_a_mail_that_works_once_and_ends_sessions() {
    with_mail(|app, mailbox| async move {
        let cara = directory::standard_account(&app.app, CARA, None).await;
        give_password(&app, &cara, OLD).await;
        let mut before = app.browser();
        assert!(signs_in(&mut before, OLD).await);
        let page = ask(&app, CARA).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        let mails = mailbox.wait(&app, CARA, 1).await;
        let link = mails[0].link("/password/");
        let mut browser = app.browser();
        let page = choose_password(&mut browser, &link, NEW).await;
        assert_eq!(page.location().as_deref(), Some("/account"), "{}", page.body);
        assert_eq!(browser.get("/account").await.status, StatusCode::OK);
        assert_eq!(before.get("/account").await.location().as_deref(), Some("/login"));
        assert!(!signs_in(&mut app.browser(), OLD).await);
        assert!(signs_in(&mut app.browser(), NEW).await);
        let again = app.browser().get(&link).await;
        assert_eq!(again.status, StatusCode::NOT_FOUND, "it works once");
    })
    .await;
}

#[tokio::test]
async fn a_link_for_a_new_password_works_for_an_hour() {
    with_mail(|app, mailbox| async move {
        directory::standard_account(&app.app, CARA, None).await;
        ask(&app, CARA).await;
        let link = mailbox.wait(&app, CARA, 1).await[0].link("/password/");
        app.app.world.advance(jiff::SignedDuration::from_mins(61));
        assert_eq!(app.browser().get(&link).await.status, StatusCode::NOT_FOUND);
    })
    .await;
}

#[tokio::test]
async fn r02_r108_an_sso_account_is_told_how_to_sign_in_and_gets_no_link_to_a_password() {
    with_mail(|app, mailbox| async move {
        directory::organization(&app.app).await;
        saml_idp::connect(&app.app, "okta", |_| {}).await;
        let ann = Person::new("ann-1", "ann@home-lab.example");
        sign_in(&app.app, &mut app.browser(), "okta", &ann).await;
        ask(&app, "ann@home-lab.example").await;
        let mails = mailbox.wait(&app, "ann@home-lab.example", 1).await;
        assert!(!mails[0].text.contains("/password/"), "{:?}", mails[0]);
        assert!(mails[0].link("/login").ends_with("/login"));
    })
    .await;
}

#[tokio::test]
async fn asking_tells_nothing_about_accounts_and_floods_nobody() {
    with_mail(|app, mailbox| async move {
        directory::standard_account(&app.app, CARA, None).await;
        let known = ask(&app, CARA).await;
        let unknown = ask(&app, "nobody@freelance.example").await;
        let plain = |page: &Page| {
            page.body
                .replace(CARA, "")
                .replace("nobody@freelance.example", "")
        };
        assert_eq!(known.status, unknown.status);
        assert_eq!(plain(&known), plain(&unknown));
        let first = mailbox.wait(&app, CARA, 1).await;
        for _ in 0..6 {
            assert_eq!(
                ask(&app, CARA).await.status,
                StatusCode::OK,
                "nobody learns of the limit"
            );
        }
        mailbox.wait(&app, CARA, 3).await;
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        assert_eq!(mailbox.of(&app, CARA).await.len(), 3);
        assert!(mailbox.of(&app, "nobody@freelance.example").await.is_empty());
        // Whoever asked for the others has not spoiled the first one.
        let page = choose_password(&mut app.browser(), &first[0].link("/password/"), NEW).await;
        assert_eq!(page.location().as_deref(), Some("/account"), "{}", page.body);
    })
    .await;
}

#[tokio::test]
async fn without_a_way_out_for_mail_nothing_promises_one() {
    let app = TestApp::start().await;
    let page = app.browser().get("/login/password").await;
    assert!(!page.body.contains("/login/forgot"));
    assert_eq!(
        app.browser().get("/login/forgot").await.status,
        StatusCode::NOT_FOUND
    );
}
