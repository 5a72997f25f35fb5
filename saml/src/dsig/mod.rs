//! XML Signature, in the one strict form that SAML needs (core 5.4).
//!
//! Owns the signature profile. A verified element is handed out only as the canonical bytes that were
//! digested, so that what is read is what was signed. Never follows a reference, a KeyInfo or a URL.

mod canonical;
mod profile;
mod sign;
mod verify;

#[cfg(test)]
pub(crate) use canonical::Canonicalization;
pub(crate) use sign::sign_enveloped;
#[cfg(any(test, feature = "issue"))]
pub(crate) use sign::{SignOptions, sign_enveloped_with};
pub(crate) use verify::{signature_child, verify_enveloped};

use aws_lc_rs::digest;

use crate::error::{Quote, SamlError};

/// A digest algorithm of the allow-list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DigestAlgorithm {
    Sha256,
    Sha384,
    Sha512,
}

impl DigestAlgorithm {
    pub(crate) const fn uri(self) -> &'static str {
        match self {
            Self::Sha256 => "http://www.w3.org/2001/04/xmlenc#sha256",
            Self::Sha384 => "http://www.w3.org/2001/04/xmldsig-more#sha384",
            Self::Sha512 => "http://www.w3.org/2001/04/xmlenc#sha512",
        }
    }

    pub(crate) fn from_uri(uri: &str) -> Result<Self, SamlError> {
        [Self::Sha256, Self::Sha384, Self::Sha512]
            .into_iter()
            .find(|algorithm| algorithm.uri() == uri)
            .ok_or_else(|| SamlError::DigestAlgorithmRefused { uri: Quote::new(uri) })
    }

    pub(crate) fn digest(self, bytes: &[u8]) -> digest::Digest {
        let algorithm = match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        };
        digest::digest(algorithm, bytes)
    }
}
