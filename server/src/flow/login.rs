//! The end of every sign-in through a connection: facts, decision, writing, session.
//!
//! Owns the loop that decides again when somebody else wrote in between. Never verifies a protocol message and never
//! decides by itself: that is [`provost_kernel::login::decide`].

use std::sync::Arc;

use provost_kernel::denial::Denial;
use provost_kernel::id::AccountId;
use provost_kernel::incoming::Incoming;
use provost_kernel::login::{self, SessionLimits};
use provost_kernel::plan::{Decision, Verdict};
use provost_kernel::provision::Actor;
use provost_oidc::Secret;
use provost_store::{Beside, StoreError};

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::account_choice::Question;
use crate::flow::claims;
use crate::flow::connection::{self, LiveConnection};
use crate::flow::invitations;
use crate::flow::organizations;
use crate::flow::outcome::{Admitted, Refused, SignIn, whom_to_ask};
use crate::flow::policy::{drift, waves};
use crate::flow::refusal::{self, Fault};
use crate::flow::return_to::ReturnTo;
use crate::jobs::seats;
use crate::pages::refusal::Reason;

/// How often a decision is made anew when others wrote in between.
const TRIES: u32 = 5;

/// A person whose identity a provider has just proved.
#[derive(Debug)]
pub struct Proven {
    /// Who.
    pub incoming: Incoming,
    /// Where she was going.
    pub return_to: ReturnTo,
    /// The ID token as received, kept sealed for the sign-out at the provider.
    pub id_token: Option<Secret>,
    /// The invitation with which the sign-in began.
    pub invitation: Option<String>,
}

/// How one try ended.
struct Ended {
    decision: Decision,
    /// Accounts among which the person is to choose.
    offered: Vec<AccountId>,
}

/// Why one try did not come to an end.
enum Interrupted {
    Store(StoreError),
    /// The connection was changed after it was loaded: what was compiled is not in force any more.
    ConnectionChanged,
    /// No seat was free at the first look.
    NoSeat,
}

