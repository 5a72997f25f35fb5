//! Setting up a connection step by step (F1): drafts that anybody with the right comes back to, test sign-ins, going live.
//!
//! A draft is a connection with the stage `draft` or `testing`: switched off for sign-ins, discovery and changes by a
//! directory. It is written the way of `provost apply`; only what the wizard itself keeps stands beside it.

pub mod colleagues;
pub mod editing;
pub mod guides;
pub mod links;
pub mod testing;
pub mod values;

use jiff::Timestamp;
use provost_kernel::connection::{Protocol, Provisioning};
use provost_kernel::domain;
use provost_kernel::entitlement::Feature;
use provost_kernel::id::{ConnectionId, OrganizationId};
use provost_kernel::provision::Actor;
use provost_store::{ConnectionRecord, DraftRecord, NewEvent, StoreError, Tx};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::app::App;
use crate::connection_config::Stage;
use crate::declarative::{self, SettingUp};
use crate::error::{AppError, Result};
use crate::flow::api_keys::Caller;
use crate::flow::{configuration, entitlements};

use guides::Guide;

/// Most drafts of one organization.
const MOST: usize = 50;
/// How often a connection is edited anew when others changed it in between.
const TRIES: u32 = 5;
/// Longest label of a connection.
const LONGEST_NAME: usize = 100;

/// What the wizard keeps of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Draft {
    /// Word of the guide.
    pub guide: String,
    /// Protocol, before there is a connection.
    pub protocol: Option<Protocol>,
    /// Label.
    pub name: String,
    /// Who began it, as audit rows say it.
    pub by: String,
    /// Domains that are to be served, verified or not.
    pub domains: Vec<String>,
    /// Whether the step about domains was left.
    pub domains_seen: bool,
    /// The mode that was chosen.
    pub mode: Option<Provisioning>,
    /// Whether the step about the policy was left.
    pub policy_seen: bool,
    /// The last test sign-in.
    pub test: Option<Test>,
    /// Fingerprint of the settings that a test sign-in has proved.
    pub proved: Option<String>,
}

/// A test sign-in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Test {
    /// Number of its trace.
    pub trace: String,
    /// When it ended.
    pub at: Timestamp,
    /// `verified`, or the code of what was wrong.
    pub code: String,
    /// What was wrong.
    #[serde(default)]
    pub text: String,
}

/// The code of a test that went well.
pub const VERIFIED: &str = "verified";

/// Reads the fingerprint of the settings that a test sign-in has proved off a stored draft.
pub fn proved(document: &Value) -> Option<String> {
    document.get("proved").and_then(Value::as_str).map(str::to_owned)
}

/// A connection that is being set up.
#[derive(Clone, Debug)]
pub struct SetUp {
    /// Its identifier.
    pub id: ConnectionId,
    /// What the wizard keeps.
    pub draft: Draft,
    /// The connection, once their values are known.
    pub record: Option<ConnectionRecord>,
}

impl SetUp {
    /// The guide.
    pub fn guide(&self) -> &'static Guide {
        Guide::find(&self.draft.guide).unwrap_or_else(|| Guide::generic(self.protocol()))
    }

    /// The protocol.
    pub fn protocol(&self) -> Protocol {
        let stored = self.record.as_ref().map(|record| record.connection.protocol);
        stored.or(self.draft.protocol).unwrap_or(Protocol::Saml)
    }

    /// The mode: as chosen, else as preselected.
    pub fn mode(&self) -> Provisioning {
        self.draft.mode.unwrap_or_else(|| self.guide().preselected())
    }

    /// The version at which the connection was read.
    fn version(&self) -> Option<i64> {
        self.record.as_ref().map(|record| record.connection.version)
    }

    /// Tells whether a test sign-in has proved the present settings.
    pub fn is_proved(&self) -> bool {
        let Some(record) = &self.record else { return false };
        self.draft.proved.is_some() && self.draft.proved == values::fingerprint(record)
    }
}

/// Edits a connection, from the reading, and anew where others changed it in between: what they did stays.
async fn anew<T, F: Future<Output = Result<T>>>(edit: impl Fn() -> F) -> Result<T> {
    for _ in 1..TRIES {
        match edit().await {
            Err(error) if error.code() == "conflict" => {}
            other => return other,
        }
    }
    edit().await
}

