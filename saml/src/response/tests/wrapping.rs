//! Signature wrapping: genuine signatures around forged content. Every document here fools the naive
//! verifier of this corpus into reading the attacker's identity, and is refused with its own code.

use super::naive::identities;
use crate::dsig::sign_enveloped;
use crate::fixture::*;
use crate::xml::names;

const EVIL_ASSERTION: &str = "_evilassertion";
const EVIL_RESPONSE: &str = "_evilresponse";

/// Cuts the first `<open…close>` out of `xml` and returns it with the rest.
fn cut(xml: &str, open: &str, close: &str) -> (String, String) {
    let start = xml.find(open).unwrap();
    let end = start + xml[start..].find(close).unwrap() + close.len();
    (
        xml[start..end].to_owned(),
        format!("{}{}", &xml[..start], &xml[end..]),
    )
}

fn cut_signature(xml: &str) -> (String, String) {
    cut(xml, "<ds:Signature ", "</ds:Signature>")
}

fn cut_assertion(xml: &str) -> (String, String) {
    cut(xml, "<saml:Assertion ", "</saml:Assertion>")
}

/// Puts `piece` right before the only occurrence of `mark`.
fn before(xml: &str, mark: &str, piece: &str) -> String {
    swap(xml, mark, &format!("{piece}{mark}"))
}

/// The pieces of an honest response with a signed assertion.
struct Pieces {
    /// The response without its assertion.
    shell: String,
    /// The signed assertion.
    signed: String,
    /// The same assertion without its signature: what the digest covers.
    bare: String,
    /// The signature.
    signature: String,
    /// The attacker's assertion without a signature.
    evil: String,
}

fn pieces(keep_id: bool) -> Pieces {
    let (signed, shell) = cut_assertion(&signed_assertion(str::to_owned));
    let (signature, bare) = cut_signature(&signed);
    let evil = swap(&bare, &format!(">{HONEST}<"), &format!(">{EVIL}<"));
    let evil = if keep_id {
        evil
    } else {
        swap(&evil, assertion_id(), EVIL_ASSERTION)
    };
    Pieces {
        shell,
        signed,
        bare,
        signature,
        evil,
    }
}

/// Puts `payload` where the assertion was.
fn with_payload(shell: &str, payload: &str) -> String {
    before(shell, "</samlp:Response>", payload)
}

/// Puts `signature` where a signature belongs in `assertion`.
fn with_signature(assertion: &str, signature: &str) -> String {
    let issuer = "</saml:Issuer>";
    swap(assertion, issuer, &format!("{issuer}{signature}"))
}

fn assert_attack(name: &str, xml: &str, expected: &[&str]) {
    let read = identities(xml, &IDP_KEYS.verifying);
    assert!(
        read.iter().any(|id| id == EVIL),
        "{name}: the naive verifier was not fooled, so this proves nothing"
    );
    let found = code(xml);
    assert!(
        expected.contains(&found),
        "{name}: {found} instead of {expected:?}"
    );
}

#[test]
fn the_naive_verifier_is_honest_about_signatures() {
    let honest = signed_assertion(str::to_owned);
    assert_eq!(identities(&honest, &IDP_KEYS.verifying), [HONEST]);
    let altered = swap(&honest, &format!(">{HONEST}<"), &format!(">{EVIL}<"));
    assert!(identities(&altered, &IDP_KEYS.verifying).is_empty());
    assert!(identities(&honest, &ATTACKER.verifying).is_empty());
}

#[test]
fn xsw_1_and_2_wrap_a_signed_response() {
    let honest = signed_response(str::to_owned);
    let (signature, bare) = cut_signature(&honest);
    for keep_id in [true, false] {
        let evil = swap(&bare, &format!(">{HONEST}<"), &format!(">{EVIL}<"));
        let evil = swap(&evil, response_id(), EVIL_RESPONSE);
        let evil = if keep_id {
            evil
        } else {
            swap(&evil, assertion_id(), EVIL_ASSERTION)
        };
        let expected = if keep_id {
            "saml_duplicate_id"
        } else {
            "saml_assertion_misplaced"
        };

        let loaded = before(&signature, "</ds:Signature>", &bare);
        let one = swap(&evil, "<samlp:Status>", &format!("{loaded}<samlp:Status>"));
        // The original's Status makes the mark ambiguous, so the piece is put behind the issuer.
        assert_attack("XSW1", &one, &[expected, "saml_response_misplaced"]);

        let two = evil.replacen("<samlp:Status>", &format!("{bare}{signature}<samlp:Status>"), 1);
        assert_attack("XSW2", &two, &[expected, "saml_response_misplaced"]);
    }
}

#[test]
fn xsw_3_two_assertions_side_by_side() {
    for (keep_id, expected) in [(true, "saml_duplicate_id"), (false, "saml_several_assertions")] {
        let p = pieces(keep_id);
        assert_attack(
            "XSW3",
            &with_payload(&p.shell, &format!("{}{}", p.evil, p.signed)),
            &[expected],
        );
        assert_attack(
            "XSW3 behind",
            &with_payload(&p.shell, &format!("{}{}", p.signed, p.evil)),
            &[expected],
        );
    }
}

