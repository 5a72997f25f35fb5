//! What an organization's plan includes, how many seats it has, and who sets things up for it (R-18, R-19, R-179, C-21): kept in the organization's settings, read
//! with each connection, asked before an organization changes something itself. Operators are never held back by it: they set up
//! for a customer, and the audit log says so.

use axum::http::StatusCode;
use provost_kernel::connection::Connection;
use provost_kernel::entitlement::{Entitlements, Feature, SeatLimits, Setup};
use provost_kernel::id::OrganizationId;
use provost_kernel::provision::Actor;
use provost_store::{NewEvent, Reader, StoreError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::api_keys::Caller;
use crate::flow::enforcement::serving;
use crate::jobs::seats;

/// What somebody bought, and who sets it up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Plan")]
pub struct Plan {
    /// What the plan includes.
    pub entitlements: Entitlements,
    /// Who sets up connections and policies.
    pub setup: Setup,
    /// How many seats users and readers may hold, over all license pools.
    pub seats: SeatLimits,
}

impl Plan {
    /// Reads the plan off an organization's settings; everything is included where nothing is said.
    pub fn of(settings: &Value) -> Self {
        let part = |name: &str| settings.get(name).cloned().unwrap_or_default();
        Self {
            entitlements: serde_json::from_value(part("entitlements")).unwrap_or_default(),
            setup: serde_json::from_value(part("setup")).unwrap_or_default(),
            seats: SeatLimits::read(settings),
        }
    }

    /// Puts the plan into an organization's settings.
    #[must_use]
    pub fn put_into(&self, settings: Value) -> Value {
        let mut settings = settings;
        let defaults = Self::default();
        if let Some(fields) = settings.as_object_mut() {
            fields.remove("entitlements");
            fields.remove("setup");
            fields.remove(SeatLimits::KEY);
            if self.entitlements != defaults.entitlements {
                fields.insert("entitlements".to_owned(), json!(self.entitlements));
            }
            if self.setup != defaults.setup {
                fields.insert("setup".to_owned(), json!(self.setup));
            }
            if self.seats != defaults.seats {
                fields.insert(SeatLimits::KEY.to_owned(), json!(self.seats));
            }
        }
        settings
    }
}

/// Reads the plan of the organization that owns a connection; everything for one of the whole instance.
///
/// # Errors
/// Those of the store.
pub async fn of_owner(reader: &mut Reader, connection: &Connection) -> std::result::Result<Plan, StoreError> {
    let Some(owner) = connection.owner() else {
        return Ok(Plan::default());
    };
    let record = reader.organization(owner).await?;
    Ok(record
        .map(|record| Plan::of(&record.settings))
        .unwrap_or_default())
}

/// Returns the plan of an organization.
///
/// # Errors
/// 404 out of sight; those of the store.
pub async fn get(app: &App, caller: &Caller, organization: &str) -> Result<Plan> {
    let id = OrganizationId::new(organization);
    if !caller.sees(&id) {
        return Err(AppError::not_found());
    }
    let record = app
        .store
        .read(|reader| Box::pin(async move { reader.organization(&id).await }))
        .await?
        .ok_or_else(AppError::not_found)?;
    Ok(Plan::of(&record.settings))
}

/// Sets the plan of an organization, with a record of it.
///
/// # Errors
/// 403 (`not_permitted`) with a key of one organization; 404; 409 (`last_connection`) while single sign-on is demanded and nothing
/// else serves it; those of the store.
pub async fn set(app: &App, caller: &Caller, organization: &str, plan: Plan) -> Result<Plan> {
    if !caller.sees(&OrganizationId::new(organization)) {
        return Err(AppError::not_found());
    }
    if caller.organization.is_some() {
        return Err(AppError::forbidden(
            "not_permitted",
            "What a plan includes is changed with a key of the whole instance.",
        ));
    }
    let (id, now, by) = (
        OrganizationId::new(organization),
        app.world.now(),
        caller.actor().label(),
    );
    let found = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                tx.lock_organization(&id).await?;
                let Some(record) = tx.organization(&id).await? else {
                    return Ok(false);
                };
                let before = Plan::of(&record.settings);
                if before == plan {
                    return Ok(true);
                }
                let demands = serving::hold_before_plan_in_tx(tx, &id, (&before, &plan)).await?;
                tx.put_organization(&record.organization, &plan.put_into(record.settings), now)
                    .await?;
                if serving::is_lost_in_tx(tx, &demands).await? {
                    return Err(serving::refused());
                }
                // Connections are kept with the plan of their owner.
                tx.bump_revision("connections").await?;
                tx.record(NewEvent {
                    at: now,
                    kind: "organization.plan_changed".to_owned(),
                    actor: by,
                    account: None,
                    organization: Some(id),
                    connection: None,
                    trace: None,
                    data: json!({ "before": before, "after": plan }),
                });
                Ok::<_, AppError>(true)
            })
        })
        .await?;
    if found {
        // A limit that grew lets somebody in who waits.
        seats::wake(app).await;
        Ok(plan)
    } else {
        Err(AppError::not_found())
    }
}

/// Tells whether an operator acts, if only within one organization as in the console.
const fn is_operator(caller: &Caller) -> bool {
    matches!(caller.person, Some(Actor::Operator { .. }))
}

/// Lets an organization itself do something only if its plan includes it. Operators go on.
///
/// # Errors
/// 403 (`entitlement_missing`); those of the store.
pub async fn require(app: &App, caller: &Caller, feature: Feature) -> Result<()> {
    let Some(own) = caller.organization.as_ref().filter(|_| !is_operator(caller)) else {
        return Ok(());
    };
    let plan = get(app, caller, own.as_str()).await?;
    if plan.entitlements.includes(feature) {
        return Ok(());
    }
    Err(AppError::new(
        StatusCode::FORBIDDEN,
        "entitlement_missing",
        format!(
            "The plan of the organization does not include {}.",
            feature.name()
        ),
    ))
}

/// Lets an organization itself set up connections and policies only if it may. Operators go on.
///
/// # Errors
/// 403 (`setup_by_link`, `setup_by_operator`); those of the store.
pub async fn require_setup(app: &App, caller: &Caller) -> Result<()> {
    let Some(own) = caller.organization.as_ref().filter(|_| !is_operator(caller)) else {
        return Ok(());
    };
    let by_link = matches!(caller.person, Some(Actor::SetupLink { .. }));
    match get(app, caller, own.as_str()).await?.setup {
        Setup::SelfService => Ok(()),
        Setup::Link if by_link => Ok(()),
        Setup::Link => Err(AppError::forbidden(
            "setup_by_link",
            "Connections of this organization are set up through a link that an operator gives.",
        )),
        Setup::OperatorOnly => Err(AppError::forbidden(
            "setup_by_operator",
            "Connections of this organization are set up by an operator.",
        )),
    }
}
