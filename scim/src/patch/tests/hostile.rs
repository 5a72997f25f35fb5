use super::*;

/// A value nested so deeply that dropping it the usual way would overflow the stack.
struct Deep(Value);

impl Deep {
    fn of(levels: usize, wrap: impl Fn(Value) -> Value) -> Self {
        Self((0..levels).fold(Value::Null, |inner, _| wrap(inner)))
    }
}

impl Drop for Deep {
    fn drop(&mut self) {
        let mut open = vec![self.0.take()];
        while let Some(value) = open.pop() {
            match value {
                Value::Array(items) => open.extend(items),
                Value::Object(parts) => open.extend(parts.into_iter().map(|(_, part)| part)),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
    }
}

fn list(inner: Value) -> Value {
    Value::Array(vec![inner])
}

fn object(inner: Value) -> Value {
    Value::Object(Map::from_iter([("name".to_owned(), inner)]))
}

#[test]
fn a_hundred_thousand_levels_of_json_are_an_error() {
    for wrap in [list, object] {
        let deep = Deep::of(100_000, wrap);
        for kind in [ResourceKind::User, ResourceKind::Group] {
            let error = Patch::parse(&deep.0, kind, &SCHEMAS, Mode::Compat).unwrap_err();
            assert_eq!(error.scim_type, Some(ScimType::InvalidSyntax));
        }
        assert!(Document::user_from_post(&deep.0, &SCHEMAS, Mode::Compat).is_err());
        assert!(Document::group_from_post(&deep.0, &SCHEMAS, Mode::Compat).is_err());
        assert!(Document::user_from_put(&ada(), &deep.0, &SCHEMAS, Mode::Strict).is_err());
        assert!(crate::list::ListRequest::from_search(&deep.0, crate::Version::V2).is_err());
    }
}

#[test]
fn json_in_a_text_is_limited_as_well() {
    let text = format!("{}1{}", "{\"value\":".repeat(100_000), "}".repeat(100_000));
    let operations = json!([{ "op": "add", "path": "roles", "value": [{ "value": text }] }]);
    let patched = apply_to(&ada(), &operations, Mode::Compat).unwrap();
    assert_eq!(
        patched.get(None, "roles"),
        Some(&json!([{ "value": text }])),
        "it stays a text"
    );
    let text = format!("{}1{}", "{\"value\":".repeat(40), "}".repeat(40));
    let operations = json!([{ "op": "add", "path": "roles", "value": [{ "value": text }] }]);
    assert!(apply_to(&ada(), &operations, Mode::Compat).is_ok());
}

#[test]
fn more_operations_members_and_values_than_allowed_are_refused() {
    let operation = json!({ "op": "add", "path": "title", "value": "x" });
    let operations = |count: usize| Value::Array(vec![operation.clone(); count]);
    assert!(apply_to(&ada(), &operations(1_000), Mode::Strict).is_ok());
    assert_eq!(
        apply_to(&ada(), &operations(1_001), Mode::Strict)
            .unwrap_err()
            .status,
        413
    );

    let members = |count: usize| {
        let members: Vec<Value> = (0..count)
            .map(|number| json!({ "value": number.to_string() }))
            .collect();
        let half = json!({ "op": "add", "path": "members", "value": members });
        Patch::parse(
            &body(&json!([half, half])),
            ResourceKind::Group,
            &SCHEMAS,
            Mode::Compat,
        )
    };
    assert!(members(5_000).is_ok());
    assert_eq!(members(5_001).unwrap_err().status, 413);
    let removed: Vec<Value> = (0..10_001)
        .map(|number| json!({ "value": number.to_string() }))
        .collect();
    let remove = json!([{ "op": "remove", "path": "members", "value": removed }]);
    let error = Patch::parse(&body(&remove), ResourceKind::Group, &SCHEMAS, Mode::Compat).unwrap_err();
    assert_eq!(error.status, 413);

    let emails: Vec<Value> = (0..501)
        .map(|number| json!({ "value": number.to_string() }))
        .collect();
    let add = |from: usize, to: usize| json!({ "op": "add", "path": "emails", "value": emails[from..to] });
    assert_eq!(
        apply_to(&ada(), &json!([add(0, 501)]), Mode::Compat)
            .unwrap_err()
            .status,
        413
    );
    assert_eq!(
        apply_to(&ada(), &json!([add(0, 250), add(250, 499)]), Mode::Compat)
            .unwrap_err()
            .status,
        413
    );
    assert!(apply_to(&ada(), &json!([add(0, 250), add(250, 498)]), Mode::Compat).is_ok());
}

#[test]
fn huge_texts_are_taken_or_refused_but_never_harm() {
    let huge = "x".repeat(1_000_000);
    let operations = json!([{ "op": "replace", "path": "title", "value": huge }]);
    assert!(apply_to(&ada(), &operations, Mode::Strict).is_ok());
    for operations in [
        json!([{ "op": huge, "path": "title", "value": "x" }]),
        json!([{ "op": "add", "path": huge, "value": "x" }]),
        json!([{ "op": "add", "path": format!("emails[value eq \"{huge}\"]"), "value": "x" }]),
    ] {
        let error = apply_to(&ada(), &operations, Mode::Compat).unwrap_err();
        assert!(error.detail.chars().count() < 300, "{}", error.detail.len());
    }
    let key = json!([{ "op": "add", "value": { huge.as_str(): "x" } }]);
    assert_eq!(
        apply_to(&ada(), &key, Mode::Compat),
        Ok(ada()),
        "a key that is no path is left out"
    );
}

#[test]
fn a_small_body_cannot_ask_for_endless_work() {
    let emails: Vec<Value> = (0..500)
        .map(|number| json!({ "value": number.to_string() }))
        .collect();
    let many = document(json!({ "userName": "ada", "emails": emails }));
    let terms = vec!["value co \"x\""; 64].join(" or ");
    let operation = json!({ "op": "remove", "path": format!("emails[{terms}]") });
    let operations = |count: usize| Value::Array(vec![operation.clone(); count]);
    assert!(apply_to(&many, &operations(15), Mode::Compat).is_ok());
    assert_eq!(
        apply_to(&many, &operations(16), Mode::Compat).unwrap_err().status,
        413
    );
    let add = json!({ "op": "add", "path": "emails", "value": emails });
    let adds = |count: usize| Value::Array(vec![add.clone(); count]);
    assert!(apply_to(&many, &adds(2), Mode::Compat).is_ok());
    assert_eq!(apply_to(&many, &adds(3), Mode::Compat).unwrap_err().status, 413);
    // What real clients send in one request is far from it.
    let usual = json!({ "op": "replace", "path": "emails[value eq \"7\"].display", "value": "x" });
    assert!(apply_to(&many, &Value::Array(vec![usual; 1_000]), Mode::Compat).is_ok());
}
