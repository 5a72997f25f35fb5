//! The first page of an organization: how sign-in does, seats, and what waits for an admin.

use askama::Template;
use axum::extract::State;
use jiff::Timestamp;
use provost_store::DomainRecord;

use super::chart::{self, Chart};
use super::connections::{self, Card};
use super::directory::{self, Pool};
use super::format;
use super::page::{self, segment};
use super::shell::{Place, Shell};
use super::visit::{Manager, Outcome};
use crate::app::App;
use crate::flow::console::overview::{self, Counts, Health};
use crate::flow::console::waiting::{self, Waiting};
use crate::flow::setup::is_draft;

#[derive(Template)]
#[template(path = "console/home.html")]
struct HomePage {
    shell: Shell,
    cards: Vec<Card>,
    kinds: Vec<Pool>,
    pools: Vec<Pool>,
    members: String,
    needs: Vec<Need>,
    chart: Chart,
    steps: Vec<(&'static str, bool, String)>,
    is_live: bool,
}

/// Something that waits for somebody.
struct Need {
    text: String,
    path: String,
    link: &'static str,
}

/// `GET /console/{organization}`.
pub async fn show(State(app): State<App>, manager: Manager) -> Outcome {
    let organization = &manager.organization.organization.id;
    let own = overview::own_connections(&app, organization).await?;
    let waiting = waiting::collect(&app, organization, &own).await?;
    let domains = overview::domains(&app, organization).await?;
    let ids = own.iter().map(|health| health.record.connection.id.clone());
    let days = overview::sign_ins(&app, Some(ids.collect())).await?;
    let shell = manager.shell(Place::Home);
    let now = app.world.now();
    let needs = needs(&shell, &waiting, &own, &domains, now);
    let steps = vec![
        (
            shell.t("home.step_domain"),
            domains.iter().any(|domain| domain.verified_at.is_some()),
            String::new(),
        ),
        (
            shell.t("home.step_connection"),
            !own.is_empty(),
            format!("{}/connections", shell.base),
        ),
        (
            shell.t("home.step_sign_in"),
            own.iter().any(|health| health.last_admitted.is_some()),
            format!("{}/connections", shell.base),
        ),
        (
            shell.t("home.step_people"),
            waiting.members > 1,
            format!("{}/users", shell.base),
        ),
    ];
    page::show(&HomePage {
        cards: own
            .iter()
            .map(|health| connections::card(&shell, health, now))
            .collect(),
        kinds: directory::kinds(&shell, &manager.organization, true),
        pools: manager
            .organization
            .licenses
            .iter()
            .map(|one| directory::pool(&shell, one))
            .collect(),
        members: shell.number(&waiting.members),
        needs,
        chart: sign_ins(&shell, &days),
        is_live: steps.iter().all(|(_, done, _)| *done),
        steps,
        shell,
    })
}

/// Lists what waits for somebody.
fn needs(
    shell: &Shell,
    waiting: &Waiting,
    own: &[Health],
    domains: &[DomainRecord],
    now: Timestamp,
) -> Vec<Need> {
    let mut needs = Vec::new();
    let mut need = |text: String, path: String| {
        needs.push(Need {
            text,
            path: format!("{}{path}", shell.base),
            link: shell.t("home.look"),
        });
    };
    if waiting.unplaced > 0 {
        let count = up_to(shell, waiting.unplaced);
        need(
            shell.t1("home.unplaced", &count),
            "/activity?show=attempts&why=no_organization".to_owned(),
        );
    }
    if waiting.refused > 0 {
        let count = up_to(shell, waiting.refused);
        need(
            shell.t1("home.refused", &count),
            "/activity?show=attempts&refused=1".to_owned(),
        );
    }
    for health in own {
        let connection = &health.record.connection;
        let id = segment(connection.id.as_str());
        let wrong = health.traffic.failures + health.traffic.refusals;
        if wrong > 0 {
            let count = shell.number(&wrong);
            let path = format!("/activity?show=scim&refused=1&connection={id}");
            need(shell.t2("home.pushes", &connection.name, &count), path);
        }
        if let Some(end) = health.certificate_ends
            && connections::days_left(end, now) < connections::CERTIFICATE_DAYS
        {
            let text = shell.t2("home.certificate", &connection.name, &format::time(end));
            need(text, format!("/connections/{id}/values"));
        }
        if is_draft(&health.record) {
            need(
                shell.t1("home.draft", &connection.name),
                format!("/connections/{id}/setup"),
            );
        }
        if health.drifting > 0 {
            let count = up_to(shell, health.drifting);
            need(
                shell.t2("home.drift", &connection.name, &count),
                "/users/drift".to_owned(),
            );
        }
        let stale = waiting.stale.get(&connection.id).copied().unwrap_or_default();
        if stale > 0 {
            let count = up_to(shell, usize::try_from(stale).unwrap_or(usize::MAX));
            let days = waiting::STALE_DAYS;
            need(
                shell.t3("home.stale", &connection.name, &days, &count),
                format!("/users?via={id}&unseen={days}&status=active"),
            );
        }
    }
    if waiting.seatless > 0 {
        let count = up_to(shell, waiting.seatless);
        need(shell.t1("home.seatless", &count), "/users?waiting=1".to_owned());
    }
    if waiting.invited > 0 {
        let count = up_to(shell, waiting.invited);
        need(shell.t1("home.invited", &count), "/invitations".to_owned());
    }
    for domain in domains.iter().filter(|domain| domain.verified_at.is_none()) {
        let path = format!("/domains/{}", segment(&domain.name));
        need(shell.t1("home.domain", &domain.name), path);
    }
    for connection in &waiting.held {
        let path = format!("/connections/{}/policies", segment(connection));
        need(shell.t1("home.held", connection), path);
    }
    needs
}

/// A count of what was looked at up to a page.
fn up_to(shell: &Shell, count: usize) -> String {
    let most = overview::RECENT as usize;
    let number = shell.number(&u64::try_from(count).unwrap_or_default());
    if count < most {
        number
    } else {
        format!("{number}+")
    }
}

/// Draws sign-ins by day.
pub(super) fn sign_ins(shell: &Shell, days: &[(i64, Counts)]) -> Chart {
    let words = ["chart.admitted", "chart.refused", "chart.no_sign_ins"];
    chart::counts(shell, ("sign-ins", "chart.sign_ins"), days, words)
}
