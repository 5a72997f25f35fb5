//! The operator's pages: organizations, connections and work of the whole instance; and every component of the design.

use askama::Template;
use axum::extract::{Query, State};
use provost_kernel::connection::Scope;
use serde::Deserialize;

use super::activity::{self, ActivityPage};
use super::chart::{self, Chart, Day, Plot};
use super::format;
use super::home;
use super::page::{self, segment};
use super::shell::{Place, Shell};
use super::visit::{Operator, Outcome};
use crate::app::App;
use crate::flow::api_keys::Caller;
use crate::flow::console::{activity as happened, overview, standing};

/// Where a list goes on.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct After {
    after: Option<String>,
}

/// Begins a page of operators.
pub(super) fn shell(operator: &Operator, place: Place) -> Shell {
    let mut shell = operator.0.shell(place);
    "/console/operator".clone_into(&mut shell.base);
    shell.standing = shell.t("standing.operator");
    shell
}

#[derive(Template)]
#[template(path = "console/operator.html")]
struct OrganizationsPage {
    shell: Shell,
    chart: Option<Chart>,
    rows: Vec<Row>,
    next: Option<String>,
}

struct Row {
    id: String,
    segment: String,
    name: String,
    since: String,
    roles: &'static str,
}

/// `GET /console/operator`.
pub async fn overview(State(app): State<App>, operator: Operator, Query(asked): Query<After>) -> Outcome {
    let is_first = asked.after.is_none();
    let found = standing::all(&app, asked.after).await?;
    let shell = shell(&operator, Place::Organizations);
    let chart = if is_first {
        Some(home::sign_ins(&shell, &overview::sign_ins(&app, None).await?))
    } else {
        None
    };
    let next = found
        .last()
        .filter(|_| found.len() == standing::PAGE as usize)
        .map(|last| format!("{}?after={}", shell.base, segment(last.organization.id.as_str())));
    let rows = found
        .into_iter()
        .map(|record| Row {
            segment: segment(record.organization.id.as_str()),
            id: record.organization.id.to_string(),
            name: record.organization.name,
            since: format::time(record.created_at),
            roles: shell.t(match record.organization.roles_per_member {
                provost_kernel::directory::RolesPerMember::One => "operator.one_role",
                provost_kernel::directory::RolesPerMember::Many => "operator.many_roles",
            }),
        })
        .collect();
    page::show(&OrganizationsPage {
        shell,
        chart,
        rows,
        next,
    })
}

#[derive(Template)]
#[template(path = "console/operator_connections.html")]
struct ConnectionsPage {
    shell: Shell,
    rows: Vec<ConnectionRow>,
    next: Option<String>,
}

struct ConnectionRow {
    id: String,
    name: String,
    protocol: String,
    mode: String,
    tone: &'static str,
    status: &'static str,
    owner: Option<(String, String)>,
    own_policies: Vec<String>,
    has_default: bool,
}

/// `GET /console/operator/connections`.
pub async fn connections(State(app): State<App>, operator: Operator, Query(asked): Query<After>) -> Outcome {
    let found = overview::all_connections(&app, asked.after).await?;
    let shell = shell(&operator, Place::AllConnections);
    let next = found
        .last()
        .filter(|_| found.len() == overview::CONNECTIONS as usize)
        .map(|last| {
            format!(
                "{}/connections?after={}",
                shell.base,
                segment(last.connection.id.as_str())
            )
        });
    let rows = found
        .into_iter()
        .map(|record| {
            let (tone, status) = super::connections::state(&record);
            let connection = record.connection;
            ConnectionRow {
                tone,
                status: shell.look.language.text(status),
                id: connection.id.to_string(),
                protocol: format::word(&connection.protocol).to_uppercase(),
                mode: shell
                    .of("word", &format::word(&connection.provisioning))
                    .to_owned(),
                owner: match &connection.scope {
                    Scope::Instance => None,
                    Scope::Organization { organization, .. } => {
                        Some((segment(organization.as_str()), organization.to_string()))
                    }
                },
                own_policies: connection
                    .organization_policies
                    .iter()
                    .map(|policy| policy.organization.to_string())
                    .collect(),
                has_default: connection.policy.is_some(),
                name: connection.name,
            }
        })
        .collect();
    page::show(&ConnectionsPage { shell, rows, next })
}

