//! How often a client may try. Counted in the store, so that the limit holds across nodes.
//!
//! Where a try keeps something anyway, its [`Toll`] is paid in the same write; everything else is counted by itself.

use provost_store::{Durability, Hits, StoreError, Tx};

use crate::app::App;
use crate::error::{AppError, Result};

/// Something that may be tried so often only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limited {
    /// Asking which provider serves an address, by client address.
    Discovery,
    /// Beginning a sign-in, by client address.
    Start,
    /// Presenting an answer of a provider, by client address.
    Answer,
    /// Requests of apps that are kept while their person signs in, by client address.
    Authorize,
    /// Password attempts, by client address.
    PasswordByClient,
    /// Password attempts, by client address and account address together: an attacker elsewhere cannot use it up.
    PasswordByBoth,
    /// Asking for a new password, by client address.
    ResetByClient,
    /// Mails about a new password, by account address. What is above is left out without a word; links sent before go on
    /// working, so that nobody is kept out by it.
    ResetByAddress,
    /// Looking at invitations, by client address.
    Invitation,
    /// Password attempts on one account from browsers that it is not known from, wherever they are. Above it, only one each
    /// [`Limited::PasswordSlow`] window goes on: guessing is slow, and nobody is shut out of a browser that she used before.
    PasswordByAccount,
    /// What is left above [`Limited::PasswordByAccount`].
    PasswordSlow,
    /// Codes of second factors, by account: whoever tries them knows the password.
    SecondFactor,
    /// Requests to the token endpoint that were refused, by client address. What is granted costs an app nothing.
    Token,
}

impl Limited {
    /// Returns the name in the key, the window in seconds and how often.
    const fn rule(self) -> (&'static str, u32, u32) {
        match self {
            Self::Discovery => ("discovery", 60, 60),
            Self::Start => ("start", 60, 120),
            // Whole offices sit behind one address at nine in the morning.
            Self::Answer => ("answer", 60, 600),
            Self::Authorize => ("authorize", 60, 600),
            Self::PasswordByClient => ("password", 300, 50),
            Self::PasswordByBoth => ("password_both", 900, 10),
            Self::ResetByClient => ("reset", 3600, 20),
            Self::ResetByAddress => ("reset_address", 3600, 3),
            Self::Invitation => ("invitation", 60, 60),
            Self::PasswordByAccount => ("password_account", 900, 30),
            Self::PasswordSlow => ("password_slow", 10, 1),
            Self::SecondFactor => ("second_factor", 900, 10),
            Self::Token => ("token", 60, 300),
        }
    }
}

/// One try that is still to be counted.
#[derive(Clone, Debug)]
pub struct Toll {
    what: Limited,
    key: String,
}

impl Toll {
    /// A try of `what` by `key`.
    pub fn new(what: Limited, key: &str) -> Self {
        let key = format!("{}:{key}", what.rule().0);
        Self { what, key }
    }

    /// Counts the try together with what the job writes. Above the limit the job fails and keeps nothing.
    pub fn pay(&self, tx: &mut Tx, now: jiff::Timestamp) {
        let (_, window, limit) = self.what.rule();
        tx.hit_or_fail(&self.key, window, limit, now);
    }

    /// Makes of the outcome of a job in which the toll was paid what the client is told.
    ///
    /// # Errors
    /// 429 above the limit; the job's own.
    pub fn outcome<T>(&self, outcome: Result<T, StoreError>) -> Result<T> {
        if matches!(outcome, Err(StoreError::TooMany(_))) {
            metrics::counter!("provost_rate_limited_total", "what" => self.what.rule().0).increment(1);
        }
        outcome.map_err(AppError::from)
    }

    /// Refuses at once where the limit is used up, without counting; `seen` is what was just looked up for [`Self::key`].
    ///
    /// # Errors
    /// 429 above the limit.
    pub fn check(&self, seen: Option<&Hits>, now: jiff::Timestamp) -> Result<()> {
        let (_, window, limit) = self.what.rule();
        match seen.and_then(|hits| hits.retry_after(window, limit, now)) {
            Some(seconds) => self.outcome(Err(StoreError::TooMany(seconds))),
            None => Ok(()),
        }
    }

    /// Returns the key by which the store counts.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Counts the try by itself.
    ///
    /// # Errors
    /// 429 above the limit; those of the store.
    pub async fn pay_now(&self, app: &App) -> Result<()> {
        let (toll, now) = (self.clone(), app.world.now());
        let paid = app
            .store
            .write_round(Durability::Brief, move |tx| {
                Box::pin(async move {
                    toll.pay(tx, now);
                    Ok(())
                })
            })
            .await;
        self.outcome(paid)
    }
}

/// As [`Toll::outcome`], where there may be no toll.
///
/// # Errors
/// As [`Toll::outcome`].
pub fn outcome<T>(toll: Option<&Toll>, outcome: Result<T, StoreError>) -> Result<T> {
    match toll {
        Some(toll) => toll.outcome(outcome),
        None => Ok(outcome?),
    }
}

/// Counts one try.
///
/// # Errors
/// 429 above the limit; those of the store.
pub async fn count(app: &App, what: Limited, key: &str) -> Result<()> {
    Toll::new(what, key).pay_now(app).await
}
