//! The audit log and the jobs, as callers may see them: reading, exporting, verifying the hash chains.

use jiff::Timestamp;
use provost_kernel::entitlement::Feature;
use provost_kernel::id::OrganizationId;
use provost_store::{AuditFilter, AuditOrder, AuditRow, JobSight, StoreError};

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::api_keys::Caller;
use crate::flow::entitlements;

/// Bounds a filter to what the caller may see: a key of one organization reads that organization's log.
///
/// # Errors
/// 404 for another organization's.
pub fn bounded(caller: &Caller, mut filter: AuditFilter) -> Result<AuditFilter> {
    if let Some(wanted) = &filter.organization
        && !caller.sees(wanted)
    {
        return Err(AppError::not_found());
    }
    if let Some(own) = &caller.organization {
        filter.organization = Some(own.clone());
    }
    Ok(filter)
}

/// Lets an organization itself take its log away only if its plan includes that. Operators go on.
///
/// # Errors
/// 403 (`entitlement_missing`); those of the store.
pub async fn may_export(app: &App, caller: &Caller) -> Result<()> {
    entitlements::require(app, caller, Feature::AuditExport).await
}

/// Reads a page of a bounded filter.
///
/// # Errors
/// Those of the store.
pub async fn page(
    app: &App,
    filter: AuditFilter,
    order: AuditOrder,
    limit: u32,
) -> Result<Vec<AuditRow>, StoreError> {
    app.store
        .read(|reader| {
            Box::pin(async move {
                let rows = reader.audit_where(&filter, order, limit).await?;
                // Evidence that is taken away is never of what a crash takes back.
                reader.written_down().await?;
                Ok(rows)
            })
        })
        .await
}

/// What verifying one chain found.
#[derive(Debug)]
pub struct Verified {
    /// Whose; none for the instance's.
    pub organization: Option<OrganizationId>,
    /// Rows, or what is wrong.
    pub rows: Result<i64, StoreError>,
}

/// Recomputes the hash chains: of one organization, or of all and the instance.
///
/// # Errors
/// Those of the store, but for damage, which is told of each chain.
pub async fn verify(app: &App, only: Option<OrganizationId>) -> Result<Vec<Verified>, StoreError> {
    let chains = match only {
        Some(organization) => vec![Some(organization)],
        None => {
            app.store
                .snapshot(|reader| Box::pin(async move { reader.audit_chains().await }))
                .await?
        }
    };
    let mut verified = Vec::with_capacity(chains.len());
    for organization in chains {
        let chain = organization.clone();
        let rows = app
            .store
            .snapshot(move |reader| Box::pin(async move { reader.verify_audit(chain.as_ref()).await }))
            .await;
        match rows {
            Ok(_) | Err(StoreError::Corrupt(_)) => verified.push(Verified { organization, rows }),
            Err(error) => return Err(error),
        }
    }
    Ok(verified)
}

/// Lists jobs, newest first. They belong to the instance.
///
/// # Errors
/// 403 (`instance_key_needed`) with a key of one organization; those of the store.
pub async fn jobs(
    app: &App,
    caller: &Caller,
    kind: Option<String>,
    before: Option<(Timestamp, String)>,
    limit: u32,
) -> Result<Vec<JobSight>> {
    caller.must_be_of_instance()?;
    let found: Result<_, StoreError> = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let before = before.as_ref().map(|(at, id)| (*at, id.as_str()));
                reader.jobs(kind.as_deref(), before, limit).await
            })
        })
        .await;
    Ok(found?)
}
