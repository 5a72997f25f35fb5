//! Editing a document: what one assignment or removal does (RFC 7644 section 3.5.2).
//!
//! Owns: steps, already typed, and their effect on the JSON object. Members of groups never come here. Never: parses.

mod list;
mod tidy;

use serde_json::{Map, Value};

use super::value::{read, read_element, read_part};
use crate::filter::Filter;
use crate::path::{ForeignPath, KnownPath, Path};
use crate::schema::{Attribute, Mutability};
use crate::{Mode, ScimError, quirks};

pub(crate) use tidy::tidy;

/// How a value is put in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// Added to what is there.
    Add,
    /// In place of what is there.
    Replace,
}

/// One typed change to a document.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// Sets an attribute, elements of it or a part of them.
    Set(How, KnownPath, Value),
    /// Removes an attribute, elements of it or a part of them; if elements are given, only those like them.
    Clear(KnownPath, Option<Vec<Value>>),
    /// Sets what no table knows.
    SetForeign(How, ForeignPath, Value),
    /// Removes what no table knows.
    ClearForeign(ForeignPath),
    /// Removes a whole extension.
    ClearExtension(String),
}

impl Step {
    /// Builds the step that sets a value; an unassigned one clears. None if nothing is to do.
    pub(crate) fn set(how: How, path: Path, value: &Value, mode: Mode) -> Result<Option<Self>, ScimError> {
        let path = match path {
            Path::Known(path) => path,
            Path::Foreign(path) if quirks::is_password(&path.attribute) => return Ok(None),
            Path::Foreign(path) if is_unassigned(value) => {
                return Ok((how == How::Replace).then_some(Self::ClearForeign(path)));
            }
            Path::Foreign(path) => return Ok(Some(Self::SetForeign(how, path, value.clone()))),
            Path::Extension(urn) if is_unassigned(value) => {
                return Ok((how == How::Replace).then_some(Self::ClearExtension(urn)));
            }
            Path::Extension(urn) => {
                return Err(ScimError::invalid_value(format!("'{urn}' must be an object")));
            }
        };
        if is_read_only(&path) {
            return Err(ScimError::mutability(&path.attribute.name));
        }
        if path.attribute.mutability == Mutability::WriteOnly {
            // The password: its type is checked, and it goes no further.
            read(&path.attribute, value, mode)?;
            return Ok(None);
        }
        if let Some((path, value)) = quirks::json_in_a_part(&path, value, mode) {
            return Self::set(How::Add, Path::Known(path), &value, mode);
        }
        let typed = match (&path.sub, &path.filter) {
            (Some(name), _) => match path.attribute.sub(name) {
                Some(sub) => read_part(sub, value, mode)?,
                None => (!is_unassigned(value)).then(|| value.clone()),
            },
            (None, Some(_)) => read_element(&path.attribute, value, mode)?,
            (None, None) => read(&path.attribute, value, mode)?,
        };
        match typed {
            Some(typed) => Ok(Some(Self::Set(how, path, typed))),
            None if adds_nothing(how, &path, mode) => Ok(None),
            None if is_whole(&path) && path.attribute.required => Err(ScimError::invalid_value(format!(
                "'{}' is required and must have a value",
                path.attribute.name
            ))),
            None => Ok(Some(Self::Clear(path, None))),
        }
    }

    /// Builds the step that removes.
    pub(crate) fn remove(path: Path, only: Option<Vec<Value>>) -> Result<Option<Self>, ScimError> {
        match path {
            Path::Extension(urn) => Ok(Some(Self::ClearExtension(urn))),
            Path::Foreign(path) => Ok(Some(Self::ClearForeign(path))),
            Path::Known(path) if is_read_only(&path) || (is_whole(&path) && path.attribute.required) => {
                Err(ScimError::mutability(&path.attribute.name))
            }
            Path::Known(path) if path.attribute.mutability == Mutability::WriteOnly => Ok(None),
            Path::Known(path) => Ok(Some(Self::Clear(path, only))),
        }
    }
}

