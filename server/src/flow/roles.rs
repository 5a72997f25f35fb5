//! Changing the roles of an organization. Everything that changes the list goes through [`set_in_tx`]: a role in use goes only if
//! another takes its place, a new name warns about rules that hold the old one, and the last owner stays one (R-139, C-18, R-148),
//! like the last emergency admin where single sign-on is demanded.
//!
//! For the API: [`put`] makes or changes one role, [`delete`] takes one away, [`uses`] says who and what uses each.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use jiff::Timestamp;
use provost_kernel::connection::Connection;
use provost_kernel::directory::{ManagedBy, Role};
use provost_kernel::entitlement::Feature;
use provost_kernel::id::{ConnectionId, OrganizationId, RoleId};
use provost_kernel::mapping::mentions;
use provost_kernel::provision::Actor;
use provost_kernel::provision::roles::{self, MOST_AT_ONCE, RoleUse, RolesChange, RolesJudged, RolesRefused};
use provost_store::{NewEvent, Reader, StoreError, Tx};
use serde_json::json;

use crate::app::App;
use crate::error::{AppError, Fault, Result};
use crate::flow::api_keys::Caller;
use crate::flow::entitlements;
use crate::world::{NoRandomness, World};

/// How often a change is made anew when others wrote in between.
const TRIES: u32 = 6;
/// Connections read at once.
const PAGE: u32 = 200;
/// Longest identifier and name, in bytes.
const LONGEST: usize = 128;

/// A list of roles that somebody wants.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// All roles, in order of priority.
    pub roles: Vec<Role>,
    /// Which of them takes the place of a role that goes.
    pub replacements: BTreeMap<RoleId, RoleId>,
    /// Who managed the organization before the write that this is part of, if that writes who does.
    pub managed_before: Option<ManagedBy>,
}

/// Makes these the roles of an organization, or tells everything that stands against it. `connections` are those whose rules
/// count, as [`connections_of`] lists them.
///
/// # Errors
/// Those of the store and of the source of randomness.
pub async fn set_in_tx<E>(
    tx: &mut Tx,
    world: &World,
    (actor, now): (&Actor, Timestamp),
    organization: &OrganizationId,
    wanted: &Wanted,
    connections: &[Connection],
) -> std::result::Result<std::result::Result<RolesJudged, Vec<RolesRefused>>, E>
where
    E: From<StoreError> + From<NoRandomness>,
{
    // Whoever takes an owner out meanwhile waits here, and counts again.
    tx.lock_organization(organization).await?;
    let before = tx.roles(organization).await?;
    let managed_after = tx
        .organization(organization)
        .await?
        .map(|record| record.organization.managed_by)
        .unwrap_or_default();
    let uses = uses_of(tx, organization, &before, connections).await?;
    let emergency = emergency_roles(tx, organization).await?;
    let judged = match roles::judge(&RolesChange {
        before: &before,
        after: &wanted.roles,
        replacements: &wanted.replacements,
        uses: &uses,
        managed_before: wanted.managed_before.unwrap_or(managed_after),
        managed_after,
        emergency: &emergency,
    }) {
        Ok(judged) => judged,
        Err(refused) => return Ok(Err(refused)),
    };
    if !judged.replaced.is_empty() {
        let going = before.into_iter().filter(|role| {
            let mut replaced = judged.replaced.iter();
            replaced.any(|(from, _)| *from == role.id)
        });
        // A role may leave its name to the one that takes its place.
        let going = going.map(|role| Role {
            name: format!("{} ({})", role.name, role.id),
            default: false,
            ..role
        });
        let both: Vec<Role> = going.chain(wanted.roles.iter().cloned()).collect();
        tx.set_roles(organization, &both).await?;
        for (from, to) in &judged.replaced {
            tx.replace_role_in_local_groups(organization, (from, to), now)
                .await?;
            loop {
                let people = tx.holders_of_role(organization, from, MOST_AT_ONCE).await?;
                if people.is_empty() {
                    break;
                }
                let fresh = world.fresh()?.0;
                let decision = roles::replace(&people, organization, (from, to), &fresh, now);
                tx.apply(&decision, actor, now).await?;
            }
        }
    }
    tx.set_roles(organization, &wanted.roles).await?;
    Ok(Ok(judged))
}

/// Lists the connections that reach an organization.
///
/// # Errors
/// Those of the store.
pub async fn connections_of(
    reader: &mut Reader,
    organization: &OrganizationId,
) -> std::result::Result<Vec<Connection>, StoreError> {
    let mut found = Vec::new();
    let mut after: Option<ConnectionId> = None;
    loop {
        let page = reader.connections(after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(found) };
        after = Some(last.connection.id.clone());
        let connections = page.into_iter().map(|record| record.connection);
        found.extend(connections.filter(|connection| connection.reaches(organization)));
    }
}

