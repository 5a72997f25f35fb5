//! Decides sign-ins with a password that the server has already verified.
//! Never sees a password or its hash.

use jiff::Timestamp;

use super::{SessionLimits, ends_at};
use crate::denial::Denial;
use crate::directory::{Authentication, Origin, Status};
use crate::facts::{AccountFacts, Facts, Need};
use crate::id::AccountId;
use crate::incoming::Fresh;
use crate::lifecycle;
use crate::plan::{Change, Decision, OpenSession, Plan, Verdict};
use crate::trace::{PASSWORD_SIGN_IN, Stage, StepOutcome, Steps, Trace};

/// A password that was verified for an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordProof {
    /// Whose.
    pub account: AccountId,
    /// Methods that proved the person (RFC 8176), for example `pwd` and `otp`.
    pub methods: Vec<String>,
}

/// Says what must be loaded to decide a sign-in with a password.
pub fn need(account: &AccountId) -> Need {
    Need {
        accounts: vec![account.clone()],
        ..Need::default()
    }
}

/// Decides a sign-in with a password. SSO accounts are refused, and so is everyone not active;
/// an invited standard account becomes active. Memberships are not asked for: an operator may have none.
pub fn decide(
    proof: &PasswordProof,
    facts: &Facts,
    limits: &SessionLimits,
    fresh: &Fresh,
    now: Timestamp,
) -> Decision {
    let mut steps = Steps::default();
    let mut plan = Plan::default();
    let verdict = match judge(proof, facts, &mut steps) {
        Ok(known) => {
            plan.changes.extend(activation(known));
            plan.session = Some(OpenSession {
                id: fresh.session.clone(),
                digest: fresh.session_digest.clone(),
                account: proof.account.clone(),
                connection: None,
                link: None,
                upstream_session: None,
                authenticated_at: now,
                methods: proof.methods.clone(),
                class: None,
                ends_at: ends_at(now, limits),
                idle_seconds: limits.idle_seconds,
            });
            let text = format!("signed in as account {}", proof.account);
            steps.add(Stage::Apply, StepOutcome::Passed, "signed_in", text);
            Verdict::Admitted(proof.account.clone())
        }
        Err(denial) => {
            let text = format!("not signed in ({})", denial.code());
            steps.add(Stage::Apply, StepOutcome::Refused, denial.code(), text);
            Verdict::Refused(denial)
        }
    };
    let trace = Trace {
        id: fresh.trace.clone(),
        at: now,
        kind: PASSWORD_SIGN_IN.to_owned(),
        connection: None,
        account: Some(proof.account.clone()),
        steps: steps.into_vec(),
    };
    Decision { verdict, plan, trace }
}

fn judge<'a>(proof: &PasswordProof, facts: &'a Facts, steps: &mut Steps) -> Result<&'a AccountFacts, Denial> {
    let refuse = |steps: &mut Steps, denial: Denial, text: &str| {
        steps.add(Stage::Lifecycle, StepOutcome::Refused, denial.code(), text);
        Err(denial)
    };
    let Some(known) = facts
        .accounts
        .iter()
        .find(|known| known.account.id == proof.account)
    else {
        return refuse(steps, Denial::NotFound, "there is no such account");
    };
    match &known.account.authentication {
        Authentication::Standard => {}
        Authentication::Sso { .. } => {
            let text = "the account has no password: it signs in through its identity provider";
            return refuse(steps, Denial::PasswordRefusedForSso, text);
        }
    }
    match known.account.status {
        Status::Active | Status::Invited => {
            steps.add(
                Stage::Verify,
                StepOutcome::Passed,
                "verified",
                "password verified",
            );
            Ok(known)
        }
        Status::Suspended => refuse(steps, Denial::Suspended, "the account is suspended"),
        Status::Deactivated => refuse(steps, Denial::Deactivated, "the account is deactivated"),
        Status::Deleted => refuse(steps, Denial::Deleted, "the account is deleted"),
    }
}

fn activation(known: &AccountFacts) -> Option<Change> {
    let account = &known.account;
    let from = account.status;
    lifecycle::transition(from, Status::Active, Origin::Login, account.status_origin).ok()?;
    Some(Change::SetStatus {
        account: account.id.clone(),
        version: account.version,
        from,
        to: Status::Active,
        origin: Origin::Login,
    })
}

#[cfg(test)]
mod tests;
