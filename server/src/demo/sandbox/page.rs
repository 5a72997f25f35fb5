//! The one page of the sandbox: choose whom to be.

use askama::Template;
use axum::response::Response;

use crate::config::Config;
use crate::demo::people::Directory;
use crate::error::AppError;
use crate::http::page;

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
    config: &Config,
    directory: Directory,
    action: &'static str,
    kept: Vec<(&'static str, String)>,
) -> Result<Response, AppError> {
    let people = directory.people();
    let chooser = Chooser {
        company: directory.company(),
        protocol: match directory {
            Directory::HomeLab => "SAML 2.0",
            Directory::Acme | Directory::Globex => "OpenID Connect",
        },
        action,
        kept,
        people: people
            .map(|person| Choice {
                key: person.key,
                name: person.name(),
                email: person.email,
                about: person.about,
            })
            .collect(),
    };
    page::show_leading_away(config, &chooser)
}
