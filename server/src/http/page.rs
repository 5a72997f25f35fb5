//! Pages as responses: rendering and the content security policy of each kind of page. Never chooses words.

use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use crate::config::Config;
use crate::error::{AppError, Result};
use crate::flow::departure::Departure;
use crate::pages::sign_in::HandOverPage;

/// Renders a page whose forms lead nowhere but here.
///
/// # Errors
/// 500 when the template fails.
pub fn show<T: Template>(page: &T) -> Result<Response> {
    show_with(StatusCode::OK, page)
}

/// Renders a page with a status other than 200.
///
/// # Errors
/// 500 when the template fails.
pub fn show_with<T: Template>(status: StatusCode, page: &T) -> Result<Response> {
    // With `no-referrer`, browsers would write `Origin: null` on our own forms. Other sites learn nothing either way.
    let referrer = (header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    Ok((status, [referrer], Html(page.render()?)).into_response())
}

/// Renders a page whose form may end at an identity provider or an app: browsers apply `form-action` to redirects too,
/// and where they lead is known only after the form was sent.
///
/// # Errors
/// 500 when the template fails.
pub fn show_leading_away<T: Template>(config: &Config, page: &T) -> Result<Response> {
    let mut response = show(page)?;
    // Plain http only where the product itself runs without https: on loopback.
    let targets = if config.is_https() {
        "'self' https:"
    } else {
        "'self' https: http:"
    };
    set_policy(&mut response, &format!("{POLICY}; form-action {targets}"))?;
    Ok(response)
}

/// Renders a page that runs the script for passkeys: ours, from a file.
///
/// # Errors
/// 500 when the template fails.
pub fn show_with_script<T: Template>(config: &Config, page: &T) -> Result<Response> {
    let mut response = show(page)?;
    let targets = if config.is_https() {
        "'self' https:"
    } else {
        "'self' https: http:"
    };
    set_policy(
        &mut response,
        &format!("{POLICY}; script-src 'self'; form-action {targets}"),
    )?;
    Ok(response)
}

/// Sends the browser to another site: by redirect, or by a form that posts itself.
///
/// # Errors
/// 500 when the address cannot be written into a header.
pub fn depart(departure: Departure) -> Result<Response> {
    match departure {
        Departure::Redirect(url) => see_other(&url),
        Departure::Form { action, fields } => {
            // The receiver may send the browser on, and browsers apply `form-action` to those redirects too.
            let targets = if action.starts_with("https:") {
                "https:"
            } else {
                "https: http:"
            };
            let text = "You are being taken on. If nothing happens, continue by hand.".to_owned();
            let mut response = show(&HandOverPage { text, action, fields })?;
            // The one page with a script: ours, from a file, and it only submits the form.
            set_policy(
                &mut response,
                &format!("{POLICY}; script-src 'self'; form-action 'self' {targets}"),
            )?;
            Ok(response)
        }
    }
}

/// Answers with 303: whatever the method was, the browser fetches the new address with GET.
///
/// # Errors
/// 500 when the address cannot be written into a header.
pub fn see_other(location: &str) -> Result<Response> {
    let location = HeaderValue::from_str(location).map_err(AppError::internal)?;
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response())
}

const POLICY: &str =
    "default-src 'none'; style-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'";

fn set_policy(response: &mut Response, policy: &str) -> Result<()> {
    let value = HeaderValue::from_str(policy).map_err(AppError::internal)?;
    response
        .headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, value);
    Ok(())
}
