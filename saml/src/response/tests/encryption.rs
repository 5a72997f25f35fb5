//! Encrypted assertions: what is refused before, during and after opening them.

use crate::fixture::*;
use crate::issue::{encrypt_element, issue_response};
use crate::response::{Trust, verify};
use crate::{ContentCipher, wire};

fn encrypted(response: bool, assertion: bool, cipher: ContentCipher) -> String {
    issue_response(&spec(), &signing(response, assertion), Some(&encryption(cipher))).unwrap()
}

fn code_allowing_cbc(xml: &str) -> &'static str {
    let allowing = Trust {
        allow_cbc: true,
        ..trust()
    };
    verify(&form(xml), &allowing, &expected(), now())
        .err()
        .map_or("accepted", |e| e.code())
}

/// Puts any text, encrypted to us, where an encrypted assertion belongs.
fn injected(plain: &str) -> String {
    let data = encrypt_element(plain, &encryption(ContentCipher::Aes256Gcm)).unwrap();
    wrap(&format!(
        "<saml:EncryptedAssertion>{data}</saml:EncryptedAssertion>"
    ))
}

#[test]
fn encrypted_but_unsigned_injection() {
    // CVE-2026-2092: anyone can encrypt to our public certificate.
    assert_eq!(code(&injected(&assertion())), "saml_encrypted_unsigned");
    assert_eq!(
        code(&encrypted(false, false, ContentCipher::Aes128Gcm)),
        "saml_encrypted_unsigned"
    );
    // Beside a genuine signed assertion it is a second one.
    let signed = signed_assertion(str::to_owned);
    let evil = assertion().replace(HONEST, EVIL).replace(assertion_id(), "_e");
    let data = encrypt_element(&evil, &encryption(ContentCipher::Aes256Gcm)).unwrap();
    let both = swap(
        &signed,
        "</samlp:Response>",
        &format!("<saml:EncryptedAssertion>{data}</saml:EncryptedAssertion></samlp:Response>"),
    );
    assert_eq!(code(&both), "saml_several_assertions");
}

#[test]
fn wrong_keys_inside() {
    let attacker = sign_in_place(&assertion(), assertion_id(), &ATTACKER.key, &Forge::default());
    assert_eq!(code(&injected(&attacker)), "saml_signature_invalid");
    let genuine = sign_in_place(&assertion(), assertion_id(), &IDP_KEYS.key, &Forge::default());
    assert_eq!(code(&injected(&genuine)), "accepted");
    assert_eq!(
        code(&injected(&genuine.replace(HONEST, EVIL))),
        "saml_digest_mismatch"
    );
}

#[test]
fn the_same_rules_hold_after_decryption() {
    let genuine = sign_in_place(&assertion(), assertion_id(), &IDP_KEYS.key, &Forge::default());
    let wrapped = swap(
        &assertion().replace(HONEST, EVIL).replace(assertion_id(), "_e"),
        "</saml:Assertion>",
        &format!("{genuine}</saml:Assertion>"),
    );
    for (plain, expected) in [
        (format!("<!DOCTYPE a>{genuine}"), "saml_doctype"),
        (swap(&genuine, HONEST, "ada<!---->-7f3a"), "saml_comment"),
        (
            format!("{genuine}{}", genuine.replace(assertion_id(), "_2")),
            "saml_several_roots",
        ),
        ("<a>".repeat(70), "saml_too_deep"),
        ("not xml".to_owned(), "saml_malformed"),
        (wrapped, "saml_assertion_misplaced"),
        (
            "<saml:NameID xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\">x</saml:NameID>".to_owned(),
            "saml_decrypted_unexpected",
        ),
        (wrap(&genuine), "saml_decrypted_unexpected"),
    ] {
        let found = code(&injected(&plain));
        let also = if expected == "saml_assertion_misplaced" {
            "saml_signature_misplaced"
        } else {
            expected
        };
        assert!(
            found == expected || found == also,
            "{found} instead of {expected}"
        );
    }
}

