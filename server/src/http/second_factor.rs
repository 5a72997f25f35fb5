//! `/login/second`: the second step of a sign-in with a password. `/account/security`: setting second factors and recovery codes
//! up. Works without scripts.

use axum::Extension;
use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;

use crate::app::App;
use crate::cookie::Cookie;
use crate::error::{AppError, Result};
use crate::flow::half_sign_in::{self, Found, Tried};
use crate::flow::password::{Entered, SignInBrowser};
use crate::flow::second_factor::{self, Wish};
use crate::flow::session::{ActiveSession, current_session};
use crate::flow::{passkeys, totp};
use crate::http::browser::{self, Browser};
use crate::http::request::ClientAddress;
use crate::http::{page, sso};
use crate::pages::passkey::PasskeyForm;
use crate::pages::second_factor::{
    FactorRow, RecoveryCodesPage, SecondPage, SecurityPage, SetUpView, TotpPage,
};

/// Parameters of the second step.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct SecondQuery {
    failed: Option<String>,
}

/// The form with a code.
#[derive(Deserialize)]
pub struct CodeForm {
    #[serde(default)]
    form_token: String,
    #[serde(default)]
    code: String,
}

/// The form that sets an authenticator app up.
#[derive(Deserialize)]
pub struct TotpForm {
    #[serde(default)]
    form_token: String,
    #[serde(default)]
    secret: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    password: String,
}

/// A form that asks for the password again.
#[derive(Deserialize)]
pub struct PasswordAgainForm {
    #[serde(default)]
    form_token: String,
    #[serde(default)]
    password: String,
}

const WRONG_PASSWORD: &str = "That password is not right.";
const WRONG_CODE: &str =
    "That code is not right, or it was used before. Wait for the next one and try again.";

/// Reads what a sign-in with a password knows of the browser.
pub fn sign_in_browser(app: &App, headers: &HeaderMap, browser: &Browser) -> SignInBrowser {
    SignInBrowser {
        secret: browser.secret.clone(),
        device: Cookie::Device.read(&app.config, headers),
    }
}

/// Gives the browser its session, and has the account known from it.
///
/// # Errors
/// Those of the store.
pub async fn enter(app: &App, headers: &HeaderMap, entered: Entered) -> Result<Response> {
    let device = entered.device;
    let response = sso::arrive(app, headers, entered.admitted).await?;
    Ok(browser::known(&app.config, response, &device))
}

/// Sends the browser to the second step.
///
/// # Errors
/// 500 when the answer cannot be written.
pub fn ask(app: &App, browser: &Browser, token: &SecretString) -> Result<Response> {
    let response = page::see_other("/login/second")?;
    let response = browser.remember(&app.config, response);
    Ok(browser::half_signed_in(&app.config, response, token))
}

/// `GET /login/second`.
pub async fn show(
    State(app): State<App>,
    headers: HeaderMap,
    Query(query): Query<SecondQuery>,
) -> Result<Response> {
    let browser = Browser::of(&app, &headers)?;
    let problem = query
        .failed
        .map(|_| "That passkey was not taken. Try again, or use a code.".to_owned());
    let Some((_, found)) = waiting(&app, &headers, &browser).await? else {
        return page::see_other("/login");
    };
    second_response(&app, &second_page(&app, &browser, &found, problem)?)
}

/// Only where a passkey can be asked for does a script run.
fn second_response(app: &App, shown: &SecondPage) -> Result<Response> {
    if shown.passkey.is_some() {
        page::show_with_script(&app.config, shown)
    } else {
        page::show_leading_away(&app.config, shown)
    }
}

/// `POST /login/second`.
pub async fn submit(
    State(app): State<App>,
    headers: HeaderMap,
    Form(form): Form<CodeForm>,
) -> Result<Response> {
    browser::check_form(&app, &headers, &form.form_token)?;
    let browser = Browser::of(&app, &headers)?;
    let Some((token, found)) = waiting(&app, &headers, &browser).await? else {
        return page::see_other("/login");
    };
    let who = sign_in_browser(&app, &headers, &browser);
    let problem = match half_sign_in::complete(&app, &token, &who, &form.code).await? {
        Tried::In(entered) => {
            let response = enter(&app, &headers, entered).await?;
            return Ok(browser::half_signed_out(&app.config, response));
        }
        Tried::Gone => return page::see_other("/login"),
        Tried::Wrong => WRONG_CODE,
        Tried::Refused => {
            // The same words as for a wrong password.
            "E-mail or password is not right, or this account signs in through its company."
        }
    };
    let shown = second_page(&app, &browser, &found, Some(problem.to_owned()))?;
    let mut response = second_response(&app, &shown)?;
    *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    Ok(response)
}

async fn waiting(app: &App, headers: &HeaderMap, browser: &Browser) -> Result<Option<(String, Found)>> {
    let Some(token) = Cookie::Half.read(&app.config, headers) else {
        return Ok(None);
    };
    let found = half_sign_in::find(app, &token, &browser.secret).await?;
    Ok(found.map(|found| (token, found)))
}

fn second_page(app: &App, browser: &Browser, found: &Found, problem: Option<String>) -> Result<SecondPage> {
    let email = found
        .account
        .email
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let set_up = match &found.enroll {
        Some(secret) if found.factors.is_empty() => Some(set_up_view(totp::set_up(secret, &email)?)),
        Some(_) | None => None,
    };
    let known = passkeys::known(&found.factors);
    let passkey = passkeys::host(app)
        .filter(|_| !known.is_empty())
        .map(|host| PasskeyForm {
            action: "/login/second/passkey".to_owned(),
            kind: "second",
            pending: String::new(),
            challenge: URL_SAFE_NO_PAD.encode(&found.challenge),
            host: host.to_owned(),
            known,
        });
    Ok(SecondPage {
        form_token: browser.form_token(),
        email,
        asks_for_code: set_up.is_some() || found.recovery_codes > 0 || second_factor::has_app(&found.factors),
        set_up,
        passkey,
        recovery_codes: found.recovery_codes > 0,
        login_path: found.return_to.carry("/login"),
        problem,
    })
}

