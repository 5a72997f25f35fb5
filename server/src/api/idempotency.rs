//! `Idempotency-Key` on every POST: sent again, a request is answered with what was answered first. Stands behind the guard,
//! because keys belong to callers.

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use provost_store::KeptAnswer;

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::api_keys::Caller;
use crate::flow::idempotency::{self, LONGEST_KEY, Turn};

/// The header, in lower case.
const KEY: &str = "idempotency-key";
/// Says that an answer was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Headers that belong to an answer.
const KEPT: [HeaderName; 3] = [header::CONTENT_TYPE, header::ETAG, header::LOCATION];
/// Largest answer that is kept; a longer one is not, and a request for it is carried out each time.
const LARGEST_ANSWER: usize = 4 * 1024 * 1024;

/// Carries a request out once. `largest` is the longest body that the endpoint takes.
pub(super) async fn once(
    State((app, largest)): State<(App, usize)>,
    request: Request,
    next: Next,
) -> Response {
    match key(&request) {
        Ok(None) => next.run(request).await,
        Ok(Some(key)) => match keyed(&app, largest, &key, request, next).await {
            Ok(response) => response,
            Err(error) => error.into_response(),
        },
        Err(error) => error.into_response(),
    }
}

fn key(request: &Request) -> Result<Option<String>> {
    let Some(value) = request.headers().get(KEY) else {
        return Ok(None);
    };
    let text = value.to_str().ok().map(str::trim);
    match text.filter(|text| !text.is_empty() && text.len() <= LONGEST_KEY) {
        Some(key) => Ok(Some(key.to_owned())),
        None => Err(AppError::bad_request(
            "invalid_idempotency_key",
            "An Idempotency-Key has 1 to 200 characters.",
        )),
    }
}

async fn keyed(app: &App, largest: usize, key: &str, request: Request, next: Next) -> Result<Response> {
    let caller = request
        .extensions()
        .get::<Caller>()
        .cloned()
        .ok_or_else(|| AppError::internal("a request came past the guard"))?;
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, largest).await.map_err(|_| {
        AppError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            "The request is too large.",
        )
    })?;
    let what = format!(
        "{} {}\n{}",
        parts.method,
        parts.uri,
        String::from_utf8_lossy(&body)
    );
    let id = match idempotency::begin(app, &caller, key, &what).await? {
        Turn::Again(answer) => return Ok(again(answer)),
        Turn::Go(id) => id,
    };
    // Whatever becomes of the connection, the request is carried out and its answer kept.
    let (app, request) = (app.clone(), Request::from_parts(parts, Body::from(body)));
    let work = tokio::spawn(async move {
        let response = next.run(request).await;
        let (response, answer) = take_answer(response).await;
        let kept = idempotency::end(&app, id, answer).await;
        if let Err(error) = kept {
            tracing::warn!(code = error.code(), "the answer of a request was not kept");
        }
        response
    });
    work.await.map_err(AppError::internal)
}

/// Copies a successful answer. Refusals have no effect and are worked out anew each time.
async fn take_answer(response: Response) -> (Response, Option<KeptAnswer>) {
    if !response.status().is_success() {
        return (response, None);
    }
    let (parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, LARGEST_ANSWER).await else {
        return (
            AppError::internal("an answer is too large to be kept").into_response(),
            None,
        );
    };
    let headers = KEPT
        .iter()
        .filter_map(|name| {
            let value = parts.headers.get(name)?.to_str().ok()?;
            Some((name.as_str().to_owned(), value.to_owned()))
        })
        .collect();
    let answer = KeptAnswer {
        status: parts.status.as_u16(),
        headers,
        body: String::from_utf8_lossy(&bytes).into_owned(),
    };
    (Response::from_parts(parts, Body::from(bytes)), Some(answer))
}

fn again(answer: KeptAnswer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    for (name, value) in answer.headers {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
        .headers_mut()
        .insert(REPLAYED, HeaderValue::from_static("true"));
    response
}
