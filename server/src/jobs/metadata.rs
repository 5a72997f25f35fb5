//! Reads the metadata of SAML identity providers again: hourly, and when a signature fits no known certificate.
//!
//! Never lowers a setting, never changes the entity ID, and never replaces certificates by none: a description that
//! would do so is refused and reported.

use jiff::Timestamp;
use provost_kernel::connection::Scope;
use provost_kernel::id::ConnectionId;
use provost_kernel::provision::Actor;
use provost_saml::key::Certificate;
use provost_saml::metadata::IdpMetadata;
use provost_store::{ConnectionRecord, NewEvent, StoreError};
use serde_json::json;

use crate::app::App;
use crate::connection_config::{ProtocolConfig, SamlConfig, ScimConfig};
use crate::declarative;

/// Connections read in one page of the store.
const PAGE: u32 = 100;
/// Window of the limit on readings that a failed signature asks for: once a minute for each connection, on all nodes.
const ON_DEMAND_SECONDS: u32 = 60;

/// What a reading led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Addresses or certificates changed.
    Changed,
    /// Everything is as it was.
    Unchanged,
    /// The connection has no metadata address, or was read a moment ago.
    Skipped,
}

/// Why metadata was not taken over.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// The address did not answer as it should.
    #[error("{0}")]
    Unreachable(String),
    /// The document is no metadata of an identity provider.
    #[error("the metadata cannot be read: {0}")]
    Unreadable(#[from] provost_saml::SamlError),
    /// The document describes another identity provider, has ended, or would take all certificates away.
    #[error("the metadata of {0} was refused: another entity ID, an end in the past, or no certificate")]
    Refused(String),
    /// The database failed.
    #[error("the database failed: {}", crate::error::chain(.0))]
    Store(#[from] StoreError),
    /// A stored value cannot be read.
    #[error(transparent)]
    Stored(#[from] crate::connection_config::StoredConfigError),
    /// A value cannot be stored.
    #[error("the settings cannot be stored: {0}")]
    Unstorable(#[from] serde_json::Error),
}

/// Refreshes every enabled connection whose metadata comes from an address. One that fails does not hinder the others.
pub(super) async fn run(app: &App) -> anyhow::Result<()> {
    let mut after: Option<ConnectionId> = None;
    let mut failed = Vec::new();
    loop {
        let from = after.clone();
        let page: Result<Vec<ConnectionRecord>, StoreError> = app
            .store
            .read(move |reader| Box::pin(async move { reader.connections(from.as_ref(), PAGE).await }))
            .await;
        let page = page?;
        let Some(last) = page.last() else { break };
        after = Some(last.connection.id.clone());
        for record in page.iter().filter(|record| record.connection.enabled) {
            if let Err(error) = refresh(app, record).await {
                tracing::warn!(connection = %record.connection.id, %error, "metadata was not refreshed");
                failed.push(record.connection.id.to_string());
            }
        }
    }
    anyhow::ensure!(
        failed.is_empty(),
        "metadata was not refreshed for: {}",
        failed.join(", ")
    );
    Ok(())
}

/// Reads the metadata of one connection now, at most once a minute on all nodes together: for a signature that fits no
/// known certificate, which is how a rolled key first shows. An attacker's garbage costs one call a minute at most.
///
/// # Errors
/// [`RefreshError`]; the sign-in then ends with its own error.
pub async fn refresh_on_demand(app: &App, connection: &ConnectionId) -> Result<Outcome, RefreshError> {
    let id = connection.clone();
    let found: Result<_, StoreError> = app
        .store
        .read(move |reader| Box::pin(async move { reader.connection(&id).await }))
        .await;
    let Some(record) = found? else {
        return Ok(Outcome::Skipped);
    };
    if saml(&record)?.is_none_or(|config| config.metadata_url.is_none()) {
        return Ok(Outcome::Skipped);
    }
    let (key, now) = (format!("metadata:{connection}"), app.world.now());
    let limit: Result<_, StoreError> = app
        .store
        .write(move |tx| Box::pin(async move { tx.hit(&key, ON_DEMAND_SECONDS, 1, now).await }))
        .await;
    if !limit?.allowed {
        return Ok(Outcome::Skipped);
    }
    refresh(app, &record).await
}

/// Reads the metadata of one connection and keeps what changed.
async fn refresh(app: &App, record: &ConnectionRecord) -> Result<Outcome, RefreshError> {
    let Some(old) = saml(record)? else {
        return Ok(Outcome::Skipped);
    };
    let Some(url) = old.metadata_url.clone() else {
        return Ok(Outcome::Skipped);
    };
    let answer = app
        .outbound
        .get(&url, reqwest::header::HeaderMap::new())
        .await
        .map_err(|error| RefreshError::Unreachable(error.to_string()))?;
    if !answer.is_success() {
        return Err(RefreshError::Unreachable(format!(
            "{url} answered with status {}",
            answer.status
        )));
    }
    let now = app.world.now();
    let metadata = IdpMetadata::parse_entity(&answer.body, Some(&old.idp_entity_id))?;
    let new = declarative::refreshed(&old, &metadata, now)
        .ok_or_else(|| RefreshError::Refused(old.idp_entity_id.clone()))?;
    if (SamlConfig {
        metadata_read_at: old.metadata_read_at,
        ..new.clone()
    }) == old
    {
        return Ok(Outcome::Unchanged);
    }
    keep(app, record, &old, new, now).await
}

async fn keep(
    app: &App,
    record: &ConnectionRecord,
    old: &SamlConfig,
    new: SamlConfig,
    now: Timestamp,
) -> Result<Outcome, RefreshError> {
    let event = event(record, old, &new, now);
    let stored = ProtocolConfig::Saml(new).to_stored(ScimConfig::of(&record.protocol_config).as_ref())?;
    let record = record.clone();
    let kept: Result<bool, StoreError> = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                // Someone may have changed the connection while its metadata was read; the next reading looks again.
                let current = tx.lock_connection(&record.connection.id).await?;
                if current.is_none_or(|current| current.connection.version != record.connection.version) {
                    return Ok(false);
                }
                tx.put_connection(&record.connection, &stored, &record.secrets, &record.status, now)
                    .await?;
                tx.record(event);
                Ok(true)
            })
        })
        .await;
    Ok(if kept? { Outcome::Changed } else { Outcome::Skipped })
}