#[test]
fn cbc_needs_the_switch_and_an_outer_signature() {
    for cipher in [ContentCipher::Aes128Cbc, ContentCipher::Aes256Cbc] {
        assert_eq!(code(&encrypted(true, true, cipher)), "saml_cbc_refused");
        assert_eq!(
            code_allowing_cbc(&encrypted(false, true, cipher)),
            "saml_cbc_unsigned"
        );
        assert_eq!(code_allowing_cbc(&encrypted(true, true, cipher)), "accepted");
        assert_eq!(code_allowing_cbc(&encrypted(true, false, cipher)), "accepted");
    }
}

#[test]
fn altered_ciphertext_is_refused_before_it_is_opened_when_signed() {
    let xml = encrypted(true, false, ContentCipher::Aes128Cbc);
    let start = xml.rfind("<xenc:CipherValue>").unwrap() + "<xenc:CipherValue>".len();
    let end = start + xml[start..].find('<').unwrap();
    let mut bytes = wire::base64_decode(&xml.as_bytes()[start..end]).unwrap();
    bytes[40] ^= 1;
    let altered = format!("{}{}{}", &xml[..start], wire::base64_encode(&bytes), &xml[end..]);
    assert_eq!(code_allowing_cbc(&altered), "saml_digest_mismatch");
}

#[test]
fn every_failure_to_open_looks_the_same() {
    let xml = encrypted(false, true, ContentCipher::Aes256Gcm);
    let values: Vec<(usize, usize)> = xml
        .match_indices("<xenc:CipherValue>")
        .map(|(at, open)| {
            (
                at + open.len(),
                at + open.len() + xml[at + open.len()..].find('<').unwrap(),
            )
        })
        .collect();
    let mut seen = Vec::new();
    for (start, end) in values {
        let bytes = wire::base64_decode(&xml.as_bytes()[start..end]).unwrap();
        let mut flipped = bytes.clone();
        flipped[5] ^= 1;
        let mut tail = bytes.clone();
        *tail.last_mut().unwrap() ^= 1;
        for altered in [
            flipped,
            tail,
            bytes[..bytes.len() - 1].to_vec(),
            vec![0; bytes.len()],
            vec![1],
        ] {
            let text = format!(
                "{}{}{}",
                &xml[..start],
                wire::base64_encode(&altered),
                &xml[end..]
            );
            seen.push(check(&text).unwrap_err().to_string());
        }
    }
    assert_eq!(seen.len(), 10);
    assert!(
        seen.iter()
            .all(|text| text == &crate::SamlError::DecryptionFailed.to_string()),
        "{seen:?}"
    );
}

#[test]
fn encryption_algorithms_outside_the_allow_list() {
    let xml = encrypted(true, true, ContentCipher::Aes256Gcm);
    let unsigned = encrypted(false, true, ContentCipher::Aes256Gcm);
    assert_eq!(code(&xml), "accepted");
    for (from, to) in [
        (
            "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p",
            "http://www.w3.org/2001/04/xmlenc#rsa-1_5",
        ),
        (
            "http://www.w3.org/2009/xmlenc11#aes256-gcm",
            "http://www.w3.org/2001/04/xmlenc#tripledes-cbc",
        ),
        (
            "http://www.w3.org/2009/xmlenc11#aes256-gcm",
            "http://www.w3.org/2009/xmlenc11#aes192-gcm",
        ),
    ] {
        assert_eq!(
            code(&swap(&unsigned, from, to)),
            "saml_encryption_algorithm_refused",
            "{to}"
        );
    }
    let shorter = swap(
        &unsigned,
        "http://www.w3.org/2009/xmlenc11#aes256-gcm",
        "http://www.w3.org/2009/xmlenc11#aes128-gcm",
    );
    assert_eq!(code(&shorter), "saml_decryption_failed");
}

