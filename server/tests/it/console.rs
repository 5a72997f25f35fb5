//! `/console/…`: who comes in, page by page; forms from elsewhere; what an admin may not do; what leaks to others.

use axum::http::{StatusCode, header};
use jiff::SignedDuration;
use provost::flow::acting::{self, Wish};
use provost_kernel::id::AccountId;
use provost_kernel::provision::{Action, Actor, GrantEdit};

use crate::app::{Browser, Page, TestApp, on_each_engine};
use crate::directory::{self, accounts};
use crate::saml_idp;
use crate::scim::lab;

const PASSWORD: &str = "correct horse battery staple";

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
    "/activity",
    "/activity?show=changes",
    "/activity?show=scim&refused=1",
    "/connections",
    "/connections/acme-idp",
    "/connections/acme-idp/values",
    "/connections/acme-idp/policies",
    "/connections/acme-idp/scim",
    "/connections/acme-idp/scim?piece=1",
    "/groups",
    "/sign-in",
    "/access",
    "/licenses",
    "/developers",
    "/users/add",
    "/users/import",
    "/invitations",
    "/invitations?show=all&before=inv_x",
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
    "/console/operator/activity",
    "/console/operator/mails",
    "/console/operator/mails?q=olga@acme.example&state=sent",
    "/console/operator/applications",
    "/console/operator/organizations/acme",
    "/console/components",
];

async fn sign_in(app: &TestApp, email: &str) -> Browser {
    let mut browser = app.browser();
    let form = browser.get("/login/password").await.form("/login/password");
    let page = browser
        .submit(&form, &[("email", email), ("password", PASSWORD)])
        .await;
    assert_eq!(page.location().as_deref(), Some("/account"), "{email}: {page:?}");
    browser
}

async fn world(app: &TestApp) {
    lab::apply(&app.app, WORLD).await;
}

async fn id_of(app: &TestApp, email: &str) -> AccountId {
    accounts(&app.app, email).await.remove(0).id
}

async fn make_operator(app: &TestApp, email: &str) {
    let email = provost_kernel::email::Email::parse(email).unwrap();
    provost::flow::operator::add(&app.app, &email).await.unwrap();
}

/// Sends a form of the console as its page would.
async fn act(browser: &mut Browser, path: &str, fields: &[(&str, &str)]) -> Page {
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
async fn forms_of_others_and_without_token_change_nothing() {
    let app = TestApp::start().await;
    world(&app).await;
    let mia = id_of(&app, "mia@acme.example").await;
    let mut olga = sign_in(&app, "olga@acme.example").await;
    let path = format!("/console/acme/users/{mia}/suspend");
    for fields in [
        vec![],
        vec![("form_token", "")],
        vec![("form_token", "0123456789abcdef")],
    ] {
        assert_eq!(olga.post(&path, &fields).await.status, StatusCode::FORBIDDEN);
    }
    let token = olga.get("/account").await.form("/logout").fields["form_token"].clone();
    let mut foreign = olga.clone();
    foreign
        .headers
        .insert("sec-fetch-site", "cross-site".parse().unwrap());
    assert_eq!(
        foreign.post(&path, &[("form_token", &token)]).await.status,
        StatusCode::FORBIDDEN
    );
    // Another person's token is not this one's.
    let mut adam = sign_in(&app, "adam@acme.example").await;
    assert_eq!(
        adam.post(&path, &[("form_token", &token)]).await.status,
        StatusCode::FORBIDDEN
    );
    let still = accounts(&app.app, "mia@acme.example").await.remove(0);
    assert_eq!(still.status, provost_kernel::directory::Status::Active);
}

#[tokio::test]
async fn r87_what_an_admin_may_do_is_judged_by_the_kernel_and_a_refusal_is_explained() {
    on_each_engine(|app| async move {
        world(&app).await;
        let (olga, mia, both) = (
            id_of(&app, "olga@acme.example").await,
            id_of(&app, "mia@acme.example").await,
            id_of(&app, "both@acme.example").await,
        );
        let mut adam = sign_in(&app, "adam@acme.example").await;
        // An owner is beyond an admin, and so is the account of somebody who belongs elsewhere too.
        for target in [&olga, &both] {
            let page = act(&mut adam, &format!("/console/acme/users/{target}/suspend"), &[]).await;
            assert_eq!(page.status, StatusCode::CONFLICT, "{}", page.body);
            assert!(page.body.contains("/console/acme/traces/"), "{}", page.body);
        }
        let page = act(&mut adam, &format!("/console/acme/users/{both}/end-session"), &[]).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
        let page = act(&mut adam, &format!("/console/acme/users/{mia}/suspend"), &[]).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.body);
        // Her page says what she is and who did it.
        let person = adam.get(&format!("/console/acme/users/{mia}")).await.body;
        assert!(person.contains("Suspended"), "{person}");
        assert!(
            person.contains("Account suspended") && person.contains("by admin"),
            "{person}"
        );
        let nobody = act(&mut adam, "/console/acme/users/acc_nobody/suspend", &[]).await;
        assert_eq!(nobody.status, StatusCode::NOT_FOUND);
        let nothing = act(&mut adam, &format!("/console/acme/users/{mia}/explode"), &[]).await;
        assert_eq!(nothing.status, StatusCode::NOT_FOUND);
    })
    .await;
}

