//! Keys and certificates. Owns what counts as a usable key; never reads a file and never shows a secret.

mod certificate;
mod decryption;
mod signing;
mod verifying;

pub use certificate::Certificate;
pub(crate) use certificate::hex;
pub use decryption::DecryptionKey;
pub use signing::SigningKey;
pub use verifying::VerifyingKey;
pub(crate) use verifying::verify_with_any;

pub(crate) use decryption::Oaep;

use crate::error::{Quote, SamlError};

/// A signature algorithm of the allow-list (RFC 4051, RFC 9231); the key's type decides which fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureAlgorithm {
    /// RSA PKCS#1 v1.5 with SHA-256.
    RsaSha256,
    /// RSA PKCS#1 v1.5 with SHA-384.
    RsaSha384,
    /// RSA PKCS#1 v1.5 with SHA-512.
    RsaSha512,
    /// ECDSA with SHA-256.
    EcdsaSha256,
    /// ECDSA with SHA-384.
    EcdsaSha384,
}

impl SignatureAlgorithm {
    /// Returns the identifier used in messages.
    pub const fn uri(self) -> &'static str {
        match self {
            Self::RsaSha256 => "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
            Self::RsaSha384 => "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384",
            Self::RsaSha512 => "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
            Self::EcdsaSha256 => "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
            Self::EcdsaSha384 => "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384",
        }
    }

    /// Looks an identifier up in the allow-list.
    ///
    /// # Errors
    /// [`SamlError::AlgorithmRefused`] for everything else, SHA-1 and HMAC included.
    pub fn from_uri(uri: &str) -> Result<Self, SamlError> {
        [
            Self::RsaSha256,
            Self::RsaSha384,
            Self::RsaSha512,
            Self::EcdsaSha256,
            Self::EcdsaSha384,
        ]
        .into_iter()
        .find(|algorithm| algorithm.uri() == uri)
        .ok_or_else(|| SamlError::AlgorithmRefused { uri: Quote::new(uri) })
    }
}

#[cfg(test)]
mod tests;
