//! Attributes that admins define: from pushes, from claims, by hand, towards apps; and overrides of what a directory keeps.

use jiff::SignedDuration;
use provost::flow::overrides;
use serde_json::{Value, json};

use super::lab::{self, CUSTOM, Directory, person};
use crate::api::Client;
use crate::app::{TestApp, on_each_engine};

const SHORT: &str = "    scim: { attributes: [{ name: nfc }, { name: apiToken }] }\n";

/// The directory of `okta`, whose connection defines these attributes.
async fn defining(test: &TestApp, attributes: &str) -> Directory {
    lab::fill(&test.app).await;
    lab::change(
        &test.app,
        SHORT,
        &format!("    scim: {{}}\n    attributes: {attributes}\n"),
    )
    .await;
    Directory::of(test, "okta").await
}

async fn hire(directory: &Directory, attributes: Value) -> String {
    let mut ada = person("ada");
    ada[CUSTOM] = attributes;
    directory.post("/Users", ada).await.expect(201).id()
}

async fn account(client: &mut Client, id: &str) -> Value {
    client.get(&format!("/api/v1/accounts/{id}")).await.json()
}

#[tokio::test]
async fn r83_r84_defined_attributes_are_announced_pushed_read_and_emptied() {
    on_each_engine(|test| async move {
        let directory = defining(
            &test,
            "[{ name: nfc, description: Card }, { name: floor, type: integer }, { name: desk, sources: [manual] }]",
        )
        .await;
        let schema = directory.get(&format!("/Schemas/{CUSTOM}")).await.expect(200).body;
        let names: Vec<&str> = schema["attributes"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
        // What no directory may give is not announced to it.
        assert_eq!(names, ["nfc", "floor"]);
        let id = hire(&directory, json!({ "nfc": "04-A", "floor": 3, "desk": "d1" })).await;
        let mut client = Client::new(&test, None).await;
        let shown = account(&mut client, &id).await;
        assert_eq!(shown["attributes"], json!({ "nfc": "04-A", "floor": 3 }));
        assert_eq!(shown["attribute_sources"], json!({ "nfc": "scim", "floor": "scim" }));
        let change = json!([{ "op": "replace", "path": format!("{CUSTOM}:nfc"), "value": "04-B" }, { "op": "remove", "path": format!("{CUSTOM}:floor") }]);
        let after = directory.patch(&format!("/Users/{id}"), change).await.expect(200).body;
        // Kept as it came, and nothing else.
        assert_eq!(after[CUSTOM], json!({ "nfc": "04-B", "desk": "d1" }));
        let found = directory.get(&format!("/Users?filter={CUSTOM}:nfc%20eq%20%2204-b%22")).await.expect(200);
        assert_eq!(found.body["totalResults"], 1);
        assert_eq!(account(&mut client, &id).await["attributes"], json!({ "nfc": "04-B" }));
        let wrong = json!([{ "op": "replace", "path": format!("{CUSTOM}:floor"), "value": "third" }]);
        directory.patch(&format!("/Users/{id}"), wrong).await.refused(400, Some("invalidValue"));
    })
    .await;
}

/// Finds the row of the audit log that gave a family name.
fn renamed_to<'a>(log: &'a Value, name: &str) -> &'a Value {
    log["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["data"]["after"]["family_name"] == name)
        .unwrap_or_else(|| panic!("{log}"))
}

