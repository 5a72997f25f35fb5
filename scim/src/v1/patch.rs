//! PATCH of 1.1: a partial resource that is merged into the stored one (section 3.3.2 of the API draft).
//!
//! First the names in `meta.attributes` are emptied, then the rest of the body is merged: single values replace,
//! the parts of a complex value replace one by one, elements of a list are found by their `value` and merged, added, or
//! removed when marked with `"operation": "delete"`. The result is a whole resource of 2.0, which then goes the way of
//! a PUT; so it is all or nothing, and every rule of the schema holds.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{members, resource};
use crate::error::excerpt;
use crate::filter::fold;
use crate::schema::{Attribute, Schemas};
use crate::{ResourceKind, ScimError};

/// A PATCH body, read.
#[derive(Clone, Debug, PartialEq)]
pub struct PartialResource {
    kind: ResourceKind,
    /// Names to empty, as the client wrote them.
    emptied: Vec<String>,
    /// The rest, in the names of 2.0, with the marks on elements.
    fields: Map<String, Value>,
}

/// What a PATCH does to the members of a group, in this order. The members themselves are never needed to know it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MembersPatch {
    /// All go.
    pub clear: bool,
    /// These go.
    pub remove: Vec<String>,
    /// These come.
    pub add: Vec<Value>,
}

impl MembersPatch {
    /// Whether nothing changes.
    pub const fn is_empty(&self) -> bool {
        !self.clear && self.remove.is_empty() && self.add.is_empty()
    }
}

impl PartialResource {
    /// Reads a PATCH body.
    ///
    /// # Errors
    /// 400 when the body is no object or `meta.attributes` no list of names.
    pub fn parse(body: &Value, kind: ResourceKind) -> Result<Self, ScimError> {
        let body = resource::object(body)?;
        let mut fields = resource::rename(body, kind);
        fields.remove("schemas");
        fields.retain(|name, _| !name.eq_ignore_ascii_case("id"));
        Ok(Self {
            kind,
            emptied: emptied(body)?,
            fields,
        })
    }

    /// Takes the change of members out of a group's PATCH.
    ///
    /// # Errors
    /// 400 when `members` is no list, or one of them has no `value`.
    pub fn take_members(&mut self) -> Result<MembersPatch, ScimError> {
        let mut change = MembersPatch::default();
        let before = self.emptied.len();
        self.emptied.retain(|name| {
            let (_, rest) = split_core(name);
            !rest.eq_ignore_ascii_case("members")
        });
        change.clear = self.emptied.len() != before;
        let name = self
            .fields
            .keys()
            .find(|name| name.eq_ignore_ascii_case("members"))
            .cloned();
        let list = match name.and_then(|name| self.fields.remove(&name)) {
            None | Some(Value::Null) => return Ok(change),
            Some(Value::Array(list)) => list,
            Some(_) => return Err(ScimError::invalid_value("'members' must be a list")),
        };
        for mut element in list {
            let gone = members::is_deletion(&element);
            members::unmark(&mut element);
            let value = element
                .as_str()
                .or_else(|| value_of(&element).and_then(Value::as_str))
                .filter(|value| !value.is_empty())
                .ok_or_else(|| ScimError::invalid_value("every member needs a 'value', the id of a user"))?;
            if gone {
                change.remove.push(value.to_owned());
            } else {
                change.add.push(element);
            }
        }
        Ok(change)
    }

    /// Merges into the stored resource, given in the names of 2.0; returns a whole resource as the body of a PUT.
    ///
    /// # Errors
    /// 400 when a complex attribute or a list element has another form.
    pub fn merge(&self, stored: &Map<String, Value>, schemas: &Schemas) -> Result<Value, ScimError> {
        let mut merged = stored.clone();
        for name in &self.emptied {
            empty(&mut merged, name, self.kind, schemas);
        }
        for (name, value) in &self.fields {
            if let Some(extension) = schemas.extension(self.kind, name) {
                if value.is_null() {
                    merged.remove(&extension.id);
                    continue;
                }
                let parts = value.as_object().ok_or_else(|| must_be_object(name))?;
                for (part, value) in parts {
                    set(
                        container(&mut merged, Some(&extension.id))?,
                        extension.attribute(part),
                        part,
                        value,
                    )?;
                }
                continue;
            }
            let split = schemas.split_urn(name);
            let found = schemas.find(self.kind, split.urn.filter(|_| split.known), split.rest);
            match found {
                Some(found) => set(
                    container(&mut merged, found.extension)?,
                    Some(found.attribute),
                    name,
                    value,
                )?,
                None => set(&mut merged, None, name, value)?,
            }
        }
        Ok(Value::Object(merged))
    }
}

