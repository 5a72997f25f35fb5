//! Pending sign-ins at identity providers: bound to one browser, taken once. Never outlive their expiry.

use jiff::Timestamp;
use provost_kernel::connection::Protocol;
use provost_kernel::id::ConnectionId;
use serde_json::Value;

use crate::error::{Result, StoreError};
use crate::tx::Tx;
use crate::value::{binds, json, to_word};

/// A pending sign-in.
#[derive(Clone, PartialEq)]
pub struct LoginRequest {
    /// Identifier: AuthnRequest ID, or a digest of `state`.
    pub id: String,
    /// The connection asked.
    pub connection: ConnectionId,
    /// Protocol spoken.
    pub protocol: Protocol,
    /// What the protocol needs to check the answer (nonce, PKCE verifier); kept sealed.
    pub data: Value,
    /// Where the person goes afterwards, in a form that the server knows.
    pub return_to: Value,
    /// When it was sent.
    pub created_at: Timestamp,
    /// When it stops being answered.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for LoginRequest {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("LoginRequest")
            .field("id", &self.id)
            .field("connection", &self.connection)
            .finish_non_exhaustive()
    }
}

impl Tx {
    /// Queues a pending sign-in to be kept, bound to the digest of a value that only this browser holds. The job fails
    /// with `conflict` (`login_requests_pkey`) for an id used twice.
    ///
    /// # Errors
    /// `sealed`.
    pub fn insert_login_request(&mut self, request: &LoginRequest, browser_digest: &str) -> Result<()> {
        let data = self
            .sealer
            .seal_text(("login_requests", "data", &request.id), &json(&request.data)?)?;
        let sql = "INSERT INTO login_requests (id, connection, protocol, browser_digest, data, return_to, created_at, \
                   expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let row = binds![
            &request.id,
            &request.connection,
            to_word(&request.protocol)?,
            browser_digest,
            data,
            json(&request.return_to)?,
            request.created_at,
            request.expires_at,
        ];
        self.later(sql, row);
        Ok(())
    }

    /// Takes a pending sign-in, once. None if it is unknown, taken, expired, of another connection or of another browser
    /// (then it stays, so that a stranger cannot use it up). With it comes the revision of the stored connections. Goes in
    /// one round with what is queued.
    ///
    /// # Errors
    /// `engine`, `corrupt` and `sealed`.
    pub async fn take_login_request(
        &mut self,
        id: &str,
        connection: &ConnectionId,
        browser_digest: &str,
        now: Timestamp,
    ) -> Result<Option<(LoginRequest, i64)>> {
        let sql = "DELETE FROM login_requests WHERE id = $1 AND connection = $2 AND browser_digest = $3 \
                   AND expires_at > $4 RETURNING protocol, data, return_to, created_at, expires_at, \
                   COALESCE((SELECT revision FROM revisions WHERE name = 'connections'), 0)";
        let Some(mut row) = self
            .row_beside(sql, binds![id, connection, browser_digest, now])
            .await?
        else {
            return Ok(None);
        };
        let protocol = row.word("login_requests.protocol")?;
        let data = self
            .sealer
            .open(("login_requests", "data", id), &row.bytes("login_requests.data")?)?;
        let request = LoginRequest {
            id: id.to_owned(),
            connection: connection.clone(),
            protocol,
            data: serde_json::from_slice(&data).map_err(|_| StoreError::Corrupt("login_requests.data"))?,
            return_to: row.json("login_requests.return_to")?,
            created_at: row.time("login_requests.created_at")?,
            expires_at: row.time("login_requests.expires_at")?,
        };
        Ok(Some((request, row.int("revisions")?)))
    }
}
