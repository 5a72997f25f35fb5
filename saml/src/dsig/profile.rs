//! Reads a Signature element by absolute child paths; anything beyond the profile is refused.

use super::DigestAlgorithm;
use super::canonical::Canonicalization;
use crate::error::{Quote, SamlError};
use crate::key::SignatureAlgorithm;
use crate::wire;
use crate::xml::{Node, names};

/// The children of a Signature that matter. KeyInfo is tolerated and ignored: it is the attacker's word.
pub(super) struct SignatureParts<'t, 'a> {
    pub(super) signed_info: Node<'t, 'a>,
    pub(super) value: Vec<u8>,
}

/// The content of a SignedInfo.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SignedInfo {
    pub(super) canonicalization: Canonicalization,
    pub(super) algorithm: SignatureAlgorithm,
    pub(super) reference_id: String,
    pub(super) transform: Canonicalization,
    pub(super) digest: DigestAlgorithm,
    pub(super) digest_value: Vec<u8>,
}

/// Reads SignedInfo, SignatureValue and an optional KeyInfo, in this order and nothing else.
pub(super) fn read_signature<'t, 'a>(signature: Node<'t, 'a>) -> Result<SignatureParts<'t, 'a>, SamlError> {
    if signature.children_named(names::DS, "Object").next().is_some() {
        return Err(SamlError::SignatureObject);
    }
    if signature.children_named(names::DS, "SignedInfo").count() != 1 {
        return Err(SamlError::SignedInfoCount);
    }
    let mut children = signature.children();
    let signed_info = children.next().filter(|n| n.is(names::DS, "SignedInfo"));
    let value = children.next().filter(|n| n.is(names::DS, "SignatureValue"));
    let (Some(signed_info), Some(value)) = (signed_info, value) else {
        return Err(SamlError::SignatureMalformed);
    };
    let rest_is_key_info = match (children.next(), children.next()) {
        (None, _) => true,
        (Some(third), None) => third.is(names::DS, "KeyInfo"),
        (Some(_), Some(_)) => false,
    };
    if !rest_is_key_info {
        return Err(SamlError::SignatureMalformed);
    }
    let value = decode_leaf(value)?;
    Ok(SignatureParts { signed_info, value })
}

/// Reads a SignedInfo: CanonicalizationMethod, SignatureMethod and exactly one Reference.
pub(super) fn read_signed_info(signed_info: Node<'_, '_>) -> Result<SignedInfo, SamlError> {
    if signed_info.children_named(names::DS, "Reference").count() != 1 {
        return Err(SamlError::ReferenceCount);
    }
    let children: Vec<_> = signed_info.children().collect();
    let [canonicalization, method, reference] = children.as_slice() else {
        return Err(SamlError::SignatureMalformed);
    };
    let in_order = canonicalization.is(names::DS, "CanonicalizationMethod")
        && method.is(names::DS, "SignatureMethod")
        && reference.is(names::DS, "Reference");
    // A SignatureMethod with children is HMACOutputLength and the like (CVE-2009-0217).
    if !in_order || method.children().next().is_some() {
        return Err(SamlError::SignatureMalformed);
    }
    let algorithm = SignatureAlgorithm::from_uri(method.need_attr("Algorithm")?)?;
    let canonicalization = Canonicalization::read(*canonicalization)?;
    read_reference(*reference, canonicalization, algorithm)
}

fn read_reference(
    reference: Node<'_, '_>,
    canonicalization: Canonicalization,
    algorithm: SignatureAlgorithm,
) -> Result<SignedInfo, SamlError> {
    let children: Vec<_> = reference.children().collect();
    let [transforms, method, value] = children.as_slice() else {
        return Err(SamlError::SignatureMalformed);
    };
    let in_order = transforms.is(names::DS, "Transforms")
        && method.is(names::DS, "DigestMethod")
        && value.is(names::DS, "DigestValue");
    if !in_order || method.children().next().is_some() {
        return Err(SamlError::SignatureMalformed);
    }
    let uri = reference.attr("URI").unwrap_or("");
    let reference_id = uri
        .strip_prefix('#')
        .filter(|id| !id.is_empty())
        .ok_or(SamlError::ReferenceMismatch)?;
    Ok(SignedInfo {
        canonicalization,
        algorithm,
        reference_id: reference_id.to_owned(),
        transform: read_transforms(*transforms)?,
        digest: DigestAlgorithm::from_uri(method.need_attr("Algorithm")?)?,
        digest_value: decode_leaf(*value)?,
    })
}

/// Accepts enveloped-signature, optionally followed by one canonicalization.
///
/// Without the second the default of XML Signature 4.4.3.2 applies, which is inclusive.
fn read_transforms(transforms: Node<'_, '_>) -> Result<Canonicalization, SamlError> {
    let children: Vec<_> = transforms.children().collect();
    if !children.iter().all(|child| child.is(names::DS, "Transform")) {
        return Err(SamlError::SignatureMalformed);
    }
    for child in &children {
        let uri = child.need_attr("Algorithm")?;
        if uri != names::ENVELOPED && !Canonicalization::is_allowed(uri) {
            return Err(SamlError::TransformRefused { uri: Quote::new(uri) });
        }
    }
    let (first, second) = match children.as_slice() {
        [first] => (first, None),
        [first, second] => (first, Some(second)),
        _ => return Err(SamlError::SignatureMalformed),
    };
    let uri = first.need_attr("Algorithm")?;
    if uri != names::ENVELOPED || first.children().next().is_some() {
        return Err(SamlError::TransformRefused { uri: Quote::new(uri) });
    }
    match second {
        None => Ok(Canonicalization::Inclusive),
        Some(second) if second.attr("Algorithm") == Some(names::ENVELOPED) => {
            Err(SamlError::SignatureMalformed)
        }
        Some(second) => Canonicalization::read(*second),
    }
}

/// Decodes base64 from a leaf that holds text only.
fn decode_leaf(node: Node<'_, '_>) -> Result<Vec<u8>, SamlError> {
    let text = node.text().map_err(|_| SamlError::SignatureMalformed)?;
    wire::base64_decode(text.as_bytes()).map_err(|_| SamlError::SignatureMalformed)
}
