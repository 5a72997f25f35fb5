//! Organizations and what they hand out: roles, workspaces, licenses, domains.
//! Never decides who gets what.

use jiff::Timestamp;
use provost_kernel::directory::{License, Organization, Role, Workspace};
use provost_kernel::id::{LicenseId, OrganizationId};
use serde_json::Value;

use crate::error::{Result, StoreError};
use crate::tx::{Reader, Tx};
use crate::value::{Row, binds, json, list, to_word};

/// An organization as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct OrganizationRecord {
    /// What decisions see.
    pub organization: Organization,
    /// Settings that decisions do not see.
    pub settings: Value,
    /// Grows with each change.
    pub version: i64,
    /// When it came into being.
    pub created_at: Timestamp,
}

/// A domain of an organization. Verified by one organization at a time.
#[derive(Clone, Debug, PartialEq)]
pub struct DomainRecord {
    /// Whose.
    pub organization: OrganizationId,
    /// Name in lower case.
    pub name: String,
    /// What the DNS record must show.
    pub token: Option<String>,
    /// When it was verified; none while it is only claimed.
    pub verified_at: Option<Timestamp>,
    /// Settings of the domain.
    pub settings: Value,
}

impl Tx {
    /// Creates or changes an organization; no version is counted when nothing changes.
    ///
    /// # Errors
    /// `engine`.
    pub async fn put_organization(
        &mut self,
        organization: &Organization,
        settings: &Value,
        now: Timestamp,
    ) -> Result<()> {
        let sql = "INSERT INTO organizations (id, name, roles_per_member, managed_by, settings, version, created_at) \
                   VALUES ($1, $2, $3, $4, $5, 1, $6) ON CONFLICT (id) DO UPDATE SET name = excluded.name, \
                   roles_per_member = excluded.roles_per_member, managed_by = excluded.managed_by, \
                   settings = excluded.settings, version = organizations.version + 1 \
                   WHERE organizations.name <> excluded.name OR organizations.settings <> excluded.settings \
                   OR organizations.roles_per_member <> excluded.roles_per_member \
                   OR organizations.managed_by <> excluded.managed_by";
        let roles = to_word(&organization.roles_per_member)?;
        let managed_by = to_word(&organization.managed_by)?;
        if self
            .run(
                sql,
                binds![
                    &organization.id,
                    &organization.name,
                    roles,
                    managed_by,
                    json(settings)?,
                    now
                ],
            )
            .await?
            > 0
        {
            self.put_seat_limits(&organization.id, settings).await?;
            self.bump_revision("organizations").await?;
        }
        Ok(())
    }

    /// Deletes an organization without members and connections.
    ///
    /// # Errors
    /// `conflict` (`organization_in_use`).
    pub async fn delete_organization(&mut self, id: &OrganizationId) -> Result<bool> {
        let sql = "DELETE FROM organizations WHERE id = $1 \
                   AND NOT EXISTS (SELECT 1 FROM memberships WHERE organization = $1) \
                   AND NOT EXISTS (SELECT 1 FROM groups WHERE organization = $1) \
                   AND NOT EXISTS (SELECT 1 FROM connections WHERE organization = $1)";
        let deleted = self.run(sql, binds![id]).await? > 0;
        if !deleted && self.organization(id).await?.is_some() {
            return Err(StoreError::Conflict("organization_in_use".to_owned()));
        }
        self.bump_revision("organizations").await?;
        Ok(deleted)
    }

    /// Waits for the row of an organization, so that nobody else changes who owns it until this transaction ends.
    ///
    /// # Errors
    /// `engine`.
    pub async fn lock_organization(&mut self, id: &OrganizationId) -> Result<()> {
        self.row("SELECT id FROM organizations WHERE id = $1{lock}", binds![id])
            .await
            .map(drop)
    }

