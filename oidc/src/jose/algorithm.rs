//! The signature algorithms this crate knows: asymmetric ones only.
//!
//! Owns names and verification parameters. Never: `none` or HMAC, which are told apart only to refuse them.

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};

use crate::error::OidcError;

/// A JWS algorithm (RFC 7518 section 3.1, RFC 8037).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    #[serde(rename = "RS384")]
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    #[serde(rename = "RS512")]
    Rs512,
    /// RSASSA-PSS with SHA-256.
    #[serde(rename = "PS256")]
    Ps256,
    /// RSASSA-PSS with SHA-384.
    #[serde(rename = "PS384")]
    Ps384,
    /// RSASSA-PSS with SHA-512.
    #[serde(rename = "PS512")]
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// ECDSA on P-384 with SHA-384.
    #[serde(rename = "ES384")]
    Es384,
    /// Ed25519; the name `Ed25519` of RFC 9864 is read as the same.
    #[serde(rename = "EdDSA", alias = "Ed25519")]
    EdDsa,
}

impl Algorithm {
    /// Every algorithm, the default allow-list of a relying party.
    pub const ALL: &'static [Self] = &[
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::EdDsa,
    ];

    /// The algorithms an RSA key can serve.
    pub const RSA: &'static [Self] = &[
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
    ];

    /// The name in the `alg` header.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }

    /// Reads an `alg` header value.
    ///
    /// Errors: `AlgNone` (in any case, as attackers write `nOnE`), `AlgSymmetric`, `AlgUnknown`.
    pub fn parse(name: &str) -> Result<Self, OidcError> {
        if name == "Ed25519" {
            return Ok(Self::EdDsa);
        }
        if let Some(found) = Self::ALL.iter().find(|a| a.name() == name) {
            return Ok(*found);
        }
        if name.eq_ignore_ascii_case("none") {
            Err(OidcError::AlgNone)
        } else if matches!(name, "HS256" | "HS384" | "HS512") {
            Err(OidcError::AlgSymmetric)
        } else {
            Err(OidcError::AlgUnknown)
        }
    }

    /// The hash whose left half makes `at_hash` and `c_hash` (OpenID Connect Core 3.1.3.6). For Ed25519 the
    /// specification is silent; implementations take SHA-512, the hash inside Ed25519.
    pub(crate) fn hash(self) -> &'static digest::Algorithm {
        match self {
            Self::Rs256 | Self::Ps256 | Self::Es256 => &digest::SHA256,
            Self::Rs384 | Self::Ps384 | Self::Es384 => &digest::SHA384,
            Self::Rs512 | Self::Ps512 | Self::EdDsa => &digest::SHA512,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Algorithm;
    use crate::OidcError;

    #[test]
    fn names_are_read_back() {
        for alg in Algorithm::ALL {
            assert_eq!(Algorithm::parse(alg.name()), Ok(*alg));
        }
        assert_eq!(Algorithm::parse("Ed25519"), Ok(Algorithm::EdDsa));
    }

    #[test]
    fn none_hmac_and_others_have_their_own_codes() {
        for name in ["none", "None", "nOnE", "NONE"] {
            assert_eq!(Algorithm::parse(name), Err(OidcError::AlgNone));
        }
        assert_eq!(Algorithm::parse("HS256"), Err(OidcError::AlgSymmetric));
        assert_eq!(Algorithm::parse("rs256"), Err(OidcError::AlgUnknown));
        assert_eq!(Algorithm::parse(""), Err(OidcError::AlgUnknown));
        assert_eq!(Algorithm::parse("ES512"), Err(OidcError::AlgUnknown));
    }
}
