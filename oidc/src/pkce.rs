//! Proof Key for Code Exchange (RFC 7636), method S256 only.
//!
//! Owns the verifier's grammar, the challenge and the comparison. Never: the `plain` method.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::secret::{Secret, constant_time_eq};

/// Makes a code verifier from 32 random bytes (RFC 7636 section 4.1: 43 characters).
pub fn verifier(random: &[u8; 32]) -> Secret {
    Secret::new(URL_SAFE_NO_PAD.encode(random))
}

/// The S256 challenge of a verifier (RFC 7636 section 4.2).
pub fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
}

/// Whether `text` is a well-formed verifier: 43 to 128 unreserved characters.
pub fn is_verifier(text: &str) -> bool {
    (43..=128).contains(&text.len()) && text.bytes().all(is_unreserved)
}

/// Whether `text` is a well-formed S256 challenge: exactly 43 base64url characters.
pub fn is_challenge(text: &str) -> bool {
    text.len() == 43
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// Whether `verifier` belongs to the stored `challenge`, compared in constant time.
pub fn verify(verifier: &str, stored_challenge: &str) -> bool {
    is_verifier(verifier) && constant_time_eq(challenge(verifier).as_bytes(), stored_challenge.as_bytes())
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests {
    use super::{challenge, is_challenge, is_verifier, verifier, verify};

    #[test]
    fn rfc7636_appendix_b_example() {
        let text = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(challenge(text), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert!(verify(text, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"));
        assert!(!verify(text, text));
    }

    #[test]
    fn grammar_of_verifier_and_challenge() {
        let made = verifier(&[7; 32]);
        assert!(is_verifier(made.expose()));
        assert!(is_challenge(&challenge(made.expose())));
        assert!(!is_verifier("short"));
        assert!(!verify("short", &challenge("short")));
        assert!(!is_verifier(&"a".repeat(129)));
        assert!(!is_verifier(&"ä".repeat(43)));
        assert!(!is_challenge(&"=".repeat(43)));
    }
}
