//! Makes deliveries of what happened: one pass over the feed for all webhooks, which looks at each event once and at those
//! webhooks that may hear of it. A webhook that was off catches up by itself first.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use provost_kernel::id::{AccountId, OrganizationId};

use super::is_wanted;
use crate::engine::batch::Insert;
use crate::error::Result;
use crate::feed::Event;
use crate::tx::{Reader, Tx};
use crate::value::{Row, binds, list};

/// Events that become deliveries in one transaction.
const STRETCH: u32 = 100;
/// Events looked at in one transaction by a webhook of one organization that catches up.
const LONG_STRETCH: u32 = 1000;

/// What has not been spread yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Behind {
    /// Whether something happened that the pass has not looked at.
    pub feed: bool,
    /// Webhooks that catch up by themselves.
    pub webhooks: Vec<String>,
}

/// Who may hear of an event, as far as spreading needs to know.
struct Listener {
    id: String,
    organization: Option<OrganizationId>,
    kinds: Vec<String>,
    position: i64,
}

impl Tx {
    /// Spreads a stretch of the feed to the webhooks that are on. Tells whether more may follow.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn spread_events(&mut self, now: Timestamp) -> Result<bool> {
        let Some(after) = self.lock_place().await? else {
            return Ok(false);
        };
        let events = self.events(after, STRETCH).await?;
        let Some(last) = events.last().map(|event| event.sequence) else {
            return Ok(false);
        };
        let heard = self.heard_in(&events).await?;
        for listener in self.listeners(&events, &heard).await? {
            let told: Vec<&Event> = events
                .iter()
                .filter(|event| event.sequence > listener.position && concerns(&listener, event, &heard))
                .collect();
            self.queue_deliveries(&listener, &told, now).await?;
        }
        self.put_place(last).await?;
        Ok(u32::try_from(events.len()).is_ok_and(|found| found >= STRETCH))
    }

    /// Makes deliveries of what happened while a webhook was off. Tells whether more follows.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn catch_up_webhook(&mut self, id: &str, now: Timestamp) -> Result<bool> {
        let Some(place) = self.lock_place().await? else {
            return Ok(false);
        };
        let sql = "SELECT id, organization, kinds, position FROM webhooks WHERE id = $1 AND enabled = 1 \
                   AND catching_up = 1{lock}";
        let Some(row) = self.row(sql, binds![id]).await? else {
            return Ok(false);
        };
        let listener = listener(row)?;
        let (events, position) = if let Some(own) = &listener.organization {
            self.whole_events_of(own, listener.position, LONG_STRETCH, STRETCH)
                .await?
        } else {
            let events = self.events(listener.position, STRETCH).await?;
            let position = events.last().map_or(place, |last| last.sequence);
            (events, position)
        };
        let told: Vec<&Event> = events.iter().filter(|event| event.sequence <= place).collect();
        self.queue_deliveries(&listener, &told, now).await?;
        let follows = position < place;
        let sql = "UPDATE webhooks SET position = $2, catching_up = $3 WHERE id = $1";
        self.run(sql, binds![id, position.min(place), follows]).await?;
        Ok(follows)
    }

    /// Switches a webhook on or off; off with a reason if it happens by itself. On again, it goes on where it stopped. False
    /// if it is gone, or is so already.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn switch_webhook(
        &mut self,
        id: &str,
        enabled: bool,
        reason: Option<&str>,
        now: Timestamp,
    ) -> Result<bool> {
        let place = self.lock_place().await?.unwrap_or(0);
        let (sql, values) = if enabled {
            (
                "UPDATE webhooks SET enabled = 1, disabled_reason = NULL, failing_since = NULL, rest_until = NULL, due_at = $2, \
                 catching_up = CASE WHEN position < $3 THEN 1 ELSE 0 END WHERE id = $1 AND enabled = 0",
                binds![id, now, place],
            )
        } else {
            (
                "UPDATE webhooks SET enabled = 0, disabled_reason = $2, due_at = NULL, locked_until = NULL, catching_up = 0, \
                 position = CASE WHEN catching_up = 1 OR position > $3 THEN position ELSE CAST($3 AS BIGINT) END \
                 WHERE id = $1 AND enabled = 1",
                binds![id, reason, place],
            )
        };
        Ok(self.run(sql, values).await? > 0)
    }

    /// Returns where a new webhook begins: after the newest event.
    pub(super) async fn join_spreading(&mut self) -> Result<i64> {
        let sql = "INSERT INTO counters (name, value) VALUES ('webhooks', 0) ON CONFLICT (name) DO NOTHING";
        self.run(sql, Vec::new()).await?;
        self.lock_place().await?;
        let newest = self.last_event().await?;
        let is_idle = self
            .row("SELECT 1 FROM webhooks WHERE enabled = 1 LIMIT 1", Vec::new())
            .await?
            .is_none();
        // While nobody listens the pass stands still, and need not look at what nobody was told of.
        if is_idle {
            self.put_place(newest).await?;
        }
        Ok(newest)
    }

    async fn lock_place(&mut self) -> Result<Option<i64>> {
        let sql = "SELECT value FROM counters WHERE name = 'webhooks'{lock}";
        let row = self.row(sql, Vec::new()).await?;
        row.map(|mut row| row.int("counters.value")).transpose()
    }

    async fn put_place(&mut self, sequence: i64) -> Result<()> {
        let sql = "UPDATE counters SET value = $1 WHERE name = 'webhooks'";
        self.run(sql, binds![sequence]).await.map(drop)
    }

    /// Finds, for events of accounts that name no organization, the organizations with webhooks that see the account.
    async fn heard_in(&mut self, events: &[Event]) -> Result<BTreeMap<String, BTreeSet<String>>> {
        let accounts: BTreeSet<&str> = events
            .iter()
            .filter(|event| event.organization.is_none())
            .filter_map(|event| event.account.as_ref().map(AccountId::as_str))
            .collect();
        let mut heard: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        if accounts.is_empty() {
            return Ok(heard);
        }
        let sql = "SELECT account, organization FROM memberships WHERE account IN ({list:$1}) AND organization IN \
                   (SELECT organization FROM webhooks WHERE enabled = 1 AND organization IS NOT NULL)";
        for mut row in self.rows(sql, binds![list(accounts)?]).await? {
            let account = row.text("memberships.account")?;
            heard
                .entry(account)
                .or_default()
                .insert(row.text("memberships.organization")?);
        }
        Ok(heard)
    }

    /// Lists and locks the webhooks that may hear of some events.
    async fn listeners(
        &mut self,
        events: &[Event],
        heard: &BTreeMap<String, BTreeSet<String>>,
    ) -> Result<Vec<Listener>> {
        let named = events
            .iter()
            .filter_map(|event| event.organization.as_ref().map(OrganizationId::as_str));
        let organizations: BTreeSet<&str> = named
            .chain(heard.values().flatten().map(String::as_str))
            .collect();
        let sql = "SELECT id, organization, kinds, position FROM webhooks WHERE enabled = 1 AND catching_up = 0 \
                   AND (organization IS NULL OR organization IN ({list:$1})) ORDER BY id{lock}";
        let rows = self.rows(sql, binds![list(organizations)?]).await?;
        rows.into_iter().map(listener).collect()
    }

    /// Makes deliveries of what a webhook wants of some events. Its row is locked.
    async fn queue_deliveries(
        &mut self,
        listener: &Listener,
        events: &[&Event],
        now: Timestamp,
    ) -> Result<()> {
        let wanted: Vec<&&Event> = events
            .iter()
            .filter(|event| is_wanted(&listener.kinds, &event.kind))
            .collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let subjects: BTreeSet<&str> = wanted.iter().map(|event| subject(event)).collect();
        let sql = "SELECT DISTINCT subject FROM webhook_deliveries WHERE webhook = $1 AND state = 'pending' \
                   AND subject IN ({list:$2})";
        let mut held = BTreeSet::new();
        for mut row in self.rows(sql, binds![&listener.id, list(subjects)?]).await? {
            held.insert(row.text("webhook_deliveries.subject")?);
        }
        let own = listener.id.trim_start_matches("whk_");
        let rows = wanted
            .into_iter()
            .map(|event| {
                let is_ready = held.insert(subject(event).to_owned());
                binds![
                    format!("whd_{own}_{}", event.sequence),
                    &listener.id,
                    event.sequence,
                    &event.id,
                    &event.kind,
                    subject(event),
                    "pending",
                    is_ready,
                    0_i64,
                    0_i64,
                    now,
                    now
                ]
            })
            .collect();
        let into = "INSERT INTO webhook_deliveries (id, webhook, sequence, event, kind, subject, state, ready, attempts, \
                    failures, due_at, created_at)";
        self.insert_later(Insert::plain(
            into,
            rows,
            " ON CONFLICT (webhook, sequence) DO NOTHING",
        ));
        let sql = "UPDATE webhooks SET due_at = $2 WHERE id = $1 AND (due_at IS NULL OR due_at > $2)";
        self.run(sql, binds![&listener.id, now]).await.map(drop)
    }
}

