//! The signature itself: missing, altered, by the wrong key, by a weak algorithm, of another shape.

use crate::dsig::{Canonicalization, DigestAlgorithm};
use crate::fixture::*;
use crate::issue::issue_response;
use crate::key::{SignatureAlgorithm, VerifyingKey};
use crate::response::{Trust, verify};
use crate::wire;

/// An edit of a SignedInfo before it is signed.
type Edit = fn(String) -> String;

fn code_with_keys(xml: &str, keys: &[VerifyingKey]) -> &'static str {
    verify(&form(xml), &Trust { keys, ..trust() }, &expected(), now())
        .err()
        .map_or("accepted", |e| e.code())
}

fn between<'x>(xml: &'x str, open: &str, close: &str) -> &'x str {
    let start = xml.find(open).unwrap() + open.len();
    &xml[start..start + xml[start..].find(close).unwrap()]
}

/// Signs the honest assertion with an edited SignedInfo; the signature over it is genuine.
fn with_info(edit: fn(String) -> String) -> String {
    sign_in_place(
        &wrap(&assertion()),
        assertion_id(),
        &IDP_KEYS.key,
        &Forge {
            edit,
            ..Forge::default()
        },
    )
}

#[test]
fn r30_unsigned_is_refused() {
    assert_eq!(code(&wrap(&assertion())), "saml_signature_missing");
}

#[test]
fn no_key_no_login() {
    let xml = issue_response(&spec(), &signing(true, true), None).unwrap();
    assert_eq!(code_with_keys(&xml, &[]), "saml_no_trusted_key");
    assert_eq!(code_with_keys(&wrap(&assertion()), &[]), "saml_no_trusted_key");
}

#[test]
fn key_info_is_not_trusted() {
    // Certificate faking: the attacker signs with a key of its own and sends the certificate along, with the
    // very names of the real one.
    let mut attacker = signing(true, true);
    attacker.key = &ATTACKER.key;
    attacker.certificate = Some(&ATTACKER.certificate);
    let xml = issue_response(&spec(), &attacker, None).unwrap();
    assert_eq!(code(&xml), "saml_signature_invalid");
    attacker.certificate = Some(&IDP_KEYS.certificate);
    assert_eq!(
        code(&issue_response(&spec(), &attacker, None).unwrap()),
        "saml_signature_invalid"
    );
    assert_eq!(
        code_with_keys(&xml, std::slice::from_ref(&ATTACKER.verifying)),
        "accepted"
    );
}

#[test]
fn both_signatures_must_hold() {
    let inner = sign_in_place(&assertion(), assertion_id(), &ATTACKER.key, &Forge::default());
    let outer = sign_in_place(&wrap(&inner), response_id(), &IDP_KEYS.key, &Forge::default());
    assert_eq!(code(&outer), "saml_signature_invalid");
    let inner = sign_in_place(&assertion(), assertion_id(), &IDP_KEYS.key, &Forge::default());
    let outer = sign_in_place(&wrap(&inner), response_id(), &ATTACKER.key, &Forge::default());
    assert_eq!(code(&outer), "saml_signature_invalid");
}

#[test]
fn every_flipped_bit_of_the_signature_value_counts() {
    let xml = signed_assertion(str::to_owned);
    let value = between(&xml, "<ds:SignatureValue>", "<");
    let bytes = wire::base64_decode(value.as_bytes()).unwrap();
    for bit in (0..bytes.len() * 8).step_by(37).chain([0, bytes.len() * 8 - 1]) {
        let mut altered = bytes.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        let xml = swap(&xml, value, &wire::base64_encode(&altered));
        assert_eq!(code(&xml), "saml_signature_invalid", "bit {bit}");
    }
    assert_eq!(code(&swap(&xml, value, "")), "saml_signature_malformed");
    assert_eq!(
        code(&swap(&xml, value, &wire::base64_encode(&[0; 256]))),
        "saml_signature_invalid"
    );
    assert_eq!(
        code(&swap(&xml, value, &wire::base64_encode(&bytes[..255]))),
        "saml_signature_invalid"
    );
}

