//! Signing keys of our OpenID provider: private halves sealed. Never decides when to rotate.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::error::Result;
use crate::tx::{Reader, Tx};
use crate::value::{binds, json, to_word};

/// A signing key with its private half opened.
#[derive(Clone, PartialEq)]
pub struct SigningKey {
    /// Key id.
    pub kid: String,
    /// JWS algorithm, for example `ES256`.
    pub algorithm: String,
    /// Private half, in the form the server chose (PKCS#8).
    pub private_key: Zeroizing<Vec<u8>>,
    /// Public half as JWK.
    pub public_jwk: Value,
    /// Where it stands in the rotation.
    pub state: KeyState,
    /// When it may sign at the earliest.
    pub not_before: Timestamp,
    /// When it leaves the published set.
    pub not_after: Option<Timestamp>,
}

/// Where a signing key stands in the rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// Published, not yet signing.
    Next,
    /// Signing.
    Current,
    /// Published until all it signed is expired.
    Retiring,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("SigningKey")
            .field("kid", &self.kid)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Reader {
    /// Lists all signing keys, oldest first.
    ///
    /// # Errors
    /// `engine`, `corrupt` and `sealed`.
    pub async fn signing_keys(&mut self) -> Result<Vec<SigningKey>> {
        let sql = "SELECT kid, algorithm, private_key, public_jwk, state, not_before, not_after FROM signing_keys \
                   ORDER BY created_at, kid";
        let rows = self.rows(sql, Vec::new()).await?;
        rows.into_iter()
            .map(|mut row| {
                let kid = row.text("signing_keys.kid")?;
                let algorithm = row.text("signing_keys.algorithm")?;
                let sealed = row.bytes("signing_keys.private_key")?;
                Ok(SigningKey {
                    private_key: self.sealer.open(("signing_keys", "private_key", &kid), &sealed)?,
                    kid,
                    algorithm,
                    public_jwk: row.json("signing_keys.public_jwk")?,
                    state: row.word("signing_keys.state")?,
                    not_before: row.time("signing_keys.not_before")?,
                    not_after: row.opt_time("signing_keys.not_after")?,
                })
            })
            .collect()
    }
}

impl Tx {
    /// Keeps a new signing key.
    ///
    /// # Errors
    /// `conflict` for a key id used twice.
    pub async fn insert_signing_key(&mut self, key: &SigningKey, now: Timestamp) -> Result<()> {
        let sealed = self
            .sealer
            .seal(("signing_keys", "private_key", &key.kid), &key.private_key)?;
        let sql = "INSERT INTO signing_keys (kid, algorithm, private_key, public_jwk, state, not_before, not_after, \
                   created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let row = binds![
            &key.kid,
            &key.algorithm,
            sealed,
            json(&key.public_jwk)?,
            to_word(&key.state)?,
            key.not_before,
            key.not_after,
            now,
        ];
        self.run(sql, row).await?;
        self.bump_revision("signing_keys").await.map(drop)
    }

    /// Moves a signing key on in the rotation. Tells whether it exists.
    ///
    /// # Errors
    /// `engine`.
    pub async fn set_signing_key_state(
        &mut self,
        kid: &str,
        state: KeyState,
        not_after: Option<Timestamp>,
    ) -> Result<bool> {
        let sql = "UPDATE signing_keys SET state = $2, not_after = $3 WHERE kid = $1";
        let found = self.run(sql, binds![kid, to_word(&state)?, not_after]).await? > 0;
        self.bump_revision("signing_keys").await?;
        Ok(found)
    }

    /// Forgets a signing key.
    ///
    /// # Errors
    /// `engine`.
    pub async fn delete_signing_key(&mut self, kid: &str) -> Result<bool> {
        let found = self
            .run("DELETE FROM signing_keys WHERE kid = $1", binds![kid])
            .await?
            > 0;
        self.bump_revision("signing_keys").await?;
        Ok(found)
    }
}
