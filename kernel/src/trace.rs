//! Traces: every step of a decision with its reason, readable by machines and people.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{AccountId, ConnectionId, OrganizationId, TraceId};

/// The record of one attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// Reference number.
    pub id: TraceId,
    /// When it was decided.
    pub at: Timestamp,
    /// What was attempted: `sign_in`, `password_sign_in`, `provision`.
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
