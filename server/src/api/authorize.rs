//! The guard before every endpoint: key, rate limit, scope. A handler behind it finds the [`Caller`] in the request.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::app::App;
use crate::error::AppError;
use crate::flow::api_keys::{self, Scope};

/// Lets a request through if its key is good and has the scope.
pub(super) async fn authorize(
    State((app, scope)): State<(App, Scope)>,
    mut request: Request,
    next: Next,
) -> Response {
    let caller = match api_keys::authenticate(&app, bearer(request.headers())).await {
        Ok(caller) => caller,
        Err(error) => return refused(error),
    };
    if !caller.scopes.contains(&scope) {
        return AppError::forbidden(
            "missing_scope",
            format!("This needs a key with the scope {}.", scope.word()),
        )
        .into_response();
    }
    request.extensions_mut().insert(caller);
    next.run(request).await
}

/// Reads the key; the scheme is written in any case (RFC 9110 11.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, secret) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(secret.trim_start())
}

fn refused(error: AppError) -> Response {
    let is_unauthorized = error.status().as_u16() == 401;
    let mut response = error.into_response();
    if is_unauthorized {
        let challenge = HeaderValue::from_static("Bearer realm=\"management API\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}
