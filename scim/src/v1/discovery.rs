//! Lists, configuration, schemas: the documents of 2.0 in the form of 1.1.
//!
//! Each is made from the document of 2.0, so that both versions say the same about what the server can do.

use serde_json::{Map, Value, json};

use super::{CORE_URN, ENTERPRISE_URN};
use crate::schema::{ENTERPRISE_URN as ENTERPRISE_2, GROUP_URN, USER_URN};

/// What Okta's test of 1.1 expects to see on the list of schemas, beside the core URN.
const LIST_URN: &str = "urn:scim:schemas:core:1.0:ListResponse";

/// Wraps resources of 1.1, made with [`super::encode`], into a list.
pub fn list(resources: &[Value], total_results: u64, start_index: u64) -> Value {
    envelope(&[CORE_URN], resources, total_results, start_index)
}

fn envelope(schemas: &[&str], resources: &[Value], total_results: u64, start_index: u64) -> Value {
    json!({
        "schemas": schemas,
        "totalResults": total_results,
        "startIndex": start_index,
        "itemsPerPage": resources.len(),
        "Resources": resources,
    })
}

/// Turns the service provider configuration of 2.0 into that of 1.1.
pub fn service_provider_configs(config: &Value) -> Value {
    let mut made = Map::new();
    made.insert("schemas".to_owned(), json!([CORE_URN]));
    for name in ["patch", "bulk", "filter", "changePassword", "sort", "etag"] {
        let value = config
            .get(name)
            .cloned()
            .unwrap_or_else(|| json!({ "supported": false }));
        made.insert(name.to_owned(), value);
    }
    made.insert("xmlDataFormat".to_owned(), json!({ "supported": false }));
    if let Some(address) = config.get("documentationUri") {
        made.insert("documentationUrl".to_owned(), address.clone());
    }
    let schemes = config.get("authenticationSchemes").and_then(Value::as_array);
    let schemes: Vec<Value> = schemes.into_iter().flatten().map(scheme).collect();
    made.insert("authenticationSchemes".to_owned(), schemes.into());
    Value::Object(made)
}

fn scheme(scheme: &Value) -> Value {
    let mut made = Map::new();
    for (name, value) in scheme.as_object().into_iter().flatten() {
        let name = match name.as_str() {
            "specUri" => "specUrl",
            "documentationUri" => "documentationUrl",
            other => other,
        };
        made.insert(name.to_owned(), value.clone());
    }
    Value::Object(made)
}

/// Turns the list of resource types of 2.0 into one of 1.1. The draft has none; Okta's test asks for it.
pub fn resource_types(types: &[Value]) -> Value {
    let types: Vec<Value> = types
        .iter()
        .map(|each| {
            let text = |name: &str| each.get(name).cloned().unwrap_or(Value::Null);
            json!({
                "schemas": [CORE_URN],
                "id": text("id"),
                "name": text("name"),
                "endpoint": text("endpoint"),
                "description": text("description"),
                "schema": CORE_URN,
            })
        })
        .collect();
    let total = types.len() as u64;
    list(&types, total, 1)
}

/// Turns the published schemas of 2.0 into the list of 1.1: one schema per resource, the extension's attributes with it.
pub fn schemas(published: &[Value]) -> Value {
    let made: Vec<Value> = ["User", "Group"]
        .into_iter()
        .filter_map(|name| schema(published, name))
        .collect();
    let total = made.len() as u64;
    envelope(&[CORE_URN, LIST_URN], &made, total, 1)
}

/// Makes the schema of one resource. `id` is `User` or `Group`, or the core or enterprise URN (both mean the user).
pub fn schema(published: &[Value], id: &str) -> Option<Value> {
    let by_id = |urn: &str| {
        published
            .iter()
            .find(|schema| schema.get("id").and_then(Value::as_str) == Some(urn))
    };
    let last = id.rsplit([':', '/']).next().unwrap_or(id);
    let is_group = last.eq_ignore_ascii_case("Group");
    let is_user = last.eq_ignore_ascii_case("User")
        || id.eq_ignore_ascii_case(CORE_URN)
        || id.eq_ignore_ascii_case(ENTERPRISE_URN);
    let (core, name, endpoint) = match (is_user, is_group) {
        (true, _) => (by_id(USER_URN)?, "User", "/Users"),
        (false, true) => (by_id(GROUP_URN)?, "Group", "/Groups"),
        (false, false) => return None,
    };
    let mut attributes = attributes_of(core, CORE_URN);
    if is_user {
        let service = |urn: &str| urn.starts_with("urn:ietf:params:scim:schemas:core:2.0:");
        for extension in published {
            let Some(urn) = extension.get("id").and_then(Value::as_str) else {
                continue;
            };
            if !service(urn) {
                let old = if urn == ENTERPRISE_2 { ENTERPRISE_URN } else { urn };
                attributes.extend(attributes_of(extension, old));
            }
        }
    }
    Some(json!({
        "schemas": [CORE_URN],
        "id": format!("{CORE_URN}:{name}"),
        "name": name,
        "description": core.get("description").cloned().unwrap_or_default(),
        "schema": CORE_URN,
        "endpoint": endpoint,
        "attributes": attributes,
    }))
}

fn attributes_of(schema: &Value, urn: &str) -> Vec<Value> {
    let attributes = schema.get("attributes").and_then(Value::as_array);
    attributes
        .into_iter()
        .flatten()
        .map(|attribute| self::attribute(attribute, urn))
        .collect()
}

/// One attribute: mutability becomes `readOnly`, and a list names its elements.
fn attribute(attribute: &Value, urn: &str) -> Value {
    let mut made = flags(attribute);
    made.insert("schema".to_owned(), urn.into());
    let name = attribute.get("name").and_then(Value::as_str).unwrap_or_default();
    if made.get("multiValued") == Some(&Value::Bool(true)) {
        made.insert(
            "multiValuedAttributeChildName".to_owned(),
            name.strip_suffix("es")
                .filter(|stem| stem.ends_with("ess"))
                .or_else(|| name.strip_suffix('s'))
                .unwrap_or(name)
                .into(),
        );
    }
    if let Some(parts) = attribute.get("subAttributes").and_then(Value::as_array) {
        let parts: Vec<Value> = parts
            .iter()
            .filter(|part| part.get("name").and_then(Value::as_str) != Some("$ref"))
            .map(|part| {
                let mut part = flags(part);
                if name == "manager" && part.get("name").and_then(Value::as_str) == Some("value") {
                    part.insert("name".to_owned(), "managerId".into());
                }
                Value::Object(part)
            })
            .collect();
        made.insert("subAttributes".to_owned(), parts.into());
    }
    Value::Object(made)
}

fn flags(attribute: &Value) -> Map<String, Value> {
    let mut made = Map::new();
    for name in ["name", "description", "canonicalValues"] {
        if let Some(value) = attribute.get(name) {
            made.insert(name.to_owned(), value.clone());
        }
    }
    // 1.1 has no type for references.
    let kind = match attribute.get("type").and_then(Value::as_str) {
        Some("reference") | None => "string",
        Some(kind) => kind,
    };
    made.insert("type".to_owned(), kind.into());
    for name in ["multiValued", "required", "caseExact"] {
        let value = attribute.get(name).and_then(Value::as_bool).unwrap_or(false);
        made.insert(name.to_owned(), value.into());
    }
    let read_only = attribute.get("mutability").and_then(Value::as_str) == Some("readOnly");
    made.insert("readOnly".to_owned(), read_only.into());
    made
}
