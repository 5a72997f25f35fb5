//! Changes of groups, as a plan holds them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use provost_kernel::directory::Group;
use provost_kernel::id::{AccountId, ConnectionId, GroupId};
use provost_kernel::plan::{Change, GroupPatch};
use serde_json::json;

use crate::apply::exactly_one;
use crate::error::{Result, StoreError};
use crate::jobs::NewJob;
use crate::search::document::searchable;
use crate::tx::Tx;
use crate::value::{binds, fold};

/// Kind of the job that decides again about accounts. Its payload has `connection` and `accounts`.
pub const REEVALUATE: &str = "directory_reevaluate";

const VERSION: &str = "group_version";

/// The group has the version `$2`, counting what changes of members add to it.
const AT_VERSION: &str = "version + (SELECT CAST(COALESCE(SUM(s.changes), 0) AS BIGINT) FROM group_stamps s \
                          WHERE s.group_id = groups.id) = $2";

impl Tx {
    /// Makes a change of a group. `raised` is by how much the plan itself has raised versions so far.
    pub(crate) async fn apply_to_group(
        &mut self,
        change: &Change,
        raised: &mut BTreeMap<GroupId, i64>,
        now: Timestamp,
    ) -> Result<()> {
        match change {
            Change::CreateGroup { group } => self.create_group(group, now).await,
            Change::UpdateGroup {
                group, version, set, ..
            } => {
                let by_plan = raised.entry(group.clone()).or_default();
                let expect = *version + *by_plan;
                *by_plan += 1;
                self.update_group(group, expect, set, now).await
            }
            Change::DeleteGroup { group, version, .. } => {
                let expect = *version + raised.remove(group).unwrap_or(0);
                let sql = format!("DELETE FROM groups WHERE id = $1 AND {AT_VERSION}");
                exactly_one(self.run(&sql, binds![group, expect]).await?, VERSION)
            }
            Change::AddGroupMembers { group, accounts } => {
                if self.add_members(group, accounts, now).await? > 0 {
                    *raised.entry(group.clone()).or_default() += 1;
                }
                Ok(())
            }
            Change::RemoveGroupMembers { group, accounts } => {
                if self.remove_members(group, accounts, now).await? > 0 {
                    *raised.entry(group.clone()).or_default() += 1;
                }
                Ok(())
            }
            Change::CreateAccount { .. }
            | Change::UpdateProfile { .. }
            | Change::SetStatus { .. }
            | Change::SetAuthentication { .. }
            | Change::Link { .. }
            | Change::Unlink { .. }
            | Change::AddMembership { .. }
            | Change::UpdateMembership { .. }
            | Change::RemoveMembership { .. }
            | Change::RevokeSessions { .. }
            | Change::Alert { .. }
            | Change::QueueReevaluation { .. } => Err(StoreError::Refused("this is no change of a group")),
        }
    }

    async fn create_group(&mut self, group: &Group, now: Timestamp) -> Result<()> {
        let made = searchable(&group.document)?;
        let sql = "INSERT INTO groups (id, connection, external_id, name, name_key, document, search, version, created_at, \
                   updated_at, ordinal) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, \
                   (SELECT COALESCE(MAX(o.ordinal), 0) + 1 FROM groups o WHERE o.connection = $2))";
        let row = binds![
            &group.id,
            &group.connection,
            &group.external_id,
            &group.name,
            fold(&group.name),
            made.document,
            made.search,
            group.version,
            now,
        ];
        self.run(sql, row).await.map(drop)
    }

    async fn update_group(
        &mut self,
        group: &GroupId,
        expect: i64,
        set: &GroupPatch,
        now: Timestamp,
    ) -> Result<()> {
        let mut values = binds![group, expect, now];
        let mut columns = String::new();
        let mut put = |column: &str, value| {
            values.push(value);
            // Writing to a String cannot fail.
            let _ = write!(columns, ", {column} = ${}", values.len());
        };
        if let Some(name) = &set.name {
            put("name", name.into());
            put("name_key", fold(name).into());
        }
        if let Some(id) = &set.external_id {
            put("external_id", id.into());
        }
        if let Some(document) = &set.document {
            let made = searchable(document)?;
            put("document", made.document.into());
            put("search", made.search.into());
        }
        let sql = format!(
            "UPDATE groups SET version = version + 1, updated_at = $3{columns} WHERE id = $1 AND {AT_VERSION}"
        );
        exactly_one(self.run(&sql, values).await?, VERSION)
    }

    pub(crate) async fn queue_reevaluation(
        &mut self,
        job: &str,
        connection: &ConnectionId,
        accounts: &[AccountId],
        now: Timestamp,
    ) -> Result<()> {
        let job = NewJob {
            id: job.to_owned(),
            kind: REEVALUATE.to_owned(),
            idempotency_key: None,
            payload: json!({ "connection": connection, "accounts": accounts }),
            run_at: now,
        };
        self.enqueue(&job, now).await.map(drop)
    }
}
