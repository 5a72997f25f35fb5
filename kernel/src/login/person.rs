//! Settles whose account a sign-in is about: an existing one, linked or brought back if need be, or a new one.
//! Never looks at organizations.

use super::Attempt;
use crate::connection::{ExistingAccount, OnInactiveMatch, Provisioning};
use crate::denial::Denial;
use crate::directory::{Account, AccountKind, Authentication, Origin, Status};
use crate::email::Email;
use crate::facts::AccountFacts;
use crate::id::AccountId;
use crate::lifecycle;
use crate::matching::{self, EmailTrouble, Match};
use crate::plan::{Change, ProfilePatch};
use crate::trace::{Stage, StepOutcome, Steps};

/// The person of a sign-in: the account as it will be, and what must change for that.
pub(super) struct Person<'a> {
    /// As it will be once the changes are applied.
    pub(super) account: Account,
    /// As the store knows it; none for a new account.
    pub(super) known: Option<&'a AccountFacts>,
    /// What changes so far.
    pub(super) changes: Vec<Change>,
}

impl<'a> Person<'a> {
    pub(super) fn untouched(known: &'a AccountFacts) -> Self {
        Self {
            account: known.account.clone(),
            known: Some(known),
            changes: Vec::new(),
        }
    }

    pub(super) const fn is_new(&self) -> bool {
        self.known.is_none()
    }
}

/// A refusal, and whom it was about.
pub(super) struct Refusal<'a> {
    pub(super) denial: Denial,
    pub(super) account: Option<&'a AccountFacts>,
}

impl From<Denial> for Refusal<'_> {
    fn from(denial: Denial) -> Self {
        Self {
            denial,
            account: None,
        }
    }
}

impl<'a> Attempt<'a> {
    pub(super) fn settle_person(&self, steps: &mut Steps) -> Result<Person<'a>, Refusal<'a>> {
        let connection = self.in_force.connection();
        match matching::find(self.incoming, self.facts, connection, steps) {
            Match::Found { account, by_link } => self.take(account, by_link, steps),
            Match::Inactive { account, by_link } => self.take_inactive(account, by_link, steps),
            Match::Ambiguous(_) => Err(Denial::AmbiguousMatch.into()),
            Match::Taken => Err(Denial::EmailTaken.into()),
            Match::OtherIdentity => Err(Denial::LinkedToOtherIdentity.into()),
            Match::Nobody => match connection.provisioning {
                Provisioning::Jit => Ok(self.create(None, steps)?),
                Provisioning::Manual => {
                    let text =
                        "accounts of this connection are made by hand, and none was made for this person";
                    steps.add(
                        Stage::Lifecycle,
                        StepOutcome::Refused,
                        "not_provisioned_by_hand",
                        text,
                    );
                    Err(Denial::NotProvisionedByHand.into())
                }
                Provisioning::Scim => {
                    let text = "accounts of this connection are pushed by the directory, and it has not pushed this \
                                person: assign the person to the app in the directory";
                    steps.add(
                        Stage::Lifecycle,
                        StepOutcome::Refused,
                        "not_pushed_by_directory",
                        text,
                    );
                    Err(Denial::NotPushedByDirectory.into())
                }
            },
        }
    }

    /// Takes an account that may sign in.
    fn take(
        &self,
        known: &'a AccountFacts,
        by_link: bool,
        steps: &mut Steps,
    ) -> Result<Person<'a>, Refusal<'a>> {
        let mut person = Person::untouched(known);
        if by_link {
            Self::activate(&mut person, steps)?;
            return Ok(person);
        }
        match (
            &known.account.authentication,
            self.in_force.connection().settings.existing_account,
        ) {
            (Authentication::Sso { .. }, _) => {
                Self::activate(&mut person, steps)?;
                person.changes.push(Change::Link {
                    account: known.account.id.clone(),
                    link: self.link(),
                });
                Ok(person)
            }
            (Authentication::Standard, ExistingAccount::Link) => {
                self.convert(&mut person, steps);
                Ok(person)
            }
            (Authentication::Standard, ExistingAccount::Additional) => {
                let text = "the standard account stays as it is; an additional SSO account is made";
                steps.add(Stage::Lifecycle, StepOutcome::Passed, "additional_account", text);
                Ok(self.create(None, steps)?)
            }
            (Authentication::Standard, ExistingAccount::Refuse) => {
                let text = "a standard account matches, and the connection may not link it";
                steps.add(
                    Stage::Lifecycle,
                    StepOutcome::Refused,
                    "existing_account_refused",
                    text,
                );
                Err(Refusal {
                    denial: Denial::ExistingAccountRefused,
                    account: Some(known),
                })
            }
        }
    }

