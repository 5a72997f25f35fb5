//! Waves of sign-ins by which rules take access from many people of one organization: held by the connection's guard
//! until they have passed or an admin lets them go on. The judgement is the kernel's; this counts.

use jiff::{SignedDuration, Timestamp};
use provost_kernel::connection::Connection;
use provost_kernel::directory::Membership;
use provost_kernel::facts::Facts;
use provost_kernel::guard;
use provost_kernel::id::{AccountId, OrganizationId};
use provost_kernel::plan::Decision;
use provost_store::{NewEvent, StoreError, Tx};
use serde_json::json;

use super::change;
use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::api_keys::Caller;
use crate::flow::directory;

/// Decides; where rules would take access from somebody, counts from how many they took some lately, and decides again.
///
/// # Errors
/// `engine` and `corrupt`.
pub async fn decide_in_tx(
    tx: &mut Tx,
    connection: &Connection,
    facts: &mut Facts,
    now: Timestamp,
    decide: impl Fn(&Facts) -> Decision + Send,
) -> Result<Decision, StoreError> {
    let first = decide(facts);
    let (Some(limits), Some(account)) = (connection.settings.strip_guard, first.trace.account.clone()) else {
        return Ok(first);
    };
    let stripped = guard::stripped(&first, memberships(facts, &account));
    if stripped.is_empty() {
        return Ok(first);
    }
    let window = SignedDuration::from_mins(i64::from(limits.minutes));
    let since = now.checked_sub(window).unwrap_or(Timestamp::MIN);
    for organization in stripped {
        let counts = tx
            .strips(&connection.id, &organization, &account, since, now)
            .await?;
        facts.strips.insert(organization, counts);
    }
    let decision = decide(facts);
    let stripped = guard::stripped(&decision, memberships(facts, &account));
    if !stripped.is_empty() {
        tx.note_strips(&connection.id, &account, &stripped, now).await?;
    }
    Ok(decision)
}

fn memberships<'f>(facts: &'f Facts, account: &AccountId) -> &'f [Membership] {
    facts
        .linked
        .iter()
        .chain(&facts.candidates)
        .chain(&facts.accounts)
        .find(|known| known.account.id == *account)
        .map_or(&[], |known| known.memberships.as_slice())
}

/// Lets a connection's rules go on taking access in an organization, for some hours.
///
/// # Errors
/// 404 for a connection or organization out of sight or reach; 403 (`shared_connection`); those of the store.
pub async fn approve(
    app: &App,
    caller: &Caller,
    connection: &str,
    organization: &str,
    hours: u32,
) -> Result<Timestamp> {
    let record = change::own(app, caller, connection).await?;
    let organization = OrganizationId::new(organization);
    directory::organization(app, caller, organization.as_str()).await?;
    if !record.connection.reaches(&organization) {
        return Err(AppError::not_found());
    }
    let now = app.world.now();
    let until = now
        .checked_add(SignedDuration::from_hours(i64::from(hours)))
        .unwrap_or(Timestamp::MAX);
    let event = NewEvent {
        at: now,
        kind: "strips.approved".to_owned(),
        actor: caller.actor().label(),
        account: None,
        organization: Some(organization.clone()),
        connection: Some(record.connection.id.clone()),
        trace: None,
        data: json!({ "until": until }),
    };
    app.store
        .write(move |tx| {
            Box::pin(async move {
                tx.approve_strips(&record.connection.id, &organization, until)
                    .await?;
                tx.record(event);
                Ok::<_, StoreError>(())
            })
        })
        .await?;
    Ok(until)
}
