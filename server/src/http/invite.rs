//! `/invite/{token}`: where an invitation leads. Works before the person has ever signed in.

use axum::Extension;
use axum::extract::{Form, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use provost_kernel::directory::Authentication;
use secrecy::SecretString;
use serde::Deserialize;

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::invitations::{self, Open};
use crate::flow::limits::{self, Limited, Toll};
use crate::flow::password::Entry;
use crate::flow::return_to::ReturnTo;
use crate::flow::sign_in::{self, Start};
use crate::flow::{password, passwords, set_password};
use crate::http::browser::{self, Browser};
use crate::http::request::ClientAddress;
use crate::http::{page, second_factor, sso};
use crate::pages::sign_in::InvitePage;

/// The form: a first password, or nothing for people who sign in through their company.
#[derive(Deserialize)]
pub struct InviteForm {
    #[serde(default)]
    form_token: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    repeat: String,
}

/// `GET /invite/{token}`: says who invites whom. Opening uses nothing up.
pub async fn show(
    State(app): State<App>,
    Extension(client): Extension<ClientAddress>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Result<Response> {
    limits::count(&app, Limited::Invitation, &client.limit_key()).await?;
    let open = invitations::open(&app, &token).await?;
    let browser = Browser::of(&app, &headers)?;
    let response = page::show_leading_away(&app.config, &invite_page(&browser, &open, None))?;
    Ok(browser.remember(&app.config, response))
}

/// `POST /invite/{token}`: sets the first password and signs in, or leaves for the provider.
pub async fn accept(
    State(app): State<App>,
    Extension(client): Extension<ClientAddress>,
    Path(token): Path<String>,
    headers: HeaderMap,
    Form(form): Form<InviteForm>,
) -> Result<Response> {
    browser::check_form(&app, &headers, &form.form_token)?;
    limits::count(&app, Limited::Invitation, &client.limit_key()).await?;
    let open = invitations::open(&app, &token).await?;
    let browser = Browser::of(&app, &headers)?;
    if let Authentication::Sso { connection } = &open.account.authentication {
        let start = Start {
            connection: connection.as_str().to_owned(),
            return_to: ReturnTo::Account,
            browser: browser.secret,
            login_hint: Some(open.invitation.email.to_string()),
            invitation: Some(open.invitation.id),
            is_test: false,
            toll: Toll::new(Limited::Start, &client.limit_key()),
        };
        return sso::leave(&app, sign_in::start(&app, start).await?);
    }
    let (password, repeat) = (SecretString::from(form.password), SecretString::from(form.repeat));
    if let Err(unfit) = set_password::judge(&password, &repeat, &open.account) {
        let form = invite_page(&browser, &open, Some(unfit.to_string()));
        return page::show_with(StatusCode::UNPROCESSABLE_ENTITY, &form);
    }
    invitations::accept(&app, &token, &open.account.id, password).await?;
    let known = second_factor::sign_in_browser(&app, &headers, &browser);
    match password::proven(&app, &open.account, ReturnTo::Account, &known).await? {
        Entry::In(entered) => second_factor::enter(&app, &headers, entered).await,
        Entry::Half(token) => second_factor::ask(&app, &browser, &token),
        Entry::No => Err(AppError::forbidden(
            "not_admitted",
            "Your password is set, but your account may not sign in at the moment. Ask an administrator.",
        )),
    }
}

fn invite_page(browser: &Browser, open: &Open, problem: Option<String>) -> InvitePage {
    InvitePage {
        form_token: browser.form_token(),
        organization: open.organization.clone(),
        email: open.invitation.email.to_string(),
        connection: open.connection.clone(),
        minimum: passwords::MINIMUM,
        problem,
    }
}
