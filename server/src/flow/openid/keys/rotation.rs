//! When signing keys come, take over and go.
//!
//! Owns the life of a key: published as `next` well before it signs, so that every app has fetched it; `current`
//! for the configured days; published as `retiring` until no token that it signed is of any use. Pure: never
//! makes a key, reads the store or the clock.

use jiff::{SignedDuration, Timestamp};
use provost_oidc::jose::Algorithm;
use provost_store::SigningKeyState as State;

/// How long a key must have been published before it signs: longer than any app caches our key set.
pub const PUBLISHED_BEFORE_USE: SignedDuration = SignedDuration::from_hours(24);

/// The settings of rotation.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// How long a key signs.
    pub sign_for: SignedDuration,
    /// How long a key stays published after it stopped signing: the longest life of a session, whose ID tokens
    /// come back as `id_token_hint`.
    pub publish_for: SignedDuration,
}

/// One key as the rotation sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFacts {
    /// Key id.
    pub kid: String,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// Where in its life it is.
    pub state: State,
    /// Since when.
    pub since: Timestamp,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Make a key and publish it in this state.
    Create(Algorithm, State),
    /// Move a key to another state.
    Move(String, State),
    /// Forget a key.
    Remove(String),
}

/// Decides what to do now; nothing most of the time. Doing it and deciding again gives nothing.
pub fn plan(keys: &[KeyFacts], algorithms: &[Algorithm], policy: Policy, now: Timestamp) -> Vec<Action> {
    let mut actions = Vec::new();
    for algorithm in algorithms {
        plan_one(keys, *algorithm, policy, now, &mut actions);
    }
    for key in keys {
        if key.state == State::Retiring && now.duration_since(key.since) >= policy.publish_for {
            actions.push(Action::Remove(key.kid.clone()));
        }
    }
    actions
}

fn plan_one(keys: &[KeyFacts], algorithm: Algorithm, policy: Policy, now: Timestamp, actions: &mut Vec<Action>) {
    let in_state =
        |state: State| keys.iter().filter(move |key| key.algorithm == algorithm && key.state == state);
    let Some(current) = in_state(State::Current).min_by_key(|key| (key.since, &key.kid)) else {
        // The first start: nobody has our key set yet, so nothing must be published in advance.
        match in_state(State::Next).min_by_key(|key| (key.since, &key.kid)) {
            Some(next) => actions.push(Action::Move(next.kid.clone(), State::Current)),
            None => actions.push(Action::Create(algorithm, State::Current)),
        }
        return;
    };
    let age = now.duration_since(current.since);
    let next = in_state(State::Next).min_by_key(|key| (key.since, &key.kid));
    match next {
        None if age >= policy.sign_for.saturating_sub(PUBLISHED_BEFORE_USE) => {
            actions.push(Action::Create(algorithm, State::Next));
        }
        Some(next) if age >= policy.sign_for && now.duration_since(next.since) >= PUBLISHED_BEFORE_USE => {
            // Retire every current one: two nodes may have made one each at the very first start.
            for old in in_state(State::Current) {
                actions.push(Action::Move(old.kid.clone(), State::Retiring));
            }
            actions.push(Action::Move(next.kid.clone(), State::Current));
        }
        Some(_) | None => {}
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use provost_oidc::jose::Algorithm;
    use provost_store::SigningKeyState as State;

    use super::{Action, KeyFacts, Policy, plan};

    const ES: Algorithm = Algorithm::Es256;

    fn policy() -> Policy {
        Policy { sign_for: SignedDuration::from_hours(90 * 24), publish_for: SignedDuration::from_hours(48) }
    }

    fn day(days: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + days * 86_400).unwrap()
    }

    fn key(kid: &str, state: State, since: Timestamp) -> KeyFacts {
        KeyFacts { kid: kid.to_owned(), algorithm: ES, state, since }
    }

    #[test]
    fn the_first_start_makes_one_key_for_each_algorithm() {
        let made = plan(&[], &[ES, Algorithm::Rs256], policy(), day(0));
        assert_eq!(made, [Action::Create(ES, State::Current), Action::Create(Algorithm::Rs256, State::Current)]);
    }

    #[test]
    fn a_key_is_published_a_day_before_it_signs() {
        let young = [key("a", State::Current, day(0))];
        assert_eq!(plan(&young, &[ES], policy(), day(88)), []);
        assert_eq!(plan(&young, &[ES], policy(), day(89)), [Action::Create(ES, State::Next)]);
        let both = [key("a", State::Current, day(0)), key("b", State::Next, day(89))];
        assert_eq!(plan(&both, &[ES], policy(), day(89)), []);
        let over = plan(&both, &[ES], policy(), day(90));
        assert_eq!(
            over,
            [Action::Move("a".to_owned(), State::Retiring), Action::Move("b".to_owned(), State::Current)]
        );
    }

    #[test]
    fn a_late_start_still_publishes_before_use() {
        let old = [key("a", State::Current, day(0))];
        assert_eq!(plan(&old, &[ES], policy(), day(400)), [Action::Create(ES, State::Next)]);
        let both = [key("a", State::Current, day(0)), key("b", State::Next, day(400))];
        assert_eq!(plan(&both, &[ES], policy(), day(400)), []);
    }

    #[test]
    fn a_retired_key_stays_published_until_its_tokens_are_of_no_use() {
        let keys = [key("a", State::Retiring, day(90)), key("b", State::Current, day(90))];
        assert_eq!(plan(&keys, &[ES], policy(), day(91)), []);
        assert_eq!(plan(&keys, &[ES], policy(), day(92)), [Action::Remove("a".to_owned())]);
    }

    #[test]
    fn two_current_keys_of_two_nodes_are_retired_together() {
        let keys = [
            key("a", State::Current, day(0)),
            key("z", State::Current, day(0)),
            key("b", State::Next, day(89)),
        ];
        let moved = plan(&keys, &[ES], policy(), day(90));
        assert_eq!(moved.len(), 3);
        assert_eq!(moved.last(), Some(&Action::Move("b".to_owned(), State::Current)));
    }
}
