//! Reminds those who have not signed in through the connection yet, once a day at most.

use provost_kernel::id::AccountId;
use provost_kernel::provision::ConversionMode;
use provost_store::{ConversionRow, ConversionRowFilter, ConversionRowState, StoreError};

use super::{Standing, find, reminder_due, rows, run, wrong_state};
use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::api_keys::Caller;
use crate::flow::invitations::{self, Letter};
use crate::flow::mail::{self, Addressed, Kind};
use crate::flow::standing;

/// How many people were reminded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reminded {
    /// Reminded now.
    pub reminded: u32,
    /// Not reminded: signed in meanwhile, or taken out.
    pub skipped: u32,
}

/// Sends a reminder, with a new link, to everybody who has not signed in yet and was not reminded within a day.
///
/// # Errors
/// 404; 409 (`mail_off`, `wrong_state` for a run that was taken back); those of the store.
pub async fn remind(app: &App, caller: &Caller, id: &str) -> Result<Reminded> {
    let standing = find(app, caller, id).await?;
    let what = "remind people to sign in through their provider";
    standing::must_manage(app, caller, &standing.run.organization, what).await?;
    mail::must_be_on(app)?;
    if matches!(
        standing.run.state,
        provost_store::ConversionState::Undoing | provost_store::ConversionState::Undone
    ) {
        return Err(wrong_state());
    }
    let filter = ConversionRowFilter {
        state: Some(ConversionRowState::Invited),
        signed_in: Some(false),
        not_reminded_since: Some(reminder_due(app.world.now())),
    };
    let mut outcome = Reminded::default();
    let mut after: Option<AccountId> = None;
    loop {
        let portion = rows(app, caller, id, filter.clone(), after, 50).await?;
        let Some(last) = portion.last() else {
            return Ok(outcome);
        };
        after = Some(last.account.clone());
        for row in portion {
            if remind_one(app, caller, &standing, &row).await? {
                outcome.reminded += 1;
            } else {
                outcome.skipped += 1;
            }
        }
    }
}

async fn remind_one(app: &App, caller: &Caller, standing: &Standing, row: &ConversionRow) -> Result<bool> {
    let Some(account) = row.converted.clone() else {
        return Ok(false);
    };
    let run = &standing.run;
    if run.mode == ConversionMode::Additional {
        let letter = Letter::Send(Kind::ConversionReminder);
        match invitations::invite_account(app, &caller.actor(), &account, &run.organization, letter).await {
            Ok(_) => {}
            Err(error) if error.status().is_client_error() => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    let (run, row, now) = (run.clone(), row.clone(), app.world.now());
    let id = app.world.id("mail_")?;
    let link = row
        .email
        .as_ref()
        .map(|email| run::sign_in_link(app, &run, email.as_str()));
    let days = app.defaults.invitation_days().to_string();
    let written: Result<(), StoreError> = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                tx.note_reminder(&run.id, &row.account, now).await?;
                let (ConversionMode::InPlace, Some(email)) = (run.mode, row.email) else {
                    return Ok(());
                };
                let name = tx.connection(&run.connection).await?;
                let name = name.map_or_else(String::new, |record| record.connection.name);
                let to = Addressed {
                    email,
                    name: None,
                    organization: Some(run.organization.clone()),
                    account: Some(account),
                };
                let values = [("connection", name), ("days", days)];
                let mail = mail::written(id, Kind::ConversionReminder, to, &values, link);
                tx.queue_mail(&mail, now).await
            })
        })
        .await;
    written.map_err(AppError::from)?;
    app.ring_mail();
    Ok(true)
}
