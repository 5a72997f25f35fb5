//! Refresh tokens: rotated at each use, revoked by family when one is used twice. Never sees a token itself.

use jiff::Timestamp;
use provost_kernel::id::{AccountId, SessionId};
use serde_json::Value;

use crate::error::{Result, StoreError};
use crate::tx::{Reader, Tx};
use crate::value::{Row, binds, json};

/// A refresh token.
#[derive(Clone, Debug, PartialEq)]
pub struct RefreshToken {
    /// SHA-256 of the token, hex.
    pub digest: String,
    /// All tokens that come out of one sign-in.
    pub family: String,
    /// Position in the family, from 1.
    pub generation: i64,
    /// The client it belongs to.
    pub client_id: String,
    /// Whose.
    pub account: AccountId,
    /// The session it stems from.
    pub session: SessionId,
    /// Scope, space-separated.
    pub scope: String,
    /// What else the token endpoint needs.
    pub data: Value,
    /// When it expires unused.
    pub expires_at: Timestamp,
    /// When the whole family expires.
    pub absolute_expires_at: Timestamp,
    /// When it was exchanged.
    pub used_at: Option<Timestamp>,
    /// Digest of its successor.
    pub replaced_by: Option<String>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// What became of a refresh token that was handed in.
#[derive(Clone, Debug, PartialEq)]
pub enum Rotation {
    /// Exchanged; the successor is kept. Holds the token as it was.
    Rotated(RefreshToken),
    /// Exchanged before: revoke the family and refuse (RFC 9700 4.14.2), or allow a short grace for a lost answer.
    Reused(RefreshToken),
    /// Unknown, expired or revoked.
    Invalid,
}

const COLUMNS: &str = "digest, family, generation, client_id, account, session, scope, data, expires_at, \
                       absolute_expires_at, used_at, replaced_by, revoked_at";

impl Reader {
    /// Finds a refresh token in whatever state.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn refresh_token(&mut self, digest: &str) -> Result<Option<RefreshToken>> {
        let sql = format!("SELECT {COLUMNS} FROM refresh_tokens WHERE digest = $1");
        self.row(&sql, binds![digest]).await?.map(token).transpose()
    }
}

impl Tx {
    /// Keeps the first token of a family.
    ///
    /// # Errors
    /// `conflict`: `session_revoked` if its session is gone, or a digest used twice.
    pub async fn insert_refresh_token(&mut self, token: &RefreshToken, now: Timestamp) -> Result<()> {
        if !self.lock_session(&token.session).await? {
            return Err(StoreError::Conflict("session_revoked".to_owned()));
        }
        let sql = "INSERT INTO refresh_tokens (digest, family, generation, client_id, account, session, scope, data, \
                   created_at, expires_at, absolute_expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
        let row = binds![
            &token.digest,
            &token.family,
            token.generation,
            &token.client_id,
            &token.account,
            &token.session,
            &token.scope,
            json(&token.data)?,
            now,
            token.expires_at,
            token.absolute_expires_at,
        ];
        self.run(sql, row).await.map(drop)
    }

    /// Exchanges a token of `client_id` for its successor. Of any number of parallel exchanges exactly one succeeds.
    ///
    /// The successor never outlives the family.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn rotate_refresh_token(
        &mut self,
        digest: &str,
        client_id: &str,
        successor_digest: &str,
        successor_expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<Rotation> {
        self.lock_session_of("refresh_tokens", digest).await?;
        let sql = format!(
            "UPDATE refresh_tokens SET used_at = $3, replaced_by = $4 WHERE digest = $1 AND client_id = $2 \
             AND used_at IS NULL AND revoked_at IS NULL AND expires_at > $3 AND absolute_expires_at > $3 \
             RETURNING {COLUMNS}"
        );
        if let Some(row) = self
            .row(&sql, binds![digest, client_id, now, successor_digest])
            .await?
        {
            let old = RefreshToken {
                used_at: None,
                replaced_by: None,
                ..token(row)?
            };
            let successor = RefreshToken {
                digest: successor_digest.to_owned(),
                generation: old.generation + 1,
                expires_at: successor_expires_at.min(old.absolute_expires_at),
                ..old.clone()
            };
            self.insert_refresh_token(&successor, now).await?;
            return Ok(Rotation::Rotated(old));
        }
        let sql = format!(
            "SELECT {COLUMNS} FROM refresh_tokens WHERE digest = $1 AND client_id = $2 AND used_at IS NOT NULL"
        );
        match self.row(&sql, binds![digest, client_id]).await? {
            Some(row) => Ok(Rotation::Reused(token(row)?)),
            None => Ok(Rotation::Invalid),
        }
    }

    /// Revokes a family: its refresh tokens and codes. Returns how many refresh tokens were still good.
    ///
    /// # Errors
    /// `engine`.
    pub async fn revoke_token_family(&mut self, family: &str, now: Timestamp) -> Result<u64> {
        let sql = "UPDATE authorization_codes SET revoked_at = $2 WHERE family = $1 AND revoked_at IS NULL";
        self.run(sql, binds![family, now]).await?;
        let sql = "UPDATE refresh_tokens SET revoked_at = $2 WHERE family = $1 AND revoked_at IS NULL";
        self.run(sql, binds![family, now]).await
    }

    /// Revokes the refresh tokens of a session.
    ///
    /// # Errors
    /// `engine`.
    pub async fn revoke_tokens_of_session(&mut self, session: &SessionId, now: Timestamp) -> Result<u64> {
        let sql = "UPDATE refresh_tokens SET revoked_at = $2 WHERE session = $1 AND revoked_at IS NULL";
        self.run(sql, binds![session, now]).await
    }
}

fn token(mut row: Row) -> Result<RefreshToken> {
    Ok(RefreshToken {
        digest: row.text("refresh_tokens.digest")?,
        family: row.text("refresh_tokens.family")?,
        generation: row.int("refresh_tokens.generation")?,
        client_id: row.text("refresh_tokens.client_id")?,
        account: AccountId::new(row.text("refresh_tokens.account")?),
        session: SessionId::new(row.text("refresh_tokens.session")?),
        scope: row.text("refresh_tokens.scope")?,
        data: row.json("refresh_tokens.data")?,
        expires_at: row.time("refresh_tokens.expires_at")?,
        absolute_expires_at: row.time("refresh_tokens.absolute_expires_at")?,
        used_at: row.opt_time("refresh_tokens.used_at")?,
        replaced_by: row.opt_text("refresh_tokens.replaced_by")?,
        revoked_at: row.opt_time("refresh_tokens.revoked_at")?,
    })
}
