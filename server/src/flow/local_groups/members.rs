//! Who is in a local group: listing, putting in, taking out. Each is a wish about one membership, judged by the kernel.

use provost_kernel::facts::AccountFacts;
use provost_kernel::id::{AccountId, GroupId, OrganizationId};
use provost_kernel::provision::{Action, GrantEdit};
use provost_store::StoreError;

use super::find;
use crate::app::App;
use crate::error::Result;
use crate::flow::acting::{self, Acted, Wish};
use crate::flow::api_keys::Caller;

/// Lists the members of a group by account, after one. What they hold elsewhere is left out.
///
/// # Errors
/// 404 for a group out of sight; those of the store.
pub async fn list(
    app: &App,
    caller: &Caller,
    organization: &str,
    group: &str,
    after: Option<String>,
    limit: u32,
) -> Result<Vec<AccountFacts>> {
    let group = find(app, caller, organization, group).await?.row.group;
    let after = after.map(AccountId::new);
    let found: std::result::Result<Vec<AccountFacts>, StoreError> = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let ids = reader
                    .local_group_members(&group.id, after.as_ref(), limit)
                    .await?;
                let mut members = reader.account_facts(&ids).await?;
                members.sort_by(|one, other| one.account.id.cmp(&other.account.id));
                for member in &mut members {
                    member
                        .memberships
                        .retain(|held| held.organization == group.organization);
                }
                Ok(members)
            })
        })
        .await;
    Ok(found?)
}

/// What can be done with one person and a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Puts her in.
    Add,
    /// Takes her out.
    Remove,
}

/// Puts a wish together.
pub fn wish(caller: &Caller, organization: &str, group: &str, account: &str, step: Step) -> Wish {
    let group = GroupId::new(group);
    let edit = match step {
        Step::Add => GrantEdit::JoinGroup { group },
        Step::Remove => GrantEdit::LeaveGroup { group, keep: false },
    };
    let action = Action::EditMembership {
        account: AccountId::new(account),
        organization: OrganizationId::new(organization),
        edits: vec![edit],
    };
    Wish::new(caller.actor(), action)
}

/// Puts a member of the organization into a group, or takes her out. Doing it twice changes nothing.
///
/// # Errors
/// 404 for a group or person out of sight; 403 (`not_permitted`); 409 (`last_owner`, `last_emergency_admin`, `deleted`); 422
/// (`unknown_member`) for who is no member of the organization; those of the store.
pub async fn act(
    app: &App,
    caller: &Caller,
    organization: &str,
    group: &str,
    account: &str,
    step: Step,
) -> Result<Acted> {
    find(app, caller, organization, group).await?;
    if step == Step::Remove {
        // Of somebody who is no member nothing can be taken, and no membership shall come to be by that.
        crate::flow::memberships::must_be_member(app, caller, organization, account).await?;
    }
    let acted = acting::act(app, wish(caller, organization, group, account, step)).await?;
    app.ring_jobs();
    Ok(acted)
}