impl Reader {
    /// Finds what has not been spread yet; nothing while no webhook is on.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn webhooks_behind(&mut self) -> Result<Behind> {
        let sql = "SELECT p.value, e.value FROM counters p, counters e WHERE p.name = 'webhooks' AND e.name = 'events' \
                   AND EXISTS (SELECT 1 FROM webhooks WHERE enabled = 1)";
        let Some(mut row) = self.row(sql, Vec::new()).await? else {
            return Ok(Behind::default());
        };
        let feed = row.int("counters.value")? < row.int("counters.value")?;
        let sql = "SELECT id FROM webhooks WHERE catching_up = 1 ORDER BY id LIMIT 20";
        let rows = self.rows(sql, Vec::new()).await?;
        Ok(Behind {
            feed,
            webhooks: rows
                .into_iter()
                .map(|mut row| row.text("webhooks.id"))
                .collect::<Result<_>>()?,
        })
    }
}

fn subject(event: &Event) -> &str {
    event.account.as_ref().map_or("", AccountId::as_str)
}

/// Tells whether a webhook may hear of an event, by the rule of [`Reader::events_of`].
fn concerns(listener: &Listener, event: &Event, heard: &BTreeMap<String, BTreeSet<String>>) -> bool {
    let Some(own) = &listener.organization else {
        return true;
    };
    match &event.organization {
        Some(organization) => organization == own,
        None => heard
            .get(subject(event))
            .is_some_and(|organizations| organizations.contains(own.as_str())),
    }
}

fn listener(mut row: Row) -> Result<Listener> {
    Ok(Listener {
        id: row.text("webhooks.id")?,
        organization: row.opt_text("webhooks.organization")?.map(OrganizationId::new),
        kinds: row.json("webhooks.kinds")?,
        position: row.int("webhooks.position")?,
    })
}
