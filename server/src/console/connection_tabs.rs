//! Tabs of a connection that change it: how claims are read, how accounts come into being, and the rest.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use provost_kernel::connection::{
    EmailUpdate, ExistingAccount, OnLostMatch, OnNoRole, OnNoSeat, Protocol, Provisioning, RoleSync, Settings,
};
use provost_store::ConnectionRecord;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::connections::{Head, head};
use super::format;
use super::page::{self, segment};
use super::sent::Sent;
use super::shell::{Place, Shell};
use super::told;
use super::visit::{Manager, Outcome};
use crate::app::App;
use crate::connection_config::{IdpInitiated, ProtocolConfig};
use crate::error::AppError;
use crate::flow::configuration::{self, People};
use crate::flow::directory;
use crate::flow::setup::editing::{self, Mapping, OIDC_PATHS, Reading, SAML_FIELDS};
use crate::flow::setup::testing;

/// What the address of a tab asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    done: Option<String>,
}

type Named = Path<(String, String)>;

#[derive(Template)]
#[template(path = "console/claims.html")]
struct ClaimsPage {
    shell: Shell,
    head: Head,
    action: String,
    rows: Vec<(&'static str, String)>,
    is_saml: bool,
    seen: Vec<String>,
    read: Read,
    problem: String,
    faults: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "console/claims_read.html")]
struct ReadPiece {
    shell: Shell,
    read: Read,
}

/// The claims that came last, read with the mapping of the form.
struct Read {
    is_there: bool,
    fields: Vec<(&'static str, Option<String>)>,
    raw: String,
    reference: String,
    problem: String,
}

impl Read {
    fn of(shell: &Shell, found: Result<Option<Reading>, AppError>) -> Result<Self, AppError> {
        let mut read = Self {
            is_there: false,
            fields: Vec::new(),
            raw: String::new(),
            reference: String::new(),
            problem: String::new(),
        };
        match found {
            Ok(Some(reading)) => {
                read.is_there = true;
                read.raw = serde_json::to_string_pretty(&reading.claims).unwrap_or_default();
                let kept = serde_json::json!({ "normalized": reading.normalized });
                read.fields = testing::fields(&kept)
                    .into_iter()
                    .map(|field| (field.name, field.value))
                    .collect();
                read.reference = reading.reference;
            }
            Ok(None) => {}
            Err(error) if error.code() == "invalid_configuration" => {
                read.problem = problems(shell, &error);
            }
            Err(error) => return Err(error),
        }
        Ok(read)
    }
}

fn names_of(record: &ConnectionRecord) -> &'static [&'static str] {
    match record.connection.protocol {
        Protocol::Saml => SAML_FIELDS,
        Protocol::Oidc => OIDC_PATHS,
    }
}

fn sent_mapping(record: &ConnectionRecord, sent: &Sent) -> Mapping {
    names_of(record)
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), sent.some(name)?)))
        .collect()
}

/// `GET …/claims`.
pub async fn claims(
    State(app): State<App>,
    manager: Manager,
    Path((_, id)): Named,
    Query(asked): Query<Asked>,
) -> Outcome {
    let record = directory::connection(&app, &manager.caller, &id).await?;
    let mapping = editing::mapping(&record);
    let shell = manager.shell(Place::Connections).after(asked.done.as_deref());
    claims_page(&app, &manager, shell, &record, mapping, None).await
}

async fn claims_page(
    app: &App,
    manager: &Manager,
    shell: Shell,
    record: &ConnectionRecord,
    mapping: Mapping,
    problem: Option<&AppError>,
) -> Outcome {
    let id = record.connection.id.as_str();
    let read = Read::of(&shell, editing::read(app, &manager.caller, id, &mapping).await)?;
    let raw: BTreeMap<String, Value> = serde_json::from_str(&read.raw).unwrap_or_default();
    let page = ClaimsPage {
        head: head(&shell, record, "claims"),
        action: format!("{}/connections/{}/claims", shell.base, segment(id)),
        rows: names_of(record)
            .iter()
            .map(|name| (*name, mapping.get(*name).cloned().unwrap_or_default()))
            .collect(),
        is_saml: record.connection.protocol == Protocol::Saml,
        seen: raw.into_keys().take(60).collect(),
        read,
        problem: told::problem(&shell, problem),
        faults: told::problem_faults(&shell, problem),
        shell,
    };
    page::show_with(problem.map_or(StatusCode::OK, AppError::status), &page)
}

