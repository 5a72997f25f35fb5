//! Revocation of a token by its app (RFC 7009).
//!
//! Owns what a revocation means. Never: tells whether the token existed; the answer is 200 with no body.

use crate::error::OAuthError;
use crate::params::Params;
use crate::secret::Secret;

/// What to revoke, by what the caller found under the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// Nothing: unknown, or another client's.
    Nothing,
    /// The refresh token's whole family, and the access tokens that came from it.
    Family,
    /// One access token, by its id, until it expires.
    AccessToken,
}

/// What was found under a token.
#[derive(Debug, Clone, Copy)]
pub enum Found<'a> {
    /// A refresh token of this client.
    RefreshToken(&'a str),
    /// An access token of this client, verified.
    AccessToken(&'a str),
    /// Nothing.
    Unknown,
}

/// The token of a revocation request.
///
/// Errors: `TokenMissing`.
pub fn token(params: &Params) -> Result<Secret, OAuthError> {
    super::introspection::token(params)
}

/// Decides what an authenticated client's revocation does.
pub fn decide(found: Found<'_>, client_id: &str) -> Revocation {
    match found {
        Found::RefreshToken(owner) if owner == client_id => Revocation::Family,
        Found::AccessToken(owner) if owner == client_id => Revocation::AccessToken,
        Found::RefreshToken(_) | Found::AccessToken(_) | Found::Unknown => Revocation::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::{Found, Revocation, decide, token};
    use crate::{OAuthError, Params};

    #[test]
    fn a_client_revokes_its_own_tokens_only() {
        assert_eq!(decide(Found::RefreshToken("app"), "app"), Revocation::Family);
        assert_eq!(decide(Found::AccessToken("app"), "app"), Revocation::AccessToken);
        assert_eq!(decide(Found::RefreshToken("other"), "app"), Revocation::Nothing);
        assert_eq!(decide(Found::AccessToken("other"), "app"), Revocation::Nothing);
        assert_eq!(decide(Found::Unknown, "app"), Revocation::Nothing);
        assert_eq!(
            token(&Params::parse(b"token=")).unwrap_err(),
            OAuthError::TokenMissing
        );
    }
}
