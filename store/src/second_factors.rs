//! What proves a person beside her password: authenticator apps, passkeys, recovery codes; sign-ins that wait for it; browsers
//! that an account is known from. Secrets are sealed, codes and tokens are kept as digests. Never judges a code.

use jiff::Timestamp;
use provost_kernel::id::AccountId;
use zeroize::Zeroizing;

use crate::error::{Result, StoreError};
use crate::tx::{Reader, Tx};
use crate::value::{Row, binds, to_word};

/// Kinds of second factors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactorKind {
    /// Codes of an authenticator app (RFC 6238).
    Totp,
    /// A key on a device (WebAuthn).
    Passkey,
}

/// A second factor.
#[derive(Clone, PartialEq, Eq)]
pub struct SecondFactor {
    /// Identifier.
    pub id: String,
    /// Whose.
    pub account: AccountId,
    /// Kind.
    pub kind: FactorKind,
    /// What its owner calls it.
    pub label: String,
    /// Secret of an authenticator app.
    pub secret: Option<Zeroizing<Vec<u8>>>,
    /// Time step of the last code that was taken; it and earlier ones are spent.
    pub last_step: Option<i64>,
    /// Identifier of a passkey, base64url.
    pub credential: Option<String>,
    /// Public key of a passkey, in a form that the server knows.
    pub public_key: Option<String>,
    /// Signatures that the passkey has counted.
    pub sign_count: Option<i64>,
    /// When it was set up.
    pub created_at: Timestamp,
    /// When it was last used.
    pub last_used_at: Option<Timestamp>,
}

impl std::fmt::Debug for SecondFactor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("SecondFactor")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// A sign-in that waits for the second factor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HalfSignIn {
    /// Whose; none while a passkey is to say who.
    pub account: Option<AccountId>,
    /// Digest of the browser's secret.
    pub browser: String,
    /// What the server keeps with it.
    pub data: String,
    /// How often a code was tried.
    pub attempts: u32,
    /// Until when it can be completed.
    pub expires_at: Timestamp,
}

const FACTOR: &str = "SELECT id, account, kind, label, secret, last_step, credential, public_key, sign_count, created_at, \
                      last_used_at FROM second_factors";

impl Reader {
    /// Lists the second factors of an account, oldest first.
    ///
    /// # Errors
    /// `engine`, `corrupt` and `sealed`.
    pub async fn second_factors(&mut self, account: &AccountId) -> Result<Vec<SecondFactor>> {
        let sql = format!("{FACTOR} WHERE account = $1 ORDER BY created_at, id");
        let rows = self.rows(&sql, binds![account]).await?;
        rows.into_iter().map(|row| self.factor(row)).collect()
    }

    /// Finds a passkey by its credential id.
    ///
    /// # Errors
    /// `engine`, `corrupt` and `sealed`.
    pub async fn passkey(&mut self, credential: &str) -> Result<Option<SecondFactor>> {
        let sql = format!("{FACTOR} WHERE credential = $1");
        let row = self.row(&sql, binds![credential]).await?;
        row.map(|row| self.factor(row)).transpose()
    }

