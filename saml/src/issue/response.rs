//! Renders, signs and encrypts a Response.

use jiff::{SignedDuration, Timestamp};

use super::encrypt::{Encryption, encrypt_element};
use crate::authn_request::RequestId;
use crate::binding::{self, Draft, PostForm, Role};
use crate::dsig::{SignOptions, sign_enveloped_with};
use crate::error::SamlError;
use crate::key::{Certificate, SigningKey};
use crate::logout::write_name_id;
use crate::response::{Attribute, NameId};
use crate::time;
use crate::xml::names;
use crate::xml::text::{attr, attr_opt, leaf};

/// Everything a Response says.
#[derive(Debug, Clone)]
pub struct ResponseSpec<'s> {
    /// ID of the Response.
    pub response_id: &'s RequestId,
    /// ID of the Assertion.
    pub assertion_id: &'s RequestId,
    /// The present moment.
    pub issue_instant: Timestamp,
    /// Life of the assertion.
    pub lifetime: SignedDuration,
    /// Entity ID of the identity provider.
    pub issuer: &'s str,
    /// Assertion consumer address.
    pub acs_url: &'s str,
    /// Entity ID of the service provider.
    pub audience: &'s str,
    /// ID of the request; `None` for a sign-in started at the identity provider.
    pub in_response_to: Option<&'s str>,
    /// Subject.
    pub name_id: &'s NameId,
    /// Session index.
    pub session_index: &'s str,
    /// End of the session, if limited.
    pub session_not_on_or_after: Option<Timestamp>,
    /// When the person authenticated.
    pub authn_instant: Timestamp,
    /// Authentication context class.
    pub authn_context: &'s str,
    /// Attributes.
    pub attributes: &'s [Attribute],
}

/// What is signed, and with which key.
#[derive(Debug, Clone, Copy)]
pub struct Signing<'s> {
    /// Private key.
    pub key: &'s SigningKey,
    /// Certificate shown in KeyInfo, for receivers that want to see it.
    pub certificate: Option<&'s Certificate>,
    /// Signs the Response.
    pub response: bool,
    /// Signs the Assertion.
    pub assertion: bool,
}

/// Renders the Response and returns its XML.
///
/// # Errors
/// [`SamlError::SigningFailed`] and key errors.
pub fn issue_response(
    spec: &ResponseSpec<'_>,
    signing: &Signing<'_>,
    encryption: Option<&Encryption<'_>>,
) -> Result<String, SamlError> {
    let options = SignOptions {
        certificate: signing.certificate,
        ..SignOptions::for_key(signing.key)
    };
    let assertion = sign_if(signing.assertion, &assertion_draft(spec), signing.key, &options)?;
    let payload = match encryption {
        Some(encryption) => {
            let data = encrypt_element(&assertion, encryption)?;
            format!("<saml:EncryptedAssertion>{data}</saml:EncryptedAssertion>")
        }
        None => assertion,
    };
    sign_if(
        signing.response,
        &response_draft(spec, &payload),
        signing.key,
        &options,
    )
}

/// Wraps a Response into the form that the browser posts.
///
/// # Errors
/// [`SamlError::RelayStateTooLong`] or [`SamlError::UrlMalformed`].
pub fn response_form(acs_url: &str, xml: &str, relay_state: Option<&str>) -> Result<PostForm, SamlError> {
    binding::post_form(acs_url, Role::Response, xml, relay_state)
}

fn sign_if(
    sign: bool,
    draft: &Draft,
    key: &SigningKey,
    options: &SignOptions<'_>,
) -> Result<String, SamlError> {
    if sign {
        sign_enveloped_with(&draft.before, &draft.after, key, options)
    } else {
        Ok(draft.unsigned())
    }
}

/// Renders the Assertion.
pub(crate) fn assertion_draft(spec: &ResponseSpec<'_>) -> Draft {
    let end = time::render(time::later(spec.issue_instant, spec.lifetime));
    let start = time::render(time::earlier(spec.issue_instant, SignedDuration::from_secs(30)));
    let mut before = format!("<saml:Assertion xmlns:saml=\"{}\"", names::SAML);
    attr(&mut before, "ID", spec.assertion_id.as_str());
    attr(&mut before, "Version", "2.0");
    attr(&mut before, "IssueInstant", &time::render(spec.issue_instant));
    before.push('>');
    leaf(&mut before, "saml:Issuer", spec.issuer);

    let mut after = String::from("<saml:Subject>");
    write_name_id(&mut after, spec.name_id);
    after.push_str("<saml:SubjectConfirmation");
    attr(&mut after, "Method", names::BEARER);
    after.push_str("><saml:SubjectConfirmationData");
    attr(&mut after, "NotOnOrAfter", &end);
    attr(&mut after, "Recipient", spec.acs_url);
    attr_opt(&mut after, "InResponseTo", spec.in_response_to);
    after.push_str("/></saml:SubjectConfirmation></saml:Subject><saml:Conditions");
    attr(&mut after, "NotBefore", &start);
    attr(&mut after, "NotOnOrAfter", &end);
    after.push_str("><saml:AudienceRestriction>");
    leaf(&mut after, "saml:Audience", spec.audience);
    after.push_str("</saml:AudienceRestriction></saml:Conditions><saml:AuthnStatement");
    attr(&mut after, "AuthnInstant", &time::render(spec.authn_instant));
    attr(&mut after, "SessionIndex", spec.session_index);
    attr_opt(
        &mut after,
        "SessionNotOnOrAfter",
        spec.session_not_on_or_after.map(time::render).as_deref(),
    );
    after.push_str("><saml:AuthnContext>");
    leaf(&mut after, "saml:AuthnContextClassRef", spec.authn_context);
    after.push_str("</saml:AuthnContext></saml:AuthnStatement>");
    write_attributes(&mut after, spec.attributes);
    after.push_str("</saml:Assertion>");
    Draft { before, after }
}

fn write_attributes(out: &mut String, attributes: &[Attribute]) {
    if attributes.is_empty() {
        return;
    }
    out.push_str("<saml:AttributeStatement>");
    for attribute in attributes {
        out.push_str("<saml:Attribute");
        attr(out, "Name", &attribute.name);
        attr_opt(out, "NameFormat", attribute.name_format.as_deref());
        attr_opt(out, "FriendlyName", attribute.friendly_name.as_deref());
        out.push('>');
        for value in &attribute.values {
            leaf(out, "saml:AttributeValue", value);
        }
        out.push_str("</saml:Attribute>");
    }
    out.push_str("</saml:AttributeStatement>");
}

/// Renders the Response around an already rendered assertion.
pub(crate) fn response_draft(spec: &ResponseSpec<'_>, payload: &str) -> Draft {
    let mut before = format!(
        "<samlp:Response xmlns:samlp=\"{}\" xmlns:saml=\"{}\"",
        names::SAMLP,
        names::SAML
    );
    attr(&mut before, "ID", spec.response_id.as_str());
    attr(&mut before, "Version", "2.0");
    attr(&mut before, "IssueInstant", &time::render(spec.issue_instant));
    attr(&mut before, "Destination", spec.acs_url);
    attr_opt(&mut before, "InResponseTo", spec.in_response_to);
    before.push('>');
    leaf(&mut before, "saml:Issuer", spec.issuer);

    let mut after = String::from("<samlp:Status><samlp:StatusCode");
    attr(&mut after, "Value", names::STATUS_SUCCESS);
    after.push_str("/></samlp:Status>");
    after.push_str(payload);
    after.push_str("</samlp:Response>");
    Draft { before, after }
}