/// `meta.attributes`: names, dotted for parts.
fn emptied(body: &Map<String, Value>) -> Result<Vec<String>, ScimError> {
    let meta = member(body, "meta").and_then(Value::as_object);
    let names = match meta.and_then(|meta| member(meta, "attributes")) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(names)) => names,
        Some(_) => {
            return Err(ScimError::invalid_value(
                "'meta.attributes' must be a list of names",
            ));
        }
    };
    names
        .iter()
        .map(|name| {
            name.as_str()
                .map(str::to_owned)
                .ok_or_else(|| ScimError::invalid_value("'meta.attributes' must be a list of names"))
        })
        .collect()
}

/// Takes the URN of 1.1's core schema off a name.
fn split_core(name: &str) -> (bool, &str) {
    let head = name.get(..super::CORE_URN.len());
    let tail = name.get(super::CORE_URN.len()..);
    match (head, tail) {
        (Some(head), Some(tail)) if head.eq_ignore_ascii_case(super::CORE_URN) => {
            (true, tail.trim_start_matches([':', '.']))
        }
        _ => (false, name),
    }
}

/// Empties one name of `meta.attributes`. A name that nobody knows, or that only the server writes, empties nothing.
fn empty(merged: &mut Map<String, Value>, name: &str, kind: ResourceKind, schemas: &Schemas) {
    let (core, rest) = split_core(name);
    let dotted = dotted_extension(name);
    let name = dotted.as_deref().unwrap_or(rest);
    let split = schemas.split_urn(name);
    if let Some(urn) = split.urn.filter(|_| split.rest.is_empty())
        && let Some(extension) = schemas.extension(kind, urn)
    {
        merged.remove(&extension.id);
        return;
    }
    let (attribute, sub) = match split.rest.split_once('.') {
        Some((attribute, sub)) => (attribute, Some(sub)),
        None => (split.rest, None),
    };
    let found = schemas.find(kind, split.urn.filter(|_| split.known && !core), attribute);
    let Some(found) = found else {
        let unknown = key_of(merged, split.rest);
        if let Some(key) = unknown {
            merged.remove(&key);
        }
        return;
    };
    if found.attribute.is_read_only() {
        return;
    }
    let holder = match found.extension {
        None => Some(merged),
        Some(urn) => merged.get_mut(urn).and_then(Value::as_object_mut),
    };
    let Some(holder) = holder else { return };
    let Some(sub) = sub else {
        holder.remove(&found.attribute.name);
        return;
    };
    let sub = sub_name(found.attribute, sub);
    match holder.get_mut(&found.attribute.name) {
        Some(Value::Object(parts)) => {
            parts.remove(&sub);
        }
        Some(Value::Array(list)) => {
            for parts in list.iter_mut().filter_map(Value::as_object_mut) {
                parts.remove(&sub);
            }
        }
        _ => {}
    }
}

/// `urn:…:enterprise:1.0.department`: some write a dot where a colon belongs.
fn dotted_extension(name: &str) -> Option<String> {
    let head = name.get(..super::ENTERPRISE_URN.len())?;
    let tail = name.get(super::ENTERPRISE_URN.len()..)?.strip_prefix('.')?;
    head.eq_ignore_ascii_case(super::ENTERPRISE_URN)
        .then(|| format!("{head}:{tail}"))
}

fn sub_name(attribute: &Attribute, name: &str) -> String {
    if attribute.name == "manager" && name.eq_ignore_ascii_case("managerId") {
        return "value".to_owned();
    }
    attribute
        .sub(name)
        .map_or_else(|| name.to_owned(), |sub| sub.name.clone())
}

/// The object that holds the attributes of a schema; made when an extension comes into use.
fn container<'a>(
    merged: &'a mut Map<String, Value>,
    extension: Option<&str>,
) -> Result<&'a mut Map<String, Value>, ScimError> {
    match extension {
        None => Ok(merged),
        Some(urn) => merged
            .entry(urn.to_owned())
            .or_insert_with(|| Value::Object(Map::new()))
            .as_object_mut()
            .ok_or_else(|| must_be_object(urn)),
    }
}

