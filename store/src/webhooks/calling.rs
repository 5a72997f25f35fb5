//! Which webhook is called next, by one node at a time, with what, and how that went. A webhook whose calls fail rests, and is tried
//! with one delivery at a time: a receiver that is down costs little, whatever waits for it, and holds up nobody else's.

use jiff::{SignedDuration, Timestamp};
use provost_kernel::id::OrganizationId;

use super::{Attempt, DELIVERY, Delivery, DeliveryState, delivery};
use crate::error::Result;
use crate::feed::Event;
use crate::tx::{Reader, Tx};
use crate::value::{binds, list, to_word};

/// What follows from a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It arrived.
    Delivered,
    /// It is tried again then.
    Again(Timestamp),
    /// It is given up.
    GivenUp,
}

/// A delivery that was tried.
#[derive(Clone, Debug)]
pub struct Tried {
    /// The delivery as it was before.
    pub delivery: Delivery,
    /// How it went.
    pub attempt: Attempt,
    /// What follows.
    pub settled: Settled,
}

impl Tx {
    /// Claims up to `count` webhooks that are to be called, until the lease ends or [`Tx::settle_webhook`].
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn claim_webhooks(
        &mut self,
        count: u32,
        lease: SignedDuration,
        now: Timestamp,
    ) -> Result<Vec<String>> {
        let sql = format!("SELECT id FROM webhooks WHERE {DUE} ORDER BY due_at, id LIMIT $2{{skip_locked}}");
        let mut due = Vec::new();
        for mut row in self.rows(&sql, binds![now, count]).await? {
            due.push(row.text("webhooks.id")?);
        }
        if !due.is_empty() {
            let until = now.checked_add(lease).unwrap_or(Timestamp::MAX);
            let sql = "UPDATE webhooks SET locked_until = $2 WHERE id IN ({list:$1})";
            self.run(sql, binds![list(&due)?, until]).await?;
        }
        Ok(due)
    }

    /// Notes how calls of a webhook went and lets go of it. `rest_until` is when it may be called again, after a failure.
    /// Returns since when nothing has arrived; none if something did.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn settle_webhook(
        &mut self,
        id: &str,
        tried: &[Tried],
        rest_until: Option<Timestamp>,
    ) -> Result<Option<Timestamp>> {
        let sql = "SELECT failing_since FROM webhooks WHERE id = $1{lock}";
        let Some(mut row) = self.row(sql, binds![id]).await? else {
            return Ok(None);
        };
        let before = row.opt_time("webhooks.failing_since")?;
        for one in tried {
            self.settle_later(one)?;
        }
        for one in tried {
            if !matches!(one.settled, Settled::Again(_)) {
                self.ready_next(id, &one.delivery.subject).await?;
            }
        }
        let arrived = tried.iter().any(|one| one.settled == Settled::Delivered);
        let failed = tried.iter().map(|one| one.attempt.at).min();
        let failing_since = if arrived { None } else { before.or(failed) };
        let sql = "UPDATE webhooks SET failing_since = $2, rest_until = $3, locked_until = NULL, due_at = (SELECT MIN(due_at) \
                   FROM webhook_deliveries WHERE webhook = $1 AND state = 'pending' AND ready = 1) WHERE id = $1";
        self.run(sql, binds![id, failing_since, rest_until]).await?;
        Ok(failing_since)
    }

    fn settle_later(&mut self, tried: &Tried) -> Result<()> {
        let (delivery, attempt) = (&tried.delivery, &tried.attempt);
        let sql = "INSERT INTO webhook_attempts (delivery, number, at, status, error, answer, milliseconds) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (delivery, number) DO NOTHING";
        let row = binds![
            &delivery.id,
            delivery.attempts + 1,
            attempt.at,
            attempt.status,
            &attempt.error,
            &attempt.answer,
            attempt.milliseconds
        ];
        self.later(sql, row);
        let (state, due_at, delivered_at) = match tried.settled {
            Settled::Delivered => (DeliveryState::Delivered, None, Some(attempt.at)),
            Settled::Again(at) => (DeliveryState::Pending, Some(at), None),
            Settled::GivenUp => (DeliveryState::Failed, None, None),
        };
        let failed = i64::from(tried.settled != Settled::Delivered);
        let sql = "UPDATE webhook_deliveries SET state = $2, due_at = COALESCE($3, due_at), delivered_at = $4, \
                   attempts = attempts + 1, failures = failures + $5, last_status = $6, last_error = $7 \
                   WHERE id = $1 AND state = 'pending'";
        let values = binds![
            &delivery.id,
            to_word(&state)?,
            due_at,
            delivered_at,
            failed,
            attempt.status,
            &attempt.error
        ];
        self.later(sql, values);
        Ok(())
    }

    /// Lets the oldest that waits of one account be sent.
    async fn ready_next(&mut self, webhook: &str, subject: &str) -> Result<()> {
        let sql = "UPDATE webhook_deliveries SET ready = 1 WHERE id = (SELECT id FROM webhook_deliveries WHERE webhook = $1 \
                   AND subject = $2 AND state = 'pending' ORDER BY sequence LIMIT 1)";
        self.run(sql, binds![webhook, subject]).await.map(drop)
    }
}

/// Which webhooks are to be called at the time `$1`.
const DUE: &str = "enabled = 1 AND due_at <= $1 AND (rest_until IS NULL OR rest_until <= $1) \
                   AND (locked_until IS NULL OR locked_until <= $1)";

impl Reader {
    /// Tells whether a webhook is to be called.
    ///
    /// # Errors
    /// `engine`.
    pub async fn has_due_webhook(&mut self, now: Timestamp) -> Result<bool> {
        let sql = format!("SELECT 1 FROM webhooks WHERE {DUE} LIMIT 1");
        Ok(self.row(&sql, binds![now]).await?.is_some())
    }

    /// Lists what a webhook is to be told now, each of another account, what waits longest first.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn due_deliveries(
        &mut self,
        webhook: &str,
        count: u32,
        now: Timestamp,
    ) -> Result<Vec<Delivery>> {
        let sql = format!(
            "SELECT {DELIVERY} FROM webhook_deliveries WHERE webhook = $1 AND state = 'pending' AND ready = 1 \
             AND due_at <= $2 ORDER BY due_at, sequence LIMIT $3"
        );
        let rows = self.rows(&sql, binds![webhook, now, count]).await?;
        rows.into_iter().map(delivery).collect()
    }

    /// Finds the event at a position of the feed, as an organization may read it if one is given.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn event_at(
        &mut self,
        sequence: i64,
        organization: Option<&OrganizationId>,
    ) -> Result<Option<Event>> {
        let mut found = self.events(sequence - 1, 1).await?;
        found.retain(|event| event.sequence == sequence);
        if let Some(own) = organization {
            found = self.as_read_by(own, found).await?;
        }
        Ok(found.into_iter().next())
    }
}
