//! Domains of organizations: claiming, checking, vouching, settling disputes, giving up.
//!
//! What a look-up means is decided by [`provost_kernel::domain`]; here it is fetched and written. A domain that goes out of
//! force is taken out of the connections that served it in the same transaction, so that no sign-in relies on it any more, and
//! comes back to them when it is verified again.
//!
//! What a caller may not see is answered like what does not exist. Who disputes a domain is told to operators only.

use axum::http::StatusCode;
use jiff::Timestamp;
use provost_kernel::domain::{self, Claim, DomainSettings, DomainState, SignInRule};
use provost_kernel::facts::AccountFacts;
use provost_kernel::id::{AccountId, OrganizationId};
use provost_kernel::provision::Actor;
use provost_store::{DomainClaim, DomainRecord, NewEvent, StoreError, Tx};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::api_keys::Caller;
use crate::flow::enforcement;
use crate::world::{NoRandomness, World};

mod check;

pub use check::{check, check_due};

/// Most domains of one organization.
const MOST: usize = 200;
/// How often a write is tried when others write in between.
const TRIES: u32 = 5;

/// A domain as an organization or operator sees it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The domain with its claim.
    pub claim: DomainClaim,
    /// Whether another organization has proved the same name.
    pub disputed: bool,
    /// Which organizations dispute it, or have it; for operators only.
    pub others: Vec<OrganizationId>,
}

impl Seen {
    /// Returns how the claim stands, a dispute included.
    pub fn state(&self) -> DomainState {
        if self.disputed {
            DomainState::Disputed
        } else {
            self.claim.claim.state
        }
    }

    fn of(claim: DomainClaim, all: &[DomainClaim], caller: &Caller) -> Self {
        let own = &claim.domain.organization;
        let rivals = all
            .iter()
            .filter(|other| other.domain.organization != *own && other.domain.name == claim.domain.name);
        let others: Vec<OrganizationId> = rivals
            .filter(|other| {
                let state = other.claim.state;
                state == DomainState::Disputed
                    || (state.is_in_force() && claim.claim.state == DomainState::Disputed)
            })
            .map(|other| other.domain.organization.clone())
            .collect();
        let is_contested = claim.claim.state.is_in_force() && !others.is_empty();
        Self {
            disputed: is_contested || claim.claim.state == DomainState::Disputed,
            others: if is_operator(caller) { others } else { Vec::new() },
            claim,
        }
    }
}

/// Makes a token of 256 random bits for the TXT record.
///
/// # Errors
/// [`NoRandomness`].
pub fn new_token(world: &World) -> Result<String, NoRandomness> {
    Ok(world.token("")?.secret.expose_secret().to_owned())
}

/// Lists the domains of an organization.
///
/// # Errors
/// 404 for an organization out of sight; those of the store.
pub async fn list(app: &App, caller: &Caller, organization: &str) -> Result<Vec<Seen>> {
    let id = visible(app, caller, organization).await?;
    let (own, all) = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let own = reader.domain_claims(&id).await?;
                let mut all = Vec::new();
                for claim in &own {
                    all.extend(reader.claims_of_name(&claim.domain.name).await?);
                }
                Ok::<_, StoreError>((own, all))
            })
        })
        .await?;
    Ok(own
        .into_iter()
        .map(|claim| Seen::of(claim, &all, caller))
        .collect())
}

/// Finds one domain of an organization.
///
/// # Errors
/// 404; those of the store.
pub async fn one(app: &App, caller: &Caller, organization: &str, name: &str) -> Result<Seen> {
    let id = visible(app, caller, organization).await?;
    let name = domain::normalize(name).map_err(|_| AppError::not_found())?;
    let (own, all) = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let own = reader.domain_claim(&id, &name).await?;
                Ok::<_, StoreError>((own, reader.claims_of_name(&name).await?))
            })
        })
        .await?;
    let own = own.ok_or_else(AppError::not_found)?;
    Ok(Seen::of(own, &all, caller))
}

