//! Set-up links: somebody at the customer, without an account here, sets up the connection of one organization.
//!
//! The token stands in the link alone and is kept as digest. It ends by its age, when it is taken back, when it is given a new
//! one, and when everything is done. What it opens is asked here at every request.

use jiff::{SignedDuration, Timestamp};
use provost_kernel::entitlement::Feature;
use provost_kernel::id::{ConnectionId, OrganizationId};
use provost_kernel::provision::Actor;
use provost_store::{NewEvent, SetupLink, StoreError};
use schemars::JsonSchema;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::api_keys::{Caller, Scope as KeyScope};
use crate::flow::{directory, entitlements};
use crate::world::digest_of;

/// What every token begins with, so that leaked ones can be searched for.
pub const PREFIX: &str = "pvl_";
/// How long a link lasts if nothing is said.
pub const DAYS: u32 = 14;
/// The longest that a link may last.
pub const MOST_DAYS: u32 = 90;
/// Links shown.
const SHOWN: u32 = 50;
/// Open links of one organization.
const MOST_OPEN: usize = 20;
/// Longest label.
const LONGEST_LABEL: usize = 200;

/// What may be set up by a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "SetupScope")]
pub enum Scope {
    /// Claiming and checking domains.
    Domain,
    /// The connection: values, test, mode, policy, going live.
    Sso,
    /// Provisioning by SCIM: address, token.
    Scim,
}

impl Scope {
    /// Every scope.
    pub const ALL: &'static [Self] = &[Self::Domain, Self::Sso, Self::Scim];

    /// Returns the stable word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Domain => "domain",
            Self::Sso => "sso",
            Self::Scim => "scim",
        }
    }

    /// Finds a scope by its word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|scope| scope.word() == word)
    }
}

/// Where a link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "SetupLinkState")]
pub enum State {
    /// Nobody has opened it.
    Open,
    /// Somebody has.
    Opened,
    /// Everything is done.
    Done,
    /// It was taken back.
    Revoked,
    /// It is too old.
    Expired,
}

/// Returns where a link stands.
pub fn state(link: &SetupLink, now: Timestamp) -> State {
    if link.done_at.is_some() {
        State::Done
    } else if link.revoked_at.is_some() {
        State::Revoked
    } else if link.expires_at <= now {
        State::Expired
    } else if link.opened_at.is_some() {
        State::Opened
    } else {
        State::Open
    }
}

/// Reads the scopes of a link.
pub fn scopes(link: &SetupLink) -> Vec<Scope> {
    link.scopes.iter().filter_map(|word| Scope::parse(word)).collect()
}

/// A link to be made.
#[derive(Clone, Debug, Default)]
pub struct New {
    /// Whom or what it is for.
    pub label: String,
    /// What may be set up; all of it if nothing is named.
    pub scopes: Vec<Scope>,
    /// A connection of the organization that it is for; none: whoever opens it begins one.
    pub connection: Option<String>,
    /// After how many days it ends.
    pub days: Option<u32>,
}

/// A new link. Its address is known here and nowhere else.
#[derive(Debug)]
pub struct Made {
    /// What is kept of it.
    pub link: SetupLink,
    /// The address to give away.
    pub url: SecretString,
}

/// Makes a link.
///
/// # Errors
/// 404 out of sight; 403 (`setup_by_link`, `setup_by_operator`, `entitlement_missing`); 400 (`invalid_setup_link`); 409
/// (`too_many_setup_links`); those of the store.
pub async fn create(app: &App, caller: &Caller, organization: &str, new: New) -> Result<Made> {
    super::require(app, caller, organization).await?;
    let label = label(&new.label)?;
    let days = new.days.unwrap_or(DAYS);
    if !(1..=MOST_DAYS).contains(&days) {
        return Err(invalid());
    }
    let mut scopes = if new.scopes.is_empty() {
        Scope::ALL.to_vec()
    } else {
        new.scopes
    };
    scopes.sort();
    scopes.dedup();
    if scopes.contains(&Scope::Scim) {
        entitlements::require(app, caller, Feature::Scim).await?;
    }
    let connection = match &new.connection {
        Some(id) => Some(bindable(app, caller, organization, id).await?),
        None => None,
    };
    let token = app.world.token(PREFIX)?;
    let now = app.world.now();
    let link = SetupLink {
        id: app.world.id("sul_")?,
        organization: OrganizationId::new(organization),
        connection,
        scopes: scopes.iter().map(|scope| scope.word().to_owned()).collect(),
        label,
        created_by: caller.actor().label(),
        created_at: now,
        expires_at: ends(now, days)?,
        opened_at: None,
        done_at: None,
        revoked_at: None,
        asked_from: None,
        step: None,
    };
    let (kept, digest, actor) = (link.clone(), token.digest, caller.actor());
    app.store
        .write(move |tx| {
            Box::pin(async move {
                tx.lock_organization(&kept.organization).await?;
                let all = tx.setup_links(&kept.organization, 1000).await?;
                let open = all
                    .iter()
                    .filter(|link| link.asked_from.is_none())
                    .filter(|link| matches!(state(link, now), State::Open | State::Opened));
                if open.count() >= MOST_OPEN {
                    return Err(too_many());
                }
                tx.insert_setup_link(&kept, &digest).await?;
                tx.record(event("setup_link.created", &actor, &kept, now));
                Ok(())
            })
        })
        .await?;
    Ok(Made {
        url: url(app, &token.secret),
        link,
    })
}

