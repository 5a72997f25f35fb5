//! Saving policies: checked first, held by the guard when they would take access from too many people at once, approved or
//! rejected by an admin (C-09). Never decides about people: what a saved policy means shows at the next sign-in or push.

use std::time::Duration;

use jiff::Timestamp;
use provost_kernel::connection::{Connection, Scope};
use provost_kernel::entitlement::Feature;
use provost_kernel::guard::Judgement;
use provost_kernel::id::OrganizationId;
use provost_kernel::preview::Impact;
use provost_store::{ChangeState, ConnectionRecord, NewEvent, PolicyChange, StoreError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Policies, preview};
use crate::app::App;
use crate::error::{AppError, Fault, Result};
use crate::flow::api_keys::Caller;
use crate::flow::{directory, entitlements};

/// How long the guard may look at people before it holds a change unjudged.
const JUDGING: Duration = Duration::from_secs(20);

/// How saving ended.
#[derive(Clone, Debug)]
pub enum Saved {
    /// In force, as this version of the connection.
    InForce(i64),
    /// Waiting for an approval.
    Held(Box<PolicyChange>),
}

/// What the guard found, kept with a held change.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Found {
    /// Whether everybody was looked at; the guard holds what it could not judge in time.
    pub complete: bool,
    /// What would happen to people.
    pub impact: Impact,
    /// Which organizations would lose too much.
    pub judgement: Judgement,
}

impl Found {
    /// Whether an admin has to approve the change: it takes too much from too many, or nobody knows in time.
    #[must_use]
    pub fn is_held(&self) -> bool {
        !self.complete || self.judgement.is_held()
    }
}

/// Saves policies, or holds them.
///
/// # Errors
/// 404 for a connection out of sight; 403 (`shared_connection`) with a key of one organization, if others are in reach;
/// 403 (`entitlement_missing`, `setup_by_link`, `setup_by_operator`) by the organization's plan;
/// 412 (`version_mismatch`) if another version was expected; `invalid_policy`; those of the store.
pub async fn save(
    app: &App,
    caller: &Caller,
    id: &str,
    policies: Policies,
    expected: Option<i64>,
) -> Result<Saved> {
    let record = own(app, caller, id).await?;
    entitlements::require(app, caller, Feature::Policies).await?;
    entitlements::require_setup(app, caller).await?;
    let version = record.connection.version;
    if expected.is_some_and(|expected| expected != version) {
        return Err(AppError::new(
            axum::http::StatusCode::PRECONDITION_FAILED,
            "version_mismatch",
            "The connection has changed since it was read; read it again.",
        ));
    }
    check(app, &record.connection, &policies).await?;
    if policies == Policies::of(&record.connection) {
        return Ok(Saved::InForce(version));
    }
    let edited = policies.clone().put_into(&record.connection);
    let found = judge(app, &record.connection, &edited, Some(JUDGING)).await?;
    if !found.is_held() {
        let version = put(app, record, policies, caller.actor().label(), None).await?;
        return Ok(Saved::InForce(version));
    }
    hold(app, caller, &record, &policies, &found)
        .await
        .map(|change| Saved::Held(Box::new(change)))
}

/// Finds a connection whose policies this caller may change.
///
/// # Errors
/// 404 out of sight; 403 (`shared_connection`) with a key of one organization, if others are in reach.
pub async fn own(app: &App, caller: &Caller, id: &str) -> Result<ConnectionRecord> {
    let record = directory::connection(app, caller, id).await?;
    let reaches_others = match &record.connection.scope {
        Scope::Instance => true,
        Scope::Organization { shared_with, .. } => !shared_with.iter().all(|id| caller.sees(id)),
    };
    if caller.organization.is_some() && reaches_others {
        return Err(AppError::forbidden(
            "shared_connection",
            "This connection also serves other organizations: its policies need a key of the whole instance.",
        ));
    }
    Ok(record)
}

/// Checks policies as saving does: they compile, and every organization that they name exists.
///
/// # Errors
/// `invalid_policy`; those of the store.
pub async fn check(app: &App, connection: &Connection, policies: &Policies) -> Result<()> {
    policies.clone().compile(connection)?;
    let named: Vec<_> = policies
        .organization_policies
        .iter()
        .map(|policy| policy.organization.clone())
        .collect();
    let missing = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let mut missing = Vec::new();
                for (at, id) in named.iter().enumerate() {
                    if reader.organization(id).await?.is_none() {
                        missing.push(Fault {
                            path: format!("organization_policies[{at}].organization"),
                            position: None,
                            message: format!("organization {id} does not exist"),
                            suggestion: None,
                        });
                    }
                }
                Ok::<_, StoreError>(missing)
            })
        })
        .await?;
    if missing.is_empty() {
        return Ok(());
    }
    Err(AppError::new(
        axum::http::StatusCode::UNPROCESSABLE_ENTITY,
        "invalid_policy",
        "The policy cannot be used; nothing was saved.",
    )
    .with_faults(missing))
}

