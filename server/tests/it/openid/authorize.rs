//! `/oauth2/authorize`: who gets an answer, where it goes, and when the person is asked.

use jiff::SignedDuration;
use serde_json::json;

use super::lab::{CALLBACK, Lab, SECRET, answer, claims, connection, text};
use crate::app::on_each_engine;

#[tokio::test]
async fn a_person_with_a_session_reaches_the_app_with_everything_it_needs_to_know() {
    on_each_engine(|test| async move {
        let lab = Lab::new(test).await;
        let mut browser = lab.sign_in(&lab.ada().await, Some("okta")).await;
        let rp = lab.rp();
        let page = browser.get(&rp.authorize(&[])).await;
        assert!(page.location().unwrap().starts_with(&format!("{CALLBACK}?")));
        let sent = answer(&page);
        assert_eq!(sent["state"], "s-1");
        assert_eq!(sent["iss"], lab.app().config.issuer());
        let page = lab.token("app", &rp.code_form(&sent["code"])).await;
        assert_eq!(page.header("cache-control"), Some("no-store"));
        let tokens = page.json();
        assert_eq!(tokens["token_type"], "Bearer");
        assert_eq!(tokens["expires_in"], 300);
        assert!(tokens.get("refresh_token").is_none(), "only with offline_access");
        let verified = lab.verify(&rp, text(&tokens, "id_token")).await;
        assert_eq!(verified.subject(), "acc_ada");
        let claims = json!(verified.claims().as_map());
        assert_eq!(claims["organization"], "lab");
        assert_eq!(
            claims["organizations"],
            json!([{ "id": "lab", "name": "Home Lab", "roles": ["admin"], "workspaces": ["main", "attic"],
                     "license": "standard" }]),
            "only what her connection reaches"
        );
        for (name, value) in [
            ("email", json!("ada@lab.example")),
            ("email_verified", json!(true)),
            ("name", json!("Ada Byron")),
            ("account_kind", json!("user")),
            ("connection", json!("okta")),
            ("amr", json!(["pwd", "mfa"])),
            ("acr", json!("urn:loa:2")),
        ] {
            assert_eq!(claims[name], value, "{name}");
        }
        assert!(
            claims["sid"].is_string() && claims["auth_time"].is_i64() && claims["session_expiry"].is_i64()
        );
        let told = lab.userinfo(text(&tokens, "access_token")).await.json();
        for name in ["sub", "email", "organizations", "organization", "sid", "name"] {
            assert_eq!(told[name], claims[name], "{name}");
        }
    })
    .await;
}

#[tokio::test]
async fn r06_a_second_app_asks_for_no_credentials() {
    on_each_engine(|test| async move {
        let lab = Lab::new(test).await;
        let mut browser = lab.sign_in(&lab.ada().await, Some("okta")).await;
        let first = lab.tokens(&lab.rp(), &mut browser).await;
        let second = lab
            .tokens(&lab.rp_named("second", "https://second.example/cb"), &mut browser)
            .await;
        let (first, second) = (
            claims(text(&first, "id_token")),
            claims(text(&second, "id_token")),
        );
        assert_eq!(first["sub"], second["sub"]);
        assert_eq!(first["sid"], second["sid"]);
        assert_eq!((&first["aud"], &second["aud"]), (&json!("app"), &json!("second")));
    })
    .await;
}

#[tokio::test]
async fn a_request_survives_the_sign_in_and_is_answered_once() {
    on_each_engine(|test| async move {
        let lab = Lab::new(test).await;
        let ada = lab.ada().await;
        let (mut browser, rp) = (lab.test.browser(), lab.rp());
        let page = browser
            .get(&rp.authorize(&[("login_hint", "ada@lab.example")]))
            .await;
        assert_eq!(page.status, 303);
        let login = page.location().unwrap();
        let id = login.strip_prefix("/login?return_to=").expect(&login).to_owned();
        let hints = provost::flow::openid::authorize::hints(lab.app(), &id)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(hints.login_hint.as_deref(), Some("ada@lab.example"));
        assert_eq!((hints.client_id.as_str(), hints.force), ("app", false));
        lab.sign_browser_in(&mut browser, &ada, Some("okta"), lab.app().world.now())
            .await;
        let back = provost::flow::pending::continue_path(&id);
        let sent = answer(&browser.get(&back).await);
        assert_eq!(sent["state"], "s-1");
        lab.redeem(&rp, &sent["code"]).await;
        let again = browser.get(&back).await;
        assert_eq!(again.status, 400);
        assert!(again.body.contains("no longer open"), "{}", again.body);
    })
    .await;
}

