//! What each page of the page map promises to show (requirements, section 6), read off the page of a small world. What is done on
//! the pages has tests of its own.

use jiff::SignedDuration;
use provost::flow::api_keys::Caller;
use provost::flow::overrides;
use serde_json::json;

use super::{WORLD, act, id_of, make_operator, sign_in, world};
use crate::app::{Browser, TestApp, on_each_engine};
use crate::scim::lab;

/// Opens a page and holds that it says all of this.
async fn says(browser: &mut Browser, path: &str, wanted: &[&str]) -> String {
    let page = browser.get(path).await;
    assert!(page.status.is_success(), "{path}: {}", page.body);
    for text in wanted {
        assert!(page.body.contains(text), "{path} lacks {text}: {}", page.body);
    }
    page.body
}

/// The world with a draft domain, somebody who signs in through the company, a provider of the whole instance and an app.
async fn furnished(app: &TestApp) {
    let more = WORLD
        .replace(
            "domains: [{ name: acme.example, verified: true }]\n    roles",
            "domains: [{ name: acme.example, verified: true }, { name: later.example, verified: false }]\n    roles",
        )
        .replace(
            "    provisioning: scim\n",
            "    provisioning: scim\n    attributes: [{ name: nfc, sources: [manual] }]\n",
        )
        .replace(
            "users:\n",
            r#"  - id: everywhere
    name: Everywhere
    scope: instance
    protocol: oidc
    oidc: { issuer: "https://login.everywhere.example", client_id: provost, client_secret: "upstream-secret-0123456789" }
    provisioning: jit
    policy: { organization: "contains(groups, '{{orgId}}')", role: { fixed: Member } }
    organization_policies: [{ organization: globex, organization_expression: "false" }]
applications:
  - { client_id: atlas, name: Atlas, client_secret: "a-secret-of-the-app-0123456789", redirect_uris: ["https://atlas.example/callback"], organizations: all }
users:
  - { email: ivy@acme.example, given_name: Ivy, connection: acme-idp, memberships: [{ organization: acme, roles: [member] }] }
"#,
        );
    lab::apply(&app.app, &more).await;
}

#[tokio::test]
async fn page_map_1_home_shows_providers_seats_what_waits_and_the_way_to_live() {
    on_each_engine(|app| async move {
        furnished(&app).await;
        let mut olga = sign_in(&app, "olga@acme.example").await;
        let wanted = [
            "The domain later.example is not verified yet.",
            "/console/acme/domains",
            "<strong>standard</strong>",
            "0 of 5 seats used",
            "acme-idp",
            "No sign-ins yet",
            "class=\"stepper\"",
        ];
        says(&mut olga, "/console/acme", &wanted).await;
    })
    .await;
}

#[tokio::test]
async fn page_map_2_and_3_providers_show_their_state_and_eight_tabs() {
    on_each_engine(|app| async move {
        furnished(&app).await;
        let mut olga = sign_in(&app, "olga@acme.example").await;
        let card = [
            "acme-idp",
            "OpenID Connect",
            "SCIM",
            "acme.example",
            "/connections/new",
            "Everywhere",
        ];
        says(&mut olga, "/console/acme/connections", &card).await;
        let here = "/console/acme/connections/acme-idp";
        let tabs: Vec<String> = [
            "values",
            "claims",
            "provisioning",
            "policies",
            "scim",
            "activity",
            "more",
        ]
        .iter()
        .map(|tab| format!("{here}/{tab}"))
        .collect();
        let links: Vec<String> = tabs.iter().map(|tab| format!("href=\"{tab}\"")).collect();
        for tab in std::iter::once(here.to_owned()).chain(tabs.iter().cloned()) {
            let wanted: Vec<&str> = links.iter().map(String::as_str).collect();
            says(&mut olga, &tab, &wanted).await;
        }
        let values = [
            "/sso/acme-idp/oidc/callback",
            "data-copy",
            "https://login.acme.example",
        ];
        says(&mut olga, &format!("{here}/values"), &values).await;
        let scim = [
            "/scim/acme-idp/v2",
            "/scim/acme-idp/v1",
            "data-live",
            "name=\"operation\"",
        ];
        says(&mut olga, &format!("{here}/scim"), &scim).await;
        let more = [
            "name=\"idle\"",
            "/conversions/new?connection=acme-idp",
            "name=\"confirm\"",
            "name=\"enabled\"",
        ];
        says(&mut olga, &format!("{here}/more"), &more).await;
    })
    .await;
}

