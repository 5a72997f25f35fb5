//! Setting a connection up (F1, R-181 to R-183): drafts that affect nobody, test sign-ins without effect, going live, set-up links.

use axum::http::{StatusCode, header};
use jiff::SignedDuration;
use provost::flow::api_keys::Caller;
use provost::flow::setup::links::{self, New, Scope};
use provost_kernel::id::ConnectionId;
use provost_saml::authn_request::RequestId;
use provost_saml::issue::parse_authn_request;
use provost_saml::logout::Received;
use provost_store::{AuditFilter, AuditOrder};
use secrecy::ExposeSecret as _;

use crate::app::{Browser, Page, TestApp, on_each_engine};
use crate::directory::{account_count, accounts};
use crate::saml_idp::{self, Answer, Person, PublishedMetadata};
use crate::scim::lab;

const PASSWORD: &str = "correct horse battery staple";
const WORLD: &str = r#"
organizations:
  - id: acme
    name: Acme
    domains: [{ name: acme.example, verified: true }]
    roles: [{ id: owner, name: Owner, owner: true }, { id: member, name: Member, default: true }]
    workspaces: [{ id: main, name: Main, default: true }]
  - id: globex
    name: Globex
    roles: [{ id: owner, name: Owner, owner: true }]
connections:
  - id: globex-idp
    organization: globex
    protocol: oidc
    oidc: { issuer: "https://login.globex.example", client_id: provost, client_secret: "upstream-secret-0123456789" }
users:
  - { email: olga@acme.example, password: "correct horse battery staple", memberships: [{ organization: acme, roles: [owner] }] }
  - { email: gil@globex.example, password: "correct horse battery staple", memberships: [{ organization: globex, roles: [owner] }] }
"#;

async fn sign_in(app: &TestApp, email: &str) -> Browser {
    let mut browser = app.browser();
    let form = browser.get("/login/password").await.form("/login/password");
    let page = browser
        .submit(&form, &[("email", email), ("password", PASSWORD)])
        .await;
    assert_eq!(page.location().as_deref(), Some("/account"), "{email}: {page:?}");
    browser
}

