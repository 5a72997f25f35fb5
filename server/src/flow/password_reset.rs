//! Asking for a new password by mail.
//!
//! The answer is the same, at the same time, whether or not there is an account: looking it up and queuing the mail happen
//! behind it. A standard account gets a link that works once and for an hour; an SSO account, which has no password, is
//! told how to sign in. Nothing is locked and no older link ends, so that nobody can keep somebody else out by asking.

use jiff::SignedDuration;
use provost_kernel::directory::{Account, Authentication, Status};
use provost_kernel::email::Email;
use provost_store::{NewEvent, NewMail, StoreError};
use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::app::App;
use crate::error::{AppError, Result, chain};
use crate::flow::limits::{self, Limited};
use crate::flow::mail::{self, Addressed, Kind};
use crate::flow::set_password::{self, Prepared};

/// How long a link works, in hours.
const HOURS: i64 = 1;

/// Takes the wish; everything else happens in the background.
///
/// # Errors
/// 429 above the limit of the client; those of the store.
pub async fn ask(app: &App, email: Email, client: &str) -> Result<()> {
    limits::count(app, Limited::ResetByClient, client).await?;
    let app = app.clone();
    tokio::spawn(async move {
        if let Err(error) = send(&app, email).await {
            tracing::warn!(error = chain(&error), "no mail about a new password was queued");
        }
    });
    Ok(())
}

/// Queues the mail that fits the account, if any.
async fn send(app: &App, email: Email) -> Result<()> {
    let wanted = email.clone();
    let (standard, others) = app
        .store
        .read(|reader| {
            Box::pin(async move {
                Ok::<_, StoreError>((
                    reader.standard_account(&wanted).await?,
                    reader.accounts_by_email(&wanted).await?,
                ))
            })
        })
        .await?;
    let is_in = |account: &Account| matches!(account.status, Status::Active | Status::Invited);
    let (mail, prepared) = if let Some(account) = standard.filter(is_in) {
        let prepared = set_password::prepare(app, &account.id, SignedDuration::from_hours(HOURS))?;
        (reset_mail(app, &account, &email, &prepared)?, Some(prepared))
    } else if let Some(account) = others
        .into_iter()
        .find(|account| is_in(account) && account.authentication != Authentication::Standard)
    {
        (sso_mail(app, &account, &email).await?, None)
    } else {
        return Ok(());
    };
    // Above the limit nothing is sent, and nobody is told: the mails before are in the mailbox.
    if limits::count(app, Limited::ResetByAddress, &email.key())
        .await
        .is_err()
    {
        tracing::info!("no further mail about a new password within the hour");
        return Ok(());
    }
    let now = app.world.now();
    app.store
        .write(move |tx| {
            Box::pin(async move {
                if let Some(prepared) = prepared {
                    prepared.keep(tx).await?;
                }
                tx.record(NewEvent {
                    at: now,
                    kind: "account.password_reset_asked".to_owned(),
                    actor: provost_kernel::provision::Actor::Person.label(),
                    account: mail.account.clone(),
                    organization: None,
                    connection: None,
                    trace: None,
                    data: json!({ "mail": mail.id }),
                });
                tx.queue_mail(&mail, now).await
            })
        })
        .await
        .map_err(|error: StoreError| AppError::from(error))?;
    app.ring_mail();
    Ok(())
}

fn reset_mail(app: &App, account: &Account, email: &Email, prepared: &Prepared) -> Result<NewMail> {
    let values = [("hours", HOURS.to_string())];
    let link = prepared.url.expose_secret().to_owned();
    Ok(mail::new_mail(
        &app.world,
        Kind::PasswordReset,
        addressed(account, email),
        &values,
        Some(link),
    )?)
}

async fn sso_mail(app: &App, account: &Account, email: &Email) -> Result<NewMail> {
    let connection = match &account.authentication {
        Authentication::Sso { connection } => connection.clone(),
        Authentication::Standard => return Err(AppError::not_found()),
    };
    let record = app
        .store
        .read(|reader| Box::pin(async move { reader.connection(&connection).await }))
        .await
        .map_err(|error: StoreError| AppError::from(error))?;
    let name = record.map_or_else(String::new, |record| record.connection.name);
    Ok(mail::new_mail(
        &app.world,
        Kind::PasswordResetSso,
        addressed(account, email),
        &[("connection", name)],
        Some(app.config.url("/login")),
    )?)
}

fn addressed(account: &Account, email: &Email) -> Addressed {
    Addressed {
        email: account.email.clone().unwrap_or_else(|| email.clone()),
        name: account
            .given_name
            .clone()
            .or_else(|| account.display_name.clone()),
        organization: None,
        account: Some(account.id.clone()),
    }
}
