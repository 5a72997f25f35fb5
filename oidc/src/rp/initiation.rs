//! A sign-in started at the provider (OpenID Connect Core section 4): the provider's portal sends the person
//! here, and we answer with an ordinary authorization request.
//!
//! Owns the check that the request names this connection's provider. Never: signs anybody in, or redirects to
//! the target it names: the caller looks that up on its allow-list.

use crate::error::OidcError;
use crate::params::{ParamFault, Params};

/// A checked request to start a sign-in. Only [`check`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Initiation {
    /// Whom the provider thinks of, to be passed on.
    pub login_hint: Option<String>,
    /// Where the person should arrive; not trusted.
    pub target_link_uri: Option<String>,
}

/// Checks a request to start a sign-in at a connection.
///
/// Errors: `ParameterRepeated`, `ParameterTooLong`, `IssMissing`, `IssMismatch`.
pub fn check(params: &Params, issuer: &str) -> Result<Initiation, OidcError> {
    params.check().map_err(|fault| match fault {
        ParamFault::Repeated => OidcError::ParameterRepeated,
        ParamFault::TooLong => OidcError::ParameterTooLong,
    })?;
    if params.get("iss").ok_or(OidcError::IssMissing)? != issuer {
        return Err(OidcError::IssMismatch);
    }
    let short = |name: &str| params.get(name).filter(|v| v.len() <= 2048).map(str::to_owned);
    Ok(Initiation {
        login_hint: short("login_hint"),
        target_link_uri: short("target_link_uri"),
    })
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::{OidcError, Params};

    #[test]
    fn only_the_connections_provider_may_start_a_sign_in() {
        let run = |query: &str| check(&Params::parse(query.as_bytes()), "https://idp.example");
        let good = run("iss=https%3A%2F%2Fidp.example&login_hint=ada&target_link_uri=https://app.example/x")
            .unwrap();
        assert_eq!(good.login_hint.as_deref(), Some("ada"));
        assert_eq!(good.target_link_uri.as_deref(), Some("https://app.example/x"));
        assert_eq!(run("login_hint=ada"), Err(OidcError::IssMissing));
        assert_eq!(run("iss=https://idp.example/"), Err(OidcError::IssMismatch));
        assert_eq!(
            run("iss=https://idp.example&iss=https://idp.example"),
            Err(OidcError::ParameterRepeated)
        );
    }
}