/// Sends a form with the token of the page that it stands on.
async fn send(browser: &mut Browser, page: &str, to: &str, fields: &[(&str, &str)]) -> Page {
    let shown = browser.get(page).await;
    assert_eq!(shown.status, StatusCode::OK, "{page}: {}", shown.body);
    let token = shown
        .body
        .split("name=\"form_token\" value=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .unwrap_or_else(|| panic!("no form on {page}"))
        .to_owned();
    let mut all = vec![("form_token", token.as_str())];
    all.extend_from_slice(fields);
    browser.post(to, &all).await
}

async fn step(browser: &mut Browser, path: &str, fields: &[(&str, &str)]) -> Page {
    send(browser, path, path, fields).await
}

/// Begins a set-up and returns where its steps are, and the connection.
async fn begin(browser: &mut Browser, base: &str, guide: &str) -> (String, String) {
    let new = format!("{base}/connections/new");
    let page = step(browser, &new, &[("guide", guide)]).await;
    let location = page.location().unwrap_or_else(|| panic!("{page:?}"));
    let setup = location.rsplit_once('/').unwrap().0.to_owned();
    let id = setup.split("/connections/").nth(1).unwrap().split('/').next().unwrap();
    (setup.clone(), id.to_owned())
}

/// Goes to the identity provider and back as a test; returns the answer to the posted response.
async fn test_sign_in(app: &TestApp, browser: &mut Browser, setup: &str, id: &str, person: &Person) -> Page {
    let leaving = step(browser, &format!("{setup}/test"), &[]).await;
    let location = leaving.location().unwrap_or_else(|| panic!("{leaving:?}"));
    let query = location.split_once('?').unwrap().1;
    let request = parse_authn_request(Received::Redirect(query), None).unwrap();
    let response = Answer::new(&app.app, id, Some(&request.id)).issue(person);
    saml_idp::post(browser, id, &response, &request.relay_state.unwrap()).await
}

fn ann() -> Person {
    Person::new("ann-1", "ann@acme.example").with("groups", &["staff"])
}

async fn stage(app: &TestApp, id: &str) -> (String, bool) {
    let id = ConnectionId::new(id);
    let record = app
        .app
        .store
        .read(|reader| Box::pin(async move { reader.connection(&id).await }))
        .await
        .unwrap()
        .unwrap();
    (record.status, record.connection.enabled)
}

async fn link(app: &TestApp, scopes: &[Scope], connection: Option<&str>) -> (String, String) {
    let new = New {
        label: "Ivo".to_owned(),
        scopes: scopes.to_vec(),
        connection: connection.map(str::to_owned),
        days: Some(7),
    };
    let made = links::create(&app.app, &Caller::operator(), "acme", new).await.unwrap();
    let url = made.url.expose_secret().to_owned();
    (made.link.id, url[url.find("/setup/").unwrap()..].to_owned())
}

/// Who did things of a kind, as the audit log says it.
async fn audit(app: &TestApp, kind: &str) -> Vec<String> {
    let rows = provost::flow::audit::page(&app.app, AuditFilter::default(), AuditOrder::Before(None), 500)
        .await
        .unwrap();
    rows.into_iter()
        .filter(|row| row.event.kind == kind)
        .map(|row| row.event.actor)
        .collect()
}

#[tokio::test]
async fn f1_a_draft_affects_nobody_is_tested_without_effect_and_goes_live() {
    on_each_engine(|app| async move {
        lab::apply(&app.app, WORLD).await;
        let metadata = PublishedMetadata::start(&saml_idp::IDP).await;
        let mut olga = sign_in(&app, "olga@acme.example").await;
        let (setup, id) = begin(&mut olga, "/console/acme", "okta.saml").await;

        // The product may read our metadata before anything is known of it.
        let early = app.browser().get(&format!("/sso/{id}/saml/metadata")).await;
        assert_eq!(early.status, StatusCode::OK);
        assert!(early.body.contains(&format!("/sso/{id}/saml/acs")), "{}", early.body);

        step(&mut olga, &format!("{setup}/domain"), &[("domain", "acme.example")]).await;
        let wrong = [("how", "url"), ("metadata_url", "http://127.0.0.1:1/metadata")];
        let refused = step(&mut olga, &format!("{setup}/values"), &wrong).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(refused.body.contains("Address of the metadata"), "{}", refused.body);
        let values = [("how", "url"), ("metadata_url", metadata.url.as_str()), ("name", "Acme Okta")];
        let saved = step(&mut olga, &format!("{setup}/values"), &values).await;
        assert_eq!(saved.location().as_deref(), Some(format!("{setup}/test").as_str()), "{saved:?}");
        assert_eq!(stage(&app, &id).await, ("draft".to_owned(), false));

        draft_affects_nobody(&app, &id).await;

        // R-183: not before a test has succeeded.
        let early = step(&mut olga, &format!("{setup}/review"), &[]).await;
        assert_eq!(early.status, StatusCode::CONFLICT);
        assert_eq!(stage(&app, &id).await, ("draft".to_owned(), false));

        let before = account_count(&app.app).await;
        let back = test_sign_in(&app, &mut olga, &setup, &id, &ann()).await;
        assert_eq!(back.location().as_deref(), Some(format!("{setup}/test").as_str()), "{back:?}");
        assert!(!back.headers.get_all(header::SET_COOKIE).iter().any(|cookie| {
            cookie.to_str().unwrap().contains("provost_session")
        }));
        assert_eq!(account_count(&app.app).await, before, "a test makes no account");
        let shown = olga.get(&format!("{setup}/test")).await;
        for part in ["ann@acme.example", "givenName", "given_name", "staff"] {
            assert!(shown.body.contains(part), "{part}: {}", shown.body);
        }
        assert_eq!(stage(&app, &id).await, ("testing".to_owned(), false));
        draft_affects_nobody(&app, &id).await;

        // R-12: SCIM is preselected where the product can do it.
        let mode = olga.get(&format!("{setup}/mode")).await;
        assert!(mode.body.contains("value=\"scim\" checked"), "{}", mode.body);
        step(&mut olga, &format!("{setup}/mode"), &[("mode", "jit")]).await;
        let policy = step(&mut olga, &format!("{setup}/policy"), &[("role", "Member"), ("try", "1")]).await;
        assert_eq!(policy.location().as_deref(), Some(format!("{setup}/policy").as_str()), "{policy:?}");
        let tester = olga.get(&format!("{setup}/policy")).await;
        assert!(tester.body.contains("Member"), "{}", tester.body);
        assert!(!tester.body.contains("not in use"), "the dry run is that of a live connection: {}", tester.body);
        step(&mut olga, &format!("{setup}/policy"), &[]).await;

        let live = step(&mut olga, &format!("{setup}/review"), &[]).await;
        let overview = format!("/console/acme/connections/{id}?done=live");
        assert_eq!(live.location().as_deref(), Some(overview.as_str()), "{}", live.body);
        assert_eq!(stage(&app, &id).await, ("active".to_owned(), true));
        assert_eq!(audit(&app, "connection.live").await.len(), 1);
        assert_eq!(olga.get(&format!("{setup}/review")).await.status, StatusCode::NOT_FOUND);

        let mut browser = app.browser();
        let leaving = browser.get(&format!("/sso/{id}/login")).await;
        let location = leaving.location().unwrap();
        let query = location.split_once('?').unwrap().1;
        let request = parse_authn_request(Received::Redirect(query), None).unwrap();
        let response = Answer::new(&app.app, &id, Some(&request.id)).issue(&ann());
        let relay = request.relay_state.unwrap();
        let admitted = saml_idp::post(&mut browser, &id, &response, &relay).await;
        assert_eq!(admitted.location().as_deref(), Some("/account"), "{admitted:?}");
        assert_eq!(accounts(&app.app, "ann@acme.example").await.len(), 1);
    })
    .await;
}

/// No sign-in, no discovery, no way in by an answer to nothing, no change by a directory.
async fn draft_affects_nobody(app: &TestApp, id: &str) {
    let refused = app.browser().get(&format!("/sso/{id}/login")).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{refused:?}");
    let found = provost::flow::discovery::by_domain(&app.app, "acme.example").await.unwrap();
    assert!(found.is_empty(), "{found:?}");
    let entrance = provost::flow::discovery::by_organization(&app.app, "acme").await.unwrap();
    assert!(entrance.connections.is_empty());
    let unsolicited = Answer::new(&app.app, id, None).issue(&ann());
    let page = saml_idp::post(&mut app.browser(), id, &unsolicited, "").await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(accounts(&app.app, "ann@acme.example").await.is_empty());
}

#[tokio::test]
async fn r183_changed_values_need_another_test_and_no_document_makes_a_draft_live() {
    on_each_engine(|app| async move {
        lab::apply(&app.app, WORLD).await;
        let metadata = PublishedMetadata::start(&saml_idp::IDP).await;
        let mut olga = sign_in(&app, "olga@acme.example").await;
        let (setup, id) = begin(&mut olga, "/console/acme", "saml.saml").await;
        let values = [("how", "url"), ("metadata_url", metadata.url.as_str())];
        step(&mut olga, &format!("{setup}/values"), &values).await;
        test_sign_in(&app, &mut olga, &setup, &id, &ann()).await;
        assert_eq!(stage(&app, &id).await.0, "testing");

        let certificate = saml_idp::IDP.certificate.as_str();
        let fields = [
            ("how", "fields"),
            ("entity_id", saml_idp::ENTITY_ID),
            ("sso_url", "https://idp.example/other"),
            ("certificates", certificate),
        ];
        let saved = step(&mut olga, &format!("{setup}/values"), &fields).await;
        assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.body);
        let refused = step(&mut olga, &format!("{setup}/review"), &[]).await;
        assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.body);

        // A document, too, leaves a draft what it is.
        let document = format!(
            "organizations: [{{ id: acme, name: Acme, domains: [{{ name: acme.example, verified: true }}], \
             roles: [{{ id: owner, name: Owner, owner: true }}, {{ id: member, name: Member, default: true }}] }}]\n\
             connections: [{{ id: {id}, organization: acme, protocol: saml, enabled: true, \
             saml: {{ metadata_url: \"{}\" }} }}]",
            metadata.url
        );
        lab::apply(&app.app, &document).await;
        assert!(!stage(&app, &id).await.1, "a document made a draft live");

        // A failed test says what was wrong, and proves nothing.
        let mut bent = Answer::new(&app.app, &id, None);
        bent.keys = &saml_idp::STRANGER;
        let leaving = step(&mut olga, &format!("{setup}/test"), &[]).await;
        let location = leaving.location().unwrap();
        let query = location.split_once('?').unwrap().1;
        let request = parse_authn_request(Received::Redirect(query), None).unwrap();
        bent.in_response_to = Some(request.id.clone());
        let page = saml_idp::post(&mut olga, &id, &bent.issue(&ann()), &request.relay_state.unwrap()).await;
        assert_eq!(page.location().as_deref(), Some(format!("{setup}/test").as_str()));
        let shown = olga.get(&format!("{setup}/test")).await;
        assert!(shown.body.contains("did not succeed"), "{}", shown.body);
        assert!(shown.body.contains("saml_"), "{}", shown.body);
        let refused = step(&mut olga, &format!("{setup}/review"), &[]).await;
        assert_eq!(refused.status, StatusCode::CONFLICT);
        let unused = RequestId::from_random([1; 16]);
        assert_ne!(unused.as_str(), request.id);
    })
    .await;
}

