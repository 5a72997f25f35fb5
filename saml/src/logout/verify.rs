//! Verifies received logout messages with the same strictness as a sign-in.

use jiff::{SignedDuration, Timestamp};

use crate::dsig::{signature_child, verify_enveloped};
use crate::error::SamlError;
use crate::key::{SignatureAlgorithm, verify_with_any};
use crate::response::{
    CLOCK_SKEW_DEFAULT, CLOCK_SKEW_MAX, LIFETIME_MAX, NameId, Trust, check_destination, check_issuer,
    open_name_id, read_name_id, read_status,
};
use crate::wire::RedirectQuery;
use crate::xml::{Dialect, Node, Tree, names};
use crate::{time, wire};

/// A logout message as it arrived.
#[derive(Debug, Clone, Copy)]
pub enum Received<'m> {
    /// The raw query string, undecoded and without the question mark: the signature covers these octets.
    Redirect(&'m str),
    /// The value of the `SAMLRequest` or `SAMLResponse` form field.
    Post(&'m [u8]),
}

/// What a logout message has to say.
#[derive(Debug, Clone, Copy)]
pub struct LogoutExpected<'e> {
    /// Our logout address: Destination, compared exactly.
    pub slo_url: &'e str,
    /// Tolerated difference of clocks; capped like that of a sign-in.
    pub clock_skew: SignedDuration,
}

impl<'e> LogoutExpected<'e> {
    /// Expects a message to `slo_url` with the default skew.
    pub fn new(slo_url: &'e str) -> Self {
        Self {
            slo_url,
            clock_skew: CLOCK_SKEW_DEFAULT,
        }
    }

    fn skew(&self) -> SignedDuration {
        self.clock_skew.clamp(SignedDuration::ZERO, CLOCK_SKEW_MAX)
    }
}

/// A logout request whose signature and addressing held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedLogoutRequest {
    id: String,
    name_id: NameId,
    session_indexes: Vec<String>,
    relay_state: Option<String>,
    valid_until: Timestamp,
}

impl VerifiedLogoutRequest {
    /// Returns the request's ID, to be quoted in the answer and kept against replay.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the subject, exactly as signed.
    pub fn name_id(&self) -> &NameId {
        &self.name_id
    }

    /// Returns the sessions to end; empty means all of the subject.
    pub fn session_indexes(&self) -> &[String] {
        &self.session_indexes
    }

    /// Returns the relay state to be echoed, as signed. By POST it is an unsigned form field that the caller has.
    pub fn relay_state(&self) -> Option<&str> {
        self.relay_state.as_deref()
    }

    /// Returns until when the ID must be remembered against replay.
    pub fn replay_until(&self) -> Timestamp {
        self.valid_until
    }
}

/// A logout response whose signature and addressing held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedLogoutResponse {
    in_response_to: String,
    success: bool,
    partial: bool,
}

impl VerifiedLogoutResponse {
    /// Returns the ID of our request.
    pub fn in_response_to(&self) -> &str {
        &self.in_response_to
    }

    /// Whether the other side reports that its session is over.
    pub fn is_success(&self) -> bool {
        self.success
    }

    /// Whether some other session participant was not reached.
    pub fn is_partial(&self) -> bool {
        self.partial
    }
}

/// Verifies a LogoutRequest.
///
/// # Errors
/// One [`SamlError`] per failed check. An unsigned message is always refused.
pub fn verify_logout_request(
    received: Received<'_>,
    trust: &Trust<'_>,
    expected: &LogoutExpected<'_>,
    now: Timestamp,
) -> Result<VerifiedLogoutRequest, SamlError> {
    let proven = prove(received, "LogoutRequest", trust)?;
    let tree = Tree::parse(&proven.text, &trust.limits, Dialect::Message)?;
    let message = tree.root();
    let issued = check_head(message, trust, expected, now)?;
    let cap = time::later(issued, LIFETIME_MAX);
    let end = message.attr("NotOnOrAfter").map(time::parse).transpose()?;
    if end.is_some_and(|end| now >= time::later(end, expected.skew())) {
        return Err(SamlError::Expired);
    }
    let plain = message.child(names::SAML, "NameID")?;
    let encrypted = message.child(names::SAML, "EncryptedID")?;
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
    let mut session_indexes = Vec::new();
    for index in message.children_named(names::SAMLP, "SessionIndex") {
        session_indexes.push(index.text()?.into_owned());
    }
    let valid_until = time::later(end.map_or(cap, |end| end.min(cap)), expected.skew());
    Ok(VerifiedLogoutRequest {
        id: message.need_id()?.to_owned(),
        name_id,
        session_indexes,
        relay_state: proven.relay_state,
        valid_until,
    })
}

