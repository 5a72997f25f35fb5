//! One organization as its operator sees it: what its plan includes, who sets it up, seats and people (R-18, R-19, C-21).

use askama::Template;
use axum::extract::{Path, Query, State};
use provost_kernel::entitlement::{Entitlements, Feature, SeatLimits, Setup};
use serde::Deserialize;

use super::directory::{self, Pool};
use super::operator::shell;
use super::page::{self, segment};
use super::sent::Sent;
use super::shell::{Place, Shell};
use super::visit::{Operator, Outcome};
use crate::app::App;
use crate::error::AppError;
use crate::flow::console::standing;
use crate::flow::entitlements::{self, Plan};
use crate::flow::{directory as people, seats};

/// What the address asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    done: Option<String>,
}

#[derive(Template)]
#[template(path = "console/operator_organization.html")]
struct OrganizationPage {
    shell: Shell,
    id: String,
    segment: String,
    name: String,
    features: Vec<FeatureRow>,
    setups: Vec<SetupRow>,
    members: Vec<(&'static str, String)>,
    pools: Vec<Pool>,
    seats_users: Option<u32>,
    seats_readers: Option<u32>,
}

struct FeatureRow {
    word: &'static str,
    name: &'static str,
    why: &'static str,
    is_on: bool,
}

struct SetupRow {
    word: &'static str,
    name: &'static str,
    why: &'static str,
    is_chosen: bool,
}

/// Features with their word in forms, name and consequence.
const FEATURES: &[(Feature, &str, &str, &str)] = &[
    (Feature::Sso, "sso", "plan.sso", "plan.sso_why"),
    (Feature::Scim, "scim", "plan.scim", "plan.scim_why"),
    (
        Feature::CustomRoles,
        "custom_roles",
        "plan.roles",
        "plan.roles_why",
    ),
    (
        Feature::Policies,
        "policies",
        "plan.policies",
        "plan.policies_why",
    ),
    (
        Feature::AuditExport,
        "audit_export",
        "plan.export",
        "plan.export_why",
    ),
];

/// Ways to set up with their word in forms, name and consequence.
const SETUPS: &[(Setup, &str, &str, &str)] = &[
    (
        Setup::SelfService,
        "self_service",
        "plan.by_itself",
        "plan.by_itself_why",
    ),
    (Setup::Link, "link", "plan.by_link", "plan.by_link_why"),
    (
        Setup::OperatorOnly,
        "operator_only",
        "plan.by_operator",
        "plan.by_operator_why",
    ),
];

/// `GET /console/operator/organizations/{organization}`.
pub async fn show(
    State(app): State<App>,
    operator: Operator,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Outcome {
    let caller = standing::instance_caller(&operator.0.active);
    let facts = people::organization(&app, &caller, &id).await?;
    let plan = entitlements::get(&app, &caller, &id).await?;
    let used = seats::count(&app, &caller, &id).await?;
    let shell = shell(&operator, Place::Organizations).after(asked.done.as_deref());
    page::show(&OrganizationPage {
        segment: segment(&id),
        name: facts.organization.name.clone(),
        features: FEATURES
            .iter()
            .map(|(feature, word, name, why)| FeatureRow {
                word,
                name: shell.t(name),
                why: shell.t(why),
                is_on: plan.entitlements.includes(*feature),
            })
            .collect(),
        setups: SETUPS
            .iter()
            .map(|(setup, word, name, why)| SetupRow {
                word,
                name: shell.t(name),
                why: shell.t(why),
                is_chosen: plan.setup == *setup,
            })
            .collect(),
        members: used
            .members
            .iter()
            .map(|(kind, count)| {
                let name = match kind {
                    provost_kernel::directory::AccountKind::User => "plan.users",
                    provost_kernel::directory::AccountKind::Reader => "plan.readers",
                };
                (shell.t(name), shell.number(&u64::from(*count)))
            })
            .collect(),
        pools: facts
            .licenses
            .iter()
            .map(|pool| directory::pool(&shell, pool))
            .chain(directory::kinds(&shell, &facts, false))
            .collect(),
        seats_users: plan.seats.users,
        seats_readers: plan.seats.readers,
        id,
        shell,
    })
}

/// `POST /console/operator/organizations/{organization}`: changes the plan.
pub async fn save(State(app): State<App>, operator: Operator, Path(id): Path<String>, sent: Sent) -> Outcome {
    operator.0.must_be_fresh(&app)?;
    let caller = standing::instance_caller(&operator.0.active);
    let plan = Plan {
        entitlements: Entitlements {
            sso: sent.has("sso"),
            scim: sent.has("scim"),
            custom_roles: sent.has("custom_roles"),
            policies: sent.has("policies"),
            audit_export: sent.has("audit_export"),
        },
        setup: SETUPS
            .iter()
            .find(|(_, word, ..)| *word == sent.get("setup"))
            .map_or_else(Setup::default, |(setup, ..)| *setup),
        seats: SeatLimits {
            users: limit(&sent, "seats_users")?,
            readers: limit(&sent, "seats_readers")?,
        },
    };
    entitlements::set(&app, &caller, &id, plan).await?;
    page::lead_to(&format!(
        "/console/operator/organizations/{}?done=plan",
        segment(&id)
    ))
}

/// Reads a limit off the form; an empty field means none.
fn limit(sent: &Sent, name: &str) -> Result<Option<u32>, AppError> {
    let text = sent.get(name).trim();
    if text.is_empty() {
        return Ok(None);
    }
    let number = text.parse().ok();
    let wrong = || {
        AppError::bad_request(
            "invalid_body",
            "Seats are a whole number, or nothing for no limit.",
        )
    };
    number.map(Some).ok_or_else(wrong)
}
