//! Drift: what rules would change in memberships that a hand edit holds (C-07), judged from what was last heard of people: their
//! last claims, or what a directory pushed. Pages read what was noted. Judging is work in the background: of somebody who was
//! edited, signed in or was pushed, and of everybody whom a hand edit holds after the connection's rules changed, and once a day.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use provost_kernel::connection::{Connection, Provisioning};
use provost_kernel::directory::{Authentication, Membership};
use provost_kernel::facts::AccountFacts;
use provost_kernel::id::{AccountId, ConnectionId, OrganizationId};
use provost_kernel::trace::Drift;
use provost_store::{DriftAsk, DriftRow, DriftSight, DriftWalk, LastClaims, StoreError, Tx};
use tokio::time::Instant;

use super::{Policies, trial, trial_push};
use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::api_keys::Caller;
use crate::flow::claims;

/// People looked at before what was found is written.
const PORTION: u32 = 100;
/// Walks looked at in one go.
const WALKS: u32 = 50;
/// How long one job looks at people; shorter than the time until the next one.
const BUDGET: Duration = Duration::from_secs(10);
/// After how many hours everybody is looked at again, because something else may have changed what rules say.
const AGAIN_HOURS: i64 = 24;

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
    /// What the list relies on.
    pub sight: DriftSight,
}

/// Lists the members of an organization who were found to drift, by account, after one.
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
    let (rows, known, sight) = app
        .store
        .read(|reader| {
            Box::pin(async move {
                if reader.organization(&wanted).await?.is_none() {
                    return Ok(None);
                }
                let rows = reader
                    .drifts(&wanted, after.as_ref(), limit.saturating_add(1))
                    .await?;
                let ids: Vec<AccountId> = rows.iter().map(|row| row.account.clone()).collect();
                let known = reader.account_facts(&ids).await?;
                Ok::<_, StoreError>(Some((rows, known, reader.drift_sight(&wanted).await?)))
            })
        })
        .await?
        .ok_or_else(AppError::not_found)?;
    let size = usize::try_from(limit).unwrap_or(usize::MAX);
    let next = (rows.len() > size)
        .then(|| rows.get(size.checked_sub(1)?).map(|row| row.account.clone()))
        .flatten();
    let mut known: BTreeMap<AccountId, AccountFacts> = known
        .into_iter()
        .map(|facts| (facts.account.id.clone(), facts))
        .collect();
    let items = rows.into_iter().take(size).filter_map(|row| {
        let account = known.remove(&row.account)?;
        // Who was returned to the rules a moment ago is not listed until somebody has looked again.
        is_held(&account, &id).then(|| Drifting {
            account,
            connection: row.connection.to_string(),
            drift: row.drift,
        })
    });
    Ok(Piece {
        items: items.collect(),
        next,
        sight,
    })
}

/// Tells whether anything of a membership is held by hand.
fn is_held(member: &AccountFacts, organization: &OrganizationId) -> bool {
    let mut memberships = member.memberships.iter();
    memberships.any(|held| held.organization == *organization && held.is_held_by_hand())
}

/// Asks for those of some people to be looked at whom a hand edit holds: their rules have just run over something new. For everybody
/// else there is nothing to do.
///
/// # Errors
/// Those of the store.
pub async fn ask_in_tx(
    tx: &mut Tx,
    people: impl Iterator<Item = &AccountFacts>,
    now: Timestamp,
) -> std::result::Result<(), StoreError> {
    let held = people.filter(|known| known.memberships.iter().any(Membership::is_held_by_hand));
    let held: BTreeSet<AccountId> = held.map(|known| known.account.id.clone()).collect();
    tx.ask_for_drift(&held, now).await
}

/// Looks at people who are to be looked at, for a while; what is left comes at the next time. The work of the job.
///
/// # Errors
/// Those of the store.
pub async fn work(app: &App) -> anyhow::Result<()> {
    let until = Instant::now() + BUDGET;
    look_at_asked(app, until).await?;
    let before = app
        .world
        .now()
        .saturating_sub(SignedDuration::from_hours(AGAIN_HOURS))
        .unwrap_or(Timestamp::MIN);
    let due = app
        .store
        .read(move |reader| Box::pin(async move { reader.due_drift_walks(before, WALKS).await }))
        .await?;
    for walk in due {
        walk_on(app, walk, until).await?;
    }
    Ok(())
}

