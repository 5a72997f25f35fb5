//! A SAML identity provider inside the benchmark: keys, and the answer to one request. Never decides who signs in.

use anyhow::Result;
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use provost_saml::authn_request::RequestId;
use provost_saml::issue::{ResponseSpec, Signing, issue_response};
use provost_saml::key::{Certificate, SigningKey};
use provost_saml::response::{Attribute, NameId};

/// Life of the assertions: long enough for one run.
const LIFETIME: SignedDuration = SignedDuration::from_mins(10);

/// Kinds of signing keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA-2048 with SHA-256, what most identity providers use.
    Rsa,
    /// ECDSA P-256 with SHA-256.
    Ecdsa,
}

impl KeyKind {
    /// Returns the name for tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rsa => "RSA-2048",
            Self::Ecdsa => "ECDSA P-256",
        }
    }

    /// Returns the name of the connection that trusts this kind of key.
    pub const fn connection(self) -> &'static str {
        match self {
            Self::Rsa => "bench-rsa",
            Self::Ecdsa => "bench-ecdsa",
        }
    }
}

/// A key with its self-signed certificate.
#[derive(Debug)]
pub struct Party {
    /// Private key.
    pub key: SigningKey,
    /// The same key as PKCS#8 DER.
    pub pkcs8: Vec<u8>,
    /// Certificate.
    pub certificate: Certificate,
}

impl Party {
    /// Makes a new key.
    pub fn new(kind: KeyKind) -> Result<Self> {
        let algorithm = match kind {
            KeyKind::Rsa => &rcgen::PKCS_RSA_SHA256,
            KeyKind::Ecdsa => &rcgen::PKCS_ECDSA_P256_SHA256,
        };
        let pair = rcgen::KeyPair::generate_for(algorithm)?;
        let certificate = rcgen::CertificateParams::new(Vec::new())?.self_signed(&pair)?;
        Ok(Self {
            key: SigningKey::from_pkcs8_der(&pair.serialize_der())?,
            pkcs8: pair.serialize_der(),
            certificate: Certificate::from_der(certificate.der())?,
        })
    }

    /// Returns the certificate as PEM.
    pub fn pem(&self) -> String {
        let text = STANDARD.encode(self.certificate.der());
        let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let (line, after) = rest.split_at(rest.len().min(64));
            pem.push_str(line);
            pem.push('\n');
            rest = after;
        }
        pem + "-----END CERTIFICATE-----\n"
    }
}

/// The person who signs in, as the identity provider knows her.
#[derive(Clone, Debug)]
pub struct Person {
    /// NameID.
    pub subject: String,
    /// E-mail.
    pub email: String,
    /// Given name.
    pub given_name: String,
    /// Surname.
    pub family_name: String,
    /// Groups.
    pub groups: Vec<String>,
}

impl Person {
    /// Makes up a person; the same number is the same person.
    pub fn numbered(domain: &str, number: usize) -> Self {
        let groups = if number.is_multiple_of(10) {
            vec!["staff", "admins"]
        } else {
            vec!["staff"]
        };
        Self {
            subject: format!("person-{number:07}"),
            email: format!("person.{number}@{domain}"),
            given_name: format!("Given{number}"),
            family_name: format!("Family{number}"),
            groups: groups.into_iter().map(str::to_owned).collect(),
        }
    }

    fn attributes(&self) -> Vec<Attribute> {
        let attribute = |name: &str, values: Vec<String>| Attribute {
            name: name.to_owned(),
            name_format: None,
            friendly_name: None,
            values,
        };
        vec![
            attribute("emailaddress", vec![self.email.clone()]),
            attribute("givenname", vec![self.given_name.clone()]),
            attribute("surname", vec![self.family_name.clone()]),
            attribute("groups", self.groups.clone()),
        ]
    }
}

/// What an answer is an answer to.
#[derive(Clone, Copy, Debug)]
pub struct Request<'r> {
    /// ID of the AuthnRequest.
    pub id: &'r str,
    /// Where the answer goes.
    pub acs_url: &'r str,
    /// Entity ID of the service provider.
    pub audience: &'r str,
    /// Our entity ID.
    pub issuer: &'r str,
}

/// The parts of a Response that are signed.
#[derive(Clone, Copy, Debug)]
pub struct Signed {
    /// The Response.
    pub response: bool,
    /// The Assertion.
    pub assertion: bool,
}

/// Answers a request: the value of the form field `SAMLResponse`.
pub fn answer(
    party: &Party,
    request: Request<'_>,
    person: &Person,
    signed: Signed,
    encryption: Option<&provost_saml::issue::Encryption<'_>>,
    now: Timestamp,
) -> Result<String> {
    let (response_id, assertion_id) = (random_id()?, random_id()?);
    let name_id = NameId {
        value: person.subject.clone(),
        format: Some("urn:oasis:names:tc:SAML:2.0:nameid-format:persistent".to_owned()),
        name_qualifier: None,
        sp_name_qualifier: None,
    };
    let attributes = person.attributes();
    let spec = ResponseSpec {
        response_id: &response_id,
        assertion_id: &assertion_id,
        issue_instant: now,
        lifetime: LIFETIME,
        issuer: request.issuer,
        acs_url: request.acs_url,
        audience: request.audience,
        in_response_to: Some(request.id),
        name_id: &name_id,
        session_index: assertion_id.as_str(),
        session_not_on_or_after: None,
        authn_instant: now,
        authn_context: "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport",
        attributes: &attributes,
    };
    let signing = Signing {
        key: &party.key,
        certificate: Some(&party.certificate),
        response: signed.response,
        assertion: signed.assertion,
    };
    Ok(STANDARD.encode(issue_response(&spec, &signing, encryption)?))
}

fn random_id() -> Result<RequestId> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes)?;
    Ok(RequestId::from_random(bytes))
}
