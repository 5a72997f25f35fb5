//! Applications: registration, secret as a digest, organizations.

use std::collections::BTreeSet;

use provost_kernel::id::OrganizationId;
use provost_store::ApplicationRecord;
use serde_json::{Value, json};

use super::super::diff;
use super::super::document::{ApplicationEntry, Organizations};
use super::super::report::ApplyError;
use super::Run;
use crate::connection_config::ClientAuthentication;
use crate::world::digest_of;

impl Run<'_> {
    /// Writes one application.
    pub(super) async fn application(&mut self, entry: &ApplicationEntry) -> Result<(), ApplyError> {
        let path = format!("applications[{}]", entry.client_id);
        let stored = self.tx.application_to_change(&entry.client_id).await?;
        let config = entry.config();
        let is_public = config.token_endpoint_auth_method == Some(ClientAuthentication::None);
        let secret_digest = match &entry.client_secret {
            Some(secret) => Some(digest_of(secret.expose())),
            // A secret that the file does not repeat stays, unless the app became a public one.
            None if is_public => None,
            None => stored.as_ref().and_then(|old| old.secret_digest.clone()),
        };
        if let Err(error) = config.client(&entry.client_id, secret_digest.is_some()) {
            self.add(path, error.to_string());
            return Ok(());
        }
        let organizations = match &entry.organizations {
            Organizations::Word(_) => None,
            Organizations::Listed(ids) => {
                let mut ids: Vec<OrganizationId> = ids.iter().map(OrganizationId::new).collect();
                ids.sort();
                ids.dedup();
                Some(ids)
            }
        };
        let mut unknown = false;
        for id in organizations.iter().flatten() {
            if self.tx.organization(id).await?.is_none() {
                unknown = true;
                self.add(
                    format!("{path}.organizations"),
                    format!("names organization {id}, which does not exist"),
                );
            }
        }
        let Ok(document) = serde_json::to_value(&config) else {
            self.add(path, "the registration cannot be stored");
            return Ok(());
        };
        if unknown {
            return Ok(());
        }
        let record = ApplicationRecord {
            client_id: entry.client_id.clone(),
            secret_digest,
            config: document,
            organizations,
            version: 0,
        };
        self.tx.put_application(&record, self.prepared.now).await?;
        self.note_application(stored.as_ref(), &record);
        Ok(())
    }

    fn note_application(&mut self, stored: Option<&ApplicationRecord>, record: &ApplicationRecord) {
        let after = view(record);
        let what = format!("application {}", record.client_id);
        match stored {
            None => {
                self.audit(
                    "application.created",
                    None,
                    None,
                    json!({ "client_id": record.client_id, "config": after.clone() }),
                );
                let mut shown = after;
                if let Some(members) = shown.as_object_mut() {
                    // Switches at their defaults say nothing.
                    members.retain(|name, value| {
                        !value.is_boolean() || *value != Value::Bool(name == "offline_access")
                    });
                }
                self.report.created(what, diff::new_fields(&shown));
            }
            Some(old) => {
                let mut fields = diff::fields(&view(old), &after);
                if old.secret_digest != record.secret_digest {
                    fields.push(match (&old.secret_digest, &record.secret_digest) {
                        (Some(_), None) => "client_secret: (secret) → (none)".to_owned(),
                        (None, _) => "client_secret: (none) → (secret)".to_owned(),
                        (Some(_), Some(_)) => "client_secret: (secret) → (another secret)".to_owned(),
                    });
                }
                if !fields.is_empty() {
                    let data = json!({ "client_id": record.client_id, "fields": fields });
                    self.audit("application.updated", None, None, data);
                    self.report.changed(what, fields);
                }
            }
        }
    }

    /// Deletes applications that the document does not mention.
    pub(super) async fn prune_applications(&mut self) -> Result<(), ApplyError> {
        let kept: BTreeSet<&str> = self
            .prepared
            .document
            .applications
            .iter()
            .map(|entry| entry.client_id.as_str())
            .collect();
        for record in self.tx.applications().await? {
            if !kept.contains(record.client_id.as_str()) {
                self.tx.delete_application(&record.client_id).await?;
                self.audit(
                    "application.deleted",
                    None,
                    None,
                    json!({ "client_id": record.client_id }),
                );
                self.report.deleted(format!("application {}", record.client_id));
            }
        }
        Ok(())
    }
}

fn view(record: &ApplicationRecord) -> Value {
    let mut view = record.config.clone();
    if let Some(members) = view.as_object_mut() {
        let organizations = match &record.organizations {
            None => Value::String("all".to_owned()),
            Some(ids) => ids.iter().map(OrganizationId::as_str).collect(),
        };
        members.insert("organizations".to_owned(), organizations);
        members.retain(|_, value| !value.is_null());
    }
    view
}
