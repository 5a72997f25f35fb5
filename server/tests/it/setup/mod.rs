//! Setting a connection up (F1, R-181 to R-183): drafts that affect nobody, test sign-ins without effect, going live, set-up links.

mod colleagues;
mod links;
mod meanwhile;
mod tabs;

use axum::http::{StatusCode, header};
use provost::flow::api_keys::Caller;
use provost::flow::setup::links as flow;
use provost::flow::setup::links::{New, Scope};
use provost_kernel::id::ConnectionId;
use provost_saml::issue::parse_authn_request;
use provost_saml::logout::Received;
use provost_store::{AuditFilter, AuditOrder};
use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::app::{Browser, Page, TestApp, on_each_engine};
use crate::console::sign_in;
use crate::directory::{account_count, accounts};
use crate::saml_idp::{self, Answer, Person, PublishedMetadata};
use crate::scim::lab;

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
    let id = setup
        .split("/connections/")
        .nth(1)
        .unwrap()
        .split('/')
        .next()
        .unwrap();
    (setup.clone(), id.to_owned())
}

/// Olga of Acme, a provider with published metadata, and a set-up that she has begun: where its steps are, and the connection.
async fn begun(app: &TestApp, guide: &str) -> (Browser, PublishedMetadata, String, String) {
    lab::apply(&app.app, WORLD).await;
    let metadata = PublishedMetadata::start(&saml_idp::IDP).await;
    let mut olga = sign_in(app, "olga@acme.example").await;
    let (setup, id) = begin(&mut olga, "/console/acme", guide).await;
    (olga, metadata, setup, id)
}

/// Sends the address of the provider's metadata.
async fn by_metadata(browser: &mut Browser, setup: &str, metadata: &PublishedMetadata) -> Page {
    let values = [("how", "url"), ("metadata_url", metadata.url.as_str())];
    step(browser, &format!("{setup}/values"), &values).await
}

/// Goes to the identity provider and back as a test; returns the answer to the posted response.
async fn test_sign_in(app: &TestApp, browser: &mut Browser, setup: &str, id: &str, person: &Person) -> Page {
    let leaving = step(browser, &format!("{setup}/test"), &[]).await;
    answer(app, browser, &leaving, id, person).await
}

/// What a redirect to the identity provider asks for, and its relay state.
fn asked(leaving: &Page) -> (String, String) {
    let location = leaving.location().unwrap_or_else(|| panic!("{leaving:?}"));
    let query = location.split_once('?').unwrap().1;
    let request = parse_authn_request(Received::Redirect(query), None).unwrap();
    (request.id, request.relay_state.unwrap())
}

/// Has the identity provider answer.
async fn answer(app: &TestApp, browser: &mut Browser, leaving: &Page, id: &str, person: &Person) -> Page {
    let (request, relay_state) = asked(leaving);
    let response = Answer::new(&app.app, id, Some(&request)).issue(person);
    saml_idp::post(browser, id, &response, &relay_state).await
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
    let made = flow::create(&app.app, &Caller::operator(), "acme", new)
        .await
        .unwrap();
    let url = made.url.expose_secret().to_owned();
    (made.link.id, url[url.find("/setup/").unwrap()..].to_owned())
}

