//! Directories that fell silent or fail more and more: found by a job on any node, told once as an event, shown
//! by `provost doctor`. An identity provider that gave up says nothing; somebody here has to notice.

use jiff::{SignedDuration, Timestamp};
use provost_kernel::audit::EventKind;
use provost_kernel::connection::{Connection, Provisioning, Scope};
use provost_kernel::id::ConnectionId;
use provost_kernel::incoming::OneTimeProof;
use provost_kernel::provision::Actor;
use provost_store::{ConnectionRecord, NewEvent, Reader, ScimTraffic, StoreError, TokenRecord};
use serde_json::{Value, json};

use crate::app::App;
use crate::flow::alerts::Alerts;
use crate::flow::connection::LiveConnection;
use crate::flow::scim::tokens::{BEARER, CLIENT};
use crate::scim_config::ScimConfig;
use crate::world::digest_of;

/// How long the same concern is not told again.
const TOLD_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The share of failures is taken over this time.
const LATELY: SignedDuration = SignedDuration::from_hours(24);
/// Fewer requests say nothing about a share.
const ENOUGH: u64 = 20;
/// Connections looked at in one step.
const STEP: u32 = 100;

/// Something about a directory that wants an eye.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Concern {
    /// Stable code.
    pub code: &'static str,
    /// What it is, for an admin.
    pub text: String,
    /// The same concern has the same mark.
    mark: String,
}

/// Judges one directory.
pub fn judge(
    record: &ConnectionRecord,
    tokens: &[TokenRecord],
    traffic: &ScimTraffic,
    now: Timestamp,
) -> Vec<Concern> {
    if record.connection.provisioning != Provisioning::Scim {
        return Vec::new();
    }
    let id = &record.connection.id;
    let config = ScimConfig::of(&record.protocol_config).unwrap_or_default();
    let mut concerns = Vec::new();
    if let Some(days) = config.silent_after_days
        && let Some(last) = last_sign(tokens)
        && now.duration_since(last) > SignedDuration::from_hours(24 * i64::from(days))
    {
        let was_used = tokens.iter().any(|token| token.last_used_at.is_some());
        let since = last.strftime("%Y-%m-%d %H:%M UTC");
        let text = if was_used {
            format!(
                "the directory of {id} has sent nothing since {since}: is provisioning paused or quarantined there?"
            )
        } else {
            format!("the directory of {id} has never used the token made on {since}")
        };
        concerns.push(Concern {
            code: "directory_silent",
            text,
            mark: format!("silent:{}", last.as_millisecond()),
        });
    }
    let wrong = traffic.failures + traffic.refusals;
    if traffic.requests >= ENOUGH && wrong * 2 > traffic.requests {
        concerns.push(Concern {
            code: "directory_failing",
            text: format!(
                "{wrong} of the last {} requests of the directory of {id} did not succeed; see `provost scim-log \
                 --connection {id} --failed`",
                traffic.requests
            ),
            mark: format!("failing:{}", now.as_second() / TOLD_FOR.as_secs()),
        });
    }
    concerns
}

/// When a directory last showed a sign of life; where it never did, when it could have begun to.
fn last_sign(tokens: &[TokenRecord]) -> Option<Timestamp> {
    let used = tokens.iter().filter_map(|token| token.last_used_at).max();
    let live = tokens.iter().filter(|token| token.revoked_at.is_none());
    used.or_else(|| live.map(|token| token.created_at).min())
}

/// Finds the concerns about a connection's directory.
///
/// # Errors
/// Those of the store.
pub async fn look(
    reader: &mut Reader,
    record: &ConnectionRecord,
    now: Timestamp,
) -> Result<Vec<Concern>, StoreError> {
    let id = &record.connection.id;
    let mut tokens = reader.tokens(BEARER, Some(id)).await?;
    tokens.extend(reader.tokens(CLIENT, Some(id)).await?);
    let since = now.saturating_sub(LATELY).unwrap_or(Timestamp::MIN);
    let traffic = reader.scim_traffic(id, since).await?;
    Ok(judge(record, &tokens, &traffic, now))
}

