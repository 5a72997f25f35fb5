//! Background jobs: what kinds there are, when they come round, and the runner that claims them.
//!
//! Jobs live in the store, so any node may run any of them and none is lost with a process. A job may run
//! more than once: every kind must bear that. Nothing here decides about people.

mod housekeeping;
mod mail;
pub mod metadata;
mod runner;
mod seat_days;
pub mod seats;
mod webhooks;

use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use provost_store::{NewJob, StoreError, Tx};
use serde_json::Value;

use crate::app::App;
use crate::flow::configuration::ending;
use crate::flow::console::bulk;
use crate::flow::imports;
use crate::flow::openid::{keys, notify};
use crate::flow::overrides;
use crate::flow::policy::drift;
use crate::flow::scim::{upkeep, watch};
use crate::flow::{domains, enforcement};
use crate::world::{NoRandomness, World};

pub use runner::Runner;

/// The work of one kind: gets the payload, succeeds or says why not.
pub type Work = for<'a> fn(&'a App, &'a Value) -> BoxFuture<'a, anyhow::Result<()>>;

/// One kind of job.
#[derive(Clone, Copy)]
pub struct Kind {
    /// Stable name, in the store and in measurements.
    pub name: &'static str,
    /// The work.
    pub work: Work,
    /// Seconds to wait after each failure; after the last one the job is given up.
    pub retries: &'static [i64],
    /// How often one comes round by itself, if it does.
    pub every: Option<Duration>,
}

impl Kind {
    /// Counts the rounds up to a time, for what comes round by itself. The job of a round is queued under the kind's name and this
    /// number, once on all nodes.
    pub fn slot(&self, now: Timestamp) -> Option<i64> {
        let seconds = i64::try_from(self.every?.as_secs().max(1)).unwrap_or(i64::MAX);
        Some(now.as_second() / seconds)
    }
}

/// Removing what has expired.
pub const HOUSEKEEPING: &str = "housekeeping";
/// Reading the metadata of identity providers again.
pub const METADATA_REFRESH: &str = "metadata_refresh";

/// Telling an app that a session ended.
pub const BACKCHANNEL_LOGOUT: &str = "backchannel_logout";
/// Giving free license seats to those who wait.
pub const SEATS: &str = "seats";
/// Counting seats for the history by day.
pub const SEAT_DAYS: &str = "seat_days";
/// Importing many people.
pub const IMPORT: &str = "import";
/// Doing the same to many people at once, from the console.
pub const BULK: &str = "bulk";
/// Rotating the keys that sign our tokens.
pub const KEY_ROTATION: &str = "key_rotation";

/// Running rules again for people of a directory, after a change that touched many.
pub const REEVALUATE: &str = provost_store::REEVALUATE;
/// Deleting and erasing people whom a directory took out long ago.
pub const DIRECTORY_EXPIRY: &str = "directory_expiry";
/// Giving fields back to directories whose override is over.
pub const OVERRIDES: &str = "overrides";
/// Looking for people whose access a hand edit keeps otherwise than the rules say.
pub const DRIFT: &str = "drift";
/// Looking for directories that fell silent or fail.
pub const DIRECTORY_WATCH: &str = "directory_watch";

const MINUTE: u64 = 60;

/// Ending password sessions of people who have to use single sign-on from now on.
pub const EVICTION: &str = "eviction";
/// Dealing with the people of a connection that ends.
pub const CONNECTION_ENDING: &str = "connection_ending";
/// Looking up claimed domains again.
pub const DOMAIN_CHECK: &str = "domain_check";

