//! The whitelist of places: which element may stand where in a Response.
//!
//! Signature wrapping moves genuine signed elements to places that one half of a verifier looks at and the
//! other does not (Somorovsky et al. 2012). Here every Response, Assertion and Signature of the whole
//! document must stand at one absolute path, or nothing is read.

use crate::dsig::signature_child;
use crate::error::SamlError;
use crate::xml::{Node, names};

/// The Response's own signature, if it has one.
pub(super) struct ResponseParts<'t, 'a> {
    pub(super) response_signature: Option<Node<'t, 'a>>,
}

/// The one assertion.
#[derive(Clone, Copy)]
pub(super) enum Payload<'t, 'a> {
    /// A readable assertion.
    Plain(Node<'t, 'a>),
    /// An EncryptedAssertion.
    Encrypted(Node<'t, 'a>),
}

impl Payload<'_, '_> {
    /// Whether the assertion is encrypted.
    pub(super) fn is_encrypted(self) -> bool {
        matches!(self, Payload::Encrypted(_))
    }
}

/// Checks the whole message's structure.
pub(super) fn check_response<'t, 'a>(root: Node<'t, 'a>) -> Result<ResponseParts<'t, 'a>, SamlError> {
    if !root.is(names::SAMLP, "Response") {
        return Err(SamlError::RootUnexpected {
            found: root.quoted_name(),
        });
    }
    check_places(root)?;
    for child in root.children() {
        let known = match child.namespace() {
            names::SAML => matches!(child.local(), "Issuer" | "Assertion" | "EncryptedAssertion"),
            names::SAMLP => matches!(child.local(), "Status" | "Extensions"),
            names::DS => child.local() == "Signature",
            _ => false,
        };
        if !known {
            return Err(SamlError::ElementUnexpected {
                name: child.quoted_name(),
            });
        }
    }
    let response_signature = signature_child(root)?;
    check_signature_position(root, response_signature)?;
    if let Some(assertion) = root.children_named(names::SAML, "Assertion").next() {
        check_assertion(assertion)?;
    }
    Ok(ResponseParts { response_signature })
}

/// Returns the one assertion of a Response, plain or encrypted.
pub(super) fn find_payload<'t, 'a>(root: Node<'t, 'a>) -> Result<Payload<'t, 'a>, SamlError> {
    if !root.is(names::SAMLP, "Response") {
        return Err(SamlError::RootUnexpected {
            found: root.quoted_name(),
        });
    }
    let plain = root.children_named(names::SAML, "Assertion").map(Payload::Plain);
    let encrypted = root
        .children_named(names::SAML, "EncryptedAssertion")
        .map(Payload::Encrypted);
    let mut all = plain.chain(encrypted);
    match (all.next(), all.next()) {
        (Some(payload), None) => Ok(payload),
        (None, _) => Err(SamlError::AssertionMissing),
        (Some(_), Some(_)) => Err(SamlError::SeveralAssertions),
    }
}

/// Checks a document that came out of decryption: an Assertion and nothing hidden in it.
pub(super) fn check_decrypted<'t, 'a>(root: Node<'t, 'a>) -> Result<Node<'t, 'a>, SamlError> {
    if !root.is(names::SAML, "Assertion") {
        return Err(SamlError::DecryptedUnexpected);
    }
    check_places(root)?;
    check_assertion(root)?;
    Ok(root)
}

/// Requires every security-relevant element of the document to stand at its one place.
fn check_places(root: Node<'_, '_>) -> Result<(), SamlError> {
    for node in root.with_descendants() {
        let parent = node.parent();
        let under_root = parent.is_some_and(|p| p.same(root));
        match (node.namespace(), node.local()) {
            (names::SAMLP, "Response") if parent.is_some() => return Err(SamlError::ResponseMisplaced),
            (names::SAML, "Assertion" | "EncryptedAssertion") if parent.is_some() && !under_root => {
                return Err(SamlError::AssertionMisplaced);
            }
            (names::SAML, "Assertion") if under_root && !root.is(names::SAMLP, "Response") => {
                return Err(SamlError::AssertionMisplaced);
            }
            (names::DS, "Signature") => {
                let under_assertion = parent.is_some_and(|p| {
                    p.is(names::SAML, "Assertion") && p.parent().is_none_or(|above| above.same(root))
                });
                if !under_root && !under_assertion {
                    return Err(SamlError::SignatureMisplaced);
                }
            }
            (names::DS, "SignedInfo" | "SignatureValue")
                if !parent.is_some_and(|p| p.is(names::DS, "Signature")) =>
            {
                return Err(SamlError::SignatureMisplaced);
            }
            _ => {}
        }
    }
    Ok(())
}

/// Requires an Assertion's children to be those of the schema, with the signature right behind the issuer.
fn check_assertion(assertion: Node<'_, '_>) -> Result<(), SamlError> {
    for child in assertion.children() {
        let known = match child.namespace() {
            names::SAML => matches!(
                child.local(),
                "Issuer"
                    | "Subject"
                    | "Conditions"
                    | "Advice"
                    | "AuthnStatement"
                    | "AuthzDecisionStatement"
                    | "AttributeStatement"
            ),
            names::DS => child.local() == "Signature",
            _ => false,
        };
        if !known {
            return Err(SamlError::ElementUnexpected {
                name: child.quoted_name(),
            });
        }
    }
    check_signature_position(assertion, signature_child(assertion)?)
}

/// The schema puts Signature right behind Issuer, or first when there is none.
fn check_signature_position(element: Node<'_, '_>, signature: Option<Node<'_, '_>>) -> Result<(), SamlError> {
    let Some(signature) = signature else { return Ok(()) };
    let before = element.children().take_while(|child| !child.same(signature));
    if before.into_iter().all(|child| child.is(names::SAML, "Issuer")) {
        Ok(())
    } else {
        Err(SamlError::SignatureMisplaced)
    }
}
