//! Reading requests and cutting lists into pages: query parameters, JSON bodies, keyset cursors.

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Json, Query, Request};
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{AppError, Result};

/// Parameters of the query, or a problem that says what is wrong with them.
pub(super) struct Asked<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(QueryRejection::FailedToDeserializeQueryString(error)) => Err(AppError::bad_request(
                "invalid_query",
                format!(
                    "The query cannot be used: {}.",
                    inner(&error, "Failed to deserialize query string: ")
                ),
            )),
            Err(_) => Err(AppError::bad_request(
                "invalid_query",
                "The query cannot be read.",
            )),
        }
    }
}

/// A JSON body, or a problem that says where it is wrong.
pub(super) struct Sent<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Sent<T> {
    type Rejection = AppError;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(value)) => Ok(Self(value)),
            Err(JsonRejection::JsonDataError(error)) => Err(invalid_body(&inner(
                &error,
                "Failed to deserialize the JSON body into the target type: ",
            ))),
            Err(JsonRejection::JsonSyntaxError(error)) => Err(invalid_body(&inner(
                &error,
                "Failed to parse the request body as JSON: ",
            ))),
            Err(rejection) if rejection.status().as_u16() == 413 => Err(AppError::new(
                rejection.status(),
                "too_large",
                "The request is too large.",
            )),
            Err(JsonRejection::MissingJsonContentType(rejection)) => Err(AppError::new(
                rejection.status(),
                "unsupported_media_type",
                "The body must be application/json.",
            )),
            Err(_) => Err(invalid_body("it cannot be read")),
        }
    }
}

fn invalid_body(what: &str) -> AppError {
    AppError::bad_request("invalid_body", format!("The body cannot be used: {what}."))
}

/// Takes the framework's preface off a message.
fn inner(error: &impl ToString, preface: &str) -> String {
    let text = error.to_string();
    text.strip_prefix(preface).unwrap_or(&text).to_owned()
}

/// Which page of a list is wanted.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PageQuery {
    /// Where the page before ended: its `next`. Absent: from the beginning.
    pub(super) cursor: Option<String>,
    /// Entries of a page, 50 if absent.
    #[schemars(range(min = 1, max = 200))]
    pub(super) limit: Option<u32>,
}

impl PageQuery {
    /// The page that a query with other fields beside asks for.
    pub(super) const fn new(cursor: Option<String>, limit: Option<u32>) -> Self {
        Self { cursor, limit }
    }

    /// Returns the key after which the page begins, and how many entries are wanted.
    ///
    /// # Errors
    /// `invalid_cursor`; `invalid_query` out of range.
    pub(super) fn asked(&self) -> Result<(Option<String>, u32)> {
        let limit = self.limit()?;
        Ok((self.after()?, limit))
    }

    /// Returns how many entries are wanted.
    ///
    /// # Errors
    /// `invalid_query` out of range.
    pub(super) fn limit(&self) -> Result<u32> {
        limit(self.limit)
    }

    /// Returns the key after which the page begins, of one part.
    ///
    /// # Errors
    /// `invalid_cursor`.
    pub(super) fn after(&self) -> Result<Option<String>> {
        match self.cursor.as_deref().map(open_cursor).transpose()? {
            None => Ok(None),
            Some(parts) => match <[String; 1]>::try_from(parts) {
                Ok([key]) => Ok(Some(key)),
                Err(_) => Err(invalid_cursor()),
            },
        }
    }
}

/// Judges a wanted number of entries.
pub(super) fn limit(wanted: Option<u32>) -> Result<u32> {
    match wanted.unwrap_or(50) {
        limit @ 1..=200 => Ok(limit),
        _ => Err(AppError::bad_request(
            "invalid_query",
            "The limit must be between 1 and 200.",
        )),
    }
}

/// Reads a time of the query.
///
/// # Errors
/// `invalid_query`.
pub(super) fn time(text: Option<&str>) -> Result<Option<Timestamp>> {
    text.map(|text| {
        text.parse::<Timestamp>().map_err(|_| {
            AppError::bad_request("invalid_query", "Times are written as in 2026-11-26T21:00:00Z.")
        })
    })
    .transpose()
}

/// Opens a cursor into the parts of its key.
pub(super) fn open_cursor(cursor: &str) -> Result<Vec<String>> {
    URL_SAFE_NO_PAD
        .decode(cursor)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .ok_or_else(invalid_cursor)
}

pub(super) fn invalid_cursor() -> AppError {
    AppError::bad_request(
        "invalid_cursor",
        "This cursor was not made by this list; begin again without one.",
    )
}

/// Makes a cursor of the parts of a key. It is opaque: what is in it may change.
pub(super) fn cursor(parts: &[&str]) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::json!(parts).to_string())
}

/// One page of a list.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "PageOf{T}")]
pub(super) struct Page<T> {
    /// The entries.
    pub(super) items: Vec<T>,
    /// Cursor of the page after this one; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<String>,
}

impl<T> Page<T> {
    /// Makes a page; `key` gives the key of an entry. A full page may be followed by an empty one.
    pub(super) fn new(items: Vec<T>, limit: u32, key: impl Fn(&T) -> String) -> Self {
        let is_full = u32::try_from(items.len()).is_ok_and(|count| count >= limit);
        let next = items
            .last()
            .filter(|_| is_full)
            .map(|last| cursor(&[key(last).as_str()]));
        Self { items, next }
    }
}
