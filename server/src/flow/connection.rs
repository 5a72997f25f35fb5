//! Connections ready for use: policies compiled, certificates and keys parsed, secrets unsealed.
//!
//! Owns the cache of them, valid for one revision of the stored connections, so that a change made on another node
//! counts at the next sign-in. Never decides about people and never calls a provider.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use provost_kernel::attribute::AttributeDefinition;
use provost_kernel::expression::Expression;
use provost_kernel::id::ConnectionId;
use provost_kernel::mapping::InForce;
use provost_oidc::Secret;
use provost_oidc::jose::{Algorithm, JwkSet, SigningKey as JwtKey};
use provost_saml::Limits;
use provost_saml::key::{Certificate, DecryptionKey, SigningKey as SamlKey, VerifyingKey};
use provost_saml::response::Trust;
use provost_scim::{Mode, Schemas};
use provost_store::{SecretMap, StoreError};

use crate::app::App;
use crate::cache::Versioned;
use crate::config::Config;
use crate::connection_config::{OidcConfig, ProtocolConfig, SamlConfig, ScimConfig, Stage, secret};
use crate::error::{AppError, Result};
use crate::flow::entitlements;
use crate::scim_config::ScimMode;
use crate::translate;
use crate::translate::oidc::ClaimPaths;

/// The cache of ready connections.
pub type Connections = Versioned<String, LiveConnection>;

/// The revision that stored connections carry.
pub const REVISION: &str = "connections";

/// Creates the cache.
pub fn cache() -> Connections {
    Versioned::new(4096)
}

/// A connection ready for use.
pub struct LiveConnection {
    /// The connection with its policies compiled.
    pub in_force: InForce,
    /// Our side of the protocol.
    pub protocol: LiveProtocol,
    /// What a directory may do.
    pub scim: ScimSide,
    /// Stage of life.
    pub stage: Stage,
    /// Revision of the stored connections that this was made from.
    pub revision: i64,
}

/// A connection's side towards its directory.
pub struct ScimSide {
    /// Settings.
    pub config: ScimConfig,
    /// The schema tables, with the attributes that the operator added.
    pub schemas: Schemas,
    /// How strictly requests are read.
    pub mode: Mode,
    /// Keys of the OAuth clients that the settings name, by `client_id`.
    clients: Vec<(String, JwkSet)>,
}

impl ScimSide {
    /// Makes it of stored settings; the defaults where there are none.
    fn of(id: &ConnectionId, config: ScimConfig, defined: &[AttributeDefinition]) -> Self {
        let clients = config.clients.iter();
        Self {
            clients: clients
                .filter_map(|client| Some((format!("{id}:{}", client.id), client.keys()?)))
                .collect(),
            schemas: Schemas::new(&translate::scim::attributes(&config.attributes, defined)),
            mode: match config.mode {
                ScimMode::Compat => Mode::Compat,
                ScimMode::Strict => Mode::Strict,
            },
            config,
        }
    }

    /// Finds the keys of an OAuth client by its `client_id`.
    pub fn keys_of(&self, client_id: &str) -> Option<&JwkSet> {
        let mut clients = self.clients.iter();
        clients.find(|(id, _)| id == client_id).map(|(_, keys)| keys)
    }
}

impl LiveConnection {
    /// Returns the connection's identifier.
    pub const fn id(&self) -> &ConnectionId {
        &self.in_force.connection().id
    }
}

/// The protocol side of a connection.
pub enum LiveProtocol {
    /// SAML 2.0.
    Saml(Box<SamlSide>),
    /// OpenID Connect.
    Oidc(Box<OidcSide>),
}

/// A SAML connection with its keys.
pub struct SamlSide {
    /// Settings.
    pub config: SamlConfig,
    /// Keys of the identity provider; any may have signed.
    pub keys: Vec<VerifyingKey>,
    /// Our keys for encrypted assertions.
    pub decryption_keys: Vec<DecryptionKey>,
    /// Our key for requests and logout messages.
    pub signing_key: Option<SamlKey>,
    /// Our certificates, for the metadata: signing, encryption.
    pub certificates: (Vec<Certificate>, Vec<Certificate>),
    /// Our entity ID.
    pub entity_id: String,
    /// Our assertion consumer address.
    pub acs_url: String,
    /// Our logout address.
    pub slo_url: String,
}

