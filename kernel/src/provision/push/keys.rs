//! Keys of pushed people: user name, external id and address. Judges addresses, finds who holds a key already, and who left
//! with it. Look-ups of the directory and this check see the same accounts: those of its connection that are not deleted.

use super::{PushedUser, Work};
use crate::denial::Denial;
use crate::directory::{Account, Origin, Status};
use crate::email::Email;
use crate::facts::AccountFacts;
use crate::id::AccountId;
use crate::trace::{Stage, StepOutcome};

/// What a pushed person shares with an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shared {
    UserName,
    ExternalId,
    Email,
}

impl Shared {
    const fn denial(self) -> Denial {
        match self {
            Self::UserName => Denial::UserNameTaken,
            Self::ExternalId => Denial::ExternalIdTaken,
            Self::Email => Denial::EmailTaken,
        }
    }

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::UserName => "user name",
            Self::ExternalId => "external id",
            Self::Email => "address",
        }
    }
}

impl<'a> Work<'a> {
    /// Refuses a person without user name, which SCIM requires and look-ups need.
    pub(super) fn check_user_name(&mut self, user: &PushedUser) -> Result<(), Denial> {
        if user
            .user_name
            .as_ref()
            .is_some_and(|name| !name.trim().is_empty())
        {
            return Ok(());
        }
        Err(self.refuse(Stage::Normalize, Denial::NameMissing, "a person needs a userName"))
    }

    /// Judges the pushed address. `held` is the address that the account has: it stays although its domain may be lost by now.
    ///
    /// What is no usable address stays in the directory's document only. An address outside the verified domains is refused
    /// by name, because the person could otherwise never be told apart from a stranger (security.md 3).
    pub(super) fn judge_email(
        &mut self,
        user: &PushedUser,
        held: Option<&Email>,
    ) -> Result<Option<Email>, Denial> {
        let Some(text) = user
            .email
            .as_deref()
            .map(str::trim)
            .filter(|text| !text.is_empty())
        else {
            return Ok(None);
        };
        let Ok(email) = Email::parse(text) else {
            let text =
                "the pushed address is none that can be used here; it stays in the directory's document only";
            self.steps
                .add(Stage::Normalize, StepOutcome::Warned, "email_unusable", text);
            return Ok(None);
        };
        let unchanged = held.is_some_and(|held| held.key() == email.key());
        if unchanged || self.connection.serves(&email) {
            return Ok(Some(email));
        }
        let connection = self.connection;
        let is_reserved = self
            .facts
            .sign_in
            .domains
            .get(email.domain())
            .is_some_and(|owned| {
                owned.settings.prevent_outside_sign_ups && !connection.reaches(&owned.organization)
            });
        if is_reserved {
            let text =
                "another organization has the domain of the address and prevents sign-ups outside of it";
            return Err(self.refuse(Stage::Normalize, Denial::DomainReserved, text));
        }
        if !connection.settings.require_domain {
            return Ok(Some(email));
        }
        let text = format!(
            "the address lies in {}, which is no verified domain of the connection",
            email.domain()
        );
        Err(self.refuse(Stage::Normalize, Denial::DomainNotVerified, text))
    }

    /// Sets aside what the person shares with somebody else of this directory and what need not be unique: an external id,
    /// which is the directory's own business (RFC 7643 3.1), and an address outside the verified domains, which proves
    /// nothing. Whoever had it first keeps it; here it stays in the document only, so that it never joins a sign-in to
    /// this account.
    pub(super) fn set_shared_aside(&mut self, user: &PushedUser, own: Option<&AccountId>) -> PushedUser {
        let mut kept = user.clone();
        let others: Vec<&Account> = self
            .facts
            .candidates
            .iter()
            .filter(|other| {
                let account = &other.account;
                self.is_own(other)
                    && own != Some(&account.id)
                    && account.status != Status::Deleted
                    && self.facts.directory.profiles.contains_key(&account.id)
                    && !same_name(account, user)
            })
            .map(|other| &other.account)
            .collect();
        let holds_id =
            |other: &&&Account| user.external_id.is_some() && other.external_id == user.external_id;
        if let Some(other) = others.iter().find(holds_id) {
            let text = format!(
                "account {} had this external id before and keeps it; here it stays in the document only",
                other.id
            );
            self.steps
                .add(Stage::Match, StepOutcome::Warned, "external_id_shared", text);
            kept.external_id = None;
        }
        let address = user
            .email
            .as_deref()
            .and_then(|text| Email::parse(text.trim()).ok())
            .filter(|address| !self.connection.serves(address));
        let holds_address = |other: &&&Account| match (&other.email, &address) {
            (Some(held), Some(pushed)) => held.key() == pushed.key(),
            (Some(_) | None, None) | (None, Some(_)) => false,
        };
        if let Some(other) = others.iter().find(holds_address) {
            let text = format!(
                "account {} had this address before and keeps it; here it stays in the document only",
                other.id
            );
            self.steps
                .add(Stage::Match, StepOutcome::Warned, "address_shared", text);
            kept.email = None;
        }
        kept
    }

