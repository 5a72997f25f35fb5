//! Memberships through the API, work in many rows, and many programs at the same moment.

use axum::http::{Method, StatusCode};
use provost_kernel::directory::License;
use provost_kernel::id::OrganizationId;
use provost_store::StoreError;
use serde_json::{Value, json};

use super::people::created;
use super::{ANN, CONNECTION, Client, OTHER, ann, code, furnish};
use crate::app::{TestApp, on_each_engine};
use crate::directory::{self, ORGANIZATION};
use crate::saml_idp::{Person, sign_in};

async fn seats(app: &TestApp, count: u32) {
    let id = OrganizationId::new(ORGANIZATION);
    app.app
        .store
        .write(move |tx| {
            Box::pin(async move {
                let pool = License {
                    id: "standard".into(),
                    seats: Some(count),
                    kind: None,
                };
                tx.set_licenses(&id, &[pool]).await?;
                Ok::<_, StoreError>(())
            })
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn c07_memberships_are_made_edited_pinned_and_ended_by_hand() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        seats(&app, 1).await;
        let mut client = Client::new(&app, None).await;
        let path = format!("/api/v1/organizations/{ORGANIZATION}/members/{}", ann(&app).await);
        let held = client.get(&path).await;
        assert_eq!(held.json()["roles"][0]["source"]["kind"], "rule", "{}", held.body);
        let wanted = json!({ "roles": ["Member"], "workspaces": ["lab"], "license": "standard" });
        let page = client.send_json(Method::PUT, &path, &wanted).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        let held = page.json();
        assert_eq!(held["roles"].as_array().unwrap().len(), 1);
        assert_eq!(held["roles"][0]["id"], "member");
        assert_eq!(held["roles"][0]["pinned"], true);
        assert_eq!(held["workspaces"][0]["id"], "lab");
        assert_eq!(held["license"]["seated"], true);
        // The same again changes nothing, not even the version.
        let again = client.send_json(Method::PUT, &path, &wanted).await;
        assert_eq!(again.header("etag"), page.header("etag"));
        // Rules leave it alone.
        super::ann_signs_in(&app, &["admin"]).await;
        assert_eq!(client.get(&path).await.json()["roles"][0]["id"], "member");
        let eve = created(&mut client, json!({ "email": "eve@home-lab.example" })).await;
        let of_eve = format!(
            "/api/v1/organizations/{ORGANIZATION}/members/{}",
            eve["id"].as_str().unwrap()
        );
        let page = client
            .send_json(Method::PUT, &of_eve, &json!({ "license": "standard" }))
            .await;
        assert_eq!(
            (page.status, code(&page).as_str()),
            (StatusCode::CONFLICT, "no_seat")
        );
        let page = client
            .send_json(Method::PUT, &path, &json!({ "license": null }))
            .await;
        assert!(page.json().get("license").is_none(), "{}", page.body);
        let page = client
            .send_json(Method::PUT, &of_eve, &json!({ "license": "standard" }))
            .await;
        assert_eq!(
            page.json()["roles"][0]["id"],
            "member",
            "a new member gets the default role: {}",
            page.body
        );
        assert_eq!(page.json()["workspaces"][0]["id"], "main");
        assert_eq!(
            client.send(Method::DELETE, &of_eve).await.status,
            StatusCode::NO_CONTENT
        );
        assert_eq!(client.get(&of_eve).await.status, StatusCode::NOT_FOUND);
    })
    .await;
}

#[tokio::test]
async fn work_in_many_rows_tells_what_became_of_each() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        let page = client
            .post(
                "/api/v1/accounts:batch",
                &json!({ "accounts": [
                    { "email": "one@home-lab.example", "connection": CONNECTION },
                    { "email": "two@elsewhere.example", "connection": CONNECTION },
                    { "email": "one@home-lab.example", "connection": CONNECTION },
                    { "email": "three@home-lab.example" },
                ] }),
            )
            .await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        let results = page.json();
        let codes: Vec<&str> = results["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["code"].as_str().unwrap_or(""))
            .collect();
        assert_eq!(codes, ["", "domain_not_verified", "account_exists", ""]);
        assert_eq!(
            (results["done"].as_u64(), results["refused"].as_u64()),
            (Some(2), Some(2))
        );
        let one = results["results"][0]["account"].clone();
        let page = client
            .post(
                "/api/v1/accounts:bulk",
                &json!({ "accounts": [one, "acc_nobody"], "action": "deactivate" }),
            )
            .await;
        let results = page.json();
        assert_eq!(results["results"][0]["status"], "done", "{results}");
        assert_eq!(results["results"][1]["code"], "not_found");
        let members = format!("/api/v1/organizations/{ORGANIZATION}/members:bulk");
        let page = client
            .post(
                &members,
                &json!({ "accounts": [one, ann(&app).await], "action": "grant_role", "role": "Admin" }),
            )
            .await;
        let results = page.json();
        assert_eq!(results["refused"], 0, "{results}");
        let page = client
            .post(
                &members,
                &json!({ "accounts": [one], "action": "grant_role", "role": "owner" }),
            )
            .await;
        assert_eq!(page.json()["results"][0]["code"], "not_permitted");
        let page = client
            .post(
                "/api/v1/accounts:bulk",
                &json!({ "accounts": [], "action": "delete" }),
            )
            .await;
        assert_eq!(code(&page), "too_many_rows");
    })
    .await;
}

