//! Connections between two uses. The driver's pool asks the server for a sign of life whenever a connection comes back,
//! which is a round trip; here one whose work ended well goes to its next user directly, and only others go back. Never
//! knows a statement.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, PgPool, Postgres};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::group_commit::{GroupCommit, Writing};
use super::joint::Joint;
use super::statistics::Statistics;
use crate::engine::failure::failed;
use crate::error::Result;

/// How long one waits for a connection.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// How long a connection is kept from the driver's pool, which ends those that are old or have long been idle.
const KEPT: Duration = Duration::from_mins(1);

/// Where connections come from. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Pool {
    driver: PgPool,
    /// As many as the driver's pool has connections, so that nobody waits there for one that is kept here.
    turns: Arc<Semaphore>,
    kept: Arc<Mutex<Vec<Kept>>>,
    behind: Behind,
}

/// What works behind the connections, each on one of its own.
#[derive(Clone)]
pub(super) struct Behind {
    pub(super) group: Arc<GroupCommit>,
    pub(super) joint: Arc<Joint>,
    pub(super) statistics: Arc<Statistics>,
}

struct Kept {
    conn: PoolConnection<Postgres>,
    /// When the driver's pool gave it.
    since: Instant,
    used: Instant,
}

/// A connection in use. Dropped, it goes to the driver's pool, which looks whether it can go on living.
pub(crate) struct Postgresql {
    conn: PoolConnection<Postgres>,
    since: Instant,
    pool: Pool,
    _turn: OwnedSemaphorePermit,
}

impl Pool {
    pub(super) fn new(driver: PgPool, connections: u32, behind: Behind) -> Self {
        Self {
            driver,
            turns: Arc::new(Semaphore::new(usize::try_from(connections).unwrap_or(usize::MAX))),
            kept: Arc::default(),
            behind,
        }
    }

    pub(crate) async fn acquire(&self) -> Result<Postgresql> {
        let turn = timeout(PATIENCE, Arc::clone(&self.turns).acquire_owned())
            .await
            .map_err(|_| failed(sqlx::Error::PoolTimedOut))?
            .map_err(|_| failed(sqlx::Error::PoolClosed))?;
        let (conn, since) = match self.take() {
            Some(kept) => (kept.conn, kept.since),
            None => (self.driver.acquire().await.map_err(failed)?, Instant::now()),
        };
        Ok(Postgresql {
            conn,
            since,
            pool: self.clone(),
            _turn: turn,
        })
    }

    /// Counts a transaction that writes until the answer is dropped.
    pub(crate) fn writing(&self) -> Writing {
        self.behind.statistics.count();
        self.behind.group.enter()
    }

    /// Returns by what commits wait together.
    pub(super) fn group(&self) -> &GroupCommit {
        &self.behind.group
    }

    /// Returns how many connections are open, and how many of them are idle.
    pub(crate) fn usage(&self) -> (u32, usize) {
        (self.driver.size(), self.driver.num_idle() + self.kept().len())
    }

    /// Ends all connections, once they are back.
    pub(crate) async fn close(&self) {
        self.turns.close();
        self.kept().clear();
        self.driver.close().await;
    }

    /// Takes the one that was used last, and lets one go that nobody has needed for long.
    fn take(&self) -> Option<Kept> {
        let mut kept = self.kept();
        let newest = kept.pop()?;
        if kept.first().is_some_and(|oldest| oldest.used.elapsed() > KEPT) {
            drop(kept.remove(0));
        }
        Some(newest)
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Postgresql {
    /// Returns by what commits wait together.
    pub(super) fn group(&self) -> Arc<GroupCommit> {
        Arc::clone(&self.pool.behind.group)
    }

    /// Returns by what transactions end together.
    pub(super) fn joint(&self) -> &Joint {
        &self.pool.behind.joint
    }

    /// Returns where this connection comes from.
    pub(super) fn pool(&self) -> Pool {
        self.pool.clone()
    }

    /// Gives back a connection on which nothing is under way: no transaction, no rows that nobody read.
    pub(crate) fn release(self) {
        if self.since.elapsed() > KEPT {
            return;
        }
        let mut kept = self.pool.kept();
        // Nobody would end it after that.
        if !self.pool.turns.is_closed() {
            kept.push(Kept {
                conn: self.conn,
                since: self.since,
                used: Instant::now(),
            });
        }
    }

    /// Throws away a connection whose state is unknown.
    pub(crate) fn discard(self) {
        drop(self.conn.detach());
    }
}

impl Deref for Postgresql {
    type Target = PgConnection;
    fn deref(&self) -> &PgConnection {
        &self.conn
    }
}

impl DerefMut for Postgresql {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.conn
    }
}
