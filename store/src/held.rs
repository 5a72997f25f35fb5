//! Accounts that a transaction keeps others from. What is looked up of them after that stays so until it ends; on SQLite, where
//! nobody else writes meanwhile, nothing has to be done.

use provost_kernel::id::{AccountId, ConnectionId};

use crate::engine::Dialect;
use crate::error::Result;
use crate::search::DirectoryUser;
use crate::tx::Tx;
use crate::value::{binds, list};

impl Tx {
    /// Locks an account until the transaction ends: whoever changes it, sets its password or what stands beside that, waits.
    ///
    /// # Errors
    /// `engine` and `busy`.
    pub async fn lock_account(&mut self, id: &AccountId) -> Result<()> {
        self.hold_accounts(std::slice::from_ref(id)).await
    }

    /// Locks accounts until the transaction ends: what is looked up of them from here on is what others have left, and nobody
    /// changes it meanwhile. On SQLite nobody else writes anyway.
    pub(crate) async fn hold_accounts(&mut self, ids: &[AccountId]) -> Result<()> {
        if self.conn().dialect() != Dialect::Postgres || ids.iter().all(|id| self.held.contains(id)) {
            return Ok(());
        }
        // In one order, so that two changes of many people do not wait for each other.
        let sql = "SELECT id FROM accounts WHERE id IN ({list:$1}) ORDER BY id{lock}";
        let wanted = list(ids.iter().map(AccountId::as_str))?;
        let locked = self.account_ids(sql, binds![wanted]).await?;
        self.held.extend(locked);
        Ok(())
    }

    /// Finds an account of a connection that is not deleted, like [`Self::directory_user`], and locks it until the
    /// transaction ends: for whoever makes something new of what it is now.
    ///
    /// # Errors
    /// `engine`, `corrupt` and `busy`.
    pub async fn directory_user_to_change(
        &mut self,
        connection: &ConnectionId,
        id: &AccountId,
    ) -> Result<Option<DirectoryUser>> {
        if self.conn().dialect() == Dialect::Postgres {
            // What others have is not locked even for a moment.
            let sql = "SELECT a.id FROM accounts a WHERE a.id = $1 AND {aside}a.connection = $2{lock}";
            let locked = self.account_ids(sql, binds![id, connection]).await?;
            if locked.is_empty() {
                return Ok(None);
            }
            self.held.extend(locked);
        }
        self.directory_user(connection, id).await
    }
}
