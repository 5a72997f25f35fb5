//! Webhooks: told of events by signed calls, as Standard Webhooks describes them. Who is told of what is kept here;
//! [`delivering`] makes the calls, [`history`] shows what became of them.

mod answer;
pub mod delivering;
pub mod history;
mod off;
pub mod signing;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use provost_kernel::id::OrganizationId;
use provost_store::{NewEvent, SecretMap, StoreError, Tx, Webhook};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::app::App;
use crate::error::{AppError, Fault, Result};
use crate::flow::api_keys::Caller;

/// Most webhooks of one organization, and of the instance.
const MOST: u32 = 20;
/// Most kinds of one webhook.
const MOST_KINDS: usize = 50;
/// Longest address and description.
const LONGEST: usize = 1000;
/// How long the secret before signs, too, after a rotation.
const OVERLAP: SignedDuration = SignedDuration::from_hours(24);

/// A webhook to be made.
#[derive(Clone, Debug, Default)]
pub struct NewWebhook {
    /// Where to.
    pub url: String,
    /// Which kinds of events; none for all.
    pub kinds: Vec<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Whose events; a key of one organization need not name it.
    pub organization: Option<OrganizationId>,
}

/// What is to be changed; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct WebhookChange {
    /// Where to.
    pub url: Option<String>,
    /// Which kinds of events.
    pub kinds: Option<Vec<String>>,
    /// What it is for; empty for nothing.
    pub description: Option<String>,
    /// Whether events are told.
    pub enabled: Option<bool>,
}

/// A webhook whose secret is known for this one time.
pub struct WithSecret {
    /// The webhook.
    pub webhook: Webhook,
    /// The secret, as Standard Webhooks writes it: `whsec_…`.
    pub secret: SecretString,
}

/// Makes a webhook. It is told of what happens from now on.
///
/// # Errors
/// 404 for an organization out of sight; 422 (`invalid_webhook`); 409 (`too_many_webhooks`); those of the store.
pub async fn create(app: &App, caller: &Caller, new: NewWebhook) -> Result<WithSecret> {
    let organization = new.organization.or_else(|| caller.organization.clone());
    if organization.as_ref().is_some_and(|wanted| !caller.sees(wanted)) {
        return Err(AppError::not_found());
    }
    check(app, Some(&new.url), Some(&new.kinds), new.description.as_deref())?;
    let secret = new_secret(app)?;
    let mut secrets = SecretMap::default();
    secrets.set("current", secret.clone());
    let now = app.world.now();
    let webhook = Webhook {
        id: app.world.id("whk_")?,
        organization,
        url: new.url,
        description: new.description,
        kinds: new.kinds,
        enabled: true,
        secrets,
        previous_until: None,
        failing_since: None,
        disabled_reason: None,
        created_at: now,
    };
    let (kept, actor) = (webhook.clone(), caller.actor().label());
    let made = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                if let Some(own) = &kept.organization
                    && tx.organization(own).await?.is_none()
                {
                    return Ok(Err(AppError::not_found()));
                }
                if tx.count_webhooks(kept.organization.as_ref()).await? >= MOST {
                    return Ok(Err(AppError::conflict(
                        "too_many_webhooks",
                        format!("At most {MOST} webhooks can be kept. Delete one first."),
                    )));
                }
                tx.insert_webhook(&kept).await?;
                tx.record(event(
                    "webhook.created",
                    &kept,
                    actor,
                    json!({ "host": host_of(&kept.url), "kinds": kept.kinds }),
                    now,
                ));
                Ok::<_, StoreError>(Ok(kept))
            })
        })
        .await?;
    Ok(WithSecret {
        webhook: made?,
        secret: secret.into(),
    })
}

fn new_secret(app: &App) -> Result<String> {
    Ok(format!("whsec_{}", STANDARD.encode(app.world.bytes::<32>()?)))
}

fn event(kind: &str, webhook: &Webhook, actor: String, more: Value, now: Timestamp) -> NewEvent {
    let mut data = json!({ "webhook": webhook.id });
    if let (Some(data), Value::Object(more)) = (data.as_object_mut(), more) {
        data.extend(more);
    }
    NewEvent {
        at: now,
        kind: kind.to_owned(),
        actor,
        account: None,
        organization: webhook.organization.clone(),
        connection: None,
        trace: None,
        data,
    }
}

/// Judges what was sent.
fn check(app: &App, url: Option<&str>, kinds: Option<&[String]>, description: Option<&str>) -> Result<()> {
    let mut faults = Vec::new();
    let mut wrong = |path: String, message: String| {
        faults.push(Fault {
            path,
            position: None,
            message,
            suggestion: None,
        });
    };
    if let Some(url) = url {
        if url.len() > LONGEST {
            wrong("url".to_owned(), "The address is too long.".to_owned());
        } else if let Err(error) = app.outbound.may_call(url) {
            wrong("url".to_owned(), error.to_string());
        }
    }
    if description.is_some_and(|text| text.len() > LONGEST || text.chars().any(char::is_control)) {
        wrong(
            "description".to_owned(),
            "At most 1,000 characters, and none that controls.".to_owned(),
        );
    }
    let kinds = kinds.unwrap_or_default();
    if kinds.len() > MOST_KINDS {
        wrong("kinds".to_owned(), format!("At most {MOST_KINDS} kinds."));
    }
    for (at, kind) in kinds.iter().enumerate().take(MOST_KINDS) {
        let name = kind.strip_suffix(".*").unwrap_or(kind);
        let is_good = !name.is_empty()
            && name.len() <= 100
            && name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'.'));
        if !is_good {
            wrong(
                format!("kinds[{at}]"),
                "A kind is written as `user.created`, a family of them as `user.*`.".to_owned(),
            );
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    Err(
        AppError::unprocessable("invalid_webhook", "The webhook cannot be kept; see the errors.")
            .with_faults(faults),
    )
}

