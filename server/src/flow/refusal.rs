//! Sign-ins that end before the kernel decides: the answer of a provider that does not verify, a request that is no
//! longer open, a provider that cannot be reached.
//!
//! Owns their traces (stage `verify`, outcome `refused`): the admin reads what exactly was wrong, the person gets a
//! plain sentence and the trace's number. No account is looked up and none is made.

use provost_kernel::connection::Connection;
use provost_kernel::id::TraceId;
use provost_kernel::trace::{SIGN_IN, Stage, Step, StepOutcome, Trace};

use crate::app::App;
use crate::error::Result;
use crate::flow::outcome::{Refused, whom_to_ask};
use crate::flow::return_to::ReturnTo;
use crate::pages::refusal::Reason;

/// What went wrong, for the admin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What the person may know.
    pub reason: Reason,
    /// Stable code, for example `saml_expired`.
    pub code: &'static str,
    /// One sentence for an admin, without secrets.
    pub text: String,
}

impl Fault {
    /// Creates a fault.
    pub fn new(reason: Reason, code: &'static str, text: impl Into<String>) -> Self {
        Self {
            reason,
            code,
            text: text.into(),
        }
    }
}

/// Records a sign-in that did not get as far as a decision.
///
/// # Errors
/// Those of the store.
pub async fn record(
    app: &App,
    connection: &Connection,
    fault: Fault,
    return_to: ReturnTo,
) -> Result<Refused> {
    let now = app.world.now();
    let reference = app.world.reference()?;
    tracing::info!(connection = %connection.id, code = fault.code, reference, "sign-in refused");
    metrics::counter!("provost_sign_ins_total", "outcome" => "refused", "code" => fault.code).increment(1);
    let trace = Trace {
        id: TraceId::new(reference.clone()),
        at: now,
        kind: SIGN_IN.to_owned(),
        connection: Some(connection.id.clone()),
        account: None,
        steps: vec![Step {
            stage: Stage::Verify,
            outcome: StepOutcome::Refused,
            code: fault.code.to_owned(),
            organization: None,
            text: fault.text,
            drift: None,
        }],
    };
    let code = fault.code;
    app.store
        .write(move |tx| Box::pin(async move { tx.insert_trace(&trace, code, None) }))
        .await?;
    let whom = whom_to_ask(app, Some(connection)).await?;
    Ok(Refused {
        reason: fault.reason,
        reference,
        whom,
        return_to,
    })
}
