//! Whether a stored authorization code may be redeemed (RFC 6749 4.1.3, RFC 7636 4.6, RFC 9700 4.5).
//!
//! Owns the decision. Never: the atomicity of "used once": the caller marks the code used in the same
//! statement that reads it, whatever the decision is, and hands in whether it was used before.

use jiff::{SignedDuration, Timestamp};

use crate::error::OAuthError;
use crate::pkce;
use crate::secret::Secret;

/// The life of a code.
pub const LIFETIME: SignedDuration = SignedDuration::from_secs(60);

/// The stored row of a code.
#[derive(Debug, Clone, Copy)]
pub struct CodeFacts<'a> {
    /// The client it was made for.
    pub client_id: &'a str,
    /// The redirect URI of the authorization request.
    pub redirect_uri: &'a str,
    /// The S256 challenge, if one was sent.
    pub code_challenge: Option<&'a str>,
    /// When it ends.
    pub expires: Timestamp,
    /// Whether it had been used before this request.
    pub used: bool,
}

/// What to do with a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeDecision {
    /// Issue tokens.
    Issue,
    /// Refuse.
    Refuse(OAuthError),
    /// Refuse, and revoke every token that came from this code: it leaked (RFC 9700 4.5.3).
    RefuseAndRevoke(OAuthError),
}

/// Decides on a code presented by the authenticated `client_id`.
pub fn decide(
    facts: &CodeFacts<'_>,
    client_id: &str,
    redirect_uri: Option<&str>,
    code_verifier: Option<&Secret>,
    now: Timestamp,
) -> CodeDecision {
    if facts.used {
        return CodeDecision::RefuseAndRevoke(OAuthError::CodeReused);
    }
    if facts.client_id != client_id {
        return CodeDecision::Refuse(OAuthError::CodeWrongClient);
    }
    if now >= facts.expires {
        return CodeDecision::Refuse(OAuthError::CodeExpired);
    }
    if redirect_uri != Some(facts.redirect_uri) {
        return CodeDecision::Refuse(OAuthError::CodeRedirectMismatch);
    }
    match (facts.code_challenge, code_verifier) {
        (None, None) => CodeDecision::Issue,
        (Some(_), None) => CodeDecision::Refuse(OAuthError::VerifierMissing),
        (Some(challenge), Some(verifier)) if pkce::verify(verifier.expose(), challenge) => {
            CodeDecision::Issue
        }
        // A verifier without a challenge: somebody took the challenge out of the authorization request
        // (downgrade, RFC 9700 4.8.2).
        (Some(_) | None, Some(_)) => CodeDecision::Refuse(OAuthError::VerifierMismatch),
    }
}

#[cfg(test)]
mod tests {
    use super::{CodeDecision, CodeFacts, decide};
    use crate::{OAuthError, Secret, pkce};
    use jiff::Timestamp;

    const URI: &str = "https://app.example/cb";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn facts(challenge: Option<&str>) -> CodeFacts<'_> {
        CodeFacts {
            client_id: "app",
            redirect_uri: URI,
            code_challenge: challenge,
            expires: at(60),
            used: false,
        }
    }

    #[test]
    fn a_code_is_redeemed_by_its_client_in_time_with_its_verifier() {
        let verifier = pkce::verifier(&[1; 32]);
        let challenge = pkce::challenge(verifier.expose());
        let facts = facts(Some(&challenge));
        let run = |client: &str, uri, verifier, now| decide(&facts, client, uri, verifier, at(now));
        assert_eq!(run("app", Some(URI), Some(&verifier), 59), CodeDecision::Issue);
        let refused = |error| CodeDecision::Refuse(error);
        assert_eq!(
            run("app", Some(URI), Some(&verifier), 60),
            refused(OAuthError::CodeExpired)
        );
        assert_eq!(
            run("spy", Some(URI), Some(&verifier), 1),
            refused(OAuthError::CodeWrongClient)
        );
        assert_eq!(
            run("app", None, Some(&verifier), 1),
            refused(OAuthError::CodeRedirectMismatch)
        );
        let near = Some("https://app.example/cb/");
        assert_eq!(
            run("app", near, Some(&verifier), 1),
            refused(OAuthError::CodeRedirectMismatch)
        );
        assert_eq!(
            run("app", Some(URI), None, 1),
            refused(OAuthError::VerifierMissing)
        );
        let other = pkce::verifier(&[2; 32]);
        assert_eq!(
            run("app", Some(URI), Some(&other), 1),
            refused(OAuthError::VerifierMismatch)
        );
        // "plain": presenting the challenge itself.
        let plain = Secret::new(challenge.clone());
        assert_eq!(
            run("app", Some(URI), Some(&plain), 1),
            refused(OAuthError::VerifierMismatch)
        );
    }

    #[test]
    fn a_second_use_revokes_whoever_asks() {
        let mut facts = facts(None);
        facts.used = true;
        for client in ["app", "spy"] {
            let decision = decide(&facts, client, Some(URI), None, at(1));
            assert_eq!(decision, CodeDecision::RefuseAndRevoke(OAuthError::CodeReused));
        }
    }

    #[test]
    fn a_verifier_without_challenge_is_a_downgrade() {
        let verifier = pkce::verifier(&[1; 32]);
        let facts = facts(None);
        assert_eq!(decide(&facts, "app", Some(URI), None, at(1)), CodeDecision::Issue);
        let decision = decide(&facts, "app", Some(URI), Some(&verifier), at(1));
        assert_eq!(decision, CodeDecision::Refuse(OAuthError::VerifierMismatch));
    }
}