impl SamlSide {
    /// Returns whom the connection trusts.
    pub fn trust(&self) -> Trust<'_> {
        Trust {
            idp_entity_id: &self.config.idp_entity_id,
            keys: &self.keys,
            decryption_keys: &self.decryption_keys,
            allow_cbc: self.config.allow_cbc,
            limits: Limits::MESSAGE,
        }
    }

    /// Returns the tolerated difference of clocks.
    pub fn clock_skew(&self) -> jiff::SignedDuration {
        jiff::SignedDuration::from_secs(i64::from(self.config.clock_skew_seconds))
    }
}

/// An OIDC connection with its credentials.
pub struct OidcSide {
    /// Settings.
    pub config: OidcConfig,
    /// Client secret, where one is used.
    pub client_secret: Option<Secret>,
    /// Key for `private_key_jwt`, where that is used.
    pub client_key: Option<JwtKey>,
    /// Where identifier, e-mail and name are found.
    pub paths: ClaimPaths,
    /// Accepted ID token algorithms.
    pub algorithms: Vec<Algorithm>,
    /// Our callback, one per connection (against mix-up).
    pub callback_url: String,
}

impl OidcSide {
    /// Returns the tolerated difference of clocks.
    pub fn clock_skew(&self) -> jiff::SignedDuration {
        jiff::SignedDuration::from_secs(i64::from(self.config.clock_skew_seconds))
    }
}

/// A stored connection cannot be put to use. Details go to the log and the admin, never to the person.
#[derive(Debug, thiserror::Error)]
#[error("connection {connection} cannot be used: {what}")]
pub struct Unusable {
    connection: ConnectionId,
    what: String,
}

/// Finds a connection that is ready for use.
///
/// # Errors
/// 404 for an unknown one; 500 when what is stored cannot be used, which saving should have refused.
pub async fn find(app: &App, id: &str) -> Result<Arc<LiveConnection>> {
    let revision = app
        .store
        .read(|reader| Box::pin(async move { reader.revision(REVISION).await }))
        .await?;
    find_at(app, id, revision).await
}

/// As [`find`], when the revision of the connections was just read.
///
/// # Errors
/// As [`find`].
pub async fn find_at(app: &App, id: &str, revision: i64) -> Result<Arc<LiveConnection>> {
    let id = ConnectionId::new(id);
    let wanted = id.clone();
    app.connections
        .get(&id.as_str().to_owned(), revision, async {
            let (record, plan) = app
                .store
                .read(|reader| {
                    Box::pin(async move {
                        let Some(record) = reader.connection(&wanted).await? else {
                            return Ok(None);
                        };
                        let plan = entitlements::of_owner(reader, &record.connection).await?;
                        Ok::<_, StoreError>(Some((record, plan)))
                    })
                })
                .await?
                .ok_or_else(AppError::not_found)?;
            let mut live = ready(&app.config, record, revision).map_err(AppError::internal)?;
            live.in_force = live.in_force.entitled(plan.entitlements);
            Ok(live)
        })
        .await
}

fn ready(
    config: &Config,
    record: provost_store::ConnectionRecord,
    revision: i64,
) -> Result<LiveConnection, Unusable> {
    let id = record.connection.id.clone();
    let stage = Stage::of(&record.status);
    let unusable = |what: String| Unusable {
        connection: id.clone(),
        what,
    };
    let in_force = InForce::compile(record.connection).map_err(|faults| {
        unusable(
            faults
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("; "),
        )
    })?;
    let scim = ScimSide::of(
        &id,
        ScimConfig::of(&record.protocol_config).unwrap_or_default(),
        &in_force.connection().settings.attributes,
    );
    let protocol: ProtocolConfig =
        serde_json::from_value(record.protocol_config).map_err(|error| unusable(error.to_string()))?;
    let protocol = match protocol {
        ProtocolConfig::Saml(saml) => LiveProtocol::Saml(Box::new(
            saml_side(config, &id, saml, &record.secrets).map_err(unusable)?,
        )),
        ProtocolConfig::Oidc(oidc) => LiveProtocol::Oidc(Box::new(
            oidc_side(config, &id, oidc, &record.secrets).map_err(unusable)?,
        )),
    };
    Ok(LiveConnection {
        in_force,
        protocol,
        scim,
        stage,
        revision,
    })
}

