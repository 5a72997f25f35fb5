//! Sign-ins that wait for the second factor: the password was right, and nobody is in yet.
//!
//! One waits under a token in a cookie of its own, bound to the browser that began it, for ten minutes and five tries. It is
//! completed once, in the same transaction as the session; a code is spent there too, so that neither works twice.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use provost_kernel::audit::EventKind;
use provost_kernel::directory::Account;
use provost_kernel::id::AccountId;
use provost_kernel::login::password::SecondFactor as Second;
use provost_kernel::plan::Decision;
use provost_kernel::provision::Actor;
use provost_store::{FactorKind, HalfSignIn, NewEvent, SecondFactor, StoreError, Tx};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use zeroize::Zeroizing;

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::alerts::{self, Alerts};
use crate::flow::limits::{self, Limited};
use crate::flow::outcome::Admitted;
use crate::flow::password::{self, Decided, Entered, Opening, Proof, SignInBrowser};
use crate::flow::return_to::ReturnTo;
use crate::flow::second_factor::{recovery_digest, totp_factor};
use crate::flow::totp;
use crate::world::digest_of;

/// What the tokens of sign-ins that wait begin with. Challenges for passkeys wait in the same table under another beginning, and
/// none of them must ever pass for a password that was right.
const PREFIX: &str = "pvh_";
/// How long one waits.
const LIFE: SignedDuration = SignedDuration::from_mins(10);
/// How many codes may be tried.
const TRIES: u32 = 5;
/// How often a decision is made anew when others wrote in between.
const DECISIONS: u32 = 5;

/// A sign-in that is to wait.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Whose.
    pub account: AccountId,
    /// Where the person goes afterwards.
    pub return_to: ReturnTo,
    /// Hash of the password that was typed, if one was.
    pub typed: Option<SecretString>,
    /// Secret of an authenticator app that has to be set up on the way in.
    pub enroll: Option<[u8; 20]>,
}

/// What is kept with it, sealed.
#[derive(Serialize, Deserialize)]
struct Kept {
    return_to: ReturnTo,
    /// Of the password that was typed.
    hash: Option<String>,
    enroll: Option<String>,
}

/// A sign-in that waits.
pub struct Found {
    /// Whose.
    pub account: Account,
    /// Her second factors.
    pub factors: Vec<SecondFactor>,
    /// Whether she has recovery codes.
    pub recovery_codes: u32,
    /// Secret to set up, if she has to.
    pub enroll: Option<[u8; 20]>,
    /// Where she was going.
    pub return_to: ReturnTo,
    /// Challenge for passkeys: another one after each try.
    pub challenge: Vec<u8>,
    /// Hash of the password that was typed, if one was.
    pub typed: Option<SecretString>,
}

/// What was shown beside the password, or in the place of it.
#[derive(Clone)]
pub enum Given {
    /// A code of an authenticator app, or a recovery code.
    Code(Zeroizing<String>),
    /// A code of an authenticator app that is set up with it.
    FirstCode(Zeroizing<String>, Box<SecondFactor>),
    /// A signature of a passkey, verified.
    Passkey {
        /// Which.
        factor: String,
        /// Signatures that it has counted.
        count: i64,
        /// Whether it stands in for the password, too.
        alone: bool,
    },
}

/// Whose sign-in ends, and how it began.
#[derive(Clone, Debug)]
pub struct Ending {
    /// Whose.
    pub account: Account,
    /// Where she was going.
    pub return_to: ReturnTo,
    /// Hash of the password that was typed, if one was.
    pub typed: Option<SecretString>,
}

impl Found {
    /// Says whose sign-in ends.
    pub fn ending(&self) -> Ending {
        Ending {
            account: self.account.clone(),
            return_to: self.return_to.clone(),
            typed: self.typed.clone(),
        }
    }
}

/// How a try ended.
#[derive(Debug)]
pub enum Tried {
    /// In.
    In(Entered),
    /// The code was wrong, or was used before.
    Wrong,
    /// The rules say no, code or not.
    Refused,
    /// It waits no longer.
    Gone,
}

/// Keeps a sign-in that waits and returns its token.
///
/// # Errors
/// Those of the store.
pub async fn begin(app: &App, browser: &SignInBrowser, waiting: &Waiting) -> Result<SecretString> {
    let kept = Kept {
        return_to: waiting.return_to.clone(),
        hash: waiting.typed.as_ref().map(|hash| hash.expose_secret().to_owned()),
        enroll: waiting.enroll.map(|secret| STANDARD.encode(secret)),
    };
    keep(app, PREFIX, &browser.secret, Some(&waiting.account), &kept).await
}

