//! `/setup/…`: the way in by a link. The token is taken out of the address at once, into a cookie of its own.

use crate::route::{And as _, get, post};
use axum::Extension;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, header};

use super::super::page;
use super::super::sent::Sent;
use super::super::shell::Look;
use super::super::visit::Outcome;
use super::colleague;
use super::desk::{self, Desk, PORTAL};
use super::{Step, people};
use crate::app::App;
use crate::cookie::Cookie;
use crate::error::AppError;
use crate::flow::limits::{self, Limited};
use crate::flow::setup::links::{self, Presented, Scope};
use crate::http::browser;
use crate::http::request::ClientAddress;

/// The addresses that only the portal has.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/setup", get(home))
        .route("/setup/", get(home))
        .route("/setup/look", post(set_look))
        .route("/setup/domain", get(domain).and_post(act_domain))
        .route("/setup/{token}", get(open))
}

/// `GET /setup/{token}`: keeps the token in a cookie and leads on, so that it stands in no address, no history entry of ours and no
/// `Referer` any more.
async fn open(
    State(app): State<App>,
    Extension(client): Extension<ClientAddress>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Outcome {
    limits::count(&app, Limited::Invitation, &client.limit_key()).await?;
    let look = Look::of(&app.config, &headers);
    let link = match links::present(&app, &token).await? {
        Presented::Good(link) => link,
        Presented::Ended(state) => return desk::ended(look, Some(state)),
        Presented::Unknown => return desk::ended(look, None),
    };
    links::opened(&app, &link).await?;
    let mut response = page::lead_to(&colleague::entrance(&link))?;
    let quiet = HeaderValue::from_static("no-referrer");
    response.headers_mut().insert(header::REFERRER_POLICY, quiet);
    Ok(browser::setting_up(&app.config, response, &token))
}

/// `GET /setup`: goes on where it was left.
async fn home(State(_app): State<App>, desk: Desk) -> Outcome {
    let Some(link) = &desk.link else {
        return Err(AppError::not_found().into());
    };
    let path = match &link.connection {
        Some(connection) if desk.may(Scope::Sso) => {
            format!(
                "{PORTAL}/connections/{}/setup",
                page::segment(connection.as_str())
            )
        }
        None if desk.may(Scope::Sso) => format!("{PORTAL}/connections/new"),
        Some(connection) if desk.may(Scope::Scim) => desk.step_path(connection.as_str(), Step::Scim.word()),
        Some(_) | None => format!("{PORTAL}/domain"),
    };
    page::lead_to(&path)
}

/// `GET /setup/domain`: for a link that is about domains alone.
async fn domain(State(app): State<App>, desk: Desk) -> Outcome {
    desk.must(Scope::Domain)?;
    people::domain(&app, &desk, None, None).await
}

/// `POST /setup/domain`.
async fn act_domain(State(app): State<App>, desk: Desk, sent: Sent) -> Outcome {
    desk.must(Scope::Domain)?;
    let is_leaving = sent.some("claim").is_none() && sent.some("check").is_none();
    if is_leaving && !people::is_domain_only(&desk) {
        return page::lead_to(PORTAL);
    }
    people::act_domain(&app, &desk, None, &sent).await
}

/// `POST /setup/look`.
async fn set_look(State(app): State<App>, _desk: Desk, sent: Sent) -> Outcome {
    let kept = Look::kept(sent.get("language"), sent.get("theme"));
    let mut response = page::lead_to(back(sent.get("back")))?;
    if let Some(cookie) = Cookie::Look.set(&app.config, &kept) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Returns an address of the portal; anything else means its front page.
fn back(path: &str) -> &str {
    let is_ours = path.starts_with("/setup/")
        && !path.contains("//")
        && !path.contains('\\')
        && path.bytes().all(|byte| byte.is_ascii_graphic());
    if is_ours { path } else { PORTAL }
}

#[cfg(test)]
mod tests {
    use super::back;

    #[test]
    fn the_way_back_stays_in_the_portal() {
        for hostile in [
            "",
            "/",
            "//evil",
            "/setup//evil",
            "/setup/\\evil",
            "/setups",
            "https://evil",
        ] {
            assert_eq!(back(hostile), "/setup", "{hostile}");
        }
        assert_eq!(back("/setup/domain"), "/setup/domain");
    }
}
