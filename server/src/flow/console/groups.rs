//! Groups of identity providers as an organization's admin sees them: those that directories push, and those that only rules name,
//! because the identity provider sends them at sign-ins. Those that the organization keeps itself are in [`crate::flow::local_groups`].

use std::collections::{BTreeMap, BTreeSet};

use provost_kernel::connection::{Connection, Provisioning};
use provost_kernel::facts::AccountFacts;
use provost_kernel::id::{AccountId, ConnectionId, GroupId, OrganizationId};
use provost_kernel::policy::RoleRule;
use provost_store::search::DirectoryGroup;
use provost_store::{GroupRow, StoreError};

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::policy::Policies;

/// Groups of one page.
pub const PAGE: u32 = 100;
/// Members of one page.
pub const MEMBERS: u32 = 50;
/// The claim in which groups come.
const GROUPS: &str = "groups";

/// Lists groups that the connections of an organization push, by name, after one.
///
/// # Errors
/// Those of the store.
pub async fn pushed(
    app: &App,
    organization: &OrganizationId,
    after: Option<(String, String)>,
) -> Result<Vec<GroupRow>> {
    let organization = organization.clone();
    let found = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let after = after.map(|(name, id)| (name, GroupId::new(id)));
                let after = after.as_ref().map(|(name, id)| (name.as_str(), id));
                reader.groups_in(&organization, after, PAGE).await
            })
        })
        .await?;
    Ok(found)
}

/// A group that a rule names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The value that stands for it.
    pub value: String,
    /// A name for people, if the rule has one.
    pub name: Option<String>,
    /// The connection whose rule it is.
    pub connection: ConnectionId,
    /// The roles that it leads to.
    pub roles: Vec<String>,
    /// Whether a directory should push it, rather than sign-ins bring it.
    pub is_awaited: bool,
}

/// Lists the groups that tables of rules name and no directory has pushed.
///
/// # Errors
/// Those of the store.
pub async fn named(app: &App, connections: &[Connection]) -> Result<Vec<Named>> {
    let mut all = Vec::new();
    for connection in connections {
        let rows = rows_of(&Policies::of(connection));
        if rows.is_empty() {
            continue;
        }
        let (id, wanted) = (connection.id.clone(), rows.clone());
        let known: std::result::Result<BTreeSet<String>, StoreError> = app
            .store
            .read(|reader| {
                Box::pin(async move {
                    let names: Vec<&str> = wanted
                        .iter()
                        .flat_map(|(value, (name, _))| [Some(value.as_str()), name.as_deref()])
                        .flatten()
                        .collect();
                    reader.names_of_groups(&id, &names).await
                })
            })
            .await;
        let known: BTreeSet<String> = known?.iter().map(|name| name.to_lowercase()).collect();
        let is_known = |name: &str| known.contains(&name.to_lowercase());
        all.extend(
            rows.into_iter()
                .filter(|(value, (name, _))| !is_known(value) && !name.as_deref().is_some_and(is_known))
                .map(|(value, (name, roles))| Named {
                    value,
                    name,
                    connection: connection.id.clone(),
                    roles: roles.into_iter().collect(),
                    is_awaited: connection.provisioning == Provisioning::Scim,
                }),
        );
    }
    Ok(all)
}

/// The rows about groups in all tables of a connection, by value: a name for people, and roles.
fn rows_of(policies: &Policies) -> BTreeMap<String, (Option<String>, BTreeSet<String>)> {
    let mut rows: BTreeMap<String, (Option<String>, BTreeSet<String>)> = BTreeMap::new();
    let mut add = |value: &str, name: Option<&String>, roles: &[String]| {
        let row = rows.entry(value.to_owned()).or_default();
        row.0 = row.0.take().or_else(|| name.cloned());
        row.1.extend(roles.iter().cloned());
    };
    let default = policies.policy.iter().filter_map(|policy| policy.role.as_ref());
    let own = policies.organization_policies.iter();
    for rule in default.chain(own.filter_map(|policy| policy.role.as_ref())) {
        match rule {
            RoleRule::Groups(table) => {
                for row in table {
                    add(&row.value, row.name.as_ref(), &row.roles);
                }
            }
            RoleRule::Mapping(table) => {
                for row in table.iter().filter(|row| row.claim == GROUPS) {
                    add(&row.value, None, &row.roles);
                }
            }
            RoleRule::Fixed(_) | RoleRule::Expression(_) => {}
        }
    }
    rows
}

/// Returns the roles that the tables of a connection give for a group.
pub fn roles_of(policies: &Policies, group: &str) -> Vec<String> {
    let rows = rows_of(policies);
    let mine = rows
        .into_iter()
        .filter(|(value, (name, _))| value == group || name.as_deref() == Some(group));
    let roles: BTreeSet<String> = mine.flat_map(|(_, (_, roles))| roles).collect();
    roles.into_iter().collect()
}

/// A group with some of its members.
pub struct Group {
    /// The group.
    pub group: DirectoryGroup,
    /// The connection that pushes it.
    pub connection: Connection,
    /// Members by account; what they hold elsewhere is left out.
    pub members: Vec<AccountFacts>,
    /// Where to go on.
    pub next: Option<AccountId>,
}

/// Finds a group that a connection of an organization pushes.
///
/// # Errors
/// 404; those of the store.
pub async fn one(
    app: &App,
    organization: &OrganizationId,
    connection: &str,
    group: &str,
    after: Option<String>,
) -> Result<Group> {
    let (own, connection) = (organization.clone(), ConnectionId::new(connection));
    let (group, after) = (GroupId::new(group), after.map(AccountId::new));
    let found = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let record = reader.connection(&connection).await?;
                let Some(record) = record.filter(|one| one.connection.owner() == Some(&own)) else {
                    return Ok(None);
                };
                let Some(group) = reader.directory_group(&connection, &group).await? else {
                    return Ok(None);
                };
                let members = reader.members_page(&group.id, after.as_ref(), MEMBERS).await?;
                let is_full = members.len() == MEMBERS as usize;
                let next = members
                    .last()
                    .map(|last| last.account.clone())
                    .filter(|_| is_full);
                let ids: Vec<AccountId> = members.into_iter().map(|member| member.account).collect();
                let mut members = reader.account_facts(&ids).await?;
                for member in &mut members {
                    member.memberships.retain(|held| held.organization == own);
                }
                Ok::<_, StoreError>(Some(Group {
                    group,
                    connection: record.connection,
                    members,
                    next,
                }))
            })
        })
        .await?;
    found.ok_or_else(AppError::not_found)
}
