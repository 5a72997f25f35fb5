//! Registration of an app, as stored. Never holds its secret: only a digest of that is kept, apart.

use provost_oidc::jose::{Algorithm, JwkSet};
use provost_oidc::op::redirect_uri::check_registration;
use provost_oidc::op::{ApplicationType, Client, GrantType};
use provost_oidc::rp::discovery::AuthMethod;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::connection_config::ClientAuthentication;

/// How an app takes part in single sign-on. Names are those of OpenID Connect Dynamic Client Registration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ApplicationConfig {
    /// Name shown to people; the client id if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where the app runs; decides which redirect URIs are possible.
    pub application_type: ApplicationKind,
    /// Where answers may be sent, compared character by character.
    pub redirect_uris: Vec<String>,
    /// Where people may be sent after signing out, compared character by character.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub post_logout_redirect_uris: Vec<String>,
    /// Where the app begins a sign-in that it did not ask for (OpenID Connect Core 4); people land there after a
    /// sign-in that began at the identity provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initiate_login_uri: Option<String>,
    /// Where logout tokens are sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backchannel_logout_uri: Option<String>,
    /// The only way in which the app may authenticate. Absent: `client_secret_basic` or `client_secret_post`
    /// with a secret, `private_key_jwt` with a key set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_method: Option<ClientAuthentication>,
    /// Public keys of an app that authenticates with `private_key_jwt`: a JSON Web Key Set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks: Option<serde_json::Value>,
    /// Algorithm of the app's ID tokens.
    pub id_token_signed_response_alg: IdTokenAlgorithm,
    /// Whether the app may do without PKCE; only for confidential apps whose library cannot.
    pub allow_without_pkce: bool,
    /// Whether the app may have refresh tokens (scope `offline_access`).
    pub offline_access: bool,
}

impl Default for ApplicationConfig {
    fn default() -> Self {
        Self {
            name: None,
            application_type: ApplicationKind::default(),
            redirect_uris: Vec::new(),
            post_logout_redirect_uris: Vec::new(),
            initiate_login_uri: None,
            backchannel_logout_uri: None,
            token_endpoint_auth_method: None,
            jwks: None,
            id_token_signed_response_alg: IdTokenAlgorithm::default(),
            allow_without_pkce: false,
            offline_access: true,
        }
    }
}

/// Where an app runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApplicationKind {
    /// On a server or in a browser.
    #[default]
    Web,
    /// On the person's device; loopback redirect URIs fit with any port.
    Native,
}

/// Algorithms of ID tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum IdTokenAlgorithm {
    /// ECDSA on P-256: short and fast.
    #[default]
    #[serde(rename = "ES256")]
    Es256,
    /// RSA, for libraries that know nothing else.
    #[serde(rename = "RS256")]
    Rs256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

/// What is wrong with a registration, in words for its author.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplicationError {
    /// No redirect URI.
    #[error("redirect_uris is empty: the app could never receive an answer")]
    NoRedirectUri,
    /// A URI that may not be registered.
    #[error(
        "`{0}` cannot be registered: https (or http to a loopback address), without fragment, user name or wildcard"
    )]
    Uri(String),
    /// The key set cannot be read or has no usable key.
    #[error("jwks is not a JSON Web Key Set with at least one public signing key")]
    Jwks,
    /// A confidential app without means to authenticate.
    #[error(
        "the app has no client_secret: give one, or a jwks, or set token_endpoint_auth_method to none for a public app"
    )]
    NoCredential,
    /// A public app with a secret.
    #[error("token_endpoint_auth_method is none, so a client_secret has no use")]
    SecretOfPublicApp,
    /// PKCE switched off for a public app.
    #[error("allow_without_pkce is for confidential apps only")]
    PublicWithoutPkce,
}

impl ApplicationConfig {
    /// Checks a registration and gives the form that the protocol works with.
    ///
    /// # Errors
    /// The first [`ApplicationError`].
    pub fn client(&self, client_id: &str, has_secret: bool) -> Result<Client, ApplicationError> {
        let application_type = match self.application_type {
            ApplicationKind::Web => ApplicationType::Web,
            ApplicationKind::Native => ApplicationType::Native,
        };
        if self.redirect_uris.is_empty() {
            return Err(ApplicationError::NoRedirectUri);
        }
        for uri in self.redirect_uris.iter().chain(&self.post_logout_redirect_uris) {
            if !check_registration(uri, application_type) {
                return Err(ApplicationError::Uri(uri.clone()));
            }
        }
        let called = [&self.backchannel_logout_uri, &self.initiate_login_uri];
        if let Some(uri) = called.into_iter().flatten().find(|uri| !is_callable(uri)) {
            return Err(ApplicationError::Uri(uri.clone()));
        }
        let auth_methods = self.auth_methods(has_secret)?;
        let mut client = Client::confidential(client_id, self.redirect_uris.clone());
        client.application_type = application_type;
        client
            .post_logout_redirect_uris
            .clone_from(&self.post_logout_redirect_uris);
        client
            .backchannel_logout_uri
            .clone_from(&self.backchannel_logout_uri);
        client.auth_methods = auth_methods;
        client.grant_types = vec![GrantType::AuthorizationCode];
        if self.offline_access {
            client.grant_types.push(GrantType::RefreshToken);
        }
        client.id_token_algorithm = match self.id_token_signed_response_alg {
            IdTokenAlgorithm::Es256 => Algorithm::Es256,
            IdTokenAlgorithm::Rs256 => Algorithm::Rs256,
            IdTokenAlgorithm::EdDsa => Algorithm::EdDsa,
        };
        client.jwks = self.key_set()?;
        client.require_pkce = !self.allow_without_pkce;
        Ok(client)
    }

