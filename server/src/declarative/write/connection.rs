//! Connections: domains must be verified in reach, policies must compile, tokens are kept as digests.

use std::collections::BTreeSet;

use provost_kernel::connection::{Connection, Scope};
use provost_kernel::id::{ConnectionId, OrganizationId};
use provost_kernel::mapping::InForce;
use provost_kernel::policy::RoleRule;
use provost_saml::key::Certificate;
use provost_store::{ConnectionRecord, Demand, SecretMap, StoreError, TokenRecord};
use serde_json::{Value, json};

use super::super::applying::SettingUp;
use super::super::diff;
use super::super::document::{ConnectionEntry, ScimToken};
use super::super::export::connection_entry;
use super::super::protocol::Resolved;
use super::super::report::ApplyError;
use super::Run;
use crate::config::keys::nearest;
use crate::connection_config::Stage;
use crate::flow::setup;
use crate::world::digest_of;

/// Kind of the tokens of directories, as the store knows them.
pub(in super::super) const TOKEN_KIND: &str = "scim";

impl Run<'_> {
    /// Writes one connection.
    pub(super) async fn connection(
        &mut self,
        entry: &ConnectionEntry,
        resolved: &Resolved,
    ) -> Result<(), ApplyError> {
        let path = format!("connections[{}]", entry.id);
        let before = self.problems.len();
        let mut wanted = resolved.connection.clone();
        self.check_reach(&path, &wanted).await?;
        self.check_policies(&path, &wanted).await?;
        // Before anything else is read of it: whoever demands single sign-on meanwhile waits, or has done so.
        let demands = self.tx.hold_demands_on(&wanted.id).await?;
        let stored = self.tx.connection(&wanted.id).await?;
        self.must_be_as_read(stored.as_ref(), resolved)?;
        let status = self
            .settle_stage(&path, stored.as_ref(), resolved, &mut wanted)
            .await?;
        if self.problems.len() > before {
            return Ok(());
        }
        let wanted = &wanted;
        let Ok(config) = resolved.config.to_stored(resolved.scim.as_ref()) else {
            self.add(path, "the protocol settings cannot be stored");
            return Ok(());
        };
        let after = view(wanted, &config);
        let mut fields = match &stored {
            Some(old) => {
                let mut fields = diff::fields(&view(&old.connection, &old.protocol_config), &after);
                fields.extend(secret_lines(&old.secrets, &resolved.secrets));
                fields
            }
            None => new_lines(resolved),
        };
        let now = self.prepared.now;
        self.tx
            .put_connection(wanted, &config, &resolved.secrets, &status, now)
            .await?;
        if stored.as_ref().is_some_and(|old| old.connection.enabled) {
            self.note_unserved(&path, wanted, demands).await?;
        }
        let tokens = entry.scim.as_ref().map_or(&[][..], |scim| scim.tokens.as_slice());
        fields.extend(self.tokens(&path, &wanted.id, tokens).await?);
        let owner = owner(wanted).cloned();
        let what = format!("connection {}", wanted.id);
        if stored.is_none() {
            self.audit("connection.created", owner.as_ref(), Some(&wanted.id), after);
            self.report.created(what, fields);
        } else if !fields.is_empty() {
            self.audit(
                "connection.updated",
                owner.as_ref(),
                Some(&wanted.id),
                json!({ "fields": fields }),
            );
            self.report.changed(what, fields);
        }
        Ok(())
    }

    /// Ends the run if the connection is not the one that it was resolved beside: secrets that the file does not repeat, and what
    /// an edit leaves as it was, come from that reading, and writing them would undo what others did meanwhile.
    fn must_be_as_read(
        &self,
        stored: Option<&ConnectionRecord>,
        resolved: &Resolved,
    ) -> Result<(), ApplyError> {
        let id = &resolved.connection.id;
        let own = self.own_changes.get(id).copied().unwrap_or_default();
        if stored.map(|record| record.connection.version) == resolved.from.map(|version| version + own) {
            return Ok(());
        }
        Err(ApplyError::Outrun(id.clone()))
    }

    /// Notes the demands that the connection, written by now, served and does not serve any more.
    async fn note_unserved(
        &mut self,
        path: &str,
        written: &Connection,
        mut demands: Vec<Demand>,
    ) -> Result<(), ApplyError> {
        if written.enabled {
            let served = self.tx.demands_on(&written.id).await?;
            demands.retain(|demand| !served.contains(demand));
        }
        self.unserved.push((path.to_owned(), demands));
        Ok(())
    }

    /// Decides about the stage of life. Whoever is no part of a set-up cannot make a draft live, and going live needs a test
    /// sign-in with the very settings that are written.
    async fn settle_stage(
        &mut self,
        path: &str,
        stored: Option<&ConnectionRecord>,
        resolved: &Resolved,
        wanted: &mut Connection,
    ) -> Result<String, ApplyError> {
        let setting_up = self.prepared.by.setting_up;
        let is_new_draft = stored.is_none() && setting_up == SettingUp::Draft;
        let stage = match stored {
            Some(old) => Stage::of(&old.status),
            None if is_new_draft => Stage::Draft,
            None => Stage::Live,
        };
        if !stage.is_draft() {
            let kept = stored.map_or(Stage::Live.word(), |old| old.status.as_str());
            return Ok(kept.to_owned());
        }
        if setting_up == SettingUp::GoLive {
            let draft = self.tx.draft_to_change(&wanted.id).await?;
            let proved = draft.as_ref().and_then(|draft| setup::proved(&draft.document));
            if proved.as_deref() == Some(resolved.config.fingerprint().as_str()) {
                wanted.enabled = true;
                self.tx.delete_draft(&wanted.id).await?;
                return Ok(Stage::Live.word().to_owned());
            }
            self.add(
                path,
                "cannot go live: no test sign-in has succeeded with these settings",
            );
        } else if wanted.enabled && setting_up == SettingUp::No {
            self.report.warn(
                format!("{path}.enabled"),
                "the connection is being set up: it goes live there, after a successful test sign-in",
            );
        }
        wanted.enabled = false;
        Ok(stage.word().to_owned())
    }

    /// Checks that everything named exists and that each domain is verified by an organization in reach (R-111, C-15).
    async fn check_reach(&mut self, path: &str, connection: &Connection) -> Result<(), ApplyError> {
        if let Scope::Organization {
            organization,
            shared_with,
        } = &connection.scope
        {
            for id in std::iter::once(organization).chain(shared_with) {
                if self.tx.organization(id).await?.is_none() {
                    self.add(path, format!("names organization {id}, which does not exist"));
                }
            }
        }
        for policy in &connection.organization_policies {
            if self.tx.organization(&policy.organization).await?.is_none() {
                let place = format!("{path}.organization_policies[{}]", policy.organization);
                self.add(place, "is for an organization that does not exist");
            }
        }
        for domain in &connection.domains {
            let place = format!("{path}.domains[{domain}]");
            match self.tx.hold_verified_domain(domain).await? {
                Some(record) if connection.reaches(&record.organization) => {}
                Some(_) => self.add(
                    place,
                    "is verified by an organization that this connection does not serve",
                ),
                None => self.add(
                    place,
                    "is not a verified domain of any organization: add it there with verified: true",
                ),
            }
        }
        Ok(())
    }

    /// Compiles the policies and looks for roles that no organization has.
    async fn check_policies(&mut self, path: &str, connection: &Connection) -> Result<(), ApplyError> {
        if let Err(errors) = InForce::compile(connection.clone()) {
            for error in errors {
                let position = if error.offset > 0 {
                    format!(" (at byte {})", error.offset)
                } else {
                    String::new()
                };
                self.add(
                    format!("{path}.{}", error.path),
                    format!("{}{position}", error.message),
                );
            }
            return Ok(());
        }
        let default = connection.policy.as_ref().and_then(|policy| policy.role.as_ref());
        if let (Some(rule), Some(organization)) = (default, owner(connection)) {
            self.check_roles(&format!("{path}.policy.role"), organization, rule)
                .await?;
        }
        for policy in &connection.organization_policies {
            if let Some(rule) = &policy.role {
                let place = format!("{path}.organization_policies[{}].role", policy.organization);
                self.check_roles(&place, &policy.organization, rule).await?;
            }
        }
        if connection
            .policy
            .as_ref()
            .is_none_or(|policy| policy.organization.is_none())
            && connection.scope == Scope::Instance
        {
            self.report.warn(
                format!("{path}.policy.organization"),
                "is absent, so this connection of the whole instance admits nobody where no organization has its own policy",
            );
        }
        Ok(())
    }

    /// Warns about role names that an organization does not have, or that no rule may give.
    async fn check_roles(
        &mut self,
        path: &str,
        organization: &OrganizationId,
        source: &RoleRule,
    ) -> Result<(), ApplyError> {
        let roles = self.tx.roles(organization).await?;
        let names: Vec<&str> = match source {
            RoleRule::Fixed(name) => vec![name.as_str()],
            RoleRule::Groups(rows) => rows
                .iter()
                .flat_map(|row| row.roles.iter().map(String::as_str))
                .collect(),
            RoleRule::Mapping(rows) => rows
                .iter()
                .flat_map(|row| row.roles.iter().map(String::as_str))
                .collect(),
            RoleRule::Expression(_) => Vec::new(),
        };
        for name in names {
            match roles.iter().find(|role| role.name == name) {
                None => {
                    let near = nearest(name, roles.iter().map(|role| role.name.as_str()));
                    let hint = near
                        .map(|near| format!("; did you mean `{near}`?"))
                        .unwrap_or_default();
                    self.report.warn(
                        path,
                        format!("organization {organization} has no role with the exact name `{name}`{hint}"),
                    );
                }
                Some(role) if role.owner => {
                    self.report
                        .warn(path, format!("`{name}` is an owner role: no rule ever grants it"));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Keeps new tokens; one with a known label replaces the earlier token of that label.
    async fn tokens(
        &mut self,
        path: &str,
        id: &ConnectionId,
        wanted: &[ScimToken],
    ) -> Result<Vec<String>, ApplyError> {
        let mut lines = Vec::new();
        let now = self.prepared.now;
        let live: Vec<TokenRecord> = self
            .tx
            .tokens(TOKEN_KIND, Some(id))
            .await?
            .into_iter()
            .filter(|token| token.revoked_at.is_none())
            .collect();
        for token in wanted {
            let known: Vec<&TokenRecord> = live.iter().filter(|record| record.label == token.label).collect();
            let Some(secret) = &token.token else {
                if known.is_empty() {
                    self.add(
                        format!("{path}.scim.tokens[{}]", token.label),
                        "token is missing, and none is stored",
                    );
                }
                continue;
            };
            let digest = digest_of(secret.expose());
            if let Some(record) = self.tx.token_by_digest(&digest, now).await? {
                if record.connection.as_ref() != Some(id) || record.label != token.label {
                    self.add(
                        format!("{path}.scim.tokens[{}]", token.label),
                        "this token is in use elsewhere",
                    );
                }
                continue;
            }
            if self.tx.has_token(&digest).await? {
                self.add(
                    format!("{path}.scim.tokens[{}]", token.label),
                    "this token was revoked; make a new one",
                );
                continue;
            }
            for record in known {
                self.tx.revoke_token(&record.id, now).await?;
            }
            let record = TokenRecord {
                id: self.prepared.world.id("tok_")?,
                kind: TOKEN_KIND.to_owned(),
                label: token.label.clone(),
                connection: Some(id.clone()),
                organization: None,
                made_by: None,
                scopes: Vec::new(),
                created_at: now,
                expires_at: token.expires_at,
                last_used_at: None,
                revoked_at: None,
            };
            self.tx.insert_token(&record, &digest).await?;
            lines.push(format!("scim.tokens.{}: (new token)", token.label));
        }
        if self.prepared.document.prune {
            for record in live
                .iter()
                .filter(|record| wanted.iter().all(|token| token.label != record.label))
            {
                self.tx.revoke_token(&record.id, now).await?;
                lines.push(format!("scim.tokens.{}: revoked", record.label));
            }
        }
        Ok(lines)
    }

    /// Deletes connections that the document does not mention.
    pub(super) async fn prune_connections(&mut self) -> Result<(), ApplyError> {
        let kept: BTreeSet<&str> = self
            .prepared
            .document
            .connections
            .iter()
            .map(|entry| entry.id.as_str())
            .collect();
        let mut after: Option<ConnectionId> = None;
        loop {
            let page = self.tx.connections(after.as_ref(), 100).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.connection.id.clone());
            for record in page
                .iter()
                .filter(|record| !kept.contains(record.connection.id.as_str()))
            {
                let id = &record.connection.id;
                let demands = self.tx.hold_demands_on(id).await?;
                if record.connection.enabled {
                    self.unserved.push((format!("connections[{id}]"), demands));
                }
                match self.tx.delete_connection(id).await {
                    Ok(_) => {
                        let owner = owner(&record.connection).cloned();
                        self.audit("connection.deleted", owner.as_ref(), Some(id), json!({}));
                        self.report.deleted(format!("connection {id}"));
                    }
                    Err(StoreError::Conflict(_)) => self.add(
                        format!("connections[{id}]"),
                        "is not in the file but people belong to it, so it cannot be pruned; set enabled: false instead",
                    ),
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
}

/// Shows a new connection as the file would: what is not a default.
fn new_lines(resolved: &Resolved) -> Vec<String> {
    let entry = connection_entry(
        &resolved.connection,
        resolved.config.clone(),
        resolved.scim.clone(),
    );
    let mut shown = serde_json::to_value(entry).unwrap_or_default();
    if let Some(members) = shown.as_object_mut() {
        members.remove("id");
        if let Some(saml) = members.get_mut("saml").and_then(Value::as_object_mut)
            && let Some(certificates) = saml.get_mut("certificates")
        {
            *certificates = fingerprints(certificates);
        }
    }
    diff::new_fields(&shown)
}

fn owner(connection: &Connection) -> Option<&OrganizationId> {
    match &connection.scope {
        Scope::Instance => None,
        Scope::Organization { organization, .. } => Some(organization),
    }
}

/// What a diff compares and shows: settings as they are, certificates by fingerprint, nothing that changes by itself.
fn view(connection: &Connection, config: &Value) -> Value {
    let mut view = serde_json::to_value(connection).unwrap_or_default();
    let mut config = config.clone();
    let protocol = config
        .get("protocol")
        .and_then(Value::as_str)
        .unwrap_or("config")
        .to_owned();
    if let Some(members) = config.as_object_mut() {
        members.remove("protocol");
        members.remove("metadata_read_at");
        for name in [
            "signing_certificates",
            "sp_signing_certificate",
            "sp_encryption_certificate",
        ] {
            if let Some(value) = members.get_mut(name) {
                *value = fingerprints(value);
            }
        }
        members.retain(|_, value| !value.is_null());
    }
    if let Some(members) = view.as_object_mut() {
        members.remove("id");
        members.remove("version");
        // The settings read best without their frame, as in the file.
        if let Some(Value::Object(settings)) = members.remove("settings") {
            members.extend(settings);
        }
        members.insert(protocol, config);
    }
    view
}

fn fingerprints(value: &Value) -> Value {
    match value {
        Value::String(text) => Certificate::from_base64(text).map_or(Value::Null, |certificate| {
            let short: String = certificate.fingerprint_sha256().chars().take(23).collect();
            Value::String(format!(
                "certificate {short}… until {}",
                certificate.not_after().strftime("%Y-%m-%d")
            ))
        }),
        Value::Array(entries) => Value::Array(entries.iter().map(fingerprints).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.clone(),
    }
}

/// Names secrets that change, without any part of their value.
fn secret_lines(old: &SecretMap, new: &SecretMap) -> Vec<String> {
    let names: BTreeSet<&String> = old.0.keys().chain(new.0.keys()).collect();
    names
        .into_iter()
        .filter_map(|name| match (old.get(name), new.get(name)) {
            (Some(old), Some(new)) if old != new => Some(format!("{name}: (secret) → (another secret)")),
            (None, Some(_)) => Some(format!("{name}: (none) → (secret)")),
            (Some(_), None) => Some(format!("{name}: (secret) → (none)")),
            (Some(_), Some(_)) | (None, None) => None,
        })
        .collect()
}
