//! Links for colleagues (page map 17): the same scope, a step, an end of their own, and never longer than what they came from.

use axum::http::StatusCode;
use jiff::SignedDuration;
use provost::flow::api_keys::Caller;
use provost::flow::setup::links::{self, Scope};
use secrecy::ExposeSecret as _;

use super::{WORLD, audit, begin, link, send, sign_in, step};
use crate::app::{Browser, Page, TestApp, on_each_engine};
use crate::scim::lab;

const PAGE: &str = "/setup/colleague";

/// Opens a link that lasts seven days and begins a set-up with it.
async fn ivo(app: &TestApp, scopes: &[Scope]) -> (Browser, String, String) {
    let (id, path) = link(app, scopes, None).await;
    let mut ivo = app.browser();
    ivo.get(&path).await;
    let (setup, _) = begin(&mut ivo, "/setup", "okta.saml").await;
    (ivo, id, setup)
}

/// The address of a link that a page shows once.
fn shown(page: &Page) -> String {
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    let (_, rest) = page
        .body
        .split_once("/setup/pvl_")
        .unwrap_or_else(|| panic!("{}", page.body));
    format!("/setup/pvl_{}", rest.split('<').next().unwrap())
}

/// The first link that the page offers to revoke.
async fn revocable(browser: &mut Browser) -> String {
    let page = browser.get(PAGE).await;
    let (_, rest) = page
        .body
        .split_once("name=\"revoke\" value=\"")
        .unwrap_or_else(|| panic!("{}", page.body));
    rest.split('"').next().unwrap().to_owned()
}

async fn ask(browser: &mut Browser, days: &str) -> Page {
    let at = format!("{PAGE}?step=values");
    send(
        browser,
        &at,
        PAGE,
        &[("step", "values"), ("label", "Kim"), ("days", days)],
    )
    .await
}

#[tokio::test]
async fn a_colleague_gets_the_step_with_the_same_scope_and_no_more() {
    on_each_engine(|app| async move {
        lab::apply(&app.app, WORLD).await;
        let (mut ivo, id, setup) = ivo(&app, &[Scope::Sso]).await;
        let values = ivo.get(&format!("{setup}/values")).await;
        assert!(
            values.body.contains("/setup/colleague?step=values"),
            "{}",
            values.body
        );
        let path = shown(&ask(&mut ivo, "2").await);
        let mut kim = app.browser();
        let opened = kim.get(&path).await;
        assert_eq!(
            opened.location().as_deref(),
            Some(format!("{setup}/values").as_str())
        );
        let page = kim.get(&format!("{setup}/values")).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        assert!(!page.body.contains(PAGE), "a colleague asks nobody else");
        assert_eq!(
            kim.get(&format!("{setup}/domain")).await.status,
            StatusCode::FORBIDDEN
        );
        assert_eq!(kim.get("/setup/domain").await.status, StatusCode::FORBIDDEN);
        assert_eq!(kim.get(PAGE).await.status, StatusCode::FORBIDDEN);
        let refused = send(&mut kim, &format!("{setup}/values"), PAGE, &[("label", "x")]).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.body);
        let listed = links::list(&app.app, &Caller::operator(), "acme").await.unwrap();
        let child = listed.iter().find(|link| link.asked_from.is_some()).unwrap();
        assert_eq!(child.created_by, format!("setup_link:{id}@acme"));
        assert_eq!(child.scopes, ["sso"]);
        assert_eq!(audit(&app, "setup_link.created").await.len(), 2);
        // Ivo's own goes on; Kim's own end comes first.
        app.app.world.advance(SignedDuration::from_hours(49));
        assert_eq!(kim.get(&format!("{setup}/values")).await.status, StatusCode::GONE);
        assert_eq!(ivo.get(&format!("{setup}/values")).await.status, StatusCode::OK);
    })
    .await;
}