/// Lets the caller set connections of an organization up.
///
/// # Errors
/// 404 out of sight; 403 (`entitlement_missing`, `setup_by_link`, `setup_by_operator`); those of the store.
pub async fn require(app: &App, caller: &Caller, organization: &str) -> Result<()> {
    if !caller.sees(&OrganizationId::new(organization)) {
        return Err(AppError::not_found());
    }
    entitlements::require(app, caller, Feature::Sso).await?;
    entitlements::require_setup(app, caller).await
}

/// Begins a draft and returns the identifier of the connection that it will be.
///
/// # Errors
/// As [`require`]; 422 (`invalid_guide`) for a product or protocol that there is no guide for; 409 (`too_many_drafts`).
pub async fn begin(
    app: &App,
    caller: &Caller,
    organization: &str,
    guide: &str,
    protocol: Option<Protocol>,
    name: Option<&str>,
) -> Result<ConnectionId> {
    require(app, caller, organization).await?;
    let unknown = || AppError::unprocessable("invalid_guide", "There is no such guide.");
    let guide = Guide::find(guide).ok_or_else(unknown)?;
    let protocol = protocol
        .or_else(|| guide.protocols.first().copied())
        .filter(|wanted| guide.protocols.contains(wanted))
        .ok_or_else(unknown)?;
    let random = u32::from_be_bytes(app.world.bytes::<4>()?);
    let id = ConnectionId::new(format!("{}-{random:08x}", guide.id));
    let draft = Draft {
        guide: guide.id.to_owned(),
        protocol: Some(protocol),
        name: label(name).unwrap_or_else(|| guide.name.to_owned()),
        by: caller.actor().label(),
        ..Draft::default()
    };
    let (owner, kept, now, actor) = (
        OrganizationId::new(organization),
        id.clone(),
        app.world.now(),
        caller.actor(),
    );
    app.store
        .write(move |tx| {
            Box::pin(async move {
                tx.lock_organization(&owner).await?;
                if tx.drafts(&owner).await?.len() >= MOST {
                    return Err(AppError::conflict(
                        "too_many_drafts",
                        "The organization has as many drafts as it may have. Discard one first.",
                    ));
                }
                let record = DraftRecord {
                    connection: kept.clone(),
                    organization: owner.clone(),
                    document: json!(draft),
                    created_at: now,
                    updated_at: now,
                };
                tx.put_draft(&record, now).await?;
                let data = json!({ "guide": draft.guide, "name": draft.name });
                tx.record(event("connection.draft_begun", &actor, &owner, &kept, data, now));
                Ok(())
            })
        })
        .await?;
    Ok(id)
}

/// Cuts a label to what is stored; none if nothing is left.
fn label(name: Option<&str>) -> Option<String> {
    let kept: String = name?
        .trim()
        .chars()
        .filter(|letter| !letter.is_control())
        .take(LONGEST_NAME)
        .collect();
    (!kept.is_empty()).then_some(kept)
}

/// Finds a connection of the organization that is being set up.
///
/// # Errors
/// As [`require`]; 404; those of the store.
pub async fn one(app: &App, caller: &Caller, organization: &str, id: &str) -> Result<SetUp> {
    require(app, caller, organization).await?;
    let (id, owner) = (ConnectionId::new(id), OrganizationId::new(organization));
    let wanted = id.clone();
    let (draft, record) = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let draft = reader.draft(&wanted).await?;
                Ok::<_, StoreError>((draft, reader.connection(&wanted).await?))
            })
        })
        .await?;
    let draft = draft
        .filter(|draft| draft.organization == owner)
        .ok_or_else(AppError::not_found)?;
    let is_ours = record
        .as_ref()
        .is_none_or(|record| record.connection.owner() == Some(&owner) && is_draft(record));
    if !is_ours {
        return Err(AppError::not_found());
    }
    Ok(SetUp {
        id,
        draft: serde_json::from_value(draft.document).map_err(AppError::internal)?,
        record,
    })
}

/// Tells whether a connection is still being set up.
pub fn is_draft(record: &ConnectionRecord) -> bool {
    Stage::of(&record.status).is_draft()
}

/// Lists what is being set up for an organization, the newest first.
///
/// # Errors
/// 404 out of sight; those of the store.
pub async fn list(app: &App, caller: &Caller, organization: &str) -> Result<Vec<SetUp>> {
    let owner = OrganizationId::new(organization);
    if !caller.sees(&owner) {
        return Err(AppError::not_found());
    }
    let found = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let mut found = Vec::new();
                for draft in reader.drafts(&owner).await? {
                    let record = reader.connection(&draft.connection).await?;
                    found.push((draft, record));
                }
                Ok::<_, StoreError>(found)
            })
        })
        .await?;
    Ok(found
        .into_iter()
        .filter_map(|(draft, record)| {
            Some(SetUp {
                id: draft.connection,
                draft: serde_json::from_value(draft.document).ok()?,
                record,
            })
        })
        .collect())
}

