//! Brings the members of a local group to what it leads to, after it was changed or when it goes: one decision for each of them, in
//! portions, each written with its progress in one transaction, so that a run goes on exactly where it stopped.
//!
//! The product itself decides, because whoever changed the group was judged when doing so; the audit log names that person.
//! Who must not lose what came from the group, such as the last owner, keeps it as if granted by hand, and is listed.

use jiff::Timestamp;
use provost_kernel::facts::Need;
use provost_kernel::id::{AccountId, GroupId, OrganizationId};
use provost_kernel::incoming::Fresh;
use provost_kernel::local_group::LocalGroup;
use provost_kernel::plan::{Decision, Verdict};
use provost_kernel::provision::{self, Action, Actor, GrantEdit, Request};
use provost_store::{BulkProgress, BulkRefused, BulkRun, NewJob, StoreError, Tx};
use serde_json::json;

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::api_keys::Caller;
use crate::jobs;

/// People whose decisions are written together.
const PORTION: usize = 25;
/// How often a portion is tried anew when others wrote in between.
const TRIES: u32 = 12;
/// Most people whom a preview looks at.
pub const LOOKED_AT: u32 = 1_000;

/// What a run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Brings members to what the group leads to now.
    Settle,
    /// Takes everybody out and forgets the group.
    Delete,
}

impl Task {
    const fn word(self) -> &'static str {
        match self {
            Self::Settle => "group_settle",
            Self::Delete => "group_delete",
        }
    }

    /// Writes task and group as the action of a run.
    pub fn action(self, group: &GroupId) -> String {
        format!("{} {group}", self.word())
    }

    /// Reads the action of a run; none for one about no group.
    pub fn of(action: &str) -> Option<(Self, GroupId)> {
        let (word, group) = action.split_once(' ')?;
        let task = [Self::Settle, Self::Delete]
            .into_iter()
            .find(|task| task.word() == word)?;
        Some((task, GroupId::new(group)))
    }
}

/// Keeps a run and the job that carries it out.
///
/// # Errors
/// Those of the store.
pub async fn queue_in_tx(
    tx: &mut Tx,
    run: &BulkRun,
    accounts: &[AccountId],
    job: String,
    now: Timestamp,
) -> std::result::Result<(), StoreError> {
    tx.insert_bulk_run(run, accounts).await?;
    let job = NewJob {
        id: job,
        kind: jobs::BULK.to_owned(),
        idempotency_key: Some(run.id.clone()),
        payload: json!({ "run": run.id }),
        run_at: now,
    };
    tx.enqueue(&job, now).await.map(drop)
}

/// Carries out what is left of a run.
///
/// # Errors
/// Those of the store.
pub async fn carry_out(app: &App, run: &BulkRun, accounts: &[AccountId]) -> Result<()> {
    let Some((task, group)) = Task::of(&run.action) else {
        return Ok(());
    };
    let mut progress = run.progress.clone();
    let done = usize::try_from(progress.done).unwrap_or(usize::MAX);
    for portion in accounts.get(done..).unwrap_or_default().chunks(PORTION) {
        progress = write_portion(app, run, (task, &group), progress, portion).await?;
    }
    let (id, finished_at) = (run.id.clone(), app.world.now());
    app.store
        .write(move |tx| {
            let (id, progress, group) = (id.clone(), progress.clone(), group.clone());
            Box::pin(async move {
                if task == Task::Delete {
                    tx.delete_local_group(&group).await?;
                }
                tx.note_bulk_run(&id, &progress, Some(finished_at)).await
            })
        })
        .await
        .map_err(|error: StoreError| AppError::from(error))
}

async fn write_portion(
    app: &App,
    run: &BulkRun,
    (task, group): (Task, &GroupId),
    progress: BulkProgress,
    portion: &[AccountId],
) -> Result<BulkProgress> {
    for _ in 0..TRIES {
        let mut people = Vec::with_capacity(portion.len());
        for account in portion {
            people.push((account.clone(), app.world.fresh()?.0, app.world.fresh()?.0));
        }
        let (run, mut progress, group) = (run.clone(), progress.clone(), group.clone());
        let now = app.world.now();
        let written = app
            .store
            .write(move |tx| {
                Box::pin(async move {
                    for (account, first, second) in people {
                        let of = Of {
                            run: &run,
                            task,
                            group: &group,
                            now,
                        };
                        of.one(tx, account, [&first, &second], &mut progress).await?;
                    }
                    tx.note_bulk_run(&run.id, &progress, None).await?;
                    Ok::<_, StoreError>(progress)
                })
            })
            .await;
        match written {
            Err(error) if error.is_retryable() => {}
            other => return Ok(other?),
        }
    }
    Err(AppError::unavailable(
        "members of the group changed under every try",
    ))
}

