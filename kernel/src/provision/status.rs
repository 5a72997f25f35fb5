//! Moves accounts through their lifecycle on request. Whoever leaves the active state loses every session at once, and
//! a deleted person every seat: the licenses wait, so that whoever is restored finds them again.

use super::authority::Authority;
use super::{Work, seats};
use crate::denial::Denial;
use crate::directory::Status;
use crate::facts::AccountFacts;
use crate::lifecycle;
use crate::plan::Change;
use crate::trace::{Stage, StepOutcome};

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
        match to {
            Status::Deleted => self.release_seats(target),
            Status::Deactivated if self.releases_on_deactivation(target) => self.release_seats(target),
            Status::Active if is_out(account.status) => self.seat_again(target),
            Status::Active | Status::Deactivated | Status::Invited | Status::Suspended => {}
        }
        Ok(())
    }

    /// Whether the connection that the account is bound to wants seats back from whoever is deactivated. A standard
    /// account is bound to none and keeps its seat.
    fn releases_on_deactivation(&self, target: &AccountFacts) -> bool {
        self.connection_of(target.account.authentication.connection())
            .is_some_and(|own| own.settings.directory.release_license_on_deactivate)
    }

    /// Frees every seat that a person holds, wherever it is: nobody is left to use it.
    fn release_seats(&mut self, target: &AccountFacts) {
        let held = target.memberships.iter();
        seats::release(&target.account.id, held, &mut self.changes, &mut self.steps);
    }

    /// Gives whoever comes back the seats of the licenses that are still there, where one is free; else they wait for one (C-23).
    fn seat_again(&mut self, target: &AccountFacts) {
        for held in target.memberships.iter().filter(|held| held.active) {
            let Some(license) = held.license.as_ref().filter(|license| !license.seated) else {
                continue;
            };
            let organization = &held.organization;
            let is_free = self
                .organization(organization)
                .is_ok_and(|facts| facts.has_seat(&license.license, target.account.kind, None));
            let (outcome, code, text) = if is_free {
                let text = format!("license: {} again", license.license);
                (StepOutcome::Passed, "license_restored", text)
            } else {
                let text = format!("license: no seat is free in {}, waiting for one", license.license);
                (StepOutcome::Warned, "license_queued", text)
            };
            self.steps
                .about(Stage::License, outcome, code, organization, text);
            if is_free {
                self.changes
                    .push(seats::seat(&target.account.id, held, license, true));
            }
        }
    }
}

/// Tells whether whoever is in this state may have given up seats.
const fn is_out(status: Status) -> bool {
    matches!(status, Status::Deactivated | Status::Deleted)
}
