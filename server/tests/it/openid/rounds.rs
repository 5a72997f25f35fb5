//! How often a whole sign-in asks the database. No assertion on time: rounds are what a sign-in costs, most of all on
//! PostgreSQL, where each is a round trip.

use axum::http::StatusCode;
use provost::flow::limits::{self, Limited};
use provost_store::Store;

use crate::app::on_each_engine;
use crate::openid::lab::Lab;
use crate::{directory, saml_idp};

/// From the app's redirect to its tokens: look and keep; look and keep; take, decide (facts, and all that changes in one
/// statement); look, keep the code; look, redeem.
const POSTGRES: u64 = 11;
/// On SQLite a round is a function call; the end of the transaction takes three there.
const SQLITE: u64 = 13;

async fn whole_sign_in(lab: &Lab, person: &saml_idp::Person) -> u64 {
    let app = lab.app();
    let (rp, mut browser) = (lab.rp(), lab.test.browser());
    let before = app.store.rounds();
    let page = browser.get(&rp.authorize(&[("connection", "okta")])).await;
    let page = browser.get(&page.location().unwrap()).await;
    let request = saml_idp::read_request(&page);
    let answer = saml_idp::Answer::new(app, "okta", Some(&request.request.id)).issue(person);
    let page = saml_idp::post(&mut browser, "okta", &answer, &request.relay_state).await;
    let page = browser.get(&page.location().unwrap()).await;
    let location = page.location().unwrap();
    let code = location.split_once("code=").unwrap().1;
    let code = code.split('&').next().unwrap();
    lab.redeem(&rp, code).await;
    rounds_since(&app.store, before)
}

fn rounds_since(store: &Store, before: u64) -> u64 {
    store.rounds() - before
}

#[tokio::test]
async fn a_sign_in_needs_few_rounds_to_the_database() {
    on_each_engine(|app| async move {
        directory::organization(&app.app).await;
        saml_idp::connect(&app.app, "okta", |_| {}).await;
        let lab = Lab { test: app };
        lab.register(
            "app",
            serde_json::json!({}),
            Some(crate::openid::lab::SECRET),
            None,
        )
        .await;
        let person = |number: usize| {
            saml_idp::Person::new(&format!("ann-{number}"), &format!("ann{number}@home-lab.example"))
        };
        let most = match lab.app().store.engine_name() {
            "postgres" => POSTGRES,
            _ => SQLITE,
        };
        // The first one fills the caches and makes the signing keys.
        whole_sign_in(&lab, &person(0)).await;
        // Once a second the signing keys are looked at again, which a slow machine may do in the midst of each: the least counts.
        let (mut newcomer, mut returning) = (u64::MAX, u64::MAX);
        for new in 1..5 {
            newcomer = newcomer.min(whole_sign_in(&lab, &person(new)).await);
            returning = returning.min(whole_sign_in(&lab, &person(new)).await);
        }
        assert!(newcomer <= most, "a new person took {newcomer} rounds");
        // One more: in which organizations the log is to tell of her, who was there before.
        assert!(
            returning <= most + 1,
            "a returning person took {returning} rounds"
        );
    })
    .await;
}

#[tokio::test]
async fn guessing_at_the_token_endpoint_is_limited() {
    on_each_engine(|app| async move {
        let lab = Lab::new(app).await;
        let form = [("grant_type", "refresh_token"), ("refresh_token", "pvr_guess")];
        assert_eq!(lab.token("app", &form).await.status, StatusCode::BAD_REQUEST);
        while limits::count(lab.app(), Limited::Token, "127.0.0.1")
            .await
            .is_ok()
        {}
        let page = lab.token("app", &form).await;
        assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS);
        assert!(page.header("retry-after").is_some());
    })
    .await;
}