    fn auth_methods(&self, has_secret: bool) -> Result<Vec<AuthMethod>, ApplicationError> {
        let needs_secret = |method| {
            if has_secret {
                Ok(vec![method])
            } else {
                Err(ApplicationError::NoCredential)
            }
        };
        match self.token_endpoint_auth_method {
            Some(ClientAuthentication::None) if has_secret => Err(ApplicationError::SecretOfPublicApp),
            Some(ClientAuthentication::None) if self.allow_without_pkce => {
                Err(ApplicationError::PublicWithoutPkce)
            }
            Some(ClientAuthentication::None) => Ok(vec![AuthMethod::None]),
            Some(ClientAuthentication::ClientSecretBasic) => needs_secret(AuthMethod::ClientSecretBasic),
            Some(ClientAuthentication::ClientSecretPost) => needs_secret(AuthMethod::ClientSecretPost),
            Some(ClientAuthentication::PrivateKeyJwt) if self.jwks.is_some() => {
                Ok(vec![AuthMethod::PrivateKeyJwt])
            }
            None if self.jwks.is_some() && !has_secret => Ok(vec![AuthMethod::PrivateKeyJwt]),
            None if has_secret => Ok(vec![AuthMethod::ClientSecretBasic, AuthMethod::ClientSecretPost]),
            Some(ClientAuthentication::PrivateKeyJwt) | None => Err(ApplicationError::NoCredential),
        }
    }

    fn key_set(&self) -> Result<Option<JwkSet>, ApplicationError> {
        let Some(value) = &self.jwks else { return Ok(None) };
        let set = JwkSet::parse(value.to_string().as_bytes()).map_err(|_| ApplicationError::Jwks)?;
        if set.keys().is_empty() {
            Err(ApplicationError::Jwks)
        } else {
            Ok(Some(set))
        }
    }
}

/// Whether a logout token may be sent there; addresses are judged again when it is called.
fn is_callable(uri: &str) -> bool {
    Url::parse(uri).is_ok_and(|url| matches!(url.scheme(), "https" | "http") && url.fragment().is_none())
        && check_registration(uri, ApplicationType::Web)
}

#[cfg(test)]
mod tests {
    use provost_oidc::rp::discovery::AuthMethod;
    use serde_json::json;

    use super::{ApplicationConfig, ApplicationError};

    fn config(more: &serde_json::Value) -> ApplicationConfig {
        let mut value = json!({ "redirect_uris": ["https://app.example/cb"] });
        value
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn an_app_with_a_secret_needs_nothing_else() {
        let client = config(&json!({})).client("app", true).unwrap();
        assert_eq!(
            client.auth_methods,
            [AuthMethod::ClientSecretBasic, AuthMethod::ClientSecretPost]
        );
        assert!(client.require_pkce);
        assert_eq!(client.grant_types.len(), 2);
    }

    #[test]
    fn each_way_to_authenticate_needs_its_credential() {
        assert_eq!(
            config(&json!({})).client("app", false).unwrap_err(),
            ApplicationError::NoCredential
        );
        let public = config(&json!({ "token_endpoint_auth_method": "none" }));
        assert_eq!(
            public.client("app", false).unwrap().auth_methods,
            [AuthMethod::None]
        );
        assert_eq!(
            public.client("app", true).unwrap_err(),
            ApplicationError::SecretOfPublicApp
        );
        let keyless = config(&json!({ "token_endpoint_auth_method": "private_key_jwt" }));
        assert_eq!(
            keyless.client("app", true).unwrap_err(),
            ApplicationError::NoCredential
        );
        let empty = config(&json!({ "jwks": { "keys": [] } }));
        assert_eq!(empty.client("app", false).unwrap_err(), ApplicationError::Jwks);
        let lax = config(&json!({ "token_endpoint_auth_method": "none", "allow_without_pkce": true }));
        assert_eq!(
            lax.client("app", false).unwrap_err(),
            ApplicationError::PublicWithoutPkce
        );
    }

    #[test]
    fn uris_that_could_not_be_compared_safely_are_refused() {
        for uri in [
            "http://app.example/cb",
            "https://app.example/cb#x",
            "https://a:b@app.example/",
            "https://*.x/",
        ] {
            let value = json!({ "redirect_uris": [uri] });
            let config: ApplicationConfig = serde_json::from_value(value).unwrap();
            assert_eq!(
                config.client("app", true).unwrap_err(),
                ApplicationError::Uri(uri.to_owned())
            );
        }
        let native = config(&json!({ "backchannel_logout_uri": "com.example.app:/logout" }));
        assert!(native.client("app", true).is_err());
        let none: ApplicationConfig = serde_json::from_value(json!({})).unwrap();
        assert_eq!(
            none.client("app", true).unwrap_err(),
            ApplicationError::NoRedirectUri
        );
    }

    #[test]
    fn a_registration_is_read_back_as_it_was_written() {
        let written = config(&json!({ "name": "App", "offline_access": false }));
        assert!(!written.offline_access);
        let text = serde_json::to_string(&written).unwrap();
        assert_eq!(serde_json::from_str::<ApplicationConfig>(&text).unwrap(), written);
    }
}
