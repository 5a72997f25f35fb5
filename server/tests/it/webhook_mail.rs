//! The mail about a webhook that was switched off by itself: to the owners of its organization, once, in its language.

use axum::http::{Method, StatusCode};
use jiff::SignedDuration;
use provost::app::App;
use serde_json::{Value, json};

use crate::api::{ANN, Client, furnish};
use crate::app::TestApp;
use crate::declarative;
use crate::directory::{self, ORGANIZATION};
use crate::documents;
use crate::mail::{Arrived, Mailbox, with_mail};
use crate::second_factors::{CARA, member};
use crate::webhooks::{Receiver, add, deliver, hook};

const OLGA: &str = "olga@freelance.example";
const ADAM: &str = "adam@freelance.example";

/// Two owners, an admin, and an owner who has left.
async fn people(app: &TestApp) {
    for (email, role) in [
        (CARA, "owner"),
        (OLGA, "owner"),
        (ADAM, "admin"),
        ("left@freelance.example", "owner"),
    ] {
        let account = directory::standard_account(&app.app, email, None).await;
        member(app, &account, role).await;
        if email.starts_with("left") {
            let mut operator = Client::new(app, None).await;
            let path = format!("/api/v1/accounts/{account}/deactivate");
            let page = operator.send(Method::POST, &path).await;
            assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        }
    }
}

/// Lets nothing arrive for so long that the webhook is switched off, and another node notice the same.
async fn fail_for_days(app: &App, receiver: &Receiver) {
    receiver.refuse("", StatusCode::INTERNAL_SERVER_ERROR);
    deliver(app).await.unwrap();
    app.world.advance(SignedDuration::from_hours(73));
    let (one, other) = tokio::join!(deliver(app), deliver(app));
    assert_eq!((one.unwrap(), other.unwrap()), (0, 0));
    app.world.advance(SignedDuration::from_hours(73));
    deliver(app).await.unwrap();
}

fn about_the_webhook(mails: Vec<Arrived>, subject: &str) -> Vec<Arrived> {
    let mut mails = mails;
    mails.retain(|mail| mail.header("Subject").unwrap().contains(subject));
    mails
}

/// Everybody who got the mail, and how often.
async fn told(app: &TestApp, mailbox: &Mailbox, subject: &str) -> Vec<(&'static str, usize)> {
    let mut told = Vec::new();
    for email in [CARA, OLGA, ADAM, ANN, "left@freelance.example"] {
        let count = about_the_webhook(mailbox.of(app, email).await, subject).len();
        if count > 0 {
            told.push((email, count));
        }
    }
    told
}

async fn history(app: &TestApp) -> Value {
    let mut client = Client::new(app, Some(ORGANIZATION)).await;
    client.get("/api/v1/mails?limit=200").await.json()
}

#[tokio::test]
async fn r188_each_owner_gets_one_mail_about_a_webhook_that_failed_for_days_and_nobody_else_does() {
    with_mail(|app, mailbox| async move {
        furnish(&app).await;
        people(&app).await;
        let receiver = Receiver::start().await;
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        let (id, _) = hook(
            &mut client,
            &json!({ "url": format!("{}?key=swordfish", receiver.url), "kinds": ["user.created"] }),
        )
        .await;
        add(&mut client, "bob").await;
        assert_eq!(told(&app, &mailbox, "webhook at").await, []);
        fail_for_days(&app.app, &receiver).await;
        let subject = "Home Lab: the webhook at 127.0.0.1";
        assert_eq!(told(&app, &mailbox, subject).await, [(CARA, 1), (OLGA, 1)]);
        let [mail] = about_the_webhook(mailbox.of(&app, CARA).await, subject)
            .try_into()
            .unwrap();
        assert!(mail.text.contains("127.0.0.1"), "{}", mail.text);
        assert!(
            !mail.text.contains("swordfish") && !mail.text.contains("/hooks"),
            "an address may hold secrets: {}",
            mail.text
        );
        let page = format!("/console/{ORGANIZATION}/developers/webhooks/{id}");
        let link = app.app.config.public_url.join(&page).unwrap();
        assert_eq!(mail.link(&page), link.as_str());
        let kept = history(&app).await;
        let of_kind = kept["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|mail| mail["kind"] == "webhook_disabled")
            .count();
        assert_eq!(of_kind, 2, "{kept}");
        // Switched on again and failing again is another time to tell.
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        let path = format!("/api/v1/webhooks/{id}");
        let page = client
            .send_json(Method::PATCH, &path, &json!({ "enabled": true }))
            .await;
        assert_eq!(page.json()["enabled"], true, "{}", page.body);
        fail_for_days(&app.app, &receiver).await;
        assert_eq!(told(&app, &mailbox, subject).await, [(CARA, 2), (OLGA, 2)]);
        // Switching it off by hand tells nobody: whoever does it knows.
        receiver.accept_everything();
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        for enabled in [true, false] {
            let body = json!({ "enabled": enabled });
            client.send_json(Method::PATCH, &path, &body).await;
        }
        assert_eq!(told(&app, &mailbox, subject).await, [(CARA, 2), (OLGA, 2)]);
    })
    .await;
}

#[tokio::test]
async fn r188_the_mail_about_a_webhook_that_is_gone_speaks_the_organizations_language() {
    with_mail(|app, mailbox| async move {
        furnish(&app).await;
        people(&app).await;
        let file = json!({ "organizations": [{
            "id": ORGANIZATION, "name": "Home Lab", "roles_per_member": "many", "mail": { "language": "de" },
        }]});
        let folder = documents::folder();
        declarative::apply(&app.app, &file.to_string(), &folder.0)
            .await
            .unwrap();
        let receiver = Receiver::start().await;
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        hook(
            &mut client,
            &json!({ "url": receiver.url, "kinds": ["user.created"] }),
        )
        .await;
        receiver.refuse("", StatusCode::GONE);
        for name in ["bob", "eve"] {
            add(&mut client, name).await;
        }
        deliver(&app.app).await.unwrap();
        deliver(&app.app).await.unwrap();
        assert_eq!(
            told(&app, &mailbox, "Home Lab: Der Webhook an 127.0.0.1").await,
            [(CARA, 1), (OLGA, 1)],
            "two accounts were told of, and it is one end"
        );
        let [mail] = about_the_webhook(mailbox.of(&app, CARA).await, "Home Lab: Der Webhook an 127.0.0.1")
            .try_into()
            .unwrap();
        assert!(
            mail.text.contains("wieder einschalten") && !mail.text.contains("switched off"),
            "{}",
            mail.text
        );
    })
    .await;
}
