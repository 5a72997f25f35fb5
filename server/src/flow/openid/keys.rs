//! The keys that sign our tokens: made at the first start, rotated, published.
//!
//! Owns the ring that every node keeps in memory for at most a second before it looks whether another node
//! changed it. Private halves never leave this module but for signing, and lie sealed in the store.

pub mod generate;
pub mod rotation;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use provost_oidc::jose::{Algorithm, Jwk, JwkSet, SigningKey};
use provost_oidc::op::discovery::Features;
use provost_oidc::op::{discovery_document, jwks_document};
use provost_store::{KeyState, SigningKey as StoredKey};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::scim::oauth;
use rotation::{Action, KeyFacts, Policy};

/// How long a node relies on what it read before it looks again. A key is published a day before its first use, so
/// a second is nothing.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(1);

/// The keys of one revision, ready for use.
#[derive(Debug)]
pub struct Ring {
    revision: i64,
    signers: Vec<SigningKey>,
    public: JwkSet,
    document: Value,
}

impl Ring {
    /// Returns the key that signs with this algorithm now.
    ///
    /// # Errors
    /// 500 if there is none, which the first start rules out.
    pub fn signer(&self, algorithm: Algorithm) -> Result<&SigningKey> {
        self.signers
            .iter()
            .find(|key| key.algorithm() == algorithm)
            .ok_or_else(|| AppError::internal("no signing key for an algorithm that is offered"))
    }

    /// Returns every published key, to recognize our own tokens.
    pub const fn public(&self) -> &JwkSet {
        &self.public
    }
}

/// What a node keeps of the keys. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct KeyRing {
    slot: Arc<Mutex<Option<Seen>>>,
}

/// A ring and when the store was last asked whether it is still the newest.
type Seen = (Timestamp, Arc<Ring>);

/// Returns the keys in force; makes them at the first start.
///
/// # Errors
/// Those of the store; 500 if a stored key cannot be read.
pub async fn ring(app: &App) -> Result<Arc<Ring>> {
    let now = app.world.now();
    let mut slot = app.keys.slot.lock().await;
    if let Some((seen, ring)) = slot.as_ref()
        && now.duration_since(*seen).abs() < LOOK_AGAIN
    {
        return Ok(Arc::clone(ring));
    }
    let revision = app
        .store
        .read(|reader| Box::pin(reader.revision("signing_keys")))
        .await?;
    let ring = match slot.take() {
        Some((_, ring)) if ring.revision == revision => ring,
        _ => Arc::new(load(app).await?),
    };
    *slot = Some((now, Arc::clone(&ring)));
    Ok(ring)
}

/// Describes the provider.
pub fn discovery(app: &App) -> Value {
    let features = Features {
        id_token_algorithms: generate::ALGORITHMS.to_vec(),
        ..Features::default()
    };
    discovery_document(&app.config.issuer(), &features)
}

/// Returns the metadata for OAuth clients (RFC 8414): what apps see, and the grant and scope of directories.
pub fn metadata(app: &App) -> Value {
    let mut document = discovery(app);
    for (list, entry) in [
        ("grant_types_supported", oauth::GRANT),
        ("scopes_supported", oauth::SCOPE),
    ] {
        if let Some(entries) = document.get_mut(list).and_then(Value::as_array_mut) {
            entries.push(entry.into());
        }
    }
    document
}

/// Returns the published key set.
///
/// # Errors
/// As [`ring`].
pub async fn published(app: &App) -> Result<Value> {
    Ok(ring(app).await?.document.clone())
}

