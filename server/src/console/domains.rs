//! Domains of an organization: claiming, proving by a TXT record, checking, what they demand of sign-ins, accounts outside,
//! and what operators settle.

use askama::Template;
use axum::extract::{Path, Query, State};
use provost_kernel::connection::Connection;
use provost_kernel::domain::{self, DomainMethod, DomainSettings, DomainState, SignInRule};
use provost_kernel::email::Email;
use serde::Deserialize;

use super::format;
use super::page::{self, segment};
use super::reasons;
use super::sent::Sent;
use super::shell::{Flash, Place, Shell};
use super::told;
use super::visit::{Manager, Outcome};
use crate::app::App;
use crate::error::Result;
use crate::flow::api_keys::Caller;
use crate::flow::console::people;
use crate::flow::console::standing::{self, Standing};
use crate::flow::domains::{self, Seen};

/// Accounts outside that a page shows.
const OUTSIDE: u32 = 50;
/// Domains of a list whose accounts outside are counted.
const COUNTED: usize = 20;

/// What the address asks for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    after: Option<String>,
    done: Option<String>,
}

#[derive(Template)]
#[template(path = "console/domains.html")]
struct DomainsPage {
    shell: Shell,
    rows: Vec<Row>,
    typed: String,
    problem: Option<String>,
}

struct Row {
    name: String,
    segment: String,
    tone: &'static str,
    state: &'static str,
    demand: &'static str,
    /// Identity providers that serve it: address and name.
    providers: Vec<(String, String)>,
    /// How many accounts outside of the organization there are; none where nobody has looked.
    outside: Option<String>,
    checked: Option<(String, String)>,
}

const fn state(state: DomainState) -> (&'static str, &'static str) {
    match state {
        DomainState::Pending => ("idle", "domains.pending"),
        DomainState::Verified => ("good", "domains.verified"),
        DomainState::Failing => ("warn", "domains.failing"),
        DomainState::Lost => ("bad", "domains.lost"),
        DomainState::Disputed => ("bad", "domains.disputed"),
    }
}

fn settings(seen: &Seen) -> DomainSettings {
    DomainSettings::read(&seen.claim.domain.settings)
}

fn row(shell: &Shell, seen: &Seen, connections: &[Connection]) -> Row {
    let (tone, key) = state(seen.state());
    let name = &seen.claim.domain.name;
    Row {
        providers: connections
            .iter()
            .filter(|one| one.domains.iter().any(|served| served.eq_ignore_ascii_case(name)))
            .map(|one| (segment(one.id.as_str()), one.name.clone()))
            .collect(),
        outside: None,
        segment: segment(&seen.claim.domain.name),
        name: seen.claim.domain.name.clone(),
        tone,
        state: shell.t(key),
        demand: shell.t(match settings(seen).sign_in {
            SignInRule::Optional => "domains.optional",
            SignInRule::Required => "domains.required",
        }),
        checked: seen
            .claim
            .claim
            .checked_at
            .map(|at| (at.to_string(), format::time(at))),
    }
}

/// `GET …/domains`.
pub async fn list(State(app): State<App>, manager: Manager, Query(asked): Query<Asked>) -> Outcome {
    let shell = manager.shell(Place::Domains).after(asked.done.as_deref());
    show_list(&app, &manager, shell, String::new(), None).await
}

async fn show_list(
    app: &App,
    manager: &Manager,
    shell: Shell,
    typed: String,
    problem: Option<String>,
) -> Outcome {
    let found = domains::list(app, &manager.caller, manager.id()).await?;
    let connections = people::connections(app, &manager.organization.organization.id).await?;
    let mut rows = Vec::new();
    for (place, seen) in found.iter().enumerate() {
        let mut shown = row(&shell, seen, &connections);
        if place < COUNTED && seen.claim.claim.state.is_in_force() {
            let name = &seen.claim.domain.name;
            let outside =
                domains::outside_accounts(app, &manager.caller, manager.id(), name, None, OUTSIDE).await?;
            let count = shell.number(&u64::try_from(outside.len()).unwrap_or(u64::MAX));
            let is_cut = outside.len() == OUTSIDE as usize;
            shown.outside = Some(if is_cut { format!("{count}+") } else { count });
        }
        rows.push(shown);
    }
    page::show(&DomainsPage {
        shell,
        rows,
        typed,
        problem,
    })
}

