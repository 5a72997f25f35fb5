use url::Url;

use super::{TokenRequest, TokenResponse};
use crate::rp::callback::{AuthorizationCode, Expected, check};
use crate::rp::client_auth::ClientAuthentication;
use crate::{OidcError, Params, Secret, pkce};

fn authorization_code() -> AuthorizationCode {
    let expected = Expected {
        state: "s",
        issuer: "https://idp.example",
        iss_required: false,
    };
    check(&Params::parse(b"code=c%2B1&state=s"), &expected).unwrap()
}

#[test]
fn a_code_exchange_sends_the_verifier_and_redirect_uri() {
    let url = Url::parse("https://idp.example/token").unwrap();
    let secret = Secret::new("s3cret&");
    let verifier = pkce::verifier(&[3; 32]);
    let auth = ClientAuthentication::ClientSecretPost(&secret);
    let request = TokenRequest::code(
        &url,
        "c",
        &auth,
        &authorization_code(),
        "https://sso.example/cb",
        &verifier,
    )
    .unwrap();
    let body = request.body();
    assert_eq!(
        body.expose(),
        format!(
            "grant_type=authorization_code&code=c%2B1&redirect_uri=https%3A%2F%2Fsso.example%2Fcb\
             &code_verifier={}&client_id=c&client_secret=s3cret%26",
            verifier.expose()
        )
    );
    assert!(!format!("{request:?}").contains("s3cret"));
}

#[test]
fn a_refresh_sends_the_refresh_token() {
    let url = Url::parse("https://idp.example/token").unwrap();
    let request = TokenRequest::refresh(&url, "c", &ClientAuthentication::None, &Secret::new("r1")).unwrap();
    assert_eq!(
        request.body().expose(),
        "grant_type=refresh_token&refresh_token=r1&client_id=c"
    );
}

#[test]
fn a_good_answer_is_read() {
    let body =
        br#"{"access_token":"a","token_type":"bearer","id_token":"i","expires_in":"3600","scope":"openid"}"#;
    let response = TokenResponse::parse(200, body).unwrap();
    assert_eq!(response.access_token.expose(), "a");
    assert_eq!(response.required_id_token().unwrap().expose(), "i");
    assert_eq!(response.expires_in.unwrap().as_secs(), 3600);
    assert!(response.refresh_token.is_none());
    let without = TokenResponse::parse(200, br#"{"access_token":"a","token_type":"Bearer"}"#).unwrap();
    assert_eq!(
        without.required_id_token().unwrap_err(),
        OidcError::IdTokenMissing
    );
}

#[test]
fn bad_answers_are_coded() {
    let code = |status, body: &[u8]| TokenResponse::parse(status, body).unwrap_err().code();
    assert_eq!(code(400, br#"{"error":"invalid_grant"}"#), "token_invalid_grant");
    assert_eq!(
        code(401, br#"{"error":"invalid_client"}"#),
        "token_invalid_client"
    );
    assert_eq!(code(400, br#"{"error":"other"}"#), "token_refused");
    assert_eq!(code(200, br#"{"error":"invalid_grant"}"#), "token_invalid_grant");
    assert_eq!(code(502, b"<html>"), "token_refused");
    assert_eq!(code(200, b"<html>"), "token_response_malformed");
    assert_eq!(code(200, b"{}"), "token_response_malformed");
    assert_eq!(
        code(200, br#"{"access_token":"a","token_type":"mac"}"#),
        "token_type_unsupported"
    );
    assert_eq!(code(200, br#"{"access_token":"a"}"#), "token_type_unsupported");
    assert_eq!(code(200, &vec![b'['; 300_000]), "token_response_malformed");
    assert_eq!(code(200, &vec![b' '; 10 * 1024 * 1024]), "document_too_large");
    let refusal = TokenResponse::parse(
        400,
        br#"{"error":"x","error_description":"AADSTS7000215\n: bad"}"#,
    );
    assert_eq!(
        refusal.unwrap_err().detail.as_deref(),
        Some("x: AADSTS7000215: bad")
    );
}
