//! `/setup/colleague`: whoever sets up by a link makes one for a colleague who knows a step better, and takes it back.

use crate::route::{And as _, get};
use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use provost_store::SetupLink;
use secrecy::ExposeSecret as _;
use serde::Deserialize;

use super::super::format;
use super::super::page;
use super::super::sent::Sent;
use super::super::shell::Shell;
use super::super::told;
use super::super::visit::Outcome;
use super::Step;
use super::desk::{Desk, PORTAL};
use super::links::{Standing, standing};
use crate::app::App;
use crate::error::AppError;
use crate::flow::setup::colleagues::{self, Asked};
use crate::flow::setup::links;

const PAGE: &str = "/setup/colleague";

/// The addresses.
pub(super) fn routes() -> Router<App> {
    Router::new().route(PAGE, get(show).and_post(act))
}

/// Returns where a colleague is asked to help with a step; empty where nobody may be asked.
pub(super) fn address(desk: &Desk, step: &str) -> String {
    desk.link
        .as_ref()
        .filter(|link| colleagues::may_ask(link))
        .map_or_else(String::new, |_| format!("{PAGE}?step={step}"))
}

/// Returns where a link leads when it is opened.
pub(super) fn entrance(link: &SetupLink) -> String {
    let step = link.step.as_deref().and_then(Step::parse);
    match (&link.connection, step) {
        (Some(connection), Some(step)) => format!(
            "{PORTAL}/connections/{}/setup/{}",
            page::segment(connection.as_str()),
            step.word()
        ),
        (_, _) => PORTAL.to_owned(),
    }
}

#[derive(Template)]
#[template(path = "console/setup_colleague.html")]
struct ColleaguePage {
    shell: Shell,
    step: &'static str,
    step_name: &'static str,
    back: String,
    made: Option<String>,
    problem: String,
    rows: Vec<Row>,
    days: u32,
    most_days: u32,
}

struct Row {
    id: String,
    label: String,
    step: &'static str,
    ends: String,
    tone: &'static str,
    state: &'static str,
    is_open: bool,
}

/// What the address asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct At {
    step: String,
}

/// `GET /setup/colleague`.
async fn show(State(app): State<App>, desk: Desk, Query(at): Query<At>) -> Outcome {
    render(&app, &desk, &at.step, None, None).await
}

async fn render(
    app: &App,
    desk: &Desk,
    step: &str,
    made: Option<String>,
    problem: Option<&AppError>,
) -> Outcome {
    let link = own(desk)?;
    let shell = desk.shell();
    let step = Step::parse(step).filter(|step| desk.may(step.scope()));
    let now = app.world.now();
    let rows = colleagues::list(app, link).await?;
    let shown = ColleaguePage {
        step: step.map_or("", Step::word),
        step_name: step.map_or("", |step| shell.t(step.key())),
        back: match (&link.connection, step) {
            (Some(connection), Some(step)) => desk.step_path(connection.as_str(), step.word()),
            (_, _) => PORTAL.to_owned(),
        },
        made,
        problem: told::problem(&shell, problem),
        rows: rows
            .into_iter()
            .map(|link| {
                let Standing { tone, key, is_open } = standing(&link, now);
                Row {
                    step: link
                        .step
                        .as_deref()
                        .and_then(Step::parse)
                        .map_or("", |step| shell.t(step.key())),
                    ends: format::time(link.expires_at),
                    tone,
                    state: shell.t(key),
                    is_open,
                    id: link.id,
                    label: link.label,
                }
            })
            .collect(),
        days: colleagues::DAYS,
        most_days: colleagues::MOST_DAYS,
        shell,
    };
    page::show_with(problem.map_or(StatusCode::OK, AppError::status), &shown)
}

/// The link by which somebody came who may ask others.
fn own(desk: &Desk) -> Result<&SetupLink, AppError> {
    let link = desk.link.as_ref().ok_or_else(AppError::not_found)?;
    if colleagues::may_ask(link) {
        Ok(link)
    } else {
        Err(links::out_of_scope())
    }
}

/// `POST /setup/colleague`: makes a link, or takes one back.
async fn act(State(app): State<App>, desk: Desk, sent: Sent) -> Outcome {
    let link = own(&desk)?;
    let step = sent.get("step");
    let done = if let Some(id) = sent.some("revoke") {
        colleagues::revoke(&app, link, &id).await.map(|()| None)
    } else {
        let asked = Asked {
            label: sent.get("label").to_owned(),
            step: Step::parse(step)
                .filter(|step| desk.may(step.scope()))
                .map(|step| step.word().to_owned()),
            days: sent.some("days").map(|days| days.parse().unwrap_or_default()),
        };
        colleagues::ask(&app, link, asked).await.map(Some)
    };
    match done {
        Ok(Some(made)) => {
            let url = made.url.expose_secret().to_owned();
            render(&app, &desk, step, Some(url), None).await
        }
        Ok(None) => {
            let step = Step::parse(step).map_or("", Step::word);
            page::lead_to(&format!("{PAGE}?step={step}"))
        }
        Err(error) if error.status().is_client_error() && error.code() != "not_found" => {
            render(&app, &desk, step, None, Some(&error)).await
        }
        Err(error) => Err(error.into()),
    }
}
