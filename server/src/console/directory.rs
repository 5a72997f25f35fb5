//! What an organization hands out: workspaces and roles, and licenses.

use askama::Template;
use axum::extract::State;
use provost_kernel::directory::AccountKind;
use provost_kernel::facts::{LicensePool, OrganizationFacts};
use provost_kernel::policy::{LicenseRule, RoleRule, WorkspaceRule};

use super::chart::Chart;
use super::licenses::{self, SeatRow};
use super::page::{self, segment};
use super::shell::{Place, Shell};
use super::visit::{Manager, Outcome};
use crate::app::App;
use crate::flow::console::{overview, waiting};
use crate::flow::policy::Policies;
use crate::flow::seats;

#[derive(Template)]
#[template(path = "console/access.html")]
struct AccessPage {
    shell: Shell,
    roles: Vec<Handed>,
    workspaces: Vec<Handed>,
}

/// A role or a workspace.
struct Handed {
    id: String,
    segment: String,
    name: String,
    marks: Vec<&'static str>,
    used_by: Vec<(String, String)>,
}

/// `GET …/access`.
pub async fn access(State(app): State<App>, manager: Manager) -> Outcome {
    let organization = &manager.organization.organization.id;
    let own = overview::own_connections(&app, organization).await?;
    let shell = manager.shell(Place::Access);
    let users = |mentions: &dyn Fn(&Policies) -> bool| {
        own.iter()
            .map(|health| &health.record.connection)
            .filter(|connection| mentions(&Policies::of(connection)))
            .map(|connection| (segment(connection.id.as_str()), connection.name.clone()))
            .collect::<Vec<_>>()
    };
    let facts = &manager.organization;
    let marks = |pairs: &[(bool, &'static str)]| {
        pairs
            .iter()
            .filter(|(holds, _)| *holds)
            .map(|(_, key)| shell.t(key))
            .collect::<Vec<_>>()
    };
    let roles = facts
        .roles
        .iter()
        .map(|role| Handed {
            id: role.id.to_string(),
            segment: segment(role.id.as_str()),
            name: role.name.clone(),
            marks: marks(&[
                (role.owner, "standing.owner"),
                (role.admin, "standing.admin"),
                (role.default, "access.default"),
            ]),
            used_by: users(&|policies| mentions_role(policies, &role.name)),
        })
        .collect();
    let workspaces = facts
        .workspaces
        .iter()
        .map(|one| Handed {
            id: one.id.to_string(),
            segment: segment(one.id.as_str()),
            name: one.name.clone(),
            marks: marks(&[(one.default, "access.default")]),
            used_by: users(&|policies| mentions_workspace(policies, one.id.as_str(), &one.name)),
        })
        .collect();
    page::show(&AccessPage {
        shell,
        roles,
        workspaces,
    })
}

fn mentions_role(policies: &Policies, name: &str) -> bool {
    let rules = policies
        .policy
        .iter()
        .filter_map(|policy| policy.role.as_ref())
        .chain(
            policies
                .organization_policies
                .iter()
                .filter_map(|policy| policy.role.as_ref()),
        );
    rules.into_iter().any(|rule| match rule {
        RoleRule::Fixed(fixed) => fixed == name,
        RoleRule::Expression(text) => text.contains(&format!("'{name}'")),
        RoleRule::Groups(rows) => rows.iter().any(|row| row.roles.iter().any(|role| role == name)),
        RoleRule::Mapping(rows) => rows.iter().any(|row| row.roles.iter().any(|role| role == name)),
    })
}

fn mentions_workspace(policies: &Policies, id: &str, name: &str) -> bool {
    let rules = policies
        .policy
        .iter()
        .filter_map(|policy| policy.workspaces.as_ref())
        .chain(
            policies
                .organization_policies
                .iter()
                .filter_map(|policy| policy.workspaces.as_ref()),
        );
    rules.into_iter().any(|rule| match rule {
        WorkspaceRule::All {} => true,
        WorkspaceRule::Fixed { ids } => ids.iter().any(|known| known.as_str() == id),
        WorkspaceRule::Dynamic { expression } => [id, name]
            .iter()
            .any(|word| expression.contains(&format!("'{word}'"))),
    })
}

#[derive(Template)]
#[template(path = "console/licenses.html")]
struct LicensesPage {
    shell: Shell,
    kinds: Vec<Pool>,
    pools: Vec<Pool>,
    charts: Vec<Chart>,
    rows: Vec<SeatRow>,
    waiting: usize,
}

/// A pool of licenses, with its use in percent.
pub(super) struct Pool {
    pub(super) id: String,
    pub(super) used: String,
    pub(super) seats: Option<String>,
    pub(super) percent: u64,
    pub(super) is_full: bool,
    pub(super) used_by: Vec<(String, String)>,
    /// How many people wait for a seat, where that is shown.
    pub(super) waiting: Option<String>,
}

/// Shows a pool.
pub(super) fn pool(shell: &Shell, pool: &LicensePool) -> Pool {
    meter_of(shell, pool.license.id.to_string(), pool.used, pool.license.seats)
}

fn meter_of(shell: &Shell, id: String, used: u32, seats: Option<u32>) -> Pool {
    let (used, seats) = (u64::from(used), seats.map(u64::from));
    Pool {
        id,
        used: shell.number(&used),
        seats: seats.map(|seats| shell.number(&seats)),
        percent: seats.map_or(0, |seats| (used * 100).checked_div(seats).unwrap_or(100).min(100)),
        is_full: seats.is_some_and(|seats| used >= seats),
        used_by: Vec::new(),
        waiting: None,
    }
}

/// Shows the seats of each kind of account: those that the organization's plan limits, or both kinds if any are in use.
pub(super) fn kinds(shell: &Shell, facts: &OrganizationFacts, unlimited: bool) -> Vec<Pool> {
    let is_used = facts.kinds.values().any(|meter| meter.used > 0);
    [
        (AccountKind::User, "plan.users"),
        (AccountKind::Reader, "plan.readers"),
    ]
    .into_iter()
    .filter_map(|(kind, name)| {
        let meter = facts.kinds.get(&kind).copied().unwrap_or_default();
        let is_shown = meter.limit.is_some() || (unlimited && is_used);
        is_shown.then(|| meter_of(shell, shell.t(name).to_owned(), meter.used, meter.limit))
    })
    .collect()
}

/// `GET …/licenses`.
pub async fn licenses(State(app): State<App>, manager: Manager) -> Outcome {
    let organization = &manager.organization.organization.id;
    let own = overview::own_connections(&app, organization).await?;
    let waiting = waiting::collect(&app, organization, &own).await?;
    let counted = seats::count(&app, &manager.caller, manager.id()).await?;
    let days = seats::days(&app, &manager.caller, manager.id(), None, None).await?;
    let events = overview::seat_events(&app, organization).await?;
    let shell = manager.shell(Place::Licenses);
    let pools = manager
        .organization
        .licenses
        .iter()
        .map(|one| {
            let mut shown = pool(&shell, one);
            let known = counted
                .pools
                .iter()
                .find(|known| known.license.id == one.license.id);
            shown.waiting = known.map(|known| {
                let waiting: u32 = known.by_kind.values().map(|(_, waiting)| waiting).sum();
                shell.number(&u64::from(waiting))
            });
            shown.used_by = own
                .iter()
                .map(|health| &health.record.connection)
                .filter(|connection| mentions_license(&Policies::of(connection), one.license.id.as_str()))
                .map(|connection| (segment(connection.id.as_str()), connection.name.clone()))
                .collect();
            shown
        })
        .collect();
    page::show(&LicensesPage {
        kinds: kinds(&shell, &manager.organization, false),
        pools,
        charts: licenses::charts(&shell, &days),
        rows: licenses::rows(&shell, &events),
        waiting: waiting.seatless,
        shell,
    })
}

fn mentions_license(policies: &Policies, id: &str) -> bool {
    let rules = policies
        .policy
        .iter()
        .filter_map(|policy| policy.license.as_ref())
        .chain(
            policies
                .organization_policies
                .iter()
                .filter_map(|policy| policy.license.as_ref()),
        );
    rules.into_iter().any(|rule| match rule {
        LicenseRule::Fixed(fixed) => fixed.as_str() == id,
        LicenseRule::Expression(text) => text.contains(&format!("'{id}'")),
    })
}
