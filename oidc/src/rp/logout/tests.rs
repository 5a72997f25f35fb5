use serde_json::json;

use super::LogoutRequest;
use crate::rp::discovery::{Expected, parse};
use crate::{OidcError, Transport};

#[test]
fn the_logout_url_carries_what_is_known() {
    let expected = Expected {
        issuer: "https://idp.example",
        tenant: None,
        transport: Transport::HttpsOnly,
    };
    let mut document = json!({
        "issuer": "https://idp.example", "authorization_endpoint": "https://idp.example/a",
        "token_endpoint": "https://idp.example/t", "jwks_uri": "https://idp.example/k",
    });
    let request = LogoutRequest {
        client_id: "c",
        id_token_hint: Some("a.b.c"),
        post_logout_redirect_uri: Some("https://sso.example/out"),
        state: None,
    };
    let without = parse(document.to_string().as_bytes(), &expected).unwrap();
    assert_eq!(request.url(&without), Err(OidcError::LogoutUnsupported));
    document["end_session_endpoint"] = json!("https://idp.example/out?x=1");
    let with = parse(document.to_string().as_bytes(), &expected).unwrap();
    assert_eq!(
        request.url(&with).unwrap().as_str(),
        "https://idp.example/out?x=1&client_id=c&id_token_hint=a.b.c\
         &post_logout_redirect_uri=https%3A%2F%2Fsso.example%2Fout"
    );
}
