//! The authorization request of an app (OpenID Connect Core 3.1.2, RFC 7636, RFC 9700).
//!
//! Owns every check before a person is asked anything, and which refusals may be redirected. Never: redirects
//! to a URI that is not registered.

use jiff::SignedDuration;

use super::client::{Client, GrantType};
use super::redirect_uri;
use super::response::ReturnTo;
use crate::error::OAuthError;
use crate::params::{ParamFault, Params};
use crate::pkce;
use crate::rp::authorization::ResponseMode;

/// The scopes this provider knows; others are ignored (RFC 6749 section 3.3).
pub const SCOPES: [&str; 5] = ["openid", "profile", "email", "offline_access", "organization"];

/// What the app wants of the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Prompt {
    /// No page may be shown: answer `login_required` instead.
    pub none: bool,
    /// Authenticate again even with a session.
    pub login: bool,
    /// Let the person choose an account.
    pub select_account: bool,
    /// Ask for consent. Apps here are first-party, so there is nothing to ask; kept for completeness.
    pub consent: bool,
}

/// A checked authorization request. Only [`validate`] makes one.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AuthorizeRequest {
    /// The app.
    pub client_id: String,
    /// Where and how the answer goes.
    pub return_to: ReturnTo,
    /// Granted scopes: those asked for and known.
    pub scopes: Vec<String>,
    /// Goes into the ID token.
    pub nonce: Option<String>,
    /// The S256 challenge, to be kept with the code.
    pub code_challenge: Option<String>,
    /// What the app wants of the person.
    pub prompt: Prompt,
    /// The oldest acceptable authentication.
    pub max_age: Option<SignedDuration>,
    /// The person's e-mail address or name, a hint.
    pub login_hint: Option<String>,
    /// The person's domain, a hint.
    pub domain_hint: Option<String>,
    /// The organization to sign in to.
    pub organization: Option<String>,
    /// The connection to sign in through.
    pub connection: Option<String>,
    /// An ID token of ours naming the expected person; verify with `tokens::verify_id_token_hint`.
    pub id_token_hint: Option<String>,
    /// Requested authentication context classes in order of preference.
    pub acr_values: Vec<String>,
    /// Preferred languages in order of preference.
    pub ui_locales: Vec<String>,
}

impl AuthorizeRequest {
    /// Whether a refresh token was asked for.
    pub fn wants_refresh_token(&self) -> bool {
        self.scopes.iter().any(|s| s == "offline_access")
    }
}

/// A refused authorization request.
#[derive(Debug, Clone)]
pub struct AuthorizeError {
    /// The reason.
    pub error: OAuthError,
    /// Where the refusal may be sent; `None` means it must be shown as a page of ours, because the redirect
    /// URI is not proven to be the app's.
    pub return_to: Option<ReturnTo>,
}

impl From<OAuthError> for AuthorizeError {
    fn from(error: OAuthError) -> Self {
        Self {
            error,
            return_to: None,
        }
    }
}

/// The client id, for looking the client up before [`validate`]. An unknown id is
/// `OAuthError::ClientUnknown`, shown as a page.
///
/// Errors: `ParameterRepeated`, `ParameterTooLong`, `ClientIdMissing`.
pub fn client_id(params: &Params) -> Result<&str, OAuthError> {
    check_params(params)?;
    params.get("client_id").ok_or(OAuthError::ClientIdMissing)
}

/// Checks the request of `client`. The redirect URI comes first: only after it is proven is any refusal
/// redirected.
///
/// Errors: [`AuthorizeError`] with the reason and whether it may be redirected.
pub fn validate(params: &Params, client: &Client) -> Result<AuthorizeRequest, AuthorizeError> {
    if client_id(params)? != client.client_id {
        return Err(OAuthError::ClientUnknown.into());
    }
    let redirect_uri = params.get("redirect_uri").ok_or(OAuthError::RedirectUriMissing)?;
    if !redirect_uri::is_registered(client, redirect_uri) {
        return Err(OAuthError::RedirectUriMismatch.into());
    }
    let (response_mode, mode_error) = match params.get("response_mode") {
        None | Some("query") => (ResponseMode::Query, None),
        Some("form_post") => (ResponseMode::FormPost, None),
        Some(_) => (ResponseMode::Query, Some(OAuthError::ResponseModeUnsupported)),
    };
    let return_to = ReturnTo {
        redirect_uri: redirect_uri.to_owned(),
        state: params.get("state").map(str::to_owned),
        response_mode,
    };
    let checked = match mode_error {
        Some(error) => Err(error),
        None => check_rest(params, client, &return_to),
    };
    checked.map_err(|error| AuthorizeError {
        error,
        return_to: Some(return_to),
    })
}

