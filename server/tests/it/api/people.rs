//! Accounts through the API: adding, changing, ending, bringing back; who is the same person.

use axum::http::{Method, StatusCode, header};
use serde_json::{Value, json};

use super::{ANN, CONNECTION, Client, OTHER, ann, code, furnish};
use crate::app::{Browser, Page, on_each_engine};
use crate::directory::{self, ORGANIZATION};
use crate::saml_idp::{Person, sign_in};

pub(super) async fn create(client: &mut Client, body: Value) -> Page {
    client.post("/api/v1/accounts", &body).await
}

pub(super) async fn created(client: &mut Client, body: Value) -> Value {
    let page = create(client, body).await;
    assert_eq!(page.status, StatusCode::CREATED, "{}", page.body);
    page.json()
}

fn member(organization: &str) -> Value {
    json!([{ "organization": organization }])
}

async fn with_password(browser: &mut Browser, email: &str, password: &str) -> Page {
    let form = browser.get("/login/password").await.form("/login/password");
    browser
        .submit(&form, &[("email", email), ("password", password)])
        .await
}

#[tokio::test]
async fn r44_r90_r103_accounts_of_both_kinds_are_added_with_roles_and_connection() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        let bob = created(
            &mut client,
            json!({
                "email": "bob@home-lab.example", "connection": CONNECTION, "kind": "reader", "given_name": "Bob",
                "memberships": [{ "roles": ["Admin"], "workspaces": ["lab"] }], "invite": false,
            }),
        )
        .await;
        assert_eq!(bob["kind"], "reader");
        assert_eq!(bob["status"], "invited");
        assert_eq!((bob["connection"].as_str(), bob["sso"].as_bool()), (Some(CONNECTION), Some(true)));
        let held = &bob["memberships"][0];
        assert_eq!(held["organization"], ORGANIZATION);
        assert_eq!(held["roles"][0]["id"], "admin");
        assert_eq!(held["roles"][0]["source"]["kind"], "manual");
        assert_eq!(held["workspaces"][0]["id"], "lab");
        // The first sign-in through the connection lands in this very account.
        let person = Person::new("bob-1", "bob@home-lab.example");
        let page = sign_in(&app.app, &mut app.browser(), CONNECTION, &person).await;
        assert_eq!(page.location().as_deref(), Some("/account"), "{}", page.body);
        let page = client.get(&format!("/api/v1/accounts/{}", bob["id"].as_str().unwrap())).await;
        assert_eq!(page.json()["status"], "active");
        assert!(page.json()["last_sign_in_at"].is_string(), "{}", page.body);
        // What was granted by hand outlives the rules of the sign-in.
        assert_eq!(page.json()["memberships"][0]["roles"][0]["id"], "admin");
        // Without a connection: a standard account, ready at once, with the default workspace.
        let eve = created(&mut client, json!({ "email": "eve@elsewhere.example" })).await;
        assert_eq!((eve["status"].as_str(), eve["sso"].as_bool()), (Some("active"), Some(false)));
        assert_eq!(eve["memberships"][0]["workspaces"][0]["id"], "main");
    })
    .await;
}

#[tokio::test]
async fn r88_r104_addresses_outside_the_domains_and_people_who_are_there_are_refused_with_a_reason() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let mut client = Client::new(&app, None).await;
        let outside = json!({ "email": "bob@elsewhere.example", "connection": CONNECTION, "memberships": member(ORGANIZATION) });
        let page = create(&mut client, outside).await;
        assert_eq!((page.status, code(&page).as_str()), (StatusCode::UNPROCESSABLE_ENTITY, "domain_not_verified"));
        let reference = page.json()["trace"].as_str().unwrap().to_owned();
        let trace = client.get(&format!("/api/v1/traces/{reference}")).await;
        assert!(trace.body.contains("no verified domain of the connection"), "{}", trace.body);
        // she already signs in through it, in whatever case her address is written.
        for kind in ["user", "reader"] {
            let again = json!({ "email": ANN.to_uppercase(), "connection": CONNECTION, "kind": kind, "memberships": member(ORGANIZATION) });
            let page = create(&mut client, again).await;
            assert_eq!((page.status, code(&page).as_str()), (StatusCode::CONFLICT, "account_exists"));
        }
        // the same address may have a standard account beside it, once.
        let standard = json!({ "email": ANN, "memberships": member(ORGANIZATION) });
        created(&mut client, standard.clone()).await;
        assert_eq!(code(&create(&mut client, standard).await), "account_exists");
        // What names nothing is told of with its place.
        let page = create(
            &mut client,
            json!({ "email": "no address", "connection": "nowhere", "memberships": [{ "organization": ORGANIZATION, "roles": ["Amdin"] }] }),
        )
        .await;
        assert_eq!((page.status, code(&page).as_str()), (StatusCode::UNPROCESSABLE_ENTITY, "invalid_account"));
        let errors = page.json()["errors"].clone();
        assert_eq!(errors[0]["path"], "email");
        assert_eq!(errors[1]["path"], "connection");
        assert_eq!(errors[2]["suggestion"], "Admin", "{errors}");
    })
    .await;
}

