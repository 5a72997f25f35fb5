//! What an OpenID provider publishes about itself: discovery document and keys, fetched and kept.
//!
//! Owns when to fetch (the rule itself is [`provost_oidc::rp::jwks`]) and that several sign-ins at once cause one
//! call. Kept per node, because it can always be fetched again. Never verifies a token.

use std::sync::Arc;

use jiff::Timestamp;
use moka::future::Cache;
use provost_kernel::id::ConnectionId;
use provost_oidc::OidcError;
use provost_oidc::Transport;
use provost_oidc::jose::JwkSet;
use provost_oidc::rp::discovery::{self, ProviderMetadata};
use provost_oidc::rp::jwks::{FetchHistory, Step, Want};
use reqwest::header::HeaderMap;
use tokio::sync::Mutex;

use crate::app::App;
use crate::flow::connection::OidcSide;
use crate::outbound::OutboundError;

/// Providers by connection.
#[derive(Clone)]
pub struct Providers {
    entries: Cache<ConnectionId, Arc<Mutex<Provider>>>,
}

/// What is known about one provider.
#[derive(Default)]
struct Provider {
    /// The issuer it was read for; another issuer starts anew.
    issuer: String,
    metadata: Option<Arc<ProviderMetadata>>,
    metadata_history: FetchHistory,
    keys: Option<Arc<JwkSet>>,
    keys_history: FetchHistory,
}

/// Why a provider's documents are not at hand.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// The call failed.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    /// The answer is not what it must be.
    #[error(transparent)]
    Document(#[from] OidcError),
    /// The answer is an error.
    #[error("{what} answered with status {status}")]
    Status {
        /// Which document.
        what: &'static str,
        /// HTTP status.
        status: u16,
    },
    /// The last try failed a moment ago.
    #[error("the identity provider did not answer a moment ago; the next try has to wait a few seconds")]
    TooSoon,
}

impl ProviderError {
    /// Returns the stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Outbound(error) => error.code(),
            Self::Document(error) => error.code(),
            Self::Status { .. } => "provider_status",
            Self::TooSoon => "provider_too_soon",
        }
    }
}

impl Default for Providers {
    fn default() -> Self {
        Self {
            entries: Cache::new(4096),
        }
    }
}

impl Providers {
    /// Returns the provider's discovery document, at most an hour old unless the provider does not answer.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn metadata(
        &self,
        app: &App,
        side: &OidcSide,
        id: &ConnectionId,
    ) -> Result<Arc<ProviderMetadata>, ProviderError> {
        let entry = self.entry(side, id).await;
        let mut provider = entry.lock().await;
        provider.metadata(app, side).await
    }

    /// Returns the provider's keys.
    ///
    /// # Errors
    /// [`ProviderError`]; with [`Want::NewerKeys`] also when it is too soon to ask again.
    pub async fn keys(
        &self,
        app: &App,
        side: &OidcSide,
        id: &ConnectionId,
        want: Want,
    ) -> Result<Arc<JwkSet>, ProviderError> {
        let entry = self.entry(side, id).await;
        let mut provider = entry.lock().await;
        provider.keys(app, side, want).await
    }

    async fn entry(&self, side: &OidcSide, id: &ConnectionId) -> Arc<Mutex<Provider>> {
        let entry = self.entries.get_with(id.clone(), async { Arc::default() }).await;
        let mut provider = entry.lock().await;
        if provider.issuer != side.config.issuer {
            *provider = Provider {
                issuer: side.config.issuer.clone(),
                ..Provider::default()
            };
        }
        drop(provider);
        entry
    }
}

impl Provider {
    async fn metadata(&mut self, app: &App, side: &OidcSide) -> Result<Arc<ProviderMetadata>, ProviderError> {
        let now = app.world.now();
        let step = self.metadata_history.decide(Want::Keys, now);
        if let (Step::UseCached, Some(known)) = (step, &self.metadata) {
            return Ok(Arc::clone(known));
        }
        if step == Step::GiveUp {
            return Err(ProviderError::TooSoon);
        }
        self.metadata_history.tried = Some(now);
        match fetch_metadata(app, side).await {
            Ok(fresh) => {
                let fresh = Arc::new(fresh);
                self.metadata = Some(Arc::clone(&fresh));
                self.metadata_history.fetched = Some(now);
                Ok(fresh)
            }
            Err(error) => self
                .metadata
                .clone()
                .filter(|_| step == Step::FetchElseCached)
                .ok_or(error),
        }
    }

    async fn keys(&mut self, app: &App, side: &OidcSide, want: Want) -> Result<Arc<JwkSet>, ProviderError> {
        let now = app.world.now();
        let step = self.keys_history.decide(want, now);
        if let (Step::UseCached, Some(known)) = (step, &self.keys) {
            return Ok(Arc::clone(known));
        }
        if step == Step::GiveUp {
            return Err(ProviderError::TooSoon);
        }
        let metadata = self.metadata(app, side).await?;
        self.keys_history.tried = Some(now);
        match self.fetch_keys(app, &metadata, now).await {
            Ok(fresh) => Ok(fresh),
            Err(error) => self
                .keys
                .clone()
                .filter(|_| step == Step::FetchElseCached)
                .ok_or(error),
        }
    }

    async fn fetch_keys(
        &mut self,
        app: &App,
        metadata: &ProviderMetadata,
        now: Timestamp,
    ) -> Result<Arc<JwkSet>, ProviderError> {
        let answer = app
            .outbound
            .get(metadata.jwks_uri.as_str(), HeaderMap::new())
            .await?;
        if !answer.is_success() {
            return Err(ProviderError::Status {
                what: "the key set",
                status: answer.status,
            });
        }
        let fresh = Arc::new(JwkSet::parse(&answer.body)?);
        self.keys = Some(Arc::clone(&fresh));
        self.keys_history.fetched = Some(now);
        Ok(fresh)
    }
}

async fn fetch_metadata(app: &App, side: &OidcSide) -> Result<ProviderMetadata, ProviderError> {
    let transport = transport(app);
    let issuer = &side.config.issuer;
    let url = discovery::well_known_url(issuer, transport)?;
    let answer = app.outbound.get(url.as_str(), HeaderMap::new()).await?;
    if !answer.is_success() {
        return Err(ProviderError::Status {
            what: "the discovery document",
            status: answer.status,
        });
    }
    let expected = discovery::Expected {
        issuer,
        tenant: side.config.tenant.as_deref(),
        transport,
    };
    Ok(discovery::parse(&answer.body, &expected)?)
}

/// Returns which addresses may be called: https, and plain http on loopback where the operator allows it.
pub fn transport(app: &App) -> Transport {
    if app.config.allow_private_addresses {
        Transport::HttpLoopbackToo
    } else {
        Transport::HttpsOnly
    }
}
