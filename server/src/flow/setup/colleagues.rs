//! Links that whoever sets up makes for a colleague: the same set-up with the same scope, at one step, for a shorter while. They
//! end with the link that they were made with, and make no further ones, so that taking one link back takes all of them back.

use provost_store::{SetupLink, StoreError};
use secrecy::ExposeSecret as _;

use super::links::{self, Made, PREFIX, State, caller, ends, event, state};
use crate::app::App;
use crate::error::{AppError, Result};

/// How long such a link lasts if nothing is said.
pub const DAYS: u32 = 3;
/// The longest that it may last.
pub const MOST_DAYS: u32 = 14;
/// Open ones of one link.
const MOST_OPEN: usize = 5;
/// All of one link, ended ones too.
const MOST: u32 = 30;

/// A link for a colleague.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Whom it is for.
    pub label: String,
    /// The step that it opens at.
    pub step: Option<String>,
    /// After how many days it ends.
    pub days: Option<u32>,
}

/// Tells whether the holder of a link may ask colleagues.
pub fn may_ask(link: &SetupLink) -> bool {
    link.asked_from.is_none()
}

/// Makes a link for a colleague.
///
/// # Errors
/// 403 (`setup_out_of_scope`) with a link that is itself a colleague's; 400 (`invalid_setup_link`); 409 (`setup_link_ended`,
/// `too_many_setup_links`); those of the store.
pub async fn ask(app: &App, link: &SetupLink, asked: Asked) -> Result<Made> {
    if !may_ask(link) {
        return Err(links::out_of_scope());
    }
    let label = links::label(&asked.label)?;
    let days = asked.days.unwrap_or(DAYS);
    if !(1..=MOST_DAYS).contains(&days) {
        return Err(links::invalid());
    }
    let token = app.world.token(PREFIX)?;
    let now = app.world.now();
    let actor = caller(link).actor();
    let made = SetupLink {
        id: app.world.id("sul_")?,
        label,
        created_by: actor.label(),
        created_at: now,
        expires_at: ends(now, days)?,
        opened_at: None,
        done_at: None,
        revoked_at: None,
        asked_from: Some(link.id.clone()),
        step: asked.step,
        ..link.clone()
    };
    let (digest, parent) = (token.digest, link.id.clone());
    let made = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                tx.lock_organization(&made.organization).await?;
                // Read anew: it may have been taken back, bound or given another end since the page was opened.
                let parent = tx.setup_link(&parent).await?.ok_or_else(links::ended)?;
                if !matches!(state(&parent, now), State::Open | State::Opened) {
                    return Err(links::ended());
                }
                let all = tx.asked_links(&parent.id, MOST).await?;
                let open = all
                    .iter()
                    .filter(|link| matches!(state(link, now), State::Open | State::Opened));
                if open.count() >= MOST_OPEN || all.len() >= MOST as usize {
                    return Err(links::too_many());
                }
                let made = SetupLink {
                    connection: parent.connection,
                    scopes: parent.scopes,
                    expires_at: made.expires_at.min(parent.expires_at),
                    ..made
                };
                tx.insert_setup_link(&made, &digest).await?;
                tx.record(event("setup_link.created", &actor, &made, now));
                Ok(made)
            })
        })
        .await?;
    let url = app
        .config
        .url(&format!("/setup/{}", token.secret.expose_secret()));
    Ok(Made {
        url: url.into(),
        link: made,
    })
}

/// Lists the links for colleagues that were made with a link, the newest first.
///
/// # Errors
/// Those of the store.
pub async fn list(app: &App, link: &SetupLink) -> Result<Vec<SetupLink>> {
    let id = link.id.clone();
    let found = app
        .store
        .read(|reader| Box::pin(async move { reader.asked_links(&id, MOST).await }))
        .await?;
    Ok(found)
}

/// Takes a link for a colleague back.
///
/// # Errors
/// 404 for one that was not made with this link; 409 (`setup_link_ended`); those of the store.
pub async fn revoke(app: &App, link: &SetupLink, id: &str) -> Result<()> {
    let (wanted, asked_from) = (id.to_owned(), link.id.clone());
    let (now, actor) = (app.world.now(), caller(link).actor());
    let revoked: Result<Option<bool>, StoreError> = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                let found = tx.setup_link(&wanted).await?;
                let Some(found) = found.filter(|found| found.asked_from.as_ref() == Some(&asked_from)) else {
                    return Ok(None);
                };
                tx.lock_organization(&found.organization).await?;
                let revoked = tx.revoke_setup_link(&found.id, now).await?;
                if revoked {
                    tx.record(event("setup_link.revoked", &actor, &found, now));
                }
                Ok(Some(revoked))
            })
        })
        .await;
    match revoked? {
        Some(true) => Ok(()),
        Some(false) => Err(links::ended()),
        None => Err(AppError::not_found()),
    }
}
