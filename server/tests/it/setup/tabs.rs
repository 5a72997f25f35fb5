//! Tabs that change a connection, and who may set one up at all.

use axum::http::StatusCode;

use super::{WORLD, link, sign_in, step};
use crate::app::TestApp;
use crate::scim::lab;

#[tokio::test]
async fn r43_the_mode_is_a_form_and_deleting_wants_the_name_typed() {
    let app = TestApp::start().await;
    lab::apply(&app.app, WORLD).await;
    let mut gil = sign_in(&app, "gil@globex.example").await;
    let base = "/console/globex/connections/globex-idp";
    for tab in ["claims", "provisioning", "more"] {
        let page = gil.get(&format!("{base}/{tab}")).await;
        assert_eq!(page.status, StatusCode::OK, "{tab}: {}", page.body);
    }
    let fields = [
        ("mode", "manual"),
        ("on_lost_match", "keep"),
        ("require_domain", "true"),
    ];
    let saved = step(&mut gil, &format!("{base}/provisioning"), &fields).await;
    assert_eq!(
        saved.location(),
        Some(format!("{base}/provisioning?done=saved")),
        "{}",
        saved.body
    );
    let shown = gil.get(&format!("{base}/provisioning")).await;
    assert!(shown.body.contains("value=\"manual\" checked"), "{}", shown.body);
    assert!(shown.body.contains("value=\"keep\" selected"), "{}", shown.body);

    let fields = [("email_path", "contact.mail")];
    let saved = step(&mut gil, &format!("{base}/claims"), &fields).await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.body);
    let wrong = step(&mut gil, &format!("{base}/claims"), &[("email_path", "contact.")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", wrong.body);

    let fields = [("name", "Globex ID"), ("idle", "30"), ("enabled", "on")];
    let saved = step(&mut gil, &format!("{base}/more"), &fields).await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.body);
    let shown = gil.get(&format!("{base}/more")).await;
    assert!(
        shown.body.contains("value=\"30\"") && shown.body.contains("Globex ID"),
        "{}",
        shown.body
    );

    let typed = [("delete", "1"), ("confirm", "something")];
    let refused = step(&mut gil, &format!("{base}/more"), &typed).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    let typed = [("delete", "1"), ("confirm", "globex-idp")];
    let gone = step(&mut gil, &format!("{base}/more"), &typed).await;
    assert_eq!(
        gone.location().as_deref(),
        Some("/console/globex/connections?done=deleted")
    );
    assert_eq!(gil.get(base).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn c21_who_may_set_up_is_said_by_the_organization() {
    let app = TestApp::start().await;
    for (setup, console, by_link) in [
        ("self_service", StatusCode::OK, StatusCode::OK),
        ("link", StatusCode::FORBIDDEN, StatusCode::OK),
        ("operator_only", StatusCode::FORBIDDEN, StatusCode::FORBIDDEN),
    ] {
        let world = WORLD.replace("name: Acme\n", &format!("name: Acme\n    setup: {setup}\n"));
        lab::apply(&app.app, &world).await;
        let mut olga = sign_in(&app, "olga@acme.example").await;
        let page = olga.get("/console/acme/connections/new").await;
        assert_eq!(page.status, console, "{setup}: {}", page.body);
        let (_, path) = link(&app, &[], None).await;
        let mut ivo = app.browser();
        ivo.get(&path).await;
        let page = ivo.get("/setup/connections/new").await;
        assert_eq!(page.status, by_link, "{setup}: {}", page.body);
    }
}
