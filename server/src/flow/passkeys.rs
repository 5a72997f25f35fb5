//! Passkeys of accounts with a password: as the second factor, or in the place of password and second factor where the device
//! itself knows who touches it.
//!
//! A challenge waits beside the sign-ins that wait for their second factor: sealed, bound to the browser, for ten minutes. It is
//! taken away by the first answer, good or bad. A sign-in with a passkey alone names no account before the device did, so that
//! nobody learns from it who has one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::SignedDuration;
use provost_kernel::directory::Account;
use provost_kernel::id::AccountId;
use provost_store::{FactorKind, HalfSignIn, SecondFactor, StoreError};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::half_sign_in::{self, Ending, Given, Tried};
use crate::flow::limits::{self, Toll};
use crate::flow::password::SignInBrowser;
use crate::flow::return_to::ReturnTo;
use crate::flow::second_factor::{self, Wish, confirm, event, must_have_room};
use crate::flow::session::ActiveSession;
use crate::webauthn::{self, Asserted, Expected, PublicKey};
use crate::world::digest_of;

/// What the tokens of challenges begin with.
const PREFIX: &str = "pvp_";
/// How long a challenge waits.
const LIFE: SignedDuration = SignedDuration::from_mins(10);
/// Longest label.
const LONGEST_LABEL: usize = 60;
/// Largest field of an answer, base64url.
const LONGEST_FIELD: usize = 24 * 1024;
/// Longest credential id, base64url.
const LONGEST_CREDENTIAL: usize = 1400;

/// What the browser is asked.
pub struct Ceremony {
    /// Token of what waits.
    pub token: SecretString,
    /// Our challenge, base64url.
    pub challenge: String,
}

/// What is kept of a challenge, sealed.
#[derive(Serialize, Deserialize)]
struct Kept {
    challenge: String,
    return_to: ReturnTo,
}

/// A challenge that was taken away, to be answered now.
struct Open {
    account: Option<AccountId>,
    challenge: Vec<u8>,
    return_to: ReturnTo,
}

/// A browser's answer with a signature, as form fields of base64url.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Signed {
    /// Credential id.
    pub credential: String,
    /// What the browser signed beside the device's data.
    pub client_data: String,
    /// The device's data.
    pub authenticator_data: String,
    /// The signature.
    pub signature: String,
    /// Whose the device says that the passkey is; only a passkey alone has to say it.
    pub user: String,
}

/// A browser's answer about a new passkey, as form fields of base64url.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Made {
    /// What the browser signed beside the device's data.
    pub client_data: String,
    /// The attestation object.
    pub attestation: String,
}

/// A passkey to be kept.
pub struct NewPasskey {
    /// Token of the challenge.
    pub token: String,
    /// The browser's answer.
    pub made: Made,
    /// What its owner calls it.
    pub label: String,
}

/// Lists the credentials of passkeys, as the script reads them.
pub fn known(factors: &[SecondFactor]) -> String {
    let known: Vec<&str> = factors
        .iter()
        .filter_map(|factor| factor.credential.as_deref())
        .collect();
    known.join(" ")
}

/// Returns the host that passkeys belong to; none where browsers know no passkeys, as on a bare address.
pub fn host(app: &App) -> Option<&str> {
    app.config.public_url.domain()
}

/// Begins making a passkey.
///
/// # Errors
/// 403 for an account without a password; those of the store.
pub async fn begin_making(app: &App, active: &ActiveSession, browser: &SignInBrowser) -> Result<Ceremony> {
    second_factor::overview(app, active).await?;
    begin(app, browser, Some(&active.account.id), &ReturnTo::Account, None).await
}

