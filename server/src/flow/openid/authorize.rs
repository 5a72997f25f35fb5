//! `/oauth2/authorize`: an app asks who the person is.
//!
//! Owns the way of a request: checked, perhaps kept while the person signs in, answered with a code or a refusal.
//! Never signs a person in, and never sends anything to an address that is not proven to be the app's.

use std::borrow::Cow;
use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode};
use jiff::{SignedDuration, Timestamp};
use provost_kernel::directory::Account;
use provost_kernel::id::{ConnectionId, OrganizationId, TraceId};
use provost_kernel::trace::{SIGN_IN, Stage, Step as TraceStep, StepOutcome, Trace};
use provost_oidc::op::response::ReturnTo;
use provost_oidc::op::{AuthorizeRequest, Delivery, authorize, tokens};
use provost_oidc::{OAuthError, Params};
use provost_store::{Durability, Revisions, SessionRecord, StoreError, View, WaitingRequest};
use secrecy::ExposeSecret as _;

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::connection;
use crate::flow::departure::Departure;
use crate::flow::limits::Toll;
use crate::flow::openid::admission::Refusal;
use crate::flow::openid::applications::{self, Application};
use crate::flow::openid::step::{SessionFacts, Step, Wish, step};
use crate::flow::openid::view::{self, Unseen};
use crate::flow::openid::{code, keys};
use crate::flow::pending::{self, SignInHints};
use crate::flow::session::{ActiveSession, Arrival, arrival};

/// How long a request waits for its person.
const LIFETIME: SignedDuration = SignedDuration::from_mins(30);
/// Longest request in bytes, as encoded: it is kept while the person signs in, and anyone may send one.
const LONGEST: usize = 16 * 1024;
/// How often a browser may come back without a session before we stop sending it round in circles.
const MOST_RETURNS: i64 = 3;

/// A checked request with what belongs to it.
struct Asked {
    request: AuthorizeRequest,
    application: Arc<Application>,
    wish: Wish,
    at: Timestamp,
}

/// A request as it was read: good, or refused in a way that the app is told.
enum Read {
    Good(Box<Asked>),
    Refused(Departure),
}

/// Answers a request that came by a link or redirect.
///
/// # Errors
/// 400 with a page where the request is not provably the app's; those of the store.
pub async fn begin(app: &App, parameters: &str, arrival: &Arrival, toll: &Toll) -> Result<Departure> {
    let now = app.world.now();
    let session = arrival.session();
    let asked = match read(app, parameters, now, &arrival.revisions).await? {
        Read::Good(asked) => asked,
        Read::Refused(answer) => return Ok(answer),
    };
    match step(&asked.wish, session.map(facts).as_ref(), now, now) {
        Step::SignIn { .. } => {
            if let Some(error) = unknown_target(app, &asked.request, &arrival.revisions).await? {
                toll.pay_now(app).await?;
                return refuse(app, &asked.request.return_to, error);
            }
            let id = keep(app, &asked, parameters, 0, toll).await?;
            Ok(Departure::Redirect(sign_in_path(&asked.request, &id)))
        }
        Step::Refuse(error) => refuse(app, &asked.request.return_to, error),
        Step::Answer => answer(app, &asked, arrival, None).await,
    }
}

/// Answers a request that came by a form: keeps it and lets the browser fetch the answer, because a form of
/// another site does not bring our cookie along.
///
/// # Errors
/// As [`begin`].
pub async fn begin_posted(app: &App, parameters: &str, toll: &Toll) -> Result<Departure> {
    let revisions = arrival_of(app, None).await?.revisions;
    match read(app, parameters, app.world.now(), &revisions).await? {
        // That first return is of our own making.
        Read::Good(asked) => {
            let id = keep(app, &asked, parameters, -1, toll).await?;
            Ok(Departure::Redirect(pending::continue_path(&id)))
        }
        Read::Refused(answer) => Ok(answer),
    }
}

