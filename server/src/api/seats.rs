//! Seats of organizations: meters by kind of account, who waits, what became of them.

use crate::route::get;
use axum::extract::{Path, State};
use axum::{Extension, Json};
use jiff::Timestamp;
use jiff::civil::Date;
use provost_kernel::directory::AccountKind;
use provost_kernel::id::AccountId;
use provost_store::{SeatChange, SeatEvent};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::endpoint::{Answer, Endpoint, JSON, Verb, query_of, schema_of};
use super::page::{Asked, Page, PageQuery, cursor, invalid_cursor, open_cursor};
use crate::app::App;
use crate::error::Result;
use crate::flow::api_keys::{Caller, Scope};
use crate::flow::seats::{self, Pool, Series, Use};

/// The endpoints of this area.
pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/organizations/{organization}/seats",
        name: "getSeats",
        area: "Seats",
        summary: "Count members and seats, for users and readers apart",
        description: "",
        scope: Scope::OrganizationsRead,
        query: None,
        body: None,
        answers: &[Answer {
            status: 200,
            what: "The meters.",
            content: &[(JSON, Some(schema_of::<SeatsView>))],
        }],
        problems: &[],
        handler: || get(count),
    },
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/organizations/{organization}/seats/waiting",
        name: "listWaiting",
        area: "Seats",
        summary: "List who waits for a seat, in the order in which seats are given",
        description: "At most 1,000 people of each pool. Seats that come free are given away within seconds, whoever waits longest first.",
        scope: Scope::AccountsRead,
        query: Some(query_of::<WaitingQuery>),
        body: None,
        answers: &[Answer {
            status: 200,
            what: "The queue.",
            content: &[(JSON, Some(schema_of::<WaitingList>))],
        }],
        problems: &[],
        handler: || get(list_waiting),
    },
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/organizations/{organization}/seats/history",
        name: "listSeatHistory",
        area: "Seats",
        summary: "List who took, gave back and waited for seats, newest first",
        description: "",
        scope: Scope::AccountsRead,
        query: Some(query_of::<PageQuery>),
        body: None,
        answers: &[Answer {
            status: 200,
            what: "A page of the history.",
            content: &[(JSON, Some(schema_of::<Page<SeatEventView>>))],
        }],
        problems: &[],
        handler: || get(list_history),
    },
    Endpoint {
        verb: Verb::Get,
        path: "/api/v1/organizations/{organization}/seats/history/days",
        name: "listSeatDays",
        area: "Seats",
        summary: "List seats by day, pool and kind of account",
        description: "Counted every hour; days are those of UTC. Days before the first count are absent.",
        scope: Scope::OrganizationsRead,
        query: Some(query_of::<DaysQuery>),
        body: None,
        answers: &[Answer {
            status: 200,
            what: "The days.",
            content: &[(JSON, Some(schema_of::<SeatDaysView>))],
        }],
        problems: &[(400, "invalid_query")],
        handler: || get(list_days),
    },
];

/// Use by one kind of account.
#[derive(Clone, Copy, Debug, Default, Serialize, JsonSchema)]
#[schemars(rename = "SeatsOfKind")]
struct OfKind {
    /// Seats held.
    used: u32,
    /// People who wait.
    waiting: u32,
}

/// One pool.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "SeatPool")]
struct PoolView {
    /// Identifier of the license.
    license: String,
    /// Seats; absent without limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    seats: Option<u32>,
    /// Which kind of account the pool is for; absent for both.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<AccountKind>,
    /// Seats held.
    used: u32,
    /// Held and waited for by users.
    users: OfKind,
    /// Held and waited for by readers.
    readers: OfKind,
}

/// Seats of one kind of account, over all pools.
#[derive(Clone, Copy, Debug, Default, Serialize, JsonSchema)]
#[schemars(rename = "SeatsOfKindInAll")]
struct OfKindInAll {
    /// How many may be held, as the organization's plan says; absent without limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u32>,
    /// Seats held.
    used: u32,
    /// People who wait.
    waiting: u32,
}