#[tokio::test]
async fn a_colleagues_link_never_outlives_the_one_it_came_from() {
    on_each_engine(|app| async move {
        lab::apply(&app.app, WORLD).await;
        let (mut holder, id, setup) = ivo(&app, &[]).await;
        for days in ["0", "15", "soon"] {
            assert_eq!(
                ask(&mut holder, days).await.status,
                StatusCode::BAD_REQUEST,
                "{days}"
            );
        }
        // Its own link ends after seven days.
        let first = shown(&ask(&mut holder, "14").await);
        let operator = Caller::operator();
        let listed = links::list(&app.app, &operator, "acme").await.unwrap();
        let ends: Vec<_> = listed.iter().map(|link| link.expires_at).collect();
        assert_eq!(ends.len(), 2);
        assert_eq!(ends[0], ends[1]);
        let mut kim = app.browser();
        kim.get(&first).await;
        app.app.world.advance(SignedDuration::from_secs(60));
        let second = shown(&ask(&mut holder, "1").await);
        let mut lou = app.browser();
        lou.get(&second).await;
        let at = format!("{setup}/values");

        // Taken back by whoever made it; a stranger's link takes nothing back.
        let newest = revocable(&mut holder).await;
        let (mut stranger, _, _) = ivo(&app, &[]).await;
        let refused = send(&mut stranger, PAGE, PAGE, &[("revoke", &newest)]).await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{}", refused.body);
        let done = send(&mut holder, PAGE, PAGE, &[("revoke", &newest)]).await;
        assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
        assert_eq!(lou.get(&at).await.status, StatusCode::GONE);
        assert_eq!(kim.get(&at).await.status, StatusCode::OK);

        // A new address for Ivo ends what was made with the old one.
        let renewed = links::regenerate(&app.app, &operator, "acme", &id, None)
            .await
            .unwrap();
        assert_eq!(kim.get(&at).await.status, StatusCode::GONE);
        let url = renewed.url.expose_secret().to_owned();
        holder.get(&url[url.find("/setup/").unwrap()..]).await;
        let third = shown(&ask(&mut holder, "1").await);
        kim.get(&third).await;
        assert_eq!(kim.get(&at).await.status, StatusCode::OK);
        links::revoke(&app.app, &operator, "acme", &id).await.unwrap();
        assert_eq!(kim.get(&at).await.status, StatusCode::GONE);
        assert_eq!(app.browser().get(&third).await.status, StatusCode::GONE);
    })
    .await;
}

#[tokio::test]
async fn a_colleague_who_begins_anew_takes_everybody_along_and_there_are_five_at_most() {
    on_each_engine(|app| async move {
        lab::apply(&app.app, WORLD).await;
        let (mut holder, _, setup) = ivo(&app, &[]).await;
        let mut kim = app.browser();
        kim.get(&shown(&ask(&mut holder, "1").await)).await;
        let (anew, id) = begin(&mut kim, "/setup", "entra.saml").await;
        assert_ne!(anew, setup);
        assert_eq!(
            holder.get(&format!("{setup}/values")).await.status,
            StatusCode::NOT_FOUND
        );
        assert_eq!(holder.get(&format!("{anew}/values")).await.status, StatusCode::OK);
        for _ in 0..4 {
            shown(&ask(&mut holder, "1").await);
        }
        let sixth = ask(&mut holder, "1").await;
        assert_eq!(sixth.status, StatusCode::CONFLICT, "{}", sixth.body);
        // Whoever is in the console sees all of them, and has no such page.
        let mut olga = sign_in(&app, "olga@acme.example").await;
        let listed = olga.get("/console/acme/setup-links").await;
        assert_eq!(
            listed.body.matches("made for a colleague").count(),
            5,
            "{}",
            listed.body
        );
        let here = olga
            .get(&format!("/console/acme/connections/{id}/setup/values"))
            .await;
        assert!(!here.body.contains(PAGE), "{}", here.body);
        assert_eq!(olga.get(PAGE).await.status, StatusCode::FORBIDDEN);
        step(&mut kim, &format!("{anew}/domain"), &[("domain", "acme.example")]).await;
    })
    .await;
}
