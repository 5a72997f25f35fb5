//! Needs and facts: what a decision asks to be loaded, and what the store found.

use serde::{Deserialize, Serialize};

use crate::directory::{Account, License, Link, Membership, Organization, Role, Subject, Workspace};
use crate::id::{AccountId, ConnectionId, LicenseId, OrganizationId};

/// What must be loaded before deciding. Everything not asked for may stay unread.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    /// Accounts wanted by id.
    pub accounts: Vec<AccountId>,
    /// The account linked to this subject of this connection, and links that differ only in letter case.
    pub subject: Option<(ConnectionId, Subject)>,
    /// Accounts with this e-mail key ([`crate::email::Email::key`]); also answers whether the address is free.
    pub email_key: Option<String>,
    /// Accounts of this connection with this external id.
    pub external_id: Option<(ConnectionId, String)>,
    /// Accounts of this connection with this user name.
    pub user_name: Option<(ConnectionId, String)>,
    /// Organizations whose roles, workspaces, licenses and owner count are wanted.
    pub organizations: OrganizationsNeeded,
}

/// Which organizations are needed. Those of the found accounts' memberships are always loaded too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrganizationsNeeded {
    /// None beyond the memberships'.
    #[default]
    None,
    /// These.
    Ids(Vec<OrganizationId>),
    /// Every organization of the instance.
    All,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// The accounts asked for by id, in no order.
    pub accounts: Vec<AccountFacts>,
    /// The account linked to exactly the subject.
    pub linked: Option<AccountFacts>,
    /// Subject values of this connection's links that differ from the subject in letter case only.
    pub near_subjects: Vec<String>,
    /// Accounts found by e-mail key, external id or user name, without duplicates, at most [`CANDIDATES`].
    pub candidates: Vec<AccountFacts>,
    /// The organizations asked for and those of the accounts' memberships.
    pub organizations: Vec<OrganizationFacts>,
}

/// Upper bound of candidates that the store returns; more than one is already refused.
pub const CANDIDATES: usize = 20;

/// An account with what hangs on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccountFacts {
    /// The account itself.
    pub account: Account,
    /// Its federated identities.
    pub links: Vec<Link>,
    /// Its memberships.
    pub memberships: Vec<Membership>,
}

/// An organization with what it hands out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrganizationFacts {
    /// The organization itself.
    pub organization: Organization,
    /// Roles in priority order.
    pub roles: Vec<Role>,
    /// Workspaces in order.
    pub workspaces: Vec<Workspace>,
    /// License pools.
    pub licenses: Vec<LicensePool>,
    /// Active accounts that hold an owner role through an active membership, at most two: enough to know the last one.
    pub owners: Vec<AccountId>,
}

/// A license pool with its use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LicensePool {
    /// The pool.
    pub license: License,
    /// Seats held now.
    pub used: u32,
}

impl OrganizationFacts {
    /// Finds a license pool by id.
    pub fn pool(&self, id: &LicenseId) -> Option<&LicensePool> {
        self.licenses.iter().find(|pool| &pool.license.id == id)
    }
}