/// Seats over all pools, for each kind of account.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[schemars(rename = "SeatsOfKinds")]
struct OfKinds {
    /// Of users.
    users: OfKindInAll,
    /// Of readers.
    readers: OfKindInAll,
}

/// Everything in numbers.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Seats")]
struct SeatsView {
    /// Active members who are users, with or without a license.
    users: u32,
    /// Active members who are readers, with or without a license.
    readers: u32,
    /// Seats over all pools, with the limits of the organization's plan.
    seats: OfKinds,
    /// The pools.
    pools: Vec<PoolView>,
}

/// Which days are wanted.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DaysQuery {
    /// The first day, such as `2026-03-01`; absent: thirty days before the last.
    #[schemars(with = "Option<String>")]
    from: Option<Date>,
    /// The last day; absent: today. At most 366 days are told.
    #[schemars(with = "Option<String>")]
    to: Option<Date>,
}

/// Seats by day.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "SeatDays")]
struct SeatDaysView {
    /// The first day.
    #[schemars(with = "String")]
    from: Date,
    /// The last day.
    #[schemars(with = "String")]
    to: Date,
    /// One for each pool and kind of account, and one for each kind over all pools.
    series: Vec<SeriesView>,
}

/// Seats of one pool, or of all, and one kind of account.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "SeatSeries")]
struct SeriesView {
    /// Identifier of the license; absent for all pools together.
    #[serde(skip_serializing_if = "Option::is_none")]
    license: Option<String>,
    /// `user` or `reader`.
    kind: AccountKind,
    /// Day by day.
    days: Vec<DayView>,
}

/// One day.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "SeatDay")]
struct DayView {
    /// The day.
    #[schemars(with = "String")]
    day: Date,
    /// Seats held when it was counted last.
    used: u32,
    /// The most that were counted on the day.
    most: u32,
    /// People who waited when it was counted last.
    waiting: u32,
    /// Seats that could be held; absent without limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    seats: Option<u32>,
}

impl From<Series> for SeriesView {
    fn from(series: Series) -> Self {
        let days = series.days.into_iter().map(|(day, counted)| DayView {
            day,
            used: counted.used,
            most: counted.most,
            waiting: counted.waiting,
            seats: counted.seats,
        });
        Self {
            license: series.license.map(|license| license.to_string()),
            kind: series.kind,
            days: days.collect(),
        }
    }
}

/// Somebody who waits.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Waiting")]
struct WaitingView {
    /// For a seat of which pool.
    license: String,
    /// Identifier of the account.
    account: String,
    /// Address.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// `user` or `reader`.
    kind: AccountKind,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    since: Option<Timestamp>,
}

/// Whose queue is wanted.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WaitingQuery {
    /// Of this pool only.
    license: Option<String>,
}

/// A queue.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct WaitingList {
    /// Whoever gets a seat first comes first.
    items: Vec<WaitingView>,
}

/// What became of a seat.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "SeatEvent")]
struct SeatEventView {
    /// When.
    #[schemars(with = "String")]
    at: Timestamp,
    /// Whose.
    account: String,
    /// Of which pool.
    license: String,
    /// `taken`, `released`, `waiting` (none was free), or `left` (waits no more, without a seat).
    what: String,
    /// Who caused it.
    by: String,
    /// Reference number of the decision.
    trace: String,
}

impl From<SeatEvent> for SeatEventView {
    fn from(event: SeatEvent) -> Self {
        let what = match event.what {
            SeatChange::Taken => "taken",
            SeatChange::Released => "released",
            SeatChange::Waiting => "waiting",
            SeatChange::Left => "left",
        };
        Self {
            at: event.at,
            account: event.account.as_str().to_owned(),
            license: event.license.as_str().to_owned(),
            what: what.to_owned(),
            by: event.actor,
            trace: event.trace.as_str().to_owned(),
        }
    }
}

