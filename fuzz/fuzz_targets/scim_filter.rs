//! Filters of both versions; one that is read also matches without a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use provost_scim::{Filter, Limits, ResourceKind, Schemas};

fuzz_target!(|text: &str| {
    let (schemas, limits) = (Schemas::default(), Limits::default());
    let document = serde_json::json!({ "userName": "ann", "emails": [{ "value": "a@b.c", "type": "work" }] });
    for kind in ResourceKind::ALL.iter().copied() {
        for read in [Filter::parse, Filter::parse_v1] {
            if let Ok(filter) = read(text, kind, &schemas, &limits) {
                let _ = filter.matches(&document);
            }
        }
    }
});
