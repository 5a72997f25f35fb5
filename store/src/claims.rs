//! The last claims of each account through each connection: what edited policies are tried on. Replaced, never
//! appended. Never holds secrets: the server masks and bounds claims before it hands them in.

use jiff::Timestamp;
use provost_kernel::id::{AccountId, ConnectionId, TraceId};
use serde_json::Value;

use crate::error::Result;
use crate::tx::{Reader, Tx};
use crate::value::{Row, binds, json};

/// The claims with which somebody came last through a connection.
#[derive(Clone, Debug, PartialEq)]
pub struct LastClaims {
    /// Through which connection.
    pub connection: ConnectionId,
    /// Who.
    pub account: AccountId,
    /// When.
    pub at: Timestamp,
    /// The trace of that attempt.
    pub trace: TraceId,
    /// The claims, masked.
    pub claims: Value,
}

const COLUMNS: &str = "SELECT connection, account, at, trace, claims FROM last_claims";

impl Tx {
    /// Queues the claims with which an account came, to be kept instead of those before. Nothing is kept of an account
    /// that is neither stored nor `created` by this transaction: the sign-in was refused before one came into being.
    ///
    /// # Errors
    /// `corrupt` for claims that have no JSON form.
    pub fn keep_last_claims(&mut self, last: &LastClaims, created: bool) -> Result<()> {
        // What is queued does not see an account that is queued too.
        let of_account = if created {
            "VALUES ($1, $2, $3, $4, $5)"
        } else {
            "SELECT $1, id, $3, $4, $5 FROM accounts WHERE id = $2"
        };
        let sql = format!(
            "INSERT INTO last_claims (connection, account, at, trace, claims) {of_account} \
             ON CONFLICT (connection, account) DO UPDATE SET at = excluded.at, trace = excluded.trace, \
             claims = excluded.claims"
        );
        let row = binds![
            &last.connection,
            &last.account,
            last.at,
            &last.trace,
            json(&last.claims)?
        ];
        self.later(sql, row);
        Ok(())
    }
}

impl Reader {
    /// Finds the last claims of one account through one connection.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn last_claims(
        &mut self,
        connection: &ConnectionId,
        account: &AccountId,
    ) -> Result<Option<LastClaims>> {
        let sql = format!("{COLUMNS} WHERE connection = $1 AND account = $2");
        self.row(&sql, binds![connection, account])
            .await?
            .map(record)
            .transpose()
    }

    /// Lists the last claims of everybody whom a connection knows, by account, after one.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn last_claims_page(
        &mut self,
        connection: &ConnectionId,
        after: Option<&AccountId>,
        limit: u32,
    ) -> Result<Vec<LastClaims>> {
        let sql =
            format!("{COLUMNS} WHERE connection = $1 AND account > $2 ORDER BY connection, account LIMIT $3");
        let after = after.map_or("", AccountId::as_str);
        self.rows(&sql, binds![connection, after, limit])
            .await?
            .into_iter()
            .map(record)
            .collect()
    }

    /// Counts whom a connection knows the claims of.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn count_last_claims(&mut self, connection: &ConnectionId) -> Result<u32> {
        let sql = "SELECT COUNT(*) FROM last_claims WHERE connection = $1";
        self.row(sql, binds![connection])
            .await?
            .map_or(Ok(0), |mut row| row.count("last_claims"))
    }

    /// Counts accounts that are bound to a connection and not deleted, but whose claims were never kept.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn count_without_claims(&mut self, connection: &ConnectionId) -> Result<u32> {
        let sql = "SELECT COUNT(*) FROM accounts a WHERE a.connection = $1 AND a.deleted = 0 \
                   AND NOT EXISTS (SELECT 1 FROM last_claims l WHERE l.connection = $1 AND l.account = a.id)";
        self.row(sql, binds![connection])
            .await?
            .map_or(Ok(0), |mut row| row.count("accounts"))
    }
}

fn record(mut row: Row) -> Result<LastClaims> {
    Ok(LastClaims {
        connection: ConnectionId::new(row.text("last_claims.connection")?),
        account: AccountId::new(row.text("last_claims.account")?),
        at: row.time("last_claims.at")?,
        trace: TraceId::new(row.text("last_claims.trace")?),
        claims: row.json("last_claims.claims")?,
    })
}
