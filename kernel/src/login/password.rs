//! Decides sign-ins with a password that the server has already verified.
//! Never sees a password or its hash.

use jiff::Timestamp;

use super::rules::{self, Ruling, SignInNeed};
use super::{SessionLimits, ends_at};
use crate::denial::Denial;
use crate::directory::{Authentication, Origin, Status};
use crate::facts::{AccountFacts, Facts, Need};
use crate::id::AccountId;
use crate::incoming::Fresh;
use crate::lifecycle;
use crate::plan::{Change, Decision, OpenSession, Plan, Verdict};
use crate::trace::{PASSWORD_SIGN_IN, PROVISION, Stage, StepOutcome, Steps, Trace};

/// A password that was verified for an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordProof {
    /// Whose.
    pub account: AccountId,
    /// Methods that proved the person (RFC 8176), for example `pwd` and `otp`.
    pub methods: Vec<String>,
    /// What stood in for the password or beside it.
    pub second: SecondFactor,
}

/// What proved the person beside the password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SecondFactor {
    /// Nothing.
    #[default]
    None,
    /// A code of an authenticator app, or a passkey.
    Given,
    /// A recovery code: somebody has lost what she usually proves herself with, or stole a piece of paper.
    Recovery,
}

/// Says what must be loaded to decide a sign-in with a password; `domain` is that of the account's address.
pub fn need(account: &AccountId, domain: Option<&str>) -> Need {
    Need {
        accounts: vec![account.clone()],
        sign_in: SignInNeed {
            policies: true,
            domains: domain.map(str::to_owned).into_iter().collect(),
            emergency: false,
        },
        ..Need::default()
    }
}

/// Says what must be loaded to end password sessions that rules no longer allow.
pub fn need_for_eviction(accounts: &[AccountId], domains: Vec<String>) -> Need {
    Need {
        accounts: accounts.to_vec(),
        sign_in: SignInNeed {
            policies: true,
            domains,
            emergency: false,
        },
        ..Need::default()
    }
}

/// Decides whose sessions end because a password does not do any more. Doing it twice changes nothing else: who has no session
/// loses none.
pub fn evict(facts: &Facts, fresh: &Fresh, now: Timestamp) -> Decision {
    let mut steps = Steps::default();
    let mut plan = Plan::default();
    let people = facts
        .accounts
        .iter()
        .filter(|known| known.account.authentication == Authentication::Standard);
    for known in people {
        if let Ruling::SsoRequired(organization) = rules::ruling(known, facts) {
            let text = format!("{} has to use single sign-on from now on", known.account.id);
            steps.about(
                Stage::Apply,
                StepOutcome::Passed,
                "sso_required",
                &organization,
                text,
            );
            plan.changes.push(Change::RevokeSessions {
                account: known.account.id.clone(),
                reason: "sso_required".to_owned(),
            });
        }
    }
    Decision {
        verdict: Verdict::Accepted,
        plan,
        trace: Trace {
            id: fresh.trace.clone(),
            at: now,
            kind: PROVISION.to_owned(),
            connection: None,
            account: None,
            steps: steps.into_vec(),
        },
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
            plan.changes.extend(alerts(proof, known, facts));
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
            judge_rules(proof, known, facts, steps)?;
            Ok(known)
        }
        Status::Suspended => refuse(steps, Denial::Suspended, "the account is suspended"),
        Status::Deactivated => refuse(steps, Denial::Deactivated, "the account is deactivated"),
        Status::Deleted => refuse(steps, Denial::Deleted, "the account is deleted"),
    }
}

/// What organizations demand.
fn judge_rules(
    proof: &PasswordProof,
    known: &AccountFacts,
    facts: &Facts,
    steps: &mut Steps,
) -> Result<(), Denial> {
    match rules::ruling(known, facts) {
        Ruling::Free => {}
        Ruling::Excepted(why) => {
            let text = format!("single sign-on is demanded, but not of this account ({why})");
            steps.add(Stage::Lifecycle, StepOutcome::Warned, "sso_excepted", text);
        }
        Ruling::SsoRequired(organization) => {
            let text = "the organization demands single sign-on, and the account is no exception";
            let denial = Denial::SsoRequired;
            steps.about(
                Stage::Lifecycle,
                StepOutcome::Refused,
                denial.code(),
                &organization,
                text,
            );
            return Err(denial);
        }
    }
    if proof.second != SecondFactor::None {
        return Ok(());
    }
    if let Some(organization) = rules::demands_second_factor(known, facts) {
        let text = "the organization demands a second factor of its owners and admins";
        let denial = Denial::SecondFactorRequired;
        steps.about(
            Stage::Lifecycle,
            StepOutcome::Refused,
            denial.code(),
            &organization,
            text,
        );
        return Err(denial);
    }
    Ok(())
}

/// What admins hear of: a way in that is there for emergencies was used.
fn alerts(proof: &PasswordProof, known: &AccountFacts, facts: &Facts) -> Vec<Change> {
    let account = &known.account;
    let mut alerts = Vec::new();
    if rules::ruling(known, facts) == Ruling::Excepted("emergency_admin") {
        alerts.push(Change::Alert {
            account: account.id.clone(),
            code: "emergency_sign_in".to_owned(),
            text: "an emergency admin signed in with a password although single sign-on is demanded"
                .to_owned(),
        });
    }
    if proof.second == SecondFactor::Recovery {
        alerts.push(Change::Alert {
            account: account.id.clone(),
            code: "recovery_code_used".to_owned(),
            text: "a recovery code was used to sign in".to_owned(),
        });
    }
    alerts
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
