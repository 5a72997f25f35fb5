//! One-time links that set a password: the first one of a standard account, or a new one.
//!
//! A link holds 256 random bits, is kept as a digest, works once and for three days, and belongs to one account.
//! Opening it uses nothing up; setting the password does. Never for SSO accounts.

use jiff::SignedDuration;
use provost_kernel::directory::{Account, Authentication};
use provost_kernel::id::AccountId;
use provost_store::{StoreError, TokenRecord, Tx};
use secrecy::{ExposeSecret as _, SecretString};

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::passwords::{MAXIMUM, MINIMUM};
use crate::world::digest_of;

/// Kind of the stored token.
const KIND: &str = "set_password";
/// How long a link works.
pub const LIFETIME: SignedDuration = SignedDuration::from_hours(72);

/// A link that is still to be kept, in the transaction of its cause.
pub struct Prepared {
    record: TokenRecord,
    digest: String,
    /// The link.
    pub url: SecretString,
}

impl Prepared {
    /// Keeps the link.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn keep(&self, tx: &mut Tx) -> Result<(), StoreError> {
        tx.insert_token(&self.record, &self.digest).await
    }
}

/// Makes a link for an account, to be kept by [`Prepared::keep`].
///
/// # Errors
/// When the operating system has no random bytes.
pub fn prepare(app: &App, account: &AccountId, lifetime: SignedDuration) -> Result<Prepared> {
    let now = app.world.now();
    let token = app.world.token("pvp_")?;
    let record = TokenRecord {
        id: app.world.id("tok_")?,
        kind: KIND.to_owned(),
        label: account.to_string(),
        connection: None,
        organization: None,
        made_by: None,
        scopes: Vec::new(),
        created_at: now,
        expires_at: Some(now.checked_add(lifetime).map_err(AppError::internal)?),
        last_used_at: None,
        revoked_at: None,
    };
    let path = format!("/password/{}", token.secret.expose_secret());
    Ok(Prepared {
        record,
        digest: token.digest,
        url: app.config.url(&path).into(),
    })
}

/// Makes a link for an account.
///
/// # Errors
/// Those of the store.
pub async fn link(app: &App, account: &AccountId) -> Result<SecretString> {
    let prepared = prepare(app, account, LIFETIME)?;
    let url = prepared.url.clone();
    app.store
        .write(move |tx| Box::pin(async move { prepared.keep(tx).await }))
        .await?;
    Ok(url)
}

/// Finds the account that a link belongs to.
///
/// # Errors
/// 404 for a link that does not work (any more); those of the store.
pub async fn find(app: &App, token: &str) -> Result<Account> {
    let now = app.world.now();
    let digest = digest_of(token);
    let found = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let Some(token) = reader
                    .token_by_digest(&digest, now)
                    .await?
                    .filter(|token| token.kind == KIND)
                else {
                    return Ok(None);
                };
                reader.account(&AccountId::new(token.label)).await
            })
        })
        .await
        .map_err(|error: StoreError| AppError::from(error))?;
    // The account may have become an SSO account since the link was made.
    found
        .filter(|account| account.authentication == Authentication::Standard)
        .ok_or_else(gone)
}

fn gone() -> AppError {
    AppError::new(
        axum::http::StatusCode::NOT_FOUND,
        "link_gone",
        "This link does not work any more: it was used, it expired, or it was never made. Ask for a new one.",
    )
}

/// What is wrong with a new password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Too few characters.
    #[error("The password is too short.")]
    TooShort,
    /// Too many bytes.
    #[error("The password is too long.")]
    TooLong,
    /// The two fields differ.
    #[error("The two passwords differ.")]
    Different,
    /// It is the address or a part of it.
    #[error("The password must not be your e-mail address.")]
    Guessable,
}

/// Judges a new password by length and difference from the address only (ASVS 6.2.5: no composition rules).
///
/// # Errors
/// [`Unfit`].
pub fn judge(password: &SecretString, repeat: &SecretString, account: &Account) -> Result<(), Unfit> {
    let text = password.expose_secret();
    if text != repeat.expose_secret() {
        return Err(Unfit::Different);
    }
    if text.chars().count() < MINIMUM {
        return Err(Unfit::TooShort);
    }
    if text.len() > MAXIMUM {
        return Err(Unfit::TooLong);
    }
    if account
        .email
        .as_ref()
        .is_some_and(|email| email.key() == text.to_ascii_lowercase())
    {
        return Err(Unfit::Guessable);
    }
    Ok(())
}

/// Sets the password, uses the link up, and ends every session that the account had.
///
/// # Errors
/// 404 if the link was used in between; those of the store.
pub async fn set(app: &App, token: &str, account: &AccountId, password: SecretString) -> Result<()> {
    let now = app.world.now();
    let hash = app.passwords.hash(password, app.world.bytes()?).await?;
    let (digest, account) = (digest_of(token), account.clone());
    app.store
        .write(move |tx| {
            Box::pin(async move {
                let found = tx.token_by_digest(&digest, now).await?;
                let Some(token) = found.filter(|token| token.kind == KIND && token.label == account.as_str())
                else {
                    return Err(gone());
                };
                if !tx.revoke_token(&token.id, now).await? {
                    return Err(gone());
                }
                // Older links of the account would let whoever found one undo what the person just chose.
                tx.revoke_tokens_labeled(KIND, account.as_str(), now).await?;
                let written = tx.set_password_hash(&account, &hash, now).await;
                if matches!(written, Err(StoreError::Refused(_))) {
                    // It became an SSO account, or was deleted, a moment ago.
                    return Err(gone());
                }
                written?;
                tx.revoke_sessions_of_account(&account, "password_changed", now)
                    .await?;
                // A browser that somebody else used to get in gets no kinder limits any more.
                tx.forget_devices(&account).await?;
                Ok(())
            })
        })
        .await
}