/// Claims a domain for an organization. Claiming twice changes nothing.
///
/// # Errors
/// 404 for an organization out of sight; 422 for a name that cannot be claimed; 409 (`too_many_domains`); those of the
/// store.
pub async fn claim(app: &App, caller: &Caller, organization: &str, name: &str) -> Result<Seen> {
    let id = visible(app, caller, organization).await?;
    let name = domain::claimable(name).map_err(|error| {
        let text = format!("This domain cannot be claimed: it {error}.");
        AppError::new(StatusCode::UNPROCESSABLE_ENTITY, error.code(), text)
    })?;
    let (now, token, actor) = (app.world.now(), new_token(&app.world)?, caller.actor());
    let claimed = name.clone();
    app.store
        .write(move |tx| {
            Box::pin(async move {
                if tx.lock_domain(&id, &claimed).await?.is_some() {
                    return Ok(());
                }
                if tx.domain_claims(&id).await?.len() >= MOST {
                    return Err(AppError::new(
                        StatusCode::CONFLICT,
                        "too_many_domains",
                        "The organization has as many domains as it may have. Give one up first.",
                    ));
                }
                let record = DomainRecord {
                    organization: id.clone(),
                    name: claimed,
                    token: Some(token),
                    verified_at: None,
                    settings: json!({}),
                };
                let new = DomainClaim {
                    domain: record,
                    claim: Claim::new(now),
                    lapsed: Vec::new(),
                };
                tx.put_domain_claim(&new, now).await?;
                tx.record(event("domain.claimed", &actor, &new, json!({}), now));
                Ok(())
            })
        })
        .await?;
    one(app, caller, organization, &name).await
}

/// Has the operator vouch for a domain.
///
/// # Errors
/// 404; 403 (`operator_only`) for a caller of one organization; 409 (`domain_taken`) while another organization has it; those
/// of the store.
pub async fn vouch(app: &App, caller: &Caller, organization: &str, name: &str) -> Result<Seen> {
    one(app, caller, organization, name).await?;
    only_operators(caller)?;
    change(app, caller, organization, name, |known, rivals| {
        if rivals.iter().any(|rival| rival.claim.state.is_in_force()) {
            return Err(AppError::new(
                StatusCode::CONFLICT,
                "domain_taken",
                "Another organization has this domain. Award it to take it from there.",
            ));
        }
        known.claim = known.claim.vouched();
        Ok("domain.vouched")
    })
    .await?;
    one(app, caller, organization, name).await
}

/// Has the operator settle a dispute: this organization has the domain, and whoever had it has to prove it anew.
///
/// # Errors
/// 404; 403 (`operator_only`) for a caller of one organization; those of the store.
pub async fn award(app: &App, caller: &Caller, organization: &str, name: &str) -> Result<Seen> {
    let seen = one(app, caller, organization, name).await?;
    only_operators(caller)?;
    let name = seen.claim.domain.name;
    let rivals = app
        .store
        .read({
            let name = name.clone();
            |reader| Box::pin(async move { reader.claims_of_name(&name).await })
        })
        .await?;
    for rival in rivals {
        let owner = rival.domain.organization.as_str();
        let loses = rival.claim.state.is_in_force() || rival.claim.state == DomainState::Disputed;
        if owner == organization || !loses {
            continue;
        }
        let token = new_token(&app.world)?;
        // A new token, or else the record that still stands would start the dispute again.
        change(app, caller, owner, &name, move |known, _| {
            known.claim = known
                .claim
                .withdrawn("the operator gave this domain to another organization");
            known.domain.token = Some(token.clone());
            Ok("domain.withdrawn")
        })
        .await?;
    }
    change(app, caller, organization, &name, |known, _| {
        if !known.claim.state.is_in_force() {
            known.claim = known.claim.vouched();
        }
        Ok("domain.awarded")
    })
    .await?;
    one(app, caller, organization, &name).await
}

