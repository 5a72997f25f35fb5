use super::{AuthorizeRequest, validate};
use crate::op::client::{Client, GrantType};
use crate::pkce;
use crate::rp::authorization::ResponseMode;
use crate::rp::discovery::AuthMethod;
use crate::{OAuthError, Params};

const URI: &str = "https://app.example/cb";

fn client() -> Client {
    Client::confidential("app", vec![URI.to_owned()])
}

/// A good request with parameters replaced (empty removes).
fn params(changes: &[(&str, &str)]) -> Params {
    let challenge = pkce::challenge(&"v".repeat(43));
    let mut pairs: Vec<(String, String)> = [
        ("client_id", "app"),
        ("redirect_uri", URI),
        ("response_type", "code"),
        ("scope", "openid email"),
        ("state", "st"),
        ("nonce", "no"),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
    ]
    .into_iter()
    .map(|(n, v)| (n.to_owned(), v.to_owned()))
    .collect();
    for (name, value) in changes {
        pairs.retain(|(n, _)| n != name);
        pairs.push(((*name).to_owned(), (*value).to_owned()));
    }
    Params::from_pairs(pairs)
}

fn accepted(changes: &[(&str, &str)]) -> AuthorizeRequest {
    validate(&params(changes), &client()).unwrap()
}

/// The code of the refusal, and whether it may be redirected.
fn refused(changes: &[(&str, &str)], client: &Client) -> (&'static str, bool) {
    let error = validate(&params(changes), client).unwrap_err();
    (error.error.code(), error.return_to.is_some())
}

#[test]
fn a_full_request_is_read() {
    let request = accepted(&[
        ("scope", "openid profile offline_access organization weird"),
        ("prompt", "login select_account"),
        ("max_age", "0"),
        ("login_hint", "ada@x.example"),
        ("domain_hint", "x.example"),
        ("organization", "home-lab"),
        ("connection", "home-okta"),
        ("response_mode", "form_post"),
        ("acr_values", "phr mfa"),
        ("ui_locales", "de en"),
    ]);
    assert_eq!(
        request.scopes,
        ["openid", "profile", "offline_access", "organization"]
    );
    assert!(request.wants_refresh_token());
    assert!(request.prompt.login && request.prompt.select_account && !request.prompt.none);
    assert_eq!(request.max_age.unwrap().as_secs(), 0);
    assert_eq!(request.organization.as_deref(), Some("home-lab"));
    assert_eq!(request.connection.as_deref(), Some("home-okta"));
    assert_eq!(request.domain_hint.as_deref(), Some("x.example"));
    assert_eq!(request.login_hint.as_deref(), Some("ada@x.example"));
    assert_eq!(request.return_to.response_mode, ResponseMode::FormPost);
    assert_eq!(request.return_to.state.as_deref(), Some("st"));
    assert_eq!(request.acr_values, ["phr", "mfa"]);
    assert_eq!(request.ui_locales, ["de", "en"]);
    assert_eq!(request.nonce.as_deref(), Some("no"));
}

#[test]
fn without_a_proven_redirect_uri_the_refusal_is_a_page() {
    assert_eq!(
        refused(&[("client_id", "")], &client()),
        ("client_id_missing", false)
    );
    assert_eq!(
        refused(&[("client_id", "other")], &client()),
        ("client_unknown", false)
    );
    assert_eq!(
        refused(&[("redirect_uri", "")], &client()),
        ("redirect_uri_missing", false)
    );
    for near in [
        "https://app.example/cb/",
        "https://app.example/cb?x",
        "https://evil.example/cb",
        "javascript:x",
    ] {
        assert_eq!(
            refused(&[("redirect_uri", near)], &client()),
            ("redirect_uri_mismatch", false)
        );
    }
    // Also when everything else is wrong too.
    let bad = [
        ("redirect_uri", "https://evil.example"),
        ("response_type", "token"),
        ("scope", "x"),
    ];
    assert_eq!(refused(&bad, &client()), ("redirect_uri_mismatch", false));
    let repeated = Params::parse(b"client_id=app&client_id=app&redirect_uri=https://app.example/cb");
    let error = validate(&repeated, &client()).unwrap_err();
    assert_eq!(
        (error.error, error.return_to.is_none()),
        (OAuthError::ParameterRepeated, true)
    );
}