#[derive(Template)]
#[template(path = "console/jobs.html")]
struct JobsPage {
    shell: Shell,
    due: String,
    oldest: Option<(String, String)>,
    dead: String,
    rows: Vec<JobRow>,
}

struct JobRow {
    id: String,
    kind: String,
    attempts: i64,
    error: String,
    at: String,
}

/// `GET /console/operator/jobs`.
pub async fn jobs(State(app): State<App>, operator: Operator) -> Outcome {
    let (backlog, dead) = overview::jobs(&app).await?;
    let shell = shell(&operator, Place::Jobs);
    page::show(&JobsPage {
        due: shell.number(&u64::from(backlog.due)),
        oldest: backlog.oldest.map(|at| (at.to_string(), format::time(at))),
        dead: shell.number(&u64::from(backlog.dead)),
        rows: dead
            .into_iter()
            .map(|record| JobRow {
                id: record.job.id,
                kind: record.job.kind,
                attempts: record.attempts,
                error: record.last_error.unwrap_or_default(),
                at: record.dead_at.map(format::time).unwrap_or_default(),
            })
            .collect(),
        shell,
    })
}

/// `GET /console/operator/activity`.
pub async fn activity(
    State(app): State<App>,
    operator: Operator,
    Query(asked): Query<activity::Asked>,
) -> Outcome {
    let found = happened::list(&app, &Caller::operator(), None, asked.wanted()).await?;
    let shell = shell(&operator, Place::InstanceActivity);
    let mut entries: Vec<activity::Entry> = found
        .items
        .iter()
        .map(|item| activity::entry(&shell, item, &found.people))
        .collect();
    // People and explanations are shown in the console of an organization.
    for entry in &mut entries {
        entry.trace = None;
        entry.more = None;
        if let Some((_, name)) = entry.about.take() {
            entry.detail = if entry.detail.is_empty() {
                name
            } else {
                format!("{name} · {}", entry.detail)
            };
        }
    }
    page::show(&ActivityPage {
        live: None,
        choices: asked.choices(&shell, &[]),
        entries,
        next: found
            .next
            .as_ref()
            .map(|next| format!("{}/activity?{}", shell.base, asked.query(Some(&next.write())))),
        is_filtered: asked.is_filtered(),
        can_look_up: false,
        file: None,
        head: None,
        here: format!("{}/activity", shell.base),
        asked,
        shell,
    })
}

#[derive(Template)]
#[template(path = "console/components.html")]
struct ComponentsPage {
    shell: Shell,
    used: u32,
    seats: u32,
    charts: Vec<Chart>,
}

/// `GET /console/components`: every component of the design, for those who build pages.
pub async fn components(State(_app): State<App>, operator: Operator) -> Outcome {
    let shell = shell(&operator, Place::Components);
    page::show(&ComponentsPage {
        used: 62,
        seats: 100,
        charts: vec![example(&shell), home::sign_ins(&shell, &[(0, [0, 0]); 30])],
        shell,
    })
}

/// A chart of made-up days, with a line across.
fn example(shell: &Shell) -> Chart {
    let days: Vec<Day> = (0..30_u64)
        .zip(20_400_i64..)
        .map(|(place, at)| Day {
            at,
            first: 40 + place,
            second: place % 7,
            limit: Some(if place < 12 { 60 } else { 80 }),
        })
        .collect();
    let plot = Plot {
        id: "example".to_owned(),
        title: shell.t("components.charts").to_owned(),
        days: &days,
        first: "chart.admitted",
        second: "chart.refused",
        limit: "chart.limit",
        is_level: true,
        is_calm: false,
        nothing: "chart.no_sign_ins",
    };
    chart::draw(shell, plot)
}
