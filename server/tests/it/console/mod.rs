//! `/console/…`: who comes in, page by page. [`forms`] holds what is sent to what may be done, [`granting`] changes access by hand, [`people`] looks at the pages of
//! people, [`overviews`] at those that sum up, [`webhooks`] at those of webhooks, [`activity`] at what happened, [`tester`] tries rules.

mod activity;
mod forms;
mod granting;
mod local_groups;
mod overviews;
mod page_map;
mod people;
mod tester;
mod values;
mod webhooks;

use axum::http::StatusCode;
use provost::flow::acting::{self, Wish};
use provost_kernel::id::AccountId;
use provost_kernel::provision::{Action, Actor, GrantEdit};

use crate::app::{Browser, Page, TestApp, on_each_engine};
use crate::directory::{self, accounts};
use crate::saml_idp;
use crate::scim::lab;

pub const PASSWORD: &str = "correct horse battery staple";

/// Two customers: one with an owner, an admin and a member who have passwords; another with an owner.
const WORLD: &str = r#"
organizations:
  - id: acme
    name: Acme
    domains: [{ name: acme.example, verified: true }]
    roles: [{ id: owner, name: Owner, owner: true }, { id: admin, name: Admin, admin: true }, { id: member, name: Member, default: true }]
    workspaces: [{ id: main, name: Main, default: true }]
    licenses: [{ id: standard, seats: 5 }]
  - id: globex
    name: Globex
    domains: [{ name: globex.example, verified: true }]
    roles: [{ id: owner, name: Owner, owner: true }, { id: member, name: Member }]
connections:
  - id: acme-idp
    organization: acme
    protocol: oidc
    oidc: { issuer: "https://login.acme.example", client_id: provost, client_secret: "upstream-secret-0123456789" }
    domains: [acme.example]
    provisioning: scim
    policy: { role: { fixed: Member } }
  - id: globex-idp
    organization: globex
    protocol: oidc
    oidc: { issuer: "https://login.globex.example", client_id: provost, client_secret: "upstream-secret-0123456789" }
    domains: [globex.example]
    provisioning: jit
users:
  - { email: olga@acme.example, given_name: Olga, family_name: Berg, password: "correct horse battery staple", memberships: [{ organization: acme, roles: [owner] }] }
  - { email: adam@acme.example, given_name: Adam, family_name: "<script>alert(1)</script>", password: "correct horse battery staple", memberships: [{ organization: acme, roles: [admin] }] }
  - { email: mia@acme.example, given_name: Mia, family_name: Öz, password: "correct horse battery staple", memberships: [{ organization: acme, roles: [member] }] }
  - { email: both@acme.example, password: "correct horse battery staple", memberships: [{ organization: acme, roles: [member] }, { organization: globex, roles: [owner] }] }
"#;

/// Pages of an organization that exist in the world, by path below `/console/acme`.
const PAGES: &[&str] = &[
    "",
    "/users",
    "/users?q=ol&status=active&kind=user&via=-password&role=owner&pinned=1",
    "/users?via=acme-idp",
    "/users?source=pinned&workspace=main&unseen=90&waiting=1",
    "/users/drift",
    "/users/drift?after=acc_x",
    "/activity",
    "/activity?show=changes",
    "/activity?show=events&from=2026-01-01&until=2026-12-31",
    "/activity?from=yesterday&until=9999-12-31&after=1~2~3~4",
    "/activity?show=scim&refused=1",
    "/connections",
    "/connections/acme-idp",
    "/connections/acme-idp/values",
    "/connections/acme-idp/values?tested=1",
    "/connections/acme-idp/values/edit",
    "/connections/acme-idp/policies",
    "/connections/acme-idp/scim",
    "/connections/acme-idp/scim?piece=1",
    "/groups",
    "/groups?local=a",
    "/groups/new",
    "/groups?name=a&id=b",
    "/activity?why=no_organization",
    "/activity/file?show=attempts",
    "/connections/acme-idp/activity",
    "/sign-in",
    "/access",
    "/licenses",
    "/developers",
    "/developers/webhooks",
    "/developers/configuration",
    "/developers/configuration/file",
    "/developers/events",
    "/users/add",
    "/users/import",
    "/invitations",
    "/invitations?show=all&before=inv_x",
    "/invitations?state=sent",
    "/invitations?state=expired&before=inv_x",
    "/invitations?state=nonsense",
    "/conversions",
    "/conversions/new?connection=acme-idp&q=o",
    "/domains",
    "/domains/acme.example",
];

/// Pages of the instance.
const OPERATOR_PAGES: &[&str] = &[
    "/console/operator",
    "/console/operator/connections",
    "/console/operator/jobs",
    "/console/operator/health",
    "/console/operator/configuration",
    "/console/operator/activity",
    "/console/operator/mails",
    "/console/operator/mails?q=olga@acme.example&state=sent",
    "/console/operator/applications",
    "/console/operator/organizations/acme",
    "/console/components",
];

/// Signs somebody in with a password.
pub async fn sign_in(app: &TestApp, email: &str) -> Browser {
    let mut browser = app.browser();
    let form = browser.get("/login/password").await.form("/login/password");
    let page = browser
        .submit(&form, &[("email", email), ("password", PASSWORD)])
        .await;
    assert_eq!(page.location().as_deref(), Some("/account"), "{email}: {page:?}");
    browser
}

