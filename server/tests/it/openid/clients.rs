//! `/oauth2/token`: which app asks. One way to prove it, the registered one, and nothing else.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use axum::body::Body;
use axum::http::{Method, header};
use provost_oidc::jose::{Algorithm, SigningKey, sign_compact};
use serde_json::{Value, json};

use super::lab::{CALLBACK, Lab, SECRET, basic, text};
use crate::app::{Page, TestApp, on_each_engine};

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

async fn attempt(lab: &Lab, authorization: Option<&str>, fields: &[(&str, &str)]) -> Page {
    let mut program = lab.program();
    if let Some(value) = authorization {
        program
            .headers
            .insert(header::AUTHORIZATION, value.parse().unwrap());
    }
    let mut all = vec![("grant_type", "refresh_token"), ("refresh_token", "pvr_unknown")];
    all.extend_from_slice(fields);
    program.post("/oauth2/token", &all).await
}

/// An authenticated app gets as far as its unknown refresh token.
fn got_through(page: &Page) -> bool {
    page.json()["error"] == "invalid_grant"
}

#[tokio::test]
async fn a_secret_is_taken_from_the_header_or_the_form_and_nowhere_else() {
    on_each_engine(|test| async move {
        let lab = Lab::new(test).await;
        assert!(got_through(
            &attempt(&lab, Some(&basic("app", SECRET)), &[]).await
        ));
        // Percent-encoded as RFC 6749 2.3.1 says.
        let encoded = SECRET.replace('-', "%2D");
        assert!(got_through(
            &attempt(&lab, Some(&basic("app", &encoded)), &[]).await
        ));
        let form = [("client_id", "app"), ("client_secret", SECRET)];
        assert!(got_through(&attempt(&lab, None, &form).await));
    })
    .await;
}

