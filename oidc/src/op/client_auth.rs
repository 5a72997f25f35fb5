//! How an app authenticates to us (RFC 6749 2.3.1, RFC 7523 section 3).
//!
//! Owns reading the credentials, the one-method rule and the assertion's checks. Never: compares secrets,
//! which are hashed at rest; the caller tries [`PresentedSecret::candidates`] against the hash.

use base64::Engine as _;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::GeneralPurposeConfig;
use base64::{alphabet, engine::DecodePaddingMode};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::client::Client;
use crate::error::{OAuthError, OidcError};
use crate::jose::claims::since;
use crate::jose::jws::{self, TypRule};
use crate::jose::{Algorithm, JwkSet};
use crate::params::Params;
use crate::rp::client_auth::ASSERTION_TYPE;
use crate::rp::discovery::AuthMethod;
use crate::secret::Secret;

/// The longest life of a client assertion.
pub const MAX_ASSERTION_LIFETIME: SignedDuration = SignedDuration::from_mins(5);

/// The credentials of a request, not yet verified.
#[derive(Debug, Clone)]
pub enum PresentedClient {
    /// A client secret.
    Secret {
        /// Basic or post.
        method: AuthMethod,
        /// Who claims to ask.
        client_id: String,
        /// The secret.
        secret: PresentedSecret,
    },
    /// A signed assertion.
    Assertion {
        /// Who claims to ask.
        client_id: String,
        /// The assertion.
        assertion: Secret,
    },
    /// Only a name: a public client.
    Public {
        /// Who claims to ask.
        client_id: String,
    },
}

/// A secret as presented. In HTTP Basic it should be percent-encoded (RFC 6749 2.3.1), and many clients do
/// not do it, so both readings are tried.
#[derive(Debug, Clone)]
pub struct PresentedSecret {
    decoded: Secret,
    raw: Option<Secret>,
}

impl PresentedSecret {
    /// The one or two readings to compare with the stored hash.
    pub fn candidates(&self) -> impl Iterator<Item = &Secret> {
        std::iter::once(&self.decoded).chain(self.raw.as_ref())
    }
}

/// A client assertion that passed every check but replay: the caller stores `jti` until `keep_until`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifiedAssertion {
    /// The assertion's id, unique per client.
    pub jti: String,
    /// Until when a second use must be refused.
    pub keep_until: Timestamp,
}

impl PresentedClient {
    /// Reads the credentials of a request to the token, revocation or introspection endpoint.
    ///
    /// Errors: `ParameterRepeated`, `ParameterTooLong`, `ClientAuthMissing`, `ClientAuthMultiple`,
    /// `ClientAuthMalformed`, `ClientMismatch`, `AssertionTypeUnsupported`.
    pub fn parse(params: &Params, authorization: Option<&str>) -> Result<Self, OAuthError> {
        super::authorize::check_params(params)?;
        let named = params.get("client_id");
        let presented = [
            authorization.is_some(),
            params.get("client_secret").is_some(),
            params.get("client_assertion").is_some() || params.get("client_assertion_type").is_some(),
        ];
        // A client must not use more than one method (RFC 6749 section 2.3).
        if presented.into_iter().filter(|p| *p).count() > 1 {
            return Err(OAuthError::ClientAuthMultiple);
        }
        let client = if let Some(header) = authorization {
            basic(header)?
        } else if let Some(secret) = params.get("client_secret") {
            Self::Secret {
                method: AuthMethod::ClientSecretPost,
                client_id: named.ok_or(OAuthError::ClientAuthMalformed)?.to_owned(),
                secret: PresentedSecret {
                    decoded: Secret::new(secret),
                    raw: None,
                },
            }
        } else if presented.last() == Some(&true) {
            assertion(params)?
        } else {
            Self::Public {
                client_id: named.ok_or(OAuthError::ClientAuthMissing)?.to_owned(),
            }
        };
        match named {
            Some(id) if id != client.client_id() => Err(OAuthError::ClientMismatch),
            Some(_) | None => Ok(client),
        }
    }

    /// Who claims to ask: for looking the client up.
    pub fn client_id(&self) -> &str {
        match self {
            Self::Secret { client_id, .. }
            | Self::Assertion { client_id, .. }
            | Self::Public { client_id } => client_id,
        }
    }

    /// The method used.
    pub fn method(&self) -> AuthMethod {
        match self {
            Self::Secret { method, .. } => *method,
            Self::Assertion { .. } => AuthMethod::PrivateKeyJwt,
            Self::Public { .. } => AuthMethod::None,
        }
    }

    /// Checks that the client may authenticate this way: a confidential client must not pass by giving only
    /// its name.
    ///
    /// Errors: `ClientMismatch`, `ClientAuthMethodNotAllowed`.
    pub fn check_method(&self, client: &Client) -> Result<(), OAuthError> {
        if self.client_id() != client.client_id {
            return Err(OAuthError::ClientMismatch);
        }
        if client.auth_methods.contains(&self.method()) {
            Ok(())
        } else {
            Err(OAuthError::ClientAuthMethodNotAllowed)
        }
    }
}

