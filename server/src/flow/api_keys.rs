//! Keys of the management API: made once and shown once, kept as digests, with scopes, an end and a last use.
//!
//! A key acts for the whole instance or for one organization. What a key may see is asked here and nowhere else.

use jiff::{SignedDuration, Timestamp};
use provost_kernel::id::OrganizationId;
use provost_kernel::provision::Actor;
use provost_store::{NewEvent, StoreError, TokenRecord};
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::app::App;
use crate::error::{AppError, Result};
use crate::world::digest_of;

/// Kind of these tokens, as the store knows them.
const TOKEN_KIND: &str = "api";
/// What every key begins with, so that leaked ones can be searched for.
pub const PREFIX: &str = "pvk_";
/// Requests of one key in each minute.
const REQUESTS_PER_MINUTE: u32 = 1200;
/// Longest label.
const LONGEST_LABEL: usize = 200;

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Scope {
    /// Read organizations and what they hand out.
    #[serde(rename = "organizations:read")]
    OrganizationsRead,
    /// Read accounts and memberships.
    #[serde(rename = "accounts:read")]
    AccountsRead,
    /// Change accounts.
    #[serde(rename = "accounts:write")]
    AccountsWrite,
    /// Pin and unpin memberships.
    #[serde(rename = "memberships:write")]
    MembershipsWrite,
    /// Read connections.
    #[serde(rename = "connections:read")]
    ConnectionsRead,
    /// Read policies and their held changes.
    #[serde(rename = "policies:read")]
    PoliciesRead,
    /// Try policies on people: tester, preview, drift. Shows claims of people.
    #[serde(rename = "policies:test")]
    PoliciesTest,
    /// Change policies, approve and reject held changes.
    #[serde(rename = "policies:write")]
    PoliciesWrite,
    /// Read traces. Shows claims of people.
    #[serde(rename = "traces:read")]
    TracesRead,
    /// Follow the event feed.
    #[serde(rename = "events:read")]
    EventsRead,
}

impl Scope {
    /// Every scope.
    pub const ALL: &'static [Self] = &[
        Self::OrganizationsRead,
        Self::AccountsRead,
        Self::AccountsWrite,
        Self::MembershipsWrite,
        Self::ConnectionsRead,
        Self::PoliciesRead,
        Self::PoliciesTest,
        Self::PoliciesWrite,
        Self::TracesRead,
        Self::EventsRead,
    ];

    /// Returns the stable word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::OrganizationsRead => "organizations:read",
            Self::AccountsRead => "accounts:read",
            Self::AccountsWrite => "accounts:write",
            Self::MembershipsWrite => "memberships:write",
            Self::ConnectionsRead => "connections:read",
            Self::PoliciesRead => "policies:read",
            Self::PoliciesTest => "policies:test",
            Self::PoliciesWrite => "policies:write",
            Self::TracesRead => "traces:read",
            Self::EventsRead => "events:read",
        }
    }

    /// Returns what it allows, as a sentence.
    pub const fn about(self) -> &'static str {
        match self {
            Self::OrganizationsRead => "read organizations and what they hand out",
            Self::AccountsRead => "read accounts and memberships",
            Self::AccountsWrite => "change accounts",
            Self::MembershipsWrite => "pin and unpin memberships",
            Self::ConnectionsRead => "read connections",
            Self::PoliciesRead => "read policies and their held changes",
            Self::PoliciesTest => "try policies on people: tester, preview, drift; shows claims of people",
            Self::PoliciesWrite => "change policies, approve and reject held changes",
            Self::TracesRead => "read traces; shows claims of people",
            Self::EventsRead => "follow the event feed",
        }
    }

    /// Finds a scope by its word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|scope| scope.word() == word)
    }
}

/// Who calls the API: a key that was found good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Identifier of the key, never the key.
    pub key: String,
    /// The organization that the key is bound to; none sees the whole instance.
    pub organization: Option<OrganizationId>,
    /// What it may do.
    pub scopes: Vec<Scope>,
}

impl Caller {
    /// Whoever has the command line of the machine.
    pub fn operator() -> Self {
        Self {
            key: String::new(),
            organization: None,
            scopes: Scope::ALL.to_vec(),
        }
    }

    /// Tells whether this caller may know anything about an organization.
    pub fn sees(&self, organization: &OrganizationId) -> bool {
        self.organization.as_ref().is_none_or(|own| own == organization)
    }

    /// Tells whether what belongs to `owner` (none: the instance) is this caller's to see.
    pub fn owns(&self, owner: Option<&OrganizationId>) -> bool {
        match (&self.organization, owner) {
            (None, _) => true,
            (Some(own), Some(owner)) => own == owner,
            (Some(_), None) => false,
        }
    }

    /// Returns who acts, for decisions and audit rows.
    pub fn actor(&self) -> Actor {
        if self.key.is_empty() {
            return Actor::Operator { account: None };
        }
        Actor::Key {
            key: self.key.clone(),
            organization: self.organization.clone(),
        }
    }
}

/// A key to be made.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// What it is for.
    pub label: String,
    /// The organization that it is bound to.
    pub organization: Option<OrganizationId>,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// After how many days it ends.
    pub days: Option<u32>,
}