/// Goes on with a request whose person comes back from signing in.
///
/// # Errors
/// 400 with a page for a request that is unknown, answered or too old; as [`begin`].
pub async fn resume(app: &App, arrival: &Arrival) -> Result<Departure> {
    let now = app.world.now();
    let session = arrival.session();
    let waiting = arrival.waiting.as_ref().ok_or_else(gone)?;
    let id = waiting.id.as_str();
    // Read again: the registration may have changed meanwhile.
    let asked = match read(app, &waiting.parameters, waiting.asked_at, &arrival.revisions).await? {
        Read::Good(asked) => asked,
        Read::Refused(answer) => return Ok(answer),
    };
    match step(&asked.wish, session.map(facts).as_ref(), waiting.asked_at, now) {
        Step::SignIn { .. } if waiting.returns >= MOST_RETURNS => Err(AppError::bad_request(
            "cookies_missing",
            "Your browser did not keep the cookie of this sign-in. Allow cookies for this site, then go back to the \
             app and start again.",
        )),
        Step::SignIn { .. } => {
            if let Some(error) = unknown_target(app, &asked.request, &arrival.revisions).await? {
                return refuse(app, &asked.request.return_to, error);
            }
            let wanted = id.to_owned();
            app.store
                .write_round(Durability::Brief, move |tx| {
                    Box::pin(async move { tx.count_return(&wanted).await })
                })
                .await?;
            Ok(Departure::Redirect(sign_in_path(&asked.request, id)))
        }
        Step::Refuse(error) => refuse(app, &asked.request.return_to, error),
        Step::Answer => answer(app, &asked, arrival, Some(id)).await,
    }
}

/// Returns what the sign-in pages should know of a waiting request; none if it is unknown or too old.
///
/// # Errors
/// Those of the store.
pub async fn hints(app: &App, id: &str) -> Result<Option<SignInHints>> {
    hints_of(app, &arrival_of(app, Some(id)).await?).await
}

/// As [`hints`], of a request that was just looked up.
///
/// # Errors
/// As [`hints`].
pub async fn hints_of(app: &App, arrival: &Arrival) -> Result<Option<SignInHints>> {
    let Some(waiting) = &arrival.waiting else {
        return Ok(None);
    };
    let read = read(app, &waiting.parameters, waiting.asked_at, &arrival.revisions).await?;
    let Read::Good(asked) = read else {
        return Ok(None);
    };
    let request = &asked.request;
    Ok(Some(SignInHints {
        client_id: request.client_id.clone(),
        application: asked.application.name.clone(),
        login_hint: request.login_hint.clone(),
        domain_hint: request.domain_hint.clone(),
        connection: request.connection.clone(),
        organization: request.organization.clone(),
        force: request.prompt.login || request.max_age.is_some(),
        select_account: request.prompt.select_account,
        max_age: request.max_age.map(|age| age.as_secs()),
        acr_values: request.acr_values.clone(),
        asked_at: Some(waiting.asked_at),
    }))
}

/// Makes the page for a request that may not be answered to anyone.
pub fn problem(error: OAuthError) -> AppError {
    let text = format!(
        "The app that sent you here asked for something that cannot be done: {error}. Go back to the app and try \
         again; if that does not help, tell the people who run the app."
    );
    AppError::bad_request(error.code(), text)
}

fn gone() -> AppError {
    AppError::bad_request(
        "request_gone",
        "This sign-in is no longer open: it was finished already or took too long. Go back to the app and start again.",
    )
}

/// Looks up a waiting request and the revisions, for a browser whose session is of no matter.
async fn arrival_of(app: &App, waiting: Option<&str>) -> Result<Arrival> {
    arrival(app, &HeaderMap::new(), waiting).await
}

