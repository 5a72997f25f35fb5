//! Webhooks: who is told of which events, what is still to be told, and how each try went. Deliveries are made from the event
//! feed, claimed by one node at a time, and repeated until they arrived or were given up. Never sends one.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use provost_kernel::id::OrganizationId;
use serde::{Deserialize, Serialize};

use crate::error::{Result, StoreError};
use crate::feed::Event;
use crate::seal::SecretMap;
use crate::tx::{Reader, Tx};
use crate::value::{Bind, Row, binds, json, list, to_word};

/// Events looked at for one webhook in one go.
const STRETCH: u32 = 500;

/// Who is told of which events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Identifier.
    pub id: String,
    /// Whose events; none for all of the instance.
    pub organization: Option<OrganizationId>,
    /// Where to.
    pub url: String,
    /// What it is for.
    pub description: Option<String>,
    /// Which kinds of events: exact ones, or `user.*` for all of a family; none for all.
    pub kinds: Vec<String>,
    /// Whether events are told.
    pub enabled: bool,
    /// The event up to which deliveries were made.
    pub position: i64,
    /// Secrets `current` and, while a rotation goes on, `previous`.
    pub secrets: SecretMap,
    /// Until when the previous secret signs, too.
    pub previous_until: Option<Timestamp>,
    /// Since when nothing has arrived, if something failed.
    pub failing_since: Option<Timestamp>,
    /// Why it was switched off by itself.
    pub disabled_reason: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Webhook {
    /// Tells whether a kind of event is wanted.
    pub fn wants(&self, kind: &str) -> bool {
        self.kinds.is_empty()
            || self.kinds.iter().any(|wanted| match wanted.strip_suffix(".*") {
                Some(family) => kind
                    .strip_prefix(family)
                    .is_some_and(|rest| rest.starts_with('.')),
                None => wanted == kind,
            })
    }
}

/// What became of a delivery so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It waits, for its first or another try.
    Pending,
    /// It arrived.
    Delivered,
    /// It was given up; it can be sent again by hand.
    Failed,
}

/// One event that is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Identifier.
    pub id: String,
    /// To whom.
    pub webhook: String,
    /// Position of the event in the feed.
    pub sequence: i64,
    /// Identifier of the event.
    pub event: String,
    /// Kind of the event.
    pub kind: String,
    /// What became of it.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: i64,
    /// How often it failed since it was queued last.
    pub failures: i64,
    /// When it is tried next.
    pub due_at: Timestamp,
    /// Status of the last answer.
    pub last_status: Option<i64>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it arrived.
    pub delivered_at: Option<Timestamp>,
}

/// How one try went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When.
    pub at: Timestamp,
    /// Status of the answer, if there was one.
    pub status: Option<i64>,
    /// What went wrong, if something did. Never a body.
    pub error: Option<String>,
    /// How long it took.
    pub milliseconds: i64,
}

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

const COLUMNS: &str = "id, organization, url, description, kinds, enabled, position, secrets, previous_until, \
                       failing_since, disabled_reason, created_at";
const DELIVERY: &str = "id, webhook, sequence, event, kind, state, attempts, failures, due_at, last_status, last_error, \
                        created_at, delivered_at";

