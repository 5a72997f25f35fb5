//! The provider's answer at our callback (RFC 6749 4.1.2, RFC 9207).
//!
//! Owns the checks that bind the answer to this browser, this sign-in and this provider. Never: shows the
//! provider's words to the person.

use crate::error::{OidcError, Refusal};
use crate::params::{ParamFault, Params};
use crate::secret::{Secret, constant_time_eq};

/// What the answer is checked against.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The state of the pending sign-in, found through the browser's cookie and not through the parameter.
    pub state: &'a str,
    /// The issuer of the connection that the person was sent to.
    pub issuer: &'a str,
    /// Whether the provider announced `authorization_response_iss_parameter_supported`.
    pub iss_required: bool,
}

/// An authorization code that passed the checks; goes to the token endpoint of the same provider only.
#[derive(Debug, Clone)]
pub struct AuthorizationCode(Secret);

impl AuthorizationCode {
    /// The code.
    pub fn secret(&self) -> &Secret {
        &self.0
    }
}

/// Checks an answer in the order state, issuer, error, code: an error from another sign-in or another
/// provider must not end this one.
///
/// Errors: `ParameterRepeated`, `ParameterTooLong`, `StateMissing`, `StateMismatch`, `CallbackIssMissing`,
/// `CallbackIssMismatch`, `CodeMissing`, and the `Provider…` variants with the provider's words as detail.
pub fn check(params: &Params, expected: &Expected<'_>) -> Result<AuthorizationCode, Refusal> {
    params.check().map_err(|fault| match fault {
        ParamFault::Repeated => OidcError::ParameterRepeated,
        ParamFault::TooLong => OidcError::ParameterTooLong,
    })?;
    let state = params.get("state").ok_or(OidcError::StateMissing)?;
    if !constant_time_eq(state.as_bytes(), expected.state.as_bytes()) {
        return Err(OidcError::StateMismatch.into());
    }
    match params.get("iss") {
        Some(iss) if iss == expected.issuer => {}
        // Compared also when not announced: a wrong issuer is never right (RFC 9207 section 2.4).
        Some(_) => return Err(OidcError::CallbackIssMismatch.into()),
        None if expected.iss_required => return Err(OidcError::CallbackIssMissing.into()),
        None => {}
    }
    if let Some(error) = params.get("error") {
        return Err(provider_error(error, params.get("error_description")));
    }
    let code = params.get("code").ok_or(OidcError::CodeMissing)?;
    Ok(AuthorizationCode(Secret::new(code)))
}

fn provider_error(error: &str, description: Option<&str>) -> Refusal {
    let kind = match error {
        "access_denied" => OidcError::ProviderAccessDenied,
        "login_required" | "interaction_required" | "account_selection_required" | "consent_required" => {
            OidcError::ProviderInteraction
        }
        "invalid_request"
        | "invalid_request_uri"
        | "invalid_request_object"
        | "request_not_supported"
        | "request_uri_not_supported"
        | "registration_not_supported"
        | "unsupported_response_type" => OidcError::ProviderInvalidRequest,
        "unauthorized_client" => OidcError::ProviderUnauthorizedClient,
        "invalid_scope" => OidcError::ProviderInvalidScope,
        "server_error" | "temporarily_unavailable" => OidcError::ProviderUnavailable,
        _ => OidcError::ProviderOther,
    };
    match description {
        Some(text) => Refusal::with_detail(kind, &format!("{error}: {text}")),
        None => Refusal::with_detail(kind, error),
    }
}

#[cfg(test)]
mod tests;