/// Verifies the LogoutResponse to our request `in_response_to`.
///
/// # Errors
/// One [`SamlError`] per failed check. A failure status is no error: it is reported in the value.
pub fn verify_logout_response(
    received: Received<'_>,
    trust: &Trust<'_>,
    expected: &LogoutExpected<'_>,
    in_response_to: &str,
    now: Timestamp,
) -> Result<VerifiedLogoutResponse, SamlError> {
    let proven = prove(received, "LogoutResponse", trust)?;
    let tree = Tree::parse(&proven.text, &trust.limits, Dialect::Message)?;
    let message = tree.root();
    check_head(message, trust, expected, now)?;
    if message.attr("InResponseTo") != Some(in_response_to) {
        return Err(SamlError::InResponseToMismatch);
    }
    let status = read_status(message)?;
    Ok(VerifiedLogoutResponse {
        in_response_to: in_response_to.to_owned(),
        success: status.is_success(),
        partial: status.is_partial_logout(),
    })
}

/// What a signature was found to cover.
struct Proven {
    text: String,
    relay_state: Option<String>,
}

/// Verifies the signature and returns the text it covers: canonical bytes for POST, the inflated message for
/// redirect, where the signature is over the query.
fn prove(received: Received<'_>, name: &'static str, trust: &Trust<'_>) -> Result<Proven, SamlError> {
    match received {
        Received::Post(value) => {
            let text = wire::decode_post(value, trust.limits.max_bytes)?;
            let tree = Tree::parse(&text, &trust.limits, Dialect::Message)?;
            let root = tree.root();
            check_root(root, name)?;
            let signature = signature_child(root)?.ok_or(SamlError::SignatureMissing)?;
            refuse_other_signatures(root, signature)?;
            if trust.keys.is_empty() {
                return Err(SamlError::NoTrustedKey);
            }
            let text = verify_enveloped(root, signature, trust.keys, &trust.limits)?;
            Ok(Proven {
                text,
                relay_state: None,
            })
        }
        Received::Redirect(raw) => {
            let query = RedirectQuery::parse(raw, trust.limits.max_bytes)?;
            let (Some(algorithm), Some(signature)) = (&query.sig_alg, &query.signature) else {
                return Err(SamlError::SignatureMissing);
            };
            let algorithm = SignatureAlgorithm::from_uri(algorithm)?;
            verify_with_any(trust.keys, algorithm, query.signed_octets().as_bytes(), signature)?;
            wire::check_relay_state(query.relay_state.as_deref(), wire::RELAY_STATE_ECHO_MAX)?;
            let text = wire::inflate(&query.deflated, trust.limits.max_bytes)?;
            let tree = Tree::parse(&text, &trust.limits, Dialect::Message)?;
            check_root(tree.root(), name)?;
            if query.is_response != (name == "LogoutResponse") {
                return Err(SamlError::RootUnexpected {
                    found: tree.root().quoted_name(),
                });
            }
            Ok(Proven {
                text: text.clone(),
                relay_state: query.relay_state,
            })
        }
    }
}

fn check_root(root: Node<'_, '_>, name: &str) -> Result<(), SamlError> {
    if root.is(names::SAMLP, name) {
        Ok(())
    } else {
        Err(SamlError::RootUnexpected {
            found: root.quoted_name(),
        })
    }
}

/// A logout message carries exactly one signature, directly under its root and right behind the issuer.
fn refuse_other_signatures(root: Node<'_, '_>, signature: Node<'_, '_>) -> Result<(), SamlError> {
    let second = root
        .with_descendants()
        .into_iter()
        .any(|n| n.is(names::DS, "Signature") && !n.same(signature));
    let mut before = root.children().take_while(|child| !child.same(signature));
    if second || !before.all(|child| child.is(names::SAML, "Issuer")) {
        return Err(SamlError::SignatureMisplaced);
    }
    Ok(())
}

/// Checks what both messages share and returns the IssueInstant.
fn check_head(
    message: Node<'_, '_>,
    trust: &Trust<'_>,
    expected: &LogoutExpected<'_>,
    now: Timestamp,
) -> Result<Timestamp, SamlError> {
    message.need_id()?;
    if message.attr("Version") != Some("2.0") {
        return Err(SamlError::Version);
    }
    check_destination(message, true, expected.slo_url)?;
    let issuer = message
        .child(names::SAML, "Issuer")?
        .ok_or(SamlError::IssuerMissing)?;
    check_issuer(issuer, trust.idp_entity_id)?;
    let issue_instant = time::parse(message.need_attr("IssueInstant")?)?;
    if issue_instant > time::later(now, expected.skew()) {
        return Err(SamlError::IssuedInFuture);
    }
    if now >= time::later(time::later(issue_instant, LIFETIME_MAX), expected.skew()) {
        return Err(SamlError::TooOld);
    }
    Ok(issue_instant)
}