#[tokio::test]
async fn ending_sessions_needs_the_right_to_change_the_account() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let id = ann(&app).await;
        let mut browser = app.browser();
        sign_in(&app.app, &mut browser, CONNECTION, &Person::new("ann-1", ANN)).await;
        let mut everything = Client::new(&app, None).await;
        let page = everything
            .send_json(
                Method::PUT,
                &format!("/api/v1/organizations/{OTHER}/members/{id}"),
                &json!({}),
            )
            .await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        let sessions = format!("/api/v1/accounts/{id}/sessions");
        let mut own = Client::new(&app, Some(ORGANIZATION)).await;
        let page = own.send(Method::DELETE, &sessions).await;
        assert_eq!(
            (page.status, code(&page).as_str()),
            (StatusCode::FORBIDDEN, "not_permitted")
        );
        let first = everything.get(&sessions).await.json()["items"][0]["id"]
            .as_str()
            .unwrap()
            .to_owned();
        let page = everything
            .send(Method::DELETE, &format!("{sessions}/{first}"))
            .await;
        assert_eq!(page.status, StatusCode::NO_CONTENT, "{}", page.body);
        assert_ne!(browser.get("/account").await.status, StatusCode::OK);
        assert_eq!(
            everything
                .send(Method::DELETE, &format!("{sessions}/ses_none"))
                .await
                .status,
            StatusCode::NOT_FOUND
        );
        assert_eq!(
            everything.send(Method::DELETE, &sessions).await.status,
            StatusCode::NO_CONTENT
        );
        assert_eq!(everything.get(&sessions).await.json()["items"], json!([]));
    })
    .await;
}

/// 32 programs at the same moment, over real connections.
#[expect(
    clippy::disallowed_methods,
    reason = "requests to the server under test, over real connections"
)]
async fn at_once(app: &TestApp, key: &str, requests: Vec<(String, Value)>) -> Vec<u16> {
    let http = reqwest::Client::new();
    let sent = requests.into_iter().map(|(path, body)| {
        let request = http
            .post(format!("http://{}{path}", app.address))
            .bearer_auth(key)
            .json(&body);
        tokio::spawn(async move { request.send().await.unwrap().status().as_u16() })
    });
    let mut statuses = Vec::new();
    for one in sent.collect::<Vec<_>>() {
        statuses.push(one.await.unwrap());
    }
    statuses.sort_unstable();
    statuses
}

#[tokio::test]
async fn of_32_programs_one_makes_the_account_and_the_last_seats_are_never_given_twice() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        seats(&app, 5).await;
        let key = super::key(&app, Some(ORGANIZATION), provost::flow::api_keys::Scope::ALL).await;
        let same = json!({ "email": "bob@home-lab.example", "connection": CONNECTION });
        let statuses = at_once(&app, &key, vec![("/api/v1/accounts".to_owned(), same); 32]).await;
        assert_eq!(
            statuses.iter().filter(|status| **status == 201).count(),
            1,
            "{statuses:?}"
        );
        assert_eq!(
            statuses.iter().filter(|status| **status == 409).count(),
            31,
            "{statuses:?}"
        );
        assert_eq!(
            directory::accounts(&app.app, "bob@home-lab.example").await.len(),
            1
        );
        let each = (0..32)
            .map(|number| {
                let email = format!("person{number}@home-lab.example");
                let body = json!({ "email": email, "memberships": [{ "license": "standard" }] });
                ("/api/v1/accounts".to_owned(), body)
            })
            .collect();
        let statuses = at_once(&app, &key, each).await;
        assert_eq!(
            statuses.iter().filter(|status| **status == 201).count(),
            5,
            "{statuses:?}"
        );
        assert_eq!(
            statuses.iter().filter(|status| **status == 409).count(),
            27,
            "{statuses:?}"
        );
        let mut client = Client::with(&app, &key);
        let organization = client
            .get(&format!("/api/v1/organizations/{ORGANIZATION}"))
            .await
            .json();
        assert_eq!(organization["licenses"][0]["used"], 5);
    })
    .await;
}
