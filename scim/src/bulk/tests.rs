//! Bulk: order, references, limits, answers.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const LIMITS: BulkLimits = BulkLimits {
    max_operations: 10,
    max_payload_size: 1_000_000,
};
const BASE: &str = "https://sso.example/scim/okta/v2";

#[expect(clippy::needless_pass_by_value, reason = "reads better with json!")]
fn request(operations: Value) -> Value {
    json!({ "schemas": [REQUEST_URN], "Operations": operations })
}

/// Carries every step out with success, except the positions in `refuse`; returns the steps and the answer.
fn run(body: &Value, version: Version, refuse: &[usize]) -> (Vec<Step>, Value) {
    let mut bulk = Bulk::parse(body, version, LIMITS).unwrap();
    let mut steps = Vec::new();
    while let Some(step) = bulk.next_step() {
        let outcome = if refuse.contains(&step.index) {
            Outcome::Refused(ScimError::uniqueness("userName", step.kind))
        } else {
            let id = step.id.clone().unwrap_or_else(|| format!("id-{}", step.index));
            Outcome::Done {
                status: match step.method {
                    BulkMethod::Post => 201,
                    BulkMethod::Delete => 204,
                    BulkMethod::Put | BulkMethod::Patch => 200,
                },
                location: format!("{BASE}{}/{id}", step.kind.endpoint()),
                id,
                version: Some("W/\"1\"".to_owned()),
            }
        };
        bulk.finish(step.index, outcome);
        steps.push(step);
    }
    (steps, bulk.into_response(BASE))
}

fn order(steps: &[Step]) -> Vec<usize> {
    steps.iter().map(|step| step.index).collect()
}

fn statuses(answer: &Value) -> Vec<String> {
    answer["Operations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|operation| operation["status"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn operations_run_in_order_and_each_has_a_status_as_text() {
    let body = request(json!([
        { "method": "POST", "path": "/Users", "bulkId": "a", "data": { "userName": "ann" } },
        { "method": "put", "path": "/Users/1", "version": "W/\"7\"", "data": { "userName": "bob" } },
        { "method": "PATCH", "path": "Groups/2", "data": { "Operations": [] } },
        { "method": "DELETE", "path": "/Users/3" },
    ]));
    let (steps, answer) = run(&body, Version::V2, &[]);
    assert_eq!(order(&steps), [0, 1, 2, 3]);
    assert_eq!(steps[1].version.as_deref(), Some("W/\"7\""));
    assert_eq!(steps[2].kind, ResourceKind::Group);
    assert_eq!(steps[3].data, None);
    assert_eq!(statuses(&answer), ["201", "200", "200", "204"]);
    assert_eq!(answer["schemas"], json!([RESPONSE_URN]));
    assert_eq!(answer["Operations"][0]["bulkId"], "a");
    assert_eq!(answer["Operations"][0]["location"], format!("{BASE}/Users/id-0"));
    assert_eq!(answer["Operations"][0]["version"], "W/\"1\"");
}

#[test]
fn a_reference_resolves_whatever_the_order_in_groups_managers_and_paths() {
    let body = request(json!([
        { "method": "POST", "path": "/Groups", "bulkId": "g", "data": { "displayName": "G", "members": [{ "value": "bulkId:ann" }, { "value": "bulkId:bob" }] } },
        { "method": "PATCH", "path": "/Groups/bulkId:g", "data": { "Operations": [{ "op": "remove", "path": "members[value eq \"bulkId:bob\"]" }] } },
        { "method": "POST", "path": "/Users", "bulkId": "ann", "data": { "userName": "ann", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "manager": { "value": "bulkId:bob" } } } },
        { "method": "POST", "path": "/Users", "bulkId": "bob", "data": { "userName": "bob" } },
    ]));
    let (steps, answer) = run(&body, Version::V2, &[]);
    assert_eq!(
        order(&steps),
        [3, 2, 0, 1],
        "creations run before those that refer to them"
    );
    let ann = steps[1].data.as_ref().unwrap();
    assert_eq!(
        ann["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"]["manager"]["value"],
        "id-3"
    );
    let group = steps[2].data.as_ref().unwrap();
    assert_eq!(
        group["members"],
        json!([{ "value": "id-2" }, { "value": "id-3" }])
    );
    assert_eq!(steps[3].id.as_deref(), Some("id-0"));
    assert_eq!(
        steps[3].data.as_ref().unwrap()["Operations"][0]["path"],
        "members[value eq \"id-3\"]"
    );
    assert_eq!(statuses(&answer), ["201", "200", "201", "201"]);
}

