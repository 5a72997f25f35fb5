//! Single logout (SAML profiles 4.4): builds and verifies LogoutRequest and LogoutResponse.
//!
//! Owns the rule that a logout message without a valid signature does nothing. Never ends a session itself.

mod build;
mod verify;

pub use build::{LogoutRequest, LogoutResponse, LogoutStatus};
pub use verify::{
    LogoutExpected, Received, VerifiedLogoutRequest, VerifiedLogoutResponse, verify_logout_request,
    verify_logout_response,
};

#[cfg(any(test, feature = "issue"))]
pub(crate) use build::write_name_id;

#[cfg(test)]
mod tests;
