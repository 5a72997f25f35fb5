//! The last step: everything in plain sentences, and going live.

use askama::Template;
use axum::http::StatusCode;
use provost_kernel::connection::Provisioning;
use provost_kernel::policy::RoleRule;

use super::super::page;
use super::super::policy::Side;
use super::super::shell::Shell;
use super::super::told;
use super::super::visit::Outcome;
use super::desk::{Desk, PORTAL};
use super::{Frame, Step, frame, people, protocol_word};
use crate::app::App;
use crate::error::AppError;
use crate::flow::domains;
use crate::flow::setup::{self as flow, SetUp};

#[derive(Template)]
#[template(path = "console/setup_review.html")]
struct ReviewPage {
    shell: Shell,
    frame: Frame,
    sentences: Vec<(&'static str, String)>,
    is_proved: bool,
    tester: Option<Side>,
    test_path: String,
    discard: String,
    problem: String,
    faults: Vec<(String, String)>,
}

/// `GET …/setup/review`.
pub(super) async fn show(app: &App, desk: &Desk, setup: &SetUp, problem: Option<&AppError>) -> Outcome {
    let shell = desk.shell();
    let id = setup.id.as_str();
    let page = ReviewPage {
        frame: frame(desk, &shell, setup, Step::Review),
        sentences: sentences(app, desk, &shell, setup).await?,
        is_proved: setup.is_proved(),
        tester: people::tester(app, desk, &shell, setup).await?,
        test_path: desk.step_path(id, Step::Test.word()),
        discard: desk.step_path(id, "discard"),
        problem: told::problem(&shell, problem),
        faults: told::problem_faults(&shell, problem),
        shell,
    };
    page::show_with(problem.map_or(StatusCode::OK, AppError::status), &page)
}

/// Says what will be, one sentence for each choice; each with a tone.
async fn sentences(
    app: &App,
    desk: &Desk,
    shell: &Shell,
    setup: &SetUp,
) -> Result<Vec<(&'static str, String)>, AppError> {
    let (_, protocol) = protocol_word(setup.protocol());
    let organization = &desk.organization.organization.name;
    let mut said = vec![(
        "good",
        shell.t2("setup.says_connection", &setup.guide().name, &protocol),
    )];
    let mut verified = Vec::new();
    let mut waiting = Vec::new();
    for seen in domains::list(app, &desk.caller, desk.id()).await? {
        let name = seen.claim.domain.name;
        if setup.draft.domains.contains(&name) {
            let list = if seen.claim.claim.state.is_in_force() {
                &mut verified
            } else {
                &mut waiting
            };
            list.push(name);
        }
    }
    if verified.is_empty() {
        said.push(("warn", shell.t1("setup.says_no_domain", organization)));
    } else {
        said.push(("good", shell.t1("setup.says_domains", &verified.join(", "))));
    }
    if !waiting.is_empty() {
        said.push(("idle", shell.t1("setup.says_domains_later", &waiting.join(", "))));
    }
    said.push((
        "good",
        shell
            .t(match setup.mode() {
                Provisioning::Manual => "mode.manual_why",
                Provisioning::Jit => "mode.jit_why",
                Provisioning::Scim => "mode.scim_why",
            })
            .to_owned(),
    ));
    let record = setup.record.as_ref();
    let policy = record.and_then(|record| record.connection.policy.as_ref());
    said.push(match policy.and_then(|policy| policy.role.as_ref()) {
        Some(RoleRule::Fixed(role)) => ("good", shell.t2("setup.says_role", role, organization)),
        Some(RoleRule::Expression(_) | RoleRule::Groups(_) | RoleRule::Mapping(_)) => {
            ("good", shell.t("setup.says_rules").to_owned())
        }
        None => ("warn", shell.t1("setup.says_no_role", organization)),
    });
    said.push(if setup.is_proved() {
        ("good", shell.t("setup.says_tested").to_owned())
    } else {
        ("bad", shell.t("setup.says_not_tested").to_owned())
    });
    Ok(said)
}

/// `POST …/setup/review`: goes live, or says why not.
pub(super) async fn act(app: &App, desk: &Desk, setup: &SetUp) -> Outcome {
    desk.must_be_fresh(app)?;
    let id = setup.id.as_str();
    match flow::go_live(app, &desk.caller, desk.id(), id).await {
        Ok(()) if desk.link.is_some() => page::lead_to(PORTAL),
        Ok(()) => page::lead_to(&format!(
            "{}/connections/{}?done=live",
            desk.base(),
            page::segment(id)
        )),
        Err(error)
            if matches!(
                error.code(),
                "test_missing" | "values_missing" | "invalid_configuration"
            ) =>
        {
            show(app, desk, setup, Some(&error)).await
        }
        Err(error) => Err(error.into()),
    }
}
