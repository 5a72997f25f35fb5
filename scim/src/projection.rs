//! `attributes` and `excludedAttributes` (RFC 7644 section 3.9).
//!
//! Owns: which parts of a representation are shown, by the client's wish and by `returned` in the schema tables, and
//! telling the caller beforehand what need not be loaded. Never: loads.

use serde_json::{Map, Value};

use crate::path::is_urn;
use crate::schema::{Attribute, Returned, Schema, Schemas};
use crate::{ResourceKind, ScimError};

/// The most names that one request may list.
const MOST_NAMES: usize = 500;

/// What a client wants to see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Projection {
    wish: Wish,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Wish {
    #[default]
    Everything,
    Only(Vec<Name>),
    Without(Vec<Name>),
}

/// One listed name: a schema, an attribute or a sub-attribute; folded.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Name {
    urn: Option<String>,
    attribute: String,
    sub: Option<String>,
}

/// How much of an attribute is listed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Listed {
    No,
    Whole,
    Parts,
}

impl Projection {
    /// Shows everything that is returned by default.
    pub fn everything() -> Self {
        Self::default()
    }

    /// Reads the two lists, of which only one may be used. Unknown names are harmless.
    pub fn new<'t>(
        attributes: impl IntoIterator<Item = &'t str>,
        excluded: impl IntoIterator<Item = &'t str>,
        kind: ResourceKind,
        schemas: &Schemas,
    ) -> Result<Self, ScimError> {
        let read = |names: &mut dyn Iterator<Item = &'t str>| -> Result<Vec<Name>, ScimError> {
            let names: Vec<Name> = names
                .map(str::trim)
                .filter(|name| !name.is_empty())
                .take(MOST_NAMES + 1)
                .map(|name| Name::read(name, kind, schemas))
                .collect();
            if names.len() > MOST_NAMES {
                return Err(ScimError::invalid_value(format!(
                    "at most {MOST_NAMES} attributes can be listed"
                )));
            }
            Ok(names)
        };
        let only = read(&mut attributes.into_iter())?;
        let without = read(&mut excluded.into_iter())?;
        let wish = match (only.is_empty(), without.is_empty()) {
            (true, true) => Wish::Everything,
            (false, true) => Wish::Only(only),
            (true, false) => Wish::Without(without),
            (false, false) => {
                return Err(ScimError::invalid_value(
                    "use either 'attributes' or 'excludedAttributes', not both",
                ));
            }
        };
        Ok(Self { wish })
    }

    /// Whether `attributes` was used: the answer then has a body even where it could be empty.
    pub const fn is_selection(&self) -> bool {
        matches!(self.wish, Wish::Only(_))
    }

    /// Whether a core attribute will be shown, for example `members` or `groups`: what is not need not be loaded.
    pub fn wants(&self, attribute: &str) -> bool {
        match &self.wish {
            Wish::Everything => true,
            Wish::Only(names) => listed(names, None, attribute) != Listed::No,
            Wish::Without(names) => listed(names, None, attribute) != Listed::Whole,
        }
    }

    /// Takes away what is not shown.
    pub fn apply(&self, resource: &mut Map<String, Value>, kind: ResourceKind, schemas: &Schemas) {
        resource.retain(|key, value| {
            let Some(parts) = value.as_object_mut().filter(|_| is_urn(key)) else {
                let attribute = schemas.find(kind, None, key).filter(|found| found.exact);
                return self.keeps(None, key, attribute.map(|found| found.attribute.as_ref()), value);
            };
            let schema = schemas.extension(kind, key);
            parts.retain(|name, value| {
                let attribute = schema.and_then(|schema| Schema::attribute(schema, name));
                self.keeps(Some(key), name, attribute.map(AsRef::as_ref), value)
            });
            !parts.is_empty()
        });
    }

    /// Whether an attribute stays; of a complex one, the parts are sorted out here.
    fn keeps(&self, urn: Option<&str>, name: &str, attribute: Option<&Attribute>, value: &mut Value) -> bool {
        match attribute.map_or(Returned::Default, |attribute| attribute.returned) {
            Returned::Always => true,
            Returned::Never => false,
            Returned::Request => {
                matches!(&self.wish, Wish::Only(names) if listed(names, urn, name) != Listed::No)
            }
            Returned::Default => {
                if let Some(attribute) = attribute {
                    self.hide_parts(urn, attribute, value);
                }
                self.keeps_by_wish(urn, name, value)
            }
        }
    }

    fn keeps_by_wish(&self, urn: Option<&str>, name: &str, value: &mut Value) -> bool {
        match &self.wish {
            Wish::Everything => true,
            Wish::Only(names) => match listed(names, urn, name) {
                Listed::No => false,
                Listed::Whole => true,
                Listed::Parts => {
                    parts(value, |part| is_listed_part(names, urn, name, part));
                    !is_empty(value)
                }
            },
            Wish::Without(names) => match listed(names, urn, name) {
                Listed::No => true,
                Listed::Whole => false,
                Listed::Parts => {
                    parts(value, |part| !is_listed_part(names, urn, name, part));
                    !is_empty(value)
                }
            },
        }
    }

    /// Takes away parts that are returned only when somebody asks for just them.
    fn hide_parts(&self, urn: Option<&str>, attribute: &Attribute, value: &mut Value) {
        let on_request = |part: &str| {
            attribute
                .sub(part)
                .is_some_and(|sub| sub.returned == Returned::Request)
        };
        if !attribute.sub_attributes.iter().any(|sub| on_request(&sub.name)) {
            return;
        }
        let asked = |part: &str| match &self.wish {
            Wish::Only(names) => is_listed_part(names, urn, &attribute.name, part),
            Wish::Everything | Wish::Without(_) => false,
        };
        parts(value, |part| !on_request(part) || asked(part));
    }
}