impl Tx {
    /// Keeps a new webhook.
    ///
    /// # Errors
    /// `engine` and `sealed`.
    pub async fn insert_webhook(&mut self, webhook: &Webhook) -> Result<()> {
        let secrets = self
            .sealer
            .seal_map(("webhooks", "secrets", &webhook.id), &webhook.secrets)?;
        let sql = "INSERT INTO webhooks (id, organization, url, description, kinds, enabled, position, secrets, created_at) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        let row = binds![
            &webhook.id,
            webhook.organization.as_ref(),
            &webhook.url,
            &webhook.description,
            json(&webhook.kinds)?,
            webhook.enabled,
            webhook.position,
            secrets,
            webhook.created_at,
        ];
        self.run(sql, row).await.map(drop)
    }

    /// Writes what can be changed of a webhook. False if it is gone.
    ///
    /// # Errors
    /// `engine` and `sealed`.
    pub async fn update_webhook(&mut self, webhook: &Webhook) -> Result<bool> {
        let secrets = self
            .sealer
            .seal_map(("webhooks", "secrets", &webhook.id), &webhook.secrets)?;
        let sql = "UPDATE webhooks SET url = $2, description = $3, kinds = $4, enabled = $5, secrets = $6, \
                   previous_until = $7, disabled_reason = $8 WHERE id = $1";
        let values = binds![
            &webhook.id,
            &webhook.url,
            &webhook.description,
            json(&webhook.kinds)?,
            webhook.enabled,
            secrets,
            webhook.previous_until,
            &webhook.disabled_reason,
        ];
        Ok(self.run(sql, values).await? > 0)
    }

    /// Waits for the row of a webhook, so that nobody else changes it until this transaction ends.
    ///
    /// # Errors
    /// `engine`.
    pub async fn lock_webhook(&mut self, id: &str) -> Result<()> {
        self.row("SELECT id FROM webhooks WHERE id = $1{lock}", binds![id])
            .await
            .map(drop)
    }

    /// Deletes a webhook with its deliveries.
    ///
    /// # Errors
    /// `engine`.
    pub async fn delete_webhook(&mut self, id: &str) -> Result<bool> {
        Ok(self.run("DELETE FROM webhooks WHERE id = $1", binds![id]).await? > 0)
    }

    /// Makes deliveries of what happened since a webhook was looked at last. `ids` are identifiers for them, as many as are
    /// made at most. Tells whether more may follow.
    ///
    /// # Errors
    /// `engine`, `corrupt` and `sealed`.
    pub async fn queue_deliveries(&mut self, id: &str, ids: Vec<String>, now: Timestamp) -> Result<bool> {
        let sql = format!("SELECT {COLUMNS} FROM webhooks WHERE id = $1 AND enabled = 1{{lock}}");
        let Some(row) = self.row(&sql, binds![id]).await? else {
            return Ok(false);
        };
        let webhook = self.webhook_row(row)?;
        let most = u32::try_from(ids.len()).unwrap_or(STRETCH).min(STRETCH);
        let (events, position) = if let Some(own) = &webhook.organization {
            self.events_of(own, webhook.position, STRETCH, most).await?
        } else {
            let events = self.events(webhook.position, most).await?;
            let position = events.last().map_or(webhook.position, |last| last.sequence);
            (events, position)
        };
        if position == webhook.position {
            return Ok(false);
        }
        let wanted = events.iter().filter(|event| webhook.wants(&event.kind));
        let rows = wanted
            .zip(ids)
            .map(|(event, delivery)| {
                binds![
                    delivery,
                    id,
                    event.sequence,
                    &event.id,
                    &event.kind,
                    event.account.as_ref().map_or("", |account| account.as_str()),
                    "pending",
                    0_i64,
                    0_i64,
                    now,
                    now
                ]
            })
            .collect();
        let into = "INSERT INTO webhook_deliveries (id, webhook, sequence, event, kind, subject, state, attempts, failures, \
                    due_at, created_at)";
        self.insert_later(into, rows, " ON CONFLICT (webhook, sequence) DO NOTHING");
        self.run(
            "UPDATE webhooks SET position = $2 WHERE id = $1",
            binds![id, position],
        )
        .await?;
        Ok(true)
    }

    /// Claims up to `count` deliveries that are due, until the lease ends. Of one account only the oldest is ever due.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn claim_deliveries(
        &mut self,
        count: u32,
        lease: SignedDuration,
        now: Timestamp,
    ) -> Result<Vec<Delivery>> {
        let sql = "SELECT d.id FROM webhook_deliveries d WHERE d.state = 'pending' AND d.due_at <= $1 \
                   AND (d.locked_until IS NULL OR d.locked_until <= $1) \
                   AND EXISTS (SELECT 1 FROM webhooks w WHERE w.id = d.webhook AND w.enabled = 1) \
                   AND NOT EXISTS (SELECT 1 FROM webhook_deliveries e WHERE e.webhook = d.webhook \
                   AND e.subject = d.subject AND e.state = 'pending' AND e.sequence < d.sequence) \
                   ORDER BY d.due_at, d.sequence LIMIT $2{skip_locked}";
        let mut due = Vec::new();
        for mut row in self.rows(sql, binds![now, count]).await? {
            due.push(row.text("webhook_deliveries.id")?);
        }
        if due.is_empty() {
            return Ok(Vec::new());
        }
        let until = now.checked_add(lease).unwrap_or(Timestamp::MAX);
        let sql = format!(
            "UPDATE webhook_deliveries SET locked_until = $2, attempts = attempts + 1 WHERE id IN ({{list:$1}}) \
             AND state = 'pending' RETURNING {DELIVERY}"
        );
        let rows = self.rows(&sql, binds![list(&due)?, until]).await?;
        rows.into_iter().map(delivery).collect()
    }

    /// Notes how a try went.
    ///
    /// # Errors
    /// `engine`.
    pub async fn settle_delivery(
        &mut self,
        delivery: &Delivery,
        attempt: &Attempt,
        settled: Settled,
    ) -> Result<()> {
        let sql = "INSERT INTO webhook_attempts (delivery, number, at, status, error, milliseconds) \
                   VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (delivery, number) DO NOTHING";
        let row = binds![
            &delivery.id,
            delivery.attempts,
            attempt.at,
            attempt.status,
            &attempt.error,
            attempt.milliseconds
        ];
        self.run(sql, row).await?;
        let (state, due_at, delivered_at) = match settled {
            Settled::Delivered => (DeliveryState::Delivered, None, Some(attempt.at)),
            Settled::Again(at) => (DeliveryState::Pending, Some(at), None),
            Settled::GivenUp => (DeliveryState::Failed, None, None),
        };
        let failed = i64::from(settled != Settled::Delivered);
        let sql = "UPDATE webhook_deliveries SET state = $2, due_at = COALESCE($3, due_at), delivered_at = $4, \
                   failures = failures + $5, last_status = $6, last_error = $7, locked_until = NULL \
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
        self.run(sql, values).await?;
        let (sql, values) = if settled == Settled::Delivered {
            (
                "UPDATE webhooks SET failing_since = NULL WHERE id = $1 AND failing_since IS NOT NULL",
                binds![&delivery.webhook],
            )
        } else {
            (
                "UPDATE webhooks SET failing_since = $2 WHERE id = $1 AND failing_since IS NULL",
                binds![&delivery.webhook, attempt.at],
            )
        };
        self.run(sql, values).await.map(drop)
    }

    /// Switches a webhook off, with a reason.
    ///
    /// # Errors
    /// `engine`.
    pub async fn disable_webhook(&mut self, id: &str, reason: &str) -> Result<bool> {
        let sql = "UPDATE webhooks SET enabled = 0, disabled_reason = $2 WHERE id = $1 AND enabled = 1";
        Ok(self.run(sql, binds![id, reason]).await? > 0)
    }

    /// Queues one delivery again. False if there is none, or it waits anyway.
    ///
    /// # Errors
    /// `engine`.
    pub async fn replay_delivery(&mut self, webhook: &str, id: &str, now: Timestamp) -> Result<bool> {
        let sql = "UPDATE webhook_deliveries SET state = 'pending', failures = 0, due_at = $3, locked_until = NULL \
                   WHERE id = $2 AND webhook = $1 AND state <> 'pending'";
        Ok(self.run(sql, binds![webhook, id, now]).await? > 0)
    }

    /// Queues deliveries again that were made at this time or later: those that were given up, or all.
    ///
    /// # Errors
    /// `engine`.
    pub async fn replay_deliveries(
        &mut self,
        webhook: &str,
        since: Timestamp,
        all: bool,
        now: Timestamp,
    ) -> Result<u64> {
        let sql = "UPDATE webhook_deliveries SET state = 'pending', failures = 0, due_at = $3, locked_until = NULL \
                   WHERE webhook = $1 AND created_at >= $2 AND (state = 'failed' OR (state = 'delivered' AND CAST($4 AS BIGINT) = 1))";
        self.run(sql, binds![webhook, since, now, all]).await
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
    /// Finds a webhook.
    ///
    /// # Errors
    /// `engine`, `corrupt` and `sealed`.
    pub async fn webhook(&mut self, id: &str) -> Result<Option<Webhook>> {
        let sql = format!("SELECT {COLUMNS} FROM webhooks WHERE id = $1");
        let row = self.row(&sql, binds![id]).await?;
        row.map(|row| self.webhook_row(row)).transpose()
    }

    /// Lists webhooks, oldest first: of one organization, or all.
    ///
    /// # Errors
    /// `engine`, `corrupt` and `sealed`.
    pub async fn webhooks(&mut self, organization: Option<&OrganizationId>) -> Result<Vec<Webhook>> {
        let mut sql = format!("SELECT {COLUMNS} FROM webhooks");
        let mut values = Vec::new();
        if let Some(organization) = organization {
            sql.push_str(" WHERE organization = $1");
            values.push(Bind::from(organization));
        }
        sql.push_str(" ORDER BY id");
        let rows = self.rows(&sql, values).await?;
        rows.into_iter().map(|row| self.webhook_row(row)).collect()
    }

    /// Lists the webhooks that have not been looked at since something happened.
    ///
    /// # Errors
    /// `engine`.
    pub async fn webhooks_behind(&mut self) -> Result<Vec<String>> {
        let sql = "SELECT id FROM webhooks WHERE enabled = 1 \
                   AND position < (SELECT value FROM counters WHERE name = 'events') ORDER BY id";
        let rows = self.rows(sql, Vec::new()).await?;
        rows.into_iter().map(|mut row| row.text("webhooks.id")).collect()
    }

    /// Tells whether a delivery is due.
    ///
    /// # Errors
    /// `engine`.
    pub async fn has_due_delivery(&mut self, now: Timestamp) -> Result<bool> {
        let sql = "SELECT 1 FROM webhook_deliveries d WHERE d.state = 'pending' AND d.due_at <= $1 \
                   AND (d.locked_until IS NULL OR d.locked_until <= $1) \
                   AND EXISTS (SELECT 1 FROM webhooks w WHERE w.id = d.webhook AND w.enabled = 1) LIMIT 1";
        Ok(self.row(sql, binds![now]).await?.is_some())
    }

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
        let mut values = binds![webhook, before.unwrap_or(i64::MAX), limit];
        if let Some(state) = state {
            values.push(to_word(&state)?.into());
            // Writing to a String cannot fail.
            let _ = write!(sql, " AND state = ${}", values.len());
        }
        sql.push_str(" ORDER BY sequence DESC LIMIT $3");
        let rows = self.rows(&sql, values).await?;
        rows.into_iter().map(delivery).collect()
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
        let sql = "SELECT at, status, error, milliseconds FROM webhook_attempts WHERE delivery = $1 ORDER BY number";
        let attempts = self
            .rows(sql, binds![id])
            .await?
            .into_iter()
            .map(|mut row| {
                Ok(Attempt {
                    at: row.time("webhook_attempts.at")?,
                    status: row.opt_int("webhook_attempts.status")?,
                    error: row.opt_text("webhook_attempts.error")?,
                    milliseconds: row.int("webhook_attempts.milliseconds")?,
                })
            })
            .collect::<Result<_>>()?;
        Ok(Some((found, attempts)))
    }

    /// Finds the event at a position of the feed.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn event_at(&mut self, sequence: i64) -> Result<Option<Event>> {
        let found = self.events(sequence - 1, 1).await?.into_iter().next();
        Ok(found.filter(|event| event.sequence == sequence))
    }

    fn webhook_row(&self, mut row: Row) -> Result<Webhook> {
        let id = row.text("webhooks.id")?;
        let organization = row.opt_text("webhooks.organization")?.map(OrganizationId::new);
        let url = row.text("webhooks.url")?;
        let description = row.opt_text("webhooks.description")?;
        let kinds = row.json("webhooks.kinds")?;
        let enabled = row.flag("webhooks.enabled")?;
        let position = row.int("webhooks.position")?;
        let sealed = row
            .opt_bytes("webhooks.secrets")?
            .ok_or(StoreError::Corrupt("webhooks.secrets"))?;
        Ok(Webhook {
            secrets: self.sealer.open_map(("webhooks", "secrets", &id), &sealed)?,
            id,
            organization,
            url,
            description,
            kinds,
            enabled,
            position,
            previous_until: row.opt_time("webhooks.previous_until")?,
            failing_since: row.opt_time("webhooks.failing_since")?,
            disabled_reason: row.opt_text("webhooks.disabled_reason")?,
            created_at: row.time("webhooks.created_at")?,
        })
    }
}

fn delivery(mut row: Row) -> Result<Delivery> {
    Ok(Delivery {
        id: row.text("webhook_deliveries.id")?,
        webhook: row.text("webhook_deliveries.webhook")?,
        sequence: row.int("webhook_deliveries.sequence")?,
        event: row.text("webhook_deliveries.event")?,
        kind: row.text("webhook_deliveries.kind")?,
        state: row.word("webhook_deliveries.state")?,
        attempts: row.int("webhook_deliveries.attempts")?,
        failures: row.int("webhook_deliveries.failures")?,
        due_at: row.time("webhook_deliveries.due_at")?,
        last_status: row.opt_int("webhook_deliveries.last_status")?,
        last_error: row.opt_text("webhook_deliveries.last_error")?,
        created_at: row.time("webhook_deliveries.created_at")?,
        delivered_at: row.opt_time("webhook_deliveries.delivered_at")?,
    })
}
