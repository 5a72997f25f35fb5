//! Public keys that may verify a signature. The key's type decides the algorithms, never the message.

use aws_lc_rs::signature::{self, ParsedPublicKey, VerificationAlgorithm};
use x509_cert::der::asn1::UintRef;
use x509_cert::der::{Decode, Reader, SliceReader};

use super::SignatureAlgorithm;
use super::certificate::Certificate;
use crate::error::SamlError;

/// Object identifier of RSA keys (RFC 8017).
const OID_RSA: &str = "1.2.840.113549.1.1.1";
/// Object identifier of elliptic curve keys (RFC 5480).
const OID_EC: &str = "1.2.840.10045.2.1";
/// Object identifier of curve P-256.
const OID_P256: &str = "1.2.840.10045.3.1.7";
/// Object identifier of curve P-384.
const OID_P384: &str = "1.3.132.0.34";
/// Smallest RSA modulus, in bits.
const RSA_MIN_BITS: usize = 2048;
/// Largest RSA modulus, in bits: larger ones only cost time.
const RSA_MAX_BITS: usize = 8192;

/// A public key of an identity provider (or, for the issuing side, of a service provider).
#[derive(Clone)]
pub struct VerifyingKey {
    parsed: Vec<(SignatureAlgorithm, ParsedPublicKey)>,
    /// Bytes of one coordinate for elliptic curves, `None` for RSA.
    coordinate: Option<usize>,
    fingerprint_sha256: String,
}

impl VerifyingKey {
    /// Takes the key out of a certificate. Dates are not checked: trust is the pinned key.
    ///
    /// # Errors
    /// [`SamlError::KeyTooWeak`], [`SamlError::KeyTypeRefused`] or [`SamlError::CertificateMalformed`].
    pub fn from_certificate(certificate: &Certificate) -> Result<Self, SamlError> {
        use SignatureAlgorithm::{EcdsaSha256, EcdsaSha384, RsaSha256, RsaSha384, RsaSha512};
        type Choice = (SignatureAlgorithm, &'static dyn VerificationAlgorithm);
        let (choices, coordinate): (Vec<Choice>, Option<usize>) = match (
            certificate.key_algorithm.as_str(),
            certificate.key_curve.as_deref(),
        ) {
            (OID_RSA, _) => {
                let bits = rsa_bits(&certificate.key_bytes)?;
                if !(RSA_MIN_BITS..=RSA_MAX_BITS).contains(&bits) {
                    return Err(SamlError::KeyTooWeak);
                }
                (
                    vec![
                        (RsaSha256, &signature::RSA_PKCS1_2048_8192_SHA256),
                        (RsaSha384, &signature::RSA_PKCS1_2048_8192_SHA384),
                        (RsaSha512, &signature::RSA_PKCS1_2048_8192_SHA512),
                    ],
                    None,
                )
            }
            (OID_EC, Some(OID_P256)) => (
                vec![
                    (EcdsaSha256, &signature::ECDSA_P256_SHA256_ASN1),
                    (EcdsaSha384, &signature::ECDSA_P256_SHA384_ASN1),
                ],
                Some(32),
            ),
            (OID_EC, Some(OID_P384)) => (
                vec![
                    (EcdsaSha256, &signature::ECDSA_P384_SHA256_ASN1),
                    (EcdsaSha384, &signature::ECDSA_P384_SHA384_ASN1),
                ],
                Some(48),
            ),
            _ => return Err(SamlError::KeyTypeRefused),
        };
        let parsed = choices
            .into_iter()
            .map(|(name, algorithm)| {
                ParsedPublicKey::new(algorithm, &certificate.key_bytes)
                    .map(|key| (name, key))
                    .map_err(|_| SamlError::CertificateMalformed)
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            parsed,
            coordinate,
            fingerprint_sha256: certificate.fingerprint_sha256().to_owned(),
        })
    }

    /// Takes the keys of those certificates that can be trusted, so that one outdated certificate in an
    /// identity provider's metadata does not lock everybody out.
    ///
    /// # Errors
    /// The reason of the first refusal when no certificate is usable; [`SamlError::NoTrustedKey`] when there is
    /// none at all.
    pub fn from_usable(certificates: &[Certificate]) -> Result<Vec<Self>, SamlError> {
        let mut refusal = SamlError::NoTrustedKey;
        let mut keys = Vec::new();
        for certificate in certificates {
            match Self::from_certificate(certificate) {
                Ok(key) => keys.push(key),
                Err(error) if refusal == SamlError::NoTrustedKey => refusal = error,
                Err(_) => {}
            }
        }
        if keys.is_empty() { Err(refusal) } else { Ok(keys) }
    }

    /// Parses PEM, base64 or DER and takes the key.
    ///
    /// # Errors
    /// As [`Certificate::parse`] and [`Self::from_certificate`].
    pub fn parse(bytes: &[u8]) -> Result<Self, SamlError> {
        Self::from_certificate(&Certificate::parse(bytes)?)
    }

    /// Returns the SHA-256 fingerprint of the certificate the key came from.
    pub fn fingerprint_sha256(&self) -> &str {
        &self.fingerprint_sha256
    }

    /// Whether this key's type fits the algorithm.
    pub(crate) fn fits(&self, algorithm: SignatureAlgorithm) -> bool {
        self.parsed.iter().any(|(name, _)| *name == algorithm)
    }

    /// Verifies a signature as XML Signature carries it (for ECDSA: r and s concatenated, RFC 4050).
    pub(crate) fn verify(&self, algorithm: SignatureAlgorithm, message: &[u8], signature: &[u8]) -> bool {
        let Some((_, key)) = self.parsed.iter().find(|(name, _)| *name == algorithm) else {
            return false;
        };
        match self.coordinate {
            None => key.verify_sig(message, signature).is_ok(),
            Some(len) => ecdsa_der(signature, len).is_some_and(|der| key.verify_sig(message, &der).is_ok()),
        }
    }
}

impl std::fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerifyingKey")
            .field("fingerprint_sha256", &self.fingerprint_sha256)
            .finish_non_exhaustive()
    }
}

