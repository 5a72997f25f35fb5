//! SCIM 1.1: every row of the table of differences, and every request of 1.1 that a real client is known to send.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::schema::{CustomAttribute, GROUP_URN, Schemas, USER_URN};
use crate::{Filter, Limits, ResourceKind, ScimError, Version};

const ENTERPRISE_2: &str = crate::schema::ENTERPRISE_URN;

fn stored() -> Map<String, Value> {
    let document = json!({
        "userName": "ann@home-lab.example",
        "externalId": "00u1",
        "displayName": "Ann Ek",
        "title": "Engineer",
        "name": { "givenName": "Ann", "familyName": "Ek" },
        "emails": [
            { "value": "ann@home-lab.example", "type": "work", "primary": true },
            { "value": "ann@private.example", "type": "home" },
        ],
        "addresses": [{ "type": "work", "locality": "Lund" }, { "type": "home", "locality": "Malmö" }],
        "active": true,
        ENTERPRISE_2: { "department": "Sales", "manager": { "value": "u9" } },
    });
    document.as_object().cloned().unwrap()
}

#[expect(clippy::needless_pass_by_value, reason = "reads better with json!")]
fn patched(body: Value) -> Value {
    try_patched(&body).unwrap()
}

fn try_patched(body: &Value) -> Result<Value, ScimError> {
    PartialResource::parse(body, ResourceKind::User)?.merge(&stored(), &Schemas::default())
}

#[test]
fn r151_urns_of_users_groups_and_extensions_change_both_ways() {
    let body = json!({
        "schemas": [CORE_URN, ENTERPRISE_URN],
        "userName": "ann",
        ENTERPRISE_URN: { "department": "Sales", "manager": { "managerId": "u9", "displayName": "Boss" } },
        "meta": { "created": "2001-01-01T00:00:00Z", "attributes": ["title"] },
    });
    let decoded = decode(&body, ResourceKind::User).unwrap();
    assert_eq!(
        decoded,
        json!({
            "schemas": [USER_URN, ENTERPRISE_2],
            "userName": "ann",
            ENTERPRISE_2: { "department": "Sales", "manager": { "value": "u9", "displayName": "Boss" } },
        })
    );
    let shown = json!({
        "schemas": [USER_URN, ENTERPRISE_2],
        "id": "1",
        "userName": "ann",
        ENTERPRISE_2: { "manager": { "value": "u9", "$ref": "https://sso.example/Users/u9", "displayName": "Boss" } },
        "groups": [{ "value": "g1", "$ref": "https://sso.example/Groups/g1", "display": "Staff" }],
        "meta": { "resourceType": "User", "created": "2026-01-01T00:00:00Z", "location": "https://sso.example/v1/Users/1", "version": "W/\"1\"" },
    });
    assert_eq!(
        encode(shown, ResourceKind::User),
        json!({
            "schemas": [CORE_URN, ENTERPRISE_URN],
            "id": "1",
            "userName": "ann",
            ENTERPRISE_URN: { "manager": { "managerId": "u9", "displayName": "Boss" } },
            "groups": [{ "value": "g1", "display": "Staff" }],
            "meta": { "created": "2026-01-01T00:00:00Z", "location": "https://sso.example/v1/Users/1", "version": "W/\"1\"" },
        })
    );
}

#[test]
fn a_body_without_schemas_and_with_other_letter_case_is_understood() {
    let body = json!({ "UserName": "ann", "URN:scim:schemas:extension:enterprise:1.0": { "Manager": { "ManagerID": "u9" } } });
    assert_eq!(
        decode(&body, ResourceKind::User).unwrap(),
        json!({ "schemas": [USER_URN], "UserName": "ann", ENTERPRISE_2: { "Manager": { "value": "u9" } } })
    );
    assert_eq!(
        decode(&json!({ "displayName": "G" }), ResourceKind::Group).unwrap()["schemas"],
        json!([GROUP_URN])
    );
    for body in [json!([]), json!("x"), json!(null), json!(7)] {
        assert_eq!(decode(&body, ResourceKind::User).unwrap_err().status, 400);
    }
}

