//! Changes of a connection's policies that wait for an admin's approval, and how they ended. At most one waits for each
//! connection: a newer one takes the place of the older. Never judges a change and never writes a policy.

use jiff::Timestamp;
use provost_kernel::id::ConnectionId;
use serde_json::Value;

use crate::error::Result;
use crate::tx::{Reader, Tx};
use crate::value::{Row, binds, json, to_word};

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeState {
    /// It waits.
    Held,
    /// An admin approved it: it is in force.
    Approved,
    /// An admin rejected it.
    Rejected,
    /// A newer change took its place, or the connection changed under it.
    Superseded,
}

/// A change of a connection's policies that was held.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyChange {
    /// Identifier.
    pub id: String,
    /// Of which connection.
    pub connection: ConnectionId,
    /// Version of the connection for which the change was made.
    pub connection_version: i64,
    /// What became of it.
    pub state: ChangeState,
    /// The new policies, in a form that the server knows.
    pub policies: Value,
    /// What it would do to people, as counted when it was held.
    pub impact: Value,
    /// Who asked for it.
    pub asked_by: String,
    /// When.
    pub asked_at: Timestamp,
    /// Who approved or rejected it.
    pub settled_by: Option<String>,
    /// When.
    pub settled_at: Option<Timestamp>,
}

const COLUMNS: &str = "SELECT id, connection, connection_version, state, policies, impact, asked_by, asked_at, settled_by, \
                       settled_at FROM policy_changes";

impl Tx {
    /// Holds a change, in the place of one that waits for the same connection.
    ///
    /// # Errors
    /// `conflict` if another one was held for the connection at the same moment.
    pub async fn hold_policy_change(&mut self, change: &PolicyChange) -> Result<()> {
        let sql = "UPDATE policy_changes SET state = 'superseded', settled_by = $2, settled_at = $3 \
                   WHERE connection = $1 AND state = 'held'";
        self.run(sql, binds![&change.connection, &change.asked_by, change.asked_at])
            .await?;
        let sql = "INSERT INTO policy_changes (id, connection, connection_version, state, policies, impact, asked_by, \
                   asked_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let row = binds![
            &change.id,
            &change.connection,
            change.connection_version,
            to_word(&change.state)?,
            json(&change.policies)?,
            json(&change.impact)?,
            &change.asked_by,
            change.asked_at,
        ];
        self.run(sql, row).await.map(drop)
    }

    /// Ends the wait of a change. False if it does not wait any more.
    ///
    /// # Errors
    /// `engine`.
    pub async fn settle_policy_change(
        &mut self,
        id: &str,
        state: ChangeState,
        by: &str,
        now: Timestamp,
    ) -> Result<bool> {
        let sql = "UPDATE policy_changes SET state = $2, settled_by = $3, settled_at = $4 \
                   WHERE id = $1 AND state = 'held'";
        Ok(self.run(sql, binds![id, to_word(&state)?, by, now]).await? > 0)
    }
}

impl Reader {
    /// Finds a change.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn policy_change(&mut self, id: &str) -> Result<Option<PolicyChange>> {
        self.row(&format!("{COLUMNS} WHERE id = $1"), binds![id])
            .await?
            .map(record)
            .transpose()
    }

    /// Finds the change that waits for a connection.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn held_policy_change(&mut self, connection: &ConnectionId) -> Result<Option<PolicyChange>> {
        let sql = format!("{COLUMNS} WHERE connection = $1 AND state = 'held'");
        self.row(&sql, binds![connection]).await?.map(record).transpose()
    }

    /// Lists the changes of a connection (`None`: those that wait, of all), newest first, before one.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn policy_changes(
        &mut self,
        connection: Option<&ConnectionId>,
        before: Option<&str>,
        limit: u32,
    ) -> Result<Vec<PolicyChange>> {
        let (condition, mut values) = match connection {
            Some(connection) => ("connection = $2", binds![limit, connection]),
            None => ("state = $2", binds![limit, "held"]),
        };
        let older = match before {
            Some(before) => {
                values.push(before.into());
                "AND id < $3"
            }
            None => "",
        };
        let sql = format!("{COLUMNS} WHERE {condition} {older} ORDER BY id DESC LIMIT $1");
        self.rows(&sql, values).await?.into_iter().map(record).collect()
    }
}

fn record(mut row: Row) -> Result<PolicyChange> {
    Ok(PolicyChange {
        id: row.text("policy_changes.id")?,
        connection: ConnectionId::new(row.text("policy_changes.connection")?),
        connection_version: row.int("policy_changes.connection_version")?,
        state: row.word("policy_changes.state")?,
        policies: row.json("policy_changes.policies")?,
        impact: row.json("policy_changes.impact")?,
        asked_by: row.text("policy_changes.asked_by")?,
        asked_at: row.time("policy_changes.asked_at")?,
        settled_by: row.opt_text("policy_changes.settled_by")?,
        settled_at: row.opt_time("policy_changes.settled_at")?,
    })
}
