//! The order of a list.

use crate::path::AttributePath;
use crate::schema::{Kind, Schemas};
use crate::{ResourceKind, ScimError};

/// A resolved order. A resource without a value comes last ascending and first descending; a list is ordered by its
/// primary value, else by its first (RFC 7644 section 3.4.2.3). Equal ones keep the order in which they were made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sort {
    /// By what; a complex attribute stands for its `value`.
    pub by: AttributePath,
    /// Whether the greatest comes first.
    pub descending: bool,
}

impl Sort {
    /// Resolves `sortBy`.
    pub(super) fn resolve(
        text: &str,
        descending: bool,
        kind: ResourceKind,
        schemas: &Schemas,
    ) -> Result<Self, ScimError> {
        let as_value = |error: ScimError| ScimError::invalid_value(format!("sortBy: {}", error.detail));
        let mut by = AttributePath::resolve(text, kind, schemas).map_err(as_value)?;
        if by.kind == Kind::Complex {
            let found = schemas.find(kind, by.extension.as_deref(), &by.attribute);
            by = by
                .compared(found.map(|found| found.attribute.as_ref()))
                .map_err(as_value)?;
        }
        Ok(Self { by, descending })
    }
}