/// Tries an edited connection on everybody and asks its guard, for as long as `limit` allows.
///
/// # Errors
/// `invalid_policy`; those of the store.
pub async fn judge(
    app: &App,
    saved: &Connection,
    edited: &Connection,
    limit: Option<Duration>,
) -> Result<Found> {
    let edited = Policies::of(edited).compile(edited)?;
    let saved = Policies::of(saved).compile(saved)?;
    let mut preview = preview::between(app, &Caller::operator(), saved, edited).await?;
    let complete = preview.run(app, limit, |_| {}).await?;
    Ok(Found {
        complete,
        judgement: preview.judgement(),
        impact: preview.impact().clone(),
    })
}

async fn hold(
    app: &App,
    caller: &Caller,
    record: &ConnectionRecord,
    policies: &Policies,
    found: &Found,
) -> Result<PolicyChange> {
    let now = app.world.now();
    let change = PolicyChange {
        id: app.world.id("pch_")?,
        connection: record.connection.id.clone(),
        connection_version: record.connection.version,
        state: ChangeState::Held,
        policies: serde_json::to_value(policies).map_err(AppError::internal)?,
        impact: serde_json::to_value(found).map_err(AppError::internal)?,
        asked_by: caller.actor().label(),
        asked_at: now,
        settled_by: None,
        settled_at: None,
    };
    let event = event("policy.held", &record.connection, &change.asked_by, now, &change);
    let kept = change.clone();
    app.store
        .write(move |tx| {
            Box::pin(async move {
                tx.hold_policy_change(&kept).await?;
                tx.record(event);
                Ok::<_, StoreError>(())
            })
        })
        .await?;
    Ok(change)
}

/// Puts policies in force; `change` is the held one that they come from.
async fn put(
    app: &App,
    record: ConnectionRecord,
    policies: Policies,
    by: String,
    change: Option<PolicyChange>,
) -> Result<i64> {
    let now = app.world.now();
    let before = Policies::of(&record.connection);
    let expected = record.connection.version;
    let data = json!({
        "before": before,
        "after": policies,
        "change": change.as_ref().map(|change| change.id.as_str()),
        "asked_by": change.as_ref().map(|change| change.asked_by.as_str()),
    });
    let updated = NewEvent {
        at: now,
        kind: "policy.updated".to_owned(),
        actor: by.clone(),
        account: None,
        organization: record.connection.owner().cloned(),
        connection: Some(record.connection.id.clone()),
        trace: None,
        data,
    };
    let connection = policies.put_into(&record.connection);
    let version = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                let conflict = || StoreError::Conflict("connection_version".to_owned());
                let stored = tx.lock_connection(&connection.id).await?;
                let stored = stored.ok_or_else(conflict)?;
                if stored.connection.version != expected {
                    return Err(conflict());
                }
                if let Some(change) = &change
                    && !tx
                        .settle_policy_change(&change.id, ChangeState::Approved, &by, now)
                        .await?
                {
                    return Err(StoreError::Conflict("policy_change_settled".to_owned()));
                }
                // What waited was judged against policies that are gone now.
                if let Some(waiting) = tx.held_policy_change(&connection.id).await? {
                    tx.settle_policy_change(&waiting.id, ChangeState::Superseded, &by, now)
                        .await?;
                }
                let version = tx
                    .put_connection(
                        &connection,
                        &record.protocol_config,
                        &record.secrets,
                        &record.status,
                        now,
                    )
                    .await?;
                tx.record(updated);
                Ok(version)
            })
        })
        .await?;
    Ok(version)
}

/// Finds a change of a connection that the caller may see.
///
/// # Errors
/// 404; those of the store.
pub async fn find(app: &App, caller: &Caller, id: &str) -> Result<PolicyChange> {
    let id = id.to_owned();
    let change = app
        .store
        .read(|reader| Box::pin(async move { reader.policy_change(&id).await }))
        .await?
        .ok_or_else(AppError::not_found)?;
    directory::connection(app, caller, change.connection.as_str()).await?;
    Ok(cut(change, caller))
}