#[test]
fn no_reference_is_followed() {
    let xml = encrypted(false, true, ContentCipher::Aes256Gcm);
    let start = xml.rfind("<xenc:CipherValue>").unwrap();
    let end = start + xml[start..].find("</xenc:CipherValue>").unwrap() + "</xenc:CipherValue>".len();
    let remote = format!(
        "{}<xenc:CipherReference URI=\"http://127.0.0.1:1/x\"/>{}",
        &xml[..start],
        &xml[end..]
    );
    assert_eq!(code(&remote), "saml_encryption_malformed");
    let key_start = xml.find("<xenc:EncryptedKey>").unwrap();
    let key_end = xml.find("</xenc:EncryptedKey>").unwrap() + "</xenc:EncryptedKey>".len();
    let retrieval = format!(
        "{}<ds:RetrievalMethod URI=\"http://127.0.0.1:1/k\"/>{}",
        &xml[..key_start],
        &xml[key_end..]
    );
    assert_eq!(code(&retrieval), "saml_encryption_malformed");
    // Beside the EncryptedData the key is fine.
    let key = &xml[key_start..key_end];
    let inside = format!("{}{}", &xml[..key_start], &xml[key_end..]);
    let key = swap(
        key,
        "<xenc:EncryptedKey>",
        "<xenc:EncryptedKey xmlns:xenc=\"http://www.w3.org/2001/04/xmlenc#\">",
    );
    let beside = swap(
        &inside,
        "</saml:EncryptedAssertion>",
        &format!("{key}</saml:EncryptedAssertion>"),
    );
    assert_eq!(code(&beside), "accepted");
    let many = swap(
        &inside,
        "</saml:EncryptedAssertion>",
        &format!("{}</saml:EncryptedAssertion>", key.repeat(5)),
    );
    assert_eq!(code(&many), "saml_encryption_malformed");
}

#[test]
fn no_decryption_key_has_its_own_answer() {
    let xml = encrypted(true, true, ContentCipher::Aes256Gcm);
    let keyless = Trust {
        decryption_keys: &[],
        ..trust()
    };
    assert_eq!(
        verify(&form(&xml), &keyless, &expected(), now())
            .unwrap_err()
            .code(),
        "saml_no_decryption_key"
    );
}

#[test]
fn too_many_encrypted_attributes() {
    let plain = "<saml:Attribute xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" Name=\"n\"/>";
    let data = encrypt_element(plain, &encryption(ContentCipher::Aes128Gcm)).unwrap();
    let one = format!("<saml:EncryptedAttribute>{data}</saml:EncryptedAttribute>");
    let put = |count: usize| {
        signed_assertion(|a| {
            swap(
                a,
                "</saml:AttributeStatement>",
                &format!("{}</saml:AttributeStatement>", one.repeat(count)),
            )
        })
    };
    assert_eq!(code(&put(16)), "accepted");
    assert_eq!(code(&put(17)), "saml_encryption_malformed");
}

#[test]
fn content_under_a_known_key_does_not_help_without_a_transported_one() {
    let mut zero = encryption(ContentCipher::Aes256Gcm);
    zero.random = [0; 48];
    let genuine = sign_in_place(&assertion(), assertion_id(), &IDP_KEYS.key, &Forge::default());
    let data = encrypt_element(&genuine, &zero).unwrap();
    let xml = wrap(&format!(
        "<saml:EncryptedAssertion>{data}</saml:EncryptedAssertion>"
    ));
    assert_eq!(code(&xml), "accepted");
    let start = xml.find("<xenc:CipherValue>").unwrap() + "<xenc:CipherValue>".len();
    let end = start + xml[start..].find('<').unwrap();
    let broken = format!(
        "{}{}{}",
        &xml[..start],
        wire::base64_encode(&[1; 256]),
        &xml[end..]
    );
    assert_eq!(code(&broken), "saml_decryption_failed");
}
