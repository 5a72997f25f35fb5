//! A way in for emergencies: neither an edit of roles nor two writers at the same moment leave an organization that demands single
//! sign-on without somebody who could manage it when the identity provider is down.

use axum::http::{Method, StatusCode};
use provost::app::App;
use provost::flow::acting::{self, Wish};
use provost::flow::api_keys::Caller;
use provost::flow::{domains, roles};
use provost_kernel::directory::Role;
use provost_kernel::domain::{DomainSettings, SignInRule};
use provost_kernel::id::AccountId;
use provost_kernel::plan::ProfilePatch;
use provost_kernel::provision::{Action, Actor};
use serde_json::{Value, json};

use crate::api::{Client, code, furnish};
use crate::app::{Page, TestApp, on_each_engine};
use crate::directory::{self, DOMAIN, ORGANIZATION};
use crate::documents;
use crate::enforcement::{ADMIN, demand, mark_emergency};
use crate::second_factors::{PASSWORD, member, recovery_codes, signed_in};

/// An emergency admin whose role `desk` manages people and makes no owner; and another owner, so that it is not about the last one.
async fn furnished(app: &TestApp) -> (Client, AccountId) {
    furnish(app).await;
    let olga = directory::standard_account(&app.app, "olga@freelance.example", Some(PASSWORD)).await;
    member(app, &olga, "owner").await;
    let mut client = Client::new(app, None).await;
    let made = put_role(&mut client, "desk", &json!({ "name": "Desk", "admin": true })).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.body);
    let admin = directory::standard_account(&app.app, ADMIN, Some(PASSWORD)).await;
    member(app, &admin, "desk").await;
    mark_emergency(app, &admin).await;
    recovery_codes(&mut signed_in(app, ADMIN).await).await;
    (client, admin)
}

fn role_path(role: &str) -> String {
    format!("/api/v1/organizations/{ORGANIZATION}/roles/{role}")
}

async fn put_role(client: &mut Client, role: &str, body: &Value) -> Page {
    client.send_json(Method::PUT, &role_path(role), body).await
}

async fn role_ids(client: &mut Client) -> Vec<String> {
    let shown = client
        .get(&format!("/api/v1/organizations/{ORGANIZATION}"))
        .await
        .json();
    let roles = shown["roles"].as_array().unwrap().iter();
    roles
        .map(|role| role["id"].as_str().unwrap().to_owned())
        .collect()
}

/// Says that an answer refuses for the reason named, once.
fn assert_refused(page: &Page, reason: &str) {
    assert_eq!(
        (page.status, code(page).as_str()),
        (StatusCode::CONFLICT, reason),
        "{}",
        page.body
    );
}

#[tokio::test]
async fn r184_a_role_that_stops_managing_people_or_goes_leaves_an_emergency_admin() {
    on_each_engine(|app| async move {
        let (mut client, admin) = furnished(&app).await;
        let idle = json!({ "name": "Desk", "admin": false });
        // Where nothing is demanded, a role is what its owner makes of it.
        assert_eq!(put_role(&mut client, "desk", &idle).await.status, StatusCode::OK);
        let managing = json!({ "name": "Desk", "admin": true });
        assert_eq!(
            put_role(&mut client, "desk", &managing).await.status,
            StatusCode::OK
        );
        assert_eq!(demand(&mut client).await.status, StatusCode::OK);
        assert_refused(
            &put_role(&mut client, "desk", &idle).await,
            "last_emergency_admin",
        );
        let gone = format!("{}?replacement=member", role_path("desk"));
        assert_refused(&client.send(Method::DELETE, &gone).await, "last_emergency_admin");
        assert!(role_ids(&mut client).await.contains(&"desk".to_owned()));
        // The organization's own key is told the same.
        let mut own = Client::new(&app, Some(ORGANIZATION)).await;
        assert_refused(&put_role(&mut own, "desk", &idle).await, "last_emergency_admin");
        // A new name takes nothing, and a role that manages people may take its place.
        let renamed = json!({ "name": "Front desk", "admin": true });
        assert_eq!(
            put_role(&mut client, "desk", &renamed).await.status,
            StatusCode::OK
        );
        let admins = json!({ "name": "Admin", "admin": true });
        let page = put_role(&mut client, "admin", &admins).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        let moved = format!("{}?replacement=admin", role_path("desk"));
        let page = client.send(Method::DELETE, &moved).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        let held = client
            .get(&format!("/api/v1/organizations/{ORGANIZATION}/members/{admin}"))
            .await
            .json();
        assert_eq!(held["roles"][0]["id"], "admin", "{held}");
        let plain = json!({ "name": "Admin", "admin": false });
        assert_refused(
            &put_role(&mut client, "admin", &plain).await,
            "last_emergency_admin",
        );
        // With a second one it is not about the last one any more.
        let second = directory::standard_account(&app.app, "second@freelance.example", Some(PASSWORD)).await;
        member(&app, &second, "owner").await;
        mark_emergency(&app, &second).await;
        assert_eq!(
            put_role(&mut client, "admin", &plain).await.status,
            StatusCode::OK
        );
    })
    .await;
}

