//! Input that nobody honest sends, at every address: always an answer with a code, never our own failure.

use axum::body::Body;
use axum::http::Method;

use crate::app::{Page, TestApp, on_each_engine};
use crate::directory;
use crate::oidc_idp::OidcIdp;
use crate::saml_idp;

const FORM: &str = "application/x-www-form-urlencoded";

/// Addresses that read a body.
const POSTED: &[&str] = &[
    "/login",
    "/login/password",
    "/logout",
    "/account/sessions/ses_x/revoke",
    "/password/pvp_x",
    "/sso/okta/saml/acs",
    "/sso/okta/saml/slo",
    "/sso/entra/oidc/callback",
    "/sso/entra/oidc/backchannel-logout",
    "/oauth2/authorize",
    "/oauth2/token",
    "/oauth2/userinfo",
    "/oauth2/introspect",
    "/oauth2/revoke",
    "/oauth2/logout",
];

/// Addresses with a part that the client chooses, and what is appended.
const OPENED: &[&str] = &[
    "/login/{}",
    "/login?return_to={}&email={}",
    "/login/password?return_to={}&email={}",
    "/password/{}",
    "/sso/{}/login",
    "/sso/okta/login?return_to={}&login_hint={}",
    "/sso/{}/saml/metadata",
    "/sso/okta/saml/slo?SAMLRequest={}&RelayState={}&SigAlg={}&Signature={}",
    "/sso/okta/saml/slo?SAMLResponse={}&RelayState={}",
    "/sso/{}/saml/slo?SAMLResponse=x",
    "/sso/entra/oidc/callback?state={}&code={}&iss={}",
    "/sso/entra/oidc/callback?state=x&error={}&error_description={}",
    "/sso/{}/oidc/callback?state=x",
    "/sso/entra/oidc/logged-out?state={}",
    "/oauth2/authorize?client_id={}",
    "/oauth2/authorize?client_id=app&redirect_uri={}&state={}",
    "/oauth2/authorize/continue/{}",
    "/oauth2/logout?id_token_hint={}",
    "/oauth2/logout?client_id={}&post_logout_redirect_uri={}&state={}",
    "/assets/{}",
    "/{}",
];

async fn started(app: &TestApp) -> OidcIdp {
    directory::organization(&app.app).await;
    saml_idp::connect(&app.app, "okta", |_| {}).await;
    let idp = OidcIdp::start(app.app.world.now()).await;
    idp.connect(&app.app, "entra", |_| {}).await;
    idp
}

fn expect_answer(page: &Page, what: &str) {
    assert!(
        !page.status.is_server_error(),
        "{what}: {} {}",
        page.status,
        page.body
    );
}

fn expect_refusal(page: &Page, what: &str) {
    // A form without effect may also end on a page (403) or go on to one (303).
    assert!(
        page.status.is_client_error() || page.status.is_redirection() || page.status == 200,
        "{what}: {} {}",
        page.status,
        page.body
    );
}

fn bodies() -> Vec<(&'static str, Vec<u8>)> {
    let field = |name: &str, value: &str| format!("{name}={value}").into_bytes();
    let mut bodies = vec![
        ("nothing", Vec::new()),
        ("bytes that are no text", vec![0xff, 0xfe, 0x00, 0x80]),
        (
            "escaped bytes that are no text",
            field("state", "%ff%fe&code=%c0%80&token=%ff"),
        ),
        ("JSON", b"{\"a\":1}".to_vec()),
        ("deep JSON", [b"[".repeat(100_000), b"]".repeat(100_000)].concat()),
        ("a thousand parameters", b"a=1&".repeat(1_000)),
    ];
    // The same hostile value in every parameter that any of the addresses reads.
    let names = [
        "form_token",
        "return_to",
        "email",
        "password",
        "repeat",
        "SAMLResponse",
        "SAMLRequest",
        "RelayState",
        "state",
        "code",
        "iss",
        "error",
        "logout_token",
        "client_id",
        "client_secret",
        "client_assertion",
        "grant_type",
        "refresh_token",
        "redirect_uri",
        "token",
        "id_token_hint",
        "post_logout_redirect_uri",
        "scope",
    ];
    let everywhere = |value: &str| {
        let pairs: Vec<String> = names.iter().map(|name| format!("{name}={value}")).collect();
        pairs.join("&").into_bytes()
    };
    bodies.push(("NUL", everywhere("a%00b")));
    bodies.push(("controls", everywhere("%0d%0aSet-Cookie:+x=y%1b%5b2J")));
    bodies.push(("astral letters", everywhere("%f0%9f%92%a9")));
    bodies.push(("long values", everywhere(&"A".repeat(15_000))));
    bodies.push(("a token of dots", everywhere("..........")));
    bodies
}

