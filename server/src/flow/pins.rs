//! Pinning a membership so that no rule changes it, and returning it to the rules (C-07). A decision of the kernel.

use provost_kernel::denial::Denial;
use provost_kernel::facts::AccountFacts;
use provost_kernel::id::{AccountId, OrganizationId};
use provost_kernel::plan::Verdict;
use provost_kernel::provision::{self, Action, GrantEdit, Request};
use provost_store::StoreError;

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::api_keys::Caller;
use crate::flow::directory;

/// How often a decision is made anew when others wrote in between.
const TRIES: u32 = 5;

/// Why no pin was set.
enum Failed {
    Store(StoreError),
    Denied(Denial),
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

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
    let request = Request {
        actor: caller.actor(),
        action: Action::EditMembership {
            account: AccountId::new(account),
            organization,
            edits: vec![edit],
        },
    };
    for _ in 0..TRIES {
        match write(app, request.clone()).await {
            Ok(()) => return directory::account(app, caller, account).await,
            Err(Failed::Store(error)) if error.is_retryable() => {}
            Err(Failed::Store(error)) => return Err(error.into()),
            Err(Failed::Denied(Denial::NotFound)) => return Err(AppError::not_found()),
            Err(Failed::Denied(denial)) => {
                return Err(AppError::forbidden(
                    denial.code(),
                    "This key may not change this membership.",
                ));
            }
        }
    }
    Err(AppError::unavailable("the membership changed under every try"))
}

async fn write(app: &App, request: Request) -> Result<(), Failed> {
    let now = app.world.now();
    let (fresh, _) = app
        .world
        .fresh()
        .map_err(|_| Failed::Store(StoreError::Refused("no randomness")))?;
    app.store
        .write(move |tx| {
            Box::pin(async move {
                let facts = tx.facts(&provision::need(&request)).await?;
                let decision = provision::decide(&request, &facts, None, &fresh, now);
                if let Verdict::Refused(denial) = decision.verdict {
                    return Err(Failed::Denied(denial));
                }
                tx.apply(&decision, &request.actor, now).await?;
                Ok(())
            })
        })
        .await
}
