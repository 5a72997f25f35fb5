//! Policies of a connection whose directory makes the accounts: tried on what was pushed, since nobody has to have signed in.

use axum::http::{Method, StatusCode};
use jiff::SignedDuration;
use provost::flow::policy::drift;
use provost::flow::scim::upkeep;
use provost_store::StoreError;
use serde_json::{Value, json};

use super::lab::{self, Directory};
use crate::api::{Client, code};
use crate::app::{TestApp, on_each_engine};

const POLICY: &str = "/api/v1/connections/okta/policy";

/// Ida, an admin and of the staff, Kim of the staff, and Lea.
struct People {
    ida: String,
    kim: String,
    lea: String,
    okta: Directory,
}

async fn push(test: &TestApp) -> People {
    lab::fill(&test.app).await;
    let attributes = "scim: { attributes: [{ name: nfc }, { name: apiToken }] }";
    let guard = "strip_guard: { percent: 50, at_least: 2, minutes: 60 }";
    lab::change(&test.app, attributes, &format!("{attributes}\n    {guard}")).await;
    let okta = Directory::of(test, "okta").await;
    let people = People {
        ida: okta.hire("ida").await,
        kim: okta.hire("kim").await,
        lea: okta.hire("lea").await,
        okta: okta.clone(),
    };
    let People { ida, kim, .. } = &people;
    for (name, members) in [("Admins", vec![ida]), ("Staff", vec![ida, kim])] {
        let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
        okta.post("/Groups", json!({ "displayName": name, "members": members }))
            .await
            .expect(201);
    }
    people
}

/// Policies that admit the members of a group, with the roles of the saved one.
fn only(group: &str) -> Value {
    json!({ "policy": {
        "organization": format!("contains(groups, '{group}')"),
        "role": { "expression": "groups && contains(groups, 'Admins') && 'Admin' || 'Member'" },
        "workspaces": { "mode": "all" },
        "license": { "fixed": "standard" },
    } })
}

