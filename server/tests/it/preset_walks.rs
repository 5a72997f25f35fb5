//! One full walk through each preset over HTTP: an identity provider or directory on one side, what people and programs see on the
//! other. What a walk leaves out is proved case by case in the kernel's suites and in the tests of the single areas.

use axum::http::StatusCode;
use provost_kernel::connection::Provisioning;
use provost_kernel::directory::{License, Status};
use provost_kernel::id::OrganizationId;
use provost_kernel::policy::{GroupRoles, LicenseRule, Policy, RoleRule};
use provost_kernel::presets::Preset;
use serde_json::{Value, json};

use crate::api::Client;
use crate::app::{Browser, Page, TestApp, on_each_engine};
use crate::directory::{self, ORGANIZATION, account_count, accounts, reference, standard_account, trace};
use crate::oidc_idp::OidcIdp;
use crate::saml_idp::{self, Person, sign_in};
use crate::scim::lab::{Directory, person, token};

const IDA: &str = "ida@home-lab.example";

/// The organization with a license, and an OpenID connection in the preset's settings.
async fn furnish(test: &TestApp, preset: Preset) -> OidcIdp {
    directory::organization(&test.app).await;
    test.app
        .store
        .write(|tx| {
            Box::pin(async move {
                let license = License {
                    id: "standard".into(),
                    seats: Some(5),
                    kind: None,
                };
                tx.set_licenses(&OrganizationId::new(ORGANIZATION), &[license])
                    .await
            })
        })
        .await
        .unwrap();
    let idp = OidcIdp::start(test.app.world.now()).await;
    idp.connect(&test.app, "okta", |_| {}).await;
    directory::change_connection(&test.app, "okta", |connection, config| {
        connection.settings = preset.settings();
        connection.settings.directory.departure_guard = None;
        connection.provisioning = preset.provisioning();
        if !preset.scim_versions().is_empty() {
            config["scim"] = json!({
                "versions": preset.scim_versions(),
                "operations": preset.scim_operations(),
            });
        }
    })
    .await;
    idp
}

fn ida() -> Value {
    json!({ "sub": "00u-ida", "email": IDA, "email_verified": true, "given_name": "ida", "family_name": "Muster",
            "preferred_username": IDA })
}

fn is_in(page: &Page) -> bool {
    page.status == StatusCode::SEE_OTHER && page.location().as_deref() == Some("/account")
}

async fn shown(test: &TestApp, id: &str) -> Value {
    Client::new(test, None)
        .await
        .get(&format!("/api/v1/accounts/{id}"))
        .await
        .json()
}

#[tokio::test]
async fn strict_1_1_r08_r10_r13_r15_r17_from_the_push_to_the_deletion() {
    on_each_engine(|test| async move {
        let idp = furnish(&test, Preset::Strict11).await;
        directory::change_connection(&test.app, "okta", |connection, _| {
            connection.policy = Some(Policy {
                license: Some(LicenseRule::Fixed("standard".into())),
                ..Policy::default()
            });
        })
        .await;
        // C-02: without a push nobody comes in.
        let page = idp.sign_in(&mut test.browser(), "okta", &ida()).await;
        assert_eq!(
            trace(&test.app, &reference(&page)).await.verdict,
            "not_pushed_by_directory"
        );
        let token = token(&test.app, "okta").await;
        let okta = Directory::with(&test, "okta", &token);
        let v1 = |method: &'static str, path: String, body: String| {
            let okta = okta.clone();
            async move {
                okta.raw(
                    method,
                    &format!("/scim/okta/v1{path}"),
                    Some("application/json"),
                    body,
                )
                .await
            }
        };
        let mut body = person("ida");
        body["schemas"] = json!(["urn:scim:schemas:core:1.0"]);
        let id = v1("POST", "/Users".to_owned(), body.to_string())
            .await
            .expect(201)
            .id();
        // account, default role and license are there before any sign-in.
        let account = shown(&test, &id).await;
        assert_eq!(account["status"], "active", "{account}");
        let held = &account["memberships"][0];
        assert_eq!(
            (&held["roles"][0]["id"], &held["license"]["id"]),
            (&json!("member"), &json!("standard")),
            "{account}"
        );
        // 2.0 is refused, and so is an update, in SCIM's own shape, and nothing changes.
        let refused = okta.get(&format!("/Users/{id}")).await;
        assert!(
            refused.status.is_client_error() && refused.text.contains("SCIM 2.0 is switched off"),
            "{}",
            refused.text
        );
        body["displayName"] = json!("Renamed");
        let refused = v1("PUT", format!("/Users/{id}"), body.to_string()).await;
        assert!(
            refused.status.is_client_error() && refused.text.contains("Errors"),
            "{}",
            refused.text
        );
        assert_eq!(shown(&test, &id).await["display_name"], "ida Muster");
        // The same person signs in, and is out at once when the directory deletes her.
        let mut browser = test.browser();
        assert!(is_in(&idp.sign_in(&mut browser, "okta", &ida()).await));
        v1("DELETE", format!("/Users/{id}"), String::new()).await;
        assert_ne!(browser.get("/account").await.status, StatusCode::OK);
        let page = idp.sign_in(&mut browser, "okta", &ida()).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
        assert!(accounts(&test.app, IDA).await.is_empty(), "deleted for good");
    })
    .await;
}

