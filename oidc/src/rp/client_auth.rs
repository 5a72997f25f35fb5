//! How we authenticate at a provider's token endpoint (RFC 6749 2.3.1, RFC 7523).
//!
//! Owns the header or form fields. Never: keeps a secret longer than the request.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::error::OidcError;
use crate::jose::{SigningKey, sign_compact};
use crate::secret::Secret;

/// How long a client assertion lives.
pub const ASSERTION_LIFETIME: SignedDuration = SignedDuration::from_secs(60);
/// `client_assertion_type` of RFC 7523 section 2.2.
pub const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Our credentials at a provider.
#[derive(Debug, Clone, Copy)]
pub enum ClientAuthentication<'a> {
    /// HTTP Basic with the client secret.
    ClientSecretBasic(&'a Secret),
    /// The client secret as form field.
    ClientSecretPost(&'a Secret),
    /// A signed assertion.
    PrivateKeyJwt {
        /// The key whose public half the provider knows.
        key: &'a SigningKey,
        /// The provider's issuer: the only audience.
        issuer: &'a str,
        /// A fresh unguessable id.
        jti: &'a str,
        /// Now.
        now: Timestamp,
    },
    /// A public client: PKCE is its only proof.
    None,
}

/// What authentication adds to a token request.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// Value of the `Authorization` header, if any.
    pub authorization: Option<Secret>,
    /// Form fields.
    pub form: Vec<(&'static str, Secret)>,
}

impl ClientAuthentication<'_> {
    /// The header and fields for a request by `client_id`.
    ///
    /// Errors: `SigningFailed`.
    pub fn credentials(&self, client_id: &str) -> Result<Credentials, OidcError> {
        let id_field = ("client_id", Secret::new(client_id));
        match self {
            Self::ClientSecretBasic(secret) => Ok(Credentials {
                authorization: Some(basic(client_id, secret)),
                form: Vec::new(),
            }),
            Self::ClientSecretPost(secret) => Ok(Credentials {
                authorization: None,
                form: vec![id_field, ("client_secret", (*secret).clone())],
            }),
            Self::PrivateKeyJwt {
                key,
                issuer,
                jti,
                now,
            } => {
                let assertion = assertion(key, client_id, issuer, jti, *now)?;
                let form = vec![
                    id_field,
                    ("client_assertion_type", Secret::new(ASSERTION_TYPE)),
                    ("client_assertion", Secret::new(assertion)),
                ];
                Ok(Credentials {
                    authorization: None,
                    form,
                })
            }
            Self::None => Ok(Credentials {
                authorization: None,
                form: vec![id_field],
            }),
        }
    }
}

/// `Basic` with only those bytes percent-encoded that must be: some providers do not decode (seen: `-` sent as
/// `%2D` and refused), so a secret of ordinary characters travels as it is.
fn basic(client_id: &str, secret: &Secret) -> Secret {
    let pair = format!("{}:{}", encode(client_id), encode(secret.expose()));
    Secret::new(format!("Basic {}", STANDARD.encode(pair)))
}

fn encode(text: &str) -> String {
    let must = |byte: u8| !byte.is_ascii_graphic() || matches!(byte, b'%' | b'+' | b':');
    let hex = |nibble: u8| {
        char::from_digit(u32::from(nibble), 16)
            .unwrap_or('0')
            .to_ascii_uppercase()
    };
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if must(byte) {
            out.extend(['%', hex(byte >> 4), hex(byte & 15)]);
        } else {
            out.push(char::from(byte));
        }
    }
    out
}

fn assertion(
    key: &SigningKey,
    client_id: &str,
    issuer: &str,
    jti: &str,
    now: Timestamp,
) -> Result<String, OidcError> {
    let iat = now.as_second();
    let claims = json!({
        "iss": client_id, "sub": client_id, "aud": issuer, "jti": jti,
        "iat": iat, "exp": iat.saturating_add(ASSERTION_LIFETIME.as_secs()),
    });
    match claims {
        Value::Object(map) => sign_compact(key, "JWT", &map),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(OidcError::SigningFailed)
        }
    }
}

#[cfg(test)]
mod tests;
