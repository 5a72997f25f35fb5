//! Answers kept for requests that a program sends again: one row for each key of a caller. Answers may hold secrets that
//! are shown once, so they are sealed. Never knows what a request was about.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{Result, StoreError};
use crate::tx::Tx;
use crate::value::binds;

/// An answer as it was given the first time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptAnswer {
    /// Status.
    pub status: u16,
    /// Headers that belong to the answer: names and values.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: String,
}

/// What there is under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Nothing: the request is this caller's to carry out now.
    Mine,
    /// Somebody carries it out at this moment.
    Busy,
    /// Another request has used the key.
    Different,
    /// It was carried out, and this was the answer.
    Answered(KeptAnswer),
}

impl Tx {
    /// Claims a key for a request with this digest until `lease`. A key is free again at `expires`.
    ///
    /// # Errors
    /// `engine`, `sealed` and `corrupt`.
    pub async fn claim_request(
        &mut self,
        id: &str,
        digest: &str,
        lease: Timestamp,
        expires: Timestamp,
        now: Timestamp,
    ) -> Result<Claim> {
        let sql = "INSERT INTO idempotency_keys (id, digest, locked_until, expires_at) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT (id) DO NOTHING";
        if self.run(sql, binds![id, digest, lease, expires]).await? > 0 {
            return Ok(Claim::Mine);
        }
        let sql = "SELECT digest, answer, locked_until, expires_at FROM idempotency_keys WHERE id = $1{lock}";
        let Some(mut row) = self.row(sql, binds![id]).await? else {
            // Given back between the two statements.
            return Err(StoreError::Conflict("idempotency_keys".to_owned()));
        };
        let kept = row.text("idempotency_keys.digest")?;
        let answer = row.opt_bytes("idempotency_keys.answer")?;
        let locked_until = row.time("idempotency_keys.locked_until")?;
        let is_over = row.time("idempotency_keys.expires_at")? <= now;
        if !is_over {
            if kept != digest {
                return Ok(Claim::Different);
            }
            if let Some(sealed) = answer {
                let text = self
                    .sealer
                    .open_text(("idempotency_keys", "answer", id), &sealed)?;
                let answer = serde_json::from_str(&text)
                    .map_err(|_| StoreError::Corrupt("idempotency_keys.answer"))?;
                return Ok(Claim::Answered(answer));
            }
            if locked_until > now {
                return Ok(Claim::Busy);
            }
        }
        let sql = "UPDATE idempotency_keys SET digest = $2, answer = NULL, locked_until = $3, expires_at = $4 WHERE id = $1";
        self.run(sql, binds![id, digest, lease, expires]).await?;
        Ok(Claim::Mine)
    }

    /// Keeps the answer to a request that was claimed.
    ///
    /// # Errors
    /// `engine`.
    pub async fn keep_answer(&mut self, id: &str, answer: &KeptAnswer) -> Result<()> {
        let text = crate::value::json(answer)?;
        let sealed = self.sealer.seal_text(("idempotency_keys", "answer", id), &text)?;
        let sql = "UPDATE idempotency_keys SET answer = $2 WHERE id = $1";
        self.run(sql, binds![id, sealed]).await.map(drop)
    }

    /// Gives a key back whose request was not carried out.
    ///
    /// # Errors
    /// `engine`.
    pub async fn release_request(&mut self, id: &str) -> Result<()> {
        let sql = "DELETE FROM idempotency_keys WHERE id = $1 AND answer IS NULL";
        self.run(sql, binds![id]).await.map(drop)
    }
}
