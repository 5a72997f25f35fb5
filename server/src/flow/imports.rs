//! Imports: many people from a file of comma-separated values, row by row, each a decision of its own.
//!
//! An import can be tried without effect, tells what is wrong with each row, and may be run again: who is as the row says
//! stays as she is. A large one runs as a job that goes on where it stopped.

mod row;
mod table;

use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _};
use provost_kernel::denial::Denial;
use provost_kernel::directory::{Authentication, Status};
use provost_kernel::email::Email;
use provost_kernel::facts::AccountFacts;
use provost_kernel::id::{ConnectionId, OrganizationId};
use provost_kernel::plan::ProfilePatch;
use provost_kernel::provision::{Action, Actor};
use provost_store::{ImportProgress, ImportRecord, NewJob, StoreError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::acting::{self, Refusal, Wish};
use crate::flow::api_keys::Caller;
use crate::flow::invitations::{self, Letter};
use crate::flow::mail;
use crate::flow::memberships::{self, Wanted};
use crate::flow::people::{self, NewPerson};
use crate::jobs;

pub use row::{COLUMNS, ImportRow};
pub use table::{Table, TableError};

/// Most rows of one import.
pub const MOST_ROWS: u32 = 100_000;
/// Up to this many rows, an import is done before it is answered.
const AT_ONCE: u32 = 200;
/// Rows that are decided side by side, so that their writes share a commit.
const SIDE_BY_SIDE: usize = 16;
/// Rows after which progress is written down.
const PORTION: usize = 512;
/// Problems that are listed; all are counted.
const LISTED: usize = 1000;

/// How an import is carried out.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ImportOptions {
    /// Only try: nothing is written.
    pub dry_run: bool,
    /// The connection that people sign in through whose row names none.
    pub connection: Option<String>,
    /// The organization that people join whose row names none.
    pub organization: Option<String>,
    /// Whether new people are invited.
    pub invite: bool,
    /// With `invite`: no mail is sent.
    pub skip_invitation: bool,
}

impl ImportOptions {
    /// The letter that new people get, if they are invited.
    pub fn letter(&self) -> Option<Letter> {
        self.invite.then(|| Letter::invitation(!self.skip_invitation))
    }

    /// Checks what can be checked before any row is looked at.
    ///
    /// # Errors
    /// 403 (`missing_scope`), 409 (`mail_off`).
    pub fn check(&self, app: &App, caller: &Caller) -> Result<()> {
        match self.letter() {
            None => Ok(()),
            Some(letter) => {
                people::may_invite(caller)?;
                match letter {
                    Letter::Send(_) => mail::must_be_on(app),
                    Letter::Skip => Ok(()),
                }
            }
        }
    }
}

/// What became of a row.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// An account was made, or would be.
    Created,
    /// An account was changed, or would be.
    Updated,
    /// It already is as the row says.
    Unchanged,
    /// It was refused.
    Failed(RowProblem),
}

/// What is wrong with a row.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RowProblem {
    /// The line of the file.
    pub line: u64,
    /// The address in it.
    pub email: String,
    /// Stable code.
    pub code: String,
    /// A sentence for people.
    pub detail: String,
}