#[tokio::test]
async fn a_posted_request_is_answered_like_a_link() {
    let lab = Lab::new(crate::app::TestApp::start().await).await;
    let mut browser = lab.sign_in(&lab.ada().await, Some("okta")).await;
    let query = lab.rp().query(&[]);
    let fields: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    let fields: Vec<(&str, &str)> = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let page = browser.post("/oauth2/authorize", &fields).await;
    assert_eq!(page.status, 303, "never 307");
    let page = browser.follow(page).await;
    assert!(answer(&page).contains_key("code"));
}

#[tokio::test]
async fn form_post_answers_by_a_form_that_may_go_only_to_the_app() {
    let lab = Lab::new(crate::app::TestApp::start().await).await;
    let mut browser = lab.sign_in(&lab.ada().await, Some("okta")).await;
    let page = browser
        .get(&lab.rp().authorize(&[("response_mode", "form_post")]))
        .await;
    assert_eq!(page.status, 200);
    let form = page.form("app.example");
    assert_eq!((form.action.as_str(), form.method.as_str()), (CALLBACK, "post"));
    assert_eq!(form.fields["state"], "s-1");
    assert_eq!(form.fields["iss"], lab.app().config.issuer());
    assert!(form.fields.contains_key("code"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("form-action 'self' https:"), "{policy}");
    assert!(!policy.contains("unsafe"));
    assert_eq!(page.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn nothing_is_ever_redirected_to_an_address_that_is_not_registered() {
    let lab = Lab::new(crate::app::TestApp::start().await).await;
    let mut browser = lab.sign_in(&lab.ada().await, Some("okta")).await;
    for uri in [
        "https://app.example/callback/",
        "https://app.example/callback?x=1",
        "https://app.example/Callback",
        "https://app.example:443/callback",
        "http://app.example/callback",
        "https://app.example/callback/../callback",
        "https://app.example.evil.example/callback",
        "https://app.example@evil.example/callback",
        "https://evil.example/callback",
        "//evil.example",
        "https://second.example/cb",
        "javascript:alert(1)",
    ] {
        for extra in [
            ("scope", "openid"),
            ("response_type", "token"),
            ("prompt", "none"),
        ] {
            let page = browser
                .get(&lab.rp().authorize(&[("redirect_uri", uri), extra]))
                .await;
            assert_eq!(page.status, 400, "{uri}");
            assert!(page.location().is_none(), "{uri}");
        }
    }
    let page = browser.get(&lab.rp().authorize(&[("client_id", "nobody")])).await;
    assert_eq!((page.status.as_u16(), page.location()), (400, None));
    let page = browser
        .get(&format!(
            "{}&redirect_uri=https://evil.example",
            lab.rp().authorize(&[])
        ))
        .await;
    assert_eq!(
        (page.status.as_u16(), page.location()),
        (400, None),
        "repeated parameter"
    );
}

#[tokio::test]
async fn other_mistakes_are_told_to_the_app() {
    let lab = Lab::new(crate::app::TestApp::start().await).await;
    let mut browser = lab.sign_in(&lab.ada().await, Some("okta")).await;
    let hint = lab
        .tokens(&lab.rp_named("second", "https://second.example/cb"), &mut browser)
        .await;
    let foreign_hint = text(&hint, "id_token").to_owned();
    for (change, error) in [
        (("response_type", "token"), "unsupported_response_type"),
        (("scope", "profile"), "invalid_scope"),
        (("code_challenge", ""), "invalid_request"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("code_challenge_method", ""), "invalid_request"),
        (("request", "eyJ"), "request_not_supported"),
        (
            ("request_uri", "https://app.example/r"),
            "request_uri_not_supported",
        ),
        (("prompt", "none login"), "invalid_request"),
        (("max_age", "soon"), "invalid_request"),
        (("response_mode", "fragment"), "invalid_request"),
        (("id_token_hint", "garbage"), "invalid_request"),
        (("id_token_hint", foreign_hint.as_str()), "invalid_request"),
        (("organization", "other"), "access_denied"),
    ] {
        let sent = answer(&browser.get(&lab.rp().authorize(&[change])).await);
        assert_eq!(sent["error"], error, "{change:?}");
        assert_eq!(sent["state"], "s-1");
        assert_eq!(sent["iss"], lab.app().config.issuer());
        assert!(!sent.contains_key("code"));
    }
}

#[tokio::test]
async fn prompt_none_never_shows_a_page() {
    on_each_engine(|test| async move {
        let lab = Lab::new(test).await;
        let silent = lab.rp().authorize(&[("prompt", "none")]);
        assert_eq!(
            answer(&lab.test.browser().get(&silent).await)["error"],
            "login_required"
        );
        let ada = lab.ada().await;
        let mut browser = lab.sign_in(&ada, Some("okta")).await;
        assert!(answer(&browser.get(&silent).await).contains_key("code"));
        lab.deactivate(&ada).await;
        assert_eq!(answer(&browser.get(&silent).await)["error"], "login_required");
    })
    .await;
}

#[tokio::test]
async fn prompt_login_and_max_age_ask_for_a_new_proof_once() {
    let lab = Lab::new(crate::app::TestApp::start().await).await;
    let ada = lab.ada().await;
    let now = lab.app().world.now();
    let mut browser = lab
        .sign_in_from(&ada, Some("okta"), now - SignedDuration::from_mins(10))
        .await;
    assert!(answer(&browser.get(&lab.rp().authorize(&[("max_age", "700")])).await).contains_key("code"));
    let silent = lab.rp().authorize(&[("max_age", "500"), ("prompt", "none")]);
    assert_eq!(answer(&browser.get(&silent).await)["error"], "login_required");
    for change in [
        ("max_age", "500"),
        ("prompt", "login"),
        ("prompt", "select_account"),
    ] {
        let mut browser = lab
            .sign_in_from(&ada, Some("okta"), now - SignedDuration::from_mins(10))
            .await;
        lab.app().world.advance(SignedDuration::from_secs(5));
        let page = browser.get(&lab.rp().authorize(&[change])).await;
        let id = page
            .location()
            .unwrap()
            .strip_prefix("/login?return_to=")
            .unwrap()
            .to_owned();
        lab.app().world.advance(SignedDuration::from_secs(5));
        lab.sign_browser_in(&mut browser, &ada, Some("okta"), lab.app().world.now())
            .await;
        let sent = answer(&browser.get(&provost::flow::pending::continue_path(&id)).await);
        assert!(sent.contains_key("code"), "{change:?}: {sent:?}");
    }
}

#[tokio::test]
async fn a_proof_that_stays_too_old_ends_in_an_error_and_not_in_circles() {
    let lab = Lab::new(crate::app::TestApp::start().await).await;
    let ada = lab.ada().await;
    let stale = lab.app().world.now() - SignedDuration::from_hours(5);
    let mut browser = lab.sign_in_from(&ada, Some("okta"), stale).await;
    lab.app().world.advance(SignedDuration::from_secs(5));
    let page = browser.get(&lab.rp().authorize(&[("max_age", "60")])).await;
    let id = page
        .location()
        .unwrap()
        .strip_prefix("/login?return_to=")
        .unwrap()
        .to_owned();
    lab.app().world.advance(SignedDuration::from_secs(5));
    // The identity provider signed her in again without asking her anything.
    lab.sign_browser_in(&mut browser, &ada, Some("okta"), stale).await;
    let sent = answer(&browser.get(&provost::flow::pending::continue_path(&id)).await);
    assert_eq!(sent["error"], "login_required");
}

#[tokio::test]
async fn r120_a_browser_that_keeps_no_cookie_is_told_so_instead_of_going_round() {
    let lab = Lab::new(crate::app::TestApp::start().await).await;
    let mut browser = lab.test.browser();
    let page = browser.get(&lab.rp().authorize(&[])).await;
    let id = page
        .location()
        .unwrap()
        .strip_prefix("/login?return_to=")
        .unwrap()
        .to_owned();
    let back = provost::flow::pending::continue_path(&id);
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(browser.get(&back).await.status.as_u16());
    }
    assert_eq!(statuses, [303, 303, 303, 400]);
    assert!(browser.get(&back).await.body.contains("cookie"));
}

#[tokio::test]
async fn hints_choose_the_way_to_sign_in() {
    let lab = Lab::new(crate::app::TestApp::start().await).await;
    let mut browser = lab.test.browser();
    let page = browser.get(&lab.rp().authorize(&[("connection", "okta")])).await;
    assert!(page.location().unwrap().starts_with("/sso/okta/login?return_to="));
    let page = browser.get(&lab.rp().authorize(&[("organization", "lab")])).await;
    assert!(page.location().unwrap().starts_with("/login/lab?return_to="));
    let sent = answer(
        &browser
            .get(&lab.rp().authorize(&[("connection", "//evil.example")]))
            .await,
    );
    assert_eq!(sent["error"], "invalid_request");
    let sent = answer(
        &browser
            .get(&lab.rp().authorize(&[("organization", "../evil")]))
            .await,
    );
    assert_eq!(sent["error"], "access_denied");
}

#[tokio::test]
async fn an_app_gets_only_people_of_its_organizations_and_an_admin_can_look_up_why_not() {
    on_each_engine(|test| async move {
        let lab = Lab::new(test).await;
        lab.register("limited", json!({}), Some(SECRET), Some(&["other"]))
            .await;
        let limited = lab.rp_named("limited", CALLBACK);
        let mut ada = lab.sign_in(&lab.ada().await, Some("okta")).await;
        let sent = answer(&ada.get(&limited.authorize(&[])).await);
        assert_eq!(sent["error"], "access_denied");
        let reference = sent["error_description"]
            .split("reference ")
            .nth(1)
            .unwrap()
            .trim_end_matches(')');
        let wanted = provost_kernel::id::TraceId::new(reference);
        let read = lab
            .app()
            .store
            .read(|reader| Box::pin(async move { reader.trace(&wanted).await }));
        let trace = read.await.unwrap().unwrap();
        assert_eq!(trace.verdict, "no_organization_for_app");
        assert!(trace.trace.steps[0].text.contains("limited"));
        let mut bob = lab.sign_in(&lab.bob().await, None).await;
        let tokens = lab.tokens(&limited, &mut bob).await;
        let told = claims(text(&tokens, "id_token"));
        assert_eq!(
            told["organizations"].as_array().unwrap().len(),
            1,
            "the app sees its own organizations only"
        );
        assert_eq!(told["organization"], "other");
        let both = lab.tokens(&lab.rp(), &mut bob).await;
        let told = claims(text(&both, "id_token"));
        assert_eq!(told["organizations"].as_array().unwrap().len(), 2);
        assert!(
            told.get("organization").is_none(),
            "several, and none was asked for"
        );
        assert!(told.get("connection").is_none() && told["email_verified"] == false);
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_is_switched_off_opens_no_app_any_more() {
    let lab = Lab::new(crate::app::TestApp::start().await).await;
    let mut browser = lab.sign_in(&lab.ada().await, Some("okta")).await;
    let tokens = lab.tokens(&lab.rp(), &mut browser).await;
    connection(lab.app(), "okta", "lab", false).await;
    let sent = answer(&browser.get(&lab.rp().authorize(&[("prompt", "none")])).await);
    assert_eq!(sent["error"], "access_denied");
    assert_eq!(lab.userinfo(text(&tokens, "access_token")).await.status, 401);
}
