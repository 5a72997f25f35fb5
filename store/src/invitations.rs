//! Invitations: bound to one organization, address and account, accepted once. Never sees the token itself.

use std::fmt::Write as _;

use jiff::Timestamp;
use provost_kernel::directory::Status;
use provost_kernel::email::Email;
use provost_kernel::id::{AccountId, OrganizationId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Result, StoreError};
use crate::tx::{Reader, Tx};
use crate::value::{Bind, Row, binds, json};

/// An invitation.
#[derive(Clone, Debug, PartialEq)]
pub struct Invitation {
    /// Identifier.
    pub id: String,
    /// To which organization.
    pub organization: OrganizationId,
    /// Whom.
    pub email: Email,
    /// The account that waits for the person.
    pub account: Option<AccountId>,
    /// What the server keeps with it.
    pub data: Value,
    /// Who invited.
    pub created_by: Option<AccountId>,
    /// When.
    pub created_at: Timestamp,
    /// When it stops being accepted.
    pub expires_at: Timestamp,
    /// When its mail was queued last; none if none was.
    pub sent_at: Option<Timestamp>,
    /// When it was decided that no mail is sent.
    pub skipped_at: Option<Timestamp>,
    /// When its link was opened first.
    pub opened_at: Option<Timestamp>,
    /// When it was accepted.
    pub accepted_at: Option<Timestamp>,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
    /// The account's present state, for reading only.
    pub account_status: Option<Status>,
}

/// Where an invitation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InvitationState {
    /// Its mail was queued.
    Sent,
    /// No mail was wanted.
    Skipped,
    /// Its link was opened.
    Opened,
    /// The person is in.
    Accepted,
    /// It was taken back.
    Revoked,
    /// It is too old.
    Expired,
}

/// Which invitations are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InvitationFilter {
    /// To this organization.
    pub organization: Option<OrganizationId>,
    /// Of this account.
    pub account: Option<AccountId>,
    /// Only of people who are not in yet, neither taken back.
    pub is_pending: bool,
    /// Only those in this state at this time. Accepted are those that were used; whoever found another way in stands among all.
    pub state: Option<(InvitationState, Timestamp)>,
}

impl InvitationState {
    /// Returns what holds of the columns in this state, in the words of the index for it. `now` is filled in for `$n`.
    const fn condition(self) -> &'static str {
        match self {
            Self::Sent => {
                "accepted_at IS NULL AND revoked_at IS NULL AND skipped_at IS NULL AND opened_at IS NULL AND expires_at > $n"
            }
            Self::Opened => {
                "accepted_at IS NULL AND revoked_at IS NULL AND skipped_at IS NULL AND opened_at IS NOT NULL AND expires_at > $n"
            }
            Self::Expired => "COALESCE(accepted_at, revoked_at, skipped_at) IS NULL AND expires_at <= $n",
            Self::Skipped => "accepted_at IS NULL AND revoked_at IS NULL AND skipped_at IS NOT NULL",
            Self::Accepted => "accepted_at IS NOT NULL",
            Self::Revoked => "accepted_at IS NULL AND revoked_at IS NOT NULL",
        }
    }

    /// Tells whether it depends on the time: then the index is in the order of the end.
    const fn is_timed(self) -> bool {
        matches!(self, Self::Sent | Self::Opened | Self::Expired)
    }
}

impl Invitation {
    /// Returns where the invitation stands. Whoever found the way in without the link has accepted, too.
    pub fn state(&self, now: Timestamp) -> InvitationState {
        if self.accepted_at.is_some() || self.account_status == Some(Status::Active) {
            InvitationState::Accepted
        } else if self.revoked_at.is_some() {
            InvitationState::Revoked
        } else if self.skipped_at.is_some() {
            InvitationState::Skipped
        } else if self.expires_at <= now {
            InvitationState::Expired
        } else if self.opened_at.is_some() {
            InvitationState::Opened
        } else {
            InvitationState::Sent
        }
    }
}

const COLUMNS: &str = "id, organization, email, account, data, created_by, created_at, expires_at, sent_at, skipped_at, \
                       opened_at, accepted_at, revoked_at, \
                       (SELECT a.status FROM accounts a WHERE a.id = invitations.account)";

