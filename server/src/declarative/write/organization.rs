//! Organizations with their roles, workspaces, licenses and domains.

use std::collections::BTreeSet;

use provost_kernel::directory::{License, Organization, Role, Workspace};
use provost_kernel::id::{LicenseId, OrganizationId, RoleId, WorkspaceId};
use provost_store::{DomainRecord, StoreError};
use serde_json::{Value, json};

use super::super::diff;
use super::super::document::OrganizationEntry;
use super::super::report::ApplyError;
use super::Run;
use crate::branding::Branding;

/// What is stored of an organization, in the order of the store.
struct Stored {
    organization: Organization,
    settings: Value,
    roles: Vec<Role>,
    workspaces: Vec<Workspace>,
    licenses: Vec<License>,
    domains: Vec<DomainRecord>,
}

impl Run<'_> {
    /// Writes one organization.
    pub(super) async fn organization(&mut self, entry: &OrganizationEntry) -> Result<(), ApplyError> {
        let id = OrganizationId::new(&entry.id);
        let path = format!("organizations[{id}]");
        let now = self.prepared.now;
        let stored = self.stored_organization(&id).await?;
        let prune = self.prepared.document.prune;
        let organization = Organization {
            id: id.clone(),
            name: entry.name.clone().unwrap_or_else(|| entry.id.clone()),
            roles_per_member: entry.roles_per_member,
        };
        let old = stored.as_ref();
        let roles = merged(roles(entry), old.map(|old| old.roles.as_slice()), prune, |role| {
            role.id.as_str().to_owned()
        });
        let workspaces = merged(
            workspaces(entry),
            old.map(|old| old.workspaces.as_slice()),
            prune,
            |workspace| workspace.id.as_str().to_owned(),
        );
        let licenses = merged(
            licenses(entry),
            old.map(|old| old.licenses.as_slice()),
            prune,
            |license| license.id.as_str().to_owned(),
        );
        let mut settings = old.map_or_else(|| json!({}), |old| old.settings.clone());
        match &entry.mail {
            Some(branding) => branding.clone().put(&mut settings),
            None if prune => Branding::default().put(&mut settings),
            None => {}
        }
        let after = view(&organization, &settings, &roles, &workspaces, &licenses);
        let fields = match old {
            Some(old) => diff::fields(
                &view(
                    &old.organization,
                    &old.settings,
                    &old.roles,
                    &old.workspaces,
                    &old.licenses,
                ),
                &after,
            ),
            None => diff::new_fields(&after),
        };
        if old.is_none() || !fields.is_empty() {
            self.tx.put_organization(&organization, &settings, now).await?;
            let lists = [
                self.tx.set_roles(&id, &roles).await,
                self.tx.set_workspaces(&id, &workspaces).await,
                self.tx.set_licenses(&id, &licenses).await,
            ];
            for outcome in lists {
                self.in_use(&path, outcome)?;
            }
            if old.is_some() {
                self.tx.decide_anew_about(&id, now).await?;
            }
        }
        let domains = self
            .domains(&path, &id, entry, old.map_or(&[], |old| old.domains.as_slice()))
            .await?;
        let mut fields = fields;
        fields.extend(domains);
        let what = format!("organization {id}");
        if old.is_none() {
            self.audit("organization.created", Some(&id), None, after);
            self.report.created(what, fields);
        } else if !fields.is_empty() {
            self.audit(
                "organization.updated",
                Some(&id),
                None,
                json!({ "fields": fields }),
            );
            self.report.changed(what, fields);
        }
        Ok(())
    }

    /// Turns a refusal to delete something that is in use into a problem of the file.
    fn in_use(&mut self, path: &str, outcome: Result<(), StoreError>) -> Result<(), ApplyError> {
        match outcome {
            Err(StoreError::Conflict(name)) => {
                let what = match name.as_str() {
                    "role_in_use" => {
                        "a role that is not in the file is held by members, so it cannot be pruned"
                    }
                    "workspace_in_use" => {
                        "a workspace that is not in the file is held by members, so it cannot be pruned"
                    }
                    "license_in_use" => {
                        "a license that is not in the file is held by members, so it cannot be pruned"
                    }
                    _ => return Err(StoreError::Conflict(name).into()),
                };
                self.add(path, what);
                Ok(())
            }
            other => Ok(other?),
        }
    }

    async fn stored_organization(&mut self, id: &OrganizationId) -> Result<Option<Stored>, ApplyError> {
        let Some(record) = self.tx.organization(id).await? else {
            return Ok(None);
        };
        Ok(Some(Stored {
            organization: record.organization,
            settings: record.settings,
            roles: self.tx.roles(id).await?,
            workspaces: self.tx.workspaces(id).await?,
            licenses: self
                .tx
                .licenses(id)
                .await?
                .into_iter()
                .map(|(license, _)| license)
                .collect(),
            domains: self.tx.domains(id).await?,
        }))
    }

    /// Adds and verifies domains; returns the lines of the diff.
    async fn domains(
        &mut self,
        path: &str,
        id: &OrganizationId,
        entry: &OrganizationEntry,
        old: &[DomainRecord],
    ) -> Result<Vec<String>, ApplyError> {
        let mut lines = Vec::new();
        let now = self.prepared.now;
        for wanted in &entry.domains {
            let name = wanted.name.to_ascii_lowercase();
            let stored = old.iter().find(|domain| domain.name == name);
            let is_verified = stored.is_some_and(|domain| domain.verified_at.is_some());
            if stored.is_some() && (is_verified || !wanted.verified) {
                continue;
            }
            let owner = self
                .tx
                .verified_domain(&name)
                .await?
                .map(|domain| domain.organization);
            if let Some(owner) = owner.filter(|owner| wanted.verified && owner != id) {
                self.add(
                    format!("{path}.domains[{name}]"),
                    format!("is verified by organization {owner}; it must be given up there first"),
                );
                continue;
            }
            let record = DomainRecord {
                organization: id.clone(),
                name: name.clone(),
                token: stored.and_then(|domain| domain.token.clone()),
                verified_at: wanted.verified.then_some(now),
                settings: stored.map_or_else(|| json!({}), |domain| domain.settings.clone()),
            };
            self.tx.put_domain(&record, now).await?;
            lines.push(match (stored.is_some(), wanted.verified) {
                (false, true) => format!("domains.{name}: added, verified by the operator"),
                (false, false) => format!("domains.{name}: added, not verified"),
                (true, _) => format!("domains.{name}: verified by the operator"),
            });
        }
        if self.prepared.document.prune {
            let kept: BTreeSet<String> = entry
                .domains
                .iter()
                .map(|domain| domain.name.to_ascii_lowercase())
                .collect();
            for domain in old.iter().filter(|domain| !kept.contains(&domain.name)) {
                self.tx.delete_domain(id, &domain.name).await?;
                lines.push(format!("domains.{}: removed", domain.name));
            }
        }
        Ok(lines)
    }

    /// Deletes organizations that the document does not mention.
    pub(super) async fn prune_organizations(&mut self) -> Result<(), ApplyError> {
        let kept: BTreeSet<&str> = self
            .prepared
            .document
            .organizations
            .iter()
            .map(|entry| entry.id.as_str())
            .collect();
        let mut after: Option<OrganizationId> = None;
        loop {
            let page = self.tx.organizations(after.as_ref(), 200).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.organization.id.clone());
            for record in page
                .iter()
                .filter(|record| !kept.contains(record.organization.id.as_str()))
            {
                let id = &record.organization.id;
                match self.tx.delete_organization(id).await {
                    Ok(_) => {
                        self.audit("organization.deleted", None, None, json!({ "organization": id.as_str() }));
                        self.report.deleted(format!("organization {id}"));
                    }
                    Err(StoreError::Conflict(_)) => self.add(
                        format!("organizations[{id}]"),
                        "is not in the file but still has members, groups or connections, so it cannot be pruned",
                    ),
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
}

/// Puts what the file lists first and keeps what only the store has behind it, unless that is to be pruned.
fn merged<T: Clone>(wanted: Vec<T>, stored: Option<&[T]>, prune: bool, key: impl Fn(&T) -> String) -> Vec<T> {
    let mut merged = wanted;
    if !prune {
        let known: BTreeSet<String> = merged.iter().map(&key).collect();
        merged.extend(
            stored
                .unwrap_or_default()
                .iter()
                .filter(|entry| !known.contains(&key(entry)))
                .cloned(),
        );
    }
    merged
}

fn roles(entry: &OrganizationEntry) -> Vec<Role> {
    entry
        .roles
        .iter()
        .map(|role| {
            let owner = role.owner.unwrap_or(role.id == "owner");
            Role {
                id: RoleId::new(&role.id),
                name: role.name.clone().unwrap_or_else(|| role.id.clone()),
                owner,
                admin: role.admin.unwrap_or(owner || role.id == "admin"),
                default: role.default,
            }
        })
        .collect()
}

fn workspaces(entry: &OrganizationEntry) -> Vec<Workspace> {
    entry
        .workspaces
        .iter()
        .map(|workspace| Workspace {
            id: WorkspaceId::new(&workspace.id),
            name: workspace.name.clone().unwrap_or_else(|| workspace.id.clone()),
            default: workspace.default,
        })
        .collect()
}

fn licenses(entry: &OrganizationEntry) -> Vec<License> {
    entry
        .licenses
        .iter()
        .map(|license| License {
            id: LicenseId::new(&license.id),
            seats: license.seats,
        })
        .collect()
}

fn view(
    organization: &Organization,
    settings: &Value,
    roles: &[Role],
    workspaces: &[Workspace],
    licenses: &[License],
) -> Value {
    json!({
        "name": organization.name,
        "roles_per_member": organization.roles_per_member,
        "roles": roles,
        "workspaces": workspaces,
        "licenses": licenses,
        "mail": Branding::of(settings),
    })
}