/// Keeps a passkey that was just made.
///
/// # Errors
/// 400 (`passkey_refused`) for an answer that does not count; 409 for too many factors; 429 above the limits; those of the store.
pub async fn make(
    app: &App,
    active: &ActiveSession,
    password: SecretString,
    browser: &SignInBrowser,
    new: NewPasskey,
    client: &str,
) -> Result<Wish<()>> {
    let NewPasskey { token, made, label } = new;
    must_have_room(&second_factor::overview(app, active).await?)?;
    let host = host(app).ok_or_else(AppError::not_found)?;
    if !confirm(app, &active.account, password, client).await? {
        return Ok(Wish::WrongPassword);
    }
    let open = take(app, &token, &browser.secret).await?;
    let Some(open) = open.filter(|open| open.account.as_ref() == Some(&active.account.id)) else {
        return Err(refused("the challenge is not open any more"));
    };
    let origin = app.config.public_url.origin().ascii_serialization();
    let expected = Expected {
        challenge: &open.challenge,
        origin: &origin,
        host,
    };
    let made = webauthn::register(&field(&made.attestation)?, &field(&made.client_data)?, &expected)
        .map_err(|error| refused(&error.to_string()))?;
    let now = app.world.now();
    let factor = SecondFactor {
        id: app.world.id("fac_")?,
        account: active.account.id.clone(),
        kind: FactorKind::Passkey,
        label: labelled(&label),
        secret: None,
        last_step: None,
        credential: Some(made.credential),
        public_key: Some(serde_json::to_string(&made.key).map_err(AppError::internal)?),
        sign_count: Some(i64::from(made.sign_count)),
        created_at: now,
        last_used_at: None,
    };
    let event = event(active, "second_factor.added", &factor.id, now);
    app.store
        .write(move |tx| {
            Box::pin(async move {
                tx.insert_second_factor(&factor).await.map_err(|error| {
                    if matches!(error, StoreError::Conflict(_)) {
                        refused("this passkey is kept already")
                    } else {
                        error.into()
                    }
                })?;
                tx.record(event);
                Ok::<_, AppError>(())
            })
        })
        .await?;
    Ok(Wish::Done(()))
}

fn labelled(label: &str) -> String {
    let label: String = label
        .trim()
        .chars()
        .filter(|letter| !letter.is_control())
        .take(LONGEST_LABEL)
        .collect();
    if label.is_empty() {
        "Passkey".to_owned()
    } else {
        label
    }
}

/// Begins a sign-in with a passkey alone.
///
/// # Errors
/// 429 above the limit; those of the store.
pub async fn begin_sign_in(
    app: &App,
    browser: &SignInBrowser,
    return_to: &ReturnTo,
    toll: &Toll,
) -> Result<Ceremony> {
    begin(app, browser, None, return_to, Some(toll)).await
}

/// Signs in with a passkey alone: only if the device knows who touched it.
///
/// # Errors
/// 429 above the limits; those of the store.
pub async fn sign_in(app: &App, token: &str, browser: &SignInBrowser, signed: &Signed) -> Result<Tried> {
    let Some(Open {
        account: None,
        challenge,
        return_to,
    }) = take(app, token, &browser.secret).await?
    else {
        return Ok(Tried::Gone);
    };
    let Some((factor, account, asserted)) = check(app, signed, &challenge).await? else {
        return Ok(Tried::Wrong);
    };
    if !asserted.user_verified || field(&signed.user)? != account.id.as_str().as_bytes() {
        return Ok(Tried::Wrong);
    }
    let given = Given::Passkey {
        factor: factor.id,
        count: i64::from(asserted.sign_count),
        alone: true,
    };
    let ending = Ending {
        account,
        return_to,
        typed: None,
    };
    half_sign_in::finish(app, token, browser, ending, given).await
}

/// Completes a sign-in that waits for its second factor, with a passkey of the same account.
///
/// # Errors
/// 429 above the limits; those of the store.
pub async fn complete(app: &App, token: &str, browser: &SignInBrowser, signed: &Signed) -> Result<Tried> {
    let Some(found) = half_sign_in::find(app, token, &browser.secret).await? else {
        return Ok(Tried::Gone);
    };
    let checked = check(app, signed, &found.challenge).await?;
    let Some((factor, _, asserted)) = checked.filter(|(_, owner, _)| owner.id == found.account.id) else {
        half_sign_in::count_try(app, token, &found.account.id).await?;
        return Ok(Tried::Wrong);
    };
    let given = Given::Passkey {
        factor: factor.id,
        count: i64::from(asserted.sign_count),
        alone: false,
    };
    half_sign_in::finish(app, token, browser, found.ending(), given).await
}

