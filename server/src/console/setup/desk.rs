//! Whoever sets a connection up: somebody in an organization's console, or somebody with a set-up link and no account. The pages
//! are the same; what a link opens is asked at every request.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use provost_kernel::connection::Provisioning;
use provost_kernel::facts::OrganizationFacts;
use provost_store::SetupLink;

use super::super::page::{self, segment};
use super::super::shell::{Look, Place, Shell};
use super::super::visit::{Manager, Stop};
use crate::app::App;
use crate::cookie::Cookie;
use crate::error::AppError;
use crate::flow::api_keys::Caller;
use crate::flow::setup::links::{self, Presented, Scope, State};
use crate::flow::setup::{self, SetUp};
use crate::flow::{directory, form_token};

/// The beginning of addresses of the portal.
pub(super) const PORTAL: &str = "/setup";

/// Whoever sets up.
#[derive(Clone, Debug)]
pub(super) struct Desk {
    /// The same, for flows.
    pub(super) caller: Caller,
    /// For whom.
    pub(super) organization: OrganizationFacts,
    /// The link, if it is by one.
    pub(super) link: Option<SetupLink>,
    manager: Option<Manager>,
    look: Look,
    form_token: String,
    path: String,
}

impl Desk {
    /// Returns the organization's identifier.
    pub(super) fn id(&self) -> &str {
        self.organization.organization.id.as_str()
    }

    /// Returns the beginning of addresses.
    pub(super) fn base(&self) -> String {
        match &self.manager {
            Some(manager) => manager.base(),
            None => PORTAL.to_owned(),
        }
    }

    /// Begins a page.
    pub(super) fn shell(&self) -> Shell {
        match &self.manager {
            Some(manager) => manager.shell(Place::Connections),
            None => Shell::of_portal(
                self.look,
                self.form_token.clone(),
                self.organization.organization.name.clone(),
                self.path.clone(),
            ),
        }
    }

    /// Tells whether something may be set up here.
    pub(super) fn may(&self, scope: Scope) -> bool {
        self.link
            .as_ref()
            .is_none_or(|link| links::scopes(link).contains(&scope))
    }

    /// Holds up what the link is not for.
    ///
    /// # Errors
    /// 403 (`setup_out_of_scope`).
    pub(super) fn must(&self, scope: Scope) -> Result<(), AppError> {
        if self.may(scope) {
            return Ok(());
        }
        Err(links::out_of_scope())
    }

    /// Holds up another connection than the one that the link is for.
    ///
    /// # Errors
    /// 404.
    pub(super) fn must_be_for(&self, connection: &str) -> Result<(), AppError> {
        match &self.link {
            Some(link)
                if link
                    .connection
                    .as_ref()
                    .map(provost_kernel::id::ConnectionId::as_str)
                    != Some(connection) =>
            {
                Err(AppError::not_found())
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Finds the connection that is being set up.
    ///
    /// # Errors
    /// 404 for another's, and for another than the link's; 403 by the plan; those of the store.
    pub(super) async fn set_up(&self, app: &App, connection: &str) -> Result<SetUp, AppError> {
        self.must_be_for(connection)?;
        setup::one(app, &self.caller, self.id(), connection).await
    }

    /// Finds the connection, live or not.
    ///
    /// # Errors
    /// 404; those of the store.
    pub(super) async fn connection(
        &self,
        app: &App,
        connection: &str,
    ) -> Result<provost_store::ConnectionRecord, AppError> {
        self.must_be_for(connection)?;
        directory::connection(app, &self.caller, connection).await
    }

    /// Holds up what is dangerous until the person has signed in lately; a link has no sign-in, and is short-lived itself.
    ///
    /// # Errors
    /// The page that asks for it.
    pub(super) fn must_be_fresh(&self, app: &App) -> Result<(), Stop> {
        match &self.manager {
            Some(manager) => manager.visitor.must_be_fresh(app),
            None => Ok(()),
        }
    }

    /// Returns the address of a step.
    pub(super) fn step_path(&self, connection: &str, step: &str) -> String {
        format!("{}/connections/{}/setup/{step}", self.base(), segment(connection))
    }

    /// Tells whether the directory is part of what is set up here.
    pub(super) fn sets_up_scim(&self, setup: &SetUp) -> bool {
        self.may(Scope::Scim) && setup.mode() == Provisioning::Scim
    }
}

#[derive(Template)]
#[template(path = "console/setup_ended.html")]
struct EndedPage {
    shell: Shell,
    title: &'static str,
    text: &'static str,
}

/// Says why a link opens nothing.
pub(super) fn ended(look: Look, state: Option<State>) -> Result<Response, Stop> {
    let (status, title, text) = match state {
        Some(State::Done) => (StatusCode::OK, "setup.ended_done", "setup.ended_done_why"),
        Some(State::Revoked) => (StatusCode::GONE, "setup.ended_revoked", "setup.ended_ask"),
        Some(State::Expired) => (StatusCode::GONE, "setup.ended_expired", "setup.ended_ask"),
        Some(State::Open | State::Opened) | None => (
            StatusCode::FORBIDDEN,
            "setup.ended_unknown",
            "setup.ended_unknown_why",
        ),
    };
    let shell = Shell::of_portal(look, String::new(), String::new(), PORTAL.to_owned());
    let (title, text) = (shell.t(title), shell.t(text));
    page::show_with(status, &EndedPage { shell, title, text })
}

impl FromRequestParts<App> for Desk {
    type Rejection = Stop;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        // Some addresses of the portal have no parts by name.
        let names = Path::<HashMap<String, String>>::from_request_parts(parts, app)
            .await
            .map(|Path(names)| names)
            .unwrap_or_default();
        if names.contains_key("organization") {
            let manager = Manager::from_request_parts(parts, app).await?;
            return Ok(Self {
                caller: manager.caller.clone(),
                organization: manager.organization.clone(),
                link: None,
                look: manager.visitor.look,
                form_token: String::new(),
                path: String::new(),
                manager: Some(manager),
            });
        }
        let look = Look::of(&app.config, &parts.headers);
        let token = Cookie::SetUp
            .read(&app.config, &parts.headers)
            .unwrap_or_default();
        let stopped = |state| {
            Stop::Answer(Box::new(match ended(look, state) {
                Ok(response) => response,
                Err(stop) => axum::response::IntoResponse::into_response(stop),
            }))
        };
        let link = match links::present(app, &token).await? {
            Presented::Good(link) => *link,
            Presented::Ended(state) => return Err(stopped(Some(state))),
            Presented::Unknown => return Err(stopped(None)),
        };
        let caller = links::caller(&link);
        let organization = directory::organization(app, &caller, link.organization.as_str()).await?;
        let path = parts
            .uri
            .path_and_query()
            .map_or_else(|| PORTAL.to_owned(), ToString::to_string);
        Ok(Self {
            caller,
            organization,
            link: Some(link),
            manager: None,
            look,
            form_token: form_token::token_for(&token),
            path,
        })
    }
}
