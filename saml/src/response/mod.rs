//! Verifies a SAML Response and gives back a [`VerifiedAssertion`], the only proof of a sign-in.
//!
//! Owns the order of checks (SAML profiles 4.1.4.3 and core 5). Trust, expectations and the moment are
//! handed in. Never reads the clock, never remembers: the caller keeps the replay row until
//! [`VerifiedAssertion::replay_until`].

mod assertion;
mod conditions;
mod read;
mod structure;
mod subject;
mod unverified;

pub use assertion::{Attribute, NameId, VerifiedAssertion};
pub use unverified::{UnverifiedAssertion, read_unverified};

pub(crate) use read::{read_name_id, read_status};
pub(crate) use subject::open_name_id;

use jiff::{SignedDuration, Timestamp};

use crate::dsig::verify_enveloped;
use crate::error::{Quote, SamlError};
use crate::key::{DecryptionKey, VerifyingKey};
use crate::limits::Limits;
use crate::xml::{Dialect, Node, Tree, names};
use crate::xmlenc::{self, DecryptionPolicy};
use crate::{time, wire};

/// Largest clock skew honored, whatever is configured.
pub const CLOCK_SKEW_MAX: SignedDuration = SignedDuration::from_mins(5);
/// Clock skew unless configured otherwise.
pub const CLOCK_SKEW_DEFAULT: SignedDuration = SignedDuration::from_secs(60);
/// Longest life of an assertion from its IssueInstant, whatever it says itself.
pub const LIFETIME_MAX: SignedDuration = SignedDuration::from_mins(15);

/// Whom this connection trusts. Chosen by the address that was called, never by the message.
#[derive(Debug, Clone, Copy)]
pub struct Trust<'t> {
    /// Entity ID of the identity provider; compared exactly.
    pub idp_entity_id: &'t str,
    /// Signing keys of this identity provider; empty means that nothing is accepted.
    pub keys: &'t [VerifyingKey],
    /// Our keys for encrypted assertions; empty when none were published.
    pub decryption_keys: &'t [DecryptionKey],
    /// Accepts AES-CBC, and then only inside a signed Response.
    pub allow_cbc: bool,
    /// Size limits.
    pub limits: Limits,
}

/// What a response has to say to be the answer to this sign-in.
#[derive(Debug, Clone)]
pub struct Expected<'e> {
    /// Our assertion consumer address: Destination and Recipient, compared exactly.
    pub acs_url: &'e str,
    /// Our entity ID: the audience, compared exactly.
    pub sp_entity_id: &'e str,
    /// ID of the pending AuthnRequest of this browser; `None` when there is none.
    pub in_response_to: Option<&'e str>,
    /// Accepts a response to no request. Only read when `in_response_to` is `None`.
    pub allow_unsolicited: bool,
    /// Tolerated difference of clocks; capped at [`CLOCK_SKEW_MAX`], negative values count as zero.
    pub clock_skew: SignedDuration,
    /// Longest life of an assertion from its IssueInstant; capped at [`LIFETIME_MAX`].
    pub max_lifetime: SignedDuration,
    /// The person must have authenticated at or after this moment (after ForceAuthn).
    pub authenticated_after: Option<Timestamp>,
    /// Accepted authentication context classes; empty accepts all.
    pub authn_contexts: &'e [String],
}

impl<'e> Expected<'e> {
    /// Expects an answer to the request `in_response_to`, with the default skew and lifetime.
    pub fn new(acs_url: &'e str, sp_entity_id: &'e str, in_response_to: Option<&'e str>) -> Self {
        Self {
            acs_url,
            sp_entity_id,
            in_response_to,
            allow_unsolicited: false,
            clock_skew: CLOCK_SKEW_DEFAULT,
            max_lifetime: LIFETIME_MAX,
            authenticated_after: None,
            authn_contexts: &[],
        }
    }

    /// Returns the skew within its bounds.
    fn skew(&self) -> SignedDuration {
        self.clock_skew.clamp(SignedDuration::ZERO, CLOCK_SKEW_MAX)
    }

    /// Returns the accepted lifetime within its bounds.
    fn lifetime(&self) -> SignedDuration {
        self.max_lifetime.clamp(SignedDuration::ZERO, LIFETIME_MAX)
    }
}

