//! What an organization's plan includes, who sets things up (C-21), and operators who do it for a customer.

use axum::http::{Method, StatusCode};
use provost::flow::api_keys::Caller;
use provost::flow::roles;
use provost_kernel::connection::Provisioning;
use serde_json::{Value, json};

use crate::api::{Client, code};
use crate::app::{TestApp, on_each_engine};
use crate::directory::{self, account_count, reference, trace};
use crate::oidc_idp::OidcIdp;
use crate::scim::lab::{Directory, token};

const PLAN: &str = "/api/v1/organizations/home-lab/plan";
const POLICY: &str = "/api/v1/connections/okta/policy";

fn ida() -> Value {
    json!({ "sub": "00u-ida", "email": "ida@home-lab.example", "email_verified": true })
}

async fn furnished(test: &TestApp) -> OidcIdp {
    directory::organization(&test.app).await;
    let idp = OidcIdp::start(test.app.world.now()).await;
    idp.connect(&test.app, "okta", |_| {}).await;
    idp
}

async fn set(operator: &mut Client, entitlements: Value, setup: &str) {
    let plan = json!({ "entitlements": entitlements, "setup": setup });
    let page = operator.send_json(Method::PUT, PLAN, &plan).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
}

#[tokio::test]
async fn r18_without_sso_sign_ins_are_refused_with_a_reason_and_open_sessions_go_on() {
    on_each_engine(|test| async move {
        let idp = furnished(&test).await;
        let mut operator = Client::new(&test, None).await;
        let plan = operator.get(PLAN).await.json();
        assert_eq!(
            plan["entitlements"]["sso"], true,
            "everything is included by default: {plan}"
        );
        assert_eq!(plan["setup"], "self_service");
        let mut browser = test.browser();
        let page = idp.sign_in(&mut browser, "okta", &ida()).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.body);
        set(&mut operator, json!({ "sso": false }), "self_service").await;
        let page = idp.sign_in(&mut test.browser(), "okta", &ida()).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
        assert!(page.body.contains("plan does not include"), "{}", page.body);
        assert_eq!(
            trace(&test.app, &reference(&page)).await.verdict,
            "entitlement_missing"
        );
        assert_eq!(
            browser.get("/account").await.status,
            StatusCode::OK,
            "the session goes on"
        );
        assert_eq!(account_count(&test.app).await, 1);
        set(&mut operator, json!({}), "self_service").await;
        let page = idp.sign_in(&mut test.browser(), "okta", &ida()).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "back again: {}", page.body);
    })
    .await;
}

#[tokio::test]
async fn r18_without_scim_pushes_are_refused_in_scims_shape_and_everybody_stays() {
    on_each_engine(|test| async move {
        let idp = furnished(&test).await;
        directory::change_connection(&test.app, "okta", |connection, _| {
            connection.provisioning = Provisioning::Scim;
        })
        .await;
        let token = token(&test.app, "okta").await;
        let okta = Directory::with(&test, "okta", &token);
        let id = okta.hire("ida").await;
        let mut operator = Client::new(&test, None).await;
        set(&mut operator, json!({ "scim": false }), "self_service").await;
        for answer in [
            okta.get(&format!("/Users/{id}")).await,
            okta.post("/Users", crate::scim::lab::person("kim")).await,
            okta.delete(&format!("/Users/{id}")).await,
        ] {
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.text);
            assert_eq!(
                answer.body["schemas"][0],
                "urn:ietf:params:scim:api:messages:2.0:Error"
            );
            assert!(answer.text.contains("entitlement_missing"), "{}", answer.text);
        }
        let page = idp.sign_in(&mut test.browser(), "okta", &ida()).await;
        assert_eq!(
            page.status,
            StatusCode::SEE_OTHER,
            "who was pushed stays: {}",
            page.body
        );
    })
    .await;
}

#[tokio::test]
async fn r18_c21_an_organization_changes_itself_only_what_its_plan_and_setup_allow() {
    on_each_engine(|test| async move {
        let _idp = furnished(&test).await;
        let mut operator = Client::new(&test, None).await;
        let mut own = Client::new(&test, Some("home-lab")).await;
        let edited = json!({ "policy": { "role": { "fixed": "Admin" } } });
        for (entitlements, setup, expected) in [
            (
                json!({ "policies": false }),
                "self_service",
                "entitlement_missing",
            ),
            (json!({}), "link", "setup_by_link"),
            (json!({}), "operator_only", "setup_by_operator"),
        ] {
            set(&mut operator, entitlements, setup).await;
            let page = own.send_json(Method::PUT, POLICY, &edited).await;
            assert_eq!(
                (page.status, code(&page)),
                (StatusCode::FORBIDDEN, expected.to_owned())
            );
        }
        // the operator goes on for the customer, and the record says who it was.
        let page = operator.send_json(Method::PUT, POLICY, &edited).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        let events = own.get("/api/v1/events?limit=200").await.json();
        let of = |kind: &str| {
            let items = events["items"].as_array().unwrap().clone();
            items
                .into_iter()
                .find(|event| event["type"] == kind || event["kind"] == kind)
        };
        assert!(of("policy.updated").is_some(), "{events}");
        assert!(of("organization.plan_changed").is_some(), "{events}");
        // Roles of one's own.
        set(&mut operator, json!({ "custom_roles": false }), "self_service").await;
        let caller = Caller {
            organization: Some("home-lab".into()),
            ..Caller::operator()
        };
        let role = || serde_json::from_value(json!({ "id": "new", "name": "New" })).unwrap();
        let error = roles::put(&test.app, &caller, "home-lab", role())
            .await
            .unwrap_err();
        assert_eq!(error.code(), "entitlement_missing");
        roles::put(&test.app, &Caller::operator(), "home-lab", role())
            .await
            .unwrap();
        // Nobody raises the own plan.
        let page = own.send_json(Method::PUT, PLAN, &json!({})).await;
        assert_eq!(
            (page.status, code(&page)),
            (StatusCode::FORBIDDEN, "not_permitted".to_owned())
        );
    })
    .await;
}
