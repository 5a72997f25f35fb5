//! Protocol side of a connection, as stored beside the kernel's [`provost_kernel::connection::Connection`].
//! Never holds secrets in these structures: they are sealed apart under the names in [`secret`].

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use crate::scim_config::{ScimConfig, ScimOperation, ScimVersion};

/// Names of the sealed secrets of a connection.
pub mod secret {
    /// Client secret at the OpenID provider.
    pub const OIDC_CLIENT_SECRET: &str = "oidc_client_secret";
    /// PKCS#8 key for `private_key_jwt`, base64 of the DER form.
    pub const OIDC_CLIENT_KEY: &str = "oidc_client_key";
    /// PKCS#8 key that signs SAML requests, base64 of the DER form.
    pub const SAML_SIGNING_KEY: &str = "saml_signing_key";
    /// PKCS#8 RSA key that decrypts assertions, base64 of the DER form.
    pub const SAML_DECRYPTION_KEY: &str = "saml_decryption_key";
}

/// Stage of life of a connection. Nobody signs in through one that is not live, and no directory changes anything through it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Being set up; no test sign-in has succeeded.
    Draft,
    /// Being set up; a test sign-in has succeeded.
    Testing,
    /// In use, or switched off by hand.
    Live,
}

impl Stage {
    /// Returns the word that the store keeps.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Testing => "testing",
            Self::Live => "active",
        }
    }

    /// Reads the word that the store keeps.
    pub fn of(word: &str) -> Self {
        match word {
            "draft" => Self::Draft,
            "testing" => Self::Testing,
            _ => Self::Live,
        }
    }

    /// Tells whether the connection is still being set up.
    pub const fn is_draft(self) -> bool {
        matches!(self, Self::Draft | Self::Testing)
    }
}

/// Protocol side of one connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "protocol")]
pub enum ProtocolConfig {
    /// SAML 2.0.
    Saml(SamlConfig),
    /// OpenID Connect.
    Oidc(OidcConfig),
}

/// A SAML identity provider and how we speak with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SamlConfig {
    /// Entity ID of the identity provider; immutable once people are linked.
    pub idp_entity_id: String,
    /// Single sign-on endpoint for the Redirect binding.
    pub sso_redirect_url: Option<String>,
    /// Single sign-on endpoint for the POST binding.
    pub sso_post_url: Option<String>,
    /// Single logout endpoint for the Redirect binding.
    pub slo_redirect_url: Option<String>,
    /// Single logout endpoint for the POST binding.
    pub slo_post_url: Option<String>,
    /// Where logout responses go, if elsewhere than requests.
    pub slo_response_url: Option<String>,
    /// Signing certificates, base64 of the DER form; any of them may have signed.
    pub signing_certificates: Vec<String>,
    /// Where the metadata came from, if it is refreshed.
    pub metadata_url: Option<String>,
    /// When the metadata was last read.
    pub metadata_read_at: Option<Timestamp>,
    /// Our entity ID, if another than the default (the metadata URL); for migrations.
    pub sp_entity_id: Option<String>,
    /// Our certificate for signing, base64 of the DER form.
    pub sp_signing_certificate: String,
    /// Our certificate for encryption, base64 of the DER form.
    pub sp_encryption_certificate: String,
    /// Binding of our requests.
    pub request_binding: RequestBinding,
    /// Whether our requests are signed.
    pub sign_requests: bool,
    /// NameID format to ask for.
    pub name_id_format: Option<String>,
    /// Authentication contexts to ask for.
    pub requested_authn_context: Vec<String>,
    /// Whether to ask for a fresh authentication each time.
    pub force_authn: bool,
    /// Whether responses without a request are accepted, and where they may lead: exact URLs or client ids.
    pub idp_initiated: Option<IdpInitiated>,
    /// Allowed difference of clocks in seconds, at most 300.
    pub clock_skew_seconds: u32,
    /// Whether AES-CBC is accepted under an outer signature; for providers that cannot do GCM.
    pub allow_cbc: bool,
    /// Attribute names by normalized field, where the provider's differ from the known ones.
    pub attributes: BTreeMap<String, String>,
}

/// Bindings of authentication requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RequestBinding {
    /// HTTP-Redirect.
    #[default]
    Redirect,
    /// HTTP-POST.
    Post,
}

/// Opt-in to unsolicited responses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdpInitiated {
    /// Client ids of applications where people may land; the first is the default. Empty: the account page.
    #[serde(default)]
    pub allowed_applications: Vec<String>,
}

/// An OpenID provider and how we speak with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OidcConfig {
    /// Issuer, compared byte for byte.
    pub issuer: String,
    /// Our client id there.
    pub client_id: String,
    /// How we authenticate at the token endpoint.
    pub client_authentication: ClientAuthentication,
    /// Scopes to ask for.
    pub scopes: Vec<String>,
    /// Accepted ID token algorithms; empty means all of the asymmetric allow-list.
    pub id_token_algorithms: Vec<String>,
    /// Whether userinfo is merged into the claims.
    pub userinfo: bool,
    /// Tenant for issuer templates of multi-tenant providers.
    pub tenant: Option<String>,
    /// JMESPath to the identifier; absent means `sub`.
    pub identifier_path: Option<String>,
    /// JMESPath to the e-mail; absent means `email`.
    pub email_path: Option<String>,
    /// JMESPath to the display name; absent means `name`.
    pub name_path: Option<String>,
    /// Allowed difference of clocks in seconds, at most 300.
    pub clock_skew_seconds: u32,
    /// Whether the person is also signed out at the provider.
    pub upstream_logout: bool,
}

/// How a client authenticates at a token endpoint (OpenID Connect Core 9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuthentication {
    /// HTTP Basic.
    #[default]
    ClientSecretBasic,
    /// Form fields.
    ClientSecretPost,
    /// Signed assertion (RFC 7523).
    PrivateKeyJwt,
    /// Public client.
    None,
}

/// A stored protocol configuration that this version cannot read.
#[derive(Debug, thiserror::Error)]
#[error("the stored protocol settings of connection {connection} cannot be read")]
pub struct StoredConfigError {
    /// The connection.
    pub connection: String,
    #[source]
    source: serde_json::Error,
}

impl ProtocolConfig {
    /// Reads the protocol settings of a connection as the store keeps them.
    ///
    /// # Errors
    /// [`StoredConfigError`] when they were written by a later version.
    pub fn of(connection: &str, stored: &Value) -> Result<Self, StoredConfigError> {
        Self::deserialize(stored).map_err(|source| StoredConfigError {
            connection: connection.to_owned(),
            source,
        })
    }

    /// Returns what a test sign-in proves, as a digest: every setting of the protocol but what changes by itself.
    pub fn fingerprint(&self) -> String {
        let mut proved = self.clone();
        if let Self::Saml(saml) = &mut proved {
            saml.metadata_read_at = None;
            if saml.metadata_url.is_some() {
                // They follow the metadata, tested or not.
                saml.signing_certificates.clear();
            }
        }
        let text = serde_json::to_string(&proved).unwrap_or_default();
        crate::world::digest_of(&format!("provost tested settings\n{text}"))
    }

    /// Returns the form that the store keeps, with the directory's settings beside it.
    ///
    /// # Errors
    /// Never for values made by this program.
    pub fn to_stored(&self, scim: Option<&ScimConfig>) -> Result<Value, serde_json::Error> {
        let mut stored = serde_json::to_value(self)?;
        if let (Some(scim), Some(members)) = (scim, stored.as_object_mut()) {
            members.insert(ScimConfig::KEY.to_owned(), serde_json::to_value(scim)?);
        }
        Ok(stored)
    }
}
