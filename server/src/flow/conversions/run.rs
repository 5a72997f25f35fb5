//! Works off a run in small portions, each in one transaction with everything that belongs to it. Any node may take a run;
//! its lease is made longer with each portion, so that another node goes on soon after one was killed.

use jiff::{SignedDuration, Timestamp};
use provost_kernel::directory::Status;
use provost_kernel::incoming::Fresh;
use provost_kernel::provision::{Action, ConversionMode};
use provost_store::{
    Conversion, ConversionRow, ConversionRowFilter, ConversionRowState, ConversionState, InvitationFilter,
    StoreError, Tx,
};
use secrecy::ExposeSecret as _;

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::acting::{self, Refusal, Wish};
use crate::flow::invitations::{self, Letter};
use crate::flow::mail::{self, Addressed, Kind};
use crate::flow::set_password;

/// People of one transaction.
const PORTION: u32 = 20;
/// How long a node keeps a run without finishing a portion.
const LEASE: SignedDuration = SignedDuration::from_secs(15);
/// How often one person is tried while others write in between.
const TRIES: u32 = 12;
/// How long the link for a new password after an undone conversion works, in hours.
const HOURS: i64 = 72;

/// Takes every run that is to go on and works it off. Returns how many people were looked at.
///
/// # Errors
/// Those of the store. A person who cannot be moved is no error: the row says why.
pub async fn advance(app: &App) -> Result<u64> {
    let mut done = 0;
    loop {
        let now = app.world.now();
        let is_due: Result<bool, StoreError> = app
            .store
            .read(|reader| Box::pin(async move { reader.has_due_conversion(now).await }))
            .await;
        if !is_due? {
            return Ok(done);
        }
        let claimed: Result<Option<Conversion>, StoreError> = app
            .store
            .write(move |tx| Box::pin(async move { tx.claim_conversion(LEASE, now).await }))
            .await;
        let Some(run) = claimed? else { return Ok(done) };
        while let Some(count) = portion(app, &run).await? {
            done += count;
        }
    }
}

/// What a portion needs beside the store: made outside the transaction.
struct Made {
    fresh: [Fresh; 2],
    invitation: invitations::Prepared,
    mail: String,
}

fn made(app: &App) -> Result<Made> {
    Ok(Made {
        fresh: [app.world.fresh()?.0, app.world.fresh()?.0],
        invitation: invitations::prepare(app)?,
        mail: app.world.id("mail_")?,
    })
}

/// Works off the next portion. None when the run was through, paused, or taken by another node.
async fn portion(app: &App, run: &Conversion) -> Result<Option<u64>> {
    let mut size = PORTION;
    for _ in 0..TRIES {
        match try_portion(app, run, size).await {
            Ok(count) => {
                app.ring_mail();
                return Ok(count);
            }
            // One row that others write at the same moment spoils the others of its portion: they go alone then.
            Err(error) if error.is_retryable() => size = 1,
            Err(error) => return Err(error.into()),
        }
    }
    fail_next(app, run).await.map(Some)
}

fn wanted(state: ConversionState) -> [ConversionRowState; 2] {
    if state == ConversionState::Undoing {
        [ConversionRowState::Invited, ConversionRowState::Retired]
    } else {
        [ConversionRowState::Pending, ConversionRowState::Pending]
    }
}

/// Looks for the next rows in the states that this run takes.
async fn next_rows(tx: &mut Tx, run: &Conversion, size: u32) -> Result<Vec<ConversionRow>, StoreError> {
    for state in wanted(run.state) {
        let filter = ConversionRowFilter {
            state: Some(state),
            ..ConversionRowFilter::default()
        };
        let rows = tx.conversion_rows(&run.id, &filter, None, size).await?;
        if !rows.is_empty() {
            return Ok(rows);
        }
    }
    Ok(Vec::new())
}

