//! Signing in with a password, for standard accounts.
//!
//! Every refusal looks alike and takes the same time, whether the account exists, signs in through a provider,
//! is suspended, or the password is wrong. Limits count by client and by client and account together. By account alone they only
//! slow down, and not in browsers that the account is known from, so that nobody can lock somebody else out. Never sees a
//! password longer than it must.

use axum::http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use provost_kernel::denial::Denial;
use provost_kernel::directory::{Account, Authentication};
use provost_kernel::email::Email;
use provost_kernel::id::AccountId;
use provost_kernel::incoming::Fresh;
use provost_kernel::login::{SessionLimits, password as kernel};
use provost_kernel::plan::{Decision, Verdict};
use provost_kernel::provision::Actor;
use provost_store::{StoreError, Tx};
use secrecy::{ExposeSecret as _, SecretString};

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::alerts::{self, Alerts};
use crate::flow::half_sign_in::{self, Waiting};
use crate::flow::limits::{self, Limited};
use crate::flow::outcome::Admitted;
use crate::flow::passwords;
use crate::flow::return_to::ReturnTo;
use crate::world::digest_of;

/// What is in conflict where the typed password is not the present one any more.
const OTHER_PASSWORD: &str = "other_password";
/// How long an account is known from a browser.
const DEVICE_LIFE: SignedDuration = SignedDuration::from_hours(180 * 24);

/// One attempt.
pub struct Attempt {
    /// Address as typed.
    pub email: String,
    /// Password as typed.
    pub password: SecretString,
    /// Where the person goes afterwards.
    pub return_to: ReturnTo,
    /// What limits count by.
    pub client: String,
    /// The browser.
    pub browser: SignInBrowser,
}

/// The browser in which somebody signs in.
#[derive(Clone, Debug, Default)]
pub struct SignInBrowser {
    /// Its own secret, to which a sign-in that waits is bound.
    pub secret: String,
    /// Its token as a browser that accounts are known from, if it has one.
    pub device: Option<String>,
}

/// How an attempt ended.
#[derive(Debug)]
pub enum Entry {
    /// The person is in.
    In(Entered),
    /// The second factor is asked for next; this is the token of the sign-in that waits.
    Half(SecretString),
    /// Not in; why not is in the trace only.
    No,
}

/// A person who is in with a password.
#[derive(Debug)]
pub struct Entered {
    /// Session and where to go on to.
    pub admitted: Admitted,
    /// Token of the browser, which the account is known from now.
    pub device: SecretString,
}

/// Lets the person in, asks for the second factor, or neither; why not is in the trace only.
///
/// # Errors
/// 429 above the limits; those of the store.
pub async fn sign_in(app: &App, attempt: Attempt) -> Result<Entry> {
    let email = Email::parse(attempt.email.trim()).ok();
    let key = email.as_ref().map_or_else(String::new, Email::key);
    limits::count(app, Limited::PasswordByClient, &attempt.client).await?;
    limits::count(app, Limited::PasswordByBoth, &format!("{}:{key}", attempt.client)).await?;
    let (account, hash) = match email {
        Some(email) => find(app, email).await?,
        None => (None, None),
    };
    if !is_known_from(app, account.as_ref(), &attempt.browser).await? {
        slow_down(app, &key).await?;
    }
    let fits = attempt.password.expose_secret().len() <= passwords::MAXIMUM;
    let password = if fits {
        attempt.password
    } else {
        SecretString::default()
    };
    let is_right = app.passwords.verify(password, hash.clone()).await? && fits;
    let Some(account) = account else {
        count("unknown");
        return Ok(Entry::No);
    };
    match account.authentication {
        Authentication::Standard if is_right => {}
        Authentication::Standard => {
            count("wrong");
            tracing::info!(account = %account.id, "password refused");
            return Ok(Entry::No);
        }
        // It has no password, so nothing was right. The decision refuses it and leaves a trace for the admin, in
        // the background: the time it takes must not tell that the account exists.
        Authentication::Sso { .. } => {
            let app = app.clone();
            tokio::spawn(async move {
                let proof = Proof::password(None);
                if let Err(error) = decide(&app, &account, &proof, &SignInBrowser::default()).await {
                    tracing::warn!(
                        error = crate::error::chain(&error),
                        "the trace of a refusal was not kept"
                    );
                }
            });
            return Ok(Entry::No);
        }
    }
    let typed = hash.map(SecretString::from);
    after_password(app, &account, attempt.return_to, &attempt.browser, typed).await
}