    /// Counts the recovery codes of an account that are still good.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn recovery_codes_left(&mut self, account: &AccountId) -> Result<u32> {
        let sql = "SELECT COUNT(*) FROM recovery_codes WHERE account = $1 AND used_at IS NULL";
        let mut row = self
            .row(sql, binds![account])
            .await?
            .ok_or(StoreError::Corrupt("recovery_codes"))?;
        row.count("recovery_codes")
    }

    /// Finds a sign-in that waits and has not expired, by the digest of its token.
    ///
    /// # Errors
    /// `engine`, `corrupt` and `sealed`.
    pub async fn half_sign_in(&mut self, digest: &str, now: Timestamp) -> Result<Option<HalfSignIn>> {
        let sql = "SELECT account, browser, data, attempts, expires_at FROM half_sign_ins \
                   WHERE digest = $1 AND expires_at > $2";
        let Some(mut row) = self.row(sql, binds![digest, now]).await? else {
            return Ok(None);
        };
        let account = row.opt_text("half_sign_ins.account")?.map(AccountId::new);
        let browser = row.text("half_sign_ins.browser")?;
        let sealed = row.bytes("half_sign_ins.data")?;
        let data = self
            .sealer
            .open_text(("half_sign_ins", "data", digest), &sealed)?;
        Ok(Some(HalfSignIn {
            account,
            browser,
            data: data.as_str().to_owned(),
            attempts: row.count("half_sign_ins.attempts")?,
            expires_at: row.time("half_sign_ins.expires_at")?,
        }))
    }

    /// Tells whether an account has signed in from the browser with this token's digest.
    ///
    /// # Errors
    /// `engine`.
    pub async fn is_known_device(
        &mut self,
        digest: &str,
        account: &AccountId,
        now: Timestamp,
    ) -> Result<bool> {
        let sql = "SELECT 1 FROM known_devices WHERE digest = $1 AND account = $2 AND expires_at > $3";
        Ok(self.row(sql, binds![digest, account, now]).await?.is_some())
    }

    /// Tells when the account's password was last typed and right, since it was set.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn password_proved_at(&mut self, account: &AccountId) -> Result<Option<Timestamp>> {
        let sql = "SELECT proved_at FROM credentials WHERE account = $1";
        let row = self.row(sql, binds![account]).await?;
        Ok(row
            .map(|mut row| row.opt_time("credentials.proved_at"))
            .transpose()?
            .flatten())
    }

    fn factor(&self, mut row: Row) -> Result<SecondFactor> {
        let id = row.text("second_factors.id")?;
        let account = AccountId::new(row.text("second_factors.account")?);
        let kind = row.word("second_factors.kind")?;
        let label = row.text("second_factors.label")?;
        let secret = match row.opt_bytes("second_factors.secret")? {
            Some(sealed) => Some(self.sealer.open(("second_factors", "secret", &id), &sealed)?),
            None => None,
        };
        Ok(SecondFactor {
            id,
            account,
            kind,
            label,
            secret,
            last_step: row.opt_int("second_factors.last_step")?,
            credential: row.opt_text("second_factors.credential")?,
            public_key: row.opt_text("second_factors.public_key")?,
            sign_count: row.opt_int("second_factors.sign_count")?,
            created_at: row.time("second_factors.created_at")?,
            last_used_at: row.opt_time("second_factors.last_used_at")?,
        })
    }
}

impl Tx {
    /// Keeps a new second factor.
    ///
    /// # Errors
    /// `conflict` (`second_factors_credential`) for a passkey that is kept already.
    pub async fn insert_second_factor(&mut self, factor: &SecondFactor) -> Result<()> {
        let sealed = match &factor.secret {
            Some(secret) => Some(
                self.sealer
                    .seal(("second_factors", "secret", &factor.id), secret)?,
            ),
            None => None,
        };
        let sql = "INSERT INTO second_factors (id, account, kind, label, secret, last_step, credential, public_key, \
                   sign_count, created_at, last_used_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
        let row = binds![
            &factor.id,
            &factor.account,
            to_word(&factor.kind)?,
            &factor.label,
            sealed,
            factor.last_step,
            &factor.credential,
            &factor.public_key,
            factor.sign_count,
            factor.created_at,
            factor.last_used_at,
        ];
        self.run(sql, row).await.map(drop)
    }

    /// Spends a time step of an authenticator app. False if that step or a later one was spent before: a replay.
    ///
    /// # Errors
    /// `engine`.
    pub async fn spend_step(&mut self, id: &str, step: i64, now: Timestamp) -> Result<bool> {
        let sql = "UPDATE second_factors SET last_step = $2, last_used_at = $3 \
                   WHERE id = $1 AND (last_step IS NULL OR last_step < $2)";
        Ok(self.run(sql, binds![id, step, now]).await? > 0)
    }

    /// Notes the count of a passkey's signature. False if it does not go up although the passkey counts: a copy signed.
    ///
    /// # Errors
    /// `engine`.
    pub async fn spend_count(&mut self, id: &str, count: i64, now: Timestamp) -> Result<bool> {
        let sql = "UPDATE second_factors SET sign_count = $2, last_used_at = $3 \
                   WHERE id = $1 AND (sign_count < $2 OR ($2 = 0 AND COALESCE(sign_count, 0) = 0))";
        Ok(self.run(sql, binds![id, count, now]).await? > 0)
    }

    /// Forgets a second factor of an account.
    ///
    /// # Errors
    /// `engine`.
    pub async fn delete_second_factor(&mut self, account: &AccountId, id: &str) -> Result<bool> {
        let sql = "DELETE FROM second_factors WHERE account = $1 AND id = $2";
        Ok(self.run(sql, binds![account, id]).await? > 0)
    }

