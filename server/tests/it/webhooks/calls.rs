//! What is told to whom: signed, in order for each account, and nothing of others.

use axum::http::{Method, StatusCode};
use jiff::SignedDuration;
use provost::flow::api_keys::Scope;
use serde_json::json;

use super::{Call, Receiver, add, deliver, hook, step};
use crate::api::{self, ANN, Client, OTHER, ann, code, furnish};
use crate::app::{TestApp, on_each_engine};
use crate::directory::ORGANIZATION;

#[tokio::test]
async fn r188_events_arrive_signed_in_order_and_only_those_that_are_wanted() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let receiver = Receiver::start().await;
        let mut client = Client::new(&app, None).await;
        let (id, secret) = hook(
            &mut client,
            &json!({ "url": receiver.url, "kinds": ["user.*", "membership.created"] }),
        )
        .await;
        assert_eq!(deliver(&app.app).await.unwrap(), 0, "what was before is not told");
        let bob = add(&mut client, "bob").await;
        step(&mut client, &bob, "suspend").await;
        step(&mut client, &bob, "reactivate").await;
        assert_eq!(deliver(&app.app).await.unwrap(), 4);
        let calls = receiver.take();
        let kinds: Vec<String> = calls.iter().map(Call::kind).collect();
        assert_eq!(
            kinds,
            [
                "user.created",
                "membership.created",
                "user.suspended",
                "user.activated"
            ]
        );
        for call in &calls {
            assert!(call.is_signed_with(&secret), "{call:?}");
            assert!(!call.is_signed_with("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
            assert_eq!(call.json()["data"]["account"], bob.as_str());
        }
        // The identifier of the call is that of the event in the feed.
        let feed = client.get("/api/v1/events?limit=200").await.json();
        let ids: Vec<&str> = feed["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| event["id"].as_str().unwrap())
            .collect();
        assert!(calls.iter().all(|call| ids.contains(&call.id.as_str())));
        assert_eq!(deliver(&app.app).await.unwrap(), 0, "once");
        let listed = client
            .get(&format!(
                "/api/v1/webhooks/{id}/deliveries?state=delivered&limit=3"
            ))
            .await
            .json();
        assert_eq!(listed["items"][0]["kind"], "user.activated", "{listed}");
        let rest = client
            .get(&format!(
                "/api/v1/webhooks/{id}/deliveries?limit=3&cursor={}",
                listed["next"].as_str().unwrap()
            ))
            .await
            .json();
        assert_eq!(rest["items"][0]["kind"], "user.created", "{rest}");
        // The secret is shown once and kept sealed.
        let shown = client.get(&format!("/api/v1/webhooks/{id}")).await;
        assert!(!shown.body.contains("whsec_"), "{}", shown.body);
    })
    .await;
}

#[tokio::test]
async fn r188_a_call_that_fails_is_repeated_and_holds_back_only_its_own_account() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let receiver = Receiver::start().await;
        let mut client = Client::new(&app, None).await;
        let (id, _) = hook(&mut client, &json!({ "url": receiver.url, "kinds": ["user.*"] })).await;
        let bob = add(&mut client, "bob").await;
        receiver.refuse(&bob, StatusCode::INTERNAL_SERVER_ERROR);
        step(&mut client, &bob, "suspend").await;
        add(&mut client, "eve").await;
        assert_eq!(deliver(&app.app).await.unwrap(), 1);
        let told = receiver.take();
        assert_eq!(
            (told.len(), told[0].kind().as_str()),
            (1, "user.created"),
            "Eve's, and of Bob nothing out of order"
        );
        let waiting = client
            .get(&format!("/api/v1/webhooks/{id}/deliveries?state=pending"))
            .await
            .json();
        assert_eq!(waiting["items"].as_array().unwrap().len(), 2, "{waiting}");
        let first = waiting["items"][1].clone();
        assert_eq!(
            (&first["attempts"], &first["last_status"]),
            (&json!(1), &json!(500)),
            "{waiting}"
        );
        assert_eq!(
            waiting["items"][0]["attempts"], 0,
            "what follows waits for it: {waiting}"
        );
        app.app.world.advance(SignedDuration::from_secs(6));
        assert_eq!(deliver(&app.app).await.unwrap(), 0, "still refused");
        receiver.accept_everything();
        assert_eq!(deliver(&app.app).await.unwrap(), 0, "not before its time");
        app.app.world.advance(SignedDuration::from_secs(400));
        assert_eq!(deliver(&app.app).await.unwrap(), 2);
        let kinds: Vec<String> = receiver.take().iter().map(Call::kind).collect();
        assert_eq!(kinds, ["user.created", "user.suspended"]);
        let path = format!(
            "/api/v1/webhooks/{id}/deliveries/{}",
            first["id"].as_str().unwrap()
        );
        let tries = client.get(&path).await.json();
        let statuses: Vec<i64> = tries["attempts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["status"].as_i64().unwrap())
            .collect();
        assert_eq!(statuses, [500, 500, 204], "{tries}");
        assert_eq!(tries["delivery"]["state"], "delivered");
        assert!(
            client
                .get(&format!("/api/v1/webhooks/{id}"))
                .await
                .json()
                .get("failing_since")
                .is_none()
        );
    })
    .await;
}