/// Verifies the value of a `SAMLResponse` form field.
///
/// # Errors
/// One [`SamlError`] per failed check; nothing of a refused message is returned.
pub fn verify(
    form_value: &[u8],
    trust: &Trust<'_>,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<VerifiedAssertion, SamlError> {
    let text = wire::decode_post(form_value, trust.limits.max_bytes)?;
    let tree = Tree::parse(&text, &trust.limits, Dialect::Message)?;
    let response = structure::check_response(tree.root())?;
    let is_signed = response.response_signature.is_some();

    // An honest error status may be unsigned. It can only lead to a refusal.
    read_status(tree.root())?.need_success()?;
    if trust.keys.is_empty() {
        return Err(SamlError::NoTrustedKey);
    }
    let canonical = match response.response_signature {
        Some(signature) => Some(verify_enveloped(
            tree.root(),
            signature,
            trust.keys,
            &trust.limits,
        )?),
        None => None,
    };
    // From here on a signed Response is read only from the bytes that were digested.
    let signed_tree = match &canonical {
        Some(text) => Some(Tree::parse(text, &trust.limits, Dialect::Message)?),
        None => None,
    };
    let envelope = signed_tree.as_ref().unwrap_or(&tree).root();
    let payload = structure::find_payload(envelope)?;
    let head = check_envelope(envelope, is_signed, payload.is_encrypted(), trust, expected, now)?;

    let proof = match (payload, structure::find_payload(tree.root())?) {
        (structure::Payload::Encrypted(wrapper), _) => prove_encrypted(wrapper, is_signed, trust)?,
        (structure::Payload::Plain(_), structure::Payload::Plain(original)) => {
            prove_plain(original, canonical.as_deref(), trust)?
        }
        (structure::Payload::Plain(_), structure::Payload::Encrypted(_)) => {
            return Err(SamlError::AssertionMissing);
        }
    };
    let proven_tree = Tree::parse(&proof.canonical, &trust.limits, Dialect::Message)?;
    let assertion = find_assertion(proven_tree.root())?;
    let origin = assertion::Origin {
        response_id: head.response_id,
        response_signed: is_signed,
        assertion_signed: proof.assertion_signed,
        encrypted: proof.encrypted,
    };
    assertion::read(assertion, origin, trust, expected, now)
}

/// Reads the `InResponseTo` of a response WITHOUT verifying anything.
///
/// Only good for finding the pending request when no cookie did; the verified value is compared later.
///
/// # Errors
/// Envelope, XML and root errors.
pub fn unverified_in_response_to(form_value: &[u8], limits: &Limits) -> Result<Option<String>, SamlError> {
    let text = wire::decode_post(form_value, limits.max_bytes)?;
    let tree = Tree::parse(&text, limits, Dialect::Message)?;
    let root = tree.root();
    if !root.is(names::SAMLP, "Response") {
        return Err(SamlError::RootUnexpected {
            found: root.quoted_name(),
        });
    }
    Ok(root.attr("InResponseTo").map(str::to_owned))
}

/// What was learned from the envelope.
struct Head {
    response_id: String,
}

/// Checks the attributes and the issuer of the Response element.
fn check_envelope(
    response: Node<'_, '_>,
    signed: bool,
    encrypted: bool,
    trust: &Trust<'_>,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<Head, SamlError> {
    let response_id = response.need_id()?.to_owned();
    if response.attr("Version") != Some("2.0") {
        return Err(SamlError::Version);
    }
    let issue_instant = time::parse(response.need_attr("IssueInstant")?)?;
    if issue_instant > time::later(now, expected.skew()) {
        return Err(SamlError::IssuedInFuture);
    }
    check_destination(response, signed, expected.acs_url)?;
    match response.child(names::SAML, "Issuer")? {
        Some(issuer) => check_issuer(issuer, trust.idp_entity_id)?,
        // SAML profiles 4.1.4.2 allows its absence only when nothing is signed or encrypted at this level.
        None if signed || encrypted => return Err(SamlError::IssuerMissing),
        None => {}
    }
    match (expected.in_response_to, response.attr("InResponseTo")) {
        (Some(wanted), Some(found)) if wanted == found => {}
        (None, None) if expected.allow_unsolicited => {}
        (None, None) => return Err(SamlError::Unsolicited),
        (Some(_), _) | (None, Some(_)) => return Err(SamlError::InResponseToMismatch),
    }
    Ok(Head { response_id })
}

