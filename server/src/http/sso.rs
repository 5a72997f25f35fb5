//! `/sso/{connection}/…`: leaving for an identity provider, its answers, its logout messages, our metadata.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, Query, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use provost_oidc::Params;
use serde::Deserialize;

use crate::app::App;
use crate::cookie::Cookie;
use crate::error::{AppError, Result};
use crate::flow::limits::{self, Limited, Toll};
use crate::flow::outcome::{Admitted, Refused, SignIn};
use crate::flow::return_to::ReturnTo;
use crate::flow::saml_login::Posted;
use crate::flow::saml_logout::{Arrived, Ended};
use crate::flow::session::{current_session, replace};
use crate::flow::sign_in::{self, Start, Started};
use crate::flow::step_up::Proved;
use crate::flow::{backchannel_logout, oidc_login, saml_login, saml_logout, sign_out, step_up};
use crate::http::browser::{self, Browser};
use crate::http::request::ClientAddress;
use crate::http::{account_choice, page};

/// Parameters of the beginning.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct StartQuery {
    return_to: String,
    login_hint: Option<String>,
}

/// `GET /sso/{connection}/login`: sends the browser to the identity provider.
pub async fn start(
    State(app): State<App>,
    Extension(client): Extension<ClientAddress>,
    Path(connection): Path<String>,
    Query(query): Query<StartQuery>,
    headers: HeaderMap,
) -> Result<Response> {
    let browser = Browser::of(&app, &headers)?;
    let start = Start {
        connection,
        return_to: ReturnTo::parse(&query.return_to),
        browser: browser.secret.clone(),
        login_hint: query.login_hint.filter(|hint| hint.len() <= 254),
        invitation: None,
        is_test: false,
        toll: Toll::new(Limited::Start, &client.limit_key()),
    };
    let started = sign_in::start(&app, start).await?;
    Ok(browser.remember(&app.config, leave(&app, started)?))
}

/// Answers the beginning of a sign-in.
///
/// # Errors
/// 500 when the answer cannot be written.
pub fn leave(_app: &App, started: Started) -> Result<Response> {
    match started {
        Started::Leaving(departure) => page::depart(departure),
        Started::Refused(refused) => refuse(&refused),
    }
}

/// Answers the end of a sign-in: the session's cookie and the way on, or the refusal page.
///
/// # Errors
/// Those of the store.
pub async fn end(app: &App, headers: &HeaderMap, outcome: SignIn) -> Result<Response> {
    match outcome {
        SignIn::Admitted(admitted) => arrive(app, headers, admitted).await,
        SignIn::Tested(back) => page::see_other(&back.location()),
        SignIn::Ask(question) => account_choice::ask(app, headers, *question).await,
        SignIn::Refused(refused) => refuse(&refused),
    }
}

/// Gives the browser its new session and sends it on.
///
/// # Errors
/// Those of the store.
pub async fn arrive(app: &App, headers: &HeaderMap, admitted: Admitted) -> Result<Response> {
    if admitted.return_to.is_again() {
        match step_up::settle(app, headers, &admitted).await? {
            Proved::Again => return page::see_other(&admitted.return_to.location()),
            Proved::SomebodyElse => {
                return Err(AppError::forbidden(
                    "somebody_else",
                    "You signed in as somebody else than the one who is signed in here. Nothing was done. \
                     Sign out first if you want to change accounts.",
                ));
            }
            Proved::New => {}
        }
    }
    replace(app, headers, &admitted.token).await?;
    let response = page::see_other(&admitted.return_to.location())?;
    Ok(browser::signed_in(&app.config, response, &admitted.token))
}

fn refuse(refused: &Refused) -> Result<Response> {
    page::show_with(StatusCode::FORBIDDEN, &refused.page())
}

/// `GET /sso/{connection}/saml/metadata`.
pub async fn saml_metadata(State(app): State<App>, Path(connection): Path<String>) -> Result<Response> {
    let xml = saml_login::our_metadata(&app, &connection).await?;
    Ok(([(header::CONTENT_TYPE, "application/samlmetadata+xml")], xml).into_response())
}

