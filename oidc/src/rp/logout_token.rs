//! Back-channel logout in: the logout token (OpenID Connect Back-Channel Logout 1.0, section 2.6).
//!
//! Owns every check on the token but one: the caller stores `jti` and refuses a second use. Never: ends a
//! session.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::error::OidcError;
use crate::jose::claims::since;
use crate::jose::jws::{self, TypRule};
use crate::jose::{Algorithm, Claims, JwkSet};

/// The event that makes a token a logout token.
pub const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// The oldest `iat` that is accepted.
pub const MAX_AGE: SignedDuration = SignedDuration::from_mins(5);

/// What the token is checked against.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The connection's issuer.
    pub issuer: &'a str,
    /// Our client id.
    pub client_id: &'a str,
    /// The allow-list.
    pub algorithms: &'a [Algorithm],
    /// Tolerance for clocks.
    pub clock_skew: SignedDuration,
}

/// A logout token that passed every check. Only [`verify`] makes one.
#[derive(Debug, Clone)]
pub struct VerifiedLogoutToken {
    subject: Option<String>,
    session_id: Option<String>,
    jti: String,
    keep_until: Timestamp,
}

impl VerifiedLogoutToken {
    /// Whose sessions end; with a session id, only that one.
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// The provider's session that ended.
    pub fn session_id(&self) -> Option<&str> {
        self.session_id.as_deref()
    }

    /// The token's id, to be stored per issuer and refused a second time.
    pub fn jti(&self) -> &str {
        &self.jti
    }

    /// Until when the id must be kept: afterwards the token is refused as stale anyway.
    pub fn keep_until(&self) -> Timestamp {
        self.keep_until
    }
}

/// Verifies a logout token at `now`.
///
/// Errors: the signature variants, `IssMismatch`, `AudMismatch`, `Expired`, `IatMissing`, `IatInFuture`,
/// `IatStale`, `JtiMissing`, `LogoutEventMissing`, `LogoutEventWrong`, `LogoutNoncePresent`,
/// `LogoutSubjectMissing`, `SubInvalid`.
pub fn verify(
    token: &str,
    keys: &JwkSet,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<VerifiedLogoutToken, OidcError> {
    let claims = jws::verify(token, keys, expected.algorithms, TypRule::LOGOUT_TOKEN)?.into_claims();
    claims.check_issuer(expected.issuer)?;
    if !claims.audiences()?.contains(&expected.client_id) {
        return Err(OidcError::AudMismatch);
    }
    check_event(&claims)?;
    // A nonce marks an ID token: this keeps one from being used as a logout token (section 2.4).
    if claims.get("nonce").is_some() {
        return Err(OidcError::LogoutNoncePresent);
    }
    // Before the specification became final `exp` was not required; `iat` bounds the age in any case.
    if claims.time("exp")?.is_some() {
        claims.check_lifetime(now, expected.clock_skew)?;
    }
    let issued_at = claims.check_issued_at(now, expected.clock_skew)?;
    let limit = MAX_AGE.saturating_add(expected.clock_skew);
    if since(issued_at, now) > limit {
        return Err(OidcError::IatStale);
    }
    let jti = claims
        .text("jti")
        .filter(|id| !id.is_empty() && id.len() <= 512)
        .ok_or(OidcError::JtiMissing)?;
    let subject = match claims.get("sub") {
        Some(_) => Some(claims.subject()?.to_owned()),
        None => None,
    };
    let session_id = claims
        .text("sid")
        .filter(|sid| !sid.is_empty())
        .map(str::to_owned);
    if subject.is_none() && session_id.is_none() {
        return Err(OidcError::LogoutSubjectMissing);
    }
    let keep_until = issued_at
        .saturating_add(limit)
        .map_err(|_| OidcError::TimeInvalid)?;
    Ok(VerifiedLogoutToken {
        subject,
        session_id,
        jti: jti.to_owned(),
        keep_until,
    })
}

fn check_event(claims: &Claims) -> Result<(), OidcError> {
    let events = claims.get("events").ok_or(OidcError::LogoutEventMissing)?;
    match events.get(EVENT) {
        Some(Value::Object(_)) => Ok(()),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) | None => {
            Err(OidcError::LogoutEventWrong)
        }
    }
}

#[cfg(test)]
mod tests;
