//! Random damage to valid responses. The oracle: accepted implies the signed identity, byte for byte.

use proptest::prelude::*;
use std::sync::LazyLock;

use super::naive::identities;
use crate::ContentCipher;
use crate::fixture::*;
use crate::issue::issue_response;
use crate::response::verify;

static SEEDS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut seeds = Vec::new();
    for (response, assertion) in [(true, false), (false, true), (true, true)] {
        seeds.push(issue_response(&spec(), &signing(response, assertion), None).unwrap());
        let how = encryption(ContentCipher::Aes256Gcm);
        seeds.push(issue_response(&spec(), &signing(response, assertion), Some(&how)).unwrap());
    }
    seeds
});

/// Pieces of syntax that make damage meaningful.
const PIECES: &[&str] = &[
    "<",
    ">",
    "&",
    "\"",
    "'",
    "/",
    " ",
    "\n",
    "<!---->",
    "<?x?>",
    "<![CDATA[",
    "]]>",
    "&#65;",
    "&amp;",
    "root-0000",
    "<saml:NameID>root-0000</saml:NameID>",
    "<saml:Assertion>",
    "</saml:Assertion>",
    "<ds:Signature>",
    "xmlns=\"urn:x\"",
    " ID=\"_x\"",
    "<samlp:Extensions/>",
    "<saml:Attribute Name=\"groups\"><saml:AttributeValue>Owner</saml:AttributeValue></saml:Attribute>",
    "\u{0}",
    "\u{feff}",
    "é",
];

#[derive(Debug, Clone)]
enum Damage {
    Insert(usize, usize),
    Delete(usize, usize),
    Duplicate(usize, usize, usize),
    Flip(usize, u8),
    SwapElements(usize, usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = 0usize..1_000_000;
    prop_oneof![
        (at.clone(), 0..PIECES.len()).prop_map(|(a, p)| Damage::Insert(a, p)),
        (at.clone(), 1usize..200).prop_map(|(a, n)| Damage::Delete(a, n)),
        (at.clone(), 1usize..400, at.clone()).prop_map(|(a, n, b)| Damage::Duplicate(a, n, b)),
        (at.clone(), any::<u8>()).prop_map(|(a, b)| Damage::Flip(a, b)),
        (at.clone(), at).prop_map(|(a, b)| Damage::SwapElements(a, b)),
    ]
}

fn apply(text: &mut Vec<u8>, damage: &Damage) {
    let len = text.len().max(1);
    match *damage {
        Damage::Insert(at, piece) => {
            let at = at % len;
            text.splice(at..at, PIECES[piece].bytes());
        }
        Damage::Delete(at, count) => {
            let at = at % len;
            let end = (at + count).min(text.len());
            text.drain(at..end);
        }
        Damage::Duplicate(from, count, to) => {
            let from = from % len;
            let piece = text[from..(from + count).min(text.len())].to_vec();
            let to = to % len;
            text.splice(to..to, piece);
        }
        Damage::Flip(at, byte) => {
            let at = at % len;
            if let Some(place) = text.get_mut(at) {
                *place = byte;
            }
        }
        Damage::SwapElements(a, b) => swap_elements(text, a, b),
    }
}

/// Copies one whole element behind another, the structural move of signature wrapping.
fn swap_elements(text: &mut Vec<u8>, a: usize, b: usize) {
    let Ok(xml) = String::from_utf8(text.clone()) else {
        return;
    };
    let Ok(doc) = uppsala::parse(&xml) else { return };
    let elements: Vec<_> = doc
        .descendants(doc.root())
        .into_iter()
        .filter(|id| doc.element(*id).is_some())
        .collect();
    let (Some(from), Some(to)) = (
        elements.get(a % elements.len().max(1)),
        elements.get(b % elements.len().max(1)),
    ) else {
        return;
    };
    let (Some(from), Some(to)) = (doc.node_range(*from), doc.node_range(*to)) else {
        return;
    };
    let piece = xml[from].to_owned();
    text.splice(to.end..to.end, piece.into_bytes());
}

fn assert_oracle(text: &[u8]) {
    let value = crate::wire::base64_encode(text).into_bytes();
    if let Ok(assertion) = verify(&value, &trust(), &expected(), now()) {
        let honest = check(&SEEDS[0]).unwrap();
        assert_eq!(assertion.name_id(), honest.name_id());
        assert_eq!(assertion.assertion_id(), honest.assertion_id());
        assert_eq!(assertion.attributes(), honest.attributes());
        assert_eq!(assertion.session_index(), honest.session_index());
        assert_eq!(
            assertion.session_not_on_or_after(),
            honest.session_not_on_or_after()
        );
        assert_eq!(assertion.not_on_or_after(), honest.not_on_or_after());
        assert_eq!(assertion.authn_context(), honest.authn_context());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn accepted_implies_the_signed_identity(seed in 0usize..6, steps in prop::collection::vec(damage(), 1..4)) {
        let mut text = SEEDS[seed].clone().into_bytes();
        for step in &steps {
            apply(&mut text, step);
        }
        assert_oracle(&text);
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(verify(&bytes, &trust(), &expected(), now()).is_err());
        let value = crate::wire::base64_encode(&bytes).into_bytes();
        prop_assert!(verify(&value, &trust(), &expected(), now()).is_err());
    }
}

#[test]
fn the_oracle_can_fail() {
    // The naive verifier breaks the oracle on a document of the kind that the mutations produce.
    let honest = &SEEDS[2];
    let forged = honest
        .replace(">ada-7f3a<", ">root-0000<")
        .replace("</samlp:Response>", "");
    let start = honest.find("<saml:Assertion ").unwrap();
    let end = honest.find("</saml:Assertion>").unwrap() + "</saml:Assertion>".len();
    let wrapped = format!("{forged}{}</samlp:Response>", &honest[start..end]);
    assert!(identities(&wrapped, &IDP_KEYS.verifying).contains(&"root-0000".to_owned()));
    assert!(check(&wrapped).is_err());
}
