//! Receivers that are down, and what is told once they are back.

use axum::http::{Method, StatusCode};
use jiff::SignedDuration;
use serde_json::json;

use super::{Call, Receiver, add, deliver, hook, step};
use crate::api::{Client, furnish};
use crate::app::on_each_engine;
use crate::directory::ORGANIZATION;

#[tokio::test]
async fn r188_a_receiver_that_is_down_is_tried_seldom_then_switched_off_and_its_owners_are_told() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let receiver = Receiver::start().await;
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        let (id, _) = hook(
            &mut client,
            &json!({ "url": receiver.url, "kinds": ["user.created"] }),
        )
        .await;
        let base = format!("/api/v1/webhooks/{id}");
        receiver.refuse("", StatusCode::INTERNAL_SERVER_ERROR);
        for name in ["bob", "eve", "zoe"] {
            add(&mut client, name).await;
        }
        assert_eq!(deliver(&app.app).await.unwrap(), 0);
        assert_eq!(receiver.made(), 3);
        deliver(&app.app).await.unwrap();
        assert_eq!(receiver.made(), 0, "it rests");
        app.app.world.advance(SignedDuration::from_secs(6));
        deliver(&app.app).await.unwrap();
        assert_eq!(receiver.made(), 1, "one call finds out whether it is back");
        add(&mut client, "yan").await;
        deliver(&app.app).await.unwrap();
        assert_eq!(receiver.made(), 0, "what is new does not wake it");
        app.app.world.advance(SignedDuration::from_hours(73));
        deliver(&app.app).await.unwrap();
        assert_eq!(receiver.made(), 1);
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        let shown = client.get(&base).await.json();
        assert_eq!(
            (&shown["enabled"], &shown["disabled_reason"]),
            (&json!(false), &json!("nothing arrived for three days")),
            "{shown}"
        );
        let feed = client.get("/api/v1/events?limit=200").await.json();
        let off = feed["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|event| event["kind"] == "webhook.disabled")
            .unwrap_or_else(|| panic!("{feed}"));
        assert_eq!(off["data"]["webhook"], id.as_str());
        receiver.accept_everything();
        let page = client
            .send_json(Method::PATCH, &base, &json!({ "enabled": true }))
            .await;
        assert_eq!(page.json()["enabled"], true, "{}", page.body);
        assert_eq!(deliver(&app.app).await.unwrap(), 4, "nothing is lost");
    })
    .await;
}

#[tokio::test]
async fn r188_what_happens_while_a_webhook_is_off_is_told_afterwards_and_others_hear_it_at_once() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let (paused, other) = (Receiver::start().await, Receiver::start().await);
        let mut client = Client::new(&app, None).await;
        let wanted = |receiver: &Receiver| json!({ "url": receiver.url, "kinds": ["user.*"] });
        let (id, _) = hook(&mut client, &wanted(&paused)).await;
        hook(&mut client, &wanted(&other)).await;
        let base = format!("/api/v1/webhooks/{id}");
        client
            .send_json(Method::PATCH, &base, &json!({ "enabled": false }))
            .await;
        let bob = add(&mut client, "bob").await;
        deliver(&app.app).await.unwrap();
        assert_eq!((paused.take().len(), other.take().len()), (0, 1));
        step(&mut client, &bob, "suspend").await;
        client
            .send_json(Method::PATCH, &base, &json!({ "enabled": true }))
            .await;
        deliver(&app.app).await.unwrap();
        let kinds: Vec<String> = paused.take().iter().map(Call::kind).collect();
        assert_eq!(kinds, ["user.created", "user.suspended"]);
        assert_eq!(other.take().len(), 1);
        assert_eq!(deliver(&app.app).await.unwrap(), 0, "once");
    })
    .await;
}
