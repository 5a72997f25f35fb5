//! Everybody of an organization who has not come yet, at once: invited again, or let in without.

use provost_kernel::directory::Status;
use provost_kernel::id::{AccountId, OrganizationId};
use provost_kernel::provision::Action;
use provost_store::{AccountFilter, InvitationFilter, StoreError};

use super::{Letter, invite_account, list};
use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::acting::{self, Wish};
use crate::flow::api_keys::Caller;
use crate::flow::mail;

/// Invitations or people looked at in one go.
const PORTION: u32 = 50;

/// How many invitations were sent anew, and how many were not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resent {
    /// Sent.
    pub sent: u32,
    /// Not sent: the person came in meanwhile, or the caller may not.
    pub skipped: u32,
}

/// Sends every pending invitation of an organization again.
///
/// # Errors
/// 404 for an organization out of sight; 409 (`mail_off`); those of the store.
pub async fn resend_pending(app: &App, caller: &Caller, organization: &OrganizationId) -> Result<Resent> {
    if !caller.sees(organization) {
        return Err(AppError::not_found());
    }
    mail::must_be_on(app)?;
    let mut resent = Resent::default();
    let mut before: Option<String> = None;
    loop {
        let filter = InvitationFilter {
            organization: Some(organization.clone()),
            account: None,
            is_pending: true,
            ..InvitationFilter::default()
        };
        let portion = list(app, caller, filter, before, PORTION).await?;
        let Some(last) = portion.last() else {
            return Ok(resent);
        };
        before = Some(last.id.clone());
        for invitation in portion {
            let Some(account) = invitation.account else {
                continue;
            };
            let letter = Letter::invitation(true);
            match invite_account(app, &caller.actor(), &account, organization, letter).await {
                Ok(_) => resent.sent += 1,
                Err(error) if error.status().is_client_error() => resent.skipped += 1,
                Err(error) => return Err(error),
            }
        }
    }
}

/// How many people were let in, and how many were not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Activated {
    /// Let in.
    pub activated: u32,
    /// Not: the person came in meanwhile, or the caller may not.
    pub skipped: u32,
}

/// Lets everybody in who is invited and has not come yet. Their links stop meaning anything; who signs in through a
/// provider just does, and who has a password account asks for a password.
///
/// # Errors
/// 404 for an organization out of sight; those of the store.
pub async fn activate_pending(
    app: &App,
    caller: &Caller,
    organization: &OrganizationId,
) -> Result<Activated> {
    if !caller.sees(organization) {
        return Err(AppError::not_found());
    }
    let filter = AccountFilter {
        organization: Some(organization.clone()),
        status: Some(Status::Invited),
        ..AccountFilter::default()
    };
    let mut outcome = Activated::default();
    let mut after: Option<AccountId> = None;
    loop {
        let (filter, from) = (filter.clone(), after.take());
        let portion = app
            .store
            .read(|reader| {
                Box::pin(async move { reader.accounts_where(&filter, from.as_ref(), PORTION).await })
            })
            .await
            .map_err(|error: StoreError| AppError::from(error))?;
        let Some(last) = portion.last() else {
            return Ok(outcome);
        };
        after = Some(last.account.id.clone());
        for known in portion {
            let action = Action::SetStatus {
                account: known.account.id,
                to: Status::Active,
            };
            match acting::attempt(app, Wish::new(caller.actor(), action)).await? {
                Ok(acted) if acted.is_change() => outcome.activated += 1,
                Ok(_) | Err(_) => outcome.skipped += 1,
            }
        }
    }
}
