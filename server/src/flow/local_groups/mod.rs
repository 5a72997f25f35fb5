//! Groups that an organization keeps by hand: making, changing and deleting them. The kernel judges who may; what members hold
//! because of a group is decided for each of them, in the background where there are members ([`settling`]).

use jiff::Timestamp;
use provost_kernel::denial::Denial;
use provost_kernel::facts::OrganizationFacts;
use provost_kernel::id::{AccountId, GroupId, OrganizationId, TraceId, WorkspaceId};
use provost_kernel::incoming::Fresh;
use provost_kernel::local_group::LocalGroup;
use provost_kernel::plan::Verdict;
use provost_kernel::provision::Actor;
use provost_kernel::provision::local_groups::{self, GroupChange};
use provost_kernel::trace::Trace;
use provost_store::{BulkRun, LocalGroupRow, NewEvent, StoreError, Tx};
use serde_json::{Value, json};

use crate::app::App;
use crate::error::{AppError, Fault, Result};
use crate::flow::api_keys::Caller;
use crate::flow::{directory, memberships};

pub mod members;
pub mod settling;

use settling::Task;

/// How often a change is made anew when others wrote in between.
const TRIES: u32 = 6;
/// Longest name, in bytes.
const LONGEST_NAME: usize = 128;
/// Longest description, in bytes.
const LONGEST_DESCRIPTION: usize = 500;

/// What a group shall be. What is absent stays; lists that are given are exact.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Name.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Roles by id or exact name.
    pub roles: Option<Vec<String>>,
    /// Workspaces by id.
    pub workspaces: Option<Vec<String>>,
}

/// A group with the run that brings its members along, if one is under way.
#[derive(Clone, Debug)]
pub struct Found {
    /// The group.
    pub row: LocalGroupRow,
    /// The run that is not through.
    pub run: Option<BulkRun>,
}

/// Lists the groups of an organization by name, after one.
///
/// # Errors
/// 404 for an organization out of sight; those of the store.
pub async fn list(
    app: &App,
    caller: &Caller,
    organization: &str,
    after: Option<String>,
    limit: u32,
) -> Result<Vec<LocalGroupRow>> {
    let id = directory::organization(app, caller, organization)
        .await?
        .organization
        .id;
    let found = app
        .store
        .read(|reader| Box::pin(async move { reader.local_groups_page(&id, after.as_deref(), limit).await }))
        .await?;
    Ok(found)
}

/// Finds a group.
///
/// # Errors
/// 404; those of the store.
pub async fn find(app: &App, caller: &Caller, organization: &str, id: &str) -> Result<Found> {
    let (organization, id) = (OrganizationId::new(organization), GroupId::new(id));
    if !caller.sees(&organization) {
        return Err(AppError::not_found());
    }
    let found = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let row = reader.local_group(&organization, &id).await?;
                let Some(row) = row.filter(|row| !row.is_going) else {
                    return Ok(None);
                };
                let run = match &row.run {
                    Some(run) => reader.bulk_run(run).await?,
                    None => None,
                };
                let run = run.filter(|run| run.finished_at.is_none());
                Ok::<_, StoreError>(Some(Found { row, run }))
            })
        })
        .await?;
    found.ok_or_else(AppError::not_found)
}

/// Makes a group without members.
///
/// # Errors
/// 404 for an organization out of sight; 403 (`not_permitted`); 409 (`group_name_taken`); 422 (`invalid_group`, `name_missing`);
/// those of the store.
pub async fn create(app: &App, caller: &Caller, organization: &str, wanted: &Wanted) -> Result<Found> {
    let facts = directory::organization(app, caller, organization).await?;
    let blank = LocalGroup {
        id: GroupId::new(app.world.id("grp_")?),
        organization: facts.organization.id.clone(),
        name: String::new(),
        description: String::new(),
        roles: Vec::new(),
        workspaces: Vec::new(),
        version: 1,
    };
    let after = changed(&facts, &blank, wanted)?;
    write(app, caller, (None, Some(&after))).await?;
    find(app, caller, organization, after.id.as_str()).await
}

/// Changes a group, for a version if one is given. Where it leads to something else now, a run brings its members along.
///
/// # Errors
/// As [`create`]; 404 for a group out of sight; 412 (`stale_version`).
pub async fn change(
    app: &App,
    caller: &Caller,
    organization: &str,
    id: &str,
    wanted: &Wanted,
    version: Option<i64>,
) -> Result<Found> {
    let facts = directory::organization(app, caller, organization).await?;
    for _ in 0..TRIES {
        let before = find(app, caller, organization, id).await?.row.group;
        if version.is_some_and(|version| version != before.version) {
            return Err(AppError::denied(Denial::StaleVersion));
        }
        let after = changed(&facts, &before, wanted)?;
        if after == before {
            return find(app, caller, organization, id).await;
        }
        match write(app, caller, (Some(&before), Some(&after))).await {
            Err(error) if error.code() == STALE && version.is_none() => {}
            Err(error) => return Err(error),
            Ok(_) => return find(app, caller, organization, id).await,
        }
    }
    Err(AppError::unavailable("the group changed under every try"))
}