impl From<Use> for SeatsView {
    fn from(found: Use) -> Self {
        let members = |kind: AccountKind| found.members.get(&kind).copied().unwrap_or_default();
        let (users, readers) = (members(AccountKind::User), members(AccountKind::Reader));
        let in_all = |kind: AccountKind| {
            let meter = found.kinds.get(&kind).copied().unwrap_or_default();
            let waiting = found.pools.iter().filter_map(|pool| pool.by_kind.get(&kind));
            OfKindInAll {
                limit: meter.limit,
                used: meter.used,
                waiting: waiting.map(|(_, waiting)| waiting).sum(),
            }
        };
        let seats = OfKinds {
            users: in_all(AccountKind::User),
            readers: in_all(AccountKind::Reader),
        };
        Self {
            users,
            readers,
            seats,
            pools: found.pools.into_iter().map(PoolView::from).collect(),
        }
    }
}

impl From<Pool> for PoolView {
    fn from(pool: Pool) -> Self {
        let of = |kind: AccountKind| {
            let (used, waiting) = pool.by_kind.get(&kind).copied().unwrap_or_default();
            OfKind { used, waiting }
        };
        Self {
            users: of(AccountKind::User),
            readers: of(AccountKind::Reader),
            license: pool.license.id.as_str().to_owned(),
            seats: pool.license.seats,
            kind: pool.license.kind,
            used: pool.used,
        }
    }
}

async fn count(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(organization): Path<String>,
) -> Result<Json<SeatsView>> {
    let found = seats::count(&app, &caller, &organization).await?;
    Ok(Json(SeatsView::from(found)))
}

async fn list_waiting(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(organization): Path<String>,
    Asked(query): Asked<WaitingQuery>,
) -> Result<Json<WaitingList>> {
    let waiting = seats::waiting(&app, &caller, &organization, query.license.as_deref()).await?;
    let items = waiting.into_iter().map(|one| WaitingView {
        license: one.license.as_str().to_owned(),
        account: one.account.account.id.as_str().to_owned(),
        email: one.account.account.email.as_ref().map(ToString::to_string),
        kind: one.account.account.kind,
        since: one.since,
    });
    Ok(Json(WaitingList {
        items: items.collect(),
    }))
}

async fn list_history(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(organization): Path<String>,
    Asked(query): Asked<PageQuery>,
) -> Result<Json<Page<SeatEventView>>> {
    let limit = query.limit()?;
    let before = query.cursor.as_deref().map(position).transpose()?;
    let found = seats::history(&app, &caller, &organization, before, limit).await?;
    let is_full = u32::try_from(found.len()).is_ok_and(|count| count >= limit);
    let next = found.last().filter(|_| is_full).map(|last| {
        let at = last.at.as_millisecond().to_string();
        cursor(&[at.as_str(), last.account.as_str()])
    });
    Ok(Json(Page {
        items: found.into_iter().map(SeatEventView::from).collect(),
        next,
    }))
}

async fn list_days(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(organization): Path<String>,
    Asked(query): Asked<DaysQuery>,
) -> Result<Json<SeatDaysView>> {
    let found = seats::days(&app, &caller, &organization, query.from, query.to).await?;
    Ok(Json(SeatDaysView {
        from: found.from,
        to: found.to,
        series: found.series.into_iter().map(SeriesView::from).collect(),
    }))
}

fn position(cursor: &str) -> Result<(Timestamp, AccountId)> {
    let [at, account] = <[String; 2]>::try_from(open_cursor(cursor)?).map_err(|_| invalid_cursor())?;
    let at = at
        .parse()
        .ok()
        .and_then(|at| Timestamp::from_millisecond(at).ok())
        .ok_or_else(invalid_cursor)?;
    Ok((at, AccountId::new(account)))
}
