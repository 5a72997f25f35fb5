//! Invitations: bound to one organization and address, accepted once. Never sees the token itself.

use jiff::Timestamp;
use provost_kernel::email::Email;
use provost_kernel::id::{AccountId, OrganizationId};
use serde_json::Value;

use crate::error::{Result, StoreError};
use crate::tx::{Reader, Tx};
use crate::value::{Row, binds, json};

/// An invitation.
#[derive(Clone, Debug, PartialEq)]
pub struct Invitation {
    /// Identifier.
    pub id: String,
    /// To which organization.
    pub organization: OrganizationId,
    /// Whom.
    pub email: Email,
    /// What it grants, in a form that the server knows.
    pub data: Value,
    /// Who invited.
    pub created_by: Option<AccountId>,
    /// When.
    pub created_at: Timestamp,
    /// When it stops being accepted.
    pub expires_at: Timestamp,
    /// When it was accepted.
    pub accepted_at: Option<Timestamp>,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
}

const COLUMNS: &str =
    "id, organization, email, data, created_by, created_at, expires_at, accepted_at, revoked_at";

impl Tx {
    /// Keeps an invitation by the SHA-256 (hex) of its token.
    ///
    /// # Errors
    /// `conflict` (`invitations_digest`).
    pub async fn insert_invitation(&mut self, invitation: &Invitation, digest: &str) -> Result<()> {
        let sql = "INSERT INTO invitations (id, digest, organization, email, email_key, data, created_by, created_at, \
                   expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        let row = binds![
            &invitation.id,
            digest,
            &invitation.organization,
            invitation.email.as_str(),
            invitation.email.key(),
            json(&invitation.data)?,
            invitation.created_by.as_ref(),
            invitation.created_at,
            invitation.expires_at,
        ];
        self.run(sql, row).await.map(drop)
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

    /// Lists an organization's invitations, newest first.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn invitations(
        &mut self,
        organization: &OrganizationId,
        limit: u32,
    ) -> Result<Vec<Invitation>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM invitations WHERE organization = $1 ORDER BY created_at DESC, id LIMIT $2"
        );
        self.rows(&sql, binds![organization, limit])
            .await?
            .into_iter()
            .map(invitation)
            .collect()
    }
}

fn invitation(mut row: Row) -> Result<Invitation> {
    Ok(Invitation {
        id: row.text("invitations.id")?,
        organization: OrganizationId::new(row.text("invitations.organization")?),
        email: Email::parse(&row.text("invitations.email")?)
            .map_err(|_| StoreError::Corrupt("invitations.email"))?,
        data: row.json("invitations.data")?,
        created_by: row.opt_text("invitations.created_by")?.map(AccountId::new),
        created_at: row.time("invitations.created_at")?,
        expires_at: row.time("invitations.expires_at")?,
        accepted_at: row.opt_time("invitations.accepted_at")?,
        revoked_at: row.opt_time("invitations.revoked_at")?,
    })
}
