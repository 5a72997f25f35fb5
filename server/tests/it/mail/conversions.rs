//! Moving people to single sign-on.

use axum::http::StatusCode;
use provost::flow::conversions::run;
use provost_kernel::connection::Provisioning;
use provost_kernel::directory::{AccountKind, Authentication, License, Status};
use provost_kernel::email::Email;
use provost_kernel::id::AccountId;
use provost_kernel::provision::{Action, Actor, DesiredMembership, NewAccount, WorkspacesWanted};
use provost_store::StoreError;
use serde_json::{Value, json};

use super::{Mailbox, give_password, with_mail};
use crate::api::{self, Client, code};
use crate::app::{Browser, Page, TestApp};
use crate::directory::{self, ORGANIZATION};
use crate::saml_idp::{self, Person};

const PASSWORD: &str = "correct horse battery";

fn address(name: &str) -> String {
    format!("{name}@home-lab.example")
}

/// Makes a standard account that is an active member.
async fn member(app: &TestApp, email: &str, change: impl FnOnce(&mut NewAccount)) -> AccountId {
    let mut new = NewAccount {
        kind: AccountKind::User,
        authentication: Authentication::Standard,
        active: true,
        email: Some(Email::parse(email).unwrap()),
        user_name: None,
        external_id: None,
        given_name: Some("Pat".to_owned()),
        family_name: None,
        display_name: None,
        emergency_admin: false,
        attributes: serde_json::Map::new(),
        memberships: vec![DesiredMembership {
            organization: ORGANIZATION.into(),
            roles: vec!["admin".into()],
            workspaces: WorkspacesWanted::Ids(vec!["lab".into()]),
            license: None,
        }],
    };
    change(&mut new);
    let wish = provost::flow::acting::Wish::new(
        Actor::Operator { account: None },
        Action::CreateAccount(Box::new(new)),
    );
    provost::flow::acting::act(&app.app, wish).await.unwrap().account
}

/// An organization, a connection whose accounts are made by hand, and a key.
async fn furnish(app: &TestApp) -> Client {
    directory::organization(&app.app).await;
    saml_idp::connect(&app.app, "okta", |_| {}).await;
    directory::change_connection(&app.app, "okta", |connection, _| {
        connection.provisioning = Provisioning::Manual;
    })
    .await;
    Client::new(app, None).await
}

fn path(rest: &str) -> String {
    format!("/api/v1/organizations/{ORGANIZATION}/conversions{rest}")
}

fn all() -> Value {
    json!({"connection": "okta", "kinds": ["user", "reader"]})
}

async fn start(client: &mut Client, body: &Value) -> String {
    let page = client.post(&path(""), body).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    page.json()["id"].as_str().unwrap().to_owned()
}

async fn look(client: &mut Client, id: &str) -> Value {
    client.get(&format!("/api/v1/conversions/{id}")).await.json()
}

async fn turn(client: &mut Client, id: &str, what: &str) -> Page {
    client
        .post(&format!("/api/v1/conversions/{id}/{what}"), &json!({}))
        .await
}

async fn accept(app: &TestApp, mailbox: &Mailbox, name: &str) -> Browser {
    let mails = mailbox.of(app, &address(name)).await;
    let link = mails.last().unwrap().link("/invite/");
    let mut browser = app.browser();
    let person = Person::new(&format!("{name}-1"), &address(name));
    let page = saml_idp::accept_invitation(&app.app, &mut browser, "okta", &link, &person).await;
    assert_eq!(page.location().as_deref(), Some("/account"), "{}", page.body);
    browser
}

async fn signs_in_with_password(app: &TestApp, email: &str) -> bool {
    let mut browser = app.browser();
    let form = browser.get("/login/password").await.form("/login/password");
    let page = browser
        .submit(&form, &[("email", email), ("password", PASSWORD)])
        .await;
    page.status == StatusCode::SEE_OTHER
}

