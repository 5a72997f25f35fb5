//! Makes the keys and self-signed certificates of our side of a SAML connection.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_RSA_SHA256};
use zeroize::Zeroizing;

/// Years that a certificate lasts. Identity providers pin it, so nothing is gained by a short life.
const YEARS: i16 = 10;

/// A key and its certificate.
pub(super) struct KeyAndCertificate {
    /// PKCS#8, base64 of the DER form.
    pub(super) key: Zeroizing<String>,
    /// Base64 of the DER form.
    pub(super) certificate: String,
}

/// Makes an RSA-2048 key with a self-signed certificate. RSA, because every identity provider takes it.
///
/// # Errors
/// The text of the library's error.
pub(super) fn generate(name: &str, now: Timestamp) -> Result<KeyAndCertificate, String> {
    let failed = |error: rcgen::Error| error.to_string();
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).map_err(failed)?;
    let mut params = CertificateParams::new(Vec::<String>::new()).map_err(failed)?;
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, name.chars().take(64).collect::<String>());
    let today = now.to_zoned(TimeZone::UTC);
    let month = u8::try_from(today.month()).unwrap_or(1);
    let year = i32::from(today.year());
    params.not_before = rcgen::date_time_ymd(year, month, 1);
    params.not_after = rcgen::date_time_ymd(year + i32::from(YEARS), month, 1);
    let certificate = params.self_signed(&key).map_err(failed)?;
    Ok(KeyAndCertificate {
        key: Zeroizing::new(STANDARD.encode(Zeroizing::new(key.serialize_der()).as_slice())),
        certificate: STANDARD.encode(certificate.der()),
    })
}
