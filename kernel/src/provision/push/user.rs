//! Makes and changes pushed people: who is new, who comes back, who is taken over, and what changes.

use super::keys::{Shared, is_protected, is_same_person};
use super::place::Placed;
use super::{PushedUser, Work};
use crate::connection::OnExisting;
use crate::denial::Denial;
use crate::directory::{Account, AccountKind, Authentication, DirectoryProfile, Origin, Status};
use crate::email::Email;
use crate::facts::AccountFacts;
use crate::id::AccountId;
use crate::keeping::Keeping;
use crate::plan::Change;
use crate::provision::kinds;
use crate::trace::{Stage, StepOutcome};

/// Why a pushed person gets an account that is there already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    /// The person left and comes back.
    Returns,
    /// The account was made in another way, and the directory takes it over.
    TakenOver,
}

impl<'a> Work<'a> {
    /// Makes a person, or brings one back.
    pub(super) fn create_user(&mut self, user: &PushedUser) -> Result<AccountId, Denial> {
        self.note_claims(user);
        self.check_user_name(user)?;
        let user = &self.set_shared_aside(user, None);
        let address = user
            .email
            .as_deref()
            .and_then(|text| Email::parse(text.trim()).ok());
        let mut holders = self.holders(user, address.as_ref());
        holders.sort_by_key(|(_, shared)| *shared);
        let known = match holders.as_slice() {
            [] => self.leaver(user).map(|left| (left, Known::Returns)),
            [(holder, shared)] => Some((*holder, self.judge_holder(holder, *shared, user)?)),
            [(holder, shared), ..] => return Err(self.refuse_taken(holder, *shared)),
        };
        match known {
            Some((known, why)) => self.take_in(known, why, user),
            None => self.make(user),
        }
    }

    /// Judges an account of the connection that holds a key of a person who is pushed as new.
    fn judge_holder(
        &mut self,
        holder: &AccountFacts,
        shared: Shared,
        user: &PushedUser,
    ) -> Result<Known, Denial> {
        let account = &holder.account;
        let is_managed = self.facts.directory.profiles.contains_key(&account.id);
        if is_managed || is_protected(holder) {
            return Err(self.refuse_taken(holder, shared));
        }
        if account.status == Status::Deactivated
            && account.status_origin == Origin::Scim
            && is_same_person(account, user)
        {
            return Ok(Known::Returns);
        }
        match self.connection.settings.directory.existing {
            OnExisting::Link => Ok(Known::TakenOver),
            OnExisting::Refuse => Err(self.refuse_taken(holder, shared)),
        }
    }

    /// Gives a pushed person an account that is there already.
    fn take_in(
        &mut self,
        known: &'a AccountFacts,
        why: Known,
        user: &PushedUser,
    ) -> Result<AccountId, Denial> {
        let id = known.account.id.clone();
        let email = self.judge_email(user, known.account.email.as_ref())?;
        let status = match why {
            Known::Returns => {
                let text = format!("account {id} of a person who left; it is given back");
                self.steps
                    .add(Stage::Match, StepOutcome::Passed, "matched_leaver", text);
                let status = if user.active == Some(false) {
                    Status::Deactivated
                } else {
                    Status::Active
                };
                if known.account.status != status {
                    self.move_to(&known.account, status);
                }
                let text = "the account is restored, with its links and memberships";
                self.steps
                    .add(Stage::Lifecycle, StepOutcome::Passed, "restored", text);
                status
            }
            Known::TakenOver => {
                let text = format!("account {id}, which no directory managed, is taken over");
                self.steps
                    .add(Stage::Match, StepOutcome::Warned, "taken_over", text.clone());
                self.changes.push(Change::Alert {
                    account: id.clone(),
                    code: "account_taken_over".to_owned(),
                    text,
                });
                self.follow_active(known, user.active)?
            }
        };
        let account = self.update_profile(known, user, email);
        self.place_if_live(known, &account, status, user)?;
        Ok(id)
    }