async fn read(app: &App, parameters: &str, at: Timestamp, revisions: &Revisions) -> Result<Read> {
    if parameters.len() > LONGEST {
        return Err(problem(OAuthError::ParameterTooLong));
    }
    let params = Params::parse(parameters.as_bytes());
    let client_id = authorize::client_id(&params).map_err(problem)?;
    let revision = revisions.of(applications::REVISION);
    let Some(application) = applications::find_at(app, client_id, revision).await? else {
        return Err(problem(OAuthError::ClientUnknown));
    };
    let request = match authorize::validate(&params, &application.client) {
        Ok(request) => request,
        Err(refused) => {
            return match refused.return_to {
                Some(return_to) => refuse(app, &return_to, refused.error).map(Read::Refused),
                None => Err(problem(refused.error)),
            };
        }
    };
    let account = match &request.id_token_hint {
        None => None,
        Some(token) => match hinted_account(app, token, &request.client_id).await? {
            Ok(account) => Some(account),
            Err(error) => return refuse(app, &request.return_to, error).map(Read::Refused),
        },
    };
    let wish = Wish {
        silent: request.prompt.none,
        anew: request.prompt.login || request.prompt.select_account,
        max_age: request.max_age.map(|age| age.as_secs()),
        connection: request.connection.as_deref().map(ConnectionId::new),
        account,
    };
    Ok(Read::Good(Box::new(Asked {
        request,
        application,
        wish,
        at,
    })))
}

/// An ID token that was made for another app says nothing here.
async fn hinted_account(app: &App, token: &str, client_id: &str) -> Result<Result<String, OAuthError>> {
    let ring = keys::ring(app).await?;
    Ok(
        match tokens::verify_id_token_hint(token, ring.public(), &app.config.issuer()) {
            Ok(hint) if hint.client_id == client_id => Ok(hint.sub),
            Ok(_) | Err(_) => Err(OAuthError::ParameterInvalid),
        },
    )
}

/// A connection or organization that does not exist would end on a page that says only "not found".
async fn unknown_target(
    app: &App,
    request: &AuthorizeRequest,
    revisions: &Revisions,
) -> Result<Option<OAuthError>> {
    if let Some(id) = &request.connection {
        let found = connection::find_at(app, id, revisions.of(connection::REVISION)).await;
        if found.is_err_and(|error| error.status() == StatusCode::NOT_FOUND) {
            return Ok(Some(OAuthError::ParameterInvalid));
        }
    }
    let Some(id) = request.organization.clone().map(OrganizationId::new) else {
        return Ok(None);
    };
    let found = app
        .store
        .read(|reader| Box::pin(async move { reader.organization(&id).await }))
        .await?;
    Ok(found.is_none().then_some(OAuthError::OrganizationNotAllowed))
}

async fn keep(app: &App, asked: &Asked, parameters: &str, returns: i64, toll: &Toll) -> Result<String> {
    let token = app.world.token("par_")?;
    let id = token.secret.expose_secret().to_owned();
    let request = WaitingRequest {
        id: id.clone(),
        client_id: asked.request.client_id.clone(),
        parameters: parameters.to_owned(),
        asked_at: asked.at,
        expires_at: asked.at.saturating_add(LIFETIME).unwrap_or(Timestamp::MAX),
        returns,
    };
    let (paying, now) = (toll.clone(), app.world.now());
    let kept = app
        .store
        .write_round(Durability::Brief, move |tx| {
            Box::pin(async move {
                paying.pay(tx, now);
                tx.put_waiting_request(&request);
                Ok(())
            })
        })
        .await;
    toll.outcome(kept)?;
    Ok(id)
}

fn sign_in_path(request: &AuthorizeRequest, id: &str) -> String {
    let path = match (&request.connection, &request.organization) {
        (Some(connection), _) => format!("/sso/{}/login", segment(connection)),
        (None, Some(organization)) => format!("/login/{}", segment(organization)),
        (None, None) => return pending::login_path(id),
    };
    format!("{path}?return_to={id}")
}

