//! Groups that organizations keep by hand. Their members change through [`Tx::apply`] alone, as edits of memberships; this file
//! keeps the groups themselves and reads both. Never decides.

use jiff::Timestamp;
use provost_kernel::id::{AccountId, GroupId, OrganizationId, RoleId};
use provost_kernel::local_group::{HeldGroup, LocalGroup};

use crate::apply::exactly_one;
use crate::error::{Result, StoreError};
use crate::tx::{Reader, Tx};
use crate::value::{Row, binds, fold, json, list};

/// A local group in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalGroupRow {
    /// The group.
    pub group: LocalGroup,
    /// How many members it has.
    pub members: u64,
    /// The run that last brought its members to what it leads to ([`crate::BulkRun`]).
    pub run: Option<String>,
    /// Whether it is being deleted: everybody is taken out first.
    pub is_going: bool,
    /// When it came into being.
    pub created_at: Timestamp,
    /// When the group itself last changed.
    pub updated_at: Timestamp,
}

impl LocalGroupRow {
    /// The key by which lists go on after this group.
    pub fn key(&self) -> String {
        fold(&self.group.name)
    }
}

const VERSION: &str = "local_group_version";
/// Asks for groups alone, without what costs more the more members there are.
const GROUP: &str = "SELECT id, organization, description, held, version FROM local_groups";
const COLUMNS: &str = "SELECT l.id, l.organization, l.description, l.held, l.version, l.run, l.going, l.created_at, l.updated_at, \
     (SELECT CAST(COALESCE(SUM(c.members), 0) AS BIGINT) FROM local_group_counts c WHERE c.local_group = l.id) FROM local_groups l";

impl Tx {
    /// Keeps a new group without members.
    ///
    /// # Errors
    /// `conflict` (`local_groups_name`) for a name that another group of the organization has.
    pub async fn insert_local_group(&mut self, group: &LocalGroup, now: Timestamp) -> Result<()> {
        let sql = "INSERT INTO local_groups (id, organization, name_key, description, held, going, version, created_at, updated_at) \
                   VALUES ($1, $2, $3, $4, $5, 0, $6, $7, $7)";
        let row = binds![
            &group.id,
            &group.organization,
            fold(&group.name),
            &group.description,
            json(&group.held())?,
            group.version,
            now,
        ];
        self.run(sql, row).await.map(drop)
    }

    /// Makes a group what it shall be, in the next version. `run` brings the members along, if they need to be.
    ///
    /// Whoever puts somebody in meanwhile waits, and decides again.
    ///
    /// # Errors
    /// `conflict`: `local_group_version` unless the version is the one of `group`, `local_groups_name`.
    pub async fn update_local_group(
        &mut self,
        group: &LocalGroup,
        run: Option<&str>,
        now: Timestamp,
    ) -> Result<()> {
        let sql = "UPDATE local_groups SET name_key = $3, description = $4, held = $5, run = COALESCE($6, run), \
                   version = version + 1, updated_at = $7 WHERE id = $1 AND version = $2 AND going = 0";
        let row = binds![
            &group.id,
            group.version,
            fold(&group.name),
            &group.description,
            json(&group.held())?,
            run.map(str::to_owned),
            now,
        ];
        exactly_one(self.run(sql, row).await?, VERSION)
    }

    /// Locks a group, so that nobody is put into it until the transaction ends.
    ///
    /// # Errors
    /// `engine`.
    pub async fn lock_local_group(&mut self, id: &GroupId) -> Result<()> {
        self.row("SELECT id FROM local_groups WHERE id = $1{lock}", binds![id])
            .await
            .map(drop)
    }

    /// Begins to delete a group: nobody is put in any more, it leads to nothing, and its name is free.
    ///
    /// # Errors
    /// `conflict` (`local_group_version`) for another version.
    pub async fn close_local_group(
        &mut self,
        group: &LocalGroup,
        run: Option<&str>,
        now: Timestamp,
    ) -> Result<()> {
        let held = HeldGroup {
            roles: Vec::new(),
            workspaces: Vec::new(),
            ..group.held()
        };
        let sql = "UPDATE local_groups SET held = $3, run = COALESCE($4, run), going = 1, version = version + 1, updated_at = $5 \
                   WHERE id = $1 AND version = $2 AND going = 0";
        let row = binds![
            &group.id,
            group.version,
            json(&held)?,
            run.map(str::to_owned),
            now,
        ];
        exactly_one(self.run(sql, row).await?, VERSION)
    }

    /// Forgets a group that is being deleted and has no members any more. Tells whether it is gone.
    ///
    /// # Errors
    /// `engine`.
    pub async fn delete_local_group(&mut self, id: &GroupId) -> Result<bool> {
        let sql = "DELETE FROM local_groups WHERE id = $1 AND going = 1 \
                   AND NOT EXISTS (SELECT 1 FROM local_group_members m WHERE m.local_group = $1)";
        Ok(self.run(sql, binds![id]).await? == 1)
    }

