//! Reading whole bodies: POST, PUT, and the value of a PATCH operation without path.

use serde_json::{Map, Value};

use super::edit::{How, Step, apply, tidy};
use super::member::{MemberRef, member_refs};
use super::{Document, limit_depth};
use crate::error::excerpt;
use crate::path::{ForeignPath, KnownPath, Path, is_name, is_urn};
use crate::schema::{Mutability, Schemas};
use crate::{Mode, ResourceKind, ScimError, quirks};

/// Reads the body of a create or replace request.
pub(super) fn read(
    body: &Value,
    kind: ResourceKind,
    schemas: &Schemas,
    mode: Mode,
) -> Result<(Document, Vec<MemberRef>), ScimError> {
    limit_depth(body)?;
    let parts = body
        .as_object()
        .ok_or_else(|| ScimError::invalid_syntax("the body must be a JSON object"))?;
    check_schemas(parts, kind, schemas, mode)?;
    let mut steps = Vec::with_capacity(parts.len());
    let mut members = Vec::new();
    for (path, value) in assignments(parts, kind, schemas, mode)? {
        if is_members(&path, kind) {
            members = member_refs(value, mode)?;
        } else {
            steps.extend(Step::set(How::Replace, path, value, mode)?);
        }
    }
    let mut document = Document::default();
    for step in &steps {
        apply(step, document.as_map_mut(), mode)?;
    }
    tidy(document.as_map_mut(), &steps);
    check_required(&document, kind, schemas)?;
    Ok((document, members))
}

/// Whether a path points at the members of a group.
pub(crate) fn is_members(path: &Path, kind: ResourceKind) -> bool {
    kind == ResourceKind::Group && matches!(path, Path::Known(path) if path.attribute.name == "members")
}

/// Splits an object into single assignments. What only the server writes is left out: Okta sends back all it has read.
pub(crate) fn assignments<'v>(
    parts: &'v Map<String, Value>,
    kind: ResourceKind,
    schemas: &Schemas,
    mode: Mode,
) -> Result<Vec<(Path, &'v Value)>, ScimError> {
    let mut found = Vec::with_capacity(parts.len());
    for (key, value) in parts {
        let key = quirks::without_last_colon(key, mode);
        match (schemas.extension(kind, key), value) {
            (Some(schema), Value::Object(inner)) => {
                below(&schema.id, inner, kind, schemas, mode, &mut found)?;
            }
            (Some(schema), _) => found.push((Path::Extension(schema.id.clone()), value)),
            (None, Value::Object(inner)) if schemas.is_core(kind, key) => {
                for (key, value) in inner {
                    found.extend(one(key, kind, schemas, mode)?.map(|path| (path, value)));
                }
            }
            (None, Value::Object(inner)) if is_urn(key) && !schemas.split_urn(key).known => {
                if mode.is_strict() {
                    return Err(unknown(key));
                }
                below(key, inner, kind, schemas, mode, &mut found)?;
            }
            (None, _) => found.extend(one(key, kind, schemas, mode)?.map(|path| (path, value))),
        }
    }
    Ok(found)
}

/// The assignments inside the container of an extension, known or not.
fn below<'v>(
    urn: &str,
    inner: &'v Map<String, Value>,
    kind: ResourceKind,
    schemas: &Schemas,
    mode: Mode,
    found: &mut Vec<(Path, &'v Value)>,
) -> Result<(), ScimError> {
    for (key, value) in inner {
        // Some clients repeat the list of schemas inside the container, scim2-client among them.
        if key.eq_ignore_ascii_case("schemas") {
            continue;
        }
        let path = match schemas.find(kind, Some(urn), key) {
            Some(known) if quirks::is_echoed(known.attribute) => continue,
            Some(known) if known.exact || !mode.is_strict() => {
                Path::Known(KnownPath::whole(known.extension, known.attribute))
            }
            _ if mode.is_strict() => return Err(unknown(&format!("{urn}:{key}"))),
            _ if key.contains(['.', '[']) => {
                match quirks::path_in_a_key(&format!("{urn}:{key}"), kind, schemas)? {
                    Some(path) => path,
                    None => continue,
                }
            }
            _ if !is_name(key) => continue,
            _ => Path::Foreign(ForeignPath {
                extension: Some(urn.to_owned()),
                attribute: key.clone(),
                sub: None,
            }),
        };
        found.push((path, value));
    }
    Ok(())
}

/// The path that a key means, or none where the key is to be left out.
fn one(key: &str, kind: ResourceKind, schemas: &Schemas, mode: Mode) -> Result<Option<Path>, ScimError> {
    if let Some(known) = schemas.find(kind, None, key) {
        if quirks::is_echoed(known.attribute) {
            return Ok(None);
        }
        if known.exact || !mode.is_strict() {
            return Ok(Some(Path::Known(KnownPath::whole(
                known.extension,
                known.attribute,
            ))));
        }
    }
    if mode.is_strict() {
        return Err(unknown(key));
    }
    quirks::path_in_a_key(key, kind, schemas)
}

/// `schemas` must name the core schema in strict mode; Entra and Okta add URNs of their own.
fn check_schemas(
    parts: &Map<String, Value>,
    kind: ResourceKind,
    schemas: &Schemas,
    mode: Mode,
) -> Result<(), ScimError> {
    if !mode.is_strict() {
        return Ok(());
    }
    let listed = parts
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case("schemas"))
        .and_then(|(_, value)| value.as_array());
    let mut has_core = false;
    for urn in listed.into_iter().flatten() {
        let urn = urn
            .as_str()
            .ok_or_else(|| ScimError::invalid_value("'schemas' must be a list of texts"))?;
        let is_core = schemas.is_core(kind, urn);
        has_core |= is_core;
        if !is_core && schemas.extension(kind, urn).is_none() {
            return Err(unknown(urn));
        }
    }
    if has_core {
        return Ok(());
    }
    Err(ScimError::invalid_syntax(format!(
        "'schemas' must name {}",
        schemas.core(kind).id
    )))
}

/// Refuses a document without what a resource must have.
pub(crate) fn check_required(
    document: &Document,
    kind: ResourceKind,
    schemas: &Schemas,
) -> Result<(), ScimError> {
    let missing = schemas.core(kind).attributes.iter().find(|attribute| {
        attribute.required
            && attribute.mutability != Mutability::ReadOnly
            && document.get(None, &attribute.name).is_none()
    });
    match missing {
        None => Ok(()),
        Some(attribute) => Err(ScimError::invalid_value(format!(
            "'{}' is required and must have a value",
            attribute.name
        ))),
    }
}

fn unknown(name: &str) -> ScimError {
    ScimError::invalid_syntax(format!(
        "'{}' is not an attribute of this resource",
        excerpt(name)
    ))
}