/// Does what the rotation wants done now; returns whether that was anything. Called hourly, and at the first start.
///
/// # Errors
/// Those of the store.
pub async fn rotate(app: &App) -> Result<bool> {
    let now = app.world.now();
    let policy = policy(app);
    let stored = app.store.read(|reader| Box::pin(reader.signing_keys())).await?;
    let wanted = rotation::plan(&facts(&stored), &generate::ALGORITHMS, policy, now);
    if wanted.is_empty() {
        return Ok(false);
    }
    let mut made = Vec::new();
    for action in &wanted {
        if let Action::Create(algorithm, state, not_before) = action {
            made.push((*algorithm, make(*algorithm, *state, *not_before).await?));
        }
    }
    app.store
        .write(move |tx| {
            Box::pin(async move {
                // Planned again inside, with the revision's row locked first: another node may have been faster, or may be
                // just as far.
                tx.bump_revision("signing_keys").await?;
                let stored = tx.signing_keys().await?;
                for action in rotation::plan(&facts(&stored), &generate::ALGORITHMS, policy, now) {
                    match action {
                        Action::Create(algorithm, _, _) => {
                            if let Some((_, key)) = made.iter().find(|(of, _)| *of == algorithm) {
                                tx.insert_signing_key(key, now).await?;
                            }
                        }
                        Action::Promote(kid) => {
                            tx.set_signing_key_state(&kid, KeyState::Current, None).await?;
                        }
                        Action::Retire(kid, end) => {
                            tx.set_signing_key_state(&kid, KeyState::Retiring, Some(end))
                                .await?;
                        }
                        Action::Remove(kid) => {
                            tx.delete_signing_key(&kid).await?;
                        }
                    }
                }
                Ok::<_, AppError>(())
            })
        })
        .await?;
    tracing::info!(actions = wanted.len(), "signing keys rotated");
    Ok(true)
}

fn policy(app: &App) -> Policy {
    Policy {
        sign_for: SignedDuration::from_hours(i64::from(app.config.signing_key_days) * 24),
        publish_for: SignedDuration::from_secs(app.defaults.session_seconds().max(3600)),
    }
}

async fn make(algorithm: Algorithm, state: KeyState, not_before: Timestamp) -> Result<StoredKey> {
    let made = tokio::task::spawn_blocking(move || generate::generate(algorithm)).await;
    let private_key = made
        .map_err(AppError::internal)?
        .map_err(|_| AppError::internal("the cryptographic library made no key"))?;
    let key = SigningKey::from_pkcs8(algorithm, &private_key).map_err(AppError::internal)?;
    Ok(StoredKey {
        kid: key.kid().to_owned(),
        algorithm: algorithm.name().to_owned(),
        private_key,
        public_jwk: key.public().to_json(),
        state,
        not_before,
        not_after: None,
    })
}

async fn load(app: &App) -> Result<Ring> {
    let (revision, mut stored) = read(app).await?;
    let has_current = |stored: &[StoredKey]| {
        generate::ALGORITHMS.iter().all(|algorithm| {
            stored
                .iter()
                .any(|key| key.state == KeyState::Current && key.algorithm == algorithm.name())
        })
    };
    let mut revision = revision;
    if !has_current(&stored) {
        rotate(app).await?;
        (revision, stored) = read(app).await?;
    }
    assemble(revision, &stored)
}

/// The revision is read first: if the keys change in between, the next look finds a newer one and loads again.
async fn read(app: &App) -> Result<(i64, Vec<StoredKey>)> {
    let read = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let revision = reader.revision("signing_keys").await?;
                Ok::<_, AppError>((revision, reader.signing_keys().await?))
            })
        })
        .await?;
    Ok(read)
}

fn assemble(revision: i64, stored: &[StoredKey]) -> Result<Ring> {
    let facts = facts(stored);
    let mut signers = Vec::new();
    for algorithm in generate::ALGORITHMS {
        let in_force = |key: &&KeyFacts| key.algorithm == algorithm && key.state == KeyState::Current;
        let Some(chosen) = rotation::oldest(facts.iter().filter(in_force)) else {
            continue;
        };
        let Some(key) = stored.iter().find(|key| key.kid == chosen.kid) else {
            continue;
        };
        signers.push(SigningKey::from_pkcs8(algorithm, &key.private_key).map_err(AppError::internal)?);
    }
    let keys: Vec<&Value> = stored.iter().map(|key| &key.public_jwk).collect();
    let public = JwkSet::parse(json!({ "keys": keys }).to_string().as_bytes()).map_err(AppError::internal)?;
    let document = jwks_document(&public.keys().iter().collect::<Vec<&Jwk>>());
    Ok(Ring {
        revision,
        signers,
        public,
        document,
    })
}

fn facts(stored: &[StoredKey]) -> Vec<KeyFacts> {
    stored
        .iter()
        .filter_map(|key| {
            Some(KeyFacts {
                kid: key.kid.clone(),
                algorithm: Algorithm::parse(&key.algorithm).ok()?,
                state: key.state,
                not_before: key.not_before,
                not_after: key.not_after,
            })
        })
        .collect()
}