fn saml_side(
    config: &Config,
    id: &ConnectionId,
    saml: SamlConfig,
    secrets: &SecretMap,
) -> Result<SamlSide, String> {
    let text = |error: provost_saml::SamlError| error.to_string();
    // One unreadable certificate must not lock everybody out while another one is good; none at all refuses later.
    let keys = saml
        .signing_certificates
        .iter()
        .filter_map(|one| VerifyingKey::parse(one.as_bytes()).ok())
        .collect();
    let signing_key = match key_bytes(secrets, secret::SAML_SIGNING_KEY)? {
        Some(der) => Some(SamlKey::from_pkcs8_der(&der).map_err(text)?),
        None => None,
    };
    let decryption_keys = match key_bytes(secrets, secret::SAML_DECRYPTION_KEY)? {
        Some(der) => vec![DecryptionKey::from_pkcs8_der(&der).map_err(text)?],
        None => Vec::new(),
    };
    let own = |text: &str| Certificate::from_base64(text).into_iter().collect::<Vec<_>>();
    let url = |tail: &str| config.url(&format!("/sso/{id}/saml/{tail}"));
    Ok(SamlSide {
        certificates: (
            own(&saml.sp_signing_certificate),
            own(&saml.sp_encryption_certificate),
        ),
        entity_id: saml.sp_entity_id.clone().unwrap_or_else(|| url("metadata")),
        acs_url: url("acs"),
        slo_url: url("slo"),
        keys,
        decryption_keys,
        signing_key,
        config: saml,
    })
}

fn oidc_side(
    config: &Config,
    id: &ConnectionId,
    oidc: OidcConfig,
    secrets: &SecretMap,
) -> Result<OidcSide, String> {
    let path = |text: &Option<String>| {
        text.as_deref()
            .map(Expression::compile)
            .transpose()
            .map_err(|error| error.to_string())
    };
    let paths = ClaimPaths {
        identifier: path(&oidc.identifier_path)?,
        email: path(&oidc.email_path)?,
        name: path(&oidc.name_path)?,
        tenant: oidc.tenant.clone(),
    };
    let algorithms = if oidc.id_token_algorithms.is_empty() {
        Algorithm::ALL.to_vec()
    } else {
        let known = oidc.id_token_algorithms.iter().map(|name| Algorithm::parse(name));
        known
            .collect::<Result<_, _>>()
            .map_err(|error| error.to_string())?
    };
    let client_key = match key_bytes(secrets, secret::OIDC_CLIENT_KEY)? {
        Some(der) => Some(client_key(&der).map_err(|error| error.to_string())?),
        None => None,
    };
    Ok(OidcSide {
        client_secret: secrets.get(secret::OIDC_CLIENT_SECRET).map(Secret::new),
        client_key,
        paths,
        algorithms,
        callback_url: config.url(&format!("/sso/{id}/oidc/callback")),
        config: oidc,
    })
}

/// Reads the client's key; its type tells the algorithm.
fn client_key(der: &[u8]) -> Result<JwtKey, provost_oidc::OidcError> {
    JwtKey::from_pkcs8(Algorithm::Rs256, der)
        .or_else(|_| JwtKey::from_pkcs8(Algorithm::Es256, der))
        .or_else(|_| JwtKey::from_pkcs8(Algorithm::Es384, der))
        .or_else(|_| JwtKey::from_pkcs8(Algorithm::EdDsa, der))
}

fn key_bytes(secrets: &SecretMap, name: &str) -> Result<Option<zeroize::Zeroizing<Vec<u8>>>, String> {
    let Some(text) = secrets.get(name) else {
        return Ok(None);
    };
    let der = STANDARD
        .decode(text.as_bytes())
        .map_err(|_| format!("{name} is not base64"))?;
    Ok(Some(zeroize::Zeroizing::new(der)))
}
