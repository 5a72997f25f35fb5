//! RSA private keys that open encrypted assertions, by OAEP only.
//!
//! PKCS#1 v1.5 key transport is not offered: it is the Bleichenbacher oracle.

use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OAEP_SHA384_MGF1SHA384, OAEP_SHA512_MGF1SHA512,
    OaepAlgorithm, OaepPrivateDecryptingKey, PrivateDecryptingKey,
};
use zeroize::Zeroizing;

use super::signing::pem_body;
use crate::error::SamlError;

/// The digest used by OAEP and its mask function alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Oaep {
    /// SHA-1, the only one that `rsa-oaep-mgf1p` senders use in practice; OAEP does not need collision resistance.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Oaep {
    /// Returns the library's algorithm.
    pub(crate) fn algorithm(self) -> &'static OaepAlgorithm {
        match self {
            Self::Sha1 => &OAEP_SHA1_MGF1SHA1,
            Self::Sha256 => &OAEP_SHA256_MGF1SHA256,
            Self::Sha384 => &OAEP_SHA384_MGF1SHA384,
            Self::Sha512 => &OAEP_SHA512_MGF1SHA512,
        }
    }
}

/// An RSA private key for opening encrypted assertions.
pub struct DecryptionKey {
    key: OaepPrivateDecryptingKey,
}

impl DecryptionKey {
    /// Reads a PKCS#8 RSA private key in DER, 2048 bits or more.
    ///
    /// # Errors
    /// [`SamlError::PrivateKeyMalformed`] or [`SamlError::KeyTooWeak`].
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, SamlError> {
        let key = PrivateDecryptingKey::from_pkcs8(der).map_err(|_| SamlError::PrivateKeyMalformed)?;
        if key.key_size_bits() < 2048 {
            return Err(SamlError::KeyTooWeak);
        }
        let key = OaepPrivateDecryptingKey::new(key).map_err(|_| SamlError::PrivateKeyMalformed)?;
        Ok(Self { key })
    }

    /// Reads a PKCS#8 RSA private key in PEM (`BEGIN PRIVATE KEY`).
    ///
    /// # Errors
    /// As [`Self::from_pkcs8_der`].
    pub fn from_pkcs8_pem(pem: &str) -> Result<Self, SamlError> {
        Self::from_pkcs8_der(&pem_body(pem)?)
    }

    /// Opens a transported content key; every cause of failure looks the same.
    pub(crate) fn open(
        &self,
        oaep: Oaep,
        wrapped: &[u8],
        label: Option<&[u8]>,
    ) -> Option<Zeroizing<Vec<u8>>> {
        let mut out = Zeroizing::new(vec![0; self.key.min_output_size()]);
        let len = self
            .key
            .decrypt(oaep.algorithm(), wrapped, &mut out, label)
            .ok()?
            .len();
        out.truncate(len);
        Some(out)
    }
}

impl std::fmt::Debug for DecryptionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DecryptionKey").finish_non_exhaustive()
    }
}
