//! Members of groups as rows: what one change costs does not depend on the size of the group.
//!
//! Each change also raises a stamp of the group, which is part of its version. Stamps are rows of their own, several for
//! each group, so that writers of one group wait for each other as little as possible.

use std::collections::BTreeMap;

use jiff::Timestamp;
use provost_kernel::id::{AccountId, GroupId};

use crate::engine::batch::Query;
use crate::error::Result;
use crate::tx::{Reader, Tx};
use crate::value::{Bind, Row, binds, list};

/// A group of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRef {
    /// Identifier.
    pub id: GroupId,
    /// Name.
    pub name: String,
    /// Identifier given by the directory.
    pub external_id: Option<String>,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The account.
    pub account: AccountId,
    /// Its display name, else its user name, else its address.
    pub display: Option<String>,
}

impl Tx {
    /// Makes accounts members of a group. Accounts that do not belong to the group's connection or are deleted are passed
    /// over, and so are members. Returns how many joined.
    pub(crate) async fn add_members(
        &mut self,
        group: &GroupId,
        accounts: &[AccountId],
        now: Timestamp,
    ) -> Result<u64> {
        if accounts.is_empty() {
            return Ok(0);
        }
        // The shared lock makes a deletion of an account wait, which then finds the new row, or this one pass it over.
        let sql = "INSERT INTO group_members (group_id, account, added_at) SELECT $1, a.id, $2 FROM accounts a \
                   WHERE a.id IN ({list:$3}) AND a.deleted = 0 \
                   AND {aside}a.connection = (SELECT g.connection FROM groups g WHERE g.id = $1){share} \
                   ON CONFLICT (group_id, account) DO NOTHING";
        let ids = list(accounts.iter().map(AccountId::as_str))?;
        let joined = self.run(sql, binds![group, now, ids]).await?;
        self.stamp(group, i64::try_from(joined).unwrap_or(i64::MAX), now)
            .await?;
        Ok(joined)
    }

    /// Ends memberships of a group; who is no member stays none. Returns how many left.
    pub(crate) async fn remove_members(
        &mut self,
        group: &GroupId,
        accounts: &[AccountId],
        now: Timestamp,
    ) -> Result<u64> {
        if accounts.is_empty() {
            return Ok(0);
        }
        let sql = "DELETE FROM group_members WHERE group_id = $1 AND account IN ({list:$2})";
        let ids = list(accounts.iter().map(AccountId::as_str))?;
        let left = self.run(sql, binds![group, ids]).await?;
        self.stamp(group, -i64::try_from(left).unwrap_or(i64::MAX), now)
            .await?;
        Ok(left)
    }

    /// Takes an account out of all groups.
    pub(crate) async fn leave_groups(&mut self, account: &AccountId, now: Timestamp) -> Result<()> {
        let sql = "DELETE FROM group_members WHERE account = $1 RETURNING group_id";
        let mut left = Vec::new();
        for mut row in self.rows(sql, binds![account]).await? {
            left.push(GroupId::new(row.text("group_members.group_id")?));
        }
        // In one order everywhere, so that two such transactions cannot wait for each other.
        left.sort();
        for group in &left {
            self.stamp(group, -1, now).await?;
        }
        Ok(())
    }

    /// Counts a change of members; none if there was none.
    async fn stamp(&mut self, group: &GroupId, more: i64, now: Timestamp) -> Result<()> {
        if more == 0 {
            return Ok(());
        }
        let sql = "INSERT INTO group_stamps (group_id, shard, changes, members, changed_at) \
                   VALUES ($1, {shard}, 1, $2, $3) ON CONFLICT (group_id, shard) DO UPDATE SET \
                   changes = group_stamps.changes + 1, members = group_stamps.members + excluded.members, \
                   changed_at = CASE WHEN excluded.changed_at > group_stamps.changed_at THEN excluded.changed_at \
                   ELSE group_stamps.changed_at END";
        self.run(sql, binds![group, more, now]).await.map(drop)
    }
}