impl Tx {
    /// Keeps an invitation by the SHA-256 (hex) of its token.
    ///
    /// # Errors
    /// `conflict`: `invitations_digest`, or `invitations_open` for a second open one of the same account.
    pub async fn insert_invitation(&mut self, invitation: &Invitation, digest: &str) -> Result<()> {
        let sql = "INSERT INTO invitations (id, digest, organization, email, email_key, account, data, created_by, \
                   created_at, expires_at, sent_at, skipped_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
        let row = binds![
            &invitation.id,
            digest,
            &invitation.organization,
            invitation.email.as_str(),
            invitation.email.key(),
            invitation.account.as_ref(),
            json(&invitation.data)?,
            invitation.created_by.as_ref(),
            invitation.created_at,
            invitation.expires_at,
            invitation.sent_at,
            invitation.skipped_at,
        ];
        self.run(sql, row).await.map(drop)
    }

    /// Gives an open invitation a new token and a new end: the old token is worth nothing from now on. False if it is not
    /// open any more.
    ///
    /// # Errors
    /// `conflict` (`invitations_digest`).
    pub async fn renew_invitation(
        &mut self,
        id: &str,
        digest: &str,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool> {
        let sql = "UPDATE invitations SET digest = $2, expires_at = $3, sent_at = $4, skipped_at = NULL, opened_at = NULL \
                   WHERE id = $1 AND accepted_at IS NULL AND revoked_at IS NULL";
        Ok(self.run(sql, binds![id, digest, expires_at, now]).await? > 0)
    }

    /// Notes that the link of an open invitation was opened.
    ///
    /// # Errors
    /// `engine`.
    pub async fn open_invitation(&mut self, id: &str, now: Timestamp) -> Result<()> {
        let sql = "UPDATE invitations SET opened_at = $2 WHERE id = $1 AND opened_at IS NULL AND accepted_at IS NULL";
        self.run(sql, binds![id, now]).await.map(drop)
    }

    /// Accepts an invitation, once. None if it is unknown, expired, taken back or accepted before.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn accept_invitation(&mut self, digest: &str, now: Timestamp) -> Result<Option<Invitation>> {
        let sql = format!(
            "UPDATE invitations SET accepted_at = $2 WHERE digest = $1 AND accepted_at IS NULL AND revoked_at IS NULL \
             AND expires_at > $2 RETURNING {COLUMNS}"
        );
        self.row(&sql, binds![digest, now])
            .await?
            .map(invitation)
            .transpose()
    }

    /// Notes that an invitation was accepted by the person whom it is for, through the provider.
    ///
    /// # Errors
    /// `engine`.
    pub async fn note_acceptance(&mut self, id: &str, now: Timestamp) -> Result<()> {
        let sql = "UPDATE invitations SET accepted_at = $2 WHERE id = $1 AND accepted_at IS NULL AND revoked_at IS NULL";
        self.run(sql, binds![id, now]).await.map(drop)
    }

    /// Takes an invitation back. Tells whether it was still open.
    ///
    /// # Errors
    /// `engine`.
    pub async fn revoke_invitation(&mut self, id: &str, now: Timestamp) -> Result<bool> {
        let sql = "UPDATE invitations SET revoked_at = $2 WHERE id = $1 AND accepted_at IS NULL AND revoked_at IS NULL";
        Ok(self.run(sql, binds![id, now]).await? > 0)
    }
}