/// Looks at every directory and tells what is new: the work of the job.
///
/// # Errors
/// Those of the store.
pub async fn run(app: &App) -> Result<(), StoreError> {
    let now = app.world.now();
    let mut after: Option<ConnectionId> = None;
    let mut silent = 0_u32;
    loop {
        let from = after.clone();
        let page: Vec<(ConnectionRecord, Vec<Concern>)> = app
            .store
            .read(move |reader| {
                Box::pin(async move {
                    let mut page = Vec::new();
                    for record in reader.connections(from.as_ref(), STEP).await? {
                        let concerns = look(reader, &record, now).await?;
                        page.push((record, concerns));
                    }
                    Ok::<_, StoreError>(page)
                })
            })
            .await?;
        let Some((last, _)) = page.last() else { break };
        after = Some(last.connection.id.clone());
        for (record, concerns) in page {
            for concern in concerns {
                silent += u32::from(concern.code == "directory_silent");
                tell(app, &record.connection, concern, TOLD_FOR, now).await?;
            }
        }
    }
    metrics::gauge!("provost_directories_silent").set(f64::from(silent));
    Ok(())
}

/// Describes something that happened to a connection's directory.
pub fn event(connection: &Connection, kind: &str, actor: &Actor, data: Value, now: Timestamp) -> NewEvent {
    NewEvent {
        at: now,
        kind: kind.to_owned(),
        actor: actor.label(),
        account: None,
        organization: match &connection.scope {
            Scope::Instance => None,
            Scope::Organization { organization, .. } => Some(organization.clone()),
        },
        connection: Some(connection.id.clone()),
        trace: None,
        data,
    }
}

/// Describes an alert about a connection's directory.
pub fn alert(connection: &Connection, code: &str, text: &str, now: Timestamp) -> NewEvent {
    let data = json!({ "code": code, "text": text });
    event(
        connection,
        EventKind::AlertRaised.code(),
        &Actor::System,
        data,
        now,
    )
}

/// Tells that a directory was held because it took out too many people at once; once for each window of the guard.
///
/// # Errors
/// Those of the store.
pub async fn tell_of_held(app: &App, live: &LiveConnection) -> Result<(), StoreError> {
    let connection = live.in_force.connection();
    let (id, now) = (&connection.id, app.world.now());
    let minutes = connection
        .settings
        .directory
        .departure_guard
        .map_or(60, |guard| guard.minutes.max(1));
    let concern = Concern {
        code: "departures_held",
        text: format!(
            "the directory of {id} deactivates or deletes unusually many people at once; no more are taken out until \
             `provost scim-guard approve --connection {id}`"
        ),
        mark: format!("held:{}", now.as_second() / (60 * i64::from(minutes))),
    };
    metrics::counter!("provost_departures_held_total").increment(1);
    let kept = SignedDuration::from_mins(i64::from(minutes) * 2);
    tell(app, connection, concern, kept, now).await
}

/// Records a concern, unless it was told lately.
async fn tell(
    app: &App,
    connection: &Connection,
    concern: Concern,
    kept: SignedDuration,
    now: Timestamp,
) -> Result<(), StoreError> {
    let alert = alert(connection, concern.code, &concern.text, now);
    let proof = OneTimeProof {
        issuer: format!("directory_watch:{}", connection.id),
        id: concern.mark.clone(),
        until: now.saturating_add(kept).unwrap_or(Timestamp::MAX),
    };
    let (alerts, told_of) = (Alerts::of(app), connection.clone());
    let told = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                tx.spend(None, &proof);
                tx.record(alert);
                // What is told once is numbered by what it is told once for.
                let seed = digest_of(&format!("{}\n{}", proof.issuer, proof.id));
                let seed: String = seed.chars().take(32).collect();
                alerts
                    .of_directory_in_tx(tx, &told_of, (concern.code, seed), now)
                    .await?;
                Ok::<_, StoreError>(())
            })
        })
        .await;
    match told {
        Ok(()) => {
            tracing::warn!(connection = %connection.id, code = concern.code, "a directory wants an eye");
            app.ring_mail();
            Ok(())
        }
        Err(StoreError::ProofSpent) => Ok(()),
        Err(error) => Err(error),
    }
}
