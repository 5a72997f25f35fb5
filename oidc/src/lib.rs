//! OpenID Connect as pure functions, in two faces: [`rp`] (relying party, towards the customers'
//! identity providers) and [`op`] (OpenID provider, towards the apps).
//!
//! Owns: every check on a discovery document, token, redirect or request, and the making of our own
//! tokens. Never: fetches, reads a clock, draws random bytes, or decides who a person is. `now` and random
//! values are arguments; the caller sends the requests that this crate describes as values. (The one
//! exception is the per-signature nonce of ECDSA and PSS, which the cryptographic library draws itself.)

pub mod error;
#[cfg(test)]
mod fixtures;
pub mod jose;
pub mod op;
mod params;
pub mod pkce;
pub mod rp;
mod secret;
mod transport;

pub use error::{OAuthError, OidcError, Refusal};
pub use params::Params;
pub use secret::Secret;
pub use transport::Transport;