/// A key that was just made: the only time that its secret is known.
#[derive(Debug)]
pub struct MadeKey {
    /// The key as it is kept.
    pub record: TokenRecord,
    /// The key itself.
    pub secret: SecretString,
}

/// Makes a key.
///
/// # Errors
/// `invalid_key` for a label or scopes that cannot be; 404 for an unknown organization; those of the store.
pub async fn create(app: &App, new: NewKey) -> Result<MadeKey> {
    let label = new.label.trim().to_owned();
    if label.is_empty() || label.chars().count() > LONGEST_LABEL || label.chars().any(char::is_control) {
        return Err(AppError::bad_request(
            "invalid_key",
            "A key needs a label of 1 to 200 characters.",
        ));
    }
    if new.scopes.is_empty() {
        return Err(AppError::bad_request(
            "invalid_key",
            "A key needs at least one scope.",
        ));
    }
    let token = app.world.token(PREFIX)?;
    let now = app.world.now();
    let expires_at = new.days.map(|days| {
        now.checked_add(SignedDuration::from_hours(i64::from(days) * 24))
            .unwrap_or(Timestamp::MAX)
    });
    let mut scopes: Vec<Scope> = new.scopes;
    scopes.sort_unstable();
    scopes.dedup();
    let record = TokenRecord {
        id: app.world.id("key_")?,
        kind: TOKEN_KIND.to_owned(),
        label,
        connection: None,
        organization: new.organization,
        scopes: scopes.iter().map(|scope| scope.word().to_owned()).collect(),
        created_at: now,
        expires_at,
        last_used_at: None,
        revoked_at: None,
    };
    let (kept, digest) = (record.clone(), token.digest);
    let known = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                if let Some(organization) = &kept.organization
                    && tx.organization(organization).await?.is_none()
                {
                    return Ok::<_, StoreError>(false);
                }
                tx.insert_token(&kept, &digest).await?;
                tx.record(event("api_key.created", &kept, now));
                Ok(true)
            })
        })
        .await?;
    if !known {
        return Err(AppError::not_found());
    }
    Ok(MadeKey {
        record,
        secret: token.secret,
    })
}

/// Lists the keys, revoked ones too, oldest first.
///
/// # Errors
/// Those of the store.
pub async fn list(app: &App) -> Result<Vec<TokenRecord>> {
    let keys = app
        .store
        .read(|reader| Box::pin(async move { reader.tokens(TOKEN_KIND, None).await }))
        .await?;
    Ok(keys)
}

/// Revokes a key. False if there is none of that identifier that is still good.
///
/// # Errors
/// Those of the store.
pub async fn revoke(app: &App, id: &str) -> Result<bool> {
    let Some(record) = list(app).await?.into_iter().find(|key| key.id == id) else {
        return Ok(false);
    };
    let now = app.world.now();
    let revoked = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                let revoked = tx.revoke_token(&record.id, now).await?;
                if revoked {
                    tx.record(event("api_key.revoked", &record, now));
                }
                Ok::<_, StoreError>(revoked)
            })
        })
        .await?;
    Ok(revoked)
}

/// Finds out who calls, notes the use and counts it.
///
/// # Errors
/// 401 (`invalid_api_key`) for a key that is absent, unknown, revoked or expired; 429 above the limit; those of the store.
pub async fn authenticate(app: &App, bearer: Option<&str>) -> Result<Caller> {
    let Some(secret) = bearer.filter(|text| text.starts_with(PREFIX)) else {
        return Err(unauthorized());
    };
    let (digest, now) = (digest_of(secret), app.world.now());
    let found = app
        .store
        .read(|reader| Box::pin(async move { reader.token_by_digest(&digest, now).await }))
        .await?;
    let record = found
        .filter(|record| record.kind == TOKEN_KIND)
        .ok_or_else(unauthorized)?;
    let id = record.id.clone();
    let hit = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                tx.touch_token(&id, now).await?;
                tx.hit(&format!("api:{id}"), 60, REQUESTS_PER_MINUTE, now).await
            })
        })
        .await?;
    if !hit.allowed {
        metrics::counter!("provost_rate_limited_total", "what" => "api").increment(1);
        return Err(AppError::too_many(
            u64::try_from(hit.retry_after_seconds).unwrap_or(1),
        ));
    }
    Ok(Caller {
        key: record.id,
        organization: record.organization,
        scopes: record
            .scopes
            .iter()
            .filter_map(|word| Scope::parse(word))
            .collect(),
    })
}

fn unauthorized() -> AppError {
    AppError::unauthorized(
        "invalid_api_key",
        "This needs a key of the management API, sent as `Authorization: Bearer …`.",
    )
}

fn event(kind: &str, key: &TokenRecord, now: Timestamp) -> NewEvent {
    NewEvent {
        at: now,
        kind: kind.to_owned(),
        actor: Actor::Operator { account: None }.label(),
        account: None,
        organization: key.organization.clone(),
        connection: None,
        trace: None,
        data: json!({
            "key": key.id,
            "label": key.label,
            "scopes": key.scopes,
            "expires_at": key.expires_at,
        }),
    }
}
