//! Set-up of connections: drafts of the wizard and links by which somebody without an account sets one up. A link's token is
//! kept as digest. Never interprets what the wizard keeps.

use jiff::Timestamp;
use provost_kernel::id::{ConnectionId, OrganizationId};
use serde_json::Value;

use crate::error::Result;
use crate::tx::{Reader, Tx};
use crate::value::{Row, binds, json};

/// What the wizard keeps of a connection that is not live.
#[derive(Clone, Debug, PartialEq)]
pub struct DraftRecord {
    /// The connection, which need not exist yet.
    pub connection: ConnectionId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// What the wizard keeps.
    pub document: Value,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// A link by which somebody without an account sets a connection up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetupLink {
    /// Identifier, for listing and revoking.
    pub id: String,
    /// The one organization that it is for.
    pub organization: OrganizationId,
    /// The one connection that it is for, once there is one.
    pub connection: Option<ConnectionId>,
    /// What may be set up.
    pub scopes: Vec<String>,
    /// Whom or what it is for.
    pub label: String,
    /// Who made it, as audit rows say it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was first opened.
    pub opened_at: Option<Timestamp>,
    /// When everything was done.
    pub done_at: Option<Timestamp>,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
    /// The link whose holder made this one for a colleague.
    pub asked_from: Option<String>,
    /// The step that it opens at, if it is for one.
    pub step: Option<String>,
}

const DRAFT: &str =
    "SELECT connection, organization, document, created_at, updated_at FROM connection_drafts";
const LINK: &str = "SELECT id, organization, connection, scopes, label, created_by, created_at, expires_at, opened_at, \
                    done_at, revoked_at, asked_from, step FROM setup_links";
/// A link, those that were made from it, and the one that it was made from with the others of that; they share one connection.
const FAMILY: &str = "(id = $1 OR asked_from = $1 OR id = (SELECT asked_from FROM setup_links WHERE id = $1) \
                      OR asked_from = (SELECT asked_from FROM setup_links WHERE id = $1))";

impl Tx {
    /// Keeps a draft, or what it has become. False where another organization has a draft of that name.
    ///
    /// # Errors
    /// `conflict` (`foreign_key`) if the organization does not exist.
    pub async fn put_draft(&mut self, draft: &DraftRecord, now: Timestamp) -> Result<bool> {
        let sql = "INSERT INTO connection_drafts (connection, organization, document, created_at, updated_at) \
                   VALUES ($1, $2, $3, $4, $4) ON CONFLICT (connection) DO UPDATE SET document = excluded.document, \
                   updated_at = excluded.updated_at WHERE connection_drafts.organization = excluded.organization";
        let row = binds![
            &draft.connection,
            &draft.organization,
            json(&draft.document)?,
            now
        ];
        Ok(self.run(sql, row).await? > 0)
    }

    /// Finds the draft of a connection and keeps others from changing or discarding it until the transaction ends. Ask this before
    /// writing what was read of it.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn draft_to_change(&mut self, connection: &ConnectionId) -> Result<Option<DraftRecord>> {
        let sql = format!("{DRAFT} WHERE connection = $1{{lock}}");
        self.row(&sql, binds![connection]).await?.map(draft).transpose()
    }

    /// Writes what a draft has become, if it is there still: one that was discarded or went live does not come back.
    ///
    /// # Errors
    /// `engine`.
    pub async fn change_draft(&mut self, draft: &DraftRecord, now: Timestamp) -> Result<bool> {
        let sql = "UPDATE connection_drafts SET document = $2, updated_at = $3 WHERE connection = $1";
        let row = binds![&draft.connection, json(&draft.document)?, now];
        Ok(self.run(sql, row).await? > 0)
    }

    /// Forgets a draft. Tells whether there was one.
    ///
    /// # Errors
    /// `engine`.
    pub async fn delete_draft(&mut self, connection: &ConnectionId) -> Result<bool> {
        let sql = "DELETE FROM connection_drafts WHERE connection = $1";
        Ok(self.run(sql, binds![connection]).await? > 0)
    }

    /// Keeps a link by the SHA-256 (hex) of its token.
    ///
    /// # Errors
    /// `conflict` (`setup_links_digest`) if the same token is kept already.
    pub async fn insert_setup_link(&mut self, link: &SetupLink, digest: &str) -> Result<()> {
        let sql = "INSERT INTO setup_links (id, digest, organization, connection, scopes, label, created_by, created_at, \
                   expires_at, asked_from, step) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
        let row = binds![
            &link.id,
            digest,
            &link.organization,
            link.connection.as_ref(),
            json(&link.scopes)?,
            &link.label,
            &link.created_by,
            link.created_at,
            link.expires_at,
            &link.asked_from,
            &link.step,
        ];
        self.run(sql, row).await.map(drop)
    }

    /// Gives a link that is neither done nor revoked a new token and a new end: the old token opens nothing any more, and
    /// neither does what was made with it.
    ///
    /// # Errors
    /// `conflict` (`setup_links_digest`).
    pub async fn renew_setup_link(
        &mut self,
        id: &str,
        digest: &str,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool> {
        let sql = "UPDATE setup_links SET digest = $2, expires_at = $3, opened_at = NULL WHERE id = $1 \
                   AND done_at IS NULL AND revoked_at IS NULL";
        if self.run(sql, binds![id, digest, expires_at]).await? == 0 {
            return Ok(false);
        }
        let sql = "UPDATE setup_links SET revoked_at = $2 WHERE asked_from = $1 AND done_at IS NULL AND revoked_at IS NULL";
        self.run(sql, binds![id, now]).await?;
        Ok(true)
    }

    /// Takes a link back, and those that were made with it. Tells whether any was still good for something.
    ///
    /// # Errors
    /// `engine`.
    pub async fn revoke_setup_link(&mut self, id: &str, now: Timestamp) -> Result<bool> {
        let sql = "UPDATE setup_links SET revoked_at = $2 WHERE (id = $1 OR asked_from = $1) AND done_at IS NULL \
                   AND revoked_at IS NULL";
        Ok(self.run(sql, binds![id, now]).await? > 0)
    }

    /// Notes that everything is done: neither the link nor those of its colleagues open anything any more.
    ///
    /// # Errors
    /// `engine`.
    pub async fn finish_setup_link(&mut self, id: &str, now: Timestamp) -> Result<bool> {
        let sql = format!(
            "UPDATE setup_links SET done_at = $2 WHERE {FAMILY} AND done_at IS NULL AND revoked_at IS NULL"
        );
        Ok(self.run(&sql, binds![id, now]).await? > 0)
    }

    /// Notes when a link was first opened. Tells whether this was the first time.
    ///
    /// # Errors
    /// `engine`.
    pub async fn note_setup_link_opened(&mut self, id: &str, now: Timestamp) -> Result<bool> {
        let sql = "UPDATE setup_links SET opened_at = $2 WHERE id = $1 AND opened_at IS NULL";
        Ok(self.run(sql, binds![id, now]).await? > 0)
    }

    /// Binds a link, and those of its colleagues, to the connection that was begun with it; `was` is the one that it was bound to. Of two that begin at the
    /// same moment, one is bound.
    ///
    /// # Errors
    /// `engine`.
    pub async fn bind_setup_link(
        &mut self,
        id: &str,
        was: Option<&ConnectionId>,
        connection: Option<&ConnectionId>,
    ) -> Result<bool> {
        let sql = format!(
            "UPDATE setup_links SET connection = $2 WHERE {FAMILY} AND coalesce(connection, '') = coalesce($3, '') \
             AND done_at IS NULL AND revoked_at IS NULL"
        );
        Ok(self.run(&sql, binds![id, connection, was]).await? > 0)
    }
}

