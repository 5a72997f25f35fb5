//! Ending a connection: whom it concerns is shown first, and the admin says what becomes of them. What becomes of each is
//! a decision of its own; who is refused stays as she is and is told of. Many people are dealt with by a job that goes on where it
//! broke off.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use provost_kernel::directory::{Account, Status};
use provost_kernel::email::Email;
use provost_kernel::facts::AccountFacts;
use provost_kernel::id::{AccountId, ConnectionId};
use provost_kernel::incoming::Fresh;
use provost_kernel::provision::{Action, Actor};
use provost_store::{AccountFilter, NewEvent, StoreError, Tx};
use schemars::JsonSchema;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::acting::{self, Refusal, Wish};
use crate::flow::api_keys::Caller;
use crate::flow::enforcement::serving;
use crate::flow::mail::{self, Addressed, Kind};
use crate::flow::scim::tokens;
use crate::flow::{directory, entitlements, set_password};
use crate::jobs;

/// People read at once.
const PORTION: u32 = 100;
/// Up to this many people, an ending is done before it is answered.
const AT_ONCE: u64 = 200;
/// People of one job; then another one goes on.
const OF_ONE_JOB: u32 = 2000;
/// How often one person is tried while others write in between.
const TRIES: u32 = 12;
/// How long the link for a first password works, in hours.
const HOURS: i64 = 72;
/// Refused people that are named; all are counted.
const NAMED: usize = 200;

/// What becomes of the people of a connection that ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum People {
    /// They stay as they are and cannot sign in through it.
    Keep,
    /// Each becomes a standard account and gets a link to choose a password.
    Convert,
    /// Each is deleted; restorable for a while.
    Delete,
}

/// Whom the end of a connection would concern.
pub struct Affected {
    /// How many people sign in through it.
    pub count: u64,
    /// The first of them.
    pub people: Vec<AccountFacts>,
}

/// What became, or would become, of the people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Converted or deleted.
    pub done: u32,
    /// Left as they are because the kernel refused it, by code.
    pub refused: BTreeMap<String, u32>,
    /// The first of those.
    pub people: Vec<RefusedPerson>,
}

/// Somebody who stays as she is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedPerson {
    /// The account.
    pub account: AccountId,
    /// Its address.
    pub email: Option<Email>,
    /// Why: a stable code.
    pub code: String,
}

impl Tally {
    fn count(&mut self, account: &Account, outcome: Result<(), Refusal>) {
        let Err(refusal) = outcome else {
            self.done += 1;
            return;
        };
        let code = refusal.denial.code().to_owned();
        *self.refused.entry(code.clone()).or_default() += 1;
        if self.people.len() < NAMED {
            self.people.push(RefusedPerson {
                account: account.id.clone(),
                email: account.email.clone(),
                code,
            });
        }
    }
}

/// What became of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is gone.
    Deleted,
    /// It is switched off for good, and stays as the name that accounts are bound to.
    Retired,
    /// It is switched off; its people are still being dealt with.
    Ending,
}

/// The end of a connection.
pub struct Ended {
    /// What became of it.
    pub outcome: Outcome,
    /// What became of its people, as far as that is known.
    pub tally: Tally,
}

/// Shows whom the end of a connection would concern: how many there are, and the first of them.
///
/// # Errors
/// 404; those of the store.
pub async fn affected(app: &App, caller: &Caller, id: &str, shown: u32) -> Result<Affected> {
    let count = count_affected(app, caller, id).await?;
    let mut people = Vec::new();
    let mut after = None;
    loop {
        let room = shown.saturating_sub(u32::try_from(people.len()).unwrap_or(u32::MAX));
        if room == 0 {
            break;
        }
        let page = live_people(app, id, after, room.min(PORTION)).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.account.id.clone());
        people.extend(page);
    }
    Ok(Affected { count, people })
}

