//! The verified assertion: a value that only this module can make, from signed canonical bytes only.

use std::collections::HashMap;

use jiff::Timestamp;

use super::{Expected, Trust, check_issuer, conditions, subject};
use crate::error::SamlError;
use crate::time;
use crate::xml::{Dialect, Node, Tree, names};
use crate::xmlenc::{self, DecryptionPolicy};

/// Most EncryptedAttribute elements opened: each costs private-key operations.
const MAX_ENCRYPTED_ATTRIBUTES: usize = 16;

/// A subject identifier, exactly as signed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NameId {
    /// The identifier, byte for byte.
    pub value: String,
    /// The format, `None` when unspecified.
    pub format: Option<String>,
    /// The namespace of the identifier, usually the identity provider.
    pub name_qualifier: Option<String>,
    /// The service provider the identifier was made for.
    pub sp_name_qualifier: Option<String>,
}

/// One attribute with all its values in document order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// The `Name`, exactly.
    pub name: String,
    /// The `NameFormat`, if given.
    pub name_format: Option<String>,
    /// The `FriendlyName`, if given; never used to find an attribute.
    pub friendly_name: Option<String>,
    /// The values as text.
    pub values: Vec<String>,
}

/// Proof that an identity provider signed a person in for this service, now.
///
/// Cannot be built outside this crate; everything in it was read from digested bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedAssertion {
    issuer: String,
    assertion_id: String,
    response_id: String,
    in_response_to: Option<String>,
    name_id: NameId,
    session_index: Option<String>,
    session_not_on_or_after: Option<Timestamp>,
    authn_instant: Timestamp,
    authn_context: Option<String>,
    issue_instant: Timestamp,
    not_on_or_after: Timestamp,
    replay_until: Timestamp,
    attributes: Vec<Attribute>,
    response_signed: bool,
    assertion_signed: bool,
    encrypted: bool,
}

impl VerifiedAssertion {
    /// Returns the identity provider's entity ID.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Returns the assertion's ID: with the issuer, the key of the replay row.
    pub fn assertion_id(&self) -> &str {
        &self.assertion_id
    }

    /// Returns the ID of the response that carried it.
    pub fn response_id(&self) -> &str {
        &self.response_id
    }

    /// Returns the ID of the request it answers, `None` when unsolicited.
    pub fn in_response_to(&self) -> Option<&str> {
        self.in_response_to.as_deref()
    }

    /// Returns the subject, exactly as signed.
    pub fn name_id(&self) -> &NameId {
        &self.name_id
    }

    /// Returns the session index at the identity provider, for single logout.
    pub fn session_index(&self) -> Option<&str> {
        self.session_index.as_deref()
    }

    /// Returns the moment at which our session must end at the latest.
    pub fn session_not_on_or_after(&self) -> Option<Timestamp> {
        self.session_not_on_or_after
    }

    /// Returns when the person authenticated.
    pub fn authn_instant(&self) -> Timestamp {
        self.authn_instant
    }

    /// Returns the authentication context class.
    pub fn authn_context(&self) -> Option<&str> {
        self.authn_context.as_deref()
    }

    /// Returns when the assertion was issued.
    pub fn issue_instant(&self) -> Timestamp {
        self.issue_instant
    }

    /// Returns the end of acceptance: the earliest of all windows and of our own lifetime cap.
    pub fn not_on_or_after(&self) -> Timestamp {
        self.not_on_or_after
    }

    /// Returns until when the replay row must be kept: the end of acceptance plus the clock skew.
    pub fn replay_until(&self) -> Timestamp {
        self.replay_until
    }

    /// Returns the attributes in document order; a name occurs once.
    pub fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    /// Returns the values of the attribute with exactly this name.
    pub fn attribute(&self, name: &str) -> Option<&[String]> {
        self.attributes
            .iter()
            .find(|a| a.name == name)
            .map(|a| a.values.as_slice())
    }

    /// Whether the Response was signed.
    pub fn response_signed(&self) -> bool {
        self.response_signed
    }

    /// Whether the assertion itself was signed.
    pub fn assertion_signed(&self) -> bool {
        self.assertion_signed
    }

    /// Whether the assertion came encrypted.
    pub fn encrypted(&self) -> bool {
        self.encrypted
    }
}

/// How the assertion arrived.
pub(super) struct Origin {
    pub(super) response_id: String,
    pub(super) response_signed: bool,
    pub(super) assertion_signed: bool,
    pub(super) encrypted: bool,
}