impl Reader {
    /// Finds the draft of a connection.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn draft(&mut self, connection: &ConnectionId) -> Result<Option<DraftRecord>> {
        let sql = format!("{DRAFT} WHERE connection = $1");
        self.row(&sql, binds![connection]).await?.map(draft).transpose()
    }

    /// Lists the drafts of an organization, the newest first.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn drafts(&mut self, organization: &OrganizationId) -> Result<Vec<DraftRecord>> {
        let sql = format!("{DRAFT} WHERE organization = $1 ORDER BY created_at DESC, connection");
        let rows = self.rows(&sql, binds![organization]).await?;
        rows.into_iter().map(draft).collect()
    }

    /// Finds a link by the SHA-256 (hex) of its token, in whatever state.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn setup_link_by_digest(&mut self, digest: &str) -> Result<Option<SetupLink>> {
        let sql = format!("{LINK} WHERE digest = $1");
        self.row(&sql, binds![digest]).await?.map(link).transpose()
    }

    /// Finds a link by its identifier, in whatever state.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn setup_link(&mut self, id: &str) -> Result<Option<SetupLink>> {
        let sql = format!("{LINK} WHERE id = $1");
        self.row(&sql, binds![id]).await?.map(link).transpose()
    }

    /// Lists the links that were made with a link for colleagues, ended ones too, the newest first.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn asked_links(&mut self, id: &str, limit: u32) -> Result<Vec<SetupLink>> {
        let sql = format!("{LINK} WHERE asked_from = $1 ORDER BY created_at DESC, id DESC LIMIT $2");
        let rows = self.rows(&sql, binds![id, limit]).await?;
        rows.into_iter().map(link).collect()
    }

    /// Lists the links of an organization, ended ones too, the newest first.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn setup_links(&mut self, organization: &OrganizationId, limit: u32) -> Result<Vec<SetupLink>> {
        let sql = format!("{LINK} WHERE organization = $1 ORDER BY created_at DESC, id DESC LIMIT $2");
        let rows = self.rows(&sql, binds![organization, limit]).await?;
        rows.into_iter().map(link).collect()
    }
}

fn draft(mut row: Row) -> Result<DraftRecord> {
    Ok(DraftRecord {
        connection: ConnectionId::new(row.text("connection_drafts.connection")?),
        organization: OrganizationId::new(row.text("connection_drafts.organization")?),
        document: row.json("connection_drafts.document")?,
        created_at: row.time("connection_drafts.created_at")?,
        updated_at: row.time("connection_drafts.updated_at")?,
    })
}

fn link(mut row: Row) -> Result<SetupLink> {
    Ok(SetupLink {
        id: row.text("setup_links.id")?,
        organization: OrganizationId::new(row.text("setup_links.organization")?),
        connection: row.opt_text("setup_links.connection")?.map(ConnectionId::new),
        scopes: row.json("setup_links.scopes")?,
        label: row.text("setup_links.label")?,
        created_by: row.text("setup_links.created_by")?,
        created_at: row.time("setup_links.created_at")?,
        expires_at: row.time("setup_links.expires_at")?,
        opened_at: row.opt_time("setup_links.opened_at")?,
        done_at: row.opt_time("setup_links.done_at")?,
        revoked_at: row.opt_time("setup_links.revoked_at")?,
        asked_from: row.opt_text("setup_links.asked_from")?,
        step: row.opt_text("setup_links.step")?,
    })
}
