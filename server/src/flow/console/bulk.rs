//! The same for many people at once: more than a page holds, one decision each, in portions, going on where it stopped.
//!
//! Whom a run is about is kept when it begins, so that it does what was looked at and no more.

use provost_kernel::directory::Status;
use provost_kernel::id::{AccountId, OrganizationId};
use provost_kernel::provision::{Action, GrantEdit};
use provost_store::{BulkProgress, BulkRefused, BulkRun, NewJob, PeopleFilter, StoreError};
use serde_json::{Value, json};

use super::people::{self, Row};
use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::api_keys::Caller;
use crate::flow::invitations::{self, Letter};
use crate::flow::local_groups::settling::{self, Task};
use crate::jobs;

/// Most people of one run.
pub const MOST: u32 = 100_000;
/// People after whom progress is written down.
const PORTION: usize = 50;

/// Inviting is more than a decision: a mail leaves with it.
const INVITE: &str = "invite";

/// What can be done to several people at once: the key of its name, and whether it takes access.
pub fn action_of(word: &str) -> Option<(&'static str, bool)> {
    Some(match word {
        INVITE => ("action.invite", false),
        "pin" => ("action.pin", false),
        "unpin" => ("action.unpin", false),
        "activate" => ("action.activate", false),
        "suspend" => ("action.suspend", true),
        "deactivate" => ("action.deactivate", true),
        "remove" => ("action.remove", true),
        "delete" => ("action.delete", true),
        _ => return None,
    })
}

/// Does the same to several people, one decision each: one refusal stops nobody else.
///
/// # Errors
/// 409 (`mail_off`) where inviting cannot send anything; those of the store.
pub async fn each(
    app: &App,
    caller: &Caller,
    organization: &OrganizationId,
    word: &str,
    accounts: Vec<AccountId>,
) -> Result<Vec<Row>> {
    if word != INVITE {
        let wish = |account| wish(word, organization, account);
        return people::bulk(app, caller, organization, accounts, wish).await;
    }
    let known = people::members_among(app, organization, accounts).await?;
    let mut rows = Vec::with_capacity(known.len());
    for account in known {
        let letter = Letter::invitation(true);
        let invited =
            invitations::attempt_account(app, &caller.actor(), &account.id, organization, letter).await?;
        rows.push(Row {
            account: account.id.clone(),
            known: Some(account),
            outcome: invited.map(|_| true),
        });
    }
    Ok(rows)
}

/// Makes the wish of an action.
pub fn wish(word: &str, organization: &OrganizationId, account: AccountId) -> Action {
    let edit = |account, edit| Action::EditMembership {
        account,
        organization: organization.clone(),
        edits: vec![edit],
    };
    match word {
        "pin" => edit(account, GrantEdit::Pin),
        "unpin" => edit(account, GrantEdit::ReturnToAutomatic),
        "remove" => Action::RemoveMembership {
            account,
            organization: organization.clone(),
        },
        // As with one person where nothing else is ticked (C-29): whoever is deleted stays out.
        "delete" => Action::Delete {
            account,
            allow_return: false,
        },
        word => Action::SetStatus {
            account,
            to: match word {
                "suspend" => Status::Suspended,
                "deactivate" => Status::Deactivated,
                _ => Status::Active,
            },
        },
    }
}

/// Finds everybody who fits a filter.
///
/// # Errors
/// Those of the store.
pub async fn everybody(app: &App, filter: PeopleFilter) -> Result<Vec<AccountId>> {
    let filter = PeopleFilter {
        before: None,
        ..filter
    };
    let found: std::result::Result<Vec<AccountId>, StoreError> = app
        .store
        .read(|reader| Box::pin(async move { reader.people_ids(&filter, MOST).await }))
        .await;
    Ok(found?)
}

