use super::*;
use crate::schema::{CUSTOM_URN, CustomAttribute, ENTERPRISE_URN, GROUP_URN, USER_URN};

const BASE: &str = "https://idp.example/scim/c1/v2";

fn offer() -> Offer {
    Offer {
        patch: true,
        bulk: false,
        bulk_operations: 1000,
        bulk_bytes: 1_048_576,
        etag: true,
        most_results: 200,
        default_results: 100,
        cursor_seconds: None,
        strict: false,
        oauth: false,
        documentation: None,
    }
}

#[test]
fn the_configuration_says_what_is_offered() {
    let config = service_provider_config(&offer(), BASE);
    // authentik gives up PATCH and filters if the limits of bulk are missing.
    assert_eq!(
        config["bulk"],
        json!({ "supported": false, "maxOperations": 1000, "maxPayloadSize": 1_048_576 })
    );
    assert_eq!(config["filter"], json!({ "supported": true, "maxResults": 200 }));
    assert_eq!(config["pagination"]["cursor"], json!(true));
    assert_eq!(
        config["meta"]["location"],
        json!("https://idp.example/scim/c1/v2/ServiceProviderConfig")
    );
    assert_eq!(config.get("interopProfileConformant"), None);
    assert_eq!(config["authenticationSchemes"].as_array().map(Vec::len), Some(1));
    let strict = Offer {
        strict: true,
        oauth: true,
        patch: false,
        ..offer()
    };
    let config = service_provider_config(&strict, BASE);
    assert_eq!(config["interopProfileConformant"], json!(true));
    assert_eq!(config["patch"], json!({ "supported": false }));
    assert_eq!(config["authenticationSchemes"].as_array().map(Vec::len), Some(2));
    assert!(!has_null(&config));
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(has_null),
        Value::Object(parts) => parts.values().any(has_null),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[test]
fn a_resource_type_has_its_name_as_id() {
    let schemas = Schemas::new(&[CustomAttribute::text("nfc")]);
    let types = resource_types(ResourceKind::ALL, &schemas, BASE);
    let user = types.first().unwrap();
    assert_eq!((&user["id"], &user["name"]), (&json!("User"), &json!("User")));
    assert_eq!(
        (&user["endpoint"], &user["schema"]),
        (&json!("/Users"), &json!(USER_URN))
    );
    assert_eq!(
        user["schemaExtensions"],
        json!([{ "schema": ENTERPRISE_URN, "required": false }, { "schema": CUSTOM_URN, "required": false }])
    );
    assert_eq!(
        user["meta"]["location"],
        json!("https://idp.example/scim/c1/v2/ResourceTypes/User")
    );
    assert_eq!(types[1]["schemaExtensions"], json!([]));
    assert_eq!(
        resource_type_by_id(ResourceKind::ALL, "group"),
        Some(ResourceKind::Group)
    );
    assert_eq!(resource_type_by_id(&[ResourceKind::User], "Group"), None);
    assert_eq!(resource_types(&[ResourceKind::User], &schemas, BASE).len(), 1);
}

#[test]
fn every_schema_is_published_with_its_usual_values() {
    let all = Schemas::new(&[CustomAttribute::text("nfc")]);
    let shown = super::schemas(&all, BASE);
    let ids: Vec<&str> = shown.iter().filter_map(|schema| schema["id"].as_str()).collect();
    assert_eq!(
        ids,
        [
            USER_URN,
            ENTERPRISE_URN,
            CUSTOM_URN,
            GROUP_URN,
            CONFIG_URN,
            RESOURCE_TYPE_URN,
            SCHEMA_URN
        ]
    );
    assert!(!shown.iter().any(|schema| schema.values().any(has_null)));
    let user = schema(schema_by_id(&all, &USER_URN.to_lowercase()).unwrap(), BASE);
    let find = |list: &Value, name: &str| {
        let found = list
            .as_array()
            .unwrap()
            .iter()
            .find(|attribute| attribute["name"] == name);
        found.cloned().unwrap()
    };
    let emails = find(&user["attributes"], "emails");
    assert_eq!(
        find(&emails["subAttributes"], "type"),
        json!({
            "name": "type", "type": "string", "multiValued": false, "description": "The purpose of the value.",
            "required": false, "caseExact": false, "mutability": "readWrite", "returned": "default",
            "uniqueness": "none", "canonicalValues": ["work", "home", "other"],
        })
    );
    let photos = find(&user["attributes"], "photos");
    assert_eq!(
        find(&photos["subAttributes"], "value")["referenceTypes"],
        json!(["external"])
    );
    let password = find(&user["attributes"], "password");
    assert_eq!(
        (&password["mutability"], &password["returned"]),
        (&json!("writeOnly"), &json!("never"))
    );
    assert_eq!(schema_by_id(&all, "urn:nothing"), None);
    let custom = schema(schema_by_id(&all, CUSTOM_URN).unwrap(), BASE);
    assert_eq!(find(&custom["attributes"], "nfc")["type"], json!("string"));
}
