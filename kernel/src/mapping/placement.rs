//! Runs the chain for one organization: admission, roles, license, workspaces.

use super::license::{Holder, Seat};
use super::workspace::Given;
use super::{Claims, InForce, admission, license, role, workspace};
use crate::denial::Denial;
use crate::facts::OrganizationFacts;
use crate::id::{RoleId, WorkspaceId};
use crate::trace::{Stage, StepOutcome, Steps};

/// What the rules give in one organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Placement {
    pub(crate) roles: Vec<RoleId>,
    pub(crate) workspaces: Given,
    pub(crate) license: Option<Seat>,
}

/// `accountid` and `permissionprofileid`, which stand above all policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AssertionIds {
    pub(crate) workspace: WorkspaceId,
    pub(crate) role: RoleId,
}

impl AssertionIds {
    /// Tells whether both exist in the organization; owner roles are never grantable by an assertion.
    pub(crate) fn fit(&self, facts: &OrganizationFacts) -> bool {
        facts
            .workspaces
            .iter()
            .any(|workspace| workspace.id == self.workspace)
            && facts.roles.iter().any(|role| role.id == self.role && !role.owner)
    }
}

/// Why an organization takes nobody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Skip {
    /// Its rules do not admit, or no role results.
    NoMatch,
    /// The whole sign-in is refused.
    Refuse(Denial),
}

/// Returns what the rules give in one organization.
pub(crate) fn place(
    in_force: &InForce,
    claims: &Claims,
    facts: &OrganizationFacts,
    ids: Option<&AssertionIds>,
    holder: Holder<'_>,
    steps: &mut Steps,
) -> Result<Placement, Skip> {
    let id = &facts.organization.id;
    if !admission::admits(in_force, claims, id, steps) {
        return Err(Skip::NoMatch);
    }
    let settings = &in_force.connection().settings;
    let (policy, _) = in_force.policy_for(id);
    let ids = ids.filter(|ids| ids.fit(facts));
    let roles = if let Some(ids) = ids {
        let text = format!("role: {} from the assertion's permissionprofileid", ids.role);
        steps.about(Stage::Role, StepOutcome::Passed, "role_from_assertion", id, text);
        vec![ids.role.clone()]
    } else {
        role::roles(policy, claims, facts, settings.on_no_role, steps).ok_or(Skip::NoMatch)?
    };
    let license = license::license(policy, claims, facts, holder, steps).map_err(Skip::Refuse)?;
    let workspaces = if let Some(ids) = ids {
        let text = format!("workspaces: {} from the assertion's accountid", ids.workspace);
        steps.about(
            Stage::Workspace,
            StepOutcome::Passed,
            "workspace_from_assertion",
            id,
            text,
        );
        Given {
            ids: vec![ids.workspace.clone()],
            all: false,
        }
    } else {
        let license = license.as_ref().map(|seat| &seat.license);
        workspace::workspaces(
            policy,
            claims,
            facts,
            settings.all_includes_future,
            &roles,
            license,
            steps,
        )
    };
    Ok(Placement {
        roles,
        workspaces,
        license,
    })
}

/// Returns the ids of an organization's owner roles.
pub(crate) fn owner_role_ids(facts: &OrganizationFacts) -> Vec<&RoleId> {
    facts
        .roles
        .iter()
        .filter(|role| role.owner)
        .map(|role| &role.id)
        .collect()
}