    /// Keeps organizations as they are until the transaction ends, whose rows others may refer to meanwhile. Ask this before
    /// reading what is then written back of them: else an older state comes back.
    ///
    /// # Errors
    /// `engine`.
    pub async fn hold_organizations(&mut self, ids: &[OrganizationId]) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let ids = list(ids.iter().map(OrganizationId::as_str))?;
        let sql = "SELECT id FROM organizations WHERE id IN ({list:$1}) ORDER BY id{hold}";
        self.rows(sql, binds![ids]).await.map(drop)
    }

    /// Makes exactly these the roles of an organization, in this order of priority.
    ///
    /// # Errors
    /// `conflict`: `role_in_use` if a member holds a role that would go, `roles_name` for a name used twice.
    pub async fn set_roles(&mut self, organization: &OrganizationId, roles: &[Role]) -> Result<()> {
        if self.roles(organization).await? == roles {
            return Ok(());
        }
        let keep = list(roles.iter().map(|role| role.id.as_str()))?;
        let sql = "DELETE FROM roles WHERE organization = $1 AND id NOT IN ({list:$2}) AND NOT EXISTS \
                   (SELECT 1 FROM membership_roles m WHERE m.organization = roles.organization AND m.role = roles.id)";
        self.run(sql, binds![organization, keep]).await?;
        for (position, role) in (0_i64..).zip(roles) {
            let sql = "INSERT INTO roles (organization, id, name, position, is_owner, is_default, document) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (organization, id) DO UPDATE SET \
                       name = excluded.name, position = excluded.position, is_owner = excluded.is_owner, \
                       is_default = excluded.is_default, document = excluded.document";
            let document = json(role)?;
            self.run(
                sql,
                binds![
                    organization,
                    &role.id,
                    &role.name,
                    position,
                    role.owner,
                    role.default,
                    document
                ],
            )
            .await?;
        }
        self.expect_count("roles", organization, roles.len(), "role_in_use")
            .await
    }

    /// Makes exactly these the workspaces of an organization, in this order.
    ///
    /// # Errors
    /// `conflict` (`workspace_in_use`) if a member holds a workspace that would go.
    pub async fn set_workspaces(
        &mut self,
        organization: &OrganizationId,
        workspaces: &[Workspace],
    ) -> Result<()> {
        if self.workspaces(organization).await? == workspaces {
            return Ok(());
        }
        let keep = list(workspaces.iter().map(|workspace| workspace.id.as_str()))?;
        let sql = "DELETE FROM workspaces WHERE organization = $1 AND id NOT IN ({list:$2}) AND NOT EXISTS \
                   (SELECT 1 FROM membership_workspaces m \
                   WHERE m.organization = workspaces.organization AND m.workspace = workspaces.id)";
        self.run(sql, binds![organization, keep]).await?;
        for (position, workspace) in (0_i64..).zip(workspaces) {
            let sql = "INSERT INTO workspaces (organization, id, name, position, is_default, document) \
                       VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (organization, id) DO UPDATE SET \
                       name = excluded.name, position = excluded.position, is_default = excluded.is_default, \
                       document = excluded.document";
            let document = json(workspace)?;
            let row = binds![
                organization,
                &workspace.id,
                &workspace.name,
                position,
                workspace.default,
                document
            ];
            self.run(sql, row).await?;
        }
        self.expect_count("workspaces", organization, workspaces.len(), "workspace_in_use")
            .await
    }

    /// Makes exactly these the license pools of an organization. Seats may fall below those in use; then none is free.
    ///
    /// # Errors
    /// `conflict`: `license_in_use` if a member holds or waits for a license that would go, `license_of_other_kind` if a pool would
    /// be for one kind of account while accounts of the other kind hold it or wait for it.
    pub async fn set_licenses(&mut self, organization: &OrganizationId, licenses: &[License]) -> Result<()> {
        let before = self.licenses(organization).await?;
        if before.iter().map(|(license, _)| license).eq(licenses) {
            return Ok(());
        }
        let changes_kind = |(old, _): &(License, u32)| {
            let new = licenses.iter().find(|new| new.id == old.id);
            new.is_some_and(|new| new.kind != old.kind)
        };
        let keep = list(licenses.iter().map(|license| license.id.as_str()))?;
        let sql = "DELETE FROM licenses WHERE organization = $1 AND id NOT IN ({list:$2}) AND NOT EXISTS \
                   (SELECT 1 FROM memberships m \
                   WHERE m.organization = licenses.organization AND m.license = licenses.id)";
        self.run(sql, binds![organization, keep]).await?;
        for (position, license) in (0_i64..).zip(licenses) {
            let sql = "INSERT INTO licenses (organization, id, position, seats, used, document) \
                       VALUES ($1, $2, $3, $4, 0, $5) ON CONFLICT (organization, id) DO UPDATE SET \
                       position = excluded.position, seats = excluded.seats, document = excluded.document";
            self.run(
                sql,
                binds![organization, &license.id, position, license.seats, json(license)?],
            )
            .await?;
        }
        // The rows of the pools are locked by now, so whoever takes a seat meanwhile comes after this.
        if before.iter().any(changes_kind) && !self.holders_of_other_kind(organization).await?.is_empty() {
            return Err(StoreError::Conflict("license_of_other_kind".to_owned()));
        }
        self.expect_count("licenses", organization, licenses.len(), "license_in_use")
            .await
    }

    async fn expect_count(
        &mut self,
        table: &'static str,
        organization: &OrganizationId,
        wanted: usize,
        conflict: &'static str,
    ) -> Result<()> {
        let sql = format!("SELECT COUNT(*) FROM {table} WHERE organization = $1");
        let mut row = self
            .row(&sql, binds![organization])
            .await?
            .ok_or(StoreError::Corrupt(table))?;
        if usize::try_from(row.int(table)?) != Ok(wanted) {
            return Err(StoreError::Conflict(conflict.to_owned()));
        }
        self.bump_revision("organizations").await.map(drop)
    }

    /// Creates or changes a domain of an organization.
    ///
    /// # Errors
    /// `conflict` (`domains_verified`) if another organization has verified the same name.
    pub async fn put_domain(&mut self, domain: &DomainRecord, now: Timestamp) -> Result<()> {
        let sql = "INSERT INTO domains (organization, name, token, verified_at, settings, created_at) \
                   VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (organization, name) DO UPDATE SET \
                   token = excluded.token, verified_at = excluded.verified_at, settings = excluded.settings";
        let name = domain.name.to_ascii_lowercase();
        let settings = json(&domain.settings)?;
        self.run(
            sql,
            binds![
                &domain.organization,
                name,
                &domain.token,
                domain.verified_at,
                settings,
                now
            ],
        )
        .await?;
        self.bump_revision("connections").await.map(drop)
    }

    /// Forgets a domain of an organization.
    ///
    /// # Errors
    /// `engine`.
    pub async fn delete_domain(&mut self, organization: &OrganizationId, name: &str) -> Result<bool> {
        let sql = "DELETE FROM domains WHERE organization = $1 AND name = $2";
        let deleted = self
            .run(sql, binds![organization, name.to_ascii_lowercase()])
            .await?
            > 0;
        self.bump_revision("connections").await?;
        Ok(deleted)
    }
}

