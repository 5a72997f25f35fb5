//! The operator's page of the instance itself: health, backup, and the defaults that hold for everybody.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use serde::Deserialize;

use super::format;
use super::operator;
use super::page;
use super::sent::Sent;
use super::shell::{Place, Shell};
use super::told;
use super::visit::{Operator, Outcome};
use crate::app::App;
use crate::config::Config;
use crate::flow::console::health::{self, Round};
use crate::flow::console::standing;
use crate::flow::defaults::{self, Setting};

/// What the address asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    done: Option<String>,
}

#[derive(Template)]
#[template(path = "console/operator_health.html")]
struct HealthPage {
    shell: Shell,
    is_ready: bool,
    facts: Vec<(&'static str, String)>,
    due: String,
    oldest: Option<(String, String)>,
    dead: String,
    rounds: Vec<Row>,
    backup: Option<(String, String)>,
    rows: String,
    command: (&'static str, String),
    defaults: Vec<Editable>,
    rest: Vec<Default>,
    wrong: Vec<(String, String)>,
}

/// A default that is chosen here.
struct Editable {
    name: &'static str,
    key: &'static str,
    /// What was chosen or typed; empty for the configuration.
    value: String,
    /// What the configuration of this node says.
    file: String,
    least: u32,
    most: u32,
    is_wrong: bool,
}

/// Work that comes round.
struct Row {
    name: String,
    every: String,
    done: Option<(String, String)>,
    error: Option<String>,
}

/// A default, with the key of the configuration that sets it.
struct Default {
    name: &'static str,
    value: String,
    key: &'static str,
}

/// `GET /console/operator/health`.
pub async fn show(State(app): State<App>, operator: Operator, Query(asked): Query<Asked>) -> Outcome {
    let shell = operator::shell(&operator, Place::Health).after(asked.done.as_deref());
    defaults::refresh(&app).await?;
    let chosen = |setting| app.defaults.chosen(setting).map(|value| value.to_string());
    let typed = Setting::ALL
        .iter()
        .filter_map(|setting| Some((*setting, chosen(*setting)?)))
        .collect();
    render(&app, shell, StatusCode::OK, typed, Vec::new()).await
}

/// `POST /console/operator/health`: chooses the defaults.
pub async fn save(State(app): State<App>, operator: Operator, sent: Sent) -> Outcome {
    operator.0.must_be_fresh(&app)?;
    let typed: BTreeMap<Setting, String> = Setting::ALL
        .iter()
        .map(|setting| (*setting, sent.get(setting.key()).to_owned()))
        .collect();
    let read = |text: &String| {
        if text.is_empty() {
            Ok(None)
        } else {
            text.parse().map(Some)
        }
    };
    let unreadable: Vec<_> = typed
        .iter()
        .filter(|(_, text)| read(text).is_err())
        .map(|(setting, _)| defaults::out_of_bounds(*setting))
        .collect();
    let wanted = typed
        .iter()
        .filter_map(|(setting, text)| Some((*setting, read(text).ok()?)))
        .collect();
    let caller = standing::instance_caller(&operator.0.active);
    let saved = if unreadable.is_empty() {
        defaults::choose(&app, &caller, wanted).await
    } else {
        Err(defaults::invalid(unreadable))
    };
    match saved {
        Ok(()) => page::lead_to("/console/operator/health?done=defaults#defaults"),
        Err(error) if error.faults().is_empty() => Err(error.into()),
        Err(error) => {
            let shell = operator::shell(&operator, Place::Health);
            let wrong = told::faults(&shell, &error);
            render(&app, shell, error.status(), typed, wrong).await
        }
    }
}

async fn render(
    app: &App,
    shell: Shell,
    status: StatusCode,
    typed: BTreeMap<Setting, String>,
    wrong: Vec<(String, String)>,
) -> Outcome {
    let found = health::look(app).await?;
    let backup = found.backup;
    let page = HealthPage {
        is_ready: found.is_ready,
        facts: facts(&shell, &app.config),
        due: shell.number(&u64::from(found.backlog.due)),
        oldest: found.backlog.oldest.map(|at| (at.to_string(), format::time(at))),
        dead: shell.number(&u64::from(found.backlog.dead)),
        rounds: found.rounds.iter().map(|round| row(&shell, round)).collect(),
        backup: backup.map(|one| (one.at.to_string(), format::time(one.at))),
        rows: backup.map(|one| shell.number(&one.rows)).unwrap_or_default(),
        command: (
            shell.t("health.backup_command"),
            "provost backup provost-$(date +%F).jsonl".to_owned(),
        ),
        defaults: Setting::ALL
            .iter()
            .map(|setting| editable(&shell, *setting, &app.config, &typed, &wrong))
            .collect(),
        rest: rest(&shell, &app.config),
        wrong,
        shell,
    };
    page::show_with(status, &page)
}

fn editable(
    shell: &Shell,
    setting: Setting,
    config: &Config,
    typed: &BTreeMap<Setting, String>,
    wrong: &[(String, String)],
) -> Editable {
    let (least, most) = setting.bounds();
    let file = setting.of_config(config);
    let (name, unit) = match setting {
        Setting::SessionHours => ("health.session", "health.hours"),
        Setting::SessionIdleMinutes => ("health.idle", "health.minutes_long"),
        Setting::InvitationDays => ("health.invitation", "health.days"),
        Setting::TraceDays => ("health.traces", "health.days"),
        Setting::ScimLogDays => ("health.scim_log", "health.days"),
        Setting::ScimRequestsPerSecond => ("health.scim_rate", "health.per_second"),
    };
    let is_unlimited = setting == Setting::ScimRequestsPerSecond && file == 0;
    Editable {
        name: shell.t(name),
        key: setting.key(),
        value: typed.get(&setting).cloned().unwrap_or_default(),
        file: if is_unlimited {
            shell.t("health.no_limit").to_owned()
        } else {
            shell.t1(unit, &file)
        },
        least,
        most,
        is_wrong: wrong.iter().any(|(key, _)| key == setting.key()),
    }
}

fn row(shell: &Shell, round: &Round) -> Row {
    Row {
        name: shell.of("job", round.kind).to_owned(),
        every: match round.seconds {
            seconds if seconds % 60 == 0 => shell.t1("health.minutes", &(seconds / 60)),
            seconds => shell.t1("health.seconds", &seconds),
        },
        done: round.done.map(|at| (at.to_string(), format::time(at))),
        error: round.error.clone(),
    }
}

fn facts(shell: &Shell, config: &Config) -> Vec<(&'static str, String)> {
    let engine = if config.is_postgres() {
        "PostgreSQL"
    } else {
        "SQLite"
    };
    let mail = shell.of("mail", config.mail.transport.word()).to_owned();
    vec![
        (shell.t("health.version"), env!("CARGO_PKG_VERSION").to_owned()),
        (shell.t("health.public_url"), config.issuer()),
        (shell.t("health.database"), engine.to_owned()),
        (shell.t("health.mail"), mail),
    ]
}

/// What is said in the configuration alone.
fn rest(shell: &Shell, config: &Config) -> Vec<Default> {
    let is_private = if config.allow_private_addresses {
        "word.yes"
    } else {
        "word.no"
    };
    vec![
        Default {
            name: shell.t("health.keys"),
            value: shell.t1("health.days", &config.signing_key_days),
            key: "signing_key_days",
        },
        Default {
            name: shell.t("health.private"),
            value: shell.t(is_private).to_owned(),
            key: "allow_private_addresses",
        },
    ]
}
