//! The operator's page of the instance itself: health, backup, and the defaults that hold for everybody.

use askama::Template;
use axum::extract::State;

use super::format;
use super::operator;
use super::page;
use super::shell::{Place, Shell};
use super::visit::{Operator, Outcome};
use crate::app::App;
use crate::config::Config;
use crate::flow::console::health::{self, Round};

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
    defaults: Vec<Default>,
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
pub async fn show(State(app): State<App>, operator: Operator) -> Outcome {
    let found = health::look(&app).await?;
    let shell = operator::shell(&operator, Place::Health);
    let backup = found.backup;
    page::show(&HealthPage {
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
        defaults: defaults(&shell, &app.config),
        shell,
    })
}

fn row(shell: &Shell, round: &Round) -> Row {
    Row {
        name: shell.of("job", round.kind).to_owned(),
        every: shell.t1("health.minutes", &round.minutes),
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

/// What holds where no connection or organization says otherwise.
fn defaults(shell: &Shell, config: &Config) -> Vec<Default> {
    let days = |count: u32| shell.t1("health.days", &count);
    let line = |name: &'static str, key: &'static str, value: String| Default {
        name: shell.t(name),
        value,
        key,
    };
    let rate = if config.scim_requests_per_second == 0 {
        shell.t("health.no_limit").to_owned()
    } else {
        shell.t1("health.per_second", &config.scim_requests_per_second)
    };
    let on_off = |is_on: bool| shell.t(if is_on { "word.yes" } else { "word.no" }).to_owned();
    vec![
        line(
            "health.session",
            "session_hours",
            shell.t1("health.hours", &(config.session_seconds / 3600)),
        ),
        line(
            "health.idle",
            "session_idle_minutes",
            shell.t1("health.minutes_long", &(config.session_idle_seconds / 60)),
        ),
        line(
            "health.invitation",
            "invitation_days",
            days(config.invitation_days),
        ),
        line("health.traces", "trace_days", days(config.trace_days)),
        line("health.scim_log", "scim_log_days", days(config.scim_log_days)),
        line("health.scim_rate", "scim_requests_per_second", rate),
        line("health.keys", "signing_key_days", days(config.signing_key_days)),
        line(
            "health.private",
            "allow_private_addresses",
            on_off(config.allow_private_addresses),
        ),
    ]
}