/// Deletes a group, for a version if one is given: its name is free and it leads to nothing at once, and a run takes everybody
/// out. Returns the run, if there are members.
///
/// # Errors
/// 404; 403 (`not_permitted`); 412 (`stale_version`); those of the store.
pub async fn delete(
    app: &App,
    caller: &Caller,
    organization: &str,
    id: &str,
    version: Option<i64>,
) -> Result<Option<String>> {
    for _ in 0..TRIES {
        let before = find(app, caller, organization, id).await?.row.group;
        if version.is_some_and(|version| version != before.version) {
            return Err(AppError::denied(Denial::StaleVersion));
        }
        match write(app, caller, (Some(&before), None)).await {
            Err(error) if error.code() == STALE && version.is_none() => {}
            other => return other,
        }
    }
    Err(AppError::unavailable("the group changed under every try"))
}

const STALE: &str = Denial::StaleVersion.code();

/// Works out what a group shall be, or names what cannot be used.
///
/// # Errors
/// 422 (`invalid_group`).
pub fn changed(facts: &OrganizationFacts, before: &LocalGroup, wanted: &Wanted) -> Result<LocalGroup> {
    let mut after = before.clone();
    let mut faults = Vec::new();
    if let Some(name) = &wanted.name {
        name.trim().clone_into(&mut after.name);
        if name.len() > LONGEST_NAME || name.chars().any(char::is_control) {
            faults.push(at(
                "name",
                "A name has at most 128 characters, none of them a control character.",
            ));
        }
    }
    if let Some(description) = &wanted.description {
        description.trim().clone_into(&mut after.description);
        let is_control = |one: char| one.is_control() && one != '\n';
        if description.len() > LONGEST_DESCRIPTION || description.chars().any(is_control) {
            faults.push(at("description", "A description has at most 500 characters."));
        }
    }
    if let Some(names) = &wanted.roles {
        after.roles = distinct(memberships::roles(facts, names, "roles", &mut faults));
    }
    if let Some(ids) = &wanted.workspaces {
        memberships::check_workspaces(facts, ids, "", &mut faults);
        after.workspaces = distinct(ids.iter().map(WorkspaceId::new).collect());
    }
    if faults.is_empty() {
        return Ok(after);
    }
    Err(
        AppError::unprocessable("invalid_group", "Something here cannot be used; see the errors.")
            .with_faults(faults),
    )
}

fn at(path: &str, message: &str) -> Fault {
    Fault {
        path: path.to_owned(),
        position: None,
        message: message.to_owned(),
        suggestion: None,
    }
}

fn distinct<T: Ord>(mut all: Vec<T>) -> Vec<T> {
    all.sort();
    all.dedup();
    all
}

/// The run that brings members along, or why nothing was written, with the trace that tells more.
pub type Written = std::result::Result<Option<String>, (Denial, TraceId)>;

/// A change with everything that it needs besides the store.
#[derive(Clone)]
pub struct Writing {
    /// Who wants it.
    pub actor: Actor,
    /// The group as it is; none for a new one.
    pub before: Option<LocalGroup>,
    /// The group as it shall be; none for one that goes.
    pub after: Option<LocalGroup>,
    /// Identifiers of the trace.
    pub fresh: Fresh,
    /// Identifier of the run that brings members along, if there is one.
    pub run: String,
    /// Identifier of its job.
    pub job: String,
    /// When.
    pub now: Timestamp,
}

/// Judges and writes a change. Returns the run that brings members along.
async fn write(
    app: &App,
    caller: &Caller,
    (before, after): (Option<&LocalGroup>, Option<&LocalGroup>),
) -> Result<Option<String>> {
    let writing = Writing {
        actor: caller.actor(),
        before: before.cloned(),
        after: after.cloned(),
        fresh: app.world.fresh()?.0,
        run: app.world.id("blk_")?,
        job: app.world.id("job_")?,
        now: app.world.now(),
    };
    for _ in 0..TRIES {
        let writing = writing.clone();
        let written = app
            .store
            .write(move |tx| Box::pin(async move { writing.in_tx(tx).await }))
            .await;
        match written {
            Ok(Ok(run)) => {
                app.ring_jobs();
                return Ok(run);
            }
            // A refusal is kept, so that the trace can be opened.
            Ok(Err((denial, trace))) => return Err(AppError::denied(denial).with_trace(&trace)),
            Err(StoreError::Busy) => {}
            Err(StoreError::Conflict(name)) if name == "local_groups_name" => {
                return Err(AppError::denied(Denial::GroupNameTaken));
            }
            Err(StoreError::Conflict(_)) => return Err(AppError::denied(Denial::StaleVersion)),
            Err(error) => return Err(error.into()),
        }
    }
    Err(AppError::unavailable("others wrote under every try"))
}

