//! What is sent to the console: forms of others, what an admin may not do, and what wants a recent sign-in.

use axum::http::StatusCode;
use jiff::SignedDuration;

use super::{act, id_of, sign_in, world};
use crate::app::{TestApp, on_each_engine};
use crate::directory::accounts;

#[tokio::test]
async fn forms_of_others_and_without_token_change_nothing() {
    let app = TestApp::start().await;
    world(&app).await;
    let mia = id_of(&app, "mia@acme.example").await;
    let mut olga = sign_in(&app, "olga@acme.example").await;
    let path = format!("/console/acme/users/{mia}/suspend");
    for fields in [
        vec![],
        vec![("form_token", "")],
        vec![("form_token", "0123456789abcdef")],
    ] {
        assert_eq!(olga.post(&path, &fields).await.status, StatusCode::FORBIDDEN);
    }
    let token = olga.get("/account").await.form("/logout").fields["form_token"].clone();
    let mut foreign = olga.clone();
    foreign
        .headers
        .insert("sec-fetch-site", "cross-site".parse().unwrap());
    assert_eq!(
        foreign.post(&path, &[("form_token", &token)]).await.status,
        StatusCode::FORBIDDEN
    );
    // Another person's token is not this one's.
    let mut adam = sign_in(&app, "adam@acme.example").await;
    assert_eq!(
        adam.post(&path, &[("form_token", &token)]).await.status,
        StatusCode::FORBIDDEN
    );
    let still = accounts(&app.app, "mia@acme.example").await.remove(0);
    assert_eq!(still.status, provost_kernel::directory::Status::Active);
}

#[tokio::test]
async fn r87_what_an_admin_may_do_is_judged_by_the_kernel_and_a_refusal_is_explained() {
    on_each_engine(|app| async move {
        world(&app).await;
        let (olga, mia, both) = (
            id_of(&app, "olga@acme.example").await,
            id_of(&app, "mia@acme.example").await,
            id_of(&app, "both@acme.example").await,
        );
        let mut adam = sign_in(&app, "adam@acme.example").await;
        // An owner is beyond an admin, and so is the account of somebody who belongs elsewhere too.
        for target in [&olga, &both] {
            let page = act(&mut adam, &format!("/console/acme/users/{target}/suspend"), &[]).await;
            assert_eq!(page.status, StatusCode::CONFLICT, "{}", page.body);
            assert!(page.body.contains("/console/acme/traces/"), "{}", page.body);
        }
        let page = act(&mut adam, &format!("/console/acme/users/{both}/end-session"), &[]).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
        let page = act(&mut adam, &format!("/console/acme/users/{mia}/suspend"), &[]).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.body);
        // Her page says what she is and who did it.
        let person = adam.get(&format!("/console/acme/users/{mia}")).await.body;
        assert!(person.contains("Suspended"), "{person}");
        assert!(
            person.contains("Account suspended") && person.contains("by admin"),
            "{person}"
        );
        let nobody = act(&mut adam, "/console/acme/users/acc_nobody/suspend", &[]).await;
        assert_eq!(nobody.status, StatusCode::NOT_FOUND);
        let nothing = act(&mut adam, &format!("/console/acme/users/{mia}/explode"), &[]).await;
        assert_eq!(nothing.status, StatusCode::NOT_FOUND);
    })
    .await;
}

#[tokio::test]
async fn dangerous_actions_want_a_recent_sign_in() {
    let app = TestApp::start().await;
    world(&app).await;
    let mia = id_of(&app, "mia@acme.example").await;
    let mut olga = sign_in(&app, "olga@acme.example").await;
    app.app.world.advance(SignedDuration::from_mins(16));
    for (path, fields) in [
        (format!("/console/acme/users/{mia}/delete"), vec![]),
        (format!("/console/acme/users/{mia}/deactivate"), vec![]),
        (format!("/console/acme/users/{mia}/reset"), vec![]),
        (
            "/console/acme/connections/acme-idp/scim".to_owned(),
            vec![("label", "okta")],
        ),
        (
            "/console/acme/users/bulk".to_owned(),
            vec![("do", "deactivate"), ("account", mia.as_str()), ("sure", "1")],
        ),
        (
            "/console/acme/users/bulk".to_owned(),
            vec![("do", "pin"), ("everybody", "1"), ("sure", "1")],
        ),
        (
            "/console/acme/conversions/new".to_owned(),
            vec![
                ("do", "start"),
                ("connection", "acme-idp"),
                ("who", "all"),
                ("user", "1"),
            ],
        ),
        (
            "/console/acme/domains/acme.example".to_owned(),
            vec![("do", "give-up")],
        ),
        (
            "/console/acme/developers".to_owned(),
            vec![("label", "key"), ("scope", "accounts:read")],
        ),
    ] {
        let page = act(&mut olga, &path, &fields).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{path}");
        assert!(
            page.body.contains("/account/confirm?to="),
            "{path}: {}",
            page.body
        );
    }
    let page = act(&mut olga, &format!("/console/acme/users/{mia}/pin"), &[]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "pinning is not dangerous");
    // Signing in again leads back, and then it works.
    let mut olga = sign_in(&app, "olga@acme.example").await;
    let page = act(&mut olga, &format!("/console/acme/users/{mia}/delete"), &[]).await;
    assert_eq!(
        page.location().as_deref(),
        Some("/console/acme/users?done=delete")
    );
}
