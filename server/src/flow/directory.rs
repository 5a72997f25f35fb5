//! Reading organizations, accounts, memberships and connections for the API, within the bounds of the caller.
//!
//! What a caller may not see is answered like what does not exist.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use provost_kernel::directory::Status;
use provost_kernel::facts::{AccountFacts, Need, OrganizationFacts, OrganizationsNeeded};
use provost_kernel::id::{AccountId, ConnectionId, OrganizationId};
use provost_store::{AccountFilter, ConnectionRecord, OrganizationRecord, StoreError};

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::api_keys::Caller;

/// Lists organizations by id, after one. A key of one organization sees just that.
///
/// # Errors
/// Those of the store.
pub async fn organizations(
    app: &App,
    caller: &Caller,
    after: Option<String>,
    limit: u32,
) -> Result<Vec<OrganizationRecord>> {
    let after = after.map(OrganizationId::new);
    let own = caller.organization.clone();
    let found = app
        .store
        .read(|reader| {
            Box::pin(async move {
                match own {
                    None => reader.organizations(after.as_ref(), limit).await,
                    Some(own) if after.as_ref().is_some_and(|after| *after >= own) => Ok(Vec::new()),
                    Some(own) => Ok(reader.organization(&own).await?.into_iter().collect()),
                }
            })
        })
        .await?;
    Ok(found)
}

/// Finds an organization with what it hands out.
///
/// # Errors
/// 404; those of the store.
pub async fn organization(app: &App, caller: &Caller, id: &str) -> Result<OrganizationFacts> {
    let id = OrganizationId::new(id);
    if !caller.sees(&id) {
        return Err(AppError::not_found());
    }
    let need = Need {
        organizations: OrganizationsNeeded::Ids(vec![id]),
        ..Need::default()
    };
    let facts = app
        .store
        .read(|reader| Box::pin(async move { reader.facts(&need).await }))
        .await?;
    facts
        .organizations
        .into_iter()
        .next()
        .ok_or_else(AppError::not_found)
}

/// Lists the members of an organization by account, after one.
///
/// # Errors
/// 404 for an organization out of sight; those of the store.
pub async fn members(
    app: &App,
    caller: &Caller,
    organization: &str,
    after: Option<String>,
    limit: u32,
) -> Result<Vec<AccountFacts>> {
    let id = OrganizationId::new(organization);
    if !caller.sees(&id) {
        return Err(AppError::not_found());
    }
    let after = after.map(AccountId::new);
    let found = app
        .store
        .read(|reader| {
            Box::pin(async move {
                if reader.organization(&id).await?.is_none() {
                    return Ok(None);
                }
                reader.members(&id, after.as_ref(), limit).await.map(Some)
            })
        })
        .await?;
    found.ok_or_else(AppError::not_found)
}

/// Lists accounts by id, after one, that a filter wants: of all, or of the members of the key's own organization. With
/// when they last signed in.
///
/// # Errors
/// 404 for an organization out of sight; those of the store.
pub async fn search(
    app: &App,
    caller: &Caller,
    mut filter: AccountFilter,
    after: Option<String>,
    limit: u32,
) -> Result<(Vec<AccountFacts>, BTreeMap<AccountId, Timestamp>)> {
    if filter
        .organization
        .as_ref()
        .is_some_and(|wanted| !caller.sees(wanted))
    {
        return Err(AppError::not_found());
    }
    if caller.organization.is_some() {
        filter.organization.clone_from(&caller.organization);
    }
    let after = after.map(AccountId::new);
    let found: Result<_, StoreError> = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let found = reader.accounts_where(&filter, after.as_ref(), limit).await?;
                let ids: Vec<AccountId> = found.iter().map(|facts| facts.account.id.clone()).collect();
                let seen = reader.last_sign_ins(&ids).await?;
                Ok((found, seen))
            })
        })
        .await;
    Ok(found?)
}

/// Returns when an account last signed in, as far as that is known.
///
/// # Errors
/// Those of the store.
pub async fn last_sign_in(app: &App, account: &AccountId) -> Result<Option<Timestamp>> {
    let id = account.clone();
    let seen = app
        .store
        .read(|reader| Box::pin(async move { reader.last_sign_ins(&[id]).await }))
        .await?;
    Ok(seen.into_values().next())
}

/// Finds an account that the caller may see: any, or a member of the key's own organization.
///
/// # Errors
/// 404; those of the store.
pub async fn account(app: &App, caller: &Caller, id: &str) -> Result<AccountFacts> {
    let id = AccountId::new(id);
    let found = app
        .store
        .read(|reader| Box::pin(async move { reader.account_facts(&[id]).await }))
        .await?;
    found
        .into_iter()
        .find(|facts| is_visible(facts, caller))
        .ok_or_else(AppError::not_found)
}

/// Tells whether a caller may know of an account.
pub fn is_visible(facts: &AccountFacts, caller: &Caller) -> bool {
    caller.organization.is_none()
        || facts
            .memberships
            .iter()
            .any(|held| caller.sees(&held.organization))
}

/// Days after which somebody who came in just in time is looked over, where nothing else is said.
pub const STALE_DAYS: u32 = 90;
/// Most days.
const STALE_DAYS_MOST: u32 = 3650;

/// Lists active members who came in just in time and have not been seen for some days: no provider tells when they
/// leave. With when they last signed in, as far as that is known.
///
/// # Errors
/// `invalid_query` for days that cannot be; 404 for an organization out of sight; those of the store.
pub async fn stale(
    app: &App,
    caller: &Caller,
    organization: &str,
    days: u32,
    after: Option<String>,
    limit: u32,
) -> Result<(Vec<AccountFacts>, BTreeMap<AccountId, Timestamp>)> {
    if !(1..=STALE_DAYS_MOST).contains(&days) {
        return Err(AppError::bad_request("invalid_query", "`days` is 1 to 3650."));
    }
    let id = OrganizationId::new(organization);
    let since = app
        .world
        .now()
        .checked_sub(SignedDuration::from_hours(24 * i64::from(days)))
        .map_err(AppError::internal)?;
    self::organization(app, caller, organization).await?;
    let filter = AccountFilter {
        organization: Some(id),
        status: Some(Status::Active),
        not_signed_in_since: Some(since),
        created_before: Some(since),
        just_in_time: true,
        ..AccountFilter::default()
    };
    search(app, caller, filter, after, limit).await
}

/// Lists connections by id, after one: all, or those that the key's own organization owns.
///
/// # Errors
/// Those of the store.
pub async fn connections(
    app: &App,
    caller: &Caller,
    after: Option<String>,
    limit: u32,
) -> Result<Vec<ConnectionRecord>> {
    let after = after.map(ConnectionId::new);
    let own = caller.organization.clone();
    let found = app
        .store
        .read(|reader| {
            Box::pin(async move {
                match own {
                    None => reader.connections(after.as_ref(), limit).await,
                    Some(own) => reader.connections_owned_by(&own, after.as_ref(), limit).await,
                }
            })
        })
        .await?;
    Ok(found)
}

/// Finds a connection that is the caller's own.
///
/// # Errors
/// 404; those of the store.
pub async fn connection(app: &App, caller: &Caller, id: &str) -> Result<ConnectionRecord> {
    let id = ConnectionId::new(id);
    let found = app
        .store
        .read(|reader| Box::pin(async move { reader.connection(&id).await }))
        .await?;
    found
        .filter(|record| caller.owns(record.connection.owner()))
        .ok_or_else(AppError::not_found)
}
