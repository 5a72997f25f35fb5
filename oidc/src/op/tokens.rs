//! Making our tokens and recognizing them when they come back.
//!
//! Owns ID tokens (`JWT`), access tokens (`at+jwt`, RFC 9068) and logout tokens (`logout+jwt`), whose `typ` is
//! checked both ways so that none passes for another. Never: longer lives than the constants here.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::claims::{self, Subject};
use crate::error::OidcError;
use crate::jose::jws::{self, TypRule};
use crate::jose::{Algorithm, JwkSet, SigningKey, sign_compact};
use crate::rp::id_token::half_hash;
use crate::rp::logout_token::EVENT;

/// The life of an ID token: long enough to be received.
pub const ID_TOKEN_LIFETIME: SignedDuration = SignedDuration::from_mins(5);
/// The longest life of an access token, which bounds how long a removed person keeps access.
pub const ACCESS_TOKEN_LIFETIME: SignedDuration = SignedDuration::from_mins(5);
/// The life of a logout token.
pub const LOGOUT_TOKEN_LIFETIME: SignedDuration = SignedDuration::from_mins(2);

/// What an ID token says beside the person.
#[derive(Debug, Clone, Copy)]
pub struct IdTokenInput<'a> {
    /// Our issuer.
    pub issuer: &'a str,
    /// The app: the one audience.
    pub client_id: &'a str,
    /// The app's nonce; `None` on refresh.
    pub nonce: Option<&'a str>,
    /// The scopes granted.
    pub scopes: &'a [String],
    /// The access token of the same answer, for `at_hash`.
    pub access_token: Option<&'a str>,
}

/// Makes an ID token.
///
/// Errors: `SigningFailed`.
pub fn id_token(
    key: &SigningKey,
    input: &IdTokenInput<'_>,
    subject: &Subject,
    now: Timestamp,
) -> Result<String, OidcError> {
    let mut token = claims::person(subject, input.scopes);
    token.extend(claims::session(subject));
    stamp(&mut token, input.issuer, input.client_id, now, ID_TOKEN_LIFETIME);
    if let Some(nonce) = input.nonce {
        token.insert("nonce".into(), json!(nonce));
    }
    if let Some(access_token) = input.access_token {
        token.insert(
            "at_hash".into(),
            json!(half_hash(key.algorithm().hash(), access_token)),
        );
    }
    sign_compact(key, "JWT", &token)
}

/// What an access token says.
#[derive(Debug, Clone, Copy)]
pub struct AccessTokenInput<'a> {
    /// Our issuer.
    pub issuer: &'a str,
    /// The app that may use it.
    pub client_id: &'a str,
    /// The audience: our issuer for userinfo, or the app's own API.
    pub audience: &'a str,
    /// The scopes granted.
    pub scopes: &'a [String],
    /// A fresh unguessable id.
    pub jti: &'a str,
    /// The life; cut to [`ACCESS_TOKEN_LIFETIME`].
    pub lifetime: SignedDuration,
}

/// Makes an access token (RFC 9068 section 2).
///
/// Errors: `SigningFailed`.
pub fn access_token(
    key: &SigningKey,
    input: &AccessTokenInput<'_>,
    subject: &Subject,
    now: Timestamp,
) -> Result<String, OidcError> {
    let mut token = claims::session(subject);
    token.remove("session_expiry");
    token.insert("sub".into(), json!(subject.sub));
    stamp(
        &mut token,
        input.issuer,
        input.audience,
        now,
        input.lifetime.min(ACCESS_TOKEN_LIFETIME),
    );
    token.insert("jti".into(), json!(input.jti));
    token.insert("client_id".into(), json!(input.client_id));
    token.insert("scope".into(), json!(input.scopes.join(" ")));
    if let Some(organization) = &subject.organization {
        token.insert("organization".into(), json!(organization));
    }
    sign_compact(key, "at+jwt", &token)
}

/// What a logout token says.
#[derive(Debug, Clone, Copy)]
pub struct LogoutTokenInput<'a> {
    /// Our issuer.
    pub issuer: &'a str,
    /// The app.
    pub client_id: &'a str,
    /// The person.
    pub sub: &'a str,
    /// The session that ended; `None` when all did.
    pub sid: Option<&'a str>,
    /// A fresh unguessable id.
    pub jti: &'a str,
}