#[test]
fn okta_puts_its_own_schema_on_every_group_and_it_is_accepted() {
    let body = json!({
        "schemas": [CORE_URN, OKTA_GROUP_URN],
        "displayName": "G",
        "members": [{ "value": "u1", "display": "a" }, { "value": "u2", "operation": "delete" }],
        OKTA_GROUP_URN: { "description": "Pushed by Okta" },
    });
    let decoded = decode(&body, ResourceKind::Group).unwrap();
    assert_eq!(decoded["schemas"], json!([GROUP_URN, OKTA_GROUP_URN]));
    assert_eq!(decoded[OKTA_GROUP_URN]["description"], "Pushed by Okta");
    assert_eq!(
        decoded["members"],
        json!([{ "value": "u1", "display": "a" }]),
        "a mark in a whole resource"
    );
}

#[test]
fn r151_okta_deactivates_with_a_partial_resource_and_keeps_the_rest() {
    let after = patched(json!({ "schemas": [CORE_URN], "id": "u1", "active": false }));
    let mut wanted = stored();
    wanted.insert("active".to_owned(), json!(false));
    assert_eq!(after, Value::Object(wanted));
}

#[test]
fn names_in_meta_attributes_are_emptied_with_their_parts_and_extensions() {
    let after = patched(json!({ "meta": { "attributes": [
        "title", "NAME.givenName", "urn:scim:schemas:core:1.0:displayName",
        "urn:scim:schemas:extension:enterprise:1.0:manager.managerId", "urn:scim:schemas:extension:enterprise:1.0.department",
        "emails.type", "nonsense", "id", "meta",
    ] } }));
    assert!(after.get("title").is_none());
    assert!(after.get("displayName").is_none());
    assert_eq!(after["name"], json!({ "familyName": "Ek" }));
    assert_eq!(after[ENTERPRISE_2], json!({ "manager": {} }));
    assert_eq!(
        after["emails"],
        json!([{ "value": "ann@home-lab.example", "primary": true }, { "value": "ann@private.example" }])
    );
    assert_eq!(after["userName"], "ann@home-lab.example");
    let whole = patched(json!({ "meta": { "attributes": [ENTERPRISE_URN] } }));
    assert!(whole.get(ENTERPRISE_2).is_none());
}

#[test]
fn a_name_in_meta_attributes_and_in_the_body_is_replaced_whole() {
    let after = patched(json!({
        "meta": { "attributes": ["emails", "name", "userName"] },
        "emails": [{ "value": "new@home-lab.example" }],
        "name": { "formatted": "Ann" },
        "userName": "ann2",
    }));
    assert_eq!(after["emails"], json!([{ "value": "new@home-lab.example" }]));
    assert_eq!(after["name"], json!({ "formatted": "Ann" }));
    assert_eq!(after["userName"], "ann2");
}

#[test]
fn elements_are_found_by_their_value_merged_added_or_deleted() {
    let after = patched(json!({ "emails": [
        { "value": "ANN@private.example", "type": "other" },
        { "value": "third@home-lab.example", "primary": true },
        { "value": "ann@home-lab.example", "operation": "DELETE" },
        { "value": "nobody@home-lab.example", "operation": "delete" },
    ] }));
    assert_eq!(
        after["emails"],
        json!([
            { "value": "ANN@private.example", "type": "other" },
            { "value": "third@home-lab.example", "primary": true },
        ])
    );
}

#[test]
fn a_new_primary_takes_the_place_of_the_old_one() {
    let after = patched(json!({ "emails": [{ "value": "ann@private.example", "primary": true }] }));
    assert_eq!(
        after["emails"],
        json!([
            { "value": "ann@home-lab.example", "type": "work" },
            { "value": "ann@private.example", "type": "home", "primary": true },
        ])
    );
}

#[test]
fn elements_without_a_value_are_found_by_all_that_is_said_of_them() {
    let after = patched(
        json!({ "addresses": [{ "type": "home", "operation": "delete" }, { "type": "work", "country": "SE" }] }),
    );
    assert_eq!(
        after["addresses"],
        json!([{ "type": "work", "locality": "Lund" }, { "type": "work", "country": "SE" }])
    );
}

#[test]
fn parts_of_a_complex_value_merge_one_by_one_and_null_empties() {
    let after = patched(json!({
        "name": { "familyName": "Lund", "GIVENNAME": null },
        "title": null,
        ENTERPRISE_URN: { "manager": { "managerId": "u7" }, "costCenter": "4" },
    }));
    assert_eq!(after["name"], json!({ "familyName": "Lund" }));
    assert!(after.get("title").is_none());
    assert_eq!(
        after[ENTERPRISE_2],
        json!({ "department": "Sales", "manager": { "value": "u7" }, "costCenter": "4" })
    );
}

