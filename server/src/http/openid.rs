//! `/.well-known/openid-configuration` and `/oauth2/…`: Provost as the OpenID provider of the apps.
//!
//! Reads requests, calls `flow::openid` and writes answers in the forms of RFC 6749, 6750, 7009 and 7662.
//! Never decides anything.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use provost_oidc::op::bearer;
use provost_oidc::{OAuthError, Params};
use serde_json::Value;

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::departure::Departure;
use crate::flow::limits::{Limited, Toll};
use crate::flow::openid::Failure;
use crate::flow::openid::end_session::{self, EndSession};
use crate::flow::openid::{authorize, introspect, keys, revoke, token, userinfo};
use crate::flow::scim::oauth;
use crate::flow::session::{ActiveSession, arrival_for_app, current_session};
use crate::http::request::ClientAddress;
use crate::http::{account, browser, page, sso};
use crate::pages::sign_in::LogoutPage;

/// How long apps may keep the discovery document and the keys; far less than a key is published before its use.
const PUBLIC_CACHE: &str = "public, max-age=3600";

/// Describes the provider.
pub async fn discovery(State(app): State<App>) -> Response {
    published(&keys::discovery(&app))
}

/// Describes the provider to OAuth clients (RFC 8414): the same, with the grant of directories.
pub async fn metadata(State(app): State<App>) -> Response {
    published(&keys::metadata(&app))
}

/// Publishes the keys.
pub async fn jwks(State(app): State<App>) -> Result<Response> {
    Ok(published(&keys::published(&app).await?))
}

