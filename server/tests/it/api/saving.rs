//! Saving policies: refused with position and suggestion, held by the guard, approved and rejected.

use std::time::Duration;

use axum::http::{Method, StatusCode, header};
use provost::flow::policy::{change, drift};
use provost_kernel::id::ConnectionId;
use serde_json::{Value, json};

use super::{CONNECTION, Client, OTHER, ann_signs_in, code, furnish};
use crate::app::{TestApp, on_each_engine};
use crate::directory::{self, ORGANIZATION};
use crate::saml_idp::{Person, sign_in};

const POLICY: &str = "/api/v1/connections/okta/policy";

/// Signs twelve people in who are in the group `staff`.
pub async fn staff(app: &TestApp) {
    for number in 0..12 {
        staff_signs_in(app, number).await;
    }
}

/// Signs one of them in.
pub async fn staff_signs_in(app: &TestApp, number: usize) {
    let email = format!("p{number}@home-lab.example");
    let person = Person::new(&format!("p-{number}"), &email).with("groups", &["staff"]);
    let page = sign_in(&app.app, &mut app.browser(), CONNECTION, &person).await;
    assert!(
        page.status.is_redirection() || page.status == StatusCode::FORBIDDEN,
        "{}",
        page.body
    );
}

/// Policies that would put everybody out who is no admin.
pub fn only_admins() -> Value {
    json!({ "policy": { "organization": "contains(groups, 'admin')", "role": { "fixed": "Admin" } } })
}

/// Identifier of a change that waits for an approval; makes one if none waits.
pub async fn a_held_change(app: &TestApp) -> String {
    let mut client = Client::new(app, None).await;
    let changes = client.get(&format!("{POLICY}/changes")).await.json();
    if let Some(id) = changes["items"][0]["id"].as_str() {
        return id.to_owned();
    }
    staff(app).await;
    let page = client.send_json(Method::PUT, POLICY, &only_admins()).await;
    assert_eq!(page.status, StatusCode::ACCEPTED, "{}", page.body);
    page.json()["id"].as_str().unwrap().to_owned()
}

async fn version(client: &mut Client) -> (Value, String) {
    let page = client.get(POLICY).await;
    (page.json(), page.header("etag").unwrap().to_owned())
}

#[tokio::test]
async fn bad_rules_are_refused_with_position_and_suggestion_and_nothing_is_stored() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        let before = version(&mut client).await;
        let organization = |rule: &str| json!({ "policy": { "organization": rule } });
        let deep = format!("{}groups{}", "(".repeat(64), ")".repeat(64));
        let long = format!("contains(groups, '{}')", "x".repeat(2048));
        let cases = [
            (organization("contains(groups, 'a'"), "policy.organization", None),
            (
                organization("contians(groups, 'a')"),
                "policy.organization",
                Some("contains"),
            ),
            (organization(&deep), "policy.organization", None),
            (organization(&long), "policy.organization", None),
            (
                json!({ "policy": { "role": { "expression": "groups[" } } }),
                "policy.role.expression",
                None,
            ),
            (
                json!({ "policy": { "workspaces": { "mode": "dynamic", "expression": "&teams" } } }),
                "policy.workspaces.expression",
                None,
            ),
            (
                json!({ "organization_policies": [{ "organization": OTHER }] }),
                "organization_policies[0].organization",
                None,
            ),
        ];
        for (policies, path, suggestion) in cases {
            let page = client.send_json(Method::PUT, POLICY, &policies).await;
            assert_eq!(
                page.status,
                StatusCode::UNPROCESSABLE_ENTITY,
                "{policies}: {}",
                page.body
            );
            assert_eq!(code(&page), "invalid_policy");
            let error = &page.json()["errors"][0];
            assert_eq!(error["path"], path, "{error}");
            assert!(!error["message"].as_str().unwrap().is_empty());
            assert_eq!(error["suggestion"].as_str(), suggestion, "{error}");
            if path.ends_with("organization") && !path.contains('[') {
                assert!(
                    error["position"].is_u64() || error["position"].is_null(),
                    "{error}"
                );
            }
            let tried = client.post(&format!("{POLICY}/preview"), &policies).await;
            assert_eq!(code(&tried), "invalid_policy", "{policies}");
        }
        let syntax = client
            .send_json(Method::PUT, POLICY, &organization("groups[?x ==]"))
            .await
            .json();
        assert!(syntax["errors"][0]["position"].as_u64().unwrap() > 0, "{syntax}");
        assert_eq!(version(&mut client).await, before);
    })
    .await;
}