#[test]
fn every_flipped_bit_of_the_digest_value_counts() {
    let xml = signed_assertion(str::to_owned);
    let value = between(&xml, "<ds:DigestValue>", "<");
    let bytes = wire::base64_decode(value.as_bytes()).unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut altered = bytes.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        // The digest is inside SignedInfo, so the signature no longer holds.
        assert_eq!(
            code(&swap(&xml, value, &wire::base64_encode(&altered))),
            "saml_signature_invalid",
            "bit {bit}"
        );
    }
    // A genuine signature over a wrong digest.
    let wrong = with_info(|info| {
        let value = between(&info, "<ds:DigestValue>", "<").to_owned();
        swap(&info, &value, &wire::base64_encode(&[7; 32]))
    });
    assert_eq!(code(&wrong), "saml_digest_mismatch");
    // The digest of nothing, for verifiers that digest an empty canonical form (CVE-2025-66568).
    let void = with_info(|info| {
        let value = between(&info, "<ds:DigestValue>", "<").to_owned();
        swap(
            &info,
            &value,
            &wire::base64_encode(DigestAlgorithm::Sha256.digest(b"").as_ref()),
        )
    });
    assert_eq!(code(&void), "saml_digest_mismatch");
}

#[test]
fn altered_content_is_refused() {
    for xml in [signed_assertion(str::to_owned), signed_response(str::to_owned)] {
        for (from, to) in [
            (format!(">{HONEST}<"), format!(">{EVIL}<")),
            (format!(">{HONEST}<"), format!("> {HONEST}<")),
            (">Admin<".into(), ">Owner<".into()),
            ("2026-11-23T20:00:00Z".into(), "2036-11-23T20:00:00Z".into()),
        ] {
            assert_eq!(code(&swap(&xml, &from, &to)), "saml_digest_mismatch", "{from}");
        }
    }
}

#[test]
fn algorithms_outside_the_allow_list() {
    for uri in [
        "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
        "http://www.w3.org/2000/09/xmldsig#dsa-sha1",
        "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
        "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-md5",
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1",
        "http://www.w3.org/2007/05/xmldsig-more#rsa-pss",
        "none",
        "",
    ] {
        let xml = swap(
            &signed_assertion(str::to_owned),
            SignatureAlgorithm::RsaSha256.uri(),
            uri,
        );
        assert_eq!(code(&xml), "saml_algorithm_refused", "{uri}");
    }
    for uri in [
        "http://www.w3.org/2000/09/xmldsig#sha1",
        "http://www.w3.org/2001/04/xmldsig-more#md5",
        "",
    ] {
        let xml = swap(
            &signed_assertion(str::to_owned),
            DigestAlgorithm::Sha256.uri(),
            uri,
        );
        assert_eq!(code(&xml), "saml_digest_algorithm_refused", "{uri}");
    }
}

#[test]
fn the_key_type_decides_the_algorithm() {
    let xml = signed_assertion(str::to_owned);
    assert_eq!(
        code_with_keys(&xml, std::slice::from_ref(&P256.verifying)),
        "saml_key_algorithm_mismatch"
    );
    let ecdsa = swap(
        &xml,
        SignatureAlgorithm::RsaSha256.uri(),
        SignatureAlgorithm::EcdsaSha256.uri(),
    );
    assert_eq!(code(&ecdsa), "saml_key_algorithm_mismatch");
    let stronger = swap(
        &xml,
        SignatureAlgorithm::RsaSha256.uri(),
        SignatureAlgorithm::RsaSha512.uri(),
    );
    assert_eq!(code(&stronger), "saml_signature_invalid");
    // All-zero ECDSA signature (CVE-2022-21449) and one of the wrong length.
    let forge = Forge {
        algorithm: SignatureAlgorithm::EcdsaSha256,
        ..Forge::default()
    };
    let genuine = sign_in_place(&wrap(&assertion()), assertion_id(), &P256.key, &forge);
    let value = between(&genuine, "<ds:SignatureValue>", "<");
    for zeros in [64, 63, 65, 0] {
        let value_new = if zeros == 0 {
            "AA==".to_owned()
        } else {
            wire::base64_encode(&vec![0; zeros])
        };
        let xml = swap(&genuine, value, &value_new);
        assert_eq!(
            code_with_keys(&xml, std::slice::from_ref(&P256.verifying)),
            "saml_signature_invalid"
        );
    }
}

