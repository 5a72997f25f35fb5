//! How long a request may take, and whose fault it is when it takes longer.
//!
//! A handler that waits for a body that does not arrive was kept waiting by its client: that is the client's error (408)
//! and none of ours, so that a stranger who sends a byte a second cannot raise our error rate. Never reads a body itself.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::{Stream as _, stream};
use http_body_util::{BodyStream, StreamBody};

use crate::error::AppError;

/// Gives up on a request after `limit`.
pub async fn time_limit(limit: Duration, request: Request, next: Next) -> Response {
    let arrived = Arc::new(AtomicBool::new(request.body().is_end_stream()));
    let watched = Arc::clone(&arrived);
    let request = request.map(|body| watch(body, watched));
    if let Ok(response) = tokio::time::timeout(limit, next.run(request)).await {
        return response;
    }
    let error = if arrived.load(Ordering::Relaxed) {
        AppError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "timed_out",
            "This took too long and was given up. Try again in a moment.",
        )
    } else {
        AppError::new(
            StatusCode::REQUEST_TIMEOUT,
            "request_timed_out",
            "The request did not arrive in time. Try again.",
        )
    };
    error.into_response()
}

/// Passes a body on and notes when all of it has been read.
fn watch(body: Body, arrived: Arc<AtomicBool>) -> Body {
    let mut frames = BodyStream::new(body);
    Body::new(StreamBody::new(stream::poll_fn(move |context| {
        let polled = Pin::new(&mut frames).poll_next(context);
        if matches!(polled, Poll::Ready(None)) {
            arrived.store(true, Ordering::Relaxed);
        }
        polled
    })))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::route::post;
    use axum::Router;
    use axum::body::{Body, Bytes};
    use axum::http::{Request, StatusCode};
    use axum::middleware::from_fn;
    use futures_util::{StreamExt as _, stream};
    use tower::ServiceExt as _;

    use super::time_limit;

    /// What the client gets from a handler that takes `pause` after it has read the body.
    async fn status(body: Body, pause: Duration) -> StatusCode {
        let handler = move |body: Bytes| async move {
            tokio::time::sleep(pause).await;
            body
        };
        let limited = from_fn(|request, next| time_limit(Duration::from_millis(50), request, next));
        let routes: Router = Router::new().route("/", post(handler)).layer(limited);
        let request = Request::post("/").body(body).unwrap();
        routes.oneshot(request).await.unwrap().status()
    }

    #[tokio::test]
    async fn a_body_that_does_not_arrive_is_the_clients_error() {
        let first = stream::once(async { Ok::<_, std::io::Error>("email=") });
        let never = Body::from_stream(first.chain(stream::pending()));
        assert_eq!(status(never, Duration::ZERO).await, StatusCode::REQUEST_TIMEOUT);
    }

    #[tokio::test]
    async fn a_handler_that_takes_too_long_is_our_error() {
        let long = Duration::from_mins(1);
        assert_eq!(
            status(Body::from("whole"), long).await,
            StatusCode::SERVICE_UNAVAILABLE
        );
        assert_eq!(status(Body::empty(), long).await, StatusCode::SERVICE_UNAVAILABLE);
    }

    #[tokio::test]
    async fn a_request_in_time_is_answered() {
        assert_eq!(status(Body::from("whole"), Duration::ZERO).await, StatusCode::OK);
    }
}
