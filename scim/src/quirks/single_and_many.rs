//! One value where a list belongs, a list where one value belongs, and a text where an object belongs.

use serde_json::{Map, Value};

use super::json_in_text::object_in_text;
use crate::schema::Attribute;

/// JumpCloud and Microsoft's test collection send one value where a list belongs: `"members":"u1"`.
pub(crate) fn one_for_a_list(value: &Value) -> &[Value] {
    std::slice::from_ref(value)
}

/// Entra sends the manager as a list of one: `"value":[{"$ref":…,"value":…}]`. A longer list stays what it is: wrong.
pub(crate) fn only_one_of_a_list(value: &Value) -> &Value {
    match value.as_array().map(Vec::as_slice) {
        Some([]) => &Value::Null,
        Some([only]) => only,
        Some(_) | None => value,
    }
}

/// Entra sends the manager as a bare id, and roles as JSON inside a text. Both become the complex value they mean.
pub(crate) fn text_for_a_complex_value(attribute: &Attribute, text: &str) -> Option<Map<String, Value>> {
    if let Some(object) = object_in_text(text) {
        return Some(object);
    }
    let value = attribute.sub("value")?;
    Some(Map::from_iter([(value.name.clone(), text.into())]))
}