    /// Puts new recovery codes in the place of all that an account had, by their digests.
    ///
    /// # Errors
    /// `engine`.
    pub async fn set_recovery_codes(
        &mut self,
        account: &AccountId,
        digests: &[String],
        now: Timestamp,
    ) -> Result<()> {
        self.run("DELETE FROM recovery_codes WHERE account = $1", binds![account])
            .await?;
        for digest in digests {
            let sql = "INSERT INTO recovery_codes (account, digest, created_at) VALUES ($1, $2, $3)";
            self.run(sql, binds![account, digest, now]).await?;
        }
        Ok(())
    }

    /// Uses a recovery code up. False if it is none of the account's, or was used before.
    ///
    /// # Errors
    /// `engine`.
    pub async fn use_recovery_code(
        &mut self,
        account: &AccountId,
        digest: &str,
        now: Timestamp,
    ) -> Result<bool> {
        let sql =
            "UPDATE recovery_codes SET used_at = $3 WHERE account = $1 AND digest = $2 AND used_at IS NULL";
        Ok(self.run(sql, binds![account, digest, now]).await? > 0)
    }

    /// Keeps a sign-in that waits, by the digest of its token.
    ///
    /// # Errors
    /// `engine` and `sealed`.
    pub async fn put_half_sign_in(&mut self, digest: &str, half: &HalfSignIn, now: Timestamp) -> Result<()> {
        let sealed = self
            .sealer
            .seal_text(("half_sign_ins", "data", digest), &half.data)?;
        let sql = "INSERT INTO half_sign_ins (digest, account, browser, data, attempts, created_at, expires_at) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (digest) DO UPDATE SET data = excluded.data";
        let row = binds![
            digest,
            half.account.as_ref(),
            &half.browser,
            sealed,
            half.attempts,
            now,
            half.expires_at,
        ];
        self.run(sql, row).await.map(drop)
    }

    /// Counts a try of a waiting sign-in. False if that was one too many, or it waits no longer.
    ///
    /// # Errors
    /// `engine`.
    pub async fn try_half_sign_in(&mut self, digest: &str, most: u32, now: Timestamp) -> Result<bool> {
        let sql = "UPDATE half_sign_ins SET attempts = attempts + 1 \
                   WHERE digest = $1 AND attempts < $2 AND expires_at > $3";
        Ok(self.run(sql, binds![digest, most, now]).await? > 0)
    }

    /// Takes a waiting sign-in away: it is completed. False if somebody else was first.
    ///
    /// # Errors
    /// `engine`.
    pub async fn take_half_sign_in(&mut self, digest: &str) -> Result<bool> {
        let sql = "DELETE FROM half_sign_ins WHERE digest = $1";
        Ok(self.run(sql, binds![digest]).await? > 0)
    }

    /// Notes that an account signed in from a browser, by the digest of the browser's token.
    ///
    /// # Errors
    /// `engine`.
    pub async fn put_known_device(
        &mut self,
        digest: &str,
        account: &AccountId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<()> {
        let sql = "INSERT INTO known_devices (digest, account, created_at, expires_at) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT (digest, account) DO UPDATE SET expires_at = excluded.expires_at";
        self.run(sql, binds![digest, account, now, until]).await.map(drop)
    }

    /// Forgets every browser that an account is known from.
    ///
    /// # Errors
    /// `engine`.
    pub async fn forget_devices(&mut self, account: &AccountId) -> Result<()> {
        self.run("DELETE FROM known_devices WHERE account = $1", binds![account])
            .await
            .map(drop)
    }

    /// Notes that the account's password was typed and right. False if another one was set since `hash` was looked up; then nothing
    /// of what the old one opens may be kept.
    ///
    /// # Errors
    /// `engine`.
    pub async fn prove_password(&mut self, account: &AccountId, hash: &str, now: Timestamp) -> Result<bool> {
        let sql = "UPDATE credentials SET proved_at = $3 WHERE account = $1 AND password_hash = $2";
        Ok(self.run(sql, binds![account, hash, now]).await? == 1)
    }

    /// Forgets everything that only accounts with a password have beside it.
    pub(crate) async fn forget_second_factors(&mut self, account: &AccountId) -> Result<()> {
        for table in [
            "second_factors",
            "recovery_codes",
            "known_devices",
            "half_sign_ins",
        ] {
            self.run(
                &format!("DELETE FROM {table} WHERE account = $1"),
                binds![account],
            )
            .await?;
        }
        Ok(())
    }
}
