//! Leaving no empty values behind.

use serde_json::{Map, Value};

use crate::path::is_urn;

/// Removes what has become empty: elements without a value, lists without elements, extensions without attributes.
/// Done once, after every step: several steps of one request may build one element.
pub(crate) fn tidy(document: &mut Map<String, Value>) {
    for (name, value) in document.iter_mut() {
        if is_urn(name)
            && let Some(parts) = value.as_object_mut()
        {
            attributes(parts);
        }
    }
    attributes(document);
}

fn attributes(parts: &mut Map<String, Value>) {
    parts.retain(|_, value| match value {
        Value::Null => false,
        Value::Array(items) => {
            items.retain(|item| !is_hollow(item));
            !items.is_empty()
        }
        Value::Object(parts) => !parts.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    });
}

/// Whether nothing but labels is left of an element: `type` and `primary` say something about a value only.
fn is_hollow(item: &Value) -> bool {
    match item {
        Value::Null => true,
        Value::Object(parts) => parts
            .keys()
            .all(|name| matches!(name.as_str(), "type" | "primary")),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => false,
    }
}
