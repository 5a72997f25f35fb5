//! Joins the person who signs in to the account that the directory pushed. Never makes an account, and
//! never takes one that somebody has signed in with before.
//!
//! The connection's join keys are tried in order, and the first key under which anybody is found decides. Attack held off: a
//! directory that gives a user name or an address of one person to another one moves no account: whoever signed in with it
//! first keeps it, and the other one is refused until an admin resets the identity (security.md 3).

use super::{Match, Search, code, is_bound, word};
use crate::connection::{JoinKey, MatchStep};
use crate::directory::{Origin, Status};
use crate::facts::AccountFacts;
use crate::trace::{Stage, StepOutcome, Steps};

impl<'a> Search<'a, '_> {
    /// Finds the pushed account of the person.
    pub(super) fn join(&self, steps: &mut Steps) -> Match<'a> {
        for key in &self.connection.settings.directory.join_by {
            let found: Vec<&'a AccountFacts> = self
                .facts
                .candidates
                .iter()
                .filter(|candidate| {
                    is_bound(candidate, &self.connection.id)
                        && self.is_eligible(candidate)
                        && self.fits_key(candidate, *key)
                })
                .collect();
            let step = step(*key);
            match self.narrowed(found, step, steps).as_slice() {
                [] => {}
                [account] if self.has_own_link(account) => return other_identity(account, step, steps),
                [account] => match account.account.status {
                    Status::Active | Status::Invited => {
                        let text = format!("matched by {}, as the directory pushed it", word(step));
                        steps.add(Stage::Match, StepOutcome::Passed, code(step), text);
                        return Match::Found {
                            account,
                            by_link: false,
                        };
                    }
                    // What an admin deleted is known by its link only (C-29).
                    Status::Deleted if account.account.status_origin != Origin::Scim => {}
                    Status::Suspended | Status::Deactivated | Status::Deleted => {
                        let text = format!("an account that is not active matches by {}", word(step));
                        steps.add(Stage::Match, StepOutcome::Warned, "matched_inactive", text);
                        return Match::Inactive {
                            account,
                            by_link: false,
                        };
                    }
                },
                several => return self.ambiguous(several, step, steps),
            }
        }
        let text = format!("the directory pushed nobody with {}", self.looked_for());
        steps.add(Stage::Match, StepOutcome::Skipped, "matched_nobody", text);
        Match::Nobody
    }

    fn fits_key(&self, candidate: &AccountFacts, key: JoinKey) -> bool {
        let subject = self.incoming.subject.value.as_str();
        match key {
            JoinKey::ExternalId => candidate.account.external_id.as_deref() == Some(subject),
            JoinKey::Email => self.same_email(candidate),
            JoinKey::UserName => {
                // User names have no case (RFC 7643 4.1.1), unlike subjects.
                let held = candidate.account.user_name.as_deref().map(str::to_lowercase);
                let presented = [Some(subject), self.incoming.normalized.user_name.as_deref()];
                presented
                    .into_iter()
                    .flatten()
                    .any(|presented| held.as_deref() == Some(presented.to_lowercase().as_str()))
            }
        }
    }

    /// Says what would have had to be pushed, so that an admin can compare.
    fn looked_for(&self) -> String {
        let subject = &self.incoming.subject.value;
        let asserted = &self.incoming.normalized;
        let keys = self.connection.settings.directory.join_by.iter();
        let words: Vec<String> = keys
            .map(|key| match key {
                JoinKey::UserName => match asserted.user_name.as_ref().filter(|name| *name != subject) {
                    Some(name) => format!("user name \"{subject}\" or \"{name}\""),
                    None => format!("user name \"{subject}\""),
                },
                JoinKey::ExternalId => format!("external id \"{subject}\""),
                JoinKey::Email => match &asserted.email {
                    Some(email) if super::usable_email(self.incoming, self.connection).is_ok() => {
                        format!("address {email}")
                    }
                    Some(_) | None => "an address that the provider vouches for".to_owned(),
                },
            })
            .collect();
        words.join(", ")
    }
}

const fn step(key: JoinKey) -> Option<MatchStep> {
    match key {
        JoinKey::UserName => Some(MatchStep::UserName),
        JoinKey::ExternalId => Some(MatchStep::ExternalId),
        JoinKey::Email => None,
    }
}

fn other_identity<'a>(account: &AccountFacts, step: Option<MatchStep>, steps: &mut Steps) -> Match<'a> {
    let text = format!(
        "account {} matches by {}, but another identity has signed in with it: an admin can reset the account's identity",
        account.account.id,
        word(step)
    );
    steps.add(
        Stage::Match,
        StepOutcome::Refused,
        "linked_to_other_identity",
        text,
    );
    Match::OtherIdentity
}
