//! `/oauth2/token`: an app exchanges a code or a refresh token.
//!
//! Owns the making of the answer. Never decides whether a grant is good: `code` and `refresh` do, and the app is
//! authenticated before either is looked at.

use provost_oidc::Params;
use provost_oidc::jose::Algorithm;
use provost_oidc::op::TokenGrant;
use provost_oidc::op::token::{parse, response_json};
use provost_oidc::op::tokens::{
    ACCESS_TOKEN_LIFETIME, AccessTokenInput, IdTokenInput, access_token, id_token,
};
use provost_store::{Revisions, Ticket};
use serde_json::Value;

use crate::app::App;
use crate::flow::limits::Toll;
use crate::flow::openid::applications::Application;
use crate::flow::openid::code::{Granted, Presented};
use crate::flow::openid::{Failure, client, code, keys, refresh};

/// Answers a token request. `toll` is what a refused one costs.
///
/// # Errors
/// The refusals of RFC 6749 5.2, 429 above the limit, or those of the store.
pub async fn exchange(
    app: &App,
    params: &Params,
    authorization: Option<&str>,
    toll: &Toll,
) -> Result<Value, Failure> {
    guard(app, toll, async |revisions| {
        granted(app, params, authorization, &revisions).await
    })
    .await
}

/// Lets a token request through as long as not too many were refused, so that nobody guesses secrets or codes for long.
///
/// # Errors
/// 429 above the limit; those of `work`.
pub async fn guard(
    app: &App,
    toll: &Toll,
    work: impl AsyncFnOnce(Revisions) -> Result<Value, Failure>,
) -> Result<Value, Failure> {
    let ticket = Ticket {
        limit: Some(toll.key().to_owned()),
        ..Ticket::default()
    };
    let now = app.world.now();
    let visit = app
        .store
        .read(|reader| Box::pin(async move { reader.visit(&ticket, now).await }))
        .await?;
    toll.check(visit.hits.as_ref(), now)?;
    let outcome = work(visit.revisions).await;
    if matches!(outcome, Err(Failure::Refused(_))) {
        toll.pay_now(app).await?;
    }
    outcome
}

async fn granted(
    app: &App,
    params: &Params,
    authorization: Option<&str>,
    revisions: &Revisions,
) -> Result<Value, Failure> {
    let request = parse(params, authorization)?;
    let application = client::authenticate_at(app, &request.client, revisions).await?;
    let granted = match request.grant {
        TokenGrant::AuthorizationCode {
            code,
            redirect_uri,
            code_verifier,
        } => {
            let presented = Presented {
                code,
                redirect_uri,
                verifier: code_verifier,
            };
            code::redeem(app, &application, presented).await?
        }
        TokenGrant::RefreshToken { refresh_token, scope } => {
            refresh::exchange(app, &application, refresh_token, scope).await?
        }
    };
    respond(app, &application, &granted).await
}

async fn respond(app: &App, application: &Application, granted: &Granted) -> Result<Value, Failure> {
    let now = app.world.now();
    let ring = keys::ring(app).await?;
    let issuer = app.config.issuer();
    let access = access_token(
        ring.signer(Algorithm::Es256)?,
        &AccessTokenInput {
            issuer: &issuer,
            client_id: &application.client.client_id,
            audience: &issuer,
            scopes: &granted.scopes,
            // Names the family, so that revoking it ends access tokens too.
            jti: &app.world.id(&format!("{}.", granted.family))?,
            lifetime: ACCESS_TOKEN_LIFETIME,
        },
        &granted.subject,
        now,
    )?;
    let identity = id_token(
        ring.signer(application.client.id_token_algorithm)?,
        &IdTokenInput {
            issuer: &issuer,
            client_id: &application.client.client_id,
            nonce: granted.nonce.as_deref(),
            scopes: &granted.scopes,
            access_token: Some(&access),
        },
        &granted.subject,
        now,
    )?;
    Ok(response_json(
        &access,
        ACCESS_TOKEN_LIFETIME,
        &granted.scopes,
        Some(&identity),
        granted.refresh_token.as_ref(),
    ))
}

/// Returns the family that an access token's id names.
pub fn family_of(jti: &str) -> &str {
    jti.split_once('.').map_or(jti, |(family, _)| family)
}
