//! Proving which app asks.
//!
//! Owns comparing secrets with their digests and spending assertions. Never tells an outsider whether a client id
//! exists: unknown and wrong get the same answer.

use std::sync::Arc;

use provost_kernel::incoming::OneTimeProof;
use provost_oidc::op::PresentedClient;
use provost_oidc::op::client_auth::{PresentedSecret, verify_assertion};
use provost_oidc::{OAuthError, Params};
use provost_store::{Durability, Revisions, StoreError};
use subtle::ConstantTimeEq as _;

use crate::app::App;
use crate::flow::openid::applications::{self, Application};
use crate::flow::openid::{CLOCK_SKEW, Failure};
use crate::world::digest_of;

/// Proves which app a request comes from, by whatever it presents.
///
/// # Errors
/// The `client_auth_…` and `assertion_…` refusals, or those of the store.
pub async fn authenticate(app: &App, presented: &PresentedClient) -> Result<Arc<Application>, Failure> {
    prove(
        app,
        presented,
        applications::find(app, presented.client_id()).await?,
    )
    .await
}

/// As [`authenticate`], when the revisions were just read.
///
/// # Errors
/// As [`authenticate`].
pub async fn authenticate_at(
    app: &App,
    presented: &PresentedClient,
    revisions: &Revisions,
) -> Result<Arc<Application>, Failure> {
    let revision = revisions.of(applications::REVISION);
    let found = applications::find_at(app, presented.client_id(), revision).await?;
    prove(app, presented, found).await
}

async fn prove(
    app: &App,
    presented: &PresentedClient,
    found: Option<Arc<Application>>,
) -> Result<Arc<Application>, Failure> {
    let Some(application) = found else {
        return Err(OAuthError::ClientSecretWrong.into());
    };
    presented.check_method(&application.client)?;
    match presented {
        PresentedClient::Public { .. } => {}
        PresentedClient::Secret { secret, .. } => {
            if !is_genuine(secret, application.secret_digest.as_deref()) {
                return Err(OAuthError::ClientSecretWrong.into());
            }
        }
        PresentedClient::Assertion { client_id, assertion } => {
            let keys = application
                .client
                .jwks
                .as_ref()
                .ok_or(OAuthError::AssertionSignature)?;
            let (issuer, now) = (app.config.issuer(), app.world.now());
            let verified = verify_assertion(assertion, client_id, keys, &issuer, CLOCK_SKEW, now)?;
            let proof = OneTimeProof {
                issuer: format!("client:{client_id}"),
                id: verified.jti,
                until: verified.keep_until,
            };
            spend(app, proof).await?;
        }
    }
    Ok(application)
}

/// As [`authenticate`], for endpoints that a public client may not use.
///
/// # Errors
/// As [`authenticate`], and `client_auth_method_not_allowed`.
pub async fn authenticate_confidential(
    app: &App,
    params: &Params,
    authorization: Option<&str>,
) -> Result<Arc<Application>, Failure> {
    let presented = PresentedClient::parse(params, authorization)?;
    if matches!(presented, PresentedClient::Public { .. }) {
        return Err(OAuthError::ClientAuthMissing.into());
    }
    authenticate(app, &presented).await
}

/// Secrets have at least 128 random bits, so a plain digest is enough (ASVS 6.5.2); digests are compared without
/// telling how far they agree.
fn is_genuine(secret: &PresentedSecret, digest: Option<&str>) -> bool {
    digest.is_some_and(|digest| {
        secret
            .candidates()
            .any(|one| bool::from(digest_of(one.expose()).as_bytes().ct_eq(digest.as_bytes())))
    })
}

/// Spends an assertion, so that nobody uses it again.
///
/// # Errors
/// `assertion_replayed`; those of the store.
pub async fn spend(app: &App, proof: OneTimeProof) -> Result<(), Failure> {
    let spent = app
        .store
        .write_round(Durability::Full, move |tx| {
            Box::pin(async move {
                tx.spend(None, &proof);
                Ok::<_, StoreError>(())
            })
        })
        .await;
    match spent {
        Ok(()) => Ok(()),
        Err(StoreError::ProofSpent) => Err(OAuthError::AssertionReplayed.into()),
        Err(error) => Err(error.into()),
    }
}
