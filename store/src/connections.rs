//! Connections: what decisions see of them, their protocol settings and their sealed secrets.
//! Never interprets protocol settings.

use jiff::Timestamp;
use provost_kernel::connection::{Connection, Protocol, Scope};
use provost_kernel::id::{ConnectionId, OrganizationId};
use provost_kernel::provision::push;
use serde_json::Value;

use crate::error::{Result, StoreError};
use crate::seal::SecretMap;
use crate::tx::{Reader, Tx};
use crate::value::{Row, binds, json, to_word};

/// A connection as it is kept, with its secrets opened.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectionRecord {
    /// What decisions see; its version is the record's.
    pub connection: Connection,
    /// Protocol settings, in a form that the server knows.
    pub protocol_config: Value,
    /// Secrets, for example `client_secret`.
    pub secrets: SecretMap,
    /// Stage of life as a stable word, for example `active` or `draft`.
    pub status: String,
    /// When it came into being.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What the sign-in page needs to know of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionSummary {
    /// Identifier.
    pub id: ConnectionId,
    /// Label.
    pub name: String,
    /// Protocol.
    pub protocol: Protocol,
    /// Owner; none for the whole instance.
    pub organization: Option<OrganizationId>,
    /// Whether people may sign in through it.
    pub enabled: bool,
    /// Stage of life.
    pub status: String,
}

const COLUMNS: &str = "SELECT c.id, c.document, c.protocol_config, c.secrets, c.status, c.version, c.created_at, \
                       c.updated_at FROM connections c";
const SUMMARY: &str =
    "SELECT c.id, c.name, c.protocol, c.organization, c.enabled, c.status FROM connections c";

impl Tx {
    /// Creates or changes a connection and returns its version. Nothing is written when nothing changes.
    ///
    /// `connection.version` is ignored: the store counts.
    ///
    /// # Errors
    /// `conflict` (`foreign_key`) if an organization named in the scope does not exist.
    pub async fn put_connection(
        &mut self,
        connection: &Connection,
        protocol_config: &Value,
        secrets: &SecretMap,
        status: &str,
        now: Timestamp,
    ) -> Result<i64> {
        let old = self.lock_connection(&connection.id).await?;
        let version = old.as_ref().map_or(1, |old| old.connection.version + 1);
        if let Some(old) = &old {
            let same = Connection {
                version: old.connection.version,
                ..connection.clone()
            };
            if old.connection == same
                && old.protocol_config == *protocol_config
                && old.secrets == *secrets
                && old.status == status
            {
                return Ok(old.connection.version);
            }
        }
        let (owner, shared) = match &connection.scope {
            Scope::Instance => (None, &[][..]),
            Scope::Organization {
                organization,
                shared_with,
            } => (Some(organization), shared_with.as_slice()),
        };
        let sealed = self
            .sealer
            .seal_map(("connections", "secrets", connection.id.as_str()), secrets)?;
        let document = json(&Connection {
            version,
            ..connection.clone()
        })?;
        let sql = "INSERT INTO connections (id, organization, name, protocol, enabled, status, document, \
                   protocol_config, secrets, version, created_at, updated_at) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11) ON CONFLICT (id) DO UPDATE SET \
                   organization = excluded.organization, name = excluded.name, protocol = excluded.protocol, \
                   enabled = excluded.enabled, status = excluded.status, document = excluded.document, \
                   protocol_config = excluded.protocol_config, secrets = excluded.secrets, \
                   version = excluded.version, updated_at = excluded.updated_at";
        let row = binds![
            &connection.id,
            owner,
            &connection.name,
            to_word(&connection.protocol)?,
            connection.enabled,
            status,
            document,
            json(protocol_config)?,
            sealed,
            version,
            now,
        ];
        self.run(sql, row).await?;
        self.set_reach(connection, shared).await?;
        self.bump_revision("connections").await?;
        self.ask_for_drift_walk(&connection.id, now).await?;
        if old.is_some_and(|old| push::decides_anew(&old.connection, connection)) {
            self.queue_everybody(&connection.id, &format!("{}-{version}", connection.id), now)
                .await?;
        }
        Ok(version)
    }

