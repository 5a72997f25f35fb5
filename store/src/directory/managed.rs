//! The people whom a connection's directory manages, portion by portion, with all that rules see of them.

use std::collections::BTreeMap;

use provost_kernel::directory::GroupName;
use provost_kernel::facts::AccountFacts;
use provost_kernel::id::{AccountId, ConnectionId};
use serde_json::{Map, Value};

use crate::error::{Result, StoreError};
use crate::tx::Reader;
use crate::value::binds;

/// Somebody whom a directory manages.
#[derive(Clone, Debug, PartialEq)]
pub struct Managed {
    /// The account.
    pub known: AccountFacts,
    /// What the directory says about the person.
    pub document: Map<String, Value>,
    /// The groups, in the order of their ids.
    pub groups: Vec<GroupName>,
    /// The place in the list, to go on after.
    pub place: ManagedPlace,
}

/// A place in the list of a connection's people, in the order in which they were made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagedPlace {
    ordinal: i64,
    account: AccountId,
}

impl Reader {
    /// Lists the people whom a connection's directory manages and who are not deleted, after a place.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn managed_page(
        &mut self,
        connection: &ConnectionId,
        after: Option<&ManagedPlace>,
        limit: u32,
    ) -> Result<Vec<Managed>> {
        // In the order of the index of places: by any other order each portion would sort everybody. SQLite keeps the order
        // of the tables in a cross join.
        let sql = "SELECT a.id, a.ordinal, d.document FROM accounts a CROSS JOIN account_documents d \
                   WHERE d.account = a.id AND a.connection = $1 AND a.deleted = 0 \
                   AND (a.ordinal, a.id) > ($2, $3) ORDER BY a.ordinal, a.id LIMIT $4";
        let (ordinal, id) = after.map_or((i64::MIN, ""), |place| (place.ordinal, place.account.as_str()));
        let mut page = Vec::new();
        for mut row in self.rows(sql, binds![connection, ordinal, id, limit]).await? {
            let account = AccountId::new(row.text("accounts.id")?);
            let ordinal = row.int("accounts.ordinal")?;
            let document = row.json("account_documents.document")?;
            page.push((ManagedPlace { ordinal, account }, document));
        }
        let ids: Vec<AccountId> = page.iter().map(|(place, _)| place.account.clone()).collect();
        let found = self.account_facts(&ids).await?;
        let mut accounts: BTreeMap<AccountId, AccountFacts> = found
            .into_iter()
            .map(|known| (known.account.id.clone(), known))
            .collect();
        let mut groups = self.groups_of(&ids).await?;
        page.into_iter()
            .map(|(place, document)| {
                let known = accounts.remove(&place.account);
                let names = groups.remove(&place.account).unwrap_or_default();
                Ok(Managed {
                    known: known.ok_or(StoreError::Corrupt("accounts"))?,
                    document,
                    groups: names
                        .into_iter()
                        .map(|group| GroupName {
                            id: group.id,
                            name: group.name,
                            external_id: group.external_id,
                        })
                        .collect(),
                    place,
                })
            })
            .collect()
    }

    /// Counts the accounts of a connection that are not deleted: those whom its directory manages, and the others.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn count_managed(&mut self, connection: &ConnectionId) -> Result<(u32, u32)> {
        let sql = "SELECT COUNT(*), COUNT(d.account) FROM accounts a LEFT JOIN account_documents d ON d.account = a.id \
                   WHERE a.connection = $1 AND a.deleted = 0";
        let Some(mut row) = self.row(sql, binds![connection]).await? else {
            return Ok((0, 0));
        };
        let all = row.count("accounts")?;
        let managed = row.count("account_documents")?;
        Ok((managed, all.saturating_sub(managed)))
    }
}
