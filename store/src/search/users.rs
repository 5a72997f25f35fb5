//! Accounts as a directory sees them: one by id, and those that a search finds.

use jiff::Timestamp;
use provost_kernel::directory::{Account, DirectoryProfile};
use provost_kernel::id::{AccountId, ConnectionId};
use serde_json::{Map, Value};

use super::compile::Kind;
use super::page::{Page, Search};
use crate::accounts;
use crate::directory::GroupRef;
use crate::directory::members::{group_ref, groups_query};
use crate::engine::batch::Query;
use crate::error::Result;
use crate::tx::Reader;
use crate::value::{Row, binds, parts};

/// An account with the document that its directory pushed.
#[derive(Clone, Debug, PartialEq)]
pub struct DirectoryUser {
    /// The account.
    pub account: Account,
    /// The document as pushed; none if no directory pushed this account.
    pub document: Option<Map<String, Value>>,
    /// When account or document last changed.
    pub updated_at: Timestamp,
}

impl DirectoryUser {
    /// Returns an account that is made now as it will be found: times are kept in milliseconds.
    pub fn made(account: &Account, profile: Option<&DirectoryProfile>, now: Timestamp) -> Self {
        Self {
            account: Account {
                created_at: kept(account.created_at),
                ..account.clone()
            },
            document: profile.map(|profile| profile.document.clone()),
            updated_at: kept(now),
        }
    }
}

fn kept(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}

fn user_query(connection: &ConnectionId, id: &AccountId) -> Query {
    let sql = format!(
        "SELECT {} FROM accounts a LEFT JOIN account_documents d ON d.account = a.id \
         WHERE a.id = $1 AND a.connection = $2 AND a.deleted = 0",
        columns()
    );
    Query::new(sql, binds![id, connection])
}

impl Reader {
    /// Finds an account of a connection that is not deleted.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn directory_user(
        &mut self,
        connection: &ConnectionId,
        id: &AccountId,
    ) -> Result<Option<DirectoryUser>> {
        let Query { sql, binds } = user_query(connection, id);
        let row = self.row(&sql, binds).await?;
        row.map(|row| user(row).map(|(_, user)| user)).transpose()
    }

    /// As [`Self::directory_user`], with the groups of the account, in the order of their ids.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn directory_user_and_groups(
        &mut self,
        connection: &ConnectionId,
        id: &AccountId,
    ) -> Result<Option<(DirectoryUser, Vec<GroupRef>)>> {
        let groups = groups_query(std::slice::from_ref(id))?;
        let found = self.together(vec![user_query(connection, id), groups]).await?;
        let [mut users, groups] = parts(found)?;
        let Some(row) = users.pop() else {
            return Ok(None);
        };
        let groups = groups
            .into_iter()
            .map(|row| Ok(group_ref(row)?.1))
            .collect::<Result<_>>()?;
        Ok(Some((user(row)?.1, groups)))
    }

    /// Searches the accounts of a connection.
    ///
    /// # Errors
    /// `refused` for a condition without sense or a cursor of another search, `engine` and `corrupt`.
    pub async fn search_users(&mut self, search: &Search) -> Result<Page<DirectoryUser>> {
        self.search(search, Kind::Users, &columns(), user).await
    }

    /// Says how the engine would find the accounts of a search, in its own words: for whoever wonders why a filter is slow.
    ///
    /// # Errors
    /// As [`Self::search_users`].
    pub async fn explain_users(&mut self, search: &Search) -> Result<Vec<String>> {
        self.explain(search, Kind::Users, &columns()).await
    }
}

/// The columns of an account, with those of its document before them.
fn columns() -> String {
    let of_account = accounts::COLUMNS
        .trim_start_matches("SELECT ")
        .trim_end_matches(" FROM accounts a");
    format!("a.updated_at, d.document, {of_account}")
}

fn user(mut row: Row) -> Result<(String, DirectoryUser)> {
    let updated_at = row.time("accounts.updated_at")?;
    let document = row.opt_json("account_documents.document")?;
    let account = accounts::account(row)?;
    let id = account.id.as_str().to_owned();
    Ok((
        id,
        DirectoryUser {
            account,
            document,
            updated_at,
        },
    ))
}
