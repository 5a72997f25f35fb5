//! `/oauth2/logout` and back-channel logout: who may sign a person out, where she goes, and that every app hears of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::extract::{Form, State};
use axum::http::{StatusCode, header};
use jiff::SignedDuration;
use provost::flow::openid::notify;
use provost::jobs::Runner;
use provost::route::post;
use provost_oidc::jose::{Algorithm, JwkSet};
use provost_oidc::rp::logout_token::{self, Expected};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use super::lab::{CALLBACK, Lab, SECRET, claims, session_of, text, token_header};
use crate::app::{Browser, TestApp, on_each_engine};

const AFTER: &str = "https://app.example/bye";

async fn lab(test: TestApp) -> Lab {
    let lab = Lab::new(test).await;
    lab.register(
        "app",
        json!({ "post_logout_redirect_uris": [AFTER] }),
        Some(SECRET),
        None,
    )
    .await;
    lab
}

fn logout(fields: &[(&str, &str)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    format!("/oauth2/logout?{query}")
}

async fn is_signed_in(lab: &Lab, browser: &mut Browser) -> bool {
    let page = browser.get(&lab.rp().authorize(&[("prompt", "none")])).await;
    super::lab::answer(&page).contains_key("code")
}

#[tokio::test]
async fn an_app_signs_its_person_out_and_gets_her_back() {
    on_each_engine(|test| async move {
        let lab = lab(test).await;
        let mut browser = lab.sign_in(&lab.ada().await, None).await;
        let tokens = lab.tokens(&lab.rp(), &mut browser).await;
        let hint = text(&tokens, "id_token");
        // An expired hint is good: it says who, not that anything is still open.
        lab.app().world.advance(SignedDuration::from_mins(20));
        let page = browser
            .get(&logout(&[
                ("id_token_hint", hint),
                ("post_logout_redirect_uri", AFTER),
                ("state", "x&y"),
            ]))
            .await;
        assert_eq!(page.status, 303);
        assert_eq!(page.location().unwrap(), format!("{AFTER}?state=x%26y"));
        assert!(
            browser.cookies.keys().all(|name| !name.contains("session")),
            "{:?}",
            browser.cookies
        );
        assert!(!is_signed_in(&lab, &mut browser).await);
        assert_eq!(lab.userinfo(text(&tokens, "access_token")).await.status, 401);
    })
    .await;
}

#[tokio::test]
async fn a_link_on_any_site_signs_nobody_out() {
    let lab = lab(TestApp::start().await).await;
    let mut browser = lab.sign_in(&lab.ada().await, None).await;
    let mut bobs = lab.sign_in(&lab.bob().await, None).await;
    let bobs_hint = lab.tokens(&lab.rp(), &mut bobs).await;
    for path in [
        logout(&[]),
        logout(&[("client_id", "app"), ("post_logout_redirect_uri", AFTER)]),
        logout(&[("id_token_hint", text(&bobs_hint, "id_token"))]),
    ] {
        let page = browser.get(&path).await;
        assert_eq!(page.status, 200, "asks first: {path}");
        assert!(page.body.contains("ada@lab.example"));
        assert!(is_signed_in(&lab, &mut browser).await);
        let form = page.form("/oauth2/logout");
        for (name, value) in [("form_token", "forged"), ("form_token", "")] {
            let page = browser.submit(&form, &[(name, value)]).await;
            assert!(page.status == 403 || page.status == 200, "{}", page.status);
            assert!(is_signed_in(&lab, &mut browser).await);
        }
        let mut elsewhere = browser.clone();
        elsewhere
            .headers
            .insert(header::ORIGIN, "https://evil.example".parse().unwrap());
        assert_eq!(elsewhere.submit(&form, &[]).await.status, 403);
        assert!(is_signed_in(&lab, &mut browser).await);
    }
    let form = browser
        .get(&logout(&[
            ("client_id", "app"),
            ("post_logout_redirect_uri", AFTER),
        ]))
        .await
        .form("/oauth2");
    let page = browser.submit(&form, &[]).await;
    assert_eq!(page.location().as_deref(), Some(AFTER));
    assert!(!is_signed_in(&lab, &mut browser).await);
    assert!(is_signed_in(&lab, &mut bobs).await);
}

#[tokio::test]
async fn a_logout_leads_nowhere_that_is_not_registered() {
    let lab = lab(TestApp::start().await).await;
    let mut browser = lab.sign_in(&lab.ada().await, None).await;
    let tokens = lab.tokens(&lab.rp(), &mut browser).await;
    let hint = text(&tokens, "id_token");
    for (fields, why) in [
        (
            vec![
                ("id_token_hint", hint),
                ("post_logout_redirect_uri", "https://evil.example/"),
            ],
            "foreign",
        ),
        (
            vec![
                ("id_token_hint", hint),
                ("post_logout_redirect_uri", "https://app.example/bye/"),
            ],
            "near",
        ),
        (
            vec![("id_token_hint", hint), ("post_logout_redirect_uri", CALLBACK)],
            "registered for something else",
        ),
        (vec![("post_logout_redirect_uri", AFTER)], "of no app"),
        (
            vec![("client_id", "second"), ("post_logout_redirect_uri", AFTER)],
            "of another app",
        ),
        (
            vec![("client_id", "nobody"), ("post_logout_redirect_uri", AFTER)],
            "of an unknown app",
        ),
        (
            vec![("id_token_hint", hint), ("client_id", "second")],
            "hint of another app",
        ),
        (vec![("id_token_hint", "garbage")], "no hint at all"),
        (
            vec![("id_token_hint", text(&tokens, "access_token"))],
            "another kind of token",
        ),
    ] {
        let page = browser.get(&logout(&fields)).await;
        assert_eq!((page.status.as_u16(), page.location()), (400, None), "{why}");
        assert!(is_signed_in(&lab, &mut browser).await, "{why}");
    }
}

#[tokio::test]
async fn a_logout_without_the_cookie_ends_the_session_that_the_hint_names() {
    let lab = lab(TestApp::start().await).await;
    let mut browser = lab.sign_in(&lab.ada().await, None).await;
    let tokens = lab.tokens(&lab.rp(), &mut browser).await;
    let mut fresh = lab.test.browser();
    let fields = [
        ("id_token_hint", text(&tokens, "id_token")),
        ("post_logout_redirect_uri", AFTER),
    ];
    let page = fresh.post("/oauth2/logout", &fields).await;
    assert_eq!(
        (page.status.as_u16(), page.location().as_deref()),
        (303, Some(AFTER))
    );
    assert!(!is_signed_in(&lab, &mut browser).await);
    let page = fresh.get("/oauth2/logout").await;
    assert_eq!(page.status, 200, "signed out already");
}

/// An app that receives logout tokens; refuses the first few.
pub(crate) struct Listener {
    uri: String,
    tokens: mpsc::UnboundedReceiver<String>,
    server: tokio::task::JoinHandle<()>,
}

#[derive(Clone)]
struct Inbox {
    tokens: mpsc::UnboundedSender<String>,
    refusals: Arc<AtomicU32>,
}

impl Listener {
    pub(crate) async fn start(refusals: u32) -> Self {
        let (sender, tokens) = mpsc::unbounded_channel();
        let inbox = Inbox {
            tokens: sender,
            refusals: Arc::new(AtomicU32::new(refusals)),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}/backchannel", listener.local_addr().unwrap());
        let routes = axum::Router::new()
            .route("/backchannel", post(receive))
            .with_state(inbox);
        let server = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { uri, tokens, server }
    }

    pub(crate) async fn next(&mut self) -> String {
        tokio::time::timeout(Duration::from_secs(20), self.tokens.recv())
            .await
            .expect("a logout token")
            .unwrap()
    }

    async fn is_quiet(&mut self) -> bool {
        tokio::time::timeout(Duration::from_millis(1500), self.tokens.recv())
            .await
            .is_err()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn receive(
    State(inbox): State<Inbox>,
    Form(form): Form<std::collections::BTreeMap<String, String>>,
) -> StatusCode {
    let is_refused = inbox
        .refusals
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
        .is_ok();
    if is_refused {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    inbox.tokens.send(form["logout_token"].clone()).unwrap();
    StatusCode::OK
}

pub(crate) async fn verify(lab: &Lab, client_id: &str, token: &str) -> (String, String) {
    assert_eq!(token_header(token)["typ"], "logout+jwt");
    assert!(claims(token).get("nonce").is_none());
    let jwks = lab.program().get("/oauth2/jwks").await.body;
    let expected = Expected {
        issuer: &lab.app().config.issuer(),
        client_id,
        algorithms: Algorithm::ALL,
        clock_skew: SignedDuration::ZERO,
    };
    let keys = JwkSet::parse(jwks.as_bytes()).unwrap();
    let verified = logout_token::verify(token, &keys, &expected, lab.app().world.now()).unwrap();
    (
        verified.subject().unwrap().to_owned(),
        verified.session_id().unwrap().to_owned(),
    )
}

pub(crate) async fn with_listener(lab: &Lab, client_id: &str, listener: &Listener) {
    let config = json!({ "backchannel_logout_uri": listener.uri, "post_logout_redirect_uris": [AFTER] });
    lab.register(client_id, config, Some(SECRET), None).await;
}

#[tokio::test]
async fn every_app_of_a_session_is_told_once_that_it_ended_with_retries() {
    on_each_engine(|test| async move {
        let lab = Lab::new(test).await;
        let (mut one, mut two) = (Listener::start(0).await, Listener::start(2).await);
        with_listener(&lab, "app", &one).await;
        with_listener(&lab, "two", &two).await;
        let (stop, stopped) = watch::channel(false);
        let other = lab.test.second_node().await;
        let runners = [
            Runner::start(lab.app().clone(), stopped.clone()),
            Runner::start(other, stopped),
        ];
        let mut browser = lab.sign_in(&lab.ada().await, None).await;
        let tokens = lab.tokens(&lab.rp(), &mut browser).await;
        lab.tokens(&lab.rp_named("two", CALLBACK), &mut browser).await;
        // An app without an address for it is in the same session.
        lab.tokens(&lab.rp_named("second", "https://second.example/cb"), &mut browser)
            .await;
        browser
            .get(&logout(&[("id_token_hint", text(&tokens, "id_token"))]))
            .await;
        let session = session_of(&tokens).as_str().to_owned();
        let told = verify(&lab, "app", &one.next().await).await;
        assert_eq!(told, ("acc_ada".to_owned(), session.clone()));
        let told = verify(&lab, "two", &two.next().await).await;
        assert_eq!(told, ("acc_ada".to_owned(), session));
        assert!(
            one.is_quiet().await && two.is_quiet().await,
            "told once, though two nodes run jobs"
        );
        stop.send(true).unwrap();
        for runner in runners {
            runner.await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn r167_apps_hear_of_a_deactivation_for_each_session() {
    on_each_engine(|test| async move {
        let lab = Lab::new(test).await;
        let mut listener = Listener::start(0).await;
        with_listener(&lab, "app", &listener).await;
        let (stop, stopped) = watch::channel(false);
        let runner = Runner::start(lab.app().clone(), stopped);
        let ada = lab.ada().await;
        let mut sessions = Vec::new();
        for _ in 0..2 {
            let mut browser = lab.sign_in(&ada, Some("okta")).await;
            sessions.push(
                session_of(&lab.tokens(&lab.rp(), &mut browser).await)
                    .as_str()
                    .to_owned(),
            );
        }
        lab.deactivate(&ada).await;
        let mut told = Vec::new();
        for _ in 0..2 {
            let (sub, sid) = verify(&lab, "app", &listener.next().await).await;
            assert_eq!(sub, "acc_ada");
            told.push(sid);
        }
        told.sort();
        sessions.sort();
        assert_eq!(told, sessions);
        assert!(listener.is_quiet().await);
        stop.send(true).unwrap();
        runner.await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_back_channel_address_inside_the_network_is_not_called_unless_allowed() {
    let lab = Lab::new(TestApp::start_with(&[("allow_private_addresses", "false")]).await).await;
    let mut listener = Listener::start(0).await;
    with_listener(&lab, "app", &listener).await;
    let mut browser = lab.sign_in(&lab.ada().await, None).await;
    let tokens = lab.tokens(&lab.rp(), &mut browser).await;
    let payload = json!({
        "session": session_of(&tokens).as_str(), "account": "acc_ada", "client_id": "app",
    });
    let refused: Value = match provost::flow::openid::notify::deliver(lab.app(), &payload).await {
        Ok(()) => panic!("the call was made"),
        Err(error) => json!(error.to_string()),
    };
    assert!(
        refused.as_str().unwrap().contains("may not be called"),
        "{refused}"
    );
    assert!(listener.is_quiet().await);
}

#[tokio::test]
async fn one_damaged_registration_keeps_no_other_app_from_hearing() {
    on_each_engine(|test| async move {
        let lab = Lab::new(test).await;
        let (mut one, mut two) = (Listener::start(0).await, Listener::start(0).await);
        with_listener(&lab, "app", &one).await;
        with_listener(&lab, "two", &two).await;
        let ada = lab.ada().await;
        let mut browser = lab.sign_in(&ada, None).await;
        lab.tokens(&lab.rp(), &mut browser).await;
        lab.tokens(&lab.rp_named("two", CALLBACK), &mut browser).await;
        lab.register("app", json!({ "redirect_uris": 7 }), Some(SECRET), None)
            .await;
        lab.deactivate(&ada).await;
        assert_eq!(notify::sweep(lab.app()).await.unwrap(), 2);
        assert_eq!(notify::sweep(lab.app()).await.unwrap(), 0, "found once");
        let (stop, stopped) = watch::channel(false);
        let runner = Runner::start(lab.app().clone(), stopped);
        let told = verify(&lab, "two", &two.next().await).await;
        assert_eq!(told.0, "acc_ada");
        // The call to the other one waits until somebody mends the row.
        assert!(one.tokens.try_recv().is_err());
        with_listener(&lab, "app", &one).await;
        let told = verify(&lab, "app", &one.next().await).await;
        assert_eq!(told.0, "acc_ada");
        let metrics = lab.test.browser().get("/metrics").await.body;
        assert!(
            metrics.contains("provost_applications_unreadable_total"),
            "{metrics}"
        );
        stop.send(true).unwrap();
        runner.await.unwrap();
    })
    .await;
}