/// `GET /account/security`.
pub async fn security(State(app): State<App>, headers: HeaderMap) -> Result<Response> {
    let Some(active) = current_session(&app, &headers).await? else {
        return page::see_other("/login");
    };
    page::show(&security_page(&app, &active, None).await?)
}

async fn security_page(app: &App, active: &ActiveSession, problem: Option<String>) -> Result<SecurityPage> {
    let overview = second_factor::overview(app, active).await?;
    Ok(SecurityPage {
        form_token: active.form_token.clone(),
        factors: overview
            .factors
            .into_iter()
            .map(|factor| FactorRow {
                is_passkey: second_factor::is_passkey(&factor),
                id: factor.id,
                label: factor.label,
                used: factor.last_used_at.map(|at| (at.to_string(), day(at))),
                since: factor.created_at.to_string(),
                since_text: day(factor.created_at),
            })
            .collect(),
        passkeys: passkeys::host(app).is_some(),
        recovery_codes: overview.recovery_codes,
        problem,
    })
}

/// The same in all languages.
fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

/// `GET /account/security/totp`: a new secret to scan.
pub async fn show_totp(State(app): State<App>, headers: HeaderMap) -> Result<Response> {
    let Some(active) = current_session(&app, &headers).await? else {
        return page::see_other("/login");
    };
    second_factor::overview(&app, &active).await?;
    let secret = app.world.bytes::<20>()?;
    page::show(&totp_page(&active, &secret, None)?)
}

fn totp_page(active: &ActiveSession, secret: &[u8; 20], problem: Option<String>) -> Result<TotpPage> {
    Ok(TotpPage {
        form_token: active.form_token.clone(),
        kept: STANDARD.encode(secret),
        set_up: set_up_view(totp::set_up(secret, &active.label())?),
        problem,
    })
}

/// `POST /account/security/totp`. The secret comes back from the page: it is the person's own, and proves nothing until a code
/// of it and her password are right.
pub async fn add_totp(
    State(app): State<App>,
    Extension(client): Extension<ClientAddress>,
    headers: HeaderMap,
    Form(form): Form<TotpForm>,
) -> Result<Response> {
    let active = signed_in(&app, &headers).await?;
    browser::check_session_form(&app, &headers, &form.form_token)?;
    let secret: [u8; 20] = STANDARD
        .decode(&form.secret)
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| {
            AppError::bad_request("parameter_missing", "The form is not complete. Start again.")
        })?;
    let password = SecretString::from(form.password);
    let wish =
        second_factor::add_totp(&app, &active, password, &secret, &form.code, &client.limit_key()).await?;
    let problem = match wish {
        Wish::Done(()) => return page::see_other("/account/security"),
        Wish::WrongPassword => WRONG_PASSWORD,
        Wish::WrongCode => WRONG_CODE,
    };
    let shown = totp_page(&active, &secret, Some(problem.to_owned()))?;
    page::show_with(StatusCode::UNPROCESSABLE_ENTITY, &shown)
}

/// `POST /account/security/factors/{factor}/remove`.
pub async fn remove(
    State(app): State<App>,
    Extension(client): Extension<ClientAddress>,
    Path(factor): Path<String>,
    headers: HeaderMap,
    Form(form): Form<PasswordAgainForm>,
) -> Result<Response> {
    let active = signed_in(&app, &headers).await?;
    browser::check_session_form(&app, &headers, &form.form_token)?;
    let password = SecretString::from(form.password);
    match second_factor::remove(&app, &active, password, &factor, &client.limit_key()).await? {
        Wish::Done(()) => page::see_other("/account/security"),
        Wish::WrongPassword | Wish::WrongCode => {
            let shown = security_page(&app, &active, Some(WRONG_PASSWORD.to_owned())).await?;
            page::show_with(StatusCode::UNPROCESSABLE_ENTITY, &shown)
        }
    }
}

/// `POST /account/security/recovery-codes`: new ones, shown this once.
pub async fn make_recovery_codes(
    State(app): State<App>,
    Extension(client): Extension<ClientAddress>,
    headers: HeaderMap,
    Form(form): Form<PasswordAgainForm>,
) -> Result<Response> {
    let active = signed_in(&app, &headers).await?;
    browser::check_session_form(&app, &headers, &form.form_token)?;
    let password = SecretString::from(form.password);
    match second_factor::make_recovery_codes(&app, &active, password, &client.limit_key()).await? {
        Wish::Done(codes) => page::show(&RecoveryCodesPage { codes }),
        Wish::WrongPassword | Wish::WrongCode => {
            let shown = security_page(&app, &active, Some(WRONG_PASSWORD.to_owned())).await?;
            page::show_with(StatusCode::UNPROCESSABLE_ENTITY, &shown)
        }
    }
}

async fn signed_in(app: &App, headers: &HeaderMap) -> Result<ActiveSession> {
    let active = current_session(app, headers).await?;
    active.ok_or_else(|| AppError::unauthorized("not_signed_in", "You are not signed in any more."))
}

fn set_up_view(set_up: totp::SetUp) -> SetUpView {
    SetUpView {
        picture: format!("data:image/svg+xml;base64,{}", STANDARD.encode(set_up.picture)),
        secret: set_up.secret,
        address: set_up.address,
    }
}
