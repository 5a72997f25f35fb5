//! What happens next with an app's request: ask the person to sign in, answer the app, or refuse.
//!
//! Owns `prompt`, `max_age` and `connection` (OpenID Connect Core 3.1.2.1). Pure: never reads the store, a
//! cookie or the clock, and never judges memberships; see `admission` for those.

use jiff::{SignedDuration, Timestamp};
use provost_kernel::id::ConnectionId;
use provost_oidc::OAuthError;

/// Difference of clocks tolerated between us and the identity provider that said when the person authenticated.
const CLOCK_SLACK: SignedDuration = SignedDuration::from_secs(60);

/// What the app asked about the sign-in.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// `prompt=none`: never show a page.
    pub silent: bool,
    /// `prompt=login` or `prompt=select_account`: a session from before the request is not enough.
    pub anew: bool,
    /// `max_age` in seconds.
    pub max_age: Option<i64>,
    /// The connection that must have proved the person.
    pub connection: Option<ConnectionId>,
    /// The account that the app's `id_token_hint` names; nobody else may answer.
    pub account: Option<String>,
}

/// What the step needs to know of the browser's session.
#[derive(Clone, Debug)]
pub struct SessionFacts {
    /// Whose session it is.
    pub account: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When the person proved herself, as the identity provider says.
    pub authenticated_at: Timestamp,
    /// Through which connection; none after a password.
    pub connection: Option<ConnectionId>,
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The person must sign in; `force` when an existing session or one at the identity provider is not enough.
    SignIn {
        /// Whether the person must prove herself again.
        force: bool,
    },
    /// The session answers the request.
    Answer,
    /// The app gets this error.
    Refuse(OAuthError),
}

/// Decides the next step of a request that was asked at `asked_at`.
///
/// A session that began after the request is the answer to our own demand to sign in, so it is never demanded
/// twice: what it still does not satisfy is refused, which rules out redirect loops.
pub fn step(wish: &Wish, session: Option<&SessionFacts>, asked_at: Timestamp, now: Timestamp) -> Step {
    let Some(session) = session else {
        return demand(wish, wish.anew);
    };
    let fresh = session.created_at >= asked_at;
    if wish.anew && !fresh {
        return demand(wish, true);
    }
    let right_person = wish
        .account
        .as_ref()
        .is_none_or(|account| account == &session.account);
    let right_connection = wish.connection.is_none() || wish.connection == session.connection;
    if !right_person || !right_connection {
        return if fresh {
            Step::Refuse(OAuthError::AccessDenied)
        } else {
            demand(wish, true)
        };
    }
    let recent = wish
        .max_age
        .is_none_or(|seconds| is_recent(seconds, session, fresh, asked_at, now));
    match (recent, fresh) {
        (true, _) => Step::Answer,
        (false, false) => demand(wish, true),
        // The identity provider was asked for a new proof and did not give one.
        (false, true) => Step::Refuse(OAuthError::LoginRequired),
    }
}

fn demand(wish: &Wish, force: bool) -> Step {
    if wish.silent {
        Step::Refuse(OAuthError::LoginRequired)
    } else {
        Step::SignIn { force }
    }
}

fn is_recent(seconds: i64, session: &SessionFacts, fresh: bool, asked_at: Timestamp, now: Timestamp) -> bool {
    let limit = SignedDuration::from_secs(seconds);
    if fresh {
        // Counted from the request, or else `max_age=0` could never be satisfied.
        let age = asked_at.duration_since(session.authenticated_at);
        age <= limit.saturating_add(CLOCK_SLACK)
    } else {
        now.duration_since(session.authenticated_at) <= limit
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use provost_oidc::OAuthError;

    use super::{SessionFacts, Step, Wish, step};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn session(created: i64, authenticated: i64) -> SessionFacts {
        SessionFacts {
            account: "acc_1".to_owned(),
            created_at: at(created),
            authenticated_at: at(authenticated),
            connection: Some("okta".into()),
        }
    }

    const LOGIN_REQUIRED: Step = Step::Refuse(OAuthError::LoginRequired);

    #[test]
    fn r06_an_existing_session_answers_without_a_page() {
        for silent in [true, false] {
            let wish = Wish {
                silent,
                ..Wish::default()
            };
            assert_eq!(
                step(&wish, Some(&session(-500, -500)), at(0), at(0)),
                Step::Answer
            );
        }
    }

    #[test]
    fn without_a_session_the_person_signs_in_unless_the_app_wants_silence() {
        assert_eq!(
            step(&Wish::default(), None, at(0), at(0)),
            Step::SignIn { force: false }
        );
        assert_eq!(
            step(
                &Wish {
                    silent: true,
                    ..Wish::default()
                },
                None,
                at(0),
                at(0)
            ),
            LOGIN_REQUIRED
        );
    }

    #[test]
    fn prompt_login_is_satisfied_by_a_session_begun_after_the_request_only() {
        let wish = Wish {
            anew: true,
            ..Wish::default()
        };
        assert_eq!(step(&wish, None, at(0), at(0)), Step::SignIn { force: true });
        assert_eq!(
            step(&wish, Some(&session(-1, -1)), at(0), at(5)),
            Step::SignIn { force: true }
        );
        assert_eq!(step(&wish, Some(&session(3, 3)), at(0), at(5)), Step::Answer);
    }

    #[test]
    fn max_age_counts_from_the_authentication() {
        let wish = Wish {
            max_age: Some(100),
            ..Wish::default()
        };
        assert_eq!(
            step(&wish, Some(&session(-100, -100)), at(0), at(0)),
            Step::Answer
        );
        assert_eq!(
            step(&wish, Some(&session(-50, -101)), at(0), at(0)),
            Step::SignIn { force: true }
        );
        let silent = Wish { silent: true, ..wish };
        assert_eq!(
            step(&silent, Some(&session(-50, -101)), at(0), at(0)),
            LOGIN_REQUIRED
        );
    }

    #[test]
    fn max_age_zero_is_satisfiable_and_a_stale_proof_ends_in_an_error_instead_of_a_loop() {
        let wish = Wish {
            max_age: Some(0),
            ..Wish::default()
        };
        assert_eq!(
            step(&wish, Some(&session(-10, -10)), at(0), at(0)),
            Step::SignIn { force: true }
        );
        assert_eq!(step(&wish, Some(&session(9, 9)), at(0), at(10)), Step::Answer);
        assert_eq!(
            step(&wish, Some(&session(9, -30)), at(0), at(10)),
            Step::Answer,
            "clocks differ"
        );
        assert_eq!(
            step(&wish, Some(&session(9, -3600)), at(0), at(10)),
            LOGIN_REQUIRED
        );
    }

    #[test]
    fn another_connection_or_person_means_signing_in_again_once() {
        let wish = Wish {
            connection: Some("entra".into()),
            ..Wish::default()
        };
        assert_eq!(
            step(&wish, Some(&session(-9, -9)), at(0), at(0)),
            Step::SignIn { force: true }
        );
        assert_eq!(
            step(&wish, Some(&session(5, 5)), at(0), at(6)),
            Step::Refuse(OAuthError::AccessDenied)
        );
        let wish = Wish {
            account: Some("acc_2".to_owned()),
            silent: true,
            ..Wish::default()
        };
        assert_eq!(step(&wish, Some(&session(-9, -9)), at(0), at(0)), LOGIN_REQUIRED);
        let wish = Wish {
            connection: Some("okta".into()),
            account: Some("acc_1".to_owned()),
            ..Wish::default()
        };
        assert_eq!(step(&wish, Some(&session(-9, -9)), at(0), at(0)), Step::Answer);
    }
}