#[tokio::test]
async fn r71_the_directory_looks_at_a_draft_and_changes_nothing_until_it_is_live() {
    on_each_engine(|app| async move {
        lab::apply(&app.app, WORLD).await;
        let metadata = PublishedMetadata::start(&saml_idp::IDP).await;
        let mut olga = sign_in(&app, "olga@acme.example").await;
        let (setup, id) = begin(&mut olga, "/console/acme", "entra.saml").await;
        step(&mut olga, &format!("{setup}/domain"), &[("domain", "acme.example")]).await;
        let values = [("how", "url"), ("metadata_url", metadata.url.as_str())];
        step(&mut olga, &format!("{setup}/values"), &values).await;
        test_sign_in(&app, &mut olga, &setup, &id, &ann()).await;
        let chosen = step(&mut olga, &format!("{setup}/mode"), &[("mode", "scim")]).await;
        assert_eq!(chosen.location().as_deref(), Some(format!("{setup}/scim").as_str()));
        let waiting = olga.get(&format!("{setup}/scim")).await;
        assert!(waiting.body.contains("data-events"), "{}", waiting.body);
        assert!(!waiting.body.contains("data-done"));
        let made = step(&mut olga, &format!("{setup}/scim"), &[("make", "1")]).await;
        let token = made.body.split("<code>pvt_").nth(1).unwrap().split('<').next().unwrap();
        let directory = lab::Directory::with(&app, &id, &format!("pvt_{token}"));
        directory.get("/Users?filter=userName%20eq%20%22x%22").await.expect(200);
        let person = lab::person("ann");
        directory.post("/Users", person.clone()).await.expect(403);
        assert!(!olga.get(&format!("{setup}/scim")).await.body.contains(token), "the token is shown once");
        provost::flow::scim::log::flush(&app.app).await;
        let heard = olga.get(&format!("{setup}/scim?piece=1")).await;
        assert!(heard.body.contains("data-done"), "{}", heard.body);
        step(&mut olga, &format!("{setup}/policy"), &[("role", "Member")]).await;
        let live = step(&mut olga, &format!("{setup}/review"), &[]).await;
        assert_eq!(live.status, StatusCode::SEE_OTHER, "{}", live.body);
        directory.post("/Users", person).await.expect(201);
    })
    .await;
}

