//! The directory of a connection: addresses and tokens to give to it, what it may do, whether it has called, and how its requests
//! went.

use askama::Template;
use axum::extract::{Path, Query, State};
use jiff::Timestamp;
use provost_store::{ConnectionRecord, TokenRecord};
use secrecy::ExposeSecret as _;
use serde::Deserialize;

use super::chart::{self, Chart};
use super::connections::{Head, head};
use super::format;
use super::page::{self, segment};
use super::sent::Sent;
use super::shell::{Place, Shell};
use super::told;
use super::visit::{Manager, Outcome, Stop};
use crate::app::App;
use crate::declarative::document::ScimEntry;
use crate::error::AppError;
use crate::flow::console::groups;
use crate::flow::console::overview::{self, Counts};
use crate::flow::directory;
use crate::flow::directory_tokens::{self, LONGEST_LABEL};
use crate::flow::policy::Policies;
use crate::flow::scim::tokens::{self, Wanted};
use crate::flow::setup::editing;
use crate::scim_config::{ScimConfig, ScimMode, ScimOperation, ScimVersion};

/// What the address of a directory's page asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    piece: Option<String>,
    done: Option<String>,
}

#[derive(Template)]
#[template(path = "console/scim.html")]
struct ScimPage {
    shell: Shell,
    head: Head,
    is_scim: bool,
    urls: Vec<(&'static str, String)>,
    operations: Vec<Permission>,
    versions: Vec<Permission>,
    look_up: bool,
    tokens: Vec<TokenRow>,
    made: Option<String>,
    problem: Option<String>,
    last: Option<(String, String)>,
    chart: Chart,
    live: String,
    groups: Vec<GroupRow>,
    is_strict: bool,
    client: Option<(String, String)>,
    habits: Vec<(&'static str, &'static str)>,
}

/// Something that a directory may do, or not.
struct Permission {
    word: &'static str,
    name: &'static str,
    why: &'static str,
    is_given: bool,
}

/// Versions as a form names them.
const VERSIONS: &[(ScimVersion, &str, &str, &str)] = &[
    (ScimVersion::V2, "2.0", "scim.version_2", "scim.version_2_why"),
    (ScimVersion::V1, "1.1", "scim.version_1", "scim.version_1_why"),
];

/// A group that the directory has pushed.
struct GroupRow {
    path: String,
    name: String,
    members: String,
    roles: Vec<String>,
}

/// What directories do in their own way, and what to set there because of it.
const HABITS: &[(&str, &str)] = &[
    ("Okta", "scim.habit_okta"),
    ("Microsoft Entra ID", "scim.habit_entra"),
    ("OneLogin", "scim.habit_onelogin"),
    ("PingOne", "scim.habit_ping"),
    ("JumpCloud", "scim.habit_jumpcloud"),
];

struct TokenRow {
    id: String,
    label: String,
    made: String,
    ends: Option<String>,
    used: Option<(String, String)>,
    is_live: bool,
}

/// `GET …/scim`.
pub async fn show(
    State(app): State<App>,
    manager: Manager,
    Path((_, id)): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Outcome {
    let record = directory::connection(&app, &manager.caller, &id).await?;
    let shell = manager.shell(Place::Connections).after(asked.done.as_deref());
    if asked.piece.is_some() {
        let found = overview::directory(&app, &record.connection.id).await?;
        let last = found.last.map(|at| (at.to_string(), format::time(at)));
        return page::piece(&WaitingPiece { shell, last });
    }
    render(&app, shell, &record, None, None).await
}

#[derive(Template)]
#[template(path = "console/waiting.html")]
struct WaitingPiece {
    shell: Shell,
    last: Option<(String, String)>,
}

async fn render(
    app: &App,
    shell: Shell,
    record: &ConnectionRecord,
    made: Option<String>,
    problem: Option<String>,
) -> Outcome {
    let found = overview::directory(app, &record.connection.id).await?;
    let config = ScimConfig::of(&record.protocol_config).unwrap_or_default();
    let id = segment(record.connection.id.as_str());
    let base = |version: &str| app.config.url(&format!("/scim/{id}/{version}"));
    let mut urls = Vec::new();
    if config.versions.contains(&ScimVersion::V2) {
        urls.push(("scim.url_2", base("v2")));
    }
    if config.versions.contains(&ScimVersion::V1) {
        urls.push(("scim.url_1", base("v1")));
    }
    let now = app.world.now();
    page::show(&ScimPage {
        head: head(&shell, record, "scim"),
        is_scim: overview::is_pushed(record),
        urls: urls
            .into_iter()
            .map(|(key, value)| (shell.t(key), value))
            .collect(),
        operations: operations(&shell, &config),
        versions: VERSIONS
            .iter()
            .map(|(version, word, name, why)| Permission {
                word,
                name: shell.t(name),
                why: shell.t(why),
                is_given: config.versions.contains(version),
            })
            .collect(),
        look_up: config.look_up,
        tokens: found
            .tokens
            .iter()
            .rev()
            .map(|token| token_row(token, now))
            .collect(),
        made,
        problem,
        last: found.last.map(|at| (at.to_string(), format::time(at))),
        chart: requests(&shell, &found.days),
        groups: pushed(&shell, record, &found.groups),
        is_strict: config.mode == ScimMode::Strict,
        client: found.client,
        habits: HABITS.iter().map(|(name, key)| (*name, shell.t(key))).collect(),
        live: format!("{}/connections/{id}/scim?piece=1", shell.base),
        shell,
    })
}

/// Operations with what each means.
fn operations(shell: &Shell, config: &ScimConfig) -> Vec<Permission> {
    ScimOperation::all()
        .into_iter()
        .map(|one| Permission {
            word: one.word(),
            name: shell.of("scim_action", one.word()),
            why: shell.t(match one {
                ScimOperation::Read => "scim.may_read",
                ScimOperation::Create => "scim.may_create",
                ScimOperation::Update => "scim.may_update",
                ScimOperation::Deactivate => "scim.may_deactivate",
                ScimOperation::Delete => "scim.may_delete",
                ScimOperation::Groups => "scim.may_groups",
            }),
            is_given: config.allows(one),
        })
        .collect()
}

fn pushed(shell: &Shell, record: &ConnectionRecord, groups: &[provost_store::GroupRow]) -> Vec<GroupRow> {
    let policies = Policies::of(&record.connection);
    groups
        .iter()
        .map(|group| GroupRow {
            path: format!(
                "{}/groups/{}/{}",
                shell.base,
                segment(group.connection.as_str()),
                segment(group.id.as_str())
            ),
            members: shell.number(&group.members),
            roles: groups::roles_of(&policies, &group.name),
            name: group.name.clone(),
        })
        .collect()
}

fn token_row(token: &TokenRecord, now: Timestamp) -> TokenRow {
    TokenRow {
        id: token.id.clone(),
        label: token.label.clone(),
        made: format::time(token.created_at),
        ends: token.expires_at.map(format::time),
        used: token.last_used_at.map(|at| (at.to_string(), format::time(at))),
        is_live: tokens::is_live(token, now),
    }
}

fn requests(shell: &Shell, days: &[(i64, Counts)]) -> Chart {
    let words = ["scim.right", "scim.wrong", "scim.no_requests"];
    chart::counts(shell, ("requests", "scim.chart"), days, words)
}

/// `POST …/scim`: makes or revokes a token, or says what the directory may do.
pub async fn act(
    State(app): State<App>,
    manager: Manager,
    Path((_, id)): Path<(String, String)>,
    sent: Sent,
) -> Outcome {
    let record = directory::connection(&app, &manager.caller, &id).await?;
    manager.visitor.must_be_fresh(&app)?;
    let here = format!("{}/connections/{}/scim", manager.base(), segment(&id));
    if let Some(token) = sent.some("revoke") {
        directory_tokens::revoke(&app, &manager.caller, &id, &token).await?;
        return page::lead_to(&format!("{here}?done=token"));
    }
    if sent.has("rights") {
        return match permit(&app, &manager, &id, &sent).await {
            Ok(()) => page::lead_to(&format!("{here}?done=saved")),
            Err(error) => {
                let shell = manager.shell(Place::Connections);
                let problem = match error.code() {
                    "invalid_configuration" => shell.t("scim.version_missing").to_owned(),
                    _ => told::mendable(&shell, error)?,
                };
                render(&app, shell, &record, None, Some(problem)).await
            }
        };
    }
    let wanted = Wanted {
        connection: id,
        label: sent.get("label").chars().take(LONGEST_LABEL).collect(),
        days: sent
            .get("days")
            .parse()
            .ok()
            .filter(|days| (1..=3650).contains(days)),
        is_client: false,
    };
    let shell = manager.shell(Place::Connections);
    match directory_tokens::create(&app, &manager.caller, wanted).await {
        Ok(made) => {
            let secret = made.secret.expose_secret().to_owned();
            render(&app, shell, &record, Some(secret), None).await
        }
        Err(error) => {
            let problem = Some(problem(&shell, error)?);
            render(&app, shell, &record, None, problem).await
        }
    }
}

/// Says what the directory may do (C-03, C-04), the way of `provost apply`.
async fn permit(app: &App, manager: &Manager, id: &str, sent: &Sent) -> Result<(), AppError> {
    let (chosen, versions) = (sent.all("operation"), sent.all("version"));
    let mode = match sent.get("reading") {
        "strict" => ScimMode::Strict,
        _ => ScimMode::Compat,
    };
    let look_up = sent.has("look_up");
    editing::edit(app, &manager.caller, id, move |entry| {
        let directory = entry.settings().directory;
        let scim = entry
            .scim
            .get_or_insert_with(|| ScimEntry::of(ScimConfig::default(), directory));
        scim.operations = ScimOperation::all()
            .into_iter()
            .filter(|one| chosen.iter().any(|word| word == one.word()))
            .collect();
        // In the order in which the file writes them, so that saving the same changes nothing.
        scim.versions = ScimVersion::all()
            .into_iter()
            .filter(|one| {
                let named = |(version, word, ..): &(ScimVersion, &str, &str, &str)| {
                    version == one && versions.iter().any(|said| said == word)
                };
                VERSIONS.iter().any(named)
            })
            .collect();
        scim.mode = mode;
        scim.look_up = look_up;
    })
    .await
}

/// What stands against a token, as a sentence: in the words of this page, or in those for whatever else a plan refuses.
fn problem(shell: &Shell, error: AppError) -> Result<String, Stop> {
    let own = match error.code() {
        "invalid_key" => Some("scim.label_missing"),
        "label_taken" => Some("scim.label_taken"),
        "too_many_tokens" => Some("scim.too_many"),
        _ => None,
    };
    match own {
        Some(key) => Ok(shell.t(key).to_owned()),
        None => told::mendable(shell, error),
    }
}
