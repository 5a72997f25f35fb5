//! Making, editing and ending memberships by hand. Hand edits pin what they touch (C-07); the kernel judges them.

use provost_kernel::denial::Denial;
use provost_kernel::directory::Membership;
use provost_kernel::facts::{AccountFacts, OrganizationFacts};
use provost_kernel::id::{AccountId, LicenseId, OrganizationId, RoleId, WorkspaceId};
use provost_kernel::provision::{Action, GrantEdit};

use crate::app::App;
use crate::config::keys::nearest;
use crate::error::{AppError, Fault, Result};
use crate::flow::acting::{self, Wish};
use crate::flow::api_keys::Caller;
use crate::flow::directory;
use crate::flow::people::{fault, invalid};

/// How often edits are worked out anew when others wrote in between.
const TRIES: u32 = 5;

/// What a membership shall be. What is absent stays; lists that are given are exact.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Roles by id or exact name. For a new membership, absent gives the default role.
    pub roles: Option<Vec<String>>,
    /// Workspaces by id. For a new membership, absent gives the default ones.
    pub workspaces: Option<Vec<String>>,
    /// Every workspace, later ones too.
    pub all_workspaces: Option<bool>,
    /// License pool; `Some(None)` frees the seat.
    pub license: Option<Option<String>>,
    /// Whether access is live.
    pub active: Option<bool>,
}

/// Makes a membership, or brings it to what is wanted.
///
/// # Errors
/// 404 for an organization or account out of sight, 403, 409 (`no_seat`, `last_owner`), 412, 422; those of the store.
pub async fn put(
    app: &App,
    caller: &Caller,
    organization: &str,
    account: &str,
    wanted: &Wanted,
    version: Option<i64>,
) -> Result<AccountFacts> {
    let facts = directory::organization(app, caller, organization).await?;
    for _ in 0..TRIES {
        let known = directory::account(app, caller, account).await?;
        let held = held(&known, organization);
        if version.is_some() && held.map(|held| held.version) != version {
            return Err(AppError::denied(Denial::StaleVersion));
        }
        let action = Action::EditMembership {
            account: AccountId::new(account),
            organization: OrganizationId::new(organization),
            edits: edits(&facts, held, wanted)?,
        };
        // The edits were worked out for what was seen, and are good for that only.
        let wish = Wish::new(caller.actor(), action).at_version(held.map(|held| held.version));
        match acting::attempt(app, wish).await? {
            Err(refusal) if refusal.denial == Denial::StaleVersion && version.is_none() => {}
            Err(refusal) => return Err(refusal.into()),
            Ok(_) => return directory::account(app, caller, account).await,
        }
    }
    Err(AppError::unavailable("the membership changed under every try"))
}

/// As [`put`], and tells whether anything changed; or would, if it is only tried.
///
/// # Errors
/// As [`put`].
pub(super) async fn converge(
    app: &App,
    caller: &Caller,
    organization: &str,
    account: &str,
    wanted: &Wanted,
    only_try: bool,
) -> Result<bool> {
    let facts = directory::organization(app, caller, organization).await?;
    for _ in 0..TRIES {
        let known = directory::account(app, caller, account).await?;
        let held = held(&known, organization);
        let action = Action::EditMembership {
            account: AccountId::new(account),
            organization: OrganizationId::new(organization),
            edits: edits(&facts, held, wanted)?,
        };
        let wish = Wish::new(caller.actor(), action).at_version(held.map(|held| held.version));
        let outcome = if only_try {
            acting::rehearse(app, wish).await?
        } else {
            acting::attempt(app, wish).await?
        };
        match outcome {
            Err(refusal) if refusal.denial == Denial::StaleVersion => {}
            Err(refusal) => return Err(refusal.into()),
            Ok(acted) => return Ok(acted.is_change()),
        }
    }
    Err(AppError::unavailable("the membership changed under every try"))
}

/// Ends a membership, for a version if one is given.
///
/// # Errors
/// 404, 403, 409 (`last_owner`), 412; those of the store.
pub async fn remove(
    app: &App,
    caller: &Caller,
    organization: &str,
    account: &str,
    version: Option<i64>,
) -> Result<()> {
    must_be_member(app, caller, organization, account).await?;
    let action = Action::RemoveMembership {
        account: AccountId::new(account),
        organization: OrganizationId::new(organization),
    };
    acting::act(app, Wish::new(caller.actor(), action).at_version(version)).await?;
    app.ring_jobs();
    Ok(())
}

/// Finds a membership that the caller may see.
///
/// # Errors
/// 404; those of the store.
pub async fn must_be_member(
    app: &App,
    caller: &Caller,
    organization: &str,
    account: &str,
) -> Result<AccountFacts> {
    let known = directory::account(app, caller, account).await?;
    if !caller.sees(&OrganizationId::new(organization)) || held(&known, organization).is_none() {
        return Err(AppError::not_found());
    }
    Ok(known)
}

/// What can be done to many memberships at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Rules leave it alone.
    Pin,
    /// Rules decide again.
    Unpin,
    /// Access is live.
    Activate,
    /// Access rests.
    Suspend,
    /// It ends.
    Remove,
    /// A role is granted.
    GrantRole(String),
    /// A role is taken.
    RevokeRole(String),
}

