//! Users and readers beside each other: providers of their own, and the seats of whoever becomes the other kind.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::api::{Client, code, furnish};
use crate::app::{TestApp, on_each_engine};
use crate::declarative;
use crate::directory::{self, ORGANIZATION};
use crate::documents;
use crate::saml_idp::{self, Person, sign_in};

/// Adds somebody of a kind, bound to a connection.
async fn add(client: &mut Client, name: &str, kind: &str, connection: Option<&str>) -> String {
    let body = json!({
        "email": format!("{name}@home-lab.example"), "kind": kind, "connection": connection,
        "given_name": "Ann", "family_name": "Example", "memberships": [{ "organization": ORGANIZATION }],
    });
    let page = client.post("/api/v1/accounts", &body).await;
    assert_eq!(page.status, StatusCode::CREATED, "{}", page.body);
    page.json()["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn r121_users_and_readers_come_through_different_providers_at_once() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        saml_idp::connect(&app.app, "portal", |_| {}).await;
        for id in ["okta", "portal"] {
            directory::change_connection(&app.app, id, |connection, _| {
                connection.provisioning = provost_kernel::connection::Provisioning::Manual;
            })
            .await;
        }
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        add(&mut client, "uma", "user", Some("okta")).await;
        add(&mut client, "rita", "reader", Some("portal")).await;
        // One address may be a user of one provider and a reader of the other.
        add(&mut client, "both", "user", Some("okta")).await;
        add(&mut client, "both", "reader", Some("portal")).await;
        for (name, connection, kind) in [
            ("uma", "okta", "user"),
            ("rita", "portal", "reader"),
            ("both", "okta", "user"),
            ("both", "portal", "reader"),
        ] {
            let email = format!("{name}@home-lab.example");
            let person = Person::new(&format!("{name}-at-{connection}"), &email);
            let mut browser = app.browser();
            let page = sign_in(&app.app, &mut browser, connection, &person).await;
            assert_eq!(
                page.location().as_deref(),
                Some("/account"),
                "{name}: {}",
                page.body
            );
            let found = client
                .get(&format!("/api/v1/accounts?email={email}"))
                .await
                .json();
            let of_them = found["items"].as_array().unwrap();
            let come: Vec<_> = of_them
                .iter()
                .filter(|one| one["connection"] == connection)
                .map(|one| (one["kind"].as_str().unwrap(), one["status"].as_str().unwrap()))
                .collect();
            assert_eq!(come, [(kind, "active")], "{found}");
            assert_eq!(of_them.len(), if name == "both" { 2 } else { 1 }, "{found}");
        }
        // Nobody comes in through the provider of the other kind.
        for (name, connection) in [("uma", "portal"), ("rita", "okta")] {
            let person = Person::new(&format!("{name}-elsewhere"), &format!("{name}@home-lab.example"));
            let page = sign_in(&app.app, &mut app.browser(), connection, &person).await;
            assert_ne!(page.location().as_deref(), Some("/account"), "{name}");
        }
        // Both are offered on the page of the organization.
        let page = app.browser().get("/login/home-lab").await;
        for id in ["okta", "portal"] {
            assert!(page.body.contains(&format!("Sign in with {id}")), "{}", page.body);
        }
    })
    .await;
}

async fn pools(app: &TestApp, licenses: Value) {
    let file = json!({ "organizations": [{
        "id": ORGANIZATION, "name": "Home Lab", "roles_per_member": "many", "licenses": licenses,
    }]});
    let folder = documents::folder();
    declarative::apply(&app.app, &file.to_string(), &folder.0)
        .await
        .unwrap();
}

async fn license(client: &mut Client, account: &str) -> Value {
    let path = format!("/api/v1/organizations/{ORGANIZATION}/members/{account}");
    client.get(&path).await.json()["license"].clone()
}

async fn wants(client: &mut Client, account: &str, license: &str) -> String {
    let path = format!("/api/v1/organizations/{ORGANIZATION}/members/{account}");
    let page = client
        .send_json(Method::PUT, &path, &json!({ "license": license }))
        .await;
    if page.status.is_success() {
        "given".to_owned()
    } else {
        code(&page)
    }
}

async fn becomes(client: &mut Client, account: &str, kind: &str) -> String {
    let path = format!("/api/v1/accounts/{account}");
    let page = client
        .send_json(Method::PATCH, &path, &json!({ "kind": kind }))
        .await;
    if page.status.is_success() {
        "changed".to_owned()
    } else {
        code(&page)
    }
}

#[tokio::test]
async fn r160_r179_the_seat_of_whoever_becomes_the_other_kind_is_free_for_somebody_else() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        pools(
            &app,
            json!([{ "id": "work", "seats": 1, "kind": "user" }, { "id": "view", "seats": 1, "kind": "reader" }]),
        )
        .await;
        let mut client = Client::new(&app, None).await;
        let uma = add(&mut client, "uma", "user", None).await;
        let ulf = add(&mut client, "ulf", "user", None).await;
        let rita = add(&mut client, "rita", "reader", None).await;
        assert_eq!(wants(&mut client, &uma, "work").await, "given");
        assert_eq!(wants(&mut client, &ulf, "work").await, "no_seat");
        assert_eq!(becomes(&mut client, &uma, "reader").await, "changed");
        let held = license(&mut client, &uma).await;
        assert_eq!((&held["id"], &held["seated"]), (&json!("view"), &json!(true)), "{held}");
        assert_eq!(wants(&mut client, &ulf, "work").await, "given", "her seat is free");
        assert_eq!(wants(&mut client, &rita, "view").await, "no_seat", "she has that one");
        // Back is refused while nobody gives up the seat, and then nothing changes.
        assert_eq!(becomes(&mut client, &uma, "user").await, "no_seat");
        assert_eq!(license(&mut client, &uma).await["id"], "view");
        let seats = client
            .get(&format!("/api/v1/organizations/{ORGANIZATION}/seats"))
            .await
            .json();
        let used = |pool: &str| {
            let pools = seats["pools"].as_array().unwrap();
            pools.iter().find(|one| one["license"] == pool).unwrap()["used"].clone()
        };
        assert_eq!((used("work"), used("view")), (json!(1), json!(1)), "{seats}");
    })
    .await;
}

#[tokio::test]
async fn r160_r179_a_seat_that_no_pool_of_the_other_kind_replaces_is_given_back() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        pools(&app, json!([{ "id": "work", "seats": 1, "kind": "user" }])).await;
        let mut client = Client::new(&app, None).await;
        let uma = add(&mut client, "uma", "user", None).await;
        let ulf = add(&mut client, "ulf", "user", None).await;
        assert_eq!(wants(&mut client, &uma, "work").await, "given");
        assert_eq!(becomes(&mut client, &uma, "reader").await, "changed");
        assert_eq!(license(&mut client, &uma).await, Value::Null);
        assert_eq!(wants(&mut client, &ulf, "work").await, "given");
        let history = client
            .get(&format!("/api/v1/organizations/{ORGANIZATION}/seats/history"))
            .await
            .json();
        let hers: Vec<_> = history["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|one| one["account"] == uma.as_str())
            .collect();
        assert!(hers.len() >= 2, "taken and given back: {history}");
        assert!(hers.iter().all(|one| one["trace"].is_string()), "{history}");
    })
    .await;
}
