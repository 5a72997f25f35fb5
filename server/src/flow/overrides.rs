//! Overriding what a directory keeps, for a while, and setting single attributes by hand. Decisions of the kernel.

use jiff::{SignedDuration, Timestamp};
use provost_kernel::email::Email;
use provost_kernel::facts::AccountFacts;
use provost_kernel::id::AccountId;
use provost_kernel::keeping::KeptField;
use provost_kernel::plan::ProfilePatch;
use provost_kernel::provision::{Action, Actor};
use provost_store::StoreError;
use serde_json::Value;

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::acting::{self, Wish};
use crate::flow::api_keys::Caller;
use crate::flow::directory;

/// How long an override lasts unless its end is named.
const USUAL: SignedDuration = SignedDuration::from_hours(24);
/// Overrides ended in one look of the job.
const STEP: u32 = 100;

/// Sets a field that a directory keeps until a moment, or for a day, and returns the account as it is then.
///
/// # Errors
/// 404 for an account out of sight and for what is no field that can be overridden; 409 (`conflict`) for one that nobody else
/// keeps; 422 (`invalid_value`) for a value or a moment that does not fit; those of the store.
pub async fn set(
    app: &App,
    caller: &Caller,
    account: &str,
    field: &str,
    value: Value,
    until: Option<Timestamp>,
) -> Result<AccountFacts> {
    let field = field_of(field)?;
    let usual = || app.world.now().saturating_add(USUAL).unwrap_or(Timestamp::MAX);
    directory::account(app, caller, account).await?;
    let action = Action::OverrideField {
        account: AccountId::new(account),
        field,
        value,
        until: until.unwrap_or_else(usual),
    };
    acting::act(app, Wish::new(caller.actor(), action)).await?;
    directory::account(app, caller, account).await
}

/// Ends an override before its time: the directory's value returns.
///
/// # Errors
/// 404 for an account out of sight and for a field that is not overridden; those of the store.
pub async fn end(app: &App, caller: &Caller, account: &str, field: &str) -> Result<AccountFacts> {
    let field = field_of(field)?;
    let known = directory::account(app, caller, account).await?;
    let action = ending(&known, Some(field));
    acting::act(app, Wish::new(caller.actor(), action)).await?;
    directory::account(app, caller, account).await
}

/// Sets one attribute by hand, or empties it, and returns the account as it is then.
///
/// # Errors
/// 404 for an account out of sight; 409 (`directory_managed`) where another source keeps the attribute; 422 (`invalid_value`)
/// for a value of another type; those of the store.
pub async fn set_attribute(
    app: &App,
    caller: &Caller,
    account: &str,
    name: &str,
    value: Option<Value>,
) -> Result<AccountFacts> {
    let mut attributes = directory::account(app, caller, account).await?.account.attributes;
    match value {
        Some(value) => attributes.insert(name.to_owned(), value),
        None => attributes.remove(name),
    };
    let action = Action::UpdateProfile {
        account: AccountId::new(account),
        set: Box::new(ProfilePatch {
            attributes: Some(attributes),
            ..ProfilePatch::default()
        }),
    };
    acting::act(app, Wish::new(caller.actor(), action)).await?;
    directory::account(app, caller, account).await
}

/// Ends every override whose time is over: the work of the job.
///
/// # Errors
/// Those of the store.
pub async fn expire(app: &App) -> anyhow::Result<()> {
    let now = app.world.now();
    let mut seen: Vec<AccountId> = Vec::new();
    loop {
        let due = app
            .store
            .read(move |reader| {
                Box::pin(async move {
                    let ids = reader.overrides_over(now, STEP).await?;
                    reader.account_facts(&ids).await
                })
            })
            .await
            .map_err(|error: StoreError| error)?;
        // What could not be ended stays due; it must not be asked for over and over.
        let fresh: Vec<AccountFacts> = due
            .into_iter()
            .filter(|known| !seen.contains(&known.account.id))
            .collect();
        if fresh.is_empty() {
            return Ok(());
        }
        for known in fresh {
            seen.push(known.account.id.clone());
            let wish = Wish::new(Actor::System, ending(&known, None));
            if let Err(refusal) = acting::attempt(app, wish).await? {
                tracing::warn!(account = %known.account.id, code = refusal.denial.code(), "an override could not be ended");
            }
        }
    }
}

fn field_of(text: &str) -> Result<KeptField> {
    text.parse().map_err(|_| AppError::not_found())
}

/// The wish that a field, or whatever is over, goes back to the directory.
fn ending(known: &AccountFacts, field: Option<KeptField>) -> Action {
    let returning = known.account.keeping.override_of(&KeptField::Email);
    Action::EndOverride {
        account: known.account.id.clone(),
        field,
        address: returning
            .and_then(|over| over.returns.as_str())
            .and_then(|text| Email::parse(text).ok()),
    }
}