fn is_whole(path: &KnownPath) -> bool {
    path.sub.is_none() && path.filter.is_none()
}

fn is_read_only(path: &KnownPath) -> bool {
    let sub = path.sub.as_deref().and_then(|name| path.attribute.sub(name));
    path.attribute.is_read_only() || sub.is_some_and(Attribute::is_read_only)
}

/// Adding nothing changes nothing by the RFC; Entra's null test sends `Add` as well and expects a single value to be
/// cleared.
fn adds_nothing(how: How, path: &KnownPath, mode: Mode) -> bool {
    how == How::Add && (mode.is_strict() || (path.attribute.multi_valued && is_whole(path)))
}

/// Whether a value no table knows is unassigned.
fn is_unassigned(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(parts) => parts.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// How many comparisons a step makes on a document: the elements that are there, times what each is compared with.
pub(crate) fn work(step: &Step, document: &Map<String, Value>) -> usize {
    let (path, given) = match step {
        Step::Set(How::Add, path, Value::Array(items)) => (path, items.len()),
        Step::Set(_, path, _) => (path, 0),
        Step::Clear(path, only) => (path, only.as_ref().map_or(0, Vec::len)),
        Step::SetForeign(..) | Step::ClearForeign(_) | Step::ClearExtension(_) => return 0,
    };
    let holder = match &path.extension {
        None => Some(document),
        Some(urn) => document.get(urn).and_then(Value::as_object),
    };
    let present = holder.and_then(|holder| holder.get(&path.attribute.name)?.as_array());
    let terms = path.filter.as_ref().map_or(0, Filter::terms);
    present.map_or(0, Vec::len) * (terms + given)
}

/// Carries out one step.
pub(crate) fn apply(step: &Step, document: &mut Map<String, Value>, mode: Mode) -> Result<(), ScimError> {
    match step {
        Step::Set(how, path, value) => {
            let Some(holder) = holder(document, path.extension.as_deref()) else {
                return Ok(());
            };
            if path.attribute.multi_valued {
                return list::set(holder, *how, path, value, mode);
            }
            set_one(holder, path, value, mode)
        }
        Step::Clear(path, only) => {
            let found = match &path.extension {
                None => Some(document),
                Some(urn) => document.get_mut(urn).and_then(Value::as_object_mut),
            };
            match found {
                Some(holder) if path.attribute.multi_valued => {
                    list::clear(holder, path, only.as_deref(), mode)
                }
                Some(holder) => clear_one(holder, path, mode),
                None => missing(path, mode),
            }
        }
        Step::SetForeign(how, path, value) => {
            if let Some(holder) = holder(document, path.extension.as_deref()) {
                set_foreign(holder, *how, path, value);
            }
            Ok(())
        }
        Step::ClearForeign(path) => {
            clear_foreign(document, path);
            Ok(())
        }
        Step::ClearExtension(urn) => {
            document.remove(urn);
            Ok(())
        }
    }
}

/// The object that holds the attribute: the document, or the container of an extension.
fn holder<'d>(
    document: &'d mut Map<String, Value>,
    extension: Option<&str>,
) -> Option<&'d mut Map<String, Value>> {
    match extension {
        None => Some(document),
        Some(urn) => as_object(document.entry(urn).or_insert_with(empty_object)),
    }
}

fn empty_object() -> Value {
    Value::Object(Map::new())
}

/// Makes an object of whatever is there.
fn as_object(value: &mut Value) -> Option<&mut Map<String, Value>> {
    if !value.is_object() {
        *value = empty_object();
    }
    value.as_object_mut()
}

