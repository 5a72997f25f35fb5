//! References to resources that the same request makes: `bulkId:name` as a value, and in a path.

use serde_json::Value;

use super::Task;
use crate::ScimError;
use crate::error::excerpt;

const PREFIX: &str = "bulkId:";

/// What a reference stands for.
pub(super) enum Resolved<'a> {
    /// The identifier of the resource.
    To(&'a str),
    /// The operation at this position makes it and has not ended.
    Waiting(usize),
    /// The operation that was to make it was refused.
    Failed,
    /// No operation makes it.
    Unknown,
}

pub(super) fn unknown(name: &str) -> ScimError {
    ScimError::invalid_value(format!(
        "no POST of this request has the bulkId \"{}\"",
        excerpt(name)
    ))
}

pub(super) fn failed(name: &str) -> ScimError {
    ScimError::invalid_value(format!(
        "the operation with the bulkId \"{}\" was refused",
        excerpt(name)
    ))
}

pub(super) fn circular() -> ScimError {
    ScimError::conflict(
        "operations of this request refer to each other in a circle; create the resources first and add the references in a second request",
    )
}

/// Lists the names that a task refers to, in the order in which they stand.
pub(super) fn in_task(task: &Task) -> Vec<&str> {
    let mut names = Vec::new();
    names.extend(task.id.as_deref().and_then(name_of));
    if let Some(data) = &task.data {
        collect(data, &mut names);
    }
    names
}

/// Replaces every reference for which `id_of` knows the identifier.
pub(super) fn resolve(mut task: Task, id_of: impl Fn(&str) -> Option<String>) -> Task {
    if let Some(id) = task.id.as_deref().and_then(name_of).and_then(&id_of) {
        task.id = Some(id);
    }
    if let Some(data) = &mut task.data {
        replace(data, &id_of);
    }
    task
}

fn name_of(text: &str) -> Option<&str> {
    let (prefix, name) = text.split_at_checked(PREFIX.len())?;
    prefix.eq_ignore_ascii_case(PREFIX).then_some(name)
}

/// The references inside a PATCH path, as in `members[value eq "bulkId:ann"]`.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('"').skip(1).step_by(2).filter_map(name_of)
}

fn collect<'a>(value: &'a Value, names: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => match name_of(text) {
            Some(name) => names.push(name),
            None => names.extend(quoted(text)),
        },
        Value::Array(list) => list.iter().for_each(|each| collect(each, names)),
        Value::Object(object) => object.values().for_each(|each| collect(each, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn replace(value: &mut Value, id_of: &impl Fn(&str) -> Option<String>) {
    match value {
        Value::String(text) => {
            if let Some(name) = name_of(text) {
                if let Some(id) = id_of(name) {
                    *text = id;
                }
                return;
            }
            let inside: Vec<String> = quoted(text).map(str::to_owned).collect();
            for name in inside {
                if let Some(id) = id_of(&name) {
                    *text = replace_quoted(text, &name, &id);
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|each| replace(each, id_of)),
        Value::Object(object) => object.values_mut().for_each(|each| replace(each, id_of)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn replace_quoted(text: &str, name: &str, id: &str) -> String {
    text.split('"')
        .enumerate()
        .map(|(position, part)| {
            if position % 2 == 1 && name_of(part) == Some(name) {
                id
            } else {
                part
            }
        })
        .collect::<Vec<_>>()
        .join("\"")
}
