//! Applications of the instance: listed, made with a secret that is shown once, changed and deleted by operators.

use askama::Template;
use axum::extract::{Query, State};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::operator::shell;
use super::page;
use super::sent::Sent;
use super::shell::{Place, Shell};
use super::told;
use super::visit::{Operator, Outcome};
use crate::app::App;
use crate::declarative::Mode;
use crate::error::AppError;
use crate::flow::configuration;
use crate::flow::console::apps::{self, Listed};
use crate::flow::console::standing;

/// What the address asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    done: Option<String>,
}

#[derive(Template)]
#[template(path = "console/operator_apps.html")]
struct AppsPage {
    shell: Shell,
    rows: Vec<Row>,
    typed: Typed,
    made: Option<String>,
    problem: Option<String>,
}

struct Row {
    client_id: String,
    name: String,
    redirect_uris: Vec<String>,
    organizations: String,
    has_secret: bool,
}

#[derive(Default)]
struct Typed {
    client_id: String,
    name: String,
    redirect_uris: String,
    organizations: String,
}

/// `GET /console/operator/applications`.
pub async fn list(State(app): State<App>, operator: Operator, Query(asked): Query<Asked>) -> Outcome {
    let shell = shell(&operator, Place::Apps).after(asked.done.as_deref());
    render(&app, shell, Typed::default(), None, None).await
}

async fn render(
    app: &App,
    shell: Shell,
    typed: Typed,
    made: Option<String>,
    problem: Option<String>,
) -> Outcome {
    let rows = apps::list(app, None)
        .await?
        .into_iter()
        .map(|one| row(&shell, one))
        .collect();
    page::show(&AppsPage {
        shell,
        rows,
        typed,
        made,
        problem,
    })
}

fn row(shell: &Shell, one: Listed) -> Row {
    Row {
        organizations: one.organizations.map_or_else(
            || shell.t("apps.every").to_owned(),
            |ids| ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        ),
        client_id: one.client_id,
        name: one.name,
        redirect_uris: one.redirect_uris,
        has_secret: one.has_secret,
    }
}

/// `POST /console/operator/applications`.
pub async fn act(State(app): State<App>, operator: Operator, sent: Sent) -> Outcome {
    operator.0.must_be_fresh(&app)?;
    let shell = shell(&operator, Place::Apps);
    let caller = standing::instance_caller(&operator.0.active);
    if let Some(id) = sent.some("delete") {
        configuration::delete_application(&app, &caller, &id).await?;
        return page::lead_to(&format!("{}/applications?done=app", shell.base));
    }
    let typed = Typed {
        client_id: sent.get("client_id").to_owned(),
        name: sent.get("name").to_owned(),
        redirect_uris: sent.get("redirect_uris").to_owned(),
        organizations: sent.get("organizations").to_owned(),
    };
    let is_known = apps::list(&app, None)
        .await?
        .iter()
        .any(|one| one.client_id == typed.client_id);
    let secret = (!sent.has("public"))
        .then(|| app.world.token("pvs_"))
        .transpose()
        .map_err(AppError::from)?
        .map(|token| token.secret);
    let outcome = if is_known {
        Err(AppError::conflict(
            "client_id_taken",
            "There is an application with this client id.",
        ))
    } else {
        let body = body(&typed, secret.as_ref().map(secrecy::ExposeSecret::expose_secret));
        configuration::put_application(&app, &caller, &typed.client_id, body, Mode::Write).await
    };
    match outcome {
        Ok(_) => {
            let made = secret.map(|secret| secret.expose_secret().to_owned());
            let mut shell = shell.after(Some("app_made"));
            shell.path = format!("{}/applications", shell.base);
            render(&app, shell, Typed::default(), made, None).await
        }
        Err(error) => {
            let faults: Vec<String> = told::faults(&shell, &error)
                .into_iter()
                .map(|(path, text)| format!("{path}: {text}."))
                .collect();
            let mut problem = told::mendable(&shell, error)?;
            if !faults.is_empty() {
                problem = format!("{problem} {}", faults.join(" "));
            }
            render(&app, shell, typed, None, Some(problem)).await
        }
    }
}

/// The entry of the declarative file that stands for the form.
fn body(typed: &Typed, secret: Option<&str>) -> Map<String, Value> {
    let lines = |text: &str| -> Vec<String> {
        text.split(['\n', ',', ' '])
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let mut body = Map::new();
    body.insert("redirect_uris".to_owned(), json!(lines(&typed.redirect_uris)));
    let organizations = lines(&typed.organizations);
    body.insert(
        "organizations".to_owned(),
        if organizations.is_empty() {
            json!("all")
        } else {
            json!(organizations)
        },
    );
    if !typed.name.is_empty() {
        body.insert("name".to_owned(), json!(typed.name));
    }
    match secret {
        Some(secret) => body.insert("client_secret".to_owned(), json!(secret)),
        None => body.insert("token_endpoint_auth_method".to_owned(), json!("none")),
    };
    body
}
