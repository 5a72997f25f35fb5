//! Every valid form has to be accepted: a corpus of refusals alone would pass on a verifier that refuses all.

use crate::attributes;
use crate::dsig::{Canonicalization, DigestAlgorithm};
use crate::fixture::*;
use crate::issue::{KeyTransport, issue_response};
use crate::key::SignatureAlgorithm;
use crate::response::{Trust, VerifiedAssertion, unverified_in_response_to, verify};
use crate::{ContentCipher, Limits, wire};

fn assert_honest(assertion: &VerifiedAssertion) {
    assert_eq!(assertion.name_id().value, HONEST);
    assert_eq!(assertion.issuer(), IDP);
    assert_eq!(assertion.assertion_id(), assertion_id());
    assert_eq!(assertion.response_id(), response_id());
    assert_eq!(assertion.in_response_to(), Some(REQUEST));
    assert_eq!(assertion.session_index(), Some("_session1"));
    assert_eq!(assertion.authn_instant(), at("2026-11-23T11:59:50Z"));
    assert_eq!(
        assertion.session_not_on_or_after(),
        Some(at("2026-11-23T20:00:00Z"))
    );
    assert_eq!(assertion.not_on_or_after(), at("2026-11-23T12:04:55Z"));
    assert_eq!(assertion.replay_until(), at("2026-11-23T12:05:55Z"));
    assert_eq!(
        assertion.attribute("emailaddress").unwrap(),
        ["ada@home-lab.example"]
    );
    assert_eq!(assertion.attribute("groups").unwrap(), ["Admin", "Lab & <Test>"]);
}

#[test]
fn signed_response_signed_assertion_and_both() {
    for (response, assertion) in [(true, false), (false, true), (true, true)] {
        let xml = issue_response(&spec(), &signing(response, assertion), None).unwrap();
        let verified = check(&xml).unwrap();
        assert_honest(&verified);
        assert_eq!(
            (verified.response_signed(), verified.assertion_signed()),
            (response, assertion)
        );
        assert!(!verified.encrypted());
    }
}

#[test]
fn encrypted_then_signed_and_signed_then_encrypted() {
    for cipher in [ContentCipher::Aes128Gcm, ContentCipher::Aes256Gcm] {
        for transport in [KeyTransport::OaepSha1, KeyTransport::OaepSha256] {
            for (response, assertion) in [(true, false), (false, true), (true, true)] {
                let mut how = encryption(cipher);
                how.transport = transport;
                let xml = issue_response(&spec(), &signing(response, assertion), Some(&how)).unwrap();
                assert!(!xml.contains(HONEST));
                let verified = check(&xml).unwrap();
                assert_honest(&verified);
                assert!(verified.encrypted());
                assert_eq!(
                    (verified.response_signed(), verified.assertion_signed()),
                    (response, assertion)
                );
            }
        }
    }
}

#[test]
fn cbc_inside_a_signed_response_when_the_connection_allows_it() {
    for cipher in [ContentCipher::Aes128Cbc, ContentCipher::Aes256Cbc] {
        for assertion in [true, false] {
            let xml = issue_response(&spec(), &signing(true, assertion), Some(&encryption(cipher))).unwrap();
            let allowing = Trust {
                allow_cbc: true,
                ..trust()
            };
            assert_honest(&verify(&form(&xml), &allowing, &expected(), now()).unwrap());
        }
    }
}

#[test]
fn encrypted_name_id() {
    let plain =
        format!("<saml:NameID xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\">{HONEST}</saml:NameID>");
    let data = crate::issue::encrypt_element(&plain, &encryption(ContentCipher::Aes256Gcm)).unwrap();
    let xml = signed_assertion(|a| {
        let start = a.find("<saml:NameID").unwrap();
        let end = a.find("</saml:NameID>").unwrap() + "</saml:NameID>".len();
        format!(
            "{}<saml:EncryptedID>{data}</saml:EncryptedID>{}",
            &a[..start],
            &a[end..]
        )
    });
    assert_eq!(check(&xml).unwrap().name_id().value, HONEST);
}

#[test]
fn encrypted_attribute() {
    let plain = "<saml:Attribute xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" Name=\"secret\">\
                 <saml:AttributeValue>v</saml:AttributeValue></saml:Attribute>";
    let data = crate::issue::encrypt_element(plain, &encryption(ContentCipher::Aes128Gcm)).unwrap();
    let xml = signed_assertion(|a| {
        swap(
            a,
            "</saml:AttributeStatement>",
            &format!("<saml:EncryptedAttribute>{data}</saml:EncryptedAttribute></saml:AttributeStatement>"),
        )
    });
    assert_eq!(check(&xml).unwrap().attribute("secret").unwrap(), ["v"]);
}

