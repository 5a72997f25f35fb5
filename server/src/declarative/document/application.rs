//! Applications in the declarative file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{AllWord, SecretText, is_default, is_false, is_true, yes};
use crate::application_config::{ApplicationConfig, ApplicationKind, IdTokenAlgorithm};
use crate::connection_config::ClientAuthentication;

/// An app behind Provost: a client of its OpenID provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApplicationEntry {
    /// Client id. Never changes.
    pub client_id: String,
    /// Client secret, at least 22 characters of randomness; only its digest is stored. Absent in a later file: the stored one stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<SecretText>,
    /// Name shown to people; the client id if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Organizations whose people may use the app: `all` or a list.
    #[serde(default)]
    pub organizations: Organizations,
    /// Where the app runs; decides which redirect URIs are possible.
    #[serde(default, skip_serializing_if = "is_default")]
    pub application_type: ApplicationKind,
    /// Where answers may be sent, compared character by character.
    pub redirect_uris: Vec<String>,
    /// Where people may be sent after signing out, compared character by character.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub post_logout_redirect_uris: Vec<String>,
    /// Where the app begins a sign-in that it did not ask for; people land there after a sign-in that began at the
    /// identity provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initiate_login_uri: Option<String>,
    /// Where logout tokens are sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backchannel_logout_uri: Option<String>,
    /// The only way in which the app may authenticate; `none` for a public app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_method: Option<ClientAuthentication>,
    /// Public keys of an app that authenticates with `private_key_jwt`: a JSON Web Key Set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<Value>,
    /// Algorithm of the app's ID tokens.
    #[serde(default, skip_serializing_if = "is_default")]
    pub id_token_signed_response_alg: IdTokenAlgorithm,
    /// Whether the app may do without PKCE; only for confidential apps whose library cannot.
    #[serde(default, skip_serializing_if = "is_false")]
    pub allow_without_pkce: bool,
    /// Whether the app may have refresh tokens (scope `offline_access`).
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub offline_access: bool,
}

impl ApplicationEntry {
    /// Writes a stored registration as an entry, without its secret.
    pub fn new(client_id: String, config: ApplicationConfig, organizations: Organizations) -> Self {
        Self {
            client_id,
            client_secret: None,
            name: config.name,
            organizations,
            application_type: config.application_type,
            redirect_uris: config.redirect_uris,
            post_logout_redirect_uris: config.post_logout_redirect_uris,
            backchannel_logout_uri: config.backchannel_logout_uri,
            initiate_login_uri: config.initiate_login_uri,
            token_endpoint_auth_method: config.token_endpoint_auth_method,
            jwks: config.jwks,
            id_token_signed_response_alg: config.id_token_signed_response_alg,
            allow_without_pkce: config.allow_without_pkce,
            offline_access: config.offline_access,
        }
    }

    /// Returns the registration as it is stored.
    pub fn config(&self) -> ApplicationConfig {
        ApplicationConfig {
            name: self.name.clone(),
            application_type: self.application_type,
            redirect_uris: self.redirect_uris.clone(),
            post_logout_redirect_uris: self.post_logout_redirect_uris.clone(),
            initiate_login_uri: self.initiate_login_uri.clone(),
            backchannel_logout_uri: self.backchannel_logout_uri.clone(),
            token_endpoint_auth_method: self.token_endpoint_auth_method,
            jwks: self.jwks.clone(),
            id_token_signed_response_alg: self.id_token_signed_response_alg,
            allow_without_pkce: self.allow_without_pkce,
            offline_access: self.offline_access,
        }
    }
}

/// Organizations whose people may use an app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Organizations {
    /// `all`.
    Word(AllWord),
    /// These.
    Listed(Vec<String>),
}

impl Default for Organizations {
    fn default() -> Self {
        Self::Word(AllWord::All)
    }
}