    /// Makes a standard account an SSO account. Everything that could have been planted before ends with it:
    /// password, sessions, pending e-mail changes (security.md 3, pre-hijacking).
    fn convert(&self, person: &mut Person<'a>, steps: &mut Steps) {
        let to = Authentication::Sso {
            connection: self.in_force.connection().id.clone(),
        };
        let (id, version) = (person.account.id.clone(), person.account.version);
        person.changes.push(Change::SetAuthentication {
            account: id.clone(),
            version,
            from: person.account.authentication.clone(),
            to: to.clone(),
        });
        person.changes.push(Change::Link {
            account: id.clone(),
            link: self.link(),
        });
        person.changes.push(Change::RevokeSessions {
            account: id,
            reason: "linked".to_owned(),
        });
        person.account.authentication = to;
        let text = "the standard account is linked and becomes an SSO account; its password and sessions end";
        steps.add(
            Stage::Lifecycle,
            StepOutcome::Passed,
            "linked_standard_account",
            text,
        );
    }

    /// First sign-in of an invited account, or return of one that only a rule had taken out.
    fn activate(person: &mut Person<'a>, steps: &mut Steps) -> Result<(), Refusal<'a>> {
        let from = person.account.status;
        if from == Status::Active {
            return Ok(());
        }
        let refused = Refusal {
            denial: denial_for(from),
            account: person.known,
        };
        lifecycle::transition(from, Status::Active, Origin::Login, person.account.status_origin)
            .map_err(|_| refused)?;
        person.changes.push(Change::SetStatus {
            account: person.account.id.clone(),
            version: person.account.version,
            from,
            to: Status::Active,
            origin: Origin::Login,
        });
        person.account.status = Status::Active;
        person.account.status_origin = Origin::Login;
        steps.add(
            Stage::Lifecycle,
            StepOutcome::Passed,
            "activated",
            "the account becomes active",
        );
        Ok(())
    }

    /// An account that was taken out (C-06, R-168): refused wherever the directory, an admin or the file did that.
    fn take_inactive(
        &self,
        known: &'a AccountFacts,
        by_link: bool,
        steps: &mut Steps,
    ) -> Result<Person<'a>, Refusal<'a>> {
        let account = &known.account;
        let setting = self.in_force.connection().settings.on_inactive_match;
        let may_return =
            lifecycle::may_return_by_login(account.status_origin) && account.status != Status::Deleted;
        match setting {
            OnInactiveMatch::Reactivate
                if may_return && matching::is_bound(known, &self.in_force.connection().id) =>
            {
                let mut person = Person::untouched(known);
                Self::activate(&mut person, steps)?;
                if !by_link {
                    person.changes.push(Change::Link {
                        account: account.id.clone(),
                        link: self.link(),
                    });
                }
                Ok(person)
            }
            OnInactiveMatch::CreateNew
                if may_return && self.in_force.connection().provisioning != Provisioning::Scim =>
            {
                let mut released = self.release(known, by_link);
                let text = "the inactive account stays as it is and gives up its address; a new one is made";
                steps.add(Stage::Lifecycle, StepOutcome::Warned, "new_beside_inactive", text);
                let mut person = self.create(Some(&account.id), steps)?;
                // Released first, so that address and identity are free when the new account takes them.
                released.append(&mut person.changes);
                person.changes = released;
                Ok(person)
            }
            OnInactiveMatch::Refuse | OnInactiveMatch::Reactivate | OnInactiveMatch::CreateNew => {
                let denial = denial_for(account.status);
                let text = format!(
                    "the account is {}: {}",
                    word(account.status),
                    by_whom(account.status_origin)
                );
                steps.add(Stage::Lifecycle, StepOutcome::Refused, denial.code(), text);
                Err(Refusal {
                    denial,
                    account: Some(known),
                })
            }
        }
    }

    /// Frees address and identity of an inactive account of this connection.
    fn release(&self, known: &AccountFacts, by_link: bool) -> Vec<Change> {
        let account = &known.account;
        let mut changes = Vec::new();
        if matching::is_bound(known, &self.in_force.connection().id) && account.email.is_some() {
            changes.push(Change::UpdateProfile {
                account: account.id.clone(),
                version: account.version,
                set: ProfilePatch {
                    email: Some(None),
                    ..ProfilePatch::default()
                },
                before: ProfilePatch {
                    email: Some(account.email.clone()),
                    ..ProfilePatch::default()
                },
            });
        }
        if by_link {
            changes.push(Change::Unlink {
                account: account.id.clone(),
                link: self.link(),
            });
        }
        changes
    }

    /// Makes a new account, just in time.
    ///
    /// `released` is an account that gives up its address in the same plan.
    fn create(&self, released: Option<&AccountId>, steps: &mut Steps) -> Result<Person<'a>, Denial> {
        let connection = self.in_force.connection();
        let claims = &self.incoming.normalized;
        let email = self.address_of_newcomer(steps)?;
        if email
            .as_ref()
            .is_some_and(|email| self.is_address_held(email, released))
        {
            let text = "the address already belongs to another account of this connection";
            steps.add(
                Stage::Lifecycle,
                StepOutcome::Refused,
                Denial::EmailTaken.code(),
                text,
            );
            return Err(Denial::EmailTaken);
        }
        self.check_reserved(email.as_ref(), steps)?;
        let mut account = Account {
            id: self.fresh.account.clone(),
            kind: AccountKind::User,
            authentication: Authentication::Sso {
                connection: connection.id.clone(),
            },
            status: Status::Active,
            status_origin: Origin::Login,
            email,
            user_name: claims
                .user_name
                .clone()
                .filter(|name| self.is_user_name_free(name)),
            external_id: None,
            given_name: claims.given_name.clone(),
            family_name: claims.family_name.clone(),
            display_name: claims.display_name.clone(),
            emergency_admin: false,
            operator: false,
            attributes: serde_json::Map::new(),
            edited: std::collections::BTreeSet::new(),
            keeping: crate::keeping::Keeping::default(),
            version: 1,
            created_at: self.now,
        };
        steps.add(
            Stage::Lifecycle,
            StepOutcome::Passed,
            "created",
            "a new account is made",
        );
        self.take_attributes(&mut account, steps);
        let changes = vec![
            Change::CreateAccount {
                account: Box::new(account.clone()),
                profile: None,
            },
            Change::Link {
                account: account.id.clone(),
                link: self.link(),
            },
        ];
        Ok(Person {
            account,
            known: None,
            changes,
        })
    }