/// Says in one line what is wrong with paths.
fn problems(shell: &Shell, error: &AppError) -> String {
    let faults = told::faults(shell, error).into_iter();
    let lines: Vec<String> = faults.map(|(path, text)| format!("{path}: {text}")).collect();
    lines.join("; ")
}

/// `POST …/claims`.
pub async fn save_claims(
    State(app): State<App>,
    manager: Manager,
    Path((_, id)): Named,
    sent: Sent,
) -> Outcome {
    let record = directory::connection(&app, &manager.caller, &id).await?;
    let mapping = sent_mapping(&record, &sent);
    match editing::save_mapping(&app, &manager.caller, &id, mapping.clone()).await {
        Ok(()) => page::lead_to(&format!(
            "{}/connections/{}/claims?done=saved",
            manager.base(),
            segment(&id)
        )),
        Err(error) if error.status().is_client_error() && error.code() != "not_found" => {
            let shell = manager.shell(Place::Connections);
            claims_page(&app, &manager, shell, &record, mapping, Some(&error)).await
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST …/claims/try`: how the claims that came last are read with the mapping of the form; a piece for the script.
pub async fn try_claims(
    State(app): State<App>,
    manager: Manager,
    Path((_, id)): Named,
    headers: HeaderMap,
    sent: Sent,
) -> Outcome {
    let record = directory::connection(&app, &manager.caller, &id).await?;
    let mapping = sent_mapping(&record, &sent);
    let shell = manager.shell(Place::Connections);
    if headers.contains_key("x-piece") {
        let read = Read::of(&shell, editing::read(&app, &manager.caller, &id, &mapping).await)?;
        return page::piece(&ReadPiece { shell, read });
    }
    claims_page(&app, &manager, shell, &record, mapping, None).await
}

/// A setting as a question with answers.
struct Question {
    name: &'static str,
    title: &'static str,
    answers: Vec<(String, &'static str, bool)>,
}

#[derive(Template)]
#[template(path = "console/provisioning.html")]
struct ProvisioningPage {
    shell: Shell,
    head: Head,
    modes: Vec<(&'static str, &'static str, &'static str, bool)>,
    questions: Vec<Question>,
    problem: String,
    faults: Vec<(String, String)>,
}

/// `GET …/provisioning`.
pub async fn provisioning(
    State(app): State<App>,
    manager: Manager,
    Path((_, id)): Named,
    Query(asked): Query<Asked>,
) -> Outcome {
    let record = directory::connection(&app, &manager.caller, &id).await?;
    let shell = manager.shell(Place::Connections).after(asked.done.as_deref());
    provisioning_page(shell, &record, None)
}

fn provisioning_page(shell: Shell, record: &ConnectionRecord, problem: Option<&AppError>) -> Outcome {
    let mode = record.connection.provisioning;
    let modes = [
        (Provisioning::Manual, "manual", "mode.manual", "mode.manual_why"),
        (Provisioning::Jit, "jit", "mode.jit", "mode.jit_why"),
        (Provisioning::Scim, "scim", "mode.scim", "mode.scim_why"),
    ];
    let page = ProvisioningPage {
        head: head(&shell, record, "provisioning"),
        modes: modes
            .into_iter()
            .map(|(one, word, name, why)| (word, shell.t(name), shell.t(why), one == mode))
            .collect(),
        questions: questions(&shell, &record.connection.settings),
        problem: told::problem(&shell, problem),
        faults: told::problem_faults(&shell, problem),
        shell,
    };
    page::show_with(problem.map_or(StatusCode::OK, AppError::status), &page)
}

/// The settings in sentences.
fn questions(shell: &Shell, settings: &Settings) -> Vec<Question> {
    let ask = |name, title, now: String, answers: &[(&str, &'static str)]| Question {
        name,
        title: shell.look.language.text(title),
        answers: answers
            .iter()
            .map(|(word, key)| ((*word).to_owned(), shell.look.language.text(key), *word == now))
            .collect(),
    };
    let mut seat = ask(
        "on_no_seat",
        "setting.seat",
        format::word(&settings.on_no_seat),
        &[("queue", "setting.seat_queue"), ("refuse", "setting.seat_refuse")],
    );
    if let OnNoSeat::Other(_) = settings.on_no_seat {
        seat.answers
            .push(("other".to_owned(), shell.t("setting.seat_other"), true));
    }
    vec![
        ask(
            "require_domain",
            "setting.domain",
            settings.require_domain.to_string(),
            &[("true", "setting.domain_on"), ("false", "setting.domain_off")],
        ),
        ask(
            "existing_account",
            "setting.existing",
            format::word(&settings.existing_account),
            &[
                ("link", "setting.existing_link"),
                ("additional", "setting.existing_additional"),
                ("refuse", "setting.existing_refuse"),
            ],
        ),
        ask(
            "role_sync",
            "setting.sync",
            format::word(&settings.role_sync),
            &[
                ("until_edited", "setting.sync_edited"),
                ("every_login", "setting.sync_every"),
                ("creation", "setting.sync_creation"),
            ],
        ),
        ask(
            "on_lost_match",
            "setting.lost",
            format::word(&settings.on_lost_match),
            &[
                ("remove_rule_grants", "setting.lost_remove"),
                ("suspend", "setting.lost_suspend"),
                ("keep", "setting.lost_keep"),
            ],
        ),
        ask(
            "on_no_role",
            "setting.no_role",
            format::word(&settings.on_no_role),
            &[
                ("skip", "setting.no_role_skip"),
                ("default_role", "setting.no_role_default"),
            ],
        ),
        seat,
        ask(
            "email_update",
            "setting.email",
            format::word(&settings.email_update),
            &[
                ("if_own_domain_and_free", "setting.email_domain"),
                ("always", "setting.email_always"),
                ("never", "setting.email_never"),
            ],
        ),
    ]
}

/// Reads a word of a form as what serde calls so; what is no such word leaves things as they are.
fn word<T: DeserializeOwned>(sent: &Sent, name: &str) -> Option<T> {
    serde_json::from_value(Value::String(sent.some(name)?)).ok()
}

/// `POST …/provisioning`.
pub async fn save_provisioning(
    State(app): State<App>,
    manager: Manager,
    Path((_, id)): Named,
    sent: Sent,
) -> Outcome {
    let record = directory::connection(&app, &manager.caller, &id).await?;
    let require_domain = match sent.get("require_domain") {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    };
    let (mode, existing, sync, lost, no_role, no_seat, email) = (
        word::<Provisioning>(&sent, "mode"),
        word::<ExistingAccount>(&sent, "existing_account"),
        word::<RoleSync>(&sent, "role_sync"),
        word::<OnLostMatch>(&sent, "on_lost_match"),
        word::<OnNoRole>(&sent, "on_no_role"),
        word::<OnNoSeat>(&sent, "on_no_seat"),
        word::<EmailUpdate>(&sent, "email_update"),
    );
    let saved = editing::edit(&app, &manager.caller, &id, move |entry| {
        entry.provisioning = mode.unwrap_or(entry.provisioning);
        entry.require_domain = require_domain.unwrap_or(entry.require_domain);
        entry.existing_account = existing.unwrap_or(entry.existing_account);
        entry.role_sync = sync.unwrap_or(entry.role_sync);
        entry.on_lost_match = lost.unwrap_or(entry.on_lost_match);
        entry.on_no_role = no_role.unwrap_or(entry.on_no_role);
        entry.email_update = email.unwrap_or(entry.email_update);
        if let Some(no_seat) = &no_seat {
            entry.on_no_seat = no_seat.clone();
        }
    })
    .await;
    done(&manager, &id, "provisioning", saved, |shell, error| {
        provisioning_page(shell, &record, Some(error))
    })
}

/// Leads on after saving, or shows the form again with what is wrong.
fn done(
    manager: &Manager,
    id: &str,
    tab: &str,
    saved: Result<(), AppError>,
    again: impl FnOnce(Shell, &AppError) -> Outcome,
) -> Outcome {
    match saved {
        Ok(()) => page::lead_to(&format!(
            "{}/connections/{}/{tab}?done=saved",
            manager.base(),
            segment(id)
        )),
        Err(error) if error.status().is_client_error() && error.code() != "not_found" => {
            again(manager.shell(Place::Connections), &error)
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(Template)]
#[template(path = "console/more.html")]
struct MorePage {
    shell: Shell,
    head: Head,
    id: String,
    segment: String,
    name: String,
    is_saml: bool,
    idp_initiated: bool,
    landing: String,
    idle: String,
    idle_default: i64,
    enabled: bool,
    is_draft: bool,
    people: u64,
    problem: String,
    faults: Vec<(String, String)>,
}

/// `GET …/more`.
pub async fn more(
    State(app): State<App>,
    manager: Manager,
    Path((_, id)): Named,
    Query(asked): Query<Asked>,
) -> Outcome {
    let record = directory::connection(&app, &manager.caller, &id).await?;
    let people = configuration::count_affected(&app, &manager.caller, &id).await?;
    let shell = manager.shell(Place::Connections).after(asked.done.as_deref());
    more_page(&app, shell, &record, people, None)
}

fn more_page(
    app: &App,
    shell: Shell,
    record: &ConnectionRecord,
    people: u64,
    problem: Option<&AppError>,
) -> Outcome {
    let connection = &record.connection;
    let initiated = match ProtocolConfig::of(connection.id.as_str(), &record.protocol_config) {
        Ok(ProtocolConfig::Saml(saml)) => saml.idp_initiated,
        Ok(ProtocolConfig::Oidc(_)) | Err(_) => None,
    };
    let page = MorePage {
        head: head(&shell, record, "more"),
        segment: page::segment(record.connection.id.as_str()),
        id: connection.id.to_string(),
        name: connection.name.clone(),
        is_saml: connection.protocol == Protocol::Saml,
        idp_initiated: initiated.is_some(),
        landing: initiated
            .map(|one| one.allowed_applications.join(" "))
            .unwrap_or_default(),
        idle: connection
            .settings
            .idle_minutes
            .map(|minutes| minutes.to_string())
            .unwrap_or_default(),
        idle_default: app.defaults.session_idle_seconds() / 60,
        enabled: connection.enabled,
        is_draft: crate::flow::setup::is_draft(record),
        people,
        problem: told::problem(&shell, problem),
        faults: told::problem_faults(&shell, problem),
        shell,
    };
    page::show_with(problem.map_or(StatusCode::OK, AppError::status), &page)
}

/// `POST …/more`: saves, or deletes what was named by hand.
pub async fn save_more(
    State(app): State<App>,
    manager: Manager,
    Path((_, id)): Named,
    sent: Sent,
) -> Outcome {
    let record = directory::connection(&app, &manager.caller, &id).await?;
    if sent.has("delete") {
        return delete(&app, &manager, &record, &sent).await;
    }
    let name = sent
        .some("name")
        .map(|name| name.chars().take(100).collect::<String>());
    let idle = match sent.get("idle") {
        "" => None,
        text => Some(
            text.parse::<u32>()
                .ok()
                .filter(|minutes| *minutes <= 60 * 24 * 30)
                .ok_or_else(|| {
                    AppError::bad_request(
                        "invalid_form",
                        "The idle time is a number of minutes, 30 days at most.",
                    )
                })?,
        ),
    };
    let landing: Vec<String> = sent
        .get("landing")
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    let initiated = sent.has("idp_initiated").then_some(IdpInitiated {
        allowed_applications: landing,
    });
    let enabled = sent.has("enabled");
    let is_draft = crate::flow::setup::is_draft(&record);
    let saved = editing::edit(&app, &manager.caller, &id, move |entry| {
        if name.is_some() {
            entry.name.clone_from(&name);
        }
        entry.idle_minutes = idle;
        if !is_draft {
            entry.enabled = enabled;
        }
        if let Some(saml) = &mut entry.saml {
            saml.idp_initiated.clone_from(&initiated);
        }
    })
    .await;
    let people = configuration::count_affected(&app, &manager.caller, &id).await?;
    done(&manager, &id, "more", saved, |shell, error| {
        more_page(&app, shell, &record, people, Some(error))
    })
}

async fn delete(app: &App, manager: &Manager, record: &ConnectionRecord, sent: &Sent) -> Outcome {
    manager.visitor.must_be_fresh(app)?;
    let id = record.connection.id.as_str();
    let owner = record
        .connection
        .owner()
        .map(ToString::to_string)
        .unwrap_or_default();
    crate::flow::setup::require(app, &manager.caller, &owner).await?;
    let people = configuration::count_affected(app, &manager.caller, id).await?;
    let shell = manager.shell(Place::Connections);
    if sent.get("confirm") != id {
        let error = AppError::bad_request("confirmation_wrong", "What was typed is not the identifier.");
        return more_page(app, shell, record, people, Some(&error));
    }
    let fate = match sent.get("people") {
        "keep" => Some(People::Keep),
        "convert" => Some(People::Convert),
        "delete" => Some(People::Delete),
        _ => None,
    };
    match configuration::delete_connection(app, &manager.caller, id, fate).await {
        Ok(_) => page::lead_to(&format!("{}/connections?done=deleted", manager.base())),
        Err(error) if error.status().is_client_error() => more_page(app, shell, record, people, Some(&error)),
        Err(error) => Err(error.into()),
    }
}
