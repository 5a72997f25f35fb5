//! `/login/account`: where the connection asks, the person says which of several accounts is hers.

use axum::http::StatusCode;
use jiff::SignedDuration;
use provost_kernel::connection::{MatchStep, OnAmbiguous};
use provost_kernel::directory::Authentication;
use provost_store::TraceFilter;

use crate::app::{Browser, Page, TestApp, on_each_engine};
use crate::directory::{self, account_count, reference, trace};
use crate::saml_idp::{self, Person, sign_in};

/// A provider whose people are known by user name, and two accounts that the same person may mean: one has her subject as its
/// user name, the other one the name that the provider asserts. Returns their ids.
async fn twins(app: &TestApp, on_ambiguous: OnAmbiguous) -> [String; 2] {
    directory::organization(&app.app).await;
    saml_idp::connect(&app.app, "okta", |_| {}).await;
    directory::change_connection(&app.app, "okta", |connection, _| {
        connection.settings.match_chain = vec![MatchStep::Subject, MatchStep::UserName];
        connection.settings.on_ambiguous = on_ambiguous;
    })
    .await;
    let mut ids = [String::new(), String::new()];
    for (name, id) in ["ann-1", "ann"].into_iter().zip(&mut ids) {
        let sso = Authentication::Sso {
            connection: "okta".into(),
        };
        let mut account = directory::account(&app.app, &format!("{name}.old@home-lab.example"), sso);
        account.user_name = Some(name.to_owned());
        account.display_name = Some(format!("Ann of {name}"));
        *id = account.id.to_string();
        directory::create_account(&app.app, account).await;
    }
    ids
}

fn ann() -> Person {
    Person::new("ann-1", "ann@home-lab.example").with("userName", &["ann"])
}

/// Signs in as far as the choice and returns the page with it.
async fn asked(app: &TestApp, browser: &mut Browser) -> Page {
    let page = sign_in(&app.app, browser, "okta", &ann()).await;
    assert_eq!(
        page.location().as_deref(),
        Some("/login/account"),
        "{}",
        page.body
    );
    let page = browser.get("/login/account").await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    page
}

async fn choose(browser: &mut Browser, page: &Page, account: &str) -> Page {
    let form = page.form("/login/account");
    browser.submit(&form, &[("account", account)]).await
}

#[tokio::test]
async fn r128_the_person_says_which_account_is_hers_and_it_stays_hers() {
    on_each_engine(|app| async move {
        let [_, second] = twins(&app, OnAmbiguous::Ask).await;
        let mut browser = app.browser();
        let page = asked(&app, &mut browser).await;
        for part in [
            "Which account is yours?",
            "Ann of ann-1",
            "Ann of ann",
            "None of these",
        ] {
            assert!(page.body.contains(part), "{part}: {}", page.body);
        }
        let done = choose(&mut browser, &page, &second).await;
        assert_eq!(done.location().as_deref(), Some("/account"), "{}", done.body);
        let filter = TraceFilter {
            account: Some(second.as_str().into()),
            ..TraceFilter::default()
        };
        let traces = app
            .app
            .store
            .read(|reader| Box::pin(async move { reader.traces(&filter, 5).await }));
        let traces = traces.await.unwrap();
        assert!(
            traces
                .iter()
                .any(|one| one.trace.steps.iter().any(|step| step.code == "chosen")),
            "{traces:?}"
        );
        // The next time nobody is asked, and no account was made.
        let again = sign_in(&app.app, &mut app.browser(), "okta", &ann()).await;
        assert_eq!(again.location().as_deref(), Some("/account"));
        assert_eq!(account_count(&app.app).await, 2);
        // The choice was good once.
        assert_eq!(
            browser.get("/login/account").await.location().as_deref(),
            Some("/login")
        );
    })
    .await;
}

#[tokio::test]
async fn r128_nobody_is_asked_where_the_connection_refuses() {
    on_each_engine(|app| async move {
        twins(&app, OnAmbiguous::Fail).await;
        let page = sign_in(&app.app, &mut app.browser(), "okta", &ann()).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
        assert_eq!(
            trace(&app.app, &reference(&page)).await.verdict,
            "ambiguous_match"
        );
    })
    .await;
}

#[tokio::test]
async fn r128_whoever_chooses_none_of_them_is_told_whom_to_ask() {
    on_each_engine(|app| async move {
        twins(&app, OnAmbiguous::Ask).await;
        let mut browser = app.browser();
        let page = asked(&app, &mut browser).await;
        let refused = choose(&mut browser, &page, "").await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.body);
        assert_eq!(
            trace(&app.app, &reference(&refused)).await.verdict,
            "ambiguous_match"
        );
        assert_eq!(
            browser.get("/account").await.location().as_deref(),
            Some("/login")
        );
    })
    .await;
}

#[tokio::test]
async fn r128_a_choice_is_bound_to_its_browser_its_time_and_the_accounts_offered() {
    on_each_engine(|app| async move {
        let [first, _] = twins(&app, OnAmbiguous::Ask).await;
        let stranger = directory::sso_account(&app.app, "dora@home-lab.example", "okta").await;
        let mut browser = app.browser();
        let page = asked(&app, &mut browser).await;
        // Somebody who does not fit is nobody's to choose, and the choice stays open.
        let other = choose(&mut browser, &page, stranger.as_str()).await;
        assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", other.body);
        // The token of one browser is of no use in another one, with a form of its own.
        let mut thief = app.browser();
        thief.get("/login").await;
        thief.cookies.insert(
            "provost_half".to_owned(),
            browser.cookies.get("provost_half").unwrap().clone(),
        );
        let form = thief.get("/login").await.form("/login");
        let fields = [
            ("form_token", form.fields["form_token"].as_str()),
            ("account", first.as_str()),
        ];
        let stolen = thief.post("/login/account", &fields).await;
        assert_eq!(stolen.location().as_deref(), Some("/login"), "{}", stolen.body);
        // A form from elsewhere.
        let foreign = browser
            .post("/login/account", &[("account", first.as_str())])
            .await;
        assert_eq!(foreign.status, StatusCode::FORBIDDEN);
        // What waits for a choice is no second step of a password.
        assert_eq!(
            browser.get("/login/second").await.location().as_deref(),
            Some("/login")
        );
        app.app.world.advance(SignedDuration::from_mins(11));
        let late = choose(&mut browser, &page, &first).await;
        assert_eq!(late.location().as_deref(), Some("/login"), "{}", late.body);
    })
    .await;
}

#[tokio::test]
async fn r128_a_choice_is_judged_anew_when_it_is_made() {
    on_each_engine(|app| async move {
        let [first, second] = twins(&app, OnAmbiguous::Ask).await;
        let mut browser = app.browser();
        let page = asked(&app, &mut browser).await;
        // Meanwhile the account was taken out of use: only the other one fits.
        let found = directory::accounts(&app.app, "ann-1.old@home-lab.example").await;
        directory::set_status(&app.app, &found[0], provost_kernel::directory::Status::Suspended).await;
        let done = choose(&mut browser, &page, &first).await;
        assert_eq!(done.status, StatusCode::FORBIDDEN, "{}", done.body);
        let record = trace(&app.app, &reference(&done)).await;
        assert!(
            record.trace.steps.iter().any(|step| step.code == "choice_gone"),
            "{record:?}"
        );
        // Nobody was moved; the other account waits for who says that it is hers.
        let other = directory::accounts(&app.app, "ann.old@home-lab.example").await;
        assert_eq!(other[0].id.as_str(), second);
    })
    .await;
}
