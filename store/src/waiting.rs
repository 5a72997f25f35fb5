//! What the OpenID provider keeps besides codes and tokens: requests of apps that wait for a sign-in, and apps that
//! are yet to be told that a session ended. Never knows what the parameters of a request mean or how an app is told.

use jiff::Timestamp;
use provost_kernel::id::{AccountId, SessionId};

use crate::engine::batch::Query;
use crate::error::Result;
use crate::tx::{Reader, Tx};
use crate::value::{Row, binds, json};

/// An authorization request of an app that waits until its person has signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingRequest {
    /// Opaque, unguessable identifier.
    pub id: String,
    /// The app.
    pub client_id: String,
    /// The request as it came, form-encoded.
    pub parameters: String,
    /// When it came.
    pub asked_at: Timestamp,
    /// When it is forgotten.
    pub expires_at: Timestamp,
    /// How often the browser came back for it without a session.
    pub returns: i64,
}

/// An app that a revoked session had signed in to and that was not told yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UntoldClient {
    /// The session that ended.
    pub session: SessionId,
    /// Whose it was.
    pub account: AccountId,
    /// The app.
    pub client_id: String,
}

impl Tx {
    /// Queues a request to be kept. The job fails with `conflict` if the identifier exists.
    pub fn put_waiting_request(&mut self, request: &WaitingRequest) {
        let sql = "INSERT INTO authorize_requests (id, client_id, parameters, asked_at, expires_at, returns) \
                   VALUES ($1, $2, $3, $4, $5, $6)";
        let WaitingRequest {
            id,
            client_id,
            parameters,
            asked_at,
            expires_at,
            returns,
        } = request;
        self.later(
            sql,
            binds![id, client_id, parameters, *asked_at, *expires_at, *returns],
        );
    }

    /// Queues a request to be forgotten.
    pub fn forget_waiting_request(&mut self, id: &str) {
        self.later("DELETE FROM authorize_requests WHERE id = $1", binds![id]);
    }

    /// Counts that the browser came back for a request without a session.
    ///
    /// # Errors
    /// `engine`.
    pub async fn count_return(&mut self, id: &str) -> Result<()> {
        self.run(
            "UPDATE authorize_requests SET returns = returns + 1 WHERE id = $1",
            binds![id],
        )
        .await
        .map(drop)
    }

    /// Makes other uses of a family of refresh tokens wait until this transaction ends, so that uses of one token are
    /// judged one after the other. Everybody locks the same rows first, the session before its tokens as whoever ends it does, so
    /// nobody waits in a circle.
    ///
    /// # Errors
    /// `engine`.
    pub async fn lock_token_family(&mut self, family: &str) -> Result<()> {
        let sql = "SELECT id FROM sessions WHERE id = (SELECT session FROM refresh_tokens \
                   WHERE family = $1 AND generation = 1){lock}";
        self.row(sql, binds![family]).await?;
        let sql = "SELECT digest FROM refresh_tokens WHERE family = $1 AND generation = 1{lock}";
        self.row(sql, binds![family]).await.map(drop)
    }

    /// Replaces what the token endpoint keeps with a refresh token.
    ///
    /// # Errors
    /// `engine`.
    pub async fn set_refresh_token_data(&mut self, digest: &str, data: &serde_json::Value) -> Result<()> {
        let sql = "UPDATE refresh_tokens SET data = $2 WHERE digest = $1";
        self.run(sql, binds![digest, json(data)?]).await.map(drop)
    }

    /// Notes that an app is being told of the end of a session; false if another node noted it before.
    ///
    /// # Errors
    /// `engine`.
    pub async fn mark_client_told(
        &mut self,
        session: &SessionId,
        client_id: &str,
        now: Timestamp,
    ) -> Result<bool> {
        let sql = "UPDATE session_clients SET told_at = $3 WHERE session = $1 AND client_id = $2 AND told_at IS NULL";
        Ok(self.run(sql, binds![session, client_id, now]).await? > 0)
    }
}

impl Reader {
    /// Returns a request that has not expired.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn waiting_request(&mut self, id: &str, now: Timestamp) -> Result<Option<WaitingRequest>> {
        let Query { sql, binds } = query(id, now);
        read(self.rows(&sql, binds).await?)
    }

    /// Tells whether the tokens of a family were revoked: its code was used twice, or one of its tokens ended.
    ///
    /// # Errors
    /// `engine`.
    pub async fn is_family_revoked(&mut self, family: &str) -> Result<bool> {
        let sql = "SELECT 1 FROM authorization_codes WHERE family = $1 AND revoked_at IS NOT NULL UNION ALL \
                   SELECT 1 FROM refresh_tokens WHERE family = $1 AND revoked_at IS NOT NULL LIMIT 1";
        Ok(self.row(sql, binds![family]).await?.is_some())
    }

    /// Lists apps of sessions revoked after `since` that were not told yet, at most `limit`, oldest first.
    ///
    /// Whatever ended the session, it shows up here: nothing else has to remember to tell the apps.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn untold_clients(&mut self, since: Timestamp, limit: u32) -> Result<Vec<UntoldClient>> {
        let sql = "SELECT s.id, s.account, c.client_id FROM sessions s JOIN session_clients c ON c.session = s.id \
                   WHERE s.revoked_at IS NOT NULL AND s.revoked_at > $1 AND c.told_at IS NULL \
                   ORDER BY s.revoked_at, s.id, c.client_id LIMIT $2";
        let mut clients = Vec::new();
        for mut row in self.rows(sql, binds![since, limit]).await? {
            clients.push(UntoldClient {
                session: SessionId::new(row.text("sessions.id")?),
                account: AccountId::new(row.text("sessions.account")?),
                client_id: row.text("session_clients.client_id")?,
            });
        }
        Ok(clients)
    }
}

/// Asks for a request that has not expired.
pub(crate) fn query(id: &str, now: Timestamp) -> Query {
    let sql = "SELECT id, client_id, parameters, asked_at, expires_at, returns FROM authorize_requests \
               WHERE id = $1 AND expires_at > $2";
    Query::new(sql, binds![id, now])
}

/// Reads the answer to [`query`].
pub(crate) fn read(rows: Vec<Row>) -> Result<Option<WaitingRequest>> {
    let Some(mut row) = rows.into_iter().next() else {
        return Ok(None);
    };
    Ok(Some(WaitingRequest {
        id: row.text("authorize_requests.id")?,
        client_id: row.text("authorize_requests.client_id")?,
        parameters: row.text("authorize_requests.parameters")?,
        asked_at: row.time("authorize_requests.asked_at")?,
        expires_at: row.time("authorize_requests.expires_at")?,
        returns: row.int("authorize_requests.returns")?,
    }))
}
