//! `/healthz`, `/readyz` and `/metrics`, and the assets of the pages.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::LazyLock;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use rust_embed::RustEmbed;

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow;
use crate::http::request::ClientAddress;

/// Says that the process lives. Touches nothing.
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// Says whether this node can do its work: database writable, schema current, keys usable.
pub async fn readyz(State(app): State<App>) -> Response {
    let report = flow::readiness::check(&app).await;
    let status = if report.is_ready() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, axum::Json(report)).into_response()
}

/// What proxies add: such a request does not come from this machine itself.
const FORWARDING_HEADERS: &[&str] = &[
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-real-ip",
];

/// Shows the measurements in Prometheus' text format, to those who may see them.
pub async fn metrics(
    State(app): State<App>,
    client: Option<axum::Extension<ClientAddress>>,
    headers: HeaderMap,
) -> Result<Response> {
    let is_forwarded = FORWARDING_HEADERS.iter().any(|name| headers.contains_key(*name));
    let from_loopback = !is_forwarded && client.is_some_and(|client| client.0.0.to_canonical().is_loopback());
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    if !flow::metrics::may_read(&app, bearer, from_loopback) {
        // As if there were nothing: an outsider learns neither that metrics exist nor how they are guarded.
        return Err(AppError::not_found());
    }
    let text = flow::metrics::render(&app).await;
    Ok((
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        text,
    )
        .into_response())
}

#[derive(RustEmbed)]
#[folder = "assets/"]
struct Assets;

/// The assets that are texts, packed once. Nothing secret and nothing from outside is in them, so packing tells nobody
/// anything; pages are never packed, since they hold both.
static PACKED: LazyLock<HashMap<String, Vec<u8>>> = LazyLock::new(|| {
    Assets::iter()
        .filter(|name| matches!(name.rsplit('.').next(), Some("css" | "js" | "svg")))
        .filter_map(|name| {
            let file = Assets::get(&name)?;
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(&file.data).ok()?;
            Some((name.into_owned(), encoder.finish().ok()?))
        })
        .collect()
});

/// Serves a file of `server/assets`. Names carry a version in their query, so they may be kept for long.
pub async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Result<Response> {
    let file = Assets::get(&name).ok_or_else(AppError::not_found)?;
    let kind = match name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    };
    let packed = PACKED.get(&name).filter(|_| takes_gzip(&headers));
    let mark = if packed.is_some() { "-gzip" } else { "" };
    let tag = format!("\"{}{mark}\"", short(&file.metadata.sha256_hash()));
    let common = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CACHE_CONTROL, "public, max-age=3600".to_owned()),
        (header::VARY, "accept-encoding".to_owned()),
        (header::ETAG, tag.clone()),
    ];
    if headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|seen| seen.as_bytes() == tag.as_bytes())
    {
        return Ok((StatusCode::NOT_MODIFIED, common).into_response());
    }
    if let Some(packed) = packed {
        let encoding = [(header::CONTENT_ENCODING, "gzip")];
        return Ok((common, encoding, packed.as_slice()).into_response());
    }
    Ok((common, file.data.into_owned()).into_response())
}

/// Tells whether a browser takes packed answers. One that forbids them by weight 0 is taken at its word.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    accepted.split(',').any(|part| {
        let (name, weight) = part.split_once(';').unwrap_or((part, ""));
        name.trim().eq_ignore_ascii_case("gzip")
            && !matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000")
    })
}

fn short(hash: &[u8; 32]) -> String {
    u64::from_be_bytes(hash.first_chunk().copied().unwrap_or_default()).to_string()
}
