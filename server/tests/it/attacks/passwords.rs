//! Getting in by passwords and one-time links.

use axum::http::StatusCode;
use provost::flow::set_password;
use provost_kernel::directory::Authentication;
use provost_kernel::plan::{Change, Plan};
use secrecy::ExposeSecret as _;

use crate::app::{Browser, Form, Page, TestApp, on_each_engine};
use crate::directory;
use crate::openid::lab::apply;
use crate::saml_idp;

const CARA: &str = "cara@freelance.example";
const PASSWORD: &str = "correct horse battery";

async fn set(browser: &mut Browser, link: &str, password: &str) -> Page {
    let page = browser.get(link).await;
    if page.status != StatusCode::OK {
        return page;
    }
    let form = Form {
        action: link.to_owned(),
        ..page.form("")
    };
    browser
        .submit(&form, &[("password", password), ("repeat", password)])
        .await
}

#[tokio::test]
async fn an_older_link_does_not_undo_the_password_that_a_newer_one_set() {
    on_each_engine(|app| async move {
        let cara = directory::standard_account(&app.app, CARA, None).await;
        let lost = set_password::link(&app.app, &cara).await.unwrap();
        let wanted = set_password::link(&app.app, &cara).await.unwrap();
        let other = directory::standard_account(&app.app, "dan@freelance.example", None).await;
        let of_another = set_password::link(&app.app, &other).await.unwrap();
        let page = set(&mut app.browser(), wanted.expose_secret(), PASSWORD).await;
        assert_eq!(page.location().as_deref(), Some("/account"), "{}", page.body);
        // Whoever found the lost one stays out.
        let page = set(&mut app.browser(), lost.expose_secret(), "another password here").await;
        assert_eq!(page.status, StatusCode::NOT_FOUND);
        let page = set(&mut app.browser(), of_another.expose_secret(), PASSWORD).await;
        assert_eq!(page.location().as_deref(), Some("/account"), "{}", page.body);
    })
    .await;
}

#[tokio::test]
async fn r02_a_link_made_before_the_account_became_an_sso_account_is_dead() {
    on_each_engine(|app| async move {
        directory::organization(&app.app).await;
        saml_idp::connect(&app.app, "okta", |_| {}).await;
        let cara = directory::standard_account(&app.app, CARA, None).await;
        let link = set_password::link(&app.app, &cara).await.unwrap();
        let mut early = app.browser();
        let page = early.get(link.expose_secret()).await;
        let form = Form {
            action: link.expose_secret().to_owned(),
            ..page.form("")
        };
        let change = Change::SetAuthentication {
            account: cara.clone(),
            version: 1,
            from: Authentication::Standard,
            to: Authentication::Sso {
                connection: "okta".into(),
            },
        };
        apply(
            &app.app,
            &cara,
            Plan {
                changes: vec![change],
                ..Plan::default()
            },
        )
        .await;
        let page = early
            .submit(&form, &[("password", PASSWORD), ("repeat", PASSWORD)])
            .await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{}", page.body);
        assert_eq!(
            app.browser().get(link.expose_secret()).await.status,
            StatusCode::NOT_FOUND
        );
    })
    .await;
}

#[tokio::test]
async fn forms_may_lead_to_where_the_person_was_going() {
    // Chromium applies form-action to every redirect behind a form: the app lies on another site.
    let app = TestApp::start().await;
    for path in [
        "/login",
        "/login/password",
        "/login/password?return_to=par_0123456789",
    ] {
        let page = app.browser().get(path).await;
        let policy = page.header("content-security-policy").unwrap();
        assert!(
            policy.contains("form-action 'self' https: http:"),
            "{path}: {policy}"
        );
        assert!(
            !policy.contains("script-src") && policy.contains("frame-ancestors 'none'"),
            "{path}: {policy}"
        );
    }
}