/// Changes what the wizard keeps.
///
/// # Errors
/// 404 for a draft that is gone; those of the store.
async fn keep(app: &App, id: &ConnectionId, edit: impl FnOnce(&mut Draft) + Send + 'static) -> Result<()> {
    let (id, now) = (id.clone(), app.world.now());
    app.store
        .write(move |tx| {
            Box::pin(async move {
                let Some(mut record) = tx.draft_to_change(&id).await? else {
                    return Err(AppError::not_found());
                };
                let mut draft: Draft = serde_json::from_value(record.document).map_err(AppError::internal)?;
                edit(&mut draft);
                record.document = json!(draft);
                tx.change_draft(&record, now).await?;
                Ok(())
            })
        })
        .await
}

/// Chooses the domains that are to be served. Those that are not verified yet are served as soon as they are.
///
/// # Errors
/// As [`one`].
pub async fn choose_domains(
    app: &App,
    caller: &Caller,
    organization: &str,
    id: &str,
    names: Vec<String>,
) -> Result<()> {
    let setup = one(app, caller, organization, id).await?;
    let mut names: Vec<String> = names
        .iter()
        .filter_map(|name| domain::normalize(name).ok())
        .collect();
    names.sort();
    names.dedup();
    names.truncate(200);
    keep(app, &setup.id, move |draft| {
        draft.domains = names;
        draft.domains_seen = true;
    })
    .await?;
    anew(|| serve_chosen(app, caller, organization, id)).await
}

/// Has the connection, if it is there by now, serve the domains that are chosen and verified.
async fn serve_chosen(app: &App, caller: &Caller, organization: &str, id: &str) -> Result<()> {
    let setup = one(app, caller, organization, id).await?;
    let Some(record) = &setup.record else {
        return Ok(());
    };
    let mut entry = declarative::entry_of(record).map_err(AppError::internal)?;
    entry.domains = verified(app, organization, &setup.draft.domains).await?;
    configuration::set_up(app, caller, entry, setup.version(), SettingUp::Draft)
        .await
        .map(drop)
}

/// Returns those of some domains that the organization has verified.
async fn verified(app: &App, organization: &str, names: &[String]) -> Result<Vec<String>> {
    let owner = OrganizationId::new(organization);
    let claims = app
        .store
        .read(|reader| Box::pin(async move { reader.domain_claims(&owner).await }))
        .await?;
    Ok(claims
        .into_iter()
        .filter(|claim| claim.claim.state.is_in_force() && names.contains(&claim.domain.name))
        .map(|claim| claim.domain.name)
        .collect())
}

/// Chooses how accounts come into being.
///
/// # Errors
/// As [`one`]; 403 (`entitlement_missing`) for SCIM that the plan lacks; 409 (`values_missing`).
pub async fn choose_mode(
    app: &App,
    caller: &Caller,
    organization: &str,
    id: &str,
    mode: Provisioning,
) -> Result<()> {
    let setup = one(app, caller, organization, id).await?;
    if mode == Provisioning::Scim {
        entitlements::require(app, caller, Feature::Scim).await?;
    }
    anew(|| provision_by(app, caller, organization, id, mode)).await?;
    keep(app, &setup.id, move |draft| draft.mode = Some(mode)).await
}

async fn provision_by(
    app: &App,
    caller: &Caller,
    organization: &str,
    id: &str,
    mode: Provisioning,
) -> Result<()> {
    let setup = one(app, caller, organization, id).await?;
    let record = setup.record.as_ref().ok_or_else(values_missing)?;
    let mut entry = declarative::entry_of(record).map_err(AppError::internal)?;
    entry.provisioning = mode;
    configuration::set_up(app, caller, entry, setup.version(), SettingUp::Draft)
        .await
        .map(drop)
}

fn values_missing() -> AppError {
    AppError::conflict(
        "values_missing",
        "First give the values of the identity provider.",
    )
}

/// Notes that the step about the policy was left.
///
/// # Errors
/// As [`one`].
pub async fn leave_policy(app: &App, caller: &Caller, organization: &str, id: &str) -> Result<()> {
    let setup = one(app, caller, organization, id).await?;
    keep(app, &setup.id, |draft| draft.policy_seen = true).await
}