/// Finds the connection that a link is to be for: one of the organization's own, or a draft of it.
async fn bindable(app: &App, caller: &Caller, organization: &str, id: &str) -> Result<ConnectionId> {
    match directory::connection(app, caller, id).await {
        Ok(record) if record.connection.owner().map(OrganizationId::as_str) == Some(organization) => {
            return Ok(record.connection.id);
        }
        Ok(_) => return Err(AppError::not_found()),
        Err(error) if error.code() == "not_found" => {}
        Err(error) => return Err(error),
    }
    Ok(super::one(app, caller, organization, id).await?.id)
}

/// Reads the label of a link.
pub(super) fn label(text: &str) -> Result<String> {
    let label = text.trim().to_owned();
    if label.chars().count() > LONGEST_LABEL || label.chars().any(char::is_control) {
        return Err(AppError::bad_request(
            "invalid_setup_link",
            "A label has at most 200 characters.",
        ));
    }
    Ok(label)
}

pub(super) fn invalid() -> AppError {
    AppError::bad_request("invalid_setup_link", "A link lasts from 1 to 90 days.")
}

/// Says that a link is not for a page.
pub fn out_of_scope() -> AppError {
    AppError::forbidden(
        "setup_out_of_scope",
        "This link is not for that. Ask whoever gave it to you.",
    )
}

pub(super) fn too_many() -> AppError {
    AppError::conflict(
        "too_many_setup_links",
        "There are as many open links as there may be. Revoke one first.",
    )
}

pub(super) fn ends(now: Timestamp, days: u32) -> Result<Timestamp> {
    now.checked_add(SignedDuration::from_hours(24 * i64::from(days)))
        .map_err(AppError::internal)
}

fn url(app: &App, token: &SecretString) -> SecretString {
    app.config
        .url(&format!("/setup/{}", token.expose_secret()))
        .into()
}

/// Lists the links of an organization, ended ones too, the newest first.
///
/// # Errors
/// 404 out of sight; those of the store.
pub async fn list(app: &App, caller: &Caller, organization: &str) -> Result<Vec<SetupLink>> {
    let id = OrganizationId::new(organization);
    if !caller.sees(&id) {
        return Err(AppError::not_found());
    }
    let found = app
        .store
        .read(|reader| {
            Box::pin(async move {
                if reader.organization(&id).await?.is_none() {
                    return Ok(None);
                }
                reader.setup_links(&id, SHOWN).await.map(Some)
            })
        })
        .await?;
    found.ok_or_else(AppError::not_found)
}

/// Finds a link of an organization.
///
/// # Errors
/// 404; those of the store.
pub async fn one(app: &App, caller: &Caller, organization: &str, id: &str) -> Result<SetupLink> {
    let owner = OrganizationId::new(organization);
    let wanted = id.to_owned();
    let found = app
        .store
        .read(|reader| Box::pin(async move { reader.setup_link(&wanted).await }))
        .await?;
    found
        .filter(|link| link.organization == owner && caller.sees(&owner))
        .ok_or_else(AppError::not_found)
}

/// Gives a link a new token and a new end: the old address opens nothing any more.
///
/// # Errors
/// As [`create`]; 409 (`setup_link_ended`) for one that is done or revoked.
pub async fn regenerate(
    app: &App,
    caller: &Caller,
    organization: &str,
    id: &str,
    days: Option<u32>,
) -> Result<Made> {
    super::require(app, caller, organization).await?;
    let mut link = one(app, caller, organization, id).await?;
    let days = days.unwrap_or(DAYS);
    if !(1..=MOST_DAYS).contains(&days) {
        return Err(invalid());
    }
    let token = app.world.token(PREFIX)?;
    let now = app.world.now();
    link.expires_at = ends(now, days)?;
    link.opened_at = None;
    let (kept, digest, actor) = (link.clone(), token.digest, caller.actor());
    let renewed: Result<bool, StoreError> = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                // Whoever makes a link for a colleague with this one locks the organization, too: it is there by now, or is not made.
                tx.lock_organization(&kept.organization).await?;
                let renewed = tx
                    .renew_setup_link(&kept.id, &digest, kept.expires_at, now)
                    .await?;
                if renewed {
                    tx.record(event("setup_link.regenerated", &actor, &kept, now));
                }
                Ok(renewed)
            })
        })
        .await;
    if renewed? {
        Ok(Made {
            url: url(app, &token.secret),
            link,
        })
    } else {
        Err(ended())
    }
}