#[test]
fn every_allowed_algorithm() {
    use SignatureAlgorithm::{EcdsaSha256, EcdsaSha384, RsaSha256, RsaSha384, RsaSha512};
    let cases = [
        (&*IDP_KEYS, RsaSha256),
        (&*IDP_KEYS, RsaSha384),
        (&*IDP_KEYS, RsaSha512),
        (&*P256, EcdsaSha256),
        (&*P384, EcdsaSha384),
    ];
    for (party, algorithm) in cases {
        for digest in [
            DigestAlgorithm::Sha256,
            DigestAlgorithm::Sha384,
            DigestAlgorithm::Sha512,
        ] {
            let forge = Forge {
                digest,
                algorithm,
                ..Forge::default()
            };
            let xml = sign_in_place(&wrap(&assertion()), assertion_id(), &party.key, &forge);
            let keys = [party.verifying.clone()];
            let trusting = Trust {
                keys: &keys,
                ..trust()
            };
            assert_honest(&verify(&form(&xml), &trusting, &expected(), now()).unwrap());
        }
    }
}

#[test]
fn inclusive_canonicalization_and_prefix_lists() {
    // Declarations around the assertion that only an inclusive form or a prefix list takes along.
    let around = |xml: &str| {
        swap(
            xml,
            "<samlp:Response ",
            "<samlp:Response xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" ",
        )
    };
    let listed = Canonicalization::Exclusive(vec!["xs".into(), "#default".into()]);
    for transform in [
        Canonicalization::Inclusive,
        listed.clone(),
        Canonicalization::Exclusive(Vec::new()),
    ] {
        for method in [
            Canonicalization::Inclusive,
            listed.clone(),
            Canonicalization::Exclusive(Vec::new()),
        ] {
            let forge = Forge {
                transform: transform.clone(),
                method,
                ..Forge::default()
            };
            for id in [assertion_id(), response_id()] {
                let xml = sign_in_place(&around(&wrap(&assertion())), id, &IDP_KEYS.key, &forge);
                assert_honest(&check(&xml).unwrap());
            }
        }
    }
}

#[test]
fn enveloped_transform_alone_means_inclusive_canonicalization() {
    let forge = Forge {
        transform: Canonicalization::Inclusive,
        edit: |info| {
            swap(
                &info,
                "<ds:Transform Algorithm=\"http://www.w3.org/TR/2001/REC-xml-c14n-20010315\"></ds:Transform>",
                "",
            )
        },
        ..Forge::default()
    };
    let xml = sign_in_place(&wrap(&assertion()), assertion_id(), &IDP_KEYS.key, &forge);
    assert_honest(&check(&xml).unwrap());
}

#[test]
fn r182_a_rolled_over_second_key_is_accepted() {
    let xml = issue_response(&spec(), &signing(true, true), None).unwrap();
    let keys = [
        P256.verifying.clone(),
        ATTACKER.verifying.clone(),
        IDP_KEYS.verifying.clone(),
    ];
    let trusting = Trust {
        keys: &keys,
        ..trust()
    };
    assert_honest(&verify(&form(&xml), &trusting, &expected(), now()).unwrap());
}

