//! The policy editor: fixed role, builder, group table or expression, tried on somebody while it is typed, with what
//! would change for everybody before it is saved.

use std::collections::BTreeSet;
use std::time::Duration;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use provost_kernel::connection::{Connection, Scope};
use provost_kernel::id::ConnectionId;
use provost_kernel::trace::{Stage, Step, StepOutcome};
use provost_store::TraceRecord;
use serde::Deserialize;
use serde_json::Value;

use super::activity;
use super::connections::{self, Head};
use super::format;
use super::page;
use super::policy_form::Fields;
use super::reasons::{self, Told};
use super::sent::Sent;
use super::shell::{Place, Shell};
use super::visit::{Manager, Outcome};
use crate::app::App;
use crate::error::{AppError, Fault, Result};
use crate::flow::policy::change::{self, Found, Saved};
use crate::flow::policy::pasted::{self, Unreadable};
use crate::flow::policy::trial::{self, Subject};
use crate::flow::policy::{Policies, preview};
use crate::flow::{directory, groups, traces};

/// Most claims, and most groups of each origin, that are offered for a rule.
const OFFERED: u32 = 200;
/// How long the effect on everybody is counted before the page answers.
const COUNTING: Duration = Duration::from_secs(5);
/// Most people whom a preview names.
const NAMED: usize = 12;

/// What the address asks for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    r#for: String,
    trace: String,
    account: String,
    done: Option<String>,
}

/// The editor, on its own page and below an explanation.
pub(super) struct Editor {
    pub(super) action: String,
    /// Where giving up leads: the page that shows the editor, as it was.
    pub(super) back: String,
    pub(super) version: i64,
    pub(super) fields: Fields,
    pub(super) targets: Vec<(String, String, bool)>,
    pub(super) roles: Vec<String>,
    pub(super) workspaces: Vec<(String, String, bool)>,
    pub(super) licenses: Vec<String>,
    pub(super) subjects: Vec<(String, String, bool)>,
    pub(super) account: String,
    pub(super) claims: String,
    pub(super) person: String,
    subject: Result<Option<Subject>, Unread>,
    unproved: Option<String>,
    pub(super) seen: BTreeSet<String>,
    pub(super) groups_seen: BTreeSet<String>,
    pub(super) may_save: bool,
}

/// What a draft gives.
#[derive(Default)]
pub(super) struct Tried {
    pub(super) faults: Vec<Fault>,
    pub(super) problem: String,
    /// What is not known about the subject, and is to be said beside the result.
    pub(super) unproved: Option<String>,
    pub(super) now: Option<Side>,
    pub(super) draft: Option<Side>,
    pub(super) impact: Option<Counted>,
}

/// One side of the comparison.
pub(super) struct Side {
    pub(super) tone: &'static str,
    pub(super) verdict: String,
    pub(super) steps: Vec<StepRow>,
}

/// One step of a decision.
pub(super) struct StepRow {
    pub(super) mark: &'static str,
    pub(super) class: &'static str,
    pub(super) outcome: &'static str,
    pub(super) stage: String,
    pub(super) organization: String,
    pub(super) told: Told,
}

