//! People whom directories took out: an admin's leave to take out many, and whose time is over. Never decides.

use jiff::Timestamp;
use provost_kernel::directory::Status;
use provost_kernel::id::{AccountId, ConnectionId};

use crate::error::Result;
use crate::tx::{Reader, Tx};
use crate::value::{binds, to_word};

impl Tx {
    /// Keeps an admin's leave for a directory to take out unusually many people, until a moment. The last one counts.
    ///
    /// # Errors
    /// `conflict` (`foreign_key`) if there is no such connection.
    pub async fn approve_departures(
        &mut self,
        connection: &ConnectionId,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<()> {
        let sql = "INSERT INTO departure_approvals (connection, until, approved_at) VALUES ($1, $2, $3) \
                   ON CONFLICT (connection) DO UPDATE SET until = excluded.until, approved_at = excluded.approved_at";
        self.run(sql, binds![connection, until, now]).await.map(drop)
    }
}

impl Reader {
    /// Tells whether an admin let a directory take out unusually many people now.
    ///
    /// # Errors
    /// `engine`.
    pub async fn are_departures_approved(
        &mut self,
        connection: &ConnectionId,
        now: Timestamp,
    ) -> Result<bool> {
        let sql = "SELECT 1 FROM departure_approvals WHERE connection = $1 AND until > $2";
        Ok(self.row(sql, binds![connection, now]).await?.is_some())
    }

    /// Lists accounts of a connection that its directory brought into a state and that have not changed since before a
    /// moment, oldest first. Deleted accounts of which nothing is left but the identifier are passed over.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn departed_before(
        &mut self,
        connection: &ConnectionId,
        status: Status,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<AccountId>> {
        let sql = "SELECT id FROM accounts WHERE connection = $1 AND status = $2 AND status_origin = 'scim' \
                   AND updated_at < $3 AND (email IS NOT NULL OR user_name IS NOT NULL OR external_id IS NOT NULL \
                   OR display_name IS NOT NULL OR given_name IS NOT NULL OR family_name IS NOT NULL) \
                   ORDER BY updated_at, id LIMIT $4";
        let rows = self
            .rows(sql, binds![connection, to_word(&status)?, before, limit])
            .await?;
        rows.into_iter()
            .map(|mut row| Ok(AccountId::new(row.text("accounts.id")?)))
            .collect()
    }
}
