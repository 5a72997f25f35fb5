//! Tokens in forms against cross-site request forgery, login forgery included.
//!
//! A form's token is the digest of a secret that only this browser holds in a cookie: the session's, or for
//! people who are not signed in the browser cookie's. Never stored; nothing to clean up, nothing to share
//! between nodes.

use subtle::ConstantTimeEq as _;

use crate::world::digest_of;

/// Returns the token for forms of the holder of `secret`.
pub fn token_for(secret: &str) -> String {
    digest_of(&format!("provost form token\n{secret}"))
}

/// Tells whether a posted token belongs to the holder of `secret`.
pub fn is_genuine(secret: Option<&str>, posted: &str) -> bool {
    secret.is_some_and(|secret| bool::from(token_for(secret).as_bytes().ct_eq(posted.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::{is_genuine, token_for};

    #[test]
    fn a_token_belongs_to_one_browser() {
        let token = token_for("pvb_mine");
        assert!(is_genuine(Some("pvb_mine"), &token));
        assert!(!is_genuine(Some("pvb_other"), &token));
        assert!(!is_genuine(None, &token));
        assert!(!is_genuine(Some("pvb_mine"), ""));
        assert!(!token.contains("pvb_mine"));
    }
}
