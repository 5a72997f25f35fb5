//! Ending the person's session at the provider (OpenID Connect RP-Initiated Logout 1.0).
//!
//! Owns the URL. Never: ends our own session.

use url::Url;

use super::discovery::ProviderMetadata;
use crate::error::OidcError;

/// A logout request towards the provider.
#[derive(Debug, Clone, Copy)]
pub struct LogoutRequest<'a> {
    /// Our client id there.
    pub client_id: &'a str,
    /// The ID token of the session, if kept; many providers need it to skip a question.
    pub id_token_hint: Option<&'a str>,
    /// Where the person comes back to.
    pub post_logout_redirect_uri: Option<&'a str>,
    /// Comes back with the person.
    pub state: Option<&'a str>,
}

impl LogoutRequest<'_> {
    /// The URL to send the person to.
    ///
    /// Errors: `LogoutUnsupported`.
    pub fn url(&self, provider: &ProviderMetadata) -> Result<Url, OidcError> {
        let mut url = provider
            .end_session_endpoint
            .clone()
            .ok_or(OidcError::LogoutUnsupported)?;
        let fields = [
            ("client_id", Some(self.client_id)),
            ("id_token_hint", self.id_token_hint),
            ("post_logout_redirect_uri", self.post_logout_redirect_uri),
            ("state", self.state),
        ];
        for (name, value) in fields {
            if let Some(value) = value {
                url.query_pairs_mut().append_pair(name, value);
            }
        }
        Ok(url)
    }
}

#[cfg(test)]
mod tests;
