//! Webhooks: signed calls to a receiver on a port of its own, in order, again until they arrive, and by hand.

mod calls;
mod failing;
mod managing;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::hmac;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::try_join_all;
use provost::app::App;
use provost::flow::webhooks::delivering;
use provost::route::post;
use serde_json::{Value, json};

use crate::api::Client;
use crate::app::TestApp;
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