#[test]
fn xsw_4_original_inside_the_forged_assertion() {
    for (keep_id, expected) in [(true, "saml_duplicate_id"), (false, "saml_assertion_misplaced")] {
        let p = pieces(keep_id);
        let nested = before(&p.evil, "</saml:Assertion>", &p.signed);
        assert_attack(
            "XSW4",
            &with_payload(&p.shell, &nested),
            &[expected, "saml_signature_misplaced"],
        );
        let advised = before(
            &p.evil,
            "<saml:AuthnStatement",
            &format!("<saml:Advice>{}</saml:Advice>", p.signed),
        );
        assert_attack(
            "XSW4 in Advice",
            &with_payload(&p.shell, &advised),
            &[expected, "saml_signature_misplaced"],
        );
    }
}

#[test]
fn xsw_5_signature_moved_to_the_forged_assertion() {
    for (keep_id, expected) in [(true, "saml_duplicate_id"), (false, "saml_several_assertions")] {
        let p = pieces(keep_id);
        let moved = with_signature(&p.evil, &p.signature);
        assert_attack(
            "XSW5",
            &with_payload(&p.shell, &format!("{moved}{}", p.bare)),
            &[expected],
        );
    }
}

#[test]
fn xsw_6_original_inside_the_signature() {
    for (keep_id, expected) in [(true, "saml_duplicate_id"), (false, "saml_assertion_misplaced")] {
        let p = pieces(keep_id);
        let loaded = before(&p.signature, "</ds:Signature>", &p.bare);
        assert_attack(
            "XSW6",
            &with_payload(&p.shell, &with_signature(&p.evil, &loaded)),
            &[expected],
        );
    }
}

#[test]
fn xsw_7_forged_assertion_in_extensions() {
    for (keep_id, expected) in [(true, "saml_duplicate_id"), (false, "saml_assertion_misplaced")] {
        let p = pieces(keep_id);
        let extended = before(
            &p.shell,
            "<samlp:Status>",
            &format!("<samlp:Extensions>{}</samlp:Extensions>", p.evil),
        );
        assert_attack("XSW7", &with_payload(&extended, &p.signed), &[expected]);
    }
}

#[test]
fn xsw_8_original_inside_an_object_of_the_signature() {
    for (keep_id, expected) in [(true, "saml_duplicate_id"), (false, "saml_assertion_misplaced")] {
        let p = pieces(keep_id);
        let loaded = before(
            &p.signature,
            "</ds:Signature>",
            &format!("<ds:Object>{}</ds:Object>", p.bare),
        );
        assert_attack(
            "XSW8",
            &with_payload(&p.shell, &with_signature(&p.evil, &loaded)),
            &[expected],
        );
    }
}

/// Puts a piece into a hosting element.
type Host = fn(&str) -> String;

/// The matrix beyond the eight: each place for the original × where the signature stands.
#[test]
fn wrapping_matrix_is_refused_everywhere() {
    let p = pieces(false);
    let hosts: [(&str, Host); 5] = [
        ("Extensions", |inner| {
            format!("<samlp:Extensions>{inner}</samlp:Extensions>")
        }),
        ("StatusDetail", |inner| {
            format!("<samlp:StatusDetail>{inner}</samlp:StatusDetail>")
        }),
        ("foreign", |inner| {
            format!("<x:host xmlns:x=\"urn:x\">{inner}</x:host>")
        }),
        ("Advice", |inner| format!("<saml:Advice>{inner}</saml:Advice>")),
        ("AttributeValue", |inner| {
            format!(
                "<saml:Attribute Name=\"x\"><saml:AttributeValue>{inner}</saml:AttributeValue></saml:Attribute>"
            )
        }),
    ];
    let marks = [
        ("first in response", "<samlp:Status>"),
        ("inside status", "</samlp:Status>"),
        ("first in assertion", "<saml:Subject>"),
        ("inside subject", "<saml:SubjectConfirmation "),
        ("inside conditions", "<saml:AudienceRestriction>"),
        ("inside statement", "</saml:AttributeStatement>"),
        ("last in assertion", "</saml:Assertion>"),
        ("last in response", "</samlp:Response>"),
    ];
    let refused = [
        "saml_assertion_misplaced",
        "saml_signature_misplaced",
        "saml_several_assertions",
    ];
    for (place, mark) in marks {
        for (host, host_xml) in hosts {
            for (carried, moved) in [(&p.signed, false), (&p.bare, true)] {
                let forged = if moved {
                    with_signature(&p.evil, &p.signature)
                } else {
                    p.evil.clone()
                };
                let document = with_payload(&p.shell, &forged);
                let attack = before(&document, mark, &host_xml(carried));
                assert_attack(&format!("{host} {place}"), &attack, &refused);
            }
        }
    }
}

