//! Groups that an organization keeps by hand: the API, what members hold because of them, and the run over members.

use axum::http::{Method, StatusCode, header};
use provost::declarative;
use provost::flow::console::bulk;
use provost_kernel::id::{GroupId, OrganizationId};
use provost_store::StoreError;
use serde_json::{Value, json};

use super::{Client, code};
use crate::app::{TestApp, on_each_engine};
use crate::directory::accounts;
use crate::scim::lab;

const WORLD: &str = r"
organizations:
  - id: acme
    name: Acme
    domains: [{ name: acme.example, verified: true }]
    roles: [{ id: owner, name: Owner, owner: true }, { id: admin, name: Admin, admin: true }, { id: member, name: Member, default: true }, { id: writer, name: Writer }, { id: author, name: Author }]
    workspaces: [{ id: main, name: Main, default: true }, { id: lab, name: Lab }]
  - id: globex
    name: Globex
    roles: [{ id: owner, name: Owner, owner: true }]
users:
  - { email: olga@acme.example, memberships: [{ organization: acme, roles: [owner] }] }
  - { email: adam@acme.example, memberships: [{ organization: acme, roles: [admin] }] }
  - { email: mia@acme.example, memberships: [{ organization: acme, roles: [member] }] }
  - { email: bob@acme.example, memberships: [{ organization: acme, roles: [member] }] }
  - { email: otto@globex.example, memberships: [{ organization: globex, roles: [owner] }] }
";

const GROUPS: &str = "/api/v1/organizations/acme/groups";

async fn id_of(app: &TestApp, name: &str) -> String {
    let domain = if name == "otto" { "globex" } else { "acme" };
    let found = accounts(&app.app, &format!("{name}@{domain}.example")).await;
    found[0].id.as_str().to_owned()
}

async fn made(client: &mut Client, body: &Value) -> String {
    let page = client.post(GROUPS, body).await;
    assert_eq!(page.status, StatusCode::CREATED, "{}", page.body);
    page.json()["id"].as_str().unwrap().to_owned()
}

/// Roles and workspaces that somebody holds at Acme, each with its source.
async fn held(client: &mut Client, account: &str) -> Vec<String> {
    let page = client
        .get(&format!("/api/v1/organizations/acme/members/{account}"))
        .await;
    let membership = page.json();
    let mut held: Vec<String> = ["roles", "workspaces"]
        .iter()
        .flat_map(|part| membership[part].as_array().unwrap().clone())
        .map(|grant| {
            format!(
                "{} {}",
                grant["id"].as_str().unwrap(),
                grant["source"]["kind"].as_str().unwrap()
            )
        })
        .collect();
    held.sort();
    held
}

const BEFORE: [&str; 2] = ["main import", "member import"];
const WITHIN: [&str; 4] = ["lab group", "main import", "member import", "writer group"];

/// Carries out the last run over the members of a group, as the job does.
async fn carry_out(app: &TestApp, group: &str) -> String {
    let id = GroupId::new(group);
    let row = app
        .app
        .store
        .read(|reader| Box::pin(async move { reader.local_group(&OrganizationId::new("acme"), &id).await }))
        .await
        .unwrap();
    let run = row.unwrap().run.expect("a run");
    bulk::work(&app.app, &json!({ "run": run })).await.unwrap();
    run
}

