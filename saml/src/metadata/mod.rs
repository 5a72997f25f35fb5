//! SAML metadata (saml-metadata-2.0-os): reads identity providers, renders our service provider.
//!
//! Metadata is configuration handed in by an administrator or fetched by the server; nothing here lowers a
//! security setting and nothing is fetched.

mod idp;
mod sp;

pub use idp::{Endpoint, IdpMetadata};
pub use sp::{ServiceProvider, sp_metadata};

#[cfg(any(test, feature = "issue"))]
pub(crate) use sp::{key_descriptor, service};
