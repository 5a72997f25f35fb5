//! Signing in with a password, for standard accounts.
//!
//! Every refusal looks alike and takes the same time, whether the account exists, signs in through a provider,
//! is suspended, or the password is wrong. Limits count by client and by client and account together, never by account
//! alone, so that nobody can lock somebody else out. Never sees a password longer than it must.

use provost_kernel::directory::{Account, Authentication};
use provost_kernel::email::Email;
use provost_kernel::login::{SessionLimits, password as kernel};
use provost_kernel::plan::{Decision, Verdict};
use provost_kernel::provision::Actor;
use provost_store::StoreError;
use secrecy::{ExposeSecret as _, SecretString};

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::limits::{self, Limited};
use crate::flow::outcome::Admitted;
use crate::flow::passwords;
use crate::flow::return_to::ReturnTo;

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
}

/// Lets the person in, or not; why not is in the trace only.
///
/// # Errors
/// 429 above the limits; those of the store.
pub async fn sign_in(app: &App, attempt: Attempt) -> Result<Option<Admitted>> {
    let email = Email::parse(attempt.email.trim()).ok();
    let key = email.as_ref().map_or_else(String::new, Email::key);
    limits::count(app, Limited::PasswordByClient, &attempt.client).await?;
    limits::count(app, Limited::PasswordByBoth, &format!("{}:{key}", attempt.client)).await?;
    let (account, hash) = match email {
        Some(email) => find(app, email).await?,
        None => (None, None),
    };
    let fits = attempt.password.expose_secret().len() <= passwords::MAXIMUM;
    let password = if fits {
        attempt.password
    } else {
        SecretString::default()
    };
    let is_right = app.passwords.verify(password, hash).await? && fits;
    let Some(account) = account else {
        count("unknown");
        return Ok(None);
    };
    match account.authentication {
        Authentication::Standard if is_right => {}
        Authentication::Standard => {
            count("wrong");
            tracing::info!(account = %account.id, "password refused");
            return Ok(None);
        }
        // It has no password, so nothing was right. The decision refuses it and leaves a trace for the admin, in
        // the background: the time it takes must not tell that the account exists.
        Authentication::Sso { .. } => {
            let app = app.clone();
            tokio::spawn(async move {
                if let Err(error) = decide(&app, &account).await {
                    tracing::warn!(
                        error = crate::error::chain(&error),
                        "the trace of a refusal was not kept"
                    );
                }
            });
            return Ok(None);
        }
    }
    let admitted = decide(app, &account).await?;
    Ok(admitted.map(|token| Admitted {
        token,
        return_to: attempt.return_to,
    }))
}

/// Lets in somebody who has just set her password through a one-time link.
///
/// # Errors
/// Those of the store.
pub async fn proven(app: &App, account: &Account, return_to: ReturnTo) -> Result<Option<Admitted>> {
    Ok(decide(app, account)
        .await?
        .map(|token| Admitted { token, return_to }))
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

async fn decide(app: &App, account: &Account) -> Result<Option<SecretString>> {
    for _ in 0..5 {
        let (fresh, token) = app.world.fresh()?;
        let now = app.world.now();
        // The idle limit is for SSO sessions; a password session ends by age.
        let limits = SessionLimits {
            absolute_seconds: app.config.session_seconds,
            idle_seconds: app.config.session_seconds,
        };
        let proof = kernel::PasswordProof {
            account: account.id.clone(),
            methods: vec!["pwd".to_owned()],
        };
        let outcome: Result<Decision, StoreError> = app
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let facts = tx.facts(&kernel::need(&proof.account)).await?;
                    let decision = kernel::decide(&proof, &facts, &limits, &fresh, now);
                    tx.apply(&decision, &Actor::Person, now).await?;
                    Ok(decision)
                })
            })
            .await;
        match outcome {
            Ok(Decision {
                verdict: Verdict::Admitted(_) | Verdict::Accepted,
                ..
            }) => {
                count("admitted");
                return Ok(Some(token.secret));
            }
            Ok(Decision {
                verdict: Verdict::Refused(denial),
                trace,
                ..
            }) => {
                count(denial.code());
                tracing::info!(account = %account.id, code = denial.code(), reference = %trace.id, "sign-in refused");
                return Ok(None);
            }
            Err(error) if error.is_retryable() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(AppError::unavailable(
        "the directory changed under every try to decide a sign-in",
    ))
}

fn count(code: &'static str) {
    let outcome = if code == "admitted" { "admitted" } else { "refused" };
    metrics::counter!("provost_sign_ins_total", "outcome" => outcome, "code" => code).increment(1);
}