async fn look_at_asked(app: &App, until: Instant) -> Result<()> {
    while Instant::now() < until {
        let asks: Vec<DriftAsk> = app
            .store
            .read(|reader| Box::pin(async move { reader.drift_asks(PORTION).await }))
            .await?;
        if asks.is_empty() {
            return Ok(());
        }
        let accounts: Vec<AccountId> = asks.iter().map(|ask| ask.account.clone()).collect();
        let found = judge(app, &accounts).await?;
        let now = app.world.now();
        let written: Result<(), StoreError> = app
            .store
            .write(move |tx| {
                Box::pin(async move {
                    tx.note_drifts(&accounts, &found, now).await?;
                    for ask in &asks {
                        tx.answer_drift_ask(ask).await?;
                    }
                    Ok(())
                })
            })
            .await;
        written?;
    }
    Ok(())
}

async fn walk_on(app: &App, mut walk: DriftWalk, until: Instant) -> Result<()> {
    while Instant::now() < until {
        let (connection, after) = (walk.connection.clone(), walk.place.clone());
        let accounts: Vec<AccountId> = app
            .store
            .read(move |reader| {
                Box::pin(async move { reader.held_by_hand(&connection, after.as_ref(), PORTION).await })
            })
            .await?;
        let found = judge(app, &accounts).await?;
        let looked_at = u32::try_from(accounts.len()).unwrap_or(PORTION);
        let to = accounts.last().filter(|_| looked_at == PORTION).cloned();
        let (at, now) = (walk.clone(), app.world.now());
        walk.place.clone_from(&to);
        let written: Result<bool, StoreError> = app
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let is_ours = tx.move_drift_walk(&at, to.as_ref(), looked_at, now).await?;
                    if is_ours {
                        tx.note_drifts(&accounts, &found, now).await?;
                    }
                    Ok(is_ours)
                })
            })
            .await;
        if !written? || walk.place.is_none() {
            return Ok(());
        }
    }
    Ok(())
}

/// Finds for whom of some people the rules would decide otherwise, and where.
async fn judge(app: &App, accounts: &[AccountId]) -> Result<Vec<DriftRow>> {
    let ids = accounts.to_vec();
    let people = app
        .store
        .read(|reader| Box::pin(async move { reader.account_facts(&ids).await }))
        .await
        .map_err(|error: StoreError| AppError::from(error))?;
    let mut connections = BTreeMap::new();
    let mut found = Vec::new();
    for member in people {
        found.extend(of_member(app, &mut connections, &member).await?);
    }
    Ok(found)
}

async fn of_member(
    app: &App,
    connections: &mut BTreeMap<ConnectionId, Connection>,
    member: &AccountFacts,
) -> Result<Vec<DriftRow>> {
    let Authentication::Sso { connection } = &member.account.authentication else {
        return Ok(Vec::new());
    };
    if !member.memberships.iter().any(Membership::is_held_by_hand) {
        return Ok(Vec::new());
    }
    let (id, account) = (connection.clone(), member.account.id.clone());
    let known = connections.get(&id).cloned();
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
        return Ok(Vec::new());
    };
    connections.insert(record.id.clone(), record.clone());
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
    let drifts = decision.iter().flat_map(|decision| decision.trace.drifts());
    let drifts = drifts.filter(|(id, drift)| is_drift(drift) && is_held(member, id));
    let row = |(id, drift): (&OrganizationId, &Drift)| DriftRow {
        organization: id.clone(),
        account: member.account.id.clone(),
        connection: record.id.clone(),
        drift: drift.clone(),
    };
    Ok(drifts.map(row).collect())
}

/// Tells whether the rules would change anything at all.
const fn is_drift(drift: &Drift) -> bool {
    !(drift.admits && drift.edits.is_empty())
}
