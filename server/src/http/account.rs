//! `/account`, `/logout` and `/password/{token}`.

use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use secrecy::SecretString;
use serde::Deserialize;

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::password::Entry;
use crate::flow::return_to::ReturnTo;
use crate::flow::session::{ActiveSession, current_session};
use crate::flow::{account, password, passwords, set_password, sign_out};
use crate::http::browser::{self, Browser};
use crate::http::{page, second_factor, sso};
use crate::pages::sign_in::{LogoutPage, SetPasswordPage};

/// Parameters of "my account".
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct AccountQuery {
    ended: Option<String>,
}

/// A form with nothing but its token.
#[derive(Debug, Deserialize)]
pub struct TokenForm {
    #[serde(default)]
    form_token: String,
}

/// The form with a new password.
#[derive(Deserialize)]
pub struct NewPasswordForm {
    #[serde(default)]
    form_token: String,
    password: String,
    repeat: String,
}

/// `GET /account`.
pub async fn show(
    State(app): State<App>,
    headers: HeaderMap,
    Query(query): Query<AccountQuery>,
) -> Result<Response> {
    let Some(active) = current_session(&app, &headers).await? else {
        return page::see_other("/login");
    };
    let notice = query.ended.map(|_| "The other session has ended.".to_owned());
    page::show_leading_away(&app.config, &account::page(&app, &active, notice).await?)
}

/// `POST /account/sessions/{session}/revoke`.
pub async fn end_session(
    State(app): State<App>,
    Path(session): Path<String>,
    headers: HeaderMap,
    Form(form): Form<TokenForm>,
) -> Result<Response> {
    let active = signed_in(&app, &headers).await?;
    browser::check_session_form(&app, &headers, &form.form_token)?;
    if account::end_session(&app, &active, &session).await? {
        return Ok(browser::signed_out(&app.config, sso::signed_out(None)?));
    }
    page::see_other("/account?ended=1")
}

async fn signed_in(app: &App, headers: &HeaderMap) -> Result<ActiveSession> {
    let active = current_session(app, headers).await?;
    active.ok_or_else(|| AppError::unauthorized("not_signed_in", "You are not signed in any more."))
}

/// `GET /logout`: asks first, so that no link or image can sign anybody out.
pub async fn ask_logout(State(app): State<App>, headers: HeaderMap) -> Result<Response> {
    let Some(active) = current_session(&app, &headers).await? else {
        return sso::signed_out(None);
    };
    let form = LogoutPage {
        form_token: active.form_token.clone(),
        action: "/logout".to_owned(),
        fields: Vec::new(),
        label: active.label(),
    };
    page::show_leading_away(&app.config, &form)
}

/// `POST /logout`.
pub async fn logout(
    State(app): State<App>,
    headers: HeaderMap,
    Form(form): Form<TokenForm>,
) -> Result<Response> {
    let Some(active) = current_session(&app, &headers).await? else {
        return Ok(browser::signed_out(&app.config, sso::signed_out(None)?));
    };
    browser::check_session_form(&app, &headers, &form.form_token)?;
    end(&app, &headers, &active, None).await
}

/// Ends the session and answers: on to the provider, to `after`, or to the page that says so. Clears the cookie.
///
/// # Errors
/// Those of the store.
pub async fn end(
    app: &App,
    headers: &HeaderMap,
    active: &ActiveSession,
    after: Option<String>,
) -> Result<Response> {
    let browser = Browser::of(app, headers)?;
    let departure = sign_out::sign_out(app, &active.session, &browser.secret, after.clone()).await?;
    let response = match departure {
        Some(departure) => page::depart(departure)?,
        None => sso::signed_out(after)?,
    };
    Ok(browser::signed_out(
        &app.config,
        browser.remember(&app.config, response),
    ))
}

/// `GET /password/{token}`: the form behind a one-time link. Opening it uses nothing up.
pub async fn show_new_password(
    State(app): State<App>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Result<Response> {
    let account = set_password::find(&app, &token).await?;
    let browser = Browser::of(&app, &headers)?;
    let form = new_password_page(&browser, account.email.as_ref().map(ToString::to_string), None);
    Ok(browser.remember(&app.config, page::show(&form)?))
}

/// `POST /password/{token}`: sets the password and signs the person in.
pub async fn set_new_password(
    State(app): State<App>,
    Path(token): Path<String>,
    headers: HeaderMap,
    Form(form): Form<NewPasswordForm>,
) -> Result<Response> {
    browser::check_form(&app, &headers, &form.form_token)?;
    let (password, repeat) = (SecretString::from(form.password), SecretString::from(form.repeat));
    let account = set_password::find(&app, &token).await?;
    if let Err(unfit) = set_password::judge(&password, &repeat, &account) {
        let browser = Browser::of(&app, &headers)?;
        let email = account.email.as_ref().map(ToString::to_string);
        let form = new_password_page(&browser, email, Some(unfit.to_string()));
        return page::show_with(StatusCode::UNPROCESSABLE_ENTITY, &form);
    }
    set_password::set(&app, &token, &account.id, password).await?;
    let browser = Browser::of(&app, &headers)?;
    let who = second_factor::sign_in_browser(&app, &headers, &browser);
    match password::proven(&app, &account, ReturnTo::Account, &who).await? {
        Entry::In(entered) => second_factor::enter(&app, &headers, entered).await,
        Entry::Half(token) => second_factor::ask(&app, &browser, &token),
        Entry::No => page::see_other("/login/password"),
    }
}

fn new_password_page(browser: &Browser, email: Option<String>, problem: Option<String>) -> SetPasswordPage {
    SetPasswordPage {
        form_token: browser.form_token(),
        email: email.unwrap_or_default(),
        minimum: passwords::MINIMUM,
        problem,
    }
}
