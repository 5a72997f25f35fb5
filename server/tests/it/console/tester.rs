//! The policy tester (R-186) on what somebody pasted: claims, and SAML messages that nobody has signed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use provost::connection_config::ProtocolConfig;
use provost_kernel::connection::{Protocol, Provisioning, Scope};
use provost_kernel::policy::{Policy, RoleRule};
use provost_store::{StoreError, TraceFilter};

use super::{act, sign_in, world};
use crate::app::{TestApp, on_each_engine};
use crate::{directory, saml_idp};

const TRY: &str = "/console/acme/connections/acme-saml/policies/try";

/// Gives acme a provider that speaks SAML; admins come by a group.
async fn connect(app: &TestApp) {
    let mut connection = directory::connection("acme-saml", Protocol::Saml);
    connection.scope = Scope::Organization {
        organization: "acme".into(),
        shared_with: Vec::new(),
    };
    connection.domains = vec!["acme.example".to_owned()];
    connection.provisioning = Provisioning::Jit;
    connection.policy = Some(Policy {
        role: Some(RoleRule::Expression(
            "contains(groups, 'boss') && 'Admin' || 'Member'".to_owned(),
        )),
        ..Policy::default()
    });
    let config = ProtocolConfig::Saml(saml_idp::config());
    directory::put_connection(&app.app, connection, config, saml_idp::secrets()).await;
}

fn assertion(issuer: &str, email: &str) -> String {
    format!(
        r#"<Assertion xmlns="urn:oasis:names:tc:SAML:2.0:assertion" ID="_a" Version="2.0" IssueInstant="2001-01-01T00:00:00Z"><Issuer>{issuer}</Issuer><Subject><NameID>nora-1</NameID></Subject><AttributeStatement><Attribute Name="email"><AttributeValue>{email}</AttributeValue></Attribute><Attribute Name="groups"><AttributeValue>boss</AttributeValue></Attribute></AttributeStatement></Assertion>"#
    )
}

fn response(inner: &str) -> String {
    format!(
        r#"<p:Response xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol" ID="_r" Version="2.0" IssueInstant="2001-01-01T00:00:00Z"><p:Status><p:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></p:Status>{inner}</p:Response>"#
    )
}

/// How many traces and accounts with the address there are.
async fn written(app: &TestApp) -> (usize, usize) {
    let traces: Result<_, StoreError> = app
        .app
        .store
        .read(|reader| Box::pin(async move { reader.traces(&TraceFilter::default(), 99).await }))
        .await;
    let nora = crate::directory::accounts(&app.app, "nora@acme.example").await;
    (traces.unwrap().len(), nora.len())
}

#[tokio::test]
async fn r186_pasted_saml_is_tried_and_neither_believed_nor_kept() {
    on_each_engine(|app| async move {
        world(&app).await;
        connect(&app).await;
        let mut olga = sign_in(&app, "olga@acme.example").await;
        let before = written(&app).await;
        let own = assertion(saml_idp::ENTITY_ID, "nora@acme.example");
        let whole = response(&own);
        for pasted in [own.clone(), whole.clone(), STANDARD.encode(&whole)] {
            let page = act(&mut olga, TRY, &[("for", ""), ("claims", &pasted)])
                .await
                .body;
            for text in ["The signature was not checked", "Admitted", "Admin"] {
                assert!(page.contains(text), "{text}: {page}");
            }
            assert!(!page.contains("who is not this identity provider"), "{page}");
        }
        let stranger = assertion("https://evil.example/&lt;b&gt;", "nora@acme.example");
        let page = act(&mut olga, TRY, &[("for", ""), ("claims", &stranger)])
            .await
            .body;
        assert!(page.contains("who is not this identity provider"), "{page}");
        assert!(!page.contains("<b>"), "{page}");
        assert_eq!(written(&app).await, before, "a trial writes nothing");
        // Nobody was signed in by it: the browser is still Olga's.
        assert!(olga.get("/account").await.body.contains("olga@acme.example"));
    })
    .await;
}

#[tokio::test]
async fn r186_what_is_pasted_and_cannot_be_read_ends_in_a_code() {
    let app = TestApp::start().await;
    world(&app).await;
    connect(&app).await;
    let mut olga = sign_in(&app, "olga@acme.example").await;
    let own = assertion(saml_idp::ENTITY_ID, "nora@acme.example");
    let encrypted = response(r#"<a:EncryptedAssertion xmlns:a="urn:oasis:names:tc:SAML:2.0:assertion"/>"#);
    for (pasted, text) in [
        (
            "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><x>&e;</x>".to_owned(),
            "saml_doctype",
        ),
        (own.replace("nora-1", "no<!-- -->ra"), "saml_comment"),
        (
            format!("{}{}", "<x>".repeat(80), "</x>".repeat(80)),
            "saml_too_deep",
        ),
        (response(&own.repeat(2)), "saml_duplicate_id"),
        (encrypted, "saml_no_decryption_key"),
        ("<x>".to_owned(), "saml_malformed"),
        (
            "groups: boss".to_owned(),
            "neither a JSON object nor a SAML response",
        ),
        ("[]".to_owned(), "neither a JSON object nor a SAML response"),
    ] {
        let page = act(&mut olga, TRY, &[("for", ""), ("claims", &pasted)]).await;
        assert_eq!(page.status, 200, "{text}");
        assert!(page.body.contains(text), "{text}: {}", page.body);
        assert!(!page.body.contains("root:"), "{text}");
    }
    let other = "/console/acme/connections/acme-idp/policies/try";
    let page = act(&mut olga, other, &[("for", ""), ("claims", &own)]).await.body;
    assert!(page.contains("speaks OpenID Connect"), "{page}");
}

#[tokio::test]
async fn f2_a_rule_is_tried_on_a_person_by_her_address() {
    on_each_engine(|app| async move {
        world(&app).await;
        connect(&app).await;
        let mut olga = sign_in(&app, "olga@acme.example").await;
        for (address, text) in [
            ("nobody@acme.example", "Nobody here has this address"),
            ("no address", "Nobody here has this address"),
            // Olga manages acme and sees nobody of globex; Mia has never come through this provider.
            ("mia@acme.example", "no claims"),
        ] {
            let page = act(&mut olga, TRY, &[("for", ""), ("person", address)])
                .await
                .body;
            assert!(
                page.to_lowercase().contains(&text.to_lowercase()),
                "{address}: {page}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn f2_what_is_given_up_beside_an_explanation_leads_back_to_it() {
    on_each_engine(|app| async move {
        world(&app).await;
        connect(&app).await;
        let nora = saml_idp::Person::new("nora-1", "nora@acme.example").with("groups", &["boss"]);
        saml_idp::sign_in(&app.app, &mut app.browser(), "acme-saml", &nora).await;
        let filter = TraceFilter {
            connection: Some("acme-saml".into()),
            ..TraceFilter::default()
        };
        let traces: Result<_, StoreError> = app
            .app
            .store
            .read(|reader| Box::pin(async move { reader.traces(&filter, 1).await }))
            .await;
        let trace = format!("/console/acme/traces/{}", traces.unwrap()[0].trace.id);
        let mut olga = sign_in(&app, "olga@acme.example").await;
        let editor = "/console/acme/connections/acme-saml/policies";
        for (page, back) in [(trace.as_str(), trace.as_str()), (editor, editor)] {
            let body = olga.get(page).await.body;
            assert!(
                body.contains(&format!("href=\"{back}\">Discard</a>")),
                "{page}: {body}"
            );
            assert!(body.contains(&format!("action=\"{editor}\"")), "{page}: {body}");
        }
    })
    .await;
}