#[tokio::test]
async fn r188_an_organizations_webhook_hears_of_its_own_and_calls_nobody_inside_the_network() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let receiver = Receiver::start().await;
        let mut other = Client::new(&app, Some(OTHER)).await;
        let (id, _) = hook(&mut other, &json!({ "url": receiver.url })).await;
        let mut own = Client::new(&app, Some(ORGANIZATION)).await;
        assert_eq!(
            own.get(&format!("/api/v1/webhooks/{id}")).await.status,
            StatusCode::NOT_FOUND
        );
        let page = own
            .post(
                "/api/v1/webhooks",
                &json!({ "url": receiver.url, "organization": OTHER }),
            )
            .await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{}", page.body);
        add(&mut own, "bob").await;
        deliver(&app.app).await.unwrap();
        assert!(
            receiver
                .take()
                .iter()
                .all(|call| !call.text.contains("bob") && !call.text.contains(ANN))
        );
        let outsider = json!({ "email": "oz@other.example", "memberships": [{ "organization": OTHER }] });
        Client::new(&app, None)
            .await
            .post("/api/v1/accounts", &outsider)
            .await;
        deliver(&app.app).await.unwrap();
        assert!(receiver.take().iter().any(|call| call.kind() == "user.created"));
        for (body, path) in [
            (json!({ "url": "ftp://app.example" }), "url"),
            (json!({ "url": "https://user:pass@app.example" }), "url"),
            (
                json!({ "url": "https://app.example", "kinds": ["User"] }),
                "kinds[0]",
            ),
        ] {
            let page = own.post("/api/v1/webhooks", &body).await;
            assert_eq!(code(&page), "invalid_webhook", "{body}: {}", page.body);
            assert_eq!(page.json()["errors"][0]["path"], path);
        }
        let narrow = api::key(&app, Some(ORGANIZATION), &[Scope::WebhooksRead]).await;
        let page = Client::with(&app, &narrow)
            .post("/api/v1/webhooks", &json!({ "url": receiver.url }))
            .await;
        assert_eq!(code(&page), "missing_scope");
        let _ = ann(&app).await;
    })
    .await;
    let guarded = TestApp::start_with(&[("allow_private_addresses", "false")]).await;
    furnish(&guarded).await;
    let mut client = Client::new(&guarded, None).await;
    for url in [
        "http://127.0.0.1:1/hooks",
        "https://127.0.0.1/hooks",
        "https://[::1]/hooks",
        "https://10.0.0.7/",
        "https://169.254.169.254/latest",
    ] {
        let page = client.post("/api/v1/webhooks", &json!({ "url": url })).await;
        assert_eq!(code(&page), "invalid_webhook", "{url}: {}", page.body);
    }
    // A name that leads inside is found out when it is called.
    let (id, _) = hook(&mut client, &json!({ "url": "https://localhost/hooks" })).await;
    let tried = client
        .post(&format!("/api/v1/webhooks/{id}/test"), &json!({}))
        .await
        .json();
    assert!(tried["error"].as_str().unwrap().contains("not public"), "{tried}");
}

#[tokio::test]
async fn r188_the_log_names_a_receiver_by_its_host_only() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let mut client = Client::new(&app, None).await;
        let body = json!({ "url": "https://hooks.example/T0/secret-path?token=abc" });
        let (id, _) = hook(&mut client, &body).await;
        client
            .send(Method::DELETE, &format!("/api/v1/webhooks/{id}"))
            .await;
        let feed = client.get("/api/v1/events?limit=200").await.body;
        assert!(
            feed.contains("webhook.deleted") && feed.contains("hooks.example"),
            "{feed}"
        );
        assert!(!feed.contains("secret-path"), "{feed}");
    })
    .await;
}
