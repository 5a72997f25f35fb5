//! A demand for single sign-on never stands without a connection that works: whoever takes the last one away is refused,
//! and so is one of two who demand and take away at the same moment.

use axum::http::{Method, StatusCode};
use provost::declarative::Document;
use provost_kernel::domain::SignInRule;
use provost_kernel::login::rules::SignInPolicy;
use serde_json::{Value, json};

use crate::api::{Client, ann_signs_in, code, furnish};
use crate::app::{Page, TestApp, on_each_engine};
use crate::declarative;
use crate::directory::{DOMAIN, ORGANIZATION};
use crate::documents;
use crate::enforcement::{demand, emergency_admin};
use crate::saml_idp::{self, Person};

const PATH: &str = "/api/v1/organizations/home-lab/sign-in";

/// A file that says of one connection what is stored, but for what `change` says.
async fn file(app: &TestApp, id: &str, change: Value) -> String {
    let stored = provost::declarative::export(&app.app).await.unwrap();
    let mut connections = stored.connections;
    connections.retain(|entry| entry.id == id);
    let mut document = serde_json::to_value(Document {
        connections,
        ..Document::default()
    })
    .unwrap();
    for (name, value) in change.as_object().unwrap() {
        document["connections"][0][name] = value.clone();
    }
    document.to_string()
}

async fn applied(app: &TestApp, text: &str) -> Result<(), String> {
    let folder = documents::folder();
    let done = declarative::apply(&app.app, text, &folder.0).await;
    done.map(drop).map_err(|error| error.to_string())
}

async fn switch_off(app: &TestApp, id: &str) -> Result<(), String> {
    applied(app, &file(app, id, json!({ "enabled": false })).await).await
}

async fn end(client: &mut Client, id: &str) -> Page {
    let path = format!("/api/v1/connections/{id}?people=keep");
    client.send(Method::DELETE, &path).await
}

/// Whether the organization demands single sign-on, and whether its connection is switched on.
async fn state(app: &TestApp) -> (bool, bool) {
    let read = app.app.store.read(|reader| {
        Box::pin(async move {
            let record = reader.organization(&ORGANIZATION.into()).await?.unwrap();
            let policy = SignInPolicy::read(&record.settings);
            let connection = reader.connection(&"okta".into()).await?;
            let enabled = connection.is_some_and(|record| record.connection.enabled);
            Ok::<_, provost_store::StoreError>((policy.sso == SignInRule::Required, enabled))
        })
    });
    read.await.unwrap()
}

#[tokio::test]
async fn r184_the_last_connection_that_works_stays_while_single_sign_on_is_demanded() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        emergency_admin(&app).await;
        let mut client = Client::new(&app, None).await;
        assert_eq!(demand(&mut client).await.status, StatusCode::OK);
        let refused = switch_off(&app, "okta").await.unwrap_err();
        assert!(refused.contains("connections[okta]") && refused.contains("last_connection"), "{refused}");
        let page = end(&mut client, "okta").await;
        assert_eq!((page.status, code(&page).as_str()), (StatusCode::CONFLICT, "last_connection"), "{}", page.body);
        assert_eq!(state(&app).await, (true, true));
        // Other changes of it are none of this law's: a certificate must be renewed while people sign in.
        applied(&app, &file(&app, "okta", json!({ "name": "Company login" })).await).await.unwrap();
        // Another one counts once somebody has come in through it.
        app.app.world.advance(jiff::SignedDuration::from_secs(5));
        saml_idp::connect(&app.app, "second", |_| {}).await;
        let refused = switch_off(&app, "okta").await.unwrap_err();
        assert!(refused.contains("last_connection"), "nobody has used the other one: {refused}");
        let bea = Person::new("bea-1", "bea@home-lab.example");
        saml_idp::sign_in(&app.app, &mut app.browser(), "second", &bea).await;
        switch_off(&app, "okta").await.unwrap();
        assert_eq!(code(&end(&mut client, "second").await), "last_connection");
        // The end of the demand and of the connection in one file.
        let both = file(&app, "second", json!({ "enabled": false })).await;
        let mut both: Value = serde_json::from_str(&both).unwrap();
        both["organizations"] =
            json!([{ "id": "home-lab", "name": "Home Lab", "roles_per_member": "many", "sign_in": { "sso": "optional" } }]);
        applied(&app, &both.to_string()).await.unwrap();
        assert_eq!(state(&app).await, (false, false));
        let page = end(&mut client, "second").await;
        assert!(page.status.is_success(), "{}", page.body);
    })
    .await;
}

