//! The OpenID provider: an app sends a person to us and receives tokens.
//!
//! Owns the checks of an app's requests and the making of answers. Never: stores codes or tokens, hashes
//! secrets, or decides who may sign in.

pub mod authorize;
pub mod bearer;
pub mod claims;
pub mod client;
pub mod client_auth;
pub mod code;
pub mod discovery;
pub mod end_session;
pub mod introspection;
pub mod redirect_uri;
pub mod refresh;
pub mod response;
pub mod revocation;
pub mod token;
pub mod tokens;

pub use crate::jose::{SigningKey, sign_compact};
pub use authorize::{AuthorizeError, AuthorizeRequest};
pub use claims::Subject;
pub use client::{ApplicationType, Client, GrantType};
pub use client_auth::PresentedClient;
pub use code::{CodeDecision, CodeFacts};
pub use discovery::{discovery_document, jwks_document};
pub use refresh::{RefreshDecision, RefreshFacts};
pub use response::Delivery;
pub use token::{TokenGrant, TokenRequest};
