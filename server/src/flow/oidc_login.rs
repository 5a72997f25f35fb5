//! The answer of an OpenID provider: from the callback's parameters to a session or a refusal.
//!
//! Owns the order: pending request, callback checks, code exchange, ID token, userinfo, claims. Network before any
//! transaction. Never reads a claim of a token that [`provost_oidc::rp::id_token::verify`] has not given back.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use provost_kernel::connection::Protocol;
use provost_kernel::denial::Denial;
use provost_kernel::id::ConnectionId;
use provost_oidc::jose::{Algorithm, JwkSet};
use provost_oidc::rp::callback::{self, AuthorizationCode};
use provost_oidc::rp::client_auth::ClientAuthentication as Credentials;
use provost_oidc::rp::discovery::ProviderMetadata;
use provost_oidc::rp::id_token::{self, Nonce, VerifiedIdToken};
use provost_oidc::rp::jwks::Want;
use provost_oidc::rp::token::{TokenRequest, TokenResponse};
use provost_oidc::rp::userinfo;
use provost_oidc::{OidcError, Params, Refusal, Secret};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
use serde_json::{Map, Value};

use crate::app::App;
use crate::connection_config::ClientAuthentication;
use crate::error::{AppError, Result};
use crate::flow::connection::{self, LiveConnection, LiveProtocol, OidcSide};
use crate::flow::limits::Toll;
use crate::flow::login::{self, Proven};
use crate::flow::outcome::SignIn;
use crate::flow::pending_login::{self, Party, PendingLogin, Purpose, Taken};
use crate::flow::provider::ProviderError;
use crate::flow::refusal::{self, Fault};
use crate::flow::return_to::ReturnTo;
use crate::flow::setup::testing;
use crate::outbound::OutboundError;
use crate::pages::refusal::Reason;
use crate::translate;

/// Why an answer leads to no identity. Kept apart from [`AppError`]: none of these is our failure.
enum Failed {
    Fault(Fault),
    App(AppError),
}

impl From<AppError> for Failed {
    fn from(error: AppError) -> Self {
        Self::App(error)
    }
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        let text = match &refusal.detail {
            Some(detail) => format!("{refusal} ({detail})"),
            None => refusal.to_string(),
        };
        Self::Fault(Fault::new(reason_of(refusal.error), refusal.code(), text))
    }
}

impl From<OidcError> for Failed {
    fn from(error: OidcError) -> Self {
        Self::from(Refusal::from(error))
    }
}

impl From<ProviderError> for Failed {
    fn from(error: ProviderError) -> Self {
        Self::Fault(Fault::new(
            Reason::ProviderUnreachable,
            error.code(),
            error.to_string(),
        ))
    }
}

impl From<OutboundError> for Failed {
    fn from(error: OutboundError) -> Self {
        Self::from(ProviderError::from(error))
    }
}

/// Finishes a sign-in with the provider's answer. `browser` is the browser's own secret, if it has one.
///
/// # Errors
/// 404 for an unknown connection; those of the store. A refusal is not an error.
pub async fn finish(
    app: &App,
    connection: &str,
    params: Params,
    browser: Option<String>,
    toll: Toll,
) -> Result<SignIn> {
    let state = params.first("state").unwrap_or_default().to_owned();
    let id = ConnectionId::new(connection);
    let taken = if let Some(browser) = &browser {
        let party = Party {
            connection: &id,
            protocol: Protocol::Oidc,
            browser,
        };
        pending_login::take(app, party, &state, Purpose::SignIn, Some(&toll)).await?
    } else {
        toll.pay_now(app).await?;
        None
    };
    let live = match &taken {
        Some(taken) => connection::find_at(app, connection, taken.revision).await?,
        None => connection::find(app, connection).await?,
    };
    let side = oidc_side(&live)?;
    let Some(Taken {
        pending, return_to, ..
    }) = taken
    else {
        let text = "no open request of this browser and connection: answered before, expired, or begun in another browser";
        let fault = Fault::new(Reason::AttemptGone, "oidc_request_not_open", text);
        return refuse(app, &live, fault, ReturnTo::Account).await;
    };
    if pending.purpose == Purpose::Test {
        let proved = match prove(app, &live, side, &params, &state, &pending).await {
            Ok((incoming, _)) => Ok(incoming),
            Err(Failed::Fault(fault)) => Err(fault),
            Err(Failed::App(error)) => return Err(error),
        };
        testing::conclude(app, &live, proved.as_ref()).await?;
        return Ok(SignIn::Tested(return_to));
    }
    if !live.in_force.connection().enabled {
        let denial = Denial::ConnectionDisabled;
        let fault = Fault::new(
            Reason::Denied(denial),
            denial.code(),
            "the connection is switched off",
        );
        return refuse(app, &live, fault, return_to).await;
    }
    match prove(app, &live, side, &params, &state, &pending).await {
        Ok((incoming, id_token)) => {
            let invitation = pending.invitation;
            login::finish(
                app,
                Arc::clone(&live),
                Proven {
                    incoming,
                    return_to,
                    id_token: Some(id_token),
                    invitation,
                },
            )
            .await
        }
        Err(Failed::Fault(fault)) => refuse(app, &live, fault, return_to).await,
        Err(Failed::App(error)) => Err(error),
    }
}

