//! The steps about people: which domains, how accounts come into being, and what they get.

use askama::Template;
use axum::http::StatusCode;
use provost_kernel::connection::Provisioning;
use provost_kernel::domain::{DomainState, record_name, record_text};
use provost_kernel::policy::{Policy, RoleRule};

use super::super::format;
use super::super::page;
use super::super::policy::{self as editor, Side};
use super::super::sent::Sent;
use super::super::shell::Shell;
use super::super::told;
use super::super::visit::Outcome;
use super::colleague;
use super::desk::{Desk, PORTAL};
use super::{Frame, Step, frame, next_path};
use crate::app::App;
use crate::error::AppError;
use crate::flow::policy::Policies;
use crate::flow::policy::change;
use crate::flow::policy::trial::{self, Subject};
use crate::flow::setup::links::{self, Scope};
use crate::flow::setup::{self as flow, SetUp};
use crate::flow::{domains, entitlements};

#[derive(Template)]
#[template(path = "console/setup_domain.html")]
struct DomainPage {
    shell: Shell,
    frame: Option<Frame>,
    ask: String,
    rows: Vec<DomainRow>,
    problem: String,
}

struct DomainRow {
    name: String,
    tone: &'static str,
    state: &'static str,
    is_verified: bool,
    record_name: String,
    record_text: String,
    problem: String,
    chosen: bool,
}

/// Shows the domains; `setup` is none for a link that is about domains alone.
pub(super) async fn domain(
    app: &App,
    desk: &Desk,
    setup: Option<&SetUp>,
    problem: Option<&AppError>,
) -> Outcome {
    let shell = desk.shell();
    let found = domains::list(app, &desk.caller, desk.id()).await?;
    let rows = found
        .into_iter()
        .map(|seen| {
            let (tone, state) = domain_state(seen.state());
            let claim = seen.claim;
            DomainRow {
                tone,
                state: shell.t(state),
                is_verified: claim.claim.state.is_in_force(),
                record_name: record_name(&claim.domain.name),
                record_text: claim.domain.token.as_deref().map(record_text).unwrap_or_default(),
                problem: claim.claim.problem.unwrap_or_default(),
                chosen: setup.is_none_or(|setup| {
                    !setup.draft.domains_seen || setup.draft.domains.contains(&claim.domain.name)
                }),
                name: claim.domain.name,
            }
        })
        .collect();
    let status = problem.map_or(StatusCode::OK, AppError::status);
    let page = DomainPage {
        frame: setup.map(|setup| frame(desk, &shell, setup, Step::Domain)),
        ask: colleague::address(desk, Step::Domain.word()),
        rows,
        problem: told::problem(&shell, problem),
        shell,
    };
    page::show_with(status, &page)
}

const fn domain_state(state: DomainState) -> (&'static str, &'static str) {
    match state {
        DomainState::Pending => ("idle", "setup.domain_pending"),
        DomainState::Verified => ("good", "setup.domain_verified"),
        DomainState::Failing => ("warn", "setup.domain_failing"),
        DomainState::Lost => ("bad", "setup.domain_lost"),
        DomainState::Disputed => ("bad", "setup.domain_disputed"),
    }
}

