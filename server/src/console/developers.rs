//! What developers connect to: addresses, keys of the API that are made and revoked here, applications, snippets to begin
//! with. Webhooks and the catalogue of events are beside it.

use askama::Template;
use axum::extract::{Query, State};
use secrecy::ExposeSecret as _;
use serde::Deserialize;

use super::format;
use super::page;
use super::sent::Sent;
use super::shell::{Place, Shell};
use super::told;
use super::visit::{Manager, Outcome};
use crate::app::App;
use crate::error::AppError;
use crate::flow::api_keys::{self, NewKey, Scope};
use crate::flow::console::apps::{self, Listed};

/// What the address asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    done: Option<String>,
}

#[derive(Template)]
#[template(path = "console/developers.html")]
struct DevelopersPage {
    shell: Shell,
    tabs: Vec<Tab>,
    values: Vec<(&'static str, String)>,
    keys: Vec<KeyRow>,
    scopes: Vec<ScopeRow>,
    label: String,
    days: String,
    made: Option<String>,
    problem: Option<String>,
    apps: Vec<Listed>,
    snippets: Vec<(&'static str, String)>,
}

struct KeyRow {
    id: String,
    label: String,
    scopes: String,
    made: String,
    ends: Option<String>,
    used: Option<(String, String)>,
    is_live: bool,
}

struct ScopeRow {
    word: &'static str,
    about: String,
    is_ticked: bool,
}

/// A page beside others, as a tab: its address, its name, and whether it is this one.
pub(super) type Tab = (String, &'static str, bool);

/// The pages for developers, of which this is one.
pub(super) fn tabs(shell: &Shell, this: &str) -> Vec<Tab> {
    let tab = |word: &str, name: &'static str| {
        let path = if word.is_empty() {
            String::new()
        } else {
            format!("/{word}")
        };
        (format!("{}/developers{path}", shell.base), name, word == this)
    };
    vec![
        tab("", shell.t("developers.keys_tab")),
        tab("webhooks", shell.t("webhooks.title")),
        tab("events", shell.t("webhooks.catalogue")),
        tab("configuration", shell.t("configuration.title")),
    ]
}

/// Scopes that a key of one organization can use; the others are of the whole instance.
fn scopes() -> impl Iterator<Item = Scope> {
    Scope::ALL.iter().copied().filter(|scope| {
        !matches!(
            scope,
            Scope::ApplicationsRead
                | Scope::ApplicationsWrite
                | Scope::ConfigurationRead
                | Scope::ConfigurationWrite
                | Scope::JobsRead
        )
    })
}

/// `GET …/developers`.
pub async fn show(State(app): State<App>, manager: Manager, Query(asked): Query<Asked>) -> Outcome {
    let shell = manager.shell(Place::Developers).after(asked.done.as_deref());
    render(&app, &manager, shell, &Sent::default(), None, None).await
}

async fn render(
    app: &App,
    manager: &Manager,
    shell: Shell,
    sent: &Sent,
    made: Option<String>,
    problem: Option<String>,
) -> Outcome {
    let organization = &manager.organization.organization.id;
    let keys = api_keys::list_of(app, &manager.caller).await?;
    let apps = apps::list(app, Some(organization)).await?;
    let now = app.world.now();
    let values = [
        ("developers.issuer", app.config.issuer()),
        (
            "developers.discovery",
            app.config.url("/.well-known/openid-configuration"),
        ),
        ("developers.api", app.config.url("/api/v1")),
        ("developers.feed", app.config.url("/api/v1/events")),
        ("developers.organization", organization.to_string()),
    ];
    let ticked = sent.all("scope");
    page::show(&DevelopersPage {
        tabs: tabs(&shell, ""),
        values: values
            .into_iter()
            .map(|(key, value)| (shell.t(key), value))
            .collect(),
        keys: keys
            .into_iter()
            .rev()
            .map(|key| KeyRow {
                is_live: key.revoked_at.is_none() && key.expires_at.is_none_or(|end| now < end),
                id: key.id,
                label: key.label,
                scopes: key.scopes.join(", "),
                made: format::time(key.created_at),
                ends: key.expires_at.map(format::time),
                used: key.last_used_at.map(|at| (at.to_string(), format::time(at))),
            })
            .collect(),
        scopes: scopes()
            .map(|scope| ScopeRow {
                word: scope.word(),
                about: about(&shell, scope),
                is_ticked: ticked.iter().any(|word| word == scope.word()),
            })
            .collect(),
        snippets: snippets(app, &shell, &apps, organization.as_str()),
        label: sent.get("label").to_owned(),
        days: sent.get("days").to_owned(),
        apps,
        made,
        problem,
        shell,
    })
}

/// Says what a scope allows, in the language of the page.
fn about(shell: &Shell, scope: Scope) -> String {
    let key = format!("scope.{}", scope.word().replace(':', "_"));
    shell
        .look
        .language
        .known(&key)
        .map_or_else(|| scope.about().to_owned(), str::to_owned)
}

/// What an app begins with: names that most libraries know, and the first call of the feed.
fn snippets(app: &App, shell: &Shell, apps: &[Listed], organization: &str) -> Vec<(&'static str, String)> {
    let client = apps
        .first()
        .map_or("YOUR_CLIENT_ID", |first| first.client_id.as_str());
    let issuer = app.config.issuer();
    let feed = app.config.url("/api/v1/events");
    let start = app.config.url(&format!(
        "/oauth2/authorize?client_id={client}&response_type=code&scope=openid&organization={organization}"
    ));
    vec![
        (
            shell.t("developers.snippet_app"),
            format!(
                "OIDC_ISSUER={issuer}\nOIDC_CLIENT_ID={client}\nOIDC_CLIENT_SECRET=…\nOIDC_SCOPES=\"openid profile email\""
            ),
        ),
        (shell.t("developers.snippet_start"), start),
        (
            shell.t("developers.snippet_feed"),
            format!("curl -H \"Authorization: Bearer $PROVOST_API_KEY\" \\\n  \"{feed}?after=\""),
        ),
    ]
}

/// `POST …/developers`: makes a key or revokes one.
pub async fn act(State(app): State<App>, manager: Manager, sent: Sent) -> Outcome {
    manager.visitor.must_be_fresh(&app)?;
    let shell = manager.shell(Place::Developers);
    if let Some(id) = sent.some("revoke") {
        api_keys::revoke_by(&app, &manager.caller, &id).await?;
        return page::lead_to(&format!("{}/developers?done=key", shell.base));
    }
    match wanted(&sent, &manager) {
        Ok(new) => match api_keys::create_by(&app, &manager.caller, new).await {
            Ok(made) => {
                let secret = made.secret.expose_secret().to_owned();
                render(&app, &manager, shell, &Sent::default(), Some(secret), None).await
            }
            Err(error) => {
                let problem = Some(told::mendable(&shell, error)?);
                render(&app, &manager, shell, &sent, None, problem).await
            }
        },
        Err(error) => {
            let problem = Some(told::mendable(&shell, error)?);
            render(&app, &manager, shell, &sent, None, problem).await
        }
    }
}

fn wanted(sent: &Sent, manager: &Manager) -> Result<NewKey, AppError> {
    let days = match sent.some("days") {
        None => None,
        Some(text) => Some(
            text.parse::<u32>()
                .ok()
                .filter(|days| (1..=3650).contains(days))
                .ok_or_else(|| AppError::bad_request("invalid_days", "Days are a number from 1 to 3650."))?,
        ),
    };
    let wanted = sent.all("scope");
    Ok(NewKey {
        label: sent.get("label").to_owned(),
        organization: Some(manager.organization.organization.id.clone()),
        scopes: scopes()
            .filter(|scope| wanted.iter().any(|word| word == scope.word()))
            .collect(),
        days,
    })
}
