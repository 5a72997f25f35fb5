use serde_json::json;

use super::*;
use crate::ScimType;
use crate::schema::ENTERPRISE_URN;

fn post(body: &Value, mode: Mode) -> Result<Value, ScimError> {
    Document::user_from_post(body, &Schemas::default(), mode)
        .map(|document| Value::Object(document.into_map()))
}

fn strict_body(more: Value) -> Value {
    let mut body = json!({ "schemas": [crate::schema::USER_URN], "userName": "ada" });
    if let (Some(parts), Value::Object(more)) = (body.as_object_mut(), more) {
        parts.extend(more);
    }
    body
}

#[test]
fn names_get_their_one_true_spelling() {
    let body = json!({
        "USERNAME": "ada",
        "Name": { "GIVENNAME": "Ada" },
        "Emails": [{ "Value": "a@b.c", "TYPE": "Work" }],
        "URN:ietf:params:scim:schemas:extension:ENTERPRISE:2.0:User": { "Department": "Math" },
        "urn:ietf:params:scim:schemas:core:2.0:User": { "nickname": "A" },
    });
    assert_eq!(
        post(&body, Mode::Compat).unwrap(),
        json!({
            "userName": "ada",
            "name": { "givenName": "Ada" },
            "emails": [{ "value": "a@b.c", "type": "Work" }],
            "nickName": "A",
            ENTERPRISE_URN: { "department": "Math" },
        })
    );
}

#[test]
fn null_the_empty_list_and_absent_are_one_state() {
    let empty = json!({
        "userName": "ada",
        "title": null,
        "emails": [],
        "roles": [null, {}, { "type": "work" }, { "primary": true, "value": null }],
        "name": { "givenName": null },
        "addresses": [{ "type": "work", "locality": null }],
        ENTERPRISE_URN: { "department": null, "manager": {} },
    });
    assert_eq!(post(&empty, Mode::Compat).unwrap(), json!({ "userName": "ada" }));
}

#[test]
fn values_are_stored_as_they_are_sent() {
    let body = json!({
        "userName": "Ada@Example.ORG ",
        "phoneNumbers": [{ "value": "+44 (0) 20-1234", "type": "work" }],
        "timezone": "Europe/London",
    });
    assert_eq!(post(&body, Mode::Compat).unwrap(), body);
}

#[test]
fn r159_a_user_needs_a_user_name_and_a_group_a_name() {
    for body in [
        json!({}),
        json!({ "userName": null }),
        json!({ "userName": "" }),
        json!({ "userName": [] }),
    ] {
        let error = post(&body, Mode::Compat).unwrap_err();
        assert_eq!(error.scim_type, Some(ScimType::InvalidValue), "{body}");
        assert!(error.detail.contains("userName"), "{error}");
    }
    let error = Document::group_from_post(&json!({ "members": [] }), &Schemas::default(), Mode::Compat);
    assert!(error.unwrap_err().detail.contains("displayName"));
}

#[test]
fn wrong_types_are_refused_with_the_name_of_the_attribute() {
    for (more, name) in [
        (json!({ "userName": 7 }), "userName"),
        (json!({ "active": "perhaps" }), "active"),
        (json!({ "name": [1, 2] }), "name"),
        (json!({ "title": { "x": 1 } }), "title"),
        (json!({ "emails": [{ "value": 7 }] }), "emails"),
        (json!({ "emails": [[]] }), "emails"),
        (json!({ "emails": 7 }), "emails"),
        (
            json!({ "x509Certificates": [{ "value": "%%%" }] }),
            "x509Certificates",
        ),
    ] {
        for mode in [Mode::Compat, Mode::Strict] {
            let error = post(&strict_body(more.clone()), mode).expect_err(&more.to_string());
            assert_eq!(error.scim_type, Some(ScimType::InvalidValue), "{more}");
            assert!(error.detail.contains(name), "{error}");
        }
    }
    for body in [json!(null), json!([]), json!("x"), json!(7)] {
        assert_eq!(
            post(&body, Mode::Compat).unwrap_err().scim_type,
            Some(ScimType::InvalidSyntax)
        );
    }
}

