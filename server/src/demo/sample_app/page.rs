//! The sample app's pages.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Response};
use serde_json::Value;

use super::SignedIn;
use crate::error::AppError;

/// View model of the only page.
#[derive(Template)]
#[template(path = "sample_app.html")]
struct Home {
    person: Option<PersonView>,
    hint: &'static str,
}

struct PersonView {
    name: String,
    facts: Vec<(&'static str, String)>,
    claims: String,
}

/// Renders the page.
pub(super) fn home(person: Option<&SignedIn>) -> Result<Response, AppError> {
    let person = person.map(view).transpose()?;
    let page = Home {
        person,
        hint: "ann@home-lab.example",
    };
    Ok(Html(page.render().map_err(AppError::internal)?).into_response())
}

/// Renders what went wrong at the app. The demo's story reads the text.
pub(super) fn failed(error: &anyhow::Error) -> Result<Response, AppError> {
    let page = Home {
        person: Some(PersonView {
            name: "stranger".to_owned(),
            facts: vec![("The sign-in did not work", format!("{error:#}"))],
            claims: String::new(),
        }),
        hint: "",
    };
    let html = page.render().map_err(AppError::internal)?;
    Ok((StatusCode::FORBIDDEN, Html(html)).into_response())
}

fn view(person: &SignedIn) -> Result<PersonView, AppError> {
    let text = |name: &str| {
        person
            .claims
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or("–")
            .to_owned()
    };
    let mut facts = vec![
        ("E-mail", text("email")),
        ("Account", text("sub")),
        ("Signed in through", text("connection")),
    ];
    let organizations = person.claims.get("organizations").and_then(Value::as_array);
    for organization in organizations.into_iter().flatten() {
        let list = |name: &str| {
            let items = organization.get(name).and_then(Value::as_array);
            items
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect::<Vec<_>>()
                .join(", ")
        };
        let id = organization
            .get("id")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        facts.extend([
            ("Organization", id),
            ("Roles", list("roles")),
            ("Workspaces", list("workspaces")),
        ]);
    }
    let claims = serde_json::to_string_pretty(&person.claims).map_err(AppError::internal)?;
    Ok(PersonView {
        name: text("name"),
        facts,
        claims,
    })
}
