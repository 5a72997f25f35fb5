use super::*;

const MANAGER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager";

fn enterprise(document: &Value) -> Value {
    document.get(ENTERPRISE_URN).cloned().unwrap_or_default()
}

#[test]
fn create_sends_nulls_meta_and_text_booleans() {
    let created = post(&json!({
        "schemas": [
            "urn:ietf:params:scim:schemas:core:2.0:User",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
        ],
        "externalId": "0a21f0f2",
        "userName": "ada@example.org",
        "active": "True",
        "emails": [{ "primary": true, "type": "work", "value": "ada@example.org" }],
        "meta": { "resourceType": "User" },
        "name": { "formatted": null, "familyName": "Lovelace", "givenName": "Ada" },
        "title": null,
        "department": null,
        "roles": [],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "department": "Math", "manager": null },
    }));
    assert_eq!(
        created,
        json!({
            "externalId": "0a21f0f2",
            "userName": "ada@example.org",
            "active": true,
            "emails": [{ "primary": true, "type": "work", "value": "ada@example.org" }],
            "name": { "familyName": "Lovelace", "givenName": "Ada" },
            ENTERPRISE_URN: { "department": "Math" },
        })
    );
}

#[test]
fn a_group_has_a_second_schema_and_no_members() {
    let body = json!({
        "schemas": [
            "urn:ietf:params:scim:schemas:core:2.0:Group",
            "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group",
        ],
        "externalId": "8aa1a0c0",
        "displayName": "G",
        "meta": { "resourceType": "Group" },
    });
    let (group, members) = Document::group_from_post(&body, &schemas(), Mode::Compat).unwrap();
    assert_eq!(
        group,
        stored(json!({ "externalId": "8aa1a0c0", "displayName": "G" }))
    );
    assert_eq!(members, []);
}

#[test]
fn r154_disabling_is_a_capital_replace_with_a_text() {
    for value in [json!("False"), json!("false"), json!(false)] {
        let patched = patch(
            &ada(),
            json!([{ "op": "Replace", "path": "active", "value": value }]),
        );
        assert_eq!(patched["active"], json!(false));
    }
}

#[test]
fn a_missing_element_is_made_and_is_never_primary() {
    for word in ["Add", "Replace"] {
        let operations =
            json!([{ "op": word, "path": "emails[type eq \"work\"].value", "value": "x@example.org" }]);
        let patched = patch(&user_with(json!({})), operations);
        assert_eq!(
            patched["emails"],
            json!([{ "type": "work", "value": "x@example.org" }])
        );
    }
    let operations = json!([{ "op": "Add", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "1" }]);
    let home = user_with(json!({ "phoneNumbers": [{ "type": "home", "value": "2", "primary": true }] }));
    assert_eq!(
        patch(&home, operations)["phoneNumbers"],
        json!([{ "type": "home", "value": "2", "primary": true }, { "type": "mobile", "value": "1" }])
    );
}

#[test]
fn several_parts_of_one_request_make_one_element() {
    let part = |sub: &str, value: &str| json!({ "op": "Add", "path": format!("addresses[type eq \"work\"].{sub}"), "value": value });
    let operations = json!([
        part("streetAddress", "St James's Square 12"),
        part("locality", "London"),
        part("postalCode", "SW1Y 4JH"),
        part("country", "UK"),
    ]);
    assert_eq!(
        patch(&user_with(json!({})), operations)["addresses"],
        json!([{
            "type": "work",
            "streetAddress": "St James's Square 12",
            "locality": "London",
            "postalCode": "SW1Y 4JH",
            "country": "UK",
        }])
    );
}

#[test]
fn a_primary_mark_in_front_of_its_value_makes_one_element() {
    let operations = json!([
        { "op": "Add", "path": "emails[type eq \"work\"].primary", "value": "True" },
        { "op": "Add", "path": "emails[type eq \"work\"].value", "value": "x@example.org" },
    ]);
    assert_eq!(
        patch(&user_with(json!({})), operations)["emails"],
        json!([{ "type": "work", "primary": true, "value": "x@example.org" }])
    );
}

#[test]
fn dotted_and_urn_keys_are_paths() {
    let operations = json!([{
        "op": "replace",
        "value": {
            "displayName": "D",
            "name.givenName": "G",
            "emails[type eq \"work\"].value": "new@example.org",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber": "1",
        },
    }]);
    let patched = patch(&ada(), operations);
    assert_eq!(patched["displayName"], json!("D"));
    assert_eq!(
        patched["name"],
        json!({ "givenName": "G", "familyName": "Lovelace" })
    );
    assert_eq!(
        patched["emails"],
        json!([{ "value": "new@example.org", "type": "work", "primary": true }])
    );
    assert_eq!(enterprise(&patched), json!({ "employeeNumber": "1" }));
    assert!(patched.get("name.givenName").is_none());
}