#[tokio::test]
async fn r187_a_preview_counts_and_lists_who_would_lose_and_changes_nothing() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        staff(&app).await;
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        let before = version(&mut client).await;
        let page = client.post(&format!("{POLICY}/preview"), &only_admins()).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        assert_eq!(page.header("content-type"), Some("application/jsonl"));
        let lines: Vec<Value> = page
            .body
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines[0], json!({ "type": "begin", "total": 13, "unknown": 0 }));
        let people: Vec<&Value> = lines.iter().filter(|line| line["type"] == "person").collect();
        assert_eq!(people.len(), 12, "{}", page.body);
        for person in people {
            assert_eq!(
                person["organizations"][0]["organization"], ORGANIZATION,
                "{person}"
            );
            assert_eq!(person["organizations"][0]["how"], "loses", "{person}");
            assert!(person["email"].as_str().unwrap().starts_with('p'), "{person}");
        }
        let end = lines.last().unwrap();
        assert_eq!(end["type"], "end");
        assert_eq!(
            (&end["impact"]["lose"], &end["impact"]["accounts"]),
            (&json!(12), &json!(13))
        );
        assert_eq!(
            end["impact"]["organizations"][ORGANIZATION]["roles"]["member"]["lose"],
            12
        );
        assert_eq!(end["judgement"]["held"][0]["organization"], ORGANIZATION);
        let mut listener = Client::new(&app, None)
            .await
            .header(header::ACCEPT, "text/event-stream");
        let page = listener.post(&format!("{POLICY}/preview"), &only_admins()).await;
        assert_eq!(page.header("content-type"), Some("text/event-stream"));
        assert_eq!(page.body.matches("event: person\n").count(), 12);
        assert!(page.body.contains("event: end\ndata: {"), "{}", page.body);
        // The policy that is in force anyway changes nobody.
        let page = client.post(&format!("{POLICY}/preview"), &before.0).await;
        assert!(!page.body.contains("\"person\""), "{}", page.body);
        assert_eq!(version(&mut client).await, before);
    })
    .await;
}

#[tokio::test]
async fn c09_a_policy_that_takes_too_much_is_held_until_an_admin_settles_it() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        staff(&app).await;
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        let before = version(&mut client).await;
        let held = client.send_json(Method::PUT, POLICY, &only_admins()).await;
        assert_eq!(held.status, StatusCode::ACCEPTED, "{}", held.body);
        let held = held.json();
        assert_eq!(held["state"], "held");
        assert_eq!(held["found"]["judgement"]["held"][0]["stripped"], 12, "{held}");
        assert_eq!(version(&mut client).await, before, "nothing is in force yet");
        let id = held["id"].as_str().unwrap();
        let rejected = client
            .post(&format!("/api/v1/policy-changes/{id}/reject"), &json!({}))
            .await;
        assert_eq!(rejected.json()["state"], "rejected", "{}", rejected.body);
        let again = client
            .post(&format!("/api/v1/policy-changes/{id}/approve"), &json!({}))
            .await;
        assert_eq!(code(&again), "change_settled");
        // A second one takes the place of what waits; the first of them can no longer be approved.
        let first = client.send_json(Method::PUT, POLICY, &only_admins()).await.json();
        let second = client.send_json(Method::PUT, POLICY, &only_admins()).await.json();
        let path = |change: &Value| {
            format!(
                "/api/v1/policy-changes/{}/approve",
                change["id"].as_str().unwrap()
            )
        };
        assert_eq!(
            code(&client.post(&path(&first), &json!({})).await),
            "change_settled"
        );
        let approved = client.post(&path(&second), &json!({})).await;
        assert_eq!(approved.json()["state"], "approved", "{}", approved.body);
        assert!(
            approved.json()["settled_by"]
                .as_str()
                .unwrap()
                .starts_with("api_key:")
        );
        assert_eq!(client.get(POLICY).await.json(), only_admins());
        let mut kinds = Vec::new();
        let events = client.get("/api/v1/events?limit=200").await.json();
        for event in events["items"].as_array().unwrap() {
            kinds.push(event["kind"].as_str().unwrap().to_owned());
        }
        for kind in ["policy.held", "policy.rejected", "policy.updated"] {
            assert!(kinds.iter().any(|one| one == kind), "{kind} in {kinds:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn harmless_policies_are_in_force_at_once_and_versions_are_guarded() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        let (_, tag) = version(&mut client).await;
        let edited = json!({ "policy": { "role": { "mapping": [{ "claim": "groups", "value": "admin", "roles": ["Admin"] }] } } });
        let page = client.send_json(Method::PUT, POLICY, &edited).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        let mut late = Client::new(&app, Some(ORGANIZATION))
            .await
            .header(header::IF_MATCH, &tag);
        let page = late.send_json(Method::PUT, POLICY, &json!({})).await;
        assert_eq!(page.status, StatusCode::PRECONDITION_FAILED);
        assert_eq!(code(&page), "version_mismatch");
        assert_eq!(client.get(POLICY).await.json(), edited);
        // A connection that serves others too is not one organization's to change.
        directory::change_connection(&app.app, CONNECTION, |connection, _| {
            connection.scope = provost_kernel::connection::Scope::Organization {
                organization: ORGANIZATION.into(),
                shared_with: vec![OTHER.into()],
            };
        })
        .await;
        let page = client.send_json(Method::PUT, POLICY, &json!({})).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{}", page.body);
        assert_eq!(code(&page), "shared_connection");
    })
    .await;
}

