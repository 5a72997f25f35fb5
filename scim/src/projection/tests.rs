use serde_json::json;

use super::*;
use crate::schema::ENTERPRISE_URN;

fn ada() -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE_URN],
        "id": "u1",
        "userName": "ada",
        "name": { "givenName": "Ada", "familyName": "Lovelace" },
        "emails": [{ "value": "a@b.c", "type": "work" }, { "display": "x" }],
        "meta": { "resourceType": "User" },
        "badge": 7,
        ENTERPRISE_URN: { "department": "Math", "manager": { "value": "m1" } },
        "urn:x:y": { "z": 1 },
    })
}

fn projection(attributes: &str, excluded: &str) -> Result<Projection, ScimError> {
    let split = |list: &'static str| list.split(',');
    let leak = |text: &str| -> &'static str { Box::leak(text.to_owned().into_boxed_str()) };
    Projection::new(
        split(leak(attributes)),
        split(leak(excluded)),
        ResourceKind::User,
        &Schemas::default(),
    )
}

fn shown(attributes: &str, excluded: &str) -> Value {
    let Value::Object(mut resource) = ada() else {
        panic!("a resource is an object")
    };
    projection(attributes, excluded)
        .unwrap()
        .apply(&mut resource, ResourceKind::User, &Schemas::default());
    Value::Object(resource)
}

/// What is left without `id` and `schemas`, which are always there.
fn rest(attributes: &str, excluded: &str) -> Value {
    let mut shown = shown(attributes, excluded);
    let parts = shown.as_object_mut().unwrap();
    assert_eq!(parts.remove("id"), Some(json!("u1")));
    assert!(parts.remove("schemas").is_some());
    shown
}

#[test]
fn without_a_wish_everything_is_shown() {
    assert_eq!(shown("", ""), ada());
    assert_eq!(shown(" , ,", ""), ada());
}

#[test]
fn only_what_is_asked_for_is_shown() {
    for (attributes, expected) in [
        ("userName", json!({ "userName": "ada" })),
        (
            "USERNAME, Meta",
            json!({ "userName": "ada", "meta": { "resourceType": "User" } }),
        ),
        ("name.givenName", json!({ "name": { "givenName": "Ada" } })),
        (
            "name.givenName,name",
            json!({ "name": { "givenName": "Ada", "familyName": "Lovelace" } }),
        ),
        ("emails.value", json!({ "emails": [{ "value": "a@b.c" }] })),
        (
            "emails[value eq \"x\"]",
            json!({ "emails": [{ "value": "a@b.c", "type": "work" }, { "display": "x" }] }),
        ),
        (
            "urn:ietf:params:scim:schemas:core:2.0:User:userName",
            json!({ "userName": "ada" }),
        ),
        (
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value",
            json!({ ENTERPRISE_URN: { "manager": { "value": "m1" } } }),
        ),
        (
            ENTERPRISE_URN,
            json!({ ENTERPRISE_URN: { "department": "Math", "manager": { "value": "m1" } } }),
        ),
        ("department", json!({ ENTERPRISE_URN: { "department": "Math" } })),
        ("badge", json!({ "badge": 7 })),
        ("urn:x:y:z", json!({ "urn:x:y": { "z": 1 } })),
        ("title", json!({})),
        ("nonsense,a b", json!({})),
        ("id", json!({})),
    ] {
        assert_eq!(rest(attributes, ""), expected, "{attributes}");
    }
}

#[test]
fn the_excluded_is_not_shown_unless_it_always_is() {
    let without = |excluded: &str| rest("", excluded);
    assert_eq!(without("userName").get("userName"), None);
    assert_eq!(without("id,schemas,title"), without("title"));
    assert_eq!(
        without("name.givenName")["name"],
        json!({ "familyName": "Lovelace" })
    );
    assert_eq!(without("name.givenName,name.familyName").get("name"), None);
    assert_eq!(without(ENTERPRISE_URN).get(ENTERPRISE_URN), None);
    assert_eq!(
        without("department")[ENTERPRISE_URN],
        json!({ "manager": { "value": "m1" } })
    );
    assert_eq!(
        without("emails.type,emails.display")["emails"],
        json!([{ "value": "a@b.c" }])
    );
    assert_eq!(
        without("urn:ietf:params:scim:schemas:core:2.0:User"),
        json!({ ENTERPRISE_URN: { "department": "Math", "manager": { "value": "m1" } }, "urn:x:y": { "z": 1 } })
    );
}

#[test]
fn both_lists_at_once_are_refused() {
    let error = projection("userName", "name").unwrap_err();
    assert_eq!((error.status, error.code()), (400, "invalidValue"));
    assert_eq!(projection(&"a,".repeat(501), "").unwrap_err().status, 400);
}

#[test]
fn what_is_not_shown_need_not_be_loaded() {
    let group = |attributes: &[&str], excluded: &[&str]| {
        let lists = (attributes.iter().copied(), excluded.iter().copied());
        Projection::new(lists.0, lists.1, ResourceKind::Group, &Schemas::default()).unwrap()
    };
    assert!(Projection::everything().wants("members"));
    assert!(group(&["members.value"], &[]).wants("members"));
    assert!(!group(&["displayName"], &[]).wants("members"));
    assert!(!group(&[], &["Members"]).wants("members"));
    assert!(group(&[], &["members.display"]).wants("members"));
    assert!(group(&["displayName"], &[]).is_selection() && !group(&[], &["members"]).is_selection());
}

#[test]
fn what_is_never_returned_never_is() {
    let resource = json!({ "id": "u1", "password": "leak", "userName": "ada" });
    for attributes in [&[][..], &["password"], &["userName", "password"]] {
        let Value::Object(mut resource) = resource.clone() else {
            panic!("a resource is an object")
        };
        let projection = Projection::new(
            attributes.iter().copied(),
            [],
            ResourceKind::User,
            &Schemas::default(),
        )
        .unwrap();
        projection.apply(&mut resource, ResourceKind::User, &Schemas::default());
        assert_eq!(resource.get("password"), None, "{attributes:?}");
    }
}

#[test]
fn the_name_of_a_member_is_shown_only_to_whoever_asks_for_it() {
    let show = |attributes: &[&str], excluded: &[&str]| {
        let lists = (attributes.iter().copied(), excluded.iter().copied());
        let projection = Projection::new(lists.0, lists.1, ResourceKind::Group, &Schemas::default()).unwrap();
        let Value::Object(mut group) =
            json!({ "id": "g1", "members": [{ "value": "u1", "display": "Ada" }] })
        else {
            panic!("a resource is an object")
        };
        projection.apply(&mut group, ResourceKind::Group, &Schemas::default());
        group.remove("members")
    };
    for (attributes, excluded) in [(&[][..], &[][..]), (&["members"], &[]), (&[], &["displayName"])] {
        assert_eq!(show(attributes, excluded), Some(json!([{ "value": "u1" }])));
    }
    assert_eq!(
        show(&["members.display"], &[]),
        Some(json!([{ "display": "Ada" }]))
    );
    assert_eq!(
        show(&["members.value", "members.display"], &[]),
        Some(json!([{ "value": "u1", "display": "Ada" }]))
    );
}
