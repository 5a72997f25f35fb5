//! Tokens of directories, made by programs and in the console, within the bounds of the caller and of the organization's plan (C-21).

use provost_kernel::entitlement::Feature;
use provost_store::TokenRecord;

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::api_keys::Caller;
use crate::flow::scim::tokens::{self, Made, TokenError, Wanted};
use crate::flow::{directory, entitlements};

/// Longest label, in characters.
pub const LONGEST_LABEL: usize = 200;

/// Lists the tokens of a connection.
///
/// # Errors
/// 404; those of the store.
pub async fn list(app: &App, caller: &Caller, connection: &str) -> Result<Vec<TokenRecord>> {
    directory::connection(app, caller, connection).await?;
    Ok(tokens::list(app, Some(connection.to_owned())).await?)
}

/// Makes a token for a connection.
///
/// # Errors
/// 404, 403 (`entitlement_missing`, `setup_by_link`, `setup_by_operator`), 400 (`invalid_key`), 409 (`label_taken`,
/// `too_many_tokens`); those of the store.
pub async fn create(app: &App, caller: &Caller, wanted: Wanted) -> Result<Made> {
    directory::connection(app, caller, &wanted.connection).await?;
    entitlements::require(app, caller, Feature::Scim).await?;
    entitlements::require_setup(app, caller).await?;
    let label = wanted.label.trim();
    if label.is_empty() || label.chars().count() > LONGEST_LABEL || label.chars().any(char::is_control) {
        return Err(AppError::bad_request(
            "invalid_key",
            "A token needs a label of 1 to 200 characters.",
        ));
    }
    let wanted = Wanted {
        label: label.to_owned(),
        ..wanted
    };
    tokens::create_as(app, wanted, caller.actor())
        .await
        .map_err(refused)
}

/// Revokes a token of a connection.
///
/// # Errors
/// 404; those of the store.
pub async fn revoke(app: &App, caller: &Caller, connection: &str, id: &str) -> Result<()> {
    let known = list(app, caller, connection).await?;
    if known.iter().all(|token| token.id != id) {
        return Err(AppError::not_found());
    }
    tokens::revoke_as(app, id.to_owned(), caller.actor())
        .await
        .map(drop)
        .map_err(refused)
}

fn refused(error: TokenError) -> AppError {
    match error {
        TokenError::NoConnection(_) | TokenError::NoToken(_) => AppError::not_found(),
        TokenError::LabelTaken { .. } => AppError::conflict(
            "label_taken",
            "A live token of this connection has this label. Revoke it first, or choose another label.",
        ),
        TokenError::TooMany(_) => AppError::conflict(
            "too_many_tokens",
            "The connection has too many live tokens. Revoke some first.",
        ),
        TokenError::Store(error) => error.into(),
        TokenError::Random(error) => error.into(),
    }
}
