//! Reads an AuthnRequest as an identity provider does.

use crate::dsig::{signature_child, verify_enveloped};
use crate::error::SamlError;
use crate::key::{SignatureAlgorithm, VerifyingKey, verify_with_any};
use crate::limits::Limits;
use crate::logout::Received;
use crate::wire::{self, RedirectQuery};
use crate::xml::{Dialect, Node, Tree, names};

/// A received AuthnRequest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedAuthnRequest {
    /// ID that the response must quote.
    pub id: String,
    /// Entity ID of the service provider.
    pub issuer: String,
    /// Where the response should go; the caller compares it with what it knows of the service provider.
    pub acs_url: Option<String>,
    /// The address the request was sent to.
    pub destination: Option<String>,
    /// Wanted NameID format.
    pub name_id_format: Option<String>,
    /// Whether a fresh sign-in is asked for.
    pub force_authn: bool,
    /// Whether interaction is forbidden.
    pub is_passive: bool,
    /// The NameID of the person expected, if hinted.
    pub login_hint: Option<String>,
    /// Relay state to be returned (redirect binding; for POST it is a form field of its own).
    pub relay_state: Option<String>,
    /// Whether a signature was there and held.
    pub signed: bool,
}

/// Reads an AuthnRequest. With `keys` its signature is demanded and verified; without, it is not looked at.
///
/// # Errors
/// One [`SamlError`] per failed check.
pub fn parse_authn_request(
    received: Received<'_>,
    keys: Option<&[VerifyingKey]>,
) -> Result<ReceivedAuthnRequest, SamlError> {
    let limits = Limits::MESSAGE;
    match received {
        Received::Redirect(raw) => {
            let query = RedirectQuery::parse(raw, limits.max_bytes)?;
            if let Some(keys) = keys {
                let (Some(algorithm), Some(signature)) = (&query.sig_alg, &query.signature) else {
                    return Err(SamlError::SignatureMissing);
                };
                let algorithm = SignatureAlgorithm::from_uri(algorithm)?;
                verify_with_any(keys, algorithm, query.signed_octets().as_bytes(), signature)?;
            }
            let text = wire::inflate(&query.deflated, limits.max_bytes)?;
            let tree = Tree::parse(&text, &limits, Dialect::Message)?;
            read(tree.root(), query.relay_state, keys.is_some())
        }
        Received::Post(value) => {
            let text = wire::decode_post(value, limits.max_bytes)?;
            let tree = Tree::parse(&text, &limits, Dialect::Message)?;
            let Some(keys) = keys else {
                return read(tree.root(), None, false);
            };
            let signature = signature_child(tree.root())?.ok_or(SamlError::SignatureMissing)?;
            let canonical = verify_enveloped(tree.root(), signature, keys, &limits)?;
            let proven = Tree::parse(&canonical, &limits, Dialect::Message)?;
            read(proven.root(), None, true)
        }
    }
}

fn read(
    root: Node<'_, '_>,
    relay_state: Option<String>,
    signed: bool,
) -> Result<ReceivedAuthnRequest, SamlError> {
    if !root.is(names::SAMLP, "AuthnRequest") {
        return Err(SamlError::RootUnexpected {
            found: root.quoted_name(),
        });
    }
    if root.attr("Version") != Some("2.0") {
        return Err(SamlError::Version);
    }
    let issuer = root
        .child(names::SAML, "Issuer")?
        .ok_or(SamlError::IssuerMissing)?;
    let policy = root.child(names::SAMLP, "NameIDPolicy")?;
    let subject = root.child(names::SAML, "Subject")?;
    let hint = subject
        .map(|s| s.child(names::SAML, "NameID"))
        .transpose()?
        .flatten();
    let is_true = |name| matches!(root.attr(name), Some("true" | "1"));
    Ok(ReceivedAuthnRequest {
        id: root.need_id()?.to_owned(),
        issuer: issuer.text()?.into_owned(),
        acs_url: root.attr("AssertionConsumerServiceURL").map(str::to_owned),
        destination: root.attr("Destination").map(str::to_owned),
        name_id_format: policy.and_then(|p| p.attr("Format")).map(str::to_owned),
        force_authn: is_true("ForceAuthn"),
        is_passive: is_true("IsPassive"),
        login_hint: hint
            .map(Node::text)
            .transpose()?
            .map(std::borrow::Cow::into_owned),
        relay_state,
        signed,
    })
}
