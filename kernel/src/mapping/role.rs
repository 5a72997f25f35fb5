//! Decides which roles a policy gives in one organization.

use serde_json::Value;

use super::builder::bound;
use super::{Claims, Compiled, Role, suggest};
use crate::connection::OnNoRole;
use crate::directory::{Role as OrganizationRole, RolesPerMember};
use crate::facts::OrganizationFacts;
use crate::id::{OrganizationId, RoleId};
use crate::policy::GroupRoles;
use crate::trace::{Stage, StepOutcome, Steps};

/// Returns the roles; none means that the organization is skipped.
pub(super) fn roles(
    policy: &Compiled,
    claims: &Claims,
    facts: &OrganizationFacts,
    on_no_role: OnNoRole,
    steps: &mut Steps,
) -> Option<Vec<RoleId>> {
    let id = &facts.organization.id;
    let Some(rule) = &policy.role else {
        return Some(default_roles(facts, steps));
    };
    let names = names(rule, claims, facts, steps);
    let mut known = known(&names, rule, facts, steps);
    if facts.organization.roles_per_member == RolesPerMember::One {
        keep_first(&mut known, rule, facts);
    }
    if !known.is_empty() {
        let given = known
            .iter()
            .map(|role| format!("\"{}\"", role.name))
            .collect::<Vec<_>>()
            .join(", ");
        steps.about(
            Stage::Role,
            StepOutcome::Passed,
            "role_given",
            id,
            format!("role: {} gave {given}{}", origin(rule), because(rule, claims, id)),
        );
        return Some(known.iter().map(|role| role.id.clone()).collect());
    }
    match on_no_role {
        OnNoRole::Skip => {
            let text = format!("role: none results, so not added to {id}");
            steps.about(Stage::Role, StepOutcome::Warned, "role_none", id, text);
            None
        }
        OnNoRole::DefaultRole => {
            let default = default_roles(facts, steps);
            if default.is_empty() { None } else { Some(default) }
        }
    }
}

/// The organization's default role. Without one a member simply has no role.
fn default_roles(facts: &OrganizationFacts, steps: &mut Steps) -> Vec<RoleId> {
    let id = &facts.organization.id;
    let default: Vec<&OrganizationRole> = facts
        .roles
        .iter()
        .filter(|role| role.default && !role.owner)
        .collect();
    let limit = match facts.organization.roles_per_member {
        RolesPerMember::One => 1,
        RolesPerMember::Many => default.len(),
    };
    let default: Vec<_> = default.into_iter().take(limit).collect();
    let (outcome, code, text) = if default.is_empty() {
        (
            StepOutcome::Skipped,
            "role_no_default",
            format!("role: {id} has no default role"),
        )
    } else {
        let names = default
            .iter()
            .map(|role| format!("\"{}\"", role.name))
            .collect::<Vec<_>>()
            .join(", ");
        (
            StepOutcome::Passed,
            "role_default",
            format!("role: default {names}"),
        )
    };
    steps.about(Stage::Role, outcome, code, id, text);
    default.into_iter().map(|role| role.id.clone()).collect()
}

/// Returns the names that the rule gives, in its own order, without repetition.
fn names(rule: &Role, claims: &Claims, facts: &OrganizationFacts, steps: &mut Steps) -> Vec<String> {
    let id = &facts.organization.id;
    let bind = |name: &String| bound(name, id).into_owned();
    let mut names: Vec<String> = match rule {
        Role::Fixed(name) => vec![bind(name)],
        Role::Groups(rows) => rows
            .iter()
            .filter(|row| has_group(claims, row, id))
            .flat_map(|row| row.roles.iter().map(bind))
            .collect(),
        Role::Mapping(rows) => rows
            .iter()
            .filter(|row| row.fits(claims, id))
            .flat_map(|row| row.roles().iter().map(bind))
            .collect(),
        Role::Expression(expression) => match claims.evaluate(expression, id) {
            Ok(value) => strings(value),
            Err(error) => {
                let text = format!(
                    "role: rule `{}` failed, which counts as no match: {error}",
                    expression.source()
                );
                steps.about(Stage::Role, StepOutcome::Warned, "role_rule_error", id, text);
                Vec::new()
            }
        },
    };
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

/// A string, or the strings of a list; anything else names nothing.
pub(super) fn strings(value: Value) -> Vec<String> {
    let one = |value| match value {
        Value::String(text) => Some(text),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    };
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.into_iter().filter_map(one).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    }
}

