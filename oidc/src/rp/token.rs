//! The token request and its answer (RFC 6749 4.1.3, 5.1, 5.2 and 6; OpenID Connect Core 3.1.3).
//!
//! Owns the request as a value and the parsing of the answer. Never: sends; verifies the ID token
//! (`rp::id_token` does).

use jiff::SignedDuration;
use url::{Url, form_urlencoded};

use super::callback::AuthorizationCode;
use super::client_auth::ClientAuthentication;
use crate::error::{OidcError, Refusal};
use crate::jose::json;
use crate::secret::Secret;

/// The most bytes a token response may have.
pub const MAX_BYTES: usize = 512 * 1024;

/// A POST to a token endpoint, ready to be sent with `Accept: application/json`.
#[derive(Debug, Clone)]
pub struct TokenRequest {
    /// Where to.
    pub url: Url,
    /// Value of the `Authorization` header, if any.
    pub authorization: Option<Secret>,
    /// The form fields in order.
    pub form: Vec<(&'static str, Secret)>,
}

impl TokenRequest {
    /// Exchanges a code.
    ///
    /// Errors: `SigningFailed`.
    pub fn code(
        token_endpoint: &Url,
        client_id: &str,
        authentication: &ClientAuthentication<'_>,
        code: &AuthorizationCode,
        redirect_uri: &str,
        code_verifier: &Secret,
    ) -> Result<Self, OidcError> {
        let grant = vec![
            ("grant_type", Secret::new("authorization_code")),
            ("code", code.secret().clone()),
            ("redirect_uri", Secret::new(redirect_uri)),
            ("code_verifier", code_verifier.clone()),
        ];
        Self::with_grant(token_endpoint, client_id, authentication, grant)
    }

    /// Uses a refresh token.
    ///
    /// Errors: `SigningFailed`.
    pub fn refresh(
        token_endpoint: &Url,
        client_id: &str,
        authentication: &ClientAuthentication<'_>,
        refresh_token: &Secret,
    ) -> Result<Self, OidcError> {
        let grant = vec![
            ("grant_type", Secret::new("refresh_token")),
            ("refresh_token", refresh_token.clone()),
        ];
        Self::with_grant(token_endpoint, client_id, authentication, grant)
    }

    /// The form as a body (`application/x-www-form-urlencoded`).
    pub fn body(&self) -> Secret {
        let mut body = form_urlencoded::Serializer::new(String::new());
        for (name, value) in &self.form {
            body.append_pair(name, value.expose());
        }
        Secret::new(body.finish())
    }

    fn with_grant(
        token_endpoint: &Url,
        client_id: &str,
        authentication: &ClientAuthentication<'_>,
        mut form: Vec<(&'static str, Secret)>,
    ) -> Result<Self, OidcError> {
        let credentials = authentication.credentials(client_id)?;
        form.extend(credentials.form);
        Ok(Self {
            url: token_endpoint.clone(),
            authorization: credentials.authorization,
            form,
        })
    }
}

/// A parsed token response.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TokenResponse {
    /// For the userinfo endpoint.
    pub access_token: Secret,
    /// Present in the code flow; a refresh may omit it.
    pub id_token: Option<Secret>,
    /// For later refreshes.
    pub refresh_token: Option<Secret>,
    /// Life of the access token, if stated.
    pub expires_in: Option<SignedDuration>,
    /// Granted scope, if stated.
    pub scope: Option<String>,
}

impl TokenResponse {
    /// Parses an answer by its HTTP status and body.
    ///
    /// Errors: `DocumentTooLarge`, `TokenInvalidClient`, `TokenInvalidGrant`, `TokenRefused` (each with the
    /// provider's words), `TokenResponseMalformed`, `TokenTypeUnsupported`.
    pub fn parse(status: u16, body: &[u8]) -> Result<Self, Refusal> {
        if body.len() > MAX_BYTES {
            return Err(OidcError::DocumentTooLarge.into());
        }
        let document = json::object(body);
        if status != 200 {
            return Err(refused(status, document.as_ref()));
        }
        let document = document.ok_or(OidcError::TokenResponseMalformed)?;
        let text = |name: &str| json::text(&document, name).filter(|t| !t.is_empty());
        let Some(access_token) = text("access_token") else {
            // Some providers answer 200 with an error object.
            let stated = document.contains_key("error");
            return Err(if stated {
                refused(status, Some(&document))
            } else {
                OidcError::TokenResponseMalformed.into()
            });
        };
        if !text("token_type").is_some_and(|t| t.eq_ignore_ascii_case("bearer")) {
            return Err(OidcError::TokenTypeUnsupported.into());
        }
        Ok(Self {
            access_token: Secret::new(access_token),
            id_token: text("id_token").map(Secret::new),
            refresh_token: text("refresh_token").map(Secret::new),
            expires_in: document
                .get("expires_in")
                .and_then(seconds)
                .map(SignedDuration::from_secs),
            scope: text("scope").map(str::to_owned),
        })
    }

    /// The ID token of a code exchange.
    ///
    /// Errors: `IdTokenMissing`.
    pub fn required_id_token(&self) -> Result<&Secret, OidcError> {
        self.id_token.as_ref().ok_or(OidcError::IdTokenMissing)
    }
}

/// Seconds as a number or, as some providers send, as a text.
fn seconds(value: &serde_json::Value) -> Option<i64> {
    let whole = value
        .as_i64()
        .or_else(|| value.as_str().and_then(|t| t.parse().ok()))?;
    (0..=i64::from(u32::MAX)).contains(&whole).then_some(whole)
}

fn refused(status: u16, document: Option<&serde_json::Map<String, serde_json::Value>>) -> Refusal {
    let Some((error, map)) = document.and_then(|d| Some((json::text(d, "error")?, d))) else {
        return Refusal::with_detail(OidcError::TokenRefused, &format!("HTTP status {status}"));
    };
    let kind = match error {
        "invalid_client" => OidcError::TokenInvalidClient,
        "invalid_grant" => OidcError::TokenInvalidGrant,
        _ => OidcError::TokenRefused,
    };
    let description = json::text(map, "error_description").unwrap_or_default();
    Refusal::with_detail(kind, &format!("{error}: {description}"))
}

#[cfg(test)]
mod tests;
