//! Bearer tokens of directories (SCIM) and of the API: kept as digests. Never sees a token itself.

use jiff::Timestamp;
use provost_kernel::id::{AccountId, ConnectionId, OrganizationId};
use serde_json::json as object;

use crate::engine::batch::Query;
use crate::error::Result;
use crate::feed::NewEvent;
use crate::revisions;
use crate::tx::{Reader, Tx};
use crate::value::{Row, binds, json, parts};

/// A bearer token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRecord {
    /// Identifier, for listing and revoking.
    pub id: String,
    /// What it opens, as a stable word: `scim`, `api`, `setup`.
    pub kind: String,
    /// Label for people.
    pub label: String,
    /// The connection it belongs to.
    pub connection: Option<ConnectionId>,
    /// The organization it is limited to.
    pub organization: Option<OrganizationId>,
    /// The person who made it, if one did, herself or by a key of hers. It opens nothing while she is not active, and ends with her.
    pub made_by: Option<AccountId>,
    /// What it may do.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it expires.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, exact to a minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

const COLUMNS: &str = "id, kind, label, connection, organization, scopes, created_at, expires_at, last_used_at, revoked_at, made_by";

impl TokenRecord {
    /// Says of a key of the API that it was made or revoked.
    pub fn event(&self, kind: &str, actor: &str, now: Timestamp) -> NewEvent {
        NewEvent {
            at: now,
            kind: kind.to_owned(),
            actor: actor.to_owned(),
            account: None,
            organization: self.organization.clone(),
            connection: None,
            trace: None,
            data: object!({
                "key": self.id,
                "label": self.label,
                "scopes": self.scopes,
                "expires_at": self.expires_at,
            }),
        }
    }
}

/// Looks for the keys of the API that a person made and that are still good.
pub(crate) fn keys_made_by(account: &AccountId) -> Query {
    let sql = format!("SELECT {COLUMNS} FROM tokens WHERE made_by = $1 AND revoked_at IS NULL");
    Query::new(sql, binds![account])
}

impl Tx {
    /// Finds a token by its identifier, and locks it until the transaction ends: whoever revokes it waits, and then finds what was
    /// made with it.
    ///
    /// # Errors
    /// `engine`, `corrupt` and `busy`.
    pub async fn token_to_use(&mut self, id: &str) -> Result<Option<TokenRecord>> {
        let sql = format!("SELECT {COLUMNS} FROM tokens WHERE id = $1{{lock}}");
        self.row(&sql, binds![id]).await?.map(token).transpose()
    }

    /// Keeps a token by its SHA-256 (hex).
    ///
    /// # Errors
    /// `conflict` (`tokens_digest`) if the same token is kept already.
    pub async fn insert_token(&mut self, token: &TokenRecord, digest: &str) -> Result<()> {
        let sql = "INSERT INTO tokens (id, kind, label, digest, connection, organization, scopes, created_at, expires_at, \
                   made_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        let row = binds![
            &token.id,
            &token.kind,
            &token.label,
            digest,
            token.connection.as_ref(),
            token.organization.as_ref(),
            json(&token.scopes)?,
            token.created_at,
            token.expires_at,
            token.made_by.as_ref(),
        ];
        self.run(sql, row).await.map(drop)
    }

    /// Notes that a token was used, at most once a minute.
    ///
    /// # Errors
    /// `engine`.
    pub async fn touch_token(&mut self, id: &str, now: Timestamp) -> Result<bool> {
        let sql = "UPDATE tokens SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= $3)";
        Ok(self
            .run(sql, binds![id, now, now.as_millisecond() - 60_000])
            .await?
            > 0)
    }

    /// Revokes a token. Tells whether it was still good.
    ///
    /// # Errors
    /// `engine`.
    pub async fn revoke_token(&mut self, id: &str, now: Timestamp) -> Result<bool> {
        let sql = "UPDATE tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
        Ok(self.run(sql, binds![id, now]).await? > 0)
    }

    /// Revokes keys of the API that were found with [`keys_made_by`], and notes who did it.
    pub(crate) fn revoke_keys(&mut self, found: Vec<Row>, actor: &str, now: Timestamp) -> Result<()> {
        for row in found {
            let key = token(row)?;
            let sql = "UPDATE tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
            self.later(sql, binds![&key.id, now]);
            self.record(key.event("api_key.revoked", actor, now));
        }
        Ok(())
    }

    /// Revokes all tokens of a kind with a label. Returns how many were still good.
    ///
    /// # Errors
    /// `engine`.
    pub async fn revoke_tokens_labeled(&mut self, kind: &str, label: &str, now: Timestamp) -> Result<u64> {
        let sql = "UPDATE tokens SET revoked_at = $3 WHERE kind = $1 AND label = $2 AND revoked_at IS NULL";
        self.run(sql, binds![kind, label, now]).await
    }
}