#[tokio::test]
async fn r87_a_key_of_one_organization_adds_only_members_of_it_and_never_owners() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let mut own = Client::new(&app, Some(ORGANIZATION)).await;
        let page = create(
            &mut own,
            json!({ "email": "bob@home-lab.example", "memberships": member(OTHER) }),
        )
        .await;
        assert_eq!(code(&page), "invalid_account", "{}", page.body);
        let owner = json!({ "email": "bob@home-lab.example", "memberships": [{ "roles": ["owner"] }] });
        let page = create(&mut own, owner).await;
        assert_eq!(
            (page.status, code(&page).as_str()),
            (StatusCode::FORBIDDEN, "not_permitted")
        );
        let page = create(
            &mut own,
            json!({ "email": "bob@home-lab.example", "emergency_admin": true }),
        )
        .await;
        assert_eq!(code(&page), "not_permitted");
        // Another organization's connection is none at all.
        let mut other = Client::new(&app, Some(OTHER)).await;
        let page = create(
            &mut other,
            json!({ "email": "bob@home-lab.example", "connection": CONNECTION }),
        )
        .await;
        assert_eq!(page.json()["errors"][0]["path"], "connection", "{}", page.body);
        assert_eq!(directory::account_count(&app.app).await, 1);
    })
    .await;
}

#[tokio::test]
async fn r99_deleting_the_sso_account_leaves_the_standard_one_with_roles_data_and_password() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let mut client = Client::new(&app, None).await;
        let standard = directory::standard_account(&app.app, ANN, Some("correct horse battery staple")).await;
        let membership = format!(
            "/api/v1/organizations/{ORGANIZATION}/members/{}",
            standard.as_str()
        );
        let page = client
            .send_json(
                Method::PUT,
                &membership,
                &json!({ "roles": ["owner"], "workspaces": ["lab"] }),
            )
            .await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        let before = client
            .get(&format!("/api/v1/accounts/{}", standard.as_str()))
            .await
            .json();
        let sso = client
            .get(&format!("/api/v1/accounts?email={ANN}&sso=true"))
            .await
            .json()["items"][0]["id"]
            .as_str()
            .unwrap()
            .to_owned();
        assert_ne!(sso, standard.as_str());
        let page = client
            .send(Method::DELETE, &format!("/api/v1/accounts/{sso}"))
            .await;
        assert_eq!(page.json()["status"], "deleted", "{}", page.body);
        let after = client
            .get(&format!("/api/v1/accounts/{}", standard.as_str()))
            .await
            .json();
        assert_eq!(before, after);
        let mut browser = app.browser();
        let page = with_password(&mut browser, ANN, "correct horse battery staple").await;
        assert!(page.status.is_redirection(), "{}", page.body);
        let page = browser.get("/account").await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        // C-29: what was deleted does not come back by itself.
        let page = sign_in(
            &app.app,
            &mut app.browser(),
            CONNECTION,
            &Person::new("ann-1", ANN),
        )
        .await;
        assert_ne!(page.location().as_deref(), Some("/account"));
    })
    .await;
}

#[tokio::test]
async fn c29_deletion_blocks_coming_back_unless_it_allows_it() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        let id = ann(&app).await;
        let page = client
            .send(Method::DELETE, &format!("/api/v1/accounts/{id}?return=allow"))
            .await;
        assert_eq!(page.json()["status"], "deleted", "{}", page.body);
        let person = Person::new("ann-1", ANN);
        let page = sign_in(&app.app, &mut app.browser(), CONNECTION, &person).await;
        assert_eq!(page.location().as_deref(), Some("/account"), "{}", page.body);
        let again = directory::accounts(&app.app, ANN).await[0].id.as_str().to_owned();
        assert_ne!(again, id);
    })
    .await;
}

