//! The enterprise extension of users (RFC 7643 section 4.3).
//!
//! `manager.value` is optional: the text of the RFC and its JSON contradict each other, and Entra sends it alone.

use super::attribute::{Attribute, Mutability};
use super::{ENTERPRISE_URN, Schema};

/// The enterprise extension.
pub(super) fn schema() -> Schema {
    let manager = vec![
        Attribute::text("value", "Identifier of the manager.").exact(),
        Attribute::reference("$ref", &["User"], "The address of the manager."),
        Attribute::text("displayName", "The name of the manager.").mutability(Mutability::ReadOnly),
    ];
    Schema::of(
        ENTERPRISE_URN,
        "EnterpriseUser",
        "Enterprise User",
        vec![
            Attribute::text("employeeNumber", "The number that the organization gives."),
            Attribute::text("costCenter", "The cost center."),
            Attribute::text("organization", "The organization."),
            Attribute::text("division", "The division."),
            Attribute::text("department", "The department."),
            Attribute::complex("manager", "The manager of the user.", manager),
        ],
    )
}
