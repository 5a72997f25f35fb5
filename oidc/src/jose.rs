//! JSON Web Signature, Key and Token for both faces (RFC 7515, 7517, 7518, 7519, 7638).
//!
//! Owns parsing under limits, the algorithm allow-list, key selection and signatures. Never: encryption,
//! shared-secret algorithms, or keys named by the token itself (`jku`, `x5u`, `jwk`, `x5c` are not read).

pub mod algorithm;
pub mod claims;
pub(crate) mod json;
pub mod jwk;
pub mod jwk_set;
pub mod jws;
mod signing_key;

pub use algorithm::Algorithm;
pub use claims::Claims;
pub use jwk::Jwk;
pub use jwk_set::JwkSet;
pub use jws::VerifiedJws;
pub use signing_key::{SigningKey, sign_compact};
