//! How an organization's sign-in and directory do, and what waits for an admin.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use jiff::{SignedDuration, Timestamp};
use provost_kernel::connection::Provisioning;
use provost_kernel::directory::Account;
use provost_kernel::id::{ConnectionId, OrganizationId};
use provost_kernel::trace::SIGN_IN;
use provost_saml::key::Certificate;
use provost_store::{
    AuditRow, ConnectionRecord, DomainRecord, GroupRow, JobBacklog, JobRecord, Reader, ScimRequestFilter,
    ScimTraffic, SeatEvent, StoreError, TokenRecord, TraceFilter, days,
};

use crate::app::App;
use crate::connection_config::ProtocolConfig;
use crate::error::Result;
use crate::flow::console::activity::actor_of;
use crate::flow::scim::{tokens, watch};

/// Attempts that are looked at for the last of each kind.
pub const RECENT: u32 = 50;
/// Connections of one page.
pub const CONNECTIONS: u32 = 100;
/// Entries of the history of seats that a page shows.
const SEAT_EVENTS: u32 = 20;
/// Groups of a directory that its page shows.
const GROUPS: u32 = 10;
/// Days of a chart.
pub const DAYS: i64 = 30;

/// How a connection does.
#[derive(Clone, Debug)]
pub struct Health {
    /// The connection.
    pub record: ConnectionRecord,
    /// People who sign in through it.
    pub people: u64,
    /// The last attempt that was admitted, of those lately.
    pub last_admitted: Option<Timestamp>,
    /// How many of the attempts lately were refused.
    pub refused: usize,
    /// How many attempts lately were looked at.
    pub looked_at: usize,
    /// Requests of the directory in the last day.
    pub traffic: ScimTraffic,
    /// What somebody should look at, as code.
    pub concerns: Vec<&'static str>,
    /// For how many people a hand edit keeps the access otherwise than the rules say, counted up to [`RECENT`].
    pub drifting: usize,
    /// When the provider's last certificate ends.
    pub certificate_ends: Option<Timestamp>,
}

/// Looks at the connections that an organization owns.
///
/// # Errors
/// Those of the store.
pub async fn own_connections(app: &App, organization: &OrganizationId) -> Result<Vec<Health>> {
    let (organization, now) = (organization.clone(), app.world.now());
    let found = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let mut found = Vec::new();
                for record in reader
                    .connections_owned_by(&organization, None, CONNECTIONS)
                    .await?
                {
                    found.push(health(reader, record, now).await?);
                }
                Ok::<_, StoreError>(found)
            })
        })
        .await?;
    Ok(found)
}

/// Looks at connections of the whole instance, after one.
///
/// # Errors
/// Those of the store.
pub async fn all_connections(app: &App, after: Option<String>) -> Result<Vec<ConnectionRecord>> {
    let after = after.map(ConnectionId::new);
    let found = app
        .store
        .read(|reader| Box::pin(async move { reader.connections(after.as_ref(), CONNECTIONS).await }))
        .await?;
    Ok(found)
}

/// Looks at one connection.
///
/// # Errors
/// Those of the store.
pub async fn one(app: &App, record: &ConnectionRecord) -> Result<Health> {
    let (record, now) = (record.clone(), app.world.now());
    let found = app
        .store
        .read(|reader| Box::pin(async move { health(reader, record, now).await }))
        .await?;
    Ok(found)
}

