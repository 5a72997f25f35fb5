//! Applications: the apps behind Provost as clients of its OpenID provider. Never sees a client secret itself.

use jiff::Timestamp;
use provost_kernel::id::OrganizationId;
use serde_json::Value;

use crate::error::Result;
use crate::tx::{Reader, Tx};
use crate::value::{Row, binds, json};

/// An application.
#[derive(Clone, Debug, PartialEq)]
pub struct ApplicationRecord {
    /// Client id.
    pub client_id: String,
    /// SHA-256 of the client secret, hex; none for a public client or one with keys.
    pub secret_digest: Option<String>,
    /// Everything else, in a form that the server knows (redirect URIs, logout URI, keys).
    pub config: Value,
    /// The organizations whose people may sign in; none means all.
    pub organizations: Option<Vec<OrganizationId>>,
    /// Grows with each change; ignored when writing.
    pub version: i64,
}

const COLUMNS: &str =
    "SELECT client_id, secret_digest, document, all_organizations, version FROM applications";

impl Tx {
    /// Creates or changes an application and returns its version. Nothing is written when nothing changes.
    ///
    /// # Errors
    /// `conflict` (`foreign_key`) for an unknown organization.
    pub async fn put_application(&mut self, application: &ApplicationRecord, now: Timestamp) -> Result<i64> {
        let mut wanted = application.clone();
        if let Some(organizations) = &mut wanted.organizations {
            organizations.sort();
            organizations.dedup();
        }
        let old = self.application(&application.client_id).await?;
        wanted.version = old.as_ref().map_or(0, |old| old.version);
        if old.as_ref() == Some(&wanted) {
            return Ok(wanted.version);
        }
        let sql = "INSERT INTO applications (client_id, secret_digest, all_organizations, document, version, created_at, \
                   updated_at) VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT (client_id) DO UPDATE SET \
                   secret_digest = excluded.secret_digest, all_organizations = excluded.all_organizations, \
                   document = excluded.document, version = excluded.version, updated_at = excluded.updated_at";
        let row = binds![
            &wanted.client_id,
            &wanted.secret_digest,
            wanted.organizations.is_none(),
            json(&wanted.config)?,
            wanted.version + 1,
            now,
        ];
        self.run(sql, row).await?;
        self.run(
            "DELETE FROM application_organizations WHERE client_id = $1",
            binds![&wanted.client_id],
        )
        .await?;
        for organization in wanted.organizations.iter().flatten() {
            let sql = "INSERT INTO application_organizations (client_id, organization) VALUES ($1, $2)";
            self.run(sql, binds![&wanted.client_id, organization]).await?;
        }
        self.bump_revision("applications").await?;
        Ok(wanted.version + 1)
    }

    /// Finds an application like [`Reader::application`], and locks it until the transaction ends: a new registration is made of
    /// the present one, with its secret.
    ///
    /// # Errors
    /// `engine`, `corrupt` and `busy`.
    pub async fn application_to_change(&mut self, client_id: &str) -> Result<Option<ApplicationRecord>> {
        let sql = "SELECT client_id FROM applications WHERE client_id = $1{hold}";
        self.row(sql, binds![client_id]).await?;
        self.application(client_id).await
    }

    /// Deletes an application. Tells whether it existed.
    ///
    /// # Errors
    /// `engine`.
    pub async fn delete_application(&mut self, client_id: &str) -> Result<bool> {
        let deleted = self
            .run("DELETE FROM applications WHERE client_id = $1", binds![client_id])
            .await?
            > 0;
        self.bump_revision("applications").await?;
        Ok(deleted)
    }
}

impl Reader {
    /// Finds an application.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn application(&mut self, client_id: &str) -> Result<Option<ApplicationRecord>> {
        match self
            .row(&format!("{COLUMNS} WHERE client_id = $1"), binds![client_id])
            .await?
        {
            Some(row) => self.with_organizations(row).await.map(Some),
            None => Ok(None),
        }
    }

    /// Lists all applications by client id.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn applications(&mut self) -> Result<Vec<ApplicationRecord>> {
        let mut found = Vec::new();
        for row in self
            .rows(&format!("{COLUMNS} ORDER BY client_id"), Vec::new())
            .await?
        {
            found.push(self.with_organizations(row).await?);
        }
        Ok(found)
    }

    async fn with_organizations(&mut self, mut row: Row) -> Result<ApplicationRecord> {
        let client_id = row.text("applications.client_id")?;
        let secret_digest = row.opt_text("applications.secret_digest")?;
        let config = row.json("applications.document")?;
        let all = row.flag("applications.all_organizations")?;
        let version = row.int("applications.version")?;
        let organizations = if all {
            None
        } else {
            let sql = "SELECT organization FROM application_organizations WHERE client_id = $1 ORDER BY organization";
            let rows = self.rows(sql, binds![&client_id]).await?;
            let ids = rows
                .into_iter()
                .map(|mut row| Ok(OrganizationId::new(row.text("application_organizations")?)));
            Some(ids.collect::<Result<Vec<_>>>()?)
        };
        Ok(ApplicationRecord {
            client_id,
            secret_digest,
            config,
            organizations,
            version,
        })
    }
}
