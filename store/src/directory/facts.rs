//! Facts about what directories pushed. A sign-in asks for none, and then nothing is looked up.

use std::collections::BTreeSet;

use provost_kernel::directory::{DirectoryProfile, Group, GroupName};
use provost_kernel::facts::{CANDIDATES, DirectoryFacts, DirectoryNeed, MembersNeeded, Need};
use provost_kernel::id::{AccountId, ConnectionId, GroupId};

use crate::engine::batch::Query;
use crate::error::Result;
use crate::search::GROUP_VERSION;
use crate::tx::Reader;
use crate::value::{Bind, Row, binds, fold, list};

/// Looks for deleted accounts by the external id or the user names asked for, the one that left last first.
pub(crate) fn leavers(need: &Need) -> Option<Query> {
    if !need.directory.leavers {
        return None;
    }
    let mut searches = Vec::new();
    let mut values: Vec<Bind> = Vec::new();
    let names = need.user_name.iter().chain(&need.directory.user_names);
    let names = names.map(|(connection, name)| ("user_name_key", connection, fold(name)));
    let ids = need.external_id.iter();
    let ids = ids.map(|(connection, id)| ("external_id", connection, id.clone()));
    for (column, connection, value) in ids.chain(names) {
        values.extend(binds![connection, value]);
        searches.push(format!(
            "SELECT id, updated_at FROM accounts WHERE connection = ${} AND {column} = ${} AND status = 'deleted'",
            values.len() - 1,
            values.len()
        ));
    }
    if searches.is_empty() {
        return None;
    }
    let sql = format!(
        "SELECT id FROM ({}) leavers ORDER BY updated_at DESC, id LIMIT {CANDIDATES}",
        searches.join(" UNION ")
    );
    Some(Query::new(sql, values))
}

impl Reader {
    /// Loads what a directory pushed, except for leavers. `people` are the accounts whose profiles and groups are wanted.
    pub(crate) async fn directory_facts(
        &mut self,
        need: &DirectoryNeed,
        people: BTreeSet<AccountId>,
    ) -> Result<DirectoryFacts> {
        let mut facts = DirectoryFacts::default();
        if *need == DirectoryNeed::default() {
            return Ok(facts);
        }
        let people: Vec<AccountId> = people.into_iter().collect();
        if need.profiles {
            let documents = self.documents(&people).await?.into_iter();
            facts.profiles = documents
                .map(|(account, document)| (account, DirectoryProfile { document }))
                .collect();
        }
        if need.groups_of_accounts {
            let groups = self.groups_of(&people).await?.into_iter();
            let naming = |group: super::GroupRef| GroupName {
                id: group.id,
                name: group.name,
                external_id: group.external_id,
            };
            facts.groups_of = groups
                .map(|(account, groups)| (account, groups.into_iter().map(naming).collect()))
                .collect();
        }
        if let Some(group) = &need.group {
            facts.group = self.group(group).await?;
        }
        facts.similar_groups = self.similar_groups(need).await?;
        if let Some(needed) = &need.members {
            (facts.own_accounts, facts.members) = self.members_needed(needed).await?;
        }
        Ok(facts)
    }

    /// Finds a group, whichever connection it is of.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn group(&mut self, id: &GroupId) -> Result<Option<Group>> {
        let sql = format!(
            "SELECT a.id, a.connection, a.external_id, a.name, a.document, {GROUP_VERSION} FROM groups a \
             WHERE a.id = $1 AND a.connection IS NOT NULL"
        );
        self.row(&sql, binds![id]).await?.map(group).transpose()
    }

    async fn similar_groups(&mut self, need: &DirectoryNeed) -> Result<Vec<GroupName>> {
        let mut searches = Vec::new();
        let mut values: Vec<Bind> = Vec::new();
        let ids = need.group_external_id.iter();
        let ids = ids.map(|(connection, id)| ("external_id", connection, id.clone()));
        let names = need.group_name.iter();
        let names = names.map(|(connection, name)| ("name_key", connection, fold(name)));
        for (column, connection, value) in ids.chain(names) {
            values.extend(binds![connection, value]);
            searches.push(format!(
                "SELECT id, name, external_id FROM groups WHERE connection = ${} AND {column} = ${}",
                values.len() - 1,
                values.len()
            ));
        }
        if searches.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!("{} ORDER BY 1", searches.join(" UNION "));
        let rows = self.rows(&sql, values).await?;
        rows.into_iter().map(naming).collect()
    }

    /// Returns which of the accounts named are the connection's own, and which are members.
    async fn members_needed(&mut self, needed: &MembersNeeded) -> Result<(Vec<AccountId>, Vec<AccountId>)> {
        let (Some(group), false) = (&needed.group, needed.all) else {
            let own = self.own_accounts(&needed.connection, &needed.among).await?;
            let members = match &needed.group {
                Some(group) => self.member_ids(group, None).await?,
                None => Vec::new(),
            };
            return Ok((own, members));
        };
        if needed.among.is_empty() {
            return Ok((Vec::new(), Vec::new()));
        }
        let sql = "SELECT a.id, CASE WHEN EXISTS (SELECT 1 FROM group_members m WHERE m.group_id = $3 \
                   AND m.account = a.id) THEN CAST(1 AS BIGINT) ELSE 0 END FROM accounts a \
                   WHERE a.id IN ({list:$1}) AND {aside}a.connection = $2 AND a.status <> 'deleted' ORDER BY a.id";
        let ids = list(needed.among.iter().map(AccountId::as_str))?;
        let (mut own, mut members) = (Vec::new(), Vec::new());
        for mut row in self.rows(sql, binds![ids, &needed.connection, group]).await? {
            let account = AccountId::new(row.text("accounts.id")?);
            if row.flag("group_members")? {
                members.push(account.clone());
            }
            own.push(account);
        }
        Ok((own, members))
    }
}

fn group(mut row: Row) -> Result<Group> {
    Ok(Group {
        id: GroupId::new(row.text("groups.id")?),
        connection: ConnectionId::new(row.text("groups.connection")?),
        external_id: row.opt_text("groups.external_id")?,
        name: row.text("groups.name")?,
        document: row.json("groups.document")?,
        version: row.int("groups.version")?,
    })
}

fn naming(mut row: Row) -> Result<GroupName> {
    Ok(GroupName {
        id: GroupId::new(row.text("groups.id")?),
        name: row.text("groups.name")?,
        external_id: row.opt_text("groups.external_id")?,
    })
}
