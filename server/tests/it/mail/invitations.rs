//! Invitations, from the key of an admin to a signed-in session.

use axum::http::StatusCode;
use provost::flow::api_keys::Scope;
use provost_kernel::directory::Status;
use serde_json::{Value, json};

use super::{Mailbox, choose_password, with_mail};
use crate::api::{self, Client, code};
use crate::app::{Page, TestApp};
use crate::directory::{self, ORGANIZATION};
use crate::saml_idp::{self, Person, accept_invitation};

const CARA: &str = "cara@home-lab.example";
const PASSWORD: &str = "correct horse battery";

async fn invite(client: &mut Client, body: &Value) -> Value {
    let page = client
        .post(&format!("/api/v1/organizations/{ORGANIZATION}/invitations"), body)
        .await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    page.json()
}

async fn state(client: &mut Client, id: &str) -> String {
    let page = client.get(&format!("/api/v1/invitations/{id}")).await;
    page.json()["state"].as_str().unwrap().to_owned()
}

fn standard() -> Value {
    json!({"people": [{"email": CARA, "given_name": "Cara", "roles": ["admin"], "workspaces": ["lab"]}]})
}

fn through_okta() -> Value {
    json!({"people": [{"email": CARA, "given_name": "Cara", "connection": "okta"}]})
}

fn id_of(invited: &Value) -> String {
    invited["results"][0]["invitation"]["id"]
        .as_str()
        .unwrap_or_else(|| panic!("{invited}"))
        .to_owned()
}

async fn arrived(mailbox: &Mailbox, app: &TestApp, count: usize) -> String {
    let mails = mailbox.of(app, CARA).await;
    assert_eq!(mails.len(), count, "{mails:?}");
    mails.last().unwrap().link("/invite/")
}

#[tokio::test]
async fn r92_an_invited_person_chooses_a_password_and_is_in_with_her_roles() {
    with_mail(|app, mailbox| async move {
        directory::organization(&app.app).await;
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        let invited = invite(&mut client, &standard()).await;
        let id = id_of(&invited);
        assert_eq!(state(&mut client, &id).await, "sent");
        let link = arrived(&mailbox, &app, 1).await;
        let mut browser = app.browser();
        assert!(browser.get(&link).await.body.contains("Home Lab"));
        assert_eq!(state(&mut client, &id).await, "opened");
        let page = choose_password(&mut browser, &link, PASSWORD).await;
        assert_eq!(page.location().as_deref(), Some("/account"), "{}", page.body);
        assert_eq!(browser.get("/account").await.status, StatusCode::OK);
        assert_eq!(state(&mut client, &id).await, "accepted");
        let account = &directory::accounts(&app.app, CARA).await[0];
        assert_eq!(account.status, Status::Active);
        let again = app.browser().get(&link).await;
        assert_eq!(again.status, StatusCode::NOT_FOUND, "it works once");
    })
    .await;
}

#[tokio::test]
async fn r91_a_skipped_invitation_sends_nothing_and_can_be_sent_later() {
    with_mail(|app, mailbox| async move {
        directory::organization(&app.app).await;
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        let mut body = standard();
        body["send"] = json!(false);
        let id = id_of(&invite(&mut client, &body).await);
        assert_eq!(state(&mut client, &id).await, "skipped");
        assert!(mailbox.of(&app, CARA).await.is_empty());
        let page = client
            .post(&format!("/api/v1/invitations/{id}/resend"), &json!({}))
            .await;
        assert_eq!(page.json()["state"], "sent", "{}", page.body);
        arrived(&mailbox, &app, 1).await;
    })
    .await;
}

#[tokio::test]
async fn r174_an_sso_invitation_leads_through_the_provider_before_the_first_sign_in() {
    with_mail(|app, mailbox| async move {
        directory::organization(&app.app).await;
        saml_idp::connect(&app.app, "okta", |_| {}).await;
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        let invited = invite(&mut client, &through_okta()).await;
        let account = invited["results"][0]["invitation"]["account"].clone();
        let link = arrived(&mailbox, &app, 1).await;
        let page = app.browser().get(&link).await;
        assert!(!page.body.contains("type=\"password\""), "R-108: {}", page.body);
        let mut browser = app.browser();
        let cara = Person::new("cara-1", CARA);
        let page = accept_invitation(&app.app, &mut browser, "okta", &link, &cara).await;
        assert_eq!(page.location().as_deref(), Some("/account"), "{}", page.body);
        assert_eq!(browser.get("/account").await.status, StatusCode::OK);
        assert_eq!(state(&mut client, &id_of(&invited)).await, "accepted");
        let accounts = directory::accounts(&app.app, CARA).await;
        assert_eq!(accounts.len(), 1);
        assert_eq!(json!(accounts[0].id.as_str()), account);
        assert_eq!(
            app.browser().get(&link).await.status,
            StatusCode::NOT_FOUND,
            "it works once"
        );
    })
    .await;
}

