//! The sample app: an OpenID Connect client with a server of its own, as a customer of Provost would write it.
//!
//! It uses the relying-party half of `provost-oidc`, keeps its sessions in memory and lives as long as the demo.

mod client;
mod page;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::route::{get, post};
use anyhow::{Context as _, Result};
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value};

use crate::error::AppError;
use crate::world::World;

pub(super) use client::{CLIENT_ID, Client};

/// Cookie of the app; ports share cookies, so the name must differ from Provost's.
const COOKIE: &str = "sample_app";

/// The app with its sessions.
pub(super) struct SampleApp {
    client: Client,
    world: World,
    state: Mutex<Sessions>,
}

#[derive(Default)]
struct Sessions {
    /// Sign-ins that wait for the answer, by cookie.
    pending: BTreeMap<String, client::Pending>,
    /// People signed in, by cookie.
    people: BTreeMap<String, SignedIn>,
}

/// Somebody signed in.
#[derive(Clone)]
pub(super) struct SignedIn {
    /// The ID token's claims.
    pub(super) claims: Map<String, Value>,
    id_token: String,
}

impl SampleApp {
    /// Makes the app as a client of the provider at `issuer`; `base` is the app's own address.
    pub(super) fn new(issuer: &str, base: &str, secret: &str, world: &World) -> Result<Self> {
        let client = Client::new(issuer, base, secret).context("the sample app's client")?;
        Ok(Self {
            client,
            world: world.clone(),
            state: Mutex::new(Sessions::default()),
        })
    }

    /// The app's routes.
    pub(super) fn routes(self: Arc<Self>) -> Router {
        Router::new()
            .route("/", get(home))
            .route("/login", get(login))
            .route("/callback", get(callback))
            .route("/logout", post(logout))
            .route("/assets/{*name}", get(crate::http::ops::asset))
            .with_state(self)
    }

    /// Returns who is signed in with this cookie header.
    fn signed_in(&self, headers: &HeaderMap) -> Option<SignedIn> {
        self.state.lock().ok()?.people.get(&cookie(headers)?).cloned()
    }
}

async fn home(State(app): State<Arc<SampleApp>>, headers: HeaderMap) -> Result<Response, AppError> {
    page::home(app.signed_in(&headers).as_ref())
}

async fn login(State(app): State<Arc<SampleApp>>, RawQuery(query): RawQuery) -> Result<Response, AppError> {
    let hint = provost_oidc::Params::parse(query.unwrap_or_default().as_bytes());
    let pending = client::Pending::new(&app.world).map_err(AppError::internal)?;
    let target = match app.client.start(&pending, hint.first("login_hint")).await {
        Ok(target) => target,
        Err(error) => return page::failed(&error),
    };
    let key = app.world.id("app_").map_err(AppError::internal)?;
    app.state
        .lock()
        .map_err(|_| AppError::internal(Poisoned))?
        .pending
        .insert(key.clone(), pending);
    Ok(redirect(target.as_str(), Some(&key)))
}

async fn callback(
    State(app): State<Arc<SampleApp>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, AppError> {
    let pending = {
        let mut state = app.state.lock().map_err(|_| AppError::internal(Poisoned))?;
        cookie(&headers).and_then(|key| state.pending.remove(&key))
    };
    let Some(pending) = pending else {
        return Ok(redirect("/", None));
    };
    let signed_in = match app
        .client
        .finish(&pending, query.unwrap_or_default().as_bytes(), app.world.now())
        .await
    {
        Ok(signed_in) => signed_in,
        Err(error) => return page::failed(&error),
    };
    // A new key at each sign-in: a planted cookie must never become somebody's session.
    let key = app.world.id("app_").map_err(AppError::internal)?;
    app.state
        .lock()
        .map_err(|_| AppError::internal(Poisoned))?
        .people
        .insert(key.clone(), signed_in);
    Ok(redirect("/", Some(&key)))
}

async fn logout(State(app): State<Arc<SampleApp>>, headers: HeaderMap) -> Result<Response, AppError> {
    let person = {
        let mut state = app.state.lock().map_err(|_| AppError::internal(Poisoned))?;
        cookie(&headers).and_then(|key| state.people.remove(&key))
    };
    match person {
        Some(person) => {
            let target = app
                .client
                .logout_url(&person.id_token)
                .await
                .map_err(AppError::internal)?;
            Ok(redirect(target.as_str(), None))
        }
        None => Ok(redirect("/", None)),
    }
}

fn redirect(to: &str, cookie: Option<&str>) -> Response {
    let mut response = (StatusCode::SEE_OTHER, [(LOCATION, to.to_owned())]).into_response();
    if let Some(value) = cookie
        && let Ok(line) = format!("{COOKIE}={value}; Path=/; HttpOnly; SameSite=Lax").parse()
    {
        response.headers_mut().insert(SET_COOKIE, line);
    }
    response
}

fn cookie(headers: &HeaderMap) -> Option<String> {
    let lines = headers
        .get_all("cookie")
        .iter()
        .filter_map(|value| value.to_str().ok());
    lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE)
        .map(|(_, value)| value.to_owned())
}

/// Another request panicked while it held the sessions.
#[derive(Debug, thiserror::Error)]
#[error("the sample app's sessions are unusable")]
struct Poisoned;
