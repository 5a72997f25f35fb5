//! Versions of resources (RFC 7644 3.14): weak tags made of the version that the store keeps, and what clients demand.

use provost_scim::ScimError;

use crate::flow::scim::access::Caller;

/// Writes the tag of a version.
pub fn tag(version: i64) -> String {
    format!("W/\"{version}\"")
}

/// Writes the tag for the `ETag` header, if the connection shows versions.
pub fn header(caller: &Caller, version: i64) -> Option<String> {
    caller.scim().config.etag.then(|| tag(version))
}

/// Holds a demanded version against the present one, and returns it if it has to stay the present one until the change is
/// made. Where versions are switched off, demands are ignored.
///
/// # Errors
/// 412.
pub fn check(caller: &Caller, if_match: Option<&str>, version: i64) -> Result<Option<i64>, ScimError> {
    match if_match {
        Some(demanded) if caller.scim().config.etag => {
            if lists(demanded, version) {
                Ok((demanded.trim() != "*").then_some(version))
            } else {
                Err(ScimError::precondition_failed())
            }
        }
        Some(_) | None => Ok(None),
    }
}

/// Tells whether a client has the present version already.
pub fn is_known(caller: &Caller, if_none_match: Option<&str>, version: i64) -> bool {
    caller.scim().config.etag && if_none_match.is_some_and(|known| lists(known, version))
}

/// Tells whether a list of tags holds a version. Weak and strong forms mean the same here.
fn lists(tags: &str, version: i64) -> bool {
    let wanted = version.to_string();
    tags.split(',').map(str::trim).any(|one| {
        one == "*"
            || one
                .strip_prefix("W/")
                .unwrap_or(one)
                .trim_matches('"')
                .eq(&wanted)
    })
}

#[cfg(test)]
mod tests {
    use super::{lists, tag};

    #[test]
    fn tags_are_compared_weakly_and_in_lists() {
        assert!(lists(&tag(7), 7));
        for tags in ["*", "\"7\"", "W/\"6\", W/\"7\"", " W/\"7\" "] {
            assert!(lists(tags, 7), "{tags}");
        }
        for tags in ["", "W/\"70\"", "\"6\"", "W/\"x\"", "W/"] {
            assert!(!lists(tags, 7), "{tags}");
        }
    }
}
