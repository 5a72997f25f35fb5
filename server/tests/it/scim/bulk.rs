//! `/Bulk`: references among operations, order, errors, limits, and that a bulk reaches no further than its connection.

use serde_json::{Value, json};

use super::lab::{self, Directory, person};
use crate::app::on_each_engine;

const BULK: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";

async fn bulk(directory: &Directory, fail_on: Option<u32>, operations: Value) -> super::lab::Answer {
    let mut body = json!({ "schemas": [BULK], "Operations": operations });
    if let Some(number) = fail_on {
        body["failOnErrors"] = number.into();
    }
    directory.post("/Bulk", body).await
}

fn statuses(answer: &super::lab::Answer) -> Vec<&str> {
    let operations = answer.body["Operations"].as_array().unwrap();
    operations
        .iter()
        .map(|one| one["status"].as_str().unwrap())
        .collect()
}

fn id_at(answer: &super::lab::Answer, index: usize) -> String {
    let location = answer.body["Operations"][index]["location"].as_str().unwrap();
    location.rsplit('/').next().unwrap().to_owned()
}

fn make(name: &str) -> Value {
    json!({ "method": "POST", "path": "/Users", "bulkId": name, "data": person(name) })
}

#[tokio::test]
async fn references_are_resolved_in_any_order_and_every_method_works() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let okta = Directory::of(&test, "okta").await;
        let group = json!({
            "method": "POST", "path": "/Groups", "bulkId": "g",
            "data": { "displayName": "Bulk", "members": [{ "value": "bulkId:ann" }, { "value": "bulkId:bob" }] },
        });
        // The group comes first and names people who come later.
        let answer = bulk(&okta, None, json!([group, make("ann"), make("bob")])).await.expect(200);
        assert_eq!(statuses(&answer), ["201", "201", "201"], "{}", answer.text);
        assert_eq!(answer.body["Operations"][1]["bulkId"], "ann");
        let (group, ann, bob) = (id_at(&answer, 0), id_at(&answer, 1), id_at(&answer, 2));
        let shown = okta.get(&format!("/Groups/{group}")).await.expect(200).body;
        assert_eq!(shown["members"].as_array().unwrap().len(), 2);
        let edits = json!([
            { "method": "PATCH", "path": format!("/Users/{ann}"), "data": { "Operations": [{ "op": "replace", "path": "title", "value": "Dr" }] } },
            { "method": "PUT", "path": format!("/Users/{bob}"), "data": person("robert") },
            { "method": "DELETE", "path": format!("/Groups/{group}") },
        ]);
        let answer = bulk(&okta, None, edits).await.expect(200);
        assert_eq!(statuses(&answer), ["200", "200", "204"], "{}", answer.text);
        assert_eq!(okta.get(&format!("/Users/{ann}")).await.expect(200).body["title"], "Dr");
        assert_eq!(okta.get(&format!("/Users/{bob}")).await.expect(200).body["userName"], "robert@home-lab.example");
        okta.get(&format!("/Groups/{group}")).await.refused(404, None);
    })
    .await;
}

#[tokio::test]
async fn circles_unknown_references_and_refusals_are_answered_one_by_one() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let okta = Directory::of(&test, "okta").await;
        let manager = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        let reporting = |name: &str, to: &str| {
            let mut data = person(name);
            data[manager] = json!({ "manager": { "value": format!("bulkId:{to}") } });
            json!({ "method": "POST", "path": "/Users", "bulkId": name, "data": data })
        };
        let answer = bulk(
            &okta,
            None,
            json!([reporting("a", "b"), reporting("b", "a"), make("c")]),
        )
        .await
        .expect(200);
        let found = statuses(&answer);
        assert!(
            ["400", "409"].contains(&found[0]) && ["400", "409"].contains(&found[1]),
            "{}",
            answer.text
        );
        assert_eq!(found[2], "201");
        let answer = bulk(
            &okta,
            None,
            json!([reporting("d", "nobody"), make("c"), make("e")]),
        )
        .await
        .expect(200);
        assert_eq!(statuses(&answer), ["400", "409", "201"], "{}", answer.text);
        let refusal = &answer.body["Operations"][1]["response"];
        assert_eq!(
            (&refusal["scimType"], &refusal["status"]),
            (&json!("uniqueness"), &json!("409"))
        );
        let names = okta
            .get("/Users?filter=userName%20sw%20%22a%22%20or%20userName%20sw%20%22d%22")
            .await
            .expect(200);
        assert_eq!(names.body["totalResults"], 0, "nothing of the refused is kept");
    })
    .await;
}

