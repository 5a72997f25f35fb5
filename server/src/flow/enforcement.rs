//! Demanding single sign-on of an organization's people, and a second factor of its admins.
//!
//! Owns the law that nobody is locked out by it: a demand is refused until somebody has signed in through a connection since it
//! was last changed, and until an emergency admin has typed her password lately and holds recovery codes. What sign-ins then
//! do is decided by [`provost_kernel::login::password`].

use axum::http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use provost_kernel::directory::Account;
use provost_kernel::domain::SignInRule;
use provost_kernel::id::{AccountId, OrganizationId};
use provost_kernel::login::password;
use provost_kernel::login::rules::SignInPolicy;
use provost_kernel::provision::Actor;
use provost_store::{NewEvent, NewJob, Reader, StoreError, Tx};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::app::App;
use crate::error::{AppError, Fault, Result};
use crate::flow::api_keys::Caller;
use crate::jobs;

pub mod serving;

/// How old the proof of an emergency admin's password may be.
const PASSWORD_PROOF: SignedDuration = SignedDuration::from_hours(30 * 24);
/// People whose sessions are judged in one transaction.
const PORTION: u32 = 100;

/// Something that has to be there before single sign-on can be demanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// No connection that is switched on serves the organization, or the domain.
    Connection,
    /// Nobody has signed in through such a connection since it was last changed.
    TestSignIn,
    /// No emergency admin: an active standard account marked so, with a role that manages people.
    EmergencyAdmin,
    /// No emergency admin has signed in with her password within 30 days.
    PasswordProof,
    /// That emergency admin has no recovery codes left.
    RecoveryCodes,
}

impl Missing {
    /// Returns what to do, as a sentence.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Connection => "Switch on a connection that serves these people.",
            Self::TestSignIn => {
                "Sign in through the connection once: nobody has, since it was last changed or within the time that traces are kept."
            }
            Self::EmergencyAdmin => {
                "Mark a standard account as emergency admin and give it a role that manages people."
            }
            Self::PasswordProof => {
                "Have the emergency admin sign in with the password once: that has not happened within 30 days."
            }
            Self::RecoveryCodes => "Have the emergency admin make recovery codes under My account.",
        }
    }
}

/// What an organization demands, and what is missing before it may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enforcement {
    /// What is demanded now.
    pub policy: SignInPolicy,
    /// What is missing before single sign-on may be demanded.
    pub missing: Vec<Missing>,
}

/// Reads what an organization demands.
///
/// # Errors
/// 404 for an organization out of sight; those of the store.
pub async fn get(app: &App, caller: &Caller, organization: &str) -> Result<Enforcement> {
    let id = OrganizationId::new(organization);
    if !caller.sees(&id) {
        return Err(AppError::not_found());
    }
    let now = app.world.now();
    let found = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let Some(record) = reader.organization(&id).await? else {
                    return Ok(None);
                };
                let missing = missing(reader, &id, None, now).await?;
                Ok::<_, StoreError>(Some((record, missing)))
            })
        })
        .await?;
    let (record, missing) = found.ok_or_else(AppError::not_found)?;
    Ok(Enforcement {
        policy: SignInPolicy::read(&record.settings),
        missing,
    })
}

/// Changes what an organization demands. Whoever may not use a password any more loses the sessions begun with one.
///
/// # Errors
/// 404 for an organization out of sight; 409 (`enforcement_not_ready`) with all that is missing; those of the store.
pub async fn put(
    app: &App,
    caller: &Caller,
    organization: &str,
    wanted: SignInPolicy,
) -> Result<Enforcement> {
    get(app, caller, organization).await?;
    let (id, now, actor) = (OrganizationId::new(organization), app.world.now(), caller.actor());
    let job = app.world.id("job_")?;
    app.store
        .write(move |tx| {
            Box::pin(async move {
                // Whoever takes an emergency admin away at this moment waits for this row, too.
                tx.lock_organization(&id).await?;
                let Some(mut record) = tx.organization(&id).await? else {
                    return Err(AppError::not_found());
                };
                let before = SignInPolicy::read(&record.settings);
                if before == wanted {
                    return Ok(());
                }
                if wanted.sso == SignInRule::Required && before.sso == SignInRule::Optional {
                    refuse_unless_ready(missing_in_tx(tx, &id, None, now).await?)?;
                }
                put_into(&mut record.settings, &wanted);
                tx.put_organization(&record.organization, &record.settings, now)
                    .await?;
                queue_eviction_in_tx(tx, job, &id, now).await?;
                tx.record(NewEvent {
                    at: now,
                    kind: "organization.sign_in_changed".to_owned(),
                    actor: actor.label(),
                    account: None,
                    organization: Some(id),
                    connection: None,
                    trace: None,
                    data: json!({ "before": before, "after": wanted }),
                });
                Ok(())
            })
        })
        .await?;
    app.ring_jobs();
    get(app, caller, organization).await
}