async fn prove(
    app: &App,
    live: &LiveConnection,
    side: &OidcSide,
    params: &Params,
    state: &str,
    pending: &PendingLogin,
) -> Result<(provost_kernel::incoming::Incoming, Secret), Failed> {
    let metadata = app.providers.metadata(app, side, live.id()).await?;
    let expected = callback::Expected {
        state,
        issuer: &metadata.issuer,
        iss_required: metadata.iss_parameter_supported,
    };
    let code = callback::check(params, &expected)?;
    let tokens = exchange(app, side, &metadata, &code, &pending.code_verifier()).await?;
    let id_token = tokens.required_id_token()?.clone();
    let algorithms = metadata.accepted_algorithms(&side.algorithms)?;
    let (verified, keys) = verify(app, live, side, &algorithms, &tokens, &code, pending).await?;
    let claims = claims(app, side, &metadata, &verified, &keys, &algorithms, &tokens).await?;
    let incoming = translate::oidc::incoming(live.id(), &verified, claims, &side.paths)
        .map_err(|error| Failed::Fault(Fault::new(Reason::NotVerified, error.code(), error.to_string())))?;
    Ok((incoming, id_token))
}

/// Exchanges the code for tokens.
async fn exchange(
    app: &App,
    side: &OidcSide,
    metadata: &ProviderMetadata,
    code: &AuthorizationCode,
    verifier: &Secret,
) -> Result<TokenResponse, Failed> {
    let jti = app.world.id("").map_err(AppError::from)?;
    let credentials = credentials(side, metadata, &jti, app.world.now())?;
    let request = TokenRequest::code(
        &metadata.token_endpoint,
        &side.config.client_id,
        &credentials,
        code,
        &side.callback_url,
        verifier,
    )?;
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    if let Some(authorization) = &request.authorization {
        headers.insert(AUTHORIZATION, sensitive(authorization.expose())?);
    }
    let fields: Vec<(String, String)> = request
        .form
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.expose().to_owned()))
        .collect();
    let answer = app
        .outbound
        .post_form(request.url.as_str(), headers, &fields)
        .await?;
    Ok(TokenResponse::parse(answer.status, &answer.body)?)
}

fn credentials<'a>(
    side: &'a OidcSide,
    metadata: &'a ProviderMetadata,
    jti: &'a str,
    now: Timestamp,
) -> Result<Credentials<'a>, Failed> {
    let secret = || {
        side.client_secret
            .as_ref()
            .ok_or_else(|| misconfigured("the connection has no client secret"))
    };
    match side.config.client_authentication {
        ClientAuthentication::ClientSecretBasic => Ok(Credentials::ClientSecretBasic(secret()?)),
        ClientAuthentication::ClientSecretPost => Ok(Credentials::ClientSecretPost(secret()?)),
        ClientAuthentication::PrivateKeyJwt => {
            let key = side
                .client_key
                .as_ref()
                .ok_or_else(|| misconfigured("the connection has no client key"))?;
            Ok(Credentials::PrivateKeyJwt {
                key,
                issuer: &metadata.issuer,
                jti,
                now,
            })
        }
        ClientAuthentication::None => Ok(Credentials::None),
    }
}

fn misconfigured(text: &str) -> Failed {
    Failed::Fault(Fault::new(
        Reason::ProviderUnreachable,
        "client_credentials_missing",
        text,
    ))
}

