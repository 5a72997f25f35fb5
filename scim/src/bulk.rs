//! Bulk requests (RFC 7644 section 3.7, and section 3.5 of the 1.1 draft) as a state machine.
//!
//! Owns: reading the request, its limits, the order in which operations run so that a reference to a resource made in
//! the same request (`bulkId:…`) is known when it is needed, and the answer. The caller asks for the next [`Step`],
//! carries it out as it would carry out the single request, and says how it ended; so every operation is decided,
//! written and recorded like any other. Never: carries out anything, or runs a bulk inside a bulk.

mod parse;
mod references;
mod response;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use serde_json::Value;

use crate::{ResourceKind, ScimError, Version};
use references::Resolved;

/// The URN of a bulk request of 2.0.
pub const REQUEST_URN: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
/// The URN of a bulk answer of 2.0.
pub const RESPONSE_URN: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";

/// What one bulk request may ask for; the same figures are published in the service provider configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BulkLimits {
    /// The most operations.
    pub max_operations: usize,
    /// The most bytes of the body.
    pub max_payload_size: usize,
}

impl BulkLimits {
    /// 413: the refusal that names the limits, for a body that is too long or a list that is.
    pub fn exceeded(&self) -> ScimError {
        ScimError::payload_too_large(format!(
            "a bulk request may have at most {} operations (maxOperations) and {} bytes (maxPayloadSize); send several smaller ones",
            self.max_operations, self.max_payload_size
        ))
    }
}

/// The method of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BulkMethod {
    /// Create.
    Post,
    /// Replace.
    Put,
    /// Change.
    Patch,
    /// Delete.
    Delete,
}

impl BulkMethod {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// One operation to carry out now. Every reference in it is resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The position in the request: hand it back to [`Bulk::finish`].
    pub index: usize,
    /// What to do.
    pub method: BulkMethod,
    /// The type of resource.
    pub kind: ResourceKind,
    /// The resource; absent for `POST`.
    pub id: Option<String>,
    /// The version that the resource must have, as `If-Match` would say it.
    pub version: Option<String>,
    /// The body; absent for `DELETE`.
    pub data: Option<Value>,
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It was carried out.
    Done {
        /// The status that the single request would have got.
        status: u16,
        /// The resource that was made or changed.
        id: String,
        /// Its absolute address.
        location: String,
        /// Its version, where versions are switched on.
        version: Option<String>,
    },
    /// It was refused.
    Refused(ScimError),
}

/// A bulk request on its way.
#[derive(Clone, Debug)]
pub struct Bulk {
    version: Version,
    fail_on_errors: Option<usize>,
    operations: Vec<Operation>,
    /// Which operation makes the resource that a `bulkId` stands for.
    creations: HashMap<String, usize>,
    errors: usize,
    /// The operation that waits, the one that it waits for, and so on; the last one is looked at.
    trail: Vec<usize>,
    running: Option<usize>,
}

/// One operation of the request with its state.
#[derive(Clone, Debug)]
struct Operation {
    /// The method as it was sent, for the answer.
    method: String,
    bulk_id: Option<String>,
    /// What to do, or why the operation cannot be understood.
    task: Result<Task, ScimError>,
    state: State,
}

#[derive(Clone, Debug)]
struct Task {
    method: BulkMethod,
    kind: ResourceKind,
    id: Option<String>,
    version: Option<String>,
    data: Option<Value>,
}

#[derive(Clone, Debug)]
enum State {
    Waiting,
    Running,
    Ended(Outcome),
}

impl Bulk {
    /// Reads a request.
    ///
    /// # Errors
    /// 400 when the message is malformed, 413 when it asks for more than `limits`. An operation that is malformed in
    /// itself is no error here: it gets a status of its own.
    pub fn parse(body: &Value, version: Version, limits: BulkLimits) -> Result<Self, ScimError> {
        parse::request(body, version, limits)
    }