/// Puts a policy into the settings of an organization.
pub fn put_into(settings: &mut Value, policy: &SignInPolicy) {
    if let Value::Object(settings) = settings {
        settings.insert(SignInPolicy::KEY.to_owned(), json!(policy));
    } else {
        *settings = json!({ SignInPolicy::KEY: policy });
    }
}

/// Refuses a demand for which something is missing.
///
/// # Errors
/// 409 (`enforcement_not_ready`) with one fault for each.
pub fn refuse_unless_ready(missing: Vec<Missing>) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    let faults = missing
        .into_iter()
        .map(|one| Fault {
            path: word(one),
            position: None,
            message: one.advice().to_owned(),
            suggestion: None,
        })
        .collect();
    Err(AppError::new(
        StatusCode::CONFLICT,
        "enforcement_not_ready",
        "Single sign-on cannot be demanded yet: somebody might be locked out.",
    )
    .with_faults(faults))
}

fn word(missing: Missing) -> String {
    match serde_json::to_value(missing) {
        Ok(Value::String(word)) => word,
        Ok(_) | Err(_) => String::new(),
    }
}

/// As [`missing`], by what stays true until this transaction ends: whoever wants to switch one of the connections off, to take it
/// away or to change whom it serves, waits, and then finds the demand. The organization is locked already.
///
/// # Errors
/// Those of the store.
pub async fn missing_in_tx(
    tx: &mut Tx,
    organization: &OrganizationId,
    domain: Option<&str>,
    now: Timestamp,
) -> Result<Vec<Missing>, StoreError> {
    serving::hold_in_tx(tx, organization, domain).await?;
    missing(tx, organization, domain, now).await
}

/// Lists what is missing before single sign-on may be demanded of an organization's members, or of the addresses in one domain.
///
/// # Errors
/// Those of the store.
async fn missing(
    reader: &mut Reader,
    organization: &OrganizationId,
    domain: Option<&str>,
    now: Timestamp,
) -> Result<Vec<Missing>, StoreError> {
    let connection = serving::missing(reader, organization, domain).await?;
    let mut missing: Vec<Missing> = connection.into_iter().collect();
    let since = now.checked_sub(PASSWORD_PROOF).unwrap_or(Timestamp::MIN);
    let admins = reader.emergency_admins(organization).await?;
    let proved: Vec<_> = admins
        .iter()
        .filter(|admin| admin.proved_at.is_some_and(|at| at >= since))
        .collect();
    if admins.is_empty() {
        missing.push(Missing::EmergencyAdmin);
    } else if proved.is_empty() {
        missing.push(Missing::PasswordProof);
    } else if proved.iter().all(|admin| admin.recovery_codes == 0) {
        missing.push(Missing::RecoveryCodes);
    }
    Ok(missing)
}

/// What the job that ends sessions is told.
#[derive(Serialize, Deserialize)]
struct Eviction {
    organization: OrganizationId,
}

/// Queues that sessions end which rules no longer allow.
///
/// # Errors
/// `engine`.
pub async fn queue_eviction_in_tx(
    tx: &mut Tx,
    job: String,
    organization: &OrganizationId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let job = NewJob {
        id: job,
        kind: jobs::EVICTION.to_owned(),
        idempotency_key: None,
        payload: json!(Eviction {
            organization: organization.clone()
        }),
        run_at: now,
    };
    tx.enqueue(&job, now).await.map(drop)
}

/// Ends the password sessions of an organization's people who have to use single sign-on. Doing it twice ends nothing more.
///
/// # Errors
/// When the payload cannot be read; those of the store.
pub async fn evict(app: &App, payload: &Value) -> anyhow::Result<()> {
    let Eviction { organization } = serde_json::from_value(payload.clone())?;
    let mut after: Option<AccountId> = None;
    loop {
        let (id, from) = (organization.clone(), after.clone());
        let page: Vec<Account> = app
            .store
            .read(move |reader| {
                Box::pin(async move { reader.accounts_concerned(&id, from.as_ref(), PORTION).await })
            })
            .await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id.clone());
        let ids: Vec<AccountId> = page.iter().map(|account| account.id.clone()).collect();
        let domains = page
            .iter()
            .filter_map(|account| account.email.as_ref())
            .map(|email| email.domain().to_owned())
            .collect();
        let (now, fresh) = (app.world.now(), app.world.fresh()?.0);
        let ended: Result<usize, StoreError> = app
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let facts = tx.facts(&password::need_for_eviction(&ids, domains)).await?;
                    let decision = password::evict(&facts, &fresh, now);
                    if !decision.plan.changes.is_empty() {
                        tx.apply(&decision, &Actor::System, now).await?;
                    }
                    Ok(decision.plan.changes.len())
                })
            })
            .await;
        let ended = ended?;
        if ended > 0 {
            tracing::info!(%organization, ended, "password sessions were ended: single sign-on is demanded");
            app.ring_jobs();
        }
    }
}