#[tokio::test]
async fn a_group_is_made_read_renamed_and_deleted_with_versions() {
    on_each_engine(|app| async move {
        lab::apply(&app.app, WORLD).await;
        let mut client = Client::new(&app, Some("acme")).await;
        let body = json!({ "name": "Writers", "description": "who writes", "roles": ["Writer"], "workspaces": ["lab"] });
        let page = client.post(GROUPS, &body).await;
        assert_eq!(page.status, StatusCode::CREATED, "{}", page.body);
        let group = page.json();
        assert_eq!(group["source"], "local");
        assert_eq!((&group["roles"], &group["workspaces"]), (&json!(["writer"]), &json!(["lab"])));
        assert_eq!(page.header("etag"), Some("\"1\""));
        let path = format!("{GROUPS}/{}", group["id"].as_str().unwrap());
        let again = client.post(GROUPS, &json!({ "name": "WRITERS" })).await;
        assert_eq!((again.status, code(&again)), (StatusCode::CONFLICT, "group_name_taken".to_owned()));
        let nameless = client.post(GROUPS, &json!({})).await;
        assert_eq!((nameless.status, code(&nameless)), (StatusCode::UNPROCESSABLE_ENTITY, "name_missing".to_owned()));
        let unknown = client.post(GROUPS, &json!({ "name": "X", "roles": ["Writr"] })).await;
        assert_eq!((unknown.status, code(&unknown)), (StatusCode::UNPROCESSABLE_ENTITY, "invalid_group".to_owned()));
        assert_eq!(unknown.json()["errors"][0]["suggestion"], "Writer", "{}", unknown.body);
        let mut stale = Client::new(&app, Some("acme")).await.header(header::IF_MATCH, "\"7\"");
        let page = stale.send_json(Method::PATCH, &path, &json!({ "name": "Authors" })).await;
        assert_eq!(code(&page), "stale_version");
        assert_eq!(code(&stale.send(Method::DELETE, &path).await), "stale_version");
        let page = client.send_json(Method::PATCH, &path, &json!({ "name": "Authors" })).await;
        assert_eq!((page.json()["name"].as_str(), page.header("etag")), (Some("Authors"), Some("\"2\"")), "{}", page.body);
        made(&mut client, &json!({ "name": "Zoo" })).await;
        let list = client.get(&format!("{GROUPS}?limit=1")).await.json();
        assert_eq!(list["items"][0]["name"], "Authors");
        let next = list["next"].as_str().unwrap();
        let list = client.get(&format!("{GROUPS}?limit=1&cursor={next}")).await.json();
        assert_eq!(list["items"][0]["name"], "Zoo");
        assert_eq!(client.send(Method::DELETE, &path).await.status, StatusCode::NO_CONTENT);
        assert_eq!(client.get(&path).await.status, StatusCode::NOT_FOUND);
        let mut instance = Client::new(&app, None).await;
        let events = instance.get("/api/v1/events?limit=200").await.json();
        let told = |kind: &str| {
            let mut events = events["items"].as_array().unwrap().iter();
            events.find(|event| event["type"] == kind || event["kind"] == kind).unwrap_or_else(|| panic!("{kind}: {events:?}")).clone()
        };
        assert_eq!(told("group.updated")["data"]["before"]["name"], "Writers");
        assert!(told("group.created")["trace"].is_string(), "{}", told("group.created"));
        told("group.deleted");
    })
    .await;
}

#[tokio::test]
async fn members_of_a_group_have_its_grants_and_lose_exactly_these() {
    on_each_engine(|app| async move {
        lab::apply(&app.app, WORLD).await;
        let mut client = Client::new(&app, Some("acme")).await;
        let group = made(
            &mut client,
            &json!({ "name": "Writers", "roles": ["writer"], "workspaces": ["lab"] }),
        )
        .await;
        let (mia, bob) = (id_of(&app, "mia").await, id_of(&app, "bob").await);
        let members = format!("{GROUPS}/{group}/members");
        assert_eq!(held(&mut client, &mia).await, BEFORE);
        for _ in 0..2 {
            let page = client.send(Method::PUT, &format!("{members}/{mia}")).await;
            assert_eq!(page.status, StatusCode::NO_CONTENT, "{}", page.body);
            assert_eq!(held(&mut client, &mia).await, WITHIN);
        }
        let nobody = client.send(Method::PUT, &format!("{members}/acc_nobody")).await;
        assert_eq!(nobody.status, StatusCode::NOT_FOUND);
        let foreign = id_of(&app, "otto").await;
        assert_eq!(
            client
                .send(Method::PUT, &format!("{members}/{foreign}"))
                .await
                .status,
            StatusCode::NOT_FOUND
        );
        let mut instance = Client::new(&app, None).await;
        let page = instance.send(Method::PUT, &format!("{members}/{foreign}")).await;
        assert_eq!(
            (page.status, code(&page)),
            (StatusCode::UNPROCESSABLE_ENTITY, "unknown_member".to_owned())
        );
        // What comes from a group is not taken by hand.
        let path = format!("/api/v1/organizations/acme/members/{mia}");
        let page = client
            .send_json(Method::PUT, &path, &json!({ "roles": ["member"] }))
            .await;
        assert_eq!(
            (page.status, code(&page)),
            (StatusCode::CONFLICT, "from_group".to_owned())
        );
        let bulk = client
            .post(
                &format!("{members}:bulk"),
                &json!({ "action": "add", "accounts": [bob, foreign] }),
            )
            .await;
        assert_eq!(
            (bulk.json()["done"].as_u64(), bulk.json()["refused"].as_u64()),
            (Some(1), Some(1)),
            "{}",
            bulk.body
        );
        let list = client.get(&members).await.json();
        assert_eq!(list["items"].as_array().unwrap().len(), 2);
        assert_eq!(list["items"][0]["membership"]["groups"][0]["name"], "Writers");
        for _ in 0..2 {
            let page = client.send(Method::DELETE, &format!("{members}/{mia}")).await;
            assert_eq!(page.status, StatusCode::NO_CONTENT, "{}", page.body);
            assert_eq!(held(&mut client, &mia).await, BEFORE);
        }
        // Who leaves the organization leaves its groups.
        let page = client
            .send(
                Method::DELETE,
                &format!("/api/v1/organizations/acme/members/{bob}"),
            )
            .await;
        assert_eq!(page.status, StatusCode::NO_CONTENT, "{}", page.body);
        assert_eq!(
            client.get(&format!("{GROUPS}/{group}")).await.json()["members"],
            0
        );
    })
    .await;
}

