//! Provost as the OpenID provider of the apps: one file per request of an app or its person.
//!
//! Owns codes, tokens, what an app may see, and telling apps that a session ended. Never signs a person in: that
//! is the sign-in flow's work, to which `authorize` sends the browser.

pub mod admission;
pub mod applications;
pub mod authorize;
pub mod client;
pub mod code;
pub mod end_session;
pub mod introspect;
pub mod keys;
pub mod notify;
pub mod refresh;
pub mod revoke;
pub mod step;
pub mod token;
pub mod userinfo;
pub mod view;

use jiff::SignedDuration;
use provost_oidc::OAuthError;
use provost_oidc::OidcError;
use provost_store::StoreError;

use crate::error::AppError;
use crate::world::NoRandomness;

/// Difference of clocks that is tolerated between an app and us.
pub const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(60);

/// Why an app's direct request failed.
#[derive(Debug)]
pub enum Failure {
    /// The app did something wrong, or may not have what it asks for.
    Refused(OAuthError),
    /// We could not do it.
    App(AppError),
}

impl From<OAuthError> for Failure {
    fn from(error: OAuthError) -> Self {
        Self::Refused(error)
    }
}

impl From<AppError> for Failure {
    fn from(error: AppError) -> Self {
        Self::App(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        if is_session_revoked(&error) {
            // Signed out in the very moment between look and write: no different from a moment earlier.
            return Self::Refused(OAuthError::RefreshTokenRevoked);
        }
        Self::App(error.into())
    }
}

/// Tells whether the store refused to issue something because the session had just been revoked.
fn is_session_revoked(error: &StoreError) -> bool {
    matches!(error, StoreError::Conflict(what) if what == "session_revoked")
}

impl From<NoRandomness> for Failure {
    fn from(error: NoRandomness) -> Self {
        Self::App(error.into())
    }
}

impl From<OidcError> for Failure {
    fn from(error: OidcError) -> Self {
        Self::App(AppError::internal(error))
    }
}
