//! The first page of an organization: how sign-in does, seats, and what waits for an admin.

use askama::Template;
use axum::extract::State;

use super::connections::{self, Card};
use super::directory::{self, Pool};
use super::page::{self, segment};
use super::shell::{Place, Shell};
use super::visit::{Manager, Outcome};
use crate::app::App;
use crate::flow::console::overview;

#[derive(Template)]
#[template(path = "console/home.html")]
struct HomePage {
    shell: Shell,
    cards: Vec<Card>,
    pools: Vec<Pool>,
    members: String,
    needs: Vec<Need>,
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
    let waiting = overview::waiting(&app, organization, &own).await?;
    let domains = overview::domains(&app, organization).await?;
    let shell = manager.shell(Place::Home);
    let now = app.world.now();
    let mut needs = Vec::new();
    if waiting.refused > 0 {
        needs.push(Need {
            text: shell.t1("home.refused", &waiting.refused),
            path: format!("{}/activity?show=attempts&refused=1", shell.base),
            link: shell.t("home.look"),
        });
    }
    if waiting.seatless > 0 {
        needs.push(Need {
            text: shell.t1("home.seatless", &waiting.seatless),
            path: format!("{}/users?waiting=1", shell.base),
            link: shell.t("home.look"),
        });
    }
    for connection in &waiting.held {
        needs.push(Need {
            text: shell.t1("home.held", connection),
            path: format!("{}/connections/{}/policies", shell.base, segment(connection)),
            link: shell.t("home.look"),
        });
    }
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
        pools: manager
            .organization
            .licenses
            .iter()
            .map(|one| directory::pool(&shell, one))
            .collect(),
        members: shell.number(&waiting.members),
        needs,
        is_live: steps.iter().all(|(_, done, _)| *done),
        steps,
        shell,
    })
}