impl Name {
    /// Reads a name. A selection in brackets is dropped: Microsoft's collection asks for `emails[value eq "x"]`.
    fn read(text: &str, kind: ResourceKind, schemas: &Schemas) -> Self {
        let text = text.split('[').next().unwrap_or_default();
        if schemas.is_core(kind, text) {
            return Self::of(None, "", None);
        }
        if let Some(schema) = schemas.extension(kind, text) {
            return Self::of(Some(&schema.id), "", None);
        }
        let split = schemas.split_urn(text);
        let (attribute, sub) = match split.rest.split_once('.') {
            Some((attribute, sub)) => (attribute, Some(sub)),
            None => (split.rest, None),
        };
        match schemas.find(kind, split.urn, attribute) {
            Some(found) => Self::of(found.extension, &found.attribute.name, sub),
            None => Self::of(split.urn, attribute, sub),
        }
    }

    fn of(urn: Option<&str>, attribute: &str, sub: Option<&str>) -> Self {
        Self {
            urn: urn.map(str::to_ascii_lowercase),
            attribute: attribute.to_ascii_lowercase(),
            sub: sub.map(str::to_ascii_lowercase),
        }
    }

    fn is_about(&self, urn: Option<&str>, attribute: &str) -> bool {
        let same_urn = match (&self.urn, urn) {
            (None, None) => true,
            (Some(mine), Some(urn)) => mine.eq_ignore_ascii_case(urn),
            (None, Some(_)) | (Some(_), None) => false,
        };
        same_urn && (self.attribute.is_empty() || self.attribute.eq_ignore_ascii_case(attribute))
    }
}

fn listed(names: &[Name], urn: Option<&str>, attribute: &str) -> Listed {
    names
        .iter()
        .filter(|name| name.is_about(urn, attribute))
        .fold(Listed::No, |so_far, name| match (so_far, &name.sub) {
            (Listed::Whole, _) | (_, None) => Listed::Whole,
            (Listed::No | Listed::Parts, Some(_)) => Listed::Parts,
        })
}

fn is_listed_part(names: &[Name], urn: Option<&str>, attribute: &str, part: &str) -> bool {
    names.iter().any(|name| {
        name.is_about(urn, attribute)
            && name
                .sub
                .as_deref()
                .is_some_and(|sub| sub.eq_ignore_ascii_case(part))
    })
}

/// Keeps the parts of a complex value, or of every element of a list.
fn parts(value: &mut Value, keep: impl Fn(&str) -> bool) {
    match value {
        Value::Object(parts) => parts.retain(|name, _| keep(name)),
        Value::Array(items) => {
            for item in &mut *items {
                if let Some(parts) = item.as_object_mut() {
                    parts.retain(|name, _| keep(name));
                }
            }
            items.retain(|item| !is_empty(item));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(parts) => parts.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests;
