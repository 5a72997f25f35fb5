//! `/console`: which organizations somebody manages; and how pages look to her.

use askama::Template;
use axum::extract::State;
use axum::http::header;

use super::page::{self, segment};
use super::sent::Sent;
use super::shell::{Look, Place, Shell};
use super::visit::{Outcome, Visitor};
use crate::app::App;
use crate::cookie::Cookie;
use crate::flow::console::standing;

#[derive(Template)]
#[template(path = "console/organizations.html")]
struct OrganizationsPage {
    shell: Shell,
    rows: Vec<Row>,
}

struct Row {
    id: String,
    segment: String,
    name: String,
    standing: &'static str,
}

/// `GET /console`: the one organization, or a list of them.
pub async fn list(State(app): State<App>, visitor: Visitor) -> Outcome {
    let managed = standing::managed(&app, &visitor.active).await?;
    let is_operator = standing::is_operator(&app, &visitor.active).await?;
    match managed.as_slice() {
        [only] if !is_operator => return page::lead_to(&format!("/console/{}", segment(&only.id))),
        [] if is_operator => return page::lead_to("/console/operator"),
        _ => {}
    }
    let shell = visitor.shell(Place::None);
    let rows = managed
        .into_iter()
        .map(|row| Row {
            segment: segment(&row.id),
            id: row.id,
            name: row.name,
            standing: shell.t(row.standing.key()),
        })
        .collect();
    page::show(&OrganizationsPage { shell, rows })
}

/// `POST /console/look`.
pub async fn set_look(State(app): State<App>, _visitor: Visitor, sent: Sent) -> Outcome {
    let kept = Look::kept(sent.get("language"), sent.get("theme"));
    let mut response = page::lead_to(back(sent.get("back")))?;
    if let Some(cookie) = Cookie::Look.set(&app.config, &kept) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Returns an address of the console; anything else means its front page.
pub(super) fn back(path: &str) -> &str {
    let is_ours = path == "/console" || path.starts_with("/console/") || path.starts_with("/console?");
    if is_ours
        && !path.contains("//")
        && !path.contains('\\')
        && path.bytes().all(|byte| byte.is_ascii_graphic())
    {
        path
    } else {
        "/console"
    }
}

#[cfg(test)]
mod tests {
    use super::back;

    #[test]
    fn the_way_back_stays_in_the_console() {
        for hostile in [
            "",
            "/",
            "//evil",
            "/console//evil",
            "https://evil",
            "/console/\\evil",
            "/consoles",
            "/console/a\nb",
        ] {
            assert_eq!(back(hostile), "/console", "{hostile}");
        }
        assert_eq!(back("/console/acme/users?q=a%20b"), "/console/acme/users?q=a%20b");
    }
}
