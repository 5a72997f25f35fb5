//! Demanding single sign-on: `/api/v1/organizations/{organization}/sign-in`, and what it does at `/login`.

use axum::http::{Method, StatusCode};
use provost::flow::acting::{self, Wish};
use provost::flow::enforcement;
use provost_kernel::id::AccountId;
use provost_kernel::plan::{Change, Plan, ProfilePatch};
use provost_kernel::provision::{Action, Actor};
use serde_json::{Value, json};

use crate::api::{Client, ann_signs_in, code, furnish};
use crate::app::{Page, TestApp, on_each_engine};
use crate::declarative;
use crate::directory::{self, DOMAIN, ORGANIZATION};
use crate::documents;
use crate::mail::with_mail;
use crate::openid::lab::apply;
use crate::second_factors::{CARA, PASSWORD, member, recovery_codes, set_up, signed_in, type_password};

pub const ADMIN: &str = "emergency@home-lab.example";
const PATH: &str = "/api/v1/organizations/home-lab/sign-in";

pub async fn demand(client: &mut Client) -> Page {
    client
        .send_json(
            Method::PUT,
            PATH,
            &json!({ "sso": "required", "exceptions": ["boss@home-lab.example"] }),
        )
        .await
}

async fn missing(client: &mut Client) -> Vec<String> {
    let seen = client.get(PATH).await.json();
    seen["missing"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["code"].as_str().unwrap().to_owned())
        .collect()
}

pub async fn mark_emergency(app: &TestApp, account: &AccountId) {
    let set = |mark| ProfilePatch {
        emergency_admin: Some(mark),
        ..ProfilePatch::default()
    };
    let change = Change::UpdateProfile {
        account: account.clone(),
        version: 1,
        set: set(true),
        before: set(false),
    };
    apply(
        &app.app,
        account,
        Plan {
            changes: vec![change],
            ..Plan::default()
        },
    )
    .await;
}

/// An emergency admin with everything that is asked of one.
pub async fn emergency_admin(app: &TestApp) {
    let admin = directory::standard_account(&app.app, ADMIN, Some(PASSWORD)).await;
    member(app, &admin, "owner").await;
    mark_emergency(app, &admin).await;
    recovery_codes(&mut signed_in(app, ADMIN).await).await;
}

async fn end_sessions(app: &TestApp) {
    enforcement::evict(&app.app, &json!({ "organization": ORGANIZATION }))
        .await
        .unwrap();
}

#[tokio::test]
async fn r183_r184_single_sign_on_is_demanded_only_once_nobody_can_be_locked_out() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        // Ann has signed in through the connection.
        assert_eq!(missing(&mut client).await, ["emergency_admin"]);
        let page = demand(&mut client).await;
        assert_eq!(page.status, StatusCode::CONFLICT, "{}", page.body);
        assert_eq!(code(&page), "enforcement_not_ready");
        assert_eq!(
            page.json()["errors"][0]["path"],
            "emergency_admin",
            "{}",
            page.body
        );
        assert_eq!(client.get(PATH).await.json()["sso"], "optional");

        let admin = directory::standard_account(&app.app, ADMIN, Some(PASSWORD)).await;
        mark_emergency(&app, &admin).await;
        assert_eq!(
            missing(&mut client).await,
            ["emergency_admin"],
            "without a role she could do nothing"
        );
        member(&app, &admin, "owner").await;
        assert_eq!(missing(&mut client).await, ["password_proof"]);
        let mut browser = signed_in(&app, ADMIN).await;
        assert_eq!(missing(&mut client).await, ["recovery_codes"]);
        recovery_codes(&mut browser).await;
        assert_eq!(missing(&mut client).await, Vec::<String>::new());

        // A changed connection has to be proved anew.
        app.app.world.advance(jiff::SignedDuration::from_secs(5));
        directory::change_connection(&app.app, "okta", |connection, _| {
            connection.name = "New".to_owned();
        })
        .await;
        assert_eq!(missing(&mut client).await, ["test_sign_in"]);
        assert_eq!(code(&demand(&mut client).await), "enforcement_not_ready");
        directory::change_connection(&app.app, "okta", |connection, _| connection.enabled = false).await;
        assert_eq!(missing(&mut client).await, ["connection"]);
        directory::change_connection(&app.app, "okta", |connection, _| connection.enabled = true).await;
        app.app.world.advance(jiff::SignedDuration::from_secs(5));
        ann_signs_in(&app, &["admin"]).await;
        let page = demand(&mut client).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        assert_eq!(page.json()["sso"], "required");
        // A password that was set anew is not proved any more.
        let events = Client::new(&app, None)
            .await
            .get("/api/v1/events?limit=200")
            .await
            .body;
        assert!(events.contains("organization.sign_in_changed"), "{events}");
    })
    .await;
}

