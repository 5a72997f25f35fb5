//! Documents of people, beside their accounts: a sign-in never reads them.

use provost_kernel::id::{AccountId, ConnectionId};
use serde_json::{Map, Value};

use crate::engine::batch::{Apart, Insert, Work};
use crate::error::{Result, StoreError};
use crate::search::document::searchable;
use crate::tx::{Reader, Tx};
use crate::value::{binds, list};

impl Tx {
    /// Keeps the document of an account, or forgets it. Two statements for a new account, however many values it has.
    pub(crate) async fn put_document(
        &mut self,
        account: &AccountId,
        connection: Option<&ConnectionId>,
        document: Option<&Map<String, Value>>,
        is_new: bool,
    ) -> Result<()> {
        let Some(document) = document else {
            for table in ["account_values", "account_documents"] {
                let sql = format!("DELETE FROM {table} WHERE account = $1");
                self.run(&sql, binds![account]).await?;
            }
            return Ok(());
        };
        // Only a directory gives documents, and only to people of its own connection.
        let connection = match connection {
            Some(connection) => connection.clone(),
            None => self.connection_of(account).await?,
        };
        let made = searchable(document)?;
        let into = "INSERT INTO account_documents (account, document, search, email_key, manager_key)";
        let row = binds![account, made.document, made.search, made.email, made.manager];
        let end = " ON CONFLICT (account) DO UPDATE SET document = excluded.document, search = excluded.search, \
                   email_key = excluded.email_key, manager_key = excluded.manager_key";
        let insert = Insert::plain(into, vec![row], end);
        self.later_apart(Apart::Document, Work::Rows(insert), None)
            .await?;
        if !is_new {
            // Those that stay are written below, so both can go together.
            let stay = list(
                made.values
                    .iter()
                    .map(|(label, value)| format!("{label}\n{value}")),
            )?;
            let sql =
                "DELETE FROM account_values WHERE account = $1 AND label || '\n' || value NOT IN ({list:$2})";
            self.later(sql, binds![account, stay]);
        }
        let values = made.values.into_iter();
        let values = values
            .map(|(label, value)| binds![account, &connection, label, value])
            .collect();
        let into = "INSERT INTO account_values (account, connection, label, value)";
        let end = " ON CONFLICT (account, label, value) DO UPDATE SET connection = excluded.connection";
        self.insert_later(Insert::plain(into, values, end));
        Ok(())
    }
}

impl Reader {
    async fn connection_of(&mut self, account: &AccountId) -> Result<ConnectionId> {
        let sql = "SELECT connection FROM accounts WHERE id = $1 AND connection IS NOT NULL";
        let row = self.row(sql, binds![account]).await?;
        let mut row = row.ok_or(StoreError::Refused("a document without a connection"))?;
        Ok(ConnectionId::new(row.text("accounts.connection")?))
    }

    /// Loads the documents of accounts; accounts without one are left out.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn documents(
        &mut self,
        accounts: &[AccountId],
    ) -> Result<Vec<(AccountId, Map<String, Value>)>> {
        if accounts.is_empty() {
            return Ok(Vec::new());
        }
        let sql =
            "SELECT account, document FROM account_documents WHERE account IN ({list:$1}) ORDER BY account";
        let ids = list(accounts.iter().map(AccountId::as_str))?;
        let rows = self.rows(sql, binds![ids]).await?;
        rows.into_iter()
            .map(|mut row| {
                let account = AccountId::new(row.text("account_documents.account")?);
                Ok((account, row.json("account_documents.document")?))
            })
            .collect()
    }
}
