//! Values written as text.

use serde_json::Value;

/// Entra sends booleans as text: `"value":"False"`.
pub(crate) fn boolean_in_text(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// Attribute mappings of Entra and OneLogin are texts, whatever the attribute is: `"level":"5"`.
pub(crate) fn integer_in_text(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// As [`integer_in_text`], for numbers with a fraction.
pub(crate) fn decimal_in_text(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Microsoft's null test sends `""` for "no value".
pub(crate) fn is_empty_text(value: &Value) -> bool {
    value.as_str().is_some_and(str::is_empty)
}