#[tokio::test]
async fn r184_members_lose_their_passwords_and_sessions_but_not_the_emergency_admin() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        emergency_admin(&app).await;
        let cara = directory::standard_account(&app.app, CARA, Some(PASSWORD)).await;
        member(&app, &cara, "member").await;
        let boss = directory::standard_account(&app.app, "boss@home-lab.example", Some(PASSWORD)).await;
        member(&app, &boss, "member").await;
        directory::standard_account(&app.app, "dan@freelance.example", Some(PASSWORD)).await;
        let mut caras = signed_in(&app, CARA).await;
        let mut bosses = signed_in(&app, "boss@home-lab.example").await;
        let mut dans = signed_in(&app, "dan@freelance.example").await;
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        assert_eq!(demand(&mut client).await.status, StatusCode::OK);
        end_sessions(&app).await;
        assert_eq!(caras.get("/account").await.status, StatusCode::SEE_OTHER, "ended");
        assert_eq!(
            bosses.get("/account").await.status,
            StatusCode::OK,
            "an exception"
        );
        assert_eq!(
            dans.get("/account").await.status,
            StatusCode::OK,
            "not of this organization"
        );
        let wrong = type_password(&mut app.browser(), CARA, "wrong password here").await;
        let right = type_password(&mut app.browser(), CARA, PASSWORD).await;
        assert_eq!(right.status, StatusCode::UNPROCESSABLE_ENTITY);
        let plain = |page: &Page| {
            let mut page = page.body.clone();
            let start = page.find("name=\"form_token\"").unwrap();
            page.replace_range(start..start + 110, "");
            page
        };
        assert_eq!(plain(&right), plain(&wrong), "nothing is learned from it");
        signed_in(&app, "boss@home-lab.example").await;
        signed_in(&app, ADMIN).await;
        let events = Client::new(&app, None)
            .await
            .get("/api/v1/events?limit=200")
            .await
            .body;
        assert!(events.contains("emergency_sign_in"), "{events}");
        // The organization's own page offers no password.
        let page = app.browser().get("/login/home-lab").await;
        assert!(!page.body.contains("/login/password"), "{}", page.body);
    })
    .await;
}

#[tokio::test]
async fn r113_a_domain_that_demands_single_sign_on_shows_no_password_form() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        let settings = format!("/api/v1/organizations/{ORGANIZATION}/domains/{DOMAIN}/settings");
        let wanted = json!({ "sign_in": "required", "exceptions": ["boss@home-lab.example"] });
        let page = client.send_json(Method::PUT, &settings, &wanted).await;
        assert_eq!(code(&page), "enforcement_not_ready");
        emergency_admin(&app).await;
        directory::standard_account(&app.app, "eve@home-lab.example", Some(PASSWORD)).await;
        directory::standard_account(&app.app, "boss@home-lab.example", Some(PASSWORD)).await;
        let mut eves = signed_in(&app, "eve@home-lab.example").await;
        let page = client.send_json(Method::PUT, &settings, &wanted).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        end_sessions(&app).await;
        assert_eq!(
            eves.get("/account").await.status,
            StatusCode::SEE_OTHER,
            "no member, but her address is theirs"
        );
        let refused = type_password(&mut app.browser(), "eve@home-lab.example", PASSWORD).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        signed_in(&app, "boss@home-lab.example").await;
        signed_in(&app, ADMIN).await;
        // With the connection off there is still no password form, for anybody with such an address.
        directory::change_connection(&app.app, "okta", |connection, _| connection.enabled = false).await;
        let mut bodies = Vec::new();
        for email in [
            "eve@home-lab.example",
            "boss@home-lab.example",
            "nobody@home-lab.example",
        ] {
            let mut browser = app.browser();
            let form = browser.get("/login").await.form("/login");
            let page = browser.submit(&form, &[("email", email)]).await;
            assert!(!page.body.contains("type=\"password\""), "{email}: {}", page.body);
            bodies.push(page.body.replace(email, "ADDRESS"));
        }
        assert_eq!(bodies[0], bodies[1]);
        assert_eq!(bodies[0], bodies[2]);
        // Turning it off needs nothing.
        let page = client.send_json(Method::PUT, &settings, &json!({})).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        signed_in(&app, "eve@home-lab.example").await;
    })
    .await;
}