#[tokio::test]
async fn r181_somebody_without_an_account_sets_up_by_link_and_the_link_ends() {
    on_each_engine(|app| async move {
        lab::apply(&app.app, WORLD).await;
        let metadata = PublishedMetadata::start(&saml_idp::IDP).await;
        let (id_of_link, path) = link(&app, &[], None).await;
        let mut ivo = app.browser();
        let opened = ivo.get(&path).await;
        assert_eq!(opened.location().as_deref(), Some("/setup"));
        assert_eq!(opened.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(ivo.get("/setup").await.location().as_deref(), Some("/setup/connections/new"));
        let (setup, id) = begin(&mut ivo, "/setup", "keycloak.saml").await;
        assert_eq!(ivo.get("/setup").await.location(), Some(setup.clone()));
        step(&mut ivo, &format!("{setup}/domain"), &[("domain", "acme.example")]).await;
        let values = [("how", "url"), ("metadata_url", metadata.url.as_str())];
        step(&mut ivo, &format!("{setup}/values"), &values).await;
        test_sign_in(&app, &mut ivo, &setup, &id, &ann()).await;
        step(&mut ivo, &format!("{setup}/mode"), &[("mode", "jit")]).await;
        step(&mut ivo, &format!("{setup}/policy"), &[("role", "Member")]).await;
        let live = step(&mut ivo, &format!("{setup}/review"), &[]).await;
        assert_eq!(live.location().as_deref(), Some("/setup"), "{}", live.body);
        assert_eq!(stage(&app, &id).await, ("active".to_owned(), true));
        let done = ivo.get("/setup").await;
        assert!(done.body.contains("Everything is set up"), "{}", done.body);
        let actor = format!("setup_link:{id_of_link}@acme");
        for kind in ["setup_link.opened", "connection.created", "connection.live", "setup_link.done"] {
            assert_eq!(audit(&app, kind).await.first(), Some(&actor), "{kind}");
        }
        // The console knows nothing of the link's cookie.
        assert_eq!(
            ivo.get("/console/acme").await.location().as_deref(),
            Some("/login?return_to=console")
        );
    })
    .await;
}

#[tokio::test]
async fn r181_a_link_opens_nothing_beyond_itself() {
    on_each_engine(|app| async move {
        lab::apply(&app.app, WORLD).await;
        let nothing = |page: &Page| !page.body.contains("name=\"guide\"") && !page.body.contains("acme.example");

        // No link, and one that is made up.
        for path in ["/setup", "/setup/connections/new", "/setup/pvl_made-up"] {
            let page = app.browser().get(path).await;
            assert_eq!(page.status, StatusCode::FORBIDDEN, "{path}: {}", page.body);
            assert!(nothing(&page));
        }

        // Out of scope.
        let (_, path) = link(&app, &[Scope::Domain], None).await;
        let mut ivo = app.browser();
        ivo.get(&path).await;
        assert_eq!(ivo.get("/setup").await.location().as_deref(), Some("/setup/domain"));
        assert_eq!(ivo.get("/setup/domain").await.status, StatusCode::OK);
        assert_eq!(ivo.get("/setup/connections/new").await.status, StatusCode::FORBIDDEN);
        let guide = [("guide", "okta.saml")];
        let refused = send(&mut ivo, "/setup/domain", "/setup/connections/new", &guide).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.body);

        // Another organization's connection, and another one of the same organization.
        let (_, path) = link(&app, &[], None).await;
        let mut ivo = app.browser();
        ivo.get(&path).await;
        let (setup, id) = begin(&mut ivo, "/setup", "okta.saml").await;
        let mut olga = sign_in(&app, "olga@acme.example").await;
        let (_, other) = begin(&mut olga, "/console/acme", "okta.saml").await;
        for stranger in ["globex-idp", other.as_str()] {
            for tail in ["", "/values", "/scim", "/scim/events", "/review"] {
                let page = ivo.get(&format!("/setup/connections/{stranger}/setup{tail}")).await;
                assert_eq!(page.status, StatusCode::NOT_FOUND, "{stranger}{tail}: {}", page.body);
            }
        }
        let to = format!("/setup/connections/{other}/setup/discard");
        let page = send(&mut ivo, &format!("{setup}/domain"), &to, &[]).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND);

        // A form from elsewhere.
        let forged = ivo.post(&format!("{setup}/values"), &[("form_token", "x"), ("how", "url")]).await;
        assert_eq!(forged.status, StatusCode::FORBIDDEN);

        // Another owner's console.
        let mut gil = sign_in(&app, "gil@globex.example").await;
        let page = gil.get(&format!("/console/globex/connections/{id}/setup")).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND);
    })
    .await;
}

