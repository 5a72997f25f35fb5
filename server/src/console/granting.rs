//! The access of one person, changed by hand: roles, workspaces and license. What is touched is pinned (C-07); what stays as it
//! was is not even mentioned to the kernel, so that rules go on keeping it.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use provost_kernel::directory::{Grant, Membership, RolesPerMember, Source};
use provost_kernel::facts::LicensePool;
use provost_kernel::id::{LicenseId, RoleId, WorkspaceId};
use provost_kernel::provision::{Action, GrantEdit};

use super::format;
use super::page::{self, segment};
use super::sent::Sent;
use super::shell::{Place, Shell};
use super::told;
use super::visit::{Manager, Outcome};
use crate::app::App;
use crate::error::AppError;
use crate::flow::acting::{self, Wish};
use crate::flow::console::people::{self, Person};
use crate::flow::console::standing::Standing;

#[derive(Template)]
#[template(path = "console/granting.html")]
struct AccessPage {
    shell: Shell,
    here: String,
    back: String,
    name: String,
    version: i64,
    is_one: bool,
    roles: Vec<Tick>,
    workspaces: Vec<Tick>,
    all_workspaces: bool,
    licenses: Vec<Pool>,
    pinned: bool,
    problem: Option<String>,
}

/// Something that may be granted.
struct Tick {
    id: String,
    name: String,
    is_ticked: bool,
    /// Who granted it, where it is held.
    source: Option<String>,
    /// It cannot be changed here: it comes from a group, or is an owner role that only owners give.
    is_locked: bool,
}

struct Pool {
    id: String,
    label: String,
    is_held: bool,
}

/// What the form wants.
struct Wanted {
    roles: Vec<String>,
    workspaces: Vec<String>,
    all_workspaces: bool,
    license: String,
}

impl Wanted {
    fn of(held: &Membership) -> Self {
        Self {
            roles: held.roles.iter().map(|grant| grant.id.to_string()).collect(),
            workspaces: held.workspaces.iter().map(|grant| grant.id.to_string()).collect(),
            all_workspaces: held.all_workspaces.is_some(),
            license: held
                .license
                .as_ref()
                .map_or_else(String::new, |held| held.license.to_string()),
        }
    }

    fn of_sent(sent: &Sent) -> Self {
        Self {
            roles: sent.all("role"),
            workspaces: sent.all("workspace"),
            all_workspaces: sent.has("all_workspaces"),
            license: sent.get("license").to_owned(),
        }
    }
}

/// `GET …/users/{account}/access`.
pub async fn show(
    State(app): State<App>,
    manager: Manager,
    Path((_, account)): Path<(String, String)>,
) -> Outcome {
    let person = people::find(
        &app,
        &manager.caller,
        &manager.organization.organization.id,
        &account,
    )
    .await?;
    let held = membership(&person)?;
    page::show(&form(&manager, &person, held, &Wanted::of(held), None))
}

/// `POST …/users/{account}/access`.
pub async fn save(
    State(app): State<App>,
    manager: Manager,
    Path((_, account)): Path<(String, String)>,
    sent: Sent,
) -> Outcome {
    manager.visitor.must_be_fresh(&app)?;
    let organization = manager.organization.organization.id.clone();
    let person = people::find(&app, &manager.caller, &organization, &account).await?;
    let held = membership(&person)?;
    let wanted = Wanted::of_sent(&sent);
    let edits = edits(&manager, held, &wanted);
    let back = format!("{}/users/{}", manager.base(), segment(&account));
    if edits.is_empty() {
        return page::lead_to(&back);
    }
    let action = Action::EditMembership {
        account: person.facts.account.id.clone(),
        organization,
        edits,
    };
    // For what was looked at, and for that only.
    let version = sent.get("version").parse().unwrap_or(held.version);
    let wish = Wish::new(manager.caller.actor(), action).at_version(Some(version));
    match acting::attempt(&app, wish).await? {
        Ok(_) => {
            // A seat may be free now, and somebody waits for it.
            app.ring_jobs();
            page::lead_to(&format!("{back}?done=access"))
        }
        Err(refusal) => {
            let shell = manager.shell(Place::Users);
            let problem = told::denial(&shell, refusal.denial.code());
            let again = form(&manager, &person, held, &wanted, Some(problem));
            page::show_with(StatusCode::CONFLICT, &again)
        }
    }
}

fn membership(person: &Person) -> Result<&Membership, AppError> {
    person.facts.memberships.first().ok_or_else(AppError::not_found)
}