#[tokio::test]
async fn wrong_unknown_and_missing_credentials_get_the_same_answer() {
    let lab = Lab::new(TestApp::start().await).await;
    let header = |client: &str, secret: &str| basic(client, secret);
    let mut bodies = Vec::new();
    for (authorization, fields) in [
        (Some(header("app", "wrong")), vec![]),
        (Some(header("nobody", SECRET)), vec![]),
        (Some(header("second%00", SECRET)), vec![]),
        (None, vec![("client_id", "app"), ("client_secret", "wrong")]),
        (None, vec![("client_id", "nobody"), ("client_secret", "wrong")]),
    ] {
        let page = attempt(&lab, authorization.as_deref(), &fields).await;
        assert_eq!(page.status, 401);
        assert_eq!(
            page.header("www-authenticate").is_some(),
            authorization.is_some(),
            "RFC 6749 5.2"
        );
        assert_eq!(page.header("cache-control"), Some("no-store"));
        bodies.push(page.body);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    assert!(bodies[0].contains("invalid_client"));
}

#[tokio::test]
async fn a_confidential_app_does_not_pass_by_its_name_alone_nor_by_two_proofs() {
    let lab = Lab::new(TestApp::start().await).await;
    lab.register(
        "basic",
        json!({ "token_endpoint_auth_method": "client_secret_basic" }),
        Some(SECRET),
        None,
    )
    .await;
    let refused = [
        (None, vec![("client_id", "app")], "invalid_client"),
        (None, vec![], "invalid_client"),
        (
            Some(basic("app", SECRET)),
            vec![("client_secret", SECRET), ("client_id", "app")],
            "invalid_request",
        ),
        (
            Some(basic("app", SECRET)),
            vec![("client_id", "second")],
            "invalid_request",
        ),
        (
            None,
            vec![("client_id", "basic"), ("client_secret", SECRET)],
            "invalid_client",
        ),
        (
            Some("Bearer x".to_owned()),
            vec![("client_id", "app")],
            "invalid_client",
        ),
        (Some("Basic ???".to_owned()), vec![], "invalid_client"),
    ];
    for (authorization, fields, error) in refused {
        let page = attempt(&lab, authorization.as_deref(), &fields).await;
        assert_eq!(page.json()["error"], error, "{authorization:?} {fields:?}");
    }
    let page = attempt(
        &lab,
        Some(&basic("app", SECRET)),
        &[("client_id", "app"), ("client_id", "app")],
    )
    .await;
    assert_eq!(page.json()["error"], "invalid_request", "repeated parameter");
}

#[tokio::test]
async fn a_public_app_needs_its_verifier_and_no_secret_helps() {
    let lab = Lab::new(TestApp::start().await).await;
    lab.register("spa", json!({ "token_endpoint_auth_method": "none" }), None, None)
        .await;
    let mut browser = lab.sign_in(&lab.ada().await, Some("okta")).await;
    let rp = lab.rp_named("spa", CALLBACK);
    let code = rp.code(&mut browser).await;
    let mut form = rp.code_form(&code);
    form.push(("client_id", "spa"));
    let page = lab.program().post("/oauth2/token", &form).await;
    assert_eq!(page.status, 200, "{}", page.body);
    let without = rp.authorize(&[("code_challenge", ""), ("code_challenge_method", "")]);
    assert_eq!(
        super::lab::answer(&browser.get(&without).await)["error"],
        "invalid_request"
    );
    let page = attempt(&lab, None, &[("client_id", "spa"), ("client_secret", "x")]).await;
    assert_eq!(page.json()["error"], "invalid_client");
}

#[tokio::test]
async fn only_forms_are_read() {
    let lab = Lab::new(TestApp::start().await).await;
    let mut program = lab.program();
    program
        .headers
        .insert(header::AUTHORIZATION, basic("app", SECRET).parse().unwrap());
    for (kind, body) in [
        (Some("application/json"), r#"{"grant_type":"refresh_token"}"#),
        (Some("text/plain"), "grant_type=refresh_token&refresh_token=x"),
        (None, "grant_type=refresh_token&refresh_token=x"),
    ] {
        let page = program
            .send(Method::POST, "/oauth2/token", kind, Body::from(body))
            .await;
        assert_eq!(
            (page.status.as_u16(), page.json()["error"].clone()),
            (400, json!("invalid_request")),
            "{kind:?}"
        );
    }
    let form = Some("application/x-www-form-urlencoded");
    let page = program
        .send(Method::POST, "/oauth2/token", form, Body::from(vec![0xff, 0xfe]))
        .await;
    assert_eq!(page.status, 400);
    let page = program
        .send(
            Method::POST,
            "/oauth2/token",
            form,
            Body::from(vec![b'a'; 1 << 20]),
        )
        .await;
    assert_eq!(page.status, 413);
    assert_eq!(program.get("/oauth2/token").await.status, 405);
    let page = attempt(&lab, Some(&basic("app", SECRET)), &[]).await;
    assert!(got_through(&page));
    let mut program = lab.program();
    program
        .headers
        .insert(header::AUTHORIZATION, basic("app", SECRET).parse().unwrap());
    let page = program.post("/oauth2/token", &[("grant_type", "password")]).await;
    assert_eq!(page.json()["error"], "unsupported_grant_type");
}

struct Signer {
    key: SigningKey,
}

impl Signer {
    fn new() -> Self {
        let der =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        Self {
            key: SigningKey::from_pkcs8(Algorithm::Es256, der.as_ref()).unwrap(),
        }
    }

    fn jwks(&self) -> Value {
        json!({ "keys": [self.key.public().to_json()] })
    }

    fn assertion(&self, lab: &Lab, changes: &[(&str, Value)]) -> String {
        let now = lab.app().world.now().as_second();
        let mut claims = json!({
            "iss": "robot", "sub": "robot", "aud": lab.app().config.issuer(), "jti": lab.app().world.id("").unwrap(),
            "iat": now, "exp": now + 60,
        });
        for (name, value) in changes {
            claims[*name] = value.clone();
        }
        sign_compact(&self.key, "JWT", claims.as_object().unwrap()).unwrap()
    }
}

#[tokio::test]
async fn a_signed_assertion_is_good_once_for_us_and_for_minutes() {
    on_each_engine(|test| async move {
        let lab = Lab::new(test).await;
        let signer = Signer::new();
        lab.register("robot", json!({ "jwks": signer.jwks() }), None, None)
            .await;
        let send = async |assertion: &str| {
            attempt(
                &lab,
                None,
                &[
                    ("client_assertion_type", ASSERTION),
                    ("client_assertion", assertion),
                ],
            )
            .await
        };
        let good = signer.assertion(&lab, &[]);
        assert!(got_through(&send(&good).await));
        assert_eq!(send(&good).await.json()["error"], "invalid_client", "replayed");
        let issuer = lab.app().config.issuer();
        let now = lab.app().world.now().as_second();
        for (name, value) in [
            ("aud", json!(format!("{issuer}/oauth2/token"))),
            ("aud", json!([issuer])),
            ("aud", json!("https://other.example")),
            ("iss", json!("app")),
            ("sub", json!("app")),
            ("exp", json!(now - 120)),
            ("exp", json!(now + 86_400)),
            ("jti", Value::Null),
        ] {
            let page = send(&signer.assertion(&lab, &[(name, value.clone())])).await;
            assert_eq!(
                (page.status.as_u16(), page.json()["error"].clone()),
                (401, json!("invalid_client")),
                "{name}={value}"
            );
        }
        assert_eq!(
            send(&Signer::new().assertion(&lab, &[])).await.status,
            401,
            "another key"
        );
        assert_eq!(attempt(&lab, None, &[("client_id", "robot")]).await.status, 401);
        assert_eq!(
            attempt(&lab, Some(&basic("robot", SECRET)), &[]).await.status,
            401
        );
    })
    .await;
}

#[tokio::test]
async fn of_many_parallel_uses_of_an_assertion_one_counts() {
    on_each_engine(|test| async move {
        let lab = Lab::new(test).await;
        let signer = Signer::new();
        lab.register("robot", json!({ "jwks": signer.jwks() }), None, None)
            .await;
        let assertion = signer.assertion(&lab, &[]);
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let (mut program, assertion) = (lab.program(), assertion.clone());
            tasks.spawn(async move {
                let fields = [
                    ("grant_type", "refresh_token"),
                    ("refresh_token", "pvr_unknown"),
                    ("client_assertion_type", ASSERTION),
                    ("client_assertion", &assertion),
                ];
                program.post("/oauth2/token", &fields).await
            });
        }
        let through = tasks
            .join_all()
            .await
            .iter()
            .filter(|page| got_through(page))
            .count();
        assert_eq!(through, 1);
    })
    .await;
}

#[tokio::test]
async fn each_app_gets_id_tokens_in_its_algorithm() {
    let lab = Lab::new(TestApp::start().await).await;
    let mut browser = lab.sign_in(&lab.ada().await, Some("okta")).await;
    for (algorithm, expected) in [
        ("ES256", Algorithm::Es256),
        ("RS256", Algorithm::Rs256),
        ("EdDSA", Algorithm::EdDsa),
    ] {
        lab.register(
            "picky",
            json!({ "id_token_signed_response_alg": algorithm }),
            Some(SECRET),
            None,
        )
        .await;
        let rp = lab.rp_named("picky", CALLBACK);
        let tokens = lab.tokens(&rp, &mut browser).await;
        assert_eq!(
            lab.verify(&rp, text(&tokens, "id_token")).await.algorithm(),
            expected
        );
    }
}

#[tokio::test]
async fn a_changed_registration_counts_at_the_next_request() {
    let lab = Lab::new(TestApp::start().await).await;
    assert!(got_through(
        &attempt(&lab, Some(&basic("app", SECRET)), &[]).await
    ));
    lab.register("app", json!({}), Some("another-secret-0123456789abcdef"), None)
        .await;
    assert_eq!(attempt(&lab, Some(&basic("app", SECRET)), &[]).await.status, 401);
    let browser_path = lab.rp().authorize(&[]);
    lab.register(
        "app",
        json!({ "redirect_uris": ["https://new.example/cb"] }),
        Some(SECRET),
        None,
    )
    .await;
    assert_eq!(lab.test.browser().get(&browser_path).await.status, 400);
}
