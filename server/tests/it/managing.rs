//! Who manages an organization's people and connections: owners and admins or owners alone (R-87, C-26), and whom the plan
//! holds back (R-18, C-21); and who has not been seen for long (R-180).

use axum::http::{Method, StatusCode};
use jiff::SignedDuration;
use provost::declarative;
use provost::error::AppError;
use provost::flow::api_keys::{Caller, Scope};
use provost::flow::conversions::{self, Turn, Wanted};
use provost_kernel::connection::{Protocol, Provisioning};
use provost_kernel::directory::AccountKind;
use provost_kernel::provision::{Actor, ConversionMode};
use serde_json::{Value, json};

use crate::api::{self, ANN, Client, code, furnish};
use crate::app::{TestApp, on_each_engine};
use crate::directory::{self, ORGANIZATION};
use crate::documents;
use crate::enforcement::{ADMIN, demand, mark_emergency};
use crate::saml_idp::{Person, sign_in};
use crate::scim::lab;
use crate::second_factors::{PASSWORD, member, recovery_codes, signed_in};

const WORLD: &str = r#"
organizations:
  - id: acme
    domains: [{ name: acme.example, verified: true }]
    roles: [{ id: owner, name: Owner }, { id: admin, name: Admin }, { id: member, name: Member, default: true }]
    managed_by: MANAGERS
connections:
  - id: acme-idp
    organization: acme
    protocol: oidc
    oidc: { issuer: "https://login.acme.example", client_id: provost, client_secret: "upstream-secret-0123456789" }
    domains: [acme.example]
    provisioning: manual
users:
  - { email: olga@acme.example, password: "correct horse battery staple", memberships: [{ organization: acme, roles: [owner] }] }
  - { email: adam@acme.example, password: "correct horse battery staple", memberships: [{ organization: acme, roles: [admin] }] }
  - { email: mia@acme.example, password: "correct horse battery staple", memberships: [{ organization: acme, roles: [member] }] }
"#;

async fn apply(app: &TestApp, managers: &str) {
    lab::apply(&app.app, &WORLD.replace("MANAGERS", managers)).await;
}

/// Somebody in the console of the organization.
async fn person(app: &TestApp, name: &str) -> Caller {
    let account = directory::accounts(&app.app, &format!("{name}@acme.example"))
        .await
        .remove(0)
        .id;
    Caller {
        key: String::new(),
        organization: Some("acme".into()),
        person: Some(Actor::Admin {
            account,
            organization: "acme".into(),
        }),
        scopes: Scope::ALL.to_vec(),
    }
}

fn wanted() -> Wanted {
    Wanted {
        organization: "acme".into(),
        connection: "acme-idp".into(),
        mode: ConversionMode::Additional,
        kinds: vec![AccountKind::User],
        accounts: None,
        notify: false,
        undo_days: 7,
    }
}

fn refused<T>(outcome: Result<T, AppError>) -> (&'static str, Option<String>) {
    match outcome {
        Ok(_) => panic!("it was allowed"),
        Err(error) => (error.code(), error.trace().map(str::to_owned)),
    }
}

