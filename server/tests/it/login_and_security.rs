//! `/console/{organization}/sign-in`: what is demanded and what is missing for it, emergency admins, and refusals in words.

use axum::http::StatusCode;

use crate::api::{Client, furnish};
use crate::app::{Browser, Page, TestApp, on_each_engine};
use crate::directory::{self, ORGANIZATION};
use crate::enforcement::{ADMIN, emergency_admin};
use crate::second_factors::{CARA, PASSWORD, member, recovery_codes, signed_in};

const OWNER: &str = "olga@freelance.example";
const PAGE: &str = "/console/home-lab/sign-in";

async fn owner(app: &TestApp, role: &str) -> Browser {
    let roles = "organizations: [{ id: home-lab, name: Home Lab, roles_per_member: many, \
                 roles: [{ id: owner, name: Owner }, { id: admin, name: Admin }, { id: member, name: Member, default: true }] }]";
    crate::declarative::apply(&app.app, roles, std::path::Path::new("."))
        .await
        .unwrap();
    let id = directory::standard_account(&app.app, OWNER, Some(PASSWORD)).await;
    member(app, &id, role).await;
    signed_in(app, OWNER).await
}

/// Sends the form about what is demanded.
async fn save(browser: &mut Browser, fields: &[(&str, &str)]) -> Page {
    let mut form = browser.get(PAGE).await.form(PAGE);
    for name in ["sso", "second_factor", "exceptions"] {
        form.fields.remove(name);
    }
    browser.submit(&form, fields).await
}

async fn send(browser: &mut Browser, fields: &[(&str, &str)]) -> Page {
    let token = browser.get("/account").await.form("/logout").fields["form_token"].clone();
    let mut all = vec![("form_token", token.as_str())];
    all.extend_from_slice(fields);
    browser.post(PAGE, &all).await
}

/// The last emergency admin stays while single sign-on is demanded, and the page says why.
async fn the_last_one_stays(olga: &mut Browser, cara: &str) {
    let page = send(olga, &[("do", "unmark"), ("account", cara)]).await;
    assert_eq!(page.status, StatusCode::CONFLICT);
    assert!(page.body.contains("last emergency admin"), "{}", page.body);
    let page = save(olga, &[("sso", "optional")]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.body);
    let page = send(olga, &[("do", "unmark"), ("account", cara)]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.body);
}

#[tokio::test]
async fn r184_the_page_lists_what_is_missing_and_demands_once_nothing_is() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let mut olga = owner(&app, "owner").await;
        let page = olga.get(PAGE).await;
        assert!(page.body.contains("There is an emergency admin"), "{}", page.body);
        assert!(page.body.contains("value=\"required\" disabled"), "{}", page.body);
        // A form that a page did not offer is refused by the same law.
        let refused = save(&mut olga, &[("sso", "required")]).await;
        assert_eq!(refused.status, StatusCode::CONFLICT);
        assert!(
            refused.body.contains("cannot be demanded yet"),
            "{}",
            refused.body
        );
        let wrong = save(
            &mut olga,
            &[
                ("sso", "optional"),
                ("exceptions", "boss@home-lab.example\nno address"),
            ],
        )
        .await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
        // Somebody who has no password cannot be one; Cara can.
        for email in ["ann@home-lab.example", "nobody@home-lab.example", "x"] {
            let page = send(&mut olga, &[("do", "mark"), ("email", email)]).await;
            assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{email}");
        }
        let cara = directory::standard_account(&app.app, CARA, Some(PASSWORD)).await;
        member(&app, &cara, "admin").await;
        let page = send(&mut olga, &[("do", "mark"), ("email", CARA)]).await;
        assert_eq!(
            page.location().as_deref(),
            Some("/console/home-lab/sign-in?done=marked#emergency"),
            "{}",
            page.body
        );
        let page = olga.get(PAGE).await;
        assert!(
            page.body.contains("password not proved") && page.body.contains("0 recovery codes"),
            "{}",
            page.body
        );
        recovery_codes(&mut signed_in(&app, CARA).await).await;
        let page = olga.get(PAGE).await;
        assert!(page.body.contains("10 recovery codes"), "{}", page.body);
        assert!(
            !page.body.contains("value=\"required\" disabled"),
            "{}",
            page.body
        );
        let done = save(
            &mut olga,
            &[
                ("sso", "required"),
                ("exceptions", "olga@freelance.example"),
                ("second_factor", "1"),
            ],
        )
        .await;
        assert_eq!(
            done.location().as_deref(),
            Some("/console/home-lab/sign-in?done=sign_in"),
            "{}",
            done.body
        );
        let stored = Client::new(&app, None)
            .await
            .get("/api/v1/organizations/home-lab/sign-in")
            .await
            .json();
        assert_eq!(stored["sso"], "required");
        assert_eq!(stored["exceptions"][0], OWNER);
        assert_eq!(stored["second_factor_for_admins"], true);
        the_last_one_stays(&mut olga, cara.as_str()).await;
    })
    .await;
}

#[tokio::test]
async fn an_admin_sees_the_page_and_changes_nothing_on_it() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        emergency_admin(&app).await;
        let mut adam = owner(&app, "admin").await;
        let page = adam.get(PAGE).await;
        assert!(page.body.contains("Only owners change this"), "{}", page.body);
        let refused = send(&mut adam, &[("sso", "required")]).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        let emergency = directory::accounts(&app.app, ADMIN).await.remove(0).id;
        for fields in [
            vec![("do", "mark"), ("email", OWNER)],
            vec![("do", "unmark"), ("account", emergency.as_str())],
        ] {
            let page = send(&mut adam, &fields).await;
            assert_eq!(page.status, StatusCode::CONFLICT, "{fields:?}");
            assert!(
                page.body.contains("You may not change this person"),
                "{}",
                page.body
            );
        }
        let stored = Client::new(&app, None)
            .await
            .get("/api/v1/organizations/home-lab/sign-in")
            .await
            .json();
        assert_eq!(stored["sso"], "optional");
        // An account of elsewhere is out of reach, mark or no mark.
        let stranger = directory::standard_account(&app.app, "eve@other.example", Some(PASSWORD)).await;
        let page = send(&mut adam, &[("do", "unmark"), ("account", stranger.as_str())]).await;
        assert_eq!(page.status, StatusCode::CONFLICT);
        app.app.world.advance(jiff::SignedDuration::from_mins(16));
        let old = send(&mut adam, &[("do", "mark"), ("email", OWNER)]).await;
        assert_eq!(old.status, StatusCode::FORBIDDEN);
        assert!(old.body.contains("/account/confirm"), "{}", old.body);
        assert_eq!(ORGANIZATION, "home-lab");
    })
    .await;
}