#[tokio::test]
async fn r94_r96_r97_r98_everybody_is_invited_and_the_standard_accounts_go_on_working() {
    with_mail(|app, mailbox| async move {
        let mut client = furnish(&app).await;
        let ann = member(&app, &address("ann"), |_| {}).await;
        member(&app, &address("rea"), |new| new.kind = AccountKind::Reader).await;
        give_password(&app, &ann, PASSWORD).await;
        let id = start(&mut client, &all()).await;
        run::advance(&app.app).await.unwrap();
        let done = look(&mut client, &id).await;
        assert_eq!(
            (&done["state"], &done["people"]["invited"]),
            (&json!("done"), &json!(2)),
            "{done}"
        );
        let accounts = directory::accounts(&app.app, &address("ann")).await;
        assert_eq!(accounts.len(), 2, "R-98: one address, two accounts");
        accept(&app, &mailbox, "ann").await;
        assert!(signs_in_with_password(&app, &address("ann")).await, "R-97");
        let sso = directory::accounts(&app.app, &address("ann"))
            .await
            .into_iter()
            .find(|account| account.authentication != Authentication::Standard)
            .unwrap();
        assert_eq!(sso.status, Status::Active);
        let held = client.get(&format!("/api/v1/accounts/{}", sso.id)).await.json();
        assert_eq!(held["memberships"][0]["roles"][0]["id"], "admin", "R-170: {held}");
        assert_eq!(held["memberships"][0]["workspaces"][0]["id"], "lab");
        let readers = directory::accounts(&app.app, &address("rea")).await;
        assert!(readers.iter().all(|account| account.kind == AccountKind::Reader));
    })
    .await;
}

#[tokio::test]
async fn r95_c24_only_the_ticked_ones_and_the_kinds_ticked() {
    with_mail(|app, mailbox| async move {
        let mut client = furnish(&app).await;
        let ann = member(&app, &address("ann"), |_| {}).await;
        member(&app, &address("bob"), |_| {}).await;
        let rea = member(&app, &address("rea"), |new| new.kind = AccountKind::Reader).await;
        let body = json!({"connection": "okta", "kinds": ["user"], "accounts": [ann.as_str(), rea.as_str()]});
        start(&mut client, &body).await;
        run::advance(&app.app).await.unwrap();
        for (name, count) in [("ann", 1), ("bob", 0), ("rea", 0)] {
            assert_eq!(mailbox.of(&app, &address(name)).await.len(), count, "{name}");
        }
        let page = client
            .post(&path(""), &json!({"connection": "okta", "kinds": []}))
            .await;
        assert_eq!(code(&page), "invalid_body", "no kind is ticked by itself");
    })
    .await;
}