/// Counts the people whom the end of a connection would concern, without reading any of them.
///
/// # Errors
/// 404; those of the store.
pub async fn count_affected(app: &App, caller: &Caller, id: &str) -> Result<u64> {
    directory::connection(app, caller, id).await?;
    let id = ConnectionId::new(id);
    let count = app
        .store
        .read(|reader| Box::pin(async move { reader.count_bound(&id).await }))
        .await?;
    Ok(count)
}

/// Tells what would become of the people of a connection, and writes nothing.
///
/// # Errors
/// 404; those of the store.
pub async fn outlook(app: &App, caller: &Caller, id: &str, people: People) -> Result<Tally> {
    directory::connection(app, caller, id).await?;
    let mut tally = Tally::default();
    let mut after = None;
    loop {
        let page = live_people(app, id, after, PORTION).await?;
        let Some(last) = page.last() else { return Ok(tally) };
        after = Some(last.account.id.clone());
        for facts in page {
            let Some(action) = action(&facts.account, people) else {
                tally.done += 1;
                continue;
            };
            let outcome = acting::rehearse(app, Wish::new(caller.actor(), action)).await?;
            tally.count(&facts.account, outcome.map(drop));
        }
    }
}

/// What is wanted of one person; none where she stays as she is.
fn action(account: &Account, people: People) -> Option<Action> {
    let id = account.id.clone();
    match people {
        People::Keep => None,
        People::Convert => Some(Action::Unconvert {
            account: id,
            email: account.email.clone(),
        }),
        People::Delete => Some(Action::Delete {
            account: id,
            allow_return: false,
        }),
    }
}

/// Reads people of a connection who are not deleted, after one. Empty only at the end.
async fn live_people(
    app: &App,
    id: &str,
    after: Option<AccountId>,
    most: u32,
) -> Result<Vec<AccountFacts>, StoreError> {
    let filter = AccountFilter {
        connection: Some(ConnectionId::new(id)),
        ..AccountFilter::default()
    };
    let mut after = after;
    loop {
        let (filter, from) = (filter.clone(), after.clone());
        let page = app
            .store
            .read(|reader| Box::pin(async move { reader.accounts_where(&filter, from.as_ref(), most).await }))
            .await?;
        let Some(last) = page.last() else { return Ok(page) };
        after = Some(last.account.id.clone());
        let live: Vec<AccountFacts> = page
            .into_iter()
            .filter(|facts| facts.account.status != Status::Deleted)
            .collect();
        if !live.is_empty() {
            return Ok(live);
        }
    }
}

/// Ends a connection. Nobody signs in through it from the beginning on. Where accounts stay bound to it, it is kept switched off
/// as the name that they are bound to.
///
/// # Errors
/// 404; 403 (`setup_by_link`, `setup_by_operator`); 409 (`connection_in_use`) where it has people and nothing is said about
/// them, (`last_connection`) where single sign-on is demanded and nothing else serves it, (`mail_off`) where people would need a password and no mail can leave; those of the store.
pub async fn delete_connection(
    app: &App,
    caller: &Caller,
    id: &str,
    people: Option<People>,
) -> Result<Ended> {
    let concerned = count_affected(app, caller, id).await?;
    entitlements::require_setup(app, caller).await?;
    if concerned > 0 && people.is_none() {
        return Err(AppError::conflict(
            "connection_in_use",
            format!(
                "{concerned} people sign in through it. Say what becomes of them: `people=keep`, `people=convert` or \
                 `people=delete`."
            ),
        ));
    }
    let people = people.unwrap_or(People::Keep);
    if people == People::Convert && concerned > 0 {
        mail::must_be_on(app)?;
    }
    let (wanted, now, actor) = (ConnectionId::new(id), app.world.now(), caller.actor());
    let mut task = Task {
        connection: wanted.clone(),
        people,
        actor: actor.clone(),
        after: None,
        tally: Tally::default(),
    };
    let is_long = people != People::Keep && concerned > AT_ONCE;
    let job = is_long.then(|| task.job(app)).transpose()?;
    app.store
        .write(move |tx| {
            Box::pin(async move {
                switch_off(tx, &wanted, now).await?;
                if let Some(job) = job {
                    tx.enqueue(&job, now).await?;
                }
                Ok::<_, AppError>(())
            })
        })
        .await?;
    if is_long {
        app.ring_jobs();
        return Ok(Ended {
            outcome: Outcome::Ending,
            tally: task.tally,
        });
    }
    task.advance(app, u32::MAX).await?;
    let outcome = task.finish(app).await?;
    Ok(Ended {
        outcome,
        tally: task.tally,
    })
}