/// Who did things of a kind, as the audit log says it.
async fn audit(app: &TestApp, kind: &str) -> Vec<String> {
    let filter = AuditFilter {
        organization: Some("acme".into()),
        ..AuditFilter::default()
    };
    let rows = provost::flow::audit::page(&app.app, filter, AuditOrder::Before(None), 500)
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
        let (mut olga, metadata, setup, id) = begun(&app, "okta.saml").await;
        give_values(&app, &mut olga, &setup, &id, &metadata.url).await;
        draft_affects_nobody(&app, &id).await;

        // R-183: not before a test has succeeded.
        let early = step(&mut olga, &format!("{setup}/review"), &[]).await;
        assert_eq!(early.status, StatusCode::CONFLICT);
        assert_eq!(stage(&app, &id).await, ("draft".to_owned(), false));

        test_without_effect(&app, &mut olga, &setup, &id).await;
        draft_affects_nobody(&app, &id).await;
        choose_mode_and_role(&mut olga, &setup).await;

        let live = step(&mut olga, &format!("{setup}/review"), &[]).await;
        let overview = format!("/console/acme/connections/{id}?done=live");
        assert_eq!(
            live.location().as_deref(),
            Some(overview.as_str()),
            "{}",
            live.body
        );
        assert_eq!(stage(&app, &id).await, ("active".to_owned(), true));
        assert_eq!(audit(&app, "connection.live").await.len(), 1);
        let gone = olga.get(&format!("{setup}/review")).await;
        assert_eq!(gone.status, StatusCode::NOT_FOUND);

        let mut browser = app.browser();
        let leaving = browser.get(&format!("/sso/{id}/login")).await;
        let admitted = answer(&app, &mut browser, &leaving, &id, &ann()).await;
        assert_eq!(admitted.location().as_deref(), Some("/account"), "{admitted:?}");
        assert_eq!(accounts(&app.app, "ann@acme.example").await.len(), 1);
    })
    .await;
}

/// Domain and values, wrong ones first.
async fn give_values(app: &TestApp, olga: &mut Browser, setup: &str, id: &str, metadata: &str) {
    // The product may read our metadata before anything is known of it.
    let early = app.browser().get(&format!("/sso/{id}/saml/metadata")).await;
    assert_eq!(early.status, StatusCode::OK);
    let ours = format!("/sso/{id}/saml/acs");
    assert!(early.body.contains(&ours), "{}", early.body);

    step(olga, &format!("{setup}/domain"), &[("domain", "acme.example")]).await;
    let wrong = [("how", "url"), ("metadata_url", "http://127.0.0.1:1/metadata")];
    let refused = step(olga, &format!("{setup}/values"), &wrong).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        refused.body.contains("Address of the metadata"),
        "{}",
        refused.body
    );
    let values = [("how", "url"), ("metadata_url", metadata), ("name", "Acme Okta")];
    let saved = step(olga, &format!("{setup}/values"), &values).await;
    let next = format!("{setup}/test");
    assert_eq!(saved.location().as_deref(), Some(next.as_str()), "{saved:?}");
    let read = olga.get(&next).await;
    assert!(
        read.body.contains("Sign-in URL") && read.body.contains("Certificate until"),
        "what the metadata said is shown: {}",
        read.body
    );
    assert_eq!(stage(app, id).await, ("draft".to_owned(), false));
}

async fn test_without_effect(app: &TestApp, olga: &mut Browser, setup: &str, id: &str) {
    let before = account_count(&app.app).await;
    let back = test_sign_in(app, olga, setup, id, &ann()).await;
    let shown = format!("{setup}/test");
    assert_eq!(back.location().as_deref(), Some(shown.as_str()), "{back:?}");
    let opens_session = back
        .headers
        .get_all(header::SET_COOKIE)
        .iter()
        .any(|cookie| cookie.to_str().unwrap().contains("provost_session"));
    assert!(!opens_session, "{back:?}");
    assert_eq!(account_count(&app.app).await, before, "a test makes no account");
    let page = olga.get(&shown).await;
    for part in ["ann@acme.example", "givenName", "given_name", "staff"] {
        assert!(page.body.contains(part), "{part}: {}", page.body);
    }
    assert_eq!(stage(app, id).await, ("testing".to_owned(), false));
}

async fn choose_mode_and_role(olga: &mut Browser, setup: &str) {
    // R-12: SCIM is preselected where the product can do it.
    let mode = olga.get(&format!("{setup}/mode")).await;
    assert!(mode.body.contains("value=\"scim\" checked"), "{}", mode.body);
    step(olga, &format!("{setup}/mode"), &[("mode", "jit")]).await;
    let path = format!("{setup}/policy");
    let policy = step(olga, &path, &[("role", "Member"), ("try", "1")]).await;
    assert_eq!(policy.location().as_deref(), Some(path.as_str()), "{policy:?}");
    let tester = olga.get(&path).await;
    assert!(tester.body.contains("Member"), "{}", tester.body);
    // The dry run is that of a live connection.
    assert!(!tester.body.contains("not in use"), "{}", tester.body);
    step(olga, &path, &[]).await;
}

