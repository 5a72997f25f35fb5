//! The schema tables that drive everything else.
//!
//! Owns: the attributes of users and groups with their characteristics (RFC 7643 section 2.2 and 8.7.1), the
//! attributes that an administrator adds, and finding an attribute by what a client calls it. Never: holds a value.

mod attribute;
mod core;
mod custom;
mod enterprise;
mod lookup;
mod service;
#[cfg(test)]
mod tests;

pub use attribute::{Attribute, Kind, Mutability, Returned, Uniqueness};
pub use custom::CustomAttribute;
pub use lookup::{Found, UrnSplit};

use std::sync::Arc;

use crate::ResourceKind;

/// The URN of the core user schema.
pub const USER_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// The URN of the group schema.
pub const GROUP_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// The URN of the enterprise extension.
pub const ENTERPRISE_URN: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// The URN of the extension that holds the attributes an administrator has added.
pub const CUSTOM_URN: &str = "urn:provost:scim:schemas:extension:custom:2.0:User";

/// One schema: an URN and its attributes.
#[derive(Clone, Debug, PartialEq)]
pub struct Schema {
    /// The URN.
    pub id: String,
    /// The short name, for example `User`.
    pub name: String,
    /// One sentence for people.
    pub description: String,
    /// The attributes, in the order in which they are published.
    pub attributes: Vec<Arc<Attribute>>,
}

impl Schema {
    /// Returns the attribute of a name, in any case.
    pub fn attribute(&self, name: &str) -> Option<&Arc<Attribute>> {
        self.attributes
            .iter()
            .find(|attribute| attribute.name.eq_ignore_ascii_case(name))
    }

    /// Builds a schema of a table of attributes.
    fn of(id: &str, name: &str, description: &str, attributes: Vec<Attribute>) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            description: description.to_owned(),
            attributes: attributes.into_iter().map(Arc::new).collect(),
        }
    }
}

/// Every schema of one connection. Build it once per configuration and share it.
#[derive(Clone, Debug)]
pub struct Schemas {
    user: Schema,
    user_extensions: Vec<Schema>,
    group: Schema,
    /// `id`, `externalId`, `meta`, `schemas`: part of every resource and of no published schema (RFC 7643 3.1).
    common: Schema,
    service: Vec<Schema>,
}

impl Schemas {
    /// Builds the schemas with the attributes that the administrator has added to users.
    pub fn new(custom: &[CustomAttribute]) -> Self {
        let mut user_extensions = vec![enterprise::schema()];
        if !custom.is_empty() {
            user_extensions.push(custom::schema(custom));
        }
        Self {
            user: core::user(),
            user_extensions,
            group: core::group(),
            common: core::common(),
            service: service::schemas(),
        }
    }

    /// Returns the core schema of a kind.
    pub fn core(&self, kind: ResourceKind) -> &Schema {
        match kind {
            ResourceKind::User => &self.user,
            ResourceKind::Group => &self.group,
        }
    }

    /// Returns the extensions of a kind.
    pub fn extensions(&self, kind: ResourceKind) -> &[Schema] {
        match kind {
            ResourceKind::User => &self.user_extensions,
            ResourceKind::Group => &[],
        }
    }

    /// Returns the attributes that every resource has.
    pub const fn common(&self) -> &Schema {
        &self.common
    }

    /// Returns everything that `/Schemas` publishes, the schemas of the discovery documents last.
    pub fn published(&self) -> impl Iterator<Item = &Schema> {
        [&self.user]
            .into_iter()
            .chain(&self.user_extensions)
            .chain([&self.group])
            .chain(&self.service)
    }

    /// Returns the extension that holds the administrator's attributes, if there are any.
    pub fn custom(&self) -> Option<&Schema> {
        self.user_extensions.iter().find(|schema| schema.id == CUSTOM_URN)
    }
}

impl Default for Schemas {
    fn default() -> Self {
        Self::new(&[])
    }
}
