//! `/api/openapi.json` and `/api/docs` are made from the table of endpoints.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use provost::api::endpoints;
use serde_json::Value;

use super::Client;
use crate::app::TestApp;

/// Collects every `$ref` in a document.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if let (Value::String(target), "$ref") = (member, name.as_str()) {
                    found.insert(target.clone());
                }
                references(member, found);
            }
        }
        Value::Array(entries) => entries.iter().for_each(|entry| references(entry, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[tokio::test]
async fn the_openapi_document_names_every_endpoint_and_all_its_references_lead_somewhere() {
    let app = TestApp::start().await;
    let page = Client::stranger(&app).get("/api/openapi.json").await;
    assert_eq!(page.status, StatusCode::OK);
    let document = page.json();
    assert_eq!(document["openapi"], "3.1.0");
    let mut names = BTreeSet::new();
    for endpoint in endpoints() {
        let operation = &document["paths"][endpoint.path][endpoint.verb.word()];
        assert_eq!(operation["operationId"], endpoint.name, "{}", endpoint.path);
        assert_eq!(operation["x-scope"], endpoint.scope.word());
        assert!(names.insert(endpoint.name), "{} stands twice", endpoint.name);
        let in_path = endpoint.path.matches('{').count();
        let described = operation["parameters"]
            .as_array()
            .map_or(0, |list| list.iter().filter(|one| one["in"] == "path").count());
        assert_eq!(in_path, described, "{}", endpoint.path);
    }
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 5, "{found:?}");
    for target in found {
        let pointer = target.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{target} leads nowhere");
    }
}

#[tokio::test]
async fn the_page_for_people_needs_no_script_and_nothing_from_elsewhere() {
    let app = TestApp::start().await;
    let page = app.browser().get("/api/docs").await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    assert!(
        page.header("content-security-policy")
            .unwrap()
            .contains("default-src 'none'")
    );
    assert!(
        !page.body.contains("<script") && !page.body.contains("https://"),
        "{}",
        page.body
    );
    for endpoint in endpoints() {
        assert!(page.body.contains(endpoint.path), "{} is missing", endpoint.path);
        assert!(
            page.body.contains(&endpoint.summary.replace('\'', "&#39;")),
            "{} is missing",
            endpoint.summary
        );
    }
}