    /// Makes a new account, with its license at once.
    fn make(&mut self, user: &PushedUser) -> Result<AccountId, Denial> {
        let email = self.judge_email(user, None)?;
        let text = "nobody here has this user name, external id or address";
        self.steps
            .add(Stage::Match, StepOutcome::Skipped, "matched_nobody", text);
        let status = if user.active == Some(false) {
            Status::Deactivated
        } else {
            Status::Active
        };
        let given = self.new_attributes(user);
        let account = Account {
            id: self.fresh.account.clone(),
            kind: self.kind(&user.document).unwrap_or(AccountKind::User),
            authentication: Authentication::Sso {
                connection: self.connection.id.clone(),
            },
            status,
            status_origin: Origin::Scim,
            email,
            user_name: user.user_name.clone(),
            external_id: user.external_id.clone(),
            given_name: user.given_name.clone(),
            family_name: user.family_name.clone(),
            display_name: user.display_name.clone(),
            emergency_admin: false,
            operator: false,
            edited: std::collections::BTreeSet::new(),
            attributes: given.values,
            keeping: Keeping {
                sources: given.sources,
                ..Keeping::default()
            },
            version: 1,
            created_at: self.now,
        };
        self.changes.push(Change::CreateAccount {
            account: Box::new(account.clone()),
            profile: Some(DirectoryProfile {
                document: user.document.clone(),
            }),
        });
        let text = "a new account is made";
        self.steps
            .add(Stage::Lifecycle, StepOutcome::Passed, "created", text);
        if status == Status::Active {
            // Nobody is in a group before being there; a trial may say otherwise.
            let groups = self.facts.directory.groups_of.get(&account.id);
            self.place(&Placed {
                account: &account,
                known: None,
                document: &user.document,
                groups: groups.map_or(&[], Vec::as_slice),
                returns: false,
            })?;
        }
        Ok(account.id)
    }

    /// Brings a person to the pushed state.
    pub(super) fn replace_user(
        &mut self,
        id: &AccountId,
        if_version: Option<i64>,
        user: &PushedUser,
    ) -> Result<AccountId, Denial> {
        self.note_claims(user);
        let known = self.own_account(id, if_version)?;
        let text = format!("account {id} by its identifier");
        self.steps
            .add(Stage::Match, StepOutcome::Passed, "matched_id", text);
        if known.account.operator {
            let text = "operators are not changed by a directory";
            return Err(self.refuse(Stage::Lifecycle, Denial::NotPermitted, text));
        }
        self.check_user_name(user)?;
        let user = &self.set_shared_aside(user, Some(id));
        let email = self.judge_email(user, known.account.email.as_ref())?;
        self.check_keys_free(user, email.as_ref(), known)?;
        let status = self.follow_active(known, user.active)?;
        let account = self.update_profile(known, user, email);
        self.place_if_live(known, &account, status, user)?;
        Ok(id.clone())
    }

    /// Runs the rules for whoever may sign in. Who is out keeps everything as it is and is placed on coming back.
    fn place_if_live(
        &mut self,
        known: &AccountFacts,
        account: &Account,
        status: Status,
        user: &PushedUser,
    ) -> Result<(), Denial> {
        if !matches!(status, Status::Active | Status::Invited) {
            if known.account.kind == account.kind {
                return Ok(());
            }
            // A seat that is kept counts for the other kind; nobody is there to be told that none is left.
            return kinds::settle(
                (known, account.kind),
                &self.organizations,
                &mut self.changes,
                true,
                &mut self.steps,
            );
        }
        let facts = self.facts;
        let groups = facts.directory.groups_of.get(&account.id);
        self.place(&Placed {
            account,
            known: Some(known),
            document: &user.document,
            groups: groups.map_or(&[], Vec::as_slice),
            returns: known.account.status != status,
        })
    }

    fn note_claims(&mut self, user: &PushedUser) {
        let name = user.user_name.as_deref().unwrap_or("none");
        let email = user.email.as_deref().unwrap_or("none");
        let active = match user.active {
            Some(true) => ", active",
            Some(false) => ", not active",
            None => "",
        };
        let text = format!("pushed: user name {name}, e-mail {email}{active}");
        self.steps
            .add(Stage::Normalize, StepOutcome::Passed, "claims", text);
    }
}
