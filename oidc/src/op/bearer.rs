//! Bearer tokens at our userinfo endpoint (RFC 6750).
//!
//! Owns reading the header and the challenge. Never: tokens in queries (RFC 9700 4.3.2).

use crate::error::OidcError;

/// Reads the token of an `Authorization` header.
///
/// Errors: `BearerMissing` (no header, or another scheme), `BearerMalformed`.
pub fn parse(authorization: Option<&str>) -> Result<&str, OidcError> {
    let header = authorization.ok_or(OidcError::BearerMissing)?.trim();
    let (scheme, token) = header.split_once(' ').unwrap_or((header, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(OidcError::BearerMissing);
    }
    let token = token.trim();
    let plain =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=');
    if token.is_empty() || !token.bytes().all(plain) {
        return Err(OidcError::BearerMalformed);
    }
    Ok(token)
}

/// The HTTP status and `WWW-Authenticate` value for a refused token (RFC 6750 section 3). Without a token no
/// error is named.
pub fn challenge(error: OidcError) -> (u16, &'static str) {
    if error == OidcError::BearerMissing {
        (401, "Bearer")
    } else if error == OidcError::BearerMalformed {
        (400, "Bearer error=\"invalid_request\"")
    } else if error == OidcError::ScopeInsufficient {
        (403, "Bearer error=\"insufficient_scope\"")
    } else {
        (401, "Bearer error=\"invalid_token\"")
    }
}

#[cfg(test)]
mod tests {
    use super::{challenge, parse};
    use crate::OidcError;

    #[test]
    fn the_header_is_read() {
        assert_eq!(parse(Some("Bearer a.b-c")), Ok("a.b-c"));
        assert_eq!(parse(Some("bearer  x")), Ok("x"));
        assert_eq!(parse(None), Err(OidcError::BearerMissing));
        assert_eq!(parse(Some("Basic eA==")), Err(OidcError::BearerMissing));
        assert_eq!(parse(Some("Bearer")), Err(OidcError::BearerMalformed));
        assert_eq!(parse(Some("Bearer a b")), Err(OidcError::BearerMalformed));
    }

    #[test]
    fn challenges_follow_rfc_6750() {
        assert_eq!(challenge(OidcError::BearerMissing), (401, "Bearer"));
        assert_eq!(challenge(OidcError::Expired).0, 401);
        assert_eq!(challenge(OidcError::ScopeInsufficient).0, 403);
    }
}