async fn preview(client: &mut Client, policies: &Value) -> Vec<Value> {
    let page = client.post(&format!("{POLICY}/preview"), policies).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    page.body
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn listed(lines: &[Value]) -> Vec<String> {
    let people = lines.iter().filter(|line| line["type"] == "person");
    let mut listed: Vec<String> = people
        .map(|person| {
            let one = &person["organizations"][0];
            format!(
                "{} {} {}",
                person["email"].as_str().unwrap(),
                one["how"].as_str().unwrap(),
                one["organization"].as_str().unwrap()
            )
        })
        .collect();
    listed.sort();
    listed
}

/// The organizations of an account, as they are.
async fn places(client: &mut Client, account: &str) -> Vec<String> {
    let account = client.get(&format!("/api/v1/accounts/{account}")).await.json();
    let memberships = account["memberships"].as_array().unwrap();
    memberships
        .iter()
        .filter(|held| held["active"] != json!(false))
        .map(|held| held["organization"].as_str().unwrap().to_owned())
        .collect()
}

/// Does what saving has queued.
async fn reevaluate(test: &TestApp) {
    let now = test.app.world.now();
    let jobs: Result<_, StoreError> = test
        .app
        .store
        .write(move |tx| {
            Box::pin(async move {
                let lease = SignedDuration::from_secs(60);
                tx.claim_jobs(&[provost::jobs::REEVALUATE], 10, lease, "t", now)
                    .await
            })
        })
        .await;
    for job in jobs.unwrap() {
        upkeep::reevaluate(&test.app, &job.job.payload).await.unwrap();
    }
}

#[tokio::test]
async fn r187_a_preview_where_a_directory_pushes_is_over_the_pushed_people() {
    on_each_engine(|test| async move {
        let people = push(&test).await;
        let mut client = Client::new(&test, Some("home-lab")).await;
        let lines = preview(&mut client, &only("Staff")).await;
        assert_eq!(lines[0], json!({ "type": "begin", "total": 3, "unknown": 0 }));
        assert_eq!(listed(&lines), ["lea@home-lab.example loses home-lab"]);
        let end = lines.last().unwrap();
        let impact = &end["impact"];
        assert_eq!(
            (&impact["accounts"], &impact["affected"], &impact["lose"]),
            (&json!(3), &json!(1), &json!(1)),
            "{end}"
        );
        let of_it = &impact["organizations"]["home-lab"];
        assert_eq!(of_it["members"], 3, "{end}");
        assert_eq!(of_it["roles"], json!({ "member": { "gain": 0, "lose": 1 } }), "{end}");
        assert_eq!(of_it["licenses"]["standard"]["lose"], 1, "{end}");
        assert_eq!(end["judgement"]["held"], json!([]), "one is fewer than two");
        // One role for everybody: Ida has another one afterwards.
        let member = json!({ "policy": { "role": { "fixed": "Member" }, "workspaces": { "mode": "all" }, "license": { "fixed": "standard" } } });
        let lines = preview(&mut client, &member).await;
        assert_eq!(listed(&lines), ["ida@home-lab.example changes home-lab"]);
        // What is saved anyway changes nobody, and nothing has happened to anybody.
        let saved = client.get(POLICY).await.json();
        assert_eq!(listed(&preview(&mut client, &saved).await), Vec::<String>::new());
        for id in [&people.ida, &people.kim, &people.lea] {
            assert_eq!(places(&mut client, id).await, ["home-lab"]);
        }
    })
    .await;
}

#[tokio::test]
async fn c09_a_policy_that_takes_access_from_pushed_people_is_held_and_then_does_what_the_preview_said() {
    on_each_engine(|test| async move {
        let people = push(&test).await;
        let mut client = Client::new(&test, Some("home-lab")).await;
        // The organization does not see whom it has no more.
        let mut whole = Client::new(&test, None).await;
        let lines = preview(&mut client, &only("Admins")).await;
        assert_eq!(
            listed(&lines),
            [
                "kim@home-lab.example loses home-lab",
                "lea@home-lab.example loses home-lab"
            ]
        );
        assert_eq!(
            lines.last().unwrap()["judgement"]["held"][0]["organization"],
            "home-lab"
        );
        let pin = format!("/api/v1/organizations/home-lab/members/{}/pin", people.lea);
        let held = client.send_json(Method::PUT, POLICY, &only("Admins")).await;
        assert_eq!(held.status, StatusCode::ACCEPTED, "{}", held.body);
        let held = held.json();
        let judged = &held["found"]["judgement"]["held"][0];
        assert_eq!(
            (&judged["stripped"], &judged["members"]),
            (&json!(2), &json!(3)),
            "{held}"
        );
        reevaluate(&test).await;
        assert_eq!(places(&mut whole, &people.kim).await, ["home-lab"], "held");
        // What a hand edit holds is listed as drift once the policy is in force, and stays.
        assert_eq!(client.send(Method::PUT, &pin).await.status, StatusCode::OK);
        let approve = format!("/api/v1/policy-changes/{}/approve", held["id"].as_str().unwrap());
        let approved = client.post(&approve, &json!({})).await;
        assert_eq!(approved.json()["state"], "approved", "{}", approved.body);
        reevaluate(&test).await;
        for (id, expected) in [
            (&people.ida, vec!["home-lab"]),
            (&people.kim, vec![]),
            (&people.lea, vec!["home-lab"]),
        ] {
            assert_eq!(places(&mut whole, id).await, expected, "{id}");
        }
        drift::work(&test.app).await.unwrap();
        let drift = client.get("/api/v1/organizations/home-lab/drift").await.json();
        assert_eq!(drift["items"].as_array().unwrap().len(), 1, "{drift}");
        assert_eq!(drift["items"][0]["account"]["id"], people.lea.as_str());
        assert_eq!(drift["items"][0]["admits"], false, "{drift}");
    })
    .await;
}

#[tokio::test]
async fn r186_a_pushed_person_is_tried_by_the_decision_of_a_push() {
    on_each_engine(|test| async move {
        let people = push(&test).await;
        let secret = json!([{ "op": "add", "value": {
            "urn:provost:scim:schemas:extension:custom:2.0:User": { "apiToken": "very-secret-0123" },
        } }]);
        let kim = format!("/Users/{}", people.kim);
        people.okta.patch(&kim, secret).await.expect(200);
        let mut client = Client::new(&test, Some("home-lab")).await;
        let path = format!("{POLICY}/test");
        let answer = client.post(&path, &json!({ "account": people.kim })).await.json();
        assert_eq!(
            (&answer["verdict"], &answer["changes"]),
            (&json!("admitted"), &json!([])),
            "{answer}"
        );
        let edited = json!({ "account": people.kim, "policies": only("Admins") });
        let page = client.post(&path, &edited).await;
        let answer = page.json();
        assert_eq!(answer["policy"], "edited", "{answer}");
        let kinds: Vec<&str> = answer["changes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|change| change["change"].as_str().unwrap())
            .collect();
        assert!(kinds.contains(&"remove_membership"), "{answer}");
        assert_eq!(
            answer["trace"]["claims"]["claims"]["groups"],
            json!(["Staff"]),
            "{answer}"
        );
        assert!(!page.body.contains("very-secret"), "{}", page.body);
        assert_eq!(
            places(&mut client, &people.kim).await,
            ["home-lab"],
            "nothing was written"
        );
        // Somebody of another directory is no business of this one.
        let other = Directory::of(&test, "entra").await;
        let stranger = other
            .raw(
                "POST",
                "/scim/entra/v1/Users",
                Some("application/json"),
                json!({ "userName": "zoe@home-lab.example" }).to_string(),
            )
            .await
            .expect(201)
            .id();
        let answer = client.post(&path, &json!({ "account": stranger })).await;
        assert_eq!(
            (answer.status, code(&answer)),
            (StatusCode::CONFLICT, "no_claims".to_owned())
        );
    })
    .await;
}

#[tokio::test]
async fn r186_traces_and_pasted_claims_are_tried_as_pushes_where_a_directory_makes_the_accounts() {
    on_each_engine(|test| async move {
        let people = push(&test).await;
        let mut client = Client::new(&test, Some("home-lab")).await;
        let path = format!("{POLICY}/test");
        // The trace of a past push: the person as pushed now, with the groups held.
        let traces = client.get(&format!("/api/v1/traces?account={}", people.ida)).await.json();
        let trace = traces["items"][0]["reference"].as_str().unwrap().to_owned();
        let answer = client.post(&path, &json!({ "trace": trace, "policies": only("Staff") })).await.json();
        assert_eq!(answer["trace"]["claims"]["claims"]["groups"], json!(["Admins", "Staff"]), "{answer}");
        assert!(answer["trace"].to_string().contains("gave \\\"Admin\\\""), "{answer}");
        // Claims of somebody new, in SCIM spelling and as sign-ins have them.
        for claims in [
            json!({ "userName": "zoe@home-lab.example", "emails": [{ "value": "zoe@home-lab.example" }], "groups": ["Admins"] }),
            json!({ "email": "zoe@home-lab.example", "given_name": "Zoe", "groups": [{ "display": "Admins" }] }),
        ] {
            let answer = client.post(&path, &json!({ "claims": claims })).await.json();
            assert_eq!(answer["verdict"], "admitted", "{answer}");
            let added = answer["changes"].as_array().unwrap().iter().find(|one| one["change"] == "add_membership");
            assert_eq!(added.unwrap()["membership"]["roles"][0]["id"], "admin", "{answer}");
        }
        // Claims of somebody who is there: what a push of them would change.
        let claims = json!({ "userName": "lea@home-lab.example", "emails": [{ "value": "lea@home-lab.example" }],
                             "groups": ["Admins"] });
        let answer = client.post(&path, &json!({ "claims": claims })).await.json();
        let kinds: Vec<&str> = answer["changes"].as_array().unwrap().iter().map(|one| one["change"].as_str().unwrap()).collect();
        assert!(kinds.contains(&"update_membership") && !kinds.contains(&"create_account"), "{answer}");
        assert_eq!(places(&mut client, &people.lea).await, ["home-lab"]);
        let unchanged = client.get(&format!("/api/v1/accounts/{}", people.lea)).await.json();
        assert_eq!(unchanged["memberships"][0]["roles"][0]["id"], "member", "nothing was written");
    })
    .await;
}

#[tokio::test]
async fn a_role_that_an_organization_gets_later_reaches_whom_a_rule_names_it_for_at_once() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let rule = "groups && contains(groups, 'Admins') && 'Admin' || 'Member'";
        lab::change(&test.app, rule, "'Lead'").await;
        let okta = Directory::of(&test, "okta").await;
        let id = okta.hire("ida").await;
        let mut client = Client::new(&test, None).await;
        // The role is not there yet, so no organization accepts her.
        assert_eq!(places(&mut client, &id).await, [""; 0]);
        let roles = "{ id: admin, name: Admin }";
        let yaml = lab::world().replace(rule, "'Lead'");
        lab::apply(
            &test.app,
            &yaml.replace(roles, &format!("{roles}, {{ id: lead, name: Lead }}")),
        )
        .await;
        reevaluate(&test).await;
        let shown = client.get(&format!("/api/v1/accounts/{id}")).await.json();
        assert_eq!(shown["memberships"][0]["roles"][0]["id"], "lead", "{shown}");
    })
    .await;
}