#[tokio::test]
async fn federated_match_r09_r31_r34_r35_r36_r38_from_the_names_to_the_name_id() {
    on_each_engine(|test| async move {
        directory::organization(&test.app).await;
        saml_idp::connect(&test.app, "okta", |_| {}).await;
        directory::change_connection(&test.app, "okta", |connection, _| {
            connection.settings = Preset::FederatedMatch.settings();
            connection.provisioning = Preset::FederatedMatch.provisioning();
            connection.policy = None;
        })
        .await;
        let comes = |subject: &'static str, email: &'static str, surname: &'static str| {
            let test = &test;
            async move {
                let mut person = Person::new(subject, email);
                for (name, values) in &mut person.attributes {
                    if name == "surname" {
                        *values = vec![surname.to_owned()];
                    }
                }
                sign_in(&test.app, &mut test.browser(), "okta", &person).await
            }
        };
        // the first sign-in makes one account with the default role and workspace.
        assert!(is_in(&comes("nid-1", "ann@home-lab.example", "Example").await));
        let ann = accounts(&test.app, "ann@home-lab.example").await.remove(0);
        let held = shown(&test, ann.id.as_str()).await["memberships"][0].clone();
        assert_eq!(
            (&held["roles"][0]["id"], &held["workspaces"][0]["id"]),
            (&json!("member"), &json!("main"))
        );
        // later the NameID alone decides, and the new address is taken over.
        assert!(is_in(&comes("nid-1", "anna@home-lab.example", "Example").await));
        assert_eq!(accounts(&test.app, "anna@home-lab.example").await[0].id, ann.id);
        assert_eq!(account_count(&test.app).await, 1);
        // two of three are no match; the address is held by somebody, so the person is refused and nobody is made.
        let page = comes("nid-2", "anna@home-lab.example", "Else").await;
        assert_eq!(trace(&test.app, &reference(&page)).await.verdict, "email_taken");
        // who is out does not match; another organization's people neither, which the kernel proves.
        directory::set_status(
            &test.app,
            &accounts(&test.app, "anna@home-lab.example").await[0],
            Status::Suspended,
        )
        .await;
        let page = comes("nid-1", "anna@home-lab.example", "Example").await;
        assert_eq!(trace(&test.app, &reference(&page)).await.verdict, "suspended");
        assert_eq!(account_count(&test.app).await, 1);
    })
    .await;
}

