//! How mail leaves: what arrives looks like mail, and what cannot leave is tried again and seen.

use provost::flow::mail::{self, Addressed, Kind};
use provost_kernel::email::Email;
use provost_store::{MailFilter, StoreError};
use serde_json::json;

use super::with_mail;
use crate::api::{self, Client};
use crate::app::TestApp;
use crate::declarative;
use crate::directory;

/// Queues a mail of the organization and returns its identifier.
pub async fn queue(app: &TestApp, address: &str, name: &str) -> String {
    let to = Addressed {
        email: Email::parse(address).unwrap(),
        name: Some(name.to_owned()),
        organization: Some(directory::ORGANIZATION.into()),
        account: None,
    };
    let link = Some("https://sso.example/invite/pvi_secret-token".to_owned());
    let values = [("days", "7".to_owned())];
    let new = mail::new_mail(&app.app.world, Kind::Invitation, to, &values, link).unwrap();
    let (id, now) = (new.id.clone(), app.app.world.now());
    let queued: Result<(), StoreError> = app
        .app
        .store
        .write(move |tx| Box::pin(async move { tx.queue_mail(&new, now).await }))
        .await;
    queued.unwrap();
    id
}

#[tokio::test]
async fn r92_mail_carries_the_organizations_name_color_and_language() {
    with_mail(|app, mailbox| async move {
        directory::organization(&app.app).await;
        let file = json!({"organizations": [{
            "id": directory::ORGANIZATION,
            "mail": {"sender": "Home Lab SSO", "color": "#aa3300", "language": "de", "reply_to": "it@home-lab.example"},
        }]});
        let folder = std::env::temp_dir();
        declarative::apply(&app.app, &file.to_string(), &folder).await.unwrap();
        queue(&app, "ann@home-lab.example", "Ann\r\nBcc: all@evil.example").await;
        let [mail] = mailbox.of(&app, "ann@home-lab.example").await.try_into().unwrap();
        assert!(mail.header("From").unwrap().contains("no-reply@sso.example"), "{mail:?}");
        assert!(mail.header("From").unwrap().contains("Home Lab SSO"), "{mail:?}");
        assert_eq!(mail.header("Reply-To"), Some("it@home-lab.example"));
        assert_eq!(mail.header("Auto-Submitted"), Some("auto-generated"));
        assert!(mail.header("Message-ID").unwrap().ends_with("@sso.example>"));
        assert!(mail.header("Content-Type").unwrap().starts_with("multipart/alternative"));
        assert!(mail.header("Subject").unwrap().contains("Ihre Einladung zu"), "{mail:?}");
        assert!(mail.text.contains("background:#aa3300"));
        assert_eq!(mail.header("Bcc"), None);
        assert_eq!(mail.link("/invite/"), "https://sso.example/invite/pvi_secret-token");
    })
    .await;
}

#[tokio::test]
async fn r177_the_history_shows_what_went_to_whom_and_never_the_link() {
    with_mail(|app, mailbox| async move {
        api::furnish(&app).await;
        queue(&app, "ann@home-lab.example", "Ann").await;
        let mut client = Client::new(&app, Some(directory::ORGANIZATION)).await;
        let waiting = client.get("/api/v1/mails").await.json();
        assert_eq!(waiting["items"][0]["state"], "queued", "{waiting}");
        assert_eq!(mailbox.of(&app, "ann@home-lab.example").await.len(), 1);
        let page = client
            .get("/api/v1/mails?recipient=ANN@home-lab.example&state=sent")
            .await;
        assert!(!page.body.contains("secret-token"), "{}", page.body);
        let sent = page.json();
        assert_eq!(sent["items"][0]["attempts"], 1, "{sent}");
        assert!(sent["items"][0]["sent_at"].is_string());
        let id = sent["items"][0]["id"].as_str().unwrap();
        assert_eq!(client.get(&format!("/api/v1/mails/{id}")).await.status, 200);
        let mut stranger = Client::new(&app, Some("other")).await;
        assert_eq!(stranger.get(&format!("/api/v1/mails/{id}")).await.status, 404);
        assert_eq!(stranger.get("/api/v1/mails").await.json()["items"], json!([]));
    })
    .await;
}

#[tokio::test]
async fn a_mail_that_cannot_leave_is_tried_again_later_and_given_up_at_last() {
    // Nobody listens there.
    let app = TestApp::start_with(&[
        ("mail_transport", "smtp"),
        ("mail_from", "no-reply@sso.example"),
        ("mail_smtp_url", "smtp://127.0.0.1:9"),
    ])
    .await;
    directory::organization(&app.app).await;
    queue(&app, "ann@home-lab.example", "Ann").await;
    let find = || async {
        let found: Result<_, StoreError> = app
            .app
            .store
            .read(|reader| Box::pin(async move { reader.mails(&MailFilter::default(), None, 1).await }))
            .await;
        found.unwrap().remove(0)
    };
    assert_eq!(mail::deliver(&app.app).await.unwrap(), 0);
    let failed = find().await;
    assert_eq!(
        (failed.attempts, failed.state),
        (1, provost_store::MailState::Queued)
    );
    assert!(failed.last_error.is_some());
    // Not before its time.
    mail::deliver(&app.app).await.unwrap();
    assert_eq!(find().await.attempts, 1);
    for _ in 0..12 {
        app.app.world.advance(jiff::SignedDuration::from_hours(13));
        mail::deliver(&app.app).await.unwrap();
    }
    let dead = find().await;
    assert_eq!((dead.attempts, dead.state), (11, provost_store::MailState::Dead));
}
