//! Moving people with a password to single sign-on, all or selected ones (R-93 to, C-24).
//!
//! A run has a row for each person and is worked off in small portions by whichever node takes it ([`run`]): it goes on where
//! it broke off, and a row, its account, its invitation and its mail are written in one transaction, so that nobody is
//! invited twice and nobody is lost. Whether somebody is moved is decided by the kernel, for each person anew.

pub mod preview;
mod remind;
pub mod run;

use jiff::{SignedDuration, Timestamp};
use provost_kernel::directory::AccountKind;
use provost_kernel::directory::Status;
use provost_kernel::id::{AccountId, ConnectionId, OrganizationId};
use provost_kernel::provision::{Action, Actor, ConversionMode};
use provost_store::{
    Conversion, ConversionCounts, ConversionRow, ConversionRowFilter, ConversionRowState,
    ConversionSelection, ConversionState, NewEvent, StoreError,
};
use serde_json::{Value, json};

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::acting::{self, Wish};
use crate::flow::api_keys::Caller;
use crate::flow::{directory, mail, standing};

pub use remind::{Reminded, remind};

/// Days in which a run can be undone, where nothing else is said.
pub const UNDO_DAYS: u32 = 7;
/// Most days.
const UNDO_DAYS_MOST: u32 = 90;
/// People selected one by one at most.
const SELECTED_MOST: usize = 10_000;

/// A run that is wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Whose people.
    pub organization: OrganizationId,
    /// Through which connection they sign in from now on.
    pub connection: ConnectionId,
    /// How.
    pub mode: ConversionMode,
    /// Kinds of accounts.
    pub kinds: Vec<AccountKind>,
    /// These accounts only.
    pub accounts: Option<Vec<AccountId>>,
    /// Whether each person gets a mail; none asks the connection's `invite_on`.
    pub notify: bool,
    /// Days in which it can be undone.
    pub undo_days: u32,
}

impl Wanted {
    /// Checks what can be checked without looking at people.
    fn selection(&self) -> Result<ConversionSelection> {
        if self.kinds.is_empty() {
            return Err(invalid("At least one kind of account must be ticked."));
        }
        if self
            .accounts
            .as_ref()
            .is_some_and(|accounts| accounts.len() > SELECTED_MOST)
        {
            return Err(invalid("At most 10,000 accounts are selected one by one."));
        }
        if !(1..=UNDO_DAYS_MOST).contains(&self.undo_days) {
            return Err(invalid("A run can be undone for 1 to 90 days."));
        }
        Ok(ConversionSelection {
            kinds: self.kinds.clone(),
            accounts: self.accounts.clone(),
        })
    }
}

fn invalid(text: &'static str) -> AppError {
    AppError::bad_request("invalid_body", text)
}

/// A run and how far it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// The run.
    pub run: Conversion,
    /// People by what became of them.
    pub counts: ConversionCounts,
}

/// Begins a run; it goes on in the background.
///
/// # Errors
/// 404 for an organization or connection out of sight; 403 (`not_permitted`); 409 (`mail_off`); `invalid_body`; those of the
/// store.
pub async fn start(app: &App, caller: &Caller, wanted: &Wanted) -> Result<Standing> {
    let selection = wanted.selection()?;
    reachable(app, caller, &wanted.organization, &wanted.connection).await?;
    let what = "move people to single sign-on";
    standing::must_manage(app, caller, &wanted.organization, what).await?;
    if wanted.notify {
        mail::must_be_on(app)?;
    }
    let now = app.world.now();
    let run = Conversion {
        id: app.world.id("cnv_")?,
        organization: wanted.organization.clone(),
        connection: wanted.connection.clone(),
        mode: wanted.mode,
        actor: caller.actor(),
        notify: wanted.notify,
        state: ConversionState::Running,
        created_at: now,
        done_at: None,
        undo_until: now
            .checked_add(SignedDuration::from_hours(24 * i64::from(wanted.undo_days)))
            .map_err(AppError::internal)?,
    };
    let kept = run.clone();
    app.store
        .write(move |tx| {
            Box::pin(async move {
                let people = tx.insert_conversion(&kept, &selection).await?;
                tx.record(event(
                    "conversion.started",
                    &kept,
                    &kept.actor,
                    json!({ "people": people }),
                    now,
                ));
                Ok(())
            })
        })
        .await
        .map_err(|error: StoreError| AppError::from(error))?;
    app.ring_mail();
    find(app, caller, &run.id).await
}

/// What happened to a run, for the audit log and the feed.
fn event(kind: &str, run: &Conversion, actor: &Actor, more: Value, now: Timestamp) -> NewEvent {
    let mut data = json!({ "conversion": run.id, "mode": run.mode, "notify": run.notify });
    if let (Some(data), Value::Object(more)) = (data.as_object_mut(), more) {
        data.extend(more);
    }
    NewEvent {
        at: now,
        kind: kind.to_owned(),
        actor: actor.label(),
        account: None,
        organization: Some(run.organization.clone()),
        connection: Some(run.connection.clone()),
        trace: None,
        data,
    }
}

