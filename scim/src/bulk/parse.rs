//! Reading a bulk request.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::{Bulk, BulkLimits, BulkMethod, Operation, REQUEST_URN, State, Task};
use crate::error::excerpt;
use crate::{ResourceKind, ScimError, Version};

/// Longest `bulkId`; a name, not a place for data.
const MAX_BULK_ID: usize = 256;

pub(super) fn request(body: &Value, version: Version, limits: BulkLimits) -> Result<Bulk, ScimError> {
    let Some(message) = body.as_object() else {
        return Err(ScimError::invalid_syntax(
            "a bulk request is a JSON object with 'Operations'",
        ));
    };
    check_schema(message, version)?;
    let Some(operations) = member(message, "Operations").and_then(Value::as_array) else {
        return Err(ScimError::invalid_syntax("'Operations' must be a list"));
    };
    if operations.is_empty() {
        return Err(ScimError::invalid_value("'Operations' must not be empty"));
    }
    if operations.len() > limits.max_operations {
        return Err(limits.exceeded());
    }
    let mut bulk = Bulk {
        version,
        fail_on_errors: fail_on_errors(message)?,
        operations: Vec::with_capacity(operations.len()),
        creations: HashMap::new(),
        errors: 0,
        trail: Vec::new(),
        running: None,
    };
    let mut names = HashSet::new();
    for (index, each) in operations.iter().enumerate() {
        let operation = operation(each, &mut names);
        if let (Some(name), Ok(task)) = (&operation.bulk_id, &operation.task)
            && task.method == BulkMethod::Post
        {
            bulk.creations.insert(name.clone(), index);
        }
        bulk.operations.push(operation);
    }
    Ok(bulk)
}

/// 1.1 puts the core schema there or nothing; 2.0 demands its own, and a message of another kind is refused.
fn check_schema(message: &Map<String, Value>, version: Version) -> Result<(), ScimError> {
    let Some(schemas) = member(message, "schemas").and_then(Value::as_array) else {
        return match version {
            Version::V1 => Ok(()),
            Version::V2 => Err(ScimError::invalid_syntax(format!(
                "'schemas' must be [\"{REQUEST_URN}\"]"
            ))),
        };
    };
    let named = |urn: &str| {
        schemas
            .iter()
            .any(|each| each.as_str().is_some_and(|text| text.eq_ignore_ascii_case(urn)))
    };
    let wanted = match version {
        Version::V1 => crate::v1::CORE_URN,
        Version::V2 => REQUEST_URN,
    };
    if named(wanted) {
        Ok(())
    } else {
        Err(ScimError::invalid_syntax(format!(
            "'schemas' must contain \"{wanted}\""
        )))
    }
}

fn fail_on_errors(message: &Map<String, Value>) -> Result<Option<usize>, ScimError> {
    match member(message, "failOnErrors") {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value
            .as_u64()
            .filter(|most| *most > 0)
            .and_then(|most| usize::try_from(most).ok())
            .map(Some)
            .ok_or_else(|| ScimError::invalid_value("'failOnErrors' must be a whole number above 0")),
    }
}

/// Reads one operation; what is wrong with it stays its own.
fn operation(value: &Value, names: &mut HashSet<String>) -> Operation {
    let empty = Map::new();
    let object = value.as_object();
    let fields = object.unwrap_or(&empty);
    let method = member(fields, "method")
        .and_then(Value::as_str)
        .map_or_else(String::new, excerpt);
    let bulk_id = member(fields, "bulkId")
        .and_then(Value::as_str)
        .map(str::to_owned);
    let mut task = if object.is_some() {
        task(fields)
    } else {
        Err(ScimError::invalid_syntax("an operation must be a JSON object"))
    };
    if let Some(name) = &bulk_id {
        if name.is_empty() || name.len() > MAX_BULK_ID {
            task = Err(ScimError::invalid_value(format!(
                "'bulkId' must have between 1 and {MAX_BULK_ID} characters"
            )));
        } else if !names.insert(name.clone()) && task.is_ok() {
            task = Err(ScimError::invalid_value(format!(
                "'bulkId' \"{}\" is used twice",
                excerpt(name)
            )));
        }
    }
    Operation {
        method,
        bulk_id,
        task,
        state: State::Waiting,
    }
}

fn task(fields: &Map<String, Value>) -> Result<Task, ScimError> {
    let method = method(fields)?;
    let path = member(fields, "path")
        .and_then(Value::as_str)
        .ok_or_else(|| ScimError::invalid_syntax("an operation needs a 'path' such as \"/Users\""))?;
    let (kind, id) = target(path)?;
    match (method, &id) {
        (BulkMethod::Post, Some(_)) => {
            return Err(ScimError::invalid_value(
                "POST creates a resource: 'path' must be \"/Users\" or \"/Groups\"",
            ));
        }
        (BulkMethod::Put | BulkMethod::Patch | BulkMethod::Delete, None) => {
            return Err(ScimError::invalid_value(format!(
                "{} needs the path of one resource, such as \"{}/<id>\"",
                method.as_str(),
                kind.endpoint()
            )));
        }
        _ => {}
    }
    let data = match method {
        BulkMethod::Delete => None,
        BulkMethod::Post | BulkMethod::Put | BulkMethod::Patch => Some(
            member(fields, "data")
                .filter(|data| data.is_object())
                .cloned()
                .ok_or_else(|| ScimError::invalid_syntax(format!("{} needs 'data'", method.as_str())))?,
        ),
    };
    let version = member(fields, "version")
        .and_then(Value::as_str)
        .map(str::to_owned);
    Ok(Task {
        method,
        kind,
        id,
        version,
        data,
    })
}

fn method(fields: &Map<String, Value>) -> Result<BulkMethod, ScimError> {
    let word = member(fields, "method")
        .and_then(Value::as_str)
        .unwrap_or_default();
    [
        BulkMethod::Post,
        BulkMethod::Put,
        BulkMethod::Patch,
        BulkMethod::Delete,
    ]
    .into_iter()
    .find(|method| method.as_str().eq_ignore_ascii_case(word))
    .ok_or_else(|| ScimError::invalid_syntax("'method' must be POST, PUT, PATCH or DELETE"))
}

/// `/Users`, `/Users/id`; a slash more or less is forgiven, anything else is not.
fn target(path: &str) -> Result<(ResourceKind, Option<String>), ScimError> {
    let refused = || {
        ScimError::invalid_path(format!(
            "'path' must be \"/Users\", \"/Groups\", or one resource of these, not \"{}\"",
            excerpt(path)
        ))
    };
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    let endpoint = segments.next().ok_or_else(refused)?;
    if endpoint.eq_ignore_ascii_case("Bulk") {
        return Err(ScimError::invalid_path(
            "a bulk request cannot contain another one",
        ));
    }
    let kind = ResourceKind::ALL
        .iter()
        .copied()
        .find(|kind| {
            kind.endpoint()
                .trim_start_matches('/')
                .eq_ignore_ascii_case(endpoint)
        })
        .ok_or_else(refused)?;
    let id = segments.next().map(str::to_owned);
    if segments.next().is_some() || path.contains(['?', '#']) {
        return Err(refused());
    }
    Ok((kind, id))
}

/// Attribute names compare without case.
fn member<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.get(name).or_else(|| {
        object
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    })
}
