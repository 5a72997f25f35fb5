//! The connections that a demand for single sign-on relies on: one that is switched on, serves these people and is proved. Owns the
//! law that such a demand never stands without one, whichever of the two changes last.

use axum::http::StatusCode;
use provost_kernel::entitlement::Feature;
use provost_kernel::id::{ConnectionId, OrganizationId};
use provost_store::{ConnectionSummary, Demand, Reader, StoreError, Tx};

use super::Missing;
use crate::error::AppError;
use crate::flow::entitlements::Plan;

/// Why a connection is not switched off, taken away or kept from serving somebody.
pub const LAST_CONNECTION: &str = "last_connection";

/// What to do about it, as a sentence.
pub const LAST_CONNECTION_TEXT: &str = "Single sign-on is demanded of people whom this connection serves, and no other connection that \
                                        is proved by a sign-in serves them: end the demand, or sign in through another one first.";

/// Connections read at once.
const PAGE: u32 = 100;

/// The connections that are switched on and serve an organization, or a domain, and that the plan of their owner includes.
async fn of(
    reader: &mut Reader,
    organization: &OrganizationId,
    domain: Option<&str>,
) -> Result<Vec<ConnectionSummary>, StoreError> {
    let mut serving = match domain {
        Some(domain) => reader.connections_for_domain(domain).await?,
        None => reader.connections_for_organization(organization).await?,
    };
    serving.retain(|connection| connection.enabled);
    let mut included = Vec::with_capacity(serving.len());
    for connection in serving {
        if is_included(reader, connection.organization.as_ref()).await? {
            included.push(connection);
        }
    }
    Ok(included)
}

/// Tells whether the plan of whoever owns a connection lets people sign in through it.
async fn is_included(reader: &mut Reader, owner: Option<&OrganizationId>) -> Result<bool, StoreError> {
    let Some(owner) = owner else { return Ok(true) };
    let record = reader.organization(owner).await?;
    Ok(record.is_some_and(|record| Plan::of(&record.settings).entitlements.includes(Feature::Sso)))
}

/// Keeps the connections as they are until the transaction ends.
pub(super) async fn hold_in_tx(
    tx: &mut Tx,
    organization: &OrganizationId,
    domain: Option<&str>,
) -> Result<(), StoreError> {
    let serving = of(tx, organization, domain).await?;
    let ids: Vec<ConnectionId> = serving.into_iter().map(|connection| connection.id).collect();
    tx.lock_connections(&ids).await
}

/// Says what is missing of connections.
pub(super) async fn missing(
    reader: &mut Reader,
    organization: &OrganizationId,
    domain: Option<&str>,
) -> Result<Option<Missing>, StoreError> {
    let serving = of(reader, organization, domain).await?;
    for summary in &serving {
        let Some(record) = reader.connection(&summary.id).await? else {
            continue;
        };
        let proof = reader.last_admitted(&summary.id, record.updated_at).await?;
        if proof.is_some() {
            return Ok(None);
        }
    }
    Ok(Some(if serving.is_empty() {
        Missing::Connection
    } else {
        Missing::TestSignIn
    }))
}

/// Lists the demands on all connections of an organization whose plan shall not include single sign-on any more, and keeps them as
/// they are until the transaction ends. None if the plan goes on including it, or did not.
///
/// # Errors
/// Those of the store.
pub async fn hold_before_plan_in_tx(
    tx: &mut Tx,
    owner: &OrganizationId,
    (before, after): (&Plan, &Plan),
) -> Result<Vec<Demand>, StoreError> {
    let includes = |plan: &Plan| plan.entitlements.includes(Feature::Sso);
    let mut demands = Vec::new();
    if !includes(before) || includes(after) {
        return Ok(demands);
    }
    let mut last: Option<ConnectionId> = None;
    loop {
        let page = tx.connections_owned_by(owner, last.as_ref(), PAGE).await?;
        let Some(end) = page.last() else {
            return Ok(demands);
        };
        last = Some(end.connection.id.clone());
        for record in page.iter().filter(|record| record.connection.enabled) {
            demands.extend(tx.hold_demands_on(&record.connection.id).await?);
        }
    }
}

/// Tells whether one of the demands that a connection was there for is in force and has no proved connection any more. The demands
/// are those that [`Tx::hold_demands_on`] found before the change.
///
/// # Errors
/// Those of the store.
pub async fn is_lost_in_tx(tx: &mut Tx, demands: &[Demand]) -> Result<bool, StoreError> {
    for demand in demands {
        if tx.is_demanded(demand).await?
            && missing(tx, &demand.organization, demand.domain.as_deref())
                .await?
                .is_some()
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The refusal, for whoever ends one connection.
pub fn refused() -> AppError {
    AppError::new(StatusCode::CONFLICT, LAST_CONNECTION, LAST_CONNECTION_TEXT)
}