impl Reader {
    /// Finds an organization by id, which is also its slug.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn organization(&mut self, id: &OrganizationId) -> Result<Option<OrganizationRecord>> {
        let sql = "SELECT id, name, roles_per_member, managed_by, settings, version, created_at FROM organizations WHERE id = $1";
        self.row(sql, binds![id]).await?.map(organization).transpose()
    }

    /// Lists the ids of all organizations, in order. Changes with the revision `organizations`.
    ///
    /// # Errors
    /// `engine`.
    pub async fn organization_ids(&mut self) -> Result<Vec<OrganizationId>> {
        let rows = self
            .rows("SELECT id FROM organizations ORDER BY id", Vec::new())
            .await?;
        rows.into_iter()
            .map(|mut row| Ok(OrganizationId::new(row.text("organizations.id")?)))
            .collect()
    }

    /// Lists organizations by id, after one.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn organizations(
        &mut self,
        after: Option<&OrganizationId>,
        limit: u32,
    ) -> Result<Vec<OrganizationRecord>> {
        let sql = "SELECT id, name, roles_per_member, managed_by, settings, version, created_at FROM organizations \
                   WHERE id > $1 ORDER BY id LIMIT $2";
        let after = after.map_or("", OrganizationId::as_str);
        self.rows(sql, binds![after, limit])
            .await?
            .into_iter()
            .map(organization)
            .collect()
    }

    /// Lists an organization's roles in order of priority.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn roles(&mut self, organization: &OrganizationId) -> Result<Vec<Role>> {
        let sql = "SELECT document FROM roles WHERE organization = $1 ORDER BY position, id";
        self.rows(sql, binds![organization])
            .await?
            .into_iter()
            .map(|mut row| row.json("roles.document"))
            .collect()
    }

    /// Lists an organization's workspaces in order.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn workspaces(&mut self, organization: &OrganizationId) -> Result<Vec<Workspace>> {
        let sql = "SELECT document FROM workspaces WHERE organization = $1 ORDER BY position, id";
        self.rows(sql, binds![organization])
            .await?
            .into_iter()
            .map(|mut row| row.json("workspaces.document"))
            .collect()
    }

    /// Lists an organization's license pools in order, with seats in use.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn licenses(&mut self, organization: &OrganizationId) -> Result<Vec<(License, u32)>> {
        let sql = "SELECT document, used FROM licenses WHERE organization = $1 ORDER BY position, id";
        let rows = self.rows(sql, binds![organization]).await?;
        rows.into_iter()
            .map(|mut row| Ok((row.json("licenses.document")?, row.count("licenses.used")?)))
            .collect()
    }

    /// Counts, by pool that is for one kind of account alone, the accounts of the other kind that hold it or wait for it. There
    /// are none, unless the pool was for them until this moment. Deleted accounts do not count: they hold nothing.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn holders_of_other_kind(
        &mut self,
        organization: &OrganizationId,
    ) -> Result<Vec<(LicenseId, u32)>> {
        let pools = self.licenses(organization).await?;
        let mut found = Vec::new();
        for (license, _) in pools {
            let Some(kind) = license.kind else { continue };
            let sql = "SELECT COUNT(*) FROM memberships m JOIN accounts a ON a.id = m.account \
                       WHERE m.organization = $1 AND m.license = $2 AND a.kind <> $3 AND a.deleted = 0";
            let row = self
                .row(sql, binds![organization, &license.id, to_word(&kind)?])
                .await?;
            let count = row
                .ok_or(StoreError::Corrupt("memberships"))?
                .count("memberships")?;
            if count > 0 {
                found.push((license.id, count));
            }
        }
        Ok(found)
    }

    /// Lists an organization's domains.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn domains(&mut self, organization: &OrganizationId) -> Result<Vec<DomainRecord>> {
        let sql = "SELECT organization, name, token, verified_at, settings FROM domains \
                   WHERE organization = $1 ORDER BY name";
        self.rows(sql, binds![organization])
            .await?
            .into_iter()
            .map(domain)
            .collect()
    }

    /// Finds the organization that verified a domain.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn verified_domain(&mut self, name: &str) -> Result<Option<DomainRecord>> {
        let sql = "SELECT organization, name, token, verified_at, settings FROM domains \
                   WHERE name = $1 AND verified_at IS NOT NULL";
        self.row(sql, binds![name.to_ascii_lowercase()])
            .await?
            .map(domain)
            .transpose()
    }
}

fn organization(mut row: Row) -> Result<OrganizationRecord> {
    let organization = Organization {
        id: OrganizationId::new(row.text("organizations.id")?),
        name: row.text("organizations.name")?,
        roles_per_member: row.word("organizations.roles_per_member")?,
        managed_by: row.word("organizations.managed_by")?,
    };
    Ok(OrganizationRecord {
        organization,
        settings: row.json("organizations.settings")?,
        version: row.int("organizations.version")?,
        created_at: row.time("organizations.created_at")?,
    })
}

fn domain(mut row: Row) -> Result<DomainRecord> {
    Ok(DomainRecord {
        organization: OrganizationId::new(row.text("domains.organization")?),
        name: row.text("domains.name")?,
        token: row.opt_text("domains.token")?,
        verified_at: row.opt_time("domains.verified_at")?,
        settings: row.json("domains.settings")?,
    })
}
