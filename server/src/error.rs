//! Errors of the request path and the only place where a status is chosen.
//!
//! A handler returns [`AppError`]; the [`render`] layer turns it into a page or into problem+json
//! (RFC 9457) by what the caller can read, logs the private source and shows only the public text and the
//! request id. Never shows or logs a secret; sources come from our own crates, which keep theirs out.

mod denied;

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use provost_store::StoreError;

use crate::app::App;
use crate::http::request::RequestId;
use crate::http::scim;
use crate::outbound::OutboundError;
use crate::world::NoRandomness;

/// What handlers return.
pub type Result<T, E = AppError> = std::result::Result<T, E>;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// An error as an answer: status, stable code, public text, private source.
#[derive(Debug)]
pub struct AppError {
    status: StatusCode,
    code: &'static str,
    public: Cow<'static, str>,
    source: Option<Source>,
    retry_after: Option<u64>,
    faults: Vec<Fault>,
    trace: Option<Box<str>>,
}

/// One thing that is wrong in something that was sent. Public.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Fault {
    /// Which part, for example `policy.role.expression`.
    pub path: String,
    /// Byte in the expression, where the fault is in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<usize>,
    /// What is wrong, as a sentence.
    pub message: String,
    /// What was probably meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

impl AppError {
    /// Creates an error. `public` is shown to anyone: say what to do, never why exactly.
    pub fn new(status: StatusCode, code: &'static str, public: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            code,
            public: public.into(),
            source: None,
            retry_after: None,
            faults: Vec::new(),
            trace: None,
        }
    }

    /// The request cannot be understood or is not acceptable (400).
    pub fn bad_request(code: &'static str, public: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, public)
    }

    /// Proof of identity is missing or wrong (401).
    pub fn unauthorized(code: &'static str, public: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code, public)
    }

    /// Known but not allowed (403).
    pub fn forbidden(code: &'static str, public: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, public)
    }

    /// Nothing here (404); also said where the caller may not know whether there is something.
    pub fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            "There is nothing at this address.",
        )
    }

    /// The address exists, the method does not (405).
    pub fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "This address does not accept that kind of request.",
        )
    }

    /// Too many attempts (429).
    pub fn too_many(retry_after_seconds: u64) -> Self {
        let mut error = Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_requests",
            "There were too many attempts. Wait a little and try again.",
        );
        error.retry_after = Some(retry_after_seconds.max(1));
        error
    }

    /// Our fault (500).
    pub fn internal(source: impl Into<Source>) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Something went wrong on our side. It has been recorded; try again in a moment.",
        )
        .with_source(source)
    }

    /// Not able to answer right now (503).
    pub fn unavailable(source: impl Into<Source>) -> Self {
        let mut error = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "The service is busy. Try again in a moment.",
        )
        .with_source(source);
        error.retry_after = Some(1);
        error
    }

    /// Adds the private cause; it is logged and never shown.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds what is wrong, place by place.
    #[must_use]
    pub fn with_faults(mut self, faults: Vec<Fault>) -> Self {
        self.faults = faults;
        self
    }

    /// Returns what is wrong, place by place.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Returns the status.
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the stable code.
    pub const fn code(&self) -> &'static str {
        self.code
    }

    /// Returns the text that anyone may read.
    pub fn public(&self) -> &str {
        &self.public
    }

    fn for_status(status: StatusCode) -> Self {
        match status.as_u16() {
            404 => Self::not_found(),
            405 => Self::method_not_allowed(),
            413 => Self::new(status, "too_large", "The request is too large."),
            415 => Self::new(
                status,
                "unsupported_media_type",
                "This kind of content is not accepted here.",
            ),
            400..=499 => Self::new(status, "bad_request", "The request could not be understood."),
            _ => Self::new(
                status,
                "internal",
                "Something went wrong on our side. Try again in a moment.",
            ),
        }
    }
}

impl std::fmt::Display for AppError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} ({})", self.code, self.status.as_u16())
    }
}

impl std::error::Error for AppError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn std::error::Error + 'static))
    }
}

impl From<StoreError> for AppError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Busy | StoreError::TimedOut | StoreError::Closed | StoreError::Unavailable(_) => {
                Self::unavailable(error)
            }
            StoreError::Conflict(_) => Self::new(
                StatusCode::CONFLICT,
                "conflict",
                "Someone changed the same thing at the same moment. Try again.",
            )
            .with_source(error),
            // What was asked can never be done, whatever the state: for example a name with a NUL in it.
            StoreError::Refused(_) => {
                Self::bad_request("refused", "The request holds something that cannot be used here.")
                    .with_source(error)
            }
            StoreError::TooMany(seconds) => Self::too_many(u64::try_from(seconds).unwrap_or(1)),
            StoreError::ProofSpent
            | StoreError::Corrupt(_)
            | StoreError::Sealed(_)
            | StoreError::Migration(_)
            | StoreError::Backup(_)
            | StoreError::Panicked
            | StoreError::Engine(_) => Self::internal(error),
        }
    }
}

impl From<NoRandomness> for AppError {
    fn from(error: NoRandomness) -> Self {
        Self::internal(error)
    }
}

