//! Needs and facts: what a decision asks to be loaded, and what the store found.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::directory::{
    Account, AccountKind, DirectoryProfile, Group, GroupName, License, LicenseGrant, Link, Membership,
    Organization, Role, Subject, Workspace,
};
use crate::id::{AccountId, ConnectionId, GroupId, LicenseId, OrganizationId};
use crate::local_group::LocalGroup;
use crate::login::rules::{SignInFacts, SignInNeed};

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
    /// What a directory pushed. A sign-in asks for none of it.
    #[serde(default)]
    pub directory: DirectoryNeed,
    /// What organizations demand of passwords, and who has domains.
    #[serde(default)]
    pub sign_in: SignInNeed,
    /// Local groups wanted by id. Those that the accounts found are in are part of their memberships anyway.
    #[serde(default)]
    pub local_groups: Vec<GroupId>,
}

/// Needed facts about what a directory pushed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DirectoryNeed {
    /// Whether the directory profiles of the accounts asked for by id, of the candidates and of the leavers are wanted.
    pub profiles: bool,
    /// Whether the groups of the same accounts are wanted.
    pub groups_of_accounts: bool,
    /// Further user names by which candidates are looked for, like [`Need::user_name`].
    pub user_names: Vec<(ConnectionId, String)>,
    /// Whether deleted accounts of the connection with the external id or user name asked for are wanted, so that a person
    /// who comes back gets the same account.
    pub leavers: bool,
    /// The group wanted by id.
    pub group: Option<GroupId>,
    /// Groups of this connection with this external id.
    pub group_external_id: Option<(ConnectionId, String)>,
    /// Groups of this connection with this name, without regard to case.
    pub group_name: Option<(ConnectionId, String)>,
    /// Who of some accounts is what to a group.
    pub members: Option<MembersNeeded>,
    /// Whether it is wanted how many people the directory took out lately and how many are left.
    pub departures: Option<ConnectionId>,
}

/// Which members of a group are needed. The cost follows the accounts named, not the size of the group, unless `all` is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembersNeeded {
    /// The connection; accounts of others are answered like ones that do not exist.
    pub connection: ConnectionId,
    /// The group; none for one that is being made.
    pub group: Option<GroupId>,
    /// Accounts that the request names.
    pub among: Vec<AccountId>,
    /// Whether every member is wanted: for a replacement of the whole list, a new name and a deletion.
    pub all: bool,
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
    /// Every organization of the instance. [`crate::login::narrow`] makes a few ids of it, given all ids.
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
    /// What a directory pushed, as far as asked for.
    #[serde(default)]
    pub directory: DirectoryFacts,
    /// How many people rules took access from lately, for organizations of [`crate::guard::stripped`]; counted only
    /// when a first look shows that somebody would lose something.
    #[serde(default)]
    pub strips: BTreeMap<OrganizationId, Strips>,
    /// What organizations demand of passwords, and who has domains, as far as asked for.
    #[serde(default)]
    pub sign_in: SignInFacts,
    /// The local groups asked for, whichever organization they are of.
    #[serde(default)]
    pub local_groups: Vec<LocalGroup>,
}

/// How many people of one organization sign-ins took access from lately. The window is
/// [`crate::connection::StripGuard::minutes`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Strips {
    /// People who lost something by the connection's rules within the window.
    pub recent: u32,
    /// Active members of the organization now.
    pub members: u32,
    /// Whether an admin has approved going on.
    pub approved: bool,
}

impl Facts {
    /// Adds what a second look found. Where both know something, the second look wins.
    pub fn join(&mut self, second: Self) {
        for known in second.accounts {
            self.accounts.retain(|old| old.account.id != known.account.id);
            self.accounts.push(known);
        }
        for known in second.organizations {
            self.organizations
                .retain(|old| old.organization.id != known.organization.id);
            self.organizations.push(known);
        }
        self.directory.profiles.extend(second.directory.profiles);
        self.directory.groups_of.extend(second.directory.groups_of);
        for member in second.directory.members {
            if !self.directory.members.contains(&member) {
                self.directory.members.push(member);
            }
        }
        self.directory.looks += 1;
    }
}

