//! The browser behind a request: its own secret, its forms, its cookies on the way out.
//!
//! Forms are accepted from our own pages only: the browser must say so (`Origin`, `Sec-Fetch-Site`) where it says
//! anything, and the form's token must belong to the browser's cookie.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use secrecy::{ExposeSecret as _, SecretString};

use crate::app::App;
use crate::config::Config;
use crate::cookie::Cookie;
use crate::error::{AppError, Result};
use crate::flow::{form_token, sign_in};

/// A browser with a secret of its own, made on the spot if it had none.
pub struct Browser {
    /// The secret.
    pub secret: String,
    is_new: bool,
}

impl Browser {
    /// Reads the browser's secret, or makes one.
    ///
    /// # Errors
    /// 500 without random bytes.
    pub fn of(app: &App, headers: &HeaderMap) -> Result<Self> {
        match Cookie::Browser.read(&app.config, headers) {
            Some(secret) => Ok(Self {
                secret,
                is_new: false,
            }),
            None => Ok(Self {
                secret: sign_in::new_browser(app)?,
                is_new: true,
            }),
        }
    }

    /// Returns the token for forms of this browser.
    pub fn form_token(&self) -> String {
        form_token::token_for(&self.secret)
    }

    /// Has the browser keep its secret, if it is new.
    pub fn remember(&self, config: &Config, response: Response) -> Response {
        if self.is_new {
            with_cookie(response, Cookie::Browser.set(config, &self.secret))
        } else {
            response
        }
    }
}

/// Refuses a form that did not come from our own pages, or not from this browser.
///
/// # Errors
/// 403 with a text that says what to do.
pub fn check_form(app: &App, headers: &HeaderMap, posted: &str) -> Result<()> {
    let secret = Cookie::Browser.read(&app.config, headers);
    check_origin(&app.config, headers)?;
    if form_token::is_genuine(secret.as_deref(), posted) {
        Ok(())
    } else {
        Err(stale())
    }
}

/// Refuses a form of a signed-in person that did not come from our own pages, or not from her session.
///
/// # Errors
/// 403 with a text that says what to do.
pub fn check_session_form(app: &App, headers: &HeaderMap, posted: &str) -> Result<()> {
    check_form_of(app, headers, Cookie::Session, posted)
}

/// Refuses a form that did not come from our own pages, or not from whoever holds a cookie.
///
/// # Errors
/// 403 with a text that says what to do.
pub fn check_form_of(app: &App, headers: &HeaderMap, cookie: Cookie, posted: &str) -> Result<()> {
    let secret = cookie.read(&app.config, headers);
    check_origin(&app.config, headers)?;
    if form_token::is_genuine(secret.as_deref(), posted) {
        Ok(())
    } else {
        Err(stale())
    }
}

fn stale() -> AppError {
    AppError::forbidden(
        "form_stale",
        "This form is no longer good. Go back, reload the page and try again.",
    )
}

/// Believes `Sec-Fetch-Site` where the browser sends it, else `Origin`. A browser that sends neither is old; there the
/// token alone decides.
fn check_origin(config: &Config, headers: &HeaderMap) -> Result<()> {
    let text = |name: header::HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let ours = config.public_url.origin().ascii_serialization();
    let is_ours = match (
        text(header::HeaderName::from_static("sec-fetch-site")),
        text(header::ORIGIN),
    ) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => origin == ours,
        (None, None) => true,
    };
    if is_ours {
        Ok(())
    } else {
        Err(AppError::forbidden(
            "form_foreign",
            "This form was sent from another site.",
        ))
    }
}

/// Gives the browser the cookie of its new session.
pub fn signed_in(config: &Config, response: Response, token: &SecretString) -> Response {
    with_cookie(response, Cookie::Session.set(config, token.expose_secret()))
}

/// Gives the browser the token of a set-up link, so that it need not stand in addresses any more.
pub fn setting_up(config: &Config, response: Response, token: &str) -> Response {
    with_cookie(response, Cookie::SetUp.set(config, token))
}

/// Gives the browser its token as one that accounts are known from.
pub fn known(config: &Config, response: Response, token: &SecretString) -> Response {
    with_cookie(response, Cookie::Device.set(config, token.expose_secret()))
}

/// Gives the browser the cookie of a sign-in that waits for its second factor.
pub fn half_signed_in(config: &Config, response: Response, token: &SecretString) -> Response {
    with_cookie(response, Cookie::Half.set(config, token.expose_secret()))
}

/// Has the browser forget the sign-in that waited.
pub fn half_signed_out(config: &Config, response: Response) -> Response {
    with_cookie(response, Cookie::Half.clear(config))
}

/// Has the browser forget its session.
pub fn signed_out(config: &Config, response: Response) -> Response {
    with_cookie(response, Cookie::Session.clear(config))
}

fn with_cookie(mut response: Response, cookie: Option<HeaderValue>) -> Response {
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}
