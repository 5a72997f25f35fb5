//! Leaving no empty values behind.

use serde_json::{Map, Value};

use super::Step;
use crate::path::is_urn;

/// Removes what has become empty: elements without a value, lists without elements, extensions without attributes.
/// Done once, after every step: several steps of one request may build one element. What no table knows is not looked
/// into.
pub(crate) fn tidy(document: &mut Map<String, Value>, steps: &[Step]) {
    for step in steps {
        let (Step::Set(_, path, _) | Step::Clear(path, _)) = step else {
            continue;
        };
        let holder = match &path.extension {
            None => Some(&mut *document),
            Some(urn) => document.get_mut(urn).and_then(Value::as_object_mut),
        };
        let list = holder.and_then(|holder| holder.get_mut(&path.attribute.name)?.as_array_mut());
        if let Some(list) = list {
            list.retain(|element| !is_hollow(element));
        }
    }
    for (name, value) in document.iter_mut() {
        if is_urn(name)
            && let Some(parts) = value.as_object_mut()
        {
            parts.retain(|_, value| !is_empty(value));
        }
    }
    document.retain(|_, value| !is_empty(value));
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(parts) => parts.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Whether nothing but labels is left of an element: `type` and `primary` say something about a value only.
fn is_hollow(element: &Value) -> bool {
    match element {
        Value::Null => true,
        Value::Object(parts) => parts
            .keys()
            .all(|name| matches!(name.as_str(), "type" | "primary")),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => false,
    }
}