/// Every kind, in one table.
pub const KINDS: &[Kind] = &[
    Kind {
        name: HOUSEKEEPING,
        work: |app, _| Box::pin(housekeeping::run(app)),
        retries: &[],
        every: Some(Duration::from_secs(10 * MINUTE)),
    },
    Kind {
        name: METADATA_REFRESH,
        work: |app, _| Box::pin(metadata::run(app)),
        retries: &[],
        every: Some(Duration::from_secs(60 * MINUTE)),
    },
    Kind {
        name: BACKCHANNEL_LOGOUT,
        work: |app, payload| Box::pin(notify::deliver(app, payload)),
        // Dense at first, as every second counts; then for an app that is down, about a day in all.
        retries: &[
            1, 2, 3, 5, 10, 20, 60, 120, 300, 600, 1800, 3600, 7200, 14_400, 28_800, 28_800,
        ],
        every: None,
    },
    Kind {
        name: SEATS,
        work: |app, _| Box::pin(seats::run(app)),
        retries: &[5],
        every: Some(Duration::from_secs(MINUTE)),
    },
    Kind {
        name: SEAT_DAYS,
        work: |app, _| Box::pin(seat_days::run(app)),
        retries: &[],
        every: Some(Duration::from_secs(60 * MINUTE)),
    },
    Kind {
        name: IMPORT,
        work: |app, payload| Box::pin(imports::work(app, payload)),
        retries: &[1, 5, 30, 120, 600],
        every: None,
    },
    Kind {
        name: BULK,
        work: |app, payload| Box::pin(bulk::work(app, payload)),
        retries: &[1, 5, 30, 120, 600],
        every: None,
    },
    Kind {
        name: KEY_ROTATION,
        work: |app, _| Box::pin(async move { Ok(keys::rotate(app).await.map(drop)?) }),
        retries: &[],
        every: Some(Duration::from_secs(60 * MINUTE)),
    },
    Kind {
        name: REEVALUATE,
        work: |app, payload| Box::pin(upkeep::reevaluate(app, payload)),
        retries: &[1, 5, 30, 120, 600, 3600, 14_400],
        every: None,
    },
    Kind {
        name: DIRECTORY_EXPIRY,
        work: |app, _| Box::pin(upkeep::expire(app)),
        retries: &[],
        every: Some(Duration::from_secs(60 * MINUTE)),
    },
    Kind {
        name: OVERRIDES,
        work: |app, _| Box::pin(overrides::expire(app)),
        retries: &[],
        every: Some(Duration::from_secs(MINUTE)),
    },
    Kind {
        name: DRIFT,
        work: |app, _| Box::pin(drift::work(app)),
        retries: &[],
        every: Some(Duration::from_secs(15)),
    },
    Kind {
        name: DIRECTORY_WATCH,
        work: |app, _| Box::pin(async move { Ok(watch::run(app).await?) }),
        retries: &[],
        every: Some(Duration::from_secs(60 * MINUTE)),
    },
    Kind {
        name: EVICTION,
        work: |app, payload| Box::pin(enforcement::evict(app, payload)),
        retries: &[1, 5, 30, 120, 600, 3600],
        every: None,
    },
    Kind {
        name: CONNECTION_ENDING,
        work: |app, payload| Box::pin(ending::work(app, payload)),
        retries: &[1, 5, 30, 120, 600, 3600],
        every: None,
    },
    Kind {
        name: DOMAIN_CHECK,
        work: |app, _| Box::pin(async move { Ok(domains::check_due(app).await?) }),
        retries: &[],
        every: Some(Duration::from_secs(5 * MINUTE)),
    },
];

/// Finds a kind by name.
pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// Queues a job in a transaction: it exists if and only if the transaction commits. Ring [`App::ring_jobs`] after that.
///
/// # Errors
/// As the store's `enqueue`.
pub async fn enqueue_in_tx(tx: &mut Tx, job: NewJob, now: Timestamp) -> Result<bool, StoreError> {
    tx.enqueue(&job, now).await
}

/// Makes a job that may run at once.
///
/// # Errors
/// [`NoRandomness`].
pub fn new_job(
    world: &World,
    kind: &'static str,
    key: Option<String>,
    payload: Value,
) -> Result<NewJob, NoRandomness> {
    Ok(NewJob {
        id: world.id("job_")?,
        kind: kind.to_owned(),
        idempotency_key: key,
        payload,
        run_at: world.now(),
    })
}
