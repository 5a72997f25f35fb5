//! The OpenAPI 3.1 document, made from the table of endpoints and the types of their bodies. schemars writes JSON
//! Schema 2020-12, which is what OpenAPI 3.1 takes, so no second description of any type exists.

use std::sync::OnceLock;

use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::endpoint::{Endpoint, SchemaOf, Verb};
use crate::flow::api_keys::Scope;

/// Media type of problems (RFC 9457).
const PROBLEM: &str = "application/problem+json";

/// Serves the document to anyone: it says nothing about any instance.
pub(super) async fn show() -> Response {
    static TEXT: OnceLock<String> = OnceLock::new();
    let text = TEXT.get_or_init(|| document().to_string());
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "public, max-age=300"),
    ];
    (headers, text.as_str()).into_response()
}

/// Makes the document.
pub fn document() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut generator = settings.into_generator();
    let mut paths: Map<String, Value> = Map::new();
    for endpoint in super::endpoints() {
        let operation = operation(endpoint, &mut generator);
        let path = paths
            .entry(endpoint.path)
            .or_insert_with(|| Value::Object(Map::new()));
        if let Some(verbs) = path.as_object_mut() {
            verbs.insert(endpoint.verb.word().to_owned(), operation);
        }
    }
    let mut schemas = generator.take_definitions(true);
    schemas.insert("Problem".to_owned(), problem_schema());
    let scopes: Vec<String> = Scope::ALL
        .iter()
        .map(|scope| format!("- `{}`: {}", scope.word(), scope.about()))
        .collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Provost management API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": format!(
                "Keys are made with `provost api-key create`. A key of one organization sees that organization and nothing \
                 else: what belongs to others is answered with 404, like what does not exist. Lists are cut into pages with opaque \
                 cursors. Problems are RFC 9457 with a stable `code`. Scopes of keys:\n\n{}",
                scopes.join("\n")
            ),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "key": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "key": { "type": "http", "scheme": "bearer", "description": "A key of the management API (`pvk_…`)." },
            },
        },
    })
}

fn operation(endpoint: &Endpoint, generator: &mut SchemaGenerator) -> Value {
    let mut operation = json!({
        "operationId": endpoint.name,
        "tags": [endpoint.area],
        "summary": endpoint.summary,
        "description": format!("{}\n\nScope: `{}`.", endpoint.description, endpoint.scope.word()).trim_start(),
        "x-scope": endpoint.scope.word(),
        "security": [{ "key": [] }],
        "responses": responses(endpoint, generator),
    });
    let mut parameters = path_parameters(endpoint.path);
    parameters.extend(header_parameters(endpoint));
    if let Some(query) = endpoint.query {
        parameters.extend(query_parameters(&query(generator)));
    }
    if let Some(members) = operation.as_object_mut() {
        if !parameters.is_empty() {
            members.insert("parameters".to_owned(), Value::Array(parameters));
        }
        if let Some(body) = endpoint.body {
            members.insert(
                "requestBody".to_owned(),
                json!({ "required": true, "content": { media(endpoint): { "schema": body(generator) } } }),
            );
        }
    }
    operation
}

fn path_parameters(path: &str) -> Vec<Value> {
    path.split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| {
            let about = match name {
                "reference" => "Reference number of the trace, such as 4F7K-22PX-9QAB.".to_owned(),
                name => format!("Identifier of the {name}."),
            };
            json!({ "name": name, "in": "path", "required": true, "description": about, "schema": { "type": "string" } })
        })
        .collect()
}

fn media(endpoint: &Endpoint) -> &'static str {
    if endpoint.takes_csv() {
        "text/csv"
    } else {
        "application/json"
    }
}

/// Tells whether the endpoint changes something whose version `If-Match` may name.
fn is_conditional(endpoint: &Endpoint) -> bool {
    endpoint.verb != Verb::Get
        && endpoint.path.contains("{account}")
        && !endpoint.path.contains("/sessions")
        && !endpoint.path.ends_with("/pin")
}

/// Headers that requests may have: for versions, and for sending a request again.
fn header_parameters(endpoint: &Endpoint) -> Vec<Value> {
    let mut parameters = Vec::new();
    if is_conditional(endpoint) {
        parameters.push(json!({
            "name": "If-Match", "in": "header", "required": false,
            "description": "The `ETag` of what was read: another version is refused with 412.",
            "schema": { "type": "string", "pattern": "^(\\*|(W/)?\"[0-9]{1,18}\")$" },
        }));
    }
    if endpoint.verb == Verb::Post {
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": false,
            "description": "Sent again within a day with the same key, the request is answered with the first answer.",
            "schema": { "type": "string", "pattern": "^[A-Za-z0-9._-]{1,200}$" },
        }));
    }
    parameters
}

