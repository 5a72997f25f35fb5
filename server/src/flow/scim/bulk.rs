//! Several operations in one request (RFC 7644 3.7). Each is carried out as the single request would be, with its own
//! decision and trace; the order and references among them are `provost_scim::bulk`'s work.

use std::sync::Arc;

use provost_scim::ScimError;
use provost_scim::bulk::{Bulk, BulkLimits, BulkMethod, Outcome, Step};
use serde_json::Value;

use crate::app::App;
use crate::flow::scim::access::Caller;
use crate::flow::scim::answer::Answer;
use crate::flow::scim::serve::Wanted;
use crate::flow::scim::target::{Target, Verb};
use crate::flow::scim::{Failure, body, operation};

/// What one request may ask for; published in the service provider configuration.
pub const LIMITS: BulkLimits = BulkLimits {
    max_operations: 1000,
    max_payload_size: body::LARGEST,
};

/// Runs a bulk request.
///
/// # Errors
/// 400 or 413 for a request that is wrong as a whole; [`Failure::App`] when the store fails on the way, what was done
/// until then stays done.
pub async fn run(app: &App, caller: &Arc<Caller>, request: &Value) -> Result<Answer, Failure> {
    let mut bulk = Bulk::parse(request, caller.version, LIMITS)?;
    while let Some(step) = bulk.next_step() {
        let index = step.index;
        let outcome = carry_out(app, caller, step).await?;
        bulk.finish(index, outcome);
    }
    Ok(Answer::of(200, caller.version, bulk.into_response(&caller.base)))
}

async fn carry_out(app: &App, caller: &Arc<Caller>, step: Step) -> Result<Outcome, Failure> {
    let verb = match step.method {
        BulkMethod::Post => Verb::Post,
        BulkMethod::Put => Verb::Put,
        BulkMethod::Patch => Verb::Patch,
        BulkMethod::Delete => Verb::Delete,
    };
    let address = step
        .id
        .as_ref()
        .map(|id| format!("{}{}/{id}", caller.base, step.kind.endpoint()));
    let target = match step.id {
        Some(id) => Target::Resource(step.kind, id),
        None => Target::Collection(step.kind),
    };
    let wanted = Wanted {
        verb,
        target,
        query: Vec::new(),
        body: step.data,
        if_match: step.version,
        if_none_match: None,
        size: 0,
    };
    // A bulk inside of a bulk cannot be said; the box is for the compiler, which does not know that.
    match Box::pin(operation::perform(app, caller, wanted)).await {
        Ok(answer) => Ok(Outcome::Done {
            status: answer.status,
            id: answer.target.unwrap_or_default(),
            location: answer.location.or(address).unwrap_or_default(),
            version: answer.etag,
        }),
        Err(Failure::Scim(error) | Failure::Denied(error, _)) => Ok(Outcome::Refused(error)),
        Err(Failure::TooFast(_)) => Ok(Outcome::Refused(ScimError::too_many_requests())),
        Err(Failure::App(error)) => Err(Failure::App(error)),
    }
}
