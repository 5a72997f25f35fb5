//! The configuration as a file: what `provost export` writes, of one organization or of the whole instance. Never holds secrets.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::developers::{self, Tab};
use super::page::{self, segment};
use super::shell::{Place, Shell};
use super::visit::{Manager, Operator, Outcome};
use crate::app::App;
use crate::flow::api_keys::Caller;
use crate::flow::configuration;

#[derive(Template)]
#[template(path = "console/configuration.html")]
struct ConfigurationPage {
    shell: Shell,
    tabs: Vec<Tab>,
    text: String,
}

/// `GET …/developers/configuration`.
pub async fn show(State(app): State<App>, manager: Manager) -> Outcome {
    let document = configuration::export_organization(&app, &manager.caller, manager.id()).await?;
    let text = configuration::written(&document)?;
    let shell = manager.shell(Place::Developers);
    page::show(&ConfigurationPage {
        tabs: developers::tabs(&shell, "configuration"),
        text,
        shell,
    })
}

/// `GET …/developers/configuration/file`.
pub async fn of_organization(State(app): State<App>, manager: Manager) -> Outcome {
    let document = configuration::export_organization(&app, &manager.caller, manager.id()).await?;
    Ok(file(&segment(manager.id()), configuration::written(&document)?))
}

/// `GET /console/operator/configuration`.
pub async fn of_instance(State(app): State<App>, _operator: Operator) -> Outcome {
    let document = configuration::export(&app, &Caller::operator()).await?;
    Ok(file("instance", configuration::written(&document)?))
}

fn file(name: &str, text: String) -> Response {
    let name = format!("provost-{name}.yaml");
    page::file(&name, "application/yaml; charset=utf-8", text.into_bytes())
}