async fn health(reader: &mut Reader, record: ConnectionRecord, now: Timestamp) -> Result<Health, StoreError> {
    let id = record.connection.id.clone();
    let filter = TraceFilter {
        connection: Some(id.clone()),
        ..TraceFilter::default()
    };
    let traces = reader.traces(&filter, RECENT).await?;
    let admitted = |verdict: &str| matches!(verdict, "admitted" | "accepted");
    let day_ago = now
        .saturating_sub(SignedDuration::from_hours(24))
        .unwrap_or(Timestamp::MIN);
    let drifting = match record.connection.owner() {
        Some(owner) => reader.count_drifts(&id, owner, RECENT).await?,
        None => 0,
    };
    Ok(Health {
        people: reader.count_bound(&id).await?,
        last_admitted: traces
            .iter()
            .find(|trace| trace.trace.kind == SIGN_IN && admitted(&trace.verdict))
            .map(|trace| trace.trace.at),
        refused: traces.iter().filter(|trace| !admitted(&trace.verdict)).count(),
        looked_at: traces.len(),
        traffic: reader.scim_traffic(&id, day_ago).await?,
        concerns: watch::look(reader, &record, now)
            .await?
            .into_iter()
            .map(|concern| concern.code)
            .collect(),
        drifting: usize::try_from(drifting).unwrap_or(usize::MAX),
        certificate_ends: certificate_ends(&record),
        record,
    })
}

/// Returns when the last of a provider's certificates ends.
fn certificate_ends(record: &ConnectionRecord) -> Option<Timestamp> {
    certificates(record).into_iter().map(|(_, end)| end).max()
}

/// Returns the certificates of a SAML provider (base64) with their ends.
pub fn certificates(record: &ConnectionRecord) -> Vec<(String, Timestamp)> {
    use base64::Engine as _;

    let Ok(ProtocolConfig::Saml(saml)) =
        ProtocolConfig::of(record.connection.id.as_str(), &record.protocol_config)
    else {
        return Vec::new();
    };
    saml.signing_certificates
        .into_iter()
        .filter_map(|text| {
            let der = base64::engine::general_purpose::STANDARD.decode(&text).ok()?;
            let end = Certificate::from_der(&der).ok()?.not_after();
            Some((text, end))
        })
        .collect()
}

/// Tells what was changed last in a connection's settings and by whom, if that is somebody of the organization.
///
/// # Errors
/// Those of the store.
pub async fn last_change(
    app: &App,
    organization: &OrganizationId,
    connection: &ConnectionId,
) -> Result<Option<(AuditRow, Option<Account>)>> {
    let (own, wanted) = (organization.clone(), connection.clone());
    let found: Result<_, StoreError> = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let Some(row) = reader.last_change_of_connection(&own, &wanted).await? else {
                    return Ok(None);
                };
                let by = match actor_of(&row) {
                    Some(id) => reader.account_facts(&[id]).await?.into_iter().next(),
                    None => None,
                };
                let by = by.filter(|facts| facts.memberships.iter().any(|held| held.organization == own));
                Ok(Some((row, by.map(|facts| facts.account))))
            })
        })
        .await;
    Ok(found?)
}

/// How many of something went well, and how many did not.
pub type Counts = [u64; 2];

/// Counts the sign-ins of each of the last days through connections, or with none of the whole instance: day, admitted and
/// refused; the oldest first.
///
/// # Errors
/// Those of the store.
pub async fn sign_ins(app: &App, connections: Option<Vec<ConnectionId>>) -> Result<Vec<(i64, Counts)>> {
    let shown = shown_days(app);
    let since = *shown.start();
    let counted = app
        .store
        .read(|reader| Box::pin(async move { reader.sign_in_days(connections.as_deref(), since).await }))
        .await?;
    let counted = counted
        .into_iter()
        .map(|one| (one.day, [one.admitted, one.refused]));
    Ok(each(shown, counted))
}

/// The days of a chart, up to today.
fn shown_days(app: &App) -> RangeInclusive<i64> {
    let today = days::of(app.world.now());
    today - DAYS + 1..=today
}

/// Puts nothing where nothing was counted.
fn each(shown: RangeInclusive<i64>, counted: impl Iterator<Item = (i64, Counts)>) -> Vec<(i64, Counts)> {
    let counted: BTreeMap<i64, Counts> = counted.collect();
    shown
        .map(|day| (day, counted.get(&day).copied().unwrap_or_default()))
        .collect()
}