/// Sets a single value. The parts of a complex value that are not named stay as they are, also with `replace`
/// (RFC 7644 section 3.5.2.3).
fn set_one(
    holder: &mut Map<String, Value>,
    path: &KnownPath,
    value: &Value,
    mode: Mode,
) -> Result<(), ScimError> {
    let name = &path.attribute.name;
    if let Some(filter) = &path.filter {
        let fits = holder.get(name).is_some_and(|present| filter.matches(present));
        if !fits && mode.is_strict() {
            return Err(no_target(path));
        }
    }
    if !path.attribute.is_complex() {
        holder.insert(name.clone(), value.clone());
        return Ok(());
    }
    if let Some(present) = as_object(holder.entry(name.clone()).or_insert_with(empty_object)) {
        merge(present, path.sub.as_deref(), value);
    }
    Ok(())
}

/// Puts a value, or its parts, into a complex value; null parts are removed.
fn merge(present: &mut Map<String, Value>, sub: Option<&str>, value: &Value) {
    let before = present.get("value").cloned();
    let mut names_ref = false;
    let mut put = |name: &str, part: &Value| {
        names_ref |= name == "$ref";
        if part.is_null() {
            present.remove(name);
        } else {
            present.insert(name.to_owned(), part.clone());
        }
    };
    match (sub, value) {
        (Some(sub), part) => put(sub, part),
        (None, Value::Object(parts)) => parts.iter().for_each(|(name, part)| put(name, part)),
        (None, _) => {}
    }
    // A reference beside another value than before would point at the wrong resource.
    if !names_ref && present.get("value") != before.as_ref() {
        present.remove("$ref");
    }
}

fn clear_one(holder: &mut Map<String, Value>, path: &KnownPath, mode: Mode) -> Result<(), ScimError> {
    let name = &path.attribute.name;
    let Some(present) = holder.get_mut(name) else {
        return missing(path, mode);
    };
    if path
        .filter
        .as_ref()
        .is_some_and(|filter| !filter.matches(present))
    {
        return missing(path, mode);
    }
    match (&path.sub, present.as_object_mut()) {
        (Some(sub), Some(parts)) => {
            parts.remove(sub);
            if sub == "value" {
                parts.remove("$ref");
            }
        }
        _ => {
            holder.remove(name);
        }
    }
    Ok(())
}

/// Removing what is not there changes nothing, unless a filter was to find it and the connection is strict.
fn missing(path: &KnownPath, mode: Mode) -> Result<(), ScimError> {
    if mode.is_strict() && path.filter.is_some() {
        return Err(no_target(path));
    }
    Ok(())
}

fn no_target(path: &KnownPath) -> ScimError {
    ScimError::no_target(format!("no value of '{}' fits the filter", path.attribute.name))
}

fn set_foreign(holder: &mut Map<String, Value>, how: How, path: &ForeignPath, value: &Value) {
    let key = foreign_key(holder, &path.attribute);
    let Some(sub) = &path.sub else {
        if let (How::Add, Some(Value::Array(present)), Value::Array(more)) =
            (how, holder.get_mut(&key), value)
        {
            for item in more {
                if !present.contains(item) {
                    present.push(item.clone());
                }
            }
            return;
        }
        holder.insert(key, value.clone());
        return;
    };
    if let Some(parts) = as_object(holder.entry(key).or_insert_with(empty_object)) {
        parts.insert(sub.clone(), value.clone());
    }
}

fn clear_foreign(document: &mut Map<String, Value>, path: &ForeignPath) {
    let found = match &path.extension {
        None => Some(document),
        Some(urn) => document.get_mut(urn).and_then(Value::as_object_mut),
    };
    let Some(holder) = found else { return };
    let key = foreign_key(holder, &path.attribute);
    match &path.sub {
        None => {
            holder.remove(&key);
        }
        Some(sub) => {
            if let Some(parts) = holder.get_mut(&key).and_then(Value::as_object_mut) {
                parts.remove(sub);
            }
        }
    }
}

/// Names compare without case, also those that no table knows: the spelling that came first stays.
fn foreign_key(holder: &Map<String, Value>, name: &str) -> String {
    let present = holder.keys().find(|key| key.eq_ignore_ascii_case(name));
    present.map_or_else(|| name.to_owned(), Clone::clone)
}
