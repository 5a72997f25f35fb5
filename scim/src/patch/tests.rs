mod hostile;
mod properties;
mod rfc;

use std::sync::LazyLock;

use serde_json::json;

use super::*;
use crate::ScimType;
use crate::schema::{CustomAttribute, ENTERPRISE_URN};

static SCHEMAS: LazyLock<Schemas> = LazyLock::new(|| {
    let mut badges = CustomAttribute::text("badges");
    badges.multi_valued = true;
    Schemas::new(&[CustomAttribute::text("nfc"), badges])
});

fn body(operations: &Value) -> Value {
    json!({ "schemas": [PATCH_URN], "Operations": operations })
}

fn document(value: Value) -> Document {
    let Value::Object(parts) = value else {
        panic!("a document is an object")
    };
    Document::from_stored(parts)
}

fn ada() -> Document {
    document(json!({
        "userName": "ada@example.org",
        "name": { "givenName": "Ada", "familyName": "Lovelace" },
        "emails": [
            { "value": "ada@example.org", "type": "work", "primary": true },
            { "value": "ada@home.example", "type": "home" },
        ],
        "active": true,
        "title": "Countess",
        ENTERPRISE_URN: { "department": "Math" },
    }))
}

fn apply_to(stored: &Document, operations: &Value, mode: Mode) -> Result<Document, ScimError> {
    Patch::parse(&body(operations), ResourceKind::User, &SCHEMAS, mode)?.apply_user(stored)
}

/// Applies to Ada, in both modes with the same result.
fn both(operations: &Value) -> Value {
    let strict = apply_to(&ada(), operations, Mode::Strict);
    let strict = strict.unwrap_or_else(|error| panic!("{operations}: {error}"));
    let compat = apply_to(&ada(), operations, Mode::Compat);
    assert_eq!(compat.as_ref(), Ok(&strict), "{operations}");
    Value::Object(strict.into_map())
}

fn refusal(operations: &Value, mode: Mode) -> Option<ScimType> {
    let result = apply_to(&ada(), operations, mode);
    let error = result.expect_err(&operations.to_string());
    assert!((400..500).contains(&error.status), "{operations}: {error}");
    error.scim_type
}