    /// Lists who holds a key of the pushed person, each with the first key shared.
    pub(super) fn holders(
        &self,
        user: &PushedUser,
        email: Option<&Email>,
    ) -> Vec<(&'a AccountFacts, Shared)> {
        self.facts
            .candidates
            .iter()
            .filter(|candidate| self.is_own(candidate) && candidate.account.status != Status::Deleted)
            .filter_map(|candidate| Some((candidate, shared(&candidate.account, user, email)?)))
            .collect()
    }

    /// Refuses keys that somebody else holds, naming the key.
    pub(super) fn check_keys_free(
        &mut self,
        user: &PushedUser,
        email: Option<&Email>,
        own: &AccountFacts,
    ) -> Result<(), Denial> {
        let holders = self.holders(user, email);
        let other = holders
            .iter()
            .find(|(holder, _)| holder.account.id != own.account.id);
        match other {
            Some((holder, shared)) => Err(self.refuse_taken(holder, *shared)),
            None => Ok(()),
        }
    }

    pub(super) fn refuse_taken(&mut self, holder: &AccountFacts, shared: Shared) -> Denial {
        let text = format!(
            "account {} of this connection already has this {}",
            holder.account.id,
            shared.word()
        );
        self.refuse(Stage::Match, shared.denial(), text)
    }

    /// Finds the person who left with this user name or external id and comes back now. Somebody else who merely
    /// gets the user name of a person who left is somebody else: where both have an external id, it must be the same.
    pub(super) fn leaver(&self, user: &PushedUser) -> Option<&'a AccountFacts> {
        let mut left = self.facts.directory.leavers.iter().filter(|leaver| {
            self.is_own(leaver)
                && leaver.account.status == Status::Deleted
                && leaver.account.status_origin == Origin::Scim
                && !is_protected(leaver)
                && is_same_person(&leaver.account, user)
        });
        let first = left.next()?;
        let identified = |leaver: &&&AccountFacts| leaver.account.external_id == user.external_id;
        if user.external_id.is_none() || identified(&&first) {
            return Some(first);
        }
        left.find(|leaver| identified(&leaver)).or(Some(first))
    }
}

/// Tells whether the directory may not take the account over, out or back.
pub(super) const fn is_protected(known: &AccountFacts) -> bool {
    known.account.emergency_admin || known.account.operator
}

/// Tells whether a pushed person is the one who left with this account.
pub(super) fn is_same_person(account: &Account, user: &PushedUser) -> bool {
    match (&account.external_id, &user.external_id) {
        (Some(left), Some(pushed)) => left == pushed,
        (Some(_) | None, None) | (None, Some(_)) => same_name(account, user),
    }
}

/// User names are compared without regard to case (RFC 7643 4.1.1).
fn same_name(account: &Account, user: &PushedUser) -> bool {
    match (&account.user_name, &user.user_name) {
        (Some(held), Some(pushed)) => held.to_lowercase() == pushed.to_lowercase(),
        (Some(_) | None, None) | (None, Some(_)) => false,
    }
}

fn shared(account: &Account, user: &PushedUser, email: Option<&Email>) -> Option<Shared> {
    if same_name(account, user) {
        return Some(Shared::UserName);
    }
    if user.external_id.is_some() && account.external_id == user.external_id {
        return Some(Shared::ExternalId);
    }
    let held = account.email.as_ref()?;
    (email?.key() == held.key()).then_some(Shared::Email)
}
