//! Requests as they were recorded from real clients (research notes, section 3), and what they must come to.

mod entra;
mod okta;
mod others;

use std::borrow::Borrow;

use serde_json::{Value, json};

use crate::patch::{GroupPatch, MemberChange};
use crate::schema::{CUSTOM_URN, CustomAttribute, ENTERPRISE_URN, Schemas};
use crate::{Document, MemberRef, Mode, Patch, ResourceKind, ScimError};

fn schemas() -> Schemas {
    Schemas::new(&[CustomAttribute::text("nfc")])
}

fn stored(document: Value) -> Document {
    let Value::Object(parts) = document else {
        panic!("a document is an object")
    };
    Document::from_stored(parts)
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

fn body(operations: &Value) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": operations,
    })
}

fn patch(document: &Document, operations: impl Borrow<Value>) -> Value {
    let operations = operations.borrow();
    let patched = Patch::parse(&body(operations), ResourceKind::User, &schemas(), Mode::Compat)
        .and_then(|patch| patch.apply_user(document));
    Value::Object(
        patched
            .unwrap_or_else(|error| panic!("{operations}: {error}"))
            .into_map(),
    )
}

fn group_patch(operations: impl Borrow<Value>) -> GroupPatch {
    let operations = operations.borrow();
    try_group_patch(operations, Mode::Compat).unwrap_or_else(|error| panic!("{operations}: {error}"))
}

fn try_group_patch(operations: &Value, mode: Mode) -> Result<GroupPatch, ScimError> {
    let group = stored(json!({ "displayName": "G" }));
    Patch::parse(&body(operations), ResourceKind::Group, &schemas(), mode)?.apply_group(&group)
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