/// Finds the organization and a connection that reaches it.
async fn reachable(
    app: &App,
    caller: &Caller,
    organization: &OrganizationId,
    connection: &ConnectionId,
) -> Result<()> {
    directory::organization(app, caller, organization.as_str()).await?;
    let id = connection.clone();
    let record = app
        .store
        .read(|reader| Box::pin(async move { reader.connection(&id).await }))
        .await
        .map_err(|error: StoreError| AppError::from(error))?;
    match record {
        Some(record) if record.connection.reaches(organization) => Ok(()),
        Some(_) | None => Err(AppError::not_found()),
    }
}

/// Finds a run.
///
/// # Errors
/// 404 for one that does not exist or is out of sight; those of the store.
pub async fn find(app: &App, caller: &Caller, id: &str) -> Result<Standing> {
    let id = id.to_owned();
    let found = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let Some(run) = reader.conversion(&id).await? else {
                    return Ok::<_, StoreError>(None);
                };
                let counts = reader.conversion_counts(&id).await?;
                Ok(Some(Standing { run, counts }))
            })
        })
        .await?;
    found
        .filter(|standing| caller.sees(&standing.run.organization))
        .ok_or_else(AppError::not_found)
}

/// Lists the runs of an organization, newest first.
///
/// # Errors
/// 404 for an organization out of sight; those of the store.
pub async fn list(
    app: &App,
    caller: &Caller,
    organization: &OrganizationId,
    before: Option<String>,
    limit: u32,
) -> Result<Vec<Conversion>> {
    if !caller.sees(organization) {
        return Err(AppError::not_found());
    }
    let organization = organization.clone();
    let found = app
        .store
        .read(|reader| {
            Box::pin(async move { reader.conversions(&organization, before.as_deref(), limit).await })
        })
        .await;
    found.map_err(|error: StoreError| error.into())
}

/// Lists the people of a run: the board.
///
/// # Errors
/// 404; those of the store.
pub async fn rows(
    app: &App,
    caller: &Caller,
    id: &str,
    filter: ConversionRowFilter,
    after: Option<AccountId>,
    limit: u32,
) -> Result<Vec<ConversionRow>> {
    find(app, caller, id).await?;
    let id = id.to_owned();
    let found = app
        .store
        .read(|reader| {
            Box::pin(async move { reader.conversion_rows(&id, &filter, after.as_ref(), limit).await })
        })
        .await;
    found.map_err(|error: StoreError| error.into())
}

/// What can be done to a run as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Stop for now.
    Pause,
    /// Go on.
    Resume,
    /// Take everything back.
    Undo,
}

/// Pauses a run, has it go on, or takes it back.
///
/// # Errors
/// 404; 403 (`not_permitted`); 409 (`wrong_state`, `undo_expired`); those of the store.
pub async fn turn(app: &App, caller: &Caller, id: &str, turn: Turn) -> Result<Standing> {
    let standing = find(app, caller, id).await?;
    let what = "pause, resume or take back a run that moves people to single sign-on";
    standing::must_manage(app, caller, &standing.run.organization, what).await?;
    let now = app.world.now();
    if turn == Turn::Undo && standing.run.undo_until <= now {
        let text = "The time in which this can be undone is over.";
        return Err(AppError::new(
            axum::http::StatusCode::CONFLICT,
            "undo_expired",
            text,
        ));
    }
    let (from, to): (&'static [ConversionState], _) = match turn {
        Turn::Pause => (&[ConversionState::Running], ConversionState::Paused),
        Turn::Resume => (&[ConversionState::Paused], ConversionState::Running),
        Turn::Undo => (
            &[
                ConversionState::Running,
                ConversionState::Paused,
                ConversionState::Done,
            ],
            ConversionState::Undoing,
        ),
    };
    let kind = match turn {
        Turn::Pause => "conversion.paused",
        Turn::Resume => "conversion.resumed",
        Turn::Undo => "conversion.undone",
    };
    let (run, actor) = (standing.run, caller.actor());
    let moved = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                // Whoever undoes is judged for it, not who began.
                let judged = (turn == Turn::Undo).then_some(&actor);
                let moved = tx.set_conversion_state(&run.id, from, to, judged, now).await?;
                if moved {
                    tx.record(event(kind, &run, &actor, json!({}), now));
                }
                Ok(moved)
            })
        })
        .await
        .map_err(|error: StoreError| AppError::from(error))?;
    if !moved {
        return Err(wrong_state());
    }
    app.ring_mail();
    find(app, caller, id).await
}