#[tokio::test]
async fn r87_only_who_manages_the_people_begins_stops_and_takes_back_a_run() {
    on_each_engine(|app| async move {
        apply(&app, "owners_and_admins").await;
        let (mia, adam) = (person(&app, "mia").await, person(&app, "adam").await);
        let (code, trace) = refused(conversions::start(&app.app, &mia, &wanted()).await);
        assert_eq!(code, "not_permitted");
        let kept = directory::trace(&app.app, &trace.unwrap()).await;
        assert_eq!(kept.verdict, "not_permitted");
        let text = serde_json::to_string(&kept.trace).unwrap();
        assert!(
            text.contains("move people to single sign-on") && text.contains("is no active admin or owner"),
            "{text}"
        );
        let run = conversions::start(&app.app, &adam, &wanted())
            .await
            .unwrap()
            .run
            .id;
        for turn in [Turn::Pause, Turn::Resume, Turn::Undo] {
            assert_eq!(
                refused(conversions::turn(&app.app, &mia, &run, turn).await).0,
                "not_permitted",
                "{turn:?}"
            );
        }
        let nobody = "acc_any".into();
        assert_eq!(
            refused(conversions::retry(&app.app, &mia, &run, &nobody).await).0,
            "not_permitted"
        );
        assert_eq!(
            refused(conversions::retire(&app.app, &mia, &run).await).0,
            "not_permitted"
        );
        assert_eq!(
            refused(conversions::remind(&app.app, &mia, &run).await).0,
            "not_permitted"
        );
        for turn in [Turn::Pause, Turn::Resume, Turn::Undo] {
            conversions::turn(&app.app, &adam, &run, turn).await.unwrap();
        }
        // Each is in the audit log, with who did it.
        let mut client = Client::new(&app, None).await;
        let log = client
            .get("/api/v1/audit?organization=acme&kind=conversion")
            .await
            .json();
        let kinds: Vec<&str> = log["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["kind"].as_str().unwrap())
            .collect();
        assert_eq!(
            kinds,
            [
                "conversion.undone",
                "conversion.resumed",
                "conversion.paused",
                "conversion.started"
            ]
        );
        assert!(
            log["items"][3]["actor"]
                .as_str()
                .unwrap()
                .starts_with("admin:acc_"),
            "{log}"
        );
        assert_eq!(log["items"][3]["data"]["people"], 3);
    })
    .await;
}

#[tokio::test]
async fn c26_where_only_owners_manage_admins_do_not_and_the_file_and_the_api_say_so() {
    on_each_engine(|app| async move {
        apply(&app, "owners").await;
        let mut client = Client::new(&app, None).await;
        let shown = client.get("/api/v1/organizations/acme").await.json();
        assert_eq!(shown["managed_by"], "owners", "{shown}");
        let (adam, olga) = (person(&app, "adam").await, person(&app, "olga").await);
        assert_eq!(
            refused(conversions::start(&app.app, &adam, &wanted()).await).0,
            "not_permitted"
        );
        conversions::start(&app.app, &olga, &wanted()).await.unwrap();
        // In the console, too: an admin is nobody there.
        for (name, status) in [("olga", StatusCode::OK), ("adam", StatusCode::FORBIDDEN)] {
            let mut browser = app.browser();
            let form = browser.get("/login/password").await.form("/login/password");
            let email = format!("{name}@acme.example");
            browser
                .submit(
                    &form,
                    &[("email", &email), ("password", "correct horse battery staple")],
                )
                .await;
            assert_eq!(browser.get("/console/acme").await.status, status, "{name}");
        }
        // The file says what is stored, and back again.
        let document = declarative::export(&app.app).await.unwrap();
        let text = declarative::render(&document).unwrap();
        assert!(text.contains("managed_by: owners\n"), "{text}");
        apply(&app, "owners_and_admins").await;
        conversions::start(&app.app, &adam, &wanted()).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn c26_a_file_that_leaves_an_organization_to_owners_warns_where_it_has_none() {
    on_each_engine(|app| async move {
        let folder = documents::folder();
        let warned = async |file: &str| {
            let report = crate::declarative::apply(&app.app, file, &folder.0)
                .await
                .unwrap();
            report.to_string().contains("nobody is an active owner")
        };
        assert!(
            !warned(&WORLD.replace("MANAGERS", "owners")).await,
            "olga is made by the same file"
        );
        let nobody =
            "organizations:\n  - { id: bare, roles: [{ id: owner, name: Owner }], managed_by: owners }\n";
        assert!(warned(nobody).await);
        assert!(!warned(nobody).await, "once, when it is said");
    })
    .await;
}

async fn plan(operator: &mut Client, plan: Value) {
    let path = format!("/api/v1/organizations/{ORGANIZATION}/plan");
    let page = operator.send_json(Method::PUT, &path, &plan).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
}

#[tokio::test]
async fn r18_c21_the_plan_holds_back_the_organizations_own_keys_and_never_operators() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let mut operator = Client::new(&app, None).await;
        let mut own = Client::new(&app, Some(ORGANIZATION)).await;
        let entry = |provisioning: &str| {
            json!({
                "organization": ORGANIZATION, "protocol": "oidc", "domains": [directory::DOMAIN], "provisioning": provisioning,
                "oidc": { "issuer": "https://idp.example", "client_id": "us", "client_secret": "swordfish-swordfish" },
            })
        };
        let put = async |client: &mut Client, provisioning: &str| {
            let page = client.send_json(Method::PUT, "/api/v1/connections/mine", &entry(provisioning)).await;
            if page.status.is_success() { "written".to_owned() } else { code(&page) }
        };
        let export = async |client: &mut Client| client.get(&format!("/api/v1/audit/export?organization={ORGANIZATION}")).await;
        let full = export(&mut own).await;
        assert!(full.status.is_success() && full.body.contains("membership.created"), "{}", full.body);
        plan(&mut operator, json!({ "entitlements": { "audit_export": false } })).await;
        let page = export(&mut own).await;
        assert_eq!((page.status, code(&page).as_str()), (StatusCode::FORBIDDEN, "entitlement_missing"));
        assert!(export(&mut operator).await.status.is_success());
        assert!(own.get("/api/v1/audit").await.status.is_success(), "reading it is not taking it away");
        for (changed, provisioning, expected) in [
            (json!({ "entitlements": { "sso": false } }), "jit", "entitlement_missing"),
            (json!({ "entitlements": { "scim": false } }), "scim", "entitlement_missing"),
            (json!({ "entitlements": { "scim": false } }), "jit", "written"),
            (json!({ "setup": "link" }), "jit", "setup_by_link"),
            (json!({ "setup": "operator_only" }), "jit", "setup_by_operator"),
        ] {
            plan(&mut operator, changed.clone()).await;
            assert_eq!(put(&mut own, provisioning).await, expected, "{changed}");
            assert_eq!(put(&mut operator, provisioning).await, "written", "{changed}");
        }
        let page = own.send(Method::DELETE, "/api/v1/connections/mine").await;
        assert_eq!(code(&page), "setup_by_operator", "{}", page.body);
        let label = json!({ "label": "okta" });
        let page = own.post("/api/v1/connections/mine/scim-tokens", &label).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{}", page.body);
        // The plan itself is the operator's: no scope of the organization's own reaches it.
        let scopes = [Scope::PoliciesWrite, Scope::OrganizationsRead];
        let mut narrow = Client::with(&app, &api::key(&app, None, &scopes).await);
        let page = narrow.send_json(Method::PUT, &format!("/api/v1/organizations/{ORGANIZATION}/plan"), &json!({})).await;
        assert_eq!(code(&page), "missing_scope");
        plan(&mut operator, json!({})).await;
        let page = own.send(Method::DELETE, "/api/v1/connections/mine").await;
        assert_eq!(page.json()["outcome"], "deleted", "{}", page.body);
    })
    .await;
}

#[tokio::test]
async fn r180_people_who_came_just_in_time_and_were_not_seen_for_long_are_listed_for_review() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        directory::put_connection(
            &app.app,
            provost_kernel::connection::Connection {
                provisioning: Provisioning::Scim,
                ..directory::connection("pushed", Protocol::Saml)
            },
            provost::connection_config::ProtocolConfig::Saml(crate::saml_idp::config()),
            provost_store::SecretMap::default(),
        )
        .await;
        // Members all: one who came just in time, one with a password, one whom a directory pushes.
        let mut client = Client::new(&app, None).await;
        for body in [
            json!({ "email": "pat@home-lab.example", "memberships": [{ "organization": ORGANIZATION }] }),
            json!({ "email": "dir@home-lab.example", "connection": "pushed", "memberships": [{ "organization": ORGANIZATION }] }),
        ] {
            assert_eq!(client.post("/api/v1/accounts", &body).await.status, StatusCode::CREATED);
        }
        let path = |days: u32| format!("/api/v1/organizations/{ORGANIZATION}/stale-accounts?days={days}");
        let listed = |page: &crate::app::Page| -> Vec<String> {
            let items = page.json()["items"].clone();
            items.as_array().unwrap().iter().map(|one| one["email"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(listed(&client.get(&path(30)).await), Vec::<String>::new(), "seen today");
        app.app.world.advance(SignedDuration::from_hours(24 * 31));
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        assert_eq!(listed(&client.get(&path(30)).await), [ANN]);
        assert_eq!(listed(&client.get(&path(90)).await), Vec::<String>::new());
        assert_eq!(code(&client.get(&path(0)).await), "invalid_query");
        sign_in(&app.app, &mut app.browser(), "okta", &Person::new("ann-1", ANN)).await;
        assert_eq!(listed(&client.get(&path(30)).await), Vec::<String>::new(), "seen again");
    })
    .await;
}

#[tokio::test]
async fn r184_c26_where_only_owners_manage_an_admin_role_is_no_way_in_for_emergencies() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let folder = documents::folder();
        let managed_by = |managers: &str, more: &str| {
            format!(
                "organizations:\n  - id: home-lab\n    name: Home Lab\n    roles_per_member: many\n    managed_by: {managers}\n    \
                 roles: [{{ id: owner, name: Owner }}, {{ id: admin, name: Admin }}, {{ id: member, name: Member, default: true }}]\n{more}"
            )
        };
        crate::declarative::apply(&app.app, &managed_by("owners_and_admins", ""), &folder.0).await.unwrap();
        let adam = directory::standard_account(&app.app, ADMIN, Some(PASSWORD)).await;
        member(&app, &adam, "admin").await;
        mark_emergency(&app, &adam).await;
        recovery_codes(&mut signed_in(&app, ADMIN).await).await;
        let mut client = Client::new(&app, None).await;
        let missing = async |client: &mut Client| {
            let seen = client.get("/api/v1/organizations/home-lab/sign-in").await.json();
            seen["missing"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert!(missing(&mut client).await.is_empty(), "admins manage, too");
        // Demand and owners alone in one file: the demand is judged by who manages afterwards.
        let refused = crate::declarative::apply(
            &app.app,
            &managed_by("owners", "    sign_in: { sso: required }\n"),
            &folder.0,
        )
        .await
        .unwrap_err()
        .to_string();
        assert!(refused.contains("last_emergency_admin"), "{refused}");
        assert_eq!(demand(&mut client).await.status, StatusCode::OK);
        // Owners alone from now on: he would be none who could do anything in an emergency.
        let owners = managed_by("owners", "");
        let refused = crate::declarative::apply(&app.app, &owners, &folder.0).await.unwrap_err().to_string();
        assert!(refused.contains("last_emergency_admin"), "{refused}");
        let shown = client.get("/api/v1/organizations/home-lab").await.json();
        assert_eq!(shown["managed_by"], "owners_and_admins", "{shown}");
        // An owner is one who could.
        let olga = directory::standard_account(&app.app, "olga@freelance.example", Some(PASSWORD)).await;
        member(&app, &olga, "owner").await;
        mark_emergency(&app, &olga).await;
        crate::declarative::apply(&app.app, &owners, &folder.0).await.unwrap();
        let unmark = json!({ "emergency_admin": false });
        let path = |account: &provost_kernel::id::AccountId| format!("/api/v1/accounts/{account}");
        let page = client.send_json(Method::PATCH, &path(&olga), &unmark).await;
        assert_eq!(code(&page), "last_emergency_admin", "his mark does not count: {}", page.body);
        let page = client.send_json(Method::PATCH, &path(&adam), &unmark).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        // Nor is a demand allowed that would rely on him.
        let off = json!({ "sso": "optional" });
        client.send_json(Method::PUT, "/api/v1/organizations/home-lab/sign-in", &off).await;
        for (account, mark) in [(&olga, false), (&adam, true)] {
            let page = client.send_json(Method::PATCH, &path(account), &json!({ "emergency_admin": mark })).await;
            assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        }
        assert_eq!(missing(&mut client).await, ["emergency_admin"]);
        assert_eq!(code(&demand(&mut client).await), "enforcement_not_ready");
    })
    .await;
}