#[test]
fn byte_order_mark_declaration_and_wrapped_base64() {
    let xml = issue_response(&spec(), &signing(true, false), None).unwrap();
    assert_honest(&check(&format!("\u{feff}{xml}")).unwrap());
    assert_honest(&check(&format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n{xml}\n")).unwrap());
    let wrapped: Vec<u8> = form(&xml)
        .chunks(76)
        .flat_map(|line| [line, b"\r\n"].concat())
        .collect();
    assert_honest(&verify(&wrapped, &trust(), &expected(), now()).unwrap());
}

#[test]
fn signature_values_may_be_wrapped() {
    let xml = issue_response(&spec(), &signing(true, false), None).unwrap();
    let start = xml.find("<ds:SignatureValue>").unwrap() + "<ds:SignatureValue>".len();
    let wrapped = format!(
        "{}\n{}\n{}",
        &xml[..start],
        &xml[start..start + 64],
        &xml[start + 64..]
    );
    assert_honest(&check(&wrapped).unwrap());
}

#[test]
fn cdata_is_read_whole() {
    let xml = signed_assertion(|a| swap(a, &format!(">{HONEST}<"), "><![CDATA[ada]]>-7f3a<"));
    assert_eq!(check(&xml).unwrap().name_id().value, HONEST);
}

#[test]
fn r117_unsolicited_response_when_allowed() {
    let mut unsolicited = spec();
    unsolicited.in_response_to = None;
    let xml = issue_response(&unsolicited, &signing(true, true), None).unwrap();
    let mut allowing = expected();
    allowing.in_response_to = None;
    allowing.allow_unsolicited = true;
    let verified = verify(&form(&xml), &trust(), &allowing, now()).unwrap();
    assert_eq!(verified.in_response_to(), None);
}

#[test]
fn r122_name_id_is_kept_byte_for_byte() {
    for value in ["Ada-7F3A", " ada-7f3a ", "ada\u{301}", "ａｄａ"] {
        let xml = signed_assertion(|a| swap(a, &format!(">{HONEST}<"), &format!(">{value}<")));
        assert_eq!(check(&xml).unwrap().name_id().value, value);
    }
}

#[test]
fn a_response_without_issuer_is_fine_while_only_the_assertion_is_signed() {
    let signed = crate::issue::issue_response(&spec(), &signing(false, true), None).unwrap();
    let issuer = format!("<saml:Issuer>{IDP}</saml:Issuer>");
    let at = signed.find(&issuer).unwrap();
    let without = format!("{}{}", &signed[..at], &signed[at + issuer.len()..]);
    assert_honest(&check(&without).unwrap());
}

#[test]
fn structured_and_null_values() {
    let xsi = "http://www.w3.org/2001/XMLSchema-instance";
    let statement = format!(
        "<saml:Attribute Name=\"t\"><saml:AttributeValue><saml:NameID>nested</saml:NameID></saml:AttributeValue>\
         <saml:AttributeValue xmlns:xsi=\"{xsi}\" xsi:nil=\"true\"/><saml:AttributeValue/></saml:Attribute>\
         <saml:Attribute Name=\"groups\"><saml:AttributeValue>More</saml:AttributeValue></saml:Attribute></saml:AttributeStatement>"
    );
    let xml = signed_assertion(|a| swap(a, "</saml:AttributeStatement>", &statement));
    let verified = check(&xml).unwrap();
    assert_eq!(verified.attribute("t").unwrap(), ["nested", ""]);
    assert_eq!(
        verified.attribute("groups").unwrap(),
        ["Admin", "Lab & <Test>", "More"]
    );
}

#[test]
fn times_at_the_edge_of_the_skew() {
    let xml = issue_response(&spec(), &signing(true, true), None).unwrap();
    let verify_at = |moment: &str| {
        verify(&form(&xml), &trust(), &expected(), at(moment))
            .err()
            .map_or("accepted", |e| e.code())
    };
    assert_eq!(verify_at("2026-11-23T12:05:54Z"), "accepted");
    assert_eq!(verify_at("2026-11-23T12:05:55Z"), "saml_expired");
    assert_eq!(verify_at("2026-11-23T11:58:55Z"), "accepted");
    assert_eq!(verify_at("2026-11-23T11:58:54Z"), "saml_issued_in_future");
}

#[test]
fn a_long_lived_assertion_is_accepted_for_a_quarter_of_an_hour() {
    let mut long = spec();
    long.lifetime = jiff::SignedDuration::from_hours(1);
    let xml = issue_response(&long, &signing(true, true), None).unwrap();
    let verified = check(&xml).unwrap();
    assert_eq!(verified.not_on_or_after(), at("2026-11-23T12:14:55Z"));
    let late = verify(&form(&xml), &trust(), &expected(), at("2026-11-23T12:15:55Z"));
    assert_eq!(late.unwrap_err().code(), "saml_too_old");
}

#[test]
fn normalized_attributes_of_a_verified_assertion() {
    let xml = issue_response(&spec(), &signing(true, true), None).unwrap();
    let person = attributes::normalize(&check(&xml).unwrap());
    assert_eq!(person.subject, HONEST);
    assert_eq!(person.email.as_deref(), Some("ada@home-lab.example"));
    assert_eq!(person.groups, ["Admin", "Lab & <Test>"]);
}

#[test]
fn the_hint_reads_in_response_to() {
    let xml = issue_response(&spec(), &signing(true, true), None).unwrap();
    assert_eq!(
        unverified_in_response_to(&form(&xml), &Limits::MESSAGE)
            .unwrap()
            .as_deref(),
        Some(REQUEST)
    );
    assert!(unverified_in_response_to(b"garbage!", &Limits::MESSAGE).is_err());
    assert!(wire::base64_decode(&form(&xml)).is_ok());
}