#[tokio::test]
async fn r30_no_body_makes_any_address_fail() {
    on_each_engine(|app| async move {
        let _idp = started(&app).await;
        for path in POSTED {
            for (what, body) in bodies() {
                for kind in [
                    Some(FORM),
                    Some("application/json"),
                    Some("text/xml; charset=utf-16"),
                    None,
                ] {
                    let mut browser = app.browser();
                    browser
                        .cookies
                        .insert("provost_browser".to_owned(), "pvb_x".to_owned());
                    let page = browser
                        .send(Method::POST, path, kind, Body::from(body.clone()))
                        .await;
                    expect_answer(&page, &format!("{what} at {path} as {kind:?}"));
                    expect_refusal(&page, &format!("{what} at {path} as {kind:?}"));
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn r30_ten_megabytes_are_refused_unread() {
    let app = TestApp::start().await;
    let _idp = started(&app).await;
    for path in POSTED {
        let body = Body::from(vec![b'A'; 10 * 1024 * 1024]);
        let page = app.browser().send(Method::POST, path, Some(FORM), body).await;
        // Userinfo reads no body at all.
        let wanted = if *path == "/oauth2/userinfo" { 401 } else { 413 };
        assert_eq!(page.status, wanted, "{path}: {}", page.body);
    }
}

#[tokio::test]
async fn r30_no_address_makes_us_fail() {
    on_each_engine(|app| async move {
        let _idp = started(&app).await;
        let long = "A".repeat(9_000);
        let values = [
            "%00",
            "a%00b",
            "%ff",
            "%c0%80",
            "%0d%0aLocation:%20x",
            "..%2f..%2f",
            "%f0%9f%92%a9",
            "%25",
            "{}",
            &long,
        ];
        for pattern in OPENED {
            for value in values {
                let value = if value == "{}" { "%7b%7d" } else { value };
                let path = pattern.replace("{}", value);
                let mut browser = app.browser();
                browser
                    .cookies
                    .insert("provost_browser".to_owned(), "pvb_x".to_owned());
                let page = browser.get(&path).await;
                let shown: String = path.chars().take(120).collect();
                expect_answer(&page, &shown);
                assert!(
                    page.headers
                        .get("set-cookie")
                        .is_none_or(|cookie| !cookie.to_str().unwrap().contains("x=y"))
                );
                if let Some(location) = page.location() {
                    assert!(
                        location.starts_with('/')
                            || location.starts_with("https://idp.example/")
                            || location.starts_with("http://127.0.0.1"),
                        "{shown} leads to {location}"
                    );
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_says_nul_gets_a_refusal_or_a_person_without_that_name() {
    on_each_engine(|app| async move {
        let idp = started(&app).await;
        let claims = |name: &str, value: &str| {
            let mut claims = serde_json::json!({
                "sub": "dora-1", "email": "dora@home-lab.example", "email_verified": true,
                "given_name": "Dora", "family_name": "Example", "name": "Dora Example",
            });
            claims[name] = serde_json::Value::from(value);
            claims
        };
        for name in [
            "sub",
            "email",
            "given_name",
            "family_name",
            "name",
            "preferred_username",
            "accountid",
            "sid",
            "acr",
        ] {
            let page = idp
                .sign_in(&mut app.browser(), "entra", &claims(name, "a\u{0}b\u{1b}[2J"))
                .await;
            expect_answer(&page, name);
        }
        let page = idp
            .sign_in(&mut app.browser(), "entra", &claims("groups", "a\u{0}b"))
            .await;
        expect_answer(&page, "groups");
    })
    .await;
}
