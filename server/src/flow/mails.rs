//! The history of mails, for admins: what went to whom, and whether it left.

use provost_kernel::email::Email;
use provost_kernel::id::{AccountId, OrganizationId};
use provost_store::{MailFilter, MailRecord, MailState, StoreError};

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::api_keys::Caller;

/// Which mails are wanted.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Of this organization; a caller of one organization sees its own only.
    pub organization: Option<OrganizationId>,
    /// About this account.
    pub account: Option<AccountId>,
    /// To this address.
    pub recipient: Option<Email>,
    /// In this state.
    pub state: Option<MailState>,
    /// Before this one.
    pub before: Option<String>,
}

/// Lists mails, newest first. A caller of one organization sees the mails of that organization only, so neither those of
/// another one to the same person nor those about her password.
///
/// # Errors
/// 404 for an organization out of sight; those of the store.
pub async fn list(app: &App, caller: &Caller, wanted: Wanted, limit: u32) -> Result<Vec<MailRecord>> {
    if let Some(organization) = &wanted.organization
        && !caller.sees(organization)
    {
        return Err(AppError::not_found());
    }
    let filter = MailFilter {
        organization: wanted.organization.or_else(|| caller.organization.clone()),
        account: wanted.account,
        recipient: wanted.recipient,
        state: wanted.state,
    };
    let found = app
        .store
        .read(|reader| Box::pin(async move { reader.mails(&filter, wanted.before.as_deref(), limit).await }))
        .await;
    found.map_err(|error: StoreError| error.into())
}

/// Finds one mail.
///
/// # Errors
/// 404 for one that does not exist or is out of sight; those of the store.
pub async fn one(app: &App, caller: &Caller, id: &str) -> Result<MailRecord> {
    let id = id.to_owned();
    let found = app
        .store
        .read(|reader| Box::pin(async move { reader.mail(&id).await }))
        .await
        .map_err(|error: StoreError| AppError::from(error))?;
    found
        .filter(|mail| caller.owns(mail.organization.as_ref()))
        .ok_or_else(AppError::not_found)
}
