//! Holds a sign-in that began with an invitation to the invited person. Attack held off: somebody who gets hold of another
//! person's link signs in with it as herself, and the invitation, or what comes with it, becomes hers.

use crate::denial::Denial;
use crate::id::AccountId;
use crate::plan::{Decision, Verdict};
use crate::trace::{Stage, Step, StepOutcome};

/// Refuses everybody but the invited person; nothing about anybody is written then. A refusal that is about the invited
/// person, or about nobody in particular, stays as it is.
#[must_use]
pub fn hold_to(mut decision: Decision, invited: &AccountId) -> Decision {
    let is_invited = decision.trace.account.as_ref() == Some(invited);
    let stays = match &decision.verdict {
        Verdict::Admitted(account) => account == invited,
        Verdict::Refused(Denial::ConnectionDisabled) => true,
        Verdict::Refused(_) => is_invited,
        Verdict::Accepted => false,
    };
    if stays {
        return decision;
    }
    let denial = Denial::NotInvitedPerson;
    decision.plan.changes.clear();
    decision.plan.session = None;
    decision.trace.account = None;
    decision.trace.steps.push(Step {
        stage: Stage::Apply,
        outcome: StepOutcome::Refused,
        code: denial.code().to_owned(),
        organization: None,
        text: format!("the invitation is for account {invited} only, and this is somebody else"),
        drift: None,
    });
    decision.verdict = Verdict::Refused(denial);
    decision
}
