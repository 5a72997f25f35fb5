//! Moves accounts through their lifecycle on request. Whoever leaves the active state loses every session at once.

use super::Work;
use super::authority::Authority;
use crate::denial::Denial;
use crate::directory::Status;
use crate::facts::AccountFacts;
use crate::lifecycle;
use crate::plan::Change;

impl Work<'_> {
    /// Suspends, deactivates, reactivates or restores. Already there: nothing changes.
    pub(super) fn set_status(
        &mut self,
        target: &AccountFacts,
        to: Status,
        authority: &Authority,
    ) -> Result<(), Denial> {
        if to == Status::Deleted {
            return self.delete(target, false, authority);
        }
        self.may_change_account(target, authority)?;
        self.move_to(target, to)
    }

    /// Deletes; forgets the links too if the person may come back as somebody new (C-29).
    pub(super) fn delete(
        &mut self,
        target: &AccountFacts,
        allow_return: bool,
        authority: &Authority,
    ) -> Result<(), Denial> {
        self.may_change_account(target, authority)?;
        self.move_to(target, Status::Deleted)?;
        if allow_return {
            for link in &target.links {
                let account = target.account.id.clone();
                self.changes.push(Change::Unlink {
                    account,
                    link: link.clone(),
                });
            }
        }
        Ok(())
    }

    fn move_to(&mut self, target: &AccountFacts, to: Status) -> Result<(), Denial> {
        let account = &target.account;
        if account.status == to {
            return Ok(());
        }
        let origin = self.actor.origin();
        if lifecycle::transition(account.status, to, origin, account.status_origin).is_err() {
            let text = format!("{:?} cannot follow {:?} here", to, account.status);
            return Err(self.refuse(Denial::IllegalTransition, text));
        }
        let ends = match to {
            Status::Active => None,
            Status::Suspended => Some("suspended"),
            Status::Deactivated => Some("deactivated"),
            Status::Deleted => Some("deleted"),
            Status::Invited => return Err(Denial::IllegalTransition),
        };
        if ends.is_some() {
            for held in &target.memberships {
                self.keep_an_owner(target, held)?;
            }
        }
        self.changes.push(Change::SetStatus {
            account: account.id.clone(),
            version: account.version,
            from: account.status,
            to,
            origin,
        });
        if let Some(reason) = ends {
            self.changes.push(Change::RevokeSessions {
                account: account.id.clone(),
                reason: reason.to_owned(),
            });
        }
        Ok(())
    }
}