/// Sets one attribute; `null` empties it.
fn set(
    holder: &mut Map<String, Value>,
    attribute: Option<&Arc<Attribute>>,
    name: &str,
    value: &Value,
) -> Result<(), ScimError> {
    let Some(attribute) = attribute else {
        let key = key_of(holder, name).unwrap_or_else(|| name.to_owned());
        put(holder, &key, value.clone());
        return Ok(());
    };
    if attribute.is_read_only() {
        return Ok(());
    }
    if value.is_null() {
        holder.remove(&attribute.name);
    } else if attribute.multi_valued {
        merge_list(holder, attribute, value)?;
    } else if let (true, Value::Object(parts)) = (attribute.is_complex(), value) {
        let mut stored = match holder.remove(&attribute.name) {
            Some(Value::Object(stored)) => stored,
            _ => Map::new(),
        };
        merge_parts(&mut stored, attribute, parts);
        put(holder, &attribute.name, Value::Object(stored));
    } else {
        // A manager may be a bare id: reading the whole resource knows that habit.
        put(holder, &attribute.name, value.clone());
    }
    Ok(())
}

fn put(holder: &mut Map<String, Value>, name: &str, value: Value) {
    if value.is_null() {
        holder.remove(name);
    } else {
        holder.insert(name.to_owned(), value);
    }
}

fn merge_parts(stored: &mut Map<String, Value>, attribute: &Attribute, parts: &Map<String, Value>) {
    for (name, value) in parts {
        put(stored, &sub_name(attribute, name), value.clone());
    }
}

fn merge_list(
    holder: &mut Map<String, Value>,
    attribute: &Attribute,
    value: &Value,
) -> Result<(), ScimError> {
    let elements = value
        .as_array()
        .map_or_else(|| std::slice::from_ref(value), Vec::as_slice);
    let mut stored = match holder.remove(&attribute.name) {
        Some(Value::Array(stored)) => stored,
        _ => Vec::new(),
    };
    for element in elements {
        if element.is_null() {
            continue;
        }
        let mut element = if element.is_object() {
            element.clone()
        } else if attribute.is_complex() {
            serde_json::json!({ "value": element })
        } else {
            if !stored.contains(element) {
                stored.push(element.clone());
            }
            continue;
        };
        let gone = members::is_deletion(&element);
        members::unmark(&mut element);
        let Some(parts) = element.as_object() else {
            return Err(must_be_object(&attribute.name));
        };
        if gone {
            stored.retain(|each| !is_same(each, parts, attribute));
            continue;
        }
        if is_true(member(parts, "primary")) {
            for other in stored.iter_mut().filter_map(Value::as_object_mut) {
                other.remove("primary");
            }
        }
        let place = stored
            .iter_mut()
            .find(|each| value_of_parts(parts).is_some() && is_same(each, parts, attribute));
        if let Some(Value::Object(each)) = place {
            merge_parts(each, attribute, parts);
        } else {
            let mut new = Map::new();
            merge_parts(&mut new, attribute, parts);
            stored.push(Value::Object(new));
        }
    }
    put(holder, &attribute.name, Value::Array(stored));
    Ok(())
}

/// Whether a stored element is the one that is meant: the same `value`, or without one, the same in all that is said.
fn is_same(stored: &Value, parts: &Map<String, Value>, attribute: &Attribute) -> bool {
    let equal = |name: &str, wanted: &Value| {
        let exact = attribute.sub(name).is_some_and(|sub| sub.case_exact);
        match (stored.get(sub_name(attribute, name)), wanted) {
            (Some(Value::String(have)), Value::String(want)) if !exact => fold(have) == fold(want),
            (Some(have), want) => have == want,
            (None, want) => want.is_null(),
        }
    };
    match value_of_parts(parts) {
        Some(value) => equal("value", value),
        None => !parts.is_empty() && parts.iter().all(|(name, wanted)| equal(name, wanted)),
    }
}

fn is_true(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Bool(primary)) => *primary,
        Some(Value::String(word)) => word.eq_ignore_ascii_case("true"),
        _ => false,
    }
}

fn value_of(element: &Value) -> Option<&Value> {
    element.as_object().and_then(value_of_parts)
}

fn value_of_parts(parts: &Map<String, Value>) -> Option<&Value> {
    member(parts, "value").filter(|value| !value.is_null())
}

fn member<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    fields
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

fn key_of(fields: &Map<String, Value>, name: &str) -> Option<String> {
    fields.keys().find(|key| key.eq_ignore_ascii_case(name)).cloned()
}

fn must_be_object(name: &str) -> ScimError {
    ScimError::invalid_value(format!("'{}' must be a JSON object", excerpt(name)))
}
