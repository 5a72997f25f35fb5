//! The marks on elements of a list: `"operation": "delete"`.

use serde_json::Value;

const MARK: &str = "operation";

/// Whether an element is to be removed.
pub(super) fn is_deletion(element: &Value) -> bool {
    element.as_object().is_some_and(|fields| {
        fields.iter().any(|(name, value)| {
            name.eq_ignore_ascii_case(MARK)
                && value
                    .as_str()
                    .is_some_and(|word| word.eq_ignore_ascii_case("delete"))
        })
    })
}

/// Takes the mark off.
pub(super) fn unmark(element: &mut Value) {
    if let Some(fields) = element.as_object_mut() {
        fields.retain(|name, _| !name.eq_ignore_ascii_case(MARK));
    }
}
