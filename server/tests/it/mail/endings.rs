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

#[tokio::test]
async fn r176_people_are_shown_first_and_become_password_accounts_that_go_on_with_everything() {
    with_mail(|app, mailbox| async move {
        furnish(&app).await;
        let mut own = Client::new(&app, Some(ORGANIZATION)).await;
        let id = ann(&app).await;
        let before = own.get(&format!("/api/v1/accounts/{id}")).await.json();
        let owner = an_owner(&app).await;
        // Somebody with a password account beside it needs no second one.
        let twin = json!({ "email": "tim@home-lab.example", "connection": "okta" });
        let tim = own.post("/api/v1/accounts", &twin).await.json()["id"]
            .as_str()
            .unwrap()
            .to_owned();
        directory::standard_account(&app.app, "tim@home-lab.example", None).await;
        let shown = outlook(&mut own, "convert").await;
        assert_eq!(
            (&shown["done"], &shown["refused"]),
            (&json!(1), &json!({ "conflict": 1, "not_permitted": 1 })),
            "{shown}"
        );
        let mut named: Vec<&str> = shown["refused_people"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["account"].as_str().unwrap())
            .collect();
        named.sort_unstable();
        let mut expected = [owner.as_str(), tim.as_str()];
        expected.sort_unstable();
        assert_eq!(named, expected);
        assert_eq!(
            outlook(&mut own, "delete").await["done"],
            2,
            "only the owner may not be deleted by this key"
        );
        assert_eq!(
            own.get(&format!("/api/v1/accounts/{id}")).await.json(),
            before,
            "looking changes nothing"
        );
        let mut browser = app.browser();
        let person = Person::new("ann-1", ANN).with("groups", &["admin"]);
        sign_in(&app.app, &mut browser, "okta", &person).await;
        let page = own.send(Method::DELETE, &format!("{PATH}?people=convert")).await;
        let ended = page.json();
        assert_eq!(ended["outcome"], "retired", "{ended}");
        assert_eq!(
            (&ended["people"]["done"], &ended["people"]["refused"]),
            (&shown["done"], &shown["refused"])
        );
        // Her account, roles and memberships are what they were, but for the way in.
        assert_eq!(
            browser.get("/account").await.location().as_deref(),
            Some("/login"),
            "her session is over"
        );
        let after = own.get(&format!("/api/v1/accounts/{id}")).await.json();
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
        let mut browser = app.browser();
        let page = choose_password(&mut browser, &link, PASSWORD).await;
        assert_eq!(page.location().as_deref(), Some("/account"), "{}", page.body);
        // Nobody comes in through it any more, neither she nor somebody new.
        for person in [
            Person::new("ann-1", ANN),
            Person::new("new-1", "new@home-lab.example"),
        ] {
            let page = sign_in(&app.app, &mut app.browser(), "okta", &person).await;
            assert_ne!(page.location().as_deref(), Some("/account"), "{}", page.body);
        }
        assert!(
            directory::accounts(&app.app, "new@home-lab.example")
                .await
                .is_empty()
        );
        // The decision about her is explained, and the end is in the audit log with its numbers.
        let log = own.get("/api/v1/audit?kind=connection.retired").await.json();
        assert_eq!(
            log["items"][0]["data"],
            json!({ "people": "convert", "done": 1, "refused": { "conflict": 1, "not_permitted": 1 } }),
            "{log}"
        );
        let changes = own.get(&format!("/api/v1/audit?account={id}")).await.json();
        assert!(
            changes["items"]
                .as_array()
                .unwrap()
                .iter()
                .any(|row| row["trace"].is_string() && row["kind"] != "user.created"),
            "{changes}"
        );
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