#[test]
fn what_only_the_server_writes_and_what_nobody_knows_does_no_harm() {
    let after =
        patched(json!({ "groups": [{ "value": "admins" }], "id": "other", "favouriteColour": "blue" }));
    assert!(after.get("groups").is_none() && after.get("id").is_none());
    assert_eq!(after["favouriteColour"], "blue");
}

#[test]
fn attributes_of_the_administrator_are_found_below_their_extension() {
    let nfc = CustomAttribute::text("nfc");
    let schemas = Schemas::new(&[nfc]);
    let body = json!({ "nfc": "4711" });
    let after = PartialResource::parse(&body, ResourceKind::User)
        .and_then(|patch| patch.merge(&stored(), &schemas))
        .unwrap();
    assert_eq!(after[crate::schema::CUSTOM_URN]["nfc"], "4711");
}

#[test]
fn a_malformed_patch_is_400_and_merges_nothing() {
    for body in [
        json!([]),
        json!("active"),
        json!({ "meta": { "attributes": "title" } }),
        json!({ "meta": { "attributes": [1] } }),
        json!({ ENTERPRISE_URN: "Sales" }),
    ] {
        assert_eq!(try_patched(&body).unwrap_err().status, 400, "{body}");
    }
}

#[expect(clippy::needless_pass_by_value, reason = "reads better with json!")]
fn members_of(body: Value) -> (MembersPatch, Value) {
    let stored = json!({ "displayName": "Staff" }).as_object().cloned().unwrap();
    let mut patch = PartialResource::parse(&body, ResourceKind::Group).unwrap();
    let members = patch.take_members().unwrap();
    (members, patch.merge(&stored, &Schemas::default()).unwrap())
}

#[test]
fn r151_okta_removes_a_member_by_operation_and_the_name_stays() {
    let (members, document) = members_of(json!({
        "schemas": [CORE_URN],
        "members": [{ "value": "u1", "operation": "delete" }, { "value": "u2", "display": "b" }],
    }));
    assert_eq!(
        members,
        MembersPatch {
            clear: false,
            remove: vec!["u1".to_owned()],
            add: vec![json!({ "value": "u2", "display": "b" })],
        }
    );
    assert_eq!(document, json!({ "displayName": "Staff" }));
}

#[test]
fn members_in_meta_attributes_empty_the_group_and_those_in_the_body_fill_it() {
    let (members, document) = members_of(json!({
        "displayName": "Team",
        "meta": { "attributes": ["members"] },
        "members": [{ "value": "u2" }],
    }));
    assert!(members.clear);
    assert_eq!(members.add, [json!({ "value": "u2" })]);
    assert_eq!(document, json!({ "displayName": "Team" }));
    assert!(members_of(json!({ "displayName": "Team" })).0.is_empty());
    for body in [
        json!({ "members": "u1" }),
        json!({ "members": [{ "display": "a" }] }),
        json!({ "members": [7] }),
    ] {
        let mut patch = PartialResource::parse(&body, ResourceKind::Group).unwrap();
        assert_eq!(patch.take_members().unwrap_err().status, 400, "{body}");
    }
}

#[test]
fn the_filter_of_1_1_has_no_ne_ew_not_and_brackets() {
    let schemas = Schemas::default();
    let read = |text: &str| Filter::parse_v1(text, ResourceKind::User, &schemas, &Limits::default());
    for good in [
        "userName eq \"ann\"",
        "urn:scim:schemas:core:1.0:userName sw \"a\" and (active eq true or title pr)",
        "urn:scim:schemas:extension:enterprise:1.0:manager.managerId eq \"u9\"",
        "meta.lastModified gt \"2026-01-01T00:00:00Z\"",
    ] {
        assert!(read(good).is_ok(), "{good}");
    }
    for bad in [
        "userName ne \"ann\"",
        "userName ew \"n\"",
        "not (userName eq \"ann\")",
        "emails[type eq \"work\"]",
        "RAWTEXT@ATKO.COM",
        "",
    ] {
        assert_eq!(read(bad).map_err(|error| error.status), Err(400), "{bad}");
    }
}