/// Verifies a client assertion (RFC 7523 section 3). The audience must be our issuer, as one text: an
/// assertion made for another server, or for several, could be replayed here.
///
/// Errors: the `Assertion…` variants.
pub fn verify_assertion(
    assertion: &Secret,
    client_id: &str,
    keys: &JwkSet,
    issuer: &str,
    clock_skew: SignedDuration,
    now: Timestamp,
) -> Result<VerifiedAssertion, OAuthError> {
    let verified = jws::verify(
        assertion.expose(),
        keys,
        Algorithm::ALL,
        TypRule::CLIENT_ASSERTION,
    );
    let claims = verified.map_err(signature_fault)?.into_claims();
    if claims.text("iss") != Some(client_id) || claims.text("sub") != Some(client_id) {
        return Err(OAuthError::AssertionIssuer);
    }
    if claims.get("aud").and_then(Value::as_str) != Some(issuer) {
        return Err(OAuthError::AssertionAudience);
    }
    claims.check_lifetime(now, clock_skew).map_err(|error| {
        if error == OidcError::Expired {
            OAuthError::AssertionExpired
        } else {
            OAuthError::AssertionInvalid
        }
    })?;
    let exp = claims
        .time("exp")
        .ok()
        .flatten()
        .ok_or(OAuthError::AssertionInvalid)?;
    if since(now, exp) > MAX_ASSERTION_LIFETIME.saturating_add(clock_skew) {
        return Err(OAuthError::AssertionLifetime);
    }
    let jti = claims.text("jti").filter(|id| !id.is_empty() && id.len() <= 256);
    let jti = jti.ok_or(OAuthError::AssertionInvalid)?.to_owned();
    let keep_until = exp
        .saturating_add(clock_skew)
        .map_err(|_| OAuthError::AssertionInvalid)?;
    Ok(VerifiedAssertion { jti, keep_until })
}

fn signature_fault(error: OidcError) -> OAuthError {
    let at_signature = [
        OidcError::AlgNone,
        OidcError::AlgSymmetric,
        OidcError::AlgUnknown,
        OidcError::AlgNotAllowed,
        OidcError::AlgKeyMismatch,
        OidcError::KidUnknown,
        OidcError::KidRequired,
        OidcError::NoUsableKey,
        OidcError::SignatureInvalid,
    ];
    if at_signature.contains(&error) {
        OAuthError::AssertionSignature
    } else {
        OAuthError::AssertionInvalid
    }
}

fn assertion(params: &Params) -> Result<PresentedClient, OAuthError> {
    if params.get("client_assertion_type") != Some(ASSERTION_TYPE) {
        return Err(OAuthError::AssertionTypeUnsupported);
    }
    let assertion = params
        .get("client_assertion")
        .ok_or(OAuthError::ClientAuthMalformed)?;
    // `client_id` is optional beside an assertion (RFC 7521 section 4.2); the issuer then names the client.
    let client_id = match params.get("client_id") {
        Some(id) => id.to_owned(),
        None => jws::unverified_issuer(assertion).ok_or(OAuthError::AssertionInvalid)?,
    };
    Ok(PresentedClient::Assertion {
        client_id,
        assertion: Secret::new(assertion),
    })
}

fn basic(header: &str) -> Result<PresentedClient, OAuthError> {
    let (scheme, encoded) = header
        .trim()
        .split_once(' ')
        .ok_or(OAuthError::ClientAuthMalformed)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(OAuthError::ClientAuthMalformed);
    }
    // Padding is optional: seen both ways.
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let tolerant = GeneralPurpose::new(&alphabet::STANDARD, config);
    let bytes = tolerant
        .decode(encoded.trim())
        .map_err(|_| OAuthError::ClientAuthMalformed)?;
    let pair = Secret::new(String::from_utf8(bytes).map_err(|_| OAuthError::ClientAuthMalformed)?);
    let (id, secret) = pair
        .expose()
        .split_once(':')
        .ok_or(OAuthError::ClientAuthMalformed)?;
    if id.is_empty() || secret.is_empty() {
        return Err(OAuthError::ClientAuthMalformed);
    }
    let decoded = form_decode(secret);
    let raw = (decoded.expose() != secret).then(|| Secret::new(secret));
    Ok(PresentedClient::Secret {
        method: AuthMethod::ClientSecretBasic,
        client_id: form_decode(id).expose().to_owned(),
        secret: PresentedSecret { decoded, raw },
    })
}

/// Undoes form encoding; what is not well encoded stays as it is.
fn form_decode(text: &str) -> Secret {
    let input = format!("v={}", text.replace('&', "%26"));
    let value = url::form_urlencoded::parse(input.as_bytes())
        .next()
        .map(|(_, v)| v.into_owned());
    Secret::new(value.unwrap_or_default())
}

#[cfg(test)]
mod tests;