#[tokio::test]
async fn r18_r184_a_plan_does_not_take_single_sign_on_from_whoever_demands_it() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        emergency_admin(&app).await;
        let mut client = Client::new(&app, None).await;
        let plan = format!("/api/v1/organizations/{ORGANIZATION}/plan");
        let without = json!({ "entitlements": { "sso": false } });
        assert_eq!(demand(&mut client).await.status, StatusCode::OK);
        let page = client.send_json(Method::PUT, &plan, &without).await;
        assert_eq!((page.status, code(&page).as_str()), (StatusCode::CONFLICT, "last_connection"), "{}", page.body);
        assert_eq!(client.get(&plan).await.json()["entitlements"]["sso"], true);
        let of_file = json!({ "organizations": [{
            "id": "home-lab", "name": "Home Lab", "roles_per_member": "many", "entitlements": { "sso": false },
        }]});
        let refused = applied(&app, &of_file.to_string()).await.unwrap_err();
        assert!(refused.contains("entitlements.sso") && refused.contains("last_connection"), "{refused}");
        client.send_json(Method::PUT, PATH, &json!({ "sso": "optional" })).await;
        let page = client.send_json(Method::PUT, &plan, &without).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        // And what the plan does not include is nothing that a demand could rely on.
        let seen = client.get(PATH).await.json();
        assert_eq!(seen["missing"][0]["code"], "connection", "{seen}");
        assert_eq!(code(&demand(&mut client).await), "enforcement_not_ready");
    })
    .await;
}

#[tokio::test]
async fn r113_r184_a_domain_that_demands_single_sign_on_keeps_a_connection_that_serves_it() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        emergency_admin(&app).await;
        let mut client = Client::new(&app, None).await;
        let settings = format!("/api/v1/organizations/{ORGANIZATION}/domains/{DOMAIN}/settings");
        let page = client
            .send_json(Method::PUT, &settings, &json!({ "sign_in": "required" }))
            .await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        let elsewhere = file(&app, "okta", json!({ "domains": [] })).await;
        for refused in [applied(&app, &elsewhere).await, switch_off(&app, "okta").await] {
            let refused = refused.unwrap_err();
            assert!(refused.contains("last_connection"), "{refused}");
        }
        let page = client.send_json(Method::PUT, &settings, &json!({})).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        applied(&app, &elsewhere).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn r184_of_two_who_demand_single_sign_on_and_end_its_only_connection_at_once_one_is_refused() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        emergency_admin(&app).await;
        let mut client = Client::new(&app, None).await;
        let (mut demanded, mut ended) = (0, 0);
        for round in 0..12 {
            let mut one = Client::new(&app, None).await;
            let mut other = Client::new(&app, None).await;
            let off = file(&app, "okta", json!({ "enabled": false })).await;
            let (asked, gone) = tokio::join!(demand(&mut one), async {
                if round % 2 == 0 {
                    end(&mut other, "okta").await.status.is_success()
                } else {
                    applied(&app, &off).await.is_ok()
                }
            });
            let done = (asked.status.is_success(), gone);
            assert!(!(done.0 && done.1), "both went through in round {round}");
            let (is_demanded, is_on) = state(&app).await;
            assert!(
                !is_demanded || is_on,
                "round {round}: demanded without a connection"
            );
            assert_eq!((is_demanded, !is_on), done, "{}", asked.body);
            demanded += usize::from(done.0);
            ended += usize::from(done.1);
            // Back to where it began, proved anew.
            client
                .send_json(Method::PUT, PATH, &json!({ "sso": "optional" }))
                .await;
            app.app.world.advance(jiff::SignedDuration::from_secs(5));
            saml_idp::connect(&app.app, "okta", |_| {}).await;
            ann_signs_in(&app, &["admin"]).await;
        }
        assert_eq!(demanded + ended, 12, "one of the two always goes through");
    })
    .await;
}

#[tokio::test]
async fn r184_of_two_who_end_the_last_two_connections_at_once_one_is_refused() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        emergency_admin(&app).await;
        saml_idp::connect(&app.app, "second", |_| {}).await;
        let bea = Person::new("bea-1", "bea@home-lab.example");
        saml_idp::sign_in(&app.app, &mut app.browser(), "second", &bea).await;
        let mut client = Client::new(&app, None).await;
        for _ in 0..6 {
            assert_eq!(demand(&mut client).await.status, StatusCode::OK);
            let (okta, second) = (
                file(&app, "okta", json!({ "enabled": false })).await,
                file(&app, "second", json!({ "enabled": false })).await,
            );
            let (one, other) = tokio::join!(Box::pin(applied(&app, &okta)), Box::pin(applied(&app, &second)));
            assert_eq!(
                usize::from(one.is_ok()) + usize::from(other.is_ok()),
                1,
                "{one:?} {other:?}"
            );
            client
                .send_json(Method::PUT, PATH, &json!({ "sso": "optional" }))
                .await;
            app.app.world.advance(jiff::SignedDuration::from_secs(5));
            for id in ["okta", "second"] {
                saml_idp::connect(&app.app, id, |_| {}).await;
            }
            ann_signs_in(&app, &["admin"]).await;
            saml_idp::sign_in(&app.app, &mut app.browser(), "second", &bea).await;
        }
    })
    .await;
}
