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
            "SELECT id, updated_at FROM accounts WHERE connection = ${} AND {column} = ${} AND deleted = 1",
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

/// Which answers a need asks for, in the order of the look-ups.
struct Asked {
    profiles: bool,
    groups: bool,
    group: bool,
    similar: bool,
    among: bool,
}

impl Asked {
    fn of(need: &DirectoryNeed, has_people: bool) -> Self {
        Self {
            profiles: need.profiles && has_people,
            groups: need.groups_of_accounts && has_people,
            group: need.group.is_some(),
            similar: need.group_external_id.is_some() || need.group_name.is_some(),
            among: need
                .members
                .as_ref()
                .is_some_and(|needed| !needed.among.is_empty()),
        }
    }
}

/// Looks for what directories pushed, except for leavers and whole lists of members. `of_people` writes a look-up of which
/// `{wanted}` are the people at hand; none if there are none.
pub(crate) fn queries(need: &DirectoryNeed, of_people: Option<impl Fn(&str) -> Query>) -> Result<Vec<Query>> {
    let asked = Asked::of(need, of_people.is_some());
    let mut queries = Vec::new();
    if let Some(of_people) = of_people {
        if asked.profiles {
            queries.push(of_people(
                "SELECT account, document FROM account_documents WHERE account IN {wanted}",
            ));
        }
        if asked.groups {
            queries.push(of_people(
                "SELECT m.account, g.id, g.name, g.external_id FROM group_members m JOIN groups g ON g.id = m.group_id \
                 WHERE m.account IN {wanted} ORDER BY m.account, g.id",
            ));
        }
    }
    queries.extend(need.group.as_ref().map(by_id));
    if asked.similar {
        queries.push(similar_groups(need));
    }
    if let Some(needed) = need.members.as_ref().filter(|_| asked.among) {
        queries.push(among(needed)?);
    }
    Ok(queries)
}

/// Reads the answers to [`queries`]; `people` are those whose profiles and groups are wanted.
pub(crate) fn read(
    need: &DirectoryNeed,
    people: &BTreeSet<AccountId>,
    has_people: bool,
    mut next: impl FnMut() -> Result<Vec<Row>>,
) -> Result<DirectoryFacts> {
    let asked = Asked::of(need, has_people);
    let mut facts = DirectoryFacts::default();
    if asked.profiles {
        for mut row in next()? {
            let account = AccountId::new(row.text("account_documents.account")?);
            let document = row.json("account_documents.document")?;
            facts.profiles.insert(account, DirectoryProfile { document });
        }
        facts.profiles.retain(|account, _| people.contains(account));
    }
    if asked.groups {
        for mut row in next()? {
            let account = AccountId::new(row.text("group_members.account")?);
            facts.groups_of.entry(account).or_default().push(naming(row)?);
        }
        facts.groups_of.retain(|account, _| people.contains(account));
    }
    if asked.group {
        facts.group = next()?.into_iter().next().map(group).transpose()?;
    }
    if asked.similar {
        facts.similar_groups = next()?.into_iter().map(naming).collect::<Result<_>>()?;
    }
    if asked.among {
        for mut row in next()? {
            let account = AccountId::new(row.text("accounts.id")?);
            if row.flag("group_members")? {
                facts.members.push(account.clone());
            }
            facts.own_accounts.push(account);
        }
    }
    Ok(facts)
}

impl Reader {
    /// Finds a group, whichever connection it is of.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn group(&mut self, id: &GroupId) -> Result<Option<Group>> {
        let Query { sql, binds } = by_id(id);
        self.row(&sql, binds).await?.map(group).transpose()
    }

    /// Adds the whole list of members to facts, if it is wanted: apart from the others, because it may be long.
    pub(crate) async fn add_members_to(
        &mut self,
        facts: &mut DirectoryFacts,
        need: &DirectoryNeed,
    ) -> Result<()> {
        if let Some(MembersNeeded {
            group: Some(group),
            all: true,
            ..
        }) = &need.members
        {
            facts.members = self.member_ids(group, None).await?;
        }
        Ok(())
    }
}

fn by_id(id: &GroupId) -> Query {
    let sql = format!(
        "SELECT a.id, a.connection, a.external_id, a.name, a.document, {GROUP_VERSION} AS version FROM groups a \
         WHERE a.id = $1 AND a.connection IS NOT NULL"
    );
    Query::new(sql, binds![id])
}

fn similar_groups(need: &DirectoryNeed) -> Query {
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
    Query::new(format!("{} ORDER BY 1", searches.join(" UNION ")), values)
}

/// Looks which of the accounts named are the connection's own, and which of them are members.
fn among(needed: &MembersNeeded) -> Result<Query> {
    let sql = "SELECT a.id, CASE WHEN EXISTS (SELECT 1 FROM group_members m WHERE m.group_id = $3 \
               AND m.account = a.id) THEN CAST(1 AS BIGINT) ELSE 0 END AS is_member FROM accounts a \
               WHERE a.id IN ({list:$1}) AND {aside}a.connection = $2 AND a.deleted = 0 ORDER BY a.id";
    let ids = list(needed.among.iter().map(AccountId::as_str))?;
    Ok(Query::new(
        sql,
        binds![ids, &needed.connection, needed.group.as_ref()],
    ))
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
