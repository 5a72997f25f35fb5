//! Rotating refresh tokens (RFC 9700 4.14.2).
//!
//! Owns the decision. Never: its atomicity: the caller marks the token used only if it was unused, in the
//! same transaction that stores the successor.

use jiff::{SignedDuration, Timestamp};

use crate::error::OAuthError;
use crate::jose::claims::since;

/// How long after its use a token is taken for a retry whose answer was lost.
pub const GRACE: SignedDuration = SignedDuration::from_secs(10);

/// The stored row of a refresh token and its family.
#[derive(Debug, Clone, Copy)]
pub struct RefreshFacts<'a> {
    /// The client the family belongs to.
    pub client_id: &'a str,
    /// When this token was used, if it was.
    pub used_at: Option<Timestamp>,
    /// Whether its answer was already repeated once.
    pub repeated: bool,
    /// Whether the token that replaced it was used: then the answer did arrive, and this is no retry.
    pub successor_used: bool,
    /// Whether the family was revoked.
    pub revoked: bool,
    /// When this token ends for lack of use.
    pub expires: Timestamp,
    /// When the family ends, whatever its use.
    pub family_expires: Timestamp,
}

/// What to do with a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshDecision {
    /// Issue a successor and new tokens.
    Rotate,
    /// Send the same successor once more (the caller kept the answer, encrypted, for the grace time).
    RepeatAnswer,
    /// Refuse.
    Refuse(OAuthError),
    /// Refuse and revoke the whole family: two parties hold the token.
    RevokeFamily(OAuthError),
}

/// Decides on a refresh token presented by the authenticated `client_id`.
pub fn decide(facts: &RefreshFacts<'_>, client_id: &str, now: Timestamp) -> RefreshDecision {
    if facts.client_id != client_id {
        // Another client holds it: it leaked.
        return RefreshDecision::RevokeFamily(OAuthError::RefreshTokenWrongClient);
    }
    if facts.revoked {
        return RefreshDecision::Refuse(OAuthError::RefreshTokenRevoked);
    }
    if now >= facts.family_expires {
        return RefreshDecision::Refuse(OAuthError::RefreshTokenExpired);
    }
    match facts.used_at {
        Some(at) => {
            let in_grace = since(at, now) < GRACE;
            if in_grace && !facts.repeated && !facts.successor_used {
                RefreshDecision::RepeatAnswer
            } else {
                RefreshDecision::RevokeFamily(OAuthError::RefreshTokenReused)
            }
        }
        None if now >= facts.expires => RefreshDecision::Refuse(OAuthError::RefreshTokenExpired),
        None => RefreshDecision::Rotate,
    }
}

#[cfg(test)]
mod tests {
    use super::{RefreshDecision, RefreshFacts, decide};
    use crate::OAuthError;
    use jiff::Timestamp;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn facts() -> RefreshFacts<'static> {
        RefreshFacts {
            client_id: "app",
            used_at: None,
            repeated: false,
            successor_used: false,
            revoked: false,
            expires: at(100),
            family_expires: at(1000),
        }
    }

    #[test]
    fn an_unused_token_rotates_until_it_expires() {
        assert_eq!(decide(&facts(), "app", at(99)), RefreshDecision::Rotate);
        let expired = RefreshDecision::Refuse(OAuthError::RefreshTokenExpired);
        assert_eq!(decide(&facts(), "app", at(100)), expired);
        let capped = RefreshFacts {
            expires: at(5000),
            ..facts()
        };
        assert_eq!(decide(&capped, "app", at(1000)), expired);
        let revoked = RefreshFacts {
            revoked: true,
            ..facts()
        };
        assert_eq!(
            decide(&revoked, "app", at(1)),
            RefreshDecision::Refuse(OAuthError::RefreshTokenRevoked)
        );
    }

    #[test]
    fn one_retry_within_the_grace_time_gets_the_same_answer() {
        let used = RefreshFacts {
            used_at: Some(at(50)),
            ..facts()
        };
        assert_eq!(decide(&used, "app", at(59)), RefreshDecision::RepeatAnswer);
    }

    #[test]
    fn any_other_second_use_revokes_the_family() {
        let reuse = RefreshDecision::RevokeFamily(OAuthError::RefreshTokenReused);
        let used = RefreshFacts {
            used_at: Some(at(50)),
            ..facts()
        };
        assert_eq!(decide(&used, "app", at(60)), reuse);
        assert_eq!(
            decide(
                &RefreshFacts {
                    repeated: true,
                    ..used
                },
                "app",
                at(51)
            ),
            reuse
        );
        assert_eq!(
            decide(
                &RefreshFacts {
                    successor_used: true,
                    ..used
                },
                "app",
                at(51)
            ),
            reuse
        );
        // Expired by idleness meanwhile, and still evidence of a leak.
        assert_eq!(decide(&used, "app", at(500)), reuse);
        let foreign = RefreshDecision::RevokeFamily(OAuthError::RefreshTokenWrongClient);
        assert_eq!(decide(&facts(), "spy", at(1)), foreign);
    }
}
