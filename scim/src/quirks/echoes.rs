//! Clients that send back what they have read.

use crate::path::KnownPath;
use crate::schema::{Attribute, Mutability};

/// Okta sends the whole resource in a PUT and `id` in a path-less PATCH: what only the server writes is left out. So is
/// the password, which Okta makes up for every new user.
pub(crate) const fn is_echoed(attribute: &Attribute) -> bool {
    matches!(attribute.mutability, Mutability::ReadOnly | Mutability::WriteOnly)
}

/// As [`is_echoed`], for a dotted key such as `meta.version`.
pub(crate) fn is_noise(path: &KnownPath) -> bool {
    let sub = path.sub.as_deref().and_then(|sub| path.attribute.sub(sub));
    is_echoed(&path.attribute) || sub.is_some_and(is_echoed)
}

/// Administrators map the password below URNs of their own as well: whatever is called so is never kept.
pub(crate) const fn is_password(name: &str) -> bool {
    name.eq_ignore_ascii_case("password")
}