    /// The address that a new account gets; none where the connection does without.
    fn address_of_newcomer(&self, steps: &mut Steps) -> Result<Option<Email>, Denial> {
        let connection = self.in_force.connection();
        let trouble = match matching::usable_email(self.incoming, connection) {
            Ok(email) => return Ok(Some(email.clone())),
            Err(EmailTrouble::Missing) if !connection.settings.require_domain => return Ok(None),
            Err(trouble) => trouble,
        };
        let (denial, text) = match trouble {
            EmailTrouble::Missing => (
                Denial::EmailMissing,
                "no verified address is asserted, and new accounts need one",
            ),
            EmailTrouble::Domain => (
                Denial::DomainNotVerified,
                "the address lies outside the verified domains of the connection",
            ),
        };
        steps.add(Stage::Lifecycle, StepOutcome::Refused, denial.code(), text);
        Err(denial)
    }

    /// Where an organization prevents sign-ups outside, no connection that does not reach it makes accounts with its addresses
    ///
    fn check_reserved(&self, email: Option<&Email>, steps: &mut Steps) -> Result<(), Denial> {
        let connection = self.in_force.connection();
        let is_reserved = email
            .and_then(|email| self.facts.sign_in.domains.get(email.domain()))
            .is_some_and(|owned| {
                owned.settings.prevent_outside_sign_ups && !connection.reaches(&owned.organization)
            });
        if !is_reserved {
            return Ok(());
        }
        let text = "another organization has the domain of the address and prevents sign-ups outside of it";
        let denial = Denial::DomainReserved;
        steps.add(Stage::Lifecycle, StepOutcome::Refused, denial.code(), text);
        Err(denial)
    }

    fn is_address_held(&self, email: &Email, released: Option<&AccountId>) -> bool {
        self.facts.candidates.iter().any(|candidate| {
            matching::is_bound(candidate, &self.in_force.connection().id)
                && candidate.account.status != Status::Deleted
                && Some(&candidate.account.id) != released
                && candidate
                    .account
                    .email
                    .as_ref()
                    .is_some_and(|held| held.key() == email.key())
        })
    }

    fn is_user_name_free(&self, name: &str) -> bool {
        !self.facts.candidates.iter().any(|candidate| {
            matching::is_bound(candidate, &self.in_force.connection().id)
                && candidate.account.user_name.as_deref() == Some(name)
        })
    }
}

const fn denial_for(status: Status) -> Denial {
    match status {
        Status::Suspended => Denial::Suspended,
        Status::Deactivated => Denial::Deactivated,
        Status::Deleted => Denial::Deleted,
        Status::Invited | Status::Active => Denial::IllegalTransition,
    }
}

const fn word(status: Status) -> &'static str {
    match status {
        Status::Invited => "invited",
        Status::Active => "active",
        Status::Suspended => "suspended",
        Status::Deactivated => "deactivated",
        Status::Deleted => "deleted",
    }
}

const fn by_whom(origin: Origin) -> &'static str {
    match origin {
        Origin::Scim => "the directory did that, and only the directory or an admin ends it",
        Origin::Admin => "an admin did that, and only an admin or the directory ends it",
        Origin::File => "the declarative file says so",
        Origin::Login | Origin::System => "the connection does not bring people back",
    }
}
