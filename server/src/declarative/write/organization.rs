//! Organizations with their roles, workspaces, licenses and domains.

use std::collections::{BTreeMap, BTreeSet};

use provost_kernel::directory::{License, ManagedBy, Organization, Role, Workspace};
use provost_kernel::domain::{self, Claim, DomainSettings, SignInRule};
use provost_kernel::email::Email;
use provost_kernel::entitlement::SeatLimits;
use provost_kernel::id::{LicenseId, OrganizationId, RoleId, WorkspaceId};
use provost_kernel::login::rules::SignInPolicy;
use provost_kernel::provision::Actor;
use provost_store::{DomainClaim, DomainRecord, StoreError};
use serde_json::{Value, json};

use super::super::diff;
use super::super::document::{DomainEntry, OrganizationEntry};
use super::super::report::ApplyError;
use super::Run;
use crate::branding::Branding;
use crate::flow::enforcement::{self, serving};
use crate::flow::entitlements::Plan;
use crate::flow::{domains, roles};

/// What is stored of an organization, in the order of the store.
struct Stored {
    organization: Organization,
    settings: Value,
    roles: Vec<Role>,
    workspaces: Vec<Workspace>,
    licenses: Vec<License>,
    domains: Vec<DomainClaim>,
}

impl Run<'_> {
    /// Writes one organization.
    pub(super) async fn organization(&mut self, entry: &OrganizationEntry) -> Result<(), ApplyError> {
        let id = OrganizationId::new(&entry.id);
        let path = format!("organizations[{id}]");
        let now = self.prepared.now;
        let stored = self.stored_organization(&id).await?;
        let prune = self.prepared.document.prune || self.prepared.by.exact;
        let organization = Organization {
            id: id.clone(),
            name: entry.name.clone().unwrap_or_else(|| entry.id.clone()),
            roles_per_member: entry.roles_per_member,
            managed_by: entry.managed_by,
        };
        let old = stored.as_ref();
        let replacements = replacements(entry);
        let mut roles = merged(
            role_list(entry),
            old.map(|old| old.roles.as_slice()),
            prune,
            |role| role.id.as_str().to_owned(),
        );
        roles.retain(|role| !replacements.contains_key(&role.id));
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
        self.keep_default_workspace(&path, old.map(|old| old.workspaces.as_slice()), &workspaces);
        let mut settings = self.settings(entry, old, prune).await?;
        self.sign_in(&path, entry, &mut settings, prune).await?;
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
            if organization.managed_by == ManagedBy::Owners {
                self.owners_alone.push(id.clone());
            }
            let managed_before = old.map(|old| old.organization.managed_by);
            let wanted = roles::Wanted {
                roles,
                replacements,
                managed_before,
            };
            self.roles(&path, &id, wanted).await?;
            let outcome = self.tx.set_workspaces(&id, &workspaces).await;
            self.in_use(&path, outcome)?;
            let outcome = self.tx.set_licenses(&id, &licenses).await;
            self.licenses_in_use(&path, &id, outcome).await?;
            if old.is_some() {
                self.tx.decide_anew_about(&id, now).await?;
            }
        }
        let domains = old.map_or(&[][..], |old| old.domains.as_slice());
        let mut fields = fields;
        fields.extend(self.domains(&path, &id, entry, domains).await?);
        self.told(&id, old.is_none(), after, fields);
        Ok(())
    }

    /// Notes in the audit log and in the report what became of an organization.
    fn told(&mut self, id: &OrganizationId, is_new: bool, after: Value, fields: Vec<String>) {
        let what = format!("organization {id}");
        if is_new {
            self.audit("organization.created", Some(id), None, after);
            self.report.created(what, fields);
        } else if !fields.is_empty() {
            self.audit(
                "organization.updated",
                Some(id),
                None,
                json!({ "fields": fields }),
            );
            self.report.changed(what, fields);
        }
    }

    /// Puts the settings together: what is stored, with what the file says.
    async fn settings(
        &mut self,
        entry: &OrganizationEntry,
        old: Option<&Stored>,
        prune: bool,
    ) -> Result<Value, ApplyError> {
        let stored = old.map_or_else(|| json!({}), |old| old.settings.clone());
        let plan = Plan {
            entitlements: entry.entitlements,
            setup: entry.setup,
            seats: match entry.seats {
                Some(wanted) => wanted,
                None if prune => SeatLimits::default(),
                None => SeatLimits::read(&stored),
            },
        };
        let mut settings = plan.put_into(stored.clone());
        let before = Plan::of(&stored);
        if plan != before {
            let id = OrganizationId::new(&entry.id);
            let demands = serving::hold_before_plan_in_tx(self.tx, &id, (&before, &plan)).await?;
            let path = format!("organizations[{id}].entitlements.sso");
            self.unserved.push((path, demands));
            // Connections are kept with the plan of their owner.
            self.tx.bump_revision("connections").await?;
        }
        match &entry.mail {
            Some(branding) => branding.clone().put(&mut settings),
            None if prune => Branding::default().put(&mut settings),
            None => {}
        }
        Ok(settings)
    }

    /// Puts into the settings what is demanded of sign-ins with a password; single sign-on only if nobody is locked out by it.
    async fn sign_in(
        &mut self,
        path: &str,
        entry: &OrganizationEntry,
        settings: &mut Value,
        prune: bool,
    ) -> Result<(), ApplyError> {
        let (id, now) = (OrganizationId::new(&entry.id), self.prepared.now);
        let before = SignInPolicy::read(settings);
        let wanted = match &entry.sign_in {
            Some(wanted) => wanted.clone(),
            None if prune => SignInPolicy::default(),
            None => return Ok(()),
        };
        if wanted == before {
            return Ok(());
        }
        if wanted.sso == SignInRule::Required && before.sso == SignInRule::Optional {
            self.tx.lock_organization(&id).await?;
            for missing in enforcement::missing_in_tx(self.tx, &id, None, now).await? {
                self.add(
                    format!("{path}.sign_in.sso"),
                    format!("cannot be required yet: {}", missing.advice()),
                );
            }
        }
        enforcement::put_into(settings, &wanted);
        let job = self.prepared.world.id("job_")?;
        enforcement::queue_eviction_in_tx(self.tx, job, &id, now).await?;
        Ok(())
    }

    /// Makes these the roles. Rules are those of the connections as the file wants them.
    async fn roles(
        &mut self,
        path: &str,
        id: &OrganizationId,
        wanted: roles::Wanted,
    ) -> Result<(), ApplyError> {
        let (prepared, prune) = (self.prepared, self.prepared.document.prune);
        let in_file = || prepared.connections.iter().map(|resolved| &resolved.connection);
        let mut connections = roles::connections_of(self.tx, id).await?;
        connections.retain(|stored| !prune && !in_file().any(|wanted| wanted.id == stored.id));
        connections.extend(in_file().cloned());
        let by = (&Actor::File, prepared.now);
        let outcome = roles::set_in_tx::<ApplyError>(self.tx, &prepared.world, by, id, &wanted, &connections);
        match outcome.await? {
            Ok(judged) => {
                for warning in judged.warnings {
                    self.report.warn(format!("{path}.roles"), warning);
                }
            }
            Err(refused) => {
                for one in refused {
                    self.add(
                        format!("{path}.roles"),
                        format!("{} ({})", one.text(), one.code()),
                    );
                }
            }
        }
        Ok(())
    }

    /// The default workspace cannot go while it is the default one: name another one first.
    fn keep_default_workspace(&mut self, path: &str, old: Option<&[Workspace]>, new: &[Workspace]) {
        for workspace in old.unwrap_or_default().iter().filter(|one| one.default) {
            let stays = new.iter().any(|kept| kept.id == workspace.id);
            if !stays && !new.iter().any(|kept| kept.default) {
                self.add(
                    format!("{path}.workspaces[{}]", workspace.id),
                    "is the default workspace: make another one the default before it goes",
                );
            }
        }
    }

    /// Turns a refusal to delete something that is in use into a problem of the file.
    fn in_use(&mut self, path: &str, outcome: Result<(), StoreError>) -> Result<(), ApplyError> {
        match outcome {
            Err(StoreError::Conflict(name)) => {
                let what = match name.as_str() {
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

    /// As [`Self::in_use`]; a pool that is held by accounts of a kind that it would not be for any more is named with their number.
    /// Nobody is moved or loses a license by a word in a file.
    async fn licenses_in_use(
        &mut self,
        path: &str,
        id: &OrganizationId,
        outcome: Result<(), StoreError>,
    ) -> Result<(), ApplyError> {
        match outcome {
            Err(StoreError::Conflict(name)) if name == "license_of_other_kind" => {
                for (license, count) in self.tx.holders_of_other_kind(id).await? {
                    let what = format!(
                        "{count} of the other kind of account hold this license or wait for it: give them another one first"
                    );
                    self.add(format!("{path}.licenses[{license}].kind"), what);
                }
                Ok(())
            }
            other => self.in_use(path, other),
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
            domains: self.tx.domain_claims(id).await?,
        }))
    }

    /// Adds, verifies and settles domains; returns the lines of the diff.
    async fn domains(
        &mut self,
        path: &str,
        id: &OrganizationId,
        entry: &OrganizationEntry,
        old: &[DomainClaim],
    ) -> Result<Vec<String>, ApplyError> {
        let mut lines = Vec::new();
        for wanted in &entry.domains {
            let name = domain::normalize(&wanted.name).unwrap_or_else(|_| wanted.name.to_ascii_lowercase());
            let place = format!("{path}.domains[{name}]");
            let settings = self.domain_settings(&place, wanted);
            let read = old.iter().find(|known| known.domain.name == name);
            if is_as_wanted(read, wanted, &settings) {
                continue;
            }
            // Claims are checked, settled and awarded meanwhile: decided from is what stays so until the end.
            let stored = self.tx.lock_domain(id, &name).await?;
            lines.extend(
                self.domain(&place, id, &name, (wanted, settings), stored.as_ref())
                    .await?,
            );
        }
        if self.prepared.document.prune || self.prepared.by.exact {
            let kept: BTreeSet<String> = entry
                .domains
                .iter()
                .filter_map(|domain| domain::normalize(&domain.name).ok())
                .collect();
            for known in old.iter().filter(|known| !kept.contains(&known.domain.name)) {
                let name = &known.domain.name;
                let Some(known) = self.tx.lock_domain(id, name).await? else {
                    continue;
                };
                self.tx.delete_domain(id, name).await?;
                if known.claim.state.is_in_force() {
                    let lapsed = self.tx.lapse_domain(name, self.prepared.now).await?;
                    self.note_own_changes(lapsed);
                }
                lines.push(format!("domains.{name}: removed"));
            }
        }
        Ok(lines)
    }

    /// Puts the settings of a domain together.
    fn domain_settings(&mut self, place: &str, wanted: &DomainEntry) -> Value {
        let mut exceptions = Vec::new();
        for text in &wanted.exceptions {
            match Email::parse(text) {
                Ok(email) => exceptions.push(email),
                Err(error) => self.add(format!("{place}.exceptions[{text}]"), error.to_string()),
            }
        }
        json!(DomainSettings {
            sign_in: wanted.sign_in,
            exceptions,
            prevent_outside_sign_ups: wanted.prevent_outside_sign_ups,
            auto_activate: wanted.auto_activate,
        })
    }

    /// Writes one domain; `stored` is what is locked of it.
    async fn domain(
        &mut self,
        place: &str,
        id: &OrganizationId,
        name: &str,
        (wanted, settings): (&DomainEntry, Value),
        stored: Option<&DomainClaim>,
    ) -> Result<Vec<String>, ApplyError> {
        let now = self.prepared.now;
        if is_as_wanted(stored, wanted, &settings) {
            return Ok(Vec::new());
        }
        let verifies = verifies(stored, wanted);
        let old_settings = stored.map_or_else(|| json!({}), |known| known.domain.settings.clone());
        let changed = DomainSettings::read(&old_settings) != DomainSettings::read(&settings);
        let owner = self
            .tx
            .verified_domain(name)
            .await?
            .map(|domain| domain.organization);
        if let Some(owner) = owner.filter(|owner| verifies && owner != id) {
            let text = format!("is verified by organization {owner}; it must be given up there first");
            self.add(place.to_owned(), text);
            return Ok(Vec::new());
        }
        let demanded = DomainSettings::read(&old_settings).sign_in;
        if wanted.sign_in == SignInRule::Required && demanded == SignInRule::Optional {
            self.tx.lock_organization(id).await?;
            for missing in enforcement::missing_in_tx(self.tx, id, Some(name), now).await? {
                self.add(
                    format!("{place}.sign_in"),
                    format!("cannot be required yet: {}", missing.advice()),
                );
            }
        }
        let claim = stored.map_or_else(|| Claim::new(now), |known| known.claim.clone());
        let written = DomainClaim {
            domain: DomainRecord {
                organization: id.clone(),
                name: name.to_owned(),
                token: match stored.and_then(|known| known.domain.token.clone()) {
                    Some(token) => Some(token),
                    None => Some(domains::new_token(&self.prepared.world)?),
                },
                verified_at: stored.and_then(|known| known.domain.verified_at),
                settings,
            },
            claim: if verifies { claim.vouched() } else { claim },
            lapsed: stored
                .filter(|_| !verifies)
                .map_or_else(Vec::new, |known| known.lapsed.clone()),
        };
        self.tx.put_domain_claim(&written, now).await?;
        let lapsed = stored.map_or(&[][..], |known| known.lapsed.as_slice());
        if verifies {
            let returned = self.tx.return_domain(id, name, lapsed, now).await?;
            self.note_own_changes(returned);
        }
        let mut lines = Vec::new();
        match (stored.is_some(), verifies) {
            (false, true) => lines.push(format!("domains.{name}: added, verified by the operator")),
            (false, false) => lines.push(format!("domains.{name}: added, not verified")),
            (true, true) => lines.push(format!("domains.{name}: verified by the operator")),
            (true, false) => {}
        }
        if stored.is_some() && changed {
            lines.push(format!("domains.{name}: settings changed"));
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

/// Tells whether the operator vouches for a domain that is not in force.
fn verifies(stored: Option<&DomainClaim>, wanted: &DomainEntry) -> bool {
    wanted.verified && !stored.is_some_and(|known| known.claim.state.is_in_force())
}

/// Tells whether there is nothing to write of a domain.
fn is_as_wanted(stored: Option<&DomainClaim>, wanted: &DomainEntry, settings: &Value) -> bool {
    stored.is_some_and(|known| {
        !verifies(stored, wanted)
            && DomainSettings::read(&known.domain.settings) == DomainSettings::read(settings)
    })
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

fn role_list(entry: &OrganizationEntry) -> Vec<Role> {
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

/// Which role of the file takes the place of which that goes.
fn replacements(entry: &OrganizationEntry) -> BTreeMap<RoleId, RoleId> {
    entry
        .roles
        .iter()
        .flat_map(|role| {
            let gone = role.replaces.iter().filter(|gone| **gone != role.id);
            gone.map(|gone| (RoleId::new(gone), RoleId::new(&role.id)))
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
            kind: license.kind,
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
        "managed_by": organization.managed_by,
        "roles": roles,
        "workspaces": workspaces,
        "licenses": licenses,
        "mail": Branding::of(settings),
        "entitlements": Plan::of(settings).entitlements,
        "setup": Plan::of(settings).setup,
        "seats": Plan::of(settings).seats,
        "sign_in": SignInPolicy::read(settings),
    })
}
