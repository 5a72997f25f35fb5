//! The session of the person in front of the browser.
//!
//! Sessions live in the store, found by the digest of the cookie's token: the database never holds what opens one.
//! They end by idling, by age, by revocation, or with the account. Never opened here: only a decision opens one.

use axum::http::{HeaderMap, header};
use provost_kernel::directory::Account;
use provost_store::{Durability, Revisions, SessionRecord, Ticket, View, WaitingRequest};
use secrecy::{ExposeSecret as _, SecretString};

use crate::app::App;
use crate::cookie::Cookie;
use crate::error::Result;
use crate::flow::form_token;
use crate::world::digest_of;

/// A live session and whose it is.
#[derive(Clone, Debug)]
pub struct ActiveSession {
    /// The session.
    pub session: SessionRecord,
    /// The account, active.
    pub account: Account,
    /// Token for forms of this session.
    pub form_token: String,
}

/// What a request needs to know at its beginning, from one look at the store.
#[derive(Clone, Debug, Default)]
pub struct Arrival {
    /// The live session that the browser's cookie opens.
    pub active: Option<ActiveSession>,
    /// What an app may get to see of the session's person, if that was asked for.
    pub view: Option<View>,
    /// The app's request that waits under the id that was asked for.
    pub waiting: Option<WaitingRequest>,
    /// Revisions of what is cached.
    pub revisions: Revisions,
}

impl Arrival {
    /// Returns the live session.
    pub fn session(&self) -> Option<&SessionRecord> {
        self.active.as_ref().map(|active| &active.session)
    }
}

/// Looks at the browser's session and at the request that waits under `waiting`, and notes the session's use (at most
/// once a minute), unless a page asked by itself.
///
/// # Errors
/// Those of the store. No session, or one that has ended, is not an error.
pub async fn arrival(app: &App, headers: &HeaderMap, waiting: Option<&str>) -> Result<Arrival> {
    arrive(app, headers, waiting, false).await
}

/// As [`arrival`], and looks what an app may get to see of the session's person.
///
/// # Errors
/// As [`arrival`].
pub async fn arrival_for_app(app: &App, headers: &HeaderMap, waiting: Option<&str>) -> Result<Arrival> {
    arrive(app, headers, waiting, true).await
}

async fn arrive(app: &App, headers: &HeaderMap, waiting: Option<&str>, view: bool) -> Result<Arrival> {
    let token = Cookie::Session.read(&app.config, headers);
    let ticket = Ticket {
        session: token.as_deref().map(digest_of),
        view,
        waiting: waiting.map(str::to_owned),
        limit: None,
    };
    let now = app.world.now();
    let visit = app
        .store
        .read(|reader| Box::pin(async move { reader.visit(&ticket, now).await }))
        .await?;
    let active = visit
        .session
        .zip(token)
        .filter(|((session, _), _)| session.is_live(now));
    let active = active.map(|((session, account), token)| ActiveSession {
        session,
        account,
        form_token: form_token::token_for(&token),
    });
    if let Some(ActiveSession { session, .. }) = &active
        && now.duration_since(session.last_seen_at).as_secs() >= TOUCH_SECONDS
        && !is_unattended(headers)
    {
        let id = session.id.clone();
        app.store
            .write_round(Durability::Full, move |tx| {
                Box::pin(async move { tx.touch_session(&id, now).await })
            })
            .await?;
    }
    Ok(Arrival {
        view: visit.view.filter(|_| active.is_some()),
        active,
        waiting: visit.waiting,
        revisions: visit.revisions,
    })
}

/// Tells whether a page asks by itself for what is new: by a stream of server-sent events (which browsers ask for with this
/// type and no other, HTML section 9.2), or again and again. A page that is left open does not keep its session alive.
fn is_unattended(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .is_some_and(|accept| accept == "text/event-stream")
        || headers.contains_key("x-unattended")
}

/// Finds the live session that the browser's cookie opens, and notes its use as [`arrival`] does.
///
/// # Errors
/// Those of the store. No session, or one that has ended, is not an error.
pub async fn current_session(app: &App, headers: &HeaderMap) -> Result<Option<ActiveSession>> {
    if Cookie::Session.read(&app.config, headers).is_none() {
        return Ok(None);
    }
    Ok(arrival(app, headers, None).await?.active)
}

/// How often a session's use is written down, in seconds.
const TOUCH_SECONDS: i64 = 60;

impl ActiveSession {
    /// Returns who this is, for people: the address, else the name, else the id.
    pub fn label(&self) -> String {
        let account = &self.account;
        account
            .email
            .as_ref()
            .map(ToString::to_string)
            .or_else(|| account.display_name.clone())
            .or_else(|| account.user_name.clone())
            .unwrap_or_else(|| account.id.to_string())
    }
}

/// Ends the session that a browser had before it gets a new one, unless both are of the same account: then apps
/// signed in by the old one go on. The new session has a new identifier in any case (fixation).
///
/// # Errors
/// Those of the store.
pub async fn replace(app: &App, headers: &HeaderMap, new_token: &SecretString) -> Result<()> {
    let Some(old) = Cookie::Session.read(&app.config, headers) else {
        return Ok(());
    };
    let (old, new) = (digest_of(&old), digest_of(new_token.expose_secret()));
    let now = app.world.now();
    app.store
        .write(move |tx| {
            Box::pin(async move {
                let (old, new) = (
                    tx.session_by_digest(&old).await?,
                    tx.session_by_digest(&new).await?,
                );
                if let (Some(old), Some(new)) = (old, new)
                    && old.account != new.account
                {
                    tx.revoke_session(&old.id, "replaced", now).await?;
                }
                Ok::<_, provost_store::StoreError>(())
            })
        })
        .await?;
    Ok(())
}