fn form(
    manager: &Manager,
    person: &Person,
    held: &Membership,
    wanted: &Wanted,
    problem: Option<String>,
) -> AccessPage {
    let shell = manager.shell(Place::Users);
    let account = &person.facts.account;
    let back = format!("{}/users/{}", shell.base, segment(account.id.as_str()));
    let facts = &manager.organization;
    let roles = facts.roles.iter().map(|role| Tick {
        is_ticked: wanted.roles.iter().any(|id| id == role.id.as_str()) || is_of_group(&held.roles, &role.id),
        source: source_of(&shell, held, &held.roles, &role.id),
        is_locked: is_locked_role(manager, held, &role.id),
        id: role.id.to_string(),
        name: role.name.clone(),
    });
    let workspaces = facts.workspaces.iter().map(|one| Tick {
        is_ticked: wanted.workspaces.iter().any(|id| id == one.id.as_str())
            || is_of_group(&held.workspaces, &one.id),
        source: source_of(&shell, held, &held.workspaces, &one.id),
        is_locked: is_of_group(&held.workspaces, &one.id),
        id: one.id.to_string(),
        name: one.name.clone(),
    });
    let licenses = facts
        .licenses
        .iter()
        .filter(|pool| pool.license.serves(account.kind) || pool.license.id.as_str() == wanted.license);
    AccessPage {
        here: format!("{back}/access"),
        name: format::name(account),
        version: held.version,
        is_one: facts.organization.roles_per_member == RolesPerMember::One,
        roles: roles.collect(),
        workspaces: workspaces.collect(),
        all_workspaces: wanted.all_workspaces,
        licenses: licenses
            .map(|pool| Pool {
                id: pool.license.id.to_string(),
                label: label(&shell, pool),
                is_held: pool.license.id.as_str() == wanted.license,
            })
            .collect(),
        pinned: held.pinned,
        problem,
        back,
        shell,
    }
}

/// Works out what differs from what is held; what cannot be changed here is left out.
fn edits(manager: &Manager, held: &Membership, wanted: &Wanted) -> Vec<GrantEdit> {
    let mut edits = Vec::new();
    let facts = &manager.organization;
    let mut taken = Vec::new();
    for role in &facts.roles {
        if is_locked_role(manager, held, &role.id) {
            continue;
        }
        let is_held = held.roles.iter().any(|grant| grant.id == role.id);
        let is_wanted = wanted.roles.iter().any(|id| id == role.id.as_str());
        let role = role.id.clone();
        match (is_held, is_wanted) {
            (false, true) => edits.push(GrantEdit::GrantRole { role }),
            (true, false) => taken.push(GrantEdit::RevokeRole { role }),
            (true, true) | (false, false) => {}
        }
    }
    // Where members hold one role, the new one takes the place of the old one by itself. Granting comes first, so that nobody
    // stands without a role in between.
    if edits.is_empty() || facts.organization.roles_per_member == RolesPerMember::Many {
        edits.append(&mut taken);
    }
    if held.all_workspaces.is_some() != wanted.all_workspaces {
        edits.push(GrantEdit::AllWorkspaces {
            included: wanted.all_workspaces,
        });
    }
    for one in &facts.workspaces {
        if is_of_group(&held.workspaces, &one.id) {
            continue;
        }
        let is_held = held.workspaces.iter().any(|grant| grant.id == one.id);
        let is_wanted = wanted.workspaces.iter().any(|id| id == one.id.as_str());
        let workspace: WorkspaceId = one.id.clone();
        match (is_held, is_wanted) {
            (false, true) => edits.push(GrantEdit::GrantWorkspace { workspace }),
            (true, false) => edits.push(GrantEdit::RevokeWorkspace { workspace }),
            (true, true) | (false, false) => {}
        }
    }
    let license = held.license.as_ref().map(|held| held.license.as_str());
    if license.unwrap_or_default() != wanted.license {
        let chosen = Some(&wanted.license).filter(|id| !id.is_empty());
        edits.push(GrantEdit::License {
            license: chosen.map(LicenseId::new),
        });
    }
    edits
}

/// Names a pool with the seats that are left in it.
fn label(shell: &Shell, pool: &LicensePool) -> String {
    match pool.license.seats {
        Some(seats) => {
            let left = shell.number(&u64::from(seats.saturating_sub(pool.used)));
            shell.t2("granting.seats_left", &pool.license.id, &left)
        }
        None => pool.license.id.to_string(),
    }
}

fn is_of_group<T: PartialEq>(held: &[Grant<T>], id: &T) -> bool {
    held.iter()
        .any(|grant| grant.id == *id && matches!(grant.source, Source::Group { .. }))
}

/// What comes from a group is changed there; owner roles are for owners and operators to give and to take.
fn is_locked_role(manager: &Manager, held: &Membership, role: &RoleId) -> bool {
    let is_owner = || {
        let known = manager.organization.roles.iter().find(|known| known.id == *role);
        known.is_some_and(|known| known.owner)
    };
    is_of_group(&held.roles, role) || (manager.standing == Standing::Admin && is_owner())
}

fn source_of<T: PartialEq>(shell: &Shell, held: &Membership, grants: &[Grant<T>], id: &T) -> Option<String> {
    let grant = grants.iter().find(|grant| grant.id == *id)?;
    Some(format::source(shell, held, &grant.source, grant.pinned))
}