#[tokio::test]
async fn r174_another_persons_sign_in_with_the_link_is_refused_and_the_invited_one_still_gets_in() {
    with_mail(|app, mailbox| async move {
        directory::organization(&app.app).await;
        saml_idp::connect(&app.app, "okta", |_| {}).await;
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        let invited = invite(&mut client, &through_okta()).await;
        let link = arrived(&mailbox, &app, 1).await;
        let eve = Person::new("eve-1", "eve@home-lab.example");
        let mut browser = app.browser();
        let page = accept_invitation(&app.app, &mut browser, "okta", &link, &eve).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
        assert!(
            page.body.contains("This invitation is for somebody else"),
            "{}",
            page.body
        );
        assert_eq!(
            browser.get("/account").await.location().as_deref(),
            Some("/login")
        );
        assert!(
            directory::accounts(&app.app, "eve@home-lab.example")
                .await
                .is_empty(),
            "nobody is made"
        );
        let trace = directory::trace(&app.app, &directory::reference(&page)).await;
        assert_eq!(trace.verdict, "not_invited_person");
        assert_eq!(state(&mut client, &id_of(&invited)).await, "opened");
        let cara = Person::new("cara-1", CARA);
        let page = accept_invitation(&app.app, &mut app.browser(), "okta", &link, &cara).await;
        assert_eq!(page.location().as_deref(), Some("/account"), "{}", page.body);
    })
    .await;
}

#[tokio::test]
async fn a_link_ends_by_being_sent_again_taken_back_or_getting_old() {
    with_mail(|app, mailbox| async move {
        directory::organization(&app.app).await;
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        let id = id_of(&invite(&mut client, &standard()).await);
        let first = arrived(&mailbox, &app, 1).await;
        client
            .post(&format!("/api/v1/invitations/{id}/resend"), &json!({}))
            .await;
        let second = arrived(&mailbox, &app, 2).await;
        assert_ne!(first, second);
        let gone = app.browser().get(&first).await;
        assert_eq!(gone.status, StatusCode::NOT_FOUND);
        app.app.world.advance(jiff::SignedDuration::from_hours(24 * 8));
        // Keys of these tests last a day.
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        assert_eq!(state(&mut client, &id).await, "expired");
        let expired = app.browser().get(&second).await;
        assert_eq!(expired.status, StatusCode::NOT_FOUND);
        let never = app.browser().get("/invite/pvi_never-made").await;
        let plain = |page: &Page| page.body.split("<code").next().unwrap().to_owned();
        assert_eq!(plain(&never), plain(&expired), "nobody learns which");
        client
            .post(&format!("/api/v1/invitations/{id}/resend"), &json!({}))
            .await;
        let third = arrived(&mailbox, &app, 3).await;
        let revoked = client
            .post(&format!("/api/v1/invitations/{id}/revoke"), &json!({}))
            .await;
        assert_eq!(revoked.json()["state"], "revoked", "{}", revoked.body);
        assert_eq!(app.browser().get(&third).await.status, StatusCode::NOT_FOUND);
        assert!(
            directory::accounts(&app.app, CARA)
                .await
                .iter()
                .all(|account| account.status == Status::Deleted)
        );
        let again = invite(&mut client, &standard()).await;
        assert!(again["results"][0]["invitation"].is_object(), "{again}");
    })
    .await;
}

