//! Versions in headers: `ETag` on what was read, `If-Match` on what is changed.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::Response;

use crate::error::{AppError, Result};

/// The version that must still be there, if the request names one. `*` names any.
pub(super) struct IfMatch(pub(super) Option<i64>);

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self> {
        let Some(value) = parts.headers.get(header::IF_MATCH) else {
            return Ok(Self(None));
        };
        let text = value.to_str().ok().map(str::trim).ok_or_else(unusable)?;
        if text == "*" {
            return Ok(Self(None));
        }
        let tag = text.strip_prefix("W/").unwrap_or(text);
        let version = tag
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
            .and_then(|digits| digits.parse().ok());
        version.map(|version| Self(Some(version))).ok_or_else(unusable)
    }
}

fn unusable() -> AppError {
    AppError::bad_request(
        "invalid_if_match",
        "If-Match takes the ETag of what was read, such as \"3\".",
    )
}

/// Puts the version of what is answered beside it.
pub(super) fn tagged(version: i64, mut response: Response) -> Response {
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}
