use super::*;
use crate::schema::ENTERPRISE_URN;

fn meta(kind: &str) -> Meta {
    Meta {
        created: "2026-01-31T12:00:00Z".parse().unwrap(),
        last_modified: "2026-02-01T12:00:00.5Z".parse().unwrap(),
        location: format!("https://idp.example/scim/c1/v2/{kind}/1"),
        version: Some("W/\"7\"".to_owned()),
    }
}

fn document(value: Value) -> Document {
    let Value::Object(parts) = value else {
        panic!("a document is an object")
    };
    Document::from_stored(parts)
}

#[test]
fn a_user_has_what_every_resource_has_and_its_groups() {
    let stored = document(json!({ "userName": "ada", ENTERPRISE_URN: { "department": "Math" } }));
    let groups = [GroupOfUser {
        id: "g1".to_owned(),
        location: "https://idp.example/scim/c1/v2/Groups/g1".to_owned(),
        display: Some("G".to_owned()),
        is_direct: true,
    }];
    assert_eq!(
        Value::Object(user(&stored, "1", &meta("Users"), Some(&groups))),
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE_URN],
            "id": "1",
            "userName": "ada",
            ENTERPRISE_URN: { "department": "Math" },
            "groups": [{
                "value": "g1", "$ref": "https://idp.example/scim/c1/v2/Groups/g1", "display": "G", "type": "direct",
            }],
            "meta": {
                "resourceType": "User",
                "created": "2026-01-31T12:00:00.000Z",
                "lastModified": "2026-02-01T12:00:00.500Z",
                "location": "https://idp.example/scim/c1/v2/Users/1",
                "version": "W/\"7\"",
            },
        })
    );
}

#[test]
fn schemas_lists_exactly_the_extensions_in_use() {
    let shown = user(&document(json!({ "userName": "a" })), "1", &meta("Users"), None);
    assert_eq!(
        shown["schemas"],
        json!(["urn:ietf:params:scim:schemas:core:2.0:User"])
    );
    assert!(!shown.contains_key("groups"));
    let shown = user(
        &document(json!({ "userName": "a", "urn:x:y": { "z": 1 } })),
        "1",
        &meta("Users"),
        Some(&[]),
    );
    assert_eq!(
        shown["schemas"],
        json!(["urn:ietf:params:scim:schemas:core:2.0:User", "urn:x:y"])
    );
    assert!(!shown.contains_key("groups"));
}

#[test]
fn members_are_absent_only_if_they_were_not_loaded() {
    let stored = document(json!({ "displayName": "G" }));
    let mut plain = meta("Groups");
    plain.version = None;
    assert!(!group(&stored, "1", &plain, None).contains_key("members"));
    assert_eq!(group(&stored, "1", &plain, Some(&[]))["members"], json!([]));
    let members = [Member {
        id: "u1".to_owned(),
        location: "https://idp.example/scim/c1/v2/Users/u1".to_owned(),
        display: None,
        kind: ResourceKind::User,
    }];
    let shown = group(&stored, "1", &plain, Some(&members));
    assert_eq!(
        shown["members"],
        json!([{ "value": "u1", "$ref": "https://idp.example/scim/c1/v2/Users/u1", "type": "User" }])
    );
    assert_eq!(shown["meta"].get("version"), None);
}
