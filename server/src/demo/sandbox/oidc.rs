//! The sandbox's OpenID provider: discovery, code flow with PKCE, signed ID tokens.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use jiff::{SignedDuration, Timestamp};
use provost_oidc::jose::sign_compact;
use provost_oidc::{Params, pkce};
use serde_json::{Map, Value, json};
use url::Url;

use super::{CLIENT_ID, GLOBEX_CLIENT_ID, Sandbox, page};
use crate::demo::people::{Directory, Person};
use crate::error::AppError;

/// Life of a code.
const CODE_LIFE: SignedDuration = SignedDuration::from_secs(60);
/// Life of an ID token.
const TOKEN_SECONDS: i64 = 300;
/// Parameters of the authorization request that the chooser carries on.
const KEPT: [&str; 5] = ["redirect_uri", "state", "nonce", "code_challenge", "client_id"];

/// Whose people a client signs in.
fn directory_of(client_id: &str) -> Option<Directory> {
    match client_id {
        CLIENT_ID => Some(Directory::Acme),
        GLOBEX_CLIENT_ID => Some(Directory::Globex),
        _ => None,
    }
}

/// What a code stands for.
pub(super) struct Granted {
    client_id: String,
    person: &'static Person,
    redirect_uri: String,
    nonce: String,
    challenge: String,
    until: Timestamp,
}

/// `GET /sandbox/oidc/.well-known/openid-configuration`
pub(super) async fn discovery(State(sandbox): State<Arc<Sandbox>>) -> Json<Value> {
    let issuer = sandbox.issuer();
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/jwks"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "token_endpoint_auth_methods_supported": ["none"],
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": ["openid", "profile", "email", "groups"],
        "authorization_response_iss_parameter_supported": true,
    }))
}

/// `GET /sandbox/oidc/jwks`
pub(super) async fn jwks(State(sandbox): State<Arc<Sandbox>>) -> Json<Value> {
    Json(json!({ "keys": [sandbox.oidc_key.public().to_json()] }))
}

/// `GET /sandbox/oidc/authorize`
pub(super) async fn authorize(
    State(sandbox): State<Arc<Sandbox>>,
    RawQuery(query): RawQuery,
) -> Result<Response, AppError> {
    let params = Params::parse(query.unwrap_or_default().as_bytes());
    let directory = params.first("client_id").and_then(directory_of);
    let is_sound = params.first("response_type") == Some("code")
        && params.first("code_challenge_method") == Some("S256")
        && KEPT.iter().all(|name| params.first(name).is_some());
    let Some(directory) = directory.filter(|_| is_sound) else {
        return Ok((
            StatusCode::BAD_REQUEST,
            "The sandbox takes a code request of Provost with PKCE.",
        )
            .into_response());
    };
    let kept = KEPT
        .iter()
        .filter_map(|name| Some((*name, params.first(name)?.to_owned())))
        .collect();
    page::chooser(&sandbox.config, directory, "/sandbox/oidc/choose", kept)
}

/// `POST /sandbox/oidc/choose`
pub(super) async fn choose(State(sandbox): State<Arc<Sandbox>>, form: Bytes) -> Result<Response, AppError> {
    let params = Params::parse(&form);
    let read = |name: &str| params.first(name).map(str::to_owned);
    let Some((client_id, person, redirect_uri, nonce, challenge)) = (|| {
        let client_id = read("client_id")?;
        let person = directory_of(&client_id)?.person(params.first("person")?)?;
        Some((
            client_id,
            person,
            read("redirect_uri")?,
            read("nonce")?,
            read("code_challenge")?,
        ))
    })() else {
        return Ok(StatusCode::BAD_REQUEST.into_response());
    };
    let mut back = Url::parse(&redirect_uri).map_err(AppError::internal)?;
    if !redirect_uri.starts_with(&format!("{}/sso/", sandbox.base)) {
        return Ok((StatusCode::BAD_REQUEST, "The sandbox only answers Provost.").into_response());
    }
    let code = sandbox.world.id("code_").map_err(AppError::internal)?;
    let until = sandbox.world.now() + CODE_LIFE;
    let granted = Granted {
        client_id,
        person,
        redirect_uri,
        nonce,
        challenge,
        until,
    };
    sandbox
        .codes
        .lock()
        .map_err(|_| AppError::internal(Poisoned))?
        .insert(code.clone(), granted);
    back.query_pairs_mut()
        .append_pair("code", &code)
        .append_pair("state", params.first("state").unwrap_or_default())
        .append_pair("iss", &sandbox.issuer());
    Ok(Redirect::to(back.as_str()).into_response())
}

/// `POST /sandbox/oidc/token`
pub(super) async fn token(State(sandbox): State<Arc<Sandbox>>, form: Bytes) -> Result<Response, AppError> {
    let params = Params::parse(&form);
    let now = sandbox.world.now();
    let granted = params
        .first("code")
        .and_then(|code| sandbox.codes.lock().ok()?.remove(code))
        .filter(|granted| granted.until > now)
        .filter(|granted| params.first("redirect_uri") == Some(granted.redirect_uri.as_str()))
        .filter(|granted| {
            params
                .first("code_verifier")
                .is_some_and(|given| pkce::verify(given, &granted.challenge))
        });
    let Some(granted) = granted else {
        return Ok((StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" }))).into_response());
    };
    let id_token = sign_compact(&sandbox.oidc_key, "JWT", &id_claims(&sandbox, &granted, now))
        .map_err(AppError::internal)?;
    Ok(Json(json!({
        "access_token": sandbox.world.id("at_").map_err(AppError::internal)?,
        "token_type": "Bearer",
        "expires_in": TOKEN_SECONDS,
        "id_token": id_token,
    }))
    .into_response())
}

fn id_claims(sandbox: &Sandbox, granted: &Granted, now: Timestamp) -> Map<String, Value> {
    let mut claims = match granted.person.claims() {
        Value::Object(claims) => claims,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    };
    let second = now.as_second();
    claims.insert("iss".to_owned(), sandbox.issuer().into());
    claims.insert("aud".to_owned(), granted.client_id.as_str().into());
    claims.insert("iat".to_owned(), second.into());
    claims.insert("auth_time".to_owned(), second.into());
    claims.insert("exp".to_owned(), (second + TOKEN_SECONDS).into());
    claims.insert("nonce".to_owned(), granted.nonce.as_str().into());
    claims
}

/// Another request panicked while it held the codes.
#[derive(Debug, thiserror::Error)]
#[error("the sandbox's codes are unusable")]
struct Poisoned;
