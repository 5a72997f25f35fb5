//! `/oauth2/token` with codes, `/oauth2/userinfo`, `/oauth2/introspect`, `/oauth2/revoke`: what a token opens, for
//! whom, and until when.

use axum::http::header;
use jiff::SignedDuration;
use serde_json::json;

use super::lab::{CALLBACK, Lab, SECRET, basic, claims, options, session_of, text, token_header};
use crate::app::{TestApp, on_each_engine};

#[tokio::test]
async fn of_fifty_parallel_redemptions_exactly_one_succeeds_and_its_tokens_die_with_the_others() {
    on_each_engine(|test| async move {
        let lab = Lab::new(test).await;
        let mut browser = lab.sign_in(&lab.ada().await, Some("okta")).await;
        let mut rp = lab.rp();
        rp.scope = "openid offline_access".to_owned();
        let code = rp.code(&mut browser).await;
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let mut program = lab.program();
            program
                .headers
                .insert(header::AUTHORIZATION, basic("app", SECRET).parse().unwrap());
            let (rp, code) = (rp.clone(), code.clone());
            tasks.spawn(async move { program.post("/oauth2/token", &rp.code_form(&code)).await });
        }
        let pages = tasks.join_all().await;
        let good: Vec<_> = pages.iter().filter(|page| page.status == 200).collect();
        assert_eq!(good.len(), 1);
        assert!(
            pages
                .iter()
                .filter(|page| page.status != 200)
                .all(|page| page.json()["error"] == "invalid_grant")
        );
        let tokens = good[0].json();
        assert_eq!(lab.userinfo(text(&tokens, "access_token")).await.status, 401);
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", text(&tokens, "refresh_token")),
        ];
        assert_eq!(lab.token("app", &form).await.json()["error"], "invalid_grant");
    })
    .await;
}

#[tokio::test]
async fn a_code_is_good_for_its_client_its_address_its_verifier_and_a_minute() {
    let lab = Lab::new(TestApp::start().await).await;
    let mut browser = lab.sign_in(&lab.ada().await, Some("okta")).await;
    let rp = lab.rp();
    let other = pkce_other();
    let spoiled: [(&str, &str, &str); 5] = [
        ("app", "redirect_uri", "https://app.example/callback/"),
        ("app", "redirect_uri", ""),
        ("app", "code_verifier", &other),
        ("app", "code_verifier", ""),
        ("second", "", ""),
    ];
    for (client, name, value) in spoiled {
        let code = rp.code(&mut browser).await;
        let form: Vec<(&str, &str)> = rp
            .code_form(&code)
            .into_iter()
            .map(|(field, old)| {
                if field == name {
                    (field, value)
                } else {
                    (field, old)
                }
            })
            .filter(|(_, value)| !value.is_empty())
            .collect();
        let page = lab.token(client, &form).await;
        assert_eq!(page.status, 400, "{client} {name}={value}");
        assert_eq!(page.json()["error"], "invalid_grant", "{client} {name}={value}");
        // Whoever failed has used it up.
        assert_eq!(lab.token("app", &rp.code_form(&code)).await.status, 400);
    }
    let code = rp.code(&mut browser).await;
    lab.app().world.advance(SignedDuration::from_secs(61));
    assert_eq!(
        lab.token("app", &rp.code_form(&code)).await.json()["error"],
        "invalid_grant"
    );
}

fn pkce_other() -> String {
    provost_oidc::pkce::verifier(&[9; 32]).expose().to_owned()
}

#[tokio::test]
async fn a_code_request_without_challenge_cannot_be_redeemed_with_a_verifier() {
    let lab = Lab::new(TestApp::start().await).await;
    lab.register("old", json!({ "allow_without_pkce": true }), Some(SECRET), None)
        .await;
    let mut browser = lab.sign_in(&lab.ada().await, Some("okta")).await;
    let rp = lab.rp_named("old", CALLBACK);
    let stripped = rp.authorize(&[("code_challenge", ""), ("code_challenge_method", "")]);
    let code = super::lab::answer(&browser.get(&stripped).await)["code"].clone();
    assert_eq!(
        lab.token("old", &rp.code_form(&code)).await.json()["error"],
        "invalid_grant",
        "downgrade"
    );
    let code = super::lab::answer(&browser.get(&stripped).await)["code"].clone();
    let form: Vec<_> = rp
        .code_form(&code)
        .into_iter()
        .filter(|(name, _)| *name != "code_verifier")
        .collect();
    assert_eq!(lab.token("old", &form).await.status, 200);
}