impl From<askama::Error> for AppError {
    fn from(error: askama::Error) -> Self {
        Self::internal(error)
    }
}

impl From<OutboundError> for AppError {
    fn from(error: OutboundError) -> Self {
        Self::new(
            StatusCode::BAD_GATEWAY,
            "identity_provider_unreachable",
            "Your organization's identity provider could not be reached. Try again in a moment.",
        )
        .with_source(error)
    }
}

impl IntoResponse for AppError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        if let Some(seconds) = self.retry_after {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

/// Answers an unknown address.
pub async fn not_found() -> AppError {
    AppError::not_found()
}

/// Answers a known address with an unknown method.
pub async fn method_not_allowed() -> AppError {
    AppError::method_not_allowed()
}

/// Turns a caught panic into an answer; the message of the panic stays in the log of the panic hook.
pub fn panicked(_payload: Box<dyn std::any::Any + Send + 'static>) -> Response {
    AppError::internal("a handler panicked").into_response()
}

/// Renders errors: ours, and the plain-text refusals of the framework's extractors.
pub async fn render(State(app): State<App>, request: Request, next: Next) -> Response {
    let wants_page = wants_page(&request);
    let scim_path = Some(request.uri().path())
        .filter(|path| path.starts_with("/scim/"))
        .map(str::to_owned);
    let is_head = request.method() == Method::HEAD;
    let id = request
        .extensions()
        .get::<RequestId>()
        .map(|id| id.0.clone())
        .unwrap_or_default();
    let response = next.run(request).await;
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let error = match response.extensions().get::<Arc<AppError>>() {
        Some(error) => Arc::clone(error),
        None if is_bare(&response) => Arc::new(AppError::for_status(status)),
        None => return response,
    };
    log(&error, &id);
    let mut rendered = match scim_path {
        Some(path) => scim::layer_error(status, &path),
        None if wants_page => page(&app, &error, &id),
        None => problem(&error, &id),
    };
    if is_head {
        *rendered.body_mut() = axum::body::Body::empty();
    }
    *rendered.status_mut() = status;
    // Allow, Retry-After, WWW-Authenticate and the like survive; the framework's text does not.
    for (name, value) in response.headers() {
        if name != header::CONTENT_TYPE && name != header::CONTENT_LENGTH {
            rendered.headers_mut().append(name.clone(), value.clone());
        }
    }
    rendered
}

fn log(error: &AppError, id: &str) {
    let source = error
        .source
        .as_ref()
        .map(|source| chain(source.as_ref()))
        .unwrap_or_default();
    if error.status.is_server_error() {
        tracing::error!(
            code = error.code,
            status = error.status.as_u16(),
            request_id = id,
            source,
            "request failed"
        );
    } else {
        tracing::debug!(
            code = error.code,
            status = error.status.as_u16(),
            request_id = id,
            source,
            "request refused"
        );
    }
}

/// Writes an error and its causes in one line.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        line.push_str(": ");
        line.push_str(&inner.to_string());
        cause = inner.source();
    }
    line
}

/// Tells whether the answer is the framework's own: no body type of ours.
fn is_bare(response: &Response) -> bool {
    response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"))
}

/// Addresses that only programs call.
const PROGRAM_PREFIXES: &[&str] = &[
    "/api/",
    "/scim/",
    "/.well-known/",
    "/metrics",
    "/healthz",
    "/readyz",
];
/// Addresses of the OpenID provider that people's browsers open.
const PERSON_ENDPOINTS: &[&str] = &["/oauth2/authorize", "/oauth2/logout"];

fn wants_page(request: &Request) -> bool {
    let path = request.uri().path();
    if PROGRAM_PREFIXES.iter().any(|prefix| path.starts_with(prefix)) {
        return false;
    }
    if path.starts_with("/oauth2/") && !PERSON_ENDPOINTS.iter().any(|place| path.starts_with(place)) {
        return false;
    }
    request.headers().get(header::ACCEPT).is_some_and(|accept| {
        accept
            .to_str()
            .is_ok_and(|accept| accept.contains("text/html") || accept.contains("application/xhtml"))
    })
}

fn page(app: &App, error: &AppError, id: &str) -> Response {
    match crate::pages::error::render(app, error, id) {
        Ok(html) => Html(html).into_response(),
        Err(_) => problem(error, id),
    }
}

fn problem(error: &AppError, id: &str) -> Response {
    let mut body = serde_json::json!({
        "type": "about:blank",
        "title": error.status.canonical_reason().unwrap_or("Error"),
        "status": error.status.as_u16(),
        "code": error.code,
        "detail": error.public,
        "request_id": id,
    });
    if let Some(members) = body.as_object_mut().filter(|_| !error.faults.is_empty()) {
        members.insert("errors".to_owned(), serde_json::json!(error.faults));
    }
    if let (Some(trace), Some(members)) = (&error.trace, body.as_object_mut()) {
        members.insert("trace".to_owned(), serde_json::json!(trace));
    }
    (
        [(header::CONTENT_TYPE, "application/problem+json")],
        body.to_string(),
    )
        .into_response()
}

#[cfg(test)]
mod tests;