#[test]
fn a_circle_is_refused_for_those_in_it_and_the_rest_runs() {
    let body = request(json!([
        { "method": "POST", "path": "/Groups", "bulkId": "a", "data": { "displayName": "A", "members": [{ "value": "bulkId:b" }] } },
        { "method": "POST", "path": "/Groups", "bulkId": "b", "data": { "displayName": "B", "members": [{ "value": "bulkId:a" }] } },
        { "method": "POST", "path": "/Groups", "bulkId": "c", "data": { "displayName": "C", "members": [{ "value": "bulkId:a" }] } },
        { "method": "POST", "path": "/Users", "bulkId": "d", "data": { "userName": "dee" } },
    ]));
    let (steps, answer) = run(&body, Version::V2, &[]);
    assert_eq!(order(&steps), [3]);
    assert_eq!(statuses(&answer), ["409", "409", "400", "201"]);
    let own = json!([{ "method": "POST", "path": "/Groups", "bulkId": "me", "data": { "members": [{ "value": "bulkId:me" }] } }]);
    assert_eq!(statuses(&run(&request(own), Version::V2, &[]).1), ["409"]);
}

#[test]
fn a_reference_to_nothing_or_to_a_refused_creation_is_refused_itself() {
    let body = request(json!([
        { "method": "POST", "path": "/Users", "bulkId": "taken", "data": { "userName": "ann" } },
        { "method": "POST", "path": "/Groups", "bulkId": "g", "data": { "displayName": "G", "members": [{ "value": "bulkId:taken" }] } },
        { "method": "DELETE", "path": "/Users/bulkId:nobody" },
    ]));
    let (steps, answer) = run(&body, Version::V2, &[0]);
    assert_eq!(order(&steps), [0]);
    assert_eq!(statuses(&answer), ["409", "400", "400"]);
    let first = &answer["Operations"][0];
    assert_eq!(first["response"]["scimType"], "uniqueness");
    assert_eq!(first["response"]["status"], "409");
    assert!(
        first.get("location").is_none(),
        "a creation that failed has no address"
    );
    let second = answer["Operations"][1]["response"]["detail"].as_str().unwrap();
    assert!(second.contains("taken"), "{second}");
}

#[test]
fn fail_on_errors_stops_and_leaves_out_what_did_not_run() {
    let users: Vec<Value> = (0..5)
        .map(|n| json!({ "method": "DELETE", "path": format!("/Users/{n}") }))
        .collect();
    let mut body = request(users.into());
    body["failOnErrors"] = json!(2);
    let (steps, answer) = run(&body, Version::V2, &[0, 2]);
    assert_eq!(order(&steps), [0, 1, 2]);
    assert_eq!(statuses(&answer), ["409", "204", "409"]);
    assert_eq!(answer["Operations"][0]["location"], format!("{BASE}/Users/0"));
    for wrong in [json!(0), json!(-1), json!("2"), json!(1.5)] {
        body["failOnErrors"] = wrong;
        assert_eq!(Bulk::parse(&body, Version::V2, LIMITS).unwrap_err().status, 400);
    }
}

#[test]
fn too_many_operations_are_413_with_the_limits_in_the_detail() {
    let many: Vec<Value> = (0..11)
        .map(|n| json!({ "method": "DELETE", "path": format!("/Users/{n}") }))
        .collect();
    let error = Bulk::parse(&request(many.into()), Version::V2, LIMITS).unwrap_err();
    assert_eq!(error.status, 413);
    assert!(
        error.detail.contains("10") && error.detail.contains("1000000"),
        "{}",
        error.detail
    );
}