/// What one decision of a run is part of.
struct Of<'a> {
    run: &'a BulkRun,
    task: Task,
    group: &'a GroupId,
    now: Timestamp,
}

impl Of<'_> {
    async fn one(
        &self,
        tx: &mut Tx,
        account: AccountId,
        [first, second]: [&Fresh; 2],
        progress: &mut BulkProgress,
    ) -> std::result::Result<(), StoreError> {
        progress.done += 1;
        let organization = &self.run.organization;
        let wanted = |keep| request(organization, &account, self.task, self.group, keep);
        let facts = tx.facts(&provision::need(&wanted(false))).await?;
        let mut known = facts.accounts.iter().flat_map(|known| &known.memberships);
        if !known.any(|held| held.organization == *organization) {
            return Ok(());
        }
        let decision = provision::decide(&wanted(false), &facts, None, first, self.now);
        let decision = match &decision.verdict {
            Verdict::Refused(denial) => {
                progress.refused.push(BulkRefused {
                    account: account.clone(),
                    code: denial.code().to_owned(),
                    trace: decision.trace.id.to_string(),
                });
                tx.apply(&decision, &self.run.actor, self.now).await?;
                provision::decide(&wanted(true), &facts, None, second, self.now)
            }
            Verdict::Admitted(_) | Verdict::Accepted => decision,
        };
        progress.changed += u32::from(is_change(&decision));
        tx.apply(&decision, &self.run.actor, self.now).await.map(drop)
    }
}

fn is_change(decision: &Decision) -> bool {
    !decision.plan.changes.is_empty()
}

fn request(
    organization: &OrganizationId,
    account: &AccountId,
    task: Task,
    group: &GroupId,
    keep: bool,
) -> Request {
    let edit = match task {
        Task::Settle => GrantEdit::SettleGroups { keep },
        Task::Delete => GrantEdit::LeaveGroup {
            group: group.clone(),
            keep,
        },
    };
    Request {
        actor: Actor::System,
        action: Action::EditMembership {
            account: account.clone(),
            organization: organization.clone(),
            edits: vec![edit],
        },
    }
}

/// What a change of a group would do to its members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Preview {
    /// Members of the group.
    pub members: u64,
    /// Members looked at: at most [`LOOKED_AT`].
    pub looked_at: u32,
    /// Of these, whose access would change.
    pub changed: u32,
}

/// Says for how many members something would change if a group led to what `after` says. Writes nothing.
///
/// # Errors
/// 404 for a group out of sight; those of the store.
pub async fn preview(app: &App, caller: &Caller, after: &LocalGroup) -> Result<Preview> {
    let organization = after.organization.as_str();
    let row = super::find(app, caller, organization, after.id.as_str())
        .await?
        .row;
    let ids = super::members::list(app, caller, organization, after.id.as_str(), None, LOOKED_AT).await?;
    let need = Need {
        accounts: ids.into_iter().map(|known| known.account.id).collect(),
        ..provision::standing::need(&caller.actor(), &after.organization)
    };
    let wanted = need.accounts.clone();
    let mut facts = app
        .store
        .read(|reader| Box::pin(async move { reader.facts(&need).await }))
        .await
        .map_err(|error: StoreError| AppError::from(error))?;
    for held in facts.accounts.iter_mut().flat_map(|known| &mut known.memberships) {
        if let Some(group) = held.groups.iter_mut().find(|group| group.id == after.id) {
            *group = after.held();
        }
    }
    let (fresh, now) = (app.world.fresh()?.0, app.world.now());
    let mut preview = Preview {
        members: row.members,
        looked_at: u32::try_from(wanted.len()).unwrap_or(u32::MAX),
        changed: 0,
    };
    for account in &wanted {
        let wish = request(&after.organization, account, Task::Settle, &after.id, false);
        let decision = provision::decide(&wish, &facts, None, &fresh, now);
        preview.changed += u32::from(is_change(&decision));
    }
    Ok(preview)
}

#[cfg(test)]
mod tests {
    use super::Task;

    #[test]
    fn a_run_says_what_it_does_to_which_group() {
        for task in [Task::Settle, Task::Delete] {
            assert_eq!(
                Task::of(&task.action(&"grp_1".into())),
                Some((task, "grp_1".into()))
            );
        }
        for other in ["pin", "group_settle", "pin grp_1", ""] {
            assert_eq!(Task::of(other), None, "{other}");
        }
    }
}