#[test]
fn after_that_the_refusal_goes_to_the_app() {
    for (change, code) in [
        (("response_type", ""), "response_type_missing"),
        (("response_type", "token"), "response_type_unsupported"),
        (("response_type", "code id_token"), "response_type_unsupported"),
        (("response_mode", "fragment"), "response_mode_unsupported"),
        (("scope", ""), "scope_missing_openid"),
        (("scope", "email"), "scope_missing_openid"),
        (("prompt", "none login"), "prompt_invalid"),
        (("prompt", "create"), "prompt_invalid"),
        (("max_age", "-1"), "max_age_invalid"),
        (("max_age", "99999999999"), "max_age_invalid"),
        (("request", "a.b.c"), "request_object_unsupported"),
        (("request_uri", "https://x.example/r"), "request_uri_unsupported"),
        (("registration", "{}"), "registration_unsupported"),
        (("organization", "a\nb"), "parameter_invalid"),
    ] {
        assert_eq!(refused(&[change], &client()), (code, true), "{change:?}");
    }
    let no_code = Client {
        grant_types: vec![GrantType::RefreshToken],
        ..client()
    };
    assert_eq!(refused(&[], &no_code), ("grant_not_allowed", true));
}

#[test]
fn pkce_cannot_be_left_out_or_downgraded() {
    assert_eq!(
        refused(&[("code_challenge", "")], &client()),
        ("pkce_missing", true)
    );
    let neither = [("code_challenge", ""), ("code_challenge_method", "")];
    assert_eq!(refused(&neither, &client()), ("pkce_missing", true));
    assert_eq!(
        refused(&[("code_challenge_method", "plain")], &client()),
        ("pkce_method_unsupported", true)
    );
    assert_eq!(
        refused(&[("code_challenge_method", "")], &client()),
        ("pkce_method_unsupported", true)
    );
    assert_eq!(
        refused(&[("code_challenge", "short")], &client()),
        ("pkce_challenge_invalid", true)
    );
    // A confidential client may be exempted, a public one never.
    let exempt = Client {
        require_pkce: false,
        ..client()
    };
    assert_eq!(validate(&params(&neither), &exempt).unwrap().code_challenge, None);
    let public = Client {
        auth_methods: vec![AuthMethod::None],
        ..exempt
    };
    assert_eq!(refused(&neither, &public), ("pkce_missing", true));
}

#[test]
fn prompt_none_alone_is_fine_and_refresh_needs_the_grant() {
    assert!(accepted(&[("prompt", "none")]).prompt.none);
    let no_refresh = Client {
        grant_types: vec![GrantType::AuthorizationCode],
        ..client()
    };
    let request = validate(&params(&[("scope", "openid offline_access")]), &no_refresh).unwrap();
    assert!(!request.wants_refresh_token());
}

#[test]
fn wire_names_are_those_of_the_protocol() {
    for (error, wire) in [
        (OAuthError::LoginRequired, "login_required"),
        (OAuthError::RequestObjectUnsupported, "request_not_supported"),
        (OAuthError::RequestUriUnsupported, "request_uri_not_supported"),
        (OAuthError::ResponseTypeUnsupported, "unsupported_response_type"),
        (OAuthError::ScopeMissingOpenid, "invalid_scope"),
        (OAuthError::CodeReused, "invalid_grant"),
        (OAuthError::VerifierMismatch, "invalid_grant"),
        (OAuthError::ClientSecretWrong, "invalid_client"),
        (OAuthError::AssertionAudience, "invalid_client"),
        (OAuthError::PkceMissing, "invalid_request"),
        (OAuthError::GrantTypeUnsupported, "unsupported_grant_type"),
    ] {
        assert_eq!(error.wire(), wire);
    }
    assert_eq!(OAuthError::ClientSecretWrong.status(), 401);
    assert_eq!(OAuthError::CodeReused.status(), 400);
    assert_eq!(OAuthError::CodeReused.to_json()["error"], "invalid_grant");
}