#[test]
fn a_malformed_operation_has_a_status_of_its_own() {
    let body = request(json!([
        { "method": "GET", "path": "/Users" },
        { "method": "POST", "path": "/Bulk", "data": {} },
        { "method": "POST", "path": "/Users/1", "data": {} },
        { "method": "PUT", "path": "/Users", "data": {} },
        { "method": "PUT", "path": "/Users/1" },
        { "method": "PATCH", "path": "/Users/1/x", "data": {} },
        { "method": "DELETE", "path": "/Devices/1" },
        "nonsense",
        { "method": "DELETE", "path": "/Users/1?x=y" },
        { "method": "DELETE", "path": "/Users/1" },
    ]));
    let (steps, answer) = run(&body, Version::V2, &[]);
    assert_eq!(order(&steps), [9]);
    let got = statuses(&answer);
    assert_eq!(got.len(), 10);
    assert!(got.iter().take(9).all(|status| status == "400"), "{got:?}");
    assert_eq!(got[9], "204");
}

#[test]
fn a_bulk_id_used_twice_is_refused_the_second_time() {
    let body = request(json!([
        { "method": "POST", "path": "/Users", "bulkId": "x", "data": { "userName": "a" } },
        { "method": "POST", "path": "/Users", "bulkId": "x", "data": { "userName": "b" } },
    ]));
    assert_eq!(statuses(&run(&body, Version::V2, &[]).1), ["201", "400"]);
}

#[test]
fn the_message_must_be_one() {
    for body in [
        json!([]),
        json!("bulk"),
        json!({ "schemas": [REQUEST_URN] }),
        json!({ "schemas": [REQUEST_URN], "Operations": {} }),
        json!({ "schemas": [REQUEST_URN], "Operations": [] }),
        json!({ "Operations": [{ "method": "DELETE", "path": "/Users/1" }] }),
        json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [{ "op": "add" }] }),
    ] {
        assert_eq!(
            Bulk::parse(&body, Version::V2, LIMITS).unwrap_err().status,
            400,
            "{body}"
        );
    }
}

#[test]
fn version_1_answers_with_a_code_and_a_description() {
    let body = json!({
        "schemas": ["urn:scim:schemas:core:1.0"],
        "Operations": [
            { "method": "POST", "path": "/Users", "bulkId": "a", "data": { "userName": "ann" } },
            { "method": "DELETE", "path": "/Users/1", "version": "W/\"1\"" },
        ],
    });
    let (_, answer) = run(&body, Version::V1, &[1]);
    assert_eq!(answer["schemas"], json!(["urn:scim:schemas:core:1.0"]));
    assert_eq!(answer["Operations"][0]["status"], json!({ "code": "201" }));
    assert_eq!(answer["Operations"][1]["status"]["code"], "409");
    assert!(answer["Operations"][1]["status"]["description"].is_string());
    assert!(answer["Operations"][1].get("response").is_none());
}

proptest! {
    /// Whatever refers to whatever: every operation ends exactly once, and nothing runs before what it refers to.
    #[test]
    fn every_operation_ends_and_references_are_resolved_first(
        links in proptest::collection::vec(proptest::collection::vec(0usize..10, 0..3), 1..10),
        refuse in proptest::collection::vec(0usize..10, 0..3),
    ) {
        let operations: Vec<Value> = links
            .iter()
            .enumerate()
            .map(|(n, to)| {
                let members: Vec<Value> = to.iter().map(|each| json!({ "value": format!("bulkId:{each}") })).collect();
                json!({ "method": "POST", "path": "/Groups", "bulkId": n.to_string(), "data": { "members": members } })
            })
            .collect();
        let (steps, answer) = run(&request(operations.into()), Version::V2, &refuse);
        prop_assert_eq!(answer["Operations"].as_array().unwrap().len(), links.len());
        let mut ran = std::collections::HashSet::new();
        for step in &steps {
            prop_assert!(ran.insert(step.index), "ran twice");
            let text = step.data.as_ref().unwrap().to_string();
            prop_assert!(!text.contains("bulkId:"), "unresolved: {}", text);
        }
    }
}