#[tokio::test]
async fn dangerous_actions_want_a_recent_sign_in() {
    let app = TestApp::start().await;
    world(&app).await;
    let mia = id_of(&app, "mia@acme.example").await;
    let mut olga = sign_in(&app, "olga@acme.example").await;
    app.app.world.advance(SignedDuration::from_mins(16));
    for (path, fields) in [
        (format!("/console/acme/users/{mia}/delete"), vec![]),
        (format!("/console/acme/users/{mia}/deactivate"), vec![]),
        (format!("/console/acme/users/{mia}/reset"), vec![]),
        (
            "/console/acme/connections/acme-idp/scim".to_owned(),
            vec![("label", "okta")],
        ),
        (
            "/console/acme/users/bulk".to_owned(),
            vec![("do", "deactivate"), ("account", mia.as_str()), ("sure", "1")],
        ),
        (
            "/console/acme/users/bulk".to_owned(),
            vec![("do", "pin"), ("everybody", "1"), ("sure", "1")],
        ),
        (
            "/console/acme/conversions/new".to_owned(),
            vec![
                ("do", "start"),
                ("connection", "acme-idp"),
                ("who", "all"),
                ("user", "1"),
            ],
        ),
        (
            "/console/acme/domains/acme.example".to_owned(),
            vec![("do", "give-up")],
        ),
        (
            "/console/acme/developers".to_owned(),
            vec![("label", "key"), ("scope", "accounts:read")],
        ),
    ] {
        let page = act(&mut olga, &path, &fields).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{path}");
        assert!(
            page.body.contains("/account/confirm?to="),
            "{path}: {}",
            page.body
        );
    }
    let page = act(&mut olga, &format!("/console/acme/users/{mia}/pin"), &[]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "pinning is not dangerous");
    // Signing in again leads back, and then it works.
    let mut olga = sign_in(&app, "olga@acme.example").await;
    let page = act(&mut olga, &format!("/console/acme/users/{mia}/delete"), &[]).await;
    assert_eq!(
        page.location().as_deref(),
        Some("/console/acme/users?done=delete")
    );
}

