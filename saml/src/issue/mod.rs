//! The issuing side: just enough of an identity provider for the demo's sandbox and for tests.
//!
//! Behind the cargo feature `issue`, off by default. Owns rendering and signing of responses; knows no
//! people and keeps no sessions. Logout messages are the same on both sides: use [`crate::logout`].

mod encrypt;
mod idp_metadata;
mod request;
mod response;

pub use encrypt::{Encryption, KeyTransport};
pub use idp_metadata::{IdentityProvider, idp_metadata};
pub use request::{ReceivedAuthnRequest, parse_authn_request};
pub use response::{ResponseSpec, Signing, issue_response, response_form};

#[cfg(test)]
pub(crate) use encrypt::encrypt_element;
#[cfg(test)]
pub(crate) use response::{assertion_draft, response_draft};
