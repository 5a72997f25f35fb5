//! Who visits which page, as extractors: a handler that takes one of these is reached only by those who may.
//!
//! Rights are read from the directory at each request. Who may not see an organization is answered alike whether it exists
//! or not.

use std::collections::HashMap;

use axum::extract::{FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use jiff::SignedDuration;
use provost_kernel::facts::OrganizationFacts;

use super::page;
use super::shell::{Look, Place, Refused, Shell};
use crate::app::App;
use crate::error::AppError;
use crate::flow::api_keys::Caller;
use crate::flow::console::standing::{self, Standing};
use crate::flow::return_to::ReturnTo;
use crate::flow::session::{ActiveSession, current_session};
use crate::http;

/// How fresh a sign-in must be for what is dangerous.
const FRESH: SignedDuration = SignedDuration::from_mins(15);

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

    /// Holds up what is dangerous until the person has signed in lately.
    ///
    /// # Errors
    /// The page that asks for it.
    pub fn must_be_fresh(&self, app: &App) -> Result<(), Stop> {
        let session = &self.active.session;
        if app.world.now().duration_since(session.created_at) <= FRESH {
            return Ok(());
        }
        let again = ReturnTo::Console.carry("/login");
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
        Ok(Self {
            active,
            look: Look::of(&app.config, &parts.headers),
            path,
        })
    }
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