impl Reader {
    /// Looks at an invitation without using it, in whatever state.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn invitation_by_digest(&mut self, digest: &str) -> Result<Option<Invitation>> {
        let sql = format!("SELECT {COLUMNS} FROM invitations WHERE digest = $1");
        self.row(&sql, binds![digest]).await?.map(invitation).transpose()
    }

    /// Finds an invitation.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn invitation(&mut self, id: &str) -> Result<Option<Invitation>> {
        let sql = format!("SELECT {COLUMNS} FROM invitations WHERE id = $1");
        self.row(&sql, binds![id]).await?.map(invitation).transpose()
    }

    /// Lists invitations, newest first, before one. Those in a state that depends on the time come by when they end, the last first.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn invitations(
        &mut self,
        filter: &InvitationFilter,
        before: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Invitation>> {
        let Some((sql, values)) = self.invitations_sql(filter, before, limit).await? else {
            return Ok(Vec::new());
        };
        self.rows(&sql, values)
            .await?
            .into_iter()
            .map(invitation)
            .collect()
    }

    /// Tells how the database would read [`Self::invitations`], line by line.
    ///
    /// # Errors
    /// As [`Self::invitations`].
    pub async fn explain_invitations(
        &mut self,
        filter: &InvitationFilter,
        before: Option<&str>,
        limit: u32,
    ) -> Result<Vec<String>> {
        match self.invitations_sql(filter, before, limit).await? {
            Some((sql, values)) => self.explain_sql(&sql, values).await,
            None => Ok(Vec::new()),
        }
    }

    /// Writes the statement; none where the invitation before which to begin is gone.
    async fn invitations_sql(
        &mut self,
        filter: &InvitationFilter,
        before: Option<&str>,
        limit: u32,
    ) -> Result<Option<(String, Vec<Bind>)>> {
        let timed = filter.state.is_some_and(|(state, _)| state.is_timed());
        let wanted: [(&str, Option<Bind>); 3] = [
            ("organization =", filter.organization.as_ref().map(Bind::from)),
            ("account =", filter.account.as_ref().map(Bind::from)),
            ("id <", before.filter(|_| !timed).map(Bind::from)),
        ];
        let mut sql = format!("SELECT {COLUMNS} FROM invitations WHERE 1 = 1");
        let mut values = binds![limit];
        for (condition, value) in wanted {
            if let Some(value) = value {
                values.push(value);
                // Writing to a String cannot fail.
                let _ = write!(sql, " AND {condition} ${}", values.len());
            }
        }
        if filter.is_pending {
            sql.push_str(
                " AND accepted_at IS NULL AND revoked_at IS NULL AND EXISTS (SELECT 1 FROM accounts a \
                 WHERE a.id = invitations.account AND a.status = 'invited')",
            );
        }
        if let Some((state, now)) = filter.state {
            let mut condition = state.condition().to_owned();
            if timed {
                values.push(now.into());
                condition = condition.replace("$n", &format!("${}", values.len()));
            }
            let _ = write!(sql, " AND {condition}");
            if state != InvitationState::Accepted {
                // Whoever found another way in has accepted.
                sql.push_str(
                    " AND NOT EXISTS (SELECT 1 FROM accounts a WHERE a.id = invitations.account AND a.status = 'active')",
                );
            }
        }
        if timed {
            if let Some(before) = before {
                let Some(last) = self.invitation(before).await? else {
                    return Ok(None);
                };
                values.push(last.expires_at.into());
                let end = values.len();
                values.push(before.into());
                let _ = write!(sql, " AND (expires_at, id) < (${end}, ${})", end + 1);
            }
            sql.push_str(" ORDER BY expires_at DESC, id DESC LIMIT $1");
        } else {
            sql.push_str(" ORDER BY id DESC LIMIT $1");
        }
        Ok(Some((sql, values)))
    }
}

fn invitation(mut row: Row) -> Result<Invitation> {
    Ok(Invitation {
        id: row.text("invitations.id")?,
        organization: OrganizationId::new(row.text("invitations.organization")?),
        email: Email::parse(&row.text("invitations.email")?)
            .map_err(|_| StoreError::Corrupt("invitations.email"))?,
        account: row.opt_text("invitations.account")?.map(AccountId::new),
        data: row.json("invitations.data")?,
        created_by: row.opt_text("invitations.created_by")?.map(AccountId::new),
        created_at: row.time("invitations.created_at")?,
        expires_at: row.time("invitations.expires_at")?,
        sent_at: row.opt_time("invitations.sent_at")?,
        skipped_at: row.opt_time("invitations.skipped_at")?,
        opened_at: row.opt_time("invitations.opened_at")?,
        accepted_at: row.opt_time("invitations.accepted_at")?,
        revoked_at: row.opt_time("invitations.revoked_at")?,
        account_status: row
            .opt_text("accounts.status")?
            .map(|status| crate::value::word(status, "accounts.status"))
            .transpose()?,
    })
}
