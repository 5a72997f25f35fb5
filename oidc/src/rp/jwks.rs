//! When to fetch a connection's signing keys again.
//!
//! Owns the decision as a pure function over two instants. Never: fetches or keeps the keys.

use jiff::{SignedDuration, Timestamp};

use crate::jose::claims::since;

/// The least time between two fetches of one key set, so that tokens with invented key ids cannot make us
/// hammer the provider.
pub const MIN_INTERVAL: SignedDuration = SignedDuration::from_secs(60);
/// The least time between two tries while there are no keys at all.
pub const RETRY_INTERVAL: SignedDuration = SignedDuration::from_secs(5);
/// Keys older than this are fetched again before use.
pub const FRESH: SignedDuration = SignedDuration::from_hours(1);
/// Keys older than this are not used even while the provider cannot be reached.
pub const STALE_LIMIT: SignedDuration = SignedDuration::from_hours(24);

/// What is known about the cached keys of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FetchHistory {
    /// When the cached keys were fetched; `None` when there are none.
    pub fetched: Option<Timestamp>,
    /// When a fetch was last tried, with or without success.
    pub tried: Option<Timestamp>,
}

/// Why keys are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// A token is to be verified.
    Keys,
    /// The cached keys lack the token's key id, or its signature did not verify with them: the provider may
    /// have rotated.
    NewerKeys,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Use the cached keys.
    UseCached,
    /// Fetch; if that fails, use the cached keys all the same.
    FetchElseCached,
    /// Fetch; if that fails, the sign-in fails.
    Fetch,
    /// Neither: the sign-in fails with the error at hand, as the last fetch was too recent.
    GiveUp,
}

impl FetchHistory {
    /// Decides what to do at `now`.
    pub fn decide(&self, want: Want, now: Timestamp) -> Step {
        let age = self
            .fetched
            .map(|at| since(at, now))
            .filter(|age| *age < STALE_LIMIT);
        let Some(age) = age else {
            return if self.may_fetch(RETRY_INTERVAL, now) {
                Step::Fetch
            } else {
                Step::GiveUp
            };
        };
        let may_fetch = self.may_fetch(MIN_INTERVAL, now);
        match want {
            Want::Keys if age >= FRESH && may_fetch => Step::FetchElseCached,
            Want::Keys => Step::UseCached,
            Want::NewerKeys if may_fetch => Step::Fetch,
            Want::NewerKeys => Step::GiveUp,
        }
    }

    /// A try that lies in the future (the clock was set back) does not block.
    fn may_fetch(&self, interval: SignedDuration, now: Timestamp) -> bool {
        self.tried.is_none_or(|at| {
            let passed = since(at, now);
            passed >= interval || passed.is_negative()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{FetchHistory, Step, Want};
    use jiff::Timestamp;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    fn history(fetched: Option<i64>, tried: Option<i64>) -> FetchHistory {
        FetchHistory {
            fetched: fetched.map(at),
            tried: tried.map(at),
        }
    }

    #[test]
    fn without_keys_it_fetches_but_not_in_a_loop() {
        assert_eq!(history(None, None).decide(Want::Keys, at(0)), Step::Fetch);
        assert_eq!(history(None, Some(0)).decide(Want::Keys, at(4)), Step::GiveUp);
        assert_eq!(history(None, Some(0)).decide(Want::Keys, at(5)), Step::Fetch);
    }

    #[test]
    fn an_unknown_kid_fetches_at_most_once_a_minute() {
        assert_eq!(
            history(Some(0), Some(0)).decide(Want::NewerKeys, at(59)),
            Step::GiveUp
        );
        assert_eq!(
            history(Some(0), Some(0)).decide(Want::NewerKeys, at(60)),
            Step::Fetch
        );
        assert_eq!(
            history(Some(0), Some(60)).decide(Want::NewerKeys, at(90)),
            Step::GiveUp
        );
    }

    #[test]
    fn old_keys_serve_while_the_provider_fails_but_not_for_ever() {
        assert_eq!(
            history(Some(0), Some(0)).decide(Want::Keys, at(3599)),
            Step::UseCached
        );
        assert_eq!(
            history(Some(0), Some(0)).decide(Want::Keys, at(3600)),
            Step::FetchElseCached
        );
        assert_eq!(
            history(Some(0), Some(3600)).decide(Want::Keys, at(3630)),
            Step::UseCached
        );
        assert_eq!(
            history(Some(0), Some(86_000)).decide(Want::Keys, at(86_400)),
            Step::Fetch
        );
    }

    #[test]
    fn a_clock_set_back_does_not_block_fetching() {
        assert_eq!(
            history(Some(1000), Some(1000)).decide(Want::NewerKeys, at(0)),
            Step::Fetch
        );
    }
}
