//! A limit on the nesting of JSON, checked without recursion in front of everything that recurses.

use serde_json::Value;

use crate::ScimError;

/// The deepest JSON that is read.
const DEEPEST: usize = 32;

/// Refuses JSON that is nested too deeply.
pub(crate) fn limit_depth(value: &Value) -> Result<(), ScimError> {
    let mut open = vec![(value, 1)];
    while let Some((value, depth)) = open.pop() {
        if depth > DEEPEST {
            return Err(ScimError::invalid_syntax(format!(
                "the body is nested more than {DEEPEST} levels deep"
            )));
        }
        match value {
            Value::Array(items) => open.extend(items.iter().map(|item| (item, depth + 1))),
            Value::Object(parts) => open.extend(parts.values().map(|part| (part, depth + 1))),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    Ok(())
}