impl From<StoreError> for Interrupted {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Lets a proven person in, or says why not.
///
/// # Errors
/// Those of the store; a refusal is not an error.
pub async fn finish(app: &App, live: Arc<LiveConnection>, proven: Proven) -> Result<SignIn> {
    let mut live = live;
    let proven = Arc::new(proven);
    for round in 0..TRIES {
        let (fresh, token) = app.world.fresh()?;
        match attempt(app, &live, &proven, fresh, round).await {
            Ok(ended) => return conclude(app, &live, proven, ended, token.secret).await,
            Err(Interrupted::ConnectionChanged) => live = connection::find(app, live.id().as_str()).await?,
            Err(Interrupted::Store(StoreError::ProofSpent)) => {
                let text = "the same assertion was presented before";
                let fault = Fault::new(Reason::Replayed, "saml_replayed", text);
                let connection = live.in_force.connection();
                return Ok(SignIn::Refused(
                    refusal::record(app, connection, fault, proven.return_to.clone()).await?,
                ));
            }
            Err(Interrupted::NoSeat) => {}
            Err(Interrupted::Store(error)) if error.is_retryable() => {}
            Err(Interrupted::Store(error)) => return Err(error.into()),
        }
    }
    Err(AppError::unavailable(
        "the directory changed under every try to decide a sign-in",
    ))
}

async fn attempt(
    app: &App,
    live: &Arc<LiveConnection>,
    proven: &Arc<Proven>,
    fresh: provost_kernel::incoming::Fresh,
    round: u32,
) -> Result<Ended, Interrupted> {
    let now = app.world.now();
    let limits = SessionLimits {
        absolute_seconds: app.defaults.session_seconds(),
        idle_seconds: live.in_force.connection().settings.idle_seconds(
            app.defaults.session_idle_seconds(),
            app.defaults.session_seconds(),
        ),
    };
    let (live, proven) = (Arc::clone(live), Arc::clone(proven));
    let ids = app.organization_ids.clone();
    app.store
        .write(move |tx| {
            Box::pin(async move {
                let need = organizations::need_in_tx(&ids, tx, &proven.incoming, &live.in_force).await?;
                let (mut facts, revision) = tx.facts_and_revision(&need, "connections").await?;
                if revision != live.revision {
                    return Err(Interrupted::ConnectionChanged);
                }
                let invited = invitations::expected_in_tx(tx, proven.invitation.as_deref()).await?;
                let decision =
                    waves::decide_in_tx(tx, live.in_force.connection(), &mut facts, now, |facts| {
                        let decision =
                            login::decide(&proven.incoming, facts, &live.in_force, &limits, &fresh, now);
                        match &invited {
                            Some((_, account)) => login::hold_to(decision, account),
                            None => decision,
                        }
                    })
                    .await?;
                // On PostgreSQL the account may have been looked for just before, and the seats counted just after, the
                // same person took the last seat in another browser. A second look finds her account.
                if round == 0 && decision.verdict == Verdict::Refused(Denial::NoSeat) {
                    return Err(Interrupted::NoSeat);
                }
                let kept = claims::kept(&proven.incoming);
                let beside = Beside {
                    last_claims: claims::last(&proven.incoming, &decision, &kept),
                    claims: Some(kept),
                    id_token: proven
                        .id_token
                        .as_ref()
                        .map(|token| token.expose().to_owned().into()),
                };
                tx.apply_beside(&decision, &Actor::Person, &beside, now).await?;
                if let Some(account) = &decision.trace.account {
                    drift::ask_in_tx(
                        tx,
                        facts
                            .linked
                            .iter()
                            .chain(&facts.candidates)
                            .filter(|known| known.account.id == *account),
                        now,
                    )
                    .await?;
                }
                if let Some((id, _)) = invited.filter(|_| decision.plan.session.is_some()) {
                    tx.note_acceptance(&id, now).await?;
                }
                let offered = match decision.verdict {
                    Verdict::Refused(Denial::AmbiguousMatch) => {
                        login::choices(&proven.incoming, &facts, &live.in_force)
                    }
                    Verdict::Refused(_) | Verdict::Admitted(_) | Verdict::Accepted => Vec::new(),
                };
                let offered = offered.iter().map(|known| known.account.id.clone()).collect();
                Ok(Ended { decision, offered })
            })
        })
        .await
}

async fn conclude(
    app: &App,
    live: &LiveConnection,
    proven: Arc<Proven>,
    ended: Ended,
    token: secrecy::SecretString,
) -> Result<SignIn> {
    let Ended { decision, offered } = ended;
    let reference = decision.trace.id.as_str().to_owned();
    let return_to = proven.return_to.clone();
    if seats::frees_a_seat(&decision.plan) {
        seats::wake(app).await;
    }
    match decision.verdict {
        Verdict::Admitted(account) => {
            tracing::info!(connection = %live.id(), %account, reference, "signed in");
            metrics::counter!("provost_sign_ins_total", "outcome" => "admitted", "code" => "admitted")
                .increment(1);
            Ok(SignIn::Admitted(Admitted { token, return_to }))
        }
        // A sign-in is always about an account.
        Verdict::Accepted => Err(AppError::unavailable("a sign-in was decided without an account")),
        Verdict::Refused(denial) => {
            tracing::info!(connection = %live.id(), code = denial.code(), reference, "sign-in refused");
            metrics::counter!("provost_sign_ins_total", "outcome" => "refused", "code" => denial.code())
                .increment(1);
            if !offered.is_empty() {
                return Ok(SignIn::Ask(Box::new(Question {
                    proven,
                    offered,
                    reference,
                })));
            }
            let whom = whom_to_ask(app, Some(live.in_force.connection())).await?;
            Ok(SignIn::Refused(Refused {
                reason: Reason::Denied(denial),
                reference,
                whom,
                return_to,
            }))
        }
    }
}
