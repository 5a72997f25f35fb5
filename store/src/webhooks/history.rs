//! What webhooks were told: listed, queued again by hand, and forgotten after a while.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::{Attempt, DELIVERY, Delivery, DeliveryState, delivery};
use crate::error::Result;
use crate::tx::{Reader, Tx};
use crate::value::{Bind, binds, to_word};

/// Most deliveries queued again in one transaction.
const MOST: u32 = 10_000;
/// Deliveries that wait are counted this far.
const COUNTED: u32 = 1000;

/// Which deliveries; all conditions hold.
#[derive(Clone, Debug, Default)]
pub struct DeliveryFilter {
    /// About this account.
    pub subject: Option<String>,
    /// In this state.
    pub state: Option<DeliveryState>,
    /// Made at this time or later.
    pub since: Option<Timestamp>,
    /// Made before this time.
    pub until: Option<Timestamp>,
    /// Older than this one: when the last delivery of the page before was made, and its identifier.
    pub before: Option<(Timestamp, String)>,
}

/// What was queued again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requeued {
    /// How many.
    pub queued: u64,
    /// When the newest of them was made, if there may be more.
    pub until: Option<Timestamp>,
}

impl Tx {
    /// Queues one delivery again. False if there is none, or it waits anyway.
    ///
    /// # Errors
    /// `engine`.
    pub async fn replay_delivery(&mut self, webhook: &str, id: &str, now: Timestamp) -> Result<bool> {
        self.lock_webhook(webhook).await?;
        let sql = "UPDATE webhook_deliveries SET state = 'pending', failures = 0, due_at = $3 \
                   WHERE id = $2 AND webhook = $1 AND state <> 'pending'";
        let is_queued = self.run(sql, binds![webhook, id, now]).await? > 0;
        if is_queued {
            self.order_anew(webhook, now).await?;
        }
        Ok(is_queued)
    }

    /// Queues deliveries again that were made at this time or later, the oldest first: those that were given up, or all. No
    /// more than 10,000 at once.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn replay_deliveries(
        &mut self,
        webhook: &str,
        since: Timestamp,
        all: bool,
        now: Timestamp,
    ) -> Result<Requeued> {
        self.lock_webhook(webhook).await?;
        let states = if all {
            "state <> 'pending'"
        } else {
            "state = 'failed'"
        };
        let sql = format!(
            "UPDATE webhook_deliveries SET state = 'pending', failures = 0, due_at = $3 WHERE id IN (SELECT id \
             FROM webhook_deliveries WHERE webhook = $1 AND created_at >= $2 AND {states} ORDER BY sequence LIMIT $4) \
             RETURNING created_at"
        );
        let rows = self.rows(&sql, binds![webhook, since, now, MOST]).await?;
        let mut made = Vec::with_capacity(rows.len());
        for mut row in rows {
            made.push(row.time("webhook_deliveries.created_at")?);
        }
        if !made.is_empty() {
            self.order_anew(webhook, now).await?;
        }
        let is_full = u32::try_from(made.len()).is_ok_and(|count| count >= MOST);
        Ok(Requeued {
            queued: u64::try_from(made.len()).unwrap_or(u64::MAX),
            until: made.into_iter().max().filter(|_| is_full),
        })
    }

    /// Finds out anew which deliveries are the oldest of their account, after older ones were queued again.
    async fn order_anew(&mut self, webhook: &str, now: Timestamp) -> Result<()> {
        let sql = "UPDATE webhook_deliveries SET ready = CASE WHEN EXISTS (SELECT 1 FROM webhook_deliveries e \
                   WHERE e.webhook = $1 AND e.subject = webhook_deliveries.subject AND e.state = 'pending' \
                   AND e.sequence < webhook_deliveries.sequence) THEN 0 ELSE 1 END WHERE webhook = $1 AND state = 'pending'";
        self.run(sql, binds![webhook]).await?;
        // Somebody waits for it: without a rest.
        let sql = "UPDATE webhooks SET due_at = $2, rest_until = NULL WHERE id = $1 AND enabled = 1";
        self.run(sql, binds![webhook, now]).await.map(drop)
    }

    /// Removes up to `batch` deliveries that arrived or were given up and were made before this.
    ///
    /// # Errors
    /// `engine`.
    pub async fn purge_deliveries(&mut self, before: Timestamp, batch: u32) -> Result<u64> {
        let sql = "DELETE FROM webhook_deliveries WHERE id IN (SELECT id FROM webhook_deliveries \
                   WHERE created_at < $1 AND state <> 'pending' LIMIT $2)";
        self.run(sql, binds![before, batch]).await
    }
}

