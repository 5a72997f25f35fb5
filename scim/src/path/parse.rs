//! Reading paths.

use super::{AttributePath, ForeignPath, KnownPath, Path};
use crate::error::excerpt;
use crate::filter::{Filter, Limits};
use crate::schema::{Attribute, Kind, Returned, Schemas};
use crate::{Mode, ResourceKind, ScimError};

impl Path {
    /// Reads the path of a PATCH operation.
    pub fn parse(text: &str, kind: ResourceKind, schemas: &Schemas, mode: Mode) -> Result<Self, ScimError> {
        let limits = Limits::default();
        if text.len() > limits.chars {
            return Err(ScimError::invalid_path(format!(
                "a path has at most {} characters",
                limits.chars
            )));
        }
        let (head, selection, tail) = split_selection(text.trim())?;
        let split = schemas.split_urn(head);
        if split.known && split.rest.is_empty() && selection.is_none() && split.urn.is_some() {
            return whole_schema(text, split.urn.unwrap_or_default(), kind, schemas);
        }
        let (name, sub) = split_sub(split.rest);
        let sub = match (sub, tail) {
            (Some(_), Some(_)) => return Err(broken(text)),
            (sub, tail) => sub.or(tail),
        };
        let Some(found) = schemas.find(kind, split.urn, name) else {
            let foreign = ForeignPath::read(split.urn, name, sub).ok_or_else(|| broken(text))?;
            if mode.is_strict() || selection.is_some() {
                return Err(unknown(text));
            }
            return Ok(Self::Foreign(foreign));
        };
        if mode.is_strict() && !found.exact {
            return Err(unknown(text));
        }
        let mut path = KnownPath::whole(found.extension, found.attribute);
        if let Some(sub) = sub {
            path.sub = resolve_sub(text, found.attribute, sub, mode)?;
        }
        if let Some(selection) = selection {
            if !found.attribute.is_complex() && !found.attribute.multi_valued {
                return Err(broken(text));
            }
            path.filter = Some(Filter::parse_selection(selection, found.attribute, &limits)?);
        }
        Ok(Self::Known(path))
    }
}

impl ForeignPath {
    /// Builds a path to an attribute that no table knows, if its name is one at all (RFC 7643 section 2.1).
    fn read(urn: Option<&str>, name: &str, sub: Option<&str>) -> Option<Self> {
        if !is_name(name) || !sub.is_none_or(is_name) || !urn.is_none_or(is_urn) {
            return None;
        }
        Some(Self {
            extension: urn.map(str::to_owned),
            attribute: name.to_owned(),
            sub: sub.map(str::to_owned),
        })
    }
}

impl AttributePath {
    /// Resolves the attribute of a comparison or sort order on a resource, or says that it is unknown.
    pub(crate) fn resolve(text: &str, kind: ResourceKind, schemas: &Schemas) -> Result<Self, ScimError> {
        let split = schemas.split_urn(text);
        let (name, sub) = split_sub(split.rest);
        let found = schemas
            .find(kind, split.urn, name)
            .filter(|found| found.attribute.returned != Returned::Never)
            .ok_or_else(|| unknown_in_filter(text))?;
        let attribute = found.attribute;
        let mut path = Self::of(attribute);
        path.extension = found.extension.map(str::to_owned);
        match sub {
            Some(sub) if attribute.is_complex() => {
                let sub = sub_attribute(attribute, sub).ok_or_else(|| unknown_in_filter(text))?;
                path.point_to(sub);
                Ok(path)
            }
            // The value of an element of a plain list is the element.
            Some(sub) if attribute.multi_valued && sub.eq_ignore_ascii_case("value") => Ok(path),
            Some(_) => Err(unknown_in_filter(text)),
            None => Ok(path),
        }
    }

    /// Resolves the attribute of a comparison inside a value path: a sub-attribute of the element.
    pub(crate) fn resolve_in_element(text: &str, attribute: &Attribute) -> Result<Self, ScimError> {
        if attribute.is_complex() {
            let sub = sub_attribute(attribute, text).ok_or_else(|| unknown_in_filter(text))?;
            return Ok(Self::of(sub));
        }
        if !text.eq_ignore_ascii_case("value") {
            return Err(unknown_in_filter(text));
        }
        let mut path = Self::of(attribute);
        "value".clone_into(&mut path.attribute);
        path.multi_valued = false;
        Ok(path)
    }