/// Takes an import in: checks the whole file, keeps it, and carries a small one out at once.
///
/// # Errors
/// 422 (`invalid_import`) for a file that is no table of people or too long; those of the store.
pub async fn start(app: &App, caller: &Caller, text: String, options: ImportOptions) -> Result<ImportRecord> {
    options.check(app, caller)?;
    let table = Table::open(text.as_bytes()).map_err(|error| invalid(&error))?;
    let mut total = 0_u32;
    for row in table {
        // What is wrong with one row is told as that row's result.
        match row {
            Ok(_) | Err(TableError::Row { .. }) => total = total.saturating_add(1),
            Err(error) => return Err(invalid(&error)),
        }
        if total > MOST_ROWS {
            return Err(invalid(&TableError::TooLong));
        }
    }
    let now = app.world.now();
    let record = ImportRecord {
        id: app.world.id("imp_")?,
        organization: caller.organization.clone(),
        actor: caller.actor(),
        options: serde_json::to_value(&options).map_err(AppError::internal)?,
        state: "waiting".to_owned(),
        total,
        progress: ImportProgress {
            problems: json!([]),
            ..ImportProgress::default()
        },
        created_at: now,
        finished_at: None,
    };
    let job = NewJob {
        id: app.world.id("job_")?,
        kind: jobs::IMPORT.to_owned(),
        idempotency_key: Some(record.id.clone()),
        payload: json!({ "import": record.id }),
        run_at: now,
    };
    let (kept, small) = (record.clone(), total <= AT_ONCE);
    app.store
        .write(move |tx| {
            Box::pin(async move {
                tx.insert_import(&kept, &text).await?;
                if !small {
                    tx.enqueue(&job, now).await?;
                }
                Ok::<_, StoreError>(())
            })
        })
        .await?;
    if small {
        run(app, &record.id).await?;
        return find(app, caller, &record.id).await;
    }
    app.ring_jobs();
    Ok(record)
}

fn invalid(error: &TableError) -> AppError {
    AppError::unprocessable("invalid_import", format!("The file cannot be imported: {error}."))
}

/// Finds an import of the caller.
///
/// # Errors
/// 404; those of the store.
pub async fn find(app: &App, caller: &Caller, id: &str) -> Result<ImportRecord> {
    let wanted = id.to_owned();
    let found = app
        .store
        .read(|reader| Box::pin(async move { reader.import(&wanted).await }))
        .await?;
    found
        .filter(|record| caller.owns(record.organization.as_ref()))
        .ok_or_else(AppError::not_found)
}

/// Lists the caller's imports, newest first, before one.
///
/// # Errors
/// Those of the store.
pub async fn list(
    app: &App,
    caller: &Caller,
    before: Option<String>,
    limit: u32,
) -> Result<Vec<ImportRecord>> {
    let own = caller.organization.clone();
    let found = app
        .store
        .read(|reader| Box::pin(async move { reader.imports(own.as_ref(), before.as_deref(), limit).await }))
        .await?;
    Ok(found)
}

/// Carries an import out, from where it stopped.
///
/// # Errors
/// Those of the store. What is wrong with a row is noted and ends nothing.
pub async fn run(app: &App, id: &str) -> Result<()> {
    let wanted = id.to_owned();
    let found: Result<_, StoreError> = app
        .store
        .read(|reader| {
            Box::pin(async move {
                Ok((
                    reader.import(&wanted).await?,
                    reader.import_source(&wanted).await?,
                ))
            })
        })
        .await;
    let (Some(record), Some(source)) = found? else {
        return Ok(());
    };
    let options: ImportOptions = serde_json::from_value(record.options).map_err(AppError::internal)?;
    let worker = Worker {
        app: app.clone(),
        caller: Caller::of(&record.actor, record.organization.as_ref()),
        options,
    };
    let mut progress = record.progress;
    let mut problems: Vec<RowProblem> =
        serde_json::from_value(progress.problems.clone()).map_err(AppError::internal)?;
    let table = Table::open(source.as_bytes()).map_err(|error| invalid(&error))?;
    let mut rows = table.skip(usize::try_from(progress.done).unwrap_or(usize::MAX));
    loop {
        let portion: Vec<_> = rows.by_ref().take(PORTION).collect();
        if portion.is_empty() {
            break;
        }
        for outcome in worker.portion(portion).await? {
            count(&mut progress, &mut problems, outcome);
        }
        note(app, id, &mut progress, &problems, false).await?;
    }
    note(app, id, &mut progress, &problems, true).await
}

/// Counts what became of a row.
fn count(progress: &mut ImportProgress, problems: &mut Vec<RowProblem>, outcome: Outcome) {
    progress.done += 1;
    match outcome {
        Outcome::Created => progress.created += 1,
        Outcome::Updated => progress.updated += 1,
        Outcome::Unchanged => progress.unchanged += 1,
        Outcome::Failed(problem) => {
            progress.failed += 1;
            if problems.len() < LISTED {
                problems.push(problem);
            }
        }
    }
}