#[test]
fn transforms_beyond_the_profile() {
    let enveloped =
        "<ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"></ds:Transform>";
    assert!(signed_assertion(str::to_owned).contains(enveloped));
    let edits: [(Edit, &str); 8] = [
        (
            |i| add_transform(&i, "http://www.w3.org/TR/1999/REC-xslt-19991116"),
            "saml_transform_refused",
        ),
        (
            |i| add_transform(&i, "http://www.w3.org/TR/1999/REC-xpath-19991116"),
            "saml_transform_refused",
        ),
        (
            |i| add_transform(&i, "http://www.w3.org/2002/06/xmldsig-filter2"),
            "saml_transform_refused",
        ),
        (
            |i| add_transform(&i, "http://www.w3.org/2000/09/xmldsig#base64"),
            "saml_transform_refused",
        ),
        (
            |i| add_transform(&i, "http://www.w3.org/2001/10/xml-exc-c14n#"),
            "saml_signature_malformed",
        ),
        (|i| remove_transforms(&i, true), "saml_transform_refused"),
        (|i| remove_transforms(&i, false), "saml_signature_malformed"),
        (
            |i| {
                swap(
                    &i,
                    "<ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\">",
                    "<ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2006/12/xml-c14n11\">",
                )
            },
            "saml_canonicalization_refused",
        ),
    ];
    for (index, (edit, expected)) in edits.into_iter().enumerate() {
        assert_eq!(code(&with_info(edit)), expected, "edit {index}");
    }
}

fn add_transform(info: &str, uri: &str) -> String {
    swap(
        info,
        "</ds:Transforms>",
        &format!("<ds:Transform Algorithm=\"{uri}\"></ds:Transform></ds:Transforms>"),
    )
}

/// Removes the enveloped transform only, or all transforms.
fn remove_transforms(info: &str, only_enveloped: bool) -> String {
    let body = between(info, "<ds:Transforms>", "</ds:Transforms>").to_owned();
    let second = body.rfind("<ds:Transform ").unwrap();
    swap(info, &body, if only_enveloped { &body[second..] } else { "" })
}

#[test]
fn references_beyond_the_profile() {
    let cases: [(Edit, &str); 7] = [
        (
            |i| double(&i, "<ds:Reference ", "</ds:Reference>"),
            "saml_reference_count",
        ),
        (
            |i| swap(&i, &format!("URI=\"#{}\"", assertion_id()), "URI=\"\""),
            "saml_reference_mismatch",
        ),
        (
            |i| swap(&i, &format!(" URI=\"#{}\"", assertion_id()), ""),
            "saml_reference_mismatch",
        ),
        (
            |i| {
                swap(
                    &i,
                    &format!("#{}", assertion_id()),
                    &format!("#{}", response_id()),
                )
            },
            "saml_reference_mismatch",
        ),
        (
            |i| {
                swap(
                    &i,
                    &format!("#{}", assertion_id()),
                    "http://attacker.example/x.xml",
                )
            },
            "saml_reference_mismatch",
        ),
        (
            |i| {
                swap(
                    &i,
                    &format!("#{}", assertion_id()),
                    &format!("#xpointer(id('{}'))", assertion_id()),
                )
            },
            "saml_reference_mismatch",
        ),
        (
            |i| double(&i, "<ds:DigestValue>", "</ds:DigestValue>"),
            "saml_signature_malformed",
        ),
    ];
    for (index, (edit, expected)) in cases.into_iter().enumerate() {
        assert_eq!(code(&with_info(edit)), expected, "case {index}");
    }
}

fn double(text: &str, open: &str, close: &str) -> String {
    let start = text.find(open).unwrap();
    let end = start + text[start..].find(close).unwrap() + close.len();
    format!("{}{}{}", &text[..end], &text[start..end], &text[end..])
}

