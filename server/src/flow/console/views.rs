//! Filters of the list of people that somebody keeps under a name, for herself.

use provost_kernel::id::{AccountId, OrganizationId};
use provost_store::StoreError;

use crate::app::App;
use crate::error::{AppError, Result};

/// Most views of one person in one organization.
const MOST: usize = 20;
/// Longest name.
const LONGEST: usize = 60;

/// Lists somebody's views, with their queries.
///
/// # Errors
/// Those of the store.
pub async fn list(
    app: &App,
    account: &AccountId,
    organization: &OrganizationId,
) -> Result<Vec<(String, String)>> {
    let (account, organization) = (account.clone(), organization.clone());
    app.store
        .read(|reader| Box::pin(async move { reader.views(&account, &organization).await }))
        .await
        .map_err(|error: StoreError| AppError::from(error))
}

/// Keeps a view under a name; one of the same name is replaced.
///
/// # Errors
/// 422 (`invalid_view`) for a name that cannot be, 409 (`too_many_views`); those of the store.
pub async fn keep(
    app: &App,
    account: &AccountId,
    organization: &OrganizationId,
    name: &str,
    query: String,
) -> Result<()> {
    let name = name.trim().to_owned();
    if name.is_empty() || name.chars().count() > LONGEST || name.chars().any(char::is_control) {
        return Err(AppError::unprocessable(
            "invalid_view",
            "A view needs a name of 1 to 60 characters.",
        ));
    }
    let known = list(app, account, organization).await?;
    if known.len() >= MOST && known.iter().all(|(other, _)| *other != name) {
        return Err(AppError::conflict(
            "too_many_views",
            "There are as many views as there may be. Delete one first.",
        ));
    }
    let (account, organization) = (account.clone(), organization.clone());
    app.store
        .write(move |tx| Box::pin(async move { tx.put_view(&account, &organization, &name, &query).await }))
        .await
        .map_err(|error: StoreError| AppError::from(error))
}

/// Forgets a view.
///
/// # Errors
/// Those of the store.
pub async fn forget(app: &App, account: &AccountId, organization: &OrganizationId, name: &str) -> Result<()> {
    let (account, organization, name) = (account.clone(), organization.clone(), name.to_owned());
    app.store
        .write(move |tx| Box::pin(async move { tx.delete_view(&account, &organization, &name).await }))
        .await
        .map_err(|error: StoreError| AppError::from(error))
}