#[tokio::test]
async fn r181_links_expire_are_revoked_and_regenerated() {
    on_each_engine(|app| async move {
        lab::apply(&app.app, WORLD).await;
        let operator = Caller::operator();
        let (id, path) = link(&app, &[], None).await;
        let mut ivo = app.browser();
        ivo.get(&path).await;
        assert_eq!(ivo.get("/setup/connections/new").await.status, StatusCode::OK);

        let renewed = links::regenerate(&app.app, &operator, "acme", &id, None).await.unwrap();
        assert_eq!(ivo.get("/setup/connections/new").await.status, StatusCode::FORBIDDEN);
        assert_eq!(app.browser().get(&path).await.status, StatusCode::FORBIDDEN);
        let url = renewed.url.expose_secret().to_owned();
        let path = &url[url.find("/setup/").unwrap()..];
        ivo.get(path).await;
        assert_eq!(ivo.get("/setup/connections/new").await.status, StatusCode::OK);

        links::revoke(&app.app, &operator, "acme", &id).await.unwrap();
        let revoked = ivo.get("/setup/connections/new").await;
        assert_eq!(revoked.status, StatusCode::GONE, "{}", revoked.body);
        assert!(links::regenerate(&app.app, &operator, "acme", &id, None).await.is_err());

        let (_, path) = link(&app, &[], None).await;
        ivo.get(&path).await;
        assert_eq!(ivo.get("/setup/connections/new").await.status, StatusCode::OK);
        app.app.world.advance(SignedDuration::from_hours(24 * 8));
        assert_eq!(ivo.get("/setup/connections/new").await.status, StatusCode::GONE);
        assert_eq!(app.browser().get(&path).await.status, StatusCode::GONE);

        // What is kept opens nothing.
        let backup = links::list(&app.app, &operator, "acme").await.unwrap();
        assert!(!format!("{backup:?}").contains("pvl_"));
    })
    .await;
}