async fn note(
    app: &App,
    id: &str,
    progress: &mut ImportProgress,
    problems: &[RowProblem],
    is_done: bool,
) -> Result<()> {
    progress.problems = serde_json::to_value(problems).map_err(AppError::internal)?;
    let finished_at = is_done.then(|| app.world.now());
    let (id, progress) = (id.to_owned(), progress.clone());
    app.store
        .write(move |tx| Box::pin(async move { tx.note_import(&id, &progress, finished_at).await }))
        .await?;
    Ok(())
}

/// The work of a job.
///
/// # Errors
/// As [`run`].
pub async fn work(app: &App, payload: &Value) -> anyhow::Result<()> {
    if let Some(id) = payload.get("import").and_then(Value::as_str) {
        run(app, id).await?;
    }
    Ok(())
}

/// Decides rows for one caller.
#[derive(Clone)]
pub struct Worker {
    /// The application.
    pub app: App,
    /// For whom.
    pub caller: Caller,
    /// How.
    pub options: ImportOptions,
}

impl Worker {
    /// Decides rows side by side and returns what became of each, in order. Rows with one address come one after the other.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn portion(&self, rows: Vec<Result<ImportRow, TableError>>) -> Result<Vec<Outcome>> {
        let worker = Arc::new(self.clone());
        let outcomes: Vec<Result<Outcome>> = stream::iter(rows)
            .map(|row| {
                let worker = Arc::clone(&worker);
                async move {
                    match row {
                        Ok(row) => worker.row(row).await,
                        Err(error) => Ok(Outcome::Failed(RowProblem {
                            line: error.line(),
                            email: String::new(),
                            code: "invalid_row".to_owned(),
                            detail: error.to_string(),
                        })),
                    }
                }
            })
            .buffered(SIDE_BY_SIDE)
            .collect()
            .await;
        outcomes.into_iter().collect()
    }

    async fn row(&self, row: ImportRow) -> Result<Outcome> {
        let (line, email) = (row.line, row.person.email.clone());
        match self.decide(row).await {
            Ok(outcome) => Ok(outcome),
            Err(error) if error.status().is_client_error() && error.status().as_u16() != 429 => {
                Ok(Outcome::Failed(RowProblem {
                    line,
                    email,
                    code: error.code().to_owned(),
                    detail: said(&error),
                }))
            }
            Err(error) => Err(error),
        }
    }

    async fn decide(&self, row: ImportRow) -> Result<Outcome> {
        let mut person = row.person;
        if person.connection.is_none() {
            person.connection.clone_from(&self.options.connection);
        }
        for wanted in &mut person.memberships {
            if wanted.organization.is_none() {
                wanted.organization.clone_from(&self.options.organization);
            }
        }
        if person.memberships.is_empty() && self.options.organization.is_some() {
            person.memberships.push(people::WantedMembership {
                organization: self.options.organization.clone(),
                ..people::WantedMembership::default()
            });
        }
        person.invite = self.options.letter();
        let outcome = if self.options.dry_run {
            self.rehearse(person.clone()).await?
        } else {
            let added = people::attempt(&self.app, &self.caller, person.clone()).await?;
            added.map(drop)
        };
        match outcome {
            Ok(()) => Ok(Outcome::Created),
            Err(refusal) if refusal.denial == Denial::Conflict => {
                let existing = self.existing(&person).await?;
                match existing {
                    Some(existing) => self.converge(&existing, &person).await,
                    None => Err(refusal.into()),
                }
            }
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// What adding somebody would come to.
    async fn rehearse(&self, person: NewPerson) -> Result<Result<(), Refusal>> {
        let is_invited = person.invite.is_some();
        let account = people::new_account(&self.app, &self.caller, person).await?;
        if is_invited {
            invitations::organization_of(&account)?;
        }
        let wish = Wish::new(self.caller.actor(), Action::CreateAccount(Box::new(account)));
        Ok(acting::rehearse(&self.app, wish).await?.map(drop))
    }

    /// Finds the account that a row is about: the one with its address that signs in in the same way.
    async fn existing(&self, person: &NewPerson) -> Result<Option<AccountFacts>> {
        let Ok(email) = Email::parse(&person.email) else {
            return Ok(None);
        };
        let authentication = match &person.connection {
            None => Authentication::Standard,
            Some(id) => Authentication::Sso {
                connection: ConnectionId::new(id),
            },
        };
        let found: Result<_, StoreError> = self
            .app
            .store
            .read(|reader| {
                Box::pin(async move {
                    let known = reader.accounts_by_email(&email).await?;
                    let held = known
                        .into_iter()
                        .find(|one| one.authentication == authentication && one.status != Status::Deleted);
                    match held {
                        Some(held) => reader.account_facts(&[held.id]).await,
                        None => Ok(Vec::new()),
                    }
                })
            })
            .await;
        let found = found?.into_iter().next();
        Ok(found.filter(|facts| crate::flow::directory::is_visible(facts, &self.caller)))
    }

    /// Brings an account to what a row says; what the row leaves empty stays.
    async fn converge(&self, existing: &AccountFacts, person: &NewPerson) -> Result<Outcome> {
        let keep = |wanted: &Option<String>| wanted.clone().map(Some);
        let set = ProfilePatch {
            user_name: keep(&person.user_name),
            external_id: keep(&person.external_id),
            given_name: keep(&person.given_name),
            family_name: keep(&person.family_name),
            display_name: keep(&person.display_name),
            ..ProfilePatch::default()
        };
        let action = Action::UpdateProfile {
            account: existing.account.id.clone(),
            set: Box::new(set),
        };
        let wish = Wish::new(self.caller.actor(), action);
        let acted = if self.options.dry_run {
            acting::rehearse(&self.app, wish).await??
        } else {
            acting::act(&self.app, wish).await?
        };
        let mut changed = acted.is_change();
        for wanted in &person.memberships {
            changed |= self.membership(existing, wanted).await?;
        }
        Ok(if changed {
            Outcome::Updated
        } else {
            Outcome::Unchanged
        })
    }

    async fn membership(&self, existing: &AccountFacts, wanted: &people::WantedMembership) -> Result<bool> {
        let own = self.caller.organization.as_ref();
        let Some(organization) = wanted
            .organization
            .as_deref()
            .or_else(|| own.map(provost_kernel::id::OrganizationId::as_str))
        else {
            return Ok(false);
        };
        let wanted = Wanted {
            roles: (!wanted.roles.is_empty()).then(|| wanted.roles.clone()),
            workspaces: wanted.workspaces.clone(),
            all_workspaces: wanted.all_workspaces.then_some(true),
            license: wanted.license.clone().map(Some),
            active: None,
        };
        let id = existing.account.id.as_str();
        memberships::converge(
            &self.app,
            &self.caller,
            organization,
            id,
            &wanted,
            self.options.dry_run,
        )
        .await
    }
}

/// Says what is wrong in one sentence, with the places if there are any.
fn said(error: &AppError) -> String {
    let faults: Vec<String> = error
        .faults()
        .iter()
        .map(|fault| format!("{}: {}", fault.path, fault.message))
        .collect();
    if faults.is_empty() {
        error.public().to_owned()
    } else {
        faults.join(" ")
    }
}

impl Caller {
    /// Whoever asked for something that is carried out later, with the same sight: what an admin of one organization asks for
    /// must never be carried out as if an operator had.
    pub(super) fn of(actor: &Actor, organization: Option<&OrganizationId>) -> Self {
        let mut caller = Self {
            organization: organization.cloned(),
            ..Self::operator()
        };
        match actor {
            Actor::Key { key, organization } => {
                caller.key.clone_from(key);
                caller.organization.clone_from(organization);
            }
            Actor::Admin { organization, .. } | Actor::SetupLink { organization, .. } => {
                caller.organization = Some(organization.clone());
                caller.person = Some(actor.clone());
            }
            Actor::Operator { account: Some(_) } => caller.person = Some(actor.clone()),
            Actor::Operator { account: None }
            | Actor::File
            | Actor::System
            | Actor::Scim { .. }
            | Actor::Person => {}
        }
        caller
    }
}