async fn uses_of(
    reader: &mut Reader,
    organization: &OrganizationId,
    roles: &[Role],
    connections: &[Connection],
) -> std::result::Result<BTreeMap<RoleId, RoleUse>, StoreError> {
    let mut uses: BTreeMap<RoleId, RoleUse> = roles
        .iter()
        .map(|role| (role.id.clone(), RoleUse::default()))
        .collect();
    for (role, people, active) in reader.role_holders(organization).await? {
        let by = uses.entry(role).or_default();
        by.people = u64::from(people);
        by.active = u64::from(active);
    }
    let groups = reader.local_groups_of(organization).await?;
    for role in roles {
        let by = uses.entry(role.id.clone()).or_default();
        let leading = groups.iter().filter(|group| group.roles.contains(&role.id));
        by.rules
            .extend(leading.map(|group| format!("group {}", group.name)));
        for connection in connections {
            let places = mentions(connection, organization, role);
            by.rules.extend(
                places
                    .into_iter()
                    .map(|path| format!("{}: {path}", connection.id)),
            );
        }
    }
    Ok(uses)
}

/// The roles of each emergency admin of an organization, where it demands single sign-on.
async fn emergency_roles(
    reader: &mut Reader,
    organization: &OrganizationId,
) -> std::result::Result<Vec<Vec<RoleId>>, StoreError> {
    if !reader.demands_single_sign_on(organization).await? {
        return Ok(Vec::new());
    }
    let admins = reader.emergency_accounts(organization).await?;
    Ok(admins.into_iter().map(|admin| admin.roles).collect())
}

/// Says who and what uses each role of an organization.
///
/// # Errors
/// 404 for an organization out of sight; those of the store.
pub async fn uses(app: &App, caller: &Caller, organization: &str) -> Result<BTreeMap<RoleId, RoleUse>> {
    let id = visible(caller, organization)?;
    let found = app
        .store
        .read(|reader| {
            Box::pin(async move {
                if reader.organization(&id).await?.is_none() {
                    return Ok(None);
                }
                let (roles, connections) = (reader.roles(&id).await?, connections_of(reader, &id).await?);
                uses_of(reader, &id, &roles, &connections).await.map(Some)
            })
        })
        .await?;
    found.ok_or_else(AppError::not_found)
}

/// Makes a role, or changes the one with its identifier. A new one is the last in order of priority. Returns warnings.
///
/// # Errors
/// 404 for an organization out of sight; 403 (`not_permitted`) for owner roles with a key of one organization; 409
/// (`last_owner`, `last_emergency_admin`); 422 (`invalid_role`) for a name used twice or one that cannot be used; those of the store.
pub async fn put(app: &App, caller: &Caller, organization: &str, role: Role) -> Result<Vec<String>> {
    let id = visible(caller, organization)?;
    check(&role)?;
    change(app, caller, id, move |roles| {
        match roles.iter_mut().find(|held| held.id == role.id) {
            Some(held) => *held = role.clone(),
            None => roles.push(role.clone()),
        }
        BTreeMap::new()
    })
    .await
}

/// Takes a role away. `replacement` takes its place for whoever holds it. Returns warnings.
///
/// # Errors
/// 404 for an organization or role out of sight; 403 (`not_permitted`) for owner roles with a key of one organization; 409
/// (`role_in_use`, with the rules and the number of people, `last_owner` and `last_emergency_admin`); 422 (`unknown_replacement`); those of the store.
pub async fn delete(
    app: &App,
    caller: &Caller,
    organization: &str,
    role: &str,
    replacement: Option<&str>,
) -> Result<Vec<String>> {
    let id = visible(caller, organization)?;
    let (role, replacement) = (RoleId::new(role), replacement.map(RoleId::new));
    let wanted = id.clone();
    let roles = app
        .store
        .read(|reader| Box::pin(async move { reader.roles(&wanted).await }))
        .await?;
    if !roles.iter().any(|held| held.id == role) {
        return Err(AppError::not_found());
    }
    change(app, caller, id, move |roles| {
        roles.retain(|held| held.id != role);
        replacement
            .iter()
            .map(|other| (role.clone(), other.clone()))
            .collect()
    })
    .await
}

