//! What this crate must know of a registered app.
//!
//! Owns the record's shape. Never: its storage or its secret.

use crate::jose::{Algorithm, JwkSet};
use crate::rp::discovery::AuthMethod;

/// Where the app runs; decides the redirect rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ApplicationType {
    /// On a server or in a browser: redirect URIs match exactly.
    #[default]
    Web,
    /// On the person's device: loopback redirect URIs match with any port (RFC 8252 section 7.3).
    Native,
}

/// A grant a client may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GrantType {
    /// `authorization_code`.
    AuthorizationCode,
    /// `refresh_token`.
    RefreshToken,
}

impl GrantType {
    /// The registered name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
        }
    }
}

/// A registered app. Pre-registered only: there is no dynamic registration.
#[derive(Debug, Clone)]
pub struct Client {
    /// The client id.
    pub client_id: String,
    /// Where it runs.
    pub application_type: ApplicationType,
    /// Registered redirect URIs; see `redirect_uri::check_registration`.
    pub redirect_uris: Vec<String>,
    /// Registered targets after logout, matched exactly.
    pub post_logout_redirect_uris: Vec<String>,
    /// Where logout tokens are sent.
    pub backchannel_logout_uri: Option<String>,
    /// How it may authenticate. `[ClientSecretBasic, ClientSecretPost]` for an app with a secret,
    /// `[None]` for a public one.
    pub auth_methods: Vec<AuthMethod>,
    /// The grants it may use.
    pub grant_types: Vec<GrantType>,
    /// The algorithm of its ID tokens.
    pub id_token_algorithm: Algorithm,
    /// Its keys for `private_key_jwt`.
    pub jwks: Option<JwkSet>,
    /// Whether a confidential client must use PKCE (default true); a public one always must.
    pub require_pkce: bool,
}

impl Client {
    /// A confidential web app with the default settings.
    pub fn confidential(client_id: impl Into<String>, redirect_uris: Vec<String>) -> Self {
        Self {
            client_id: client_id.into(),
            application_type: ApplicationType::Web,
            redirect_uris,
            post_logout_redirect_uris: Vec::new(),
            backchannel_logout_uri: None,
            auth_methods: vec![AuthMethod::ClientSecretBasic, AuthMethod::ClientSecretPost],
            grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
            id_token_algorithm: Algorithm::Rs256,
            jwks: None,
            require_pkce: true,
        }
    }

    /// Whether PKCE is demanded of it.
    pub fn needs_pkce(&self) -> bool {
        self.require_pkce || self.auth_methods.contains(&AuthMethod::None)
    }

    /// Whether it may use a grant.
    pub fn may_use(&self, grant: GrantType) -> bool {
        self.grant_types.contains(&grant)
    }
}