    /// Lets the groups of an organization lead to another role in the place of one that goes. People are moved by whoever takes
    /// the role away.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn replace_role_in_local_groups(
        &mut self,
        organization: &OrganizationId,
        (from, to): (&RoleId, &RoleId),
        now: Timestamp,
    ) -> Result<()> {
        for mut group in self.local_groups_of(organization).await? {
            let Some(place) = group.roles.iter().position(|role| role == from) else {
                continue;
            };
            group.roles.retain(|role| role != from);
            if !group.roles.contains(to) {
                group.roles.insert(place.min(group.roles.len()), to.clone());
            }
            self.update_local_group(&group, None, now).await?;
        }
        Ok(())
    }

    pub(crate) async fn join_local_group(
        &mut self,
        (account, organization): (&AccountId, &OrganizationId),
        group: &GroupId,
        version: i64,
    ) -> Result<()> {
        // The lock lets a change of the group see everybody who was put in on the strength of what it led to before.
        let sql = "SELECT version FROM local_groups WHERE id = $1 AND organization = $2 AND going = 0{lock}";
        let found = self.row(sql, binds![group, organization]).await?;
        let found = found.map(|mut row| row.int("local_groups.version")).transpose()?;
        if found != Some(version) {
            return Err(StoreError::Conflict(VERSION.to_owned()));
        }
        let sql = "INSERT INTO local_group_members (local_group, account, organization) VALUES ($1, $2, $3) \
                   ON CONFLICT (local_group, account) DO NOTHING";
        self.run(sql, binds![group, account, organization])
            .await
            .map(drop)
    }

    pub(crate) async fn leave_local_group(&mut self, account: &AccountId, group: &GroupId) -> Result<()> {
        let sql = "DELETE FROM local_group_members WHERE local_group = $1 AND account = $2";
        self.run(sql, binds![group, account]).await.map(drop)
    }
}

impl Reader {
    /// Finds groups that are not being deleted.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn local_groups(&mut self, ids: &[GroupId]) -> Result<Vec<LocalGroup>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!("{GROUP} WHERE id IN ({{list:$1}}) AND going = 0");
        let ids = list(ids.iter().map(GroupId::as_str))?;
        let rows = self.rows(&sql, binds![ids]).await?;
        rows.into_iter().map(|mut row| group(&mut row)).collect()
    }

    /// Finds a group of an organization, also one that is being deleted.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn local_group(
        &mut self,
        organization: &OrganizationId,
        id: &GroupId,
    ) -> Result<Option<LocalGroupRow>> {
        let sql = format!("{COLUMNS} WHERE l.id = $1 AND l.organization = $2");
        self.one(&sql, binds![id, organization], read).await
    }

    /// Lists the groups of an organization by name, after one ([`LocalGroupRow::key`]).
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn local_groups_page(
        &mut self,
        organization: &OrganizationId,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<LocalGroupRow>> {
        let sql = format!(
            "{COLUMNS} WHERE l.organization = $1 AND l.going = 0 AND l.name_key > $2 ORDER BY l.name_key LIMIT $3"
        );
        let rows = self
            .rows(&sql, binds![organization, after.unwrap_or_default(), limit])
            .await?;
        rows.into_iter().map(read).collect()
    }

    /// Lists all groups of an organization, without their members: for what concerns every one of them.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn local_groups_of(&mut self, organization: &OrganizationId) -> Result<Vec<LocalGroup>> {
        let sql = format!("{GROUP} WHERE organization = $1 AND going = 0 ORDER BY name_key");
        let rows = self.rows(&sql, binds![organization]).await?;
        rows.into_iter().map(|mut row| group(&mut row)).collect()
    }

    /// Lists the members of a group by account, after one.
    ///
    /// # Errors
    /// `engine`.
    pub async fn local_group_members(
        &mut self,
        group: &GroupId,
        after: Option<&AccountId>,
        limit: u32,
    ) -> Result<Vec<AccountId>> {
        let sql = "SELECT account FROM local_group_members WHERE local_group = $1 AND account > $2 ORDER BY account LIMIT $3";
        let after = after.map_or("", AccountId::as_str);
        self.account_ids(sql, binds![group, after, limit]).await
    }
}

fn group(row: &mut Row) -> Result<LocalGroup> {
    let id = GroupId::new(row.text("local_groups.id")?);
    let organization = OrganizationId::new(row.text("local_groups.organization")?);
    let description = row.text("local_groups.description")?;
    let held: HeldGroup = row.json("local_groups.held")?;
    Ok(LocalGroup {
        id,
        organization,
        name: held.name,
        description,
        roles: held.roles,
        workspaces: held.workspaces,
        version: row.int("local_groups.version")?,
    })
}

fn read(mut row: Row) -> Result<LocalGroupRow> {
    let group = group(&mut row)?;
    let run = row.opt_text("local_groups.run")?;
    let is_going = row.flag("local_groups.going")?;
    let created_at = row.time("local_groups.created_at")?;
    let updated_at = row.time("local_groups.updated_at")?;
    Ok(LocalGroupRow {
        group,
        members: u64::from(row.count("local_groups.members")?),
        run,
        is_going,
        created_at,
        updated_at,
    })
}
