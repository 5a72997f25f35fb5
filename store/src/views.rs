//! Filters of lists that a person keeps under a name, for one organization. Nobody else sees them.

use provost_kernel::id::{AccountId, OrganizationId};

use crate::error::Result;
use crate::tx::{Reader, Tx};
use crate::value::{Row, binds};

impl Tx {
    /// Keeps a view, in the place of one with the same name.
    ///
    /// # Errors
    /// `engine`.
    pub async fn put_view(
        &mut self,
        account: &AccountId,
        organization: &OrganizationId,
        name: &str,
        query: &str,
    ) -> Result<()> {
        let sql = "INSERT INTO saved_views (account, organization, name, query) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT (account, organization, name) DO UPDATE SET query = excluded.query";
        self.run(sql, binds![account, organization, name, query])
            .await
            .map(drop)
    }

    /// Forgets a view.
    ///
    /// # Errors
    /// `engine`.
    pub async fn delete_view(
        &mut self,
        account: &AccountId,
        organization: &OrganizationId,
        name: &str,
    ) -> Result<()> {
        let sql = "DELETE FROM saved_views WHERE account = $1 AND organization = $2 AND name = $3";
        self.run(sql, binds![account, organization, name]).await.map(drop)
    }
}

impl Reader {
    /// Lists somebody's views of an organization by name, with their queries.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn views(
        &mut self,
        account: &AccountId,
        organization: &OrganizationId,
    ) -> Result<Vec<(String, String)>> {
        let sql =
            "SELECT name, query FROM saved_views WHERE account = $1 AND organization = $2 ORDER BY name";
        let read = |mut row: Row| Ok((row.text("saved_views.name")?, row.text("saved_views.query")?));
        let rows = self.rows(sql, binds![account, organization]).await?;
        rows.into_iter().map(read).collect()
    }
}
