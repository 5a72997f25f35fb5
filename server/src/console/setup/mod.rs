//! Setting a connection up, step by step (F1): the same pages in an organization's console and in the portal that a set-up link
//! opens. Every step has an address of its own, keeps what was done, and works without a script.

mod colleague;
mod desk;
mod finish;
mod guide;
mod links;
mod people;
mod portal;
mod scim;
mod test;
mod values;

use std::collections::HashMap;

use askama::Template;
use axum::Extension;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;

use crate::route::{And as _, get, post};
use provost_kernel::connection::Protocol;
use serde::Deserialize;

use super::page;
use super::sent::Sent;
use super::shell::Shell;
use super::visit::Outcome;
use crate::app::App;
use crate::error::AppError;
use crate::flow::setup::guides::{GUIDES, Guide};
use crate::flow::setup::links::Scope;
use crate::flow::setup::{self as flow, SetUp};
use crate::http::request::ClientAddress;
use desk::{Desk, PORTAL};
use guide::Piece;
pub(super) use values::faults_of;

/// The steps after the choice of the product, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Domain,
    Values,
    Test,
    Mode,
    Scim,
    Policy,
    Review,
}

impl Step {
    const ALL: &'static [Self] = &[
        Self::Domain,
        Self::Values,
        Self::Test,
        Self::Mode,
        Self::Scim,
        Self::Policy,
        Self::Review,
    ];

    const fn word(self) -> &'static str {
        match self {
            Self::Domain => "domain",
            Self::Values => "values",
            Self::Test => "test",
            Self::Mode => "mode",
            Self::Scim => "scim",
            Self::Policy => "policy",
            Self::Review => "review",
        }
    }

    const fn key(self) -> &'static str {
        match self {
            Self::Domain => "setup.step_domain",
            Self::Values => "setup.step_values",
            Self::Test => "setup.step_test",
            Self::Mode => "setup.step_mode",
            Self::Scim => "setup.step_scim",
            Self::Policy => "setup.step_policy",
            Self::Review => "setup.step_review",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|step| step.word() == word)
    }

    const fn scope(self) -> Scope {
        match self {
            Self::Domain => Scope::Domain,
            Self::Scim => Scope::Scim,
            Self::Values | Self::Test | Self::Mode | Self::Policy | Self::Review => Scope::Sso,
        }
    }

    /// Tells whether the step belongs to this set-up.
    fn applies(self, desk: &Desk, setup: &SetUp) -> bool {
        if self == Self::Scim {
            desk.sets_up_scim(setup)
        } else {
            desk.may(self.scope())
        }
    }

    /// Tells whether the step has been gone through.
    fn is_done(self, setup: &SetUp) -> bool {
        let draft = &setup.draft;
        match self {
            Self::Domain => draft.domains_seen,
            Self::Values => setup.record.is_some(),
            Self::Test => setup.is_proved(),
            Self::Mode => draft.mode.is_some(),
            // A directory may be connected later, too; what follows tells whether it has called.
            Self::Scim | Self::Policy => draft.policy_seen,
            Self::Review => false,
        }
    }
}

