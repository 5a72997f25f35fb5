use super::*;

#[test]
fn add_sets_appends_and_merges() {
    let patched = both(&json!([
        { "op": "add", "path": "nickName", "value": "Ada" },
        { "op": "add", "path": "name", "value": { "middleName": "King" } },
        { "op": "add", "path": "name.honorificPrefix", "value": "Lady" },
        { "op": "add", "path": "emails", "value": [{ "value": "third@example.org", "type": "other" }] },
        { "op": "add", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:costCenter", "value": "1" },
    ]));
    assert_eq!(patched["nickName"], json!("Ada"));
    assert_eq!(
        patched["name"],
        json!({ "givenName": "Ada", "familyName": "Lovelace", "middleName": "King", "honorificPrefix": "Lady" })
    );
    assert_eq!(patched["emails"].as_array().map(Vec::len), Some(3));
    assert_eq!(
        patched[ENTERPRISE_URN],
        json!({ "department": "Math", "costCenter": "1" })
    );
}

#[test]
fn adding_what_is_there_changes_nothing() {
    for operations in [
        json!([{ "op": "add", "path": "title", "value": "Countess" }]),
        json!([{ "op": "add", "path": "emails", "value": [{ "value": "ada@home.example", "type": "home" }] }]),
        json!([{ "op": "add", "path": "emails", "value": [{ "value": "ADA@HOME.EXAMPLE" }] }]),
        json!([{ "op": "add", "path": "emails[type eq \"work\"]", "value": { "primary": true } }]),
        json!([{ "op": "replace", "path": "name", "value": { "givenName": "Ada" } }]),
        json!([{ "op": "add", "path": ENTERPRISE_URN, "value": { "department": "Math" } }]),
        json!([{ "op": "add", "path": "schemas", "value": [ENTERPRISE_URN] }]),
        json!([{ "op": "add", "path": "password", "value": "secret" }]),
        json!([{ "op": "remove", "path": "nickName" }]),
        json!([{ "op": "remove", "path": "photos" }]),
        json!([{ "op": "remove", "path": "name.middleName" }]),
    ] {
        assert_eq!(both(&operations), Value::Object(ada().into_map()), "{operations}");
    }
}

#[test]
fn adding_more_about_an_element_does_not_double_it() {
    let operations = json!([{ "op": "add", "path": "emails", "value": [
        { "value": "ada@home.example", "type": "home", "display": "At home" },
    ] }]);
    assert_eq!(
        both(&operations)["emails"][1],
        json!({ "value": "ada@home.example", "type": "home", "display": "At home" })
    );
}

#[test]
fn a_new_primary_value_takes_the_place_of_the_old() {
    for operations in [
        json!([{ "op": "add", "path": "emails", "value": [{ "value": "n@example.org", "primary": true }] }]),
        json!([{ "op": "replace", "path": "emails[type eq \"home\"].primary", "value": true }]),
        json!([{ "op": "add", "path": "emails[type eq \"home\"]", "value": { "primary": true } }]),
    ] {
        let patched = both(&operations);
        let emails = patched["emails"].as_array().unwrap();
        let primary = |email: &&Value| email["primary"] == json!(true);
        assert_eq!(emails.iter().filter(primary).count(), 1, "{operations}");
        assert_eq!(emails[0]["primary"], json!(false), "{operations}");
    }
}

#[test]
fn replace_sets_lists_elements_and_parts() {
    let operations =
        json!([{ "op": "replace", "path": "emails", "value": [{ "value": "only@example.org" }] }]);
    assert_eq!(
        both(&operations)["emails"],
        json!([{ "value": "only@example.org" }])
    );
    let operations =
        json!([{ "op": "replace", "path": "emails[type eq \"home\"].value", "value": "h@example.org" }]);
    assert_eq!(
        both(&operations)["emails"][1],
        json!({ "value": "h@example.org", "type": "home" })
    );
    let operations = json!([{ "op": "replace", "path": "emails[type eq \"home\"]", "value": { "value": "h@example.org", "type": "other" } }]);
    assert_eq!(
        both(&operations)["emails"][1],
        json!({ "value": "h@example.org", "type": "other" })
    );
    let operations = json!([{ "op": "replace", "path": "emails.display", "value": "Ada" }]);
    let patched = both(&operations);
    assert_eq!(
        (&patched["emails"][0]["display"], &patched["emails"][1]["display"]),
        (&json!("Ada"), &json!("Ada"))
    );
    let operations = json!([{ "op": "replace", "path": "nickName", "value": "A" }]);
    assert_eq!(
        both(&operations)["nickName"],
        json!("A"),
        "replace of what is not there adds"
    );
    let operations = json!([{ "op": "replace", "path": ENTERPRISE_URN, "value": { "division": "X" } }]);
    assert_eq!(
        both(&operations)[ENTERPRISE_URN],
        json!({ "department": "Math", "division": "X" })
    );
}

#[test]
fn null_and_the_empty_list_unassign() {
    for operations in [
        json!([{ "op": "replace", "path": "emails", "value": [] }]),
        json!([{ "op": "replace", "path": "emails", "value": null }]),
        json!([{ "op": "remove", "path": "emails" }]),
    ] {
        assert_eq!(both(&operations).get("emails"), None, "{operations}");
    }
    let operations = json!([{ "op": "replace", "path": "name", "value": { "givenName": null } }]);
    assert_eq!(both(&operations)["name"], json!({ "familyName": "Lovelace" }));
    let operations = json!([{ "op": "replace", "path": ENTERPRISE_URN, "value": null }]);
    assert_eq!(both(&operations).get(ENTERPRISE_URN), None);
}

#[test]
fn remove_takes_elements_and_parts() {
    let operations = json!([{ "op": "remove", "path": "emails[type eq \"home\" and value co \"home\"]" }]);
    assert_eq!(both(&operations)["emails"].as_array().map(Vec::len), Some(1));
    let operations = json!([{ "op": "remove", "path": "emails[type eq \"work\"].primary" }]);
    assert_eq!(
        both(&operations)["emails"][0],
        json!({ "value": "ada@example.org", "type": "work" })
    );
    let operations = json!([{ "op": "remove", "path": "emails[value pr]" }]);
    assert_eq!(both(&operations).get("emails"), None);
    let operations = json!([{ "op": "remove", "path": "name" }]);
    assert_eq!(both(&operations).get("name"), None);
    let operations = json!([{ "op": "remove", "path": ENTERPRISE_URN }]);
    assert_eq!(both(&operations).get(ENTERPRISE_URN), None);
}

#[test]
fn lists_of_plain_values_are_edited_too() {
    let add = json!([{ "op": "add", "path": "urn:provost:scim:schemas:extension:custom:2.0:User:badges", "value": ["red", "blue"] }]);
    let custom = "urn:provost:scim:schemas:extension:custom:2.0:User";
    assert_eq!(both(&add)[custom], json!({ "badges": ["red", "blue"] }));
    let badges = format!("{custom}:badges");
    let twice = json!([
        { "op": "add", "path": badges, "value": ["red", "blue"] },
        { "op": "add", "path": badges, "value": ["blue", "green"] },
        { "op": "remove", "path": format!("{badges}[value eq \"red\"]") },
    ]);
    assert_eq!(both(&twice)[custom], json!({ "badges": ["blue", "green"] }));
}

#[test]
fn what_must_stay_cannot_be_removed() {
    for (operations, expected) in [
        (
            json!([{ "op": "remove", "path": "userName" }]),
            ScimType::Mutability,
        ),
        (json!([{ "op": "remove", "path": "id" }]), ScimType::Mutability),
        (
            json!([{ "op": "remove", "path": "groups" }]),
            ScimType::Mutability,
        ),
        (
            json!([{ "op": "remove", "path": "meta.created" }]),
            ScimType::Mutability,
        ),
        (
            json!([{ "op": "replace", "path": "id", "value": "x" }]),
            ScimType::Mutability,
        ),
        (
            json!([{ "op": "add", "path": "groups", "value": [{ "value": "g" }] }]),
            ScimType::Mutability,
        ),
        (
            json!([{ "op": "replace", "path": "userName", "value": null }]),
            ScimType::InvalidValue,
        ),
        (
            json!([{ "op": "replace", "path": "manager.displayName", "value": "x" }]),
            ScimType::Mutability,
        ),
    ] {
        assert_eq!(refusal(&operations, Mode::Compat), Some(expected), "{operations}");
    }
}

#[test]
fn broken_operations_are_refused_in_both_modes() {
    for (operations, expected) in [
        (json!([{ "op": "remove" }]), ScimType::NoTarget),
        (
            json!([{ "op": "remove", "value": { "title": "x" } }]),
            ScimType::NoTarget,
        ),
        (
            json!([{ "op": "move", "path": "title", "value": "x" }]),
            ScimType::InvalidSyntax,
        ),
        (
            json!([{ "path": "title", "value": "x" }]),
            ScimType::InvalidSyntax,
        ),
        (
            json!([{ "op": 1, "path": "title", "value": "x" }]),
            ScimType::InvalidSyntax,
        ),
        (json!(["add"]), ScimType::InvalidSyntax),
        (json!("add"), ScimType::InvalidSyntax),
        (json!([{ "op": "add", "path": "title" }]), ScimType::InvalidValue),
        (
            json!([{ "op": "add", "path": 5, "value": "x" }]),
            ScimType::InvalidPath,
        ),
        (
            json!([{ "op": "add", "path": "emails[", "value": "x" }]),
            ScimType::InvalidPath,
        ),
        (
            json!([{ "op": "add", "path": "emails[shoe eq 1]", "value": "x" }]),
            ScimType::InvalidFilter,
        ),
    ] {
        for mode in [Mode::Compat, Mode::Strict] {
            assert_eq!(
                refusal(&operations, mode),
                Some(expected),
                "{operations} {mode:?}"
            );
        }
    }
}

#[test]
fn wrong_values_are_refused_in_both_modes() {
    for (operations, expected) in [
        (
            json!([{ "op": "add", "path": "active", "value": "yes" }]),
            ScimType::InvalidValue,
        ),
        (
            json!([{ "op": "add", "path": "active", "value": 1 }]),
            ScimType::InvalidValue,
        ),
        (
            json!([{ "op": "add", "path": "title", "value": 7 }]),
            ScimType::InvalidValue,
        ),
        (
            json!([{ "op": "add", "path": "title", "value": ["a", "b"] }]),
            ScimType::InvalidValue,
        ),
        (
            json!([{ "op": "add", "path": "name", "value": "Ada" }]),
            ScimType::InvalidValue,
        ),
        (
            json!([{ "op": "add", "path": "emails", "value": [7] }]),
            ScimType::InvalidValue,
        ),
        (
            json!([{ "op": "add", "path": "x509Certificates", "value": [{ "value": "not base64!" }] }]),
            ScimType::InvalidValue,
        ),
        (
            json!([{ "op": "replace", "path": "emails[type ne \"work\" and type ne \"home\"].value", "value": "x" }]),
            ScimType::NoTarget,
        ),
        (
            json!([{ "op": "add", "path": ENTERPRISE_URN, "value": "x" }]),
            ScimType::InvalidValue,
        ),
    ] {
        for mode in [Mode::Compat, Mode::Strict] {
            assert_eq!(
                refusal(&operations, mode),
                Some(expected),
                "{operations} {mode:?}"
            );
        }
    }
    assert_eq!(
        refusal(&json!([{ "op": "add", "value": "x" }]), Mode::Compat),
        Some(ScimType::InvalidValue)
    );
}

#[test]
fn strict_connections_refuse_what_the_profile_refuses() {
    for (operations, expected) in [
        (
            json!([{ "op": "replace", "value": { "title": "x" } }]),
            ScimType::InvalidPath,
        ),
        (
            json!([{ "op": "replace", "path": "", "value": { "title": "x" } }]),
            ScimType::InvalidPath,
        ),
        (
            json!([{ "op": "add", "path": "shoeSize", "value": 7 }]),
            ScimType::InvalidPath,
        ),
        (
            json!([{ "op": "add", "path": "department", "value": "x" }]),
            ScimType::InvalidPath,
        ),
        (
            json!([{ "op": "add", "path": "urn:x:y:shoeSize", "value": 7 }]),
            ScimType::InvalidPath,
        ),
        (
            json!([{ "op": "add", "path": "name", "value": { "shoe": 1 } }]),
            ScimType::InvalidSyntax,
        ),
        (
            json!([{ "op": "replace", "path": "active", "value": "False" }]),
            ScimType::InvalidValue,
        ),
        (
            json!([{ "op": "add", "path": "emails", "value": { "value": "x" } }]),
            ScimType::InvalidValue,
        ),
        (
            json!([{ "op": "add", "path": "emails", "value": ["x"] }]),
            ScimType::InvalidValue,
        ),
        (
            json!([{ "op": "add", "path": "emails", "value": [{ "value": "x", "type": "moon" }] }]),
            ScimType::InvalidValue,
        ),
        (
            json!([{ "op": "replace", "path": "emails[type eq \"other\"].value", "value": "x" }]),
            ScimType::NoTarget,
        ),
        (
            json!([{ "op": "remove", "path": "emails[type eq \"other\"]" }]),
            ScimType::NoTarget,
        ),
        (
            json!([{ "op": "remove", "path": "emails", "value": [{ "value": "ada@home.example" }] }]),
            ScimType::InvalidValue,
        ),
        (json!([]), ScimType::InvalidSyntax),
        (
            json!([{ "op": "add", "path": "emails", "value": [
            { "value": "a", "primary": true }, { "value": "b", "primary": true },
        ] }]),
            ScimType::InvalidValue,
        ),
    ] {
        assert_eq!(refusal(&operations, Mode::Strict), Some(expected), "{operations}");
    }
    let no_schemas = json!({ "Operations": [{ "op": "add", "path": "title", "value": "x" }] });
    let parse = |mode| Patch::parse(&no_schemas, ResourceKind::User, &SCHEMAS, mode);
    assert_eq!(
        parse(Mode::Strict).unwrap_err().scim_type,
        Some(ScimType::InvalidSyntax)
    );
    assert!(parse(Mode::Compat).is_ok());
}

#[test]
fn a_value_list_removes_the_listed_elements_only() {
    let operations =
        json!([{ "op": "remove", "path": "emails", "value": [{ "value": "ADA@home.example" }] }]);
    let patched = apply_to(&ada(), &operations, Mode::Compat).unwrap();
    assert_eq!(patched.emails().collect::<Vec<_>>(), ["ada@example.org"]);
    let other_type = json!([{ "op": "remove", "path": "emails", "value": [{ "value": "ada@home.example", "type": "work" }] }]);
    assert_eq!(apply_to(&ada(), &other_type, Mode::Compat), Ok(ada()));
}

#[test]
fn either_everything_happens_or_nothing() {
    let operations = json!([
        { "op": "replace", "path": "title", "value": "changed" },
        { "op": "replace", "path": "active", "value": "yes" },
    ]);
    let error = apply_to(&ada(), &operations, Mode::Compat).unwrap_err();
    assert!(error.detail.starts_with("operation 2: "), "{error}");
    let late = json!([
        { "op": "replace", "path": "title", "value": "changed" },
        { "op": "replace", "path": "emails[type eq \"other\"].value", "value": "x" },
    ]);
    let patch = Patch::parse(&body(&late), ResourceKind::User, &SCHEMAS, Mode::Strict).unwrap();
    let stored = ada();
    assert_eq!(
        patch.apply_user(&stored).unwrap_err().scim_type,
        Some(ScimType::NoTarget)
    );
    assert_eq!(stored, ada());
}

#[test]
fn groups_get_deltas_and_are_never_loaded() {
    let group = document(json!({ "displayName": "G" }));
    let apply = |operations: Value| {
        let patch = Patch::parse(&body(&operations), ResourceKind::Group, &SCHEMAS, Mode::Strict)?;
        patch.apply_group(&group)
    };
    let changed = apply(json!([
        { "op": "replace", "path": "displayName", "value": "H" },
        { "op": "add", "path": "members", "value": [{ "value": "u1" }] },
        { "op": "remove", "path": "members[value eq \"u2\"]" },
        { "op": "replace", "path": "members", "value": [] },
    ]))
    .unwrap();
    assert_eq!(changed.document, document(json!({ "displayName": "H" })));
    let u1 = MemberRef {
        value: "u1".to_owned(),
        kind: None,
        display: None,
    };
    assert_eq!(
        changed.members,
        [
            MemberChange::Add(vec![u1]),
            MemberChange::Remove(vec!["u2".to_owned()]),
            MemberChange::Clear
        ]
    );
    for (operations, expected) in [
        (
            json!([{ "op": "remove", "path": "displayName" }]),
            ScimType::Mutability,
        ),
        (
            json!([{ "op": "replace", "path": "members[value eq \"u1\"].value", "value": "u2" }]),
            ScimType::Mutability,
        ),
        (
            json!([{ "op": "replace", "path": "members[value eq \"u1\"].display", "value": "x" }]),
            ScimType::Mutability,
        ),
        (
            json!([{ "op": "remove", "path": "members.value" }]),
            ScimType::Mutability,
        ),
        (
            json!([{ "op": "add", "path": "members", "value": [{ "display": "nobody" }] }]),
            ScimType::InvalidValue,
        ),
        (
            json!([{ "op": "add", "path": "members", "value": [7] }]),
            ScimType::InvalidValue,
        ),
        (
            json!([{ "op": "add", "path": "members", "value": 7 }]),
            ScimType::InvalidValue,
        ),
        (
            json!([{ "op": "add", "path": "userName", "value": "x" }]),
            ScimType::InvalidPath,
        ),
    ] {
        let error = apply(operations.clone()).expect_err(&operations.to_string());
        assert_eq!(error.scim_type, Some(expected), "{operations}");
    }
}
