//! Set-up links in an organization's console: made, shown once, regenerated, revoked.

use crate::route::{And as _, get};
use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use provost_store::SetupLink;
use secrecy::ExposeSecret as _;

use super::super::format;
use super::super::page;
use super::super::sent::Sent;
use super::super::shell::{Place, Shell};
use super::super::told;
use super::super::visit::{Manager, Outcome};
use crate::app::App;
use crate::error::AppError;
use crate::flow::setup::links::{self, New, Scope};

/// The addresses.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/console/{organization}/setup-links", get(show).and_post(act))
}

#[derive(Template)]
#[template(path = "console/setup_links.html")]
struct LinksPage {
    shell: Shell,
    rows: Vec<Row>,
    made: Option<String>,
    problem: String,
    connections: Vec<(String, String)>,
}

struct Row {
    id: String,
    label: String,
    scopes: Vec<&'static str>,
    connection: String,
    tone: &'static str,
    state: &'static str,
    made: String,
    ends: String,
    is_open: bool,
    is_asked: bool,
}

/// `GET …/setup-links`.
async fn show(State(app): State<App>, manager: Manager) -> Outcome {
    render(&app, &manager, None, None).await
}

async fn render(app: &App, manager: &Manager, made: Option<String>, problem: Option<&AppError>) -> Outcome {
    let shell = manager.shell(Place::Connections);
    let now = app.world.now();
    let found = links::list(app, &manager.caller, manager.id()).await?;
    let connections = crate::flow::directory::connections(app, &manager.caller, None, 100).await?;
    let page = LinksPage {
        rows: found.iter().map(|link| row(&shell, link, now)).collect(),
        made,
        problem: told::problem(&shell, problem),
        connections: connections
            .into_iter()
            .map(|record| (record.connection.id.to_string(), record.connection.name))
            .collect(),
        shell,
    };
    page::show_with(problem.map_or(StatusCode::OK, AppError::status), &page)
}

fn row(shell: &Shell, link: &SetupLink, now: Timestamp) -> Row {
    let Standing { tone, key, is_open } = standing(link, now);
    Row {
        id: link.id.clone(),
        label: link.label.clone(),
        scopes: links::scopes(link)
            .into_iter()
            .map(|scope| shell.look.language.text(scope_key(scope)))
            .collect(),
        connection: link
            .connection
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        tone,
        state: shell.t(key),
        made: format::time(link.created_at),
        ends: format::time(link.expires_at),
        is_open,
        is_asked: link.asked_from.is_some(),
    }
}

/// How a link stands, for a page.
pub(super) struct Standing {
    pub(super) tone: &'static str,
    pub(super) key: &'static str,
    /// Whether anything can be done with it.
    pub(super) is_open: bool,
}

pub(super) fn standing(link: &SetupLink, now: Timestamp) -> Standing {
    let state = links::state(link, now);
    let (tone, key) = match state {
        links::State::Open => ("idle", "setup.link_open"),
        links::State::Opened => ("good", "setup.link_opened"),
        links::State::Done => ("good", "setup.link_done"),
        links::State::Revoked => ("bad", "setup.link_revoked"),
        links::State::Expired => ("warn", "setup.link_expired"),
    };
    Standing {
        tone,
        key,
        is_open: !matches!(state, links::State::Done | links::State::Revoked),
    }
}

const fn scope_key(scope: Scope) -> &'static str {
    match scope {
        Scope::Domain => "setup.scope_domain",
        Scope::Sso => "setup.scope_sso",
        Scope::Scim => "setup.scope_scim",
    }
}

/// `POST …/setup-links`: makes, regenerates or revokes.
async fn act(State(app): State<App>, manager: Manager, sent: Sent) -> Outcome {
    manager.visitor.must_be_fresh(&app)?;
    let (caller, organization) = (&manager.caller, manager.id());
    if let Some(id) = sent.some("revoke") {
        return match links::revoke(&app, caller, organization, &id).await {
            Ok(()) => page::lead_to(&format!("{}/setup-links", manager.base())),
            Err(error) if error.code() == "setup_link_ended" => {
                render(&app, &manager, None, Some(&error)).await
            }
            Err(error) => Err(error.into()),
        };
    }
    let made = if let Some(id) = sent.some("regenerate") {
        links::regenerate(&app, caller, organization, &id, None).await
    } else {
        let new = New {
            label: sent.get("label").to_owned(),
            scopes: sent
                .all("scope")
                .iter()
                .filter_map(|word| Scope::parse(word))
                .collect(),
            connection: sent.some("connection"),
            days: sent.get("days").parse().ok(),
        };
        links::create(&app, caller, organization, new).await
    };
    match made {
        Ok(made) => {
            let url = made.url.expose_secret().to_owned();
            render(&app, &manager, Some(url), None).await
        }
        Err(error) if error.status().is_client_error() && error.code() != "not_found" => {
            render(&app, &manager, None, Some(&error)).await
        }
        Err(error) => Err(error.into()),
    }
}
