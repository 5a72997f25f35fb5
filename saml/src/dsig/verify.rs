//! Verifies the enveloped signature of one element and returns the bytes that were digested.

use aws_lc_rs::constant_time::verify_slices_are_equal;

use super::profile::{SignedInfo, read_signature, read_signed_info};
use crate::error::SamlError;
use crate::key::{VerifyingKey, verify_with_any};
use crate::limits::Limits;
use crate::xml::{Dialect, Node, Tree, names};

/// Returns the Signature directly under `element`, refusing a second one.
pub(crate) fn signature_child<'t, 'a>(element: Node<'t, 'a>) -> Result<Option<Node<'t, 'a>>, SamlError> {
    element
        .child(names::DS, "Signature")
        .map_err(|_| SamlError::SeveralSignatures)
}

/// Verifies `signature`, a child of `element`, and returns the canonical text of `element` without it.
///
/// Order of checks: value over SignedInfo, binding to the enclosing element, digest. The profile
/// is read again from the canonical SignedInfo after its signature held, so that the parser and the
/// canonicalizer cannot disagree about what was signed (GHSA-ww7x-3gxh-qm6r).
pub(crate) fn verify_enveloped(
    element: Node<'_, '_>,
    signature: Node<'_, '_>,
    keys: &[VerifyingKey],
    limits: &Limits,
) -> Result<String, SamlError> {
    let enclosing = signature.parent().ok_or(SamlError::SignatureMisplaced)?;
    if !enclosing.same(element) {
        return Err(SamlError::SignatureMisplaced);
    }
    let parts = read_signature(signature)?;
    let claimed = read_signed_info(parts.signed_info)?;
    let canonical_info = claimed.canonicalization.apply(parts.signed_info, None)?;
    verify_with_any(keys, claimed.algorithm, canonical_info.as_bytes(), &parts.value)?;

    let proven = reread(&canonical_info, limits)?;
    if proven != claimed {
        return Err(SamlError::SignatureMalformed);
    }
    // The reference is never looked up: it must name the element that is about to be digested and read.
    if element.need_id()? != proven.reference_id {
        return Err(SamlError::ReferenceMismatch);
    }
    let canonical = proven.transform.apply(element, Some(signature))?;
    let digest = proven.digest.digest(canonical.as_bytes());
    verify_slices_are_equal(digest.as_ref(), &proven.digest_value).map_err(|_| SamlError::DigestMismatch)?;
    Ok(canonical)
}

/// Reads the profile from the canonical SignedInfo.
fn reread(canonical_info: &str, limits: &Limits) -> Result<SignedInfo, SamlError> {
    let tree =
        Tree::parse(canonical_info, limits, Dialect::Message).map_err(|_| SamlError::SignatureMalformed)?;
    let root = tree.root();
    if !root.is(names::DS, "SignedInfo") {
        return Err(SamlError::SignatureMalformed);
    }
    read_signed_info(root)
}
