//! The page for errors that are nobody's refusal: wrong addresses, overload, our own faults.

use askama::Template;

use crate::app::App;
use crate::error::AppError;

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    status: u16,
    title: &'a str,
    text: &'a str,
    reference: &'a str,
}

/// Renders the page of an error with its public text and the request id as reference.
///
/// # Errors
/// When the template fails; the caller then answers in JSON.
pub fn render(_app: &App, error: &AppError, reference: &str) -> Result<String, askama::Error> {
    let title = match error.status().as_u16() {
        404 => "Not found",
        413 => "Too large",
        429 => "Too many attempts",
        502..=504 => "Not available right now",
        400..=499 => "This did not work",
        _ => "Something went wrong",
    };
    ErrorPage {
        status: error.status().as_u16(),
        title,
        text: error.public(),
        reference,
    }
    .render()
}
