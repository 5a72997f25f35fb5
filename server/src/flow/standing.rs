//! Lets only those who manage an organization's people begin what concerns many of them at once (R-87, C-26). Judged by the
//! kernel; a refusal is kept with its trace.

use provost_kernel::facts::Facts;
use provost_kernel::id::OrganizationId;
use provost_kernel::plan::Verdict;
use provost_kernel::provision::standing;
use provost_store::StoreError;

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::api_keys::Caller;

/// Refuses whoever does not manage the people of an organization. `what` is wanted, as a clause.
///
/// # Errors
/// 403 (`not_permitted`), 404 for an organization out of sight, both with a trace; those of the store.
pub async fn must_manage(
    app: &App,
    caller: &Caller,
    organization: &OrganizationId,
    what: &str,
) -> Result<()> {
    let (actor, fresh, now) = (caller.actor(), app.world.fresh()?.0, app.world.now());
    let need = standing::need(&actor, organization);
    let facts: Facts = app
        .store
        .read(|reader| Box::pin(async move { reader.facts(&need).await }))
        .await
        .map_err(|error: StoreError| AppError::from(error))?;
    let decision = standing::decide(&actor, organization, what, &facts, &fresh, now);
    let Verdict::Refused(denial) = decision.verdict else {
        return Ok(());
    };
    let trace = decision.trace.id.clone();
    app.store
        .write(move |tx| Box::pin(async move { tx.apply(&decision, &actor, now).await }))
        .await
        .map_err(|error: StoreError| AppError::from(error))?;
    Err(AppError::denied(denial).with_trace(&trace))
}