/// What a directory's page shows.
#[derive(Clone, Debug)]
pub struct Directory {
    /// Live and ended tokens, oldest first.
    pub tokens: Vec<TokenRecord>,
    /// Requests by day, the oldest first: day, those that succeeded and those that did not.
    pub days: Vec<(i64, Counts)>,
    /// The last request ever counted.
    pub last: Option<Timestamp>,
    /// What the client of the latest request calls itself, and the version of SCIM that it speaks.
    pub client: Option<(String, String)>,
    /// The first groups that it has pushed, by name.
    pub groups: Vec<GroupRow>,
}

/// Looks at a connection's directory.
///
/// # Errors
/// Those of the store.
pub async fn directory(app: &App, connection: &ConnectionId) -> Result<Directory> {
    let tokens = tokens::list(app, Some(connection.to_string())).await?;
    let shown = shown_days(app);
    let (since, wanted) = (*shown.start(), connection.clone());
    let (counted, last, latest, groups) = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let counted = reader.scim_days(&wanted, since).await?;
                let last = reader.scim_traffic(&wanted, Timestamp::UNIX_EPOCH).await?.last_at;
                let filter = ScimRequestFilter {
                    connection: Some(wanted.to_string()),
                    ..ScimRequestFilter::default()
                };
                let latest = reader.scim_requests(&filter, 1).await?;
                let groups = reader.groups_pushed_by(&wanted, GROUPS).await?;
                Ok::<_, StoreError>((counted, last, latest, groups))
            })
        })
        .await?;
    let counted = counted
        .into_iter()
        .map(|(day, all, wrong)| (day, [all.saturating_sub(wrong), wrong]));
    Ok(Directory {
        tokens,
        days: each(shown, counted),
        last,
        client: latest
            .into_iter()
            .next()
            .map(|request| (request.user_agent.unwrap_or_default(), request.version)),
        groups,
    })
}

/// Tells what became of an organization's seats lately, newest first, with whose they were.
///
/// # Errors
/// Those of the store.
pub async fn seat_events(
    app: &App,
    organization: &OrganizationId,
) -> Result<Vec<(SeatEvent, Option<Account>)>> {
    let organization = organization.clone();
    let found = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let events = reader.seat_events(&organization, None, SEAT_EVENTS).await?;
                let ids: BTreeSet<_> = events.iter().map(|event| event.account.clone()).collect();
                let ids: Vec<_> = ids.into_iter().collect();
                let accounts: BTreeMap<_, _> = reader
                    .account_facts(&ids)
                    .await?
                    .into_iter()
                    .map(|facts| (facts.account.id.clone(), facts.account))
                    .collect();
                let named = events.into_iter().map(|event| {
                    let account = accounts.get(&event.account).cloned();
                    (event, account)
                });
                Ok::<_, StoreError>(named.collect())
            })
        })
        .await?;
    Ok(found)
}

/// Lists the domains of an organization.
///
/// # Errors
/// Those of the store.
pub async fn domains(app: &App, organization: &OrganizationId) -> Result<Vec<DomainRecord>> {
    let organization = organization.clone();
    let found = app
        .store
        .read(|reader| Box::pin(async move { reader.domains(&organization).await }))
        .await?;
    Ok(found)
}

/// Looks at the work in the background.
///
/// # Errors
/// Those of the store.
pub async fn jobs(app: &App) -> Result<(JobBacklog, Vec<JobRecord>)> {
    let now = app.world.now();
    let found = app
        .store
        .read(|reader| {
            Box::pin(async move {
                Ok::<_, StoreError>((reader.job_backlog(now).await?, reader.dead_jobs(RECENT).await?))
            })
        })
        .await?;
    Ok(found)
}

/// Tells whether a directory pushes through a connection.
pub fn is_pushed(record: &ConnectionRecord) -> bool {
    record.connection.provisioning == Provisioning::Scim
}
