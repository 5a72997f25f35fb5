//! Decides which license a policy gives in one organization, and whether a seat is free (R-13, R-24, C-23).

use serde_json::Value;

use super::{Claims, Compiled, License};
use crate::connection::OnNoSeat;
use crate::denial::Denial;
use crate::directory::LicenseGrant;
use crate::facts::OrganizationFacts;
use crate::id::LicenseId;
use crate::trace::{Stage, StepOutcome, Steps};

/// A license and whether the person gets a seat now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seat {
    pub(crate) license: LicenseId,
    pub(crate) seated: bool,
}

/// Returns the license that results, if any; `held` is what the person has now.
///
/// # Errors
/// [`Denial::NoSeat`] if the pool is full and the connection refuses then.
pub(super) fn license(
    policy: &Compiled,
    claims: &Claims,
    facts: &OrganizationFacts,
    on_no_seat: &OnNoSeat,
    held: Option<&LicenseGrant>,
    steps: &mut Steps,
) -> Result<Option<Seat>, Denial> {
    let id = &facts.organization.id;
    let Some(wanted) = wanted(policy, claims, facts, steps) else {
        return Ok(None);
    };
    if is_free(facts, &wanted, held) {
        let text = format!("license: {wanted}");
        steps.about(Stage::License, StepOutcome::Passed, "license_given", id, text);
        return Ok(Some(Seat {
            license: wanted,
            seated: true,
        }));
    }
    match on_no_seat {
        OnNoSeat::Refuse => {
            let text = format!("license: no seat is free in {wanted}, and the connection refuses then");
            steps.about(Stage::License, StepOutcome::Refused, "license_no_seat", id, text);
            return Err(Denial::NoSeat);
        }
        OnNoSeat::Other(other) if is_free(facts, other, held) => {
            let text = format!("license: no seat is free in {wanted}, {other} instead");
            steps.about(Stage::License, StepOutcome::Warned, "license_other", id, text);
            return Ok(Some(Seat {
                license: other.clone(),
                seated: true,
            }));
        }
        OnNoSeat::Other(_) | OnNoSeat::Queue => {}
    }
    let text = format!("license: no seat is free in {wanted}, waiting for one");
    steps.about(Stage::License, StepOutcome::Warned, "license_queued", id, text);
    Ok(Some(Seat {
        license: wanted,
        seated: false,
    }))
}

fn wanted(
    policy: &Compiled,
    claims: &Claims,
    facts: &OrganizationFacts,
    steps: &mut Steps,
) -> Option<LicenseId> {
    let id = &facts.organization.id;
    let name = match policy.license.as_ref()? {
        License::Fixed(fixed) => fixed.clone(),
        License::Expression(expression) => match claims.evaluate(expression, id) {
            Ok(Value::String(name)) => LicenseId::new(name),
            Ok(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                let text = format!("license: rule `{}` gave none", expression.source());
                steps.about(Stage::License, StepOutcome::Skipped, "license_none", id, text);
                return None;
            }
            Err(error) => {
                let text = format!(
                    "license: rule `{}` failed, which counts as none: {error}",
                    expression.source()
                );
                steps.about(
                    Stage::License,
                    StepOutcome::Warned,
                    "license_rule_error",
                    id,
                    text,
                );
                return None;
            }
        },
    };
    if facts.pool(&name).is_some() {
        return Some(name);
    }
    let text = format!("license: {id} has no license pool \"{name}\"");
    steps.about(Stage::License, StepOutcome::Warned, "license_unknown", id, text);
    None
}

/// Tells whether the person has a seat in the pool or could take one.
fn is_free(facts: &OrganizationFacts, license: &LicenseId, held: Option<&LicenseGrant>) -> bool {
    if held.is_some_and(|held| held.seated && &held.license == license) {
        return true;
    }
    facts
        .pool(license)
        .is_some_and(|pool| pool.license.seats.is_none_or(|seats| pool.used < seats))
}