/// Changes the settings of a domain.
///
/// # Errors
/// 404; 409 (`enforcement_not_ready`) for a demand that might lock somebody out; those of the store.
pub async fn settle(
    app: &App,
    caller: &Caller,
    organization: &str,
    name: &str,
    settings: DomainSettings,
) -> Result<Seen> {
    let name = one(app, caller, organization, name).await?.claim.domain.name;
    for _ in 0..TRIES {
        let (id, domain, settings) = (OrganizationId::new(organization), name.clone(), settings.clone());
        let (now, actor, job) = (app.world.now(), caller.actor(), app.world.id("job_")?);
        let written: Result<(), Interrupted> = app
            .store
            .write(move |tx| {
                Box::pin(async move {
                    settle_in_tx(tx, (&id, &domain), &settings, (&actor, now)).await?;
                    enforcement::queue_eviction_in_tx(tx, job, &id, now).await?;
                    Ok(())
                })
            })
            .await;
        match written {
            Ok(()) => {
                app.ring_jobs();
                return one(app, caller, organization, &name).await;
            }
            Err(Interrupted::Refused(error)) => return Err(error),
            Err(Interrupted::Store(error)) if error.is_retryable() => {}
            Err(Interrupted::Store(error)) => return Err(error.into()),
        }
    }
    Err(AppError::unavailable("the domain changed under every try"))
}

/// Judges new settings of a domain by what is true in this transaction, and writes them.
async fn settle_in_tx(
    tx: &mut Tx,
    (organization, name): (&OrganizationId, &str),
    settings: &DomainSettings,
    (actor, now): (&Actor, Timestamp),
) -> Result<(), Interrupted> {
    // Whoever takes an emergency admin away at this moment, or the managing role from one, waits for this row, too.
    tx.lock_organization(organization).await?;
    let Some(known) = tx.lock_domain(organization, name).await? else {
        return Err(Interrupted::Refused(AppError::not_found()));
    };
    let before = DomainSettings::read(&known.domain.settings);
    if settings.sign_in == SignInRule::Required && before.sign_in == SignInRule::Optional {
        let missing = enforcement::missing_in_tx(tx, organization, Some(name), now).await?;
        enforcement::refuse_unless_ready(missing).map_err(Interrupted::Refused)?;
    }
    let mut next = known.clone();
    next.domain.settings = json!(settings);
    write_in_tx(tx, &known, next, "domain.settings_changed", actor, now).await?;
    Ok(())
}

/// Gives a domain up. Connections serve it no longer; who disputed it is looked up at once.
///
/// # Errors
/// 404; those of the store.
pub async fn give_up(app: &App, caller: &Caller, organization: &str, name: &str) -> Result<()> {
    let seen = one(app, caller, organization, name).await?;
    let (id, name) = (OrganizationId::new(organization), seen.claim.domain.name);
    let (now, actor) = (app.world.now(), caller.actor());
    app.store
        .write(move |tx| {
            Box::pin(async move {
                let Some(known) = tx.lock_domain(&id, &name).await? else {
                    return Err(AppError::not_found());
                };
                tx.delete_domain(&id, &name).await?;
                let mut served = Vec::new();
                if known.claim.state.is_in_force() {
                    served = tx.lapse_domain(&name, now).await?;
                    for mut rival in tx.claims_of_name(&name).await? {
                        if rival.claim.state == DomainState::Disputed {
                            rival.claim.next_at = Some(now);
                            tx.put_domain_claim(&rival, now).await?;
                        }
                    }
                }
                let data = json!({ "connections": served });
                tx.record(event("domain.given_up", &actor, &known, data, now));
                Ok(())
            })
        })
        .await
}

/// Lists accounts with an address in a domain of the organization that are no members of it.
///
/// # Errors
/// 404; 409 (`domain_not_verified`) for a domain that the organization does not have; those of the store.
pub async fn outside_accounts(
    app: &App,
    caller: &Caller,
    organization: &str,
    name: &str,
    after: Option<String>,
    limit: u32,
) -> Result<Vec<AccountFacts>> {
    let seen = one(app, caller, organization, name).await?;
    if !seen.claim.claim.state.is_in_force() {
        return Err(AppError::new(
            StatusCode::CONFLICT,
            "domain_not_verified",
            "Accounts are listed once the domain is verified.",
        ));
    }
    let (id, name) = (OrganizationId::new(organization), seen.claim.domain.name);
    let after = after.map(AccountId::new);
    let found = app
        .store
        .read(|reader| {
            Box::pin(async move { reader.outside_accounts(&id, &name, after.as_ref(), limit).await })
        })
        .await?;
    Ok(found)
}

