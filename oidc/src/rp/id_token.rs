//! Verifying an ID token (OpenID Connect Core 3.1.3.7).
//!
//! Owns every check between bytes and a verified identity. Never: fetches keys; `KidUnknown` asks the caller
//! to consult `rp::jwks` and try again.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::error::OidcError;
use crate::jose::claims::since;
use crate::jose::jws::{self, TypRule};
use crate::jose::{Algorithm, Claims, JwkSet};
use crate::secret::constant_time_eq;

/// The nonce rule.
#[derive(Debug, Clone, Copy)]
pub enum Nonce<'a> {
    /// A sign-in: the token must carry exactly this one.
    Required(&'a str),
    /// A refresh: the token should carry none, and if it does it must be the original. The caller also
    /// compares the subject with the original one (Core 12.2).
    Refreshed(&'a str),
}

/// What the token is checked against.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The issuer of the connection, byte for byte.
    pub issuer: &'a str,
    /// Our client id there.
    pub client_id: &'a str,
    /// The nonce rule.
    pub nonce: Nonce<'a>,
    /// The allow-list; see `ProviderMetadata::accepted_algorithms`.
    pub algorithms: &'a [Algorithm],
    /// The `max_age` that was sent, if one was: makes `auth_time` required.
    pub max_age: Option<SignedDuration>,
    /// Tolerance for clocks, at most 60 seconds is sensible.
    pub clock_skew: SignedDuration,
    /// The access token of the same response: checked against `at_hash` when that is present.
    pub access_token: Option<&'a str>,
    /// The code: checked against `c_hash` when that is present.
    pub code: Option<&'a str>,
}

/// An ID token that passed every check. Only [`verify`] makes one.
#[derive(Debug, Clone)]
pub struct VerifiedIdToken {
    claims: Claims,
    issuer: String,
    subject: String,
    algorithm: Algorithm,
    issued_at: Timestamp,
    auth_time: Option<Timestamp>,
}

impl VerifiedIdToken {
    /// The issuer: one half of the person's key.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The subject: the other half.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// All claims.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// The algorithm of the signature.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// When the token was made.
    pub fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    /// When the person authenticated, if stated.
    pub fn auth_time(&self) -> Option<Timestamp> {
        self.auth_time
    }

    /// The provider's session, for back-channel logout.
    pub fn session_id(&self) -> Option<&str> {
        self.claims.text("sid")
    }

    /// The authentication context class.
    pub fn acr(&self) -> Option<&str> {
        self.claims.text("acr")
    }

    /// The authentication methods; empty when not stated.
    pub fn amr(&self) -> Vec<&str> {
        match self.claims.get("amr") {
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(one)) => vec![one],
            None | Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) => Vec::new(),
        }
    }

    /// Until when the provider lets the session last (IPSIE `session_expiry`), if stated.
    pub fn session_expiry(&self) -> Option<Timestamp> {
        self.claims.time("session_expiry").ok().flatten()
    }
}

/// Verifies an ID token at `now`.
///
/// Errors: the size, syntax, signature and claim variants of [`OidcError`], one per check.
pub fn verify(
    token: &str,
    keys: &JwkSet,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<VerifiedIdToken, OidcError> {
    let jws = jws::verify(token, keys, expected.algorithms, TypRule::JWT)?;
    let algorithm = jws.algorithm();
    let claims = jws.into_claims();
    claims.check_issuer(expected.issuer)?;
    check_audience(&claims, expected.client_id)?;
    claims.check_lifetime(now, expected.clock_skew)?;
    let issued_at = claims.check_issued_at(now, expected.clock_skew)?;
    check_nonce(&claims, expected.nonce)?;
    let auth_time = check_auth_time(&claims, expected, now)?;
    check_hash(
        &claims,
        "at_hash",
        expected.access_token,
        algorithm,
        OidcError::AtHashMismatch,
    )?;
    check_hash(
        &claims,
        "c_hash",
        expected.code,
        algorithm,
        OidcError::CHashMismatch,
    )?;
    let subject = claims.subject()?.to_owned();
    Ok(VerifiedIdToken {
        issuer: expected.issuer.to_owned(),
        subject,
        algorithm,
        issued_at,
        auth_time,
        claims,
    })
}

/// We must be an audience; with several, the authorized party must be us, so that a token made for a fellow
/// client and listing us in passing is refused.
fn check_audience(claims: &Claims, client_id: &str) -> Result<(), OidcError> {
    let audiences = claims.audiences()?;
    if !audiences.contains(&client_id) {
        return Err(OidcError::AudMismatch);
    }
    match claims.get("azp") {
        Some(azp) if azp.as_str() == Some(client_id) => Ok(()),
        Some(_) => Err(OidcError::AzpMismatch),
        None if audiences.len() > 1 => Err(OidcError::AzpMissing),
        None => Ok(()),
    }
}

fn check_nonce(claims: &Claims, rule: Nonce<'_>) -> Result<(), OidcError> {
    let (expected, required) = match rule {
        Nonce::Required(nonce) => (nonce, true),
        Nonce::Refreshed(nonce) => (nonce, false),
    };
    match claims.get("nonce") {
        None if required => Err(OidcError::NonceMissing),
        None => Ok(()),
        Some(Value::String(nonce)) if constant_time_eq(nonce.as_bytes(), expected.as_bytes()) => Ok(()),
        Some(_) => Err(OidcError::NonceMismatch),
    }
}

fn check_auth_time(
    claims: &Claims,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<Option<Timestamp>, OidcError> {
    let auth_time = claims.time("auth_time")?;
    if let Some(max_age) = expected.max_age {
        let at = auth_time.ok_or(OidcError::AuthTimeMissing)?;
        let oldest = max_age.saturating_add(expected.clock_skew);
        if since(at, now) > oldest {
            return Err(OidcError::AuthTimeTooOld);
        }
    }
    Ok(auth_time)
}

/// The left half of the hash of `value` (Core 3.1.3.6); checked when both the claim and the value are there.
fn check_hash(
    claims: &Claims,
    name: &str,
    value: Option<&str>,
    algorithm: Algorithm,
    error: OidcError,
) -> Result<(), OidcError> {
    let (Some(claim), Some(value)) = (claims.get(name), value) else {
        return Ok(());
    };
    let fits = claim.as_str().is_some_and(|c| {
        // Ed25519: SHA-512 as in OpenID Connect practice, SHA-256 from libraries that take the default.
        let default = (algorithm == Algorithm::EdDsa).then_some(&digest::SHA256);
        [Some(algorithm.hash()), default]
            .into_iter()
            .flatten()
            .any(|hash| constant_time_eq(c.as_bytes(), half_hash(hash, value).as_bytes()))
    });
    if fits { Ok(()) } else { Err(error) }
}

/// Base64url of the left half of a hash.
pub(crate) fn half_hash(hash: &'static digest::Algorithm, value: &str) -> String {
    let full = digest::digest(hash, value.as_bytes());
    let bytes = full.as_ref();
    URL_SAFE_NO_PAD.encode(bytes.get(..bytes.len() / 2).unwrap_or_default())
}

#[cfg(test)]
mod tests;
