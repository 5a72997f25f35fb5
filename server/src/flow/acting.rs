//! Acting on the directory: what somebody wants is decided by the kernel and written, or refused with a code and a trace.
//!
//! Whatever a person, a key, the file or the product itself wants of people by hand goes through here: load what is needed,
//! decide, apply, and decide again when somebody wrote in between. A refusal is kept with its trace too.

use jiff::Timestamp;
use provost_kernel::denial::Denial;
use provost_kernel::directory::Authentication;
use provost_kernel::explain;
use provost_kernel::facts::Facts;
use provost_kernel::id::{AccountId, ConnectionId, TraceId};
use provost_kernel::incoming::Fresh;
use provost_kernel::mapping::InForce;
use provost_kernel::plan::{Decision, Plan, Verdict};
use provost_kernel::provision::{self, Action, Actor, Request};
use provost_kernel::trace::{PROVISION, Stage, Step, StepOutcome, Trace};
use provost_store::{Reader, StoreError, Tx};

use crate::app::App;
use crate::error::{AppError, Result};
use crate::jobs::seats;

/// How often a decision is made anew when others wrote in between.
const TRIES: u32 = 12;

/// What somebody wants.
#[derive(Clone, Debug, PartialEq)]
pub struct Wish {
    /// Who wants what.
    pub request: Request,
    /// The version that the account (or the membership, if the wish is about one) must still have.
    pub version: Option<i64>,
}

impl Wish {
    /// A wish whatever the version.
    pub const fn new(actor: Actor, action: Action) -> Self {
        Self {
            request: Request { actor, action },
            version: None,
        }
    }

    /// As it is, for this version only (`If-Match`).
    #[must_use]
    pub const fn at_version(mut self, version: Option<i64>) -> Self {
        self.version = version;
        self
    }
}

/// What was done.
#[derive(Clone, Debug, PartialEq)]
pub struct Acted {
    /// The account that it is about; a new one if it was made.
    pub account: AccountId,
    /// The decision, with its plan and trace.
    pub decision: Decision,
}

impl Acted {
    /// Tells whether anything was written.
    pub const fn is_change(&self) -> bool {
        !self.decision.plan.changes.is_empty()
    }
}

/// What was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub denial: Denial,
    /// The trace that tells an admin more.
    pub trace: TraceId,
    /// The exact reason in a sentence. For operators: it may name what other organizations hold.
    pub why: String,
    /// Whether it was about making an account.
    pub is_creation: bool,
}

impl From<Refusal> for AppError {
    fn from(refusal: Refusal) -> Self {
        let error = if refusal.is_creation && refusal.denial == Denial::Conflict {
            Self::account_exists()
        } else {
            Self::denied(refusal.denial)
        };
        error.with_trace(&refusal.trace)
    }
}

/// Decides and writes a wish.
///
/// # Errors
/// A refusal with the code of its denial and its trace; those of the store.
pub async fn act(app: &App, wish: Wish) -> Result<Acted> {
    Ok(attempt(app, wish).await??)
}

/// As [`act`], with a refusal as a value, for work in many rows.
///
/// # Errors
/// Those of the store.
pub async fn attempt(app: &App, wish: Wish) -> Result<Result<Acted, Refusal>> {
    let mut taken = 0;
    for _ in 0..TRIES {
        let (wish, now) = (wish.clone(), app.world.now());
        let (fresh, _) = app.world.fresh()?;
        let written = app
            .store
            .write(move |tx| Box::pin(async move { act_in_tx(tx, &wish, &fresh, now).await }))
            .await;
        match written {
            // What the facts of a wish do not show, such as who took the address of a deleted account, a unique index does.
            Err(StoreError::Conflict(name)) if name.starts_with("accounts_") && taken == 2 => {
                return Err(AppError::denied(Denial::Conflict).with_source(name));
            }
            Err(StoreError::Conflict(name)) if name.starts_with("accounts_") => taken += 1,
            Err(error) if error.is_retryable() => {}
            other => return Ok(other?),
        }
    }
    Err(AppError::unavailable("the directory changed under every try"))
}

/// Decides and writes a wish as a part of a transaction. On a refusal only its trace is written.
///
/// # Errors
/// Those of the store; return a conflict from the job and try again.
pub async fn act_in_tx(
    tx: &mut Tx,
    wish: &Wish,
    fresh: &Fresh,
    now: Timestamp,
) -> Result<Result<Acted, Refusal>, StoreError> {
    let facts = tx.facts(&provision::need(&wish.request)).await?;
    let decision = decide(tx, wish, &facts, fresh, now).await?;
    tx.apply(&decision, &wish.request.actor, now).await?;
    seats::queue_in_tx(tx, &decision, now).await?;
    Ok(outcome(decision, wish))
}

