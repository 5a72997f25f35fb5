//! `/oauth2/revoke`: an app gives a token back (RFC 7009).
//!
//! Owns what that ends: always the whole family, as every token of it came out of the same sign-in at the same
//! app. Never tells whether the token existed.

use provost_oidc::Params;
use provost_oidc::op::PresentedClient;
use provost_oidc::op::revocation::{Found, Revocation, decide, token};

use crate::app::App;
use crate::flow::openid::refresh::PREFIX;
use crate::flow::openid::token::family_of;
use crate::flow::openid::{Failure, client, userinfo};
use crate::world::digest_of;

/// Ends a token of the authenticated app.
///
/// # Errors
/// The refusals of client authentication, `token_missing`, or those of the store.
pub async fn end(app: &App, params: &Params, authorization: Option<&str>) -> Result<(), Failure> {
    let application = client::authenticate(app, &PresentedClient::parse(params, authorization)?).await?;
    let token = token(params)?;
    let found = find(app, token.expose()).await?;
    let what = match &found {
        Some((owner, _, true)) => Found::RefreshToken(owner),
        Some((owner, _, false)) => Found::AccessToken(owner),
        None => Found::Unknown,
    };
    match decide(what, &application.client.client_id) {
        Revocation::Nothing => Ok(()),
        Revocation::Family | Revocation::AccessToken => {
            let family = found.map(|(_, family, _)| family).unwrap_or_default();
            let now = app.world.now();
            app.store
                .write(move |tx| {
                    Box::pin(async move {
                        tx.lock_token_family(&family).await?;
                        tx.revoke_token_family(&family, now).await
                    })
                })
                .await?;
            Ok(())
        }
    }
}

/// Finds the owner and family of a token, and whether it is a refresh token.
async fn find(app: &App, token: &str) -> Result<Option<(String, String, bool)>, Failure> {
    if token.starts_with(PREFIX) {
        let digest = digest_of(token);
        let row = app
            .store
            .read(|reader| Box::pin(async move { reader.refresh_token(&digest).await }))
            .await?;
        return Ok(row.map(|row| (row.client_id, row.family, true)));
    }
    match userinfo::verify(app, token).await {
        Ok(token) => Ok(Some((token.client_id, family_of(&token.jti).to_owned(), false))),
        Err(userinfo::Failure::Token(_)) => Ok(None),
        Err(userinfo::Failure::App(error)) => Err(error.into()),
    }
}
