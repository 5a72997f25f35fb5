//! Keys of an object that are paths.

use crate::path::{Path, is_urn};
use crate::schema::Schemas;
use crate::{Mode, ResourceKind, ScimError};

/// Entra's documents write the name of the enterprise extension with a colon at its end, and customers copy it.
pub(crate) fn without_last_colon(key: &str, mode: Mode) -> &str {
    match key.strip_suffix(':') {
        Some(urn) if !mode.is_strict() && is_urn(urn) => urn,
        Some(_) | None => key,
    }
}

/// Entra's compliant mode replaces several attributes at once without a path, with dotted and URN keys: `"name.givenName"`,
/// `"urn:…:User:employeeNumber"`, `"emails[type eq \"work\"].value"`. A key that is no path at all is left out, since
/// the templates of OneLogin and others may hold anything; a broken filter in one is an error.
pub(crate) fn path_in_a_key(
    key: &str,
    kind: ResourceKind,
    schemas: &Schemas,
) -> Result<Option<Path>, ScimError> {
    match Path::parse(key, kind, schemas, Mode::Compat) {
        Ok(Path::Known(path)) if super::is_noise(&path) => Ok(None),
        Ok(path) => Ok(Some(path)),
        Err(error) if key.contains('[') => Err(error),
        Err(_) => Ok(None),
    }
}
