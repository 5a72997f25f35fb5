//! A private key of ours and the making of compact JWS with it.
//!
//! Owns parsing PKCS#8 once, the published half, and signing. Never: making keys or storing them.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaEncoding};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::algorithm::Algorithm;
use super::jwk::{Jwk, Material};
use crate::error::OidcError;

/// A private key ready to sign, with its key id: the RFC 7638 thumbprint unless another was given.
pub struct SigningKey {
    algorithm: Algorithm,
    kid: String,
    pair: Pair,
    public: Jwk,
}

enum Pair {
    Rsa(Box<RsaKeyPair>, &'static dyn RsaEncoding),
    Ecdsa(Box<EcdsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("algorithm", &self.algorithm)
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

impl SigningKey {
    /// Reads a PKCS#8 DER private key for one algorithm.
    ///
    /// Errors: `KeyInvalid` when the key is not of the algorithm's type, damaged, or RSA below 2048 bits.
    pub fn from_pkcs8(algorithm: Algorithm, pkcs8: &[u8]) -> Result<Self, OidcError> {
        let (pair, material) = match algorithm {
            Algorithm::Rs256 => rsa(pkcs8, &signature::RSA_PKCS1_SHA256)?,
            Algorithm::Rs384 => rsa(pkcs8, &signature::RSA_PKCS1_SHA384)?,
            Algorithm::Rs512 => rsa(pkcs8, &signature::RSA_PKCS1_SHA512)?,
            Algorithm::Ps256 => rsa(pkcs8, &signature::RSA_PSS_SHA256)?,
            Algorithm::Ps384 => rsa(pkcs8, &signature::RSA_PSS_SHA384)?,
            Algorithm::Ps512 => rsa(pkcs8, &signature::RSA_PSS_SHA512)?,
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8)
                    .map_err(|_| OidcError::KeyInvalid)?;
                let point = pair.public_key().as_ref().to_vec();
                (Pair::Ecdsa(Box::new(pair)), Material::P256(point))
            }
            Algorithm::Es384 => {
                let pair = EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P384_SHA384_FIXED_SIGNING, pkcs8)
                    .map_err(|_| OidcError::KeyInvalid)?;
                let point = pair.public_key().as_ref().to_vec();
                (Pair::Ecdsa(Box::new(pair)), Material::P384(point))
            }
            Algorithm::EdDsa => {
                let pair =
                    Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).map_err(|_| OidcError::KeyInvalid)?;
                let key = pair.public_key().as_ref().to_vec();
                (Pair::Ed25519(Box::new(pair)), Material::Ed25519(key))
            }
        };
        let kid = material.thumbprint();
        let public = Jwk::new(Some(kid.clone()), material, Some(algorithm)).ok_or(OidcError::KeyInvalid)?;
        Ok(Self {
            algorithm,
            kid,
            pair,
            public,
        })
    }

    /// The algorithm this key signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key id.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public half, for the published key set and for verifying our own tokens.
    pub fn public(&self) -> &Jwk {
        &self.public
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, OidcError> {
        match &self.pair {
            Pair::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &SystemRandom::new(), message, &mut signature)
                    .map_err(|_| OidcError::SigningFailed)?;
                Ok(signature)
            }
            Pair::Ecdsa(pair) => pair
                .sign(&SystemRandom::new(), message)
                .map(|s| s.as_ref().to_vec())
                .map_err(|_| OidcError::SigningFailed),
            Pair::Ed25519(pair) => pair
                .try_sign(message)
                .map(|s| s.as_ref().to_vec())
                .map_err(|_| OidcError::SigningFailed),
        }
    }
}

/// Makes a compact JWS of `claims` with the header `alg`, `kid` and `typ`.
///
/// Errors: `SigningFailed`.
pub fn sign_compact(key: &SigningKey, typ: &str, claims: &Map<String, Value>) -> Result<String, OidcError> {
    let header = json!({ "alg": key.algorithm.name(), "kid": key.kid, "typ": typ });
    let payload = serde_json::to_vec(claims).map_err(|_| OidcError::SigningFailed)?;
    let input = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header.to_string()),
        URL_SAFE_NO_PAD.encode(payload)
    );
    let signature = key.sign(input.as_bytes())?;
    Ok(format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

fn rsa(pkcs8: &[u8], encoding: &'static dyn RsaEncoding) -> Result<(Pair, Material), OidcError> {
    let pair = RsaKeyPair::from_pkcs8(pkcs8).map_err(|_| OidcError::KeyInvalid)?;
    if pair.public_modulus_len() < 256 {
        return Err(OidcError::KeyInvalid);
    }
    let public = pair.public_key();
    let n = public.modulus().big_endian_without_leading_zero().to_vec();
    let e = public.exponent().big_endian_without_leading_zero().to_vec();
    Ok((Pair::Rsa(Box::new(pair), encoding), Material::Rsa { n, e }))
}

#[cfg(test)]
mod tests {
    use super::SigningKey;
    use crate::OidcError;
    use crate::fixtures::{key, pkcs8};
    use crate::jose::Algorithm;

    #[test]
    fn a_key_of_another_type_or_damaged_is_refused() {
        for (algorithm, other) in [
            (Algorithm::Rs256, Algorithm::Es256),
            (Algorithm::Es256, Algorithm::Es384),
            (Algorithm::Es384, Algorithm::EdDsa),
            (Algorithm::EdDsa, Algorithm::Rs256),
        ] {
            assert_eq!(
                SigningKey::from_pkcs8(algorithm, &pkcs8(other)).unwrap_err(),
                OidcError::KeyInvalid
            );
        }
        let whole = pkcs8(Algorithm::Es256);
        let half = &whole[..whole.len() / 2];
        assert_eq!(
            SigningKey::from_pkcs8(Algorithm::Es256, half).unwrap_err(),
            OidcError::KeyInvalid
        );
        assert_eq!(
            SigningKey::from_pkcs8(Algorithm::EdDsa, b"").unwrap_err(),
            OidcError::KeyInvalid
        );
    }

    #[test]
    fn keys_can_be_shared_between_threads() {
        fn shared<T: Send + Sync>() {}
        shared::<SigningKey>();
        shared::<crate::jose::JwkSet>();
    }

    #[test]
    fn debug_names_the_key_and_shows_nothing_else() {
        let key = key(Algorithm::EdDsa);
        let shown = format!("{key:?}");
        assert!(shown.contains(key.kid()) && shown.len() < 120, "{shown}");
    }
}
