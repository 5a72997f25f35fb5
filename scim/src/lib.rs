//! SCIM as pure functions: what directories push, decoded, checked and answered.
//!
//! Owns: the schema tables and everything that is driven by them (documents, filters, PATCH, selection of attributes,
//! lists, discovery, errors), and the habits of real clients, one named function each in `quirks`. There is one
//! internal model: 2.0 documents as JSON objects. Never: does I/O, reads a clock, knows HTTP types or SQL, or decides
//! what a push means for a person.

pub mod bulk;
pub mod discovery;
pub mod error;
pub mod filter;
pub mod list;
pub mod patch;
pub mod path;
pub mod projection;
mod quirks;
pub mod render;
pub mod resource;
pub mod schema;
pub mod v1;

pub use error::{ScimError, ScimType};
pub use filter::{Filter, Limits};
pub use patch::Patch;
pub use projection::Projection;
pub use resource::{Document, MemberRef};
pub use schema::{CustomAttribute, Schemas};

/// The version of the protocol that a request speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Version {
    /// SCIM 1.1, the drafts of 2012.
    V1,
    /// SCIM 2.0, RFC 7643 and RFC 7644.
    V2,
}

/// How strictly a connection reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Mode {
    /// What real clients send is understood (the default).
    #[default]
    Compat,
    /// Only what the RFCs and the interoperability profile allow is accepted.
    Strict,
}

impl Mode {
    /// Whether only the RFC forms are accepted.
    pub const fn is_strict(self) -> bool {
        matches!(self, Self::Strict)
    }
}

/// A type of resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ResourceKind {
    /// A person.
    User,
    /// A group of people.
    Group,
}

impl ResourceKind {
    /// Every kind, in the order in which discovery shows them.
    pub const ALL: &'static [Self] = &[Self::User, Self::Group];

    /// The name, as in `meta.resourceType`; also the `id` of the resource type.
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
        }
    }

    /// The endpoint, relative to the base address.
    pub const fn endpoint(self) -> &'static str {
        match self {
            Self::User => "/Users",
            Self::Group => "/Groups",
        }
    }
}
