//! `/login/account`: several accounts fit the person who signed in, and she says which one is hers. Works without scripts.

use axum::extract::{Form, State};
use axum::http::HeaderMap;
use axum::response::Response;
use provost_kernel::id::AccountId;
use serde::Deserialize;

use crate::app::App;
use crate::cookie::Cookie;
use crate::error::Result;
use crate::flow::account_choice::{self, Offer, Question};
use crate::flow::outcome::SignIn;
use crate::http::browser::{self, Browser};
use crate::http::{page, sso};
use crate::pages::sign_in::{AccountChoicePage, AccountOffer};

/// The form with the choice.
#[derive(Deserialize)]
pub struct ChoiceForm {
    #[serde(default)]
    form_token: String,
    /// The account; empty for none of them.
    #[serde(default)]
    account: String,
}

/// Sends the browser to the choice.
///
/// # Errors
/// Those of the store.
pub async fn ask(app: &App, headers: &HeaderMap, question: Question) -> Result<Response> {
    let browser = Browser::of(app, headers)?;
    let token = account_choice::begin(app, &browser.secret, question).await?;
    let response = browser.remember(&app.config, page::see_other("/login/account")?);
    Ok(browser::half_signed_in(&app.config, response, &token))
}

/// `GET /login/account`.
pub async fn show(State(app): State<App>, headers: HeaderMap) -> Result<Response> {
    let browser = Browser::of(&app, &headers)?;
    let Some(token) = Cookie::Half.read(&app.config, &headers) else {
        return page::see_other("/login");
    };
    let Some(offers) = account_choice::offers(&app, &token, &browser.secret).await? else {
        return page::see_other("/login");
    };
    let shown = AccountChoicePage {
        form_token: browser.form_token(),
        offers: offers.into_iter().map(row).collect(),
    };
    page::show_leading_away(&app.config, &shown)
}

fn row(offer: Offer) -> AccountOffer {
    AccountOffer {
        id: offer.account.to_string(),
        name: offer.name,
        email: offer.email,
        kind: offer.kind,
        has_password: offer.has_password,
        organizations: offer.organizations.join(", "),
    }
}

/// `POST /login/account`.
pub async fn submit(
    State(app): State<App>,
    headers: HeaderMap,
    Form(form): Form<ChoiceForm>,
) -> Result<Response> {
    browser::check_form(&app, &headers, &form.form_token)?;
    let browser = Browser::of(&app, &headers)?;
    let Some(token) = Cookie::Half.read(&app.config, &headers) else {
        return page::see_other("/login");
    };
    let chosen = Some(form.account).filter(|id| !id.is_empty()).map(AccountId::new);
    let Some(outcome) = account_choice::settle(&app, &token, &browser.secret, chosen).await? else {
        return page::see_other("/login");
    };
    // Where others changed what fits, she is asked once more and has a new token already.
    let is_asked_again = matches!(outcome, SignIn::Ask(_));
    let response = sso::end(&app, &headers, outcome).await?;
    Ok(if is_asked_again {
        response
    } else {
        browser::half_signed_out(&app.config, response)
    })
}
