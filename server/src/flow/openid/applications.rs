//! The registered apps, ready for use.
//!
//! Owns the cache of them, valid for one revision of the stored registrations, so that a change made on another
//! node counts at the next request. Never sees a client secret, only its digest.

use std::sync::Arc;

use provost_oidc::op::Client;
use provost_store::ApplicationRecord;

use crate::app::App;
use crate::application_config::ApplicationConfig;
use crate::cache::Versioned;
use crate::error::{AppError, Result};
use crate::flow::openid::admission::Allowed;

/// The cache of registered apps by client id.
pub type Applications = Versioned<String, Application>;

/// The revision that stored registrations carry.
pub const REVISION: &str = "applications";

/// Creates the cache.
pub fn cache() -> Applications {
    Versioned::new(1024)
}

/// A registered app.
#[derive(Debug)]
pub struct Application {
    /// What the protocol needs to know.
    pub client: Client,
    /// Name shown to people.
    pub name: String,
    /// SHA-256 of the client secret in hex, if it has one.
    pub secret_digest: Option<String>,
    /// Organizations whose people it serves.
    pub allowed: Allowed,
}

/// Finds an app; none if it is not registered.
///
/// # Errors
/// Those of the store; 500 for a registration that cannot be used, which saving should have refused.
pub async fn find(app: &App, client_id: &str) -> Result<Option<Arc<Application>>> {
    let revision = app
        .store
        .read(|reader| Box::pin(reader.revision(REVISION)))
        .await?;
    find_at(app, client_id, revision).await
}

/// As [`find`], when the revision of the registrations was just read.
///
/// # Errors
/// As [`find`].
pub async fn find_at(app: &App, client_id: &str, revision: i64) -> Result<Option<Arc<Application>>> {
    if client_id.is_empty() || client_id.len() > 255 {
        return Ok(None);
    }
    let key = client_id.to_owned();
    if let Some(known) = app.applications.peek(&key, revision).await {
        return Ok(Some(known));
    }
    let wanted = key.clone();
    let record = app
        .store
        .read(|reader| Box::pin(async move { reader.application(&wanted).await }))
        .await?;
    let Some(record) = record else { return Ok(None) };
    let ready = ready(record).map_err(AppError::internal)?;
    Ok(Some(app.applications.put(key, revision, ready).await))
}

/// A stored registration cannot be put to use.
#[derive(Debug, thiserror::Error)]
#[error("the registration of {client_id} cannot be used: {what}")]
struct Unusable {
    client_id: String,
    what: String,
}

fn ready(record: ApplicationRecord) -> Result<Application, Unusable> {
    let ApplicationRecord {
        client_id,
        secret_digest,
        config,
        organizations,
        ..
    } = record;
    let unusable = |what: String| Unusable {
        client_id: client_id.clone(),
        what,
    };
    let config: ApplicationConfig =
        serde_json::from_value(config).map_err(|error| unusable(error.to_string()))?;
    let client = config
        .client(&client_id, secret_digest.is_some())
        .map_err(|error| unusable(error.to_string()))?;
    let name = config.name.unwrap_or_else(|| client_id.clone());
    let allowed = organizations.map_or(Allowed::All, Allowed::Only);
    Ok(Application {
        client,
        name,
        secret_digest,
        allowed,
    })
}