/// Lets a draft go live: from now on people sign in through it.
///
/// # Errors
/// As [`one`]; 409 (`values_missing`, `test_missing`); 422 (`invalid_configuration`).
pub async fn go_live(app: &App, caller: &Caller, organization: &str, id: &str) -> Result<()> {
    let setup = anew(|| switch_on(app, caller, organization, id)).await?;
    let (owner, id, now, actor) = (
        OrganizationId::new(organization),
        setup.id,
        app.world.now(),
        caller.actor(),
    );
    let wanted = setup.draft.domains;
    let link = link_of(&actor);
    app.store
        .write(move |tx| {
            Box::pin(async move {
                await_domains_in_tx(tx, &owner, &wanted, &id, now).await?;
                tx.record(event("connection.live", &actor, &owner, &id, json!({}), now));
                if let Some(link) = link
                    && tx.finish_setup_link(&link, now).await?
                {
                    let data = json!({ "link": link });
                    tx.record(event("setup_link.done", &actor, &owner, &id, data, now));
                }
                Ok::<_, StoreError>(())
            })
        })
        .await?;
    Ok(())
}

/// Writes the connection as live, and returns what it was set up from.
async fn switch_on(app: &App, caller: &Caller, organization: &str, id: &str) -> Result<SetUp> {
    let setup = one(app, caller, organization, id).await?;
    let record = setup.record.as_ref().ok_or_else(values_missing)?;
    if !setup.is_proved() {
        return Err(AppError::conflict(
            "test_missing",
            "A connection goes live only after a successful test sign-in with its present settings.",
        ));
    }
    let mut entry = declarative::entry_of(record).map_err(AppError::internal)?;
    entry.domains = verified(app, organization, &setup.draft.domains).await?;
    entry.provisioning = setup.mode();
    entry.enabled = true;
    configuration::set_up(app, caller, entry, setup.version(), SettingUp::GoLive).await?;
    Ok(setup)
}

/// Has domains that are not verified yet served by the connection as soon as they are, which may be by now.
async fn await_domains_in_tx(
    tx: &mut Tx,
    owner: &OrganizationId,
    wanted: &[String],
    id: &ConnectionId,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.lock_organization(owner).await?;
    for name in wanted {
        // Claims are checked, settled and awarded meanwhile: noted is it on what stays so until the end.
        let Some(mut claim) = tx.lock_domain(owner, name).await? else {
            continue;
        };
        if claim.claim.state.is_in_force() {
            tx.return_domain(owner, name, std::slice::from_ref(id), now)
                .await?;
        } else if !claim.lapsed.contains(id) {
            claim.lapsed.push(id.clone());
            tx.put_domain_claim(&claim, now).await?;
        }
    }
    Ok(())
}

/// Returns the link that an actor came by.
fn link_of(actor: &Actor) -> Option<String> {
    match actor {
        Actor::SetupLink { link, .. } => Some(link.clone()),
        Actor::Operator { .. }
        | Actor::File
        | Actor::System
        | Actor::Admin { .. }
        | Actor::Key { .. }
        | Actor::Scim { .. }
        | Actor::Person => None,
    }
}

/// Discards a draft with its connection.
///
/// # Errors
/// As [`one`].
pub async fn discard(app: &App, caller: &Caller, organization: &str, id: &str) -> Result<()> {
    let setup = one(app, caller, organization, id).await?;
    if setup.record.is_some() {
        configuration::delete_connection(app, caller, id, None).await?;
    }
    let (owner, id, now, actor) = (
        OrganizationId::new(organization),
        setup.id,
        app.world.now(),
        caller.actor(),
    );
    app.store
        .write(move |tx| {
            Box::pin(async move {
                if tx.delete_draft(&id).await? {
                    tx.record(event(
                        "connection.draft_discarded",
                        &actor,
                        &owner,
                        &id,
                        json!({}),
                        now,
                    ));
                }
                Ok::<_, StoreError>(())
            })
        })
        .await?;
    Ok(())
}

fn event(
    kind: &str,
    actor: &Actor,
    organization: &OrganizationId,
    connection: &ConnectionId,
    data: Value,
    now: Timestamp,
) -> NewEvent {
    NewEvent {
        at: now,
        kind: kind.to_owned(),
        actor: actor.label(),
        account: None,
        organization: Some(organization.clone()),
        connection: Some(connection.clone()),
        trace: None,
        data,
    }
}
