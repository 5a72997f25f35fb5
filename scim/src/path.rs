//! What a filter, a PATCH or a selection points at.
//!
//! Owns: taking `urn:…:User:attr[filter].sub` apart and resolving it against the schema tables. Never: looks at a value.

mod parse;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub(crate) use parse::{is_name, is_urn};

use crate::filter::Filter;
use crate::schema::{Attribute, Kind};

/// A resolved attribute or sub-attribute, in its one true spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributePath {
    /// The URN of the extension, or none for a core or common attribute.
    pub extension: Option<String>,
    /// The attribute. Inside a value path (`emails[…]`) this is the sub-attribute of the element.
    pub attribute: String,
    /// The sub-attribute. A complex attribute that is compared stands for its `value`, which is filled in here.
    pub sub: Option<String>,
    /// The data type of what is pointed at.
    pub kind: Kind,
    /// Whether upper and lower case differ.
    pub case_exact: bool,
    /// Whether the attribute is a list, so that one fitting element is enough.
    pub multi_valued: bool,
}

impl std::fmt::Display for AttributePath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(urn) = &self.extension {
            write!(f, "{urn}:")?;
        }
        f.write_str(&self.attribute)?;
        match &self.sub {
            Some(sub) => write!(f, ".{sub}"),
            None => Ok(()),
        }
    }
}

/// The target of a PATCH operation.
#[derive(Clone, Debug, PartialEq)]
pub enum Path {
    /// A whole extension: a bare URN.
    Extension(String),
    /// An attribute of the tables.
    Known(KnownPath),
    /// An attribute that no table knows; kept as it comes (compat only).
    Foreign(ForeignPath),
}

/// An attribute of the tables, its elements or its parts.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownPath {
    /// The URN of the extension, or none for a core or common attribute.
    pub extension: Option<String>,
    /// The attribute.
    pub attribute: Arc<Attribute>,
    /// Which elements are meant.
    pub filter: Option<Filter>,
    /// Which part is meant, in its one true spelling.
    pub sub: Option<String>,
}

/// An attribute that no table knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignPath {
    /// The URN in front of it, if there is one.
    pub extension: Option<String>,
    /// The name as the client wrote it.
    pub attribute: String,
    /// The part as the client wrote it.
    pub sub: Option<String>,
}

impl KnownPath {
    /// The whole attribute, without selection.
    pub(crate) fn whole(extension: Option<&str>, attribute: &Arc<Attribute>) -> Self {
        Self {
            extension: extension.map(str::to_owned),
            attribute: Arc::clone(attribute),
            filter: None,
            sub: None,
        }
    }
}
