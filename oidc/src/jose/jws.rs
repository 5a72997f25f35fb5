//! Verifying a compact JWS (RFC 7515) into claims.
//!
//! Owns the order of checks: size, shape, header, allow-list, key, signature, type, claims syntax. Never:
//! reads a claim before the signature verified, or a key out of the token's own header.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::algorithm::Algorithm;
use super::claims::Claims;
use super::json;
use super::jwk_set::JwkSet;
use crate::error::OidcError;

/// The most bytes a token may have.
pub const MAX_BYTES: usize = 128 * 1024;

/// Which `typ` headers a token kind may have (RFC 8725 section 3.11). Compared without regard to case and
/// without the prefix `application/` (RFC 7515 section 4.1.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TypRule {
    /// Whether the header may be absent.
    pub may_be_absent: bool,
    /// The accepted values, in lower case.
    pub accepted: &'static [&'static str],
}

impl TypRule {
    /// ID tokens, signed userinfo: `JWT` or nothing.
    pub const JWT: Self = Self {
        may_be_absent: true,
        accepted: &["jwt"],
    };
    /// Access tokens of RFC 9068.
    pub const ACCESS_TOKEN: Self = Self {
        may_be_absent: false,
        accepted: &["at+jwt"],
    };
    /// Back-channel logout tokens: the explicit type, or the older `JWT` or nothing.
    pub const LOGOUT_TOKEN: Self = Self {
        may_be_absent: true,
        accepted: &["logout+jwt", "jwt"],
    };
    /// Client assertions.
    pub const CLIENT_ASSERTION: Self = Self {
        may_be_absent: true,
        accepted: &["jwt", "client-authentication+jwt"],
    };

    fn check(self, typ: Option<&Value>) -> Result<(), OidcError> {
        let Some(value) = typ else {
            return if self.may_be_absent {
                Ok(())
            } else {
                Err(OidcError::TypWrong)
            };
        };
        let text = value.as_str().ok_or(OidcError::TypWrong)?.to_ascii_lowercase();
        let short = text.strip_prefix("application/").unwrap_or(&text);
        if self.accepted.contains(&short) {
            Ok(())
        } else {
            Err(OidcError::TypWrong)
        }
    }
}

/// A token whose signature was verified with a trusted key. Only [`verify`] makes one.
#[derive(Debug, Clone)]
pub struct VerifiedJws {
    algorithm: Algorithm,
    kid: Option<String>,
    claims: Claims,
}

impl VerifiedJws {
    /// The algorithm that was used.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key id in the header.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The verified claims.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Gives the verified claims away.
    pub fn into_claims(self) -> Claims {
        self.claims
    }
}

/// Verifies the signature of `token` with one of `keys`, under the allow-list and the type rule.
///
/// Errors: those of sizes, syntax and signature in [`OidcError`]; no claim is checked here.
pub fn verify(
    token: &str,
    keys: &JwkSet,
    allowed: &[Algorithm],
    typ: TypRule,
) -> Result<VerifiedJws, OidcError> {
    let parts = split(token)?;
    let header = decode_object(parts.header).ok_or(OidcError::HeaderMalformed)?;
    let (algorithm, kid) = read_header(&header)?;
    if !allowed.contains(&algorithm) {
        return Err(OidcError::AlgNotAllowed);
    }
    let candidates = keys.select(kid, algorithm)?;
    let signature = URL_SAFE_NO_PAD
        .decode(parts.signature)
        .map_err(|_| OidcError::TokenMalformed)?;
    let message = parts.signing_input.as_bytes();
    if !candidates
        .iter()
        .any(|key| key.verify(algorithm, message, &signature))
    {
        return Err(OidcError::SignatureInvalid);
    }
    typ.check(header.get("typ"))?;
    let claims = decode_object(parts.payload).ok_or(OidcError::ClaimsMalformed)?;
    Ok(VerifiedJws {
        algorithm,
        kid: kid.map(str::to_owned),
        claims: Claims::new(claims),
    })
}

struct Parts<'a> {
    header: &'a str,
    payload: &'a str,
    signature: &'a str,
    signing_input: &'a str,
}

fn split(token: &str) -> Result<Parts<'_>, OidcError> {
    if token.len() > MAX_BYTES {
        return Err(OidcError::TokenTooLarge);
    }
    // Five parts are a JWE (RFC 7516 section 9).
    match token.bytes().filter(|b| *b == b'.').count() {
        2 => {}
        4 => return Err(OidcError::TokenEncrypted),
        _ => return Err(OidcError::TokenMalformed),
    }
    let (signing_input, signature) = token.rsplit_once('.').ok_or(OidcError::TokenMalformed)?;
    let (header, payload) = signing_input.split_once('.').ok_or(OidcError::TokenMalformed)?;
    Ok(Parts {
        header,
        payload,
        signature,
        signing_input,
    })
}

fn decode_object(part: &str) -> Option<Map<String, Value>> {
    json::object(&URL_SAFE_NO_PAD.decode(part).ok()?)
}

/// Reads `alg` and `kid`. `jku`, `x5u`, `jwk`, `x5c` are not read: a token may not bring its own key.
/// `crit` is refused, as no extension is understood here (RFC 7515 section 4.1.11); so is `b64`.
fn read_header(header: &Map<String, Value>) -> Result<(Algorithm, Option<&str>), OidcError> {
    let name = json::text(header, "alg").ok_or(OidcError::HeaderMalformed)?;
    let algorithm = Algorithm::parse(name)?;
    if header.contains_key("crit") || header.contains_key("b64") {
        return Err(OidcError::CritUnsupported);
    }
    let kid = match header.get("kid") {
        None => None,
        Some(value) => Some(value.as_str().ok_or(OidcError::HeaderMalformed)?),
    };
    Ok((algorithm, kid))
}

/// The `kid` a token claims to be signed with, unverified: only to decide whether keys must be fetched first.
pub fn unverified_kid(token: &str) -> Option<String> {
    let parts = split(token).ok()?;
    let header = decode_object(parts.header)?;
    json::text(&header, "kid").map(str::to_owned)
}

/// The `iss` a token claims, unverified: only to look up whose keys would have to verify it.
pub(crate) fn unverified_issuer(token: &str) -> Option<String> {
    let claims = decode_object(split(token).ok()?.payload)?;
    json::text(&claims, "iss").map(str::to_owned)
}
