//! Finding an attribute by what a client calls it.
//!
//! Names and URNs compare without case. What a bare or foreign name falls back to is the habit of real clients and
//! marked as such ([`Found::exact`]), so that strict connections can refuse it.

use std::sync::Arc;

use super::attribute::Attribute;
use super::{CUSTOM_URN, ENTERPRISE_URN, GROUP_URN, Schema, Schemas, USER_URN};
use crate::ResourceKind;

/// URNs of SCIM 1.1 and what they are called in 2.0. The core URN is empty there: it names any core schema.
const ALIASES: &[(&str, &str)] = &[
    ("urn:scim:schemas:core:1.0", ""),
    ("urn:scim:schemas:extension:enterprise:1.0", ENTERPRISE_URN),
];

/// An attribute and where it lives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found<'a> {
    /// The URN of the extension, or none for a core or common attribute.
    pub extension: Option<&'a str>,
    /// The attribute.
    pub attribute: &'a Arc<Attribute>,
    /// Whether the client named it as the RFC wants.
    pub exact: bool,
}

/// A name with a URN in front, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UrnSplit<'a> {
    /// The URN as the client wrote it, or none.
    pub urn: Option<&'a str>,
    /// What follows: `attribute` or `attribute.sub`, or empty for a bare URN.
    pub rest: &'a str,
    /// Whether the URN is one of ours.
    pub known: bool,
}

impl Schemas {
    /// Finds an attribute of a kind by its name and the URN in front of it.
    pub fn find(&self, kind: ResourceKind, urn: Option<&str>, name: &str) -> Option<Found<'_>> {
        let core = |exact| {
            let attribute = self
                .core(kind)
                .attribute(name)
                .or_else(|| self.common.attribute(name));
            attribute.map(|attribute| Found {
                extension: None,
                attribute,
                exact,
            })
        };
        match urn {
            None => core(true).or_else(|| self.in_any_extension(kind, name)),
            Some(urn) if self.is_core(kind, urn) => core(true),
            Some(urn) => self
                .extension(kind, urn)
                .and_then(|schema| found(schema, name, true))
                .or_else(|| found(self.custom().filter(|_| kind == ResourceKind::User)?, name, false)),
        }
    }

    /// Returns the extension of a URN, also by its 1.1 name.
    pub fn extension(&self, kind: ResourceKind, urn: &str) -> Option<&Schema> {
        let alias = ALIASES.iter().find(|(old, _)| old.eq_ignore_ascii_case(urn));
        let urn = alias.map_or(urn, |(_, new)| *new);
        self.extensions(kind)
            .iter()
            .find(|schema| schema.id.eq_ignore_ascii_case(urn))
    }

    /// Whether a URN names the core schema of a kind.
    pub fn is_core(&self, kind: ResourceKind, urn: &str) -> bool {
        self.core(kind).id.eq_ignore_ascii_case(urn)
            || ALIASES
                .iter()
                .any(|(old, new)| new.is_empty() && old.eq_ignore_ascii_case(urn))
    }

    /// Takes a URN off the front of a name. URNs contain dots and colons, so the known ones are tried first (the
    /// longest wins); for an unknown one the last colon decides.
    pub fn split_urn<'t>(&self, text: &'t str) -> UrnSplit<'t> {
        if !text.contains(':') {
            return UrnSplit {
                urn: None,
                rest: text,
                known: true,
            };
        }
        let known = self
            .user_extensions
            .iter()
            .map(|schema| schema.id.as_str())
            .chain([USER_URN, GROUP_URN, ENTERPRISE_URN, CUSTOM_URN])
            .chain(ALIASES.iter().map(|(old, _)| *old));
        let longest = known
            .filter_map(|urn| Some((urn.len(), after_urn(text, urn)?)))
            .max_by_key(|(length, _)| *length);
        if let Some((length, rest)) = longest {
            return UrnSplit {
                urn: text.get(..length),
                rest,
                known: true,
            };
        }
        let (urn, rest) = text.rsplit_once(':').unwrap_or(("", text));
        UrnSplit {
            urn: Some(urn),
            rest,
            known: false,
        }
    }

    /// Entra and Okta administrators put extension attributes at core level: `department`, `manager`, `nfc`.
    fn in_any_extension(&self, kind: ResourceKind, name: &str) -> Option<Found<'_>> {
        self.extensions(kind)
            .iter()
            .rev()
            .find_map(|schema| found(schema, name, false))
    }
}

fn found<'a>(schema: &'a Schema, name: &str, exact: bool) -> Option<Found<'a>> {
    let attribute = schema.attribute(name)?;
    Some(Found {
        extension: Some(&schema.id),
        attribute,
        exact,
    })
}

/// Returns what follows a URN and its colon, if the text begins with it.
fn after_urn<'t>(text: &'t str, urn: &str) -> Option<&'t str> {
    let (head, tail) = (text.get(..urn.len())?, text.get(urn.len()..)?);
    if !head.eq_ignore_ascii_case(urn) {
        return None;
    }
    if tail.is_empty() {
        return Some(tail);
    }
    tail.strip_prefix(':')
}