impl Writing {
    /// Judges the change and writes it as a part of a transaction. Of a refusal only the trace is written.
    ///
    /// # Errors
    /// Those of the store: `conflict` for a name that is taken or a group that has changed.
    pub async fn in_tx(&self, tx: &mut Tx) -> std::result::Result<Written, StoreError> {
        let (before, after, now) = (self.before.as_ref(), self.after.as_ref(), self.now);
        let Some(either) = after.or(before) else {
            return Ok(Ok(None));
        };
        let organization = &either.organization;
        let facts = tx.facts(&local_groups::need(&self.actor, organization)).await?;
        let change = GroupChange { before, after };
        let decision = local_groups::decide(&self.actor, organization, change, &facts, &self.fresh, now);
        if let Verdict::Refused(denial) = decision.verdict {
            let trace = decision.trace.id.clone();
            tx.apply(&decision, &self.actor, now).await?;
            return Ok(Err((denial, trace)));
        }
        let run = match (before, after) {
            (None, Some(after)) => {
                tx.insert_local_group(after, now).await?;
                None
            }
            (Some(before), Some(after)) => {
                let settles = !before.leads_like(after);
                let run = self.run_in_tx(tx, before, Task::Settle, settles).await?;
                tx.update_local_group(after, run.as_deref(), now).await?;
                run
            }
            (Some(before), None) => {
                let run = self.run_in_tx(tx, before, Task::Delete, true).await?;
                tx.close_local_group(before, run.as_deref(), now).await?;
                if run.is_none() {
                    tx.delete_local_group(&before.id).await?;
                }
                run
            }
            (None, None) => None,
        };
        self.tell(tx, &decision.trace, organization)?;
        Ok(Ok(run))
    }

    /// Queues the run over everybody who is in the group. Whoever is put in meanwhile is judged by the group as it becomes.
    async fn run_in_tx(
        &self,
        tx: &mut Tx,
        group: &LocalGroup,
        task: Task,
        is_needed: bool,
    ) -> std::result::Result<Option<String>, StoreError> {
        if !is_needed {
            return Ok(None);
        }
        tx.lock_local_group(&group.id).await?;
        let accounts: Vec<AccountId> = tx.local_group_members(&group.id, None, u32::MAX).await?;
        if accounts.is_empty() {
            return Ok(None);
        }
        let run = BulkRun {
            id: self.run.clone(),
            organization: group.organization.clone(),
            actor: self.actor.clone(),
            action: task.action(&group.id),
            total: u32::try_from(accounts.len()).unwrap_or(u32::MAX),
            progress: provost_store::BulkProgress::default(),
            created_at: self.now,
            finished_at: None,
        };
        settling::queue_in_tx(tx, &run, &accounts, self.job.clone(), self.now).await?;
        Ok(Some(run.id))
    }

    /// Notes the change in the audit log and the feed, with the trace that explains it.
    fn tell(
        &self,
        tx: &mut Tx,
        trace: &Trace,
        organization: &OrganizationId,
    ) -> std::result::Result<(), StoreError> {
        tx.insert_trace(trace, "accepted", None)?;
        let (kind, data) = match (&self.before, &self.after) {
            (None, Some(after)) => (
                "group.created",
                json!({ "group": after.id, "name": after.name, "after": shown(after) }),
            ),
            (Some(before), Some(after)) => (
                "group.updated",
                json!({ "group": after.id, "before": shown(before), "after": shown(after) }),
            ),
            (Some(before), None) => (
                "group.deleted",
                json!({ "group": before.id, "name": before.name, "before": shown(before) }),
            ),
            (None, None) => return Ok(()),
        };
        tx.record(NewEvent {
            at: self.now,
            kind: kind.to_owned(),
            actor: self.actor.label(),
            account: None,
            organization: Some(organization.clone()),
            connection: None,
            trace: Some(trace.id.clone()),
            data,
        });
        Ok(())
    }
}

fn shown(group: &LocalGroup) -> Value {
    json!({
        "name": group.name,
        "description": group.description,
        "roles": group.roles,
        "workspaces": group.workspaces,
    })
}
