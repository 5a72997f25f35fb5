//! A verified SAML assertion as an identity that asks to sign in.

use std::collections::BTreeMap;

use provost_kernel::connection::{Connection, Protocol};
use provost_kernel::directory::Subject;
use provost_kernel::email::Email;
use provost_kernel::incoming::{AuthenticationContext, Incoming, Normalized, OneTimeProof};
use provost_saml::attributes::{self, FORMAT_TRANSIENT, FORMAT_UNSPECIFIED, NormalizedAttributes};
use provost_saml::response::{Attribute, NameId, VerifiedAssertion};
use serde_json::{Map, Value};

use super::mask::mask;

/// Why a verified assertion is no identity for this connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssertionError {
    /// A transient NameID changes with every sign-in: each would become a new person.
    #[error(
        "the NameID is transient: have the identity provider send a persistent one, or name an attribute for the subject"
    )]
    TransientSubject,
    /// The attribute that shall hold the subject is missing or has not exactly one value.
    #[error("the attribute {0} that holds the subject is missing or has not exactly one value")]
    SubjectAttribute(String),
}

impl AssertionError {
    /// Returns the stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TransientSubject => "claims_transient_subject",
            Self::SubjectAttribute(_) => "claims_subject_attribute",
        }
    }
}

/// Translates. `names` are the connection's own attribute names by field (`subject`, `email`, `given_name`,
/// `family_name`, `display_name`, `user_name`, `groups`, `account_id`, `permission_profile_id`).
///
/// # Errors
/// [`AssertionError`].
pub fn incoming(
    connection: &Connection,
    assertion: &VerifiedAssertion,
    names: &BTreeMap<String, String>,
) -> Result<Incoming, AssertionError> {
    Ok(Incoming {
        connection: connection.id.clone(),
        protocol: Protocol::Saml,
        subject: subject(assertion, names)?,
        normalized: normalized(
            connection,
            attributes::normalize(assertion),
            assertion.attributes(),
            names,
        ),
        claims: claims(assertion.attributes()),
        authentication: AuthenticationContext {
            at: Some(assertion.authn_instant()),
            methods: Vec::new(),
            class: assertion.authn_context().map(str::to_owned),
            upstream_session: assertion.session_index().map(str::to_owned),
            session_ends: assertion.session_not_on_or_after(),
        },
        proof: Some(OneTimeProof {
            issuer: assertion.issuer().to_owned(),
            id: assertion.assertion_id().to_owned(),
            until: assertion.replay_until(),
        }),
        chosen: None,
    })
}

fn subject(
    assertion: &VerifiedAssertion,
    names: &BTreeMap<String, String>,
) -> Result<Subject, AssertionError> {
    let issuer = assertion.issuer().to_owned();
    if let Some(name) = names.get("subject") {
        return match find(assertion.attributes(), name).map(|found| found.values.as_slice()) {
            Some([value]) if !value.is_empty() => Ok(Subject {
                issuer,
                format: format!("attribute:{name}"),
                value: value.clone(),
            }),
            Some(_) | None => Err(AssertionError::SubjectAttribute(name.clone())),
        };
    }
    let name_id = assertion.name_id();
    // An absent Format means "unspecified" (SAML core 2.2.2): the same person either way.
    let format = name_id.format.as_deref().unwrap_or(FORMAT_UNSPECIFIED);
    if format == FORMAT_TRANSIENT {
        return Err(AssertionError::TransientSubject);
    }
    Ok(Subject {
        issuer,
        format: format.to_owned(),
        value: name_id.value.clone(),
    })
}

/// Reads claims that somebody pasted as the attributes of an assertion, for a trial that admits nobody. The subject is
/// what `subject` or a claim `nameidentifier` says.
pub fn pasted(
    connection: &Connection,
    issuer: &str,
    claims: &Map<String, Value>,
    subject: Option<&str>,
    names: &BTreeMap<String, String>,
) -> Incoming {
    let list: Vec<Attribute> = claims
        .iter()
        .map(|(name, value)| Attribute {
            name: name.clone(),
            name_format: None,
            friendly_name: None,
            values: texts(value),
        })
        .collect();
    let stated = ["nameidentifier", "NameID", "subject"]
        .into_iter()
        .find_map(|name| first(&find(&list, name)?.values));
    let name_id = NameId {
        value: subject.map(str::to_owned).or(stated).unwrap_or_default(),
        format: None,
        name_qualifier: None,
        sp_name_qualifier: None,
    };
    let known = attributes::normalize_parts(&name_id, &list);
    Incoming {
        connection: connection.id.clone(),
        protocol: Protocol::Saml,
        subject: Subject {
            issuer: issuer.to_owned(),
            format: FORMAT_UNSPECIFIED.to_owned(),
            value: name_id.value,
        },
        normalized: normalized(connection, known, &list, names),
        claims: self::claims(&list),
        authentication: AuthenticationContext::default(),
        proof: None,
        chosen: None,
    }
}

/// Reads one value or a list of them as texts, as an assertion would carry them.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Null | Value::Object(_) => Vec::new(),
        Value::String(text) => vec![text.clone()],
        Value::Bool(_) | Value::Number(_) => vec![value.to_string()],
        Value::Array(entries) => entries.iter().flat_map(texts).collect(),
    }
}

fn normalized(
    connection: &Connection,
    known: NormalizedAttributes,
    list: &[Attribute],
    names: &BTreeMap<String, String>,
) -> Normalized {
    // A name that the administrator chose replaces the known names; nothing falls back behind her back.
    let field = |field: &str, known: Option<String>| match names.get(field) {
        Some(name) => find(list, name).and_then(|found| first(&found.values)),
        None => known,
    };
    let groups = match names.get("groups") {
        Some(name) => find(list, name)
            .map(|found| found.values.clone())
            .unwrap_or_default(),
        None => known.groups,
    };
    let email = field("email", known.email).and_then(|text| Email::parse(&text).ok());
    Normalized {
        // SAML has no word for "verified". The provider speaks for the domains that its organization has proved.
        email_verified: email.as_ref().is_some_and(|email| connection.serves(email)),
        email,
        groups_withheld: groups.is_empty() && known.group_overage,
        given_name: field("given_name", known.given_name),
        family_name: field("family_name", known.family_name),
        display_name: field("display_name", known.display_name),
        user_name: field("user_name", known.user_name),
        groups,
        account_id: field("account_id", known.account_id),
        permission_profile_id: field("permission_profile_id", known.permission_profile_id),
    }
}

/// Every attribute under its own name, as a list even when single, without secrets.
fn claims(list: &[Attribute]) -> Map<String, Value> {
    let mut claims = list
        .iter()
        .map(|attribute| (attribute.name.clone(), Value::from(attribute.values.clone())))
        .collect();
    mask(&mut claims);
    claims
}

/// Finds an attribute by the name that an administrator typed: exactly, else without regard to case.
fn find<'a>(list: &'a [Attribute], name: &str) -> Option<&'a Attribute> {
    let exact = list.iter().find(|attribute| attribute.name == name);
    exact.or_else(|| {
        list.iter()
            .find(|attribute| attribute.name.eq_ignore_ascii_case(name))
    })
}

fn first(values: &[String]) -> Option<String> {
    values
        .iter()
        .map(|value| value.trim())
        .find(|value| !value.is_empty())
        .map(str::to_owned)
}
