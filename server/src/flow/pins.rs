//! Pinning a membership so that no rule changes it, and returning it to the rules (C-07). A decision of the kernel.

use provost_kernel::facts::AccountFacts;
use provost_kernel::id::{AccountId, OrganizationId};
use provost_kernel::provision::{Action, GrantEdit};

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::acting::{self, Wish};
use crate::flow::api_keys::Caller;
use crate::flow::directory;

/// Pins or unpins a membership and returns the account as it is then.
///
/// # Errors
/// 404 for a membership that does not exist or is out of sight; 403 (`not_permitted`) for an owner, with a key of one
/// organization; those of the store.
pub async fn set(
    app: &App,
    caller: &Caller,
    organization: &str,
    account: &str,
    pinned: bool,
) -> Result<AccountFacts> {
    let organization = OrganizationId::new(organization);
    let known = directory::account(app, caller, account).await?;
    let is_member = known
        .memberships
        .iter()
        .any(|held| held.organization == organization);
    if !caller.sees(&organization) || !is_member {
        return Err(AppError::not_found());
    }
    let edit = if pinned {
        GrantEdit::Pin
    } else {
        GrantEdit::ReturnToAutomatic
    };
    let action = Action::EditMembership {
        account: AccountId::new(account),
        organization,
        edits: vec![edit],
    };
    acting::act(app, Wish::new(caller.actor(), action)).await?;
    directory::account(app, caller, account).await
}