/// What would change for everybody.
pub(super) struct Counted {
    pub(super) summary: Vec<(String, &'static str)>,
    pub(super) people: Vec<(String, String)>,
    pub(super) is_complete: bool,
    pub(super) is_held: bool,
}

#[derive(Template)]
#[template(path = "console/policy.html")]
struct PolicyPage {
    shell: Shell,
    head: Head,
    editor: Editor,
    tried: Tried,
}

#[derive(Template)]
#[template(path = "console/tried.html")]
struct TriedPiece {
    shell: Shell,
    tried: Tried,
}

/// `GET …/policies`.
pub async fn show(
    State(app): State<App>,
    manager: Manager,
    Path((_, id)): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Outcome {
    let record = directory::connection(&app, &manager.caller, &id).await?;
    let policies = Policies::of(&record.connection);
    let target = target(&record.connection, &asked.r#for, &manager);
    let fields = Fields::of(&policies, &target);
    let shell = manager.shell(Place::Connections).after(asked.done.as_deref());
    let subject = chosen(&asked.trace, &asked.account);
    let editor = editor(&app, &manager, &record.connection, fields, &subject).await?;
    let tried = try_draft(&app, &manager, &shell, &id, &editor, None).await?;
    page::show(&PolicyPage {
        head: connections::head(&shell, &record, "policies"),
        editor,
        tried,
        shell,
    })
}

/// `POST …/policies/try`: what a draft gives; a piece for the script, else the whole page.
pub async fn try_out(
    State(app): State<App>,
    manager: Manager,
    Path((_, id)): Path<(String, String)>,
    headers: HeaderMap,
    sent: Sent,
) -> Outcome {
    let record = directory::connection(&app, &manager.caller, &id).await?;
    let shell = manager.shell(Place::Connections);
    let fields = Fields::read(&sent);
    let draft = fields.put_into(Policies::of(&record.connection));
    let is_piece = headers.contains_key("x-piece");
    let subject = sent_choice(&sent);
    let editor = editor(&app, &manager, &record.connection, fields.to_show(), &subject).await?;
    let mut tried = try_draft(&app, &manager, &shell, &id, &editor, Some(draft.clone())).await?;
    if tried.faults.is_empty() && draft != Policies::of(&record.connection) {
        tried.impact = Some(count(&app, &manager, &shell, &record, draft).await?);
    }
    if is_piece {
        return page::piece(&TriedPiece { shell, tried });
    }
    page::show(&PolicyPage {
        head: connections::head(&shell, &record, "policies"),
        editor,
        tried,
        shell,
    })
}

/// `POST …/policies`.
pub async fn save(
    State(app): State<App>,
    manager: Manager,
    Path((_, id)): Path<(String, String)>,
    sent: Sent,
) -> Outcome {
    let record = directory::connection(&app, &manager.caller, &id).await?;
    let fields = Fields::read(&sent);
    let draft = fields.put_into(Policies::of(&record.connection));
    let version = sent.get("version").parse().ok();
    let here = format!("{}/connections/{}/policies", manager.base(), page::segment(&id));
    let query = format!("for={}", page::segment(&fields.target));
    match change::save(&app, &manager.caller, &id, draft, version).await {
        Ok(Saved::InForce(_)) => page::lead_to(&format!("{here}?{query}&done=policy")),
        Ok(Saved::Held(_)) => page::lead_to(&format!("{here}?{query}&done=held")),
        Err(error) => {
            let shell = manager.shell(Place::Connections);
            let subject = sent_choice(&sent);
            let page = PolicyPage {
                head: connections::head(&shell, &record, "policies"),
                editor: editor(&app, &manager, &record.connection, fields.to_show(), &subject).await?,
                tried: Tried {
                    problem: shell.of("word", error.code()).to_owned(),
                    faults: error.faults().to_vec(),
                    ..Tried::default()
                },
                shell,
            };
            page::show_with(error.status(), &page)
        }
    }
}

/// The policy that the form is about: the one asked for, else the organization's own if it has one, else the default.
fn target(connection: &Connection, asked: &str, manager: &Manager) -> String {
    if asked == "-" {
        return String::new();
    }
    let own = manager.id();
    let has_own = connection
        .organization_policies
        .iter()
        .any(|policy| policy.organization.as_str() == own);
    if asked == own || (asked.is_empty() && has_own) {
        own.to_owned()
    } else {
        String::new()
    }
}

/// On whom a draft is tried.
#[derive(Clone, Debug, Default)]
pub(super) struct Chosen {
    trace: String,
    account: String,
    claims: String,
    person: String,
}

pub(super) fn chosen(trace: &str, account: &str) -> Chosen {
    Chosen {
        trace: trace.to_owned(),
        account: account.to_owned(),
        ..Chosen::default()
    }
}

fn sent_choice(sent: &Sent) -> Chosen {
    let get = |name: &str| sent.get(name).to_owned();
    Chosen {
        trace: get("trace"),
        account: get("account"),
        claims: get("claims"),
        person: get("person"),
    }
}

/// Why there is nobody to try a draft on.
#[derive(Clone, Debug)]
pub(super) enum Unread {
    /// What was pasted cannot be read.
    Pasted(Unreadable),
    /// No member has the address.
    Nobody,
}

/// Finds out on whom a draft is tried: pasted claims, a person by address, a past attempt, an account; else the latest attempt.
async fn subject_of(
    app: &App,
    manager: &Manager,
    connection: &Connection,
    chosen: &Chosen,
    latest: Option<&str>,
) -> Result<(Result<Option<Subject>, Unread>, Option<String>)> {
    let language = manager.visitor.look.language;
    if !chosen.claims.trim().is_empty() {
        let pasted = pasted::of(app, connection, &chosen.claims).await;
        let unproved = pasted
            .as_ref()
            .ok()
            .filter(|pasted| pasted.is_saml)
            .map(|pasted| {
                let unproved = language.text("policy.unproved");
                match &pasted.stranger {
                    Some(issuer) => format!("{unproved} {}", language.with("policy.stranger", &[issuer])),
                    None => unproved.to_owned(),
                }
            });
        let subject = pasted.map(|pasted| Some(pasted.subject));
        return Ok((subject.map_err(Unread::Pasted), unproved));
    }
    if !chosen.person.is_empty() {
        let organization = &manager.organization.organization.id;
        let found = pasted::person(app, organization, &chosen.person).await?;
        let subject = found.map(|id| Some(Subject::Account(id.to_string())));
        return Ok((subject.ok_or(Unread::Nobody), None));
    }
    let known = [&chosen.trace]
        .into_iter()
        .find(|id| !id.is_empty())
        .map(|id| Subject::Trace(id.clone()))
        .or_else(|| (!chosen.account.is_empty()).then(|| Subject::Account(chosen.account.clone())))
        .or_else(|| latest.map(|id| Subject::Trace(id.to_owned())));
    Ok((Ok(known), None))
}

/// Says why there is nobody to try a draft on.
fn unread(shell: &Shell, why: &Unread, tried: &mut Tried) {
    let key = match why {
        Unread::Nobody => "policy.no_person",
        Unread::Pasted(Unreadable::NoClaims) => "policy.claims_unreadable",
        Unread::Pasted(Unreadable::NoSaml) => "policy.no_saml",
        Unread::Pasted(Unreadable::Saml(error)) => {
            tried.faults = vec![Fault {
                path: error.code().to_owned(),
                position: None,
                message: error.to_string(),
                suggestion: None,
            }];
            "policy.saml_unreadable"
        }
    };
    shell.t(key).clone_into(&mut tried.problem);
}

/// Puts the editor together.
pub(super) async fn editor(
    app: &App,
    manager: &Manager,
    connection: &Connection,
    fields: Fields,
    chosen: &Chosen,
) -> Result<Editor> {
    let facts = &manager.organization;
    let wanted = traces::Wanted {
        connection: Some(connection.id.to_string()),
        ..traces::Wanted::default()
    };
    let mut recent = traces::list(app, &manager.caller, wanted, 30).await?;
    recent.retain(|record| record.claims.is_some());
    let mut subjects: Vec<(String, String, bool)> = recent
        .iter()
        .map(|record| {
            let id = record.trace.id.to_string();
            let label = format!(
                "{} · {} · {}",
                format::time(record.trace.at),
                who(record),
                record.verdict
            );
            let is_chosen = id == chosen.trace;
            (id, label, is_chosen)
        })
        .collect();
    let latest = subjects.first().map(|(id, ..)| id.clone());
    let (subject, unproved) = subject_of(app, manager, connection, chosen, latest.as_deref()).await?;
    if !chosen.trace.is_empty() && !subjects.iter().any(|(id, ..)| *id == chosen.trace) {
        subjects.insert(0, (chosen.trace.clone(), chosen.trace.clone(), true));
    }
    let (seen, groups_seen) = seen(app, &connection.id, &recent).await?;
    let reaches_others = match &connection.scope {
        Scope::Instance => true,
        Scope::Organization { shared_with, .. } => !shared_with.is_empty(),
    };
    let own = manager.id();
    let mut targets = vec![(
        "-".to_owned(),
        manager.visitor.look.language.text("policy.default").to_owned(),
        fields.target.is_empty(),
    )];
    targets.push((
        own.to_owned(),
        facts.organization.name.clone(),
        fields.target == own,
    ));
    let action = format!(
        "{}/connections/{}/policies",
        manager.base(),
        page::segment(connection.id.as_str())
    );
    Ok(Editor {
        back: action.clone(),
        action,
        version: connection.version,
        targets,
        roles: facts.roles.iter().map(|role| role.name.clone()).collect(),
        workspaces: facts
            .workspaces
            .iter()
            .map(|one| {
                let id = one.id.to_string();
                let is_chosen = fields.workspaces.contains(&id);
                (id, one.name.clone(), is_chosen)
            })
            .collect(),
        licenses: facts
            .licenses
            .iter()
            .map(|pool| pool.license.id.to_string())
            .collect(),
        subjects,
        account: chosen.account.clone(),
        claims: chosen.claims.clone(),
        person: chosen.person.clone(),
        subject,
        unproved,
        seen,
        groups_seen,
        may_save: !reaches_others,
        fields,
    })
}

fn who(record: &TraceRecord) -> String {
    let normalized = record.claims.as_ref().and_then(|claims| claims.get("normalized"));
    let text = |name: &str| normalized?.get(name)?.as_str().map(str::to_owned);
    text("email")
        .or_else(|| text("user_name"))
        .or_else(|| text("subject"))
        .unwrap_or_else(|| record.trace.id.to_string())
}

/// Collects what a rule can be written for: names of the claims that came lately, and the groups that came with them
/// or that the directory pushes.
async fn seen(
    app: &App,
    connection: &ConnectionId,
    recent: &[TraceRecord],
) -> Result<(BTreeSet<String>, BTreeSet<String>)> {
    let pushed = groups::names(app, connection, OFFERED).await?;
    let of_claims = |path: &'static str| {
        let claims = recent.iter().filter_map(|record| record.claims.as_ref());
        claims.filter_map(move |claims| claims.pointer(path))
    };
    let names = of_claims("/claims").filter_map(Value::as_object);
    let groups = of_claims("/normalized/groups").filter_map(Value::as_array);
    let groups = groups.flatten().filter_map(Value::as_str).map(str::to_owned);
    let most = OFFERED as usize;
    Ok((
        names
            .flat_map(serde_json::Map::keys)
            .take(most)
            .cloned()
            .collect(),
        pushed.into_iter().chain(groups.take(most)).collect(),
    ))
}

/// Tries the saved policies, and a draft beside them.
pub(super) async fn try_draft(
    app: &App,
    manager: &Manager,
    shell: &Shell,
    id: &str,
    editor: &Editor,
    draft: Option<Policies>,
) -> Result<Tried> {
    let mut tried = Tried {
        unproved: editor.unproved.clone(),
        ..Tried::default()
    };
    let subject = match &editor.subject {
        Ok(Some(subject)) => subject.clone(),
        Ok(None) => return Ok(tried),
        Err(why) => {
            unread(shell, why, &mut tried);
            return Ok(tried);
        }
    };
    match trial::run(app, &manager.caller, id, subject.clone(), None).await {
        Ok(trial) => tried.now = Some(side(shell, &trial.record)),
        Err(error) => told(shell, error, &mut tried)?,
    }
    if let Some(draft) = draft {
        match trial::run(app, &manager.caller, id, subject, Some(draft)).await {
            Ok(trial) => tried.draft = Some(side(shell, &trial.record)),
            Err(error) => told(shell, error, &mut tried)?,
        }
    }
    Ok(tried)
}

/// Puts what is wrong with a draft or its subject on the page; anything else is an error.
fn told(shell: &Shell, error: AppError, tried: &mut Tried) -> Result<()> {
    if !matches!(
        error.code(),
        "invalid_policy" | "no_claims" | "not_found" | "invalid_subject"
    ) {
        return Err(error);
    }
    shell.of("word", error.code()).clone_into(&mut tried.problem);
    tried.faults = error.faults().to_vec();
    Ok(())
}

/// Shows one side of a comparison.
pub(super) fn side(shell: &Shell, record: &TraceRecord) -> Side {
    let (tone, verdict) = activity::verdict(shell, &record.verdict);
    Side {
        tone,
        verdict,
        steps: record
            .trace
            .steps
            .iter()
            .filter(|step| {
                matches!(
                    step.stage,
                    Stage::Organization | Stage::Role | Stage::Workspace | Stage::License
                ) || step.outcome == StepOutcome::Refused
            })
            .map(|step| row(shell, step))
            .collect(),
    }
}

/// Shows one step.
pub(super) fn row(shell: &Shell, step: &Step) -> StepRow {
    let (mark, class, outcome) = match step.outcome {
        StepOutcome::Passed => ("✓", "passed", "step.passed"),
        StepOutcome::Skipped => ("·", "skipped", "step.skipped"),
        StepOutcome::Refused => ("✕", "refused", "step.refused"),
        StepOutcome::Warned => ("!", "warned", "step.warned"),
    };
    StepRow {
        mark,
        class,
        outcome: shell.t(outcome),
        stage: shell.of("stage", &format::word(&step.stage)).to_owned(),
        organization: step
            .organization
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        told: reasons::tell(shell.look.language, &step.code, &step.text),
    }
}

/// Counts what a draft would change for everybody, for as long as the page may take.
async fn count(
    app: &App,
    manager: &Manager,
    shell: &Shell,
    record: &provost_store::ConnectionRecord,
    draft: Policies,
) -> Result<Counted> {
    let mut preview = preview::of(app, &manager.caller, record, draft).await?;
    let mut people = Vec::new();
    let is_complete = preview
        .run(app, Some(COUNTING), |portion| {
            let room = NAMED.saturating_sub(people.len());
            people.extend(portion.into_iter().take(room).map(|person| {
                let account = page::segment(person.row.account.as_str());
                let name = person
                    .email
                    .or(person.name)
                    .unwrap_or_else(|| person.row.account.to_string());
                (format!("{}/users/{account}", shell.base), name)
            }));
        })
        .await?;
    let found = Found {
        complete: is_complete,
        impact: preview.impact().clone(),
        judgement: preview.judgement(),
    };
    let impact = &found.impact;
    Ok(Counted {
        summary: [
            ("policy.affected", impact.affected),
            ("policy.gain", impact.gain),
            ("policy.lose", impact.lose),
            ("policy.change", impact.change),
            ("policy.shut_out", impact.shut_out),
        ]
        .into_iter()
        .map(|(key, count)| (shell.number(&count), shell.t(key)))
        .collect(),
        people,
        is_complete,
        is_held: found.judgement.is_held(),
    })
}
