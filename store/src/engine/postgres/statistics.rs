//! Keeps what PostgreSQL's planner knows of tables near the truth while they grow.
//!
//! Statements here are planned once for each connection and whatever their values are ([`super::SETTINGS`]). A plan made while
//! a table was empty takes any index for as good as any other, say one of a whole directory to find a single person, and stays
//! until statistics are gathered. Autovacuum looks once a minute; a directory that arrives in a new installation brings tens
//! of thousands of people by then, each found by looking through all those before. So whoever writes much has the sizes looked
//! at, and statistics are gathered of what has doubled since, which makes every connection plan anew. Never knows a table.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

/// Writes after which sizes are looked at for the first time. From look to look they double, up to [`MOST`].
const FIRST: u64 = 64;
/// Writes between two looks at most: few enough for a directory that arrives on a node that has long been up.
const MOST: u64 = 1_024;
/// Between two looks at least.
const PAUSE: Duration = Duration::from_secs(1);
/// For one look with what follows from it.
const PATIENCE: Duration = Duration::from_mins(1);
/// Names our tables that have doubled since statistics were gathered of them. Eight pages hold about a hundred people, and
/// are read through soon enough.
const DOUBLED: &str = "SELECT string_agg(quote_ident(c.relname), ', ' ORDER BY c.relname) FROM pg_class c \
                       JOIN pg_namespace n ON n.oid = c.relnamespace \
                       WHERE n.nspname = current_schema() AND c.relkind = 'r' AND pg_has_role(c.relowner, 'USAGE') \
                       AND pg_relation_size(c.oid) > current_setting('block_size')::bigint * (2 * c.relpages + 8)";

/// Statements here are planned whatever their values are, so a look at a few thousand rows of a table tells enough; PostgreSQL's
/// own measure takes ten times as long. Autovacuum gathers the rest later.
const SAMPLE: &str = "SET default_statistics_target = 10";

/// Counts writes, and has a task look at the sizes of tables.
pub(super) struct Statistics {
    writes: AtomicU64,
    /// The count at which the task looks; out of reach while it does.
    next: AtomicU64,
    look: Arc<Notify>,
}

impl Statistics {
    /// Starts the task, which ends with the last handle. It opens a connection for each look.
    pub(super) fn start(options: PgConnectOptions) -> Arc<Self> {
        let statistics = Arc::new(Self {
            writes: AtomicU64::new(0),
            next: AtomicU64::new(FIRST),
            look: Arc::default(),
        });
        let (look, counts) = (Arc::clone(&statistics.look), Arc::downgrade(&statistics));
        // An operator who looks at the connections sees what this one is for.
        let options = options.application_name("provost statistics");
        tokio::spawn(async move {
            let mut step = FIRST;
            loop {
                look.notified().await;
                let Some(seen) = counts.upgrade().map(|counts| counts.writes()) else {
                    return;
                };
                // Nothing depends on it: what went wrong, autovacuum makes good.
                let _ = timeout(PATIENCE, gather(&options)).await;
                sleep(PAUSE).await;
                let Some(counts) = counts.upgrade() else { return };
                step = MOST.min(step * 2);
                counts.next.store(seen + step, Ordering::Relaxed);
                // Those that came meanwhile may have been the last.
                counts.look_if_due(counts.writes());
            }
        });
        statistics
    }

    /// Counts a transaction that writes.
    pub(super) fn count(&self) {
        self.look_if_due(self.writes.fetch_add(1, Ordering::Relaxed) + 1);
    }

    fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    fn look_if_due(&self, writes: u64) {
        if writes >= self.next.load(Ordering::Relaxed) {
            self.next.store(u64::MAX, Ordering::Relaxed);
            self.look.notify_one();
        }
    }
}

impl Drop for Statistics {
    fn drop(&mut self) {
        self.look.notify_one();
    }
}

/// Gathers statistics of the tables that have doubled, but for those of which somebody else does.
async fn gather(options: &PgConnectOptions) -> Result<(), sqlx::Error> {
    let mut conn = options.connect().await?;
    let doubled: Option<String> = sqlx::query_scalar(DOUBLED).fetch_one(&mut conn).await?;
    if let Some(tables) = doubled {
        conn.execute(SAMPLE).await?;
        let sql = AssertSqlSafe(format!("ANALYZE (SKIP_LOCKED) {tables}"));
        conn.execute(sqlx::raw_sql(sql)).await?;
    }
    conn.close().await
}