/// People of a connection that ends, as far as they were dealt with.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Task {
    connection: ConnectionId,
    people: People,
    actor: Actor,
    after: Option<AccountId>,
    tally: Tally,
}

/// The work of a job: deals with some people, and leaves the rest to another job.
///
/// # Errors
/// Those of the store.
pub async fn work(app: &App, payload: &Value) -> anyhow::Result<()> {
    let mut task: Task = serde_json::from_value(payload.clone())?;
    if task.advance(app, OF_ONE_JOB).await? {
        task.finish(app).await?;
        return Ok(());
    }
    let (job, now) = (task.job(app)?, app.world.now());
    app.store
        .write(move |tx| Box::pin(async move { tx.enqueue(&job, now).await }))
        .await
        .map_err(|error: StoreError| AppError::from(error))?;
    app.ring_jobs();
    Ok(())
}

impl Task {
    /// The key names how far the work is, so that a job that runs twice is followed by one only.
    fn job(&self, app: &App) -> Result<provost_store::NewJob> {
        let at = self.after.as_ref().map_or("", AccountId::as_str);
        let at = if at.is_empty() {
            app.world.id("end_")?
        } else {
            at.to_owned()
        };
        let key = format!("{}:{}:{at}", jobs::CONNECTION_ENDING, self.connection);
        let payload = serde_json::to_value(self).map_err(AppError::internal)?;
        Ok(jobs::new_job(
            &app.world,
            jobs::CONNECTION_ENDING,
            Some(key),
            payload,
        )?)
    }

    /// Deals with people, about so many. Tells whether nobody is left.
    async fn advance(&mut self, app: &App, about: u32) -> Result<bool> {
        let mut dealt = 0;
        while dealt < about {
            let page = live_people(app, self.connection.as_str(), self.after.clone(), PORTION).await?;
            let Some(last) = page.last() else { return Ok(true) };
            self.after = Some(last.account.id.clone());
            for facts in page {
                dealt += 1;
                let outcome = self.deal_with(app, &facts.account).await?;
                self.tally.count(&facts.account, outcome);
            }
            app.ring_mail();
        }
        Ok(false)
    }

    /// Decides about one person and tells her, in one transaction.
    async fn deal_with(&self, app: &App, account: &Account) -> Result<Result<(), Refusal>> {
        let Some(action) = action(account, self.people) else {
            return Ok(Ok(()));
        };
        let wish = Wish::new(self.actor.clone(), action);
        for _ in 0..TRIES {
            let (fresh, now, wish) = (app.world.fresh()?.0, app.world.now(), wish.clone());
            let letter = self.letter(app, account)?;
            let written = app
                .store
                .write(move |tx| Box::pin(async move { carry_out(tx, &wish, letter, &fresh, now).await }))
                .await;
            match written {
                Err(error) if error.is_retryable() => {}
                other => return Ok(other?),
            }
        }
        Err(AppError::unavailable("the directory changed under every try"))
    }

    /// What a converted person gets, if she may sign in at all.
    fn letter(&self, app: &App, account: &Account) -> Result<Option<Letter>> {
        let may_sign_in = matches!(account.status, Status::Active | Status::Invited);
        let Some(email) = account.email.clone().filter(|_| may_sign_in) else {
            return Ok(None);
        };
        if self.people != People::Convert {
            return Ok(None);
        }
        Ok(Some(Letter {
            email,
            mail: app.world.id("mail_")?,
            link: set_password::prepare(app, &account.id, SignedDuration::from_hours(HOURS))?,
        }))
    }

