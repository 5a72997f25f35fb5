//! `/oauth2/introspect`: an app asks whether a token of its own is still good (RFC 7662).
//!
//! Owns the live check. Never says why a token is not active, and nothing about tokens of other apps.

use provost_kernel::id::OrganizationId;
use provost_oidc::Params;
use provost_oidc::op::introspection::{access_token, inactive, refresh_token, token};
use provost_store::StoreError;
use serde_json::Value;

use crate::app::App;
use crate::error::AppError;
use crate::flow::openid::applications::Application;
use crate::flow::openid::refresh::PREFIX;
use crate::flow::openid::view::{self, Ask};
use crate::flow::openid::{Failure, client, userinfo};
use crate::world::digest_of;

/// Answers an introspection request.
///
/// # Errors
/// The refusals of client authentication, `token_missing`, or those of the store.
pub async fn read(app: &App, params: &Params, authorization: Option<&str>) -> Result<Value, Failure> {
    let application = client::authenticate_confidential(app, params, authorization).await?;
    let token = token(params)?;
    if token.expose().starts_with(PREFIX) {
        return Ok(of_refresh_token(app, &application, digest_of(token.expose())).await?);
    }
    let verified = match userinfo::verify(app, token.expose()).await {
        Ok(verified) => verified,
        Err(userinfo::Failure::Token(_)) => return Ok(inactive()),
        Err(userinfo::Failure::App(error)) => return Err(error.into()),
    };
    if verified.client_id != application.client.client_id {
        return Ok(inactive());
    }
    match userinfo::live(app, &verified, application.allowed.clone()).await? {
        Some(_) => Ok(access_token(
            &verified,
            &app.config.issuer(),
            &application.client.client_id,
        )),
        None => Ok(inactive()),
    }
}

async fn of_refresh_token(app: &App, application: &Application, digest: String) -> Result<Value, AppError> {
    let now = app.world.now();
    let (client_id, allowed) = (application.client.client_id.clone(), application.allowed.clone());
    let found = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let Some(row) = reader.refresh_token(&digest).await? else {
                    return Ok::<_, StoreError>(None);
                };
                let is_good = row.client_id == client_id
                    && row.used_at.is_none()
                    && row.revoked_at.is_none()
                    && now < row.expires_at
                    && now < row.absolute_expires_at;
                if !is_good {
                    return Ok(None);
                }
                let organization = row
                    .data
                    .get("organization")
                    .and_then(Value::as_str)
                    .map(OrganizationId::new);
                let ask = Ask {
                    session: row.session.clone(),
                    account: row.account.clone(),
                    allowed,
                    organization,
                    offline: true,
                };
                Ok(view::load(reader, &ask, now).await?.ok().map(|_| row))
            })
        })
        .await?;
    Ok(found.map_or_else(inactive, |row| {
        let scopes: Vec<String> = row.scope.split(' ').map(str::to_owned).collect();
        let end = row.expires_at.min(row.absolute_expires_at);
        refresh_token(
            &app.config.issuer(),
            &row.client_id,
            row.account.as_str(),
            &scopes,
            end,
        )
    }))
}
