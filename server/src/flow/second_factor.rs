//! Second factors and recovery codes as their owner keeps them, under "My account". For accounts with a password only.
//!
//! Every change asks for the password again: a browser left open must not be enough to lock its owner out, or to stay in.

use provost_kernel::directory::{Account, Authentication};
use provost_kernel::id::AccountId;
use provost_kernel::provision::Actor;
use provost_store::{FactorKind, NewEvent, SecondFactor, StoreError};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use zeroize::Zeroizing;

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::limits::{self, Limited};
use crate::flow::session::ActiveSession;
use crate::flow::{passwords, totp};
use crate::world::{NoRandomness, digest_of};

/// Recovery codes of one set.
const CODES: usize = 10;
/// Characters of a code: 120 random bits, so that a plain digest is enough (ASVS 6.5.2).
const CODE_LENGTH: usize = 24;
/// Letters of recovery codes, without look-alikes.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Most factors of one account.
const MOST: usize = 10;
/// Longest label.
const LONGEST_LABEL: usize = 60;

/// What an account has.
#[derive(Debug)]
pub struct Overview {
    /// Second factors, oldest first.
    pub factors: Vec<SecondFactor>,
    /// Recovery codes that are still good.
    pub recovery_codes: u32,
}

/// What came of a wish.
#[derive(Debug)]
pub enum Wish<T> {
    /// Done.
    Done(T),
    /// The password was wrong.
    WrongPassword,
    /// The code was wrong.
    WrongCode,
}

/// Reads what the person has.
///
/// # Errors
/// 403 for an account without a password; those of the store.
pub async fn overview(app: &App, active: &ActiveSession) -> Result<Overview> {
    only_standard(&active.account)?;
    let id = active.account.id.clone();
    let (factors, recovery_codes) = app
        .store
        .read(|reader| {
            Box::pin(async move {
                Ok::<_, StoreError>((
                    reader.second_factors(&id).await?,
                    reader.recovery_codes_left(&id).await?,
                ))
            })
        })
        .await?;
    Ok(Overview {
        factors,
        recovery_codes,
    })
}

/// Tells whether a second factor is a passkey.
pub fn is_passkey(factor: &SecondFactor) -> bool {
    factor.kind == FactorKind::Passkey
}

/// Tells whether one of these shows codes.
pub fn has_app(factors: &[SecondFactor]) -> bool {
    factors.iter().any(|factor| factor.kind == FactorKind::Totp)
}

/// Refuses another second factor where there are enough.
///
/// # Errors
/// 409 (`too_many_factors`).
pub fn must_have_room(overview: &Overview) -> Result<()> {
    if overview.factors.len() < MOST {
        return Ok(());
    }
    Err(AppError::new(
        axum::http::StatusCode::CONFLICT,
        "too_many_factors",
        "This account has as many second factors as it may have. Remove one first.",
    ))
}

/// Sets an authenticator app up, whose secret the person has just scanned and shows a code of.
///
/// # Errors
/// 403 for an account without a password; 409 for too many factors; 429 above the limits; those of the store.
pub async fn add_totp(
    app: &App,
    active: &ActiveSession,
    password: SecretString,
    secret: &[u8; 20],
    code: &str,
    client: &str,
) -> Result<Wish<()>> {
    must_have_room(&overview(app, active).await?)?;
    if !confirm(app, &active.account, password, client).await? {
        return Ok(Wish::WrongPassword);
    }
    let now = app.world.now();
    let Some(step) = totp::step_of(secret, code, now) else {
        return Ok(Wish::WrongCode);
    };
    let mut factor = totp_factor(app, &active.account.id, secret)?;
    factor.last_step = Some(step);
    let event = event(active, "second_factor.added", &factor.id, now);
    app.store
        .write(move |tx| {
            Box::pin(async move {
                tx.insert_second_factor(&factor).await?;
                tx.record(event);
                Ok::<_, StoreError>(())
            })
        })
        .await?;
    Ok(Wish::Done(()))
}

/// Removes a second factor.
///
/// # Errors
/// 404 for one that is not hers; 429 above the limits; those of the store.
pub async fn remove(
    app: &App,
    active: &ActiveSession,
    password: SecretString,
    factor: &str,
    client: &str,
) -> Result<Wish<()>> {
    only_standard(&active.account)?;
    if !confirm(app, &active.account, password, client).await? {
        return Ok(Wish::WrongPassword);
    }
    let now = app.world.now();
    let (account, factor) = (active.account.id.clone(), factor.to_owned());
    let event = event(active, "second_factor.removed", &factor, now);
    app.store
        .write(move |tx| {
            Box::pin(async move {
                if !tx.delete_second_factor(&account, &factor).await? {
                    return Err(AppError::not_found());
                }
                tx.record(event);
                Ok(())
            })
        })
        .await?;
    Ok(Wish::Done(()))
}