#[tokio::test]
async fn r184_a_domain_that_demands_single_sign_on_keeps_the_managing_role_too() {
    on_each_engine(|app| async move {
        let (mut client, _) = furnished(&app).await;
        let settings = format!("/api/v1/organizations/{ORGANIZATION}/domains/{DOMAIN}/settings");
        let page = client
            .send_json(Method::PUT, &settings, &json!({ "sign_in": "required" }))
            .await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        let idle = json!({ "name": "Desk" });
        assert_refused(&put_role(&mut client, "desk", &idle).await, "last_emergency_admin");
        // The file obeys the same law, and says by which code.
        let file = "organizations:\n  - id: home-lab\n    roles_per_member: many\n    domains: [{ name: home-lab.example, verified: true, sign_in: required }]\n    \
                    roles: [{ id: desk, name: Desk, admin: false }]\n";
        let folder = documents::folder();
        let refused = crate::declarative::apply(&app.app, file, &folder.0).await.unwrap_err();
        assert!(
            refused.to_string().contains("last_emergency_admin"),
            "{refused}"
        );
    })
    .await;
}

#[tokio::test]
async fn r148_an_edited_or_replaced_role_does_not_take_the_last_owner() {
    on_each_engine(|app| async move {
        let (mut client, _) = furnished(&app).await;
        let plain = json!({ "name": "Owner", "owner": false, "admin": true });
        assert_refused(&put_role(&mut client, "owner", &plain).await, "last_owner");
        let gone = format!("{}?replacement=member", role_path("owner"));
        assert_refused(&client.send(Method::DELETE, &gone).await, "last_owner");
        let mut own = Client::new(&app, Some(ORGANIZATION)).await;
        let page = put_role(&mut own, "owner", &plain).await;
        assert_eq!(
            (page.status, code(&page).as_str()),
            (StatusCode::FORBIDDEN, "not_permitted")
        );
        let page = put_role(&mut client, "", &plain).await;
        assert!(page.status.is_client_error());
        let page = put_role(&mut client, "new", &json!({ "name": "" })).await;
        assert_eq!(code(&page), "invalid_role", "{}", page.body);
        let uses = client
            .get(&format!("/api/v1/organizations/{ORGANIZATION}/roles"))
            .await
            .json();
        assert_eq!(uses["items"]["owner"]["active"], 1, "{uses}");
    })
    .await;
}

/// Takes the emergency mark away, as an operator.
async fn unmark(app: &App, account: &AccountId) -> bool {
    let set = ProfilePatch {
        emergency_admin: Some(false),
        ..ProfilePatch::default()
    };
    let action = Action::UpdateProfile {
        account: account.clone(),
        set: Box::new(set),
    };
    let wish = Wish::new(Actor::Operator { account: None }, action);
    acting::attempt(app, wish).await.unwrap().is_ok()
}

async fn settle(app: &App, sign_in: SignInRule) -> Result<(), String> {
    let settings = DomainSettings {
        sign_in,
        ..DomainSettings::default()
    };
    let settled = domains::settle(app, &Caller::operator(), ORGANIZATION, DOMAIN, settings).await;
    settled.map(drop).map_err(|error| error.code().to_owned())
}

#[tokio::test]
async fn r113_demanding_single_sign_on_of_a_domain_and_taking_the_emergency_admin_never_both_succeed() {
    on_each_engine(|app| async move {
        let (mut client, admin) = furnished(&app).await;
        let desk = |manages: bool| Role {
            id: "desk".into(),
            name: "Desk".to_owned(),
            owner: false,
            admin: manages,
            default: false,
        };
        let mark = json!({ "emergency_admin": true });
        for round in 0..12 {
            let by_role = round % 2 == 0;
            let (one, other, account) = (app.app.clone(), app.app.clone(), admin.clone());
            let first_writer = tokio::spawn(async move { settle(&one, SignInRule::Required).await });
            let other_writer = tokio::spawn(async move {
                if by_role {
                    let operator = Caller::operator();
                    let put = roles::put(&other, &operator, ORGANIZATION, desk(false)).await;
                    return put.is_ok();
                }
                unmark(&other, &account).await
            });
            let (demanded, taken) = (first_writer.await.unwrap(), other_writer.await.unwrap());
            assert_ne!(demanded.is_ok(), taken, "round {round}: {demanded:?}");
            if let Err(code) = demanded {
                assert_eq!(code, "enforcement_not_ready", "round {round}");
            }
            settle(&app.app, SignInRule::Optional).await.unwrap();
            roles::put(&app.app, &Caller::operator(), ORGANIZATION, desk(true))
                .await
                .unwrap();
            let path = format!("/api/v1/accounts/{admin}");
            let page = client.send_json(Method::PATCH, &path, &mark).await;
            assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        }
    })
    .await;
}
