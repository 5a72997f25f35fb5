//! Acceptance of the presets through the real server: what the source texts say, from the identity provider's answer to
//! what the API shows. What the kernel alone can show is proved there.

use axum::http::StatusCode;
use provost_kernel::connection::{Provisioning, Scope};
use provost_kernel::directory::Organization;
use provost_kernel::id::OrganizationId;
use provost_kernel::policy::Policy;
use provost_store::StoreError;
use serde_json::{Value, json};

use crate::api::Client;
use crate::app::{TestApp, on_each_engine};
use crate::directory::{self, ORGANIZATION, accounts};
use crate::saml_idp::{self, Person, sign_in};

const ANN: &str = "ann@home-lab.example";

/// A second organization with the same roles, and one connection of the instance for both.
async fn instance(app: &TestApp, policy: Value) {
    directory::organization(&app.app).await;
    let now = app.app.world.now();
    app.app
        .store
        .write(move |tx| {
            Box::pin(async move {
                let id = OrganizationId::new("garage");
                let organization = Organization {
                    id: id.clone(),
                    name: "Garage".to_owned(),
                    roles_per_member: provost_kernel::directory::RolesPerMember::Many,
                    managed_by: provost_kernel::directory::ManagedBy::default(),
                };
                tx.put_organization(&organization, &json!({}), now).await?;
                let roles = tx.roles(&ORGANIZATION.into()).await?;
                tx.set_roles(&id, &roles).await?;
                Ok::<_, StoreError>(())
            })
        })
        .await
        .unwrap();
    saml_idp::connect(&app.app, "okta", |_| {}).await;
    set_policy(app, policy).await;
    directory::change_connection(&app.app, "okta", |connection, _| {
        connection.scope = Scope::Instance;
    })
    .await;
}

async fn set_policy(app: &TestApp, policy: Value) {
    let policy: Policy = serde_json::from_value(policy).unwrap();
    directory::change_connection(&app.app, "okta", |connection, _| {
        connection.policy = Some(policy);
        connection.settings.strip_guard = None;
    })
    .await;
}

/// Signs Ann in with these groups and tells whether she got in.
async fn comes(app: &TestApp, groups: &[&str]) -> bool {
    let ann = Person::new("ann-1", ANN).with("groups", groups);
    sign_in(&app.app, &mut app.browser(), "okta", &ann).await.status == StatusCode::SEE_OTHER
}

/// Ann's organizations with her roles, as the API shows them.
async fn memberships(app: &TestApp) -> Vec<(String, Vec<String>)> {
    let Some(account) = accounts(&app.app, ANN).await.into_iter().next() else {
        return Vec::new();
    };
    let mut client = Client::new(app, None).await;
    let account = client
        .get(&format!("/api/v1/accounts/{}", account.id))
        .await
        .json();
    let mut found: Vec<(String, Vec<String>)> = account["memberships"]
        .as_array()
        .unwrap()
        .iter()
        .map(|held| {
            let roles = held["roles"].as_array().unwrap();
            (
                held["organization"].as_str().unwrap().to_owned(),
                roles
                    .iter()
                    .map(|role| role["id"].as_str().unwrap().to_owned())
                    .collect(),
            )
        })
        .collect();
    found.sort();
    found
}

fn of(organization: &str, role: &str) -> (String, Vec<String>) {
    (organization.to_owned(), vec![role.to_owned()])
}

#[tokio::test]
async fn policy_expressions_r54_r55_r67_r68_one_sign_in_leads_to_several_organizations_with_their_roles() {
    on_each_engine(|app| async move {
        instance(
            &app,
            json!({
                "organization": "contains(groups, '{{orgId}}')",
                "role": { "expression": "contains(groups, 'admin') && 'Admin' || 'Member'" },
            }),
        )
        .await;
        assert!(comes(&app, &["home-lab", "admin"]).await);
        assert_eq!(memberships(&app).await, [of("home-lab", "admin")]);
        // evaluated again at each sign-in.
        assert!(comes(&app, &["home-lab", "garage"]).await);
        assert_eq!(
            memberships(&app).await,
            [of("garage", "member"), of("home-lab", "member")]
        );
        // an own policy is used instead of the default.
        directory::change_connection(&app.app, "okta", |connection, _| {
            connection.organization_policies = serde_json::from_value(json!([{
                "organization": "garage", "organization_expression": "contains(groups, 'mechanics')",
                "role": { "fixed": "Admin" },
            }]))
            .unwrap();
        })
        .await;
        assert!(comes(&app, &["home-lab", "garage"]).await);
        assert_eq!(memberships(&app).await, [of("home-lab", "member")]);
        assert!(comes(&app, &["home-lab", "mechanics"]).await);
        assert_eq!(
            memberships(&app).await,
            [of("garage", "admin"), of("home-lab", "member")]
        );
    })
    .await;
}

#[tokio::test]
async fn policy_expressions_r58_r61_the_account_exists_although_no_organization_accepts() {
    on_each_engine(|app| async move {
        instance(&app, json!({ "organization": "contains(groups, '{{orgId}}')" })).await;
        assert!(!comes(&app, &["nowhere"]).await);
        assert_eq!(accounts(&app.app, ANN).await.len(), 1);
        assert_eq!(memberships(&app).await, []);
    })
    .await;
}

