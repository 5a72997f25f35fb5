//! Requests as they were recorded from real clients (research notes, section 3), and what they must come to.

mod entra;
mod okta;
mod others;

use serde_json::{Value, json};

use crate::patch::{GroupPatch, MemberChange};
use crate::schema::{CUSTOM_URN, CustomAttribute, ENTERPRISE_URN, Schemas};
use crate::{Document, MemberRef, Mode, Patch, ResourceKind, ScimError};

fn schemas() -> Schemas {
    Schemas::new(&[CustomAttribute::text("nfc")])
}

fn stored(document: Value) -> Document {
    match document {
        Value::Object(parts) => Document::from_stored(parts),
        _ => panic!("a document is an object"),
    }
}

fn ada() -> Document {
    stored(json!({
        "userName": "ada@example.org",
        "externalId": "00u1",
        "displayName": "Ada Lovelace",
        "name": { "givenName": "Ada", "familyName": "Lovelace" },
        "emails": [{ "value": "ada@example.org", "type": "work", "primary": true }],
        "active": true,
    }))
}

/// A user with a user name and more.
fn user_with(more: Value) -> Document {
    let mut document = json!({ "userName": "ada@example.org" });
    let parts = document.as_object_mut().unwrap();
    if let Value::Object(more) = more {
        parts.extend(more);
    }
    stored(document)
}

fn try_patch(document: &Document, operations: Value, mode: Mode) -> Result<Document, ScimError> {
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": operations,
    });
    Patch::parse(&body, ResourceKind::User, &schemas(), mode)?.apply_user(document)
}

fn patch(document: &Document, operations: Value) -> Value {
    let shown = operations.to_string();
    let patched = try_patch(document, operations, Mode::Compat);
    Value::Object(
        patched
            .unwrap_or_else(|error| panic!("{shown}: {error}"))
            .into_map(),
    )
}

fn group_patch(operations: Value) -> GroupPatch {
    let shown = operations.to_string();
    try_group_patch(operations, Mode::Compat).unwrap_or_else(|error| panic!("{shown}: {error}"))
}

fn try_group_patch(operations: Value, mode: Mode) -> Result<GroupPatch, ScimError> {
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": operations,
    });
    let group = stored(json!({ "displayName": "G" }));
    Patch::parse(&body, ResourceKind::Group, &schemas(), mode)?.apply_group(&group)
}

fn post(body: &Value) -> Value {
    let document = Document::user_from_post(body, &schemas(), Mode::Compat);
    Value::Object(
        document
            .unwrap_or_else(|error| panic!("{body}: {error}"))
            .into_map(),
    )
}

fn member(id: &str) -> MemberRef {
    MemberRef {
        value: id.to_owned(),
        kind: None,
        display: None,
    }
}

fn ids(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}
