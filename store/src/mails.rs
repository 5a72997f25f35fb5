//! The outbox of mails: kept in the transaction of their cause, claimed by one node at a time, repeated until they left or
//! were given up. Links in them are sealed and wiped afterwards. Never sends one.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use provost_kernel::email::Email;
use provost_kernel::id::{AccountId, OrganizationId};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::{Result, StoreError};
use crate::tx::{Reader, Tx};
use crate::value::{Bind, Row, binds, json, list, to_word};

/// A mail to be sent.
#[derive(Clone)]
pub struct NewMail {
    /// Identifier; also makes the `Message-ID`, so that a mail that goes out twice is known as one.
    pub id: String,
    /// Kind, as a stable word that the server has words for.
    pub kind: String,
    /// To whom.
    pub recipient: Email,
    /// For which organization, whose name and colors it carries.
    pub organization: Option<OrganizationId>,
    /// About whom.
    pub account: Option<AccountId>,
    /// Language; none takes the organization's.
    pub language: Option<String>,
    /// Values that the words need. Never a secret.
    pub values: BTreeMap<String, String>,
    /// The link, which may hold a one-time token: sealed until the mail left.
    pub link: Option<Zeroizing<String>>,
}

impl std::fmt::Debug for NewMail {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("NewMail")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// What became of a mail so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailState {
    /// It waits, for its first or another try.
    Queued,
    /// The mail server took it.
    Sent,
    /// It was given up.
    Dead,
}

/// A mail as it is kept, without its link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailRecord {
    /// Identifier.
    pub id: String,
    /// Kind.
    pub kind: String,
    /// To whom.
    pub recipient: Email,
    /// For which organization.
    pub organization: Option<OrganizationId>,
    /// About whom.
    pub account: Option<AccountId>,
    /// Language, if one was chosen.
    pub language: Option<String>,
    /// Values that the words need.
    pub values: BTreeMap<String, String>,
    /// What became of it.
    pub state: MailState,
    /// How often it was tried.
    pub attempts: i64,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When the mail server took it.
    pub sent_at: Option<Timestamp>,
}

/// A mail that this node is to send now.
#[derive(Clone)]
pub struct OutgoingMail {
    /// The mail; this try is counted already.
    pub mail: MailRecord,
    /// Its link.
    pub link: Option<Zeroizing<String>>,
}

/// How one try ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailOutcome {
    /// The mail server took it.
    Sent,
    /// It did not work; it is tried again then, or never.
    Failed {
        /// What went wrong, without secrets.
        error: String,
        /// When it is tried again; none gives it up.
        retry_at: Option<Timestamp>,
    },
}

/// Which mails of the history are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailFilter {
    /// About this account.
    pub account: Option<AccountId>,
    /// To this address.
    pub recipient: Option<Email>,
    /// For this organization.
    pub organization: Option<OrganizationId>,
    /// In this state.
    pub state: Option<MailState>,
}

const COLUMNS: &str = "id, kind, recipient, organization, account, language, content, state, attempts, last_error, \
                       created_at, sent_at";

impl Tx {
    /// Queues a mail: it goes out if and only if this transaction commits.
    ///
    /// # Errors
    /// `engine` and `sealed`.
    pub async fn queue_mail(&mut self, mail: &NewMail, now: Timestamp) -> Result<()> {
        let link = mail
            .link
            .as_ref()
            .map(|link| self.sealer.seal_text(("mails", "link", &mail.id), link))
            .transpose()?;
        let sql = "INSERT INTO mails (id, kind, recipient, recipient_key, organization, account, language, content, link, \
                   state, attempts, due_at, created_at) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'queued', 0, $10, $10)";
        let row = binds![
            &mail.id,
            &mail.kind,
            mail.recipient.as_str(),
            mail.recipient.key(),
            mail.organization.as_ref(),
            mail.account.as_ref(),
            &mail.language,
            json(&mail.values)?,
            link,
            now,
        ];
        self.run(sql, row).await.map(drop)
    }

    /// Claims up to `count` mails that are due, until the lease ends; then others may claim them.
    ///
    /// # Errors
    /// `engine`, `corrupt` and `sealed`.
    pub async fn claim_mails(
        &mut self,
        count: u32,
        lease: SignedDuration,
        now: Timestamp,
    ) -> Result<Vec<OutgoingMail>> {
        let sql = "SELECT id FROM mails WHERE state = 'queued' AND due_at <= $1 \
                   AND (locked_until IS NULL OR locked_until <= $1) ORDER BY due_at, id LIMIT $2{skip_locked}";
        let mut due = Vec::new();
        for mut row in self.rows(sql, binds![now, count]).await? {
            due.push(row.text("mails.id")?);
        }
        if due.is_empty() {
            return Ok(Vec::new());
        }
        let until = now.checked_add(lease).unwrap_or(Timestamp::MAX);
        let sql = format!(
            "UPDATE mails SET locked_until = $2, attempts = attempts + 1 WHERE id IN ({{list:$1}}) \
             RETURNING {COLUMNS}, link"
        );
        let rows = self.rows(&sql, binds![list(&due)?, until]).await?;
        rows.into_iter()
            .map(|mut row| {
                let mail = record(&mut row)?;
                let link = row
                    .opt_bytes("mails.link")?
                    .map(|sealed| self.sealer.open_text(("mails", "link", &mail.id), &sealed))
                    .transpose()?;
                Ok(OutgoingMail { mail, link })
            })
            .collect()
    }