/// Describes the change for the audit log: certificates by fingerprint, addresses as they are.
fn event(record: &ConnectionRecord, old: &SamlConfig, new: &SamlConfig, now: Timestamp) -> NewEvent {
    let fingerprints = |from: &SamlConfig, without: &SamlConfig| -> Vec<String> {
        from.signing_certificates
            .iter()
            .filter(|text| !without.signing_certificates.contains(text))
            .filter_map(|text| Certificate::from_base64(text).ok())
            .map(|certificate| certificate.fingerprint_sha256().to_owned())
            .collect()
    };
    let organization = match &record.connection.scope {
        Scope::Instance => None,
        Scope::Organization { organization, .. } => Some(organization.clone()),
    };
    NewEvent {
        at: now,
        kind: "connection.metadata_refreshed".to_owned(),
        actor: Actor::System.label(),
        account: None,
        organization,
        connection: Some(record.connection.id.clone()),
        trace: None,
        data: json!({
            "certificates_added": fingerprints(new, old),
            "certificates_removed": fingerprints(old, new),
            "sso_redirect_url": new.sso_redirect_url,
            "sso_post_url": new.sso_post_url,
            "slo_redirect_url": new.slo_redirect_url,
            "slo_post_url": new.slo_post_url,
            "sign_requests": new.sign_requests,
        }),
    }
}

fn saml(record: &ConnectionRecord) -> Result<Option<SamlConfig>, RefreshError> {
    match ProtocolConfig::of(record.connection.id.as_str(), &record.protocol_config)? {
        ProtocolConfig::Saml(config) => Ok(Some(config)),
        ProtocolConfig::Oidc(_) => Ok(None),
    }
}
