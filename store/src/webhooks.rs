//! Webhooks: who is told of which events. [`spreading`] makes deliveries of the event feed, [`calling`] hands out what is due
//! and notes how it went, [`history`] lists and queues again. Never makes a call.
//!
//! Rows are locked in one order: the place of the pass over the feed (the counter `webhooks`), then webhooks, then, at the
//! commit, the feed.

mod calling;
mod history;
mod spreading;

pub use calling::{Settled, Tried};
pub use history::{DeliveryFilter, Requeued};
pub use spreading::Behind;

use jiff::Timestamp;
use provost_kernel::id::OrganizationId;
use serde::{Deserialize, Serialize};

use crate::error::{Result, StoreError};
use crate::seal::SecretMap;
use crate::tx::{Reader, Tx};
use crate::value::{Bind, Row, binds, json};

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

/// Tells whether a kind of event is among those that are wanted: exact ones, or `user.*` for all of a family; none for all.
pub(crate) fn is_wanted(kinds: &[String], kind: &str) -> bool {
    kinds.is_empty()
        || kinds.iter().any(|wanted| match wanted.strip_suffix(".*") {
            Some(family) => kind
                .strip_prefix(family)
                .is_some_and(|rest| rest.starts_with('.')),
            None => wanted == kind,
        })
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

impl DeliveryState {
    /// Every state.
    pub const ALL: &'static [Self] = &[Self::Pending, Self::Delivered, Self::Failed];
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
    /// The account that it is about; empty for none. What is told of one is told in order.
    pub subject: String,
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
    /// What went wrong, if something did.
    pub error: Option<String>,
    /// The beginning of an answer that was no yes, if it may be kept, without what looks like a secret.
    pub answer: Option<String>,
    /// How long it took.
    pub milliseconds: i64,
}

const COLUMNS: &str = "id, organization, url, description, kinds, enabled, secrets, previous_until, failing_since, \
                       disabled_reason, created_at";
const DELIVERY: &str = "id, webhook, sequence, event, kind, subject, state, attempts, failures, due_at, last_status, \
                        last_error, created_at, delivered_at";

impl Tx {
    /// Keeps a new webhook, which is told of what happens from now on.
    ///
    /// # Errors
    /// `engine`, `corrupt` and `sealed`.
    pub async fn insert_webhook(&mut self, webhook: &Webhook) -> Result<()> {
        let secrets = self.sealed_secrets(webhook)?;
        let position = self.join_spreading().await?;
        let sql = "INSERT INTO webhooks (id, organization, url, description, kinds, enabled, position, catching_up, secrets, \
                   created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9)";
        let row = binds![
            &webhook.id,
            webhook.organization.as_ref(),
            &webhook.url,
            &webhook.description,
            json(&webhook.kinds)?,
            webhook.enabled,
            position,
            secrets,
            webhook.created_at,
        ];
        self.run(sql, row).await.map(drop)
    }

    /// Writes what can be changed of a webhook, but whether it is on. The next call is made without a rest. False if it is
    /// gone.
    ///
    /// # Errors
    /// `engine` and `sealed`.
    pub async fn update_webhook(&mut self, webhook: &Webhook) -> Result<bool> {
        let secrets = self.sealed_secrets(webhook)?;
        let sql = "UPDATE webhooks SET url = $2, description = $3, kinds = $4, secrets = $5, previous_until = $6, \
                   rest_until = NULL WHERE id = $1";
        let values = binds![
            &webhook.id,
            &webhook.url,
            &webhook.description,
            json(&webhook.kinds)?,
            secrets,
            webhook.previous_until,
        ];
        Ok(self.run(sql, values).await? > 0)
    }

    fn sealed_secrets(&self, webhook: &Webhook) -> Result<Vec<u8>> {
        self.sealer
            .seal_map(("webhooks", "secrets", &webhook.id), &webhook.secrets)
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

    /// Counts the webhooks of one organization, or those of the whole instance.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn count_webhooks(&mut self, organization: Option<&OrganizationId>) -> Result<u32> {
        let (sql, values) = match organization {
            Some(own) => (
                "SELECT COUNT(*) FROM webhooks WHERE organization = $1",
                binds![own],
            ),
            None => (
                "SELECT COUNT(*) FROM webhooks WHERE organization IS NULL",
                Vec::new(),
            ),
        };
        let row = self.row(sql, values).await?;
        row.ok_or(StoreError::Corrupt("webhooks"))?.count("webhooks")
    }

    fn webhook_row(&self, mut row: Row) -> Result<Webhook> {
        let id = row.text("webhooks.id")?;
        let organization = row.opt_text("webhooks.organization")?.map(OrganizationId::new);
        let url = row.text("webhooks.url")?;
        let description = row.opt_text("webhooks.description")?;
        let kinds = row.json("webhooks.kinds")?;
        let enabled = row.flag("webhooks.enabled")?;
        let sealed = row.bytes("webhooks.secrets")?;
        Ok(Webhook {
            secrets: self.sealer.open_map(("webhooks", "secrets", &id), &sealed)?,
            id,
            organization,
            url,
            description,
            kinds,
            enabled,
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
        subject: row.text("webhook_deliveries.subject")?,
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
