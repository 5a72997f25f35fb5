//! Bringing a push to the kernel and its plan to the store, in one transaction, again if others wrote in between.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use provost_kernel::denial::Denial;
use provost_kernel::facts::Departures;
use provost_kernel::id::{ConnectionId, TraceId};
use provost_kernel::incoming::Fresh;
use provost_kernel::plan::{Decision, Verdict};
use provost_kernel::provision::Actor;
use provost_kernel::provision::push::{self, Push};
use provost_kernel::trace::StepOutcome;
use provost_scim::{ResourceKind, ScimError};
use provost_store::{StoreError, Tx};

use crate::app::App;
use crate::error::AppError;
use crate::flow::connection::{self, LiveConnection};
use crate::flow::policy::drift;
use crate::flow::scim::Failure;
use crate::flow::scim::access::Caller;
use crate::flow::scim::watch;
use crate::jobs::seats;
use crate::translate;

/// How often a decision is made anew when others wrote in between.
const TRIES: u32 = 6;

/// Why one try did not come to its end.
#[derive(Debug)]
pub enum Stop {
    /// The directory's fault, found inside of the transaction; nothing is kept.
    Scim(ScimError),
    /// The connection was changed after it was loaded: what was compiled is not in force any more.
    ConnectionChanged,
    /// The store's.
    Store(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<ScimError> for Stop {
    fn from(error: ScimError) -> Self {
        Self::Scim(error)
    }
}

/// What one try needs beside its transaction.
#[derive(Clone)]
pub struct Try {
    /// Who asks.
    pub caller: Arc<Caller>,
    /// Identifiers that the decision may need.
    pub fresh: Fresh,
    /// Now.
    pub now: Timestamp,
}

/// What a transaction ended with.
pub enum Ended<T> {
    /// Done, by this decision if one was needed.
    Done(T, Option<TraceId>),
    /// Refused by the kernel; the refusal is kept.
    Refused(ScimError, TraceId),
    /// Refused because the directory takes out too many people at once; somebody has to be told.
    Held(ScimError, TraceId),
}

/// Runs `attempt` in a transaction until nobody writes in between. Returns what it made and the trace of the decision.
///
/// # Errors
/// [`Failure`].
pub async fn write<T, F>(app: &App, caller: &Arc<Caller>, attempt: F) -> Result<(T, Option<TraceId>), Failure>
where
    T: Send + 'static,
    F: for<'a> Fn(&'a mut Tx, Try) -> BoxFuture<'a, Result<Ended<T>, Stop>> + Send + Sync + 'static,
{
    let attempt = Arc::new(attempt);
    let mut caller = Arc::clone(caller);
    for _ in 0..TRIES {
        let one = Try {
            caller: Arc::clone(&caller),
            fresh: app.world.fresh()?.0,
            now: app.world.now(),
        };
        let attempt = Arc::clone(&attempt);
        let ended = app
            .store
            .write(move |tx| Box::pin(async move { attempt(tx, one).await }))
            .await;
        match ended {
            Ok(Ended::Done(made, trace)) => return Ok((made, trace)),
            Ok(Ended::Held(error, trace)) => {
                watch::tell_of_held(app, &caller.live).await?;
                return Err(Failure::Denied(error, trace));
            }
            Ok(Ended::Refused(error, trace)) => return Err(Failure::Denied(error, trace)),
            Err(Stop::Scim(error)) => return Err(error.into()),
            Err(Stop::ConnectionChanged) => {
                let live = connection::find(app, caller.live.id().as_str()).await?;
                caller = Arc::new(Caller {
                    live,
                    token: caller.token.clone(),
                    version: caller.version,
                    base: caller.base.clone(),
                });
            }
            Err(Stop::Store(error)) if error.is_retryable() => {}
            Err(Stop::Store(error)) => return Err(error.into()),
        }
    }
    Err(AppError::unavailable("the directory changed under every try to decide a push").into())
}

/// Asks the kernel and writes its plan. A push that changes nothing writes nothing.
///
/// # Errors
/// [`Stop`].
pub async fn decide(tx: &mut Tx, one: &Try, push: &Push) -> Result<Decision, Stop> {
    let live = &one.caller.live;
    let actor = Actor::Scim {
        connection: live.id().clone(),
    };
    decide_as(tx, live, &one.fresh, one.now, push, &actor).await
}

/// As [`decide`], for whoever asks.
///
/// # Errors
/// [`Stop`].
pub async fn decide_as(
    tx: &mut Tx,
    live: &LiveConnection,
    fresh: &Fresh,
    now: Timestamp,
    push: &Push,
    actor: &Actor,
) -> Result<Decision, Stop> {
    let need = push::need(push, &live.in_force);
    let (mut facts, revision) = tx.facts_and_revision(&need, "connections").await?;
    if revision != live.revision {
        return Err(Stop::ConnectionChanged);
    }
    if let Some(connection) = &need.directory.departures {
        facts.directory.departures = departures(tx, live, connection, now).await?;
    }
    while let Some(more) = push::need_more(push, &facts, &live.in_force) {
        facts.join(tx.facts(&more).await?);
    }
    if let Some(candidates) = push::candidates(push, &facts, &live.in_force, fresh, now) {
        let every = if candidates.is_open() {
            tx.organization_ids().await?
        } else {
            Vec::new()
        };
        facts.join(tx.facts(&candidates.need(&every)).await?);
    }
    let decision = push::decide(push, &facts, &live.in_force, fresh, now);
    let is_nothing = decision.plan.changes.is_empty() && !matches!(decision.verdict, Verdict::Refused(_));
    if !is_nothing {
        tx.apply(&decision, actor, now).await?;
        drift::ask_in_tx(tx, facts.accounts.iter(), now).await?;
        seats::queue_in_tx(tx, &decision, now).await?;
    }
    Ok(decision)
}

/// Counts whom the directory took out lately; none where nothing guards that.
async fn departures(
    tx: &mut Tx,
    live: &LiveConnection,
    connection: &ConnectionId,
    now: Timestamp,
) -> Result<Option<Departures>, StoreError> {
    let Some(guard) = live.in_force.connection().settings.directory.departure_guard else {
        return Ok(None);
    };
    let window = SignedDuration::from_mins(i64::from(guard.minutes));
    let since = now.saturating_sub(window).unwrap_or(Timestamp::MIN);
    let counted = tx.departures(connection, since).await?;
    Ok(Some(Departures {
        approved: tx.are_departures_approved(connection, now).await?,
        ..counted
    }))
}

/// Says the verdict of a decision in SCIM's own shape: the account for an admitted push, or a refusal that is kept.
pub fn refused<T>(decision: &Decision, kind: ResourceKind) -> Option<Ended<T>> {
    match &decision.verdict {
        Verdict::Refused(denial) => {
            let mut steps = decision.trace.steps.iter();
            let refused =
                steps.find(|step| step.outcome == StepOutcome::Refused && step.code == denial.code());
            let said = refused.map(|step| step.text.as_str());
            let error = translate::scim::refusal(*denial, kind, said);
            let trace = decision.trace.id.clone();
            Some(if *denial == Denial::HeldByGuard {
                Ended::Held(error, trace)
            } else {
                Ended::Refused(error, trace)
            })
        }
        Verdict::Admitted(_) | Verdict::Accepted => None,
    }
}

/// Returns the trace of a decision that was kept.
pub fn trace(decision: &Decision) -> Option<TraceId> {
    (!decision.plan.changes.is_empty()).then(|| decision.trace.id.clone())
}
