//! X.509 certificates as SAML uses them: a carrier for one key, with dates for warnings.
//!
//! Never builds a chain: SAML trust is the pinned key, not a certificate authority.

use aws_lc_rs::digest;
use jiff::Timestamp;
use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::der::Decode;

use crate::error::SamlError;
use crate::wire;

/// Largest certificate accepted, in bytes.
const MAX_CERTIFICATE: usize = 16 * 1024;

/// A parsed X.509 certificate.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    subject: String,
    not_before: Timestamp,
    not_after: Timestamp,
    fingerprint_sha256: String,
    /// Algorithm identifier of the key, dotted.
    pub(super) key_algorithm: String,
    /// Named curve of the key, dotted, if it has one.
    pub(super) key_curve: Option<String>,
    /// The key itself: PKCS#1 for RSA, an uncompressed point for elliptic curves.
    pub(super) key_bytes: Vec<u8>,
    /// The whole SubjectPublicKeyInfo.
    #[cfg(any(test, feature = "issue"))]
    pub(crate) spki_der: Vec<u8>,
}

impl Certificate {
    /// Parses DER.
    ///
    /// # Errors
    /// [`SamlError::CertificateMalformed`].
    pub fn from_der(der: &[u8]) -> Result<Self, SamlError> {
        let bad = |_| SamlError::CertificateMalformed;
        if der.len() > MAX_CERTIFICATE {
            return Err(SamlError::CertificateMalformed);
        }
        // The raw profile: identity providers ship certificates with serial numbers that RFC 5280 forbids.
        let parsed = CertificateInner::<Raw>::from_der(der).map_err(bad)?;
        let tbs = parsed.tbs_certificate();
        let spki = tbs.subject_public_key_info();
        let key_curve = spki
            .algorithm
            .parameters
            .as_ref()
            .and_then(|any| any.decode_as::<x509_cert::der::asn1::ObjectIdentifier>().ok())
            .map(|oid| oid.to_string());
        let fingerprint = digest::digest(&digest::SHA256, der);
        Ok(Self {
            der: der.to_vec(),
            subject: tbs.subject().to_string(),
            not_before: timestamp(tbs.validity().not_before)?,
            not_after: timestamp(tbs.validity().not_after)?,
            fingerprint_sha256: hex(fingerprint.as_ref()),
            key_algorithm: spki.algorithm.oid.to_string(),
            key_curve,
            key_bytes: spki.subject_public_key.as_bytes().unwrap_or_default().to_vec(),
            #[cfg(any(test, feature = "issue"))]
            spki_der: x509_cert::der::Encode::to_der(spki).map_err(bad)?,
        })
    }

    /// Parses base64 of DER, wrapped or not, as metadata carries it.
    ///
    /// # Errors
    /// [`SamlError::CertificateMalformed`].
    pub fn from_base64(text: &str) -> Result<Self, SamlError> {
        let der = wire::base64_decode(text.as_bytes()).map_err(|_| SamlError::CertificateMalformed)?;
        Self::from_der(&der)
    }

    /// Parses the first certificate of a PEM file.
    ///
    /// # Errors
    /// [`SamlError::CertificateMalformed`].
    pub fn from_pem(text: &str) -> Result<Self, SamlError> {
        let (_, after) = text
            .split_once("-----BEGIN CERTIFICATE-----")
            .ok_or(SamlError::CertificateMalformed)?;
        let (body, _) = after
            .split_once("-----END CERTIFICATE-----")
            .ok_or(SamlError::CertificateMalformed)?;
        Self::from_base64(body)
    }

    /// Parses whatever an administrator pasted: PEM, bare base64 or DER.
    ///
    /// # Errors
    /// [`SamlError::CertificateMalformed`].
    pub fn parse(bytes: &[u8]) -> Result<Self, SamlError> {
        match std::str::from_utf8(bytes) {
            Ok(text) if text.contains("-----BEGIN") => Self::from_pem(text),
            Ok(text) => Self::from_base64(text),
            Err(_) => Self::from_der(bytes),
        }
    }

    /// Returns the DER encoding.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Returns the DER encoding in base64 without line breaks, as metadata carries it.
    pub fn to_base64(&self) -> String {
        wire::base64_encode(&self.der)
    }

    /// Returns the subject's distinguished name (RFC 4514).
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Returns the start of validity; used for warnings only.
    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// Returns the end of validity; used for warnings only, because SAML pins keys and not dates.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// Returns the SHA-256 of the DER encoding in lower-case hexadecimal.
    pub fn fingerprint_sha256(&self) -> &str {
        &self.fingerprint_sha256
    }
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate")
            .field("subject", &self.subject)
            .field("not_after", &self.not_after)
            .field("fingerprint_sha256", &self.fingerprint_sha256)
            .finish_non_exhaustive()
    }
}

fn timestamp(time: x509_cert::time::Time) -> Result<Timestamp, SamlError> {
    let seconds =
        i64::try_from(time.to_unix_duration().as_secs()).map_err(|_| SamlError::CertificateMalformed)?;
    Timestamp::from_second(seconds).map_err(|_| SamlError::CertificateMalformed)
}

/// Renders bytes in lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
            // Writing into a String cannot fail.
            let _ = write!(out, "{byte:02x}");
            out
        })
}