/// Lets in somebody who has just set her password through a one-time link, or asks for her second factor: a link in a mailbox
/// never stands in for it.
///
/// # Errors
/// Those of the store.
pub async fn proven(
    app: &App,
    account: &Account,
    return_to: ReturnTo,
    browser: &SignInBrowser,
) -> Result<Entry> {
    after_password(app, account, return_to, browser, None).await
}

/// Slows guessing down that comes from everywhere: by account, so it holds for addresses that nobody has, too.
async fn slow_down(app: &App, key: &str) -> Result<()> {
    let by_account = limits::count(app, Limited::PasswordByAccount, key).await;
    match by_account {
        Ok(()) => Ok(()),
        Err(error) if error.status() == StatusCode::TOO_MANY_REQUESTS => {
            limits::count(app, Limited::PasswordSlow, key).await
        }
        Err(error) => Err(error),
    }
}

async fn is_known_from(app: &App, account: Option<&Account>, browser: &SignInBrowser) -> Result<bool> {
    let (Some(account), Some(device)) = (account, &browser.device) else {
        return Ok(false);
    };
    let (digest, id, now) = (digest_of(device), account.id.clone(), app.world.now());
    let known = app
        .store
        .read(|reader| Box::pin(async move { reader.is_known_device(&digest, &id, now).await }))
        .await?;
    Ok(known)
}

/// The password was right, or was just set: in, or on to the second factor.
async fn after_password(
    app: &App,
    account: &Account,
    return_to: ReturnTo,
    browser: &SignInBrowser,
    typed: Option<SecretString>,
) -> Result<Entry> {
    let id = account.id.clone();
    let factors = app
        .store
        .read(|reader| Box::pin(async move { reader.second_factors(&id).await }))
        .await?;
    let waiting = |enroll| Waiting {
        account: account.id.clone(),
        return_to: return_to.clone(),
        typed: typed.clone(),
        enroll,
    };
    if !factors.is_empty() {
        return half_sign_in::begin(app, browser, &waiting(None))
            .await
            .map(Entry::Half);
    }
    match decide(app, account, &Proof::password(typed.clone()), browser).await? {
        Decided::In { token, device } => Ok(Entry::In(Entered {
            admitted: Admitted { token, return_to },
            device,
        })),
        // She has none yet, and sets one up on the way in.
        Decided::No(Denial::SecondFactorRequired) => {
            let secret = app.world.bytes::<20>()?;
            half_sign_in::begin(app, browser, &waiting(Some(secret)))
                .await
                .map(Entry::Half)
        }
        Decided::No(_) => Ok(Entry::No),
    }
}

/// What proved the person.
#[derive(Clone, Debug)]
pub struct Proof {
    /// Methods (`amr`).
    pub methods: Vec<&'static str>,
    /// What stood beside the password, or in for it.
    pub second: kernel::SecondFactor,
    /// Hash of the password that was typed and right; none if none was typed.
    pub typed: Option<SecretString>,
}

impl Proof {
    /// The password alone.
    pub fn password(typed: Option<SecretString>) -> Self {
        Self {
            methods: vec!["pwd"],
            second: kernel::SecondFactor::None,
            typed,
        }
    }
}

/// A decision, as far as the browser may know.
#[derive(Debug)]
pub enum Decided {
    /// In: tokens of the session and of the browser.
    In {
        /// Token of the session.
        token: SecretString,
        /// Token of the browser.
        device: SecretString,
    },
    /// Not in.
    No(Denial),
}

/// Finds the standard account of an address with its hash; without one, an SSO account, for the trace.
async fn find(app: &App, email: Email) -> Result<(Option<Account>, Option<String>)> {
    let found = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let standard = reader.standard_account(&email).await?;
                let account = match standard {
                    Some(account) => Some(account),
                    None => reader.accounts_by_email(&email).await?.into_iter().next(),
                };
                let hash = match &account {
                    Some(account) => reader.password_hash(&account.id).await?,
                    None => None,
                };
                Ok::<_, StoreError>((account, hash))
            })
        })
        .await?;
    Ok(found)
}

