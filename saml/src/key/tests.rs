use super::*;
use crate::fixture::*;

/// DER of `tag` with `body`.
fn tlv(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match body.len() {
        len @ 0..=127 => out.push(u8::try_from(len).unwrap()),
        len @ 128..=255 => out.extend([0x81, u8::try_from(len).unwrap()]),
        len => out.extend([
            0x82,
            u8::try_from(len >> 8).unwrap(),
            u8::try_from(len & 0xff).unwrap(),
        ]),
    }
    out.extend_from_slice(body);
    out
}

/// Replaces the public key of a certificate; its own signature no longer fits, which SAML does not look at.
fn with_rsa_modulus(bits: usize) -> Vec<u8> {
    let mut modulus = vec![0xff; bits / 8];
    modulus.insert(0, 0);
    let pkcs1 = tlv(0x30, &[tlv(0x02, &modulus), tlv(0x02, &[1, 0, 1])].concat());
    let mut string = vec![0];
    string.extend_from_slice(&pkcs1);
    let algorithm = tlv(
        0x30,
        &[
            tlv(0x06, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1]),
            vec![5, 0],
        ]
        .concat(),
    );
    let spki = tlv(0x30, &[algorithm.clone(), tlv(0x03, &string)].concat());
    let name = tlv(0x30, &[]);
    let validity = tlv(
        0x30,
        &[tlv(0x17, b"250101000000Z"), tlv(0x17, b"350101000000Z")].concat(),
    );
    let tbs = tlv(
        0x30,
        &[
            tlv(0x02, &[1]),
            algorithm.clone(),
            name.clone(),
            validity,
            name,
            spki,
        ]
        .concat(),
    );
    tlv(0x30, &[tbs, algorithm, tlv(0x03, &[0, 1, 2, 3])].concat())
}

#[test]
fn weak_rsa_keys_are_refused() {
    for (bits, expected) in [
        (512, Some("saml_key_too_weak")),
        (1024, Some("saml_key_too_weak")),
        (2040, Some("saml_key_too_weak")),
        (2048, None),
        (16384, Some("saml_key_too_weak")),
    ] {
        let certificate = Certificate::from_der(&with_rsa_modulus(bits)).unwrap();
        let found = VerifyingKey::from_certificate(&certificate)
            .err()
            .map(|e| e.code());
        assert_eq!(found, expected, "{bits} bits");
    }
}

#[test]
fn other_key_types_are_refused() {
    {
        let algorithm = &rcgen::PKCS_ED25519;
        let pair = rcgen::KeyPair::generate_for(algorithm).unwrap();
        let certificate = rcgen::CertificateParams::new(Vec::new())
            .unwrap()
            .self_signed(&pair)
            .unwrap();
        let certificate = Certificate::from_der(certificate.der()).unwrap();
        assert_eq!(
            VerifyingKey::from_certificate(&certificate).unwrap_err(),
            SamlError::KeyTypeRefused
        );
    }
}

#[test]
fn r182_certificates_in_every_form() {
    let certificate = &IDP_KEYS.certificate;
    let base64 = certificate.to_base64();
    let lines = base64
        .as_bytes()
        .chunks(64)
        .map(|l| std::str::from_utf8(l).unwrap())
        .collect::<Vec<_>>()
        .join("\n");
    let pem = format!("subject=idp\n-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n");
    for form in [
        certificate.der(),
        base64.as_bytes(),
        lines.as_bytes(),
        pem.as_bytes(),
    ] {
        assert_eq!(&Certificate::parse(form).unwrap(), certificate);
    }
    assert_eq!(certificate.fingerprint_sha256().len(), 64);
    assert_eq!(certificate.subject(), "CN=idp");
    assert!(certificate.not_before() < certificate.not_after());
    for bad in [
        &b""[..],
        b"garbage",
        b"-----BEGIN CERTIFICATE-----",
        &certificate.der()[..100],
        &vec![0x30; 20_000],
    ] {
        assert_eq!(
            Certificate::parse(bad).unwrap_err(),
            SamlError::CertificateMalformed
        );
    }
}

#[test]
fn private_keys_are_read_and_never_shown() {
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        crate::wire::base64_encode(&IDP_KEYS.pkcs8)
    );
    let key = SigningKey::from_pkcs8_pem(&pem).unwrap();
    assert!(key.matches(&IDP_KEYS.certificate) && !key.matches(&ATTACKER.certificate));
    assert_eq!(format!("{key:?}"), "SigningKey { algorithm: RsaSha256, .. }");
    let opening = DecryptionKey::from_pkcs8_pem(&pem).unwrap();
    assert_eq!(format!("{opening:?}"), "DecryptionKey { .. }");
    assert_eq!(
        SigningKey::from_pkcs8_pem("x").unwrap_err(),
        SamlError::PrivateKeyMalformed
    );
    assert_eq!(
        SigningKey::from_pkcs8_der(b"x").unwrap_err(),
        SamlError::PrivateKeyMalformed
    );
    assert_eq!(
        DecryptionKey::from_pkcs8_der(&P256.pkcs8).unwrap_err(),
        SamlError::PrivateKeyMalformed
    );
    assert!(P256.key.matches(&P256.certificate) && P384.key.matches(&P384.certificate));
}

#[test]
fn a_key_signs_only_with_algorithms_of_its_type() {
    use SignatureAlgorithm::{EcdsaSha256, EcdsaSha384, RsaSha256, RsaSha512};
    for (party, good, bad) in [
        (&*IDP_KEYS, RsaSha512, EcdsaSha256),
        (&*P256, EcdsaSha256, RsaSha256),
        (&*P384, EcdsaSha384, EcdsaSha256),
    ] {
        let signature = party.key.sign(good, b"message").unwrap();
        assert!(party.verifying.verify(good, b"message", &signature));
        assert!(!party.verifying.verify(good, b"massage", &signature));
        assert_eq!(
            party.key.sign(bad, b"message").unwrap_err(),
            SamlError::KeyAlgorithmMismatch
        );
    }
}

#[test]
fn one_outdated_certificate_does_not_lock_out() {
    let weak = Certificate::from_der(&with_rsa_modulus(1024)).unwrap();
    let keys = VerifyingKey::from_usable(&[weak.clone(), IDP_KEYS.certificate.clone()]).unwrap();
    assert_eq!(keys.len(), 1);
    assert_eq!(
        keys[0].fingerprint_sha256(),
        IDP_KEYS.certificate.fingerprint_sha256()
    );
    assert_eq!(
        VerifyingKey::from_usable(&[weak]).unwrap_err(),
        SamlError::KeyTooWeak
    );
    assert_eq!(
        VerifyingKey::from_usable(&[]).unwrap_err(),
        SamlError::NoTrustedKey
    );
}