#[tokio::test]
async fn c24_r105_the_preview_says_who_is_passed_over_and_why_and_the_run_does_the_same() {
    with_mail(|app, _mailbox| async move {
        let mut client = furnish(&app).await;
        let pools = [License {
            id: "pro".into(),
            seats: Some(2),
            kind: None,
        }];
        let set: Result<(), StoreError> = app
            .app
            .store
            .write(move |tx| Box::pin(async move { tx.set_licenses(&ORGANIZATION.into(), &pools).await }))
            .await;
        set.unwrap();
        member(&app, &address("ann"), |_| {}).await;
        member(&app, "far@elsewhere.example", |_| {}).await;
        member(&app, &address("eve"), |new| new.emergency_admin = true).await;
        member(&app, &address("sam"), |_| {}).await;
        directory::sso_account(&app.app, &address("sam"), "okta").await;
        member(&app, &address("lic"), |new| {
            new.memberships[0].license = Some("pro".into());
        })
        .await;
        member(&app, &address("lid"), |new| {
            new.memberships[0].license = Some("pro".into());
        })
        .await;
        let page = client.post(&path("/preview"), &all()).await;
        let preview = page.json();
        assert_eq!(preview["invited"], 1, "{preview}");
        assert_eq!(
            preview["skipped"],
            json!({"already_sso": 1, "domain_not_verified": 1, "no_seat": 2, "protected": 1}),
            "{preview}"
        );
        let id = start(&mut client, &all()).await;
        run::advance(&app.app).await.unwrap();
        let counts = look(&mut client, &id).await["people"].clone();
        assert_eq!(
            (&counts["invited"], &counts["skipped"]),
            (&json!(1), &json!(5)),
            "{counts}"
        );
        let skipped = client
            .get(&format!("/api/v1/conversions/{id}/people?state=skipped"))
            .await
            .json();
        let mut reasons: Vec<_> = skipped["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["reason"].as_str().unwrap().to_owned())
            .collect();
        reasons.sort_unstable();
        assert_eq!(
            reasons,
            [
                "already_sso",
                "domain_not_verified",
                "no_seat",
                "no_seat",
                "protected"
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn r106_the_board_shows_who_has_signed_in_and_only_their_originals_are_retired() {
    with_mail(|app, mailbox| async move {
        let mut client = furnish(&app).await;
        let ann = member(&app, &address("ann"), |_| {}).await;
        let bob = member(&app, &address("bob"), |_| {}).await;
        give_password(&app, &ann, PASSWORD).await;
        let id = start(&mut client, &all()).await;
        run::advance(&app.app).await.unwrap();
        accept(&app, &mailbox, "ann").await;
        let board = |signed_in: bool| format!("/api/v1/conversions/{id}/people?signed_in={signed_in}");
        let yes = client.get(&board(true)).await.json();
        assert_eq!(yes["items"][0]["account"], ann.as_str(), "{yes}");
        let not_yet = client.get(&board(false)).await.json();
        assert_eq!(not_yet["items"][0]["account"], bob.as_str(), "{not_yet}");
        let reminded = turn(&mut client, &id, "remind").await.json();
        assert_eq!(reminded, json!({"done": 1, "skipped": 0}));
        assert_eq!(
            turn(&mut client, &id, "remind").await.json()["done"],
            0,
            "once a day"
        );
        assert_eq!(mailbox.of(&app, &address("bob")).await.len(), 2);
        assert_eq!(mailbox.of(&app, &address("ann")).await.len(), 1);
        let retired = turn(&mut client, &id, "retire").await.json();
        assert_eq!(retired, json!({"done": 1, "skipped": 0}));
        assert!(!signs_in_with_password(&app, &address("ann")).await);
        let status = |name: &'static str| {
            let app = app.app.clone();
            async move {
                directory::accounts(&app, &address(name))
                    .await
                    .into_iter()
                    .find(|account| account.authentication == Authentication::Standard)
                    .unwrap()
                    .status
            }
        };
        assert_eq!(status("ann").await, Status::Deactivated);
        assert_eq!(status("bob").await, Status::Active);
        accept(&app, &mailbox, "bob").await;
    })
    .await;
}

#[tokio::test]
async fn r171_in_place_keeps_the_account_and_r172_undoing_gives_a_password_back() {
    with_mail(|app, mailbox| async move {
        let mut client = furnish(&app).await;
        let ann = member(&app, &address("ann"), |_| {}).await;
        give_password(&app, &ann, PASSWORD).await;
        let mut body = all();
        body["mode"] = json!("in_place");
        let id = start(&mut client, &body).await;
        run::advance(&app.app).await.unwrap();
        assert!(!signs_in_with_password(&app, &address("ann")).await, "R-02");
        let person = Person::new("ann-1", &address("ann"));
        let page = saml_idp::sign_in(&app.app, &mut app.browser(), "okta", &person).await;
        assert_eq!(page.location().as_deref(), Some("/account"), "{}", page.body);
        let accounts = directory::accounts(&app.app, &address("ann")).await;
        assert_eq!(
            accounts.iter().map(|account| &account.id).collect::<Vec<_>>(),
            [&ann]
        );
        let mails = mailbox.of(&app, &address("ann")).await;
        assert!(mails[0].link("/sso/okta/login").contains("login_hint="));
        let page = turn(&mut client, &id, "undo").await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        run::advance(&app.app).await.unwrap();
        assert_eq!(look(&mut client, &id).await["state"], "undone");
        let link = mailbox.of(&app, &address("ann")).await[1].link("/password/");
        super::choose_password(&mut app.browser(), &link, PASSWORD).await;
        assert!(signs_in_with_password(&app, &address("ann")).await);
    })
    .await;
}

#[tokio::test]
async fn r172_undoing_deletes_what_was_added_and_brings_retired_ones_back_within_its_time() {
    with_mail(|app, mailbox| async move {
        let mut client = furnish(&app).await;
        let ann = member(&app, &address("ann"), |_| {}).await;
        member(&app, &address("bob"), |_| {}).await;
        give_password(&app, &ann, PASSWORD).await;
        let id = start(&mut client, &all()).await;
        run::advance(&app.app).await.unwrap();
        let mut browser = accept(&app, &mailbox, "ann").await;
        turn(&mut client, &id, "retire").await;
        turn(&mut client, &id, "undo").await;
        run::advance(&app.app).await.unwrap();
        let undone = look(&mut client, &id).await;
        assert_eq!(
            (&undone["state"], &undone["people"]["undone"]),
            (&json!("undone"), &json!(2)),
            "{undone}"
        );
        assert!(
            signs_in_with_password(&app, &address("ann")).await,
            "it came back"
        );
        assert_eq!(
            browser.get("/account").await.location().as_deref(),
            Some("/login")
        );
        let link = mailbox.of(&app, &address("bob")).await[0].link("/invite/");
        assert_eq!(app.browser().get(&link).await.status, StatusCode::NOT_FOUND);
        let again = start(&mut client, &all()).await;
        run::advance(&app.app).await.unwrap();
        assert_eq!(
            look(&mut client, &again).await["people"]["invited"],
            2,
            "and once more"
        );
        app.app.world.advance(jiff::SignedDuration::from_hours(24 * 8));
        // Keys of these tests last a day.
        let mut client = Client::new(&app, None).await;
        assert_eq!(code(&turn(&mut client, &again, "undo").await), "undo_expired");
    })
    .await;
}

#[tokio::test]
async fn a_run_is_paused_goes_on_and_tries_a_person_again() {
    with_mail(|app, mailbox| async move {
        let mut client = furnish(&app).await;
        let ann = member(&app, &address("ann"), |_| {}).await;
        let far = member(&app, "far@elsewhere.example", |_| {}).await;
        let id = start(&mut client, &all()).await;
        turn(&mut client, &id, "pause").await;
        run::advance(&app.app).await.unwrap();
        assert_eq!(look(&mut client, &id).await["people"]["pending"], 2);
        assert_eq!(code(&turn(&mut client, &id, "pause").await), "wrong_state");
        turn(&mut client, &id, "resume").await;
        run::advance(&app.app).await.unwrap();
        assert_eq!(mailbox.of(&app, &address("ann")).await.len(), 1);
        directory::change_connection(&app.app, "okta", |connection, _| {
            connection.domains.push("elsewhere.example".to_owned());
        })
        .await;
        let retry = |account: &AccountId| format!("people/{account}/retry");
        assert_eq!(code(&turn(&mut client, &id, &retry(&ann)).await), "wrong_state");
        turn(&mut client, &id, &retry(&far)).await;
        run::advance(&app.app).await.unwrap();
        let done = look(&mut client, &id).await;
        assert_eq!(
            (&done["state"], &done["people"]["invited"]),
            (&json!("done"), &json!(2)),
            "{done}"
        );
        let lines = client
            .get(&format!("/api/v1/conversions/{id}/progress"))
            .await
            .body;
        let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
        assert_eq!(last["state"], "done");
        let mut other = Client::new(&app, Some(ORGANIZATION)).await;
        assert_eq!(
            other.get(&format!("/api/v1/conversions/{id}")).await.status,
            StatusCode::OK
        );
        api::other_organization(&app).await;
        let mut stranger = Client::new(&app, Some(api::OTHER)).await;
        assert_eq!(
            stranger.get(&format!("/api/v1/conversions/{id}")).await.status,
            StatusCode::NOT_FOUND
        );
    })
    .await;
}

#[tokio::test]
async fn two_nodes_and_a_broken_off_one_invite_nobody_twice_and_lose_nobody() {
    with_mail(|app, mailbox| async move {
        let mut client = furnish(&app).await;
        for number in 0..90 {
            member(&app, &address(&format!("p{number}")), |_| {}).await;
        }
        let id = start(&mut client, &all()).await;
        let other = app.second_node().await;
        // One of them is cut off in the middle of whatever it does.
        let cut = tokio::time::timeout(std::time::Duration::from_millis(60), run::advance(&other)).await;
        drop(cut);
        // What it had begun goes on by itself for a while, and its lease ends.
        for _ in 0..300 {
            app.app.world.advance(jiff::SignedDuration::from_secs(16));
            let (first, second) = tokio::join!(run::advance(&app.app), run::advance(&other));
            first.unwrap();
            second.unwrap();
            if look(&mut client, &id).await["state"] == "done" {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        let done = look(&mut client, &id).await;
        assert_eq!(
            (&done["state"], &done["people"]["invited"]),
            (&json!("done"), &json!(90)),
            "{done}"
        );
        for number in 0..90 {
            let email = address(&format!("p{number}"));
            assert_eq!(mailbox.of(&app, &email).await.len(), 1, "{email}");
            assert_eq!(directory::accounts(&app.app, &email).await.len(), 2, "{email}");
        }
    })
    .await;
}
