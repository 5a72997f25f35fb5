//! Answers to work in many rows: one result for each, in the order of the request.

use provost_store::Invitation;
use schemars::JsonSchema;
use serde::Serialize;

use crate::error::{AppError, Fault};
use crate::flow::acting::{Acted, Refusal};
use crate::flow::people::Added;

/// Most rows of one request.
pub(super) const MOST: usize = 200;

/// What became of each row.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "RowResults")]
pub(super) struct Rows {
    /// One for each row, in order.
    pub(super) results: Vec<RowResult>,
    /// Rows that were carried out.
    pub(super) done: usize,
    /// Rows that were refused.
    pub(super) refused: usize,
}

/// What became of one row.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct RowResult {
    /// The account that the row is about, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    /// `done`, `unchanged` or `refused`.
    status: &'static str,
    /// Code of the problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    /// A sentence for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// The trace that tells why.
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
    /// The invitation, if the person was invited.
    #[serde(skip_serializing_if = "Option::is_none")]
    invitation: Option<String>,
    /// What is wrong, place by place.
    #[schemars(with = "Vec<serde_json::Value>")]
    errors: Vec<Fault>,
}

impl RowResult {
    /// A row that was decided.
    pub(super) fn decided(account: Option<String>, outcome: Result<Acted, Refusal>) -> Self {
        match outcome {
            Ok(acted) => Self {
                account: Some(acted.account.as_str().to_owned()),
                status: if acted.is_change() { "done" } else { "unchanged" },
                code: None,
                detail: None,
                trace: acted
                    .is_change()
                    .then(|| acted.decision.trace.id.as_str().to_owned()),
                invitation: None,
                errors: Vec::new(),
            },
            Err(refusal) => Self::refused(account, &AppError::from(refusal)),
        }
    }

    /// Somebody who was added.
    pub(super) fn added(added: Added) -> Self {
        Self {
            account: Some(added.account.as_str().to_owned()),
            status: "done",
            code: None,
            detail: None,
            trace: Some(added.trace.as_str().to_owned()),
            invitation: added.invitation.map(|invitation| invitation.id),
            errors: Vec::new(),
        }
    }

    /// Somebody who was invited, or invited again.
    pub(super) fn invited(account: String, invitation: Invitation) -> Self {
        Self {
            account: Some(account),
            status: "done",
            code: None,
            detail: None,
            trace: None,
            invitation: Some(invitation.id),
            errors: Vec::new(),
        }
    }

    /// A row that was refused.
    pub(super) fn refused(account: Option<String>, error: &AppError) -> Self {
        Self {
            account,
            status: "refused",
            code: Some(error.code()),
            detail: Some(error.public().to_owned()),
            trace: error.trace().map(str::to_owned),
            invitation: None,
            errors: error.faults().to_vec(),
        }
    }
}

impl Rows {
    /// Counts results.
    pub(super) fn new(results: Vec<RowResult>) -> Self {
        let refused = results.iter().filter(|row| row.status == "refused").count();
        Self {
            done: results.len() - refused,
            refused,
            results,
        }
    }
}

/// Judges how many rows were sent.
///
/// # Errors
/// 422 (`too_many_rows`) for none or too many.
pub(super) fn check(count: usize) -> Result<(), AppError> {
    if (1..=MOST).contains(&count) {
        return Ok(());
    }
    Err(AppError::unprocessable(
        "too_many_rows",
        "Between 1 and 200 rows can be sent at once. Import a file for more.",
    ))
}