#[test]
fn r151_errors_have_a_list_and_the_detail_that_okta_looks_for() {
    let body = ScimError::not_found("User").body(Version::V1);
    assert_eq!(body["Errors"][0]["code"], "404");
    assert!(!body["Errors"][0]["description"].as_str().unwrap().is_empty());
    assert!(!body["detail"].as_str().unwrap().is_empty());
}

#[test]
fn r152_a_list_has_the_core_schema_and_whole_numbers() {
    let page = list(&[json!({ "id": "1" }), json!({ "id": "2" })], 7, 3);
    assert_eq!(
        page,
        json!({ "schemas": [CORE_URN], "totalResults": 7, "startIndex": 3, "itemsPerPage": 2, "Resources": [{ "id": "1" }, { "id": "2" }] })
    );
}

#[test]
fn the_configuration_says_the_same_in_the_words_of_1_1() {
    let config = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "documentationUri": "https://sso.example/docs",
        "patch": { "supported": true },
        "bulk": { "supported": true, "maxOperations": 1000, "maxPayloadSize": 1_048_576 },
        "filter": { "supported": true, "maxResults": 200 },
        "sort": { "supported": true },
        "etag": { "supported": false },
        "authenticationSchemes": [{ "type": "oauthbearertoken", "name": "OAuth Bearer Token", "description": "…", "specUri": "https://rfc" }],
        "pagination": { "cursor": true },
    });
    let made = service_provider_configs(&config);
    assert_eq!(made["schemas"], json!([CORE_URN]));
    for name in ["patch", "bulk", "filter", "sort", "etag"] {
        assert_eq!(made[name], config[name], "{name}");
    }
    assert_eq!(made["changePassword"], json!({ "supported": false }));
    assert_eq!(made["xmlDataFormat"], json!({ "supported": false }));
    assert_eq!(made["documentationUrl"], "https://sso.example/docs");
    assert_eq!(made["authenticationSchemes"][0]["specUrl"], "https://rfc");
    assert!(made.get("pagination").is_none());
}

#[test]
fn schemas_have_the_flags_of_1_1() {
    let published = [
        json!({ "id": USER_URN, "description": "User Account", "attributes": [
            { "name": "userName", "type": "string", "multiValued": false, "required": true, "caseExact": false, "mutability": "readWrite", "returned": "default", "uniqueness": "server" },
            { "name": "groups", "type": "complex", "multiValued": true, "required": false, "mutability": "readOnly", "subAttributes": [{ "name": "value", "type": "string", "mutability": "readOnly" }, { "name": "$ref", "type": "reference" }] },
            { "name": "addresses", "type": "complex", "multiValued": true, "mutability": "readWrite" },
            { "name": "profileUrl", "type": "reference", "multiValued": false },
        ] }),
        json!({ "id": ENTERPRISE_2, "attributes": [
            { "name": "manager", "type": "complex", "multiValued": false, "subAttributes": [{ "name": "value", "type": "string", "mutability": "readWrite" }] },
        ] }),
        json!({ "id": GROUP_URN, "attributes": [{ "name": "displayName", "type": "string" }] }),
        json!({ "id": "urn:ietf:params:scim:schemas:core:2.0:Schema", "attributes": [{ "name": "id", "type": "string" }] }),
    ];
    let all = schemas(&published);
    assert!(
        all["schemas"]
            .as_array()
            .unwrap()
            .contains(&json!("urn:scim:schemas:core:1.0:ListResponse"))
    );
    assert_eq!(all["totalResults"], 2);
    let user = &all["Resources"][0];
    assert_eq!(user["endpoint"], "/Users");
    let attributes = user["attributes"].as_array().unwrap();
    assert_eq!(
        attributes.len(),
        5,
        "the extension's attributes, and none of the service schemas"
    );
    assert_eq!(
        attributes[0],
        json!({ "name": "userName", "type": "string", "multiValued": false, "required": true, "caseExact": false, "readOnly": false, "schema": CORE_URN })
    );
    assert_eq!(attributes[1]["readOnly"], true);
    assert_eq!(attributes[1]["multiValuedAttributeChildName"], "group");
    assert_eq!(
        attributes[1]["subAttributes"].as_array().unwrap().len(),
        1,
        "1.1 has no $ref"
    );
    assert_eq!(attributes[2]["multiValuedAttributeChildName"], "address");
    assert_eq!(attributes[3]["type"], "string");
    assert_eq!(attributes[4]["schema"], ENTERPRISE_URN);
    assert_eq!(attributes[4]["subAttributes"][0]["name"], "managerId");
    for (id, name) in [
        ("User", Some("User")),
        ("Group", Some("Group")),
        (CORE_URN, Some("User")),
        (ENTERPRISE_URN, Some("User")),
        ("urn:scim:schemas:core:1.0:Group", Some("Group")),
        ("Device", None),
    ] {
        let found = schema(&published, id);
        assert_eq!(
            found.as_ref().and_then(|found| found["name"].as_str()),
            name,
            "{id}"
        );
    }
}

