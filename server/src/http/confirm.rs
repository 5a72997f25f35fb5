//! `/account/confirm`: on to the sign-in by which somebody proves again that it is she, and back to where she was.

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use provost_kernel::directory::Authentication;
use serde::Deserialize;
use url::form_urlencoded;

use crate::app::App;
use crate::error::Result;
use crate::flow::return_to::ReturnTo;
use crate::flow::session::current_session;
use crate::http::page;

/// Parameters.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ConfirmQuery {
    to: String,
}

/// `GET /account/confirm`.
pub async fn start(
    State(app): State<App>,
    headers: HeaderMap,
    Query(query): Query<ConfirmQuery>,
) -> Result<Response> {
    let asked = ReturnTo::parse(&query.to);
    let return_to = if asked.is_again() {
        asked
    } else {
        ReturnTo::Again {
            path: "/account".to_owned(),
        }
    };
    let Some(active) = current_session(&app, &headers).await? else {
        return page::see_other(&return_to.carry("/login"));
    };
    let email = active.account.email.as_ref().map(ToString::to_string);
    let (path, name) = match &active.account.authentication {
        Authentication::Standard => ("/login/password".to_owned(), "email"),
        Authentication::Sso { connection } => {
            let connection: String =
                form_urlencoded::byte_serialize(connection.as_str().as_bytes()).collect();
            (
                format!("/sso/{}/login", connection.replace('+', "%20")),
                "login_hint",
            )
        }
    };
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair(name, email.as_deref().unwrap_or_default())
        .finish();
    page::see_other(&return_to.carry(&format!("{path}?{query}")))
}