#[tokio::test]
async fn what_people_are_called_is_text_and_nothing_else() {
    let app = TestApp::start().await;
    world(&app).await;
    let mut olga = sign_in(&app, "olga@acme.example").await;
    let page = olga.get("/console/acme/users?q=%3Cscript%3E").await;
    assert!(
        page.body.contains("&#60;script&#62;") || page.body.contains("&lt;script&gt;"),
        "{}",
        page.body
    );
    assert!(!page.body.contains("<script>"), "{}", page.body);
    let policy = page.header(header::CONTENT_SECURITY_POLICY.as_str()).unwrap();
    assert!(
        !policy.contains("unsafe") && policy.contains("script-src 'self'"),
        "{policy}"
    );
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    // No inline script, style or handler anywhere.
    for path in PAGES {
        let body = olga.get(&format!("/console/acme{path}")).await.body;
        for inline in [" style=", " onclick", " onload", "<style", "javascript:"] {
            assert!(!body.contains(inline), "{path}: {inline}");
        }
    }
}

#[tokio::test]
async fn the_search_finds_beginnings_of_addresses_and_names_and_survives_anything() {
    on_each_engine(|app| async move {
        world(&app).await;
        let mut olga = sign_in(&app, "olga@acme.example").await;
        for (query, found, not) in [
            ("q=OLGA", "Olga Berg", "Mia"),
            ("q=ber", "Olga Berg", "Mia"),
            ("q=mia", "Mia", "Olga Berg"),
            ("q=mia%40acme", "Mia", "Olga Berg"),
            ("role=admin", "Adam", "Mia"),
        ] {
            let body = olga.get(&format!("/console/acme/users?{query}")).await.body;
            let list = body.split("<tbody>").nth(1).unwrap_or_default();
            assert!(list.contains(found) && !list.contains(not), "{query}: {list}");
        }
        for hostile in [
            "q=%00",
            "q=%25",
            "q=_",
            "q=%27%20OR%201%3D1",
            "before=%00",
            "status=%00",
            "via=%00x",
            "role=%00",
            "q=%F4%8F%BF%BF",
        ] {
            let page = olga.get(&format!("/console/acme/users?{hostile}")).await;
            assert!(
                page.status == StatusCode::OK || page.status == StatusCode::BAD_REQUEST,
                "{hostile}: {page:?}"
            );
            let page = olga
                .get(&format!(
                    "/console/acme/activity?after={hostile}&account=%00&connection=%00"
                ))
                .await;
            assert!(
                page.status == StatusCode::OK || page.status == StatusCode::BAD_REQUEST,
                "{hostile}: {page:?}"
            );
        }
    })
    .await;
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

async fn want(app: &TestApp, action: Action) {
    let actor = Actor::Operator { account: None };
    acting::act(&app.app, Wish::new(actor, action)).await.unwrap();
}

#[tokio::test]
async fn r86_r104_what_an_address_would_become_is_told_before_anything_happens() {
    on_each_engine(|app| async move {
        world(&app).await;
        let mut adam = sign_in(&app, "adam@acme.example").await;
        let fields = [
            (
                "addresses",
                "new@acme.example, stranger@elsewhere.example nonsense",
            ),
            ("sso", "1"),
            ("connection", "acme-idp"),
            ("kind", "reader"),
            ("skip", "1"),
        ];
        let page = act(&mut adam, "/console/acme/users/add", &fields).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.body.contains("This is no e-mail address."), "{}", page.body);
        assert!(page.body.contains("no verified domain"), "{}", page.body);
        assert!(accounts(&app.app, "new@acme.example").await.is_empty());
        let with = |last| [fields.as_slice(), &[last]].concat();
        let page = act(&mut adam, "/console/acme/users/add", &with(("do", "add"))).await;
        assert!(page.body.contains("1 added, 2 not."), "{}", page.body);
        assert_eq!(accounts(&app.app, "new@acme.example").await.len(), 1);
        // The same again: the person is an SSO reader now, and the button is off.
        let page = act(&mut adam, "/console/acme/users/add", &with(("do", "check"))).await;
        assert!(page.body.contains("already is an SSO reader"), "{}", page.body);
        assert!(
            page.body
                .contains("data-guarded aria-describedby=\"checked\" disabled"),
            "{}",
            page.body
        );
        let page = act(&mut adam, "/console/acme/users/add", &with(("do", "add"))).await;
        assert!(page.body.contains("0 added, 3 not."), "{}", page.body);
        // An admin makes no owner.
        let owner = [
            ("addresses", "boss@acme.example"),
            ("role", "owner"),
            ("skip", "1"),
            ("do", "add"),
        ];
        let page = act(&mut adam, "/console/acme/users/add", &owner).await;
        assert!(page.body.contains("0 added, 1 not."), "{}", page.body);
    })
    .await;
}