/// Reads and checks an assertion whose bytes were proven.
pub(super) fn read(
    assertion: Node<'_, '_>,
    origin: Origin,
    trust: &Trust<'_>,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<VerifiedAssertion, SamlError> {
    let assertion_id = assertion.need_id()?.to_owned();
    if assertion.attr("Version") != Some("2.0") {
        return Err(SamlError::Version);
    }
    let issuer = assertion
        .child(names::SAML, "Issuer")?
        .ok_or(SamlError::IssuerMissing)?;
    check_issuer(issuer, trust.idp_entity_id)?;
    let issue_instant = time::parse(assertion.need_attr("IssueInstant")?)?;
    if issue_instant > time::later(now, expected.skew()) {
        return Err(SamlError::IssuedInFuture);
    }
    let conditions_end = conditions::check(assertion, expected, now)?;
    let subject = subject::check(assertion, trust, expected, now)?;
    let authentication = conditions::read_authentication(assertion, expected, now)?;

    // Some providers give an hour. Accepting only the first minutes keeps the replay table small.
    let cap = time::later(issue_instant, expected.lifetime());
    if now >= time::later(cap, expected.skew()) {
        return Err(SamlError::TooOld);
    }
    let not_on_or_after = conditions_end
        .into_iter()
        .fold(cap.min(subject.confirmed_until), Timestamp::min);
    Ok(VerifiedAssertion {
        issuer: trust.idp_entity_id.to_owned(),
        assertion_id,
        response_id: origin.response_id,
        in_response_to: expected.in_response_to.map(str::to_owned),
        name_id: subject.name_id,
        session_index: authentication.session_index,
        session_not_on_or_after: authentication.session_end,
        authn_instant: authentication.instant,
        authn_context: authentication.context,
        issue_instant,
        not_on_or_after,
        replay_until: time::later(not_on_or_after, expected.skew()),
        attributes: read_attributes(assertion, trust)?,
        response_signed: origin.response_signed,
        assertion_signed: origin.assertion_signed,
        encrypted: origin.encrypted,
    })
}

/// Collects the attributes of all AttributeStatements; values of one name are put together.
pub(super) fn read_attributes(
    assertion: Node<'_, '_>,
    trust: &Trust<'_>,
) -> Result<Vec<Attribute>, SamlError> {
    let mut all: Vec<Attribute> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut opened = 0usize;
    for statement in assertion.children_named(names::SAML, "AttributeStatement") {
        for child in statement.children() {
            let attribute = match (child.namespace(), child.local()) {
                (names::SAML, "Attribute") => read_attribute(child)?,
                (names::SAML, "EncryptedAttribute") if opened < MAX_ENCRYPTED_ATTRIBUTES => {
                    opened += 1;
                    open_attribute(child, trust)?
                }
                (names::SAML, "EncryptedAttribute") => return Err(SamlError::EncryptionMalformed),
                _ => {
                    return Err(SamlError::ElementUnexpected {
                        name: child.quoted_name(),
                    });
                }
            };
            let known = places.get(&attribute.name).and_then(|place| all.get_mut(*place));
            if let Some(known) = known {
                known.values.extend(attribute.values);
            } else {
                places.insert(attribute.name.clone(), all.len());
                all.push(attribute);
            }
        }
    }
    Ok(all)
}

fn read_attribute(node: Node<'_, '_>) -> Result<Attribute, SamlError> {
    let mut values = Vec::new();
    for value in node.children_named(names::SAML, "AttributeValue") {
        values.extend(read_value(value)?);
    }
    let owned = |name| node.attr(name).map(str::to_owned);
    Ok(Attribute {
        name: node.need_attr("Name")?.to_owned(),
        name_format: owned("NameFormat"),
        friendly_name: owned("FriendlyName"),
        values,
    })
}

/// Reads one value: text, or the text of a nested NameID (eduPersonTargetedID). Null and other structured
/// values have no text form and are left out.
fn read_value(value: Node<'_, '_>) -> Result<Option<String>, SamlError> {
    if matches!(value.attr_ns(names::XSI, "nil"), Some("true" | "1")) {
        return Ok(None);
    }
    let mut children = value.children();
    match (children.next(), children.next()) {
        (None, _) => Ok(Some(value.text()?.into_owned())),
        (Some(only), None) if only.is(names::SAML, "NameID") => Ok(Some(only.text()?.into_owned())),
        (Some(_), _) => Ok(None),
    }
}

/// Opens an EncryptedAttribute inside the signed assertion.
fn open_attribute(wrapper: Node<'_, '_>, trust: &Trust<'_>) -> Result<Attribute, SamlError> {
    let policy = DecryptionPolicy {
        keys: trust.decryption_keys,
        allow_cbc: trust.allow_cbc,
        ciphertext_signed: true,
    };
    let plain = xmlenc::open(wrapper, &policy)?;
    let tree = Tree::parse(plain.as_str(), &trust.limits, Dialect::Message)?;
    if !tree.root().is(names::SAML, "Attribute") {
        return Err(SamlError::DecryptedUnexpected);
    }
    read_attribute(tree.root())
}
