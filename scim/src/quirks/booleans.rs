//! Entra sends booleans as text: `"value":"False"`.

/// Reads a boolean that is written as text.
pub(crate) fn boolean_in_text(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}
