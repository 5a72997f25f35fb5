//! The userinfo answer and joining it to the ID token (OpenID Connect Core 5.3).
//!
//! Owns the substitution check (`sub` must be equal) and which of the two wins. Never: lets userinfo replace
//! what the ID token states.

use serde_json::{Map, Value};

use super::id_token::VerifiedIdToken;
use crate::error::OidcError;
use crate::jose::json;
use crate::jose::jws::{self, TypRule};
use crate::jose::{Algorithm, JwkSet};

/// The most bytes a userinfo answer may have.
pub const MAX_BYTES: usize = 256 * 1024;

/// The claims that say something about the address, moved together.
const EMAIL_CLAIMS: [&str; 3] = ["email", "email_verified", "xms_edov"];

/// What a signed userinfo answer is checked against.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The connection's keys.
    pub keys: &'a JwkSet,
    /// The allow-list.
    pub algorithms: &'a [Algorithm],
    /// The connection's issuer.
    pub issuer: &'a str,
    /// Our client id.
    pub client_id: &'a str,
}

/// Parses a userinfo answer: JSON, or a signed JWT when the content type is `application/jwt`.
///
/// Errors: `UserinfoStatus`, `DocumentTooLarge`, `UserinfoMalformed`, the signature variants, `IssMissing`,
/// `IssMismatch`, `AudMissing`, `AudMismatch`.
pub fn parse(
    status: u16,
    content_type: &str,
    body: &[u8],
    expected: &Expected<'_>,
) -> Result<Map<String, Value>, OidcError> {
    if status != 200 {
        return Err(OidcError::UserinfoStatus);
    }
    if body.len() > MAX_BYTES {
        return Err(OidcError::DocumentTooLarge);
    }
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/jwt") {
        return json::object(body).ok_or(OidcError::UserinfoMalformed);
    }
    let token = std::str::from_utf8(body)
        .map_err(|_| OidcError::UserinfoMalformed)?
        .trim();
    let claims = jws::verify(token, expected.keys, expected.algorithms, TypRule::JWT)?.into_claims();
    // A signed answer should name both (Core 5.3.2). They are required: a logout or ID token of another client
    // must not pass for userinfo.
    claims.check_issuer(expected.issuer)?;
    if !claims.audiences()?.contains(&expected.client_id) {
        return Err(OidcError::AudMismatch);
    }
    Ok(claims.into_map())
}

/// Joins userinfo to the ID token: the ID token wins, userinfo adds what is missing. The claims about the
/// address come from one source, unless both name the same address: a verification must not be transplanted
/// onto another address.
///
/// Errors: `UserinfoSubMissing`, `UserinfoSubMismatch`.
pub fn merge(
    id_token: &VerifiedIdToken,
    userinfo: Map<String, Value>,
) -> Result<Map<String, Value>, OidcError> {
    let subject = userinfo.get("sub").ok_or(OidcError::UserinfoSubMissing)?;
    if subject.as_str() != Some(id_token.subject()) {
        return Err(OidcError::UserinfoSubMismatch);
    }
    let mut merged = id_token.claims().as_map().clone();
    let address = merged.get("email").cloned();
    let keep_address = address.is_some() && userinfo.get("email") != address.as_ref();
    if address.is_none() {
        for name in EMAIL_CLAIMS {
            merged.remove(name);
        }
    }
    for (name, value) in userinfo {
        let about_address = EMAIL_CLAIMS.contains(&name.as_str());
        if !(about_address && keep_address) {
            merged.entry(name).or_insert(value);
        }
    }
    Ok(merged)
}

#[cfg(test)]
mod tests;