fn wrong_state() -> AppError {
    AppError::new(
        axum::http::StatusCode::CONFLICT,
        "wrong_state",
        "The run is not in a state that allows this.",
    )
}

/// Has one person who was passed over or did not work looked at again.
///
/// # Errors
/// 404; 409 (`wrong_state`); those of the store.
pub async fn retry(app: &App, caller: &Caller, id: &str, account: &AccountId) -> Result<Standing> {
    let organization = find(app, caller, id).await?.run.organization;
    standing::must_manage(app, caller, &organization, "look at a person of a run again").await?;
    let (run, account, now) = (id.to_owned(), account.clone(), app.world.now());
    let retried = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                // A run that ends at this moment has ended before, and begins again.
                tx.lock_conversion(&run).await?;
                let Some(row) = tx.conversion_row(&run, &account).await? else {
                    return Ok::<_, StoreError>(None);
                };
                let may = matches!(
                    row.state,
                    ConversionRowState::Failed | ConversionRowState::Skipped
                );
                let again = may
                    && tx
                        .settle_conversion_row(&run, &row, ConversionRowState::Pending, None, None, now)
                        .await?;
                if again {
                    let from = [ConversionState::Done];
                    tx.set_conversion_state(&run, &from, ConversionState::Running, None, now)
                        .await?;
                }
                Ok(Some(again))
            })
        })
        .await?;
    match retried {
        None => Err(AppError::not_found()),
        Some(false) => Err(wrong_state()),
        Some(true) => {
            app.ring_mail();
            find(app, caller, id).await
        }
    }
}

/// How many standard accounts were retired, and how many were not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retired {
    /// Retired.
    pub retired: u32,
    /// Left as they are, because the kernel refused it.
    pub skipped: u32,
}

/// Deactivates the standard accounts of those who have signed in through the connection, and of nobody else.
///
/// # Errors
/// 404; 409 (`wrong_state`) for a run in place; those of the store.
pub async fn retire(app: &App, caller: &Caller, id: &str) -> Result<Retired> {
    let standing = find(app, caller, id).await?;
    standing::must_manage(
        app,
        caller,
        &standing.run.organization,
        "retire standard accounts",
    )
    .await?;
    if standing.run.mode != ConversionMode::Additional {
        return Err(wrong_state());
    }
    let filter = ConversionRowFilter {
        state: Some(ConversionRowState::Invited),
        signed_in: Some(true),
        not_reminded_since: None,
    };
    let mut outcome = Retired::default();
    let mut after: Option<AccountId> = None;
    loop {
        let portion = rows(app, caller, id, filter.clone(), after, 50).await?;
        let Some(last) = portion.last() else {
            return Ok(outcome);
        };
        after = Some(last.account.clone());
        for row in portion {
            if retire_one(app, &caller.actor(), id, row).await? {
                outcome.retired += 1;
            } else {
                outcome.skipped += 1;
            }
        }
    }
}

async fn retire_one(app: &App, actor: &Actor, run: &str, row: ConversionRow) -> Result<bool> {
    let action = Action::SetStatus {
        account: row.account.clone(),
        to: Status::Deactivated,
    };
    let wish = Wish::new(actor.clone(), action);
    for _ in 0..12 {
        let (wish, row, run) = (wish.clone(), row.clone(), run.to_owned());
        let (fresh, now) = (app.world.fresh()?.0, app.world.now());
        let done: Result<bool, StoreError> = app
            .store
            .write(move |tx| {
                Box::pin(async move {
                    // Signed in at this very moment still, and not taken back in between.
                    let present = tx.conversion_row(&run, &row.account).await?;
                    if !present.is_some_and(|now| now.signed_in && now.state == ConversionRowState::Invited) {
                        return Ok(false);
                    }
                    if acting::act_in_tx(tx, &wish, &fresh, now).await?.is_err() {
                        return Ok(false);
                    }
                    let settled = tx
                        .settle_conversion_row(&run, &row, ConversionRowState::Retired, None, None, now)
                        .await?;
                    if !settled {
                        // Somebody else did at this moment: then the account stays as it was, too.
                        return Err(StoreError::Conflict("conversion_row".to_owned()));
                    }
                    Ok(true)
                })
            })
            .await;
        match done {
            Err(error) if error.is_retryable() => {}
            other => return Ok(other?),
        }
    }
    Err(AppError::unavailable("the directory changed under every try"))
}

/// Says when a run was through, for whoever waits for it.
pub const fn is_at_rest(run: &Conversion) -> bool {
    matches!(
        run.state,
        ConversionState::Done | ConversionState::Undone | ConversionState::Paused
    )
}

/// Returns the moment after which somebody may be reminded again.
pub(crate) fn reminder_due(now: Timestamp) -> Timestamp {
    now.checked_sub(SignedDuration::from_hours(24)).unwrap_or(now)
}
