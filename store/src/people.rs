//! What the console's lists of people and of what happened look for. Reads only, page by page; each page costs the same
//! however many people an organization has. How a list of people is read is in `people/ways.rs`.

mod ways;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use provost_kernel::directory::{AccountKind, Status};
use provost_kernel::facts::AccountFacts;
use provost_kernel::id::{AccountId, ConnectionId, GroupId, OrganizationId, RoleId, WorkspaceId};

use crate::error::Result;
use crate::feed::AuditRow;
use crate::tx::Reader;
use crate::value::{Bind, Row, binds, fold, list};

/// Which members of an organization are wanted; all conditions hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeopleFilter {
    /// The organization.
    pub organization: OrganizationId,
    /// Begin of an address, a given name or a family name, without regard to case.
    pub text: Option<String>,
    /// State of the account.
    pub status: Option<Status>,
    /// User or reader.
    pub kind: Option<AccountKind>,
    /// How they sign in.
    pub signs_in: Option<SignsIn>,
    /// A role that they hold.
    pub role: Option<RoleId>,
    /// Where one of their roles came from.
    pub source: Option<GrantedBy>,
    /// A workspace that they may enter.
    pub workspace: Option<WorkspaceId>,
    /// Only people who came through a connection of the organization before this time, and not since.
    pub unseen_since: Option<Timestamp>,
    /// Only pinned memberships.
    pub pinned: bool,
    /// Only people who wait for a seat.
    pub waiting: bool,
    /// Older accounts than this one: the last of the page before.
    pub before: Option<AccountId>,
}

/// How people sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignsIn {
    /// With a password.
    Password,
    /// Through whatever connection.
    Sso,
    /// Through this connection.
    Connection(ConnectionId),
}

/// Where a role came from, whatever the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantedBy {
    /// An admin, by hand.
    Manual,
    /// A rule at sign-in.
    Rule,
    /// A directory's push.
    Scim,
    /// An accepted invitation.
    Invitation,
    /// An import or the declarative file.
    Import,
    /// A local group.
    Group,
    /// Whatever granted it, it is held against the rules.
    Pin,
}

/// A group in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRow {
    /// Identifier.
    pub id: GroupId,
    /// The connection that pushes it.
    pub connection: ConnectionId,
    /// Name.
    pub name: String,
    /// Identifier given by the directory.
    pub external_id: Option<String>,
    /// How many members it has.
    pub members: u64,
    /// When the group itself was last pushed.
    pub updated_at: Timestamp,
}

