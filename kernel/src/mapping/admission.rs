//! Decides whether a policy admits a person to one organization.

use serde_json::Value;

use super::{Claims, InForce};
use crate::id::OrganizationId;
use crate::trace::{Stage, StepOutcome, Steps};

/// Tells whether the connection's rules admit to `organization`, and notes why.
///
/// An expression admits by exactly `true` or exactly the organization's own id. Without an expression, an
/// organization's own policy admits everyone whom the connection lets through, and the default policy admits to the
/// organization that owns the connection; a connection of the instance then admits to none.
pub(crate) fn admits(
    in_force: &InForce,
    claims: &Claims,
    organization: &OrganizationId,
    steps: &mut Steps,
) -> bool {
    let (policy, own) = in_force.policy_for(organization);
    let Some(expression) = &policy.organization else {
        return without_expression(in_force, organization, own, steps);
    };
    let source = expression.source();
    let because = expression
        .because(claims.document(), organization.as_str())
        .map(|because| format!(", because {because}"))
        .unwrap_or_default();
    let (outcome, code, text) = match claims.evaluate(expression, organization) {
        Ok(Value::Bool(true)) => (
            StepOutcome::Passed,
            "organization_rule_true",
            format!("rule `{source}` true{because}"),
        ),
        Ok(Value::String(id)) if id == organization.as_str() => (
            StepOutcome::Passed,
            "organization_rule_id",
            format!("rule `{source}` gave its id{because}"),
        ),
        Ok(other) => (
            StepOutcome::Skipped,
            "organization_rule_no_match",
            format!(
                "rule `{source}` gave {}{because}",
                crate::expression::show(&other)
            ),
        ),
        Err(error) => (
            StepOutcome::Warned,
            "organization_rule_error",
            format!("rule `{source}` failed, which counts as no match: {error}"),
        ),
    };
    steps.about(
        Stage::Organization,
        outcome,
        code,
        organization,
        format!("organization {organization}: {text}"),
    );
    outcome == StepOutcome::Passed
}

fn without_expression(
    in_force: &InForce,
    organization: &OrganizationId,
    own: bool,
    steps: &mut Steps,
) -> bool {
    let (admitted, code, text) = if own {
        (
            true,
            "organization_policy_admits_all",
            "its policy has no rule and admits everyone",
        )
    } else if in_force.owner() == Some(organization) {
        (true, "organization_of_connection", "it owns the connection")
    } else {
        (
            false,
            "organization_without_rule",
            "no rule of the connection speaks of it",
        )
    };
    let outcome = if admitted {
        StepOutcome::Passed
    } else {
        StepOutcome::Skipped
    };
    steps.about(
        Stage::Organization,
        outcome,
        code,
        organization,
        format!("organization {organization}: {text}"),
    );
    admitted
}
