use jiff::SignedDuration;

use super::{TokenGrant, narrow_scopes, parse, response_json};
use crate::{OAuthError, Params, Secret};

fn run(form: &str) -> Result<TokenGrant, OAuthError> {
    parse(&Params::parse(form.as_bytes()), None).map(|request| request.grant)
}

#[test]
fn both_grants_are_read() {
    let verifier = "v".repeat(43);
    let form = format!(
        "client_id=app&grant_type=authorization_code&code=c&redirect_uri=https%3A%2F%2Fa%2F&code_verifier={verifier}"
    );
    let Ok(TokenGrant::AuthorizationCode {
        code,
        redirect_uri,
        code_verifier,
    }) = run(&form)
    else {
        panic!("code grant expected")
    };
    assert_eq!(code.expose(), "c");
    assert_eq!(redirect_uri.as_deref(), Some("https://a/"));
    assert_eq!(code_verifier.unwrap().expose(), verifier);
    let form = "client_id=app&grant_type=refresh_token&refresh_token=r&scope=openid%20email";
    let Ok(TokenGrant::RefreshToken { refresh_token, scope }) = run(form) else {
        panic!("refresh expected")
    };
    assert_eq!(refresh_token.expose(), "r");
    assert_eq!(scope.unwrap(), ["openid", "email"]);
}

#[test]
fn other_requests_are_refused() {
    for (form, wanted) in [
        ("client_id=app", OAuthError::GrantTypeMissing),
        (
            "client_id=app&grant_type=password&username=a&password=b",
            OAuthError::GrantTypeUnsupported,
        ),
        (
            "client_id=app&grant_type=implicit",
            OAuthError::GrantTypeUnsupported,
        ),
        (
            "client_id=app&grant_type=authorization_code",
            OAuthError::CodeMissing,
        ),
        (
            "client_id=app&grant_type=refresh_token",
            OAuthError::RefreshTokenMissing,
        ),
        (
            "client_id=app&grant_type=authorization_code&code=c&code_verifier=short",
            OAuthError::VerifierInvalid,
        ),
        (
            "client_id=app&grant_type=refresh_token&refresh_token=a&refresh_token=b",
            OAuthError::ParameterRepeated,
        ),
        (
            "grant_type=authorization_code&code=c",
            OAuthError::ClientAuthMissing,
        ),
    ] {
        assert_eq!(run(form).unwrap_err(), wanted, "{form}");
    }
}

#[test]
fn scopes_only_narrow() {
    let granted = ["openid".to_owned(), "email".to_owned()];
    assert_eq!(narrow_scopes(&granted, None), Ok(granted.to_vec()));
    assert_eq!(
        narrow_scopes(&granted, Some(&granted[..1])),
        Ok(vec!["openid".to_owned()])
    );
    let wider = ["profile".to_owned()];
    assert_eq!(
        narrow_scopes(&granted, Some(&wider)),
        Err(OAuthError::ScopeExceedsGrant)
    );
}

#[test]
fn the_answer_has_the_fields_of_the_protocol() {
    let scopes = ["openid".to_owned()];
    let refresh = Secret::new("r");
    let body = response_json(
        "a",
        SignedDuration::from_mins(5),
        &scopes,
        Some("i"),
        Some(&refresh),
    );
    assert_eq!(
        body,
        serde_json::json!({
            "access_token": "a", "token_type": "Bearer", "expires_in": 300, "scope": "openid",
            "id_token": "i", "refresh_token": "r",
        })
    );
}
