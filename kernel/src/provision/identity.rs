//! One person with two accounts of one connection: the identity provider began to name her differently, and a sign-in made a
//! second account. That it is one person is never assumed: an admin says so.

use super::Work;
use super::authority::Authority;
use crate::denial::Denial;
use crate::directory::{Authentication, Status};
use crate::facts::AccountFacts;
use crate::id::AccountId;
use crate::plan::{Change, ProfilePatch};

impl Work<'_> {
    /// Gives `target` the links and the address of `from`, and deletes `from`. Roles and data of `target` stay as they are.
    pub(super) fn take_identity(
        &mut self,
        target: &AccountFacts,
        from: &AccountId,
        authority: &Authority,
    ) -> Result<(), Denial> {
        let from = self.target(from)?;
        self.may_change_account(target, authority)?;
        self.may_change_account(from, authority)?;
        let held = &target.account;
        let alike = held.id != from.account.id
            && held.authentication != Authentication::Standard
            && held.authentication == from.account.authentication;
        if !alike {
            let text = "both must be accounts of one connection";
            return Err(self.refuse(Denial::Conflict, text));
        }
        if held.status == Status::Deleted || from.account.status == Status::Deleted {
            return Err(self.refuse(Denial::Deleted, "one of the accounts is deleted"));
        }
        let profiles = &self.facts.directory.profiles;
        if profiles.contains_key(&held.id) || profiles.contains_key(&from.account.id) {
            let text = "a directory pushes one of the accounts: it says who is who";
            return Err(self.refuse(Denial::DirectoryManaged, text));
        }
        if from.links.is_empty() {
            return Err(self.refuse(Denial::Conflict, "the other account has no federated identity"));
        }
        // What the other account has goes first: it frees the identity and the address.
        self.delete(from, true, authority)?;
        for link in &target.links {
            self.changes.push(Change::Unlink {
                account: held.id.clone(),
                link: link.clone(),
            });
        }
        for link in &from.links {
            self.changes.push(Change::Link {
                account: held.id.clone(),
                link: link.clone(),
            });
        }
        if from.account.email.is_some() && from.account.email != held.email {
            self.changes.push(Change::UpdateProfile {
                account: held.id.clone(),
                version: held.version,
                set: ProfilePatch {
                    email: Some(from.account.email.clone()),
                    ..ProfilePatch::default()
                },
                before: ProfilePatch {
                    email: Some(held.email.clone()),
                    ..ProfilePatch::default()
                },
            });
        }
        self.changes.push(Change::RevokeSessions {
            account: held.id.clone(),
            reason: "reset".to_owned(),
        });
        Ok(())
    }
}