#[test]
fn strict_bodies_name_their_schema_and_nothing_unknown() {
    let good = strict_body(json!({
        "name": { "givenName": "Ada" },
        "emails": [{ "value": "a@b.c", "type": "work" }],
        "id": "echo", "meta": {}, "groups": [], "password": "x",
        ENTERPRISE_URN: { "manager": { "value": "m1" } },
    }));
    assert_eq!(
        post(&good, Mode::Strict).unwrap(),
        json!({
            "userName": "ada",
            "name": { "givenName": "Ada" },
            "emails": [{ "value": "a@b.c", "type": "work" }],
            ENTERPRISE_URN: { "manager": { "value": "m1" } },
        })
    );
    for more in [
        json!({ "shoeSize": 7 }),
        json!({ "name.givenName": "Ada" }),
        json!({ "department": "Math" }),
        json!({ "name": { "shoe": 1 } }),
        json!({ "urn:x:y": { "z": 1 } }),
        json!({ ENTERPRISE_URN: { "shoe": 1 } }),
        json!({ "schemas": ["urn:x:y"] }),
        json!({ "schemas": [] }),
        json!({ "schemas": null }),
    ] {
        let error = post(&strict_body(more.clone()), Mode::Strict).expect_err(&more.to_string());
        assert_eq!(error.scim_type, Some(ScimType::InvalidSyntax), "{more}");
    }
}

#[test]
fn only_the_first_primary_value_stays_primary() {
    let emails = json!([{ "value": "a", "primary": true }, { "value": "b", "primary": true }]);
    let body = strict_body(json!({ "emails": emails }));
    assert_eq!(
        post(&body, Mode::Compat).unwrap()["emails"],
        json!([{ "value": "a", "primary": true }, { "value": "b", "primary": false }])
    );
    assert_eq!(
        post(&body, Mode::Strict).unwrap_err().scim_type,
        Some(ScimType::InvalidValue)
    );
}

#[test]
fn a_put_replaces_everything_but_the_state() {
    let put = |stored: Value, body: Value| {
        let Value::Object(stored) = stored else {
            panic!("a document is an object")
        };
        let stored = Document::from_stored(stored);
        let put = Document::user_from_put(&stored, &body, &Schemas::default(), Mode::Compat);
        Value::Object(put.unwrap().into_map())
    };
    let stored = json!({ "userName": "ada", "title": "T", "active": false, "x-unknown": 1 });
    assert_eq!(
        put(stored.clone(), json!({ "userName": "b" })),
        json!({ "userName": "b", "active": false })
    );
    assert_eq!(
        put(stored, json!({ "userName": "b", "active": true })),
        json!({ "userName": "b", "active": true })
    );
    assert_eq!(
        put(json!({ "userName": "ada" }), json!({ "userName": "b" })),
        json!({ "userName": "b" })
    );
}

#[test]
fn an_immutable_attribute_keeps_its_value() {
    let mut badge = (*Schemas::default().common().attribute("externalId").unwrap())
        .as_ref()
        .clone();
    badge.name = "badge".to_owned();
    badge.mutability = Mutability::Immutable;
    let mut schemas = Schemas::default();
    schemas.add_for_tests(badge);
    let first = Document::user_from_post(&json!({ "userName": "a" }), &schemas, Mode::Compat).unwrap();
    let put = |stored: &Document, badge: Value| {
        let body = json!({ "userName": "a", "badge": badge });
        Document::user_from_put(stored, &body, &schemas, Mode::Compat)
    };
    let second = put(&first, json!("1")).unwrap();
    assert!(put(&second, json!("1")).is_ok());
    for other in [json!("2"), json!(null)] {
        assert_eq!(
            put(&second, other).unwrap_err().scim_type,
            Some(ScimType::Mutability)
        );
    }
}

#[test]
fn what_the_server_needs_is_at_hand() {
    let body = json!({
        "userName": "ada",
        "externalId": "00u1",
        "displayName": "Ada L",
        "name": { "givenName": "Ada", "familyName": "Lovelace" },
        "locale": "en-GB",
        "active": "False",
        "emails": [{ "value": "h@x" , "type": "home" }, { "display": "none" }, { "value": "w@x", "type": "WORK" }],
    });
    let document = Document::user_from_post(&body, &Schemas::default(), Mode::Compat).unwrap();
    assert_eq!(document.user_name(), Some("ada"));
    assert_eq!(document.external_id(), Some("00u1"));
    assert_eq!(document.display_name(), Some("Ada L"));
    assert_eq!(
        (document.given_name(), document.family_name()),
        (Some("Ada"), Some("Lovelace"))
    );
    assert_eq!(document.language(), Some("en-GB"));
    assert_eq!(document.active(), Some(false));
    assert_eq!(document.emails().collect::<Vec<_>>(), ["h@x", "w@x"]);
    assert_eq!(document.primary_email(), Some("w@x"));
    assert_eq!(Document::default().primary_email(), None);
    assert_eq!(document.custom(), None);
}