#[test]
fn resource_types_are_there_for_oktas_optional_test() {
    let types = [
        json!({ "id": "User", "name": "User", "endpoint": "/Users", "schema": USER_URN, "description": "People" }),
    ];
    let made = resource_types(&types);
    assert_eq!(made["schemas"], json!([CORE_URN]));
    assert_eq!(made["Resources"][0]["endpoint"], "/Users");
    assert_eq!(made["Resources"][0]["schema"], CORE_URN);
}

#[test]
fn methods_tunnelled_through_post() {
    assert_eq!(tunnelled(None), Ok(None));
    assert_eq!(tunnelled(Some("POST")), Ok(None));
    assert_eq!(tunnelled(Some(" put ")), Ok(Some(MethodOverride::Put)));
    assert_eq!(tunnelled(Some("Patch")), Ok(Some(MethodOverride::Patch)));
    assert_eq!(tunnelled(Some("DELETE")), Ok(Some(MethodOverride::Delete)));
    for wrong in ["GET", "TRACE", "PUT, DELETE"] {
        assert_eq!(tunnelled(Some(wrong)).unwrap_err().status, 400, "{wrong}");
    }
}

#[test]
fn a_format_at_the_end_of_a_path() {
    assert_eq!(suffix("Users.json"), Suffix::Json("Users"));
    assert_eq!(suffix("Users"), Suffix::Json("Users"));
    assert_eq!(suffix("Users.XML"), Suffix::Xml);
    assert_eq!(suffix("a.b"), Suffix::Json("a.b"));
}

/// Any JSON, three levels deep, with the names that matter among its keys.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z\"\\[\\]:. ]{0,12}".prop_map(Value::from),
        Just(json!("delete")),
    ];
    let key = prop_oneof![
        "[a-zA-Z:.$]{0,8}",
        Just("operation".to_owned()),
        Just("members".to_owned()),
        Just("emails".to_owned()),
        Just("name".to_owned()),
        Just("meta".to_owned()),
        Just("attributes".to_owned()),
        Just("value".to_owned()),
        Just("manager".to_owned()),
        Just("schemas".to_owned()),
        Just(ENTERPRISE_URN.to_owned()),
    ];
    leaf.prop_recursive(3, 24, 5, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::vec((key.clone(), inner), 0..5)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    /// No input breaks the codec, and an empty partial resource changes nothing.
    #[test]
    fn hostile_bodies_end_in_a_value_or_an_error(body in any_json(), kind in prop_oneof![Just(ResourceKind::User), Just(ResourceKind::Group)]) {
        let _ = decode(&body, kind);
        let _ = encode(body.clone(), kind);
        if let Ok(mut patch) = PartialResource::parse(&body, kind) {
            if kind == ResourceKind::Group {
                let _ = patch.take_members();
            }
            let _ = patch.merge(&stored(), &Schemas::default());
        }
        let _ = service_provider_configs(&body);
        let _ = schemas(std::slice::from_ref(&body));
        let nothing = PartialResource::parse(&json!({}), kind).and_then(|patch| patch.merge(&stored(), &Schemas::default()));
        prop_assert_eq!(nothing, Ok(Value::Object(stored())));
    }

    /// What goes out in 1.1 comes back as it was.
    #[test]
    fn a_representation_of_1_1_decodes_to_the_same_document(department in "[a-zA-Z ]{1,10}", manager in "[a-z0-9]{1,8}") {
        let document = json!({
            "schemas": [USER_URN, ENTERPRISE_2],
            "userName": "ann",
            ENTERPRISE_2: { "department": department, "manager": { "value": manager } },
        });
        let back = decode(&encode(document.clone(), ResourceKind::User), ResourceKind::User);
        prop_assert_eq!(back, Ok(document));
    }
}
