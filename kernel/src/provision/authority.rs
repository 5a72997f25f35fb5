//! Who may do what to whom; see the table of [`crate::provision`]. Never trusts what a request says about rights:
//! an admin's role is read from the facts, each time.

use super::{Actor, Work};
use crate::denial::Denial;
use crate::directory::{ManagedBy, Membership, Status};
use crate::facts::AccountFacts;
use crate::id::{ConnectionId, OrganizationId};
use crate::mapping;
use crate::matching;

/// Rights of the actor, proved by the facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Authority {
    /// An operator.
    Operator,
    /// The file or the product itself.
    Everything,
    /// An admin of one organization; `owner` if holding an owner role there.
    Admin {
        organization: OrganizationId,
        owner: bool,
    },
    /// A directory.
    Directory { connection: ConnectionId },
}

impl Authority {
    /// Tells whether owners, owner roles and emergency marks may be touched.
    pub(super) const fn over_owners(&self) -> bool {
        match self {
            Self::Operator | Self::Everything => true,
            Self::Admin { owner, .. } => *owner,
            Self::Directory { .. } => false,
        }
    }

    /// Tells whether a person acts, whose edits pin (C-07) and who is told when no seat is free.
    pub(super) const fn is_hand(&self) -> bool {
        match self {
            Self::Operator | Self::Admin { .. } => true,
            Self::Everything | Self::Directory { .. } => false,
        }
    }
}