#[tokio::test]
async fn c07_pins_hold_drift_is_listed_and_unpinning_returns_to_the_rules() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        let account = super::ann(&app).await;
        let pin = format!("/api/v1/organizations/{ORGANIZATION}/members/{account}/pin");
        let drift = format!("/api/v1/organizations/{ORGANIZATION}/drift");
        let pinned = client.send(Method::PUT, &pin).await;
        assert_eq!(pinned.status, StatusCode::OK, "{}", pinned.body);
        assert_eq!(pinned.json()["pinned"], true);
        assert_eq!(client.get(&drift).await.json()["items"], json!([]));
        ann_signs_in(&app, &["staff"]).await;
        // Whoever is held by hand and signs in is looked at soon.
        drift::work(&app.app).await.unwrap();
        let found = client.get(&drift).await.json();
        assert!(
            found["as_of"].is_string() && found.get("looked_at").is_none(),
            "{found}"
        );
        assert_eq!(found["items"][0]["account"]["id"], account.as_str(), "{found}");
        assert_eq!(
            found["items"][0]["account"]["memberships"][0]["roles"][0]["id"],
            "admin"
        );
        let edits = found["items"][0]["edits"].to_string();
        assert!(edits.contains("member"), "{edits}");
        let unpinned = client.send(Method::DELETE, &pin).await;
        assert_eq!(unpinned.json()["pinned"], false, "{}", unpinned.body);
        assert_eq!(client.get(&drift).await.json()["items"], json!([]));
        ann_signs_in(&app, &["staff"]).await;
        let account = client.get(&format!("/api/v1/accounts/{account}")).await.json();
        assert_eq!(account["memberships"][0]["roles"][0]["id"], "member", "{account}");
    })
    .await;
}

#[tokio::test]
async fn c09_a_wave_of_sign_ins_that_take_access_is_held_until_it_is_allowed() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        staff(&app).await;
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        // Somebody writes a policy behind the API's guard, or the provider stops sending groups.
        directory::change_connection(&app.app, CONNECTION, |connection, _| {
            connection.policy = serde_json::from_value(only_admins()["policy"].clone()).unwrap();
        })
        .await;
        for number in 0..12 {
            staff_signs_in(&app, number).await;
        }
        let members = format!("/api/v1/organizations/{ORGANIZATION}/members?limit=200");
        let left = client.get(&members).await.json()["items"]
            .as_array()
            .unwrap()
            .len();
        assert_eq!(
            left, 4,
            "nine have lost their membership; three and Ann are still in"
        );
        let events = client.get("/api/v1/events?limit=200").await.body;
        assert!(events.contains("strip_held"), "{events}");
        let path = format!("/api/v1/connections/{CONNECTION}/strips/{ORGANIZATION}/approve");
        let allowed = client.post(&path, &json!({})).await;
        assert_eq!(allowed.status, StatusCode::OK, "{}", allowed.body);
        for number in 0..12 {
            staff_signs_in(&app, number).await;
        }
        let left = client.get(&members).await.json()["items"]
            .as_array()
            .unwrap()
            .len();
        assert_eq!(left, 1);
    })
    .await;
}

#[tokio::test]
async fn c09_what_the_guard_cannot_judge_in_time_is_held() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        staff(&app).await;
        let id = ConnectionId::new(CONNECTION);
        let saved = app
            .app
            .store
            .read(|reader| Box::pin(async move { reader.connection(&id).await }))
            .await
            .unwrap()
            .unwrap()
            .connection;
        // Nothing changes, so only not knowing can hold it.
        let judge = async |limit| change::judge(&app.app, &saved, &saved, limit).await.unwrap();
        let unjudged = judge(Some(Duration::ZERO)).await;
        assert!(!unjudged.complete && !unjudged.judgement.is_held());
        assert!(unjudged.is_held(), "nobody knows whom it would strip");
        let judged = judge(None).await;
        assert!(judged.complete && !judged.is_held(), "{:?}", judged.judgement);
    })
    .await;
}
