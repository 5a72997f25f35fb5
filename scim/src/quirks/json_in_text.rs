//! Entra's `AppRoleAssignmentsComplex` puts JSON inside a text: `"value":"{\"id\":…,\"value\":\"Admin\"}"`.

use serde_json::{Map, Value};

use crate::Mode;
use crate::path::KnownPath;
use crate::resource::limit_depth;
use crate::schema::Attribute;

/// Reads a text that holds a JSON object.
pub(super) fn object_in_text(text: &str) -> Option<Map<String, Value>> {
    if !text.trim_start().starts_with('{') {
        return None;
    }
    let value: Value = serde_json::from_str(text).ok()?;
    limit_depth(&value).ok()?;
    match value {
        Value::Object(parts) => Some(parts),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
    }
}

/// Unwraps an element whose `value` is a JSON object in a text; what stands beside it fills the gaps.
pub(crate) fn json_in_the_value(
    attribute: &Attribute,
    parts: &Map<String, Value>,
) -> Option<Map<String, Value>> {
    let text = parts.get("value")?.as_str()?;
    attribute.sub("value")?;
    let mut unwrapped = object_in_text(text)?;
    for (name, part) in parts.iter().filter(|(name, _)| *name != "value") {
        unwrapped.entry(name.clone()).or_insert_with(|| part.clone());
    }
    Some(unwrapped)
}

/// Unwraps the value of a path that ends in `.value`, for example `roles[primary eq "True"].value`: the whole element
/// is meant.
pub(crate) fn json_in_a_part(path: &KnownPath, value: &Value, mode: Mode) -> Option<(KnownPath, Value)> {
    if mode.is_strict() || path.sub.as_deref() != Some("value") || path.filter.is_none() {
        return None;
    }
    let unwrapped = object_in_text(value.as_str()?)?;
    unwrapped.get("value").filter(|value| value.is_string())?;
    let whole = KnownPath {
        sub: None,
        ..path.clone()
    };
    Some((whole, Value::Object(unwrapped)))
}