/// Takes a link back. Whoever has a page of it open gets no further.
///
/// # Errors
/// 404; 409 (`setup_link_ended`) for one that is done or revoked already; those of the store.
pub async fn revoke(app: &App, caller: &Caller, organization: &str, id: &str) -> Result<()> {
    let link = one(app, caller, organization, id).await?;
    let (now, actor) = (app.world.now(), caller.actor());
    let revoked: Result<bool, StoreError> = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                // As in `regenerate`: taking one link back takes those back that were made with it.
                tx.lock_organization(&link.organization).await?;
                let revoked = tx.revoke_setup_link(&link.id, now).await?;
                if revoked {
                    tx.record(event("setup_link.revoked", &actor, &link, now));
                }
                Ok(revoked)
            })
        })
        .await;
    if revoked? { Ok(()) } else { Err(ended()) }
}

pub(super) fn ended() -> AppError {
    AppError::conflict(
        "setup_link_ended",
        "The link is done or was taken back. Make a new one.",
    )
}

/// What a browser presents.
#[derive(Clone, Debug)]
pub enum Presented {
    /// A link that opens something.
    Good(Box<SetupLink>),
    /// A link of ours that opens nothing any more, and why.
    Ended(State),
    /// Nothing that we know.
    Unknown,
}

/// Finds the link of a token.
///
/// # Errors
/// Those of the store.
pub async fn present(app: &App, token: &str) -> Result<Presented> {
    if !token.starts_with(PREFIX) || token.len() > 128 {
        return Ok(Presented::Unknown);
    }
    let (digest, now) = (digest_of(token), app.world.now());
    let found = app
        .store
        .read(|reader| Box::pin(async move { reader.setup_link_by_digest(&digest).await }))
        .await?;
    Ok(match found {
        None => Presented::Unknown,
        Some(link) => match state(&link, now) {
            State::Open | State::Opened => Presented::Good(Box::new(link)),
            other @ (State::Done | State::Revoked | State::Expired) => Presented::Ended(other),
        },
    })
}

/// Notes that a link was opened, the first time as an entry of the audit log.
///
/// # Errors
/// Those of the store.
pub async fn opened(app: &App, link: &SetupLink) -> Result<()> {
    if link.opened_at.is_some() {
        return Ok(());
    }
    let (link, now) = (link.clone(), app.world.now());
    let actor = caller(&link).actor();
    app.store
        .write(move |tx| {
            Box::pin(async move {
                if tx.note_setup_link_opened(&link.id, now).await? {
                    tx.record(event("setup_link.opened", &actor, &link, now));
                }
                Ok::<_, StoreError>(())
            })
        })
        .await?;
    Ok(())
}

/// Returns whoever comes by a link as a caller of flows: with sight of one organization, and with no right over people.
pub fn caller(link: &SetupLink) -> Caller {
    Caller {
        key: String::new(),
        person: Some(Actor::SetupLink {
            link: link.id.clone(),
            organization: link.organization.clone(),
        }),
        organization: Some(link.organization.clone()),
        scopes: vec![
            KeyScope::ConnectionsRead,
            KeyScope::ConnectionsWrite,
            KeyScope::DomainsRead,
            KeyScope::DomainsWrite,
        ],
    }
}

/// Binds a link to the connection that was begun with it.
///
/// # Errors
/// 409 (`conflict`) if another was begun at the same moment; those of the store.
pub async fn bind(app: &App, link: &SetupLink, connection: Option<&ConnectionId>) -> Result<()> {
    let (link, connection) = (link.clone(), connection.cloned());
    let bound: Result<bool, StoreError> = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                tx.lock_organization(&link.organization).await?;
                tx.bind_setup_link(&link.id, link.connection.as_ref(), connection.as_ref())
                    .await
            })
        })
        .await;
    if bound? {
        Ok(())
    } else {
        Err(AppError::conflict(
            "conflict",
            "Somebody else has begun with this link at the same moment. Load the page again.",
        ))
    }
}

/// Ends a link because everything that it is for is done.
///
/// # Errors
/// Those of the store.
pub async fn finish(app: &App, link: &SetupLink) -> Result<()> {
    let (link, now) = (link.clone(), app.world.now());
    let actor = caller(&link).actor();
    app.store
        .write(move |tx| {
            Box::pin(async move {
                tx.lock_organization(&link.organization).await?;
                if tx.finish_setup_link(&link.id, now).await? {
                    tx.record(event("setup_link.done", &actor, &link, now));
                }
                Ok::<_, StoreError>(())
            })
        })
        .await?;
    Ok(())
}

pub(super) fn event(kind: &str, actor: &Actor, link: &SetupLink, now: Timestamp) -> NewEvent {
    NewEvent {
        at: now,
        kind: kind.to_owned(),
        actor: actor.label(),
        account: None,
        organization: Some(link.organization.clone()),
        connection: link.connection.clone(),
        trace: None,
        data: json!({
            "link": link.id,
            "label": link.label,
            "scopes": link.scopes,
            "expires_at": link.expires_at,
        }),
    }
}
