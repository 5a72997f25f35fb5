//! Bodies of a PATCH, with the paths in them; one that is read is also applied.
#![no_main]

use libfuzzer_sys::fuzz_target;
use provost_scim::{Document, Mode, Patch, ResourceKind, Schemas};

fuzz_target!(|bytes: &[u8]| {
    let Ok(body) = serde_json::from_slice(bytes) else {
        return;
    };
    let schemas = Schemas::default();
    let stored = serde_json::json!({ "userName": "ann", "displayName": "Ann", "emails": [{ "value": "a@b.c", "type": "work" }] });
    let stored = Document::from_stored(stored.as_object().cloned().unwrap_or_default());
    for mode in [Mode::Compat, Mode::Strict] {
        if let Ok(patch) = Patch::parse(&body, ResourceKind::User, &schemas, mode) {
            let _ = patch.apply_user(&stored);
        }
        if let Ok(patch) = Patch::parse(&body, ResourceKind::Group, &schemas, mode) {
            let _ = patch.apply_group(&stored);
        }
    }
});