impl Reader {
    /// Lists members of an organization, newest account first.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn people(&mut self, filter: &PeopleFilter, limit: u32) -> Result<Vec<AccountFacts>> {
        let ids = self.people_ids(filter, limit).await?;
        let found = self.account_facts(&ids).await?;
        let mut found: BTreeMap<AccountId, AccountFacts> = found
            .into_iter()
            .map(|facts| (facts.account.id.clone(), facts))
            .collect();
        Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
    }

    /// Tells how many members an organization has, without counting them.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn count_people(&mut self, organization: &OrganizationId) -> Result<u64> {
        let sql =
            "SELECT CAST(COALESCE(SUM(members), 0) AS BIGINT) FROM member_counts WHERE organization = $1";
        self.count_one(sql, binds![organization]).await
    }

    /// Counts the people who sign in through a connection.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn count_bound(&mut self, connection: &ConnectionId) -> Result<u64> {
        let sql =
            "SELECT CAST(COALESCE(SUM(entries), 0) AS BIGINT) FROM directory_ranks WHERE connection = $1";
        self.count_one(sql, binds![connection]).await
    }

    /// Counts people in force who came through a connection before a time and not since, up to a limit. Looks at no more than
    /// ten times as many, the latest first.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn count_unseen(
        &mut self,
        connection: &ConnectionId,
        since: Timestamp,
        most: u32,
    ) -> Result<u64> {
        let sql = "SELECT COUNT(*) FROM (SELECT a.id FROM (SELECT account FROM last_claims WHERE connection = $1 AND at < $2 \
                   ORDER BY at DESC LIMIT $3) l JOIN accounts a ON a.id = l.account WHERE a.status = 'active' \
                   AND a.connection = $1 LIMIT $4) unseen";
        self.count_one(sql, binds![connection, since, most.saturating_mul(10), most])
            .await
    }

    async fn count_one(&mut self, sql: &str, values: Vec<Bind>) -> Result<u64> {
        let row = self.row(sql, values).await?;
        let count = row.map(|mut row| row.int("count")).transpose()?.unwrap_or(0);
        Ok(count.unsigned_abs())
    }

    /// Counts a directory's requests by day, from one on: day since 1970, all, and those that did not succeed.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn scim_days(&mut self, connection: &ConnectionId, since: i64) -> Result<Vec<(i64, u64, u64)>> {
        let sql = "SELECT hour / 24, CAST(SUM(requests) AS BIGINT), CAST(SUM(failures + refusals) AS BIGINT) \
                   FROM scim_traffic WHERE connection = $1 AND hour >= $2 GROUP BY hour / 24 ORDER BY hour / 24";
        let read = |mut row: Row| {
            let day = row.int("scim_traffic.hour")?;
            let all = row.int("scim_traffic.requests")?.unsigned_abs();
            Ok((day, all, row.int("scim_traffic.failures")?.unsigned_abs()))
        };
        let rows = self.rows(sql, binds![connection, since * 24]).await?;
        rows.into_iter().map(read).collect()
    }

    /// Lists the groups that the connections of an organization push, by name, after one.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn groups_in(
        &mut self,
        organization: &OrganizationId,
        after: Option<(&str, &GroupId)>,
        limit: u32,
    ) -> Result<Vec<GroupRow>> {
        let sql = "SELECT g.id, g.connection, g.name, g.external_id, (SELECT CAST(COALESCE(SUM(s.members), 0) AS BIGINT) \
                   FROM group_stamps s WHERE s.group_id = g.id), g.updated_at FROM groups g \
                   JOIN connections c ON c.id = g.connection WHERE c.organization = $1 \
                   AND (g.name > $2 OR (g.name = $2 AND g.id > $3)) ORDER BY g.name, g.id LIMIT $4";
        let (name, id) = after.map_or(("", ""), |(name, id)| (name, id.as_str()));
        let rows = self.rows(sql, binds![organization, name, id, limit]).await?;
        rows.into_iter().map(group_row).collect()
    }

    /// Lists the first groups that a connection pushes, by name.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn groups_pushed_by(&mut self, connection: &ConnectionId, limit: u32) -> Result<Vec<GroupRow>> {
        let sql = "SELECT g.id, g.connection, g.name, g.external_id, (SELECT CAST(COALESCE(SUM(s.members), 0) AS BIGINT) \
                   FROM group_stamps s WHERE s.group_id = g.id), g.updated_at FROM groups g WHERE g.connection = $1 \
                   ORDER BY g.name_key, g.id LIMIT $2";
        let rows = self.rows(sql, binds![connection, limit]).await?;
        rows.into_iter().map(group_row).collect()
    }

    /// Returns the first names of the groups that a connection pushes, in the order of their names.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn group_names(&mut self, connection: &ConnectionId, limit: u32) -> Result<Vec<String>> {
        let sql = "SELECT name FROM groups WHERE connection = $1 ORDER BY name_key LIMIT $2";
        let rows = self.rows(sql, binds![connection, limit]).await?;
        rows.into_iter().map(|mut row| row.text("groups.name")).collect()
    }

    /// Returns the names of those groups of a connection that bear one of some names, without regard to case.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn names_of_groups(
        &mut self,
        connection: &ConnectionId,
        names: &[&str],
    ) -> Result<BTreeSet<String>> {
        let keys = list(names.iter().map(|name| fold(name)))?;
        let sql = "SELECT name FROM groups WHERE connection = $1 AND name_key IN ({list:$2})";
        let rows = self.rows(sql, binds![connection, keys]).await?;
        rows.into_iter().map(|mut row| row.text("groups.name")).collect()
    }

    /// Returns what the audit log of an organization says about an account, newest first.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn audit_about(
        &mut self,
        organization: &OrganizationId,
        account: &AccountId,
        limit: u32,
    ) -> Result<Vec<AuditRow>> {
        let wanted = "organization = $1 AND account = $2 ORDER BY sequence DESC LIMIT $3";
        self.audit_rows(wanted, binds![organization, account, limit])
            .await
    }
}

impl PeopleFilter {
    /// All members of an organization.
    pub const fn of(organization: OrganizationId) -> Self {
        Self {
            organization,
            text: None,
            status: None,
            kind: None,
            signs_in: None,
            role: None,
            source: None,
            workspace: None,
            unseen_since: None,
            pinned: false,
            waiting: false,
            before: None,
        }
    }
}

fn group_row(mut row: Row) -> Result<GroupRow> {
    Ok(GroupRow {
        id: GroupId::new(row.text("groups.id")?),
        connection: ConnectionId::new(row.text("groups.connection")?),
        name: row.text("groups.name")?,
        external_id: row.opt_text("groups.external_id")?,
        members: row.int("groups.members")?.unsigned_abs(),
        updated_at: row.time("groups.updated_at")?,
    })
}