/// What stands around every step.
struct Frame {
    name: String,
    product: &'static str,
    /// Name, address, whether it is done, whether it is this one.
    steps: Vec<(&'static str, String, bool, bool)>,
    back: String,
    next: String,
    /// Where a colleague is asked; empty where nobody may be.
    ask: String,
}

fn frame(desk: &Desk, shell: &Shell, setup: &SetUp, here: Step) -> Frame {
    let id = setup.id.as_str();
    let applicable: Vec<Step> = Step::ALL
        .iter()
        .copied()
        .filter(|step| step.applies(desk, setup))
        .collect();
    let place = applicable
        .iter()
        .position(|step| *step == here)
        .unwrap_or_default();
    let path = |step: Option<&Step>| step.map_or_else(String::new, |step| desk.step_path(id, step.word()));
    Frame {
        name: setup.draft.name.clone(),
        product: setup.guide().name,
        back: path(place.checked_sub(1).and_then(|before| applicable.get(before))),
        next: path(applicable.get(place + 1)),
        ask: colleague::address(desk, here.word()),
        steps: applicable
            .iter()
            .map(|step| {
                (
                    shell.t(step.key()),
                    desk.step_path(id, step.word()),
                    step.is_done(setup),
                    *step == here,
                )
            })
            .collect(),
    }
}

/// The address of the step that comes after this one.
fn next_path(desk: &Desk, setup: &SetUp, here: Step) -> String {
    let mut later = Step::ALL.iter().skip_while(|step| **step != here).skip(1);
    let next = later.find(|step| step.applies(desk, setup)).unwrap_or(&here);
    desk.step_path(setup.id.as_str(), next.word())
}

/// The first step that is still to be done.
fn open_step(desk: &Desk, setup: &SetUp) -> Step {
    Step::ALL
        .iter()
        .copied()
        .find(|step| step.applies(desk, setup) && !step.is_done(setup))
        .unwrap_or(Step::Review)
}

/// The addresses.
pub fn routes() -> Router<App> {
    Router::new()
        .merge(shared("/console/{organization}"))
        .merge(shared(PORTAL))
        .merge(portal::routes())
        .merge(colleague::routes())
        .merge(links::routes())
}

fn shared(base: &str) -> Router<App> {
    let path = |tail: &str| format!("{base}{tail}");
    Router::new()
        .route(&path("/connections/new"), get(choose).and_post(begin))
        .route(&path("/connections/{connection}/setup"), get(resume))
        .route(&path("/connections/{connection}/setup/discard"), post(discard))
        .route(
            &path("/connections/{connection}/setup/scim/events"),
            get(scim::events),
        )
        .route(
            &path("/connections/{connection}/setup/{step}"),
            get(show).and_post(act),
        )
}

#[derive(Template)]
#[template(path = "console/setup_choose.html")]
struct ChoosePage {
    shell: Shell,
    guides: Vec<(&'static Guide, Vec<(&'static str, &'static str)>)>,
    drafts: Vec<(String, String, &'static str)>,
    link: String,
}

/// `GET …/connections/new`: which product it is.
async fn choose(State(app): State<App>, desk: Desk) -> Outcome {
    desk.must(Scope::Sso)?;
    flow::require(&app, &desk.caller, desk.id()).await?;
    let drafts = if desk.link.is_none() {
        flow::list(&app, &desk.caller, desk.id()).await?
    } else {
        Vec::new()
    };
    let shell = desk.shell();
    page::show(&ChoosePage {
        guides: GUIDES
            .iter()
            .map(|guide| {
                let protocols = guide.protocols.iter().map(|protocol| protocol_word(*protocol));
                (guide, protocols.collect())
            })
            .collect(),
        drafts: drafts
            .into_iter()
            .map(|setup| {
                let path = desk.step_path(setup.id.as_str(), open_step(&desk, &setup).word());
                (path, setup.draft.name.clone(), setup.guide().name)
            })
            .collect(),
        link: if desk.link.is_none() {
            format!("{}/setup-links", desk.base())
        } else {
            String::new()
        },
        shell,
    })
}

const fn protocol_word(protocol: Protocol) -> (&'static str, &'static str) {
    match protocol {
        Protocol::Saml => ("saml", "SAML 2.0"),
        Protocol::Oidc => ("oidc", "OpenID Connect"),
    }
}

/// `POST …/connections/new`.
async fn begin(State(app): State<App>, desk: Desk, sent: Sent) -> Outcome {
    desk.must(Scope::Sso)?;
    // A button says both, so that one click is enough.
    let (guide, protocol) = sent
        .get("guide")
        .split_once('.')
        .unwrap_or((sent.get("guide"), ""));
    let protocol = match protocol {
        "saml" => Some(Protocol::Saml),
        "oidc" => Some(Protocol::Oidc),
        _ => None,
    };
    let name = sent.some("name");
    let id = flow::begin(&app, &desk.caller, desk.id(), guide, protocol, name.as_deref()).await?;
    if let Some(link) = &desk.link {
        flow::links::bind(&app, link, Some(&id)).await?;
        // What was begun before with this link, and is left for this, goes.
        if let Some(before) = &link.connection {
            let left = flow::discard(&app, &desk.caller, desk.id(), before.as_str()).await;
            left.or_else(|error| {
                if error.code() == "not_found" {
                    Ok(())
                } else {
                    Err(error)
                }
            })?;
        }
    }
    let first = if desk.may(Scope::Domain) {
        Step::Domain
    } else {
        Step::Values
    };
    page::lead_to(&desk.step_path(id.as_str(), first.word()))
}

/// `GET …/setup`: goes on where it was left.
async fn resume(State(app): State<App>, desk: Desk, Path(names): Names) -> Outcome {
    let setup = desk.set_up(&app, name(&names, "connection")).await?;
    page::lead_to(&desk.step_path(setup.id.as_str(), open_step(&desk, &setup).word()))
}

/// `POST …/setup/discard`.
async fn discard(State(app): State<App>, desk: Desk, Path(names): Names, _sent: Sent) -> Outcome {
    desk.must(Scope::Sso)?;
    let setup = desk.set_up(&app, name(&names, "connection")).await?;
    flow::discard(&app, &desk.caller, desk.id(), setup.id.as_str()).await?;
    if let Some(link) = &desk.link {
        flow::links::bind(&app, link, None).await?;
        return page::lead_to(&format!("{PORTAL}/connections/new"));
    }
    page::lead_to(&format!("{}/connections?done=discarded", desk.base()))
}

/// Parts of the address by name: the console's and the portal's differ in number.
type Names = Path<HashMap<String, String>>;

fn name<'a>(names: &'a HashMap<String, String>, wanted: &str) -> &'a str {
    names.get(wanted).map_or("", String::as_str)
}

/// What the address of a step asks for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    done: Option<String>,
    piece: Option<String>,
}

