//! Private keys that sign. The cryptographic library holds and wipes the secret; it is never exported.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RsaEncoding, RsaKeyPair,
};
use zeroize::Zeroizing;

use super::SignatureAlgorithm;
use super::certificate::Certificate;
use crate::error::SamlError;
use crate::wire;

enum Pair {
    Rsa(Box<RsaKeyPair>),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
}

/// A private signing key: RSA of 2048 bits or more, or ECDSA on P-256 or P-384.
pub struct SigningKey {
    pair: Pair,
}

impl SigningKey {
    /// Reads a PKCS#8 private key in DER.
    ///
    /// # Errors
    /// [`SamlError::PrivateKeyMalformed`] or [`SamlError::KeyTooWeak`].
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, SamlError> {
        if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der) {
            return Ok(Self {
                pair: Pair::P256(pair),
            });
        }
        if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, der) {
            return Ok(Self {
                pair: Pair::P384(pair),
            });
        }
        let pair = RsaKeyPair::from_pkcs8(der).map_err(|_| SamlError::PrivateKeyMalformed)?;
        if pair.public_modulus_len() < 256 {
            return Err(SamlError::KeyTooWeak);
        }
        Ok(Self {
            pair: Pair::Rsa(Box::new(pair)),
        })
    }

    /// Reads a PKCS#8 private key in PEM (`BEGIN PRIVATE KEY`).
    ///
    /// # Errors
    /// As [`Self::from_pkcs8_der`].
    pub fn from_pkcs8_pem(pem: &str) -> Result<Self, SamlError> {
        Self::from_pkcs8_der(&pem_body(pem)?)
    }

    /// Returns the algorithm used unless another is asked for.
    pub fn default_algorithm(&self) -> SignatureAlgorithm {
        match self.pair {
            Pair::Rsa(_) => SignatureAlgorithm::RsaSha256,
            Pair::P256(_) => SignatureAlgorithm::EcdsaSha256,
            Pair::P384(_) => SignatureAlgorithm::EcdsaSha384,
        }
    }

    /// Whether `certificate` carries the public half of this key.
    pub fn matches(&self, certificate: &Certificate) -> bool {
        let public = match &self.pair {
            Pair::Rsa(pair) => pair.public_key().as_ref(),
            Pair::P256(pair) | Pair::P384(pair) => pair.public_key().as_ref(),
        };
        public == certificate.key_bytes
    }

    /// Signs as XML Signature wants it (for ECDSA: r and s concatenated).
    pub(crate) fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, SamlError> {
        use SignatureAlgorithm::{EcdsaSha256, EcdsaSha384, RsaSha256, RsaSha384, RsaSha512};
        let rng = SystemRandom::new();
        let encoding: &'static dyn RsaEncoding = match (&self.pair, algorithm) {
            (Pair::Rsa(_), RsaSha256) => &RSA_PKCS1_SHA256,
            (Pair::Rsa(_), RsaSha384) => &RSA_PKCS1_SHA384,
            (Pair::Rsa(_), RsaSha512) => &RSA_PKCS1_SHA512,
            (Pair::P256(pair), EcdsaSha256) | (Pair::P384(pair), EcdsaSha384) => {
                let signature = pair.sign(&rng, message).map_err(|_| SamlError::SigningFailed)?;
                return Ok(signature.as_ref().to_vec());
            }
            (Pair::Rsa(_) | Pair::P256(_) | Pair::P384(_), _) => return Err(SamlError::KeyAlgorithmMismatch),
        };
        let Pair::Rsa(pair) = &self.pair else {
            return Err(SamlError::KeyAlgorithmMismatch);
        };
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(encoding, &rng, message, &mut signature)
            .map_err(|_| SamlError::SigningFailed)?;
        Ok(signature)
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey")
            .field("algorithm", &self.default_algorithm())
            .finish_non_exhaustive()
    }
}

/// Decodes the body of a `PRIVATE KEY` PEM block; the copy is wiped when dropped.
pub(super) fn pem_body(pem: &str) -> Result<Zeroizing<Vec<u8>>, SamlError> {
    let bad = SamlError::PrivateKeyMalformed;
    let (_, after) = pem.split_once("-----BEGIN PRIVATE KEY-----").ok_or(bad.clone())?;
    let (body, _) = after.split_once("-----END PRIVATE KEY-----").ok_or(bad.clone())?;
    wire::base64_decode(body.as_bytes())
        .map(Zeroizing::new)
        .map_err(|_| bad)
}