#[tokio::test]
async fn r87_only_who_may_grant_an_owner_role_lets_a_group_lead_to_it() {
    on_each_engine(|app| async move {
        lab::apply(&app.app, WORLD).await;
        let mut own = Client::new(&app, Some("acme")).await;
        let mut instance = Client::new(&app, None).await;
        let mut other = Client::new(&app, Some("globex")).await;
        let page = own
            .post(GROUPS, &json!({ "name": "Chiefs", "roles": ["owner"] }))
            .await;
        assert_eq!(
            (page.status, code(&page)),
            (StatusCode::FORBIDDEN, "not_permitted".to_owned())
        );
        assert!(page.json()["trace"].is_string(), "{}", page.body);
        let chiefs = made(&mut instance, &json!({ "name": "Chiefs", "roles": ["owner"] })).await;
        let mia = id_of(&app, "mia").await;
        let member = format!("{GROUPS}/{chiefs}/members/{mia}");
        assert_eq!(code(&own.send(Method::PUT, &member).await), "not_permitted");
        assert_eq!(
            code(&own.send(Method::DELETE, &format!("{GROUPS}/{chiefs}")).await),
            "not_permitted"
        );
        for path in [
            GROUPS.to_owned(),
            format!("{GROUPS}/{chiefs}"),
            format!("{GROUPS}/{chiefs}/members"),
        ] {
            assert_eq!(other.get(&path).await.status, StatusCode::NOT_FOUND, "{path}");
        }
        let page = instance.send(Method::PUT, &member).await;
        assert_eq!(page.status, StatusCode::NO_CONTENT, "{}", page.body);
        // Mia is an owner now, and the last one once Olga is gone: she keeps that when the group goes.
        let olga = id_of(&app, "olga").await;
        let page = instance
            .send(
                Method::DELETE,
                &format!("/api/v1/organizations/acme/members/{olga}"),
            )
            .await;
        assert_eq!(page.status, StatusCode::NO_CONTENT, "{}", page.body);
        assert_eq!(code(&instance.send(Method::DELETE, &member).await), "last_owner");
        let page = instance.send(Method::DELETE, &format!("{GROUPS}/{chiefs}")).await;
        assert_eq!(page.status, StatusCode::NO_CONTENT, "{}", page.body);
        let run = carry_out(&app, &chiefs).await;
        assert_eq!(
            held(&mut instance, &mia).await,
            ["main import", "member import", "owner manual"]
        );
        let kept = app
            .app
            .store
            .read(|reader| Box::pin(async move { reader.bulk_run(&run).await }))
            .await;
        let kept = kept.unwrap().unwrap();
        assert!(kept.finished_at.is_some());
        assert_eq!(kept.progress.refused[0].code, "last_owner");
        let gone = app.app.store.read(|reader| {
            Box::pin(async move { reader.local_group(&"acme".into(), &GroupId::new(chiefs)).await })
        });
        assert_eq!(gone.await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn what_a_group_leads_to_anew_reaches_everybody_in_it_and_a_run_goes_on_where_it_stopped() {
    on_each_engine(|app| async move {
        let mut world = WORLD.to_owned();
        world.extend((0..60).map(|at| {
            format!("  - {{ email: p{at}@acme.example, memberships: [{{ organization: acme, roles: [member] }}] }}\n")
        }));
        lab::apply(&app.app, &world).await;
        let mut client = Client::new(&app, Some("acme")).await;
        let group = made(&mut client, &json!({ "name": "Writers", "roles": ["writer"], "workspaces": ["lab"] })).await;
        let path = format!("{GROUPS}/{group}");
        let mut everybody = Vec::new();
        for at in 0..60 {
            everybody.push(id_of(&app, &format!("p{at}")).await);
        }
        let add = json!({ "action": "add", "accounts": everybody });
        let page = client.post(&format!("{path}/members:bulk"), &add).await;
        assert_eq!(page.json()["done"], 60, "{}", page.body);
        let change = json!({ "roles": ["author"], "workspaces": [] });
        let page = client.send_json(Method::PATCH, &path, &change).await;
        assert_eq!(page.json()["settling"], json!({ "done": 0, "total": 60 }), "{}", page.body);
        // Whoever comes meanwhile has what the group leads to now.
        let mia = id_of(&app, "mia").await;
        assert_eq!(client.send(Method::PUT, &format!("{path}/members/{mia}")).await.status, StatusCode::NO_CONTENT);
        assert_eq!(held(&mut client, &mia).await, ["author group", "main import", "member import"]);
        // A run that was cut off after a portion goes on with the next person.
        let id = GroupId::new(group.clone());
        let run = app.app.store.read(|reader| Box::pin(async move {
            let row = reader.local_group(&"acme".into(), &id).await?.unwrap();
            Ok::<_, StoreError>(row.run.unwrap())
        })).await.unwrap();
        let first = run.clone();
        app.app.store.write(move |tx| Box::pin(async move {
            let known = tx.bulk_run(&first).await?.unwrap();
            let progress = provost_store::BulkProgress { done: 10, ..known.progress };
            tx.note_bulk_run(&first, &progress, None).await
        })).await.unwrap();
        bulk::work(&app.app, &json!({ "run": run })).await.unwrap();
        let done = app.app.store.read(|reader| Box::pin(async move { reader.bulk_run(&run).await })).await;
        let done = done.unwrap().unwrap();
        assert_eq!((done.progress.done, done.progress.changed), (60, 50));
        let mut settled = 0;
        for account in &everybody {
            settled += usize::from(held(&mut client, account).await == ["author group", "main import", "member import"]);
        }
        assert_eq!(settled, 50);
        assert_eq!(client.get(&path).await.json().get("settling"), None);
        // A role that takes the place of another does so in the group, too, and the group is what stands in the way without one.
        let roles = "/api/v1/organizations/acme/roles/author";
        let mut instance = Client::new(&app, None).await;
        let page = instance.send(Method::DELETE, roles).await;
        assert_eq!(code(&page), "role_in_use");
        assert!(page.body.contains("group Writers"), "{}", page.body);
        let page = instance.send(Method::DELETE, &format!("{roles}?replacement=writer")).await;
        assert!(page.status.is_success(), "{}", page.body);
        assert_eq!(client.get(&path).await.json()["roles"], json!(["writer"]));
        assert_eq!(held(&mut client, &mia).await, ["main import", "member import", "writer group"]);
    })
    .await;
}

#[tokio::test]
async fn the_file_leaves_local_groups_alone() {
    on_each_engine(|app| async move {
        lab::apply(&app.app, WORLD).await;
        let mut client = Client::new(&app, Some("acme")).await;
        let group = made(
            &mut client,
            &json!({ "name": "Writers", "roles": ["writer"], "workspaces": ["lab"] }),
        )
        .await;
        let mia = id_of(&app, "mia").await;
        client
            .send(Method::PUT, &format!("{GROUPS}/{group}/members/{mia}"))
            .await;
        let document = declarative::read(WORLD).unwrap();
        let report = declarative::apply(
            &app.app,
            document,
            std::path::Path::new("."),
            declarative::Mode::Write,
        )
        .await;
        assert!(report.is_ok());
        assert_eq!(held(&mut client, &mia).await, WITHIN);
    })
    .await;
}