pub async fn world(app: &TestApp) {
    lab::apply(&app.app, WORLD).await;
}

async fn id_of(app: &TestApp, email: &str) -> AccountId {
    accounts(&app.app, email).await.remove(0).id
}

pub async fn make_operator(app: &TestApp, email: &str) {
    let email = provost_kernel::email::Email::parse(email).unwrap();
    provost::flow::operator::add(&app.app, &email).await.unwrap();
}

async fn want(app: &TestApp, action: Action) {
    let actor = Actor::Operator { account: None };
    acting::act(&app.app, Wish::new(actor, action)).await.unwrap();
}

/// Sends a form of the console as its page would.
pub async fn act(browser: &mut Browser, path: &str, fields: &[(&str, &str)]) -> Page {
    let token = browser.get("/account").await.form("/logout").fields["form_token"].clone();
    let mut all = vec![("form_token", token.as_str())];
    all.extend_from_slice(fields);
    browser.post(path, &all).await
}

#[tokio::test]
async fn every_page_opens_for_owners_admins_and_operators_and_for_nobody_else() {
    on_each_engine(|app| async move {
        world(&app).await;
        make_operator(&app, "both@acme.example").await;
        for (email, status) in [
            ("olga@acme.example", StatusCode::OK),
            ("adam@acme.example", StatusCode::OK),
            ("both@acme.example", StatusCode::OK),
            ("mia@acme.example", StatusCode::FORBIDDEN),
        ] {
            let mut browser = sign_in(&app, email).await;
            for path in PAGES {
                let page = browser.get(&format!("/console/acme{path}")).await;
                assert_eq!(page.status, status, "{email} {path} {}", page.body);
            }
        }
        let mut stranger = app.browser();
        for path in PAGES
            .iter()
            .map(|path| format!("/console/acme{path}"))
            .chain(["/console".to_owned()])
        {
            let page = stranger.get(&path).await;
            assert_eq!(
                page.location().as_deref(),
                Some("/login?return_to=console"),
                "{path}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn pages_of_the_instance_open_for_operators_only() {
    let app = TestApp::start().await;
    world(&app).await;
    make_operator(&app, "both@acme.example").await;
    for (email, status) in [
        ("both@acme.example", StatusCode::OK),
        ("olga@acme.example", StatusCode::FORBIDDEN),
        ("mia@acme.example", StatusCode::FORBIDDEN),
    ] {
        let mut browser = sign_in(&app, email).await;
        for path in OPERATOR_PAGES {
            assert_eq!(browser.get(path).await.status, status, "{email} {path}");
        }
    }
}

#[tokio::test]
async fn another_customers_console_is_refused_like_one_that_does_not_exist() {
    let app = TestApp::start().await;
    world(&app).await;
    let mut olga = sign_in(&app, "olga@acme.example").await;
    let refused = olga.get("/console/globex").await;
    let absent = olga.get("/console/nowhere").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let common = |page: &Page| {
        page.body
            .replace("/console/globex", "")
            .replace("/console/nowhere", "")
    };
    assert_eq!(common(&refused), common(&absent));
    // What belongs to others is not found through one's own console either.
    let stranger = id_of(&app, "mia@acme.example").await;
    let mut globex = sign_in(&app, "both@acme.example").await;
    for path in [
        format!("/console/globex/users/{stranger}"),
        "/console/globex/connections/acme-idp".to_owned(),
        "/console/globex/connections/acme-idp/scim".to_owned(),
        "/console/globex/connections/acme-idp/policies".to_owned(),
    ] {
        let page = globex.get(&path).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}: {}", page.body);
    }
}

#[tokio::test]
async fn a_lost_role_counts_at_the_next_request() {
    let app = TestApp::start().await;
    world(&app).await;
    let mut adam = sign_in(&app, "adam@acme.example").await;
    assert_eq!(adam.get("/console/acme/users").await.status, StatusCode::OK);
    lab::apply(&app.app, &WORLD.replace("roles: [admin]", "roles: [member]")).await;
    assert_eq!(
        adam.get("/console/acme/users").await.status,
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn a_session_proved_by_one_customers_provider_opens_neither_anothers_console_nor_the_instances() {
    let app = TestApp::start().await;
    world(&app).await;
    directory::organization(&app.app).await;
    saml_idp::connect(&app.app, "okta", |_| {}).await;
    let person = saml_idp::Person::new("ann-1", "ann@home-lab.example");
    let mut browser = app.browser();
    saml_idp::sign_in(&app.app, &mut browser, "okta", &person).await;
    let ann = id_of(&app, "ann@home-lab.example").await;
    // She owns both organizations and operates the instance: the provider of one of them proves her for that one only.
    for organization in ["home-lab", "acme"] {
        want(
            &app,
            Action::EditMembership {
                account: ann.clone(),
                organization: organization.into(),
                edits: vec![GrantEdit::GrantRole { role: "owner".into() }],
            },
        )
        .await;
    }
    want(
        &app,
        Action::MakeOperator {
            account: ann,
            operator: true,
        },
    )
    .await;
    assert_eq!(browser.get("/console/home-lab").await.status, StatusCode::OK);
    for path in [
        "/console/acme",
        "/console/acme/users",
        "/console/globex",
        "/console/operator",
    ] {
        assert_eq!(browser.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let list = browser.get("/console").await;
    assert_eq!(
        list.location().as_deref(),
        Some("/console/home-lab"),
        "{}",
        list.body
    );
}
