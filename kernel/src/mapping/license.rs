//! Decides which license a policy gives in one organization, and whether a seat is free (R-13, R-24, C-23).

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Claims, Compiled, License};
use crate::connection::OnNoSeat;
use crate::denial::Denial;
use crate::directory::{AccountKind, LicenseGrant};
use crate::facts::OrganizationFacts;
use crate::id::{LicenseId, OrganizationId};
use crate::trace::{Stage, StepOutcome, Steps};

/// A license and whether the person gets a seat now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seat {
    pub(crate) license: LicenseId,
    pub(crate) seated: bool,
}

/// Seats that people looked at before would take (or give back), beyond what the facts count: a preview writes nothing, and
/// the person after the last free seat must not be promised one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeatCount {
    pools: BTreeMap<OrganizationId, BTreeMap<LicenseId, i64>>,
    kinds: BTreeMap<OrganizationId, BTreeMap<AccountKind, i64>>,
}

impl SeatCount {
    /// Counts what one person of a kind gives back and takes.
    pub(crate) fn count(
        &mut self,
        organization: &OrganizationId,
        kind: AccountKind,
        [before, after]: [Option<&LicenseId>; 2],
    ) {
        if before == after {
            return;
        }
        let kinds = self.kinds.entry(organization.clone()).or_default();
        *kinds.entry(kind).or_default() += i64::from(after.is_some()) - i64::from(before.is_some());
        let pools = self.pools.entry(organization.clone()).or_default();
        for (license, seats) in [(before, -1), (after, 1)] {
            if let Some(license) = license {
                *pools.entry(license.clone()).or_default() += seats;
            }
        }
    }

    fn of_kind(&self, organization: &OrganizationId, kind: AccountKind) -> i64 {
        let kinds = self.kinds.get(organization);
        kinds
            .and_then(|kinds| kinds.get(&kind))
            .copied()
            .unwrap_or_default()
    }

    fn of(&self, organization: &OrganizationId, license: &LicenseId) -> i64 {
        self.pools
            .get(organization)
            .and_then(|pools| pools.get(license))
            .copied()
            .unwrap_or_default()
    }
}

/// What a license rule has to know of the person beside the claims.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holder<'a> {
    /// What kind of account the person has.
    pub(crate) kind: AccountKind,
    /// The license that the person has now.
    pub(crate) held: Option<&'a LicenseGrant>,
    /// Whether a license waits until the first sign-in (C-23).
    pub(crate) waits_for_sign_in: bool,
    /// What happens where no seat is free.
    pub(crate) on_no_seat: &'a OnNoSeat,
    /// Seats taken by others in the same preview.
    pub(crate) seats: Option<&'a SeatCount>,
}

/// Returns the license that results, if any.
///
/// # Errors
/// [`Denial::NoSeat`] if the pool is full and the connection refuses then.
pub(crate) fn license(
    policy: &Compiled,
    claims: &Claims,
    facts: &OrganizationFacts,
    holder: Holder<'_>,
    steps: &mut Steps,
) -> Result<Option<Seat>, Denial> {
    let id = &facts.organization.id;
    if holder.waits_for_sign_in {
        if policy.license.is_some() {
            let text = "license: given at the first sign-in";
            steps.about(
                Stage::License,
                StepOutcome::Skipped,
                "license_at_first_login",
                id,
                text,
            );
        }
        return Ok(None);
    }
    let is_free =
        |license: &LicenseId| serves(facts, license, holder.kind) && is_free(facts, license, holder);
    let Some(wanted) = wanted(policy, claims, facts, steps) else {
        return Ok(None);
    };
    if !serves(facts, &wanted, holder.kind) {
        let text = format!("license: {wanted} is for another kind of account, so none is given");
        steps.about(
            Stage::License,
            StepOutcome::Warned,
            "license_wrong_kind",
            id,
            text,
        );
        return Ok(None);
    }
    if is_free(&wanted) {
        let text = format!("license: {wanted}");
        steps.about(Stage::License, StepOutcome::Passed, "license_given", id, text);
        return Ok(Some(Seat {
            license: wanted,
            seated: true,
        }));
    }
    match holder.on_no_seat {
        OnNoSeat::Refuse => {
            let text = format!("license: no seat is free in {wanted}, and the connection refuses then");
            steps.about(Stage::License, StepOutcome::Refused, "license_no_seat", id, text);
            return Err(Denial::NoSeat);
        }
        OnNoSeat::Other(other) if is_free(other) => {
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

/// Tells whether a pool is for accounts of a kind.
fn serves(facts: &OrganizationFacts, license: &LicenseId, kind: AccountKind) -> bool {
    facts.pool(license).is_some_and(|pool| pool.license.serves(kind))
}

/// Tells whether the person has a seat in the pool or could take one.
fn is_free(facts: &OrganizationFacts, license: &LicenseId, holder: Holder<'_>) -> bool {
    let id = &facts.organization.id;
    let taken = holder.seats.map_or((0, 0), |seats| {
        (seats.of(id, license), seats.of_kind(id, holder.kind))
    });
    facts.has_seat_beside(license, holder.kind, holder.held, taken)
}
