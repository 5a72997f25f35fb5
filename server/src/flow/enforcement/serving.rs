//! The connections that a demand for single sign-on relies on: one that is switched on, serves these people and is proved. Owns the
//! law that such a demand never stands without one, whichever of the two changes last.

use axum::http::StatusCode;
use provost_kernel::id::{ConnectionId, OrganizationId};
use provost_store::{ConnectionSummary, Demand, Reader, StoreError, Tx};

use super::Missing;
use crate::error::AppError;

/// Why a connection is not switched off, taken away or kept from serving somebody.
pub const LAST_CONNECTION: &str = "last_connection";

/// What to do about it, as a sentence.
pub const LAST_CONNECTION_TEXT: &str = "Single sign-on is demanded of people whom this connection serves, and no other connection that \
                                        is proved by a sign-in serves them: end the demand, or sign in through another one first.";

/// The connections that are switched on and serve an organization, or a domain.
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
    Ok(serving)
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
