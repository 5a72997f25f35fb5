//! Reading one operation.

use serde_json::{Map, Value};

use super::{MemberChange, Patch};
use crate::error::excerpt;
use crate::path::{KnownPath, Path};
use crate::resource::edit::{How, Step};
use crate::resource::value::read_element;
use crate::resource::{assignments, is_members, limit_members, member_refs};
use crate::schema::Schemas;
use crate::{Mode, ResourceKind, ScimError, quirks};

/// Reads one operation into the patch.
pub(super) fn read(
    operation: &Value,
    kind: ResourceKind,
    schemas: &Schemas,
    mode: Mode,
    into: &mut Patch,
) -> Result<(), ScimError> {
    let parts = operation
        .as_object()
        .ok_or_else(|| ScimError::invalid_syntax("an operation must be a JSON object"))?;
    let word = part(parts, "op").and_then(Value::as_str).unwrap_or_default();
    let path = match part(parts, "path") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.is_empty() && !mode.is_strict() => None,
        Some(Value::String(text)) => Some(Path::parse(text, kind, schemas, mode)?),
        Some(_) => return Err(ScimError::invalid_path("'path' must be a text")),
    };
    let value = part(parts, "value");
    let how = match quirks::operation_word(word) {
        Some("remove") => {
            let path = path.ok_or_else(|| ScimError::no_target("'remove' needs a 'path'"))?;
            return remove(path, value, kind, mode, into);
        }
        Some("add") => How::Add,
        Some(_) => How::Replace,
        None => {
            return Err(ScimError::invalid_syntax(format!(
                "'op' must be add, replace or remove, not '{}'",
                excerpt(word)
            )));
        }
    };
    let value = value.ok_or_else(|| ScimError::invalid_value(format!("'{word}' needs a 'value'")))?;
    match path {
        Some(path) => set(how, path, value, kind, schemas, mode, into),
        None if mode.is_strict() => Err(ScimError::invalid_path(format!(
            "'{word}' needs a 'path' on this connection, which is strict"
        ))),
        None => {
            let parts = value.as_object().ok_or_else(|| {
                ScimError::invalid_value("without a 'path', the 'value' must be an object of attributes")
            })?;
            for (path, value) in assignments(parts, kind, schemas, mode)? {
                set(how, path, value, kind, schemas, mode, into)?;
            }
            Ok(())
        }
    }
}

fn part<'v>(parts: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    let found = parts.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value)
}

fn set(
    how: How,
    path: Path,
    value: &Value,
    kind: ResourceKind,
    schemas: &Schemas,
    mode: Mode,
    into: &mut Patch,
) -> Result<(), ScimError> {
    if let (Path::Extension(urn), Value::Object(inner)) = (&path, value) {
        let whole = Map::from_iter([(urn.clone(), Value::Object(inner.clone()))]);
        for (path, value) in assignments(&whole, kind, schemas, mode)? {
            into.steps.extend(Step::set(how, path, value, mode)?);
        }
        return Ok(());
    }
    if !is_members(&path, kind) {
        if is_schemas(&path) {
            return Ok(());
        }
        into.steps.extend(Step::set(how, path, value, mode)?);
        return Ok(());
    }
    if !is_whole(&path) {
        return Err(ScimError::mutability_because(
            "a member cannot be changed; remove it and add another",
        ));
    }
    let members = member_refs(value, mode)?;
    into.members.extend(match how {
        How::Add if members.is_empty() => None,
        How::Add => Some(MemberChange::Add(members)),
        How::Replace if members.is_empty() => Some(MemberChange::Clear),
        How::Replace => Some(MemberChange::Replace(members)),
    });
    Ok(())
}

fn is_whole(path: &Path) -> bool {
    matches!(
        path,
        Path::Known(KnownPath {
            filter: None,
            sub: None,
            ..
        })
    )
}

/// `schemas` follows from what the resource holds; adding an extension's URN in front of its values is harmless.
fn is_schemas(path: &Path) -> bool {
    matches!(path, Path::Known(path) if path.extension.is_none() && path.attribute.name == "schemas")
}

fn remove(
    path: Path,
    value: Option<&Value>,
    kind: ResourceKind,
    mode: Mode,
    into: &mut Patch,
) -> Result<(), ScimError> {
    let listed = value
        .filter(|_| is_list(&path))
        .and_then(quirks::removed_by_value);
    if listed.is_some() && mode.is_strict() {
        return Err(ScimError::invalid_value(
            "'remove' takes no 'value'; choose values by a filter in the 'path'",
        ));
    }
    if is_members(&path, kind) {
        into.members.extend(remove_members(path, listed, mode)?);
        return Ok(());
    }
    let only = match (listed, &path) {
        (Some(items), Path::Known(known)) => {
            let read = items
                .iter()
                .map(|item| read_element(&known.attribute, item, mode));
            let mut only = Vec::with_capacity(items.len());
            for item in read {
                only.extend(item?);
            }
            if only.is_empty() {
                return Ok(());
            }
            Some(only)
        }
        _ => None,
    };
    into.steps.extend(Step::remove(path, only)?);
    Ok(())
}

/// Whether a path points at a whole list.
fn is_list(path: &Path) -> bool {
    is_whole(path) && matches!(path, Path::Known(path) if path.attribute.multi_valued)
}

fn remove_members(
    path: Path,
    listed: Option<&[Value]>,
    mode: Mode,
) -> Result<Option<MemberChange>, ScimError> {
    if let Some(items) = listed {
        limit_members(items.len())?;
        let members = member_refs(&Value::Array(items.to_vec()), mode)?;
        let ids: Vec<String> = members.into_iter().map(|member| member.value).collect();
        return Ok((!ids.is_empty()).then_some(MemberChange::Remove(ids)));
    }
    let Path::Known(path) = path else {
        return Ok(None);
    };
    if path.sub.is_some() && (path.sub.as_deref() != Some("value") || path.filter.is_none()) {
        return Err(ScimError::mutability_because(
            "a member cannot be changed; remove it and add another",
        ));
    }
    Ok(Some(match path.filter {
        None => MemberChange::Clear,
        Some(filter) => match quirks::ids_in_a_filter(&filter) {
            Some(ids) => MemberChange::Remove(ids),
            None => MemberChange::RemoveMatching(filter),
        },
    }))
}