#[tokio::test]
async fn directory_push_r69_r75_to_r81_joining_changing_role_and_leaving() {
    on_each_engine(|test| async move {
        let idp = furnish(&test, Preset::DirectoryPush).await;
        directory::change_connection(&test.app, "okta", |connection, _| {
            let row = GroupRoles {
                value: "Admins".to_owned(),
                name: None,
                roles: vec!["Admin".to_owned()],
            };
            connection.policy = Some(Policy {
                role: Some(RoleRule::Groups(vec![row])),
                ..Policy::default()
            });
        })
        .await;
        let token = token(&test.app, "okta").await;
        let okta = Directory::with(&test, "okta", &token);
        // made, and found by the unique identifier.
        let id = okta.hire("ida").await;
        let found = okta
            .get("/Users?filter=userName%20eq%20%22ida@home-lab.example%22")
            .await
            .expect(200);
        assert_eq!(found.body["Resources"][0]["id"], id.as_str());
        let roles = |account: Value| account["memberships"][0]["roles"][0]["id"].clone();
        assert_eq!(roles(shown(&test, &id).await), "member", "the default role");
        // a group gives the role, and takes it back.
        let group = json!({ "displayName": "Admins", "members": [{ "value": id }] });
        let group = okta.post("/Groups", group).await.expect(201).id();
        assert_eq!(roles(shown(&test, &id).await), "admin");
        let mut browser = test.browser();
        assert!(is_in(&idp.sign_in(&mut browser, "okta", &ida()).await));
        assert_eq!(
            roles(shown(&test, &id).await),
            "admin",
            "a token without groups takes nothing back"
        );
        let out = json!([{ "op": "remove", "path": format!("members[value eq \"{id}\"]") }]);
        okta.patch(&format!("/Groups/{group}"), out).await;
        assert_eq!(roles(shown(&test, &id).await), "member");
        // profile updates; R-81: deactivated there, out here at once, and back again.
        let title = json!([{ "op": "replace", "path": "displayName", "value": "Ida M." }]);
        okta.patch(&format!("/Users/{id}"), title).await.expect(200);
        assert_eq!(shown(&test, &id).await["display_name"], "Ida M.");
        let active = |active: bool| json!([{ "op": "replace", "path": "active", "value": active }]);
        okta.patch(&format!("/Users/{id}"), active(false))
            .await
            .expect(200);
        assert_ne!(browser.get("/account").await.status, StatusCode::OK);
        okta.patch(&format!("/Users/{id}"), active(true))
            .await
            .expect(200);
        assert!(is_in(&idp.sign_in(&mut browser, "okta", &ida()).await));
        assert_eq!(account_count(&test.app).await, 1);
    })
    .await;
}

async fn with_password(browser: &mut Browser, email: &str, password: &str) -> Page {
    let form = browser.get("/login/password").await.form("/login/password");
    browser
        .submit(&form, &[("email", email), ("password", password)])
        .await
}

#[tokio::test]
async fn invite_and_convert_r97_r98_r99_an_sso_account_beside_the_standard_one() {
    on_each_engine(|test| async move {
        const PASSWORD: &str = "correct horse battery staple";
        let idp = furnish(&test, Preset::InviteAndConvert).await;
        directory::change_connection(&test.app, "okta", |connection, _| {
            connection.provisioning = Provisioning::Jit;
        })
        .await;
        let original = standard_account(&test.app, IDA, Some(PASSWORD)).await;
        // the sign-in makes an additional account of the same address.
        let mut by_sso = test.browser();
        assert!(is_in(&idp.sign_in(&mut by_sso, "okta", &ida()).await));
        let both = accounts(&test.app, IDA).await;
        assert_eq!(both.len(), 2);
        let sso = both
            .iter()
            .find(|account| account.id != original)
            .unwrap()
            .clone();
        // the original goes on with its password.
        let mut by_password = test.browser();
        assert!(is_in(&with_password(&mut by_password, IDA, PASSWORD).await));
        // without the SSO account the original is untouched, and its session too.
        directory::set_status(&test.app, &sso, Status::Deactivated).await;
        assert_ne!(by_sso.get("/account").await.status, StatusCode::OK);
        assert_eq!(by_password.get("/account").await.status, StatusCode::OK);
        assert!(is_in(&with_password(&mut test.browser(), IDA, PASSWORD).await));
        let page = idp.sign_in(&mut by_sso, "okta", &ida()).await;
        assert_eq!(
            trace(&test.app, &reference(&page)).await.verdict,
            "deactivated",
            "R-168"
        );
    })
    .await;
}