impl Reader {
    /// Lists deliveries of a webhook, newest event first, before a position.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn deliveries(
        &mut self,
        webhook: &str,
        state: Option<DeliveryState>,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Delivery>> {
        let mut sql =
            format!("SELECT {DELIVERY} FROM webhook_deliveries WHERE webhook = $1 AND sequence < $2");
        if let Some(state) = state {
            // Written out, so that the indexes of single states can be used. Writing to a String cannot fail.
            let _ = write!(sql, " AND state = '{}'", to_word(&state)?);
        }
        sql.push_str(" ORDER BY sequence DESC LIMIT $3");
        let values = binds![webhook, before.unwrap_or(i64::MAX), limit];
        let rows = self.rows(&sql, values).await?;
        rows.into_iter().map(delivery).collect()
    }

    /// Lists deliveries of a webhook in the order in which they were made, newest first.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn deliveries_where(
        &mut self,
        webhook: &str,
        filter: &DeliveryFilter,
        limit: u32,
    ) -> Result<Vec<Delivery>> {
        let mut values = binds![limit, webhook];
        let mut sql = format!("SELECT {DELIVERY} FROM webhook_deliveries WHERE webhook = $2");
        let mut add = |condition: &str, value: Bind| {
            values.push(value);
            // Writing to a String cannot fail.
            let _ = write!(sql, " AND {condition} ${}", values.len());
        };
        if let Some(subject) = &filter.subject {
            add("subject =", subject.into());
        }
        if let Some(state) = &filter.state {
            add("state =", to_word(state)?.into());
        }
        if let Some(since) = filter.since {
            add("created_at >=", since.into());
        }
        if let Some(until) = filter.until {
            add("created_at <", until.into());
        }
        if let Some((at, id)) = &filter.before {
            values.push((*at).into());
            values.push(id.into());
            let _ = write!(
                sql,
                " AND (created_at, id) < (${}, ${})",
                values.len() - 1,
                values.len()
            );
        }
        sql.push_str(" ORDER BY created_at DESC, id DESC LIMIT $1");
        let rows = self.rows(&sql, values).await?;
        rows.into_iter().map(delivery).collect()
    }

    /// Counts what a webhook is still to be told, no further than 1,000.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn waiting_deliveries(&mut self, webhook: &str) -> Result<u32> {
        let sql = "SELECT COUNT(*) FROM (SELECT 1 AS one FROM webhook_deliveries WHERE webhook = $1 AND state = 'pending' \
                   LIMIT $2) waiting";
        match self.row(sql, binds![webhook, COUNTED]).await? {
            Some(mut row) => row.count("webhook_deliveries"),
            None => Ok(0),
        }
    }

    /// Finds a delivery of a webhook, with how its tries went, oldest first.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn delivery(&mut self, webhook: &str, id: &str) -> Result<Option<(Delivery, Vec<Attempt>)>> {
        let sql = format!("SELECT {DELIVERY} FROM webhook_deliveries WHERE id = $1 AND webhook = $2");
        let Some(row) = self.row(&sql, binds![id, webhook]).await? else {
            return Ok(None);
        };
        let found = delivery(row)?;
        let sql = "SELECT at, status, error, answer, milliseconds FROM webhook_attempts WHERE delivery = $1 ORDER BY number";
        let attempts = self
            .rows(sql, binds![id])
            .await?
            .into_iter()
            .map(|mut row| {
                Ok(Attempt {
                    at: row.time("webhook_attempts.at")?,
                    status: row.opt_int("webhook_attempts.status")?,
                    error: row.opt_text("webhook_attempts.error")?,
                    answer: row.opt_text("webhook_attempts.answer")?,
                    milliseconds: row.int("webhook_attempts.milliseconds")?,
                })
            })
            .collect::<Result<_>>()?;
        Ok(Some((found, attempts)))
    }
}
