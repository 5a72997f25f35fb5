//! The answer to a bulk request.

use serde_json::{Map, Value, json};

use super::{Bulk, BulkMethod, Operation, Outcome, RESPONSE_URN, State};
use crate::Version;

pub(super) fn render(bulk: &Bulk, base: &str) -> Value {
    let operations: Vec<Value> = bulk
        .operations
        .iter()
        .filter_map(|operation| match &operation.state {
            State::Ended(outcome) => Some(entry(operation, outcome, bulk.version, base)),
            State::Waiting | State::Running => None,
        })
        .collect();
    let schema = match bulk.version {
        Version::V1 => crate::v1::CORE_URN,
        Version::V2 => RESPONSE_URN,
    };
    json!({ "schemas": [schema], "Operations": operations })
}

fn entry(operation: &Operation, outcome: &Outcome, version: Version, base: &str) -> Value {
    let mut entry = Map::new();
    entry.insert("method".to_owned(), operation.method.clone().into());
    if let Some(name) = &operation.bulk_id {
        entry.insert("bulkId".to_owned(), name.clone().into());
    }
    match outcome {
        Outcome::Done {
            status,
            location,
            version: tag,
            ..
        } => {
            entry.insert("location".to_owned(), location.clone().into());
            if let Some(tag) = tag {
                entry.insert("version".to_owned(), tag.clone().into());
            }
            entry.insert("status".to_owned(), status_of(*status, None, version));
        }
        Outcome::Refused(error) => {
            if let Some(location) = known_location(operation, base) {
                entry.insert("location".to_owned(), location.into());
            }
            entry.insert(
                "status".to_owned(),
                status_of(error.status, Some(&error.detail), version),
            );
            if version == Version::V2 {
                entry.insert("response".to_owned(), error.body(version));
            }
        }
    }
    Value::Object(entry)
}

/// 2.0: the status as text. 1.1: an object with the reason beside it.
fn status_of(status: u16, reason: Option<&str>, version: Version) -> Value {
    let code = status.to_string();
    match (version, reason) {
        (Version::V2, _) => code.into(),
        (Version::V1, None) => json!({ "code": code }),
        (Version::V1, Some(reason)) => json!({ "code": code, "description": reason }),
    }
}

/// The address of the resource that a refused operation was about; a creation has none (RFC 7644 section 3.7).
fn known_location(operation: &Operation, base: &str) -> Option<String> {
    let task = operation.task.as_ref().ok()?;
    if task.method == BulkMethod::Post {
        return None;
    }
    let id = task.id.as_deref()?;
    Some(format!("{base}{}/{id}", task.kind.endpoint()))
}