#[tokio::test]
async fn r102_deactivating_and_deleting_differ_and_both_end_sessions_at_once() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        let id = ann(&app).await;
        let path = format!("/api/v1/accounts/{id}");
        let mut browser = app.browser();
        let person = Person::new("ann-1", ANN);
        for (step, status, back) in [
            ("deactivate", "deactivated", "reactivate"),
            ("suspend", "suspended", "reactivate"),
            ("", "deleted", "restore"),
        ] {
            sign_in(&app.app, &mut browser, CONNECTION, &person).await;
            assert_eq!(browser.get("/account").await.status, StatusCode::OK, "{status}");
            let open = client.get(&format!("{path}/sessions")).await.json();
            assert!(!open["items"].as_array().unwrap().is_empty());
            let page = if step.is_empty() {
                client.send(Method::DELETE, &path).await
            } else {
                client.send(Method::POST, &format!("{path}/{step}")).await
            };
            assert_eq!(page.json()["status"], status, "{}", page.body);
            assert_ne!(browser.get("/account").await.status, StatusCode::OK, "{status}");
            let open = client.get(&format!("{path}/sessions")).await.json();
            assert_eq!(open["items"], json!([]), "{status}");
            // The other way back is refused: the two are different.
            let wrong = if back == "restore" {
                "reactivate"
            } else {
                "restore"
            };
            let page = client.send(Method::POST, &format!("{path}/{wrong}")).await;
            assert_eq!(
                (page.status, code(&page).as_str()),
                (StatusCode::CONFLICT, "illegal_transition")
            );
            let page = client.send(Method::POST, &format!("{path}/{back}")).await;
            assert_eq!(page.json()["status"], "active", "{}", page.body);
            assert_eq!(page.json()["memberships"][0]["organization"], ORGANIZATION);
        }
    })
    .await;
}

#[tokio::test]
async fn changes_name_the_version_that_they_were_made_for() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let path = format!("/api/v1/accounts/{}", ann(&app).await);
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        let tag = client.get(&path).await.header("etag").unwrap().to_owned();
        let mut first = Client::new(&app, Some(ORGANIZATION))
            .await
            .header(header::IF_MATCH, &tag);
        let change = json!({ "display_name": "Ann A." });
        let page = first.send_json(Method::PATCH, &path, &change).await;
        assert_eq!(page.json()["display_name"], "Ann A.", "{}", page.body);
        assert_ne!(page.header("etag"), Some(tag.as_str()));
        let page = first
            .send_json(Method::PATCH, &path, &json!({ "display_name": null }))
            .await;
        assert_eq!(
            (page.status, code(&page).as_str()),
            (StatusCode::PRECONDITION_FAILED, "stale_version")
        );
        let page = client
            .send_json(Method::PATCH, &path, &json!({ "display_name": null }))
            .await;
        assert!(page.json().get("display_name").is_none(), "{}", page.body);
        let mut wrong = Client::new(&app, None).await.header(header::IF_MATCH, "three");
        let page = wrong.send_json(Method::PATCH, &path, &change).await;
        assert_eq!(code(&page), "invalid_if_match");
        // R-88 holds for changes too.
        let page = client
            .send_json(Method::PATCH, &path, &json!({ "email": "ann@elsewhere.example" }))
            .await;
        assert_eq!(code(&page), "domain_not_verified");
    })
    .await;
}

#[tokio::test]
async fn r123_resetting_the_identity_lets_the_next_sign_in_match_anew() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        let id = ann(&app).await;
        let page = client
            .send(Method::POST, &format!("/api/v1/accounts/{id}/reset-identity"))
            .await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        let found = app
            .app
            .store
            .read({
                let id = provost_kernel::id::AccountId::new(&id);
                |reader| Box::pin(async move { reader.account_facts(&[id]).await })
            })
            .await
            .unwrap();
        assert!(found[0].links.is_empty());
    })
    .await;
}

