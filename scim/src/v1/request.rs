//! What 1.1 hides in a request line: methods tunnelled through POST, and a format as the end of a path.

use crate::ScimError;

/// The methods that may hide behind a POST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MethodOverride {
    /// PUT.
    Put,
    /// PATCH.
    Patch,
    /// DELETE.
    Delete,
}

/// Reads `X-HTTP-Method-Override` of a POST (section 3.3 of the API draft; PingFederate uses it).
///
/// # Errors
/// 400 when the header names another method: it must not turn a POST into something that is neither.
pub fn tunnelled(header: Option<&str>) -> Result<Option<MethodOverride>, ScimError> {
    let Some(word) = header.map(str::trim).filter(|word| !word.is_empty()) else {
        return Ok(None);
    };
    let known = [
        ("PUT", Some(MethodOverride::Put)),
        ("PATCH", Some(MethodOverride::Patch)),
        ("DELETE", Some(MethodOverride::Delete)),
        ("POST", None),
    ];
    known
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(word))
        .map(|(_, method)| method)
        .ok_or_else(|| {
            ScimError::invalid_syntax(
                "X-HTTP-Method-Override must be PUT, PATCH or DELETE, on a POST request",
            )
        })
}

/// A last path segment without the format at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suffix<'a> {
    /// JSON, said or not.
    Json(&'a str),
    /// XML, which is not served.
    Xml,
}

/// Takes `.json` off a path segment. Ids never end so.
pub fn suffix(segment: &str) -> Suffix<'_> {
    match segment.rsplit_once('.') {
        Some((name, format)) if format.eq_ignore_ascii_case("json") => Suffix::Json(name),
        Some((_, format)) if format.eq_ignore_ascii_case("xml") => Suffix::Xml,
        _ => Suffix::Json(segment),
    }
}