#[test]
fn ambiguous_signature_structures() {
    let xml = signed_assertion(str::to_owned);
    let info = format!(
        "<ds:SignedInfo>{}</ds:SignedInfo>",
        between(&xml, "<ds:SignedInfo>", "</ds:SignedInfo>")
    );
    // Two SignedInfo (CVE-2025-29774), before and after.
    assert_eq!(
        code(&double(&xml, "<ds:SignedInfo>", "</ds:SignedInfo>")),
        "saml_signed_info_count"
    );
    assert_eq!(code(&swap(&xml, &info, "")), "saml_signed_info_count");
    assert_eq!(
        code(&double(&xml, "<ds:SignatureValue>", "</ds:SignatureValue>")),
        "saml_signature_malformed"
    );
    assert_eq!(
        code(&swap(
            &xml,
            "</ds:Signature>",
            "<ds:Object><ds:Manifest/></ds:Object></ds:Signature>"
        )),
        "saml_signature_object"
    );
    assert_eq!(
        code(&swap(
            &xml,
            "</ds:Signature>",
            "<x:y xmlns:x=\"urn:x\"/></ds:Signature>"
        )),
        "saml_signature_malformed"
    );
    assert_eq!(
        code(&swap(&xml, &info, &format!("<ds:KeyInfo/>{info}"))),
        "saml_signature_malformed"
    );
    assert_eq!(
        code(&double(&xml, "<ds:Signature ", "</ds:Signature>")),
        "saml_several_signatures"
    );
    // A digest split by an element or hidden text (CVE-2025-29775 used a comment; comments never get here).
    let value = between(&xml, "<ds:DigestValue>", "<").to_owned();
    assert_eq!(
        code(&swap(&xml, &value, &format!("{value}<x/>"))),
        "saml_signature_malformed"
    );
    assert_eq!(
        code(&swap(&xml, &value, &format!("AAAA<!---->{value}"))),
        "saml_comment"
    );
    // HMACOutputLength truncation (CVE-2009-0217).
    let truncated = with_info(|i| {
        swap(
            &i,
            "></ds:SignatureMethod>",
            "><ds:HMACOutputLength>8</ds:HMACOutputLength></ds:SignatureMethod>",
        )
    });
    assert_eq!(code(&truncated), "saml_signature_malformed");
}

#[test]
fn signature_in_another_place_of_its_parent() {
    let xml = signed_assertion(str::to_owned);
    let signature = format!(
        "<ds:Signature {}</ds:Signature>",
        between(&xml, "<ds:Signature ", "</ds:Signature>")
    );
    let last = swap(
        &swap(&xml, &signature, ""),
        "</saml:Assertion>",
        &format!("{signature}</saml:Assertion>"),
    );
    assert_eq!(code(&last), "saml_signature_misplaced");
    // Under the Response while it covers the assertion.
    let up = swap(
        &swap(&xml, &signature, ""),
        "<samlp:Status>",
        &format!("{signature}<samlp:Status>"),
    );
    assert_eq!(code(&up), "saml_reference_mismatch");
}

#[test]
fn a_prefix_list_cannot_be_a_burden() {
    let many: Vec<String> = (0..17).map(|i| format!("p{i}")).collect();
    let forge = Forge {
        transform: Canonicalization::Exclusive(many),
        ..Forge::default()
    };
    let xml = sign_in_place(
        &wrap(&assertion()),
        assertion_id(),
        &IDP_KEYS.key,
        &Forge::default(),
    );
    assert_eq!(code(&xml), "accepted");
    let listed = forge.transform;
    let long = sign_with_unread_list(&listed);
    assert_eq!(code(&long), "saml_too_many_namespaces");
}

/// Signs with a transform whose parameter is too long for our own reader, so it is written into the text.
fn sign_with_unread_list(listed: &Canonicalization) -> String {
    let Canonicalization::Exclusive(prefixes) = listed else {
        panic!("exclusive only")
    };
    let xml = signed_assertion(str::to_owned);
    let plain = "<ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"></ds:Transform>";
    let with = format!(
        "<ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"><ec:InclusiveNamespaces \
         xmlns:ec=\"http://www.w3.org/2001/10/xml-exc-c14n#\" PrefixList=\"{}\"/></ds:Transform>",
        prefixes.join(" ")
    );
    swap(&xml, plain, &with)
}
