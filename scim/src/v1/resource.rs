//! Resources: from the names of 1.1 to those of 2.0, and back.

use serde_json::{Map, Value};

use super::{CORE_URN, ENTERPRISE_URN, members};
use crate::schema::{ENTERPRISE_URN as ENTERPRISE_2, GROUP_URN, USER_URN};
use crate::{ResourceKind, ScimError};

/// Turns the body of a POST or PUT into one of 2.0. Names that neither version knows stay as they are.
///
/// # Errors
/// 400 when the body is no JSON object.
pub fn decode(body: &Value, kind: ResourceKind) -> Result<Value, ScimError> {
    let mut decoded = rename(object(body)?, kind);
    for value in decoded.values_mut() {
        drop_operations(value);
    }
    Ok(Value::Object(decoded))
}

/// Turns a representation of 2.0 into one of 1.1.
pub fn encode(representation: Value, kind: ResourceKind) -> Value {
    let Value::Object(resource) = representation else {
        return representation;
    };
    let mut encoded = Map::new();
    for (name, value) in resource {
        match name.as_str() {
            "schemas" => {
                encoded.insert(name, schemas_to_1(&value, kind));
            }
            "meta" => {
                encoded.insert(name, without(value, "resourceType"));
            }
            "members" | "groups" => {
                encoded.insert(name, without(value, "$ref"));
            }
            ENTERPRISE_2 => {
                encoded.insert(ENTERPRISE_URN.to_owned(), manager_to_1(value));
            }
            _ => {
                encoded.insert(name, value);
            }
        }
    }
    Value::Object(encoded)
}

/// The body as an object.
pub(super) fn object(body: &Value) -> Result<&Map<String, Value>, ScimError> {
    body.as_object()
        .ok_or_else(|| ScimError::invalid_syntax("the body must be a JSON object"))
}

/// Renames what is called otherwise in 2.0; keeps `operation` marks and leaves `meta` out.
pub(super) fn rename(body: &Map<String, Value>, kind: ResourceKind) -> Map<String, Value> {
    let mut renamed = Map::new();
    let mut schemas = vec![Value::from(core_2(kind))];
    for (name, value) in body {
        if name.eq_ignore_ascii_case("meta") {
            continue;
        }
        if name.eq_ignore_ascii_case("schemas") {
            schemas = schemas_to_2(value, kind);
        } else if is_enterprise(name) {
            renamed.insert(ENTERPRISE_2.to_owned(), manager_to_2(value.clone()));
        } else if name.eq_ignore_ascii_case("manager") {
            renamed.insert(name.clone(), manager_id_to_value(value.clone()));
        } else {
            renamed.insert(name.clone(), value.clone());
        }
    }
    renamed.insert("schemas".to_owned(), schemas.into());
    renamed
}

const fn core_2(kind: ResourceKind) -> &'static str {
    match kind {
        ResourceKind::User => USER_URN,
        ResourceKind::Group => GROUP_URN,
    }
}

/// The enterprise extension by its name of either version: some clients mix them.
fn is_enterprise(name: &str) -> bool {
    name.eq_ignore_ascii_case(ENTERPRISE_URN) || name.eq_ignore_ascii_case(ENTERPRISE_2)
}

fn schemas_to_2(value: &Value, kind: ResourceKind) -> Vec<Value> {
    map_schemas(value, core_2(kind), |urn| {
        if urn.eq_ignore_ascii_case(CORE_URN) {
            Some(core_2(kind))
        } else if is_enterprise(urn) {
            Some(ENTERPRISE_2)
        } else {
            None
        }
    })
}

fn schemas_to_1(value: &Value, kind: ResourceKind) -> Value {
    let mapped = map_schemas(value, CORE_URN, |urn| {
        if urn == core_2(kind) {
            Some(CORE_URN)
        } else if urn == ENTERPRISE_2 {
            Some(ENTERPRISE_URN)
        } else {
            None
        }
    });
    mapped.into()
}

/// Maps the URNs of a list, the core one first and each once.
fn map_schemas(value: &Value, core: &str, named: impl Fn(&str) -> Option<&'static str>) -> Vec<Value> {
    let mut mapped = vec![Value::from(core)];
    for each in value.as_array().into_iter().flatten() {
        let urn = match each.as_str() {
            Some(urn) => named(urn).map_or_else(|| each.clone(), Value::from),
            None => each.clone(),
        };
        if !mapped.contains(&urn) {
            mapped.push(urn);
        }
    }
    mapped
}

fn manager_to_2(mut extension: Value) -> Value {
    if let Some(fields) = extension.as_object_mut() {
        for (name, value) in fields.iter_mut() {
            if name.eq_ignore_ascii_case("manager") {
                *value = manager_id_to_value(value.take());
            }
        }
    }
    extension
}

fn manager_id_to_value(mut manager: Value) -> Value {
    if let Some(fields) = manager.as_object_mut() {
        let old_name = fields
            .keys()
            .find(|name| name.eq_ignore_ascii_case("managerId"))
            .cloned();
        if let Some(id) = old_name.and_then(|name| fields.remove(&name)) {
            fields.insert("value".to_owned(), id);
        }
    }
    manager
}

fn manager_to_1(mut extension: Value) -> Value {
    let manager = extension
        .as_object_mut()
        .and_then(|fields| fields.get_mut("manager"))
        .and_then(Value::as_object_mut);
    if let Some(manager) = manager {
        manager.remove("$ref");
        if let Some(id) = manager.remove("value") {
            manager.insert("managerId".to_owned(), id);
        }
    }
    extension
}

/// Removes a name from an object, or from every object of a list.
fn without(mut value: Value, name: &str) -> Value {
    match &mut value {
        Value::Object(fields) => {
            fields.remove(name);
        }
        Value::Array(list) => {
            for fields in list.iter_mut().filter_map(Value::as_object_mut) {
                fields.remove(name);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    value
}

/// In a whole resource a mark has nothing to change: a deleted element is simply not there.
fn drop_operations(value: &mut Value) {
    if let Some(list) = value.as_array_mut() {
        list.retain(|element| !members::is_deletion(element));
        for element in list {
            members::unmark(element);
        }
    }
}
