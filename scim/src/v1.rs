//! SCIM 1.1 (draft-scim-api-01 and draft-scim-core-schema-01 of 2012) as a codec on the model of 2.0.
//!
//! Owns: the names, envelopes and documents of 1.1 and how they become those of 2.0 and back; its PATCH, which is a
//! partial resource; the tunnel for methods. What is common with 2.0 is not here: documents, filters (`parse_v1`),
//! selection, paging and errors (`ScimError::body`) are the same code. Never: stores or decides anything.

mod discovery;
mod members;
mod patch;
mod request;
mod resource;
#[cfg(test)]
mod tests;

pub use discovery::{list, resource_types, schema, schemas, service_provider_configs};
pub use patch::{MembersPatch, PartialResource};
pub use request::{MethodOverride, Suffix, suffix, tunnelled};
pub use resource::{decode, encode};

/// The URN of the core schema of 1.1: users, groups, lists and configuration alike.
pub const CORE_URN: &str = "urn:scim:schemas:core:1.0";
/// The URN of the enterprise extension of 1.1.
pub const ENTERPRISE_URN: &str = "urn:scim:schemas:extension:enterprise:1.0";
/// What Okta puts beside the core schema of every group; it cannot be switched off there.
pub const OKTA_GROUP_URN: &str = "urn:okta:custom:group:1.0";
