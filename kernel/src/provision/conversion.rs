//! Invites whom an account waits for, and moves people with a password to single sign-on (C-24): an SSO account beside the
//! standard one, or the account itself. Who is passed over is a denial with its reason.

use super::authority::{Authority, membership_in};
use super::{Actor, ConversionMode, DesiredMembership, NewAccount, Work, WorkspacesWanted};
use crate::denial::Denial;
use crate::directory::{Authentication, Membership, Status};
use crate::email::Email;
use crate::facts::AccountFacts;
use crate::id::{AccountId, ConnectionId, OrganizationId};
use crate::matching;
use crate::plan::Change;

impl Work<'_> {
    /// Judges an invitation: the actor may change the membership, and the person has not come yet.
    pub(super) fn invite(
        &mut self,
        target: &AccountFacts,
        organization: &OrganizationId,
        authority: &Authority,
    ) -> Result<(), Denial> {
        self.may_change_membership(target, organization, authority)?;
        if membership_in(target, organization).is_none() {
            return Err(self.refuse(Denial::NotFound, "the account is no member there"));
        }
        if target.account.status == Status::Invited {
            return Ok(());
        }
        let text = "only somebody who has not signed in yet is invited";
        Err(self.refuse(Denial::IllegalTransition, text))
    }

    /// Moves one person to single sign-on and returns the account that she signs in with from now on.
    pub(super) fn convert(
        &mut self,
        target: &AccountFacts,
        organization: &OrganizationId,
        mode: ConversionMode,
        authority: &Authority,
    ) -> Result<AccountId, Denial> {
        let (connection, held) = self.may_convert(target, organization, authority)?;
        let authentication = Authentication::Sso { connection };
        match mode {
            ConversionMode::Additional => {
                let new = beside(target, &held, authentication);
                self.create(&new, authority)
            }
            ConversionMode::InPlace => {
                self.may_change_account(target, authority)?;
                let account = target.account.id.clone();
                self.changes.push(Change::SetAuthentication {
                    account: account.clone(),
                    version: target.account.version,
                    from: target.account.authentication.clone(),
                    to: authentication,
                });
                self.changes.push(Change::RevokeSessions {
                    account: account.clone(),
                    reason: "converted".to_owned(),
                });
                Ok(account)
            }
        }
    }

    /// Judges who is passed over, and why (C-24). Returns the connection and the membership that goes along.
    fn may_convert(
        &mut self,
        target: &AccountFacts,
        organization: &OrganizationId,
        authority: &Authority,
    ) -> Result<(ConnectionId, Membership), Denial> {
        self.may_change_membership(target, organization, authority)?;
        let Some(held) = membership_in(target, organization) else {
            return Err(self.refuse(Denial::NotFound, "the account is no member there"));
        };
        let Some(own) = self.connection.filter(|own| own.reaches(organization)) else {
            return Err(self.refuse(Denial::NotFound, "there is no such connection"));
        };
        let (id, name) = (own.id.clone(), own.name.clone());
        let account = &target.account;
        if matches!(self.actor, Actor::Admin { account: actor, .. } if *actor == account.id) {
            return Err(self.refuse(Denial::Oneself, "nobody converts herself"));
        }
        if account.emergency_admin || account.operator {
            let text = "emergency admins and operators keep their password";
            return Err(self.refuse(Denial::Protected, text));
        }
        if account.authentication != Authentication::Standard {
            return Err(self.refuse(Denial::AlreadySso, "the account is an SSO account already"));
        }
        if let Some(denial) = inactive(account.status) {
            return Err(self.refuse(denial, "the account is not in use"));
        }
        let authentication = Authentication::Sso {
            connection: id.clone(),
        };
        self.check_new_email(account.email.as_ref(), &authentication, authority)?;
        if self.has_account_at(account.email.as_ref(), &id) {
            let text = format!("the person has an account at {name} already");
            return Err(self.refuse(Denial::AlreadySso, text));
        }
        Ok((id, held.clone()))
    }

    fn has_account_at(&self, email: Option<&Email>, connection: &ConnectionId) -> bool {
        let key = email.map(Email::key);
        self.facts.candidates.iter().any(|candidate| {
            matching::is_bound(candidate, connection)
                && candidate.account.status != Status::Deleted
                && candidate.account.email.as_ref().map(Email::key) == key
        })
    }

    /// Takes a conversion in place back. What proved the person at the provider proves nothing here any more.
    pub(super) fn unconvert(&mut self, target: &AccountFacts, authority: &Authority) -> Result<(), Denial> {
        self.may_change_account(target, authority)?;
        let account = &target.account;
        if account.authentication == Authentication::Standard {
            return Ok(());
        }
        let key = account.email.as_ref().map(Email::key);
        let is_taken = self.facts.candidates.iter().any(|candidate| {
            candidate.account.id != account.id
                && candidate.account.authentication == Authentication::Standard
                && candidate.account.status != Status::Deleted
                && candidate.account.email.as_ref().map(Email::key) == key
        });
        if key.is_none() || is_taken {
            let text = "a standard account needs an address of its own";
            return Err(self.refuse(Denial::Conflict, text));
        }
        self.changes.push(Change::SetAuthentication {
            account: account.id.clone(),
            version: account.version,
            from: account.authentication.clone(),
            to: Authentication::Standard,
        });
        for link in &target.links {
            self.changes.push(Change::Unlink {
                account: account.id.clone(),
                link: link.clone(),
            });
        }
        self.changes.push(Change::RevokeSessions {
            account: account.id.clone(),
            reason: "converted".to_owned(),
        });
        Ok(())
    }
}

const fn inactive(status: Status) -> Option<Denial> {
    match status {
        Status::Invited | Status::Active => None,
        Status::Suspended => Some(Denial::Suspended),
        Status::Deactivated => Some(Denial::Deactivated),
        Status::Deleted => Some(Denial::Deleted),
    }
}

/// The SSO account beside a standard one: the same person, with the same roles and access.
fn beside(target: &AccountFacts, held: &Membership, authentication: Authentication) -> NewAccount {
    let account = &target.account;
    let workspaces = if held.all_workspaces.is_some() {
        WorkspacesWanted::All
    } else {
        WorkspacesWanted::Ids(held.workspaces.iter().map(|grant| grant.id.clone()).collect())
    };
    NewAccount {
        kind: account.kind,
        authentication,
        active: false,
        email: account.email.clone(),
        user_name: None,
        external_id: None,
        given_name: account.given_name.clone(),
        family_name: account.family_name.clone(),
        display_name: account.display_name.clone(),
        emergency_admin: false,
        attributes: account.attributes.clone(),
        memberships: vec![DesiredMembership {
            organization: held.organization.clone(),
            roles: held.roles.iter().map(|grant| grant.id.clone()).collect(),
            workspaces,
            license: held.license.as_ref().map(|grant| grant.license.clone()),
        }],
    }
}
