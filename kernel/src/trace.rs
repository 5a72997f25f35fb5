//! Traces: every step of a decision with its reason, readable by machines and people.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{AccountId, ConnectionId, OrganizationId, TraceId};
use crate::plan::MembershipEdit;

/// [`Trace::kind`] of a sign-in through a connection.
pub const SIGN_IN: &str = "sign_in";
/// [`Trace::kind`] of a test sign-in through a connection, which has no effect.
pub const TEST_SIGN_IN: &str = "test_sign_in";
/// [`Trace::kind`] of a sign-in with a password.
pub const PASSWORD_SIGN_IN: &str = "password_sign_in";
/// [`Trace::kind`] of a provisioning request.
pub const PROVISION: &str = "provision";

/// The record of one attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// Reference number.
    pub id: TraceId,
    /// When it was decided.
    pub at: Timestamp,
    /// What was attempted: `sign_in`, `test_sign_in`, `password_sign_in`, `provision`.
    pub kind: String,
    /// Through which connection.
    pub connection: Option<ConnectionId>,
    /// The account found or created.
    pub account: Option<AccountId>,
    /// Steps in order.
    pub steps: Vec<Step>,
}

/// One step of a decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Which link of the chain this is.
    pub stage: Stage,
    /// How it went.
    pub outcome: StepOutcome,
    /// Stable code of what happened, for tests and links.
    pub code: String,
    /// The organization it is about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub organization: Option<OrganizationId>,
    /// One sentence for an admin. Never holds secrets.
    pub text: String,
    /// With code `drift`: what the rules would change.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub drift: Option<Box<Drift>>,
}

/// What the rules would change in a membership where they may not (C-07).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    /// Whether the rules still admit to the organization.
    pub admits: bool,
    /// Why nothing changes, as a clause.
    pub why: String,
    /// The edits that the rules would make; none where they would end the membership.
    pub edits: Vec<MembershipEdit>,
}

impl Trace {
    /// Lists what the rules would change where they may not, by organization.
    pub fn drifts(&self) -> impl Iterator<Item = (&OrganizationId, &Drift)> {
        self.steps
            .iter()
            .filter_map(|step| Some((step.organization.as_ref()?, step.drift.as_deref()?)))
    }
}

/// The links of the chain, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Protocol checks.
    Verify,
    /// Claims in our own names.
    Normalize,
    /// Finding the account.
    Match,
    /// Lifecycle of the account.
    Lifecycle,
    /// Profile fields.
    Profile,
    /// Which organizations.
    Organization,
    /// Which roles.
    Role,
    /// Which workspaces.
    Workspace,
    /// Which license.
    License,
    /// What is written.
    Apply,
}

/// How a step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepOutcome {
    /// As hoped.
    Passed,
    /// Did not apply or found nothing.
    Skipped,
    /// Refused.
    Refused,
    /// Worth a look.
    Warned,
}

/// The steps of a decision while it is being made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Steps(Vec<Step>);

impl Steps {
    /// Adds a step about no organization in particular.
    pub(crate) fn add(&mut self, stage: Stage, outcome: StepOutcome, code: &str, text: impl Into<String>) {
        self.push(stage, outcome, code, None, text.into());
    }

    /// Adds a step about one organization.
    pub(crate) fn about(
        &mut self,
        stage: Stage,
        outcome: StepOutcome,
        code: &str,
        organization: &OrganizationId,
        text: impl Into<String>,
    ) {
        self.push(stage, outcome, code, Some(organization.clone()), text.into());
    }

    fn push(
        &mut self,
        stage: Stage,
        outcome: StepOutcome,
        code: &str,
        organization: Option<OrganizationId>,
        text: String,
    ) {
        self.0.push(Step {
            stage,
            outcome,
            code: code.to_owned(),
            organization,
            text,
            drift: None,
        });
    }

    /// Adds what the rules would change where they may not.
    pub(crate) fn drift(&mut self, organization: &OrganizationId, text: String, drift: Drift) {
        self.about(Stage::Apply, StepOutcome::Warned, "drift", organization, text);
        if let Some(step) = self.0.last_mut() {
            step.drift = Some(Box::new(drift));
        }
    }

    /// Adds the steps of a part.
    pub(crate) fn append(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Tells whether a step is worth a look or refuses.
    pub(crate) fn has_warning(&self) -> bool {
        self.0
            .iter()
            .any(|step| matches!(step.outcome, StepOutcome::Warned | StepOutcome::Refused))
    }

    /// Ends the recording.
    pub(crate) fn into_vec(self) -> Vec<Step> {
        self.0
    }
}