#[tokio::test]
async fn fail_on_errors_stops_and_what_was_done_stays() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let okta = Directory::of(&test, "okta").await;
        okta.hire("taken").await;
        let operations = json!([
            make("one"),
            make("taken"),
            make("two"),
            make("taken"),
            make("three")
        ]);
        // The fourth is refused already for its bulkId, which is taken too.
        let answer = bulk(&okta, Some(2), operations).await.expect(200);
        assert_eq!(statuses(&answer), ["201", "409", "201", "400"], "{}", answer.text);
        let count = async |name: &str| {
            let path = format!("/Users?filter=userName%20eq%20%22{name}%40home-lab.example%22");
            okta.get(&path).await.expect(200).body["totalResults"].clone()
        };
        assert_eq!((count("two").await, count("three").await), (json!(1), json!(0)));
    })
    .await;
}

#[tokio::test]
async fn limits_are_the_published_ones_and_are_named_in_the_refusal() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let okta = Directory::of(&test, "okta").await;
        let config = okta.get("/ServiceProviderConfig").await.expect(200).body;
        let most = config["bulk"]["maxOperations"].as_u64().unwrap();
        let one = json!({ "method": "DELETE", "path": "/Users/x" });
        let many = vec![one; usize::try_from(most).unwrap() + 1];
        let refused = bulk(&okta, None, many.into()).await.refused(413, None);
        assert!(refused.text.contains(&most.to_string()), "{}", refused.text);
        let bytes = usize::try_from(config["bulk"]["maxPayloadSize"].as_u64().unwrap()).unwrap();
        let padded = format!(
            "{{\"schemas\":[\"{BULK}\"],\"Operations\":[],\"x\":\"{}\"}}",
            "x".repeat(bytes)
        );
        okta.raw("POST", "/Bulk", Some("application/scim+json"), padded)
            .await
            .refused(413, None);
        for wrong in [
            json!([]),
            json!("x"),
            json!([{ "method": "GET", "path": "/Users" }]),
            json!([{ "method": "POST", "path": "/Bulk", "bulkId": "x", "data": {} }]),
        ] {
            let answer = bulk(&okta, None, wrong.clone()).await;
            let is_refused =
                answer.status == 400 || statuses(&answer).iter().all(|status| status.starts_with('4'));
            assert!(is_refused, "{wrong}: {}", answer.text);
        }
    })
    .await;
}

#[tokio::test]
async fn no_operation_of_a_bulk_reaches_another_connection() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let (okta, acme) = (Directory::of(&test, "okta").await, Directory::of(&test, "acme").await);
        let mut eve = person("eve");
        eve["userName"] = json!("eve@acme.example");
        eve["emails"] = json!([{ "value": "eve@acme.example", "primary": true }]);
        let foreign = acme.post("/Users", eve).await.expect(201).id();
        let theirs = acme.post("/Groups", json!({ "displayName": "Theirs", "members": [{ "value": foreign }] })).await.expect(201).id();
        let attempts = json!([
            { "method": "PATCH", "path": format!("/Users/{foreign}"), "data": { "Operations": [{ "op": "replace", "path": "active", "value": false }] } },
            { "method": "PUT", "path": format!("/Users/{foreign}"), "data": person("mallory") },
            { "method": "DELETE", "path": format!("/Users/{foreign}") },
            { "method": "DELETE", "path": format!("/Groups/{theirs}") },
            { "method": "PATCH", "path": format!("/Groups/{theirs}"), "data": { "Operations": [{ "op": "remove", "path": "members" }] } },
            { "method": "POST", "path": "/Groups", "bulkId": "g", "data": { "displayName": "Mine", "members": [{ "value": foreign }] } },
        ]);
        let answer = bulk(&okta, None, attempts).await.expect(200);
        assert_eq!(statuses(&answer), ["404", "404", "404", "404", "404", "400"], "{}", answer.text);
        assert_eq!(acme.get(&format!("/Users/{foreign}")).await.expect(200).body["active"], true);
        let group = acme.get(&format!("/Groups/{theirs}")).await.expect(200).body;
        assert_eq!(group["members"][0]["value"], foreign);
        Directory::stranger(&test, "okta").post("/Bulk", json!({ "schemas": [BULK], "Operations": [make("x")] })).await.refused(401, None);
    })
    .await;
}
