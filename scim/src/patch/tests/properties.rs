use proptest::prelude::*;

use super::*;

fn json_value() -> impl Strategy<Value = Value> {
    let words = prop_oneof![
        Just("userName"),
        Just("emails"),
        Just("name"),
        Just("members"),
        Just("value"),
        Just("op"),
        Just("path"),
        Just("add"),
        Just("remove"),
        Just("replace"),
        Just("Operations"),
        Just("schemas"),
        Just("active"),
        Just("True"),
        Just("manager"),
        Just("nfc"),
        Just("emails[type eq \"work\"].value"),
        Just("name.givenName"),
        Just("id"),
        Just(ENTERPRISE_URN),
        Just("urn:x:y:z"),
        Just("type"),
        Just("primary"),
        Just("{\"value\":\"x\"}"),
        Just(""),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        words.clone().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map(words.clone().prop_map(str::to_owned), inner, 0..6)
                .prop_map(|parts| Value::Object(parts.into_iter().collect())),
        ]
    })
}

/// Operations that are often valid.
fn operations() -> impl Strategy<Value = Value> {
    let path = prop_oneof![
        Just("title"),
        Just("active"),
        Just("name"),
        Just("name.givenName"),
        Just("emails"),
        Just("emails.value"),
        Just("emails[type eq \"work\"]"),
        Just("emails[type eq \"home\"].value"),
        Just("roles"),
        Just("manager"),
        Just("nfc"),
        Just("badges"),
        Just("shoeSize"),
        Just("emails[primary eq true].display"),
        Just(ENTERPRISE_URN),
    ];
    let value = prop_oneof![
        Just(json!("x")),
        Just(json!("True")),
        Just(json!(null)),
        Just(json!("")),
        Just(json!([])),
        Just(json!({ "givenName": "G", "value": "v" })),
        Just(json!([{ "value": "a@b.c", "type": "work", "primary": true }])),
        Just(json!([{ "value": "c@d.e" }, { "value": "c@d.e" }])),
        Just(json!(["p", "q"])),
        Just(json!({ "department": "D" })),
        json_value(),
    ];
    let operation = (
        prop_oneof![Just("add"), Just("replace"), Just("remove"), Just("Replace")],
        path,
        value,
    )
        .prop_map(|(op, path, value)| json!({ "op": op, "path": path, "value": value }));
    proptest::collection::vec(operation, 1..6).prop_map(Value::from)
}

/// Whether an operation changes what its own filter chose by: done twice, it cannot find the element again.
fn moves_its_target(operation: &Value) -> bool {
    let path = operation["path"].as_str().unwrap_or_default();
    let has_type = |parts: &Map<String, Value>| parts.keys().any(|key| key.eq_ignore_ascii_case("type"));
    let value = &operation["value"];
    path.contains('[') && value.as_object().or(value[0].as_object()).is_some_and(has_type)
}

/// What holds of every document.
fn assert_canonical(document: &Document) {
    for (name, value) in document.as_map() {
        assert!(
            !value.is_null() && value != &json!([]) && value != &json!({}),
            "{name} is empty"
        );
        assert!(
            !["id", "meta", "schemas", "groups", "password"].contains(&name.as_str()),
            "{name}"
        );
        if let Some(items) = value
            .as_array()
            .filter(|_| ["emails", "roles"].contains(&name.as_str()))
        {
            let primary = items.iter().filter(|item| item["primary"] == json!(true));
            assert!(primary.count() <= 1, "{name}: {value}");
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_json_never_panics(body in json_value()) {
        for kind in [ResourceKind::User, ResourceKind::Group] {
            for mode in [Mode::Compat, Mode::Strict] {
                if let Ok(patch) = Patch::parse(&body, kind, &SCHEMAS, mode) {
                    let _ = patch.apply_group(&ada());
                }
                let _ = Document::user_from_post(&body, &SCHEMAS, mode);
                let _ = Document::group_from_put(&ada(), &body, &SCHEMAS, mode);
                let _ = crate::list::ListRequest::from_search(&body, crate::Version::V2);
            }
        }
    }

    #[test]
    fn a_document_survives_its_round_trip(body in json_value()) {
        let mut body = body;
        if let Some(parts) = body.as_object_mut() {
            parts.insert("userName".to_owned(), json!("ada"));
        }
        if let Ok(document) = Document::user_from_post(&body, &SCHEMAS, Mode::Compat) {
            assert_canonical(&document);
            let again = Value::Object(document.as_map().clone());
            prop_assert_eq!(Document::user_from_post(&again, &SCHEMAS, Mode::Compat), Ok(document.clone()));
            prop_assert_eq!(Document::user_from_put(&document, &again, &SCHEMAS, Mode::Compat), Ok(document));
        }
    }

    #[test]
    fn patched_documents_are_canonical(operations in operations()) {
        if let Ok(document) = apply_to(&ada(), &operations, Mode::Compat) {
            assert_canonical(&document);
        }
    }

    #[test]
    fn replacing_twice_is_replacing_once(operations in operations()) {
        let mut operations = operations;
        for operation in operations.as_array_mut().into_iter().flatten() {
            operation["op"] = json!("replace");
        }
        prop_assume!(!moves_its_target(&operations[0]));
        let only_one = json!([operations[0]]);
        if let Ok(once) = apply_to(&ada(), &only_one, Mode::Compat) {
            prop_assert_eq!(apply_to(&once, &only_one, Mode::Compat), Ok(once));
        }
    }

    #[test]
    fn adding_twice_is_adding_once(operations in operations()) {
        let mut operation = operations[0].clone();
        operation["op"] = json!("add");
        prop_assume!(!moves_its_target(&operation));
        let only_one = json!([operation]);
        if let Ok(once) = apply_to(&ada(), &only_one, Mode::Compat) {
            prop_assert_eq!(apply_to(&once, &only_one, Mode::Compat), Ok(once));
        }
    }
}
