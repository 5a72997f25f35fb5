//! When signing keys come, take over and go.
//!
//! Owns the life of a key: published as `next` well before it signs, so that every app has fetched it; `current`
//! for the configured days; published as `retiring` until no token that it signed is of any use. Pure: never
//! makes a key, reads the store or the clock.

use jiff::{SignedDuration, Timestamp};
use provost_oidc::jose::Algorithm;
use provost_store::KeyState as State;

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
    /// When it may sign at the earliest; its age counts from here.
    pub not_before: Timestamp,
    /// When it is no longer published, once it is retiring.
    pub not_after: Option<Timestamp>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Make a key in this state, which may sign from this moment on.
    Create(Algorithm, State, Timestamp),
    /// Let a key sign.
    Promote(String),
    /// Let a key sign no more, and publish it until this moment.
    Retire(String, Timestamp),
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
        let over = key.not_after.is_some_and(|end| now >= end);
        if key.state == State::Retiring && over {
            actions.push(Action::Remove(key.kid.clone()));
        }
    }
    actions
}

fn plan_one(
    keys: &[KeyFacts],
    algorithm: Algorithm,
    policy: Policy,
    now: Timestamp,
    actions: &mut Vec<Action>,
) {
    let in_state = |state: State| {
        keys.iter()
            .filter(move |key| key.algorithm == algorithm && key.state == state)
    };
    let next = oldest(in_state(State::Next));
    let Some(current) = oldest(in_state(State::Current)) else {
        // The first start: nobody has our key set yet, so nothing must be published in advance.
        actions.push(match next {
            Some(next) => Action::Promote(next.kid.clone()),
            None => Action::Create(algorithm, State::Current, now),
        });
        return;
    };
    let age = now.duration_since(current.not_before);
    match next {
        None if age >= policy.sign_for.saturating_sub(PUBLISHED_BEFORE_USE) => {
            let usable = now.saturating_add(PUBLISHED_BEFORE_USE).unwrap_or(Timestamp::MAX);
            actions.push(Action::Create(algorithm, State::Next, usable));
        }
        Some(next) if age >= policy.sign_for && now >= next.not_before => {
            let end = now.saturating_add(policy.publish_for).unwrap_or(Timestamp::MAX);
            // Every current one: two nodes may have made one each at the very first start.
            actions.extend(in_state(State::Current).map(|old| Action::Retire(old.kid.clone(), end)));
            actions.push(Action::Promote(next.kid.clone()));
        }
        Some(_) | None => {}
    }
}

/// The same choice on every node.
pub fn oldest<'a>(keys: impl Iterator<Item = &'a KeyFacts>) -> Option<&'a KeyFacts> {
    keys.min_by_key(|key| (key.not_before, &key.kid))
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use provost_oidc::jose::Algorithm;
    use provost_store::KeyState as State;

    use super::{Action, KeyFacts, Policy, plan};

    const ES: Algorithm = Algorithm::Es256;

    fn policy() -> Policy {
        Policy {
            sign_for: SignedDuration::from_hours(90 * 24),
            publish_for: SignedDuration::from_hours(48),
        }
    }

    fn day(days: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + days * 86_400).unwrap()
    }

    fn key(kid: &str, state: State, not_before: Timestamp) -> KeyFacts {
        KeyFacts {
            kid: kid.to_owned(),
            algorithm: ES,
            state,
            not_before,
            not_after: None,
        }
    }

    #[test]
    fn the_first_start_makes_one_key_for_each_algorithm() {
        let made = plan(&[], &[ES, Algorithm::Rs256], policy(), day(0));
        assert_eq!(
            made,
            [
                Action::Create(ES, State::Current, day(0)),
                Action::Create(Algorithm::Rs256, State::Current, day(0))
            ]
        );
    }

    #[test]
    fn a_key_is_published_a_day_before_it_signs() {
        let young = [key("a", State::Current, day(0))];
        assert_eq!(plan(&young, &[ES], policy(), day(88)), []);
        assert_eq!(
            plan(&young, &[ES], policy(), day(89)),
            [Action::Create(ES, State::Next, day(90))]
        );
        let both = [key("a", State::Current, day(0)), key("b", State::Next, day(90))];
        assert_eq!(plan(&both, &[ES], policy(), day(89)), []);
        let over = plan(&both, &[ES], policy(), day(90));
        assert_eq!(
            over,
            [
                Action::Retire("a".to_owned(), day(92)),
                Action::Promote("b".to_owned())
            ]
        );
    }

    #[test]
    fn a_late_start_still_publishes_before_use() {
        let old = [key("a", State::Current, day(0))];
        assert_eq!(
            plan(&old, &[ES], policy(), day(400)),
            [Action::Create(ES, State::Next, day(401))]
        );
        let both = [key("a", State::Current, day(0)), key("b", State::Next, day(401))];
        assert_eq!(plan(&both, &[ES], policy(), day(400)), []);
        assert_eq!(plan(&both, &[ES], policy(), day(401)).len(), 2);
    }

    #[test]
    fn a_retired_key_stays_published_until_its_tokens_are_of_no_use() {
        let mut old = key("a", State::Retiring, day(0));
        old.not_after = Some(day(92));
        let keys = [old, key("b", State::Current, day(90))];
        assert_eq!(plan(&keys, &[ES], policy(), day(91)), []);
        assert_eq!(
            plan(&keys, &[ES], policy(), day(92)),
            [Action::Remove("a".to_owned())]
        );
    }

    #[test]
    fn two_current_keys_of_two_nodes_are_retired_together() {
        let keys = [
            key("a", State::Current, day(0)),
            key("z", State::Current, day(0)),
            key("b", State::Next, day(90)),
        ];
        let moved = plan(&keys, &[ES], policy(), day(90));
        assert_eq!(moved.len(), 3);
        assert_eq!(moved.last(), Some(&Action::Promote("b".to_owned())));
    }
}
