//! Documents of people, beside their accounts: a sign-in never reads them.

use provost_kernel::id::AccountId;
use serde_json::{Map, Value};

use crate::error::Result;
use crate::search::document::searchable;
use crate::tx::{Reader, Tx};
use crate::value::{binds, list};

impl Tx {
    /// Keeps the document of an account, or forgets it. One statement for a new account with one address.
    pub(crate) async fn put_document(
        &mut self,
        account: &AccountId,
        document: Option<&Map<String, Value>>,
        is_new: bool,
    ) -> Result<()> {
        if !is_new {
            self.run("DELETE FROM account_emails WHERE account = $1", binds![account])
                .await?;
        }
        let Some(document) = document else {
            let sql = "DELETE FROM account_documents WHERE account = $1";
            return self.run(sql, binds![account]).await.map(drop);
        };
        let made = searchable(document)?;
        let mut emails = made.emails.into_iter();
        let sql = "INSERT INTO account_documents (account, document, search, email_key, manager_key) \
                   VALUES ($1, $2, $3, $4, $5) ON CONFLICT (account) DO UPDATE SET document = excluded.document, \
                   search = excluded.search, email_key = excluded.email_key, manager_key = excluded.manager_key";
        let row = binds![account, made.document, made.search, emails.next(), made.manager];
        self.later(sql, row);
        let further = emails.map(|email| binds![account, email]).collect();
        self.insert_later("INSERT INTO account_emails (account, email_key)", further, "");
        Ok(())
    }
}

impl Reader {
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