fn check_rest(
    params: &Params,
    client: &Client,
    return_to: &ReturnTo,
) -> Result<AuthorizeRequest, OAuthError> {
    refuse_unsupported(params)?;
    match params.get("response_type") {
        Some("code") => {}
        Some(_) => return Err(OAuthError::ResponseTypeUnsupported),
        None => return Err(OAuthError::ResponseTypeMissing),
    }
    if !client.may_use(GrantType::AuthorizationCode) {
        return Err(OAuthError::GrantNotAllowed);
    }
    let scopes = scopes(params, client)?;
    let code_challenge = code_challenge(params, client)?;
    let short = |name| short_text(params, name);
    let list = |name| params.get(name).map(words).unwrap_or_default();
    Ok(AuthorizeRequest {
        client_id: client.client_id.clone(),
        return_to: return_to.clone(),
        scopes,
        nonce: short("nonce")?,
        code_challenge,
        prompt: prompt(params)?,
        max_age: max_age(params)?,
        login_hint: short("login_hint")?,
        domain_hint: short("domain_hint")?,
        organization: short("organization")?,
        connection: short("connection")?,
        id_token_hint: params.get("id_token_hint").map(str::to_owned),
        acr_values: list("acr_values"),
        ui_locales: list("ui_locales"),
    })
}

/// Request objects would hide parameters from the checks above: refused by name (Core 3.1.2.6).
fn refuse_unsupported(params: &Params) -> Result<(), OAuthError> {
    let refused = [
        ("request", OAuthError::RequestObjectUnsupported),
        ("request_uri", OAuthError::RequestUriUnsupported),
        ("registration", OAuthError::RegistrationUnsupported),
    ];
    match refused.into_iter().find(|(name, _)| params.get(name).is_some()) {
        Some((_, error)) => Err(error),
        None => Ok(()),
    }
}

fn scopes(params: &Params, client: &Client) -> Result<Vec<String>, OAuthError> {
    let asked = params.get("scope").map(words).unwrap_or_default();
    if !asked.iter().any(|s| s == "openid") {
        return Err(OAuthError::ScopeMissingOpenid);
    }
    let may_refresh = client.may_use(GrantType::RefreshToken);
    let known = SCOPES
        .into_iter()
        .filter(|s| *s != "offline_access" || may_refresh);
    Ok(known
        .filter(|s| asked.iter().any(|a| a == s))
        .map(str::to_owned)
        .collect())
}

/// S256 only. A challenge without a method means `plain` (RFC 7636 section 4.3), which is refused like the
/// word itself: accepting it would be the downgrade.
fn code_challenge(params: &Params, client: &Client) -> Result<Option<String>, OAuthError> {
    let method = params.get("code_challenge_method");
    let Some(challenge) = params.get("code_challenge") else {
        return match method {
            None if !client.needs_pkce() => Ok(None),
            None | Some(_) => Err(OAuthError::PkceMissing),
        };
    };
    if method != Some("S256") {
        return Err(OAuthError::PkceMethodUnsupported);
    }
    if !pkce::is_challenge(challenge) {
        return Err(OAuthError::PkceChallengeInvalid);
    }
    Ok(Some(challenge.to_owned()))
}

fn prompt(params: &Params) -> Result<Prompt, OAuthError> {
    let mut prompt = Prompt::default();
    let values = params.get("prompt").map(words).unwrap_or_default();
    for value in &values {
        match value.as_str() {
            "none" => prompt.none = true,
            "login" => prompt.login = true,
            "select_account" => prompt.select_account = true,
            "consent" => prompt.consent = true,
            _ => return Err(OAuthError::PromptInvalid),
        }
    }
    // "none" with anything else is an error (Core 3.1.2.1).
    if prompt.none && values.len() > 1 {
        Err(OAuthError::PromptInvalid)
    } else {
        Ok(prompt)
    }
}

fn max_age(params: &Params) -> Result<Option<SignedDuration>, OAuthError> {
    match params.get("max_age") {
        None => Ok(None),
        Some(text) if text.bytes().all(|b| b.is_ascii_digit()) => {
            let seconds: u32 = text.parse().map_err(|_| OAuthError::MaxAgeInvalid)?;
            Ok(Some(SignedDuration::from_secs(i64::from(seconds))))
        }
        Some(_) => Err(OAuthError::MaxAgeInvalid),
    }
}

fn short_text(params: &Params, name: &str) -> Result<Option<String>, OAuthError> {
    match params.get(name) {
        None => Ok(None),
        Some(text) if text.len() > 512 => Err(OAuthError::ParameterTooLong),
        Some(text) if text.chars().any(char::is_control) => Err(OAuthError::ParameterInvalid),
        Some(text) => Ok(Some(text.to_owned())),
    }
}

fn words(text: &str) -> Vec<String> {
    text.split(' ')
        .filter(|w| !w.is_empty())
        .map(str::to_owned)
        .collect()
}

pub(super) fn check_params(params: &Params) -> Result<(), OAuthError> {
    params.check().map_err(|fault| match fault {
        ParamFault::Repeated => OAuthError::ParameterRepeated,
        ParamFault::TooLong => OAuthError::ParameterTooLong,
    })
}

#[cfg(test)]
mod tests;
