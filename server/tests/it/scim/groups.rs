//! Groups, as directories push them, and what they give.

use serde_json::{Value, json};

use super::lab::{self, Directory};
use crate::app::{TestApp, on_each_engine};

pub(super) fn group(name: &str, members: &[&String]) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "displayName": name,
        "members": members.iter().map(|id| json!({ "value": id })).collect::<Vec<_>>(),
    })
}

pub(super) fn members(body: &Value) -> Vec<String> {
    let mut ids: Vec<String> = body["members"]
        .as_array()
        .unwrap_or_else(|| panic!("no members: {body}"))
        .iter()
        .map(|member| member["value"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    ids
}

fn sorted(ids: &[&String]) -> Vec<String> {
    let mut ids: Vec<String> = ids.iter().map(|id| (*id).clone()).collect();
    ids.sort();
    ids
}

pub(super) async fn role(test: &TestApp, id: &str) -> String {
    let account = provost_kernel::id::AccountId::new(id);
    let memberships = test
        .app
        .store
        .read(|reader| Box::pin(async move { reader.memberships(&account).await }))
        .await
        .unwrap();
    let roles: Vec<String> = memberships[0]
        .roles
        .iter()
        .map(|grant| grant.id.to_string())
        .collect();
    roles.join(",")
}

#[tokio::test]
async fn r78_groups_are_made_filled_renamed_and_removed() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let okta = Directory::of(&test, "okta").await;
        let (ida, kim, lea) = (
            okta.hire("ida").await,
            okta.hire("kim").await,
            okta.hire("lea").await,
        );
        let made = okta.post("/Groups", group("Admins", &[&ida])).await.expect(201);
        let path = format!("/Groups/{}", made.id());
        assert_eq!(made.body["meta"]["resourceType"], "Group");
        assert_eq!(members(&made.body), sorted(&[&ida]));
        assert_eq!(role(&test, &ida).await, "admin");
        assert_eq!(role(&test, &kim).await, "member");
        let read = okta.get(&format!("/Users/{ida}")).await.expect(200);
        assert_eq!(read.body["groups"][0]["display"], "Admins");
        assert_eq!(read.body["groups"][0]["value"], json!(made.id()));
        // Entra: one by one, with the value in a list; repeats are no-ops.
        for _ in 0..2 {
            okta.patch(
                &path,
                json!([{ "op": "Add", "path": "members", "value": [{ "$ref": null, "value": kim }] }]),
            )
            .await
            .expect(200);
        }
        assert_eq!(role(&test, &kim).await, "admin");
        let answer = okta
            .patch(
                &path,
                json!([{ "op": "Remove", "path": "members", "value": [{ "$ref": null, "value": ida }] }]),
            )
            .await
            .expect(200);
        assert_eq!(members(&answer.body), sorted(&[&kim]));
        assert_eq!(role(&test, &ida).await, "member");
        // Okta: by filter and in one request.
        let answer = okta
            .patch(
                &path,
                json!([
                    { "op": "remove", "path": format!("members[value eq \"{kim}\"]") },
                    { "op": "add", "path": "members", "value": [{ "value": lea, "display": "L" }] },
                    { "op": "replace", "value": { "id": made.id(), "displayName": "Bosses" } },
                ]),
            )
            .await
            .expect(200);
        assert_eq!(members(&answer.body), sorted(&[&lea]));
        assert_eq!(answer.body["displayName"], "Bosses");
        assert_eq!(
            role(&test, &lea).await,
            "member",
            "the name decides, and it is another one"
        );
        okta.patch(
            &path,
            json!([{ "op": "replace", "path": "displayName", "value": "Admins" }]),
        )
        .await
        .expect(200);
        assert_eq!(role(&test, &lea).await, "admin");
        // A full push by PUT, and an empty one.
        let answer = okta.put(&path, group("Admins", &[&ida, &kim])).await.expect(200);
        assert_eq!(members(&answer.body), sorted(&[&ida, &kim]));
        let answer = okta
            .put(&path, json!({ "displayName": "Admins" }))
            .await
            .expect(200);
        assert_eq!(members(&answer.body), Vec::<String>::new());
        okta.put(&path, group("Admins", &[&ida])).await.expect(200);
        okta.delete(&path).await.expect(204);
        okta.get(&path).await.refused(404, None);
        assert_eq!(role(&test, &ida).await, "member");
        assert_eq!(okta.get(&format!("/Users/{ida}")).await.body.get("groups"), None);
        // a pushed group comes back at the next push.
        okta.post("/Groups", group("Admins", &[&ida])).await.expect(201);
        assert_eq!(role(&test, &ida).await, "admin");
    })
    .await;
}

