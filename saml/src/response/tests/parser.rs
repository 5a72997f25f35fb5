//! Hostile bytes: what the parser must never see, and what it must survive.

use crate::fixture::*;
use crate::response::verify;
use crate::wire;

fn raw(value: &[u8]) -> &'static str {
    verify(value, &trust(), &expected(), now())
        .err()
        .map_or("accepted", |e| e.code())
}

#[test]
fn doctype_entities_and_bombs() {
    let honest = signed_response(str::to_owned);
    let laughs = "<!DOCTYPE r [<!ENTITY a \"lol\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;\">]>";
    for doctype in [
        "<!DOCTYPE r>",
        "<!DOCTYPE r SYSTEM \"http://127.0.0.1:1/x.dtd\">",
        "<!DOCTYPE r [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>",
        "<!DOCTYPE r [<!ATTLIST r ID CDATA \"_x\">]>",
        "<!doctype r>",
        laughs,
    ] {
        assert_eq!(code(&format!("{doctype}{honest}")), "saml_doctype", "{doctype}");
    }
    assert_eq!(
        code(&swap(&honest, &format!(">{HONEST}<"), ">&xxe;<")),
        "saml_malformed"
    );
}

#[test]
fn comment_and_instruction_truncation() {
    // VU#475445: the digest ignores the comment, a careless reader stops at it.
    for xml in [signed_response(str::to_owned), signed_assertion(str::to_owned)] {
        let split = swap(&xml, &format!(">{HONEST}<"), ">ada<!---->-7f3a<");
        assert_eq!(code(&split), "saml_comment");
        let split = swap(&xml, &format!(">{HONEST}<"), ">ada<?x?>-7f3a<");
        assert_eq!(code(&split), "saml_processing_instruction");
        assert_eq!(code(&format!("{xml}<!-- tail -->")), "saml_comment");
    }
}

#[test]
fn several_roots() {
    let honest = signed_response(str::to_owned);
    let evil = honest.replace(HONEST, EVIL);
    assert_eq!(code(&format!("{honest}{evil}")), "saml_several_roots");
    assert_eq!(code(&format!("{evil}{honest}")), "saml_several_roots");
    assert_eq!(code(&format!("{honest}tail")), "saml_several_roots");
}

#[test]
fn parser_differentials() {
    let honest = signed_response(str::to_owned);
    let cases = [
        (
            "<samlp:Status>",
            "<samlp:Status a=\"1\" a=\"2\">",
            "saml_malformed",
        ),
        (
            "<samlp:Status>",
            "<samlp:Status xmlns:q=\"relative/name\">",
            "saml_namespace_relative",
        ),
        ("<samlp:Status>", "<q:x/><samlp:Status>", "saml_malformed"),
        (
            "<samlp:Status>",
            "<samlp:Status xmlns:xml=\"urn:x\">",
            "saml_malformed",
        ),
        ("<samlp:Status>", "<samlp:Status xmlns:p=\"\">", "saml_malformed"),
        ("</samlp:Status>", "</saml:Status>", "saml_malformed"),
        ("<samlp:Status>", "<samlp:Status a=b>", "saml_malformed"),
        ("<samlp:Status>", "<samlp:Status>]]>", "saml_malformed"),
    ];
    for (from, to, expected) in cases {
        assert_eq!(code(&swap(&honest, from, to)), expected, "{to}");
    }
    // The same local names in another namespace are other elements.
    let foreign = swap(
        &honest,
        "<samlp:Status>",
        "<x:Assertion xmlns:x=\"urn:x\"/><samlp:Status>",
    );
    assert_eq!(code(&foreign), "saml_element_unexpected");
}

#[test]
fn encodings() {
    let honest = signed_response(str::to_owned);
    assert_eq!(
        raw(&wire::base64_encode(b"\xff\xfe<\0a\0").into_bytes()),
        "saml_not_utf8"
    );
    let utf16: Vec<u8> = honest.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(
        raw(&wire::base64_encode(&utf16).into_bytes()),
        "saml_forbidden_character"
    );
    let latin = honest
        .replace(HONEST, "ad\u{e9}")
        .into_bytes()
        .iter()
        .map(|b| if *b == 0xc3 { 0xe9 } else { *b })
        .collect::<Vec<_>>();
    assert_eq!(raw(&wire::base64_encode(&latin).into_bytes()), "saml_not_utf8");
    assert_eq!(
        code(&format!("<?xml version=\"1.0\" encoding=\"UTF-7\"?>{honest}")),
        "saml_not_utf8"
    );
    assert_eq!(
        code(&swap(&honest, &format!(">{HONEST}<"), ">ada\u{0}<")),
        "saml_forbidden_character"
    );
    assert_eq!(
        code(&swap(&honest, &format!(">{HONEST}<"), ">ada\u{8}<")),
        "saml_forbidden_character"
    );
    assert_eq!(
        code(&swap(&honest, &format!(">{HONEST}<"), ">ada&#0;<")),
        "saml_malformed"
    );
    assert_eq!(
        code(&swap(&honest, &format!(">{HONEST}<"), ">ada&#xD800;<")),
        "saml_malformed"
    );
    // Two byte-order marks: the second is content before the root.
    assert_eq!(code(&format!("\u{feff}\u{feff}{honest}")), "saml_malformed");
}

#[test]
fn base64_and_size() {
    let honest = form(&signed_response(str::to_owned));
    assert_eq!(raw(b""), "saml_base64");
    assert_eq!(raw(b"%%%"), "saml_base64");
    let mut dirty = honest.clone();
    dirty.insert(10, b'*');
    assert_eq!(raw(&dirty), "saml_base64");
    assert_eq!(raw(&honest[..honest.len() - 1]), "saml_base64");
    assert_eq!(raw(&vec![b'A'; 10 * 1024 * 1024]), "saml_too_large");
    assert_eq!(raw(&honest), "accepted");
}

#[test]
fn depth_nodes_and_attributes() {
    let honest = signed_response(str::to_owned);
    let put = |piece: &str| {
        swap(
            &honest,
            "<samlp:Status>",
            &format!("<samlp:Extensions>{piece}</samlp:Extensions><samlp:Status>"),
        )
    };
    assert_eq!(
        code(&put(&("<a>".repeat(70) + &"</a>".repeat(70)))),
        "saml_too_deep"
    );
    assert_eq!(code(&put(&"<a/>".repeat(20_001))), "saml_too_many_nodes");
    let wide = (0..65)
        .map(|i| format!(" a{i}=\"\""))
        .collect::<Vec<_>>()
        .concat();
    assert_eq!(code(&put(&format!("<a{wide}/>"))), "saml_too_many_attributes");
    // 100 000 levels: beyond the size cap with end tags, within it without; neither may touch the stack.
    let deep = "<a>".repeat(60_000);
    assert_eq!(code(&deep), "saml_too_deep");
    let huge = "<a>".repeat(100_000) + &"</a>".repeat(100_000);
    assert_eq!(code(&huge), "saml_too_large");
    let raised = crate::response::Trust {
        limits: crate::Limits {
            max_bytes: 4 << 20,
            ..trust().limits
        },
        ..trust()
    };
    assert_eq!(
        verify(&form(&huge), &raised, &expected(), now())
            .unwrap_err()
            .code(),
        "saml_too_deep"
    );
}

#[test]
fn every_truncation_is_a_coded_error() {
    let honest = signed_response(str::to_owned);
    for len in (0..honest.len()).step_by(13) {
        let found = code(&honest[..len]);
        assert!(
            matches!(found, "saml_malformed" | "saml_base64"),
            "{len}: {found}"
        );
    }
}
