//! Pages of the console as responses: our own style sheet and script, forms that lead nowhere but here.

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};

use super::visit::{Outcome, Stop};
use crate::config::Config;
use crate::http::page;

/// The policy of the console's pages: our own script from a file, which may fetch from here.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Shows a page.
///
/// # Errors
/// 500 when the template fails.
pub fn show<T: Template>(page: &T) -> Outcome {
    show_with(StatusCode::OK, page)
}

/// Shows a page with a status.
///
/// # Errors
/// 500 when the template fails.
pub fn show_with<T: Template>(status: StatusCode, page: &T) -> Outcome {
    let mut response = page::show_with(status, page)?;
    response
        .headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    Ok(response)
}

/// Shows a page with a form that ends at another site: browsers apply `form-action` to redirects, too.
///
/// # Errors
/// 500 when the template fails.
pub fn show_leading_away<T: Template>(config: &Config, page: &T) -> Outcome {
    let mut response = page::show(page)?;
    // Plain http only where the product itself runs without https: on loopback.
    let targets = if config.is_https() {
        "form-action 'self' https:"
    } else {
        "form-action 'self' https: http:"
    };
    let policy = POLICY.replace("form-action 'self'", targets);
    let value = HeaderValue::from_str(&policy).map_err(crate::error::AppError::internal)?;
    response
        .headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, value);
    Ok(response)
}

/// Shows a piece of a page, for the script to put in its place.
///
/// # Errors
/// 500 when the template fails.
pub fn piece<T: Template>(piece: &T) -> Outcome {
    let html = piece
        .render()
        .map_err(|error| Stop::from(crate::error::AppError::from(error)))?;
    Ok(Html(html).into_response())
}

/// Leads on after a form (303).
///
/// # Errors
/// 500 when the address cannot be written into a header.
pub fn lead_to(path: &str) -> Outcome {
    Ok(page::see_other(path)?)
}

/// What is written otherwise in a part of an address.
const SEGMENT: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'~');

/// Writes a part of an address.
pub fn segment(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, SEGMENT).to_string()
}

/// Answers with a file to keep; nothing on the way may keep it, too. The name must be fit for a header, as [`segment`] makes it.
pub fn file(name: &str, kind: &'static str, content: impl axum::response::IntoResponse) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    (headers, content).into_response()
}
