//! Drift: what rules would change in memberships that a hand edit holds (C-07), computed from what was last
//! heard of people: their last claims, or what a directory pushed. Writes nothing.

use std::collections::BTreeMap;

use provost_kernel::connection::{Connection, Provisioning};
use provost_kernel::directory::Authentication;
use provost_kernel::facts::AccountFacts;
use provost_kernel::id::{AccountId, OrganizationId};
use provost_kernel::trace::Drift;
use provost_store::{LastClaims, StoreError};

use super::{Policies, trial, trial_push};
use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::api_keys::Caller;
use crate::flow::claims;

/// Members looked at for one page; few of them are pinned as a rule.
const LOOKED_AT: u32 = 500;

/// A member for whom the rules would decide otherwise.
#[derive(Clone, Debug)]
pub struct Drifting {
    /// The account.
    pub account: AccountFacts,
    /// Through which connection the person came last.
    pub connection: String,
    /// What the rules would change.
    pub drift: Drift,
}

/// A piece of the list.
#[derive(Clone, Debug, Default)]
pub struct Piece {
    /// Members for whom the rules would decide otherwise.
    pub items: Vec<Drifting>,
    /// Where to go on; none at the end.
    pub next: Option<AccountId>,
}

/// Looks at the members of an organization after one, and returns those who drift.
///
/// # Errors
/// 404 for an organization out of sight; those of the store.
pub async fn list(
    app: &App,
    caller: &Caller,
    organization: &str,
    after: Option<String>,
    limit: u32,
) -> Result<Piece> {
    let id = OrganizationId::new(organization);
    if !caller.sees(&id) {
        return Err(AppError::not_found());
    }
    let (wanted, after) = (id.clone(), after.map(AccountId::new));
    let members = app
        .store
        .read(|reader| {
            Box::pin(async move {
                if reader.organization(&wanted).await?.is_none() {
                    return Ok(None);
                }
                reader.members(&wanted, after.as_ref(), LOOKED_AT).await.map(Some)
            })
        })
        .await?
        .ok_or_else(AppError::not_found)?;
    let is_full = u32::try_from(members.len()).is_ok_and(|count| count >= LOOKED_AT);
    let end = members
        .last()
        .map(|last| last.account.id.clone())
        .filter(|_| is_full);
    let mut connections: BTreeMap<String, Connection> = BTreeMap::new();
    let mut piece = Piece {
        items: Vec::new(),
        next: end,
    };
    for member in members.into_iter().filter(|member| is_held(member, &id)) {
        let at = member.account.id.clone();
        if let Some(found) = of_member(app, &mut connections, member, &id).await? {
            piece.items.push(found);
        }
        if u32::try_from(piece.items.len()).is_ok_and(|count| count >= limit) {
            piece.next = Some(at);
            break;
        }
    }
    Ok(piece)
}

/// Tells whether the rules would change anything at all.
pub const fn is_drift(drift: &Drift) -> bool {
    !(drift.admits && drift.edits.is_empty())
}

/// Tells whether anything of a membership is held by hand.
fn is_held(member: &AccountFacts, organization: &OrganizationId) -> bool {
    member
        .memberships
        .iter()
        .filter(|held| held.organization == *organization)
        .any(|held| {
            held.pinned
                || held.roles.iter().any(|grant| grant.pinned)
                || held.workspaces.iter().any(|grant| grant.pinned)
                || held.license.as_ref().is_some_and(|license| license.pinned)
        })
}

async fn of_member(
    app: &App,
    connections: &mut BTreeMap<String, Connection>,
    member: AccountFacts,
    organization: &OrganizationId,
) -> Result<Option<Drifting>> {
    let Authentication::Sso { connection } = &member.account.authentication else {
        return Ok(None);
    };
    let (id, account) = (connection.clone(), member.account.id.clone());
    let known = connections.get(id.as_str()).cloned();
    let (last, record): (Option<LastClaims>, Option<Connection>) = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let last = reader.last_claims(&id, &account).await?;
                let record = match known {
                    Some(known) => Some(known),
                    None => reader.connection(&id).await?.map(|record| record.connection),
                };
                Ok::<_, StoreError>((last, record))
            })
        })
        .await?;
    let Some(record) = record else {
        return Ok(None);
    };
    connections.insert(record.id.as_str().to_owned(), record.clone());
    let in_force = Policies::of(&record).compile(&record)?;
    let decision = if record.provisioning == Provisioning::Scim {
        let decided = trial_push::known(app, member.account.id.clone(), in_force).await?;
        decided.map(|(decision, _)| decision)
    } else {
        match last.and_then(|last| claims::read_back(&record.id, &last.claims)) {
            Some(incoming) => Some(trial::decide(app, incoming, in_force).await?),
            None => None,
        }
    };
    let Some(decision) = decision else {
        return Ok(None);
    };
    let found = decision
        .trace
        .drifts()
        .find(|(id, drift)| *id == organization && is_drift(drift))
        .map(|(_, drift)| drift.clone());
    Ok(found.map(|drift| Drifting {
        account: member,
        connection: record.id.as_str().to_owned(),
        drift,
    }))
}