/// Makes a logout token (Back-Channel Logout 1.0 section 2.4): never with a nonce.
///
/// Errors: `SigningFailed`.
pub fn logout_token(
    key: &SigningKey,
    input: &LogoutTokenInput<'_>,
    now: Timestamp,
) -> Result<String, OidcError> {
    let mut token = Map::new();
    stamp(
        &mut token,
        input.issuer,
        input.client_id,
        now,
        LOGOUT_TOKEN_LIFETIME,
    );
    token.insert("jti".into(), json!(input.jti));
    token.insert("sub".into(), json!(input.sub));
    if let Some(sid) = input.sid {
        token.insert("sid".into(), json!(sid));
    }
    token.insert("events".into(), json!({ EVENT: {} }));
    sign_compact(key, "logout+jwt", &token)
}

/// An access token of ours that passed every check. Only [`verify_access_token`] makes one.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct VerifiedAccessToken {
    /// The person.
    pub sub: String,
    /// The app it was made for.
    pub client_id: String,
    /// The scopes.
    pub scopes: Vec<String>,
    /// The session, to be checked for revocation.
    pub sid: Option<String>,
    /// The organization signed in to.
    pub organization: Option<String>,
    /// Its id.
    pub jti: String,
    /// When it was made.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
}

impl VerifiedAccessToken {
    /// Whether the token carries a scope.
    ///
    /// Errors: `ScopeInsufficient`.
    pub fn require_scope(&self, scope: &str) -> Result<(), OidcError> {
        if self.scopes.iter().any(|s| s == scope) {
            Ok(())
        } else {
            Err(OidcError::ScopeInsufficient)
        }
    }
}

/// Verifies an access token that comes back to us, with all our published keys and no tolerance for clocks:
/// we set and read the same one.
///
/// Errors: the signature variants, `TypWrong` for any other token of ours, `IssMismatch`, `AudMismatch`,
/// `Expired`, `SubMissing`, `JtiMissing`, `ClaimsMalformed`.
pub fn verify_access_token(
    token: &str,
    keys: &JwkSet,
    issuer: &str,
    audience: &str,
    now: Timestamp,
) -> Result<VerifiedAccessToken, OidcError> {
    let claims = jws::verify(token, keys, Algorithm::ALL, TypRule::ACCESS_TOKEN)?.into_claims();
    claims.check_issuer(issuer)?;
    if !claims.audiences()?.contains(&audience) {
        return Err(OidcError::AudMismatch);
    }
    claims.check_lifetime(now, SignedDuration::ZERO)?;
    Ok(VerifiedAccessToken {
        sub: claims.subject()?.to_owned(),
        client_id: claims
            .text("client_id")
            .ok_or(OidcError::ClaimsMalformed)?
            .to_owned(),
        scopes: claims
            .text("scope")
            .unwrap_or_default()
            .split(' ')
            .map(str::to_owned)
            .collect(),
        sid: claims.text("sid").map(str::to_owned),
        organization: claims.text("organization").map(str::to_owned),
        jti: claims.text("jti").ok_or(OidcError::JtiMissing)?.to_owned(),
        issued_at: claims.time("iat")?.ok_or(OidcError::IatMissing)?,
        expires: claims.time("exp")?.ok_or(OidcError::ExpMissing)?,
    })
}

/// An ID token of ours presented as a hint: whom and which app it was made for. Only
/// [`verify_id_token_hint`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifiedHint {
    /// The person.
    pub sub: String,
    /// The app it was made for.
    pub client_id: String,
    /// The session.
    pub sid: Option<String>,
}

/// Verifies an `id_token_hint`. Its expiry does not matter (RP-Initiated Logout section 2); it proves
/// nothing but that we once made it.
///
/// Errors: the signature variants, `TypWrong` for any other token of ours, `IssMismatch`, `HintInvalid`.
pub fn verify_id_token_hint(token: &str, keys: &JwkSet, issuer: &str) -> Result<VerifiedHint, OidcError> {
    let claims = jws::verify(token, keys, Algorithm::ALL, TypRule::JWT)?.into_claims();
    claims.check_issuer(issuer)?;
    let client_id = claims
        .get("aud")
        .and_then(Value::as_str)
        .ok_or(OidcError::HintInvalid)?
        .to_owned();
    let sub = claims.subject().map_err(|_| OidcError::HintInvalid)?.to_owned();
    Ok(VerifiedHint {
        sub,
        client_id,
        sid: claims.text("sid").map(str::to_owned),
    })
}

fn stamp(
    claims: &mut Map<String, Value>,
    issuer: &str,
    audience: &str,
    now: Timestamp,
    life: SignedDuration,
) {
    let iat = now.as_second();
    claims.insert("iss".into(), json!(issuer));
    claims.insert("aud".into(), json!(audience));
    claims.insert("iat".into(), json!(iat));
    claims.insert("exp".into(), json!(iat.saturating_add(life.as_secs())));
}

#[cfg(test)]
mod tests;