/// Verifies with each key in turn, so that a rolled-over key needs no coordination.
///
/// # Errors
/// [`SamlError::NoTrustedKey`], [`SamlError::KeyAlgorithmMismatch`] or [`SamlError::SignatureInvalid`].
pub(crate) fn verify_with_any(
    keys: &[VerifyingKey],
    algorithm: SignatureAlgorithm,
    message: &[u8],
    signature: &[u8],
) -> Result<(), SamlError> {
    if keys.is_empty() {
        return Err(SamlError::NoTrustedKey);
    }
    let mut fitting = keys.iter().filter(|key| key.fits(algorithm)).peekable();
    if fitting.peek().is_none() {
        return Err(SamlError::KeyAlgorithmMismatch);
    }
    if fitting.any(|key| key.verify(algorithm, message, signature)) {
        Ok(())
    } else {
        Err(SamlError::SignatureInvalid)
    }
}

/// Returns the bit length of the modulus in a PKCS#1 RSAPublicKey.
fn rsa_bits(pkcs1: &[u8]) -> Result<usize, SamlError> {
    let read = || -> Result<usize, x509_cert::der::Error> {
        let mut reader = SliceReader::new(pkcs1)?;
        reader.sequence(|body| {
            let modulus = UintRef::decode(body)?;
            let _exponent = UintRef::decode(body)?;
            let bytes = modulus.as_bytes();
            let leading = bytes.first().map_or(0, |b| b.leading_zeros() as usize);
            Ok(bytes.len().saturating_mul(8).saturating_sub(leading))
        })
    };
    read().map_err(|_| SamlError::CertificateMalformed)
}

/// Converts r and s of `len` bytes each into the DER form that the library verifies.
fn ecdsa_der(raw: &[u8], len: usize) -> Option<Vec<u8>> {
    if raw.len() != len * 2 {
        return None;
    }
    let (r, s) = raw.split_at(len);
    let mut body = Vec::with_capacity(raw.len() + 8);
    for number in [r, s] {
        let significant = number
            .iter()
            .position(|b| *b != 0)
            .and_then(|at| number.get(at..))?;
        let pad = significant.first().is_some_and(|b| b & 0x80 != 0);
        body.push(0x02);
        body.push(u8::try_from(significant.len() + usize::from(pad)).ok()?);
        if pad {
            body.push(0);
        }
        body.extend_from_slice(significant);
    }
    let mut der = vec![0x30, u8::try_from(body.len()).ok().filter(|n| *n < 0x80)?];
    der.append(&mut body);
    Some(der)
}
