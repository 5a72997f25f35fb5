//! Looking a claimed domain up, now or when it is due. The look-up happens outside of any transaction; what it means is judged
//! inside, on the claim as it is then.

use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use provost_kernel::domain::{self, DomainState, LookUp};
use provost_kernel::id::OrganizationId;
use provost_kernel::provision::Actor;
use provost_store::{DomainClaim, StoreError};

use super::{Seen, TRIES, event, new_token, one, write_in_tx};
use crate::app::App;
use crate::dns::Texts;
use crate::error::{AppError, Result};
use crate::flow::api_keys::Caller;

/// Claims that one run of the job looks up; a look-up may take ten seconds and the run a minute.
const PORTION: u32 = 40;
/// Look-ups at a time.
const AT_ONCE: usize = 10;
/// How often a domain may be checked by hand.
const CHECKS: u32 = 6;
/// Within how many seconds.
const WINDOW: u32 = 60;

/// Looks a domain up now.
///
/// # Errors
/// 404; 429 when it was looked up too often a moment ago; those of the store. What DNS says is never an error.
pub async fn check(app: &App, caller: &Caller, organization: &str, name: &str) -> Result<Seen> {
    let seen = one(app, caller, organization, name).await?;
    let (key, now) = (
        format!("domain:{organization}:{}", seen.claim.domain.name),
        app.world.now(),
    );
    let hit = app
        .store
        .write(move |tx| Box::pin(async move { tx.hit(&key, WINDOW, CHECKS, now).await }))
        .await?;
    if !hit.allowed {
        return Err(AppError::too_many(
            u64::try_from(hit.retry_after_seconds).unwrap_or(1),
        ));
    }
    look(app, seen.claim, caller.actor()).await?;
    one(app, caller, organization, name).await
}

/// Looks up every claim that is due. One that fails hinders no other.
///
/// # Errors
/// Those of the store.
pub async fn check_due(app: &App) -> Result<()> {
    let now = app.world.now();
    let due = app
        .store
        .read(|reader| Box::pin(async move { reader.due_domains(now, PORTION).await }))
        .await?;
    stream::iter(due)
        .for_each_concurrent(AT_ONCE, |claim| async move {
            let name = claim.domain.name.clone();
            if let Err(error) = look(app, claim, Actor::System).await {
                tracing::warn!(domain = name, code = error.code(), "a domain was not checked");
            }
        })
        .await;
    Ok(())
}

async fn look(app: &App, claim: DomainClaim, actor: Actor) -> Result<()> {
    let token = match &claim.domain.token {
        Some(token) => token.clone(),
        // Written before there were tokens; nobody can have a record yet.
        None => return give_token(app, claim).await,
    };
    let found = found(
        app.dns.texts(&domain::record_name(&claim.domain.name)).await,
        &token,
    );
    tracing::debug!(domain = claim.domain.name, organization = %claim.domain.organization, ?found, "looked up");
    for _ in 0..TRIES {
        let (found, token, actor, now) = (found.clone(), token.clone(), actor.clone(), app.world.now());
        let (organization, name) = (claim.domain.organization.clone(), claim.domain.name.clone());
        let written: Result<(), StoreError> = app
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let known = tx.lock_domain(&organization, &name).await?;
                    // Given up, or given a new token, while DNS was asked.
                    let Some(known) = known.filter(|known| known.domain.token.as_deref() == Some(&token))
                    else {
                        return Ok(());
                    };
                    let rivals = tx.claims_of_name(&name).await?;
                    let owner = rivals.iter().find(|rival| {
                        rival.claim.state.is_in_force() && rival.domain.organization != organization
                    });
                    let next = DomainClaim {
                        claim: known.claim.judge(&found, owner.is_some(), now),
                        ..known.clone()
                    };
                    let (from, to) = (known.claim.state, next.claim.state);
                    if let Some(owner) = owner.filter(|_| from != to && to == DomainState::Disputed) {
                        // The one who has it is told that somebody disputes it, and not who.
                        let data = serde_json::json!({ "from": owner.claim.state, "to": to });
                        tx.record(event("domain.disputed", &Actor::System, owner, data, now));
                    }
                    write_in_tx(tx, &known, next, kind(from, to), &actor, now).await
                })
            })
            .await;
        match written {
            Ok(()) => return Ok(()),
            // Somebody else was given the name at the same moment; the next try sees that.
            Err(error) if error.is_retryable() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(AppError::unavailable("the domain changed under every try"))
}

async fn give_token(app: &App, claim: DomainClaim) -> Result<()> {
    let (token, now): (String, Timestamp) = (new_token(&app.world)?, app.world.now());
    let (organization, name): (OrganizationId, String) = (claim.domain.organization, claim.domain.name);
    app.store
        .write(move |tx| {
            Box::pin(async move {
                if let Some(mut known) = tx.lock_domain(&organization, &name).await?
                    && known.domain.token.is_none()
                {
                    known.domain.token = Some(token);
                    tx.put_domain_claim(&known, now).await?;
                }
                Ok::<_, StoreError>(())
            })
        })
        .await?;
    Ok(())
}

/// Compares what DNS said with the token.
fn found(texts: Texts, token: &str) -> LookUp {
    let wanted = domain::record_text(token);
    match texts {
        Texts::Some(texts) if texts.iter().any(|text| text.trim() == wanted) => LookUp::Found,
        Texts::Some(_) => LookUp::Missing(
            "the TXT records of the name hold other texts than the one to be found".to_owned(),
        ),
        Texts::None(what) => LookUp::Missing(what.to_owned()),
        Texts::NoAnswer(reason) => LookUp::NoAnswer(reason),
    }
}

/// Names what a check changed; nothing for a check that changed nothing.
const fn kind(from: DomainState, to: DomainState) -> &'static str {
    match (from, to) {
        (DomainState::Pending, DomainState::Pending)
        | (DomainState::Verified, DomainState::Verified)
        | (DomainState::Failing, DomainState::Failing)
        | (DomainState::Lost, DomainState::Lost)
        | (DomainState::Disputed, DomainState::Disputed) => "",
        (_, DomainState::Verified) => "domain.verified",
        (_, DomainState::Failing) => "domain.failing",
        (_, DomainState::Lost) => "domain.lost",
        (_, DomainState::Disputed) => "domain.disputed",
        (_, DomainState::Pending) => "domain.unproved",
    }
}
