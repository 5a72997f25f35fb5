//! The ids of all organizations, kept for one revision: policies that cannot be turned round look at each of them, and
//! that must not load the organizations themselves. Never decides who is admitted.

use std::sync::Arc;

use provost_kernel::facts::{Need, OrganizationsNeeded};
use provost_kernel::id::OrganizationId;
use provost_kernel::incoming::Incoming;
use provost_kernel::login;
use provost_kernel::mapping::InForce;
use provost_store::{StoreError, Tx};

use crate::cache::Versioned;

/// The cache of ids.
pub type OrganizationIds = Versioned<(), Vec<OrganizationId>>;

/// Creates the cache.
pub fn cache() -> OrganizationIds {
    Versioned::new(1)
}

/// Says what must be loaded to decide a sign-in, in single organizations wherever that is possible.
///
/// # Errors
/// `engine`.
pub async fn need_in_tx(
    ids: &OrganizationIds,
    tx: &mut Tx,
    incoming: &Incoming,
    in_force: &InForce,
) -> Result<Need, StoreError> {
    let mut need = login::need(incoming, in_force);
    if need.organizations == OrganizationsNeeded::All {
        let every = all_in_tx(ids, tx).await?;
        login::narrow(&mut need, incoming, in_force, &every);
    }
    Ok(need)
}

/// Returns the ids of all organizations.
///
/// # Errors
/// `engine`.
pub async fn all_in_tx(ids: &OrganizationIds, tx: &mut Tx) -> Result<Arc<Vec<OrganizationId>>, StoreError> {
    let revision = tx.revision("organizations").await?;
    ids.get(&(), revision, tx.organization_ids()).await
}