#[tokio::test]
async fn r43_the_mode_is_a_form_and_deleting_wants_the_name_typed() {
    let app = TestApp::start().await;
    lab::apply(&app.app, WORLD).await;
    let mut gil = sign_in(&app, "gil@globex.example").await;
    let base = "/console/globex/connections/globex-idp";
    for tab in ["claims", "provisioning", "more"] {
        let page = gil.get(&format!("{base}/{tab}")).await;
        assert_eq!(page.status, StatusCode::OK, "{tab}: {}", page.body);
    }
    let fields = [("mode", "manual"), ("on_lost_match", "keep"), ("require_domain", "true")];
    let saved = step(&mut gil, &format!("{base}/provisioning"), &fields).await;
    assert_eq!(saved.location(), Some(format!("{base}/provisioning?done=saved")), "{}", saved.body);
    let shown = gil.get(&format!("{base}/provisioning")).await;
    assert!(shown.body.contains("value=\"manual\" checked"), "{}", shown.body);
    assert!(shown.body.contains("value=\"keep\" selected"), "{}", shown.body);

    let fields = [("email_path", "contact.mail")];
    let saved = step(&mut gil, &format!("{base}/claims"), &fields).await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.body);
    let wrong = step(&mut gil, &format!("{base}/claims"), &[("email_path", "contact.")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", wrong.body);

    let fields = [("name", "Globex ID"), ("idle", "30"), ("enabled", "on")];
    let saved = step(&mut gil, &format!("{base}/more"), &fields).await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.body);
    let shown = gil.get(&format!("{base}/more")).await;
    assert!(shown.body.contains("value=\"30\"") && shown.body.contains("Globex ID"), "{}", shown.body);

    let typed = [("delete", "1"), ("confirm", "something")];
    let refused = step(&mut gil, &format!("{base}/more"), &typed).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    let typed = [("delete", "1"), ("confirm", "globex-idp")];
    let gone = step(&mut gil, &format!("{base}/more"), &typed).await;
    assert_eq!(gone.location().as_deref(), Some("/console/globex/connections?done=deleted"));
    assert_eq!(gil.get(base).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn c21_who_may_set_up_is_said_by_the_organization() {
    let app = TestApp::start().await;
    for (setup, console, by_link) in [
        ("self_service", StatusCode::OK, StatusCode::OK),
        ("link", StatusCode::FORBIDDEN, StatusCode::OK),
        ("operator_only", StatusCode::FORBIDDEN, StatusCode::FORBIDDEN),
    ] {
        let world = WORLD.replace("name: Acme\n", &format!("name: Acme\n    setup: {setup}\n"));
        lab::apply(&app.app, &world).await;
        let mut olga = sign_in(&app, "olga@acme.example").await;
        let page = olga.get("/console/acme/connections/new").await;
        assert_eq!(page.status, console, "{setup}: {}", page.body);
        let (_, path) = link(&app, &[], None).await;
        let mut ivo = app.browser();
        ivo.get(&path).await;
        let page = ivo.get("/setup/connections/new").await;
        assert_eq!(page.status, by_link, "{setup}: {}", page.body);
    }
}