/// Keeps a new challenge.
async fn begin(
    app: &App,
    browser: &SignInBrowser,
    account: Option<&AccountId>,
    return_to: &ReturnTo,
    toll: Option<&Toll>,
) -> Result<Ceremony> {
    let now = app.world.now();
    let token = app.world.token(PREFIX)?;
    let challenge = URL_SAFE_NO_PAD.encode(app.world.bytes::<32>()?);
    let kept = Kept {
        challenge: challenge.clone(),
        return_to: return_to.clone(),
    };
    let waiting = HalfSignIn {
        account: account.cloned(),
        browser: digest_of(&browser.secret),
        data: serde_json::to_string(&kept).map_err(AppError::internal)?,
        attempts: 0,
        expires_at: now.checked_add(LIFE).map_err(AppError::internal)?,
    };
    let (digest, paying) = (token.digest, toll.cloned());
    let kept: Result<(), StoreError> = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                if let Some(toll) = paying {
                    toll.pay(tx, now);
                }
                tx.put_half_sign_in(&digest, &waiting, now).await
            })
        })
        .await;
    limits::outcome(toll, kept)?;
    Ok(Ceremony {
        token: token.secret,
        challenge,
    })
}

/// Takes a challenge away: whatever comes of the answer, there is no second one.
async fn take(app: &App, token: &str, browser: &str) -> Result<Option<Open>> {
    if !token.starts_with(PREFIX) {
        return Ok(None);
    }
    let (digest, browser, now) = (digest_of(token), digest_of(browser), app.world.now());
    let was_open: Result<Option<HalfSignIn>, StoreError> = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                let found = tx.half_sign_in(&digest, now).await?;
                // Somebody else's browser cannot use it up.
                let Some(found) = found.filter(|found| found.browser == browser) else {
                    return Ok(None);
                };
                Ok(tx.take_half_sign_in(&digest).await?.then_some(found))
            })
        })
        .await;
    let Some(found) = was_open? else { return Ok(None) };
    let kept: Kept = serde_json::from_str(&found.data).map_err(AppError::internal)?;
    Ok(Some(Open {
        account: found.account,
        challenge: URL_SAFE_NO_PAD
            .decode(kept.challenge)
            .map_err(AppError::internal)?,
        return_to: kept.return_to,
    }))
}

/// Verifies a signature by a passkey that is known here.
async fn check(
    app: &App,
    signed: &Signed,
    challenge: &[u8],
) -> Result<Option<(SecondFactor, Account, Asserted)>> {
    let Some(host) = host(app) else { return Ok(None) };
    if signed.credential.is_empty() || signed.credential.len() > LONGEST_CREDENTIAL {
        return Ok(None);
    }
    let credential = signed.credential.clone();
    let found = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let Some(factor) = reader.passkey(&credential).await? else {
                    return Ok(None);
                };
                let account = reader.account(&factor.account).await?;
                Ok::<_, StoreError>(account.map(|account| (factor, account)))
            })
        })
        .await?;
    let Some((factor, account)) = found else {
        return Ok(None);
    };
    let key: PublicKey = factor
        .public_key
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok())
        .ok_or_else(|| AppError::internal("the key of a passkey cannot be read"))?;
    let origin = app.config.public_url.origin().ascii_serialization();
    let expected = Expected {
        challenge,
        origin: &origin,
        host,
    };
    let verified = webauthn::verify(
        &key,
        &field(&signed.authenticator_data)?,
        &field(&signed.client_data)?,
        &field(&signed.signature)?,
        &expected,
    );
    match verified {
        Ok(asserted) => Ok(Some((factor, account, asserted))),
        Err(error) => {
            tracing::info!(account = %account.id, %error, "a passkey was refused");
            Ok(None)
        }
    }
}

/// Returns the token of a ceremony, for the page.
pub fn shown(ceremony: &Ceremony) -> String {
    ceremony.token.expose_secret().to_owned()
}

fn field(text: &str) -> Result<Vec<u8>> {
    if text.len() > LONGEST_FIELD {
        return Err(refused("the answer is too large"));
    }
    URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| refused("the answer cannot be read"))
}

/// What was wrong is for whoever runs the server: nobody at a keyboard can mend it.
fn refused(why: &str) -> AppError {
    tracing::info!(why, "a new passkey was refused");
    AppError::bad_request("passkey_refused", "The passkey was not taken. Try again.")
}
