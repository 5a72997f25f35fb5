//! Adding people and inviting them with the same call, one, several or a file of them.

use axum::http::{Method, StatusCode};
use provost::flow::api_keys::Scope;
use provost_kernel::connection::Provisioning;
use provost_kernel::directory::Status;
use provost_store::StoreError;
use serde_json::{Value, json};

use super::{Mailbox, choose_password, with_mail};
use crate::api::{self, Client, code};
use crate::app::{Page, TestApp};
use crate::directory::{self, DOMAIN, ORGANIZATION};
use crate::saml_idp::{self, Person, accept_invitation};
use crate::scim::lab::{Directory, token};

const CARA: &str = "cara@home-lab.example";
const PASSWORD: &str = "correct horse battery";

async fn furnish(app: &TestApp) -> Client {
    directory::organization(&app.app).await;
    saml_idp::connect(&app.app, "okta", |_| {}).await;
    Client::new(app, Some(ORGANIZATION)).await
}

async fn add(client: &mut Client, body: &Value) -> Page {
    client.post("/api/v1/accounts", body).await
}

async fn added(client: &mut Client, body: &Value) -> Value {
    let page = add(client, body).await;
    assert_eq!(page.status, StatusCode::CREATED, "{}", page.body);
    page.json()
}

async fn mails(mailbox: &Mailbox, app: &TestApp) -> Vec<String> {
    let found = mailbox.of(app, CARA).await;
    found.iter().map(|mail| mail.link("/invite/")).collect()
}