#[tokio::test]
async fn page_map_6_a_person_shows_identities_access_with_sources_attributes_sessions_and_what_can_be_done() {
    on_each_engine(|app| async move {
        furnished(&app).await;
        let ivy = id_of(&app, "ivy@acme.example").await;
        let by = Caller::operator();
        overrides::set_attribute(&app.app, &by, ivy.as_str(), "nfc", Some(json!("04A1B2")))
            .await
            .unwrap();
        let mut olga = sign_in(&app, "olga@acme.example").await;
        let wanted = [
            ivy.as_str(),
            "class=\"badge sso\"",
            "Why this access?",
            "<code>nfc</code>",
            "04A1B2",
            "by hand",
            "acme-idp",
            "Timeline",
            "/access\"",
            "/deactivate\"",
            "/delete\"",
        ];
        says(&mut olga, &format!("/console/acme/users/{ivy}"), &wanted).await;
        // Sessions stand on the page of whoever has some, each with a button to end it.
        let own = id_of(&app, "olga@acme.example").await;
        says(
            &mut olga,
            &format!("/console/acme/users/{own}"),
            &["/end-session\"", "name=\"session\""],
        )
        .await;
    })
    .await;
}

#[tokio::test]
async fn page_map_11_and_12_roles_workspaces_and_licenses_show_ids_marks_rules_and_who_took_seats() {
    on_each_engine(|app| async move {
        furnished(&app).await;
        let mia = id_of(&app, "mia@acme.example").await;
        let mut olga = sign_in(&app, "olga@acme.example").await;
        let access = [
            "permissionprofileid",
            "accountid",
            "<code>member</code>",
            "<code>main</code>",
            "data-copy",
            "Default",
            "/console/acme/connections/acme-idp/policies",
        ];
        says(&mut olga, "/console/acme/access", &access).await;
        let path = format!("/console/acme/users/{mia}/access");
        let wanted = [("role", "member"), ("workspace", "main"), ("license", "standard")];
        assert!(act(&mut olga, &path, &wanted).await.location().is_some());
        let licenses = [
            "1 of 5 seats used",
            "Took a seat",
            "Mia",
            "/console/acme/traces/",
            "by admin",
        ];
        says(&mut olga, "/console/acme/licenses", &licenses).await;
    })
    .await;
}

#[tokio::test]
async fn page_map_13_and_15_security_and_developers_show_what_people_and_apps_need() {
    on_each_engine(|app| async move {
        furnished(&app).await;
        let mut olga = sign_in(&app, "olga@acme.example").await;
        let security = [
            "name=\"exceptions\"",
            "name=\"second_factor\"",
            "Emergency admins",
            "class=\"preview\"",
            "/login/acme",
            "At the longest",
        ];
        says(&mut olga, "/console/acme/sign-in", &security).await;
        let developers = [
            "Atlas",
            "/.well-known/openid-configuration",
            "/api/v1/events",
            "organization=acme",
            "/api/docs",
            "/developers/webhooks",
            "/developers/events",
            "/developers/configuration",
        ];
        says(&mut olga, "/console/acme/developers", &developers).await;
        says(
            &mut olga,
            "/console/acme/developers/events",
            &["user.deactivated", "session.revoked"],
        )
        .await;
    })
    .await;
}

#[tokio::test]
async fn page_map_16_an_operator_sees_organizations_plans_and_the_matrix_of_instance_connections() {
    on_each_engine(|app| async move {
        furnished(&app).await;
        make_operator(&app, "olga@acme.example").await;
        let mut olga = sign_in(&app, "olga@acme.example").await;
        says(
            &mut olga,
            "/console/operator",
            &["Acme", "Globex", "/console/operator/organizations/acme"],
        )
        .await;
        says(
            &mut olga,
            "/console/operator/organizations/acme",
            &["name=\"sso\"", "name=\"scim\""],
        )
        .await;
        let matrix = [
            "everywhere",
            "Whole instance",
            "Default policy",
            "globex",
            "acme-idp",
        ];
        says(&mut olga, "/console/operator/connections", &matrix).await;
        says(&mut olga, "/console/acme/setup-links", &["name=\"label\""]).await;
    })
    .await;
}

#[tokio::test]
async fn page_map_18_a_persons_account_shows_where_she_is_signed_in_and_what_she_has() {
    on_each_engine(|app| async move {
        world(&app).await;
        let mut mia = sign_in(&app, "mia@acme.example").await;
        app.app.world.advance(SignedDuration::from_mins(1));
        let mut elsewhere = sign_in(&app, "mia@acme.example").await;
        let wanted = [
            "mia@acme.example",
            "Acme",
            "Member",
            "Another browser",
            "This browser",
            "/revoke\"",
        ];
        let body = says(&mut mia, "/account", &wanted).await;
        let form = body
            .split("Another browser")
            .nth(1)
            .and_then(|rest| rest.split("action=\"").nth(1))
            .and_then(|rest| rest.split('"').next())
            .unwrap()
            .to_owned();
        assert!(act(&mut mia, &form, &[]).await.location().is_some());
        assert!(elsewhere.get("/account").await.location().is_some());
        assert!(mia.get("/account").await.status.is_success());
    })
    .await;
}