#[test]
fn any_signed_document_as_carrier() {
    // The identity provider also signs its metadata; CVE-2025-47949 took any signed element as proof.
    let metadata = sign_enveloped(
        &format!(
            "<md:EntityDescriptor xmlns:md=\"{}\" ID=\"_metadata\" entityID=\"{IDP}\">",
            names::MD
        ),
        "</md:EntityDescriptor>",
        &IDP_KEYS.key,
    )
    .unwrap();
    let evil = wrap(&swap(&assertion(), &format!(">{HONEST}<"), &format!(">{EVIL}<")));
    let extended = before(
        &evil,
        "<samlp:Status>",
        &format!("<samlp:Extensions>{metadata}</samlp:Extensions>"),
    );
    assert_attack("carrier in Extensions", &extended, &["saml_signature_misplaced"]);

    // The same with the signature moved to the expected place: it then covers another element.
    let (signature, bare) = cut_signature(&metadata);
    let moved = before(
        &evil,
        "<samlp:Status>",
        &format!("{signature}<samlp:Extensions>{bare}</samlp:Extensions>"),
    );
    assert_attack(
        "carrier with moved signature",
        &moved,
        &["saml_reference_mismatch"],
    );
}

#[test]
fn another_signed_root_is_no_response() {
    let root = |name: &str| {
        sign_enveloped(
            &format!(
                "<samlp:{name} xmlns:samlp=\"{}\" ID=\"_x\" Version=\"2.0\">",
                names::SAMLP
            ),
            &format!("{}</samlp:{name}>", assertion()),
            &IDP_KEYS.key,
        )
        .unwrap()
    };
    for name in ["ArtifactResponse", "LogoutResponse", "response"] {
        assert_eq!(code(&root(name)), "saml_root_unexpected");
    }
    // The right name in the wrong namespace.
    let foreign =
        signed_response(str::to_owned).replace(names::SAMLP, "urn:oasis:names:tc:SAML:1.0:protocol");
    assert_eq!(code(&foreign), "saml_root_unexpected");
}

#[test]
fn several_assertions_even_if_all_are_signed() {
    let (signed, shell) = cut_assertion(&signed_assertion(str::to_owned));
    let second = assertion().replace(assertion_id(), "_second");
    let second = sign_in_place(&second, "_second", &IDP_KEYS.key, &Forge::default());
    assert_eq!(code(&with_payload(&shell, &signed)), "accepted");
    assert_eq!(code(&with_payload(&shell, &second)), "accepted");
    assert_eq!(
        code(&with_payload(&shell, &format!("{signed}{second}"))),
        "saml_several_assertions"
    );
    let signed_around = sign_in_place(
        &with_payload(&shell, &format!("{signed}{second}")),
        response_id(),
        &IDP_KEYS.key,
        &Forge::default(),
    );
    assert_eq!(code(&signed_around), "saml_several_assertions");
    assert_eq!(
        code(&sign_in_place(
            &shell,
            response_id(),
            &IDP_KEYS.key,
            &Forge::default()
        )),
        "saml_assertion_missing"
    );
}

#[test]
fn ids_must_be_unique_unqualified_and_present() {
    let honest = signed_assertion(str::to_owned);
    let duplicate = swap(
        &honest,
        "<samlp:Status>",
        &format!("<samlp:Status ID=\"{}\">", assertion_id()),
    );
    assert_eq!(code(&duplicate), "saml_duplicate_id");
    let qualified = swap(&honest, "<samlp:Status>", "<samlp:Status xml:id=\"_x\">");
    assert_eq!(code(&qualified), "saml_qualified_id");
    let without = swap(&honest, &format!(" ID=\"{}\"", assertion_id()), "");
    assert_eq!(code(&without), "saml_id_malformed");
    let spaced = wrap(&assertion()).replace(response_id(), "_a b");
    assert_eq!(
        code(&sign_in_place(
            &spaced,
            assertion_id(),
            &IDP_KEYS.key,
            &Forge::default()
        )),
        "saml_id_malformed"
    );
}

#[test]
fn elements_outside_the_whitelist() {
    let honest = signed_assertion(str::to_owned);
    let foreign = swap(
        &honest,
        "<samlp:Status>",
        "<x:y xmlns:x=\"urn:x\"/><samlp:Status>",
    );
    assert_eq!(code(&foreign), "saml_element_unexpected");
    let inside = signed_assertion(|a| swap(a, "<saml:Subject>", "<x:y xmlns:x=\"urn:x\"/><saml:Subject>"));
    assert_eq!(code(&inside), "saml_element_unexpected");
    let twice = signed_assertion(|a| {
        swap(
            a,
            "<saml:Conditions ",
            "<saml:Subject><saml:NameID>x</saml:NameID></saml:Subject><saml:Conditions ",
        )
    });
    assert_eq!(code(&twice), "saml_element_repeated");
    let no_status = {
        let (_, rest) = cut(&honest, "<samlp:Status>", "</samlp:Status>");
        rest
    };
    assert_eq!(code(&no_status), "saml_element_missing");
}
