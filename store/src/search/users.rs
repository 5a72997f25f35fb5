//! Accounts as a directory sees them: one by id, and those that a search finds.

use jiff::Timestamp;
use provost_kernel::directory::Account;
use provost_kernel::id::{AccountId, ConnectionId};
use serde_json::{Map, Value};

use super::compile::Kind;
use super::page::{Page, Search};
use crate::accounts;
use crate::error::Result;
use crate::tx::Reader;
use crate::value::{Row, binds};

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
        let sql = format!(
            "SELECT {} FROM accounts a LEFT JOIN account_documents d ON d.account = a.id \
             WHERE a.id = $1 AND a.connection = $2 AND a.status <> 'deleted'",
            columns()
        );
        let row = self.row(&sql, binds![id, connection]).await?;
        row.map(|row| user(row).map(|(_, user)| user)).transpose()
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
