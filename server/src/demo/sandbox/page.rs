//! The one page of the sandbox: choose whom to be.

use askama::Template;
use axum::response::{Html, IntoResponse as _, Response};

use crate::demo::people::Directory;
use crate::error::AppError;

/// View model of the chooser.
#[derive(Template)]
#[template(path = "sandbox.html")]
struct Chooser {
    company: &'static str,
    protocol: &'static str,
    action: &'static str,
    kept: Vec<(&'static str, String)>,
    people: Vec<Choice>,
}

/// One person to choose.
struct Choice {
    key: &'static str,
    name: String,
    email: &'static str,
    about: &'static str,
}

/// Renders the chooser; `kept` are the hidden fields that the choice carries on.
pub(super) fn chooser(
    directory: Directory,
    action: &'static str,
    kept: Vec<(&'static str, String)>,
) -> Result<Response, AppError> {
    let page = Chooser {
        company: directory.company(),
        protocol: match directory {
            Directory::HomeLab => "SAML 2.0",
            Directory::Acme => "OpenID Connect",
        },
        action,
        kept,
        people: directory
            .people()
            .map(|person| Choice { key: person.key, name: person.name(), email: person.email, about: person.about })
            .collect(),
    };
    Ok(Html(page.render().map_err(AppError::internal)?).into_response())
}