    fn of(attribute: &Attribute) -> Self {
        Self {
            extension: None,
            attribute: attribute.name.clone(),
            sub: None,
            kind: attribute.kind,
            case_exact: attribute.case_exact,
            multi_valued: attribute.multi_valued,
        }
    }

    fn point_to(&mut self, sub: &Attribute) {
        self.sub = Some(sub.name.clone());
        self.kind = sub.kind;
        self.case_exact = sub.case_exact;
    }

    /// Turns a complex attribute into its `value`, which is what a comparison means (RFC 7644 section 3.4.2.2).
    pub(crate) fn compared(mut self, attribute: Option<&Attribute>) -> Result<Self, ScimError> {
        if self.kind != Kind::Complex {
            return Ok(self);
        }
        let Some(value) = attribute.and_then(|attribute| attribute.sub("value")) else {
            return Err(ScimError::invalid_filter(format!(
                "'{self}' is complex; compare one of its sub-attributes"
            )));
        };
        self.point_to(value);
        Ok(self)
    }
}

/// Finds a sub-attribute; `managerId` is what SCIM 1.1 calls the value of a manager.
fn sub_attribute<'a>(attribute: &'a Attribute, name: &str) -> Option<&'a Attribute> {
    attribute.sub(name).or_else(|| {
        let is_old_name = attribute.name == "manager" && name.eq_ignore_ascii_case("managerId");
        attribute.sub("value").filter(|_| is_old_name)
    })
}

/// Splits `head[selection].tail`, minding text in quotes.
fn split_selection(text: &str) -> Result<(&str, Option<&str>, Option<&str>), ScimError> {
    let Some((head, rest)) = text.split_once('[') else {
        return Ok((text, None, None));
    };
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in rest.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ']' if !quoted => {
                let (selection, tail) = (rest.get(..at), rest.get(at + 1..).unwrap_or_default());
                let sub = tail.strip_prefix('.').filter(|sub| !sub.is_empty());
                if !tail.is_empty() && sub.is_none() {
                    return Err(broken(text));
                }
                return Ok((head, selection, sub));
            }
            _ => {}
        }
    }
    Err(broken(text))
}

fn split_sub(text: &str) -> (&str, Option<&str>) {
    match text.split_once('.') {
        Some((name, sub)) => (name, Some(sub)),
        None => (text, None),
    }
}

fn whole_schema(text: &str, urn: &str, kind: ResourceKind, schemas: &Schemas) -> Result<Path, ScimError> {
    schemas
        .extension(kind, urn)
        .map(|schema| Path::Extension(schema.id.clone()))
        .ok_or_else(|| unknown(text))
}

fn resolve_sub(
    text: &str,
    attribute: &Attribute,
    sub: &str,
    mode: Mode,
) -> Result<Option<String>, ScimError> {
    if let Some(known) = sub_attribute(attribute, sub) {
        return Ok(Some(known.name.clone()));
    }
    if attribute.is_complex() && !mode.is_strict() && is_name(sub) {
        return Ok(Some(sub.to_owned()));
    }
    if attribute.multi_valued && !attribute.is_complex() && sub.eq_ignore_ascii_case("value") {
        return Ok(None);
    }
    Err(unknown(text))
}

/// Whether a text is a name of an attribute (RFC 7643 section 2.1), `$ref` included.
pub(crate) fn is_name(text: &str) -> bool {
    let bare = text.strip_prefix('$').unwrap_or(text);
    bare.starts_with(|c: char| c.is_ascii_alphabetic())
        && bare
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

/// Whether a text looks like the URN or address of a schema.
pub(crate) fn is_urn(text: &str) -> bool {
    let scheme = text.split(':').next().unwrap_or_default();
    let has_scheme = ["urn", "http", "https"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(scheme));
    has_scheme
        && text.len() > scheme.len() + 1
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

fn broken(text: &str) -> ScimError {
    ScimError::invalid_path(format!("'{}' is not a valid path", excerpt(text)))
}

fn unknown(text: &str) -> ScimError {
    ScimError::invalid_path(format!(
        "'{}' is not an attribute of this resource",
        excerpt(text)
    ))
}

fn unknown_in_filter(text: &str) -> ScimError {
    ScimError::invalid_filter(format!(
        "'{}' is not an attribute that can be filtered by",
        excerpt(text)
    ))
}