/// Claims, checks, or goes on.
pub(super) async fn act_domain(app: &App, desk: &Desk, setup: Option<&SetUp>, sent: &Sent) -> Outcome {
    let here = setup.map_or_else(
        || format!("{PORTAL}/domain"),
        |setup| desk.step_path(setup.id.as_str(), Step::Domain.word()),
    );
    let done = if let Some(name) = sent.some("claim") {
        domains::claim(app, &desk.caller, desk.id(), &name)
            .await
            .map(drop)
    } else if let Some(name) = sent.some("check") {
        domains::check(app, &desk.caller, desk.id(), &name)
            .await
            .map(drop)
    } else {
        return match (setup, &desk.link) {
            (Some(setup), _) => {
                let names = sent.all("domain");
                flow::choose_domains(app, &desk.caller, desk.id(), setup.id.as_str(), names).await?;
                page::lead_to(&next_path(desk, setup, Step::Domain))
            }
            (None, Some(link)) => {
                links::finish(app, link).await?;
                page::lead_to(PORTAL)
            }
            (None, None) => Err(AppError::not_found().into()),
        };
    };
    match done {
        Ok(()) => page::lead_to(&here),
        Err(error) if error.status().is_client_error() && error.code() != "not_found" => {
            domain(app, desk, setup, Some(&error)).await
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(Template)]
#[template(path = "console/setup_mode.html")]
struct ModePage {
    shell: Shell,
    frame: Frame,
    rows: Vec<ModeRow>,
    knows_scim: bool,
}

struct ModeRow {
    word: String,
    name: &'static str,
    why: &'static str,
    chosen: bool,
    preselected: bool,
}

/// The modes with their names and consequences.
const MODES: &[(Provisioning, &str, &str)] = &[
    (Provisioning::Scim, "mode.scim", "mode.scim_why"),
    (Provisioning::Jit, "mode.jit", "mode.jit_why"),
    (Provisioning::Manual, "mode.manual", "mode.manual_why"),
];

/// `GET …/setup/mode`: what is preselected depends on what the product can do.
pub(super) fn mode(desk: &Desk, setup: &SetUp) -> Outcome {
    let shell = desk.shell();
    page::show(&ModePage {
        frame: frame(desk, &shell, setup, Step::Mode),
        rows: MODES
            .iter()
            .map(|(mode, name, why)| ModeRow {
                word: format::word(mode),
                name: shell.look.language.known(name).unwrap_or(name),
                why: shell.look.language.known(why).unwrap_or(why),
                chosen: setup.mode() == *mode,
                preselected: setup.guide().preselected() == *mode,
            })
            .collect(),
        knows_scim: setup.guide().scim,
        shell,
    })
}

/// `POST …/setup/mode`.
pub(super) async fn act_mode(app: &App, desk: &Desk, setup: &SetUp, sent: &Sent) -> Outcome {
    let wanted = MODES
        .iter()
        .map(|(mode, ..)| *mode)
        .find(|mode| format::word(mode) == sent.get("mode"))
        .ok_or_else(|| AppError::bad_request("invalid_form", "Choose one of the modes."))?;
    flow::choose_mode(app, &desk.caller, desk.id(), setup.id.as_str(), wanted).await?;
    let setup = desk.set_up(app, setup.id.as_str()).await?;
    page::lead_to(&next_path(desk, &setup, Step::Mode))
}

#[derive(Template)]
#[template(path = "console/setup_policy.html")]
struct PolicyPage {
    shell: Shell,
    frame: Frame,
    roles: Vec<(String, bool)>,
    is_written: bool,
    may_change: bool,
    editor: String,
    tester: Option<Side>,
    problem: String,
}

/// `GET …/setup/policy`: one role for all, or rules; with what the tester would get.
pub(super) async fn policy(app: &App, desk: &Desk, setup: &SetUp, problem: Option<&AppError>) -> Outcome {
    let shell = desk.shell();
    let record = setup.record.as_ref().ok_or_else(AppError::not_found)?;
    let rule = record
        .connection
        .policy
        .as_ref()
        .and_then(|policy| policy.role.as_ref());
    let fixed = match rule {
        Some(RoleRule::Fixed(name)) => Some(name.clone()),
        Some(RoleRule::Expression(_) | RoleRule::Groups(_) | RoleRule::Mapping(_)) | None => None,
    };
    let preset = desk
        .organization
        .roles
        .iter()
        .find(|role| role.default && !role.owner);
    let chosen = fixed.clone().or_else(|| preset.map(|role| role.name.clone()));
    let plan = entitlements::get(app, &desk.caller, desk.id()).await?;
    let page = PolicyPage {
        frame: frame(desk, &shell, setup, Step::Policy),
        roles: desk
            .organization
            .roles
            .iter()
            .filter(|role| !role.owner)
            .map(|role| (role.name.clone(), Some(&role.name) == chosen.as_ref()))
            .collect(),
        is_written: rule.is_some() && fixed.is_none(),
        may_change: plan.entitlements.policies,
        editor: if desk.link.is_none() {
            format!(
                "{}/connections/{}/policies",
                desk.base(),
                page::segment(setup.id.as_str())
            )
        } else {
            String::new()
        },
        tester: tester(app, desk, &shell, setup).await?,
        problem: told::problem(&shell, problem),
        shell,
    };
    page::show_with(problem.map_or(StatusCode::OK, AppError::status), &page)
}

/// What whoever tested would get, by the dry run.
pub(super) async fn tester(
    app: &App,
    desk: &Desk,
    shell: &Shell,
    setup: &SetUp,
) -> Result<Option<Side>, AppError> {
    let Some(test) = setup
        .draft
        .test
        .as_ref()
        .filter(|test| test.code == flow::VERIFIED)
    else {
        return Ok(None);
    };
    let subject = Subject::Trace(test.trace.clone());
    match trial::run(app, &desk.caller, setup.id.as_str(), subject, None).await {
        Ok(trial) => Ok(Some(editor::side(shell, &trial.record))),
        Err(error) if matches!(error.code(), "no_claims" | "not_found") => Ok(None),
        Err(error) => Err(error),
    }
}

/// `POST …/setup/policy`: one role for all, or as it is.
pub(super) async fn act_policy(app: &App, desk: &Desk, setup: &SetUp, sent: &Sent) -> Outcome {
    let record = setup.record.as_ref().ok_or_else(AppError::not_found)?;
    if let Some(role) = sent.some("role") {
        let known = desk
            .organization
            .roles
            .iter()
            .any(|one| one.name == role && !one.owner);
        if !known {
            return Err(AppError::bad_request("invalid_form", "Choose one of the roles.").into());
        }
        let mut policies = Policies::of(&record.connection);
        policies.policy = Some(Policy {
            role: Some(RoleRule::Fixed(role)),
            ..policies.policy.unwrap_or_default()
        });
        if policies != Policies::of(&record.connection) {
            let saved = change::save(app, &desk.caller, setup.id.as_str(), policies, None).await;
            if let Err(error) = saved {
                return policy(app, desk, setup, Some(&error)).await;
            }
        }
    }
    if sent.has("try") {
        return page::lead_to(&desk.step_path(setup.id.as_str(), Step::Policy.word()));
    }
    flow::leave_policy(app, &desk.caller, desk.id(), setup.id.as_str()).await?;
    page::lead_to(&next_path(desk, setup, Step::Policy))
}

/// Tells whether a link is about domains alone.
pub(super) fn is_domain_only(desk: &Desk) -> bool {
    desk.link.is_some() && !desk.may(Scope::Sso) && !desk.may(Scope::Scim)
}
