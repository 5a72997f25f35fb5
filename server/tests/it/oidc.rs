//! `/sso/{connection}/oidc/…`: signing in and out through an OpenID provider.

use axum::http::StatusCode;
use jiff::SignedDuration;
use provost::connection_config::ClientAuthentication;
use provost_kernel::directory::Status;
use serde_json::{Map, Value, json};

use crate::app::{Page, TestApp, on_each_engine};
use crate::directory::{self, account_count, accounts, reference, trace};
use crate::oidc_idp::{CLIENT_ID, OidcIdp, callback, new_key};

const BEN: &str = "ben@home-lab.example";

fn ben() -> Value {
    json!({
        "sub": "ben-1", "email": BEN, "email_verified": true, "given_name": "Ben", "family_name": "Example",
        "groups": ["staff"], "sid": "upstream-1",
    })
}

async fn connected(app: &TestApp) -> OidcIdp {
    directory::organization(&app.app).await;
    let idp = OidcIdp::start(app.app.world.now()).await;
    idp.connect(&app.app, "entra", |_| {}).await;
    idp
}

async fn refused(app: &TestApp, page: &Page) -> String {
    assert_eq!(page.status, StatusCode::FORBIDDEN, "{}", page.body);
    trace(&app.app, &reference(page)).await.verdict
}

fn assert_signed_in(page: &Page) {
    assert_eq!(
        (page.status, page.location().as_deref()),
        (StatusCode::SEE_OTHER, Some("/account")),
        "{}",
        page.body
    );
}

#[tokio::test]
async fn r09_r38_jit_creates_one_account_and_the_next_sign_in_finds_it() {
    on_each_engine(|app| async move {
        let idp = connected(&app).await;
        let mut browser = app.browser();
        assert_signed_in(&idp.sign_in(&mut browser, "entra", &ben()).await);
        let page = browser.get("/account").await;
        for part in ["Ben Example", BEN, "Home Lab", "Member"] {
            assert!(page.body.contains(part), "{part} is missing on: {}", page.body);
        }
        assert_signed_in(&idp.sign_in(&mut app.browser(), "entra", &ben()).await);
        assert_eq!(account_count(&app.app).await, 1);
    })
    .await;
}

#[tokio::test]
async fn answers_may_come_as_a_form_and_clients_authenticate_by_form() {
    let app = TestApp::start().await;
    directory::organization(&app.app).await;
    let idp = OidcIdp::start(app.app.world.now()).await;
    idp.connect(&app.app, "post", |oidc| {
        oidc.client_authentication = ClientAuthentication::ClientSecretPost;
    })
    .await;
    let mut browser = app.browser();
    let answer = idp.authorize(&browser.get("/sso/post/login").await, &ben());
    let fields: Vec<(&str, &str)> = answer
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_signed_in(&browser.post("/sso/post/oidc/callback", &fields).await);
}

#[tokio::test]
async fn userinfo_is_merged_and_must_be_about_the_same_person() {
    let app = TestApp::start().await;
    directory::organization(&app.app).await;
    let idp = OidcIdp::start(app.app.world.now()).await;
    idp.connect(&app.app, "more", |oidc| oidc.userinfo = true).await;
    let bare = json!({ "sub": "ben-1" });
    idp.provider().userinfo = json!({ "sub": "somebody-else", "email": BEN, "email_verified": true });
    let page = idp.sign_in(&mut app.browser(), "more", &bare).await;
    assert_eq!(refused(&app, &page).await, "userinfo_sub_mismatch");
    idp.provider().userinfo =
        json!({ "sub": "ben-1", "email": BEN, "email_verified": true, "groups": "admin" });
    let mut browser = app.browser();
    assert_signed_in(&idp.sign_in(&mut browser, "more", &bare).await);
    let page = browser.get("/account").await;
    assert!(
        page.body.contains("Admin"),
        "one group alone is still a list (R-144): {}",
        page.body
    );
}