/// Facts about what a directory pushed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DirectoryFacts {
    /// Directory profiles; an account without one is not managed by a directory.
    pub profiles: BTreeMap<AccountId, DirectoryProfile>,
    /// Groups of accounts, in the order of their ids; an account in none may be absent.
    pub groups_of: BTreeMap<AccountId, Vec<GroupName>>,
    /// Deleted accounts found by external id or user name, the one that left last first, at most [`CANDIDATES`].
    pub leavers: Vec<AccountFacts>,
    /// The group asked for by id, whichever connection it is of.
    pub group: Option<Group>,
    /// Groups found by external id or name.
    pub similar_groups: Vec<GroupName>,
    /// Of the accounts in [`MembersNeeded::among`]: those that are bound to the connection and not deleted.
    pub own_accounts: Vec<AccountId>,
    /// Members of the group: those among the accounts named, or all if all were asked for.
    pub members: Vec<AccountId>,
    /// Departures of the connection's people.
    pub departures: Option<Departures>,
    /// How many further looks were joined; the store leaves it at 0.
    pub looks: u8,
}

/// How many people a directory took out lately. The window is [`crate::connection::DepartureGuard::minutes`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Departures {
    /// Accounts that the directory deactivated or deleted within the window.
    pub recent: u32,
    /// Accounts of the connection that are active now.
    pub active: u32,
    /// Whether an admin has approved going on.
    pub approved: bool,
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
    /// Seats that accounts of each kind hold over all pools. A kind that is absent has no limit.
    #[serde(default)]
    pub kinds: BTreeMap<AccountKind, KindMeter>,
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

/// Seats of one kind of account in an organization, over all its pools.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindMeter {
    /// How many may be held; none means without limit.
    pub limit: Option<u32>,
    /// How many are held now.
    pub used: u32,
}

impl OrganizationFacts {
    /// Finds a license pool by id.
    pub fn pool(&self, id: &LicenseId) -> Option<&LicensePool> {
        self.licenses.iter().find(|pool| &pool.license.id == id)
    }

    /// Tells whether accounts of a kind may hold one more seat, whatever the pool.
    pub fn has_room(&self, kind: AccountKind) -> bool {
        self.has_room_beside(kind, 0)
    }

    fn has_room_beside(&self, kind: AccountKind, taken: i64) -> bool {
        self.kinds
            .get(&kind)
            .is_none_or(|meter| is_below(meter.used, taken, meter.limit))
    }

    /// Tells whether an account of a kind that holds `held` has a seat of a pool or could take one. Whoever has a seat of
    /// another pool gives that up for it.
    pub fn has_seat(&self, license: &LicenseId, kind: AccountKind, held: Option<&LicenseGrant>) -> bool {
        self.has_seat_beside(license, kind, held, (0, 0))
    }

    /// As [`Self::has_seat`], where others have taken so many seats of the pool and of the kind that are not counted here.
    pub(crate) fn has_seat_beside(
        &self,
        license: &LicenseId,
        kind: AccountKind,
        held: Option<&LicenseGrant>,
        (of_pool, of_kind): (i64, i64),
    ) -> bool {
        let held = held.filter(|held| held.seated);
        if held.is_some_and(|held| held.license == *license) {
            return true;
        }
        let is_free = self.pool(license).is_some_and(|pool| {
            pool.license.serves(kind) && is_below(pool.used, of_pool, pool.license.seats)
        });
        is_free && (held.is_some() || self.has_room_beside(kind, of_kind))
    }

    /// Counts a seat of a kind that is taken (or given back), beyond what was loaded.
    pub(crate) fn count_kind(&mut self, kind: AccountKind, is_taken: bool) {
        let meter = self.kinds.entry(kind).or_default();
        meter.used = if is_taken {
            meter.used.saturating_add(1)
        } else {
            meter.used.saturating_sub(1)
        };
    }
}

/// Tells whether so many seats, and others taken beside them, leave one.
fn is_below(used: u32, taken: i64, limit: Option<u32>) -> bool {
    limit.is_none_or(|limit| i64::from(used) + taken < i64::from(limit))
}