    /// Removes the row, or leaves it where rows still name it; its tokens end either way.
    async fn finish(&self, app: &App) -> Result<Outcome> {
        let (id, now, actor) = (self.connection.clone(), app.world.now(), self.actor.label());
        let data = json!({
            "people": self.people,
            "done": self.tally.done,
            "refused": self.tally.refused,
        });
        let is_gone = app
            .store
            .write(move |tx| Box::pin(async move { end(tx, &id, actor, data, now).await }))
            .await
            .map_err(|error: StoreError| AppError::from(error))?;
        for token in tokens::list(app, Some(self.connection.to_string())).await? {
            // One that ended in between is as good as revoked.
            let _ = tokens::revoke(app, token.id).await;
        }
        app.ring_jobs();
        Ok(if is_gone {
            Outcome::Deleted
        } else {
            Outcome::Retired
        })
    }
}

/// A mail with a link to choose a password.
struct Letter {
    email: Email,
    mail: String,
    link: set_password::Prepared,
}

async fn carry_out(
    tx: &mut Tx,
    wish: &Wish,
    letter: Option<Letter>,
    fresh: &Fresh,
    now: Timestamp,
) -> Result<Result<(), Refusal>, StoreError> {
    let acted = match acting::act_in_tx(tx, wish, fresh, now).await? {
        Ok(acted) => acted,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let Some(letter) = letter.filter(|_| acted.is_change()) else {
        return Ok(Ok(()));
    };
    let Some(account) = tx.account(&acted.account).await? else {
        return Err(StoreError::Corrupt("accounts"));
    };
    let held = tx.memberships(&account.id).await?;
    letter.link.keep(tx).await?;
    let to = Addressed {
        email: letter.email,
        name: account.given_name.or(account.display_name),
        organization: held.into_iter().map(|held| held.organization).min(),
        account: Some(account.id),
    };
    let values = [("hours", HOURS.to_string())];
    let link = letter.link.url.expose_secret().to_owned();
    let mail = mail::written(letter.mail, Kind::ConnectionEnded, to, &values, Some(link));
    tx.queue_mail(&mail, now).await?;
    Ok(Ok(()))
}

/// Switches a connection off, unless a demand for single sign-on relies on it alone.
async fn switch_off(tx: &mut Tx, id: &ConnectionId, now: Timestamp) -> Result<(), AppError> {
    let demands = tx.hold_demands_on(id).await?;
    let Some(mut record) = tx.connection(id).await? else {
        return Ok(());
    };
    if record.connection.enabled {
        record.connection.enabled = false;
        tx.put_connection(
            &record.connection,
            &record.protocol_config,
            &record.secrets,
            &record.status,
            now,
        )
        .await?;
        if serving::is_lost_in_tx(tx, &demands).await? {
            return Err(serving::refused());
        }
    }
    Ok(())
}

/// Removes the row where nothing names it any more. Tells whether it is gone.
async fn end(
    tx: &mut Tx,
    id: &ConnectionId,
    actor: String,
    data: Value,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let Some(record) = tx.lock_connection(id).await? else {
        return Ok(true);
    };
    // Somebody switched it on again meanwhile, and may rely on it.
    if record.connection.enabled {
        return Ok(false);
    }
    let owner = record.connection.owner().cloned();
    let is_gone = match tx.delete_connection(id).await {
        Ok(_) => true,
        Err(StoreError::Conflict(_)) => false,
        Err(error) => return Err(error),
    };
    let kind = if is_gone {
        "connection.deleted"
    } else {
        "connection.retired"
    };
    tx.record(NewEvent {
        at: now,
        kind: kind.to_owned(),
        actor,
        account: None,
        organization: owner,
        connection: Some(id.clone()),
        trace: None,
        data,
    });
    Ok(is_gone)
}