#[test]
fn an_extension_path_is_split_on_the_last_known_urn() {
    let path = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department";
    let patched = patch(&ada(), json!([{ "op": "Add", "path": path, "value": "D" }]));
    assert_eq!(enterprise(&patched), json!({ "department": "D" }));
    let removed = patch(
        &user_with(json!({ ENTERPRISE_URN: { "department": "D" } })),
        json!([{ "op": "Remove", "path": path }]),
    );
    assert_eq!(
        removed.get(ENTERPRISE_URN),
        None,
        "an empty extension is not left behind"
    );
}

#[test]
fn the_manager_is_a_bare_id_and_stays_complex() {
    let forms = [
        json!([{ "op": "Add", "path": MANAGER, "value": "m1" }]),
        json!([{ "op": "Replace", "path": MANAGER, "value": { "value": "m1" } }]),
        json!([{ "op": "Add", "path": "manager", "value": [{ "$ref": null, "value": "m1" }] }]),
        json!([{ "op": "replace", "value": { MANAGER: "m1" } }]),
        json!([{ "op": "Add", "path": format!("{MANAGER}.value"), "value": "m1" }]),
    ];
    for operations in forms {
        let before =
            user_with(json!({ ENTERPRISE_URN: { "manager": { "value": "m0", "$ref": "../Users/m0" } } }));
        let patched = patch(&before, operations);
        assert_eq!(enterprise(&patched), json!({ "manager": { "value": "m1" } }));
    }
    let created = post(&json!({ "userName": "x", ENTERPRISE_URN: { "manager": "m1" } }));
    assert_eq!(enterprise(&created), json!({ "manager": { "value": "m1" } }));
}

#[test]
fn the_manager_is_removed_by_an_empty_text_or_a_filter() {
    let forms = [
        json!([{ "op": "Replace", "path": MANAGER, "value": "" }]),
        json!([{ "op": "Add", "path": MANAGER, "value": "" }]),
        json!([{ "op": "Replace", "path": MANAGER, "value": null }]),
        json!([{ "op": "Replace", "path": "manager", "value": [] }]),
        json!([{ "op": "Remove", "path": MANAGER }]),
        json!([{ "op": "Remove", "path": MANAGER, "value": "m1" }]),
        json!([{ "op": "Remove", "path": format!("{MANAGER}[value eq \"m1\"]") }]),
        json!([{ "op": "Remove", "path": format!("{MANAGER}.value") }]),
    ];
    for operations in forms {
        let before =
            user_with(json!({ ENTERPRISE_URN: { "manager": { "value": "m1", "$ref": "../Users/m1" } } }));
        assert_eq!(patch(&before, operations).get(ENTERPRISE_URN), None);
    }
    let before = user_with(json!({ ENTERPRISE_URN: { "manager": { "value": "m1" } } }));
    let operations = json!([{ "op": "Remove", "path": format!("{MANAGER}[value eq \"m2\"]") }]);
    assert_eq!(
        enterprise(&patch(&before, operations)),
        json!({ "manager": { "value": "m1" } })
    );
}

#[test]
fn members_are_added_with_an_empty_reference() {
    let operations = json!([{ "op": "Add", "path": "members", "value": [{ "$ref": null, "value": "u1" }] }]);
    assert_eq!(
        group_patch(operations).members,
        [MemberChange::Add(vec![member("u1")])]
    );
}

#[test]
fn only_the_listed_members_are_removed() {
    let operations =
        json!([{ "op": "Remove", "path": "members", "value": [{ "$ref": null, "value": "u1" }] }]);
    assert_eq!(
        group_patch(&operations).members,
        [MemberChange::Remove(ids(&["u1"]))]
    );
    // An empty list removes nobody; only a remove without any value empties the group.
    assert_eq!(
        group_patch(json!([{ "op": "Remove", "path": "members", "value": [] }])).members,
        []
    );
    assert_eq!(
        group_patch(json!([{ "op": "remove", "path": "members" }])).members,
        [MemberChange::Clear]
    );
    // The letter of the RFC would empty the group: strict connections refuse the form instead.
    let error = try_group_patch(&operations, Mode::Strict).unwrap_err();
    assert_eq!(error.scim_type, Some(crate::ScimType::InvalidValue));
}