/// No sign-in, no discovery, no way in by an answer to nothing, no change by a directory.
async fn draft_affects_nobody(app: &TestApp, id: &str) {
    let refused = app.browser().get(&format!("/sso/{id}/login")).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{refused:?}");
    let found = provost::flow::discovery::by_domain(&app.app, "acme.example")
        .await
        .unwrap();
    assert!(found.is_empty(), "{found:?}");
    let entrance = provost::flow::discovery::by_organization(&app.app, "acme")
        .await
        .unwrap();
    assert!(entrance.connections.is_empty());
    let unsolicited = Answer::new(&app.app, id, None).issue(&ann());
    let page = saml_idp::post(&mut app.browser(), id, &unsolicited, "").await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(accounts(&app.app, "ann@acme.example").await.is_empty());
}

#[tokio::test]
async fn r183_changed_values_need_another_test_and_no_document_makes_a_draft_live() {
    on_each_engine(|app| async move {
        let (mut olga, metadata, setup, id) = begun(&app, "saml.saml").await;
        by_metadata(&mut olga, &setup, &metadata).await;
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
    })
    .await;
}

#[tokio::test]
async fn r183_a_failed_test_says_what_was_wrong_and_proves_nothing() {
    on_each_engine(|app| async move {
        let (mut olga, metadata, setup, id) = begun(&app, "saml.saml").await;
        by_metadata(&mut olga, &setup, &metadata).await;
        let leaving = step(&mut olga, &format!("{setup}/test"), &[]).await;
        let (request, relay_state) = asked(&leaving);
        let mut bent = Answer::new(&app.app, &id, Some(&request));
        bent.keys = &saml_idp::STRANGER;
        let page = saml_idp::post(&mut olga, &id, &bent.issue(&ann()), &relay_state).await;
        let shown = format!("{setup}/test");
        assert_eq!(page.location().as_deref(), Some(shown.as_str()));
        let shown = olga.get(&shown).await;
        assert!(shown.body.contains("did not succeed"), "{}", shown.body);
        assert!(shown.body.contains("saml_"), "{}", shown.body);
        assert_eq!(stage(&app, &id).await, ("draft".to_owned(), false));
        let refused = step(&mut olga, &format!("{setup}/review"), &[]).await;
        assert_eq!(refused.status, StatusCode::CONFLICT);
    })
    .await;
}

#[tokio::test]
async fn r71_the_directory_looks_at_a_draft_and_changes_nothing_until_it_is_live() {
    on_each_engine(|app| async move {
        let (mut olga, metadata, setup, id) = begun(&app, "entra.saml").await;
        step(
            &mut olga,
            &format!("{setup}/domain"),
            &[("domain", "acme.example")],
        )
        .await;
        by_metadata(&mut olga, &setup, &metadata).await;
        test_sign_in(&app, &mut olga, &setup, &id, &ann()).await;
        let chosen = step(&mut olga, &format!("{setup}/mode"), &[("mode", "scim")]).await;
        assert_eq!(
            chosen.location().as_deref(),
            Some(format!("{setup}/scim").as_str())
        );
        let waiting = olga.get(&format!("{setup}/scim")).await;
        assert!(waiting.body.contains("data-events"), "{}", waiting.body);
        assert!(!waiting.body.contains("data-done"));
        let made = step(&mut olga, &format!("{setup}/scim"), &[("make", "1")]).await;
        let token = made
            .body
            .split("<code>pvt_")
            .nth(1)
            .unwrap()
            .split('<')
            .next()
            .unwrap();
        let directory = lab::Directory::with(&app, &id, &format!("pvt_{token}"));
        directory
            .get("/Users?filter=userName%20eq%20%22x%22")
            .await
            .expect(200);
        let mut person = lab::person("ann");
        person["emails"] = json!([{ "value": "ann@acme.example", "primary": true }]);
        directory.post("/Users", person.clone()).await.expect(403);
        assert!(
            !olga.get(&format!("{setup}/scim")).await.body.contains(token),
            "the token is shown once"
        );
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
