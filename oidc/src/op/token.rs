//! The token request of an app (RFC 6749 4.1.3 and 6).
//!
//! Owns reading it. Never: looks a code up (`op::code` and `op::refresh` judge what the caller found).

use super::client_auth::PresentedClient;
use crate::error::OAuthError;
use crate::params::Params;
use crate::secret::Secret;

/// A token request: who asks, and for what.
#[derive(Debug, Clone)]
pub struct TokenRequest {
    /// The credentials, not yet verified.
    pub client: PresentedClient,
    /// The grant.
    pub grant: TokenGrant,
}

/// The grant of a token request.
#[derive(Debug, Clone)]
pub enum TokenGrant {
    /// A code is exchanged.
    AuthorizationCode {
        /// The code.
        code: Secret,
        /// The redirect URI of the authorization request.
        redirect_uri: Option<String>,
        /// The PKCE verifier.
        code_verifier: Option<Secret>,
    },
    /// A refresh token is used.
    RefreshToken {
        /// The token.
        refresh_token: Secret,
        /// A narrower scope, if asked for.
        scope: Option<Vec<String>>,
    },
}

/// Parses a token request from its form and `Authorization` header.
///
/// Errors: those of `PresentedClient::parse`, `GrantTypeMissing`, `GrantTypeUnsupported`, `CodeMissing`,
/// `RefreshTokenMissing`, `VerifierInvalid`.
pub fn parse(params: &Params, authorization: Option<&str>) -> Result<TokenRequest, OAuthError> {
    let client = PresentedClient::parse(params, authorization)?;
    let grant = match params.get("grant_type") {
        None => return Err(OAuthError::GrantTypeMissing),
        Some("authorization_code") => {
            let verifier = params.get("code_verifier");
            if verifier.is_some_and(|v| !crate::pkce::is_verifier(v)) {
                return Err(OAuthError::VerifierInvalid);
            }
            TokenGrant::AuthorizationCode {
                code: Secret::new(params.get("code").ok_or(OAuthError::CodeMissing)?),
                redirect_uri: params.get("redirect_uri").map(str::to_owned),
                code_verifier: verifier.map(Secret::new),
            }
        }
        Some("refresh_token") => TokenGrant::RefreshToken {
            refresh_token: Secret::new(
                params
                    .get("refresh_token")
                    .ok_or(OAuthError::RefreshTokenMissing)?,
            ),
            scope: params
                .get("scope")
                .map(|s| s.split_ascii_whitespace().map(str::to_owned).collect()),
        },
        Some(_) => return Err(OAuthError::GrantTypeUnsupported),
    };
    Ok(TokenRequest { client, grant })
}

/// The scopes after a refresh: the granted ones, or the narrower set asked for (RFC 6749 section 6).
///
/// Errors: `ScopeExceedsGrant`.
pub fn narrow_scopes(granted: &[String], asked: Option<&[String]>) -> Result<Vec<String>, OAuthError> {
    match asked {
        None => Ok(granted.to_vec()),
        Some(asked) if asked.iter().all(|s| granted.contains(s)) => Ok(asked.to_vec()),
        Some(_) => Err(OAuthError::ScopeExceedsGrant),
    }
}

/// A successful token response (RFC 6749 section 5.1), to be sent with `Cache-Control: no-store`.
pub fn response_json(
    access_token: &str,
    expires_in: jiff::SignedDuration,
    scopes: &[String],
    id_token: Option<&str>,
    refresh_token: Option<&Secret>,
) -> serde_json::Value {
    let mut body = serde_json::Map::new();
    body.insert("access_token".into(), access_token.into());
    body.insert("token_type".into(), "Bearer".into());
    body.insert("expires_in".into(), expires_in.as_secs().into());
    body.insert("scope".into(), scopes.join(" ").into());
    if let Some(token) = id_token {
        body.insert("id_token".into(), token.into());
    }
    if let Some(token) = refresh_token {
        body.insert("refresh_token".into(), token.expose().into());
    }
    serde_json::Value::Object(body)
}

#[cfg(test)]
mod tests;