#[test]
fn a_member_is_removed_by_filter() {
    let one = json!([{ "op": "remove", "path": "members[value eq \"u1\"]" }]);
    assert_eq!(group_patch(one).members, [MemberChange::Remove(ids(&["u1"]))]);
    let two = json!([{ "op": "remove", "path": "members[value eq \"u1\" or value eq \"u2\"]" }]);
    assert_eq!(
        group_patch(two).members,
        [MemberChange::Remove(ids(&["u1", "u2"]))]
    );
    let others = json!([{ "op": "remove", "path": "members[type eq \"User\"]" }]);
    assert!(matches!(
        group_patch(others).members.as_slice(),
        [MemberChange::RemoveMatching(_)]
    ));
}

#[test]
fn roles_are_chosen_by_a_text_boolean() {
    let path = "roles[primary eq \"True\"].value";
    let patched = patch(
        &user_with(json!({})),
        json!([{ "op": "Add", "path": path, "value": "Admin" }]),
    );
    assert_eq!(patched["roles"], json!([{ "primary": true, "value": "Admin" }]));
    let again = patch(
        &user_with(json!({ "roles": patched["roles"] })),
        json!([{ "op": "Replace", "path": path, "value": "User" }]),
    );
    assert_eq!(again["roles"], json!([{ "primary": true, "value": "User" }]));
}

#[test]
fn roles_are_json_inside_a_text() {
    let text = "{\"id\":\"r1\",\"value\":\"Admin\",\"displayName\":\"Administrator\"}";
    let role = json!({ "id": "r1", "value": "Admin", "displayName": "Administrator" });
    let forms = [
        json!([{ "op": "Add", "path": "roles", "value": [{ "value": text }] }]),
        json!([{ "op": "Add", "path": "roles", "value": [text] }]),
        json!([{ "op": "replace", "value": { "roles": [{ "value": text }] } }]),
    ];
    for operations in forms {
        assert_eq!(patch(&user_with(json!({})), operations)["roles"], json!([role]));
    }
    let operations = json!([{ "op": "Add", "path": "roles[primary eq \"True\"].value", "value": text }]);
    let mut primary = role;
    primary["primary"] = json!(true);
    assert_eq!(
        patch(&user_with(json!({})), operations)["roles"],
        json!([primary])
    );
    // What only looks like JSON is a text.
    let operations = json!([{ "op": "Add", "path": "roles", "value": [{ "value": "{admin}" }] }]);
    assert_eq!(
        patch(&user_with(json!({})), operations)["roles"],
        json!([{ "value": "{admin}" }])
    );
}

#[test]
fn the_null_test_clears_optional_attributes() {
    for value in [json!(""), json!(null)] {
        for word in ["Replace", "Add"] {
            let operations = json!([
                { "op": word, "path": "displayName", "value": value },
                { "op": word, "path": "name.givenName", "value": value },
                { "op": word, "path": "emails[type eq \"work\"].value", "value": value },
            ]);
            let patched = patch(&ada(), operations);
            assert_eq!(patched.get("displayName"), None);
            assert_eq!(patched["name"], json!({ "familyName": "Lovelace" }));
            assert_eq!(
                patched.get("emails"),
                None,
                "no element without its value is left behind"
            );
        }
    }
    let nothing_there =
        json!([{ "op": "Replace", "path": "phoneNumbers[type eq \"fax\"].value", "value": "" }]);
    assert_eq!(patch(&ada(), nothing_there), Value::Object(ada().into_map()));
}

#[test]
fn a_value_beside_the_removed_path_is_ignored() {
    let operations =
        json!([{ "op": "Remove", "path": "emails[type eq \"work\"].value", "value": "ada@example.org" }]);
    assert_eq!(patch(&ada(), operations).get("emails"), None);
}

#[test]
fn restoring_sets_active_again() {
    let left = user_with(json!({ "active": false }));
    let patched = patch(
        &left,
        json!([{ "op": "Replace", "path": "active", "value": "True" }]),
    );
    assert_eq!(patched["active"], json!(true));
}

#[test]
fn entra_documents_end_the_name_of_the_extension_with_a_colon() {
    let body = json!({ "userName": "ada@example.org", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:": { "employeeNumber": "1" } });
    let read = |mode| Document::user_from_post(&body, &schemas(), mode);
    let document = read(Mode::Compat).unwrap();
    assert_eq!(document.as_map()[ENTERPRISE_URN]["employeeNumber"], "1");
    assert_eq!(read(Mode::Strict).map_err(|error| error.status), Err(400));
}
