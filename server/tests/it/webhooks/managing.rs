//! What is done by hand: sending again, new secrets, test calls, deleting.

use axum::http::{Method, StatusCode};
use jiff::SignedDuration;
use serde_json::json;

use super::{Receiver, add, deliver, hook};
use crate::api::{Client, code, furnish};
use crate::app::on_each_engine;

#[tokio::test]
async fn r188_what_was_given_up_or_arrived_is_sent_again_on_request() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let receiver = Receiver::start().await;
        let mut client = Client::new(&app, None).await;
        let (id, _) = hook(
            &mut client,
            &json!({ "url": receiver.url, "kinds": ["user.created"] }),
        )
        .await;
        let bob = add(&mut client, "bob").await;
        receiver.refuse(&bob, StatusCode::BAD_GATEWAY);
        for round in 0..11 {
            // Keys of these tests last a day. What happens to others arrives all the while.
            let mut client = Client::new(&app, None).await;
            add(&mut client, &format!("other-{round}")).await;
            assert_eq!(deliver(&app.app).await.unwrap(), 1);
            app.app.world.advance(SignedDuration::from_hours(27));
        }
        receiver.take();
        let mut client = Client::new(&app, None).await;
        let base = format!("/api/v1/webhooks/{id}");
        let failed = client
            .get(&format!("{base}/deliveries?state=failed"))
            .await
            .json();
        assert_eq!(failed["items"][0]["attempts"], 10, "{failed}");
        assert_eq!(
            client.get(&base).await.json()["enabled"],
            true,
            "one event that is refused does not silence the others"
        );
        receiver.accept_everything();
        assert_eq!(deliver(&app.app).await.unwrap(), 0, "given up is given up");
        let replayed = client.post(&format!("{base}/replay"), &json!({})).await.json();
        assert_eq!(replayed, json!({ "queued": 1 }));
        assert_eq!(deliver(&app.app).await.unwrap(), 1);
        let first = receiver.take().remove(0);
        let delivery = failed["items"][0]["id"].as_str().unwrap();
        let page = client
            .post(&format!("{base}/deliveries/{delivery}/replay"), &json!({}))
            .await;
        assert_eq!(page.json()["delivery"]["state"], "pending", "{}", page.body);
        let page = client
            .post(&format!("{base}/deliveries/{delivery}/replay"), &json!({}))
            .await;
        assert_eq!(code(&page), "wrong_state");
        assert_eq!(deliver(&app.app).await.unwrap(), 1);
        assert_eq!(
            receiver.take()[0].id,
            first.id,
            "the same event, so that the receiver knows"
        );
        assert_eq!(
            client.post(&format!("{base}/replay"), &json!({})).await.json()["queued"],
            0
        );
        let all = client
            .post(&format!("{base}/replay"), &json!({ "all": true }))
            .await
            .json();
        assert_eq!(all["queued"], 12, "{all}");
    })
    .await;
}

#[tokio::test]
async fn r188_secrets_are_rotated_calls_tried_and_whoever_is_gone_is_called_no_more() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let receiver = Receiver::start().await;
        let mut client = Client::new(&app, None).await;
        let (id, old) = hook(&mut client, &json!({ "url": receiver.url })).await;
        let base = format!("/api/v1/webhooks/{id}");
        let tried = client.post(&format!("{base}/test"), &json!({})).await.json();
        assert_eq!(
            (&tried["status"], tried.get("error")),
            (&json!(204), None),
            "{tried}"
        );
        assert_eq!(receiver.take()[0].kind(), "webhook.test");
        let new = client
            .post(&format!("{base}/rotate-secret"), &json!({}))
            .await
            .json()["secret"]
            .as_str()
            .unwrap()
            .to_owned();
        assert_ne!(old, new);
        client.post(&format!("{base}/test"), &json!({})).await;
        let call = receiver.take().remove(0);
        assert!(
            call.is_signed_with(&old) && call.is_signed_with(&new),
            "for a day both"
        );
        app.app.world.advance(SignedDuration::from_hours(25));
        let mut client = Client::new(&app, None).await;
        client.post(&format!("{base}/test"), &json!({})).await;
        let call = receiver.take().remove(0);
        assert!(!call.is_signed_with(&old) && call.is_signed_with(&new));
        receiver.refuse("user.", StatusCode::GONE);
        add(&mut client, "bob").await;
        deliver(&app.app).await.unwrap();
        let shown = client.get(&base).await.json();
        assert_eq!(
            (&shown["enabled"], &shown["disabled_reason"]),
            (&json!(false), &json!("answered 410 (Gone)")),
            "{shown}"
        );
        receiver.accept_everything();
        receiver.take();
        assert_eq!(deliver(&app.app).await.unwrap(), 0);
        let page = client
            .send_json(Method::PATCH, &base, &json!({ "enabled": true }))
            .await;
        assert_eq!(page.json()["enabled"], true, "{}", page.body);
        assert!(
            deliver(&app.app).await.unwrap() > 0,
            "it goes on where it stopped"
        );
        assert_eq!(
            client.send(Method::DELETE, &base).await.status,
            StatusCode::NO_CONTENT
        );
        assert_eq!(client.get(&base).await.status, StatusCode::NOT_FOUND);
    })
    .await;
}
