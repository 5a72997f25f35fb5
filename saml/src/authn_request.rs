//! Builds an AuthnRequest (SAML core 3.4.1) and sends it by redirect or POST.

use jiff::Timestamp;
use url::Url;

use crate::binding::{self, Draft, PostForm, Role};
use crate::error::SamlError;
use crate::key::{SigningKey, hex};
use crate::time;
use crate::xml::names;
use crate::xml::text::{attr, attr_opt, leaf};

/// The ID of a message we send: an underscore and 32 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RequestId(String);

impl RequestId {
    /// Makes an ID of 128 random bits that the caller drew.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(format!("_{}", hex(&bytes)))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A request to sign a person in.
#[derive(Debug, Clone)]
pub struct AuthnRequest<'r> {
    /// Fresh ID; the answer must quote it.
    pub id: &'r RequestId,
    /// The present moment.
    pub issue_instant: Timestamp,
    /// Sign-on address of the identity provider.
    pub destination: &'r str,
    /// Where the answer has to be posted.
    pub acs_url: &'r str,
    /// Our entity ID.
    pub issuer: &'r str,
    /// Wanted NameID format; `None` leaves the choice to the identity provider.
    pub name_id_format: Option<&'r str>,
    /// Asks for a fresh sign-in even if a session exists.
    pub force_authn: bool,
    /// Forbids any interaction with the person.
    pub is_passive: bool,
    /// Hint who is signing in (a Subject with this NameID), for providers that prefill it.
    pub login_hint: Option<&'r str>,
    /// Accepted authentication context classes, compared exactly; empty asks for none.
    pub requested_authn_context: &'r [String],
}

impl AuthnRequest<'_> {
    /// Returns the unsigned XML.
    pub fn to_xml(&self) -> String {
        self.draft().unsigned()
    }

    /// Builds the redirect address, with a detached signature if there is a key.
    ///
    /// # Errors
    /// [`SamlError::RelayStateTooLong`], [`SamlError::UrlMalformed`] or [`SamlError::SigningFailed`].
    pub fn redirect_url(
        &self,
        relay_state: Option<&str>,
        key: Option<&SigningKey>,
    ) -> Result<Url, SamlError> {
        binding::redirect_url(self.destination, Role::Request, &self.to_xml(), relay_state, key)
    }

    /// Builds the form for the POST binding, with an enveloped signature if there is a key.
    ///
    /// # Errors
    /// As [`Self::redirect_url`].
    pub fn post_form(
        &self,
        relay_state: Option<&str>,
        key: Option<&SigningKey>,
    ) -> Result<PostForm, SamlError> {
        binding::post_form(
            self.destination,
            Role::Request,
            &self.draft().signed(key)?,
            relay_state,
        )
    }

    fn draft(&self) -> Draft {
        let mut before = format!(
            "<samlp:AuthnRequest xmlns:samlp=\"{}\" xmlns:saml=\"{}\"",
            names::SAMLP,
            names::SAML
        );
        attr(&mut before, "ID", self.id.as_str());
        attr(&mut before, "Version", "2.0");
        attr(&mut before, "IssueInstant", &time::render(self.issue_instant));
        attr(&mut before, "Destination", self.destination);
        attr_opt(&mut before, "ForceAuthn", self.force_authn.then_some("true"));
        attr_opt(&mut before, "IsPassive", self.is_passive.then_some("true"));
        attr(&mut before, "ProtocolBinding", names::BINDING_POST);
        attr(&mut before, "AssertionConsumerServiceURL", self.acs_url);
        before.push('>');
        leaf(&mut before, "saml:Issuer", self.issuer);

        let mut after = String::new();
        if let Some(hint) = self.login_hint {
            after.push_str("<saml:Subject>");
            leaf(&mut after, "saml:NameID", hint);
            after.push_str("</saml:Subject>");
        }
        after.push_str("<samlp:NameIDPolicy");
        attr_opt(&mut after, "Format", self.name_id_format);
        attr(&mut after, "AllowCreate", "true");
        after.push_str("/>");
        if !self.requested_authn_context.is_empty() {
            after.push_str("<samlp:RequestedAuthnContext Comparison=\"exact\">");
            for class in self.requested_authn_context {
                leaf(&mut after, "saml:AuthnContextClassRef", class);
            }
            after.push_str("</samlp:RequestedAuthnContext>");
        }
        after.push_str("</samlp:AuthnRequest>");
        Draft { before, after }
    }
}

#[cfg(test)]
mod tests;
