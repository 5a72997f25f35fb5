//! Keys of the management API: made once and shown once, kept as digests, with scopes, an end and a last use.
//!
//! A key acts for the whole instance or for one organization. What a key may see is asked here and nowhere else.

use jiff::{SignedDuration, Timestamp};
use provost_kernel::id::{AccountId, OrganizationId};
use provost_kernel::provision::Actor;
use provost_store::{Reader, StoreError, TokenRecord};
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

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
    /// Make, edit, pin and end memberships.
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
    /// Invite people, send invitations again, take them back.
    #[serde(rename = "invitations:write")]
    InvitationsWrite,
    /// Move people to single sign-on.
    #[serde(rename = "conversions:write")]
    ConversionsWrite,
    /// Read traces. Shows claims of people.
    #[serde(rename = "traces:read")]
    TracesRead,
    /// Follow the event feed.
    #[serde(rename = "events:read")]
    EventsRead,
    /// Read webhooks and what became of their calls.
    #[serde(rename = "webhooks:read")]
    WebhooksRead,
    /// Make, change, try and delete webhooks, and send again.
    #[serde(rename = "webhooks:write")]
    WebhooksWrite,
    /// Read claims of domains and accounts outside.
    #[serde(rename = "domains:read")]
    DomainsRead,
    /// Claim, check, settle and give up domains.
    #[serde(rename = "domains:write")]
    DomainsWrite,
    /// Change what an organization demands of sign-ins with a password.
    #[serde(rename = "sign_in:write")]
    SignInWrite,
    /// Add, change and end accounts, and import them.
    #[serde(rename = "accounts:write")]
    AccountsWrite,
    /// Change organizations and what they hand out.
    #[serde(rename = "organizations:write")]
    OrganizationsWrite,
    /// Change connections and the tokens of directories.
    #[serde(rename = "connections:write")]
    ConnectionsWrite,
    /// Read applications.
    #[serde(rename = "applications:read")]
    ApplicationsRead,
    /// Change applications.
    #[serde(rename = "applications:write")]
    ApplicationsWrite,
    /// List keys of the API.
    #[serde(rename = "keys:read")]
    KeysRead,
    /// Make and revoke keys of the API; a key gives no more than it has.
    #[serde(rename = "keys:write")]
    KeysWrite,
    /// Export the configuration.
    #[serde(rename = "configuration:read")]
    ConfigurationRead,
    /// Apply a configuration.
    #[serde(rename = "configuration:write")]
    ConfigurationWrite,
    /// Read and export the audit log.
    #[serde(rename = "audit:read")]
    AuditRead,
    /// Read the list of jobs.
    #[serde(rename = "jobs:read")]
    JobsRead,
}

impl Scope {
    /// Every scope.
    pub const ALL: &'static [Self] = &[
        Self::OrganizationsRead,
        Self::AccountsRead,
        Self::MembershipsWrite,
        Self::ConnectionsRead,
        Self::PoliciesRead,
        Self::PoliciesTest,
        Self::PoliciesWrite,
        Self::InvitationsWrite,
        Self::ConversionsWrite,
        Self::TracesRead,
        Self::EventsRead,
        Self::WebhooksRead,
        Self::WebhooksWrite,
        Self::DomainsRead,
        Self::DomainsWrite,
        Self::SignInWrite,
        Self::AccountsWrite,
        Self::OrganizationsWrite,
        Self::ConnectionsWrite,
        Self::ApplicationsRead,
        Self::ApplicationsWrite,
        Self::KeysRead,
        Self::KeysWrite,
        Self::ConfigurationRead,
        Self::ConfigurationWrite,
        Self::AuditRead,
        Self::JobsRead,
    ];

    /// Returns the stable word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::OrganizationsRead => "organizations:read",
            Self::AccountsRead => "accounts:read",
            Self::MembershipsWrite => "memberships:write",
            Self::ConnectionsRead => "connections:read",
            Self::PoliciesRead => "policies:read",
            Self::PoliciesTest => "policies:test",
            Self::PoliciesWrite => "policies:write",
            Self::InvitationsWrite => "invitations:write",
            Self::ConversionsWrite => "conversions:write",
            Self::TracesRead => "traces:read",
            Self::EventsRead => "events:read",
            Self::WebhooksRead => "webhooks:read",
            Self::WebhooksWrite => "webhooks:write",
            Self::DomainsRead => "domains:read",
            Self::DomainsWrite => "domains:write",
            Self::SignInWrite => "sign_in:write",
            Self::AccountsWrite => "accounts:write",
            Self::OrganizationsWrite => "organizations:write",
            Self::ConnectionsWrite => "connections:write",
            Self::ApplicationsRead => "applications:read",
            Self::ApplicationsWrite => "applications:write",
            Self::KeysRead => "keys:read",
            Self::KeysWrite => "keys:write",
            Self::ConfigurationRead => "configuration:read",
            Self::ConfigurationWrite => "configuration:write",
            Self::AuditRead => "audit:read",
            Self::JobsRead => "jobs:read",
        }
    }

    /// Returns what it allows, as a sentence.
    pub const fn about(self) -> &'static str {
        match self {
            Self::OrganizationsRead => "read organizations and what they hand out",
            Self::AccountsRead => "read accounts and memberships",
            Self::MembershipsWrite => "make, edit, pin and end memberships",
            Self::ConnectionsRead => "read connections",
            Self::PoliciesRead => "read policies and their held changes",
            Self::PoliciesTest => "try policies on people: tester, preview, drift; shows claims of people",
            Self::PoliciesWrite => "change policies, approve and reject held changes",
            Self::InvitationsWrite => "invite people, send invitations again, take them back",
            Self::ConversionsWrite => "move people to single sign-on",
            Self::TracesRead => "read traces; shows claims of people",
            Self::EventsRead => "follow the event feed",
            Self::WebhooksRead => "read webhooks and what became of their calls",
            Self::WebhooksWrite => "make, change, try and delete webhooks, and send again",
            Self::DomainsRead => {
                "read claims of domains, and accounts with their addresses outside the organization"
            }
            Self::DomainsWrite => "claim domains, check, settle and give them up",
            Self::SignInWrite => "change what an organization demands of sign-ins with a password",
            Self::AccountsWrite => "add, change and end accounts, and import them",
            Self::OrganizationsWrite => "change organizations and what they hand out",
            Self::ConnectionsWrite => "change connections and the tokens of directories",
            Self::ApplicationsRead => "read applications",
            Self::ApplicationsWrite => "change applications",
            Self::KeysRead => "list keys of the API",
            Self::KeysWrite => "make and revoke keys of the API; a key gives no more than it has",
            Self::ConfigurationRead => "export the configuration",
            Self::ConfigurationWrite => "apply a configuration",
            Self::AuditRead => "read and export the audit log",
            Self::JobsRead => "read the list of jobs",
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
    /// Identifier of the key, never the key; empty for whoever is none.
    pub key: String,
    /// Who acts in place of a key: a person in the console.
    pub person: Option<Actor>,
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
            person: None,
            organization: None,
            scopes: Scope::ALL.to_vec(),
        }
    }

    /// Tells whether this caller may know anything about an organization.
    pub fn sees(&self, organization: &OrganizationId) -> bool {
        self.organization.as_ref().is_none_or(|own| own == organization)
    }

    /// Refuses a key of one organization where something concerns the whole instance.
    ///
    /// # Errors
    /// 403 (`instance_key_needed`).
    pub fn must_be_of_instance(&self) -> Result<()> {
        if self.organization.is_none() {
            return Ok(());
        }
        Err(AppError::forbidden(
            "instance_key_needed",
            "This needs a key of the whole instance.",
        ))
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
        if let Some(person) = &self.person {
            return person.clone();
        }
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
    make(app, &Caller::operator().actor(), new).await
}