#[tokio::test]
async fn r142_identifier_address_and_name_may_stand_elsewhere() {
    let app = TestApp::start().await;
    directory::organization(&app.app).await;
    let idp = OidcIdp::start(app.app.world.now()).await;
    idp.connect(&app.app, "paths", |oidc| {
        oidc.identifier_path = Some("ids.oid".to_owned());
        oidc.email_path = Some("mails[0]".to_owned());
        oidc.name_path = Some("join(' ', [first, last])".to_owned());
    })
    .await;
    let claims = json!({
        "sub": "pairwise", "ids": { "oid": "o-1" }, "mails": [BEN], "email": BEN, "email_verified": true,
        "first": "Benjamin", "last": "Example",
    });
    let mut browser = app.browser();
    assert_signed_in(&idp.sign_in(&mut browser, "paths", &claims).await);
    assert!(browser.get("/account").await.body.contains("Benjamin Example"));
    let mut other = claims.clone();
    other["sub"] = json!("another pairwise");
    assert_signed_in(&idp.sign_in(&mut app.browser(), "paths", &other).await);
    assert_eq!(
        account_count(&app.app).await,
        1,
        "the identifier path decides, not sub"
    );
    let mut without = claims;
    without["ids"] = json!({});
    let page = idp.sign_in(&mut app.browser(), "paths", &without).await;
    assert_eq!(refused(&app, &page).await, "claims_identifier_missing");
}

#[tokio::test]
async fn an_unverified_address_never_links_or_creates() {
    on_each_engine(|app| async move {
        let idp = connected(&app).await;
        let victim = directory::standard_account(&app.app, BEN, Some("correct horse battery")).await;
        for verified in [json!(false), json!(null), json!("no")] {
            let mut claims = ben();
            claims["sub"] = json!(format!("attacker {verified}"));
            claims["email_verified"] = verified;
            let page = idp.sign_in(&mut app.browser(), "entra", &claims).await;
            assert_eq!(page.status, StatusCode::FORBIDDEN, "{}", page.body);
        }
        let found = accounts(&app.app, BEN).await;
        assert_eq!((found.len(), &found[0].id), (1, &victim));
    })
    .await;
}

#[tokio::test]
async fn an_answer_belongs_to_the_browser_the_connection_and_the_request_that_asked() {
    on_each_engine(|app| async move {
        let idp = connected(&app).await;
        idp.connect(&app.app, "second", |_| {}).await;
        let mut attacker = app.browser();
        let answer = idp.authorize(&attacker.get("/sso/entra/login").await, &ben());
        let mut victim = app.browser();
        victim.get("/login").await;
        let page = callback(&mut victim, "entra", &answer).await;
        assert_eq!(refused(&app, &page).await, "oidc_request_not_open");
        let page = callback(&mut attacker, "second", &answer).await;
        assert_eq!(refused(&app, &page).await, "oidc_request_not_open");
        let mut forged = answer.clone();
        forged.insert("state".to_owned(), "st_forged".to_owned());
        let page = callback(&mut attacker, "entra", &forged).await;
        assert_eq!(refused(&app, &page).await, "oidc_request_not_open");
        assert_signed_in(&callback(&mut attacker, "entra", &answer).await);
        let page = callback(&mut attacker, "entra", &answer).await;
        assert_eq!(
            refused(&app, &page).await,
            "oidc_request_not_open",
            "an answer is good once"
        );
    })
    .await;
}

#[tokio::test]
async fn each_wrong_token_ends_in_its_own_code() {
    let app = TestApp::start().await;
    let idp = connected(&app).await;
    let now = app.app.world.now().as_second();
    let cases = [
        ("aud", json!("another client"), "aud_mismatch"),
        ("iss", json!("https://evil.example"), "iss_mismatch"),
        ("nonce", json!("another nonce"), "nonce_mismatch"),
        ("exp", json!(now - 3600), "expired"),
        ("sub", json!(""), "sub_invalid"),
    ];
    for (claim, value, code) in cases {
        let mut claims = ben();
        claims[claim] = value;
        let page = idp.sign_in(&mut app.browser(), "entra", &claims).await;
        assert_eq!(refused(&app, &page).await, code, "{claim}");
    }
    assert_eq!(account_count(&app.app).await, 0);
}

#[tokio::test]
async fn mix_up_is_noticed_by_the_iss_parameter() {
    let app = TestApp::start().await;
    directory::organization(&app.app).await;
    let idp = OidcIdp::start(app.app.world.now()).await;
    idp.provider().discovery.insert(
        "authorization_response_iss_parameter_supported".to_owned(),
        json!(true),
    );
    idp.connect(&app.app, "entra", |_| {}).await;
    for (iss, code) in [
        (None, "callback_iss_missing"),
        (Some("https://evil.example"), "callback_iss_mismatch"),
    ] {
        let mut browser = app.browser();
        let mut answer = idp.authorize(&browser.get("/sso/entra/login").await, &ben());
        answer.extend(iss.map(|iss| ("iss".to_owned(), iss.to_owned())));
        let page = callback(&mut browser, "entra", &answer).await;
        assert_eq!(refused(&app, &page).await, code);
    }
    let mut browser = app.browser();
    let mut answer = idp.authorize(&browser.get("/sso/entra/login").await, &ben());
    answer.insert("iss".to_owned(), idp.issuer.clone());
    assert_signed_in(&callback(&mut browser, "entra", &answer).await);
}

