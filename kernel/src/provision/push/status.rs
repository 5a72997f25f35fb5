//! Moves pushed people through their lifecycle: out, and back. Whoever is taken out loses every session in the same plan.

use serde_json::Value;

use super::keys::is_protected;
use super::{Work, guard};
use crate::connection::OnDelete;
use crate::denial::Denial;
use crate::directory::{Account, Origin, Status};
use crate::facts::AccountFacts;
use crate::id::{AccountId, OrganizationId};
use crate::lifecycle;
use crate::mapping;
use crate::plan::{Change, ProfilePatch};
use crate::provision::seats;
use crate::trace::{Stage, StepOutcome};

impl Work<'_> {
    /// Does what the directory says about `active`. Returns the status afterwards.
    pub(super) fn follow_active(
        &mut self,
        known: &AccountFacts,
        active: Option<bool>,
    ) -> Result<Status, Denial> {
        let account = &known.account;
        match (account.status, active) {
            (status, None) => Ok(status),
            (Status::Deactivated, Some(false)) | (Status::Active | Status::Invited, Some(true)) => {
                Ok(account.status)
            }
            (Status::Active | Status::Invited | Status::Suspended, Some(false)) => {
                self.deactivate(known)?;
                Ok(Status::Deactivated)
            }
            (Status::Suspended | Status::Deactivated, Some(true)) => Ok(self.bring_back(known)),
            // Deleted people are no longer seen; one who comes back is restored before.
            (Status::Deleted, Some(_)) => Err(Denial::NotFound),
        }
    }

    /// Lets a person in again, unless somebody else than the directory took them out and the directory says nothing new.
    fn bring_back(&mut self, known: &AccountFacts) -> Status {
        let account = &known.account;
        let said_inactive = self
            .facts
            .directory
            .profiles
            .get(&account.id)
            .is_some_and(|profile| profile.document.get("active") == Some(&Value::Bool(false)));
        let of_directory = account.status_origin == Origin::Scim;
        let legal = lifecycle::transition(
            account.status,
            Status::Active,
            Origin::Scim,
            account.status_origin,
        )
        .is_ok();
        if !legal || !(of_directory || said_inactive) {
            let text = "somebody here took the account out; the directory's \"active\" does not end that";
            self.steps
                .add(Stage::Lifecycle, StepOutcome::Warned, "kept_out", text);
            return account.status;
        }
        self.move_to(account, Status::Active);
        let text = "the account is active again";
        self.steps
            .add(Stage::Lifecycle, StepOutcome::Passed, "reactivated", text);
        Status::Active
    }

    /// Deactivates a person; the seats are freed if the connection wants that.
    fn deactivate(&mut self, known: &AccountFacts) -> Result<(), Denial> {
        self.take_out(known, Status::Deactivated, "deactivated")?;
        if self.connection.settings.directory.release_license_on_deactivate {
            let connection = self.connection;
            self.release_seats(known, |organization| connection.reaches(organization));
        }
        Ok(())
    }

    /// Deletes a person, restorable by the directory.
    fn delete_softly(&mut self, known: &AccountFacts) -> Result<(), Denial> {
        self.take_out(known, Status::Deleted, "deleted")?;
        self.release_seats(known, |_| true);
        self.leave_groups(&known.account.id);
        Ok(())
    }

    fn take_out(&mut self, known: &AccountFacts, to: Status, word: &str) -> Result<(), Denial> {
        self.may_take_out(known)?;
        self.move_to(&known.account, to);
        // Who was deactivated before has no session left.
        if known.account.status != Status::Deactivated {
            self.changes.push(Change::RevokeSessions {
                account: known.account.id.clone(),
                reason: word.to_owned(),
            });
        }
        let text = format!("the account is {word}; its sessions end");
        self.steps.add(Stage::Lifecycle, StepOutcome::Passed, word, text);
        Ok(())
    }

    /// Refuses to take out whom no directory may, and holds a directory that takes out too many.
    fn may_take_out(&mut self, known: &AccountFacts) -> Result<(), Denial> {
        if is_protected(known) {
            let text = "emergency admins and operators are not taken out by a directory";
            return Err(self.refuse(Stage::Lifecycle, Denial::NotPermitted, text));
        }
        if known.account.status != Status::Active {
            return Ok(());
        }
        for held in known.memberships.iter().filter(|held| held.active) {
            let last = self
                .organizations
                .iter()
                .find(|facts| facts.organization.id == held.organization)
                .is_some_and(|facts| {
                    let owner_roles = mapping::owner_role_ids(facts);
                    held.roles.iter().any(|grant| owner_roles.contains(&&grant.id))
                        && facts.owners.iter().all(|owner| *owner == known.account.id)
                });
            if last {
                let text = format!(
                    "{} would be left without an owner; name another one here first",
                    held.organization
                );
                return Err(self.refuse(Stage::Lifecycle, Denial::LastOwner, text));
            }
        }
        let held = self
            .connection
            .settings
            .directory
            .departure_guard
            .zip(self.facts.directory.departures)
            .is_some_and(|(guard, departures)| guard::holds(guard, departures));
        if held {
            let text =
                "the directory takes out unusually many people at once; an admin has to approve that first";
            return Err(self.refuse(Stage::Lifecycle, Denial::HeldByGuard, text));
        }
        Ok(())
    }

    /// Deletes a person as the connection wants it (C-05).
    pub(super) fn delete_user(
        &mut self,
        id: &AccountId,
        if_version: Option<i64>,
    ) -> Result<AccountId, Denial> {
        let known = self.own_account(id, if_version)?;
        match self.connection.settings.directory.on_delete {
            OnDelete::Soft => self.delete_softly(known)?,
            OnDelete::Now => {
                self.take_out(known, Status::Deleted, "deleted")?;
                self.leave_groups(id);
                self.erase(known);
            }
            OnDelete::Deactivate => {
                if known.account.status != Status::Deactivated {
                    self.deactivate(known)?;
                }
                self.leave_groups(id);
                self.let_go(known);
            }
        }
        Ok(id.clone())
    }

    /// Ends what is over: people who were deactivated are deleted, people who were deleted are erased. The product itself asks
    /// for that once the days of `on_inactive` and `restore_days` have passed.
    pub(super) fn expire_users(&mut self, accounts: &[AccountId], from: Status) -> Result<(), Denial> {
        let facts = self.facts;
        for known in &facts.accounts {
            let due = accounts.contains(&known.account.id)
                && known.account.status == from
                && known.account.status_origin == Origin::Scim
                && self.is_own(known)
                && !is_protected(known);
            match known.account.status {
                Status::Deactivated if due => self.delete_softly(known)?,
                Status::Deleted if due => self.erase(known),
                Status::Invited
                | Status::Active
                | Status::Suspended
                | Status::Deactivated
                | Status::Deleted => {}
            }
        }
        Ok(())
    }

    /// Leaves nothing of a person but the identifier, which is never used again: the one case in which a directory ends
    /// memberships out of its connection's reach, because nobody is left to have them. Does nothing the second time.
    fn erase(&mut self, known: &AccountFacts) {
        let account = &known.account;
        for held in &known.memberships {
            self.changes.push(Change::RemoveMembership {
                account: account.id.clone(),
                organization: held.organization.clone(),
                version: held.version,
                before: Box::new(held.clone()),
            });
        }
        for link in &known.links {
            self.changes.push(Change::Unlink {
                account: account.id.clone(),
                link: link.clone(),
            });
        }
        let empty = Account {
            email: None,
            user_name: None,
            external_id: None,
            given_name: None,
            family_name: None,
            display_name: None,
            attributes: serde_json::Map::new(),
            keeping: crate::keeping::Keeping::default(),
            ..account.clone()
        };
        let (mut set, _) = crate::provision::account::differences(account, &super::profile::whole(&empty));
        if self.facts.directory.profiles.contains_key(&account.id) {
            set.profile = Some(None);
        }
        if set != ProfilePatch::default() {
            // Nothing of it goes into the audit log once more, so nothing stands in `before`.
            self.changes.push(Change::UpdateProfile {
                account: account.id.clone(),
                version: account.version,
                set,
                before: ProfilePatch::default(),
            });
            let text = "personal data, identities and memberships are erased";
            self.steps
                .add(Stage::Lifecycle, StepOutcome::Passed, "erased", text);
        }
    }

    /// The account is no longer managed by the directory.
    fn let_go(&mut self, known: &AccountFacts) {
        let Some(profile) = self.facts.directory.profiles.get(&known.account.id) else {
            return;
        };
        self.changes.push(Change::UpdateProfile {
            account: known.account.id.clone(),
            version: known.account.version,
            set: ProfilePatch {
                profile: Some(None),
                ..ProfilePatch::default()
            },
            before: ProfilePatch {
                profile: Some(Some(Box::new(profile.clone()))),
                ..ProfilePatch::default()
            },
        });
    }

    /// Deleted people are members of no group.
    fn leave_groups(&mut self, id: &AccountId) {
        for group in self.facts.directory.groups_of.get(id).into_iter().flatten() {
            self.changes.push(Change::RemoveGroupMembers {
                group: group.id.clone(),
                accounts: vec![id.clone()],
            });
        }
    }

    pub(super) fn move_to(&mut self, account: &Account, to: Status) {
        self.changes.push(Change::SetStatus {
            account: account.id.clone(),
            version: account.version,
            from: account.status,
            to,
            origin: Origin::Scim,
        });
    }

    /// Frees the seats that a person holds: of a deactivated one in the connection's organizations, because others decide about
    /// theirs; of a deleted one everywhere, because nobody is left to use them.
    fn release_seats(&mut self, known: &AccountFacts, is_concerned: impl Fn(&OrganizationId) -> bool) {
        let concerned = known
            .memberships
            .iter()
            .filter(|held| is_concerned(&held.organization));
        seats::release(&known.account.id, concerned, &mut self.changes, &mut self.steps);
    }
}
