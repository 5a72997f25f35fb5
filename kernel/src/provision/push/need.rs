//! Says what must be loaded to decide a push. Changes of groups need further looks, once the first has shown whom they affect.

use std::collections::BTreeSet;

use super::{MOST_AT_ONCE, MembersChange, Push, PushedGroup, PushedUser};
use crate::connection::{Connection, Scope};
use crate::email::Email;
use crate::facts::{DirectoryNeed, Facts, MembersNeeded, Need, OrganizationsNeeded};
use crate::id::{AccountId, GroupId};
use crate::login::rules::SignInNeed;
use crate::mapping::InForce;

/// Says what must be loaded first.
pub fn need(push: &Push, in_force: &InForce) -> Need {
    let connection = in_force.connection();
    match push {
        Push::CreateUser(user) => {
            let mut need = of_user(user, connection);
            need.directory.leavers = true;
            // An account that is taken over may be taken out at once.
            need.directory.departures = (user.active == Some(false)).then(|| connection.id.clone());
            need
        }
        Push::ReplaceUser { account, user, .. } => {
            let mut need = of_user(user, connection);
            need.accounts = vec![account.clone()];
            need.directory.departures = (user.active == Some(false)).then(|| connection.id.clone());
            need
        }
        Push::DeleteUser { account, .. } => Need {
            accounts: vec![account.clone()],
            directory: DirectoryNeed {
                profiles: true,
                groups_of_accounts: true,
                departures: Some(connection.id.clone()),
                ..DirectoryNeed::default()
            },
            ..Need::default()
        },
        Push::ExpireUsers { accounts, .. } => Need {
            accounts: accounts.clone(),
            directory: DirectoryNeed {
                profiles: true,
                groups_of_accounts: true,
                ..DirectoryNeed::default()
            },
            ..Need::default()
        },
        Push::CreateGroup { group, members, .. } => {
            let mut need = of_group(None, Some(group), connection);
            need.directory.members = Some(members_of(None, members.clone(), false, connection));
            need
        }
        Push::ChangeGroup {
            group, set, members, ..
        } => {
            let mut need = of_group(Some(group), set.as_deref(), connection);
            need.directory.members = Some(match members {
                MembersChange::Delta { add, remove } => {
                    let among = add.iter().chain(remove).cloned().collect();
                    members_of(Some(group), among, false, connection)
                }
                MembersChange::Replace(wanted) => members_of(Some(group), wanted.clone(), true, connection),
            });
            need
        }
        Push::DeleteGroup { group, .. } => {
            let mut need = of_group(Some(group), None, connection);
            need.directory.members = Some(members_of(Some(group), Vec::new(), true, connection));
            need
        }
        Push::Reevaluate { accounts } => {
            of_members(accounts.iter().take(MOST_AT_ONCE).cloned().collect(), connection)
        }
    }
}

/// Says what must be loaded next, if anything; add it to the facts with [`Facts::join`] and ask again. Ends after two rounds
/// at most. Only changes of groups need more than one look.
pub fn need_more(push: &Push, facts: &Facts, in_force: &InForce) -> Option<Need> {
    let connection = in_force.connection();
    if facts.directory.looks >= 2 {
        return None;
    }
    if let Push::ChangeGroup {
        group,
        set: Some(set),
        members: MembersChange::Delta { .. },
        ..
    } = push
        && facts.directory.looks == 0
        && is_renamed(set, facts)
    {
        return Some(Need {
            directory: DirectoryNeed {
                members: Some(members_of(Some(group), Vec::new(), true, connection)),
                ..DirectoryNeed::default()
            },
            ..Need::default()
        });
    }
    let affected = affected(push, facts);
    let missing = affected
        .iter()
        .any(|id| !facts.accounts.iter().any(|known| known.account.id == *id));
    (missing && affected.len() <= MOST_AT_ONCE)
        .then(|| of_members(affected.into_iter().collect(), connection))
}

