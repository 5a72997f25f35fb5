//! The layers around every route: request context, security headers, panic catch, error rendering,
//! time limit, size limit. Order matters and is fixed here.

use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use tower_http::catch_panic::CatchPanicLayer;

use crate::app::App;
use crate::error;
use crate::http::request;
use crate::http::time_limit::time_limit;
use crate::pages::words;

/// Largest request body in bytes; routes that need more say so themselves.
pub const BODY_LIMIT: usize = 512 * 1024;
/// Longest time that a handler may take, the arrival of the body included.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Policy of every page: nothing but our own style sheet and images, no frames, no scripts.
/// Pages that must post elsewhere or need the one script of ours set their own.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; \
     form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Wraps the routes. The last layer added is the first to see a request.
pub fn wrap(routes: Router<App>, app: &App) -> Router<App> {
    let is_https = app.config.is_https();
    routes
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(from_fn(|request, next| time_limit(TIMEOUT, request, next)))
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(from_fn_with_state(app.clone(), error::render))
        .layer(from_fn(move |request, next| {
            security_headers(is_https, request, next)
        }))
        .layer(from_fn_with_state(app.clone(), words::layer))
        .layer(from_fn_with_state(app.clone(), request::context))
}

/// Adds the headers that a handler has not set itself.
async fn security_headers(is_https: bool, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    set(headers, header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
    set(headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(headers, header::X_FRAME_OPTIONS, "DENY");
    // Not `no-referrer`: with it, Chromium says `Origin: null` when it posts our own forms, which we could not tell
    // from a foreign page. Other sites are told nothing either way.
    set(headers, header::REFERRER_POLICY, "same-origin");
    set(
        headers,
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    );
    set(
        headers,
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=()",
    );
    // Pages and answers are about one person; whatever may be cached says so itself.
    set(headers, header::CACHE_CONTROL, "no-store");
    if is_https {
        set(
            headers,
            header::STRICT_TRANSPORT_SECURITY,
            "max-age=31536000; includeSubDomains",
        );
    }
    response
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.entry(name).or_insert(HeaderValue::from_static(value));
}