#[tokio::test]
async fn new_keys_are_fetched_when_needed_and_not_more_than_once_a_minute() {
    let app = TestApp::start().await;
    let idp = connected(&app).await;
    assert_signed_in(&idp.sign_in(&mut app.browser(), "entra", &ben()).await);
    let advance = |seconds| {
        app.app.world.advance(SignedDuration::from_secs(seconds));
        idp.provider().now = app.app.world.now();
    };
    let rotate = |published: bool| {
        let key = new_key();
        let mut provider = idp.provider();
        provider.key = std::sync::Arc::clone(&key);
        if published {
            provider.published = vec![key];
        }
    };
    advance(61);
    rotate(true);
    assert_signed_in(&idp.sign_in(&mut app.browser(), "entra", &ben()).await);
    assert_eq!(idp.provider().key_fetches, 2);
    rotate(false);
    for _ in 0..5 {
        let page = idp.sign_in(&mut app.browser(), "entra", &ben()).await;
        assert_eq!(refused(&app, &page).await, "kid_unknown");
    }
    assert_eq!(
        idp.provider().key_fetches,
        2,
        "invented key ids do not make us hammer the provider"
    );
    advance(61);
    let page = idp.sign_in(&mut app.browser(), "entra", &ben()).await;
    assert_eq!(refused(&app, &page).await, "kid_unknown");
    assert_eq!(idp.provider().key_fetches, 3);
}

#[tokio::test]
async fn a_provider_that_is_down_or_says_no_gets_a_page() {
    let app = TestApp::start().await;
    let idp = connected(&app).await;
    idp.provider().is_down = true;
    let page = app.browser().get("/sso/entra/login").await;
    assert_eq!(refused(&app, &page).await, "provider_status");
    assert!(page.body.contains("does not answer"));
    idp.provider().is_down = false;
    app.app.world.advance(SignedDuration::from_secs(6));
    let mut browser = app.browser();
    let mut answer = idp.authorize(&browser.get("/sso/entra/login").await, &ben());
    answer.remove("code");
    answer.insert("error".to_owned(), "access_denied".to_owned());
    answer.insert(
        "error_description".to_owned(),
        "<script>alert(1)</script>".to_owned(),
    );
    let page = callback(&mut browser, "entra", &answer).await;
    assert!(!page.body.contains("<script>alert"), "{}", page.body);
    assert_eq!(refused(&app, &page).await, "provider_access_denied");
}

#[tokio::test]
async fn an_issuer_that_differs_from_the_configured_one_is_refused() {
    let app = TestApp::start().await;
    directory::organization(&app.app).await;
    let idp = OidcIdp::start(app.app.world.now()).await;
    idp.provider()
        .discovery
        .insert("issuer".to_owned(), json!("https://evil.example"));
    idp.connect(&app.app, "entra", |_| {}).await;
    let page = app.browser().get("/sso/entra/login").await;
    assert_eq!(refused(&app, &page).await, "issuer_mismatch");
}

#[tokio::test]
async fn r168_a_suspended_person_never_gets_in() {
    on_each_engine(|app| async move {
        let idp = connected(&app).await;
        let mut browser = app.browser();
        assert_signed_in(&idp.sign_in(&mut browser, "entra", &ben()).await);
        let account = accounts(&app.app, BEN).await.remove(0);
        directory::set_status(&app.app, &account, Status::Suspended).await;
        assert_eq!(
            browser.get("/account").await.location().as_deref(),
            Some("/login")
        );
        let page = idp.sign_in(&mut app.browser(), "entra", &ben()).await;
        assert_eq!(refused(&app, &page).await, "suspended");
    })
    .await;
}

fn logout_token(app: &TestApp, idp: &OidcIdp, change: impl FnOnce(&mut Map<String, Value>)) -> String {
    let now = app.app.world.now().as_second();
    let mut claims = json!({
        "iss": idp.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 120, "jti": app.app.world.id("jti_").unwrap(),
        "events": { "http://schemas.openid.net/event/backchannel-logout": {} }, "sid": "upstream-1",
    });
    change(claims.as_object_mut().unwrap());
    idp.sign("logout+jwt", claims.as_object().unwrap())
}

