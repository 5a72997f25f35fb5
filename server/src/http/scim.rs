//! `/scim/{connection}/v2/…` and `/v1/…`: what directories call. Reads requests, calls `flow::scim`, writes answers in
//! SCIM's own shape. Never decides anything.

use std::time::Instant;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt as _;
use provost_oidc::Params;
use provost_scim::{ScimError, Version};

use crate::app::App;
use crate::error::AppError;
use crate::flow::openid::Failure;
use crate::flow::scim::body::{LARGEST, Received};
use crate::flow::scim::serve::{self, Answer, Call};
use crate::flow::scim::{log, oauth};
use crate::http::openid;
use crate::http::request::{ClientAddress, RequestId};

/// What is read, and thrown away, of a body that is too large, so that the client gets to see the answer.
const DRAINED: usize = 8 * 1024 * 1024;

/// Serves every address of a directory.
pub async fn serve(
    State(app): State<App>,
    Extension(client): Extension<ClientAddress>,
    Extension(id): Extension<RequestId>,
    request: Request,
) -> Response {
    #[expect(clippy::disallowed_methods, reason = "measures how long the answer took")]
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    let body = receive(&parts.headers, body).await;
    if let Some(connection) = serve::token_endpoint(path) {
        return token(&app, &parts.method, &connection, &parts.headers, body).await;
    }
    let text = |name: &str| text(&parts.headers, name);
    let call = Call {
        method: effective(&parts.method, path, &parts.headers),
        path: path.to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        // A header that is no text is presented all the same: it must not turn a request into one without.
        authorization: parts
            .headers
            .get(header::AUTHORIZATION)
            .map(|value| value.to_str().unwrap_or("? ?").to_owned()),
        header: &text,
        if_match: text("if-match"),
        if_none_match: text("if-none-match"),
        body,
        client: client.limit_key(),
        request: id.0,
    };
    let (answer, mut note) = serve::serve(&app, call).await;
    if answer.is_logged {
        note.duration_us = i64::try_from(started.elapsed().as_micros()).unwrap_or(i64::MAX);
        log::add(&app, note);
    }
    write(answer, &parts.headers)
}

/// Exchanges the credentials of a directory's OAuth client for an access token.
async fn token(
    app: &App,
    method: &Method,
    connection: &str,
    headers: &HeaderMap,
    body: Received,
) -> Response {
    if *method != Method::POST {
        return ([(header::ALLOW, "POST")], AppError::method_not_allowed()).into_response();
    }
    let bytes = match body {
        Received::Json(bytes) | Received::Foreign(bytes) => Bytes::from(bytes),
        Received::Nothing | Received::TooLarge | Received::Broken => Bytes::new(),
    };
    let outcome = match openid::form(headers, &bytes) {
        Ok(form) => {
            let (params, authorization) = (Params::parse(form.as_bytes()), openid::authorization(headers));
            Box::pin(oauth::issue(app, &params, authorization, Some(connection))).await
        }
        Err(error) => Err(Failure::Refused(error)),
    };
    match outcome {
        Ok(body) => openid::json(StatusCode::OK, &body),
        Err(failure) => openid::refuse(failure, headers),
    }
}

/// SCIM 1.1 lets clients that know only two methods name the third in a header.
fn effective(method: &Method, path: &str, headers: &HeaderMap) -> String {
    let tunneled = text(headers, "x-http-method-override").filter(|_| *method == Method::POST);
    match tunneled {
        Some(wanted) if serve::version_of(path) == Version::V1 => wanted.trim().to_ascii_uppercase(),
        Some(_) | None => method.as_str().to_owned(),
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// Reads the body, up to its limit.
async fn receive(headers: &HeaderMap, mut body: Body) -> Received {
    let mut bytes = Vec::new();
    let mut size = 0_usize;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return Received::Broken;
        };
        let Ok(data) = frame.into_data() else { continue };
        size = size.saturating_add(data.len());
        if size > DRAINED {
            return Received::TooLarge;
        }
        if size <= LARGEST {
            bytes.extend_from_slice(&data);
        }
    }
    if size > LARGEST {
        return Received::TooLarge;
    }
    if bytes.is_empty() {
        return Received::Nothing;
    }
    let kind = text(headers, "content-type").unwrap_or_default();
    let kind = kind
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let is_json =
        kind.is_empty() || kind == "application/json" || kind == "text/json" || kind.ends_with("+json");
    if is_json {
        Received::Json(bytes)
    } else {
        Received::Foreign(bytes)
    }
}

/// Writes an answer.
fn write(answer: Answer, asked: &HeaderMap) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = match &answer.body {
        Some(body) => (
            [(header::CONTENT_TYPE, media_type(answer.version, asked))],
            body.to_string(),
        )
            .into_response(),
        None => ().into_response(),
    };
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let named = [
        (header::LOCATION, answer.location),
        (header::ETAG, answer.etag),
        (header::ALLOW, answer.allow),
        (
            header::RETRY_AFTER,
            answer.retry_after.map(|seconds| seconds.to_string()),
        ),
        (header::WWW_AUTHENTICATE, answer.challenge.map(str::to_owned)),
    ];
    for (name, value) in named {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
            headers.insert(name, value);
        }
    }
    response
}

/// 2.0 has a type of its own; a client that accepts plain JSON only gets that.
fn media_type(version: Version, asked: &HeaderMap) -> &'static str {
    let accept = text(asked, "accept").unwrap_or_default().to_ascii_lowercase();
    let wants_plain = accept.contains("application/json")
        && !accept.contains("application/scim+json")
        && !accept.contains("*/*");
    match version {
        Version::V2 if !wants_plain => "application/scim+json",
        Version::V1 | Version::V2 => "application/json",
    }
}

/// Writes an error of the layers around the handlers, at addresses of directories, in the shape that these read.
pub fn layer_error(status: StatusCode, path: &str) -> Response {
    let version = serve::version_of(path);
    let error = match status.as_u16() {
        408 => ScimError::new(408, None, "the request did not arrive in time; try again"),
        413 => ScimError::payload_too_large("the request is too large"),
        503 => ScimError::unavailable(),
        status @ 400..=499 => ScimError::new(status, None, "the request could not be understood"),
        _ => ScimError::internal(),
    };
    write(Answer::error(&error, version), &HeaderMap::new())
}