/// Lists the webhooks that a caller may see, oldest first.
///
/// # Errors
/// Those of the store.
pub async fn list(app: &App, caller: &Caller) -> Result<Vec<Webhook>> {
    let own = caller.organization.clone();
    let found = app
        .store
        .read(|reader| Box::pin(async move { reader.webhooks(own.as_ref()).await }))
        .await?;
    Ok(found)
}

/// Finds a webhook of the caller.
///
/// # Errors
/// 404; those of the store.
pub async fn find(app: &App, caller: &Caller, id: &str) -> Result<Webhook> {
    let id = id.to_owned();
    let found = app
        .store
        .read(|reader| Box::pin(async move { reader.webhook(&id).await }))
        .await?;
    found
        .filter(|webhook| caller.owns(webhook.organization.as_ref()))
        .ok_or_else(AppError::not_found)
}

/// Changes a webhook. One that is switched on again goes on where it stopped.
///
/// # Errors
/// 404; 422 (`invalid_webhook`); those of the store.
pub async fn change(app: &App, caller: &Caller, id: &str, change: WebhookChange) -> Result<Webhook> {
    find(app, caller, id).await?;
    check(
        app,
        change.url.as_deref(),
        change.kinds.as_deref(),
        change.description.as_deref(),
    )?;
    let enabled = change.enabled;
    edit(app, caller, id, "webhook.updated", enabled, move |webhook, _| {
        if let Some(url) = &change.url {
            webhook.url.clone_from(url);
        }
        if let Some(kinds) = &change.kinds {
            webhook.kinds.clone_from(kinds);
        }
        if let Some(description) = &change.description {
            webhook.description = Some(description.clone()).filter(|text| !text.is_empty());
        }
    })
    .await
}

/// Gives a webhook a new secret. For a day, calls are signed with the one before, too.
///
/// # Errors
/// 404; those of the store.
pub async fn rotate(app: &App, caller: &Caller, id: &str) -> Result<WithSecret> {
    find(app, caller, id).await?;
    let secret = new_secret(app)?;
    let new = secret.clone();
    let webhook = edit(
        app,
        caller,
        id,
        "webhook.secret_rotated",
        None,
        move |webhook, now| {
            if let Some(before) = webhook.secrets.get("current").map(str::to_owned) {
                webhook.secrets.set("previous", before);
                webhook.previous_until = now.checked_add(OVERLAP).ok();
            }
            webhook.secrets.set("current", new.clone());
        },
    )
    .await?;
    Ok(WithSecret {
        webhook,
        secret: secret.into(),
    })
}

async fn edit<F>(
    app: &App,
    caller: &Caller,
    id: &str,
    kind: &'static str,
    enabled: Option<bool>,
    edit: F,
) -> Result<Webhook>
where
    F: FnOnce(&mut Webhook, Timestamp) + Send + 'static,
{
    let (wanted, now, actor) = (id.to_owned(), app.world.now(), caller.actor().label());
    let written = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                let Some((before, after)) = edit_in_tx(tx, &wanted, enabled, now, edit).await? else {
                    return Ok(None);
                };
                let data = json!({ "before": told(&before), "after": told(&after) });
                tx.record(event(kind, &after, actor, data, now));
                Ok::<_, StoreError>(Some(after))
            })
        })
        .await?;
    written.ok_or_else(AppError::not_found)
}

/// Returns a webhook as it was and as it is.
async fn edit_in_tx<F>(
    tx: &mut Tx,
    id: &str,
    enabled: Option<bool>,
    now: Timestamp,
    edit: F,
) -> std::result::Result<Option<(Webhook, Webhook)>, StoreError>
where
    F: FnOnce(&mut Webhook, Timestamp) + Send + 'static,
{
    // First what takes the place of the feed: that is locked before any webhook.
    let known = tx.webhook(id).await?;
    if let Some(enabled) = enabled {
        tx.switch_webhook(id, enabled, None, now).await?;
    }
    tx.lock_webhook(id).await?;
    let (Some(known), Some(mut webhook)) = (known, tx.webhook(id).await?) else {
        return Ok(None);
    };
    edit(&mut webhook, now);
    tx.update_webhook(&webhook).await?;
    Ok(Some((known, webhook)))
}

/// What the audit log and the feed say of a webhook: addresses of receivers often hold secrets.
fn told(webhook: &Webhook) -> Value {
    json!({ "host": host_of(&webhook.url), "kinds": webhook.kinds, "enabled": webhook.enabled })
}

/// Returns the host of an address, and its port if it names one.
pub fn host_of(url: &str) -> String {
    let parsed = url::Url::parse(url).ok();
    parsed
        .and_then(|url| {
            let host = url.host_str()?.to_owned();
            Some(
                url.port()
                    .map_or_else(|| host.clone(), |port| format!("{host}:{port}")),
            )
        })
        .unwrap_or_default()
}

/// Deletes a webhook with its history.
///
/// # Errors
/// 404; those of the store.
pub async fn delete(app: &App, caller: &Caller, id: &str) -> Result<()> {
    let webhook = find(app, caller, id).await?;
    let (now, actor) = (app.world.now(), caller.actor().label());
    let deleted = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                let deleted = tx.delete_webhook(&webhook.id).await?;
                if deleted {
                    let data = json!({ "host": host_of(&webhook.url) });
                    tx.record(event("webhook.deleted", &webhook, actor, data, now));
                }
                Ok::<_, StoreError>(deleted)
            })
        })
        .await?;
    if deleted {
        Ok(())
    } else {
        Err(AppError::not_found())
    }
}