#[tokio::test]
async fn r112_nobody_else_signs_people_up_with_a_domain_that_prevents_it() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        let settings = format!("/api/v1/organizations/{ORGANIZATION}/domains/{DOMAIN}/settings");
        let page = client
            .send_json(
                Method::PUT,
                &settings,
                &json!({ "prevent_outside_sign_ups": true }),
            )
            .await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        // Another customer's provider that may assert any address.
        crate::saml_idp::connect(&app.app, "other-okta", |_| {}).await;
        directory::change_connection(&app.app, "other-okta", |connection, _| {
            connection.scope = provost_kernel::connection::Scope::Organization {
                organization: crate::api::OTHER.into(),
                shared_with: Vec::new(),
            };
            connection.domains.clear();
            connection.settings.require_domain = false;
        })
        .await;
        let eve = crate::saml_idp::Person::new("eve-1", "eve@home-lab.example");
        let page = crate::saml_idp::sign_in(&app.app, &mut app.browser(), "other-okta", &eve).await;
        // SAML vouches for no address outside the connection's domains, so whatever account it makes has none.
        assert!(page.status != StatusCode::OK, "{}", page.body);
        assert!(
            directory::accounts(&app.app, "eve@home-lab.example")
                .await
                .is_empty()
        );
        // Its own is not held up.
        let page = crate::saml_idp::sign_in(&app.app, &mut app.browser(), "okta", &eve).await;
        assert_eq!(page.location().as_deref(), Some("/account"), "{}", page.body);
        let seen: Value = client.get(PATH).await.json();
        assert_eq!(seen["sso"], "optional");
    })
    .await;
}

/// Takes the emergency mark of an account, or the account itself, through the API.
async fn patch(client: &mut Client, account: &AccountId, body: &Value) -> Page {
    client
        .send_json(Method::PATCH, &format!("/api/v1/accounts/{account}"), body)
        .await
}

#[tokio::test]
async fn r184_the_last_emergency_admin_is_not_lost_while_single_sign_on_is_demanded() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        emergency_admin(&app).await;
        let first = directory::accounts(&app.app, ADMIN).await.remove(0).id;
        // Another owner, so that it is not about the last one.
        let olga = directory::standard_account(&app.app, "olga@freelance.example", Some(PASSWORD)).await;
        member(&app, &olga, "owner").await;
        let mut client = Client::new(&app, None).await;
        // Where nothing is demanded, the mark comes and goes.
        let unmarked = json!({ "emergency_admin": false });
        assert_eq!(patch(&mut client, &first, &unmarked).await.status, StatusCode::OK);
        let marked = json!({ "emergency_admin": true });
        assert_eq!(patch(&mut client, &first, &marked).await.status, StatusCode::OK);
        assert_eq!(demand(&mut client).await.status, StatusCode::OK);
        let page = patch(&mut client, &first, &unmarked).await;
        assert_eq!(page.status, StatusCode::CONFLICT, "{}", page.body);
        assert_eq!(code(&page), "last_emergency_admin");
        for step in ["suspend", "deactivate"] {
            let page = client
                .send(Method::POST, &format!("/api/v1/accounts/{first}/{step}"))
                .await;
            assert_eq!(code(&page), "last_emergency_admin", "{step}: {}", page.body);
        }
        let membership = format!("/api/v1/organizations/{ORGANIZATION}/members/{first}");
        let page = client.send(Method::DELETE, &membership).await;
        assert_eq!(code(&page), "last_emergency_admin", "{}", page.body);
        // A second one, and the first may go; then that one is the last.
        let second = directory::standard_account(&app.app, CARA, Some(PASSWORD)).await;
        member(&app, &second, "owner").await;
        mark_emergency(&app, &second).await;
        assert_eq!(patch(&mut client, &first, &unmarked).await.status, StatusCode::OK);
        assert_eq!(
            code(&patch(&mut client, &second, &unmarked).await),
            "last_emergency_admin"
        );
        // Once nothing is demanded any more, she may go, too.
        let page = client
            .send_json(Method::PUT, PATH, &json!({ "sso": "optional" }))
            .await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        assert_eq!(
            patch(&mut client, &second, &unmarked).await.status,
            StatusCode::OK
        );
    })
    .await;
}

