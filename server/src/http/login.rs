//! `/login`, `/login/password` and `/login/{organization}`.

use axum::Extension;
use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use provost_kernel::email::Email;
use secrecy::SecretString;
use serde::Deserialize;
use url::form_urlencoded;

use crate::app::App;
use crate::error::Result;
use crate::flow::discovery::{self, ConnectionSummary};
use crate::flow::hints;
use crate::flow::limits::{self, Limited, Toll};
use crate::flow::passkeys;
use crate::flow::password::{self, Attempt, Entry};
use crate::flow::pending::SignInHints;
use crate::flow::return_to::ReturnTo;
use crate::flow::session::current_session;
use crate::flow::sign_in::{self, Start};
use crate::http::browser::{self, Browser};
use crate::http::page;
use crate::http::request::ClientAddress;
use crate::http::second_factor;
use crate::http::sso;
use crate::pages::sign_in::{Choice, ChoosePage, LoginPage, PasswordPage};

/// Parameters of the sign-in pages.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct LoginQuery {
    return_to: String,
    email: String,
}

/// The form with the work e-mail.
#[derive(Deserialize)]
pub struct EmailForm {
    #[serde(default)]
    form_token: String,
    #[serde(default)]
    return_to: String,
    email: String,
}

/// The form with the password.
#[derive(Deserialize)]
pub struct PasswordForm {
    #[serde(default)]
    form_token: String,
    #[serde(default)]
    return_to: String,
    email: String,
    password: String,
}

/// `GET /`: nobody looks for a sign-in page by its exact address first.
pub async fn front() -> Result<Response> {
    page::see_other("/login")
}

/// `GET /login`: asks for the work e-mail, or goes on at once where the app already said enough.
pub async fn show(
    State(app): State<App>,
    headers: HeaderMap,
    Query(query): Query<LoginQuery>,
) -> Result<Response> {
    let return_to = ReturnTo::parse(&query.return_to);
    if return_to == ReturnTo::Account && current_session(&app, &headers).await?.is_some() {
        return page::see_other("/account");
    }
    let hints = hints::of(&app, &return_to).await?;
    if let Some(target) = forward(&app, &hints, &return_to).await? {
        return page::see_other(&target);
    }
    let browser = Browser::of(&app, &headers)?;
    let application = application_of(&hints);
    let email = hints.login_hint.unwrap_or(query.email);
    let form = login_page(&browser, &return_to, email, application, None);
    Ok(browser.remember(&app.config, page::show_leading_away(&app.config, &form)?))
}

/// Finds where to go without asking: the connection, organization, address or domain that the app named.
async fn forward(app: &App, hints: &SignInHints, return_to: &ReturnTo) -> Result<Option<String>> {
    if hints.select_account {
        return Ok(None);
    }
    if let Some(connection) = &hints.connection {
        return Ok(Some(
            return_to.carry(&format!("/sso/{}/login", segment(connection))),
        ));
    }
    let email = hints
        .login_hint
        .as_deref()
        .and_then(|hint| Email::parse(hint).ok());
    let served = match (&email, &hints.domain_hint) {
        (Some(email), _) => discovery::by_email(app, email).await?,
        (None, Some(domain)) => discovery::by_domain(app, domain).await?,
        (None, None) => Vec::new(),
    };
    if let [only] = served.as_slice() {
        return Ok(Some(
            return_to.carry(&format!("/sso/{}/login", segment(only.id.as_str()))),
        ));
    }
    let organization = hints.organization.as_ref().filter(|_| served.is_empty());
    Ok(organization.map(|slug| return_to.carry(&format!("/login/{}", segment(slug)))))
}

/// `POST /login`: from the address to the provider that serves it, or to the password form.
pub async fn submit(
    State(app): State<App>,
    Extension(client): Extension<ClientAddress>,
    headers: HeaderMap,
    Form(form): Form<EmailForm>,
) -> Result<Response> {
    browser::check_form(&app, &headers, &form.form_token)?;
    limits::count(&app, Limited::Discovery, &client.limit_key()).await?;
    let browser = Browser::of(&app, &headers)?;
    let return_to = ReturnTo::parse(&form.return_to);
    let typed = form.email.trim();
    let Ok(email) = Email::parse(typed) else {
        let problem = Some(
            "That is not an e-mail address that can be used here. Check it for typing errors.".to_owned(),
        );
        let application = application_of(&hints::of(&app, &return_to).await?);
        let form = login_page(
            &browser,
            &return_to,
            typed.chars().take(254).collect(),
            application,
            problem,
        );
        let response = page::show_leading_away(&app.config, &form)?;
        return Ok(with_status(response, StatusCode::UNPROCESSABLE_ENTITY));
    };
    let served = discovery::by_email(&app, &email).await?;
    let demand = discovery::demand(&app, email.domain()).await?;
    match served.as_slice() {
        // Whoever may use a password nevertheless knows where the form is; the page is the same for all of the domain.
        [] if demand.is_some() => page::show(&ChoosePage {
            organization: demand,
            connections: Vec::new(),
            email: String::new(),
            password_path: None,
        }),
        [] => page::show_leading_away(
            &app.config,
            &password_page(&app, &browser, &return_to, email.to_string(), None),
        ),
        [only] => {
            let start = Start {
                connection: only.id.to_string(),
                return_to,
                browser: browser.secret,
                login_hint: Some(email.to_string()),
                invitation: None,
                is_test: false,
                toll: Toll::new(Limited::Start, &client.limit_key()),
            };
            sso::leave(&app, sign_in::start(&app, start).await?)
        }
        several => page::show(&ChoosePage {
            organization: None,
            connections: several
                .iter()
                .map(|one| choice(one, &return_to, Some(email.as_str())))
                .collect(),
            email: email.to_string(),
            password_path: demand.is_none().then(|| return_to.carry("/login/password")),
        }),
    }
}

