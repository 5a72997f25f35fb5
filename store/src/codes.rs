//! Authorization codes of our OpenID provider: kept as digests, used once. Never sees a code itself.

use jiff::Timestamp;
use provost_kernel::id::{AccountId, SessionId};
use serde_json::Value;

use crate::engine::batch::Query;
use crate::error::{Result, StoreError};
use crate::sight::{self, Person, Sight};
use crate::tx::Tx;
use crate::value::{Row, binds, json};

/// An authorization code.
#[derive(Clone, Debug, PartialEq)]
pub struct AuthorizationCode {
    /// SHA-256 of the code, hex.
    pub digest: String,
    /// The client it was issued to.
    pub client_id: String,
    /// The session it stems from.
    pub session: SessionId,
    /// Whose.
    pub account: AccountId,
    /// Redirect URI of the request, to be compared at the token endpoint.
    pub redirect_uri: String,
    /// What else the token endpoint needs (PKCE challenge, nonce, scope).
    pub data: Value,
    /// Family of all tokens that come out of it; revoked as a whole if the code is used twice.
    pub family: String,
    /// When it stops being taken.
    pub expires_at: Timestamp,
}

/// What became of a code that was handed in.
#[derive(Clone, Debug, PartialEq)]
pub enum CodeUse {
    /// First use, in time; with what there is to see of the person.
    Fresh(AuthorizationCode, Option<Box<Sight>>),
    /// Used before: whoever holds it now, revoke `family` and refuse (RFC 6749 4.1.2). Commit that.
    Reused(AuthorizationCode),
    /// Unknown, expired or revoked.
    Invalid,
}

impl Tx {
    /// Queues a code to be kept. The job fails with `conflict`: `session_revoked` if its session is gone, or for a digest
    /// used twice.
    ///
    /// # Errors
    /// `corrupt` for data that has no JSON form.
    pub fn put_code(&mut self, code: &AuthorizationCode, now: Timestamp) -> Result<()> {
        // Locks the session as `lock_session` does, in the same statement.
        let sql = "INSERT INTO authorization_codes (digest, client_id, session, account, redirect_uri, data, family, \
                   created_at, expires_at) SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9 FROM sessions \
                   WHERE id = $3 AND revoked_at IS NULL{lock}";
        let row = binds![
            &code.digest,
            &code.client_id,
            &code.session,
            &code.account,
            &code.redirect_uri,
            json(&code.data)?,
            &code.family,
            now,
            code.expires_at,
        ];
        let revoked = StoreError::Conflict("session_revoked".to_owned());
        self.later_exactly(1, sql, row, revoked);
        Ok(())
    }

    /// Uses a code, and looks what there is to see of the person, in one round. Of any number of parallel uses exactly one
    /// is fresh.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn consume_code(&mut self, digest: &str, now: Timestamp) -> Result<CodeUse> {
        if let Some((code, sight)) = self.take_code(digest, now).await? {
            return Ok(CodeUse::Fresh(code, sight));
        }
        let sql =
            format!("SELECT {COLUMNS} FROM authorization_codes WHERE digest = $1 AND used_at IS NOT NULL");
        match self.row(&sql, binds![digest]).await? {
            Some(row) => Ok(CodeUse::Reused(code(row)?)),
            None => Ok(CodeUse::Invalid),
        }
    }

    /// As [`Self::consume_code`], for a write of one round: returns the code only if this is its first use, in time. Who gets
    /// none asks [`Self::consume_code`] why.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn take_code(
        &mut self,
        digest: &str,
        now: Timestamp,
    ) -> Result<Option<(AuthorizationCode, Option<Box<Sight>>)>> {
        // Locks the session first, as everybody does who makes or revokes a code; see `lock_session`.
        let session =
            "SELECT id FROM sessions WHERE id = (SELECT session FROM authorization_codes WHERE digest = $1)";
        let sql = format!(
            "UPDATE authorization_codes SET used_at = $2 WHERE digest = $1 AND used_at IS NULL AND revoked_at IS NULL \
             AND expires_at > $2 AND ({session}{{lock}}) IS NOT NULL RETURNING {COLUMNS}"
        );
        let person = Person::of_code(digest);
        let mut found = self
            .change_and_look(Query::new(sql, binds![digest, now]), person.sight())
            .await?
            .into_iter();
        let mut next = || found.next().ok_or(StoreError::Corrupt("parts"));
        let Some(row) = next()?.into_iter().next() else {
            return Ok(None);
        };
        Ok(Some((code(row)?, sight::read(next)?.map(Box::new))))
    }
}

const COLUMNS: &str = "digest, client_id, session, account, redirect_uri, data, family, expires_at";

fn code(mut row: Row) -> Result<AuthorizationCode> {
    Ok(AuthorizationCode {
        digest: row.text("authorization_codes.digest")?,
        client_id: row.text("authorization_codes.client_id")?,
        session: SessionId::new(row.text("authorization_codes.session")?),
        account: AccountId::new(row.text("authorization_codes.account")?),
        redirect_uri: row.text("authorization_codes.redirect_uri")?,
        data: row.json("authorization_codes.data")?,
        family: row.text("authorization_codes.family")?,
        expires_at: row.time("authorization_codes.expires_at")?,
    })
}