/// Writes an id as one segment of a path, whatever an app sent as id.
fn segment(id: &str) -> String {
    url::form_urlencoded::byte_serialize(id.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
}

fn facts(session: &SessionRecord) -> SessionFacts {
    SessionFacts {
        account: session.account.as_str().to_owned(),
        created_at: session.created_at,
        authenticated_at: session.authenticated_at,
        connection: session.connection.clone(),
    }
}

async fn answer(app: &App, asked: &Asked, arrival: &Arrival, waiting: Option<&str>) -> Result<Departure> {
    let (Some(ActiveSession { session, account, .. }), Some(view)) = (&arrival.active, &arrival.view) else {
        return refuse(app, &asked.request.return_to, OAuthError::LoginRequired);
    };
    let organization = asked.request.organization.clone().map(OrganizationId::new);
    let allowed = &asked.application.allowed;
    let view = usable(app, session, account, view).await?;
    match view::see((session, account, &view), allowed, organization.as_ref()) {
        Ok(_) => {
            let Some(code) = code::issue(app, &asked.request, session, waiting).await? else {
                return refuse(app, &asked.request.return_to, OAuthError::LoginRequired);
            };
            let issuer = app.config.issuer();
            Ok(departure(
                asked.request.return_to.success(&issuer, &code).map_err(problem)?,
            ))
        }
        Err(Unseen::Over) => refuse(app, &asked.request.return_to, OAuthError::LoginRequired),
        Err(Unseen::Refused(refusal)) => deny(app, asked, session, refusal, organization).await,
    }
}

/// Returns what this session gives of what its person has: all of it when a provider proved it, which is why nothing is
/// copied or asked then.
async fn usable<'a>(
    app: &App,
    session: &SessionRecord,
    account: &Account,
    view: &'a View,
) -> Result<Cow<'a, View>> {
    if session.connection.is_some() {
        return Ok(Cow::Borrowed(view));
    }
    let (session, account, mut view) = (session.clone(), account.clone(), view.clone());
    let kept = app.store.read(|reader| {
        Box::pin(async move {
            view::keep_usable(reader, &session, &account, &mut view).await?;
            Ok::<_, StoreError>(view)
        })
    });
    Ok(Cow::Owned(kept.await?))
}

/// Tells the app that it may not have this person, under a number by which an admin finds the reason.
async fn deny(
    app: &App,
    asked: &Asked,
    session: &SessionRecord,
    refusal: Refusal,
    organization: Option<OrganizationId>,
) -> Result<Departure> {
    let client_id = &asked.request.client_id;
    let (error, code, text) = match refusal {
        Refusal::NoOrganization => (
            OAuthError::AccessDenied,
            "no_organization_for_app",
            format!(
                "no live membership of this person is in reach of the session and of the app {client_id}"
            ),
        ),
        Refusal::OtherOrganization => (
            OAuthError::OrganizationNotAllowed,
            "organization_not_allowed",
            format!(
                "the app {client_id} asked for an organization that this session or the app does not reach"
            ),
        ),
    };
    let reference = app.world.reference()?;
    let trace = Trace {
        id: TraceId::new(reference.clone()),
        at: app.world.now(),
        kind: SIGN_IN.to_owned(),
        connection: session.connection.clone(),
        account: Some(session.account.clone()),
        steps: vec![TraceStep {
            stage: Stage::Organization,
            outcome: StepOutcome::Refused,
            code: code.to_owned(),
            organization,
            text,
            drift: None,
        }],
    };
    tracing::info!(code, reference, client_id, "app refused");
    app.store
        .write(move |tx| Box::pin(async move { tx.insert_trace(&trace, code, None) }))
        .await?;
    let issuer = app.config.issuer();
    let delivery = asked
        .request
        .return_to
        .refusal_with_reference(&issuer, error, &reference);
    Ok(departure(delivery.map_err(problem)?))
}

fn refuse(app: &App, return_to: &ReturnTo, error: OAuthError) -> Result<Departure> {
    tracing::debug!(code = error.code(), "authorization request refused");
    Ok(departure(
        return_to.refusal(&app.config.issuer(), error).map_err(problem)?,
    ))
}

fn departure(delivery: Delivery) -> Departure {
    match delivery {
        Delivery::Redirect(url) => Departure::Redirect(url.expose().to_owned()),
        Delivery::FormPost { action, fields } => Departure::Form {
            action,
            fields: fields
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.expose().to_owned()))
                .collect(),
        },
    }
}