impl Reader {
    /// Finds a token that is neither revoked nor expired by its SHA-256 (hex), and whose maker, if a person made it, is active.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn token_by_digest(&mut self, digest: &str, now: Timestamp) -> Result<Option<TokenRecord>> {
        let Query { sql, binds } = by_digest(digest, now);
        self.row(&sql, binds).await?.map(token).transpose()
    }

    /// As [`Self::token_by_digest`], with the revision of `name` at the same moment.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn token_and_revision(
        &mut self,
        digest: &str,
        now: Timestamp,
        name: &str,
    ) -> Result<(Option<TokenRecord>, i64)> {
        let found = self
            .together(vec![by_digest(digest, now), revisions::query(name)])
            .await?;
        let [tokens, revision] = parts(found)?;
        let token = tokens.into_iter().next().map(token).transpose()?;
        Ok((token, revisions::read(revision)?))
    }

    /// Finds a token by its identifier, in whatever state.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn token(&mut self, id: &str) -> Result<Option<TokenRecord>> {
        let sql = format!("SELECT {COLUMNS} FROM tokens WHERE id = $1");
        self.row(&sql, binds![id]).await?.map(token).transpose()
    }

    /// Lists the tokens of a kind, of one connection if named, revoked ones too, oldest first.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn tokens(
        &mut self,
        kind: &str,
        connection: Option<&ConnectionId>,
    ) -> Result<Vec<TokenRecord>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM tokens WHERE kind = $1 AND ($2 IS NULL OR connection = $2) ORDER BY created_at, id"
        );
        self.rows(&sql, binds![kind, connection])
            .await?
            .into_iter()
            .map(token)
            .collect()
    }

    /// Tells whether a token with this SHA-256 (hex) is kept, in whatever state.
    ///
    /// # Errors
    /// `engine`.
    pub async fn has_token(&mut self, digest: &str) -> Result<bool> {
        Ok(self
            .row("SELECT 1 FROM tokens WHERE digest = $1", binds![digest])
            .await?
            .is_some())
    }
}

/// Looks for a token that is still good.
fn by_digest(digest: &str, now: Timestamp) -> Query {
    let sql = format!(
        "SELECT {COLUMNS} FROM tokens WHERE digest = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2) \
         AND (made_by IS NULL OR EXISTS (SELECT 1 FROM accounts a WHERE a.id = tokens.made_by AND a.status = 'active'))"
    );
    Query::new(sql, binds![digest, now])
}

fn token(mut row: Row) -> Result<TokenRecord> {
    Ok(TokenRecord {
        id: row.text("tokens.id")?,
        kind: row.text("tokens.kind")?,
        label: row.text("tokens.label")?,
        connection: row.opt_text("tokens.connection")?.map(ConnectionId::new),
        organization: row.opt_text("tokens.organization")?.map(OrganizationId::new),
        scopes: row.json("tokens.scopes")?,
        created_at: row.time("tokens.created_at")?,
        expires_at: row.opt_time("tokens.expires_at")?,
        last_used_at: row.opt_time("tokens.last_used_at")?,
        revoked_at: row.opt_time("tokens.revoked_at")?,
        made_by: row.opt_text("tokens.made_by")?.map(AccountId::new),
    })
}
