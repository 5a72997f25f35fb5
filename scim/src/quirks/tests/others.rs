use super::*;

#[test]
fn jumpcloud_sends_a_member_list_and_repeats_it() {
    let add = json!({ "op": "add", "path": "members", "value": [{ "value": "u1" }] });
    let changed = group_patch(json!([add, add]));
    let change = MemberChange::Add(vec![member("u1")]);
    assert_eq!(changed.members, [change.clone(), change]);
}

#[test]
fn microsofts_collection_sends_a_member_as_text() {
    let operations = json!([{ "op": "add", "path": "members", "value": "string id 1" }]);
    assert_eq!(
        group_patch(operations).members,
        [MemberChange::Add(vec![member("string id 1")])]
    );
}

#[test]
fn a_member_may_be_named_by_its_address_only() {
    let value = json!([{ "$ref": "https://idp.example/scim/c1/v2/Users/u1", "type": "User" }]);
    let operations = json!([{ "op": "add", "path": "members", "value": value }]);
    let named = MemberRef {
        kind: Some("User".to_owned()),
        ..member("u1")
    };
    assert_eq!(group_patch(operations).members, [MemberChange::Add(vec![named])]);
}

#[test]
fn onelogin_templates_hold_anything() {
    let created = post(&json!({
        "userName": "a@b.c",
        "a b": 1,
        "": "x",
        "ü": true,
        "level.of.nonsense": {},
        "emails": "a@b.c",
        "phoneNumbers": { "value": "1" },
        "customThing": [1, 2],
    }));
    assert_eq!(
        created,
        json!({
            "userName": "a@b.c",
            "emails": [{ "value": "a@b.c" }],
            "phoneNumbers": [{ "value": "1" }],
            "customThing": [1, 2],
        })
    );
}

#[test]
fn numbers_come_as_text() {
    let mut level = CustomAttribute::text("level");
    level.kind = crate::schema::Kind::Integer;
    let mut ratio = CustomAttribute::text("ratio");
    ratio.kind = crate::schema::Kind::Decimal;
    let schemas = Schemas::new(&[level, ratio]);
    let body = json!({ "userName": "x", "level": "5", "ratio": "0.5" });
    let read = |mode| Document::user_from_post(&body, &schemas, mode);
    assert_eq!(
        read(Mode::Compat).unwrap().get(Some(CUSTOM_URN), "level"),
        Some(&json!(5))
    );
    assert_eq!(
        read(Mode::Compat).unwrap().get(Some(CUSTOM_URN), "ratio"),
        Some(&json!(0.5))
    );
    assert_eq!(read(Mode::Strict).unwrap_err().status, 400);
    let body = json!({ "userName": "x", "level": "many" });
    let error = Document::user_from_post(&body, &schemas, Mode::Compat).unwrap_err();
    assert_eq!(error.scim_type, Some(crate::ScimType::InvalidValue));
}

#[test]
fn ping_compares_types_without_case() {
    let stored = user_with(json!({ "emails": [{ "value": "a@b.c", "type": "Work" }] }));
    let operations = json!([{ "op": "replace", "path": "emails[type eq \"work\"].value", "value": "x@b.c" }]);
    assert_eq!(
        patch(&stored, operations)["emails"],
        json!([{ "value": "x@b.c", "type": "Work" }])
    );
}

#[test]
fn sailpoint_expects_a_replaced_name_to_be_merged() {
    let operations = json!([{ "op": "replace", "path": "name", "value": { "familyName": "King" } }]);
    assert_eq!(
        patch(&ada(), operations)["name"],
        json!({ "givenName": "Ada", "familyName": "King" })
    );
}

#[test]
fn a_single_operation_without_a_list_is_read() {
    let body = json!({ "operations": { "OP": "Replace", "Path": "title", "Value": "T" } });
    let patch = Patch::parse(&body, ResourceKind::User, &schemas(), Mode::Compat).unwrap();
    assert_eq!(
        patch.apply_user(&user_with(json!({}))).unwrap(),
        user_with(json!({ "title": "T" }))
    );
}
