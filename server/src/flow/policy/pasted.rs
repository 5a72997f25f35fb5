//! What somebody pasted to try rules on: claims as JSON, or a SAML message. Nothing of it is believed: it is handed to the
//! [trial](super::trial), which writes nothing and signs nobody in.

use std::fmt;

use provost_kernel::connection::{Connection, Protocol};
use provost_kernel::directory::Authentication;
use provost_kernel::email::Email;
use provost_kernel::facts::AccountFacts;
use provost_kernel::id::{AccountId, OrganizationId};
use provost_saml::{Limits, SamlError, response};
use serde_json::{Map, Value};

use super::trial::Subject;
use crate::app::App;
use crate::error::Result;
use crate::flow::connection::{self, LiveProtocol};

/// What was read.
#[derive(Clone, Debug)]
pub struct Pasted {
    /// Whom to try.
    pub subject: Subject,
    /// Whether it came as a SAML message, whose signature nobody has checked.
    pub is_saml: bool,
    /// Who claims to have made it, if that is somebody else than the connection's identity provider.
    pub stranger: Option<String>,
}

/// Why it could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// Neither an object of JSON nor a SAML message.
    NoClaims,
    /// A SAML message for a connection that does not speak SAML.
    NoSaml,
    /// A SAML message that is refused.
    Saml(SamlError),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoClaims => formatter.write_str("This is neither an object of JSON nor a SAML message."),
            Self::NoSaml => {
                formatter.write_str("The identity provider of this connection does not speak SAML.")
            }
            Self::Saml(error) => write!(formatter, "{}: {error}.", error.code()),
        }
    }
}

/// Reads a SAML message that was pasted for a connection.
///
/// # Errors
/// [`Unreadable`], also for claims.
pub async fn message(app: &App, connection: &Connection, text: &str) -> Result<Pasted, Unreadable> {
    let pasted = of(app, connection, text).await?;
    if pasted.is_saml {
        Ok(pasted)
    } else {
        Err(Unreadable::Saml(SamlError::Base64))
    }
}

/// Reads what was pasted for a connection, beside what its identity provider is called.
///
/// # Errors
/// [`Unreadable`].
pub async fn of(app: &App, connection: &Connection, text: &str) -> Result<Pasted, Unreadable> {
    let live = connection::find(app, connection.id.as_str()).await.ok();
    let own = live.as_ref().and_then(|live| match &live.protocol {
        LiveProtocol::Saml(side) => Some(side.config.idp_entity_id.as_str()),
        LiveProtocol::Oidc(_) => None,
    });
    read(text, connection.protocol, own)
}

/// Finds the member of an organization whose address somebody typed: who uses single sign-on first.
///
/// # Errors
/// Those of the store.
pub async fn person(app: &App, organization: &OrganizationId, address: &str) -> Result<Option<AccountId>> {
    let Ok(email) = Email::parse(address.trim()) else {
        return Ok(None);
    };
    let own = organization.clone();
    let known: Vec<AccountFacts> = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let found = reader.accounts_by_email(&email).await?;
                let ids: Vec<AccountId> = found.into_iter().map(|account| account.id).collect();
                reader.account_facts(&ids).await
            })
        })
        .await?;
    let mut members: Vec<_> = known
        .into_iter()
        .filter(|facts| facts.memberships.iter().any(|held| held.organization == own))
        .map(|facts| facts.account)
        .collect();
    members.sort_by_key(|account| account.authentication == Authentication::Standard);
    Ok(members.into_iter().next().map(|account| account.id))
}

/// Reads what was pasted.
///
/// # Errors
/// [`Unreadable`].
pub fn read(text: &str, protocol: Protocol, idp_entity_id: Option<&str>) -> Result<Pasted, Unreadable> {
    let text = text.trim();
    if text.starts_with(['{', '[', '"']) {
        let claims = serde_json::from_str::<Map<String, Value>>(text).map_err(|_| Unreadable::NoClaims)?;
        return Ok(Pasted {
            subject: Subject::Claims {
                claims,
                subject: None,
            },
            is_saml: false,
            stranger: None,
        });
    }
    let assertion = match response::read_unverified(text, &Limits::MESSAGE) {
        // Neither XML nor base64: more likely claims with a mistake than a message.
        Err(SamlError::Base64) => return Err(Unreadable::NoClaims),
        Err(error) => return Err(Unreadable::Saml(error)),
        Ok(assertion) => assertion,
    };
    if protocol != Protocol::Saml {
        return Err(Unreadable::NoSaml);
    }
    let mut claims = Map::new();
    for attribute in assertion.attributes {
        claims.insert(attribute.name, Value::from(attribute.values));
    }
    Ok(Pasted {
        subject: Subject::Claims {
            claims,
            subject: assertion.name_id.map(|name_id| name_id.value),
        },
        is_saml: true,
        stranger: assertion
            .issuer
            .filter(|issuer| idp_entity_id.is_some_and(|own| own != issuer)),
    })
}

#[cfg(test)]
mod tests {
    use provost_kernel::connection::Protocol;

    use super::{Pasted, Subject, Unreadable, read};

    const ASSERTION: &str = r#"<Assertion xmlns="urn:oasis:names:tc:SAML:2.0:assertion" ID="_a" Version="2.0" IssueInstant="2026-01-01T00:00:00Z"><Issuer>https://other.example</Issuer><Subject><NameID>ann</NameID></Subject><AttributeStatement><Attribute Name="groups"><AttributeValue>staff</AttributeValue></Attribute></AttributeStatement></Assertion>"#;

    fn saml(text: &str) -> Result<Pasted, Unreadable> {
        read(text, Protocol::Saml, Some("https://idp.example"))
    }

    #[test]
    fn r186_a_pasted_assertion_is_claims_that_nobody_has_proved() {
        let pasted = saml(ASSERTION).unwrap();
        assert!(pasted.is_saml);
        assert_eq!(pasted.stranger.as_deref(), Some("https://other.example"));
        let Subject::Claims { claims, subject } = pasted.subject else {
            panic!("claims")
        };
        assert_eq!(subject.as_deref(), Some("ann"));
        assert_eq!(claims.get("groups"), Some(&serde_json::json!(["staff"])));
        let own = ASSERTION.replace("other.example", "idp.example");
        assert_eq!(saml(&own).unwrap().stranger, None);
    }

    #[test]
    fn r186_what_cannot_be_read_says_why() {
        assert!(!saml(r#"{"groups": ["staff"]}"#).unwrap().is_saml);
        for text in ["[1]", "{", "groups: staff", "\"x\""] {
            assert_eq!(saml(text).unwrap_err(), Unreadable::NoClaims, "{text}");
        }
        let refused = read(ASSERTION, Protocol::Oidc, None).unwrap_err();
        assert_eq!(refused, Unreadable::NoSaml);
        let hostile = saml("<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><x>&e;</x>").unwrap_err();
        let Unreadable::Saml(error) = hostile else {
            panic!("{hostile:?}")
        };
        assert_eq!(error.code(), "saml_doctype");
    }
}
