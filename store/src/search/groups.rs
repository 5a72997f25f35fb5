//! Groups as a directory sees them: one by id, and those that a search finds. Their members are looked up apart.

use jiff::Timestamp;
use provost_kernel::id::{ConnectionId, GroupId};
use serde_json::{Map, Value};

use super::compile::{GROUP_MODIFIED, Kind};
use super::page::{Page, Search};
use crate::engine::Dialect;
use crate::error::Result;
use crate::tx::{Reader, Tx};
use crate::value::{Row, binds};

/// A group without its members.
#[derive(Clone, Debug, PartialEq)]
pub struct DirectoryGroup {
    /// Identifier.
    pub id: GroupId,
    /// Identifier given by the directory.
    pub external_id: Option<String>,
    /// Name.
    pub name: String,
    /// The document as pushed, without members.
    pub document: Map<String, Value>,
    /// Grows with each change of the group or of its members.
    pub version: i64,
    /// When it came into being.
    pub created_at: Timestamp,
    /// When the group or its members last changed.
    pub updated_at: Timestamp,
    /// How many members it has.
    pub members: u64,
}

/// What a change of a group keeps others from until its transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupHold {
    /// Its description and whole list stay; members may come and go meanwhile. For whoever says only who comes and goes.
    Description,
    /// Nobody else changes anything.
    Everything,
}

impl Tx {
    /// Finds a group of a connection like [`Reader::directory_group`], and holds it until the transaction ends.
    ///
    /// Without that, a list that takes the place of another one would be made of members who are gone, and whoever joins while the
    /// group is renamed would keep what its old name gave.
    ///
    /// # Errors
    /// `engine`, `corrupt` and `busy`.
    pub async fn directory_group_to_change(
        &mut self,
        connection: &ConnectionId,
        id: &GroupId,
        hold: GroupHold,
    ) -> Result<Option<DirectoryGroup>> {
        if self.conn().dialect() == Dialect::Postgres {
            let word = match hold {
                GroupHold::Description => "{share}",
                GroupHold::Everything => "{hold}",
            };
            let sql =
                format!("SELECT a.id FROM groups a WHERE a.id = $1 AND {{aside}}a.connection = $2{word}");
            if self.row(&sql, binds![id, connection]).await?.is_none() {
                return Ok(None);
            }
        }
        self.directory_group(connection, id).await
    }
}

impl Reader {
    /// Finds a group of a connection.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn directory_group(
        &mut self,
        connection: &ConnectionId,
        id: &GroupId,
    ) -> Result<Option<DirectoryGroup>> {
        let sql = format!(
            "SELECT {} FROM groups a WHERE a.id = $1 AND a.connection = $2",
            columns()
        );
        let row = self.row(&sql, binds![id, connection]).await?;
        row.map(|row| group(row).map(|(_, group)| group)).transpose()
    }

    /// Lists the groups of a connection by id, after one.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn groups_page(
        &mut self,
        connection: &ConnectionId,
        after: Option<&GroupId>,
        limit: u32,
    ) -> Result<Vec<DirectoryGroup>> {
        let sql = format!(
            "SELECT {} FROM groups a WHERE a.connection = $1 AND a.id > $2 ORDER BY a.id LIMIT $3",
            columns()
        );
        let after = after.map_or("", GroupId::as_str);
        let rows = self.rows(&sql, binds![connection, after, limit]).await?;
        rows.into_iter()
            .map(|row| group(row).map(|(_, group)| group))
            .collect()
    }

    /// Searches the groups of a connection.
    ///
    /// # Errors
    /// `refused` for a condition without sense or a cursor of another search, `engine` and `corrupt`.
    pub async fn search_groups(&mut self, search: &Search) -> Result<Page<DirectoryGroup>> {
        self.search(search, Kind::Groups, &columns(), group).await
    }
}

/// The version of group `a`: its own and what its members add.
pub(crate) const VERSION: &str = "a.version + (SELECT CAST(COALESCE(SUM(s.changes), 0) AS BIGINT) FROM group_stamps s WHERE s.group_id = a.id)";

fn columns() -> String {
    format!(
        "a.id, a.external_id, a.name, a.document, {VERSION}, a.created_at, {GROUP_MODIFIED}, \
         (SELECT CAST(COALESCE(SUM(s.members), 0) AS BIGINT) FROM group_stamps s WHERE s.group_id = a.id)"
    )
}

fn group(mut row: Row) -> Result<(String, DirectoryGroup)> {
    let id = row.text("groups.id")?;
    let group = DirectoryGroup {
        id: GroupId::new(&id),
        external_id: row.opt_text("groups.external_id")?,
        name: row.text("groups.name")?,
        document: row.json("groups.document")?,
        version: row.int("groups.version")?,
        created_at: row.time("groups.created_at")?,
        updated_at: row.time("groups.updated_at")?,
        members: row.int("groups.members")?.unsigned_abs(),
    };
    Ok((id, group))
}