    /// Returns the next operation to carry out, or nothing when the request is done with.
    ///
    /// Operations run in the order of the request, except that the creation of a resource runs before an operation
    /// that refers to it. A step that was handed out and never finished counts as refused.
    pub fn next_step(&mut self) -> Option<Step> {
        if let Some(forgotten) = self.running {
            self.finish(forgotten, Outcome::Refused(ScimError::internal()));
        }
        loop {
            if self.fail_on_errors.is_some_and(|most| self.errors >= most) {
                return None;
            }
            let Some(at) = self.trail.last().copied() else {
                let first = self.operations.iter().position(Operation::is_waiting)?;
                self.trail.push(first);
                continue;
            };
            match self.look_at(at) {
                Look::Ended => {
                    self.trail.pop();
                }
                Look::Refused(error) => self.finish(at, Outcome::Refused(error)),
                Look::WaitsFor(next) => match self.trail.iter().position(|seen| *seen == next) {
                    None => self.trail.push(next),
                    Some(from) => {
                        for index in self.trail.split_off(from) {
                            self.finish(index, Outcome::Refused(references::circular()));
                        }
                    }
                },
                Look::Ready(step) => {
                    if let Some(operation) = self.operations.get_mut(at) {
                        operation.state = State::Running;
                    }
                    self.running = Some(at);
                    return Some(step);
                }
            }
        }
    }

    /// Records how a step ended.
    pub fn finish(&mut self, index: usize, outcome: Outcome) {
        self.running = self.running.filter(|running| *running != index);
        let Some(operation) = self.operations.get_mut(index) else {
            return;
        };
        if matches!(outcome, Outcome::Refused(_)) {
            self.errors = self.errors.saturating_add(1);
        }
        operation.state = State::Ended(outcome);
    }

    /// Renders the answer: the operations that ran, in the order of the request. `base` is the absolute base address.
    pub fn into_response(self, base: &str) -> Value {
        response::render(&self, base)
    }

    /// Tells whether an operation can run now.
    fn look_at(&self, index: usize) -> Look {
        let Some(operation) = self.operations.get(index).filter(|each| each.is_waiting()) else {
            return Look::Ended;
        };
        let task = match &operation.task {
            Ok(task) => task,
            Err(error) => return Look::Refused(error.clone()),
        };
        for name in references::in_task(task) {
            match self.resolved(name) {
                Resolved::To(_) => {}
                Resolved::Unknown => return Look::Refused(references::unknown(name)),
                Resolved::Failed => return Look::Refused(references::failed(name)),
                Resolved::Waiting(creation) => return Look::WaitsFor(creation),
            }
        }
        let task = references::resolve(task.clone(), |name| match self.resolved(name) {
            Resolved::To(id) => Some(id.to_owned()),
            Resolved::Unknown | Resolved::Failed | Resolved::Waiting(_) => None,
        });
        Look::Ready(Step {
            index,
            method: task.method,
            kind: task.kind,
            id: task.id,
            version: task.version,
            data: task.data,
        })
    }

    /// What a `bulkId` stands for at this moment.
    fn resolved(&self, name: &str) -> Resolved<'_> {
        let creation = self.creations.get(name).copied();
        match creation.and_then(|index| Some((index, self.operations.get(index)?))) {
            None => Resolved::Unknown,
            Some((index, operation)) => match &operation.state {
                State::Waiting | State::Running => Resolved::Waiting(index),
                State::Ended(Outcome::Done { id, .. }) => Resolved::To(id),
                State::Ended(Outcome::Refused(_)) => Resolved::Failed,
            },
        }
    }
}

/// What looking at an operation showed.
enum Look {
    /// It has ended already.
    Ended,
    /// It can never run.
    Refused(ScimError),
    /// This creation has to run first.
    WaitsFor(usize),
    /// It can run.
    Ready(Step),
}

impl Operation {
    const fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting)
    }
}