/// Keeps what waits in a browser, sealed, for ten minutes, and returns its token, which begins with `prefix`: what waits for one
/// thing never passes for another one.
///
/// # Errors
/// Those of the store.
pub(super) async fn keep<T: Serialize + Sync>(
    app: &App,
    prefix: &str,
    browser: &str,
    account: Option<&AccountId>,
    kept: &T,
) -> Result<SecretString> {
    let now = app.world.now();
    let token = app.world.token(prefix)?;
    let half = HalfSignIn {
        account: account.cloned(),
        browser: digest_of(browser),
        data: serde_json::to_string(kept).map_err(AppError::internal)?,
        attempts: 0,
        expires_at: now.checked_add(LIFE).map_err(AppError::internal)?,
    };
    let digest = token.digest;
    app.store
        .write(move |tx| Box::pin(async move { tx.put_half_sign_in(&digest, &half, now).await }))
        .await?;
    Ok(token.secret)
}

/// Finds a sign-in that waits in this browser.
///
/// # Errors
/// Those of the store.
pub async fn find(app: &App, token: &str, browser: &str) -> Result<Option<Found>> {
    if !token.starts_with(PREFIX) {
        return Ok(None);
    }
    let (digest, browser, now) = (digest_of(token), digest_of(browser), app.world.now());
    let found = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let half = reader.half_sign_in(&digest, now).await?;
                let Some(half) = half.filter(|half| half.browser == browser) else {
                    return Ok(None);
                };
                let Some(id) = &half.account else { return Ok(None) };
                let Some(account) = reader.account(id).await? else {
                    return Ok(None);
                };
                let factors = reader.second_factors(id).await?;
                let codes = reader.recovery_codes_left(id).await?;
                Ok::<_, StoreError>(Some((half, account, factors, codes)))
            })
        })
        .await?;
    let Some((half, account, factors, recovery_codes)) = found else {
        return Ok(None);
    };
    let kept: Kept = serde_json::from_str(&half.data).map_err(AppError::internal)?;
    let enroll = kept
        .enroll
        .and_then(|text| STANDARD.decode(text).ok())
        .and_then(|bytes| bytes.try_into().ok());
    Ok(Some(Found {
        account,
        factors,
        recovery_codes,
        enroll,
        return_to: kept.return_to,
        challenge: challenge(token, half.attempts),
        typed: kept.hash.map(SecretString::from),
    }))
}

/// Makes the challenge for the next try. Only this browser and we know the token, and no try has the same number.
fn challenge(token: &str, attempts: u32) -> Vec<u8> {
    digest_of(&format!("provost passkey challenge\n{attempts}\n{token}")).into_bytes()
}

/// Counts a try that failed before anything could be spent.
///
/// # Errors
/// 429 above the limit; those of the store.
pub async fn count_try(app: &App, token: &str, account: &AccountId) -> Result<()> {
    limits::count(app, Limited::SecondFactor, account.as_str()).await?;
    let (digest, now) = (digest_of(token), app.world.now());
    app.store
        .write(move |tx| Box::pin(async move { tx.try_half_sign_in(&digest, TRIES, now).await.map(drop) }))
        .await?;
    Ok(())
}

/// Completes a sign-in that waits, with a code of an authenticator app or a recovery code.
///
/// # Errors
/// 429 above the limit; those of the store.
pub async fn complete(app: &App, token: &str, browser: &SignInBrowser, code: &str) -> Result<Tried> {
    let Some(found) = find(app, token, &browser.secret).await? else {
        return Ok(Tried::Gone);
    };
    if found.factors.is_empty() && found.enroll.is_none() {
        // The last factor was removed meanwhile; begin anew.
        return Ok(Tried::Gone);
    }
    let code = Zeroizing::new(code.chars().take(64).collect());
    let given = match &found.enroll {
        Some(secret) if found.factors.is_empty() => {
            Given::FirstCode(code, Box::new(totp_factor(app, &found.account.id, secret)?))
        }
        Some(_) | None => Given::Code(code),
    };
    finish(app, token, browser, found.ending(), given).await
}

