//! Webhooks: signed calls to a receiver on a port of its own, in order, again until they arrive, and by hand.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::hmac;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::try_join_all;
use jiff::SignedDuration;
use provost::app::App;
use provost::flow::api_keys::Scope;
use provost::flow::webhooks::delivering;
use provost::route::post;
use serde_json::{Value, json};

use crate::api::{self, ANN, Client, OTHER, ann, code, furnish};
use crate::app::{TestApp, on_each_engine};
use crate::directory::ORGANIZATION;

/// A call that arrived.
#[derive(Clone, Debug)]
struct Call {
    id: String,
    timestamp: String,
    signature: String,
    text: String,
}

impl Call {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    fn kind(&self) -> String {
        self.json()["type"].as_str().unwrap().to_owned()
    }

    /// Tells whether a secret made one of the signatures, as a receiver checks it.
    fn is_signed_with(&self, secret: &str) -> bool {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        let signed = format!("{}.{}.{}", self.id, self.timestamp, self.text);
        self.signature.split(' ').any(|one| {
            let tag = STANDARD.decode(one.strip_prefix("v1,").unwrap()).unwrap();
            hmac::verify(&key, signed.as_bytes(), &tag).is_ok()
        })
    }
}

#[derive(Clone)]
pub struct Receiver {
    pub url: String,
    calls: Arc<Mutex<Vec<Call>>>,
    /// What to answer to whom: the status for calls whose body contains the text.
    refusals: Arc<Mutex<Vec<(String, StatusCode)>>>,
    /// How many calls were made, whatever was answered.
    made: Arc<AtomicUsize>,
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Self {
            url: format!("http://{}/hooks", listener.local_addr().unwrap()),
            calls: Arc::default(),
            refusals: Arc::default(),
            made: Arc::default(),
        };
        let router = Router::new()
            .route("/hooks", post(hear))
            .with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        receiver
    }

    pub fn refuse(&self, text: &str, status: StatusCode) {
        self.refusals.lock().unwrap().push((text.to_owned(), status));
    }

    pub fn accept_everything(&self) {
        self.refusals.lock().unwrap().clear();
    }

    /// How many calls were made since the last look, whatever was answered.
    fn made(&self) -> usize {
        self.made.swap(0, Ordering::SeqCst)
    }

    /// What arrived since the last look.
    fn take(&self) -> Vec<Call> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }
}

async fn hear(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    receiver.made.fetch_add(1, Ordering::SeqCst);
    let header = |name: &str| headers.get(name).unwrap().to_str().unwrap().to_owned();
    let text = String::from_utf8(body.to_vec()).unwrap();
    let refusals = receiver.refusals.lock().unwrap().clone();
    if let Some((_, status)) = refusals.into_iter().find(|(part, _)| text.contains(part)) {
        return status;
    }
    receiver.calls.lock().unwrap().push(Call {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
        text,
    });
    StatusCode::NO_CONTENT
}

/// Makes deliveries of what happened and sends what is due, until nothing is, as the pump does. Returns how many arrived.
pub async fn deliver(app: &App) -> provost::error::Result<usize> {
    delivering::spread(app).await?;
    let mut arrived = 0;
    loop {
        let claimed = delivering::claim(app, delivering::LANES).await?;
        if claimed.is_empty() {
            return Ok(arrived);
        }
        let calls = claimed.iter().map(|id| delivering::call_webhook(app, id));
        arrived += try_join_all(calls).await?.into_iter().sum::<usize>();
    }
}

/// Makes a webhook; returns its identifier and secret.
pub async fn hook(client: &mut Client, body: &Value) -> (String, String) {
    let page = client.post("/api/v1/webhooks", body).await;
    assert_eq!(page.status, StatusCode::CREATED, "{}", page.body);
    let made = page.json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&made["webhook"]["id"]), text(&made["secret"]))
}

async fn step(client: &mut Client, account: &str, step: &str) {
    let page = client
        .post(&format!("/api/v1/accounts/{account}/{step}"), &json!({}))
        .await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
}

pub async fn add(client: &mut Client, name: &str) -> String {
    let body = json!({ "email": format!("{name}@home-lab.example"), "memberships": [{ "organization": ORGANIZATION }] });
    let made = client.post("/api/v1/accounts", &body).await.json();
    made["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
}

/// A webhook of the first organization, for tests over all endpoints.
pub async fn a_webhook(app: &TestApp) -> String {
    let mut client = Client::new(app, Some(ORGANIZATION)).await;
    let known = client.get("/api/v1/webhooks").await.json();
    if let Some(id) = known["items"][0]["id"].as_str() {
        return id.to_owned();
    }
    hook(&mut client, &json!({ "url": "https://app.example/hooks" }))
        .await
        .0
}

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