/// Puts the wish for a step together.
///
/// # Errors
/// 404; 422 for a role that does not exist; those of the store.
pub async fn step_wish(
    app: &App,
    caller: &Caller,
    facts: &OrganizationFacts,
    account: &str,
    step: &Step,
) -> Result<Wish> {
    let organization = &facts.organization.id;
    must_be_member(app, caller, organization.as_str(), account).await?;
    let role = |name: &String| {
        let mut faults = Vec::new();
        let found = roles(facts, std::slice::from_ref(name), "role", &mut faults);
        found.into_iter().next().ok_or_else(|| invalid(faults))
    };
    let edit = match step {
        Step::Remove => {
            let action = Action::RemoveMembership {
                account: AccountId::new(account),
                organization: organization.clone(),
            };
            return Ok(Wish::new(caller.actor(), action));
        }
        Step::Pin => GrantEdit::Pin,
        Step::Unpin => GrantEdit::ReturnToAutomatic,
        Step::Activate => GrantEdit::Active { active: true },
        Step::Suspend => GrantEdit::Active { active: false },
        Step::GrantRole(name) => GrantEdit::GrantRole { role: role(name)? },
        Step::RevokeRole(name) => GrantEdit::RevokeRole { role: role(name)? },
    };
    let action = Action::EditMembership {
        account: AccountId::new(account),
        organization: organization.clone(),
        edits: vec![edit],
    };
    Ok(Wish::new(caller.actor(), action))
}

/// Finds the membership in an organization.
pub fn held<'a>(known: &'a AccountFacts, organization: &str) -> Option<&'a Membership> {
    let mut memberships = known.memberships.iter();
    memberships.find(|held| held.organization.as_str() == organization)
}

/// Works out the edits that lead from what is held to what is wanted.
fn edits(facts: &OrganizationFacts, held: Option<&Membership>, wanted: &Wanted) -> Result<Vec<GrantEdit>> {
    let mut faults = Vec::new();
    let mut edits = Vec::new();
    let default_roles = || {
        let defaults = facts.roles.iter().filter(|role| role.default);
        defaults.map(|role| role.id.clone()).collect::<Vec<RoleId>>()
    };
    let roles_wanted = match &wanted.roles {
        Some(names) => Some(roles(facts, names, "roles", &mut faults)),
        None if held.is_none() => Some(default_roles()),
        None => None,
    };
    if let Some(roles) = roles_wanted {
        // Granting first, so that nobody stands without a role in between.
        edits.extend(
            roles
                .iter()
                .map(|role| GrantEdit::GrantRole { role: role.clone() }),
        );
        let others = held.into_iter().flat_map(|held| &held.roles);
        edits.extend(
            others
                .filter(|grant| !roles.contains(&grant.id))
                .map(|grant| GrantEdit::RevokeRole {
                    role: grant.id.clone(),
                }),
        );
    }
    if let Some(included) = wanted.all_workspaces {
        edits.push(GrantEdit::AllWorkspaces { included });
    }
    let workspaces_wanted: Option<Vec<WorkspaceId>> = match &wanted.workspaces {
        Some(ids) => {
            check_workspaces(facts, ids, "", &mut faults);
            Some(ids.iter().map(WorkspaceId::new).collect())
        }
        None if held.is_none() && wanted.all_workspaces != Some(true) => {
            let defaults = facts.workspaces.iter().filter(|one| one.default);
            Some(defaults.map(|one| one.id.clone()).collect())
        }
        None => None,
    };
    if let Some(workspaces) = workspaces_wanted {
        let grant = |workspace: &WorkspaceId| GrantEdit::GrantWorkspace {
            workspace: workspace.clone(),
        };
        edits.extend(workspaces.iter().map(grant));
        let others = held.into_iter().flat_map(|held| &held.workspaces);
        edits.extend(
            others
                .filter(|grant| !workspaces.contains(&grant.id))
                .map(|grant| GrantEdit::RevokeWorkspace {
                    workspace: grant.id.clone(),
                }),
        );
    }
    if let Some(license) = &wanted.license {
        if let Some(id) = license {
            check_license(facts, id, "", &mut faults);
        }
        edits.push(GrantEdit::License {
            license: license.as_ref().map(LicenseId::new),
        });
    }
    if let Some(active) = wanted.active {
        edits.push(GrantEdit::Active { active });
    }
    if faults.is_empty() {
        Ok(edits)
    } else {
        Err(invalid(faults))
    }
}

/// Finds roles by id, else by exact name.
pub(super) fn roles(
    facts: &OrganizationFacts,
    names: &[String],
    path: &str,
    faults: &mut Vec<Fault>,
) -> Vec<RoleId> {
    let mut found = Vec::new();
    for name in names {
        let known = &facts.roles;
        let by_id = known.iter().find(|role| role.id.as_str() == name);
        if let Some(role) = by_id.or_else(|| known.iter().find(|role| role.name == *name)) {
            found.push(role.id.clone());
        } else {
            let words = known
                .iter()
                .flat_map(|role| [role.id.as_str(), role.name.as_str()]);
            let mut wrong = fault(path, format!("There is no role `{name}`."));
            wrong.suggestion = nearest(name, words).map(str::to_owned);
            faults.push(wrong);
        }
    }
    found
}

/// Notes workspaces that do not exist.
pub(super) fn check_workspaces(
    facts: &OrganizationFacts,
    ids: &[String],
    path: &str,
    faults: &mut Vec<Fault>,
) {
    let unknown = ids
        .iter()
        .filter(|id| facts.workspaces.iter().all(|known| known.id.as_str() != *id));
    for id in unknown {
        faults.push(fault(
            &place(path, "workspaces"),
            format!("There is no workspace `{id}`."),
        ));
    }
}

/// Notes a license pool that does not exist.
pub(super) fn check_license(facts: &OrganizationFacts, id: &str, path: &str, faults: &mut Vec<Fault>) {
    if facts.licenses.iter().all(|pool| pool.license.id.as_str() != id) {
        faults.push(fault(
            &place(path, "license"),
            format!("There is no license pool `{id}`."),
        ));
    }
}

fn place(path: &str, field: &str) -> String {
    if path.is_empty() {
        field.to_owned()
    } else {
        format!("{path}.{field}")
    }
}
