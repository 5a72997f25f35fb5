//! `/oauth2/userinfo`: what an app sees of the person of an access token, read afresh.
//!
//! Owns the live check: a signature alone proves nothing about now. Never accepts another kind of token.

use provost_kernel::id::{AccountId, OrganizationId, SessionId};
use provost_oidc::OidcError;
use provost_oidc::op::bearer;
use provost_oidc::op::claims;
use provost_oidc::op::tokens::{VerifiedAccessToken, verify_access_token};
use provost_store::StoreError;
use serde_json::Value;

use crate::app::App;
use crate::error::AppError;
use crate::flow::openid::admission::Allowed;
use crate::flow::openid::token::family_of;
use crate::flow::openid::view::{self, Ask};
use crate::flow::openid::{applications, keys};

/// Why there is no answer.
#[derive(Debug)]
pub enum Failure {
    /// The token is missing, not ours, or no longer good.
    Token(OidcError),
    /// We could not do it.
    App(AppError),
}

impl From<OidcError> for Failure {
    fn from(error: OidcError) -> Self {
        Self::Token(error)
    }
}

impl From<AppError> for Failure {
    fn from(error: AppError) -> Self {
        Self::App(error)
    }
}

/// Reads what the bearer may see.
///
/// # Errors
/// [`Failure::Token`] for a token that is not good at this moment.
pub async fn read(app: &App, authorization: Option<&str>) -> Result<Value, Failure> {
    let token = verify(app, bearer::parse(authorization)?).await?;
    token.require_scope("openid")?;
    // Whatever ended the access, the app learns only that the token is of no use any more.
    let over = Failure::Token(OidcError::Expired);
    let Some(application) = applications::find(app, &token.client_id).await? else {
        return Err(over);
    };
    match live(app, &token, application.allowed.clone()).await? {
        Some(subject) if subject.sub == token.sub => Ok(claims::userinfo(&subject, &token.scopes)),
        Some(_) | None => Err(over),
    }
}

/// Checks what an access token says by itself.
///
/// # Errors
/// [`Failure::Token`].
pub async fn verify(app: &App, token: &str) -> Result<VerifiedAccessToken, Failure> {
    let (issuer, now) = (app.config.issuer(), app.world.now());
    let ring = keys::ring(app).await?;
    Ok(verify_access_token(token, ring.public(), &issuer, &issuer, now)?)
}

/// Reads what a verified token gives access to now; none if that has ended.
///
/// # Errors
/// Those of the store.
pub async fn live(
    app: &App,
    token: &VerifiedAccessToken,
    allowed: Allowed,
) -> Result<Option<provost_oidc::op::Subject>, AppError> {
    let Some(session) = token.sid.clone() else {
        return Ok(None);
    };
    let ask = Ask {
        session: SessionId::new(session),
        account: AccountId::new(token.sub.as_str()),
        allowed,
        organization: token.organization.clone().map(OrganizationId::new),
        offline: token.scopes.iter().any(|scope| scope == "offline_access"),
    };
    let (family, now) = (family_of(&token.jti).to_owned(), app.world.now());
    let seen = app
        .store
        .read(|reader| {
            Box::pin(async move {
                if reader.is_family_revoked(&family).await? {
                    return Ok::<_, StoreError>(None);
                }
                Ok(view::load(reader, &ask, now).await?.ok())
            })
        })
        .await?;
    Ok(seen)
}