    /// Queues another decision about everybody whom a directory manages through a connection that reaches an organization. Whoever
    /// changes what an organization hands out calls this: a rule may name a role or workspace that was not there before, and
    /// nobody's sign-in would bring that up.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn decide_anew_about(&mut self, organization: &OrganizationId, now: Timestamp) -> Result<()> {
        let sql = "SELECT c.id FROM connections c WHERE {json:c.document} ->> 'provisioning' = 'scim' \
                   AND (c.organization = $1 OR c.organization IS NULL OR EXISTS (SELECT 1 \
                   FROM connection_organizations o WHERE o.connection = c.id AND o.organization = $1)) ORDER BY c.id";
        for mut row in self.rows(sql, binds![organization]).await? {
            let connection = ConnectionId::new(row.text("connections.id")?);
            let why = format!("{organization}-of-{connection}");
            self.queue_everybody(&connection, &why, now).await?;
        }
        self.ask_for_drift_walks_about(organization, now).await
    }

    /// Queues another decision about everybody whom the connection's directory manages and who may sign in.
    async fn queue_everybody(&mut self, connection: &ConnectionId, why: &str, now: Timestamp) -> Result<()> {
        let sql = "SELECT d.account FROM accounts a JOIN account_documents d ON d.account = a.id \
                   WHERE a.connection = $1 AND a.status IN ('active', 'invited') ORDER BY d.account";
        let people = self.account_ids(sql, binds![connection]).await?;
        for (number, some) in people.chunks(push::MOST_AT_ONCE).enumerate() {
            // The time keeps apart changes of connections that had the same name one after the other.
            let job = format!("{why}-{}-{number}", now.as_millisecond());
            self.queue_reevaluation(&job, connection, some, now).await?;
        }
        Ok(())
    }

    /// Rewrites the look-up rows of a connection.
    async fn set_reach(&mut self, connection: &Connection, shared: &[OrganizationId]) -> Result<()> {
        self.run(
            "DELETE FROM connection_organizations WHERE connection = $1",
            binds![&connection.id],
        )
        .await?;
        for organization in shared {
            let sql = "INSERT INTO connection_organizations (connection, organization) VALUES ($1, $2) \
                       ON CONFLICT (connection, organization) DO NOTHING";
            self.run(sql, binds![&connection.id, organization]).await?;
        }
        self.run(
            "DELETE FROM connection_domains WHERE connection = $1",
            binds![&connection.id],
        )
        .await?;
        for domain in &connection.domains {
            let sql = "INSERT INTO connection_domains (connection, name) VALUES ($1, $2) \
                       ON CONFLICT (connection, name) DO NOTHING";
            self.run(sql, binds![&connection.id, domain.to_ascii_lowercase()])
                .await?;
        }
        Ok(())
    }

    /// Deletes a connection that no account, link or session belongs to.
    ///
    /// # Errors
    /// `conflict` (`connection_in_use`).
    pub async fn delete_connection(&mut self, id: &ConnectionId) -> Result<bool> {
        let sql = "DELETE FROM connections WHERE id = $1 \
                   AND NOT EXISTS (SELECT 1 FROM accounts WHERE connection = $1) \
                   AND NOT EXISTS (SELECT 1 FROM links WHERE connection = $1) \
                   AND NOT EXISTS (SELECT 1 FROM groups WHERE connection = $1) \
                   AND NOT EXISTS (SELECT 1 FROM sessions WHERE connection = $1)";
        let deleted = self.run(sql, binds![id]).await? > 0;
        if !deleted && self.connection(id).await?.is_some() {
            return Err(StoreError::Conflict("connection_in_use".to_owned()));
        }
        self.bump_revision("connections").await?;
        Ok(deleted)
    }
}

impl Reader {
    /// Finds a connection and opens its secrets.
    ///
    /// # Errors
    /// `engine`, `corrupt` and `sealed`.
    pub async fn connection(&mut self, id: &ConnectionId) -> Result<Option<ConnectionRecord>> {
        let row = self
            .row(&format!("{COLUMNS} WHERE c.id = $1"), binds![id])
            .await?;
        row.map(|row| self.connection_record(row)).transpose()
    }