/// Drops unknown names one by one and owner roles always.
///
/// Expressions give exact names and nothing else. Fixed rules and tables may also hold a role's identifier, which stays
/// when the role gets another name (C-18).
fn known<'a>(
    names: &[String],
    origin: &Role,
    facts: &'a OrganizationFacts,
    steps: &mut Steps,
) -> Vec<&'a OrganizationRole> {
    let id = &facts.organization.id;
    let takes_ids = match origin {
        Role::Fixed(_) | Role::Groups(_) | Role::Mapping(_) => true,
        Role::Expression(_) => false,
    };
    let mut known: Vec<&OrganizationRole> = Vec::new();
    for name in names {
        let by_name = facts.roles.iter().find(|role| &role.name == name);
        let by_id = || {
            let mut roles = facts.roles.iter().filter(|_| takes_ids);
            roles.find(|role| role.id.as_str() == name)
        };
        match by_name.or_else(by_id) {
            Some(role) if role.owner => {
                let text = format!("role: rule gave \"{name}\", an owner role, which no rule may grant");
                steps.about(
                    Stage::Role,
                    StepOutcome::Warned,
                    "role_owner_not_mappable",
                    id,
                    text,
                );
            }
            // Named twice, by name and by identifier.
            Some(role) if known.iter().any(|other| other.id == role.id) => {}
            Some(role) => known.push(role),
            None => {
                let near = suggest(name, facts.roles.iter().map(|role| role.name.as_str()));
                let hint = near
                    .map(|near| format!(", did you mean \"{near}\"?"))
                    .unwrap_or_default();
                let text = format!("role: rule gave \"{name}\"; no role with exactly that name{hint}");
                steps.about(Stage::Role, StepOutcome::Warned, "role_unknown", id, text);
            }
        }
    }
    known
}

/// One role per member: the own order of a group table or mapping decides, else the organization's order of roles.
fn keep_first(known: &mut Vec<&OrganizationRole>, rule: &Role, facts: &OrganizationFacts) {
    match rule {
        Role::Groups(_) | Role::Mapping(_) => {}
        Role::Fixed(_) | Role::Expression(_) => {
            known.sort_by_key(|role| facts.roles.iter().position(|other| other.id == role.id));
        }
    }
    known.truncate(1);
}

fn origin(rule: &Role) -> String {
    match rule {
        Role::Fixed(_) => "fixed rule".to_owned(),
        Role::Expression(expression) => format!("rule `{}`", expression.source()),
        Role::Groups(_) => "group table".to_owned(),
        Role::Mapping(_) => "mapping".to_owned(),
    }
}

fn has_group(claims: &Claims, row: &GroupRoles, organization: &OrganizationId) -> bool {
    let wanted = bound(&row.value, organization);
    claims.groups().iter().any(|group| *group == wanted)
}

/// Says what in the claims led to the roles.
fn because(rule: &Role, claims: &Claims, organization: &OrganizationId) -> String {
    let found = match rule {
        Role::Fixed(_) => None,
        Role::Expression(expression) => expression.because(claims.document(), organization.as_str()),
        Role::Groups(rows) => rows
            .iter()
            .find(|row| has_group(claims, row, organization))
            .map(|row| match &row.name {
                Some(name) => format!("groups has \"{}\" ({name})", row.value),
                None => format!("groups has \"{}\"", row.value),
            }),
        Role::Mapping(rows) => rows
            .iter()
            .find(|row| row.fits(claims, organization))
            .map(|row| row.because(organization)),
    };
    found
        .map(|found| format!(", because {found}"))
        .unwrap_or_default()
}
