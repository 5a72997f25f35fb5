//! OAuth client credentials for directories (RFC 6749 4.4): a client of one connection gets access tokens for its SCIM
//! addresses, of 60 minutes. Entra's gallery and the IPSIE profile want this; static tokens stay beside it.
//!
//! A client proves itself with a secret that `provost scim-token create --oauth` made, or with a key that the connection's settings
//! name (RFC 7523). Tokens are opaque rows like all others, so that revoking the client ends them at once.

use std::time::Duration;

use jiff::SignedDuration;
use provost_kernel::id::ConnectionId;
use provost_kernel::incoming::OneTimeProof;
use provost_oidc::op::PresentedClient;
use provost_oidc::op::client_auth::verify_assertion;
use provost_oidc::{OAuthError, Params, Secret};
use provost_store::{StoreError, TokenRecord};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use subtle::ConstantTimeEq as _;

use crate::app::App;
use crate::flow::connection;
use crate::flow::openid::{CLOCK_SKEW, Failure, client};
use crate::flow::scim::tokens::{ACCESS, CLIENT};
use crate::world::digest_of;

/// Grant of this module.
pub const GRANT: &str = "client_credentials";
/// Scope of this module.
pub const SCOPE: &str = "scim";
/// Life of an access token.
const LIFETIME: Duration = Duration::from_hours(1);

/// Answers a token request. `connection` is the one of the address, if the address names one.
///
/// # Errors
/// The refusals of RFC 6749 5.2, or those of the store.
pub async fn issue(
    app: &App,
    params: &Params,
    authorization: Option<&str>,
    connection: Option<&str>,
) -> Result<Value, Failure> {
    let presented = PresentedClient::parse(params, authorization)?;
    match params.first("grant_type") {
        Some(GRANT) => {}
        Some(_) => return Err(OAuthError::GrantTypeUnsupported.into()),
        None => return Err(OAuthError::GrantTypeMissing.into()),
    }
    if params
        .first("scope")
        .is_some_and(|scope| scope.split_ascii_whitespace().any(|one| one != SCOPE))
    {
        return Err(OAuthError::ScopeExceedsGrant.into());
    }
    let (client, bound) = match &presented {
        PresentedClient::Secret {
            client_id, secret, ..
        } => {
            let digests = secret.candidates().map(|one| digest_of(one.expose()));
            let client = stored_client(app, client_id, digests).await?;
            let bound = client.connection.clone().ok_or(OAuthError::ClientSecretWrong)?;
            (Client::Stored(client.id), bound)
        }
        PresentedClient::Assertion { client_id, assertion } => {
            let bound = verify(app, client_id, assertion).await?;
            (Client::Configured(client_id.clone()), bound)
        }
        PresentedClient::Public { .. } => return Err(OAuthError::ClientAuthMissing.into()),
    };
    // A client of another connection is told no more than a wrong secret.
    if connection.is_some_and(|wanted| ConnectionId::new(wanted) != bound) {
        return Err(OAuthError::ClientSecretWrong.into());
    }
    give(app, client, bound).await
}

/// A client that proved itself.
enum Client {
    /// With a secret; a row of its own, by its id.
    Stored(String),
    /// With a key; part of its connection's settings, by its `client_id`.
    Configured(String),
}

/// Verifies a client assertion (RFC 7523 section 3) by the keys of the connection's settings, and spends it.
async fn verify(app: &App, client_id: &str, assertion: &Secret) -> Result<ConnectionId, Failure> {
    let live = match client_id.split_once(':') {
        Some((connection, _)) => match connection::find(app, connection).await {
            Ok(live) => live,
            Err(error) if error.code() == "not_found" => return Err(OAuthError::ClientSecretWrong.into()),
            Err(error) => return Err(error.into()),
        },
        None => return Err(OAuthError::ClientSecretWrong.into()),
    };
    let keys = live
        .scim
        .keys_of(client_id)
        .ok_or(OAuthError::ClientSecretWrong)?;
    let (issuer, now) = (app.config.issuer(), app.world.now());
    let verified = verify_assertion(assertion, client_id, keys, &issuer, CLOCK_SKEW, now)?;
    let proof = OneTimeProof {
        issuer: format!("client:{client_id}"),
        id: verified.jti,
        until: verified.keep_until,
    };
    client::spend(app, proof).await?;
    Ok(live.id().clone())
}

/// Makes an access token.
async fn give(app: &App, client: Client, bound: ConnectionId) -> Result<Value, Failure> {
    let token = app.world.token("pva_")?;
    let now = app.world.now();
    let life = SignedDuration::try_from(LIFETIME).unwrap_or(SignedDuration::from_hours(1));
    let record = TokenRecord {
        id: app.world.id("tok_")?,
        kind: ACCESS.to_owned(),
        label: match &client {
            Client::Stored(id) | Client::Configured(id) => id.clone(),
        },
        connection: Some(bound),
        organization: None,
        made_by: None,
        scopes: vec![SCOPE.to_owned()],
        created_at: now,
        expires_at: now.checked_add(life).ok(),
        last_used_at: None,
        revoked_at: None,
    };
    let digest = token.digest;
    app.store
        .write(move |tx| {
            Box::pin(async move {
                if let Client::Stored(id) = &client {
                    // Revoked in this very moment: no different from a moment earlier.
                    let present = tx.token_to_use(id).await?;
                    if present.is_none_or(|now| now.revoked_at.is_some()) {
                        return Err(StoreError::Conflict("client_revoked".to_owned()));
                    }
                    tx.touch_token(id, now).await?;
                }
                tx.insert_token(&record, &digest).await
            })
        })
        .await
        .map_err(|error| {
            if matches!(error, StoreError::Conflict(_)) {
                Failure::from(OAuthError::ClientSecretWrong)
            } else {
                Failure::from(error)
            }
        })?;
    Ok(json!({
        "access_token": token.secret.expose_secret(),
        "token_type": "Bearer",
        "expires_in": LIFETIME.as_secs(),
        "scope": SCOPE,
    }))
}

/// Finds the client of a secret. The secret is looked up by its digest, and the client's name compared: an unknown
/// name and a wrong secret cannot be told apart.
async fn stored_client(
    app: &App,
    client_id: &str,
    digests: impl Iterator<Item = String>,
) -> Result<TokenRecord, Failure> {
    let now = app.world.now();
    for digest in digests {
        let found = app
            .store
            .read(move |reader| Box::pin(async move { reader.token_by_digest(&digest, now).await }))
            .await?;
        let is_it = |token: &TokenRecord| {
            token.kind == CLIENT && bool::from(token.id.as_bytes().ct_eq(client_id.as_bytes()))
        };
        if let Some(token) = found.filter(is_it) {
            return Ok(token);
        }
    }
    Err(OAuthError::ClientSecretWrong.into())
}
