use super::*;

#[test]
fn create_drops_the_dummy_password_and_the_empty_groups() {
    let created = post(&json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": "a@b.c",
        "name": { "givenName": "A", "familyName": "B" },
        "emails": [{ "primary": true, "value": "a@b.c", "type": "work" }],
        "displayName": "A B",
        "locale": "en-US",
        "externalId": "00u1",
        "groups": [],
        "password": "x",
        "active": true,
    }));
    assert_eq!(
        created,
        json!({
            "userName": "a@b.c",
            "name": { "givenName": "A", "familyName": "B" },
            "emails": [{ "primary": true, "value": "a@b.c", "type": "work" }],
            "displayName": "A B",
            "locale": "en-US",
            "externalId": "00u1",
            "active": true,
        })
    );
}

#[test]
fn update_sends_back_everything_it_has_read() {
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "id": "u1",
        "userName": "ada@example.org",
        "title": "Countess",
        "groups": [{ "value": "g1", "display": "G" }],
        "meta": { "resourceType": "User", "version": "W/\"1\"", "location": "https://x/Users/u1" },
    });
    let inactive = user_with(json!({ "active": false, "nickName": "Ada" }));
    let put = Document::user_from_put(&inactive, &body, &schemas(), Mode::Compat).unwrap();
    // A dropped `active` neither suspends nor revives; everything else is as the body says.
    assert_eq!(put, user_with(json!({ "active": false, "title": "Countess" })));
}

#[test]
fn r153_deactivation_of_gallery_apps_is_a_replace_without_a_path() {
    let mut expected = Value::Object(ada().into_map());
    expected["active"] = json!(false);
    assert_eq!(
        patch(&ada(), json!([{ "op": "replace", "value": { "active": false } }])),
        expected,
        "r155: the other fields stay"
    );
}

#[test]
fn r153_deactivation_of_wizard_apps_is_a_put() {
    let body = json!({ "userName": "ada@example.org", "active": false });
    let put = Document::user_from_put(&ada(), &body, &schemas(), Mode::Compat).unwrap();
    assert_eq!(put.active(), Some(false));
}

#[test]
fn a_pushed_group_may_be_empty() {
    let body = json!({ "displayName": "G", "members": [] });
    let (group, members) = Document::group_from_post(&body, &schemas(), Mode::Compat).unwrap();
    assert_eq!((group.display_name(), members), (Some("G"), vec![]));
}

#[test]
fn a_rename_echoes_the_id() {
    let renamed = group_patch(json!([{ "op": "replace", "value": { "id": "g1", "displayName": "G2" } }]));
    assert_eq!(renamed.document, stored(json!({ "displayName": "G2" })));
    assert_eq!(renamed.members, []);
}

#[test]
fn members_of_gallery_apps_are_removed_by_filter_and_added_by_list() {
    let changed = group_patch(json!([
        { "op": "remove", "path": "members[value eq \"u1\"]" },
        { "op": "add", "path": "members", "value": [{ "value": "u2", "display": "d" }] },
    ]));
    let added = MemberRef {
        display: Some("d".to_owned()),
        ..member("u2")
    };
    assert_eq!(
        changed.members,
        [MemberChange::Remove(ids(&["u1"])), MemberChange::Add(vec![added])]
    );
}

#[test]
fn a_full_push_replaces_the_members() {
    let value = json!([{ "value": "u1" }, { "value": "u2" }]);
    let changed = group_patch(json!([{ "op": "replace", "path": "members", "value": value }]));
    assert_eq!(
        changed.members,
        [MemberChange::Replace(vec![member("u1"), member("u2")])]
    );
}

#[test]
fn an_empty_push_empties_the_group() {
    for operations in [
        json!([{ "op": "replace", "path": "members", "value": [] }]),
        json!([{ "op": "replace", "value": { "members": [], "id": "g1", "displayName": "G" } }]),
    ] {
        let changed = group_patch(operations);
        assert_eq!(changed.members, [MemberChange::Clear]);
        assert_eq!(changed.document, stored(json!({ "displayName": "G" })));
    }
}

#[test]
fn members_of_wizard_apps_come_in_a_put_without_id() {
    let body = json!({ "displayName": "G", "members": [{ "value": "u1" }, { "value": "u1" }] });
    let before = stored(json!({ "displayName": "Old" }));
    let (group, members) = Document::group_from_put(&before, &body, &schemas(), Mode::Compat).unwrap();
    assert_eq!((group.display_name(), members), (Some("G"), vec![member("u1")]));
    let (_, members) =
        Document::group_from_put(&before, &json!({ "displayName": "G" }), &schemas(), Mode::Compat).unwrap();
    assert_eq!(members, [], "a put without members empties the group");
}

#[test]
fn the_namespace_of_an_added_attribute_is_the_administrators_choice() {
    for body in [
        json!({ "userName": "a@b.c", "nfc": "04:A2" }),
        json!({ "userName": "a@b.c", "urn:okta:acme_1:1.0:user:custom": { "nfc": "04:A2" } }),
        json!({ "userName": "a@b.c", "urn:okta:acme_1:1.0:user:custom:NFC": "04:A2" }),
        json!({ "userName": "a@b.c", CUSTOM_URN: { "nfc": "04:A2" } }),
    ] {
        assert_eq!(
            post(&body),
            json!({ "userName": "a@b.c", CUSTOM_URN: { "nfc": "04:A2" } })
        );
    }
}

#[test]
fn unknown_attributes_are_kept_as_they_came() {
    let body = json!({
        "userName": "a@b.c",
        "badge": 7,
        "urn:okta:acme_1:1.0:user:custom": { "shoe": { "size": 42 }, "list": [{ "type": "a" }], "empty": null },
    });
    assert_eq!(
        post(&body),
        json!({
            "userName": "a@b.c",
            "badge": 7,
            "urn:okta:acme_1:1.0:user:custom": { "shoe": { "size": 42 }, "list": [{ "type": "a" }] },
        })
    );
}

#[test]
fn a_group_with_a_description_is_accepted() {
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group", "urn:okta:custom:group:1.0"],
        "displayName": "G",
        "urn:okta:custom:group:1.0": { "description": "All of us" },
    });
    let (group, _) = Document::group_from_post(&body, &schemas(), Mode::Compat).unwrap();
    let description = group.get(Some("urn:okta:custom:group:1.0"), "description");
    assert_eq!(description, Some(&json!("All of us")));
}

#[test]
fn a_password_is_never_kept_wherever_it_is_mapped_to() {
    let body = json!({
        "userName": "a@b.c",
        "PASSWORD": "x",
        "urn:okta:acme_1:1.0:user:custom": { "Password": "x" },
        "urn:okta:acme_1:1.0:user:other:password": "x",
        "urn:ietf:params:scim:schemas:core:2.0:User:password": "x",
    });
    assert_eq!(post(&body), json!({ "userName": "a@b.c" }));
    let group = json!({ "displayName": "G", "password": "x" });
    let (group, _) = Document::group_from_post(&group, &schemas(), Mode::Compat).unwrap();
    assert_eq!(group, stored(json!({ "displayName": "G" })));
}
