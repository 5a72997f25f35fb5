//! Our discovery document and key set (OpenID Connect Discovery section 3, RFC 8414).
//!
//! Owns both documents: exactly what is supported, nothing more. Never: fetches or caches.

use serde_json::{Value, json};

use super::authorize::SCOPES;
use crate::jose::{Algorithm, Jwk};
use crate::rp::discovery::AuthMethod;

/// Where the endpoints are, relative to the issuer, and what differs between providers.
#[derive(Debug, Clone)]
pub struct Features {
    /// Algorithms of ID tokens: one per signing key in use; must contain RS256 (Discovery section 3).
    pub id_token_algorithms: Vec<Algorithm>,
    /// Path of the authorization endpoint, and so on for the others.
    pub authorize_path: String,
    /// Path of the token endpoint.
    pub token_path: String,
    /// Path of the userinfo endpoint.
    pub userinfo_path: String,
    /// Path of the key set.
    pub jwks_path: String,
    /// Path of the logout endpoint.
    pub logout_path: String,
    /// Path of the revocation endpoint.
    pub revoke_path: String,
    /// Path of the introspection endpoint.
    pub introspect_path: String,
}

impl Default for Features {
    fn default() -> Self {
        Self {
            id_token_algorithms: vec![Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa],
            authorize_path: "/oauth2/authorize".into(),
            token_path: "/oauth2/token".into(),
            userinfo_path: "/oauth2/userinfo".into(),
            jwks_path: "/oauth2/jwks".into(),
            logout_path: "/oauth2/logout".into(),
            revoke_path: "/oauth2/revoke".into(),
            introspect_path: "/oauth2/introspect".into(),
        }
    }
}

/// The discovery document of `issuer`, which has no trailing slash.
pub fn discovery_document(issuer: &str, features: &Features) -> Value {
    let base = issuer.trim_end_matches('/');
    let at = |path: &str| format!("{base}{path}");
    let names = |algorithms: &[Algorithm]| algorithms.iter().map(|a| a.name()).collect::<Vec<_>>();
    let secret_methods = [
        AuthMethod::ClientSecretBasic,
        AuthMethod::ClientSecretPost,
        AuthMethod::PrivateKeyJwt,
    ];
    let confidential: Vec<_> = secret_methods.iter().map(|m| m.name()).collect();
    let all_methods: Vec<_> = secret_methods
        .iter()
        .chain([&AuthMethod::None])
        .map(|m| m.name())
        .collect();
    json!({
        "issuer": issuer,
        "authorization_endpoint": at(&features.authorize_path),
        "token_endpoint": at(&features.token_path),
        "userinfo_endpoint": at(&features.userinfo_path),
        "jwks_uri": at(&features.jwks_path),
        "end_session_endpoint": at(&features.logout_path),
        "revocation_endpoint": at(&features.revoke_path),
        "introspection_endpoint": at(&features.introspect_path),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "form_post"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "code_challenge_methods_supported": ["S256"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": names(&features.id_token_algorithms),
        "scopes_supported": SCOPES,
        "claims_supported": [
            "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash",
            "session_expiry", "email", "email_verified", "name", "given_name", "family_name",
            "organization", "organizations", "account_kind", "connection", "attributes",
        ],
        "claim_types_supported": ["normal"],
        "prompt_values_supported": ["none", "login", "select_account", "consent"],
        "token_endpoint_auth_methods_supported": all_methods,
        "token_endpoint_auth_signing_alg_values_supported": names(Algorithm::ALL),
        "revocation_endpoint_auth_methods_supported": all_methods,
        "introspection_endpoint_auth_methods_supported": confidential,
        "authorization_response_iss_parameter_supported": true,
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
        "frontchannel_logout_supported": false,
        "claims_parameter_supported": false,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "require_request_uri_registration": false,
    })
}

/// Our key set: the next key (published before its first use), the current and the retiring ones (published
/// until the last token they signed has expired). A key id appears once.
pub fn jwks_document(keys: &[&Jwk]) -> Value {
    let mut seen: Vec<&str> = Vec::new();
    let mut list = Vec::new();
    for key in keys {
        if let Some(kid) = key.kid() {
            if seen.contains(&kid) {
                continue;
            }
            seen.push(kid);
        }
        list.push(key.to_json());
    }
    json!({ "keys": list })
}

#[cfg(test)]
mod tests;
