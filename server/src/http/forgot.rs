//! `/login/forgot`: asking for a new password by mail.

use axum::Extension;
use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use provost_kernel::email::Email;
use serde::Deserialize;

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::password_reset;
use crate::flow::return_to::ReturnTo;
use crate::http::browser::{self, Browser};
use crate::http::page;
use crate::http::request::ClientAddress;
use crate::pages::sign_in::ForgotPage;

/// Parameters of the page.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ForgotQuery {
    return_to: String,
    email: String,
}

/// The form with the address.
#[derive(Deserialize)]
pub struct ForgotForm {
    #[serde(default)]
    form_token: String,
    email: String,
}

/// `GET /login/forgot`.
pub async fn show(
    State(app): State<App>,
    headers: HeaderMap,
    Query(query): Query<ForgotQuery>,
) -> Result<Response> {
    must_be_on(&app)?;
    let browser = Browser::of(&app, &headers)?;
    let form = ForgotPage {
        form_token: browser.form_token(),
        email: query.email,
        password_path: ReturnTo::parse(&query.return_to).carry("/login/password"),
        problem: None,
        is_sent: false,
    };
    Ok(browser.remember(&app.config, page::show(&form)?))
}

/// `POST /login/forgot`: the same answer for every address.
pub async fn submit(
    State(app): State<App>,
    Extension(client): Extension<ClientAddress>,
    headers: HeaderMap,
    Form(form): Form<ForgotForm>,
) -> Result<Response> {
    must_be_on(&app)?;
    browser::check_form(&app, &headers, &form.form_token)?;
    let browser = Browser::of(&app, &headers)?;
    let typed = form.email.trim();
    let email = Email::parse(typed);
    let answer = ForgotPage {
        form_token: browser.form_token(),
        email: typed.chars().take(254).collect(),
        password_path: "/login/password".to_owned(),
        problem: email.is_err().then(|| {
            "That is not an e-mail address that can be used here. Check it for typing errors.".to_owned()
        }),
        is_sent: email.is_ok(),
    };
    match email {
        Ok(email) => {
            password_reset::ask(&app, email, &client.limit_key()).await?;
            page::show(&answer)
        }
        Err(_) => page::show_with(StatusCode::UNPROCESSABLE_ENTITY, &answer),
    }
}

fn must_be_on(app: &App) -> Result<()> {
    if app.config.mail.is_on() {
        Ok(())
    } else {
        Err(AppError::not_found())
    }
}