impl Work<'_> {
    /// Proves the actor's rights.
    pub(super) fn authority(&mut self) -> Result<Authority, Denial> {
        match self.actor {
            Actor::Operator { .. }
            | Actor::Key {
                organization: None, ..
            } => Ok(Authority::Operator),
            // A key has no person's rights over owners: it may leak, and owners must be able to mend that.
            Actor::Key {
                organization: Some(organization),
                ..
            } => Ok(Authority::Admin {
                organization: organization.clone(),
                owner: false,
            }),
            Actor::File | Actor::System => Ok(Authority::Everything),
            Actor::Scim { connection } => Ok(Authority::Directory {
                connection: connection.clone(),
            }),
            Actor::Person => {
                Err(self.refuse(Denial::NotPermitted, "a person who signs in may request nothing"))
            }
            Actor::SetupLink { .. } => Err(self.refuse(
                Denial::NotPermitted,
                "whoever sets a connection up by a link may request nothing of people",
            )),
            Actor::Admin {
                account,
                organization,
            } => {
                let admin = self
                    .target(account)
                    .ok()
                    .filter(|admin| admin.account.status == Status::Active);
                let held = admin
                    .and_then(|admin| membership_in(admin, organization))
                    .filter(|held| held.active);
                let roles = self
                    .organization(organization)
                    .map(|facts| facts.roles.as_slice())
                    .unwrap_or_default();
                let holds = |which: &dyn Fn(&crate::directory::Role) -> bool| {
                    held.is_some_and(|held| {
                        held.roles
                            .iter()
                            .any(|grant| roles.iter().any(|role| role.id == grant.id && which(role)))
                    })
                };
                let owner = holds(&|role| role.owner);
                let managers = self
                    .organization(organization)
                    .map(|facts| facts.organization.managed_by)
                    .unwrap_or_default();
                if managers == ManagedBy::Owners && !owner {
                    let text = format!("only owners manage {organization}, and account {account} is none");
                    return Err(self.refuse(Denial::NotPermitted, text));
                }
                if holds(&|role| role.manages(managers)) {
                    return Ok(Authority::Admin {
                        organization: organization.clone(),
                        owner,
                    });
                }
                let text = format!("account {account} is no active admin or owner of {organization}");
                Err(self.refuse(Denial::NotPermitted, text))
            }
        }
    }

    /// Judges a change of the account itself: profile, status, identity.
    pub(super) fn may_change_account(
        &mut self,
        target: &AccountFacts,
        authority: &Authority,
    ) -> Result<(), Denial> {
        match authority {
            Authority::Operator | Authority::Everything => return Ok(()),
            Authority::Admin { organization, .. } => {
                self.must_be_visible(target, organization)?;
                let elsewhere = target
                    .memberships
                    .iter()
                    .any(|held| held.organization != *organization);
                if elsewhere || target.account.operator {
                    let text = "the account also belongs elsewhere: only its membership here can be changed";
                    return Err(self.refuse(Denial::NotPermitted, text));
                }
            }
            Authority::Directory { connection } => {
                if !matching::is_bound(target, connection) {
                    // The same answer as for an account that does not exist: a directory sees only its own people.
                    return Err(self.refuse(Denial::NotFound, "the account is not bound to this connection"));
                }
                if target.account.operator {
                    return Err(self.refuse(Denial::NotPermitted, "operators are not changed by a directory"));
                }
            }
        }
        if self.is_protected(target) && !authority.over_owners() {
            let text = "only an owner or an operator changes owners and emergency admins";
            return Err(self.refuse(Denial::NotPermitted, text));
        }
        Ok(())
    }

    /// Judges a change of one membership.
    pub(super) fn may_change_membership(
        &mut self,
        target: &AccountFacts,
        organization: &OrganizationId,
        authority: &Authority,
    ) -> Result<(), Denial> {
        match authority {
            Authority::Operator | Authority::Everything => return Ok(()),
            Authority::Admin {
                organization: own, ..
            } => {
                if own != organization {
                    return Err(self.refuse(
                        Denial::NotFound,
                        "the organization is another one than the admin's",
                    ));
                }
                self.must_be_visible(target, own)?;
            }
            Authority::Directory { connection } => {
                let reaches = self
                    .connection
                    .is_some_and(|own| own.id == *connection && own.reaches(organization));
                if !reaches || !matching::is_bound(target, connection) {
                    return Err(self.refuse(Denial::NotFound, "out of the connection's reach"));
                }
            }
        }
        let owner = membership_in(target, organization).is_some_and(|held| self.is_owner(held));
        if (owner || target.account.emergency_admin) && !authority.over_owners() {
            let text = "only an owner or an operator changes owners and emergency admins";
            return Err(self.refuse(Denial::NotPermitted, text));
        }
        Ok(())
    }

    /// Judges whether a new account may become a member.
    pub(super) fn may_join(
        &mut self,
        organization: &OrganizationId,
        authority: &Authority,
    ) -> Result<(), Denial> {
        let may = match authority {
            Authority::Operator | Authority::Everything => true,
            Authority::Admin {
                organization: own, ..
            } => own == organization,
            Authority::Directory { connection } => self
                .connection
                .is_some_and(|own| own.id == *connection && own.reaches(organization)),
        };
        if may {
            Ok(())
        } else {
            Err(self.refuse(Denial::NotFound, "out of the actor's reach"))
        }
    }

    /// Refuses if the organization would be left without an owner. `held` is about to lose its effect.
    pub(super) fn keep_an_owner(&mut self, target: &AccountFacts, held: &Membership) -> Result<(), Denial> {
        if !held.active || target.account.status != Status::Active || !self.is_owner(held) {
            return Ok(());
        }
        let others = self
            .organization(&held.organization)
            .is_ok_and(|facts| facts.owners.iter().any(|owner| *owner != target.account.id));
        if others {
            return Ok(());
        }
        let text = format!("{} would be left without an owner", held.organization);
        Err(self.refuse(Denial::LastOwner, text))
    }

    /// Tells whether a membership holds an owner role.
    pub(super) fn is_owner(&self, held: &Membership) -> bool {
        self.organization(&held.organization).is_ok_and(|facts| {
            let owners = mapping::owner_role_ids(facts);
            held.roles.iter().any(|grant| owners.contains(&&grant.id))
        })
    }

    fn is_protected(&self, target: &AccountFacts) -> bool {
        target.account.emergency_admin || target.memberships.iter().any(|held| self.is_owner(held))
    }

    /// An account of another organization is answered like one that does not exist (ASVS 8.4.1).
    fn must_be_visible(
        &mut self,
        target: &AccountFacts,
        organization: &OrganizationId,
    ) -> Result<(), Denial> {
        if membership_in(target, organization).is_some() {
            return Ok(());
        }
        Err(self.refuse(
            Denial::NotFound,
            "the account is no member of the admin's organization",
        ))
    }
}

/// Finds the membership in one organization.
pub(super) fn membership_in<'a>(
    known: &'a AccountFacts,
    organization: &OrganizationId,
) -> Option<&'a Membership> {
    known
        .memberships
        .iter()
        .find(|held| &held.organization == organization)
}