#[tokio::test]
async fn policy_expressions_r60_r63_r64_only_true_or_the_own_id_admits() {
    on_each_engine(|app| async move {
        instance(&app, json!({ "organization": "'home-lab'" })).await;
        assert!(comes(&app, &[]).await);
        assert_eq!(memberships(&app).await, [of("home-lab", "member")]);
        for (rule, groups, expected) in [
            (
                "contains(groups, 'home-lab')",
                &["home-lab"][..],
                &["garage", "home-lab"][..],
            ),
            ("contains(groups, 'home-lab')", &["garage"], &[]),
            ("groups[0] == 'x' || '{{orgId}}'", &["y"], &["garage", "home-lab"]),
            ("groups[0]", &["garage"], &["garage"]),
        ] {
            set_policy(&app, json!({ "organization": rule })).await;
            assert_eq!(comes(&app, groups).await, !expected.is_empty(), "{rule}");
            let found: Vec<String> = memberships(&app).await.into_iter().map(|(id, _)| id).collect();
            assert_eq!(found, expected, "{rule} with {groups:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn policy_expressions_r52_r53_a_role_that_is_not_exactly_named_leaves_the_person_out() {
    on_each_engine(|app| async move {
        instance(
            &app,
            json!({ "organization": "'home-lab'", "role": { "expression": "groups[0]" } }),
        )
        .await;
        assert!(!comes(&app, &["admin"]).await);
        assert_eq!(memberships(&app).await, []);
        let mut client = Client::new(&app, None).await;
        let trace = client.get("/api/v1/traces?limit=1").await.json();
        let story = trace["items"][0]["sentence"].as_str().unwrap();
        assert!(story.contains("did you mean \"Admin\"?"), "{story}");
        assert!(comes(&app, &["Admin"]).await);
        assert_eq!(memberships(&app).await, [of("home-lab", "admin")]);
    })
    .await;
}

#[tokio::test]
async fn policy_expressions_r44_r45_r46_without_auto_provisioning_an_admin_makes_the_account_first() {
    on_each_engine(|app| async move {
        directory::organization(&app.app).await;
        saml_idp::connect(&app.app, "okta", |_| {}).await;
        directory::change_connection(&app.app, "okta", |connection, _| {
            connection.provisioning = Provisioning::Manual;
        })
        .await;
        assert!(!comes(&app, &["admin"]).await);
        assert!(accounts(&app.app, ANN).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn federated_match_r28_r40_r41_c16_ids_in_the_assertion_choose_workspace_and_role_and_defaults_apply_without()
 {
    on_each_engine(|app| async move {
        directory::organization(&app.app).await;
        saml_idp::connect(&app.app, "okta", |_| {}).await;
        directory::change_connection(&app.app, "okta", |connection, _| connection.policy = None).await;
        let places = |account: Value| {
            let held = &account["memberships"][0];
            (
                held["roles"][0]["id"].clone(),
                held["workspaces"][0]["id"].clone(),
            )
        };
        let mut client = Client::new(&app, None).await;
        for (name, attributes, expected) in [
            ("ben", &[][..], ("member", "main")),
            (
                "cid",
                &[("accountid", "lab"), ("permissionprofileid", "admin")],
                ("admin", "lab"),
            ),
        ] {
            let email = format!("{name}@home-lab.example");
            let mut person = Person::new(name, &email);
            for (attribute, value) in attributes {
                person = person.with(attribute, &[value]);
            }
            let page = sign_in(&app.app, &mut app.browser(), "okta", &person).await;
            assert_eq!(page.status, StatusCode::SEE_OTHER, "{name}: {}", page.body);
            let account = accounts(&app.app, &email).await.remove(0);
            let shown = client
                .get(&format!("/api/v1/accounts/{}", account.id))
                .await
                .json();
            assert_eq!(places(shown), (json!(expected.0), json!(expected.1)), "{name}");
        }
        // one without the other is refused, and nobody comes into being.
        let person = Person::new("dan", "dan@home-lab.example").with("accountid", &["lab"]);
        let page = sign_in(&app.app, &mut app.browser(), "okta", &person).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
        assert!(accounts(&app.app, "dan@home-lab.example").await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn r135_a_role_that_a_rule_names_and_nobody_made_is_not_made_by_the_rule() {
    on_each_engine(|app| async move {
        instance(
            &app,
            json!({
                "organization": "'home-lab'",
                "role": { "expression": "['Ghost', 'Member', 'Owner2']" },
            }),
        )
        .await;
        let roles = async |app: &TestApp| {
            let mut client = Client::new(app, None).await;
            let answer = client.get("/api/v1/organizations/home-lab/roles").await.json();
            let by_id = answer["items"].as_object().unwrap();
            by_id.keys().cloned().collect::<Vec<_>>()
        };
        assert_eq!(roles(&app).await, ["admin", "member", "owner"]);
        assert!(comes(&app, &[]).await);
        assert_eq!(memberships(&app).await, [of("home-lab", "member")]);
        assert_eq!(roles(&app).await, ["admin", "member", "owner"]);
    })
    .await;
}
