//! Sending messages: the HTTP-Redirect and HTTP-POST bindings (SAML bindings 3.4 and 3.5).
//!
//! Owns the outgoing encodings. Renders no HTML: the caller draws the form.

use url::Url;

use crate::dsig::sign_enveloped;
use crate::error::SamlError;
use crate::key::SigningKey;
use crate::wire::{
    RELAY_STATE_ECHO_MAX, RELAY_STATE_MAX, base64_encode, check_relay_state, deflate, query_encode,
};

/// Whether a message goes out as a request or as a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Request,
    Response,
}

impl Role {
    const fn parameter(self) -> &'static str {
        match self {
            Self::Request => "SAMLRequest",
            Self::Response => "SAMLResponse",
        }
    }

    /// A request carries our own relay state; a response gives the other side its own back.
    const fn relay_state_max(self) -> usize {
        match self {
            Self::Request => RELAY_STATE_MAX,
            Self::Response => RELAY_STATE_ECHO_MAX,
        }
    }
}

/// A form that the browser posts by itself. Values are plain; whoever renders HTML escapes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostForm {
    /// Address to post to.
    pub action: String,
    /// Hidden fields: name and value.
    pub fields: Vec<(&'static str, String)>,
}

/// A message split where its signature belongs: right behind the Issuer.
pub(crate) struct Draft {
    pub(crate) before: String,
    pub(crate) after: String,
}

impl Draft {
    /// Returns the message without a signature.
    pub(crate) fn unsigned(&self) -> String {
        format!("{}{}", self.before, self.after)
    }

    /// Returns the message with an enveloped signature if there is a key.
    pub(crate) fn signed(&self, key: Option<&SigningKey>) -> Result<String, SamlError> {
        match key {
            Some(key) => sign_enveloped(&self.before, &self.after, key),
            None => Ok(self.unsigned()),
        }
    }
}

/// Builds the redirect address: DEFLATE, base64, and a detached signature over the query if there is a key.
pub(crate) fn redirect_url(
    destination: &str,
    role: Role,
    xml: &str,
    relay_state: Option<&str>,
    key: Option<&SigningKey>,
) -> Result<Url, SamlError> {
    check_relay_state(relay_state, role.relay_state_max())?;
    let mut url = web_url(destination)?;
    let mut query = format!(
        "{}={}",
        role.parameter(),
        query_encode(&base64_encode(&deflate(xml)?))
    );
    if let Some(value) = relay_state {
        query.push_str("&RelayState=");
        query.push_str(&query_encode(value));
    }
    if let Some(key) = key {
        let algorithm = key.default_algorithm();
        query.push_str("&SigAlg=");
        query.push_str(&query_encode(algorithm.uri()));
        let signature = key.sign(algorithm, query.as_bytes())?;
        query.push_str("&Signature=");
        query.push_str(&query_encode(&base64_encode(&signature)));
    }
    let whole = match url.query() {
        Some(own) if !own.is_empty() => format!("{own}&{query}"),
        Some(_) | None => query,
    };
    url.set_query(Some(&whole));
    url.set_fragment(None);
    Ok(url)
}

/// Builds the form of the POST binding.
pub(crate) fn post_form(
    destination: &str,
    role: Role,
    xml: &str,
    relay_state: Option<&str>,
) -> Result<PostForm, SamlError> {
    check_relay_state(relay_state, role.relay_state_max())?;
    web_url(destination)?;
    let mut fields = vec![(role.parameter(), base64_encode(xml.as_bytes()))];
    if let Some(value) = relay_state {
        fields.push(("RelayState", value.to_owned()));
    }
    Ok(PostForm {
        action: destination.to_owned(),
        fields,
    })
}

/// Parses an absolute http(s) address; anything else could be script.
pub(crate) fn web_url(text: &str) -> Result<Url, SamlError> {
    let url = Url::parse(text).map_err(|_| SamlError::UrlMalformed)?;
    let is_web = matches!(url.scheme(), "https" | "http") && url.has_host();
    if is_web {
        Ok(url)
    } else {
        Err(SamlError::UrlMalformed)
    }
}