async fn try_portion(app: &App, run: &Conversion, size: u32) -> Result<Option<u64>, StoreError> {
    let now = app.world.now();
    let until = now.checked_add(LEASE).unwrap_or(now);
    let made: Vec<Made> = (0..size)
        .map(|_| made(app))
        .collect::<Result<_>>()
        .map_err(|_| StoreError::Refused("no randomness"))?;
    let (app, run) = (app.clone(), run.clone());
    let store = app.store.clone();
    store
        .write(move |tx| {
            Box::pin(async move {
                let Some(run) = tx.hold_conversion(&run.id, run.state, until).await? else {
                    return Ok(None);
                };
                let rows = next_rows(tx, &run, size).await?;
                if rows.is_empty() {
                    let (from, to) = match run.state {
                        ConversionState::Undoing => (ConversionState::Undoing, ConversionState::Undone),
                        ConversionState::Running
                        | ConversionState::Paused
                        | ConversionState::Done
                        | ConversionState::Undone => (ConversionState::Running, ConversionState::Done),
                    };
                    tx.set_conversion_state(&run.id, &[from], to, None, now).await?;
                    return Ok(None);
                }
                let mut count = 0;
                for (row, made) in rows.iter().zip(&made) {
                    if run.state == ConversionState::Undoing {
                        undo_one(&app, tx, &run, row, made, now).await?;
                    } else {
                        convert_one(&app, tx, &run, row, made, now).await?;
                    }
                    count += 1;
                }
                Ok(Some(count))
            })
        })
        .await
}

/// Gives the next row up for now, so that a single person does not stop everybody.
async fn fail_next(app: &App, run: &Conversion) -> Result<u64> {
    let (run, now) = (run.clone(), app.world.now());
    app.store
        .write(move |tx| {
            Box::pin(async move {
                let Some(row) = next_rows(tx, &run, 1).await?.into_iter().next() else {
                    return Ok(0);
                };
                tx.settle_conversion_row(
                    &run.id,
                    &row,
                    ConversionRowState::Failed,
                    Some("conflict"),
                    None,
                    now,
                )
                .await
                .map(u64::from)
            })
        })
        .await
        .map_err(|error: StoreError| AppError::from(error))
}

/// Moves one person and tells her, or notes why not.
async fn convert_one(
    app: &App,
    tx: &mut Tx,
    run: &Conversion,
    row: &ConversionRow,
    made: &Made,
    now: Timestamp,
) -> Result<(), StoreError> {
    let action = Action::Convert {
        account: row.account.clone(),
        email: row.email.clone(),
        organization: run.organization.clone(),
        connection: run.connection.clone(),
        mode: run.mode,
    };
    let wish = Wish::new(run.actor.clone(), action);
    let [fresh, _] = &made.fresh;
    let acted = match acting::act_in_tx(tx, &wish, fresh, now).await? {
        Ok(acted) => acted,
        Err(refusal) => {
            let code = refusal.denial.code();
            let state = ConversionRowState::Skipped;
            return settled(
                tx.settle_conversion_row(&run.id, row, state, Some(code), None, now)
                    .await?,
            );
        }
    };
    let Some(account) = tx.account(&acted.account).await? else {
        return Err(StoreError::Corrupt("accounts"));
    };
    match run.mode {
        ConversionMode::Additional => {
            let letter = if run.notify {
                Letter::Send(Kind::Conversion)
            } else {
                Letter::Skip
            };
            made.invitation
                .keep(tx, &account, &run.organization, letter, &run.actor, now)
                .await?;
        }
        ConversionMode::InPlace if run.notify => {
            let name = tx.connection(&run.connection).await?;
            let values = [
                (
                    "connection",
                    name.map_or_else(String::new, |record| record.connection.name),
                ),
                ("days", app.defaults.invitation_days().to_string()),
            ];
            let Some(to) = addressed(run, &account) else {
                return Err(StoreError::Corrupt("accounts.email"));
            };
            let link = sign_in_link(app, run, to.email.as_str());
            let mail = mail::written(made.mail.clone(), Kind::Conversion, to, &values, Some(link));
            tx.queue_mail(&mail, now).await?;
        }
        ConversionMode::InPlace => {}
    }
    let state = ConversionRowState::Invited;
    settled(
        tx.settle_conversion_row(&run.id, row, state, None, Some(&acted.account), now)
            .await?,
    )
}

/// Another node settled the row at the same moment: the whole portion is taken back.
fn settled(is_settled: bool) -> Result<(), StoreError> {
    if is_settled {
        Ok(())
    } else {
        Err(StoreError::Conflict("conversion_row".to_owned()))
    }
}