/// Begins a run; it goes on in the background.
///
/// # Errors
/// 404 for what cannot be done; those of the store.
pub async fn start(
    app: &App,
    caller: &Caller,
    organization: &OrganizationId,
    word: &str,
    accounts: Vec<AccountId>,
) -> Result<BulkRun> {
    action_of(word).ok_or_else(AppError::not_found)?;
    let now = app.world.now();
    let run = BulkRun {
        id: app.world.id("blk_")?,
        organization: organization.clone(),
        actor: caller.actor(),
        action: word.to_owned(),
        total: u32::try_from(accounts.len()).unwrap_or(u32::MAX),
        progress: BulkProgress::default(),
        created_at: now,
        finished_at: None,
    };
    let job = NewJob {
        id: app.world.id("job_")?,
        kind: jobs::BULK.to_owned(),
        idempotency_key: Some(run.id.clone()),
        payload: json!({ "run": run.id }),
        run_at: now,
    };
    let kept = run.clone();
    app.store
        .write(move |tx| {
            Box::pin(async move {
                tx.insert_bulk_run(&kept, &accounts).await?;
                tx.enqueue(&job, now).await?;
                Ok::<_, StoreError>(())
            })
        })
        .await?;
    app.ring_jobs();
    Ok(run)
}

/// Finds a run of an organization.
///
/// # Errors
/// 404; those of the store.
pub async fn find(app: &App, organization: &OrganizationId, id: &str) -> Result<BulkRun> {
    let id = id.to_owned();
    let found = app
        .store
        .read(|reader| Box::pin(async move { reader.bulk_run(&id).await }))
        .await
        .map_err(|error: StoreError| AppError::from(error))?;
    found
        .filter(|run| run.organization == *organization)
        .ok_or_else(AppError::not_found)
}

/// The work of a job.
///
/// # Errors
/// Those of the store. A refusal is noted and stops nobody else.
pub async fn work(app: &App, payload: &Value) -> anyhow::Result<()> {
    if let Some(id) = payload.get("run").and_then(Value::as_str) {
        carry_out(app, id).await?;
    }
    Ok(())
}

async fn carry_out(app: &App, id: &str) -> Result<()> {
    let wanted = id.to_owned();
    let found: std::result::Result<_, StoreError> = app
        .store
        .read(|reader| {
            Box::pin(async move {
                Ok((
                    reader.bulk_run(&wanted).await?,
                    reader.bulk_accounts(&wanted).await?,
                ))
            })
        })
        .await;
    let (Some(run), accounts) = found? else {
        return Ok(());
    };
    if Task::of(&run.action).is_some() {
        return settling::carry_out(app, &run, &accounts).await;
    }
    let caller = Caller {
        person: Some(run.actor),
        organization: Some(run.organization.clone()),
        ..Caller::operator()
    };
    let mut progress = run.progress;
    let rest = accounts
        .get(usize::try_from(progress.done).unwrap_or(usize::MAX)..)
        .unwrap_or_default();
    for portion in rest.chunks(PORTION) {
        let rows = each(app, &caller, &run.organization, &run.action, portion.to_vec()).await?;
        progress.done += u32::try_from(portion.len()).unwrap_or(u32::MAX);
        for row in rows {
            match row.outcome {
                Ok(is_change) => progress.changed += u32::from(is_change),
                Err(refusal) => progress.refused.push(BulkRefused {
                    account: row.account,
                    code: refusal.denial.code().to_owned(),
                    trace: refusal.trace.to_string(),
                }),
            }
        }
        note(app, id, &progress, false).await?;
    }
    note(app, id, &progress, true).await
}

async fn note(app: &App, id: &str, progress: &BulkProgress, is_done: bool) -> Result<()> {
    let finished_at = is_done.then(|| app.world.now());
    let (id, progress) = (id.to_owned(), progress.clone());
    app.store
        .write(move |tx| Box::pin(async move { tx.note_bulk_run(&id, &progress, finished_at).await }))
        .await
        .map_err(|error: StoreError| AppError::from(error))
}