#[tokio::test]
async fn r175_pending_people_are_invited_again_in_bulk_and_only_they() {
    with_mail(|app, mailbox| async move {
        directory::organization(&app.app).await;
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        let people: Vec<Value> = (0..60)
            .map(|number| json!({"email": format!("p{number}@home-lab.example")}))
            .collect();
        invite(&mut client, &json!({"people": people, "send": false})).await;
        invite(&mut client, &standard()).await;
        let link = arrived(&mailbox, &app, 1).await;
        choose_password(&mut app.browser(), &link, PASSWORD).await;
        let path = format!("/api/v1/organizations/{ORGANIZATION}/invitations");
        let pending = client.get(&format!("{path}?pending=true&limit=200")).await.json();
        assert_eq!(pending["items"].as_array().unwrap().len(), 60);
        let resent = client.post(&format!("{path}/resend"), &json!({})).await.json();
        assert_eq!(resent, json!({"sent": 60, "skipped": 0}));
        for number in [0, 30, 59] {
            assert_eq!(
                mailbox
                    .of(&app, &format!("p{number}@home-lab.example"))
                    .await
                    .len(),
                1
            );
        }
        arrived(&mailbox, &app, 1).await;
    })
    .await;
}

#[tokio::test]
async fn r87_r88_only_those_who_may_invite_do_and_only_addresses_of_the_connection() {
    with_mail(|app, mailbox| async move {
        api::furnish(&app).await;
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        let outside = json!({"people": [
            {"email": "cara@elsewhere.example", "connection": "okta"},
            {"email": "not an address"},
            {"email": CARA, "roles": ["owner"]},
            {"email": api::ANN, "connection": "okta"},
        ]});
        let results = invite(&mut client, &outside).await["results"].clone();
        let codes: Vec<_> = results
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["code"].clone())
            .collect();
        assert_eq!(
            codes,
            [
                "domain_not_verified",
                "invalid_email",
                "not_permitted",
                "account_exists"
            ]
            .map(Value::from)
        );
        assert!(mailbox.of(&app, "cara@elsewhere.example").await.is_empty());
        let mut other = Client::new(&app, Some(api::OTHER)).await;
        let path = format!("/api/v1/organizations/{ORGANIZATION}/invitations");
        assert_eq!(other.post(&path, &standard()).await.status, StatusCode::NOT_FOUND);
        let key = api::key(&app, Some(ORGANIZATION), &[Scope::AccountsRead]).await;
        let page = Client::with(&app, &key).post(&path, &standard()).await;
        assert_eq!(code(&page), "missing_scope");
        let id = id_of(&invite(&mut client, &standard()).await);
        assert_eq!(
            other.get(&format!("/api/v1/invitations/{id}")).await.status,
            StatusCode::NOT_FOUND
        );
    })
    .await;
}

#[tokio::test]
async fn an_invitation_is_kept_as_a_digest_and_its_link_sealed_until_it_left() {
    let app = TestApp::start_with(&[
        ("mail_transport", "smtp"),
        ("mail_from", "no-reply@sso.example"),
        // Nobody listens there.
        ("mail_smtp_url", "smtp://127.0.0.1:9"),
    ])
    .await;
    directory::organization(&app.app).await;
    let mut client = Client::new(&app, Some(ORGANIZATION)).await;
    invite(&mut client, &standard()).await;
    let database = rusqlite::Connection::open(app.folder().join("provost.db")).unwrap();
    let (count, readable): (i64, i64) = database
        .query_row(
            "SELECT COUNT(*), COALESCE(SUM(instr(CAST(link AS TEXT), 'pvi_') > 0 OR instr(content, 'pvi_') > 0), 0) FROM mails",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    assert_eq!((count, readable), (1, 0));
    let digest: String = database
        .query_row("SELECT digest FROM invitations", [], |row| row.get(0))
        .unwrap();
    assert!(digest.len() == 64 && digest.chars().all(|letter| letter.is_ascii_hexdigit()));
}

#[tokio::test]
async fn without_mail_an_invitation_says_so_or_is_skipped() {
    let app = TestApp::start().await;
    directory::organization(&app.app).await;
    let mut client = Client::new(&app, Some(ORGANIZATION)).await;
    let path = format!("/api/v1/organizations/{ORGANIZATION}/invitations");
    assert_eq!(code(&client.post(&path, &standard()).await), "mail_off");
    assert!(directory::accounts(&app.app, CARA).await.is_empty());
    let mut body = standard();
    body["send"] = json!(false);
    assert!(invite(&mut client, &body).await["results"][0]["invitation"].is_object());
}