#[tokio::test]
async fn r163_an_override_is_set_seen_audited_and_ended_by_time() {
    on_each_engine(|test| async move {
        let directory = defining(&test, "[{ name: nfc }]").await;
        let id = hire(&directory, json!({ "nfc": "04-A" })).await;
        let mut client = Client::new(&test, Some("home-lab")).await;
        let path = |field: &str| format!("/api/v1/accounts/{id}/overrides/{field}");
        let put = async |client: &mut Client, field: &str, body: Value| {
            client
                .send_json(axum::http::Method::PUT, &path(field), &body)
                .await
        };
        for (field, value) in [
            ("family_name", json!("Emergency")),
            ("attributes.nfc", json!("spare")),
        ] {
            let page = put(&mut client, field, json!({ "value": value })).await;
            assert_eq!(page.status, 200, "{}", page.body);
        }
        let shown = account(&mut client, &id).await;
        assert_eq!(
            (&shown["family_name"], &shown["attributes"]["nfc"]),
            (&json!("Emergency"), &json!("spare"))
        );
        assert_eq!(shown["overrides"][0]["returns"], "Muster");
        assert!(
            shown["overrides"][0]["by"]
                .as_str()
                .unwrap()
                .starts_with("api_key:")
        );
        // The audit log says who did it, what was there before, and why.
        let audit = format!("/api/v1/audit?kind=user.updated&account={id}");
        let log = Client::new(&test, None).await.get(&audit).await.json();
        let row = renamed_to(&log, "Emergency");
        assert_eq!(row["data"]["before"]["family_name"], "Muster", "{log}");
        assert!(row["actor"].as_str().unwrap().starts_with("api_key:"), "{log}");
        assert!(row["trace_url"].is_string(), "{log}");
        // Pushes go on, and the directory reads what it wrote.
        let change = json!([{ "op": "replace", "path": "name.familyName", "value": "Married" }]);
        let seen = directory
            .patch(&format!("/Users/{id}"), change)
            .await
            .expect(200)
            .body;
        assert_eq!(seen["name"]["familyName"], "Married");
        assert_eq!(account(&mut client, &id).await["family_name"], "Emergency");
        // Not a field, not kept, not a moment.
        assert_eq!(put(&mut client, "user_name", json!({})).await.status, 404);
        let past = json!({ "value": "x", "until": "2001-01-01T00:00:00Z" });
        let page = put(&mut client, "given_name", past).await;
        assert_eq!(
            (page.status.as_u16(), page.json()["code"].clone()),
            (422, json!("invalid_value"))
        );
        test.app.world.advance(SignedDuration::from_hours(23));
        overrides::expire(&test.app).await.unwrap();
        assert_eq!(
            account(&mut Client::new(&test, None).await, &id).await["family_name"],
            "Emergency"
        );
        test.app.world.advance(SignedDuration::from_hours(2));
        overrides::expire(&test.app).await.unwrap();
        let shown = account(&mut Client::new(&test, None).await, &id).await;
        assert_eq!(
            (&shown["family_name"], &shown["attributes"]["nfc"]),
            (&json!("Married"), &json!("04-A"))
        );
        assert_eq!(shown["overrides"], json!([]));
        let log = Client::new(&test, None).await.get(&audit).await.json();
        let row = renamed_to(&log, "Married");
        assert_eq!(
            (&row["actor"], &row["data"]["before"]["family_name"]),
            (&json!("system"), &json!("Emergency")),
            "{log}"
        );
    })
    .await;
}

#[tokio::test]
async fn r83_definitions_that_make_no_sense_are_refused_before_anything_is_written() {
    let test = TestApp::start().await;
    lab::fill(&test.app).await;
    for (attributes, said) in [
        ("[{ name: \"a b\" }]", "must be 1 to 64"),
        ("[{ name: nfc }, { name: NFC }]", "twice"),
        ("[{ name: nfc, sources: [] }]", "nobody could set it"),
    ] {
        let yaml = lab::world().replace(SHORT, &format!("    scim: {{}}\n    attributes: {attributes}\n"));
        let document = provost::declarative::read(&yaml).unwrap();
        let refused = provost::declarative::apply(
            &test.app,
            document,
            std::path::Path::new("."),
            provost::declarative::Mode::Write,
        )
        .await;
        let why = format!("{:?}", refused.err());
        assert!(why.contains(said), "{attributes}: {why}");
    }
}