/// Looks for the groups of accounts, for [`group_ref`].
pub(crate) fn groups_query(accounts: &[AccountId]) -> Result<Query> {
    let sql = "SELECT m.account, g.id, g.name, g.external_id FROM group_members m JOIN groups g ON g.id = m.group_id \
               WHERE m.account IN ({list:$1}) ORDER BY m.account, g.id";
    let ids = list(accounts.iter().map(AccountId::as_str))?;
    Ok(Query::new(sql, binds![ids]))
}

/// Reads whose group it is, and the group.
pub(crate) fn group_ref(mut row: Row) -> Result<(AccountId, GroupRef)> {
    let account = AccountId::new(row.text("group_members.account")?);
    let group = GroupRef {
        id: GroupId::new(row.text("groups.id")?),
        name: row.text("groups.name")?,
        external_id: row.opt_text("groups.external_id")?,
    };
    Ok((account, group))
}

impl Reader {
    /// Lists the groups of accounts, in the order of the groups' ids. Accounts in none are left out.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn groups_of(&mut self, accounts: &[AccountId]) -> Result<BTreeMap<AccountId, Vec<GroupRef>>> {
        let mut found: BTreeMap<AccountId, Vec<GroupRef>> = BTreeMap::new();
        if accounts.is_empty() {
            return Ok(found);
        }
        let Query { sql, binds } = groups_query(accounts)?;
        for row in self.rows(&sql, binds).await? {
            let (account, group) = group_ref(row)?;
            found.entry(account).or_default().push(group);
        }
        Ok(found)
    }

    /// Lists members of groups, in the order of group and account. A group without members is left out.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn members_of(&mut self, groups: &[GroupId]) -> Result<BTreeMap<GroupId, Vec<Member>>> {
        let mut found: BTreeMap<GroupId, Vec<Member>> = BTreeMap::new();
        if groups.is_empty() {
            return Ok(found);
        }
        let sql = "SELECT m.group_id, m.account, COALESCE(b.display_name, b.user_name, b.email) FROM group_members m \
                   JOIN accounts b ON b.id = m.account WHERE m.group_id IN ({list:$1}) AND b.deleted = 0 \
                   ORDER BY m.group_id, m.account";
        let ids = list(groups.iter().map(GroupId::as_str))?;
        for mut row in self.rows_long(sql, binds![ids]).await? {
            let group = GroupId::new(row.text("group_members.group_id")?);
            found.entry(group).or_default().push(member(row)?);
        }
        Ok(found)
    }

    /// Lists members of a group in the order of their ids, after one.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn members_page(
        &mut self,
        group: &GroupId,
        after: Option<&AccountId>,
        limit: u32,
    ) -> Result<Vec<Member>> {
        let sql = "SELECT m.account, COALESCE(b.display_name, b.user_name, b.email) FROM group_members m \
                   JOIN accounts b ON b.id = m.account WHERE m.group_id = $1 AND m.account > $2 \
                   AND b.deleted = 0 ORDER BY m.account LIMIT $3";
        let after = after.map_or("", AccountId::as_str);
        let rows = self.rows(sql, binds![group, after, limit]).await?;
        rows.into_iter().map(member).collect()
    }

    /// Lists the ids of members of a group: those among some accounts, or all.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn member_ids(
        &mut self,
        group: &GroupId,
        among: Option<&[AccountId]>,
    ) -> Result<Vec<AccountId>> {
        let mut values: Vec<Bind> = binds![group];
        let within = match among {
            Some([]) => return Ok(Vec::new()),
            Some(among) => {
                values.push(list(among.iter().map(AccountId::as_str))?.into());
                " AND account IN ({list:$2})"
            }
            None => "",
        };
        let sql = format!("SELECT account FROM group_members WHERE group_id = $1{within} ORDER BY account");
        self.account_ids(&sql, values).await
    }
}

fn member(mut row: Row) -> Result<Member> {
    Ok(Member {
        account: AccountId::new(row.text("group_members.account")?),
        display: row.opt_text("accounts.display_name")?,
    })
}