/// Makes a parameter of each property of a query.
fn query_parameters(query: &Schema) -> Vec<Value> {
    let required: Vec<&str> = query
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let properties = query.get("properties").and_then(Value::as_object);
    properties
        .into_iter()
        .flatten()
        .map(|(name, schema)| {
            let mut schema = schema.clone();
            let about = schema
                .as_object_mut()
                .and_then(|members| members.remove("description"));
            // Absent is how a parameter says nothing; there is no null in a query.
            if let Some(kind) = schema.get_mut("type")
                && let Value::Array(kinds) = &*kind
            {
                let said: Vec<&Value> = kinds.iter().filter(|kind| *kind != "null").collect();
                if let [only] = said.as_slice() {
                    *kind = Value::clone(only);
                }
            }
            json!({
                "name": name, "in": "query", "required": required.contains(&name.as_str()),
                "description": about, "schema": schema,
            })
        })
        .collect()
}

fn responses(endpoint: &Endpoint, generator: &mut SchemaGenerator) -> Value {
    let mut responses = Map::new();
    for answer in endpoint.answers {
        let mut content = Map::new();
        for (media, schema) in answer.content {
            let schema: Value = schema.map_or_else(
                || json!({ "type": "string" }),
                |schema: SchemaOf| schema(generator).to_value(),
            );
            content.insert((*media).to_owned(), json!({ "schema": schema }));
        }
        let mut described = json!({ "description": answer.what });
        if let Some(members) = described.as_object_mut().filter(|_| !content.is_empty()) {
            members.insert("content".to_owned(), Value::Object(content));
        }
        responses.insert(answer.status.to_string(), described);
    }
    for (status, codes) in problems(endpoint) {
        let text = format!("Problem: {}.", codes.join(", "));
        responses.insert(
            status.to_string(),
            json!({
                "description": text,
                "content": { PROBLEM: { "schema": { "$ref": "#/components/schemas/Problem" } } },
            }),
        );
    }
    Value::Object(responses)
}

/// Lists the problems of an endpoint: its own, and those that follow from what it takes.
fn problems(endpoint: &Endpoint) -> std::collections::BTreeMap<u16, Vec<String>> {
    let mut all: Vec<(u16, &str)> = vec![
        (401, "invalid_api_key"),
        (403, "missing_scope"),
        (429, "too_many_requests"),
        (503, "unavailable"),
    ];
    if endpoint.query.is_some() {
        all.extend([(400, "invalid_query"), (400, "invalid_cursor")]);
    }
    if endpoint.body.is_some() {
        all.extend([
            (400, "invalid_body"),
            (413, "too_large"),
            (415, "unsupported_media_type"),
        ]);
    }
    if is_conditional(endpoint) {
        all.extend([(400, "invalid_if_match"), (412, "stale_version")]);
    }
    if endpoint.verb == Verb::Post {
        all.extend([
            (400, "invalid_idempotency_key"),
            (409, "idempotency_key_reused"),
            (409, "idempotency_key_busy"),
        ]);
    }
    if endpoint.path.contains('{') {
        all.extend([(404, "not_found"), (400, "refused")]);
    }
    all.extend(endpoint.problems);
    let mut by_status = std::collections::BTreeMap::<u16, Vec<String>>::new();
    for (status, code) in all {
        by_status.entry(status).or_default().push(format!("`{code}`"));
    }
    by_status
}

fn problem_schema() -> Value {
    json!({
        "type": "object",
        "description": "A problem (RFC 9457).",
        "required": ["type", "title", "status", "code", "detail", "request_id"],
        "properties": {
            "type": { "type": "string", "const": "about:blank" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "code": { "type": "string", "description": "Stable code; see the list of error codes." },
            "detail": { "type": "string", "description": "A sentence for people." },
            "request_id": { "type": "string", "description": "Also in the header `x-request-id`; our log knows it." },
            "trace": { "type": "string", "description": "The trace that tells why, if it was decided." },
            "errors": {
                "type": "array",
                "description": "What is wrong, place by place.",
                "items": {
                    "type": "object",
                    "required": ["path", "message"],
                    "properties": {
                        "path": { "type": "string", "description": "Which part, such as `policy.role.expression`." },
                        "position": { "type": "integer", "description": "Byte in the expression." },
                        "message": { "type": "string" },
                        "suggestion": { "type": "string", "description": "What was probably meant." },
                    },
                },
            },
        },
    })
}
