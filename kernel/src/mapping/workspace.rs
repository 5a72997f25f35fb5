//! Decides which workspaces a policy gives in one organization: All, Fixed or Dynamic.

use super::{Claims, Compiled, Workspaces, role, suggest};
use crate::facts::OrganizationFacts;
use crate::id::{LicenseId, RoleId, WorkspaceId};
use crate::trace::{Stage, StepOutcome, Steps};

/// Workspaces that result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Given {
    /// Single ones.
    pub(crate) ids: Vec<WorkspaceId>,
    /// All, later ones too (C-17).
    pub(crate) all: bool,
}

/// Returns the workspaces that result from the policy, the roles and the license.
pub(super) fn workspaces(
    policy: &Compiled,
    claims: &Claims,
    facts: &OrganizationFacts,
    all_includes_future: bool,
    roles: &[RoleId],
    license: Option<&LicenseId>,
    steps: &mut Steps,
) -> Given {
    let id = &facts.organization.id;
    let every = || facts.workspaces.iter().map(|workspace| workspace.id.clone());
    match &policy.workspaces {
        None => {
            let ids: Vec<_> = facts
                .workspaces
                .iter()
                .filter(|workspace| workspace.default)
                .map(|workspace| workspace.id.clone())
                .collect();
            let text = if ids.is_empty() {
                format!("workspaces: {id} has no default workspace")
            } else {
                format!("workspaces: default {}", list(&ids))
            };
            let outcome = if ids.is_empty() {
                StepOutcome::Skipped
            } else {
                StepOutcome::Passed
            };
            steps.about(Stage::Workspace, outcome, "workspace_default", id, text);
            Given { ids, all: false }
        }
        Some(Workspaces::All) => {
            steps.about(
                Stage::Workspace,
                StepOutcome::Passed,
                "workspace_all",
                id,
                "workspaces: all",
            );
            if all_includes_future {
                Given {
                    ids: Vec::new(),
                    all: true,
                }
            } else {
                Given {
                    ids: every().collect(),
                    all: false,
                }
            }
        }
        Some(Workspaces::Fixed(fixed)) => {
            let names: Vec<String> = fixed.iter().map(|id| id.as_str().to_owned()).collect();
            known(&names, facts, steps)
        }
        Some(Workspaces::Dynamic(expression)) => {
            let role_names: Vec<&str> = roles
                .iter()
                .filter_map(|id| facts.roles.iter().find(|role| &role.id == id))
                .map(|role| role.name.as_str())
                .collect();
            let document = claims.with_results(&role_names, license);
            match expression.evaluate(&document, id.as_str()) {
                Ok(value) => known(&role::strings(value), facts, steps),
                Err(error) => {
                    let text = format!(
                        "workspaces: rule `{}` failed, which counts as none: {error}",
                        expression.source()
                    );
                    steps.about(
                        Stage::Workspace,
                        StepOutcome::Warned,
                        "workspace_rule_error",
                        id,
                        text,
                    );
                    Given::default()
                }
            }
        }
    }
}

/// Keeps what exists, by id or exact name, in the organization's order.
fn known(names: &[String], facts: &OrganizationFacts, steps: &mut Steps) -> Given {
    let id = &facts.organization.id;
    for name in names {
        if !facts
            .workspaces
            .iter()
            .any(|workspace| workspace.id.as_str() == name || &workspace.name == name)
        {
            let candidates = facts
                .workspaces
                .iter()
                .flat_map(|workspace| [workspace.id.as_str(), workspace.name.as_str()]);
            let hint = suggest(name, candidates)
                .map(|near| format!(", did you mean \"{near}\"?"))
                .unwrap_or_default();
            let text = format!("workspaces: there is no workspace \"{name}\"{hint}");
            steps.about(
                Stage::Workspace,
                StepOutcome::Warned,
                "workspace_unknown",
                id,
                text,
            );
        }
    }
    let ids: Vec<WorkspaceId> = facts
        .workspaces
        .iter()
        .filter(|workspace| {
            names
                .iter()
                .any(|name| workspace.id.as_str() == name || &workspace.name == name)
        })
        .map(|workspace| workspace.id.clone())
        .collect();
    let (outcome, text) = if ids.is_empty() {
        (StepOutcome::Skipped, "workspaces: none".to_owned())
    } else {
        (StepOutcome::Passed, format!("workspaces: {}", list(&ids)))
    };
    steps.about(Stage::Workspace, outcome, "workspace_given", id, text);
    Given { ids, all: false }
}

fn list(ids: &[WorkspaceId]) -> String {
    ids.iter().map(WorkspaceId::as_str).collect::<Vec<_>>().join(", ")
}
