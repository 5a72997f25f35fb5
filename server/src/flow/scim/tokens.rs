//! Tokens and OAuth clients of directories: made, listed, revoked. Shown once; only digests are kept.

use jiff::{SignedDuration, Timestamp};
use provost_kernel::connection::{Connection, Provisioning};
use provost_kernel::id::ConnectionId;
use provost_kernel::provision::Actor;
use provost_store::{NewEvent, StoreError, TokenRecord, Tx};
use secrecy::SecretString;
use serde_json::json;

use crate::app::App;
use crate::flow::scim::watch;
use crate::scim_config::{ScimConfig, ScimVersion};
use crate::world::NoRandomness;

/// Kind of a token that a directory presents itself.
pub const BEARER: &str = "scim";
/// Kind of an OAuth client of a directory; its digest is that of the client secret.
pub const CLIENT: &str = "scim_client";
/// Kind of the access tokens that such a client gets; labeled with the client's id.
pub const ACCESS: &str = "scim_access";
/// Most live tokens and clients of one connection.
const MOST: usize = 20;

/// Why a token could not be made or revoked.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// There is no such connection.
    #[error("there is no connection {0}")]
    NoConnection(String),
    /// The label is in use.
    #[error(
        "connection {connection} has a live token with the label {label:?}; revoke it first or choose another label"
    )]
    LabelTaken {
        /// The connection.
        connection: String,
        /// The label.
        label: String,
    },
    /// Too many.
    #[error("connection {0} has {MOST} live tokens already; revoke some first")]
    TooMany(String),
    /// Nothing to revoke.
    #[error("there is no live token {0:?}")]
    NoToken(String),
    /// The database failed.
    #[error("the database failed: {}", crate::error::chain(.0))]
    Store(#[from] StoreError),
    /// No random bytes.
    #[error(transparent)]
    Random(#[from] NoRandomness),
}

/// What the caller wants made.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// For which connection.
    pub connection: String,
    /// Label for people.
    pub label: String,
    /// Days until it expires; none never.
    pub days: Option<u32>,
    /// Whether an OAuth client is wanted rather than a token.
    pub is_client: bool,
}

/// A new token or client. The secret is known here and nowhere else.
#[derive(Debug)]
pub struct Made {
    /// What is kept of it.
    pub record: TokenRecord,
    /// Token or client secret.
    pub secret: SecretString,
    /// Versions that the connection opens.
    pub versions: Vec<ScimVersion>,
    /// How the connection makes accounts.
    pub provisioning: Provisioning,
}

/// Makes a token or an OAuth client.
///
/// # Errors
/// [`TokenError`].
pub async fn create(app: &App, wanted: Wanted) -> Result<Made, TokenError> {
    create_as(app, wanted, Actor::Operator { account: None }).await
}

/// As [`create`], in somebody's name.
///
/// # Errors
/// [`TokenError`].
pub async fn create_as(app: &App, wanted: Wanted, actor: Actor) -> Result<Made, TokenError> {
    let secret = app.world.token(if wanted.is_client { "pvc_" } else { "pvt_" })?;
    let id = app.world.id(if wanted.is_client { "scl_" } else { "tok_" })?;
    let now = app.world.now();
    let expires_at = wanted.days.and_then(|days| {
        now.checked_add(SignedDuration::from_hours(24 * i64::from(days)))
            .ok()
    });
    let record = TokenRecord {
        id,
        kind: if wanted.is_client { CLIENT } else { BEARER }.to_owned(),
        label: wanted.label,
        connection: Some(ConnectionId::new(&wanted.connection)),
        organization: None,
        made_by: None,
        scopes: vec!["scim".to_owned()],
        created_at: now,
        expires_at,
        last_used_at: None,
        revoked_at: None,
    };
    let kept = record.clone();
    let digest = secret.digest;
    let (versions, provisioning) = app
        .store
        .write(move |tx| Box::pin(async move { insert(tx, &kept, &digest, &actor, now).await }))
        .await?;
    Ok(Made {
        record,
        secret: secret.secret,
        versions,
        provisioning,
    })
}

