//! The end of a connection: whom it concerns, what becomes of them, and that they can go on.

use axum::http::{Method, StatusCode};
use provost::flow::api_keys::Caller;
use provost::flow::configuration::{self, Outcome, People};
use serde_json::{Value, json};

use super::{choose_password, with_mail};
use crate::api::{ANN, Client, ann, code, furnish};
use crate::app::TestApp;
use crate::directory::{self, ORGANIZATION};
use crate::saml_idp::{Person, sign_in};

const PATH: &str = "/api/v1/connections/okta";
const PASSWORD: &str = "correct horse battery";

async fn outlook(client: &mut Client, people: &str) -> Value {
    client
        .get(&format!("{PATH}/affected?people={people}"))
        .await
        .json()["outlook"]
        .clone()
}

/// Somebody who is owner through the connection, whom a key of the organization may not touch.
async fn an_owner(app: &TestApp) -> String {
    let mut everything = Client::new(app, None).await;
    let body = json!({ "email": "olga@home-lab.example", "connection": "okta", "memberships": [{ "organization": ORGANIZATION, "roles": ["owner"] }] });
    let made = everything.post("/api/v1/accounts", &body).await.json();
    made["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
}

/// Ann, who came just in time; an owner; and Tim, who has a password account beside the one of the connection.
async fn people(app: &TestApp) -> (Client, [String; 3]) {
    furnish(app).await;
    let mut own = Client::new(app, Some(ORGANIZATION)).await;
    let (ann, owner) = (ann(app).await, an_owner(app).await);
    let twin = json!({ "email": "tim@home-lab.example", "connection": "okta" });
    let made = own.post("/api/v1/accounts", &twin).await.json();
    let tim = made["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    directory::standard_account(&app.app, "tim@home-lab.example", None).await;
    (own, [ann, owner, tim])
}

#[tokio::test]
async fn r176_who_would_be_affected_and_how_is_shown_first_and_changes_nothing() {
    with_mail(|app, _mailbox| async move {
        let (mut own, [ann, owner, tim]) = people(&app).await;
        let path = format!("/api/v1/accounts/{ann}");
        let before = own.get(&path).await.json();
        let shown = outlook(&mut own, "convert").await;
        let refused = json!({ "conflict": 1, "not_permitted": 1 });
        assert_eq!(
            (&shown["done"], &shown["refused"]),
            (&json!(1), &refused),
            "{shown}"
        );
        let rows = shown["refused_people"].as_array().unwrap();
        let mut named: Vec<&str> = rows.iter().map(|one| one["account"].as_str().unwrap()).collect();
        named.sort_unstable();
        let mut expected = [owner.as_str(), tim.as_str()];
        expected.sort_unstable();
        assert_eq!(named, expected);
        let shown = outlook(&mut own, "delete").await;
        assert_eq!(
            shown["done"], 2,
            "only the owner may not be deleted by this key: {shown}"
        );
        assert_eq!(own.get(&path).await.json(), before);
    })
    .await;
}

#[tokio::test]
async fn r176_people_become_password_accounts_that_go_on_with_everything_and_nobody_else_comes_in() {
    with_mail(|app, mailbox| async move {
        let (mut own, [id, _, _]) = people(&app).await;
        let path = format!("/api/v1/accounts/{id}");
        let before = own.get(&path).await.json();
        let mut browser = app.browser();
        let person = Person::new("ann-1", ANN).with("groups", &["admin"]);
        sign_in(&app.app, &mut browser, "okta", &person).await;
        let page = own.send(Method::DELETE, &format!("{PATH}?people=convert")).await;
        let ended = page.json();
        let refused = json!({ "conflict": 1, "not_permitted": 1 });
        assert_eq!(ended["outcome"], "retired", "{ended}");
        assert_eq!(
            (&ended["people"]["done"], &ended["people"]["refused"]),
            (&json!(1), &refused)
        );
        // Her account, roles and memberships are what they were, but for the way in.
        let page = browser.get("/account").await;
        assert_eq!(page.location().as_deref(), Some("/login"), "her session is over");
        let after = own.get(&path).await.json();
        assert_eq!(
            (&after["sso"], &after["status"]),
            (&json!(false), &json!("active")),
            "{after}"
        );
        assert_eq!(
            after["memberships"][0]["roles"],
            before["memberships"][0]["roles"]
        );
        let link = mailbox.of(&app, ANN).await[0].link("/password/");
        let page = choose_password(&mut app.browser(), &link, PASSWORD).await;
        assert_eq!(page.location().as_deref(), Some("/account"), "{}", page.body);
        let page = app.browser().get("/sso/okta/login").await;
        assert!(page.body.contains("switched off"), "{}", page.body);
        // The decision about her is explained, and the end is in the audit log with its numbers.
        let log = own.get("/api/v1/audit?kind=connection.retired").await.json();
        let data = json!({ "people": "convert", "done": 1, "refused": refused });
        assert_eq!(log["items"][0]["data"], data, "{log}");
        // What an account is stands in the log of the instance.
        let mut everything = Client::new(&app, None).await;
        let changes = everything
            .get(&format!("/api/v1/audit?account={id}&kind=user"))
            .await
            .json();
        let mut rows = changes["items"].as_array().unwrap().iter();
        let converted = rows.find(|row| row["kind"] == "user.authentication_changed");
        assert!(converted.unwrap()["trace"].is_string(), "{changes}");
    })
    .await;
}

#[tokio::test]
async fn r176_without_mail_nobody_is_left_with_an_account_that_has_no_way_in() {
    let app = TestApp::start().await;
    furnish(&app).await;
    let mut own = Client::new(&app, Some(ORGANIZATION)).await;
    let page = own.send(Method::DELETE, &format!("{PATH}?people=convert")).await;
    assert_eq!(
        (page.status, code(&page).as_str()),
        (StatusCode::CONFLICT, "mail_off")
    );
    assert_eq!(own.get(PATH).await.json()["enabled"], true, "nothing was begun");
    let page = own.send(Method::DELETE, &format!("{PATH}?people=keep")).await;
    assert_eq!(page.json()["outcome"], "retired", "{}", page.body);
    let again = own
        .get(&format!("/api/v1/accounts/{}", ann(&app).await))
        .await
        .json();
    assert_eq!(again["sso"], true, "{again}");
}

#[tokio::test]
async fn r176_many_people_are_dealt_with_in_the_background_and_a_job_that_runs_twice_does_no_harm() {
    with_mail(|app, _mailbox| async move {
        furnish(&app).await;
        for number in 0..205 {
            directory::sso_account(&app.app, &format!("p{number}@home-lab.example"), "okta").await;
        }
        let operator = Caller::operator();
        let ended = configuration::delete_connection(&app.app, &operator, "okta", Some(People::Delete))
            .await
            .unwrap();
        assert_eq!(ended.outcome, Outcome::Ending);
        let mut client = Client::new(&app, None).await;
        assert_eq!(
            client.get(PATH).await.json()["enabled"],
            false,
            "nobody comes in from the beginning on"
        );
        let jobs = client.get("/api/v1/jobs?kind=connection_ending").await.json();
        assert_eq!(jobs["items"].as_array().unwrap().len(), 1, "{jobs}");
        let payload = waiting_job(&app).await;
        for _ in 0..2 {
            configuration::ending::work(&app.app, &payload).await.unwrap();
        }
        let left = client.get(&format!("{PATH}/affected")).await.json();
        assert_eq!(left["count"], 0, "{left}");
        let gone = client
            .get("/api/v1/accounts?connection=okta&status=deleted&limit=200")
            .await
            .json();
        assert_eq!(
            gone["items"].as_array().unwrap().len(),
            200,
            "a full page of the deleted"
        );
        let log = client
            .get(&format!(
                "/api/v1/audit?organization={ORGANIZATION}&kind=connection.retired"
            ))
            .await
            .json();
        assert_eq!(log["items"][1]["data"]["done"], 206, "{log}");
        assert_eq!(
            log["items"][0]["data"]["done"], 0,
            "the second time there was nobody: {log}"
        );
    })
    .await;
}

/// What the waiting job is about.
async fn waiting_job(app: &TestApp) -> Value {
    let now = app.app.world.now();
    let claimed: Result<_, provost_store::StoreError> = app
        .app
        .store
        .write(move |tx| {
            Box::pin(async move {
                let kinds = ["connection_ending"];
                tx.claim_jobs(&kinds, 1, jiff::SignedDuration::from_mins(5), "test", now)
                    .await
            })
        })
        .await;
    claimed.unwrap().remove(0).job.payload
}