/// Writes a change of one claim with everything that follows from it.
async fn change(
    app: &App,
    caller: &Caller,
    organization: &str,
    name: &str,
    edit: impl Fn(&mut DomainClaim, &[DomainClaim]) -> Result<&'static str> + Send + Sync + Clone + 'static,
) -> Result<()> {
    let name = domain::normalize(name).map_err(|_| AppError::not_found())?;
    for _ in 0..TRIES {
        let (id, name, edit) = (OrganizationId::new(organization), name.clone(), edit.clone());
        let (now, actor) = (app.world.now(), caller.actor());
        let written: Result<(), Interrupted> = app
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let Some(known) = tx.lock_domain(&id, &name).await? else {
                        return Err(Interrupted::Refused(AppError::not_found()));
                    };
                    let mut rivals = tx.claims_of_name(&name).await?;
                    rivals.retain(|rival| rival.domain.organization != id);
                    let mut next = known.clone();
                    let kind = edit(&mut next, &rivals).map_err(Interrupted::Refused)?;
                    write_in_tx(tx, &known, next, kind, &actor, now).await?;
                    Ok(())
                })
            })
            .await;
        match written {
            Ok(()) => return Ok(()),
            Err(Interrupted::Refused(error)) => return Err(error),
            Err(Interrupted::Store(error)) if error.is_retryable() => {}
            Err(Interrupted::Store(error)) => return Err(error.into()),
        }
    }
    Err(AppError::unavailable("the domain changed under every try"))
}

/// Why a change was not written.
enum Interrupted {
    Store(StoreError),
    Refused(AppError),
}

impl From<StoreError> for Interrupted {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Writes a claim and what follows from its state: connections lose or get the domain, and it stands in the audit log.
async fn write_in_tx(
    tx: &mut Tx,
    known: &DomainClaim,
    mut next: DomainClaim,
    kind: &str,
    actor: &Actor,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (was, is) = (known.claim.state.is_in_force(), next.claim.state.is_in_force());
    let (organization, name) = (&known.domain.organization, &known.domain.name);
    let mut data = json!({ "from": known.claim.state, "to": next.claim.state });
    if let (Some(problem), Value::Object(fields)) = (&next.claim.problem, &mut data) {
        fields.insert("problem".to_owned(), json!(problem));
    }
    if was && !is {
        // First out of force, so that nothing can be saved that relies on it meanwhile.
        tx.put_domain_claim(&next, now).await?;
        next.lapsed = tx.lapse_domain(name, now).await?;
        if let Value::Object(fields) = &mut data {
            fields.insert("connections".to_owned(), json!(next.lapsed));
        }
    }
    if !was && is {
        let returned = tx.return_domain(organization, name, &next.lapsed, now).await?;
        next.lapsed = Vec::new();
        if let Value::Object(fields) = &mut data {
            fields.insert("connections".to_owned(), json!(returned));
        }
    }
    tx.put_domain_claim(&next, now).await?;
    if !kind.is_empty() {
        tx.record(event(kind, actor, &next, data, now));
    }
    Ok(())
}

fn event(kind: &str, actor: &Actor, about: &DomainClaim, mut data: Value, now: Timestamp) -> NewEvent {
    if let Value::Object(fields) = &mut data {
        fields.insert("domain".to_owned(), json!(about.domain.name));
    }
    NewEvent {
        at: now,
        kind: kind.to_owned(),
        actor: actor.label(),
        account: None,
        organization: Some(about.domain.organization.clone()),
        connection: None,
        trace: None,
        data,
    }
}

/// Finds an organization that the caller may see.
async fn visible(app: &App, caller: &Caller, organization: &str) -> Result<OrganizationId> {
    let id = OrganizationId::new(organization);
    if !caller.sees(&id) {
        return Err(AppError::not_found());
    }
    let wanted = id.clone();
    let found = app
        .store
        .read(|reader| Box::pin(async move { reader.organization(&wanted).await }))
        .await?;
    found.map(|_| id).ok_or_else(AppError::not_found)
}

/// Tells whether the caller acts for the whole instance.
fn is_operator(caller: &Caller) -> bool {
    caller.organization.is_none()
}

fn only_operators(caller: &Caller) -> Result<()> {
    if is_operator(caller) {
        return Ok(());
    }
    Err(AppError::forbidden(
        "operator_only",
        "Only the operator of the instance may do this.",
    ))
}
