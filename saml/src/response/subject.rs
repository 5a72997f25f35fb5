//! Subject and its bearer confirmation (SAML profiles 4.1.4.2).

use jiff::Timestamp;

use super::read::read_name_id;
use super::{Expected, NameId, Trust, conditions};
use crate::error::{Quote, SamlError};
use crate::time;
use crate::xml::{Dialect, Node, Tree, names};
use crate::xmlenc::{self, DecryptionPolicy};

/// The subject and the end of its confirmation.
pub(super) struct Subject {
    pub(super) name_id: NameId,
    pub(super) confirmed_until: Timestamp,
}

/// Reads the NameID and finds a bearer confirmation that holds.
pub(super) fn check(
    assertion: Node<'_, '_>,
    trust: &Trust<'_>,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<Subject, SamlError> {
    let subject = assertion
        .child(names::SAML, "Subject")?
        .ok_or(SamlError::NameIdMissing)?;
    let plain = subject.child(names::SAML, "NameID")?;
    let encrypted = subject.child(names::SAML, "EncryptedID")?;
    let name_id = match (plain, encrypted) {
        (Some(node), None) => read_name_id(node)?,
        (None, Some(wrapper)) => open_name_id(wrapper, trust)?,
        (None, None) => return Err(SamlError::NameIdMissing),
        (Some(_), Some(second)) => {
            return Err(SamlError::ElementRepeated {
                name: second.quoted_name(),
            });
        }
    };
    let mut failure = SamlError::BearerMissing;
    for confirmation in subject.children_named(names::SAML, "SubjectConfirmation") {
        if confirmation.attr("Method") != Some(names::BEARER) {
            continue;
        }
        match check_bearer(confirmation, expected, now) {
            Ok(confirmed_until) => {
                return Ok(Subject {
                    name_id,
                    confirmed_until,
                });
            }
            Err(error) if failure == SamlError::BearerMissing => failure = error,
            Err(_) => {}
        }
    }
    Err(failure)
}

/// Opens an EncryptedID. The caller has verified the signature over the assertion around it, so the
/// ciphertext is signed.
pub(crate) fn open_name_id(wrapper: Node<'_, '_>, trust: &Trust<'_>) -> Result<NameId, SamlError> {
    let policy = DecryptionPolicy {
        keys: trust.decryption_keys,
        allow_cbc: trust.allow_cbc,
        ciphertext_signed: true,
    };
    let plain = xmlenc::open(wrapper, &policy)?;
    let tree = Tree::parse(plain.as_str(), &trust.limits, Dialect::Message)?;
    if !tree.root().is(names::SAML, "NameID") {
        return Err(SamlError::DecryptedUnexpected);
    }
    read_name_id(tree.root())
}

/// Checks one bearer confirmation and returns its end.
fn check_bearer(
    confirmation: Node<'_, '_>,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<Timestamp, SamlError> {
    let data = confirmation
        .child(names::SAML, "SubjectConfirmationData")?
        .ok_or(SamlError::RecipientMissing)?;
    let recipient = data.attr("Recipient").ok_or(SamlError::RecipientMissing)?;
    if recipient != expected.acs_url {
        return Err(SamlError::RecipientMismatch {
            expected: Quote::new(expected.acs_url),
            found: Quote::new(recipient),
        });
    }
    // The profile forbids NotBefore here; some senders write it, so it is honored rather than ignored.
    if let Some(not_before) = data.attr("NotBefore") {
        conditions::check_not_before(not_before, expected, now)?;
    }
    let end = time::parse(
        data.attr("NotOnOrAfter")
            .ok_or(SamlError::ConfirmationUnbounded)?,
    )?;
    if now >= time::later(end, expected.skew()) {
        return Err(SamlError::ConfirmationExpired);
    }
    match (expected.in_response_to, data.attr("InResponseTo")) {
        (Some(wanted), Some(found)) if wanted == found => Ok(end),
        (None, None) => Ok(end),
        (Some(_), _) | (None, Some(_)) => Err(SamlError::InResponseToMismatch),
    }
}