/// `POST /sso/{connection}/saml/acs`: the identity provider's answer, posted by the browser from another site.
pub async fn saml_acs(
    State(app): State<App>,
    Extension(client): Extension<ClientAddress>,
    Path(connection): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response> {
    let form = Params::parse(&body);
    let response = form
        .first("SAMLResponse")
        .ok_or_else(|| missing("SAMLResponse"))?;
    let posted = Posted {
        response: response.to_owned(),
        relay_state: form.first("RelayState").unwrap_or_default().to_owned(),
        browser: Cookie::Browser.read(&app.config, &headers),
        toll: Toll::new(Limited::Answer, &client.limit_key()),
    };
    let outcome = saml_login::finish(&app, &connection, posted).await?;
    end(&app, &headers, outcome).await
}

/// `GET /sso/{connection}/saml/slo`: a logout message by redirect.
pub async fn saml_slo_redirect(
    State(app): State<App>,
    Extension(client): Extension<ClientAddress>,
    Path(connection): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response> {
    limits::count(&app, Limited::Answer, &client.limit_key()).await?;
    let query = query.unwrap_or_default();
    let params = Params::parse(query.as_bytes());
    saml_slo(
        &app,
        &connection,
        &headers,
        &params,
        Arrived::Redirect { query: query.clone() },
    )
    .await
}

/// `POST /sso/{connection}/saml/slo`: a logout message by form.
pub async fn saml_slo_post(
    State(app): State<App>,
    Extension(client): Extension<ClientAddress>,
    Path(connection): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response> {
    limits::count(&app, Limited::Answer, &client.limit_key()).await?;
    let params = Params::parse(&body);
    let message = params
        .first("SAMLRequest")
        .or_else(|| params.first("SAMLResponse"))
        .unwrap_or_default()
        .to_owned();
    saml_slo(&app, &connection, &headers, &params, Arrived::Post { message }).await
}

async fn saml_slo(
    app: &App,
    connection: &str,
    headers: &HeaderMap,
    params: &Params,
    arrived: Arrived,
) -> Result<Response> {
    let relay_state = params.first("RelayState").map(str::to_owned);
    let ended = if params.first("SAMLRequest").is_some() {
        saml_logout::request(app, connection, arrived, relay_state).await?
    } else if params.first("SAMLResponse").is_some() {
        let browser = Cookie::Browser.read(&app.config, headers);
        saml_logout::response(
            app,
            connection,
            arrived,
            &relay_state.unwrap_or_default(),
            browser.as_deref(),
        )
        .await?
    } else {
        return Err(missing("SAMLRequest or SAMLResponse"));
    };
    let response = match ended {
        Ended::Answering(departure) => page::depart(departure)?,
        Ended::SignedOut(after) => signed_out(after)?,
        Ended::Refused(refused) => return refuse(&refused),
    };
    // The cookie of a session that has just ended opens nothing any more; a session of somebody else stays.
    let is_still_in = current_session(app, headers).await?.is_some();
    Ok(if is_still_in {
        response
    } else {
        browser::signed_out(&app.config, response)
    })
}

/// Shows that the person is signed out, or sends her to the app that asked for it.
///
/// # Errors
/// 500 when the answer cannot be written.
pub fn signed_out(after: Option<String>) -> Result<Response> {
    match after {
        Some(url) => page::see_other(&url),
        None => page::show(&crate::pages::sign_in::SignedOutPage {
            text: "Your session here has ended, and so has the one in every app that you opened with it."
                .to_owned(),
        }),
    }
}

/// `GET /sso/{connection}/oidc/callback`: the answer in the query.
pub async fn oidc_callback(
    State(app): State<App>,
    Extension(client): Extension<ClientAddress>,
    Path(connection): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response> {
    let params = Params::parse(query.unwrap_or_default().as_bytes());
    oidc_end(&app, client, &connection, params, &headers).await
}

/// `POST /sso/{connection}/oidc/callback`: the answer as a form (`response_mode=form_post`).
pub async fn oidc_callback_post(
    State(app): State<App>,
    Extension(client): Extension<ClientAddress>,
    Path(connection): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response> {
    oidc_end(&app, client, &connection, Params::parse(&body), &headers).await
}

async fn oidc_end(
    app: &App,
    client: ClientAddress,
    connection: &str,
    params: Params,
    headers: &HeaderMap,
) -> Result<Response> {
    let browser = Cookie::Browser.read(&app.config, headers);
    let toll = Toll::new(Limited::Answer, &client.limit_key());
    let outcome = oidc_login::finish(app, connection, params, browser, toll).await?;
    end(app, headers, outcome).await
}

/// `GET /sso/{connection}/oidc/logged-out`: back from the provider's logout.
pub async fn oidc_logged_out(
    State(app): State<App>,
    Path(connection): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response> {
    let params = Params::parse(query.unwrap_or_default().as_bytes());
    let state = params.first("state").unwrap_or_default();
    let browser = Cookie::Browser.read(&app.config, &headers);
    signed_out(sign_out::back_from_oidc(&app, &connection, state, browser.as_deref()).await?)
}

/// `POST /sso/{connection}/oidc/backchannel-logout`: a logout token, sent by the provider itself.
pub async fn oidc_backchannel_logout(
    State(app): State<App>,
    Extension(client): Extension<ClientAddress>,
    Path(connection): Path<String>,
    body: Bytes,
) -> Result<StatusCode> {
    limits::count(&app, Limited::Answer, &client.limit_key()).await?;
    let form = Params::parse(&body);
    let token = form
        .first("logout_token")
        .ok_or_else(|| missing("logout_token"))?;
    backchannel_logout::receive(&app, &connection, token).await?;
    Ok(StatusCode::OK)
}

fn missing(name: &str) -> AppError {
    AppError::bad_request("parameter_missing", format!("The request lacks {name}."))
}