/// Destination must equal our address, and must be there on a signed message (SAML bindings 3.5.5.2).
pub(crate) fn check_destination(message: Node<'_, '_>, signed: bool, our_url: &str) -> Result<(), SamlError> {
    match message.attr("Destination") {
        Some(found) if found == our_url => Ok(()),
        Some(found) => Err(SamlError::DestinationMismatch {
            expected: Quote::new(our_url),
            found: Quote::new(found),
        }),
        None if signed => Err(SamlError::DestinationMissing),
        None => Ok(()),
    }
}

/// Issuer must be the identity provider of this connection, byte for byte.
pub(crate) fn check_issuer(issuer: Node<'_, '_>, entity_id: &str) -> Result<(), SamlError> {
    let found = issuer.text()?;
    let format = issuer.attr("Format");
    let is_entity = format.is_none_or(|f| f == "urn:oasis:names:tc:SAML:2.0:nameid-format:entity");
    if found == entity_id && is_entity {
        return Ok(());
    }
    Err(SamlError::IssuerMismatch {
        expected: Quote::new(entity_id),
        found: Quote::new(&found),
    })
}

/// The canonical, signed bytes that hold the assertion.
struct Proof {
    canonical: String,
    assertion_signed: bool,
    encrypted: bool,
}

/// Finds the assertion in the parsed canonical bytes: the root, or the payload of the signed Response.
fn find_assertion<'t, 'a>(root: Node<'t, 'a>) -> Result<Node<'t, 'a>, SamlError> {
    if root.is(names::SAML, "Assertion") {
        return Ok(root);
    }
    match structure::find_payload(root)? {
        structure::Payload::Plain(assertion) => Ok(assertion),
        structure::Payload::Encrypted(_) => Err(SamlError::AssertionMissing),
    }
}

/// Proves a plain assertion: by its own signature, by the Response's, or by both, which must then both hold.
fn prove_plain(
    assertion: Node<'_, '_>,
    signed_response: Option<&str>,
    trust: &Trust<'_>,
) -> Result<Proof, SamlError> {
    let own = match crate::dsig::signature_child(assertion)? {
        Some(signature) => Some(verify_enveloped(assertion, signature, trust.keys, &trust.limits)?),
        None => None,
    };
    let assertion_signed = own.is_some();
    let canonical = own
        .or_else(|| signed_response.map(str::to_owned))
        .ok_or(SamlError::SignatureMissing)?;
    Ok(Proof {
        canonical,
        assertion_signed,
        encrypted: false,
    })
}

/// Opens an encrypted assertion and proves it: by the signature inside, or by the Response's over the
/// ciphertext. Encryption alone proves nothing, because our encryption certificate is public
/// (CVE-2026-2092).
fn prove_encrypted(
    wrapper: Node<'_, '_>,
    response_signed: bool,
    trust: &Trust<'_>,
) -> Result<Proof, SamlError> {
    let policy = DecryptionPolicy {
        keys: trust.decryption_keys,
        allow_cbc: trust.allow_cbc,
        ciphertext_signed: response_signed,
    };
    let plain = xmlenc::open(wrapper, &policy)?;
    let tree = Tree::parse(plain.as_str(), &trust.limits, Dialect::Message)?;
    let assertion = structure::check_decrypted(tree.root())?;
    match crate::dsig::signature_child(assertion)? {
        Some(signature) => {
            let canonical = verify_enveloped(assertion, signature, trust.keys, &trust.limits)?;
            Ok(Proof {
                canonical,
                assertion_signed: true,
                encrypted: true,
            })
        }
        None if response_signed => Ok(Proof {
            canonical: plain.to_string(),
            assertion_signed: false,
            encrypted: true,
        }),
        None => Err(SamlError::EncryptedUnsigned),
    }
}

#[cfg(test)]
mod tests;
