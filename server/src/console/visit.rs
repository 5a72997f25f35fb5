//! Who visits which page, as extractors: a handler that takes one of these is reached only by those who may.
//!
//! Rights are read from the directory at each request. Who may not see an organization is answered alike whether it exists
//! or not.

use std::collections::HashMap;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use provost_kernel::facts::OrganizationFacts;
use url::{Url, form_urlencoded};

use super::page;
use super::shell::{Look, Place, Refused, Shell};
use crate::app::App;
use crate::error::AppError;
use crate::flow::api_keys::Caller;
use crate::flow::console::standing::{self, Standing};
use crate::flow::return_to::ReturnTo;
use crate::flow::session::{ActiveSession, current_session};
use crate::flow::step_up;
use crate::http;

/// What handlers of the console return.
pub type Outcome = std::result::Result<Response, Stop>;

/// Why there is no page: an error, or another answer.
#[derive(Debug)]
pub enum Stop {
    /// An error.
    Error(AppError),
    /// Another answer, such as the way to sign in.
    Answer(Box<Response>),
}

impl<E: Into<AppError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

impl IntoResponse for Stop {
    fn into_response(self) -> Response {
        match self {
            Self::Error(error) => error.into_response(),
            Self::Answer(response) => *response,
        }
    }
}

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// The session and whose it is.
    pub active: ActiveSession,
    /// How pages look.
    pub look: Look,
    /// The address of this page, with its query.
    pub path: String,
    /// The page that she sees: this one, or the one whose form was sent.
    pub seen: String,
}

impl Visitor {
    /// Begins a page outside of organizations.
    pub fn shell(&self, place: Place) -> Shell {
        Shell::new(self, place)
    }

    /// Returns the page that says no.
    fn refused(&self, status: StatusCode, reason: &'static str, again: Option<String>) -> Stop {
        let page = Refused {
            shell: self.shell(Place::None),
            reason: self.look.language.text(reason),
            again,
        };
        match page::show_with(status, &page) {
            Ok(response) => Stop::Answer(Box::new(response)),
            Err(stop) => stop,
        }
    }

    /// Holds up what is dangerous until the person has proved lately who she is.
    ///
    /// # Errors
    /// The page that asks for it.
    pub fn must_be_fresh(&self, app: &App) -> Result<(), Stop> {
        if step_up::is_fresh(&self.active.session, app.world.now()) {
            return Ok(());
        }
        let to: String = form_urlencoded::byte_serialize(self.seen.as_bytes()).collect();
        let again = format!("/account/confirm?to={to}");
        Err(self.refused(StatusCode::FORBIDDEN, "refused.not_fresh", Some(again)))
    }
}

impl FromRequestParts<App> for Visitor {
    type Rejection = Stop;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        let Some(active) = current_session(app, &parts.headers).await? else {
            let login = http::page::see_other(&ReturnTo::Console.carry("/login"))?;
            return Err(Stop::Answer(Box::new(login)));
        };
        let path = parts
            .uri
            .path_and_query()
            .map_or_else(|| "/console".to_owned(), ToString::to_string);
        let seen = if parts.method == Method::GET {
            path.clone()
        } else {
            form_page(app, &parts.headers).unwrap_or_else(|| "/console".to_owned())
        };
        Ok(Self {
            active,
            look: Look::of(&app.config, &parts.headers),
            path,
            seen,
        })
    }
}

/// Finds the page whose form was sent. It is only a place to come back to: our pages send the address to ourselves
/// (`Referrer-Policy: same-origin`), and what is none of ours is left out.
fn form_page(app: &App, headers: &HeaderMap) -> Option<String> {
    let sender = Url::parse(headers.get(header::REFERER)?.to_str().ok()?).ok()?;
    if sender.origin() != app.config.public_url.origin() {
        return None;
    }
    Some(match sender.query() {
        Some(query) => format!("{}?{query}", sender.path()),
        None => sender.path().to_owned(),
    })
}

/// Somebody who manages the organization of this address.
#[derive(Clone, Debug)]
pub struct Manager {
    /// Who.
    pub visitor: Visitor,
    /// The organization with what it hands out.
    pub organization: OrganizationFacts,
    /// As what.
    pub standing: Standing,
    /// The same, for flows.
    pub caller: Caller,
}

impl Manager {
    /// Begins a page of this organization.
    pub fn shell(&self, place: Place) -> Shell {
        let mut shell = self.visitor.shell(place);
        let organization = &self.organization.organization;
        shell.organization_name.clone_from(&organization.name);
        shell.base = self.base();
        shell.standing = self.visitor.look.language.text(self.standing.key());
        shell
    }

    /// Returns the beginning of addresses of this organization.
    pub fn base(&self) -> String {
        format!(
            "/console/{}",
            page::segment(self.organization.organization.id.as_str())
        )
    }

    /// Returns the organization's identifier.
    pub fn id(&self) -> &str {
        self.organization.organization.id.as_str()
    }
}

impl FromRequestParts<App> for Manager {
    type Rejection = Stop;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        let visitor = Visitor::from_request_parts(parts, app).await?;
        let Path(path) = Path::<HashMap<String, String>>::from_request_parts(parts, app)
            .await
            .map_err(|_| AppError::not_found())?;
        let id = path.get("organization").ok_or_else(AppError::not_found)?;
        let Some((standing, organization)) = standing::in_organization(app, &visitor.active, id).await?
        else {
            return Err(visitor.refused(StatusCode::FORBIDDEN, "refused.not_managed", None));
        };
        Ok(Self {
            caller: standing::caller(&visitor.active, standing, &organization.organization.id),
            visitor,
            organization,
            standing,
        })
    }
}

/// Somebody who operates the instance.
#[derive(Clone, Debug)]
pub struct Operator(pub Visitor);

impl FromRequestParts<App> for Operator {
    type Rejection = Stop;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        let visitor = Visitor::from_request_parts(parts, app).await?;
        if standing::is_operator(app, &visitor.active).await? {
            Ok(Self(visitor))
        } else {
            Err(visitor.refused(StatusCode::FORBIDDEN, "refused.no_operator", None))
        }
    }
}
