//! Builds logout messages. They are always signed.

use jiff::Timestamp;
use url::Url;

use crate::authn_request::RequestId;
use crate::binding::{self, Draft, PostForm, Role};
use crate::error::SamlError;
use crate::key::SigningKey;
use crate::response::NameId;
use crate::time;
use crate::xml::names;
use crate::xml::text::{attr, attr_opt, escape, leaf};

/// A request to end sessions (SAML core 3.7.1).
#[derive(Debug, Clone)]
pub struct LogoutRequest<'r> {
    /// Fresh ID; the answer must quote it.
    pub id: &'r RequestId,
    /// The present moment.
    pub issue_instant: Timestamp,
    /// When the request stops being valid.
    pub not_on_or_after: Timestamp,
    /// Logout address of the other side.
    pub destination: &'r str,
    /// Our entity ID.
    pub issuer: &'r str,
    /// The subject, exactly as the assertion had it.
    pub name_id: &'r NameId,
    /// The sessions to end; empty means all of the subject.
    pub session_indexes: &'r [String],
}

impl LogoutRequest<'_> {
    /// Builds the signed redirect address.
    ///
    /// # Errors
    /// [`SamlError::RelayStateTooLong`], [`SamlError::UrlMalformed`] or [`SamlError::SigningFailed`].
    pub fn redirect_url(&self, relay_state: Option<&str>, key: &SigningKey) -> Result<Url, SamlError> {
        binding::redirect_url(
            self.destination,
            Role::Request,
            &self.draft().unsigned(),
            relay_state,
            Some(key),
        )
    }

    /// Builds the signed form.
    ///
    /// # Errors
    /// As [`Self::redirect_url`].
    pub fn post_form(&self, relay_state: Option<&str>, key: &SigningKey) -> Result<PostForm, SamlError> {
        binding::post_form(
            self.destination,
            Role::Request,
            &self.draft().signed(Some(key))?,
            relay_state,
        )
    }

    fn draft(&self) -> Draft {
        let mut before = open("LogoutRequest", self.id, self.issue_instant, self.destination);
        attr(&mut before, "NotOnOrAfter", &time::render(self.not_on_or_after));
        before.push('>');
        leaf(&mut before, "saml:Issuer", self.issuer);
        let mut after = String::new();
        write_name_id(&mut after, self.name_id);
        for index in self.session_indexes {
            leaf(&mut after, "samlp:SessionIndex", index);
        }
        after.push_str("</samlp:LogoutRequest>");
        Draft { before, after }
    }
}

/// The outcome that a LogoutResponse reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogoutStatus {
    /// Every session is over.
    Success,
    /// Our session is over but some other party could not be reached.
    Partial,
    /// Nothing was ended.
    Failed,
}

/// The answer to a LogoutRequest (SAML core 3.7.2).
#[derive(Debug, Clone)]
pub struct LogoutResponse<'r> {
    /// Fresh ID.
    pub id: &'r RequestId,
    /// The present moment.
    pub issue_instant: Timestamp,
    /// Where responses of the other side go.
    pub destination: &'r str,
    /// Our entity ID.
    pub issuer: &'r str,
    /// ID of the request.
    pub in_response_to: &'r str,
    /// The outcome.
    pub status: LogoutStatus,
}

impl LogoutResponse<'_> {
    /// Builds the signed redirect address.
    ///
    /// # Errors
    /// As [`LogoutRequest::redirect_url`].
    pub fn redirect_url(&self, relay_state: Option<&str>, key: &SigningKey) -> Result<Url, SamlError> {
        binding::redirect_url(
            self.destination,
            Role::Response,
            &self.draft().unsigned(),
            relay_state,
            Some(key),
        )
    }

    /// Builds the signed form.
    ///
    /// # Errors
    /// As [`LogoutRequest::redirect_url`].
    pub fn post_form(&self, relay_state: Option<&str>, key: &SigningKey) -> Result<PostForm, SamlError> {
        binding::post_form(
            self.destination,
            Role::Response,
            &self.draft().signed(Some(key))?,
            relay_state,
        )
    }

    fn draft(&self) -> Draft {
        let mut before = open("LogoutResponse", self.id, self.issue_instant, self.destination);
        attr(&mut before, "InResponseTo", self.in_response_to);
        before.push('>');
        leaf(&mut before, "saml:Issuer", self.issuer);
        let (code, subcode) = match self.status {
            LogoutStatus::Success => (names::STATUS_SUCCESS, None),
            LogoutStatus::Partial => (names::STATUS_SUCCESS, Some(names::STATUS_PARTIAL_LOGOUT)),
            LogoutStatus::Failed => (names::STATUS_RESPONDER, None),
        };
        let mut after = String::from("<samlp:Status><samlp:StatusCode");
        attr(&mut after, "Value", code);
        after.push('>');
        if let Some(subcode) = subcode {
            after.push_str("<samlp:StatusCode");
            attr(&mut after, "Value", subcode);
            after.push_str("/>");
        }
        after.push_str("</samlp:StatusCode></samlp:Status></samlp:LogoutResponse>");
        Draft { before, after }
    }
}

/// Opens a message element, leaving the start tag unclosed for further attributes.
fn open(name: &str, id: &RequestId, issue_instant: Timestamp, destination: &str) -> String {
    let mut out = format!(
        "<samlp:{name} xmlns:samlp=\"{}\" xmlns:saml=\"{}\"",
        names::SAMLP,
        names::SAML
    );
    attr(&mut out, "ID", id.as_str());
    attr(&mut out, "Version", "2.0");
    attr(&mut out, "IssueInstant", &time::render(issue_instant));
    attr(&mut out, "Destination", destination);
    out
}

/// Appends a NameID exactly as it was received.
pub(crate) fn write_name_id(out: &mut String, name_id: &NameId) {
    out.push_str("<saml:NameID");
    attr_opt(out, "Format", name_id.format.as_deref());
    attr_opt(out, "NameQualifier", name_id.name_qualifier.as_deref());
    attr_opt(out, "SPNameQualifier", name_id.sp_name_qualifier.as_deref());
    out.push('>');
    out.push_str(&escape(&name_id.value));
    out.push_str("</saml:NameID>");
}
