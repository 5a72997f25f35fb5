//! The introspection answer (RFC 7662).
//!
//! Owns the JSON. Never: says why a token is not active.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::tokens::VerifiedAccessToken;
use crate::error::OAuthError;
use crate::params::Params;
use crate::secret::Secret;

/// The token of an introspection or revocation request; a wrong `token_type_hint` is no reason to refuse, so
/// it is not read (RFC 7009 section 2.1).
///
/// Errors: `TokenMissing`.
pub fn token(params: &Params) -> Result<Secret, OAuthError> {
    super::authorize::check_params(params)?;
    params
        .get("token")
        .map(Secret::new)
        .ok_or(OAuthError::TokenMissing)
}

/// The answer for a token that is unknown, expired, revoked, or another client's.
pub fn inactive() -> Value {
    json!({ "active": false })
}

/// The answer for an access token that is valid and whose session is alive. A client learns about its own
/// tokens only.
pub fn access_token(token: &VerifiedAccessToken, issuer: &str, asking_client: &str) -> Value {
    if token.client_id != asking_client {
        return inactive();
    }
    let mut body = json!({
        "active": true, "token_type": "Bearer", "iss": issuer, "sub": token.sub,
        "client_id": token.client_id, "scope": token.scopes.join(" "), "jti": token.jti,
        "iat": token.issued_at.as_second(), "exp": token.expires.as_second(),
    });
    if let (Value::Object(map), Some(sid)) = (&mut body, &token.sid) {
        map.insert("sid".into(), json!(sid));
    }
    body
}

/// The answer for a refresh token that may still be used.
pub fn refresh_token(
    issuer: &str,
    client_id: &str,
    sub: &str,
    scopes: &[String],
    expires: Timestamp,
) -> Value {
    json!({
        "active": true, "iss": issuer, "sub": sub, "client_id": client_id,
        "scope": scopes.join(" "), "exp": expires.as_second(),
    })
}
