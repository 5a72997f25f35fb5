//! Changing the workspaces and the pools of licenses of an organization one by one, over the API. What people hold does not vanish
//! and a pool keeps its kind while accounts of the other one hold it, as in the declarative file.

use jiff::Timestamp;
use provost_kernel::directory::{License, Workspace};
use provost_kernel::id::{LicenseId, OrganizationId, WorkspaceId};
use provost_store::{NewEvent, StoreError, Tx};
use serde_json::{Value, json};

use crate::app::App;
use crate::error::{AppError, Result};
use crate::flow::api_keys::Caller;

/// Longest identifier and name, in bytes.
const LONGEST: usize = 128;

/// What an organization hands out besides roles.
#[derive(Clone, Debug, PartialEq)]
struct Lists {
    workspaces: Vec<Workspace>,
    licenses: Vec<License>,
}

/// Why a change was not written.
enum Stop {
    Store(StoreError),
    NotFound,
    DefaultWorkspace,
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Makes a workspace, or changes the one with its identifier. A new default takes the place of the one before.
///
/// # Errors
/// 403 (`instance_key_needed`); 404 for an unknown organization; 422 (`invalid_workspace`); those of the store.
pub async fn put_workspace(app: &App, caller: &Caller, organization: &str, new: Workspace) -> Result<()> {
    check("invalid_workspace", &[new.id.as_str(), &new.name])?;
    change(app, caller, organization, move |lists| {
        if new.default {
            lists.workspaces.iter_mut().for_each(|held| held.default = false);
        }
        put(&mut lists.workspaces, new.clone(), |one| &one.id);
        Ok(())
    })
    .await
}

/// Takes a workspace away that nobody holds.
///
/// # Errors
/// 403 (`instance_key_needed`); 404 for an unknown organization or workspace; 409 (`default_workspace`, `workspace_in_use`);
/// those of the store.
pub async fn delete_workspace(app: &App, caller: &Caller, organization: &str, id: &str) -> Result<()> {
    let id = WorkspaceId::new(id);
    change(app, caller, organization, move |lists| {
        take(&mut lists.workspaces, |one| one.id == id)
    })
    .await
}

/// Makes a pool of licenses, or changes the one with its identifier. Seats may fall below those in use; then none is free.
///
/// # Errors
/// 403 (`instance_key_needed`); 404 for an unknown organization; 409 (`license_of_other_kind`); 422 (`invalid_license`); those of
/// the store.
pub async fn put_license(app: &App, caller: &Caller, organization: &str, new: License) -> Result<()> {
    check("invalid_license", &[new.id.as_str()])?;
    change(app, caller, organization, move |lists| {
        put(&mut lists.licenses, new.clone(), |one| &one.id);
        Ok(())
    })
    .await
}

/// Takes a pool of licenses away that nobody holds or waits for.
///
/// # Errors
/// 403 (`instance_key_needed`); 404 for an unknown organization or pool; 409 (`license_in_use`); those of the store.
pub async fn delete_license(app: &App, caller: &Caller, organization: &str, id: &str) -> Result<()> {
    let id = LicenseId::new(id);
    change(app, caller, organization, move |lists| {
        take(&mut lists.licenses, |one| one.id == id)
    })
    .await
}

fn put<T, K: PartialEq>(list: &mut Vec<T>, new: T, id: impl Fn(&T) -> &K) {
    match list.iter_mut().find(|held| id(held) == id(&new)) {
        Some(held) => *held = new,
        None => list.push(new),
    }
}

fn take<T>(list: &mut Vec<T>, is_it: impl Fn(&T) -> bool) -> std::result::Result<(), Stop> {
    let before = list.len();
    list.retain(|one| !is_it(one));
    if list.len() < before {
        Ok(())
    } else {
        Err(Stop::NotFound)
    }
}

/// Checks what no organization could take.
fn check(code: &'static str, texts: &[&str]) -> Result<()> {
    let fits = |text: &&str| (1..=LONGEST).contains(&text.len()) && !text.chars().any(char::is_control);
    if texts.iter().all(fits) {
        return Ok(());
    }
    Err(AppError::unprocessable(
        code,
        "Identifier and name have 1 to 128 characters, none of them a control character.",
    ))
}

/// Changes the lists, notes that in the audit log, and has pushed people decided about anew: a rule may name what is new.
async fn change<F>(app: &App, caller: &Caller, organization: &str, edit: F) -> Result<()>
where
    F: Fn(&mut Lists) -> std::result::Result<(), Stop> + Clone + Send + Sync + 'static,
{
    let id = OrganizationId::new(organization);
    if !caller.sees(&id) {
        return Err(AppError::not_found());
    }
    caller.must_be_of_instance()?;
    let (actor, now) = (caller.actor().label(), app.world.now());
    let written = app
        .store
        .write(move |tx| {
            let (id, actor, edit) = (id.clone(), actor.clone(), edit.clone());
            Box::pin(async move { write(tx, &id, actor, edit, now).await })
        })
        .await;
    match written {
        Ok(()) => {
            app.ring_jobs();
            Ok(())
        }
        Err(Stop::NotFound) => Err(AppError::not_found()),
        Err(Stop::DefaultWorkspace) => Err(AppError::conflict(
            "default_workspace",
            "It is the default workspace: make another one the default first.",
        )),
        Err(Stop::Store(StoreError::Conflict(name))) => Err(in_use(name)),
        Err(Stop::Store(error)) => Err(error.into()),
    }
}

async fn write<F>(
    tx: &mut Tx,
    id: &OrganizationId,
    actor: String,
    edit: F,
    now: Timestamp,
) -> std::result::Result<(), Stop>
where
    F: Fn(&mut Lists) -> std::result::Result<(), Stop> + Send,
{
    tx.lock_organization(id).await?;
    if tx.organization(id).await?.is_none() {
        return Err(Stop::NotFound);
    }
    let before = Lists {
        workspaces: tx.workspaces(id).await?,
        licenses: tx
            .licenses(id)
            .await?
            .into_iter()
            .map(|(license, _)| license)
            .collect(),
    };
    let mut after = before.clone();
    edit(&mut after)?;
    if after == before {
        return Ok(());
    }
    let has_default = |lists: &Lists| lists.workspaces.iter().any(|one| one.default);
    if has_default(&before) && !has_default(&after) {
        return Err(Stop::DefaultWorkspace);
    }
    tx.set_workspaces(id, &after.workspaces).await?;
    tx.set_licenses(id, &after.licenses).await?;
    tx.decide_anew_about(id, now).await?;
    tx.record(NewEvent {
        at: now,
        kind: "organization.updated".to_owned(),
        actor,
        account: None,
        organization: Some(id.clone()),
        connection: None,
        trace: None,
        data: told(&before, &after),
    });
    Ok(())
}

/// Says what changed: the list that did, before and after.
fn told(before: &Lists, after: &Lists) -> Value {
    if before.workspaces == after.workspaces {
        json!({ "licenses": { "before": before.licenses, "after": after.licenses } })
    } else {
        json!({ "workspaces": { "before": before.workspaces, "after": after.workspaces } })
    }
}

fn in_use(name: String) -> AppError {
    match name.as_str() {
        "workspace_in_use" => AppError::conflict("workspace_in_use", "Members hold the workspace."),
        "license_in_use" => AppError::conflict("license_in_use", "Members hold the license or wait for it."),
        "license_of_other_kind" => AppError::conflict(
            "license_of_other_kind",
            "Accounts of the other kind hold the license or wait for it: give them another one first.",
        ),
        _ => StoreError::Conflict(name).into(),
    }
}