/// `POST …/domains`: claims one.
pub async fn claim(State(app): State<App>, manager: Manager, sent: Sent) -> Outcome {
    let shell = manager.shell(Place::Domains);
    let typed = sent.get("name").to_owned();
    match domains::claim(&app, &manager.caller, manager.id(), &typed).await {
        Ok(seen) => page::lead_to(&format!(
            "{}/domains/{}",
            shell.base,
            segment(&seen.claim.domain.name)
        )),
        Err(error) => {
            let problem = Some(told::mendable(&shell, error)?);
            show_list(&app, &manager, shell, typed, problem).await
        }
    }
}

#[derive(Template)]
#[template(path = "console/domain.html")]
struct DomainPage {
    shell: Shell,
    row: Row,
    here: String,
    why: &'static str,
    problem: Option<String>,
    record: Option<[(&'static str, String); 3]>,
    facts: Vec<(&'static str, String)>,
    form: SettingsForm,
    is_in_force: bool,
    is_operator: bool,
    others: Vec<String>,
    outside: Vec<Outside>,
    next: Option<String>,
}

struct SettingsForm {
    is_required: bool,
    exceptions: String,
    prevents: bool,
    activates: bool,
}

struct Outside {
    name: String,
    address: String,
    tone: &'static str,
    status: &'static str,
    is_sso: bool,
}

/// `GET …/domains/{domain}`.
pub async fn show(
    State(app): State<App>,
    manager: Manager,
    Path((_, name)): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Outcome {
    let shell = manager.shell(Place::Domains).after(asked.done.as_deref());
    let seen = domains::one(&app, &sight(&manager), manager.id(), &name).await?;
    render(&app, &manager, shell, seen, asked.after, None).await
}

async fn render(
    app: &App,
    manager: &Manager,
    shell: Shell,
    seen: Seen,
    after: Option<String>,
    kept: Option<SettingsForm>,
) -> Outcome {
    let claim = &seen.claim.claim;
    let name = seen.claim.domain.name.clone();
    let is_in_force = claim.state.is_in_force();
    let after = after.map(|id| id.replace('\0', ""));
    let outside = if is_in_force {
        domains::outside_accounts(app, &manager.caller, manager.id(), &name, after, OUTSIDE).await?
    } else {
        Vec::new()
    };
    let here = format!("{}/domains/{}", shell.base, segment(&name));
    let next = outside
        .last()
        .filter(|_| outside.len() == OUTSIDE as usize)
        .map(|last| format!("{here}?after={}#outside", segment(last.account.id.as_str())));
    let token = seen
        .claim
        .domain
        .token
        .as_deref()
        .filter(|_| claim.method == DomainMethod::Dns || !is_in_force);
    let mut facts = Vec::new();
    if is_in_force {
        let method = match claim.method {
            DomainMethod::Dns => "domains.by_dns",
            DomainMethod::Operator => "domains.by_operator",
        };
        facts.push((shell.t("domains.method"), shell.t(method).to_owned()));
    }
    let connections = people::connections(app, &manager.organization.organization.id).await?;
    facts.push((shell.t("domains.claimed"), format::time(claim.claimed_at)));
    if let Some(at) = claim.checked_at {
        facts.push((shell.t("domains.checked"), format::time(at)));
    }
    if let Some(at) = claim.next_at {
        facts.push((shell.t("domains.next"), format::time(at)));
    }
    page::show(&DomainPage {
        row: row(&shell, &seen, &connections),
        why: shell.t(match seen.state() {
            DomainState::Pending => "domains.pending_why",
            DomainState::Verified => "domains.verified_why",
            DomainState::Failing => "domains.failing_why",
            DomainState::Lost => "domains.lost_why",
            DomainState::Disputed => "domains.disputed_why",
        }),
        problem: claim
            .problem
            .as_ref()
            .map(|text| reasons::tell_setting(shell.look.language, text)),
        record: token.map(|token| {
            [
                (shell.t("domains.record_type"), "TXT".to_owned()),
                (shell.t("domains.record_name"), domain::record_name(&name)),
                (shell.t("domains.record_value"), domain::record_text(token)),
            ]
        }),
        facts,
        form: kept.unwrap_or_else(|| filled(&settings(&seen))),
        is_in_force,
        is_operator: manager.standing == Standing::Operator,
        others: seen.others.iter().map(ToString::to_string).collect(),
        outside: outside
            .iter()
            .map(|known| {
                let (tone, status) = format::status(known.account.status);
                Outside {
                    name: format::name(&known.account),
                    address: format::address(&known.account),
                    tone,
                    status: shell.t(status),
                    is_sso: format::connection(&known.account).is_some(),
                }
            })
            .collect(),
        next,
        here,
        shell,
    })
}

fn filled(settings: &DomainSettings) -> SettingsForm {
    SettingsForm {
        is_required: settings.sign_in == SignInRule::Required,
        exceptions: settings
            .exceptions
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n"),
        prevents: settings.prevent_outside_sign_ups,
        activates: settings.auto_activate,
    }
}

/// As whom a domain is looked at: operators are told who disputes it, and may settle it.
fn sight(manager: &Manager) -> Caller {
    if manager.standing == Standing::Operator {
        standing::instance_caller(&manager.visitor.active)
    } else {
        manager.caller.clone()
    }
}

/// `POST …/domains/{domain}`: check, settings, giving up; and what operators settle.
pub async fn act(
    State(app): State<App>,
    manager: Manager,
    Path((_, name)): Path<(String, String)>,
    sent: Sent,
) -> Outcome {
    let mut shell = manager.shell(Place::Domains);
    let word = sent.get("do").to_owned();
    if matches!(word.as_str(), "give-up" | "settings" | "award" | "vouch") {
        manager.visitor.must_be_fresh(&app)?;
    }
    let caller = sight(&manager);
    if word == "give-up" {
        domains::give_up(&app, &caller, manager.id(), &name).await?;
        return page::lead_to(&format!("{}/domains?done=domain", shell.base));
    }
    let mut kept = None;
    match done(&app, &caller, manager.id(), &name, &word, &sent).await {
        Ok(seen) => {
            let is_found = seen.state() == DomainState::Verified;
            shell.flash = Some(match word.as_str() {
                "check" if !is_found => Flash {
                    tone: "warn",
                    text: shell.t("domains.said_not_found").to_owned(),
                },
                "check" => Flash {
                    tone: "good",
                    text: shell.t("domains.said_found").to_owned(),
                },
                _ => Flash {
                    tone: "good",
                    text: shell.t("domains.said_saved").to_owned(),
                },
            });
        }
        Err(error) => {
            if word == "settings" {
                kept = Some(typed(&sent));
            }
            shell.flash = Some(Flash {
                tone: "danger",
                text: told::mendable(&shell, error)?,
            });
        }
    }
    let seen = domains::one(&app, &caller, manager.id(), &name).await?;
    shell.path = format!("{}/domains/{}", shell.base, segment(&name));
    render(&app, &manager, shell, seen, None, kept).await
}

async fn done(
    app: &App,
    caller: &Caller,
    organization: &str,
    name: &str,
    word: &str,
    sent: &Sent,
) -> Result<Seen> {
    match word {
        "settings" => domains::settle(app, caller, organization, name, read(sent)?).await,
        "vouch" => domains::vouch(app, caller, organization, name).await,
        "award" => domains::award(app, caller, organization, name).await,
        _ => domains::check(app, caller, organization, name).await,
    }
}

fn typed(sent: &Sent) -> SettingsForm {
    SettingsForm {
        is_required: sent.has("required"),
        exceptions: sent.get("exceptions").to_owned(),
        prevents: sent.has("prevents"),
        activates: sent.has("activates"),
    }
}

/// Reads the settings off the form.
fn read(sent: &Sent) -> Result<DomainSettings> {
    let exceptions = sent
        .get("exceptions")
        .split([',', ';', '\n', ' '])
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .map(Email::parse)
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(|_| {
            crate::error::AppError::unprocessable("invalid_email", "An exception is no e-mail address.")
        })?;
    Ok(DomainSettings {
        sign_in: if sent.has("required") {
            SignInRule::Required
        } else {
            SignInRule::Optional
        },
        exceptions,
        prevent_outside_sign_ups: sent.has("prevents"),
        auto_activate: sent.has("activates"),
    })
}