/// Makes a key for a caller: with no more scopes and no wider bounds than its own.
///
/// # Errors
/// 403 (`not_permitted`) for more than the caller has; as [`create`].
pub async fn create_by(app: &App, caller: &Caller, mut new: NewKey) -> Result<MadeKey> {
    if let Some(own) = &caller.organization {
        if new.organization.as_ref().is_some_and(|wanted| wanted != own) {
            return Err(AppError::not_found());
        }
        new.organization = Some(own.clone());
    }
    if new.scopes.iter().any(|scope| !caller.scopes.contains(scope)) {
        return Err(AppError::forbidden(
            "not_permitted",
            "A key gives no scope that it does not have.",
        ));
    }
    make(app, &caller.actor(), new).await
}

/// Lists the keys that a caller may see, revoked ones too, oldest first.
///
/// # Errors
/// Those of the store.
pub async fn list_of(app: &App, caller: &Caller) -> Result<Vec<TokenRecord>> {
    let mut keys = list(app).await?;
    keys.retain(|key| caller.owns(key.organization.as_ref()));
    Ok(keys)
}

/// Revokes a key that a caller may see.
///
/// # Errors
/// 404 for another's and for one that is not good any more; those of the store.
pub async fn revoke_by(app: &App, caller: &Caller, id: &str) -> Result<()> {
    let known = list_of(app, caller).await?.into_iter().any(|key| key.id == id);
    if known && end(app, &caller.actor(), id).await? {
        Ok(())
    } else {
        Err(AppError::not_found())
    }
}

async fn make(app: &App, actor: &Actor, new: NewKey) -> Result<MadeKey> {
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
    let mut record = TokenRecord {
        id: app.world.id("key_")?,
        kind: TOKEN_KIND.to_owned(),
        label,
        connection: None,
        organization: new.organization,
        made_by: None,
        scopes: scopes.iter().map(|scope| scope.word().to_owned()).collect(),
        created_at: now,
        expires_at,
        last_used_at: None,
        revoked_at: None,
    };
    let (mut kept, digest, maker) = (record.clone(), token.digest, actor.clone());
    let actor = actor.label();
    let known = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                if let Some(organization) = &kept.organization
                    && tx.organization(organization).await?.is_none()
                {
                    return Ok::<_, StoreError>(None);
                }
                kept.made_by = maker_of(tx, &maker).await?;
                tx.insert_token(&kept, &digest).await?;
                tx.record(kept.event("api_key.created", &actor, now));
                Ok(Some(kept.made_by))
            })
        })
        .await?;
    record.made_by = known.ok_or_else(AppError::not_found)?;
    Ok(MadeKey {
        record,
        secret: token.secret,
    })
}

/// Finds the person behind a new key: who makes it, or whose key makes it.
async fn maker_of(reader: &mut Reader, actor: &Actor) -> Result<Option<AccountId>, StoreError> {
    match actor {
        Actor::Admin { account, .. } => Ok(Some(account.clone())),
        Actor::Operator { account } => Ok(account.clone()),
        Actor::Key { key, .. } => Ok(reader.token(key).await?.and_then(|record| record.made_by)),
        Actor::File | Actor::System | Actor::SetupLink { .. } | Actor::Scim { .. } | Actor::Person => {
            Ok(None)
        }
    }
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
    end(app, &Caller::operator().actor(), id).await
}

async fn end(app: &App, actor: &Actor, id: &str) -> Result<bool> {
    let actor = actor.label();
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
                    tx.record(record.event("api_key.revoked", &actor, now));
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
        person: None,
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