#[tokio::test]
async fn group_look_ups_leave_members_out_and_reference_checks_work() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let okta = Directory::of(&test, "okta").await;
        let ida = okta.hire("ida").await;
        let made = okta.post("/Groups", group("Tools", &[&ida])).await.expect(201);
        let id = made.id();
        let found = okta
            .get("/Groups?excludedAttributes=members&filter=displayName%20eq%20%22TOOLS%22")
            .await
            .expect(200);
        assert_eq!(found.body["Resources"][0]["id"], json!(id));
        assert_eq!(found.body["Resources"][0].get("members"), None);
        let hits = |filter: String| {
            let okta = okta.clone();
            async move {
                let path = format!(
                    "/Groups?filter={}",
                    filter.replace(' ', "%20").replace('"', "%22")
                );
                okta.get(&path).await.expect(200).body["totalResults"].clone()
            }
        };
        assert_eq!(hits(format!("id eq \"{id}\" and members eq \"{ida}\"")).await, 1);
        assert_eq!(
            hits(format!("id eq \"{id}\" and members eq \"someone\"")).await,
            0
        );
        assert_eq!(hits(format!("members[value eq \"{ida}\"]")).await, 1);
        okta.post("/Groups", group("tools", &[]))
            .await
            .refused(409, Some("uniqueness"));
        okta.post("/Groups", json!({ "members": [] }))
            .await
            .refused(400, Some("invalidValue"));
    })
    .await;
}

#[tokio::test]
async fn long_lists_are_answered_204_unless_asked_for() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let okta = Directory::of(&test, "okta").await;
        let mut ids = Vec::new();
        for number in 0..102 {
            ids.push(okta.hire(&format!("p{number}")).await);
        }
        let all: Vec<&String> = ids.iter().collect();
        let made = okta.post("/Groups", group("All", &all[..100])).await.expect(201);
        let path = format!("/Groups/{}", made.id());
        let one = json!([{ "op": "add", "path": "members", "value": [{ "value": ids[100] }] }]);
        let answer = okta.patch(&path, one).await.expect(204);
        assert_eq!(answer.text, "");
        let two = json!([{ "op": "add", "path": "members", "value": [{ "value": ids[101] }] }]);
        let answer = okta
            .send(
                "PATCH",
                &format!("{path}?attributes=displayName"),
                &json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": two }),
            )
            .await
            .expect(200);
        assert_eq!(answer.body["displayName"], "All");
        assert_eq!(answer.body.get("members"), None);
        assert_eq!(members(&okta.get(&path).await.body).len(), 102);
    })
    .await;
}

#[tokio::test]
async fn members_that_are_nobody_here_are_refused_and_nothing_is_written() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let (okta, acme) = (
            Directory::of(&test, "okta").await,
            Directory::of(&test, "acme").await,
        );
        let ida = okta.hire("ida").await;
        let foreign = acme
            .post(
                "/Users",
                json!({ "userName": "x", "emails": [{ "value": "x@acme.example" }] }),
            )
            .await
            .expect(201)
            .id();
        let made = okta.post("/Groups", group("G", &[&ida])).await.expect(201);
        let path = format!("/Groups/{}", made.id());
        let nobody = "00000000-0000-4000-8000-000000000000".to_owned();
        for stranger in [&foreign, &nobody, &made.id()] {
            let add = json!([{ "op": "add", "path": "members", "value": [{ "value": stranger }] }]);
            okta.patch(&path, add).await.refused(400, Some("invalidValue"));
            okta.put(&path, group("G", &[&ida, stranger]))
                .await
                .refused(400, Some("invalidValue"));
            okta.post("/Groups", group("H", &[stranger]))
                .await
                .refused(400, Some("invalidValue"));
            // Taking out whoever is not in is no error.
            okta.patch(
                &path,
                json!([{ "op": "remove", "path": format!("members[value eq \"{stranger}\"]") }]),
            )
            .await
            .expect(200);
        }
        assert_eq!(members(&okta.get(&path).await.body), sorted(&[&ida]));
        assert_eq!(okta.get("/Groups").await.body["totalResults"], 1);
        // What never was an id comes from test tools only; the answer shows that it is no member.
        let add = json!([{ "op": "add", "path": "members", "value": [{ "value": "fake-member-id" }] }]);
        let answer = okta.patch(&path, add).await.expect(200);
        assert_eq!(members(&answer.body), sorted(&[&ida]));
    })
    .await;
}

#[tokio::test]
async fn concurrent_writers_of_one_group_lose_nothing() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let okta = Directory::of(&test, "okta").await;
        let mut ids = Vec::new();
        for number in 0..20 {
            ids.push(okta.hire(&format!("p{number}")).await);
        }
        let made = okta.post("/Groups", group("All", &[])).await.expect(201);
        let path = format!("/Groups/{}", made.id());
        let writers = ids.iter().map(|id| {
            let (okta, path, id) = (okta.clone(), path.clone(), id.clone());
            tokio::spawn(async move {
                okta.patch(
                    &path,
                    json!([{ "op": "add", "path": "members", "value": [{ "value": id }] }]),
                )
                .await
                .expect(200);
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
        let all: Vec<&String> = ids.iter().collect();
        assert_eq!(members(&okta.get(&path).await.body), sorted(&all));
    })
    .await;
}