/// Verifies the ID token; when the provider seems to have changed its keys, once more with newer ones.
async fn verify(
    app: &App,
    live: &LiveConnection,
    side: &OidcSide,
    algorithms: &[Algorithm],
    tokens: &TokenResponse,
    code: &AuthorizationCode,
    pending: &PendingLogin,
) -> Result<(VerifiedIdToken, Arc<JwkSet>), Failed> {
    let now = app.world.now();
    let token = tokens.required_id_token()?;
    let expected = id_token::Expected {
        issuer: &side.config.issuer,
        client_id: &side.config.client_id,
        nonce: Nonce::Required(&pending.nonce),
        algorithms,
        max_age: oldest(pending, now),
        clock_skew: side.clock_skew(),
        access_token: Some(tokens.access_token.expose()),
        code: Some(code.secret().expose()),
    };
    let keys = app.providers.keys(app, side, live.id(), Want::Keys).await?;
    let error = match id_token::verify(token.expose(), &keys, &expected, now) {
        Ok(verified) => return Ok((verified, keys)),
        Err(error) => error,
    };
    if !error.may_need_newer_keys() {
        return Err(error.into());
    }
    // A provider that cannot be asked again leaves the first error standing.
    let Ok(keys) = app.providers.keys(app, side, live.id(), Want::NewerKeys).await else {
        return Err(error.into());
    };
    Ok((id_token::verify(token.expose(), &keys, &expected, now)?, keys))
}

/// Returns how old the authentication may be: after `prompt=login`, no older than the request itself.
fn oldest(pending: &PendingLogin, now: Timestamp) -> Option<SignedDuration> {
    let since_request = pending.fresh_since.map(|since| now.duration_since(since));
    let demanded = pending.max_age.map(SignedDuration::from_secs);
    match (since_request, demanded) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// Collects the claims: the ID token's, with userinfo merged in where the connection asks for it.
async fn claims(
    app: &App,
    side: &OidcSide,
    metadata: &ProviderMetadata,
    verified: &VerifiedIdToken,
    keys: &JwkSet,
    algorithms: &[Algorithm],
    tokens: &TokenResponse,
) -> Result<Map<String, Value>, Failed> {
    let own = verified.claims().as_map().clone();
    let Some(endpoint) = metadata
        .userinfo_endpoint
        .as_ref()
        .filter(|_| side.config.userinfo)
    else {
        return Ok(own);
    };
    let mut headers = HeaderMap::new();
    headers.insert(
        AUTHORIZATION,
        sensitive(&format!("Bearer {}", tokens.access_token.expose()))?,
    );
    headers.insert(
        ACCEPT,
        HeaderValue::from_static("application/json, application/jwt"),
    );
    let answer = app.outbound.get(endpoint.as_str(), headers).await?;
    let expected = userinfo::Expected {
        keys,
        algorithms,
        issuer: &side.config.issuer,
        client_id: &side.config.client_id,
    };
    let content_type = answer.content_type().unwrap_or_default();
    let further = userinfo::parse(answer.status, &content_type, &answer.body, &expected)?;
    Ok(userinfo::merge(verified, further)?)
}

fn sensitive(text: &str) -> Result<HeaderValue, Failed> {
    let mut value = HeaderValue::from_str(text).map_err(AppError::internal)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Returns the OIDC side of a connection.
///
/// # Errors
/// 404 if the connection speaks another protocol.
pub(super) fn oidc_side(live: &LiveConnection) -> Result<&OidcSide> {
    match &live.protocol {
        LiveProtocol::Oidc(side) => Ok(side),
        LiveProtocol::Saml(_) => Err(AppError::not_found()),
    }
}

async fn refuse(app: &App, live: &LiveConnection, fault: Fault, return_to: ReturnTo) -> Result<SignIn> {
    Ok(SignIn::Refused(
        refusal::record(app, live.in_force.connection(), fault, return_to).await?,
    ))
}

fn reason_of(error: OidcError) -> Reason {
    if matches!(
        error,
        OidcError::ProviderAccessDenied | OidcError::ProviderInteraction
    ) {
        Reason::ProviderRefused
    } else if error == OidcError::ProviderUnavailable {
        Reason::ProviderUnreachable
    } else if matches!(error, OidcError::StateMissing | OidcError::StateMismatch) {
        Reason::AttemptGone
    } else {
        Reason::NotVerified
    }
}
