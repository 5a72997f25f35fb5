//! Adding many people from a file of comma-separated values: tried first, row by row, then carried out, with an
//! invitation for each or without mail.

use askama::Template;
use axum::extract::{Path, Query, State};
use provost_store::ImportRecord;
use serde::Deserialize;

use super::page;
use super::reasons;
use super::sent::Uploaded;
use super::shell::{Place, Shell};
use super::told;
use super::visit::{Manager, Outcome};
use crate::app::App;
use crate::error::AppError;
use crate::flow::console::people;
use crate::flow::imports::{self, COLUMNS, ImportOptions, RowProblem};

/// Largest upload, in bytes.
pub const LARGEST: usize = 16 * 1024 * 1024;
/// A tried file up to this size need not be chosen again to carry it out.
const KEPT: usize = 20_000;
/// Problems that a page shows; all are counted.
const SHOWN: usize = 100;

/// What the address of an import asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    piece: Option<String>,
}

#[derive(Template)]
#[template(path = "console/import.html")]
struct ImportPage {
    shell: Shell,
    connections: Vec<(String, String, bool)>,
    columns: Vec<&'static str>,
    problem: Option<String>,
    sample: &'static str,
    skip: bool,
    can_mail: bool,
}

/// What became of an import, or would.
struct Report {
    id: String,
    is_trial: bool,
    is_done: bool,
    total: String,
    done: String,
    percent: u32,
    figures: Vec<(&'static str, String)>,
    problems: Vec<RowProblem>,
    more: usize,
}

#[derive(Template)]
#[template(path = "console/imported.html")]
struct ImportedPage {
    shell: Shell,
    report: Report,
    again: Option<Again>,
    live: String,
}

/// The same file once more, to carry it out.
struct Again {
    text: Option<String>,
    connection: String,
    skip: bool,
}

/// What was chosen beside the file.
#[derive(Default)]
struct Chosen {
    connection: String,
    skip: bool,
}

#[derive(Template)]
#[template(path = "console/import_report.html")]
struct ReportPiece {
    shell: Shell,
    report: Report,
}

/// `GET …/users/import`.
pub async fn show(State(app): State<App>, manager: Manager) -> Outcome {
    let shell = manager.shell(Place::Users);
    form(&app, &manager, shell, &Chosen::default(), None).await
}

async fn form(
    app: &App,
    manager: &Manager,
    shell: Shell,
    chosen: &Chosen,
    problem: Option<String>,
) -> Outcome {
    let can_mail = app.config.mail.is_on();
    let connections = people::connections(app, &manager.organization.organization.id).await?;
    page::show(&ImportPage {
        connections: connections
            .into_iter()
            .map(|one| {
                let is_chosen = one.id.as_str() == chosen.connection;
                (one.id.to_string(), one.name, is_chosen)
            })
            .collect(),
        columns: COLUMNS
            .iter()
            .map(|(name, _)| *name)
            .filter(|name| *name != "organization")
            .collect(),
        sample: "email,given_name,family_name,kind,roles",
        problem,
        skip: chosen.skip || !can_mail,
        can_mail,
        shell,
    })
}

/// `POST …/users/import`: tries a file, or carries it out.
pub async fn submit(State(app): State<App>, manager: Manager, Uploaded(sent): Uploaded) -> Outcome {
    let shell = manager.shell(Place::Users);
    let text = if sent.get("file").is_empty() {
        sent.get("text").to_owned()
    } else {
        sent.get("file").to_owned()
    };
    let chosen = Chosen {
        connection: sent.get("connection").to_owned(),
        skip: sent.has("skip"),
    };
    let options = ImportOptions {
        dry_run: sent.get("do") != "import",
        connection: sent.some("connection"),
        organization: Some(manager.id().to_owned()),
        // As in the form for one person.
        invite: true,
        skip_invitation: chosen.skip,
    };
    let is_trial = options.dry_run;
    if text.is_empty() {
        let problem = Some(shell.t("importing.no_file").to_owned());
        return form(&app, &manager, shell, &chosen, problem).await;
    }
    match imports::start(&app, &manager.caller, text.clone(), options).await {
        Ok(record) if !is_trial => page::lead_to(&format!("{}/users/imports/{}", shell.base, record.id)),
        Ok(record) => {
            let again = Again {
                text: (text.len() <= KEPT).then_some(text),
                connection: chosen.connection,
                skip: chosen.skip,
            };
            imported(shell, &record, Some(again))
        }
        Err(error) => {
            let problem = Some(told::mendable(&shell, error)?);
            form(&app, &manager, shell, &chosen, problem).await
        }
    }
}

/// `GET …/users/imports/{import}`.
pub async fn result(
    State(app): State<App>,
    manager: Manager,
    Path((_, id)): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Outcome {
    let record = imports::find(&app, &manager.caller, &id).await?;
    let shell = manager.shell(Place::Users);
    if asked.piece.is_some() {
        let report = report(&shell, &record)?;
        return page::piece(&ReportPiece { shell, report });
    }
    let options: ImportOptions =
        serde_json::from_value(record.options.clone()).map_err(AppError::internal)?;
    let again = options.dry_run.then(|| Again {
        text: None,
        connection: options.connection.unwrap_or_default(),
        skip: options.skip_invitation,
    });
    imported(shell, &record, again)
}

fn imported(shell: Shell, record: &ImportRecord, again: Option<Again>) -> Outcome {
    let report = report(&shell, record)?;
    page::show(&ImportedPage {
        live: format!("{}/users/imports/{}?piece=1", shell.base, report.id),
        again,
        report,
        shell,
    })
}

fn report(shell: &Shell, record: &ImportRecord) -> Result<Report, AppError> {
    let options: ImportOptions =
        serde_json::from_value(record.options.clone()).map_err(AppError::internal)?;
    let mut problems: Vec<RowProblem> =
        serde_json::from_value(record.progress.problems.clone()).map_err(AppError::internal)?;
    let progress = &record.progress;
    let more = usize::try_from(progress.failed)
        .unwrap_or(usize::MAX)
        .saturating_sub(problems.len().min(SHOWN));
    problems.truncate(SHOWN);
    for problem in &mut problems {
        let known = shell
            .look
            .language
            .known(&format!("fault.{}", problem.code))
            .or_else(|| shell.look.language.known(&format!("verdict.{}", problem.code)));
        problem.detail = match known {
            Some(text) => text.to_owned(),
            None => reasons::tell_fault(shell.look.language, &problem.code, &problem.detail),
        };
    }
    let number = |count: u32| shell.number(&u64::from(count));
    let [creates, updates] = if options.dry_run {
        ["importing.would_create", "importing.would_update"]
    } else {
        ["importing.created", "importing.updated"]
    };
    Ok(Report {
        id: record.id.clone(),
        is_trial: options.dry_run,
        is_done: record.finished_at.is_some(),
        total: number(record.total),
        done: number(progress.done),
        percent: (progress.done.saturating_mul(100))
            .checked_div(record.total)
            .unwrap_or(100),
        figures: vec![
            (shell.t(creates), number(progress.created)),
            (shell.t(updates), number(progress.updated)),
            (shell.t("importing.unchanged"), number(progress.unchanged)),
            (shell.t("importing.failed"), number(progress.failed)),
        ],
        problems,
        more,
    })
}