/// Leaves out what would happen in other organizations than the caller's.
fn cut(mut change: PolicyChange, caller: &Caller) -> PolicyChange {
    if caller.organization.is_none() {
        return change;
    }
    let sees = |id: &str| caller.sees(&OrganizationId::new(id));
    if let Some(Value::Object(organizations)) = change.impact.pointer_mut("/impact/organizations") {
        organizations.retain(|id, _| sees(id));
    }
    if let Some(Value::Array(held)) = change.impact.pointer_mut("/judgement/held") {
        held.retain(|one| one.get("organization").and_then(Value::as_str).is_some_and(sees));
    }
    change
}

/// Lists the changes of a connection that were held, newest first, before one.
///
/// # Errors
/// 404 for a connection out of sight; those of the store.
pub async fn list(
    app: &App,
    caller: &Caller,
    connection: &str,
    before: Option<String>,
    limit: u32,
) -> Result<Vec<PolicyChange>> {
    let record = directory::connection(app, caller, connection).await?;
    let found = app
        .store
        .read(|reader| {
            Box::pin(async move {
                reader
                    .policy_changes(Some(&record.connection.id), before.as_deref(), limit)
                    .await
            })
        })
        .await?;
    Ok(found.into_iter().map(|change| cut(change, caller)).collect())
}

/// Lists the changes that wait, of all connections, newest first, for the command line.
///
/// # Errors
/// Those of the store.
pub async fn waiting(app: &App) -> Result<Vec<PolicyChange>> {
    let found = app
        .store
        .read(|reader| Box::pin(async move { reader.policy_changes(None, None, 1000).await }))
        .await?;
    Ok(found)
}

/// Approves a held change: its policies are in force, as the version that is returned.
///
/// # Errors
/// 404; 409 (`change_settled`, `change_stale`) if it does not wait any more, or was made for policies that have changed
/// since; `invalid_policy`; those of the store.
pub async fn approve(app: &App, caller: &Caller, id: &str) -> Result<i64> {
    let change = waiting_one(app, caller, id).await?;
    let record = own(app, caller, change.connection.as_str()).await?;
    entitlements::require(app, caller, Feature::Policies).await?;
    entitlements::require_setup(app, caller).await?;
    if record.connection.version != change.connection_version {
        return Err(conflict(
            "change_stale",
            "The connection has changed since this change was held; save it again.",
        ));
    }
    let policies: Policies = serde_json::from_value(change.policies.clone()).map_err(AppError::internal)?;
    check(app, &record.connection, &policies).await?;
    put(app, record, policies, caller.actor().label(), Some(change)).await
}

/// Rejects a held change.
///
/// # Errors
/// 404; 409 (`change_settled`) if it does not wait any more; those of the store.
pub async fn reject(app: &App, caller: &Caller, id: &str) -> Result<PolicyChange> {
    let change = waiting_one(app, caller, id).await?;
    let record = own(app, caller, change.connection.as_str()).await?;
    let (by, now) = (caller.actor().label(), app.world.now());
    let event = event("policy.rejected", &record.connection, &by, now, &change);
    let wanted = change.id.clone();
    let settled = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                let settled = tx
                    .settle_policy_change(&wanted, ChangeState::Rejected, &by, now)
                    .await?;
                if settled {
                    tx.record(event);
                }
                Ok::<_, StoreError>(settled)
            })
        })
        .await?;
    if !settled {
        return Err(settled_already());
    }
    find(app, caller, id).await
}

async fn waiting_one(app: &App, caller: &Caller, id: &str) -> Result<PolicyChange> {
    let change = find(app, caller, id).await?;
    if change.state == ChangeState::Held {
        Ok(change)
    } else {
        Err(settled_already())
    }
}

fn settled_already() -> AppError {
    conflict(
        "change_settled",
        "This change does not wait for an approval any more.",
    )
}

fn conflict(code: &'static str, text: &'static str) -> AppError {
    AppError::new(axum::http::StatusCode::CONFLICT, code, text)
}

fn event(kind: &str, connection: &Connection, by: &str, at: Timestamp, change: &PolicyChange) -> NewEvent {
    NewEvent {
        at,
        kind: kind.to_owned(),
        actor: by.to_owned(),
        account: None,
        organization: connection.owner().cloned(),
        connection: Some(connection.id.clone()),
        trace: None,
        data: json!({
            "change": change.id,
            "asked_by": change.asked_by,
            "policies": change.policies,
            "judgement": change.impact.get("judgement"),
        }),
    }
}