#[tokio::test]
async fn r124_who_is_probably_the_same_person_is_offered_and_joined_only_on_request() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        let old = ann(&app).await;
        let membership = format!("/api/v1/organizations/{ORGANIZATION}/members/{old}");
        client
            .send_json(
                Method::PUT,
                &membership,
                &json!({ "roles": ["admin"], "workspaces": ["lab"] }),
            )
            .await;
        // Her address changed at the provider, which names people by their address: a second account comes into being.
        let renamed = Person::new("ann-2", "ann.a@home-lab.example");
        sign_in(&app.app, &mut app.browser(), CONNECTION, &renamed).await;
        let new = directory::accounts(&app.app, "ann.a@home-lab.example").await;
        assert_eq!(new.len(), 1, "nothing is assumed");
        let new = new[0].id.as_str().to_owned();
        let offered = client
            .get(&format!("/api/v1/accounts/{old}/probable-matches"))
            .await
            .json();
        assert_eq!(offered["items"][0]["account"]["id"], new.as_str(), "{offered}");
        assert_eq!(offered["items"][0]["reasons"], json!(["same_name"]));
        assert_eq!(offered["items"][0]["can_take_identity"], true);
        let page = client
            .post(
                &format!("/api/v1/accounts/{old}/take-identity"),
                &json!({ "from": new }),
            )
            .await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        assert_eq!(page.json()["email"], "ann.a@home-lab.example");
        assert_eq!(page.json()["memberships"][0]["roles"][0]["id"], "admin");
        // From now on she lands in the account that she always had.
        let mut browser = app.browser();
        let page = sign_in(&app.app, &mut browser, CONNECTION, &renamed).await;
        assert_eq!(page.location().as_deref(), Some("/account"), "{}", page.body);
        let sessions = client
            .get(&format!("/api/v1/accounts/{old}/sessions"))
            .await
            .json();
        assert_eq!(sessions["items"].as_array().unwrap().len(), 1);
        // Another organization's people are never offered and cannot be joined.
        let mut other = Client::new(&app, Some(OTHER)).await;
        let page = other
            .post(
                &format!("/api/v1/accounts/{old}/take-identity"),
                &json!({ "from": new }),
            )
            .await;
        assert_eq!(page.status, StatusCode::NOT_FOUND);
    })
    .await;
}

#[tokio::test]
async fn r100_lists_are_searched_by_address_state_kind_connection_and_last_sign_in() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let mut client = Client::new(&app, None).await;
        created(
            &mut client,
            json!({ "email": "bob_b@elsewhere.example", "kind": "reader", "memberships": member(OTHER) }),
        )
        .await;
        let emails = |page: &Page| -> Vec<String> {
            let items = page.json()["items"].clone();
            items
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["email"].as_str().unwrap().to_owned())
                .collect()
        };
        for (query, expected) in [
            (format!("email={ANN}"), vec![ANN]),
            ("search=B_B".to_owned(), vec!["bob_b@elsewhere.example"]),
            ("search=b%25b".to_owned(), vec![]),
            (
                "status=active&kind=reader".to_owned(),
                vec!["bob_b@elsewhere.example"],
            ),
            (format!("connection={CONNECTION}"), vec![ANN]),
            ("sso=false".to_owned(), vec!["bob_b@elsewhere.example"]),
            (format!("organization={ORGANIZATION}"), vec![ANN]),
            ("signed_in_since=2020-01-01T00:00:00Z".to_owned(), vec![ANN]),
            (
                "not_signed_in_since=2020-01-01T00:00:00Z".to_owned(),
                vec!["bob_b@elsewhere.example"],
            ),
            ("status=suspended".to_owned(), vec![]),
        ] {
            let page = client.get(&format!("/api/v1/accounts?{query}")).await;
            assert_eq!(page.status, StatusCode::OK, "{query}: {}", page.body);
            assert_eq!(emails(&page), expected, "{query}");
        }
        let page = client.get("/api/v1/accounts?signed_in_since=yesterday").await;
        assert_eq!(code(&page), "invalid_query");
        // A filter never widens what a key sees.
        let mut other = Client::new(&app, Some(OTHER)).await;
        assert_eq!(
            emails(&other.get(&format!("/api/v1/accounts?email={ANN}")).await),
            Vec::<String>::new()
        );
        let page = other
            .get(&format!("/api/v1/accounts?organization={ORGANIZATION}"))
            .await;
        assert_eq!(page.status, StatusCode::NOT_FOUND);
    })
    .await;
}

#[tokio::test]
async fn c05_who_was_deleted_is_not_restored_over_somebody_who_has_the_address_now() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let mut client = Client::new(&app, None).await;
        let body = json!({ "email": "eve@elsewhere.example", "memberships": member(ORGANIZATION) });
        let first = created(&mut client, body.clone()).await["id"]
            .as_str()
            .unwrap()
            .to_owned();
        let path = format!("/api/v1/accounts/{first}");
        client.send(Method::DELETE, &path).await;
        created(&mut client, body).await;
        let page = client.send(Method::POST, &format!("{path}/restore")).await;
        assert_eq!(
            (page.status, code(&page).as_str()),
            (StatusCode::CONFLICT, "conflict")
        );
    })
    .await;
}
