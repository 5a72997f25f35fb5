//! What a connection lets its directory do (C-04, R-17, R-80): judged by the effect of a request, not by its method.

use provost_scim::filter::Operator;
use provost_scim::{Filter, ResourceKind, ScimError};

use crate::flow::scim::access::Caller;
use crate::scim_config::ScimOperation;

/// Lets an operation through if it is switched on.
///
/// # Errors
/// 403 that names the operation.
pub fn require(caller: &Caller, operation: ScimOperation) -> Result<(), ScimError> {
    if caller.scim().config.allows(operation) {
        return Ok(());
    }
    Err(ScimError::forbidden(format!(
        "operation '{}' is switched off for this connection; nothing was changed",
        operation.word()
    )))
}

/// Lets a write to a resource through, as far as its kind alone decides.
///
/// # Errors
/// As [`require`].
pub fn require_write(caller: &Caller, kind: ResourceKind, operation: ScimOperation) -> Result<(), ScimError> {
    match kind {
        ResourceKind::User => require(caller, operation),
        ResourceKind::Group => require(caller, ScimOperation::Groups),
    }
}

/// Lets a list through. With `read` off, the exact look-up of one resource may stay open, because most directories
/// look first and then create.
///
/// # Errors
/// As [`require`].
pub fn require_list(caller: &Caller, filter: Option<&Filter>) -> Result<(), ScimError> {
    let is_look_up = caller.scim().config.look_up && filter.is_some_and(is_exact);
    if is_look_up {
        return Ok(());
    }
    require(caller, ScimOperation::Read)
}

/// Lets the reading of one resource by its id through.
///
/// # Errors
/// As [`require`].
pub fn require_one(caller: &Caller) -> Result<(), ScimError> {
    if caller.scim().config.look_up {
        return Ok(());
    }
    require(caller, ScimOperation::Read)
}

/// Tells whether a filter names one resource by something that is unique.
fn is_exact(filter: &Filter) -> bool {
    match filter {
        Filter::And(filters) => filters.iter().any(is_exact),
        Filter::Compare(comparison) => {
            comparison.operator == Operator::Eq
                && comparison.path.extension.is_none()
                && matches!(
                    comparison.path.attribute.as_str(),
                    "id" | "userName" | "externalId" | "emails" | "displayName"
                )
        }
        Filter::Element(path, inner) => {
            path.attribute == "emails"
                && path.extension.is_none()
                && matches!(inner.as_ref(), Filter::Compare(_) | Filter::And(_))
                && names_value(inner)
        }
        Filter::Or(_) | Filter::Not(_) => false,
    }
}

fn names_value(filter: &Filter) -> bool {
    match filter {
        Filter::And(filters) => filters.iter().any(names_value),
        Filter::Compare(comparison) => {
            comparison.operator == Operator::Eq && comparison.path.attribute == "value"
        }
        Filter::Or(_) | Filter::Not(_) | Filter::Element(..) => false,
    }
}

#[cfg(test)]
mod tests {
    use provost_scim::{Filter, Limits, ResourceKind, Schemas};

    use super::is_exact;

    #[test]
    fn r75_only_filters_that_name_one_resource_are_look_ups() {
        let schemas = Schemas::default();
        let parse =
            |text: &str| Filter::parse(text, ResourceKind::User, &schemas, &Limits::default()).unwrap();
        for text in [
            "userName eq \"a\"",
            "externalId eq \"a\"",
            "emails[type eq \"work\" and value eq \"a@b.c\"]",
            "emails[type eq \"work\"].value eq \"a@b.c\"",
            "userName eq \"a\" and active eq true",
        ] {
            assert!(is_exact(&parse(text)), "{text}");
        }
        for text in [
            "userName sw \"a\"",
            "userName ne \"a\"",
            "not (userName eq \"a\")",
            "userName eq \"a\" or title pr",
            "emails[type eq \"work\"]",
            "active eq true",
        ] {
            assert!(!is_exact(&parse(text)), "{text}");
        }
    }
}