    /// Lists connections by id, after one, with their secrets opened.
    ///
    /// # Errors
    /// `engine`, `corrupt` and `sealed`.
    pub async fn connections(
        &mut self,
        after: Option<&ConnectionId>,
        limit: u32,
    ) -> Result<Vec<ConnectionRecord>> {
        let after = after.map_or("", ConnectionId::as_str);
        let sql = format!("{COLUMNS} WHERE c.id > $1 ORDER BY c.id LIMIT $2");
        let rows = self.rows(&sql, binds![after, limit]).await?;
        rows.into_iter().map(|row| self.connection_record(row)).collect()
    }

    /// Lists the connections that an organization owns by id, after one, with their secrets opened.
    ///
    /// # Errors
    /// `engine`, `corrupt` and `sealed`.
    pub async fn connections_owned_by(
        &mut self,
        organization: &OrganizationId,
        after: Option<&ConnectionId>,
        limit: u32,
    ) -> Result<Vec<ConnectionRecord>> {
        let after = after.map_or("", ConnectionId::as_str);
        let sql = format!("{COLUMNS} WHERE c.organization = $1 AND c.id > $2 ORDER BY c.id LIMIT $3");
        let rows = self.rows(&sql, binds![organization, after, limit]).await?;
        rows.into_iter().map(|row| self.connection_record(row)).collect()
    }

    /// Lists the enabled connections that serve a domain which an organization in their reach has verified.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn connections_for_domain(&mut self, domain: &str) -> Result<Vec<ConnectionSummary>> {
        let sql = format!(
            "{SUMMARY} JOIN connection_domains cd ON cd.connection = c.id JOIN domains d ON d.name = cd.name \
             WHERE cd.name = $1 AND d.verified_at IS NOT NULL AND c.enabled = 1 AND (c.organization IS NULL \
             OR c.organization = d.organization OR EXISTS (SELECT 1 FROM connection_organizations co \
             WHERE co.connection = c.id AND co.organization = d.organization)) ORDER BY c.name, c.id"
        );
        self.rows(&sql, binds![domain.to_ascii_lowercase()])
            .await?
            .into_iter()
            .map(summary)
            .collect()
    }

    /// Lists the connections that may admit to an organization: its own, those shared with it and the instance's.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn connections_for_organization(
        &mut self,
        organization: &OrganizationId,
    ) -> Result<Vec<ConnectionSummary>> {
        let sql = format!(
            "{SUMMARY} WHERE c.organization = $1 OR c.organization IS NULL OR EXISTS \
             (SELECT 1 FROM connection_organizations co WHERE co.connection = c.id AND co.organization = $1) \
             ORDER BY c.name, c.id"
        );
        self.rows(&sql, binds![organization])
            .await?
            .into_iter()
            .map(summary)
            .collect()
    }

    fn connection_record(&self, mut row: Row) -> Result<ConnectionRecord> {
        let id = row.text("connections.id")?;
        let mut connection: Connection = row.json("connections.document")?;
        let protocol_config = row.json("connections.protocol_config")?;
        let secrets = match row.opt_bytes("connections.secrets")? {
            Some(sealed) => self.sealer.open_map(("connections", "secrets", &id), &sealed)?,
            None => SecretMap::default(),
        };
        let status = row.text("connections.status")?;
        connection.version = row.int("connections.version")?;
        Ok(ConnectionRecord {
            connection,
            protocol_config,
            secrets,
            status,
            created_at: row.time("connections.created_at")?,
            updated_at: row.time("connections.updated_at")?,
        })
    }
}

fn summary(mut row: Row) -> Result<ConnectionSummary> {
    Ok(ConnectionSummary {
        id: ConnectionId::new(row.text("connections.id")?),
        name: row.text("connections.name")?,
        protocol: row.word("connections.protocol")?,
        organization: row.opt_text("connections.organization")?.map(OrganizationId::new),
        enabled: row.flag("connections.enabled")?,
        status: row.text("connections.status")?,
    })
}