#[tokio::test]
async fn many_at_once_are_judged_one_by_one_and_only_those_who_fit() {
    on_each_engine(|app| async move {
        world(&app).await;
        let mut adam = sign_in(&app, "adam@acme.example").await;
        let fields = [
            ("do", "suspend"),
            ("everybody", "1"),
            ("back", "/console/acme/users?kind=user"),
        ];
        let page = act(&mut adam, "/console/acme/users/bulk", &fields).await;
        assert!(page.body.contains("Nothing has happened yet"), "{}", page.body);
        let sure = [fields.as_slice(), &[("sure", "1")]].concat();
        let page = act(&mut adam, "/console/acme/users/bulk", &sure).await;
        let path = page.location().unwrap();
        let id = path.rsplit('/').next().unwrap().to_owned();
        provost::flow::console::bulk::work(&app.app, &serde_json::json!({ "run": id }))
            .await
            .unwrap();
        let status = |email| {
            let app = app.app.clone();
            async move { accounts(&app, email).await.remove(0).status }
        };
        assert_eq!(
            status("mia@acme.example").await,
            provost_kernel::directory::Status::Suspended
        );
        // An owner is beyond an admin, and an account that belongs elsewhere too is not this organization's alone.
        assert_eq!(
            status("olga@acme.example").await,
            provost_kernel::directory::Status::Active
        );
        assert_eq!(
            status("both@acme.example").await,
            provost_kernel::directory::Status::Active
        );
        let page = adam.get(&path).await;
        assert!(page.body.contains("/console/acme/traces/"), "{}", page.body);
        // Another organization knows nothing of the run.
        make_operator(&app, "both@acme.example").await;
        let mut both = sign_in(&app, "both@acme.example").await;
        let elsewhere = both.get(&format!("/console/globex/users/runs/{id}")).await;
        assert_eq!(elsewhere.status, StatusCode::NOT_FOUND);
    })
    .await;
}

#[tokio::test]
async fn an_import_of_an_admin_reaches_no_other_organization() {
    on_each_engine(|app| async move {
        world(&app).await;
        let adam = id_of(&app, "adam@acme.example").await;
        let caller = provost::flow::api_keys::Caller {
            person: Some(provost_kernel::provision::Actor::Admin {
                account: adam,
                organization: provost_kernel::id::OrganizationId::new("acme"),
            }),
            organization: Some(provost_kernel::id::OrganizationId::new("acme")),
            ..provost::flow::api_keys::Caller::operator()
        };
        let text = "email,organization,roles\nin@globex.example,globex,owner\nboss@acme.example,acme,owner\nfia@acme.example,,member\n";
        let done = provost::flow::imports::start(
            &app.app,
            &caller,
            text.to_owned(),
            provost::flow::imports::ImportOptions {
                organization: Some("acme".to_owned()),
                ..Default::default()
            },
        )
        .await
        .unwrap();
        assert_eq!((done.progress.created, done.progress.failed), (1, 2), "{:?}", done.progress);
        assert!(accounts(&app.app, "in@globex.example").await.is_empty());
        assert!(accounts(&app.app, "boss@acme.example").await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn pages_for_people_speak_the_language_of_the_browser() {
    let app = TestApp::start().await;
    let mut browser = app.browser();
    browser.headers.insert("accept-language", "de".parse().unwrap());
    let page = browser.get("/login").await.body;
    assert!(
        page.contains("lang=\"de\"") && page.contains("Anmelden"),
        "{page}"
    );
    let missing = browser.get("/no-such-page").await;
    assert!(missing.body.contains("Nicht gefunden"), "{}", missing.body);
}
