//! Sandbox identity providers: one that speaks SAML, one that speaks OpenID Connect. Mounted only by the demo.
//!
//! Anybody may choose to be anybody here, so nothing of this is ever part of `provost serve`.

mod oidc;
mod page;
mod saml;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::route::{get, post};
use anyhow::{Context as _, Result};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use axum::Router;
use provost_oidc::jose::{Algorithm, SigningKey};

use crate::config::Config;
use crate::world::World;

pub(super) use saml::SamlSide;

/// The sandbox with its keys. Holds pending codes in memory: it lives as long as the demo.
pub(super) struct Sandbox {
    /// Base URL of the demo server, without a trailing slash.
    base: String,
    config: Arc<Config>,
    world: World,
    oidc_key: SigningKey,
    /// Codes waiting to be redeemed.
    codes: Mutex<BTreeMap<String, oidc::Granted>>,
    saml: SamlSide,
}

/// Client id of Provost at the sandbox's OpenID provider, for Acme's people.
pub(super) const CLIENT_ID: &str = "provost";
/// The same for the people of Globex.
pub(super) const GLOBEX_CLIENT_ID: &str = "provost-globex";

impl Sandbox {
    /// Makes a sandbox with new keys.
    pub(super) fn new(config: &Arc<Config>, world: &World) -> Result<Self> {
        let base = &config.issuer();
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?.to_pkcs8v1()?;
        Ok(Self {
            base: base.clone(),
            config: Arc::clone(config),
            world: world.clone(),
            oidc_key: SigningKey::from_pkcs8(Algorithm::Es256, key.as_ref()).context("sandbox key")?,
            codes: Mutex::new(BTreeMap::new()),
            saml: SamlSide::new(base)?,
        })
    }

    /// Issuer of the OpenID provider.
    pub(super) fn issuer(&self) -> String {
        format!("{}/sandbox/oidc", self.base)
    }

    /// Addresses and certificate of the SAML identity provider.
    pub(super) fn saml_fields(&self) -> &SamlSide {
        &self.saml
    }

    /// The routes of both providers.
    pub(super) fn routes(self: Arc<Self>) -> Router {
        Router::new()
            .route(
                "/sandbox/oidc/.well-known/openid-configuration",
                get(oidc::discovery),
            )
            .route("/sandbox/oidc/jwks", get(oidc::jwks))
            .route("/sandbox/oidc/authorize", get(oidc::authorize))
            .route("/sandbox/oidc/choose", post(oidc::choose))
            .route("/sandbox/oidc/token", post(oidc::token))
            .route("/sandbox/saml/metadata", get(saml::metadata))
            .route("/sandbox/saml/sso", get(saml::sso))
            .route("/sandbox/saml/choose", post(saml::choose))
            .with_state(self)
    }
}