/// Writes the end of a sign-in that waits: what was given is spent, and the session is opened unless the rules are against it.
///
/// # Errors
/// 429 above the limit; those of the store.
pub async fn finish(
    app: &App,
    token: &str,
    browser: &SignInBrowser,
    ending: Ending,
    given: Given,
) -> Result<Tried> {
    let Ending {
        account,
        return_to,
        typed,
    } = ending;
    limits::count(app, Limited::SecondFactor, account.id.as_str()).await?;
    for _ in 0..DECISIONS {
        let (fresh, session) = app.world.fresh()?;
        let device = match &browser.device {
            Some(device) => SecretString::from(device.clone()),
            None => app.world.token("pvd_")?.secret,
        };
        let attempt = Attempt {
            digest: digest_of(token),
            given: given.clone(),
            opening: Opening {
                account: account.id.clone(),
                domain: account.email.as_ref().map(|email| email.domain().to_owned()),
                proof: Proof::password(typed.clone()),
                device: digest_of(device.expose_secret()),
                seconds: app.defaults.session_seconds(),
                fresh,
                now: app.world.now(),
                alerts: Alerts::of(app),
            },
        };
        let outcome: Result<Outcome, StoreError> = app
            .store
            .write(move |tx| Box::pin(async move { attempt.run_in_tx(tx).await }))
            .await;
        match outcome {
            Ok(Outcome::Gone) => return Ok(Tried::Gone),
            Ok(Outcome::Wrong) => {
                tracing::info!(account = %account.id, "second factor refused");
                return Ok(Tried::Wrong);
            }
            Ok(Outcome::Decided(decision)) => {
                if alerts::are_raised(&decision) {
                    app.ring_mail();
                }
                let decided = password::conclude(&account, &decision, session.secret, device);
                return Ok(match decided {
                    Decided::In { token, device } => Tried::In(Entered {
                        admitted: Admitted { token, return_to },
                        device,
                    }),
                    Decided::No(_) => Tried::Refused,
                });
            }
            Err(error) if password::is_other_password(&error) => return Ok(Tried::Gone),
            Err(error) if error.is_retryable() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(AppError::unavailable(
        "the account changed under every try to decide a sign-in",
    ))
}

/// What admins read of a passkey whose count did not go up: somebody has a copy of it, or it was removed a moment ago.
fn copied(account: &AccountId, factor: &str, now: Timestamp) -> NewEvent {
    NewEvent {
        at: now,
        kind: EventKind::AlertRaised.code().to_owned(),
        actor: Actor::Person.label(),
        account: Some(account.clone()),
        organization: None,
        connection: None,
        trace: None,
        data: json!({
            "code": "passkey_copied",
            "text": "a passkey signed with a count that does not go up: there may be a copy of it",
            "factor": factor,
        }),
    }
}

/// One try, to be written.
struct Attempt {
    digest: String,
    given: Given,
    opening: Opening,
}

enum Outcome {
    Gone,
    Wrong,
    Decided(Box<Decision>),
}

impl Attempt {
    async fn run_in_tx(mut self, tx: &mut Tx) -> Result<Outcome, StoreError> {
        let now = self.opening.now;
        // The challenge of a passkey alone was taken away before its answer was looked at.
        let stands_alone = matches!(self.given, Given::Passkey { alone: true, .. });
        if !stands_alone && !tx.try_half_sign_in(&self.digest, TRIES, now).await? {
            return Ok(Outcome::Gone);
        }
        let Some((method, second)) = self.check_in_tx(tx, now).await? else {
            return Ok(Outcome::Wrong);
        };
        if !stands_alone && !tx.take_half_sign_in(&self.digest).await? {
            return Ok(Outcome::Gone);
        }
        if stands_alone {
            self.opening.proof.methods.clear();
        }
        self.opening.proof.methods.extend([method, "mfa"]);
        self.opening.proof.second = second;
        let decision = self.opening.decide_in_tx(tx).await?;
        Ok(Outcome::Decided(Box::new(decision)))
    }

    /// Checks the code and spends it.
    async fn check_in_tx(
        &self,
        tx: &mut Tx,
        now: Timestamp,
    ) -> Result<Option<(&'static str, Second)>, StoreError> {
        let account = &self.opening.account;
        let code = match &self.given {
            Given::Code(code) => code,
            Given::FirstCode(code, factor) => {
                let step = factor
                    .secret
                    .as_ref()
                    .and_then(|secret| totp::step_of(secret, code, now));
                let Some(step) = step else { return Ok(None) };
                // Whoever set one up meanwhile is asked for that one.
                tx.lock_account(account).await?;
                if !tx.second_factors(account).await?.is_empty() {
                    return Ok(None);
                }
                let mut factor = factor.clone();
                factor.last_step = Some(step);
                factor.last_used_at = Some(now);
                tx.insert_second_factor(&factor).await?;
                return Ok(Some(("otp", Second::Given)));
            }
            Given::Passkey { factor, count, .. } => {
                let is_new = tx.spend_count(factor, *count, now).await?;
                if !is_new {
                    tx.record(copied(account, factor, now));
                }
                return Ok(is_new.then_some(("pop", Second::Given)));
            }
        };
        let factors = tx.second_factors(account).await?;
        let apps: Vec<SecondFactor> = factors
            .into_iter()
            .filter(|factor| factor.kind == FactorKind::Totp)
            .collect();
        if let Some((factor, step)) = totp::find(&apps, code, now) {
            let is_new = tx.spend_step(&factor.id, step, now).await?;
            return Ok(is_new.then_some(("otp", Second::Given)));
        }
        let Some(digest) = recovery_digest(account, code) else {
            return Ok(None);
        };
        let is_good = tx.use_recovery_code(account, &digest, now).await?;
        Ok(is_good.then_some(("otp", Second::Recovery)))
    }
}
