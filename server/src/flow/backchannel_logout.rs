//! Logout tokens from OpenID providers (OpenID Connect Back-Channel Logout 1.0, section 2.5 to 2.8).
//!
//! Owns which sessions end: those of the provider's session, or of the subject, of this connection only. A token is
//! good once.

use provost_kernel::directory::Subject;
use provost_kernel::incoming::OneTimeProof;
use provost_oidc::OidcError;
use provost_oidc::rp::jwks::Want;
use provost_oidc::rp::logout_token::{self, VerifiedLogoutToken};
use provost_store::StoreError;

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::connection::{self, LiveConnection, OidcSide};
use crate::flow::oidc_login::oidc_side;

/// Ends the sessions that a logout token names.
///
/// # Errors
/// 404 for an unknown connection, 400 for a token that does not verify or was used before, 502 when the provider's
/// keys cannot be read; those of the store.
pub async fn receive(app: &App, connection: &str, token: &str) -> Result<()> {
    let live = connection::find(app, connection).await?;
    let side = oidc_side(&live)?;
    let verified = verify(app, &live, side, token).await?;
    if verified.session_id().is_none() && side.config.identifier_path.is_some() {
        // People are known by another claim than `sub` here, so `sub` alone names nobody. Saying 200 would let the
        // provider believe that they are out.
        return Err(refused("logout_token_subject_unknown"));
    }
    match end_sessions(app, &live, side, &verified).await {
        Ok(count) => {
            tracing::info!(connection = %live.id(), count, "sessions ended by the identity provider");
            app.ring_jobs();
            Ok(())
        }
        Err(StoreError::ProofSpent) => Err(refused("logout_token_replayed")),
        Err(error) => Err(error.into()),
    }
}

async fn verify(
    app: &App,
    live: &LiveConnection,
    side: &OidcSide,
    token: &str,
) -> Result<VerifiedLogoutToken> {
    let unreachable = |error: crate::flow::provider::ProviderError| {
        AppError::new(
            axum::http::StatusCode::BAD_GATEWAY,
            "identity_provider_unreachable",
            "The identity provider's keys could not be read.",
        )
        .with_source(error)
    };
    let metadata = app
        .providers
        .metadata(app, side, live.id())
        .await
        .map_err(unreachable)?;
    let algorithms = metadata
        .accepted_algorithms(&side.algorithms)
        .map_err(|error| fault(live, error))?;
    let expected = logout_token::Expected {
        issuer: &side.config.issuer,
        client_id: &side.config.client_id,
        algorithms: &algorithms,
        clock_skew: side.clock_skew(),
    };
    let now = app.world.now();
    let keys = app
        .providers
        .keys(app, side, live.id(), Want::Keys)
        .await
        .map_err(unreachable)?;
    let error = match logout_token::verify(token, &keys, &expected, now) {
        Ok(verified) => return Ok(verified),
        Err(error) => error,
    };
    if error.may_need_newer_keys()
        && let Ok(keys) = app.providers.keys(app, side, live.id(), Want::NewerKeys).await
    {
        return logout_token::verify(token, &keys, &expected, now).map_err(|error| fault(live, error));
    }
    Err(fault(live, error))
}

async fn end_sessions(
    app: &App,
    live: &LiveConnection,
    side: &OidcSide,
    token: &VerifiedLogoutToken,
) -> Result<usize, StoreError> {
    let id = live.id().clone();
    let now = app.world.now();
    let proof = OneTimeProof {
        issuer: side.config.issuer.clone(),
        id: format!("logout:{}", token.jti()),
        until: token.keep_until(),
    };
    let sid = token.session_id().map(str::to_owned);
    let subject = token.subject().map(|value| Subject {
        issuer: side.config.issuer.clone(),
        format: String::new(),
        value: value.to_owned(),
    });
    app.store
        .write(move |tx| {
            Box::pin(async move {
                tx.spend(Some(&id), &proof);
                let ended = match (sid, subject) {
                    (Some(sid), _) => tx.revoke_sessions_of_upstream(&id, &sid, REASON, now).await?,
                    (None, Some(subject)) => {
                        tx.revoke_sessions_of_subject(&id, &subject, None, REASON, now)
                            .await?
                    }
                    (None, None) => Vec::new(),
                };
                Ok(ended.len())
            })
        })
        .await
}

/// Why sessions end, as kept with them.
const REASON: &str = "provider_logout";

fn fault(live: &LiveConnection, error: OidcError) -> AppError {
    tracing::info!(connection = %live.id(), code = error.code(), "logout token refused");
    refused(error.code()).with_source(error)
}

fn refused(code: &'static str) -> AppError {
    AppError::bad_request(code, "The logout token was refused.")
}