/// An app sends a person, by a link or redirect.
pub async fn authorize_get(
    State(app): State<App>,
    Extension(client): Extension<ClientAddress>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response> {
    let arrival = arrival_for_app(&app, &headers, None).await?;
    let toll = Toll::new(Limited::Authorize, &client.limit_key());
    hand_over(authorize::begin(&app, query.as_deref().unwrap_or_default(), &arrival, &toll).await?)
}

/// An app sends a person, by a form.
pub async fn authorize_post(
    State(app): State<App>,
    Extension(client): Extension<ClientAddress>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response> {
    let form = form(&headers, &body).map_err(authorize::problem)?;
    let toll = Toll::new(Limited::Authorize, &client.limit_key());
    hand_over(authorize::begin_posted(&app, form, &toll).await?)
}

/// The person comes back from signing in.
pub async fn authorize_continue(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response> {
    let arrival = arrival_for_app(&app, &headers, Some(&id)).await?;
    hand_over(authorize::resume(&app, &arrival).await?)
}

/// Sends the browser on: to a page of ours, or with the answer to the app.
fn hand_over(departure: Departure) -> Result<Response> {
    page::depart(departure)
}

/// Exchanges a code or a refresh token.
pub async fn token(
    State(app): State<App>,
    Extension(client): Extension<ClientAddress>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let toll = Toll::new(Limited::Token, &client.limit_key());
    let outcome = match form(&headers, &body) {
        Ok(form) => {
            let params = Params::parse(form.as_bytes());
            let authorization = authorization(&headers);
            // The only grant that is for directories and not for apps.
            if params.first("grant_type") == Some(oauth::GRANT) {
                let issued = oauth::issue(&app, &params, authorization, None);
                token::guard(&app, &toll, async |_| issued.await).await
            } else {
                token::exchange(&app, &params, authorization, &toll).await
            }
        }
        Err(error) => Err(Failure::Refused(error)),
    };
    match outcome {
        Ok(body) => with_cors(json(StatusCode::OK, &body)),
        Err(failure) => with_cors(refuse(failure, &headers)),
    }
}

/// Tells about the person of an access token.
pub async fn userinfo(State(app): State<App>, headers: HeaderMap) -> Response {
    with_cors(match userinfo::read(&app, authorization(&headers)).await {
        Ok(body) => json(StatusCode::OK, &body),
        Err(userinfo::Failure::Token(error)) => {
            let (status, challenge) = bearer::challenge(error);
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::UNAUTHORIZED);
            let body = serde_json::json!({ "error": bearer_error(challenge) });
            ([(header::WWW_AUTHENTICATE, challenge)], json(status, &body)).into_response()
        }
        Err(userinfo::Failure::App(error)) => error.into_response(),
    })
}

/// Tells an app whether a token of its own is still good.
pub async fn introspect(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Response {
    let outcome = match form(&headers, &body) {
        Ok(form) => introspect::read(&app, &Params::parse(form.as_bytes()), authorization(&headers)).await,
        Err(error) => Err(Failure::Refused(error)),
    };
    match outcome {
        Ok(body) => json(StatusCode::OK, &body),
        Err(failure) => refuse(failure, &headers),
    }
}

/// Ends a token.
pub async fn revoke(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Response {
    let outcome = match form(&headers, &body) {
        Ok(form) => revoke::end(&app, &Params::parse(form.as_bytes()), authorization(&headers)).await,
        Err(error) => Err(Failure::Refused(error)),
    };
    with_cors(match outcome {
        Ok(()) => StatusCode::OK.into_response(),
        Err(failure) => refuse(failure, &headers),
    })
}

/// An app sends a person to sign out, by a link or redirect.
pub async fn logout_get(
    State(app): State<App>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response> {
    let active = current_session(&app, &headers).await?;
    let session = active.as_ref().map(|active| &active.session);
    let decided = end_session::decide(&app, query.as_deref().unwrap_or_default(), session, false).await?;
    sign_out(&app, &headers, active.as_ref(), decided).await
}

/// The same by a form of the app, or the consent of the person on our own page.
pub async fn logout_post(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Result<Response> {
    let form = form(&headers, &body).map_err(authorize::problem)?;
    let params = Params::parse(form.as_bytes());
    let active = current_session(&app, &headers).await?;
    let confirmed = match params.first("form_token") {
        Some(token) => {
            browser::check_session_form(&app, &headers, token)?;
            true
        }
        None => false,
    };
    let session = active.as_ref().map(|active| &active.session);
    let decided = end_session::decide(&app, form, session, confirmed).await?;
    sign_out(&app, &headers, active.as_ref(), decided).await
}

async fn sign_out(
    app: &App,
    headers: &HeaderMap,
    active: Option<&ActiveSession>,
    decided: EndSession,
) -> Result<Response> {
    match (decided, active) {
        (EndSession::Ask { fields }, Some(active)) => {
            let form = LogoutPage {
                form_token: active.form_token.clone(),
                action: "/oauth2/logout".to_owned(),
                fields,
                label: active.label(),
            };
            page::show_leading_away(&app.config, &form)
        }
        (EndSession::Ask { .. }, None) => sso::signed_out(None),
        (EndSession::End { after }, Some(active)) => account::end(app, headers, active, after).await,
        (EndSession::End { after }, None) => Ok(browser::signed_out(&app.config, sso::signed_out(after)?)),
    }
}

/// Answers browsers that ask whether a page of another site may call. No cookie counts at these addresses, so
/// the answer is yes.
pub async fn preflight() -> Response {
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "authorization, content-type",
        ),
        (header::ACCESS_CONTROL_MAX_AGE, "86400"),
    ];
    with_cors((StatusCode::NO_CONTENT, headers).into_response())
}

/// Reads a form body. Everything else is refused, as other kinds could be sent by any site without asking.
pub(super) fn form<'a>(headers: &HeaderMap, body: &'a Bytes) -> Result<&'a str, OAuthError> {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(OAuthError::ParameterInvalid);
    }
    std::str::from_utf8(body).map_err(|_| OAuthError::ParameterInvalid)
}

pub(super) fn authorization(headers: &HeaderMap) -> Option<&str> {
    // A header that is no text is presented all the same: it must not turn a request into one without.
    headers
        .get(header::AUTHORIZATION)
        .map(|value| value.to_str().unwrap_or("?"))
}

pub(super) fn json(status: StatusCode, body: &Value) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::PRAGMA, "no-cache"),
    ];
    (status, headers, body.to_string()).into_response()
}

fn published(document: &Value) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, PUBLIC_CACHE),
    ];
    with_cors((headers, document.to_string()).into_response())
}

/// RFC 6749 5.2: `invalid_client` is 401, with a challenge where the client used the header.
pub(super) fn refuse(failure: Failure, headers: &HeaderMap) -> Response {
    let error = match failure {
        Failure::Refused(error) => error,
        Failure::App(error) => return error.into_response(),
    };
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let mut response = json(status, &error.to_json());
    if status == StatusCode::UNAUTHORIZED && headers.contains_key(header::AUTHORIZATION) {
        let challenge = HeaderValue::from_static("Basic realm=\"provost\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    tracing::debug!(
        code = error.code(),
        status = status.as_u16(),
        "app request refused"
    );
    response
}

fn with_cors(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("www-authenticate, retry-after"),
    );
    // Pages of other sites may read these answers; without it `same-origin` policies would hide them.
    headers.insert(
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("cross-origin"),
    );
    response
}

fn bearer_error(challenge: &str) -> &str {
    challenge.split('"').nth(1).unwrap_or("invalid_request")
}

impl From<Failure> for AppError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(error) => authorize::problem(error),
            Failure::App(error) => error,
        }
    }
}
