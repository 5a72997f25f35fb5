//! Fields that an admin overrides for a while: whose time is over. Never ends one; that is a decision.

use jiff::Timestamp;
use provost_kernel::id::AccountId;

use crate::error::Result;
use crate::tx::Reader;
use crate::value::binds;

impl Reader {
    /// Lists accounts of which an override is over, the longest over first.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn overrides_over(&mut self, now: Timestamp, limit: u32) -> Result<Vec<AccountId>> {
        let sql = "SELECT id FROM accounts WHERE override_ends_at IS NOT NULL AND override_ends_at <= $1 \
                   ORDER BY override_ends_at, id LIMIT $2";
        let rows = self.rows(sql, binds![now, limit]).await?;
        rows.into_iter()
            .map(|mut row| Ok(AccountId::new(row.text("accounts.id")?)))
            .collect()
    }
}
