//! The relying party: we send a person to a customer's identity provider and check what comes back.
//!
//! Owns requests as values and the checks of every answer. Never: sends, stores or trusts an e-mail address.

pub mod authorization;
pub mod callback;
pub mod client_auth;
pub mod discovery;
pub mod email_trust;
pub mod id_token;
pub mod initiation;
pub mod jwks;
pub mod logout;
pub mod logout_token;
pub mod token;
pub mod userinfo;

pub use authorization::AuthorizationRequest;
pub use callback::AuthorizationCode;
pub use client_auth::ClientAuthentication;
pub use discovery::ProviderMetadata;
pub use email_trust::{EmailTrust, email_trust};
pub use id_token::VerifiedIdToken;
pub use logout_token::VerifiedLogoutToken;
pub use token::{TokenRequest, TokenResponse};