/// `GET /login/{organization}`: one button for each identity provider.
pub async fn organization(
    State(app): State<App>,
    Path(slug): Path<String>,
    Query(query): Query<LoginQuery>,
) -> Result<Response> {
    let return_to = ReturnTo::parse(&query.return_to);
    let entrance = discovery::by_organization(&app, &slug).await?;
    page::show(&ChoosePage {
        organization: Some(entrance.name),
        email: String::new(),
        connections: entrance
            .connections
            .iter()
            .map(|one| choice(one, &return_to, None))
            .collect(),
        password_path: entrance.password.then(|| return_to.carry("/login/password")),
    })
}

/// `GET /login/password`: the password form.
pub async fn show_password(
    State(app): State<App>,
    headers: HeaderMap,
    Query(query): Query<LoginQuery>,
) -> Result<Response> {
    let browser = Browser::of(&app, &headers)?;
    let return_to = ReturnTo::parse(&query.return_to);
    let form = password_page(&app, &browser, &return_to, query.email, None);
    let response = page::show_leading_away(&app.config, &form)?;
    Ok(browser.remember(&app.config, response))
}

/// `POST /login/password`.
pub async fn submit_password(
    State(app): State<App>,
    Extension(client): Extension<ClientAddress>,
    headers: HeaderMap,
    Form(form): Form<PasswordForm>,
) -> Result<Response> {
    browser::check_form(&app, &headers, &form.form_token)?;
    let browser = Browser::of(&app, &headers)?;
    let return_to = ReturnTo::parse(&form.return_to);
    let attempt = Attempt {
        email: form.email.clone(),
        password: SecretString::from(form.password),
        return_to: return_to.clone(),
        client: client.limit_key(),
        browser: second_factor::sign_in_browser(&app, &headers, &browser),
    };
    match password::sign_in(&app, attempt).await? {
        Entry::In(entered) => return second_factor::enter(&app, &headers, entered).await,
        Entry::Half(token) => return second_factor::ask(&app, &browser, &token),
        Entry::No => {}
    }
    // One text for every cause, so that nothing is learned about the account.
    let problem = "E-mail or password is not right, or this account signs in through its company.".to_owned();
    let email = form.email.chars().take(254).collect();
    let form = password_page(&app, &browser, &return_to, email, Some(problem));
    let response = page::show_leading_away(&app.config, &form)?;
    Ok(with_status(response, StatusCode::UNPROCESSABLE_ENTITY))
}

fn application_of(hints: &SignInHints) -> Option<String> {
    (!hints.application.is_empty()).then(|| hints.application.clone())
}

fn login_page(
    browser: &Browser,
    return_to: &ReturnTo,
    email: String,
    continue_to: Option<String>,
    problem: Option<String>,
) -> LoginPage {
    LoginPage {
        form_token: browser.form_token(),
        return_to: return_to.parameter().to_owned(),
        email,
        continue_to,
        password_path: return_to.carry("/login/password"),
        problem,
    }
}

fn password_page(
    app: &App,
    browser: &Browser,
    return_to: &ReturnTo,
    email: String,
    problem: Option<String>,
) -> PasswordPage {
    PasswordPage {
        form_token: browser.form_token(),
        return_to: return_to.parameter().to_owned(),
        forgot_path: app.config.mail.is_on().then(|| return_to.carry("/login/forgot")),
        email,
        again: return_to.is_again(),
        passkey_path: passkeys::host(app).map(|_| return_to.carry("/login/passkey")),
        login_path: return_to.carry("/login"),
        problem,
    }
}

fn choice(connection: &ConnectionSummary, return_to: &ReturnTo, login_hint: Option<&str>) -> Choice {
    let mut path = format!("/sso/{}/login", segment(connection.id.as_str()));
    if let Some(hint) = login_hint {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("login_hint", hint)
            .finish();
        path = format!("{path}?{query}");
    }
    Choice {
        label: connection.name.clone(),
        path: return_to.carry(&path),
    }
}

/// Writes text as one segment of a path.
fn segment(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
}

fn with_status(mut response: Response, status: StatusCode) -> Response {
    *response.status_mut() = status;
    response
}