/// Decides a wish and writes nothing: what would happen.
///
/// # Errors
/// Those of the store.
pub async fn rehearse(app: &App, wish: Wish) -> Result<Result<Acted, Refusal>> {
    let now = app.world.now();
    let (fresh, _) = app.world.fresh()?;
    let rehearsed: Result<_, StoreError> = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let facts = reader.facts(&provision::need(&wish.request)).await?;
                let decision = decide(reader, &wish, &facts, &fresh, now).await?;
                Ok(outcome(decision, &wish))
            })
        })
        .await;
    Ok(rehearsed?)
}

async fn decide(
    reader: &mut Reader,
    wish: &Wish,
    facts: &Facts,
    fresh: &Fresh,
    now: Timestamp,
) -> Result<Decision, StoreError> {
    if wish
        .version
        .is_some_and(|version| shown_version(wish, facts) != Some(version))
    {
        return Ok(stale(wish, fresh, now));
    }
    let in_force = match connection(wish, facts) {
        None => None,
        Some(id) => match reader.connection(id).await? {
            None => None,
            // Policies are compiled before they are stored.
            Some(record) => Some(
                InForce::compile(record.connection)
                    .map_err(|_| StoreError::Corrupt("connections.policies"))?,
            ),
        },
    };
    Ok(provision::decide(
        &wish.request,
        facts,
        in_force.as_ref(),
        fresh,
        now,
    ))
}

/// The connection that the account is or shall be bound to.
fn connection<'a>(wish: &'a Wish, facts: &'a Facts) -> Option<&'a ConnectionId> {
    let action = &wish.request.action;
    if let Action::Convert { connection, .. } = action {
        return Some(connection);
    }
    let authentication = if let Action::CreateAccount(new) = action {
        &new.authentication
    } else {
        let id = action.account()?;
        let mut accounts = facts.accounts.iter();
        &accounts
            .find(|known| known.account.id == *id)?
            .account
            .authentication
    };
    match authentication {
        Authentication::Standard => None,
        Authentication::Sso { connection } => Some(connection),
    }
}

/// The version that the wish is about; none where there is nothing of that kind yet.
fn shown_version(wish: &Wish, facts: &Facts) -> Option<i64> {
    let action = &wish.request.action;
    let id = action.account()?;
    let known = facts.accounts.iter().find(|known| known.account.id == *id)?;
    match action {
        Action::EditMembership { organization, .. } | Action::RemoveMembership { organization, .. } => known
            .memberships
            .iter()
            .find(|held| held.organization == *organization)
            .map(|held| held.version),
        Action::CreateAccount(_)
        | Action::UpdateProfile { .. }
        | Action::SetStatus { .. }
        | Action::Delete { .. }
        | Action::SetMemberships { .. }
        | Action::ResetSubject { .. }
        | Action::TakeIdentity { .. }
        | Action::Invite { .. }
        | Action::Convert { .. }
        | Action::Unconvert { .. }
        | Action::OverrideField { .. }
        | Action::EndOverride { .. }
        | Action::MakeOperator { .. } => Some(known.account.version),
    }
}

/// The refusal of a wish for another version. Nothing is said about what is there.
fn stale(wish: &Wish, fresh: &Fresh, now: Timestamp) -> Decision {
    let step = Step {
        stage: Stage::Verify,
        outcome: StepOutcome::Refused,
        code: Denial::StaleVersion.code().to_owned(),
        organization: None,
        text: format!(
            "asked by {} for another version than the present one",
            wish.request.actor.label()
        ),
        drift: None,
    };
    Decision {
        verdict: Verdict::Refused(Denial::StaleVersion),
        plan: Plan::default(),
        trace: Trace {
            id: fresh.trace.clone(),
            at: now,
            kind: PROVISION.to_owned(),
            connection: None,
            account: wish.request.action.account().cloned(),
            steps: vec![step],
        },
    }
}

fn outcome(decision: Decision, wish: &Wish) -> Result<Acted, Refusal> {
    let refused = |denial, decision: &Decision| Refusal {
        denial,
        trace: decision.trace.id.clone(),
        why: explain::sentence(&decision.trace),
        is_creation: matches!(wish.request.action, Action::CreateAccount(_)),
    };
    match &decision.verdict {
        Verdict::Admitted(account) => Ok(Acted {
            account: account.clone(),
            decision,
        }),
        Verdict::Refused(denial) => Err(refused(*denial, &decision)),
        // Only pushes of groups are about no account, and none of them is a wish.
        Verdict::Accepted => Err(refused(Denial::NotFound, &decision)),
    }
}
