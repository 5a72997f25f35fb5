//! SAML 2.0 for a service provider, as pure functions: bytes in, [`response::VerifiedAssertion`] out.
//!
//! Owns metadata, AuthnRequest, Response verification, single logout and the attribute names of the common
//! identity providers. Never trusts a key that was not handed in, never reads a clock, a file or a socket,
//! never logs and never knows what an account is. The moment, the keys and the random bytes of IDs are
//! arguments; only the cryptographic library draws its own nonces when it signs.
//!
//! The rule behind the design: what is read is what was signed. A verified element leaves [`response`] only
//! as values parsed from the canonical bytes that were digested.

mod binding;
mod dsig;
mod error;
#[cfg(test)]
mod fixture;
mod limits;
mod time;
mod wire;
mod xml;
mod xmlenc;

pub mod attributes;
pub mod authn_request;
#[cfg(any(test, feature = "issue"))]
pub mod issue;
pub mod key;
pub mod logout;
pub mod metadata;
pub mod response;

pub use binding::PostForm;
pub use error::{Quote, SamlError};
pub use limits::Limits;
pub use wire::RELAY_STATE_MAX;
pub use xmlenc::ContentCipher;