    /// Notes how a try ended. A mail that left or is given up loses its link.
    ///
    /// # Errors
    /// `engine`.
    pub async fn settle_mail(&mut self, id: &str, outcome: &MailOutcome, now: Timestamp) -> Result<()> {
        let (sql, values) = match outcome {
            MailOutcome::Sent => (
                "UPDATE mails SET state = 'sent', sent_at = $2, link = NULL, locked_until = NULL, last_error = NULL \
                 WHERE id = $1 AND state = 'queued'",
                binds![id, now],
            ),
            MailOutcome::Failed {
                error,
                retry_at: Some(at),
            } => (
                "UPDATE mails SET due_at = $2, last_error = $3, locked_until = NULL WHERE id = $1 AND state = 'queued'",
                binds![id, *at, error],
            ),
            MailOutcome::Failed {
                error,
                retry_at: None,
            } => (
                "UPDATE mails SET state = 'dead', last_error = $2, link = NULL, locked_until = NULL \
                 WHERE id = $1 AND state = 'queued'",
                binds![id, error],
            ),
        };
        self.run(sql, values).await.map(drop)
    }

    /// Removes up to `batch` mails that left or were given up and were made before this.
    ///
    /// # Errors
    /// `engine`.
    pub async fn purge_mails(&mut self, before: Timestamp, batch: u32) -> Result<u64> {
        let sql = "DELETE FROM mails WHERE id IN (SELECT id FROM mails WHERE created_at < $1 AND state <> 'queued' LIMIT $2)";
        self.run(sql, binds![before, batch]).await
    }
}

impl Reader {
    /// Tells whether a mail is due.
    ///
    /// # Errors
    /// `engine`.
    pub async fn has_due_mail(&mut self, now: Timestamp) -> Result<bool> {
        let sql = "SELECT 1 FROM mails WHERE state = 'queued' AND due_at <= $1 \
                   AND (locked_until IS NULL OR locked_until <= $1) LIMIT 1";
        Ok(self.row(sql, binds![now]).await?.is_some())
    }

    /// Finds a mail.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn mail(&mut self, id: &str) -> Result<Option<MailRecord>> {
        let sql = format!("SELECT {COLUMNS} FROM mails WHERE id = $1");
        let row = self.row(&sql, binds![id]).await?;
        row.map(|mut row| record(&mut row)).transpose()
    }

    /// Lists mails, newest first, before one.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn mails(
        &mut self,
        filter: &MailFilter,
        before: Option<&str>,
        limit: u32,
    ) -> Result<Vec<MailRecord>> {
        let state = filter.state.as_ref().map(to_word).transpose()?;
        let wanted: [(&str, Option<Bind>); 5] = [
            ("account =", filter.account.as_ref().map(Bind::from)),
            (
                "recipient_key =",
                filter.recipient.as_ref().map(|email| email.key().into()),
            ),
            ("organization =", filter.organization.as_ref().map(Bind::from)),
            ("state =", state.map(Bind::from)),
            ("id <", before.map(Bind::from)),
        ];
        let mut sql = format!("SELECT {COLUMNS} FROM mails WHERE 1 = 1");
        let mut values = binds![limit];
        for (condition, value) in wanted {
            if let Some(value) = value {
                values.push(value);
                // Writing to a String cannot fail.
                let _ = write!(sql, " AND {condition} ${}", values.len());
            }
        }
        sql.push_str(" ORDER BY id DESC LIMIT $1");
        let rows = self.rows(&sql, values).await?;
        rows.into_iter().map(|mut row| record(&mut row)).collect()
    }
}

fn record(row: &mut Row) -> Result<MailRecord> {
    Ok(MailRecord {
        id: row.text("mails.id")?,
        kind: row.text("mails.kind")?,
        recipient: Email::parse(&row.text("mails.recipient")?)
            .map_err(|_| StoreError::Corrupt("mails.recipient"))?,
        organization: row.opt_text("mails.organization")?.map(OrganizationId::new),
        account: row.opt_text("mails.account")?.map(AccountId::new),
        language: row.opt_text("mails.language")?,
        values: row.json("mails.content")?,
        state: row.word("mails.state")?,
        attempts: row.int("mails.attempts")?,
        last_error: row.opt_text("mails.last_error")?,
        created_at: row.time("mails.created_at")?,
        sent_at: row.opt_time("mails.sent_at")?,
    })
}
