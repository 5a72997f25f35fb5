//! The logout request of an app (OpenID Connect RP-Initiated Logout 1.0).
//!
//! Owns the checks and whether the person must confirm. Never: ends a session or redirects to a URI that is
//! not registered.

use url::Url;

use super::client::Client;
use super::tokens::VerifiedHint;
use crate::error::OAuthError;
use crate::params::Params;

/// A logout request as read, not yet checked.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LogoutParams {
    /// An ID token of ours; verify with `tokens::verify_id_token_hint`.
    pub id_token_hint: Option<String>,
    /// The app.
    pub client_id: Option<String>,
    /// Where the person wants to go.
    pub post_logout_redirect_uri: Option<String>,
    /// Comes back with the person.
    pub state: Option<String>,
}

/// A checked logout request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogoutDecision {
    /// Where to send the person afterwards; `None` shows a page of ours.
    pub redirect: Option<Url>,
    /// Whether the person must confirm first: without a hint naming the session's person, any site could log
    /// people out.
    pub confirm: bool,
}

/// Reads a logout request from a query or form.
///
/// Errors: `ParameterRepeated`, `ParameterTooLong`.
pub fn parse(params: &Params) -> Result<LogoutParams, OAuthError> {
    super::authorize::check_params(params)?;
    let get = |name: &str| params.get(name).map(str::to_owned);
    Ok(LogoutParams {
        id_token_hint: get("id_token_hint"),
        client_id: get("client_id"),
        post_logout_redirect_uri: get("post_logout_redirect_uri"),
        state: get("state"),
    })
}

/// Checks a logout request. `hint` is the verified hint if one was sent; `client` the one it or `client_id`
/// names; `session_sub` the person signed in here, if any.
///
/// Errors: `LogoutClientMismatch`, `LogoutRedirectUnbound`, `LogoutRedirectMismatch`, `ClientUnknown`. A hint
/// that does not verify is the caller's `LogoutHintInvalid`.
pub fn validate(
    request: &LogoutParams,
    hint: Option<&VerifiedHint>,
    client: Option<&Client>,
    session_sub: Option<&str>,
) -> Result<LogoutDecision, OAuthError> {
    if request.id_token_hint.is_some() && hint.is_none() {
        return Err(OAuthError::LogoutHintInvalid);
    }
    if let (Some(hint), Some(named)) = (hint, &request.client_id)
        && hint.client_id != *named
    {
        return Err(OAuthError::LogoutClientMismatch);
    }
    let confirm = match (hint, session_sub) {
        (Some(hint), Some(sub)) => hint.sub != sub,
        (_, None) => false,
        (None, Some(_)) => true,
    };
    let redirect = match &request.post_logout_redirect_uri {
        None => None,
        Some(uri) => Some(target(uri, request, hint, client)?),
    };
    Ok(LogoutDecision { redirect, confirm })
}

fn target(
    uri: &str,
    request: &LogoutParams,
    hint: Option<&VerifiedHint>,
    client: Option<&Client>,
) -> Result<Url, OAuthError> {
    let named = hint
        .map(|h| h.client_id.as_str())
        .or(request.client_id.as_deref());
    let named = named.ok_or(OAuthError::LogoutRedirectUnbound)?;
    let client = client
        .filter(|c| c.client_id == named)
        .ok_or(OAuthError::ClientUnknown)?;
    if !client
        .post_logout_redirect_uris
        .iter()
        .any(|registered| registered == uri)
    {
        return Err(OAuthError::LogoutRedirectMismatch);
    }
    let mut url = Url::parse(uri).map_err(|_| OAuthError::LogoutRedirectMismatch)?;
    if let Some(state) = &request.state {
        url.query_pairs_mut().append_pair("state", state);
    }
    Ok(url)
}

#[cfg(test)]
mod tests;