/// Checks what no organization could take.
fn check(role: &Role) -> Result<()> {
    let fits = |text: &str| (1..=LONGEST).contains(&text.len()) && !text.chars().any(char::is_control);
    if fits(role.id.as_str()) && fits(&role.name) {
        return Ok(());
    }
    Err(AppError::unprocessable(
        "invalid_role",
        "Identifier and name of a role have 1 to 128 characters, none of them a control character.",
    ))
}

fn visible(caller: &Caller, organization: &str) -> Result<OrganizationId> {
    let id = OrganizationId::new(organization);
    if caller.sees(&id) {
        Ok(id)
    } else {
        Err(AppError::not_found())
    }
}

/// Why a change was not written.
enum Stop {
    Store(StoreError),
    NoRandomness(NoRandomness),
    NotFound,
    OwnerRole,
    Refused(Vec<RolesRefused>),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<NoRandomness> for Stop {
    fn from(error: NoRandomness) -> Self {
        Self::NoRandomness(error)
    }
}

/// Changes the list of roles and notes that in the audit log. `edit` changes the list and says what takes the place of what.
async fn change<F>(app: &App, caller: &Caller, id: OrganizationId, edit: F) -> Result<Vec<String>>
where
    F: Fn(&mut Vec<Role>) -> BTreeMap<RoleId, RoleId> + Clone + Send + 'static,
{
    entitlements::require(app, caller, Feature::CustomRoles).await?;
    for _ in 0..TRIES {
        let (id, edit, actor) = (id.clone(), edit.clone(), caller.actor());
        let over_owners = caller.organization.is_none();
        let (world, now) = (app.world.clone(), app.world.now());
        let written = app
            .store
            .write(move |tx| {
                Box::pin(async move {
                    // The new list is made of the present one.
                    tx.lock_organization(&id).await?;
                    if tx.organization(&id).await?.is_none() {
                        return Err(Stop::NotFound);
                    }
                    let before = tx.roles(&id).await?;
                    let mut wanted = Wanted {
                        roles: before.clone(),
                        ..Wanted::default()
                    };
                    wanted.replacements = edit(&mut wanted.roles);
                    let owners = |roles: &[Role]| -> Vec<Role> {
                        roles.iter().filter(|role| role.owner).cloned().collect()
                    };
                    if !over_owners && owners(&before) != owners(&wanted.roles) {
                        return Err(Stop::OwnerRole);
                    }
                    let connections = connections_of(tx, &id).await?;
                    let judged =
                        set_in_tx::<Stop>(tx, &world, (&actor, now), &id, &wanted, &connections).await?;
                    let judged = judged.map_err(Stop::Refused)?;
                    if before != wanted.roles {
                        tx.bump_revision("organizations").await?;
                        tx.record(NewEvent {
                            at: now,
                            kind: "organization.updated".to_owned(),
                            actor: actor.label(),
                            account: None,
                            organization: Some(id.clone()),
                            connection: None,
                            trace: None,
                            data: json!({ "roles": { "before": before, "after": wanted.roles } }),
                        });
                    }
                    Ok(judged.warnings)
                })
            })
            .await;
        match written {
            Ok(warnings) => return Ok(warnings),
            Err(Stop::Store(StoreError::Conflict(name))) if name.contains("name") => {
                return Err(AppError::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "invalid_role",
                    "Another role of the organization has this name.",
                ));
            }
            Err(Stop::Store(error)) if error.is_retryable() => {}
            Err(Stop::Store(error)) => return Err(error.into()),
            Err(Stop::NoRandomness(error)) => return Err(error.into()),
            Err(Stop::NotFound) => return Err(AppError::not_found()),
            Err(Stop::OwnerRole) => {
                return Err(AppError::forbidden(
                    "not_permitted",
                    "Owner roles are changed with a key of the whole instance.",
                ));
            }
            Err(Stop::Refused(refused)) => return Err(told(&refused)),
        }
    }
    Err(AppError::unavailable("the roles changed under every try"))
}

/// Turns what stands against a list of roles into an answer, with one fault for each reason.
pub fn told(refused: &[RolesRefused]) -> AppError {
    let code = refused.first().map_or("role_in_use", RolesRefused::code);
    let status = if code == "unknown_replacement" {
        StatusCode::UNPROCESSABLE_ENTITY
    } else {
        StatusCode::CONFLICT
    };
    let text = "The roles cannot be changed like that; nothing was saved.";
    AppError::new(status, code, text).with_faults(
        refused
            .iter()
            .map(|one| Fault {
                path: "roles".to_owned(),
                position: None,
                message: one.text(),
                suggestion: None,
            })
            .collect(),
    )
}
