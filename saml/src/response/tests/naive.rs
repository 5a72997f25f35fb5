//! A deliberately weak verifier. An attack document that does not fool it would prove nothing.
//!
//! It does what broken verifiers did: look the signed element up by ID anywhere, check signature and digest
//! correctly, and then read "the" NameID by walking the tree.

use crate::dsig::{Canonicalization, DigestAlgorithm};
use crate::key::{SignatureAlgorithm, VerifyingKey};
use crate::wire;
use uppsala::{Document, NodeId};

const DS: &str = "http://www.w3.org/2000/09/xmldsig#";

fn named(doc: &Document<'_>, local: &str) -> Vec<NodeId> {
    let mut all = doc.get_elements_by_tag_name(local);
    all.sort_by_key(NodeId::index);
    all
}

/// Returns every identity that some combination of first/last choices would read after a valid signature.
pub(super) fn identities(xml: &str, key: &VerifyingKey) -> Vec<String> {
    let Ok(doc) = uppsala::parse(xml) else {
        return Vec::new();
    };
    let signed = named(&doc, "Signature")
        .into_iter()
        .any(|signature| holds(&doc, signature, key));
    if !signed {
        return Vec::new();
    }
    named(&doc, "NameID")
        .into_iter()
        .map(|id| doc.text_content_deep(id))
        .collect()
}

fn holds(doc: &Document<'_>, signature: NodeId, key: &VerifyingKey) -> bool {
    let first = |local: &str| {
        let inside = doc.descendants(signature);
        named(doc, local)
            .into_iter()
            .find(|id| inside.contains(id) && doc.element(*id).unwrap().matches_name_ns(DS, local))
    };
    let (Some(info), Some(reference)) = (first("SignedInfo"), first("Reference")) else {
        return false;
    };
    let (Some(value), Some(digest)) = (first("SignatureValue"), first("DigestValue")) else {
        return false;
    };
    let bytes = |id: NodeId| wire::base64_decode(doc.text_content_deep(id).as_bytes()).unwrap_or_default();
    let exclusive = Canonicalization::Exclusive(Vec::new());
    let octets = exclusive.apply_raw(doc, info, None).unwrap();
    if !key.verify(SignatureAlgorithm::RsaSha256, octets.as_bytes(), &bytes(value)) {
        return false;
    }
    let uri = doc
        .element(reference)
        .unwrap()
        .get_attribute("URI")
        .unwrap_or("")
        .trim_start_matches('#')
        .to_owned();
    let candidates: Vec<NodeId> = doc
        .descendants(doc.root())
        .into_iter()
        .filter(|id| {
            doc.element(*id)
                .is_some_and(|e| e.get_attribute("ID") == Some(uri.as_str()))
        })
        .collect();
    candidates.into_iter().any(|target| {
        let inside = doc.descendants(target).contains(&signature);
        let canonical = exclusive
            .apply_raw(doc, target, inside.then_some(signature))
            .unwrap();
        DigestAlgorithm::Sha256.digest(canonical.as_bytes()).as_ref() == bytes(digest)
    })
}