/// Decides a sign-in whose proof was checked, and writes it.
///
/// # Errors
/// Those of the store.
pub async fn decide(app: &App, account: &Account, proof: &Proof, browser: &SignInBrowser) -> Result<Decided> {
    for _ in 0..5 {
        let (fresh, token) = app.world.fresh()?;
        let device = match &browser.device {
            Some(device) => SecretString::from(device.clone()),
            None => app.world.token("pvd_")?.secret,
        };
        let opening = Opening {
            account: account.id.clone(),
            domain: account.email.as_ref().map(|email| email.domain().to_owned()),
            proof: proof.clone(),
            device: digest_of(device.expose_secret()),
            seconds: app.defaults.session_seconds(),
            fresh,
            now: app.world.now(),
            alerts: Alerts::of(app),
        };
        let outcome: Result<Decision, StoreError> = app
            .store
            .write(move |tx| Box::pin(async move { opening.decide_in_tx(tx).await }))
            .await;
        match outcome {
            Ok(decision) => {
                if alerts::are_raised(&decision) {
                    app.ring_mail();
                }
                return Ok(conclude(account, &decision, token.secret, device));
            }
            Err(error) if is_other_password(&error) => {
                count("wrong");
                return Ok(Decided::No(Denial::StaleVersion));
            }
            Err(error) if error.is_retryable() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(AppError::unavailable(
        "the directory changed under every try to decide a sign-in",
    ))
}

/// A session about to be opened, unless the decision is against it.
pub struct Opening {
    /// Whose.
    pub account: AccountId,
    /// Domain of the account's address.
    pub domain: Option<String>,
    /// What proved the person.
    pub proof: Proof,
    /// Digest of the browser's token.
    pub device: String,
    /// Absolute life of the session.
    pub seconds: i64,
    /// Identifiers.
    pub fresh: Fresh,
    /// When.
    pub now: Timestamp,
    /// How owners are told if it is a way in for emergencies.
    pub alerts: Alerts,
}

impl Opening {
    /// Decides and writes.
    ///
    /// # Errors
    /// Those of the store; among them one that [`is_other_password`] tells.
    pub async fn decide_in_tx(&self, tx: &mut Tx) -> Result<Decision, StoreError> {
        let Self { account, now, .. } = self;
        let facts = tx.facts(&kernel::need(account, self.domain.as_deref())).await?;
        // The idle limit is for SSO sessions; a password session ends by age.
        let limits = SessionLimits {
            absolute_seconds: self.seconds,
            idle_seconds: self.seconds,
        };
        let proof = kernel::PasswordProof {
            account: account.clone(),
            methods: self
                .proof
                .methods
                .iter()
                .map(|&method| method.to_owned())
                .collect(),
            second: self.proof.second,
        };
        let decision = kernel::decide(&proof, &facts, &limits, &self.fresh, *now);
        tx.apply(&decision, &Actor::Person, *now).await?;
        self.alerts.of_sign_in_in_tx(tx, &facts, &decision, *now).await?;
        if matches!(decision.verdict, Verdict::Admitted(_)) {
            let until = now.checked_add(DEVICE_LIFE).unwrap_or(Timestamp::MAX);
            tx.put_known_device(&self.device, account, *now, until).await?;
            if let Some(hash) = &self.proof.typed
                && !tx.prove_password(account, hash.expose_secret(), *now).await?
            {
                return Err(StoreError::Conflict(OTHER_PASSWORD.to_owned()));
            }
        }
        Ok(decision)
    }
}

/// Tells whether the password was set anew after the one that was typed had been found right. Whoever did that ended all that the
/// old one had opened, and this has come too late.
pub fn is_other_password(error: &StoreError) -> bool {
    matches!(error, StoreError::Conflict(name) if name == OTHER_PASSWORD)
}

/// Tells of a decision.
pub fn conclude(
    account: &Account,
    decision: &Decision,
    token: SecretString,
    device: SecretString,
) -> Decided {
    match &decision.verdict {
        Verdict::Admitted(_) | Verdict::Accepted => {
            count("admitted");
            Decided::In { token, device }
        }
        Verdict::Refused(denial) => {
            count(denial.code());
            tracing::info!(account = %account.id, code = denial.code(), reference = %decision.trace.id, "sign-in refused");
            Decided::No(*denial)
        }
    }
}

fn count(code: &'static str) {
    let outcome = if code == "admitted" { "admitted" } else { "refused" };
    metrics::counter!("provost_sign_ins_total", "outcome" => outcome, "code" => code).increment(1);
}