/// Makes new recovery codes in the place of all older ones. They are shown this once.
///
/// # Errors
/// 403 for an account without a password; 429 above the limits; those of the store.
pub async fn make_recovery_codes(
    app: &App,
    active: &ActiveSession,
    password: SecretString,
    client: &str,
) -> Result<Wish<Vec<String>>> {
    only_standard(&active.account)?;
    if !confirm(app, &active.account, password, client).await? {
        return Ok(Wish::WrongPassword);
    }
    let mut codes = Vec::with_capacity(CODES);
    for _ in 0..CODES {
        codes.push(code(app)?);
    }
    let account = active.account.id.clone();
    let digests: Vec<String> = codes
        .iter()
        .filter_map(|code| recovery_digest(&account, code))
        .collect();
    let now = app.world.now();
    let event = event(active, "recovery_codes.made", "", now);
    app.store
        .write(move |tx| {
            Box::pin(async move {
                tx.set_recovery_codes(&account, &digests, now).await?;
                tx.record(event);
                Ok::<_, StoreError>(())
            })
        })
        .await?;
    Ok(Wish::Done(codes))
}

/// Makes an authenticator app out of a secret.
///
/// # Errors
/// [`NoRandomness`].
pub fn totp_factor(app: &App, account: &AccountId, secret: &[u8; 20]) -> Result<SecondFactor, NoRandomness> {
    Ok(SecondFactor {
        id: app.world.id("fac_")?,
        account: account.clone(),
        kind: FactorKind::Totp,
        label: "Authenticator app".chars().take(LONGEST_LABEL).collect(),
        secret: Some(Zeroizing::new(secret.to_vec())),
        last_step: None,
        credential: None,
        public_key: None,
        sign_count: None,
        created_at: app.world.now(),
        last_used_at: None,
    })
}

/// Returns what is stored of a recovery code, if the text could be one. Spaces, dashes and letter case do not matter.
pub fn recovery_digest(account: &AccountId, code: &str) -> Option<String> {
    let plain: String = code
        .chars()
        .filter(|letter| !letter.is_whitespace() && *letter != '-')
        .map(|letter| letter.to_ascii_uppercase())
        .collect();
    let is_code = plain.len() == CODE_LENGTH && plain.bytes().all(|byte| ALPHABET.contains(&byte));
    is_code.then(|| digest_of(&format!("provost recovery code\n{account}\n{plain}")))
}

/// Checks the password again, within the limits of sign-ins.
pub(crate) async fn confirm(
    app: &App,
    account: &Account,
    password: SecretString,
    client: &str,
) -> Result<bool> {
    limits::count(app, Limited::PasswordByBoth, &format!("{client}:{}", account.id)).await?;
    if password.expose_secret().len() > passwords::MAXIMUM {
        return Ok(false);
    }
    let id = account.id.clone();
    let hash = app
        .store
        .read(|reader| Box::pin(async move { reader.password_hash(&id).await }))
        .await?;
    app.passwords.verify(password, hash).await
}

fn code(app: &App) -> Result<String, NoRandomness> {
    let letters: Vec<char> = app
        .world
        .bytes::<CODE_LENGTH>()?
        .iter()
        .filter_map(|byte| ALPHABET.get(usize::from(byte & 31)).copied().map(char::from))
        .collect();
    Ok(letters
        .chunks(4)
        .map(|group| group.iter().collect::<String>())
        .collect::<Vec<_>>()
        .join("-"))
}

fn only_standard(account: &Account) -> Result<()> {
    match account.authentication {
        Authentication::Standard => Ok(()),
        Authentication::Sso { .. } => Err(AppError::forbidden(
            "no_password",
            "This account signs in through its company, which also asks for second factors.",
        )),
    }
}

pub(crate) fn event(active: &ActiveSession, kind: &str, factor: &str, now: jiff::Timestamp) -> NewEvent {
    NewEvent {
        at: now,
        kind: kind.to_owned(),
        actor: Actor::Person.label(),
        account: Some(active.account.id.clone()),
        organization: None,
        connection: None,
        trace: None,
        data: json!({ "factor": factor }),
    }
}
