//! What a waiting app said about the sign-in that it asks for.

use crate::app::App;
use crate::error::Result;
use crate::flow::openid::authorize;
use crate::flow::pending::SignInHints;
use crate::flow::return_to::ReturnTo;

/// Returns the hints of the request that waits; empty where no app waits, or not any more.
///
/// # Errors
/// Those of the store.
pub async fn of(app: &App, return_to: &ReturnTo) -> Result<SignInHints> {
    match return_to.request() {
        Some(id) => Ok(authorize::hints(app, id).await?.unwrap_or_default()),
        None => Ok(SignInHints::default()),
    }
}