#[tokio::test]
async fn no_token_passes_for_another_kind() {
    let lab = Lab::new(TestApp::start().await).await;
    let mut browser = lab.sign_in(&lab.ada().await, Some("okta")).await;
    let mut rp = lab.rp();
    rp.scope = "openid offline_access".to_owned();
    let tokens = lab.tokens(&rp, &mut browser).await;
    let (id, access, refresh) = (
        text(&tokens, "id_token"),
        text(&tokens, "access_token"),
        text(&tokens, "refresh_token"),
    );
    assert_eq!(
        (&token_header(id)["typ"], &token_header(access)["typ"]),
        (&json!("JWT"), &json!("at+jwt"))
    );
    for wrong in [id, refresh, "garbage", "a.b.c"] {
        let page = lab.userinfo(wrong).await;
        assert_eq!(page.status, 401, "{wrong}");
        assert!(page.header("www-authenticate").unwrap().contains("invalid_token"));
    }
    assert_eq!(lab.introspect("app", id).await, json!({ "active": false }));
    let page = lab
        .token(
            "app",
            &[("grant_type", "refresh_token"), ("refresh_token", access)],
        )
        .await;
    assert_eq!(page.json()["error"], "invalid_grant");
    let page = browser.get(&rp.authorize(&[("id_token_hint", access)])).await;
    assert_eq!(super::lab::answer(&page)["error"], "invalid_request");
    assert_eq!(
        browser
            .get(&format!("/oauth2/logout?id_token_hint={access}"))
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn userinfo_wants_the_header_and_a_live_session() {
    on_each_engine(|test| async move {
        let lab = Lab::new(test).await;
        let ada = lab.ada().await;
        let mut browser = lab.sign_in(&ada, Some("okta")).await;
        let tokens = lab.tokens(&lab.rp(), &mut browser).await;
        let access = text(&tokens, "access_token");
        assert_eq!(
            lab.program()
                .get("/oauth2/userinfo")
                .await
                .header("www-authenticate"),
            Some("Bearer")
        );
        let in_query = format!("/oauth2/userinfo?access_token={access}");
        assert_eq!(lab.program().get(&in_query).await.status, 401);
        let page = lab.userinfo(access).await;
        assert_eq!(page.status, 200);
        assert_eq!(page.header("cache-control"), Some("no-store"));
        assert_eq!(page.header("access-control-allow-origin"), Some("*"));
        assert_eq!(lab.introspect("app", access).await["active"], true);
        let session = session_of(&tokens);
        let now = lab.app().world.now();
        let revoke = lab
            .app()
            .store
            .write(move |tx| Box::pin(async move { tx.revoke_session(&session, "signed_out", now).await }));
        assert!(revoke.await.unwrap());
        assert_eq!(lab.userinfo(access).await.status, 401);
        assert_eq!(lab.introspect("app", access).await, json!({ "active": false }));
    })
    .await;
}

#[tokio::test]
async fn access_tokens_live_five_minutes() {
    let lab = Lab::new(TestApp::start().await).await;
    let mut browser = lab.sign_in(&lab.ada().await, Some("okta")).await;
    let tokens = lab.tokens(&lab.rp(), &mut browser).await;
    let access = text(&tokens, "access_token");
    let told = claims(access);
    assert_eq!(told["exp"].as_i64().unwrap() - told["iat"].as_i64().unwrap(), 300);
    lab.app().world.advance(SignedDuration::from_secs(290));
    assert_eq!(lab.userinfo(access).await.status, 200);
    lab.app().world.advance(SignedDuration::from_secs(11));
    assert_eq!(lab.userinfo(access).await.status, 401);
}

#[tokio::test]
async fn r167_a_deactivated_person_has_nothing_left_at_once() {
    on_each_engine(|test| async move {
        let lab = Lab::new(test).await;
        let ada = lab.ada().await;
        let mut browser = lab.sign_in(&ada, Some("okta")).await;
        let mut rp = lab.rp();
        rp.scope = "openid offline_access".to_owned();
        let tokens = lab.tokens(&rp, &mut browser).await;
        let code = rp.code(&mut browser).await;
        lab.deactivate(&ada).await;
        let (access, refresh) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
        assert_eq!(lab.userinfo(access).await.status, 401);
        assert_eq!(lab.introspect("app", access).await, json!({ "active": false }));
        assert_eq!(lab.introspect("app", refresh).await, json!({ "active": false }));
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
        assert_eq!(lab.token("app", &form).await.json()["error"], "invalid_grant");
        assert_eq!(
            lab.token("app", &rp.code_form(&code)).await.json()["error"],
            "invalid_grant"
        );
    })
    .await;
}

#[tokio::test]
async fn introspection_tells_an_app_about_its_own_tokens_only() {
    let lab = Lab::new(TestApp::start().await).await;
    let mut browser = lab.sign_in(&lab.ada().await, Some("okta")).await;
    let mut rp = lab.rp();
    rp.scope = "openid offline_access".to_owned();
    let tokens = lab.tokens(&rp, &mut browser).await;
    for name in ["access_token", "refresh_token"] {
        let own = lab.introspect("app", text(&tokens, name)).await;
        assert_eq!(
            (&own["active"], &own["sub"], &own["client_id"]),
            (&json!(true), &json!("acc_ada"), &json!("app"))
        );
        assert_eq!(
            lab.introspect("second", text(&tokens, name)).await,
            json!({ "active": false })
        );
    }
    let anonymous = [("token", text(&tokens, "access_token")), ("client_id", "app")];
    let page = lab.program().post("/oauth2/introspect", &anonymous).await;
    assert_eq!(page.status, 401);
    assert_eq!(page.json()["error"], "invalid_client");
}

#[tokio::test]
async fn revoking_either_token_ends_both_and_says_nothing_of_others() {
    on_each_engine(|test| async move {
        let lab = Lab::new(test).await;
        let mut browser = lab.sign_in(&lab.ada().await, Some("okta")).await;
        let mut rp = lab.rp();
        rp.scope = "openid offline_access".to_owned();
        for name in ["access_token", "refresh_token"] {
            let tokens = lab.tokens(&rp, &mut browser).await;
            for client in ["second", "app"] {
                let mut program = lab.program();
                program
                    .headers
                    .insert(header::AUTHORIZATION, basic(client, SECRET).parse().unwrap());
                let page = program
                    .post("/oauth2/revoke", &[("token", text(&tokens, name))])
                    .await;
                assert_eq!((page.status.as_u16(), page.body.as_str()), (200, ""));
                let alive = lab.userinfo(text(&tokens, "access_token")).await.status == 200;
                assert_eq!(alive, client == "second", "{name} by {client}");
            }
            let form = [
                ("grant_type", "refresh_token"),
                ("refresh_token", text(&tokens, "refresh_token")),
            ];
            assert_eq!(lab.token("app", &form).await.json()["error"], "invalid_grant");
        }
        let mut program = lab.program();
        program
            .headers
            .insert(header::AUTHORIZATION, basic("app", SECRET).parse().unwrap());
        assert_eq!(
            program
                .post("/oauth2/revoke", &[("token", "unknown")])
                .await
                .status,
            200
        );
        assert_eq!(
            program.post("/oauth2/revoke", &[]).await.json()["error"],
            "invalid_request"
        );
    })
    .await;
}

#[tokio::test]
async fn browser_apps_of_other_sites_may_call_the_token_endpoints() {
    let lab = Lab::new(TestApp::start().await).await;
    for path in [
        "/oauth2/token",
        "/oauth2/userinfo",
        "/oauth2/jwks",
        "/.well-known/openid-configuration",
    ] {
        let page = options(lab.program(), path).await;
        assert_eq!(page.status, 204, "{path}");
        assert_eq!(page.header("access-control-allow-origin"), Some("*"));
        assert!(
            page.header("access-control-allow-headers")
                .unwrap()
                .contains("authorization")
        );
        assert!(page.header("access-control-allow-credentials").is_none());
    }
    assert_eq!(
        lab.token("nobody", &[])
            .await
            .header("access-control-allow-origin"),
        Some("*")
    );
}