async fn insert(
    tx: &mut Tx,
    record: &TokenRecord,
    digest: &str,
    actor: &Actor,
    now: Timestamp,
) -> Result<(Vec<ScimVersion>, Provisioning), TokenError> {
    let Some(id) = &record.connection else {
        return Err(TokenError::NoConnection(String::new()));
    };
    let Some(stored) = tx.connection(id).await? else {
        return Err(TokenError::NoConnection(id.as_str().to_owned()));
    };
    let mut live = Vec::new();
    for kind in [BEARER, CLIENT] {
        let all = tx.tokens(kind, Some(id)).await?;
        live.extend(all.into_iter().filter(|token| is_live(token, now)));
    }
    if live.iter().any(|token| token.label == record.label) {
        return Err(TokenError::LabelTaken {
            connection: id.as_str().to_owned(),
            label: record.label.clone(),
        });
    }
    if live.len() >= MOST {
        return Err(TokenError::TooMany(id.as_str().to_owned()));
    }
    tx.insert_token(record, digest).await?;
    tx.record(event(
        record,
        &stored.connection,
        "scim_token.created",
        actor,
        now,
    ));
    let config = ScimConfig::of(&stored.protocol_config).unwrap_or_default();
    Ok((config.versions, stored.connection.provisioning))
}

/// Tells whether a token opens anything now.
pub fn is_live(token: &TokenRecord, now: Timestamp) -> bool {
    token.revoked_at.is_none() && token.expires_at.is_none_or(|end| now < end)
}

/// Lists tokens and clients, of one connection if named, ended ones too, oldest first.
///
/// # Errors
/// Those of the store.
pub async fn list(app: &App, connection: Option<String>) -> Result<Vec<TokenRecord>, StoreError> {
    let connection = connection.map(ConnectionId::new);
    app.store
        .read(move |reader| {
            Box::pin(async move {
                let mut all = reader.tokens(BEARER, connection.as_ref()).await?;
                all.extend(reader.tokens(CLIENT, connection.as_ref()).await?);
                all.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
                Ok(all)
            })
        })
        .await
}

/// Revokes a token or client at once, with all access tokens that the client got.
///
/// # Errors
/// [`TokenError::NoToken`] if it opens nothing any more; those of the store.
pub async fn revoke(app: &App, id: String) -> Result<TokenRecord, TokenError> {
    revoke_as(app, id, Actor::Operator { account: None }).await
}

/// As [`revoke`], in somebody's name.
///
/// # Errors
/// [`TokenError`].
pub async fn revoke_as(app: &App, id: String, by: Actor) -> Result<TokenRecord, TokenError> {
    let now = app.world.now();
    app.store
        .write(move |tx| {
            Box::pin(async move {
                let found = tx.token(&id).await?;
                let Some(record) = found.filter(|token| token.kind == BEARER || token.kind == CLIENT) else {
                    return Err(TokenError::NoToken(id));
                };
                if !tx.revoke_token(&record.id, now).await? {
                    return Err(TokenError::NoToken(id));
                }
                tx.revoke_tokens_labeled(ACCESS, &record.id, now).await?;
                if let Some(connection) = &record.connection
                    && let Some(stored) = tx.connection(connection).await?
                {
                    tx.record(event(&record, &stored.connection, "scim_token.revoked", &by, now));
                }
                Ok(record)
            })
        })
        .await
}

fn event(
    record: &TokenRecord,
    connection: &Connection,
    kind: &str,
    actor: &Actor,
    now: Timestamp,
) -> NewEvent {
    let data = json!({
        "id": record.id,
        "kind": record.kind,
        "label": record.label,
        "expires_at": record.expires_at,
    });
    watch::event(connection, kind, actor, data, now)
}