#[tokio::test]
async fn r184_two_writers_never_take_both_of_the_last_two_emergency_admins() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        emergency_admin(&app).await;
        let first = directory::accounts(&app.app, ADMIN).await.remove(0).id;
        let second = directory::standard_account(&app.app, CARA, Some(PASSWORD)).await;
        member(&app, &second, "owner").await;
        mark_emergency(&app, &second).await;
        let mut client = Client::new(&app, None).await;
        assert_eq!(demand(&mut client).await.status, StatusCode::OK);
        for _ in 0..8 {
            let tries = [&first, &second].map(|account| {
                let (app, account) = (app.app.clone(), account.clone());
                tokio::spawn(async move {
                    let set = ProfilePatch {
                        emergency_admin: Some(false),
                        ..ProfilePatch::default()
                    };
                    let action = Action::UpdateProfile {
                        account,
                        set: Box::new(set),
                    };
                    let wish = Wish::new(Actor::Operator { account: None }, action);
                    acting::attempt(&app, wish).await.unwrap().is_ok()
                })
            });
            let mut taken = 0;
            for one in tries {
                taken += usize::from(one.await.unwrap());
            }
            assert_eq!(taken, 1, "one is left");
            for account in [&first, &second] {
                let page = patch(&mut client, account, &json!({ "emergency_admin": true })).await;
                assert_eq!(page.status, StatusCode::OK, "{}", page.body);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn r184_owners_get_a_mail_when_a_way_in_for_emergencies_is_used() {
    with_mail(|app, mailbox| async move {
        furnish(&app).await;
        emergency_admin(&app).await;
        let cara = directory::standard_account(&app.app, CARA, Some(PASSWORD)).await;
        member(&app, &cara, "owner").await;
        let mut client = Client::new(&app, None).await;
        signed_in(&app, ADMIN).await;
        assert!(mailbox.of(&app, CARA).await.is_empty(), "nothing is demanded yet");
        assert_eq!(demand(&mut client).await.status, StatusCode::OK);
        type_password(&mut app.browser(), ADMIN, "a wrong password").await;
        assert!(mailbox.of(&app, CARA).await.is_empty(), "nobody came in");
        let mut browser = signed_in(&app, ADMIN).await;
        let mails = mailbox.of(&app, CARA).await;
        assert_eq!(mails.len(), 1);
        assert!(
            mails[0].header("Subject").unwrap().contains("mergency sign-in"),
            "{}",
            mails[0].text
        );
        assert!(mails[0].text.contains(ADMIN), "{}", mails[0].text);
        assert!(mails[0].link("/console/home-lab/traces/").starts_with("http"));
        // A recovery code: its owner hears of it as well.
        set_up(&app, &mut browser).await;
        let codes = recovery_codes(&mut browser).await;
        let mut browser = app.browser();
        type_password(&mut browser, ADMIN, PASSWORD).await;
        let form = browser.get("/login/second").await.form("/login/second");
        let done = browser.submit(&form, &[("code", &codes[0])]).await;
        assert_eq!(done.location().as_deref(), Some("/account"), "{}", done.body);
        assert_eq!(mailbox.of(&app, CARA).await.len(), 3, "both alerts");
        let own = mailbox.of(&app, ADMIN).await;
        assert!(
            own.iter()
                .any(|mail| mail.text.contains("/account/security") && mail.text.contains("recovery code")),
            "{own:?}"
        );
        assert!(own.iter().all(|mail| !mail.text.contains(&codes[0])));
    })
    .await;
}

#[tokio::test]
async fn r184_the_file_demands_single_sign_on_under_the_same_law_and_exports_what_is_demanded() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let folder = documents::folder();
        let file = |sign_in: &str| {
            format!("organizations:\n  - {{ id: home-lab, name: Home Lab, roles_per_member: many, sign_in: {sign_in} }}\n")
        };
        let required = file("{ sso: required, exceptions: [boss@home-lab.example] }");
        let refused = declarative::apply(&app.app, &required, &folder.0).await.unwrap_err().to_string();
        assert!(
            refused.contains("organizations[home-lab].sign_in.sso") && refused.contains("emergency admin"),
            "{refused}"
        );
        emergency_admin(&app).await;
        let cara = directory::standard_account(&app.app, CARA, Some(PASSWORD)).await;
        member(&app, &cara, "member").await;
        let mut caras = signed_in(&app, CARA).await;
        let report = declarative::apply(&app.app, &required, &folder.0).await.unwrap();
        assert!(report.to_string().contains("sign_in"), "{report}");
        let again = declarative::apply(&app.app, &required, &folder.0).await.unwrap();
        assert!(again.is_empty(), "{again}");
        end_sessions(&app).await;
        assert_eq!(caras.get("/account").await.status, StatusCode::SEE_OTHER);
        let exported = provost::declarative::export(&app.app).await.unwrap();
        let text = provost::declarative::render(&exported).unwrap();
        assert!(text.contains("sso: required") && text.contains("boss@home-lab.example"), "{text}");
        // What a file does not mention stays.
        let silent = "organizations:\n  - { id: home-lab, name: Home Lab, roles_per_member: many }\n";
        let report = declarative::apply(&app.app, silent, &folder.0).await.unwrap();
        assert!(report.is_empty(), "{report}");
        let optional = file("{ second_factor_for_admins: true }");
        declarative::apply(&app.app, &optional, &folder.0).await.unwrap();
        let mut client = Client::new(&app, None).await;
        let seen = client.get(PATH).await.json();
        assert_eq!((&seen["sso"], &seen["second_factor_for_admins"]), (&json!("optional"), &json!(true)));
        let wrong = provost::declarative::read(&file("{ sso: maybe }")).unwrap_err().to_string();
        assert!(wrong.contains("sign_in.sso"), "{wrong}");
    })
    .await;
}

#[tokio::test]
async fn r169_owners_get_a_mail_when_a_directory_falls_silent() {
    with_mail(|app, mailbox| async move {
        crate::scim::lab::fill(&app.app).await;
        let cara = directory::standard_account(&app.app, CARA, Some(PASSWORD)).await;
        member(&app, &cara, "owner").await;
        let _okta = crate::scim::lab::Directory::of(&app, "okta").await;
        provost::flow::scim::watch::run(&app.app).await.unwrap();
        assert!(mailbox.of(&app, CARA).await.is_empty());
        app.app.world.advance(jiff::SignedDuration::from_hours(8 * 24));
        provost::flow::scim::watch::run(&app.app).await.unwrap();
        provost::flow::scim::watch::run(&app.app).await.unwrap();
        let mails = mailbox.of(&app, CARA).await;
        assert_eq!(mails.len(), 1, "told once");
        assert!(
            mails[0].header("Subject").unwrap().contains("fallen silent"),
            "{}",
            mails[0].text
        );
        assert!(
            mails[0].text.contains("/connections/okta/scim"),
            "{}",
            mails[0].text
        );
    })
    .await;
}
