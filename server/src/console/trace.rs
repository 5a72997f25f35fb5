//! Why somebody did or did not get in, or get a role: every step as a sentence, what came in, and the rule to edit in
//! place with this person's new result.

use askama::Template;
use axum::extract::{Path, Query, State};
use provost_kernel::connection::Connection;
use serde::Deserialize;

use super::activity;
use super::format;
use super::page::{self, segment};
use super::policy::{self, Editor, StepRow, Tried};
use super::policy_form::Fields;
use super::shell::{Place, Shell};
use super::visit::{Manager, Outcome};
use crate::app::App;
use crate::flow::console::activity::explanation;
use crate::flow::directory;
use crate::flow::policy::Policies;

/// What the address asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    reference: String,
}

#[derive(Template)]
#[template(path = "console/trace.html")]
struct TracePage {
    shell: Shell,
    id: String,
    kind: String,
    at: (String, String),
    tone: &'static str,
    verdict: String,
    person: Option<(String, String)>,
    connection: Option<(String, String)>,
    steps: Vec<StepRow>,
    claims: Option<String>,
    editor: Option<Editor>,
    tried: Tried,
}

/// `GET …/traces?reference=…`: a reference as it was read out.
pub async fn look_up(State(app): State<App>, manager: Manager, Query(asked): Query<Asked>) -> Outcome {
    let organization = &manager.organization.organization.id;
    let (record, _) = explanation(&app, &manager.caller, organization, &asked.reference).await?;
    page::lead_to(&format!(
        "{}/traces/{}",
        manager.base(),
        segment(record.trace.id.as_str())
    ))
}

/// `GET …/traces/{trace}`.
pub async fn show(
    State(app): State<App>,
    manager: Manager,
    Path((_, reference)): Path<(String, String)>,
) -> Outcome {
    let organization = &manager.organization.organization.id;
    let (record, about) = explanation(&app, &manager.caller, organization, &reference).await?;
    let shell = manager.shell(Place::Activity);
    let trace = &record.trace;
    let mut connection: Option<Connection> = None;
    if let Some(id) = &trace.connection
        && let Ok(found) = directory::connection(&app, &manager.caller, id.as_str()).await
    {
        connection = Some(found.connection);
    }
    let (tone, verdict) = activity::verdict(&shell, &record.verdict);
    let mut editor = None;
    let mut tried = Tried::default();
    if let Some(connection) = connection.as_ref().filter(|_| record.claims.is_some()) {
        let policies = Policies::of(connection);
        let has_own = policies
            .organization_policies
            .iter()
            .any(|own| own.organization == *organization);
        let fields = Fields::of(&policies, if has_own { organization.as_str() } else { "" });
        let chosen = policy::chosen(trace.id.as_str(), "");
        let mut made = policy::editor(&app, &manager, connection, fields, &chosen).await?;
        made.back = format!("{}/traces/{}", shell.base, segment(trace.id.as_str()));
        let id = connection.id.as_str();
        tried = policy::try_draft(&app, &manager, &shell, id, &made, None).await?;
        editor = Some(made);
    }
    page::show(&TracePage {
        id: trace.id.to_string(),
        kind: activity::kind_of(&shell, &trace.kind),
        at: (trace.at.to_string(), format::time(trace.at)),
        tone,
        verdict,
        person: about.map(|account| (segment(account.id.as_str()), format::name(&account))),
        connection: connection.map(|one| (segment(one.id.as_str()), one.name)),
        steps: trace.steps.iter().map(|step| policy::row(&shell, step)).collect(),
        claims: record
            .claims
            .as_ref()
            .and_then(|claims| serde_json::to_string_pretty(claims).ok()),
        editor,
        tried,
        shell,
    })
}
