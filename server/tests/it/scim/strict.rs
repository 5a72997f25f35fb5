//! `mode: strict`: every deviation that `compat` understands is refused with its kind, and nothing is written.

use serde_json::{Value, json};

use super::lab::{self, Directory, ENTERPRISE, person};
use crate::app::on_each_engine;

#[tokio::test]
async fn strict_refuses_every_deviation_that_compat_understands() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let compat = Directory::of(&test, "okta").await;
        // What compat does with the same, so that none of it is refused for another reason.
        let tolerated = deviations(&compat).await;
        for (name, status, _, _) in &tolerated {
            assert!(*status < 300, "compat, {name}: {status}");
        }
        lab::change(
            &test.app,
            "scim: { attributes:",
            "scim: { mode: strict, attributes:",
        )
        .await;
        for (name, status, kind, (version, after)) in deviations(&compat).await {
            assert_eq!(status, 400, "strict, {name}");
            assert_eq!(Some(kind.as_str()), expected(&name), "strict, {name}");
            assert_eq!(version, after, "strict, {name}: something was written");
        }
        let config = compat.get("/ServiceProviderConfig").await.expect(200).body;
        assert_eq!(config["interopProfileConformant"], true);
        // The letter of the standard goes through.
        let mut ada = person("ada");
        ada["urn:provost:scim:schemas:extension:custom:2.0:User"] = json!({ "nfc": "1" });
        ada["schemas"] = json!([
            "urn:ietf:params:scim:schemas:core:2.0:User",
            "urn:provost:scim:schemas:extension:custom:2.0:User"
        ]);
        let id = compat.post("/Users", ada).await.expect(201).id();
        compat
            .patch(
                &format!("/Users/{id}"),
                json!([{ "op": "replace", "path": "active", "value": false }]),
            )
            .await
            .expect(200);
    })
    .await;
}

fn expected(name: &str) -> Option<&'static str> {
    CASES.iter().find(|case| case.0 == name).map(|case| case.1)
}

/// Name and the kind of refusal.
const CASES: &[(&str, &str)] = &[
    ("unknown attribute", "invalidSyntax"),
    ("unknown extension", "invalidSyntax"),
    ("unknown path", "invalidPath"),
    ("no path", "invalidPath"),
    ("text for a boolean", "invalidValue"),
    ("one value for a list", "invalidValue"),
    ("text for a complex value", "invalidValue"),
    ("replace of a missing element", "noTarget"),
    ("remove of a missing element", "noTarget"),
    ("members removed by a list", "invalidValue"),
    ("type that is not published", "invalidValue"),
    ("extension's attribute without its URN", "invalidPath"),
    ("two primary values", "invalidValue"),
    ("schemas that are not right", "invalidSyntax"),
];

/// Makes a person and a group with that person in it, by names of their own, since both modes make them. Returns what the person
/// was made of, the person's id and the group's path.
async fn fresh(directory: &Directory, number: usize) -> (Value, String, String) {
    let there = directory.get("/Users?count=0").await.expect(200);
    let unique = format!("{}-{number}", there.body["totalResults"]);
    let mut body = person(&format!("s{unique}"));
    body["schemas"] = json!(["urn:ietf:params:scim:schemas:core:2.0:User"]);
    let user = directory.post("/Users", body.clone()).await.expect(201).id();
    let group = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": format!("G {unique}"),
        "members": [{ "value": user }],
    });
    let group = directory.post("/Groups", group).await.expect(201).id();
    (body, user, format!("/Groups/{group}"))
}

/// Sends every deviation to a person and a group of its own. Returns status, kind and the versions before and after.
async fn deviations(directory: &Directory) -> Vec<(String, u16, String, (Value, Value))> {
    let mut all = Vec::new();
    for (number, (name, _)) in CASES.iter().enumerate() {
        let (body, user, group_path) = fresh(directory, number).await;
        let user_path = format!("/Users/{user}");
        let at: &str = &user_path;
        let patch = |value: Value| async move { directory.patch(at, json!([value])).await };
        let put = |changes: Value| {
            let mut body = body.clone();
            for (name, value) in changes.as_object().unwrap() {
                body[name] = value.clone();
            }
            let at = user_path.clone();
            async move { directory.put(&at, body).await }
        };
        let version = async || {
            let user = directory.get(&user_path).await.expect(200).body["meta"]["version"].clone();
            json!([
                user,
                directory.get(&group_path).await.expect(200).body["meta"]["version"]
            ])
        };
        let before = version().await;
        let answer = match *name {
            "unknown attribute" => put(json!({ "favoriteColor": "red" })).await,
            "unknown extension" => put(json!({ "urn:acme:2.0:User": { "x": 1 } })).await,
            "unknown path" => {
                patch(json!({ "op": "replace", "path": "favoriteColor", "value": "red" })).await
            }
            "no path" => patch(json!({ "op": "replace", "value": { "title": "Dr" } })).await,
            "text for a boolean" => {
                patch(json!({ "op": "replace", "path": "active", "value": "True" })).await
            }
            "one value for a list" => put(json!({ "phoneNumbers": { "value": "+1", "type": "work" } })).await,
            "text for a complex value" => {
                let manager = format!("{ENTERPRISE}:manager");
                patch(json!({ "op": "add", "path": manager, "value": user })).await
            }
            "replace of a missing element" => {
                patch(
                    json!({ "op": "replace", "path": "phoneNumbers[type eq \"work\"].value", "value": "+1" }),
                )
                .await
            }
            "remove of a missing element" => {
                patch(json!({ "op": "remove", "path": "phoneNumbers[type eq \"work\"]" })).await
            }
            "members removed by a list" => {
                let remove = json!([{ "op": "remove", "path": "members", "value": [{ "value": user }] }]);
                directory.patch(&group_path, remove).await
            }
            "type that is not published" => {
                put(json!({ "phoneNumbers": [{ "value": "+1", "type": "bat-phone" }] })).await
            }
            "extension's attribute without its URN" => {
                patch(json!({ "op": "replace", "path": "department", "value": "D" })).await
            }
            "two primary values" => {
                let two = json!([{ "value": "+1", "primary": true }, { "value": "+2", "primary": true }]);
                put(json!({ "phoneNumbers": two })).await
            }
            "schemas that are not right" => put(json!({ "schemas": ["urn:acme:core"] })).await,
            other => panic!("{other}"),
        };
        let kind = answer.body["scimType"].as_str().unwrap_or_default().to_owned();
        all.push((
            (*name).to_owned(),
            answer.status.as_u16(),
            kind,
            (before, version().await),
        ));
    }
    all
}
