//! `/login/passkey`, `/login/second/passkey` and `/account/security/passkeys`: passkeys. The only pages that need a script.

use axum::Extension;
use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use secrecy::SecretString;
use serde::Deserialize;

use crate::app::App;
use crate::cookie::Cookie;
use crate::error::{AppError, Result};
use crate::flow::half_sign_in::Tried;
use crate::flow::limits::{self, Limited, Toll};
use crate::flow::passkeys::{self, Made, NewPasskey, Signed};
use crate::flow::password::SignInBrowser;
use crate::flow::return_to::ReturnTo;
use crate::flow::second_factor::{self, Wish};
use crate::flow::session::{ActiveSession, current_session};
use crate::http::browser::{self, Browser};
use crate::http::page;
use crate::http::request::ClientAddress;
use crate::http::second_factor::{enter, sign_in_browser};
use crate::pages::passkey::{PasskeyForm, PasskeyLoginPage, PasskeyNewPage};

/// Parameters of the page.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct PasskeyQuery {
    return_to: String,
}

/// The form with a signature.
#[derive(Deserialize)]
pub struct SignedForm {
    #[serde(default)]
    form_token: String,
    #[serde(default)]
    pending: String,
    #[serde(flatten)]
    signed: Signed,
}

/// The form with a new passkey.
#[derive(Deserialize)]
pub struct MadeForm {
    #[serde(default)]
    form_token: String,
    #[serde(default)]
    pending: String,
    #[serde(default)]
    label: String,
    #[serde(default)]
    password: String,
    #[serde(flatten)]
    made: Made,
}

const NOT_TAKEN: &str = "That passkey was not taken. Try again, or sign in another way.";

/// `GET /login/passkey`.
pub async fn show(
    State(app): State<App>,
    Extension(client): Extension<ClientAddress>,
    headers: HeaderMap,
    Query(query): Query<PasskeyQuery>,
) -> Result<Response> {
    let browser = Browser::of(&app, &headers)?;
    let return_to = ReturnTo::parse(&query.return_to);
    let who = sign_in_browser(&app, &headers, &browser);
    let response = login_page(&app, &client, (&browser, &who), &return_to, None).await?;
    Ok(browser.remember(&app.config, response))
}

async fn login_page(
    app: &App,
    client: &ClientAddress,
    (browser, who): (&Browser, &SignInBrowser),
    return_to: &ReturnTo,
    problem: Option<String>,
) -> Result<Response> {
    let host = passkeys::host(app).ok_or_else(AppError::not_found)?.to_owned();
    let toll = Toll::new(Limited::Start, &client.limit_key());
    let ceremony = passkeys::begin_sign_in(app, who, return_to, &toll).await?;
    let shown = PasskeyLoginPage {
        form_token: browser.form_token(),
        passkey: PasskeyForm {
            action: return_to.carry("/login/passkey"),
            kind: "alone",
            pending: passkeys::shown(&ceremony),
            challenge: ceremony.challenge,
            host,
            known: String::new(),
        },
        password_path: return_to.carry("/login/password"),
        problem,
    };
    page::show_with_script(&app.config, &shown)
}

/// `POST /login/passkey`.
pub async fn submit(
    State(app): State<App>,
    Extension(client): Extension<ClientAddress>,
    headers: HeaderMap,
    Query(query): Query<PasskeyQuery>,
    Form(form): Form<SignedForm>,
) -> Result<Response> {
    browser::check_form(&app, &headers, &form.form_token)?;
    limits::count(&app, Limited::PasswordByClient, &client.limit_key()).await?;
    let browser = Browser::of(&app, &headers)?;
    let who = sign_in_browser(&app, &headers, &browser);
    match passkeys::sign_in(&app, &form.pending, &who, &form.signed).await? {
        Tried::In(entered) => enter(&app, &headers, entered).await,
        Tried::Wrong | Tried::Refused | Tried::Gone => {
            // One text for every cause, so that nothing is learned about accounts.
            let problem = Some(NOT_TAKEN.to_owned());
            let return_to = ReturnTo::parse(&query.return_to);
            let mut response = login_page(&app, &client, (&browser, &who), &return_to, problem).await?;
            *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
            Ok(response)
        }
    }
}

/// `POST /login/second/passkey`.
pub async fn submit_second(
    State(app): State<App>,
    headers: HeaderMap,
    Form(form): Form<SignedForm>,
) -> Result<Response> {
    browser::check_form(&app, &headers, &form.form_token)?;
    let browser = Browser::of(&app, &headers)?;
    let who = sign_in_browser(&app, &headers, &browser);
    let token = Cookie::Half.read(&app.config, &headers).unwrap_or_default();
    match passkeys::complete(&app, &token, &who, &form.signed).await? {
        Tried::In(entered) => {
            let response = enter(&app, &headers, entered).await?;
            Ok(browser::half_signed_out(&app.config, response))
        }
        Tried::Wrong | Tried::Refused => page::see_other("/login/second?failed=1"),
        Tried::Gone => page::see_other("/login"),
    }
}

/// `GET /account/security/passkeys`.
pub async fn show_new(State(app): State<App>, headers: HeaderMap) -> Result<Response> {
    let Some(active) = current_session(&app, &headers).await? else {
        return page::see_other("/login");
    };
    let browser = Browser::of(&app, &headers)?;
    let response = new_page(&app, &headers, &browser, &active, None).await?;
    Ok(browser.remember(&app.config, response))
}

async fn new_page(
    app: &App,
    headers: &HeaderMap,
    browser: &Browser,
    active: &ActiveSession,
    problem: Option<String>,
) -> Result<Response> {
    let host = passkeys::host(app).ok_or_else(AppError::not_found)?.to_owned();
    let factors = second_factor::overview(app, active).await?.factors;
    let who = sign_in_browser(app, headers, browser);
    let ceremony = passkeys::begin_making(app, active, &who).await?;
    let shown = PasskeyNewPage {
        form_token: active.form_token.clone(),
        pending: passkeys::shown(&ceremony),
        challenge: ceremony.challenge,
        host,
        user: active.account.id.as_str().to_owned(),
        name: active.label(),
        known: passkeys::known(&factors),
        problem,
    };
    page::show_with_script(&app.config, &shown)
}

/// `POST /account/security/passkeys`.
pub async fn make(
    State(app): State<App>,
    Extension(client): Extension<ClientAddress>,
    headers: HeaderMap,
    Form(form): Form<MadeForm>,
) -> Result<Response> {
    let active = current_session(&app, &headers).await?;
    let active =
        active.ok_or_else(|| AppError::unauthorized("not_signed_in", "You are not signed in any more."))?;
    browser::check_session_form(&app, &headers, &form.form_token)?;
    let browser = Browser::of(&app, &headers)?;
    let new = NewPasskey {
        token: form.pending,
        made: form.made,
        label: form.label,
    };
    let who = sign_in_browser(&app, &headers, &browser);
    let password = SecretString::from(form.password);
    match passkeys::make(&app, &active, password, &who, new, &client.limit_key()).await? {
        Wish::Done(()) => page::see_other("/account/security"),
        Wish::WrongPassword | Wish::WrongCode => {
            let problem = Some("That password is not right.".to_owned());
            let mut response = new_page(&app, &headers, &browser, &active, problem).await?;
            *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
            Ok(response)
        }
    }
}
