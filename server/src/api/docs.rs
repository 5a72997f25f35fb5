//! `/api/docs`: the OpenAPI document as one page for people, made on our side: no script, nothing from elsewhere.

use axum::response::Response;
use serde_json::Value;

use crate::error::Result;
use crate::http::page;
use crate::pages::api_docs::{ApiDocsPage, AreaRow, Field, OperationRow, ResponseRow, SchemaRow};

/// Shows the page.
pub(super) async fn show() -> Result<Response> {
    page::show(&view(&super::document()))
}

fn view(document: &Value) -> ApiDocsPage {
    let mut areas: Vec<AreaRow> = Vec::new();
    for endpoint in super::endpoints() {
        let operation = document
            .pointer(&format!(
                "/paths/{}/{}",
                endpoint.path.replace('~', "~0").replace('/', "~1"),
                endpoint.verb.word()
            ))
            .unwrap_or(&Value::Null);
        let row = OperationRow {
            name: endpoint.name,
            verb: endpoint.verb.word().to_uppercase(),
            path: endpoint.path,
            summary: endpoint.summary,
            description: endpoint.description,
            scope: endpoint.scope.word(),
            parameters: parameters(operation),
            body: operation
                .pointer("/requestBody/content/application~1json/schema")
                .map(kind),
            responses: responses(operation),
        };
        match areas.iter_mut().find(|area| area.name == endpoint.area) {
            Some(area) => area.operations.push(row),
            None => areas.push(AreaRow {
                name: endpoint.area,
                operations: vec![row],
            }),
        }
    }
    let schemas = document.pointer("/components/schemas").and_then(Value::as_object);
    ApiDocsPage {
        areas,
        schemas: schemas
            .into_iter()
            .flatten()
            .map(|(name, schema)| SchemaRow {
                name: name.clone(),
                about: about(schema),
                fields: fields(schema),
            })
            .collect(),
    }
}

fn parameters(operation: &Value) -> Vec<Field> {
    let listed = operation.get("parameters").and_then(Value::as_array);
    listed
        .into_iter()
        .flatten()
        .map(|one| Field {
            name: text(one, "name"),
            kind: format!(
                "{}, {}",
                text(one, "in"),
                one.get("schema").map(kind).unwrap_or_default()
            ),
            about: about(one),
            required: one.get("required") == Some(&Value::Bool(true)),
        })
        .collect()
}

fn responses(operation: &Value) -> Vec<ResponseRow> {
    let listed = operation.get("responses").and_then(Value::as_object);
    listed
        .into_iter()
        .flatten()
        .map(|(status, response)| {
            let contents = response.get("content").and_then(Value::as_object);
            let content: Vec<String> = contents
                .into_iter()
                .flatten()
                .map(|(media, body)| {
                    let kind = body.get("schema").map(kind).unwrap_or_default();
                    format!("{media}: {kind}")
                })
                .collect();
            ResponseRow {
                status: status.clone(),
                about: about(response),
                content: content.join(" or "),
            }
        })
        .collect()
}

/// Lists the members of an object, or the forms of a choice.
fn fields(schema: &Value) -> Vec<Field> {
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let members = schema.get("properties").and_then(Value::as_object);
    let mut fields: Vec<Field> = members
        .into_iter()
        .flatten()
        .map(|(name, member)| Field {
            name: name.clone(),
            kind: kind(member),
            about: about(member),
            required: required.contains(&name.as_str()),
        })
        .collect();
    for form in ["oneOf", "anyOf"]
        .iter()
        .filter_map(|word| schema.get(*word)?.as_array())
        .flatten()
    {
        let inner = fields_of_form(form);
        fields.push(Field {
            name: inner,
            kind: kind(form),
            about: about(form),
            required: false,
        });
    }
    fields
}

fn fields_of_form(form: &Value) -> String {
    match form.get("properties").and_then(Value::as_object) {
        Some(members) => members.keys().cloned().collect::<Vec<_>>().join(", "),
        None => form
            .get("const")
            .or_else(|| form.get("enum"))
            .map(Value::to_string)
            .unwrap_or_default(),
    }
}

/// Names the type of a schema in a few words.
fn kind(schema: &Value) -> String {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        return reference.rsplit('/').next().unwrap_or_default().to_owned();
    }
    if let Some(items) = schema.get("items") {
        return format!("list of {}", kind(items));
    }
    if let Some(value) = schema.get("const") {
        return value.to_string();
    }
    if let Some(Value::Array(forms)) = schema.get("anyOf").or_else(|| schema.get("oneOf")) {
        let kinds: Vec<String> = forms.iter().map(kind).filter(|kind| kind != "null").collect();
        return kinds.join(" or ");
    }
    match schema.get("type") {
        Some(Value::String(kind)) => kind.clone(),
        Some(Value::Array(kinds)) => kinds
            .iter()
            .filter_map(Value::as_str)
            .filter(|kind| *kind != "null")
            .collect::<Vec<_>>()
            .join(" or "),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => "any".to_owned(),
    }
}

fn about(value: &Value) -> String {
    text(value, "description")
}

fn text(value: &Value, name: &str) -> String {
    value
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}