fn addressed(run: &Conversion, account: &provost_kernel::directory::Account) -> Option<Addressed> {
    Some(Addressed {
        email: account.email.clone()?,
        name: account
            .given_name
            .clone()
            .or_else(|| account.display_name.clone()),
        organization: Some(run.organization.clone()),
        account: Some(account.id.clone()),
    })
}

/// The way to the provider for a person converted in place: no token is needed, because nothing is handed over.
pub(super) fn sign_in_link(app: &App, run: &Conversion, email: &str) -> String {
    let segment: String = url::form_urlencoded::byte_serialize(run.connection.as_str().as_bytes()).collect();
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("login_hint", email)
        .finish();
    app.config
        .url(&format!("/sso/{}/login?{query}", segment.replace('+', "%20")))
}

/// Takes one person's conversion back.
async fn undo_one(
    app: &App,
    tx: &mut Tx,
    run: &Conversion,
    row: &ConversionRow,
    made: &Made,
    now: Timestamp,
) -> Result<(), StoreError> {
    let outcome = match run.mode {
        ConversionMode::Additional => undo_additional(tx, run, row, made, now).await?,
        ConversionMode::InPlace => undo_in_place(app, tx, run, row, made, now).await?,
    };
    let (state, reason) = match &outcome {
        Ok(()) => (ConversionRowState::Undone, None),
        Err(refusal) => (ConversionRowState::Failed, Some(refusal.denial.code())),
    };
    settled(
        tx.settle_conversion_row(&run.id, row, state, reason, None, now)
            .await?,
    )
}

/// The standard account comes back if it was retired, and the one beside it goes.
async fn undo_additional(
    tx: &mut Tx,
    run: &Conversion,
    row: &ConversionRow,
    made: &Made,
    now: Timestamp,
) -> Result<Result<(), Refusal>, StoreError> {
    let [first, second] = &made.fresh;
    if row.state == ConversionRowState::Retired {
        let action = Action::SetStatus {
            account: row.account.clone(),
            to: Status::Active,
        };
        if let Err(refusal) = acting::act_in_tx(tx, &Wish::new(run.actor.clone(), action), first, now).await?
        {
            return Ok(Err(refusal));
        }
    }
    let Some(converted) = row.converted.clone() else {
        return Ok(Ok(()));
    };
    let gone = tx.account(&converted).await?;
    if gone.is_none_or(|account| account.status == Status::Deleted) {
        return Ok(Ok(()));
    }
    let filter = InvitationFilter {
        organization: Some(run.organization.clone()),
        account: Some(converted.clone()),
        is_pending: true,
        ..InvitationFilter::default()
    };
    for invitation in tx.invitations(&filter, None, 10).await? {
        tx.revoke_invitation(&invitation.id, now).await?;
    }
    let action = Action::Delete {
        account: converted,
        allow_return: true,
    };
    let acted = acting::act_in_tx(tx, &Wish::new(run.actor.clone(), action), second, now).await?;
    Ok(acted.map(drop))
}

/// The account has a password again, or rather: gets a link to set one.
async fn undo_in_place(
    app: &App,
    tx: &mut Tx,
    run: &Conversion,
    row: &ConversionRow,
    made: &Made,
    now: Timestamp,
) -> Result<Result<(), Refusal>, StoreError> {
    let action = Action::Unconvert {
        account: row.account.clone(),
        email: row.email.clone(),
    };
    let [fresh, _] = &made.fresh;
    if let Err(refusal) = acting::act_in_tx(tx, &Wish::new(run.actor.clone(), action), fresh, now).await? {
        return Ok(Err(refusal));
    }
    let Some(account) = tx.account(&row.account).await? else {
        return Err(StoreError::Corrupt("accounts"));
    };
    let Some(to) = addressed(run, &account).filter(|_| app.config.mail.is_on()) else {
        return Ok(Ok(()));
    };
    let prepared = set_password::prepare(app, &account.id, SignedDuration::from_hours(HOURS))
        .map_err(|_| StoreError::Refused("no randomness"))?;
    prepared.keep(tx).await?;
    let link = prepared.url.expose_secret().to_owned();
    let values = [("hours", HOURS.to_string())];
    let mail = mail::written(made.mail.clone(), Kind::ConversionUndone, to, &values, Some(link));
    tx.queue_mail(&mail, now).await?;
    Ok(Ok(()))
}