/// `GET …/setup/{step}`.
async fn show(State(app): State<App>, desk: Desk, Path(names): Names, Query(asked): Query<Asked>) -> Outcome {
    let step = Step::parse(name(&names, "step")).ok_or_else(AppError::not_found)?;
    desk.must(step.scope())?;
    let id = name(&names, "connection");
    if step == Step::Scim {
        return scim::show(&app, &desk, id, &asked).await;
    }
    let setup = desk.set_up(&app, id).await?;
    if setup.record.is_none() && !matches!(step, Step::Domain | Step::Values) {
        return page::lead_to(&desk.step_path(id, Step::Values.word()));
    }
    match step {
        Step::Domain => people::domain(&app, &desk, Some(&setup), None).await,
        Step::Values => values::show(&app, &desk, &setup, &values::Fields::of(&setup), Vec::new()),
        Step::Test => test::show(&app, &desk, &setup).await,
        Step::Mode => people::mode(&desk, &setup),
        Step::Policy => people::policy(&app, &desk, &setup, None).await,
        Step::Review | Step::Scim => finish::show(&app, &desk, &setup, None).await,
    }
}

/// `POST …/setup/{step}`.
async fn act(
    State(app): State<App>,
    Extension(client): Extension<ClientAddress>,
    desk: Desk,
    Path(names): Names,
    headers: HeaderMap,
    sent: Sent,
) -> Outcome {
    let step = Step::parse(name(&names, "step")).ok_or_else(AppError::not_found)?;
    desk.must(step.scope())?;
    let id = name(&names, "connection");
    if step == Step::Scim {
        return scim::act(&app, &desk, id, &sent).await;
    }
    let setup = desk.set_up(&app, id).await?;
    match step {
        Step::Domain => people::act_domain(&app, &desk, Some(&setup), &sent).await,
        Step::Values => values::act(&app, &desk, &setup, &sent).await,
        Step::Test => test::begin(&app, &desk, &setup, &client, &headers).await,
        Step::Mode => people::act_mode(&app, &desk, &setup, &sent).await,
        Step::Policy => people::act_policy(&app, &desk, &setup, &sent).await,
        Step::Review | Step::Scim => finish::act(&app, &desk, &setup).await,
    }
}

/// Our values, as guides name them.
fn our_values(app: &App, id: &str) -> Vec<(&'static str, String)> {
    let segment = page::segment(id);
    let url = |path: &str| app.config.url(&format!("/sso/{segment}/{path}"));
    vec![
        ("acs", url("saml/acs")),
        ("entity_id", url("saml/metadata")),
        ("metadata", url("saml/metadata")),
        ("slo", url("saml/slo")),
        ("redirect", url("oidc/callback")),
        ("start", url("login")),
        ("scim_url", app.config.url(&format!("/scim/{segment}/v2"))),
    ]
}

/// The lines of a part of the guide.
fn guide_lines(app: &App, shell: &Shell, setup: &SetUp, part: &str) -> Vec<Vec<Piece>> {
    let values = our_values(app, setup.id.as_str());
    guide::lines(shell.look.language, setup.guide().id, part, &values)
}

const fn part_of(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Saml => "saml",
        Protocol::Oidc => "oidc",
    }
}
