//! `/.well-known/openid-configuration`, `/oauth2/jwks` and the life of signing keys on one node and on two.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use provost::app::App;
use provost::flow::openid::keys;
use provost::router::router;
use serde_json::{Value, json};

use super::lab::{Lab, answer, text, token_header, userinfo};
use crate::app::{Browser, TestApp, on_each_engine};

fn kids(jwks: &Value) -> BTreeSet<String> {
    jwks["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["kid"].as_str().unwrap().to_owned())
        .collect()
}

async fn published(app: &App) -> BTreeSet<String> {
    kids(&keys::published(app).await.unwrap())
}

/// The hourly job, for some days.
async fn pass_days(app: &App, days: i64) {
    for _ in 0..days {
        app.world.advance(SignedDuration::from_hours(24));
        keys::rotate(app).await.unwrap();
    }
}

#[tokio::test]
async fn the_discovery_document_says_what_is_there() {
    let test = TestApp::start().await;
    let page = test.browser().get("/.well-known/openid-configuration").await;
    assert_eq!(page.header("content-type"), Some("application/json"));
    assert!(page.header("cache-control").unwrap().contains("max-age"));
    assert_eq!(page.header("access-control-allow-origin"), Some("*"));
    let document = page.json();
    let issuer = test.app.config.issuer();
    assert_eq!(document["issuer"], issuer);
    assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(document["authorization_response_iss_parameter_supported"], true);
    let mut program = test.browser();
    for (name, status) in [
        ("authorization_endpoint", 400),
        ("token_endpoint", 405),
        ("userinfo_endpoint", 401),
        ("jwks_uri", 200),
        ("end_session_endpoint", 200),
        ("revocation_endpoint", 405),
        ("introspection_endpoint", 405),
    ] {
        let url = document[name].as_str().unwrap();
        assert!(url.starts_with(&issuer), "{name}");
        assert_eq!(program.get(url).await.status.as_u16(), status, "{name}");
    }
}

#[tokio::test]
async fn the_key_set_has_a_key_for_each_algorithm_and_nothing_private() {
    on_each_engine(|test| async move {
        let page = test.browser().get("/oauth2/jwks").await;
        assert!(page.header("cache-control").unwrap().contains("max-age"));
        let jwks = page.json();
        let mut algorithms: Vec<&str> = Vec::new();
        for key in jwks["keys"].as_array().unwrap() {
            algorithms.push(key["alg"].as_str().unwrap());
            for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
                assert!(key.get(private).is_none(), "{private}");
            }
        }
        algorithms.sort_unstable();
        assert_eq!(algorithms, ["ES256", "EdDSA", "RS256"]);
        assert_eq!(
            published(&test.app).await,
            published(&test.second_node().await).await
        );
    })
    .await;
}

#[tokio::test]
async fn two_nodes_that_start_at_once_agree() {
    on_each_engine(|test| async move {
        let other = test.second_node().await;
        let (one, two) = tokio::join!(keys::published(&test.app), keys::published(&other));
        assert!(one.is_ok() && two.is_ok());
        test.app.world.advance(SignedDuration::from_secs(2));
        assert_eq!(published(&test.app).await, published(&other).await);
        let signer = async |app: &App| {
            let ring = keys::ring(app).await.unwrap();
            ring.signer(provost_oidc::jose::Algorithm::Es256)
                .unwrap()
                .kid()
                .to_owned()
        };
        assert_eq!(signer(&test.app).await, signer(&other).await);
    })
    .await;
}

#[tokio::test]
async fn a_rotation_publishes_first_signs_later_and_keeps_old_tokens_good() {
    on_each_engine(|test| async move {
        let lab = Lab::new(test).await;
        let ada = lab.ada().await;
        let rp = lab.rp();
        let first = published(lab.app()).await;
        let days = i64::from(lab.app().config.signing_key_days);
        pass_days(lab.app(), days - 2).await;
        assert_eq!(published(lab.app()).await, first, "nothing to do yet");
        pass_days(lab.app(), 1).await;
        let both = published(lab.app()).await;
        assert_eq!(both.len(), 6);
        assert!(both.is_superset(&first));
        let mut browser = lab.sign_in(&ada, Some("okta")).await;
        let before = lab.tokens(&rp, &mut browser).await;
        let old_kid = token_header(text(&before, "id_token"))["kid"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(first.contains(&old_kid), "published, not yet signing");
        // The change of keys falls into the life of a session.
        lab.app()
            .world
            .advance(SignedDuration::from_hours(24) - SignedDuration::from_mins(2));
        keys::rotate(lab.app()).await.unwrap();
        let mut browser = lab.sign_in(&ada, Some("okta")).await;
        let before = lab.tokens(&rp, &mut browser).await;
        lab.app().world.advance(SignedDuration::from_mins(3));
        assert!(keys::rotate(lab.app()).await.unwrap());
        assert_eq!(published(lab.app()).await, both);
        let after = lab.tokens(&rp, &mut browser).await;
        let new_kid = token_header(text(&after, "id_token"))["kid"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(!first.contains(&new_kid) && both.contains(&new_kid));
        assert_eq!(
            lab.userinfo(text(&before, "access_token")).await.status,
            200,
            "signed with the old key"
        );
        lab.verify(&rp, text(&after, "id_token")).await;
        lab.verify(&rp, text(&before, "id_token")).await;
        let hinted = rp.authorize(&[("id_token_hint", text(&before, "id_token"))]);
        assert!(answer(&browser.get(&hinted).await).contains_key("code"));
        lab.app()
            .world
            .advance(SignedDuration::from_secs(lab.app().config.session_seconds + 3600));
        keys::rotate(lab.app()).await.unwrap();
        let last = published(lab.app()).await;
        assert!(
            last.is_disjoint(&first),
            "retired keys go when their tokens are of no use"
        );
    })
    .await;
}

#[tokio::test]
async fn a_second_node_follows_new_keys_and_revocations() {
    on_each_engine(|test| async move {
        let lab = Lab::new(test).await;
        let ada = lab.ada().await;
        let other = lab.test.second_node().await;
        let program = |app: &App| {
            let mut program = Browser::new(router(app.clone()), app.config.issuer());
            program.headers.clear();
            program
        };
        assert_eq!(published(&other).await, published(lab.app()).await);
        pass_days(lab.app(), i64::from(lab.app().config.signing_key_days) + 1).await;
        let mut browser = lab.sign_in(&ada, Some("okta")).await;
        let tokens = lab.tokens(&lab.rp(), &mut browser).await;
        let access = text(&tokens, "access_token");
        assert_eq!(
            userinfo(program(&other), access).await.status,
            200,
            "a token of the new key"
        );
        assert_eq!(published(&other).await, published(lab.app()).await);
        lab.deactivate(&ada).await;
        assert_eq!(userinfo(program(&other), access).await.status, 401);
    })
    .await;
}
