//! A run over many people: how far it is, who was refused and why, and trying those again.

use askama::Template;
use axum::extract::{Path, Query, State};
use provost_kernel::id::AccountId;
use provost_store::BulkRun;
use serde::Deserialize;

use super::format;
use super::page::{self, segment};
use super::sent::Sent;
use super::shell::{Place, Shell};
use super::told;
use super::visit::{Manager, Outcome};
use crate::app::App;
use crate::flow::console::{bulk, people};
use crate::flow::local_groups::settling::Task;

/// Refused people that a page shows; all are tried again.
const SHOWN: usize = 50;

/// What the address asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    piece: Option<String>,
}

#[derive(Template)]
#[template(path = "console/bulk_run.html")]
struct RunPage {
    shell: Shell,
    title: &'static str,
    progress: Progress,
    here: String,
}

#[derive(Template)]
#[template(path = "console/bulk_progress.html")]
struct ProgressPiece {
    shell: Shell,
    progress: Progress,
    here: String,
}

struct Progress {
    is_done: bool,
    /// Whether it is about a local group: then whoever is refused keeps what she has, and there is nothing to try again.
    of_group: bool,
    percent: u32,
    done: String,
    total: String,
    changed: String,
    refused: String,
    rows: Vec<Row>,
    more: usize,
}

struct Row {
    segment: String,
    name: String,
    why: String,
    trace: String,
}

/// `GET …/users/runs/{run}`.
pub async fn show(
    State(app): State<App>,
    manager: Manager,
    Path((_, id)): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Outcome {
    let organization = &manager.organization.organization.id;
    let run = bulk::find(&app, organization, &id).await?;
    let shell = manager.shell(Place::Users);
    let here = format!("{}/users/runs/{}", shell.base, segment(&run.id));
    let shown: Vec<AccountId> = run
        .progress
        .refused
        .iter()
        .take(SHOWN)
        .map(|one| one.account.clone())
        .collect();
    let known = people::members_among(&app, organization, shown).await?;
    let rows = run
        .progress
        .refused
        .iter()
        .take(SHOWN)
        .map(|one| Row {
            segment: segment(one.account.as_str()),
            name: known
                .iter()
                .find(|account| account.id == one.account)
                .map_or_else(|| one.account.to_string(), format::name),
            why: told::denial(&shell, &one.code),
            trace: segment(&one.trace),
        })
        .collect();
    let progress = progress(&shell, &run, rows);
    if asked.piece.is_some() {
        return page::piece(&ProgressPiece {
            shell,
            progress,
            here,
        });
    }
    let title = match Task::of(&run.action) {
        Some((Task::Settle, _)) => "bulk.group_settle",
        Some((Task::Delete, _)) => "bulk.group_delete",
        None => bulk::action_of(&run.action).map_or("bulk.title", |(key, _)| key),
    };
    page::show(&RunPage {
        title: shell.t(title),
        progress,
        here,
        shell,
    })
}

fn progress(shell: &Shell, run: &BulkRun, rows: Vec<Row>) -> Progress {
    let number = |count: u32| shell.number(&u64::from(count));
    let refused = run.progress.refused.len();
    Progress {
        is_done: run.finished_at.is_some(),
        of_group: Task::of(&run.action).is_some(),
        percent: run
            .progress
            .done
            .saturating_mul(100)
            .checked_div(run.total)
            .unwrap_or(100),
        done: number(run.progress.done),
        total: number(run.total),
        changed: number(run.progress.changed),
        refused: shell.number(&(refused as u64)),
        more: refused - rows.len().min(refused),
        rows,
    }
}

/// `POST …/users/runs/{run}`: tries those again who were refused.
pub async fn again(
    State(app): State<App>,
    manager: Manager,
    Path((_, id)): Path<(String, String)>,
    _sent: Sent,
) -> Outcome {
    manager.visitor.must_be_fresh(&app)?;
    let organization = &manager.organization.organization.id;
    let run = bulk::find(&app, organization, &id).await?;
    let accounts: Vec<AccountId> = run.progress.refused.into_iter().map(|one| one.account).collect();
    let next = bulk::start(&app, &manager.caller, organization, &run.action, accounts).await?;
    page::lead_to(&format!("{}/users/runs/{}", manager.base(), segment(&next.id)))
}