async fn invitation_state(client: &mut Client, account: &Value) -> String {
    let id = account["invitation"]["id"]
        .as_str()
        .unwrap_or_else(|| panic!("{account}"));
    let page = client.get(&format!("/api/v1/invitations/{id}")).await;
    page.json()["state"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn r89_r92_one_call_adds_a_standard_person_who_gets_login_details_and_comes_in() {
    with_mail(|app, mailbox| async move {
        let mut client = furnish(&app).await;
        let body = json!({ "email": CARA, "given_name": "Cara", "memberships": [{ "roles": ["Admin"] }], "invite": true });
        let cara = added(&mut client, &body).await;
        assert_eq!((cara["status"].as_str(), cara["sso"].as_bool()), (Some("invited"), Some(false)));
        assert_eq!(invitation_state(&mut client, &cara).await, "sent");
        let links = mails(&mailbox, &app).await;
        let mut browser = app.browser();
        let page = choose_password(&mut browser, &links[0], PASSWORD).await;
        assert_eq!(page.location().as_deref(), Some("/account"), "{}", page.body);
        assert_eq!(browser.get("/account").await.status, StatusCode::OK);
        assert_eq!(invitation_state(&mut client, &cara).await, "accepted");
        let held = client.get(&format!("/api/v1/accounts/{}", cara["id"].as_str().unwrap())).await;
        assert_eq!(held.json()["memberships"][0]["roles"][0]["id"], "admin", "{}", held.body);
    })
    .await;
}

#[tokio::test]
async fn r86_r90_the_same_form_with_a_connection_adds_an_sso_person_once_there_is_one() {
    with_mail(|app, mailbox| async move {
        directory::organization(&app.app).await;
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        let body = json!({ "email": CARA, "connection": "okta", "invite": true });
        let page = add(&mut client, &body).await;
        assert_eq!(
            (page.status, code(&page).as_str()),
            (StatusCode::UNPROCESSABLE_ENTITY, "invalid_account"),
            "R-86: {}",
            page.body
        );
        assert_eq!(page.json()["errors"][0]["path"], "connection");
        saml_idp::connect(&app.app, "okta", |_| {}).await;
        let cara = added(&mut client, &body).await;
        assert_eq!(cara["connection"], "okta");
        let links = mails(&mailbox, &app).await;
        assert_eq!(links.len(), 1, "nothing was sent for what was refused");
        let page = app.browser().get(&links[0]).await;
        assert!(!page.body.contains("type=\"password\""), "R-108: {}", page.body);
        let mut browser = app.browser();
        let page = accept_invitation(
            &app.app,
            &mut browser,
            "okta",
            &links[0],
            &Person::new("cara-1", CARA),
        )
        .await;
        assert_eq!(page.location().as_deref(), Some("/account"), "{}", page.body);
        assert_eq!(invitation_state(&mut client, &cara).await, "accepted");
        assert_eq!(directory::accounts(&app.app, CARA).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn r91_with_the_invitation_skipped_nothing_is_sent() {
    with_mail(|app, mailbox| async move {
        let mut client = furnish(&app).await;
        let body = json!({ "email": CARA, "connection": "okta", "invite": true, "skip_invitation": true });
        let cara = added(&mut client, &body).await;
        assert_eq!(invitation_state(&mut client, &cara).await, "skipped");
        assert!(mails(&mailbox, &app).await.is_empty());
        // She comes in all the same, through her company.
        let page =
            saml_idp::sign_in(&app.app, &mut app.browser(), "okta", &Person::new("cara-1", CARA)).await;
        assert_eq!(page.location().as_deref(), Some("/account"), "{}", page.body);
        assert_eq!(invitation_state(&mut client, &cara).await, "accepted");
        // Without a word about invitations there is none.
        let page = added(
            &mut client,
            &json!({ "email": "dan@home-lab.example", "connection": "okta" }),
        )
        .await;
        assert!(page.get("invitation").is_none(), "{page}");
    })
    .await;
}

#[tokio::test]
async fn r88_r104_c25_who_cannot_be_added_is_not_invited_either() {
    with_mail(|app, mailbox| async move {
        let mut client = furnish(&app).await;
        let outside = json!({ "email": "cara@elsewhere.example", "connection": "okta", "invite": true });
        let page = add(&mut client, &outside).await;
        assert_eq!(code(&page), "domain_not_verified", "{}", page.body);
        assert!(
            page.json()["trace"].is_string(),
            "the reason is told: {}",
            page.body
        );
        assert!(mailbox.of(&app, "cara@elsewhere.example").await.is_empty());
        let reader = json!({ "email": CARA, "connection": "okta", "kind": "reader", "invite": true });
        added(&mut client, &reader).await;
        for kind in ["user", "reader"] {
            let mut again = reader.clone();
            again["kind"] = json!(kind);
            let page = add(&mut client, &again).await;
            assert_eq!(code(&page), "account_exists", "R-104: {}", page.body);
        }
        assert_eq!(mails(&mailbox, &app).await.len(), 1);
        // C-25: only that duplicate is refused; the same address may have a password account, and other readers may be added.
        added(&mut client, &json!({ "email": CARA, "kind": "reader" })).await;
        let other = json!({ "email": "rea@home-lab.example", "connection": "okta", "kind": "reader" });
        added(&mut client, &other).await;
    })
    .await;
}

#[tokio::test]
async fn r87_adding_and_inviting_are_two_rights_of_a_key() {
    with_mail(|app, mailbox| async move {
        furnish(&app).await;
        let key = api::key(
            &app,
            Some(ORGANIZATION),
            &[Scope::AccountsWrite, Scope::AccountsRead],
        )
        .await;
        let mut narrow = Client::with(&app, &key);
        let page = add(&mut narrow, &json!({ "email": CARA, "invite": true })).await;
        assert_eq!(
            (page.status, code(&page).as_str()),
            (StatusCode::FORBIDDEN, "missing_scope")
        );
        let page = narrow
            .send_text(
                Method::POST,
                "/api/v1/imports?invite=true",
                "text/csv",
                &format!("email\n{CARA}\n"),
            )
            .await;
        assert_eq!(code(&page), "missing_scope", "{}", page.body);
        assert!(directory::accounts(&app.app, CARA).await.is_empty());
        added(&mut narrow, &json!({ "email": CARA })).await;
        assert!(mails(&mailbox, &app).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn r173_several_addresses_at_once_are_invited_and_the_others_hear_why_not() {
    with_mail(|app, mailbox| async move {
        let mut client = furnish(&app).await;
        let body = json!({ "accounts": [
            { "email": CARA, "connection": "okta", "invite": true },
            { "email": "far@elsewhere.example", "connection": "okta", "invite": true },
            { "email": "dan@home-lab.example", "invite": true, "skip_invitation": true },
            { "email": "eve@home-lab.example" },
        ]});
        let rows = client.post("/api/v1/accounts:batch", &body).await.json();
        let of = |at: usize, what: &str| rows["results"][at][what].clone();
        assert_eq!(
            (&rows["done"], &rows["refused"]),
            (&json!(3), &json!(1)),
            "{rows}"
        );
        assert_eq!(
            (of(1, "status"), of(1, "code")),
            (json!("refused"), json!("domain_not_verified"))
        );
        assert!(
            of(0, "invitation").is_string() && of(2, "invitation").is_string(),
            "{rows}"
        );
        assert!(of(3, "invitation").is_null(), "{rows}");
        for (address, count) in [(CARA, 1), ("far@", 0), ("dan@", 0), ("eve@", 0)] {
            assert_eq!(mailbox.of(&app, address).await.len(), count, "{address}");
        }
    })
    .await;
}

#[tokio::test]
async fn r173_a_file_invites_its_new_people_once_however_often_it_is_sent() {
    with_mail(|app, mailbox| async move {
        let mut client = furnish(&app).await;
        let file = format!(
            "email,connection,kind\n{CARA},,user\ndan@{DOMAIN},okta,reader\nfar@elsewhere.example,okta,user\n"
        );
        let send = async |client: &mut Client, query: &str| {
            let path = format!("/api/v1/imports?{query}");
            let page = client.send_text(Method::POST, &path, "text/csv", &file).await;
            assert_eq!(page.status, StatusCode::CREATED, "{}", page.body);
            page.json()
        };
        let tried = send(&mut client, "invite=true&dry_run=true").await;
        assert_eq!(
            (&tried["created"], &tried["failed"]),
            (&json!(2), &json!(1)),
            "{tried}"
        );
        assert!(mails(&mailbox, &app).await.is_empty(), "a trial invites nobody");
        for expected in [(2, 0), (0, 2)] {
            let done = send(&mut client, "invite=true").await;
            assert_eq!(
                (&done["created"], &done["unchanged"], &done["failed"]),
                (&json!(expected.0), &json!(expected.1), &json!(1)),
                "{done}"
            );
            assert_eq!(done["problems"][0]["code"], "domain_not_verified");
            for address in [CARA, "dan@home-lab.example"] {
                assert_eq!(mailbox.of(&app, address).await.len(), 1, "{address}");
            }
        }
        let accounts = directory::accounts(&app.app, CARA).await;
        assert_eq!(accounts[0].status, Status::Invited);
    })
    .await;
}

#[tokio::test]
async fn r175_pending_people_are_invited_again_or_let_in_one_by_one_or_all() {
    with_mail(|app, mailbox| async move {
        let mut client = furnish(&app).await;
        let body = json!({ "email": CARA, "connection": "okta", "invite": true, "skip_invitation": true });
        let cara = added(&mut client, &body).await["id"].as_str().unwrap().to_owned();
        let act = json!({ "email": "dan@home-lab.example" });
        let dan = added(&mut client, &act).await["id"].as_str().unwrap().to_owned();
        let bulk = |action: &str| json!({ "accounts": [cara, dan], "action": action });
        let rows = client.post("/api/v1/accounts:bulk", &bulk("invite")).await.json();
        assert_eq!(rows["results"][0]["status"], "done", "{rows}");
        assert!(rows["results"][0]["invitation"].is_string());
        assert_eq!(
            rows["results"][1]["code"], "illegal_transition",
            "he is in: {rows}"
        );
        assert_eq!(mails(&mailbox, &app).await.len(), 1);
        let rows = client
            .post("/api/v1/accounts:bulk", &bulk("activate"))
            .await
            .json();
        assert_eq!(
            (&rows["results"][0]["status"], &rows["results"][1]["code"]),
            (&json!("done"), &json!("illegal_transition")),
            "{rows}"
        );
        assert_eq!(
            directory::accounts(&app.app, CARA).await[0].status,
            Status::Active
        );
        let link = mails(&mailbox, &app).await.remove(0);
        assert_eq!(
            app.browser().get(&link).await.status,
            StatusCode::NOT_FOUND,
            "nothing is left to accept"
        );
        for number in 0..60 {
            let email = format!("p{number}@home-lab.example");
            added(&mut client, &json!({ "email": email, "connection": "okta" })).await;
        }
        let path = format!("/api/v1/organizations/{ORGANIZATION}/invitations/activate");
        let done = client.post(&path, &json!({})).await.json();
        assert_eq!(done, json!({ "activated": 60, "skipped": 0 }));
        assert_eq!(
            client.post(&path, &json!({})).await.json()["activated"],
            0,
            "nobody is pending any more"
        );
        let page = saml_idp::sign_in(
            &app.app,
            &mut app.browser(),
            "okta",
            &Person::new("p-7", "p7@home-lab.example"),
        )
        .await;
        assert_eq!(page.location().as_deref(), Some("/account"), "{}", page.body);
    })
    .await;
}

#[tokio::test]
async fn r112_whom_an_auto_activating_domains_owner_adds_needs_no_invitation() {
    with_mail(|app, mailbox| async move {
        let mut client = furnish(&app).await;
        let path = format!("/api/v1/organizations/{ORGANIZATION}/domains/{DOMAIN}/settings");
        let page = client
            .send_json(Method::PUT, &path, &json!({ "auto_activate": true }))
            .await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        let cara = added(
            &mut client,
            &json!({ "email": CARA, "connection": "okta", "invite": true }),
        )
        .await;
        assert_eq!(cara["status"], "active", "{cara}");
        assert_eq!(invitation_state(&mut client, &cara).await, "accepted");
        assert!(mails(&mailbox, &app).await.is_empty());
        // An account with a password waits for its person all the same.
        let body = json!({ "email": "dan@home-lab.example", "invite": true });
        assert_eq!(added(&mut client, &body).await["status"], "invited");
    })
    .await;
}

#[tokio::test]
async fn c22_the_connection_says_who_is_told_where_the_request_does_not() {
    with_mail(|app, mailbox| async move {
        let mut client = furnish(&app).await;
        let invite = format!("/api/v1/organizations/{ORGANIZATION}/invitations");
        let person =
            |name: &str| json!({ "people": [{ "email": format!("{name}@{DOMAIN}"), "connection": "okta" }] });
        let state = |invited: Value| invited["results"][0]["invitation"]["state"].clone();
        assert_eq!(
            state(client.post(&invite, &person("a")).await.json()),
            "sent",
            "by default"
        );
        directory::change_connection(&app.app, "okta", |connection, _| {
            connection.settings.invite_on.manual = false;
            connection.settings.invite_on.conversion = false;
            connection.settings.invite_on.scim = true;
        })
        .await;
        assert_eq!(state(client.post(&invite, &person("b")).await.json()), "skipped");
        let mut said = person("c");
        said["send"] = json!(true);
        assert_eq!(
            state(client.post(&invite, &said).await.json()),
            "sent",
            "the request says otherwise"
        );
        let runs = format!("/api/v1/organizations/{ORGANIZATION}/conversions");
        let run = client
            .post(&runs, &json!({ "connection": "okta", "kinds": ["user"] }))
            .await
            .json();
        assert_eq!(run["notify"], false, "{run}");
        // Pushed people are told, because the connection wants it; just-in-time ones never are.
        directory::change_connection(&app.app, "okta", |connection, _| {
            connection.provisioning = Provisioning::Scim;
        })
        .await;
        let directory = Directory::with(&app, "okta", &token(&app.app, "okta").await);
        directory.hire("ida").await;
        let told = mailbox.of(&app, "ida@home-lab.example").await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].link("/sso/okta/login").contains("login_hint=ida"),
            "{:?}",
            told[0]
        );
        let organization: Result<_, StoreError> = app
            .app
            .store
            .read(|reader| Box::pin(async move { reader.connection(&"okta".into()).await }))
            .await;
        assert!(organization.unwrap().unwrap().connection.settings.invite_on.scim);
        directory::change_connection(&app.app, "okta", |connection, _| {
            connection.provisioning = Provisioning::Jit;
        })
        .await;
        let jit = "jim@home-lab.example";
        saml_idp::sign_in(&app.app, &mut app.browser(), "okta", &Person::new("jim-1", jit)).await;
        assert_eq!(directory::accounts(&app.app, jit).await.len(), 1);
        assert!(mailbox.of(&app, jit).await.is_empty());
    })
    .await;
}