/// Lists the accounts whose groups change in the eyes of rules.
pub(super) fn affected(push: &Push, facts: &Facts) -> BTreeSet<AccountId> {
    let held: BTreeSet<&AccountId> = facts.directory.members.iter().collect();
    let own: BTreeSet<&AccountId> = facts.directory.own_accounts.iter().collect();
    let mut affected: BTreeSet<AccountId> = BTreeSet::new();
    match push {
        Push::CreateGroup { members, .. } => {
            affected.extend(members.iter().filter(|id| own.contains(id)).cloned());
        }
        Push::ChangeGroup { set, members, .. } => {
            if set.as_deref().is_some_and(|set| is_renamed(set, facts)) {
                affected.extend(facts.directory.members.iter().cloned());
            }
            match members {
                MembersChange::Delta { add, remove } => {
                    let joins = add.iter().filter(|id| own.contains(id) && !held.contains(id));
                    let leaves = remove.iter().filter(|id| held.contains(id) && !add.contains(id));
                    affected.extend(joins.chain(leaves).cloned());
                }
                MembersChange::Replace(wanted) => {
                    let wanted: BTreeSet<&AccountId> = wanted.iter().collect();
                    let joins = wanted
                        .iter()
                        .filter(|id| own.contains(*id) && !held.contains(*id));
                    let leaves = held.iter().filter(|id| !wanted.contains(*id));
                    affected.extend(joins.chain(leaves).map(|id| (*id).clone()));
                }
            }
        }
        Push::DeleteGroup { .. } => affected.extend(facts.directory.members.iter().cloned()),
        Push::CreateUser(_)
        | Push::ReplaceUser { .. }
        | Push::DeleteUser { .. }
        | Push::ExpireUsers { .. }
        | Push::Reevaluate { .. } => {}
    }
    affected
}

/// Tells whether rules see the group under another name or identifier afterwards.
pub(super) fn is_renamed(set: &PushedGroup, facts: &Facts) -> bool {
    facts
        .directory
        .group
        .as_ref()
        .is_some_and(|group| group.name != set.name || group.external_id != set.external_id)
}

fn of_user(user: &PushedUser, connection: &Connection) -> Need {
    let keyed = |key: &Option<String>| key.clone().map(|key| (connection.id.clone(), key));
    let email = user
        .email
        .as_deref()
        .and_then(|email| Email::parse(email.trim()).ok());
    Need {
        email_key: email.as_ref().map(Email::key),
        sign_in: SignInNeed {
            policies: false,
            // Inside the connection's own domains nobody else has a say, and where domains are demanded nothing else is set.
            domains: email
                .iter()
                .filter(|email| !connection.settings.require_domain && !connection.serves(email))
                .map(|email| email.domain().to_owned())
                .collect(),
            emergency: false,
        },
        external_id: keyed(&user.external_id),
        user_name: keyed(&user.user_name),
        organizations: reach(connection),
        directory: DirectoryNeed {
            profiles: true,
            groups_of_accounts: true,
            ..DirectoryNeed::default()
        },
        ..Need::default()
    }
}

fn of_group(group: Option<&GroupId>, set: Option<&PushedGroup>, connection: &Connection) -> Need {
    Need {
        directory: DirectoryNeed {
            group: group.cloned(),
            group_name: set.map(|set| (connection.id.clone(), set.name.clone())),
            group_external_id: set
                .and_then(|set| set.external_id.clone())
                .map(|id| (connection.id.clone(), id)),
            ..DirectoryNeed::default()
        },
        ..Need::default()
    }
}

fn of_members(accounts: Vec<AccountId>, connection: &Connection) -> Need {
    Need {
        accounts,
        organizations: reach(connection),
        directory: DirectoryNeed {
            profiles: true,
            groups_of_accounts: true,
            ..DirectoryNeed::default()
        },
        ..Need::default()
    }
}

fn members_of(
    group: Option<&GroupId>,
    among: Vec<AccountId>,
    all: bool,
    connection: &Connection,
) -> MembersNeeded {
    MembersNeeded {
        connection: connection.id.clone(),
        group: group.cloned(),
        among,
        all,
    }
}

/// The organizations whose rules a push runs; those of the whole instance come from the claims ([`super::candidates`]).
fn reach(connection: &Connection) -> OrganizationsNeeded {
    match &connection.scope {
        Scope::Instance => OrganizationsNeeded::None,
        Scope::Organization {
            organization,
            shared_with,
        } => OrganizationsNeeded::Ids(
            std::iter::once(organization)
                .chain(shared_with)
                .cloned()
                .collect(),
        ),
    }
}