#[tokio::test]
async fn back_channel_logout_ends_the_sessions_of_the_provider_session_or_subject() {
    on_each_engine(|app| async move {
        let idp = connected(&app).await;
        let address = "/sso/entra/oidc/backchannel-logout";
        let mut other_claims = ben();
        other_claims["sid"] = json!("upstream-2");
        let (mut first, mut second) = (app.browser(), app.browser());
        idp.sign_in(&mut first, "entra", &ben()).await;
        idp.sign_in(&mut second, "entra", &other_claims).await;
        // By session.
        let token = logout_token(&app, &idp, |_| {});
        let mut provider = app.browser();
        let page = provider.post(address, &[("logout_token", &token)]).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        assert_eq!(first.get("/account").await.status, StatusCode::SEE_OTHER);
        assert_eq!(second.get("/account").await.status, StatusCode::OK);
        // A token is good once.
        let page = provider.post(address, &[("logout_token", &token)]).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST);
        // Of another issuer, without event, with a nonce, without subject and session: nothing ends.
        let bad: [fn(&mut Map<String, Value>); 4] = [
            |claims| drop(claims.insert("iss".to_owned(), json!("https://evil.example"))),
            |claims| drop(claims.remove("events")),
            |claims| drop(claims.insert("nonce".to_owned(), json!("n"))),
            |claims| drop(claims.remove("sid")),
        ];
        for change in bad {
            let token = logout_token(&app, &idp, |claims| {
                claims.insert("sid".to_owned(), json!("upstream-2"));
                change(claims);
            });
            assert_eq!(
                provider.post(address, &[("logout_token", &token)]).await.status,
                StatusCode::BAD_REQUEST
            );
        }
        assert_eq!(second.get("/account").await.status, StatusCode::OK);
        // By subject.
        let token = logout_token(&app, &idp, |claims| {
            claims.remove("sid");
            claims.insert("sub".to_owned(), json!("ben-1"));
        });
        assert_eq!(
            provider.post(address, &[("logout_token", &token)]).await.status,
            StatusCode::OK
        );
        assert_eq!(second.get("/account").await.status, StatusCode::SEE_OTHER);
    })
    .await;
}

#[tokio::test]
async fn r119_signing_out_goes_on_to_the_provider_and_comes_back() {
    on_each_engine(|app| async move {
        directory::organization(&app.app).await;
        let idp = OidcIdp::start(app.app.world.now()).await;
        idp.connect(&app.app, "entra", |oidc| oidc.upstream_logout = true)
            .await;
        let mut browser = app.browser();
        idp.sign_in(&mut browser, "entra", &ben()).await;
        let form = browser.get("/logout").await.form("/logout");
        let page = browser.submit(&form, &[]).await;
        let url = url::Url::parse(&page.location().unwrap()).unwrap();
        assert!(
            url.as_str().starts_with(&format!("{}/end-session?", idp.issuer)),
            "{url}"
        );
        let query: std::collections::BTreeMap<_, _> = url.query_pairs().into_owned().collect();
        assert!(query["id_token_hint"].starts_with("ey"));
        assert!(!browser.cookies.contains_key("provost_session"));
        let back = format!("{}?state={}", query["post_logout_redirect_uri"], query["state"]);
        let page = browser.get(&back).await;
        assert!(
            page.status == StatusCode::OK && page.body.contains("You are signed out"),
            "{}",
            page.body
        );
    })
    .await;
}

#[tokio::test]
async fn only_the_configured_tenant_of_a_shared_provider_gets_in() {
    let app = TestApp::start().await;
    directory::organization(&app.app).await;
    let idp = OidcIdp::start(app.app.world.now()).await;
    idp.connect(&app.app, "entra", |oidc| {
        oidc.tenant = Some("tenant-1".to_owned());
    })
    .await;
    for tenant in [json!("tenant-2"), json!(null), json!(["tenant-1"])] {
        let mut claims = ben();
        claims["tid"] = tenant;
        let page = idp.sign_in(&mut app.browser(), "entra", &claims).await;
        assert_eq!(refused(&app, &page).await, "claims_tenant_mismatch");
    }
    let mut claims = ben();
    claims["tid"] = json!("tenant-1");
    // Entra never sends email_verified; its own word for it counts.
    claims.as_object_mut().unwrap().remove("email_verified");
    claims["xms_edov"] = json!(true);
    assert_signed_in(&idp.sign_in(&mut app.browser(), "entra", &claims).await);
}
