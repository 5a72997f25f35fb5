//! The *Connection* and *SCIM* tabs of a provider that is in use: its values are looked at before they are saved, no change leaves
//! it without a valid certificate, and what a directory may do is what it may do from then on.

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use provost::connection_config::{ProtocolConfig, SamlConfig, secret};
use provost::scim_config::{ScimConfig, ScimOperation, ScimVersion};
use provost_kernel::connection::{Protocol, Scope};
use provost_store::{ConnectionRecord, SecretMap};

use super::{act, sign_in, world};
use crate::app::{Browser, Page, TestApp, on_each_engine};
use crate::{directory, saml_idp};

const TAB: &str = "/console/acme/connections/acme-saml/values";
const EDIT: &str = "/console/acme/connections/acme-saml/values/edit";

/// Gives acme a provider that speaks SAML, and signs its owner in.
async fn connected(app: &TestApp) -> Browser {
    world(app).await;
    let mut connection = directory::connection("acme-saml", Protocol::Saml);
    connection.scope = Scope::Organization {
        organization: "acme".into(),
        shared_with: Vec::new(),
    };
    connection.domains = vec!["acme.example".to_owned()];
    let saml = SamlConfig {
        sign_requests: true,
        ..saml_idp::config()
    };
    // Ours are there, so that no change makes new ones.
    let mut secrets = SecretMap::default();
    secrets.set(secret::SAML_SIGNING_KEY, saml_idp::IDP.pkcs8.clone());
    secrets.set(secret::SAML_DECRYPTION_KEY, saml_idp::IDP.pkcs8.clone());
    directory::put_connection(&app.app, connection, ProtocolConfig::Saml(saml), secrets).await;
    sign_in(app, "olga@acme.example").await
}

async fn stored(app: &TestApp, id: &str) -> ConnectionRecord {
    let id = id.into();
    let found = app
        .app
        .store
        .read(|reader| Box::pin(async move { reader.connection(&id).await }));
    found.await.unwrap().unwrap()
}

async fn saml(app: &TestApp) -> SamlConfig {
    match ProtocolConfig::of("acme-saml", &stored(app, "acme-saml").await.protocol_config).unwrap() {
        ProtocolConfig::Saml(saml) => saml,
        ProtocolConfig::Oidc(_) => panic!("SAML"),
    }
}

fn fingerprint(certificate: &str) -> String {
    let der = STANDARD.decode(certificate).unwrap();
    let certificate = provost_saml::key::Certificate::from_der(&der).unwrap();
    certificate.fingerprint_sha256().to_owned()
}

/// A certificate that ends some days from now; before now for less than none.
fn certificate(app: &TestApp, days: i64) -> String {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    let end = app.app.world.now() + SignedDuration::from_hours(24 * days);
    let end = end.to_zoned(jiff::tz::TimeZone::UTC);
    params.not_before = rcgen::date_time_ymd(2000, 1, 1);
    params.not_after = rcgen::date_time_ymd(
        i32::from(end.year()),
        end.month().unsigned_abs(),
        end.day().unsigned_abs(),
    );
    STANDARD.encode(params.self_signed(&key).unwrap().der())
}

/// Looks at what a form would change, then saves what was looked at.
async fn look_and_save(olga: &mut Browser, fields: &[(&str, &str)]) -> (Page, Page) {
    let looked = act(olga, EDIT, fields).await;
    assert_eq!(looked.status, StatusCode::OK, "{}", looked.body);
    let (_, rest) = looked
        .body
        .split_once("name=\"save\" value=\"")
        .unwrap_or_else(|| panic!("{}", looked.body));
    let digest = rest.split('"').next().unwrap().to_owned();
    let mut all = fields.to_vec();
    all.push(("save", &digest));
    let saved = act(olga, EDIT, &all).await;
    (looked, saved)
}

fn fields<'a>(sso_url: &'a str, keep: &'a str, added: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("how", "fields"),
        ("entity_id", saml_idp::ENTITY_ID),
        ("sso_url", sso_url),
        ("slo_url", saml_idp::SLO_URL),
        ("keep", keep),
        ("certificates", added),
    ]
}

#[tokio::test]
async fn a_certificate_is_added_for_a_rollover_after_a_look_and_the_old_one_is_removed() {
    on_each_engine(|app| async move {
        let mut olga = connected(&app).await;
        let (old, new) = (saml_idp::IDP.certificate.clone(), certificate(&app, 800));
        let (old_print, new_print) = (fingerprint(&old), fingerprint(&new));
        let moved = "https://idp.example/sso/new";
        let (looked, saved) = look_and_save(&mut olga, &fields(moved, &old_print, &new)).await;
        assert!(looked.body.contains(saml_idp::SSO_URL) && looked.body.contains(moved));
        assert!(looked.body.contains(&new_print[..23]), "{}", looked.body);
        assert_eq!(
            saved.location(),
            Some(format!("{TAB}?done=values")),
            "{}",
            saved.body
        );
        let now = saml(&app).await;
        assert_eq!(now.signing_certificates, [old, new.clone()]);
        assert_eq!(now.sso_redirect_url.as_deref(), Some(moved));
        assert!(now.sign_requests, "nobody asked to sign less");
        let (_, saved) = look_and_save(&mut olga, &fields(moved, &new_print, "")).await;
        assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.body);
        assert_eq!(saml(&app).await.signing_certificates, [new]);
        // Who did what last stands on the page, from the log.
        let page = olga.get(TAB).await;
        assert!(
            page.body.contains("Last change") && page.body.contains("Olga Berg"),
            "{}",
            page.body
        );
        assert!(page.body.contains(&old_print[..23]), "{}", page.body);
    })
    .await;
}

#[tokio::test]
async fn nothing_is_saved_before_it_was_looked_at_nor_what_was_not_looked_at() {
    let app = TestApp::start().await;
    let mut olga = connected(&app).await;
    let before = saml(&app).await;
    let print = fingerprint(&saml_idp::IDP.certificate);
    let first = fields("https://idp.example/one", &print, "");
    let looked = act(&mut olga, EDIT, &first).await;
    assert!(looked.body.contains("name=\"save\""), "{}", looked.body);
    assert_eq!(saml(&app).await, before);
    let digest = looked.body.split_once("name=\"save\" value=\"").unwrap().1;
    let digest = digest.split('"').next().unwrap().to_owned();
    let mut other = fields("https://attacker.example/two", &print, "");
    other.push(("save", &digest));
    let shown = act(&mut olga, EDIT, &other).await;
    assert_eq!(shown.status, StatusCode::OK);
    assert!(
        shown.body.contains("It is not what you looked at any more"),
        "{}",
        shown.body
    );
    assert_eq!(saml(&app).await, before);
}

#[tokio::test]
async fn a_change_that_leaves_no_valid_certificate_is_refused_at_its_field() {
    on_each_engine(|app| async move {
        let mut olga = connected(&app).await;
        let before = saml(&app).await;
        let over = certificate(&app, -10);
        for (keep, added, told) in [
            ("", "", "nothing could be verified without a certificate"),
            (
                "",
                over.as_str(),
                "would leave no certificate that is still valid",
            ),
            ("", "no certificate", "Signing certificates"),
        ] {
            let page = act(&mut olga, EDIT, &fields(saml_idp::SSO_URL, keep, added)).await;
            assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", page.body);
            assert!(page.body.contains(told), "{told}: {}", page.body);
            assert!(!page.body.contains("name=\"save\""), "{}", page.body);
        }
        assert_eq!(saml(&app).await, before);
        // One that has ended may stand beside one that has not.
        let print = fingerprint(&saml_idp::IDP.certificate);
        let (_, saved) = look_and_save(&mut olga, &fields(saml_idp::SSO_URL, &print, &over)).await;
        assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.body);
    })
    .await;
}

#[tokio::test]
async fn the_secret_of_a_client_is_replaced_and_never_shown() {
    on_each_engine(|app| async move {
        world(&app).await;
        let mut olga = sign_in(&app, "olga@acme.example").await;
        let edit = "/console/acme/connections/acme-idp/values/edit";
        let before = stored(&app, "acme-idp").await.secrets;
        let secret = "another-upstream-secret-9876543210";
        let mut fields = vec![
            ("issuer", "https://login.acme.example"),
            ("client_id", "provost-2"),
            ("authentication", "client_secret_post"),
            ("scopes", "openid email"),
            ("client_secret", secret),
        ];
        let saved = act(&mut olga, edit, &fields).await;
        assert_eq!(
            saved.location().as_deref(),
            Some("/console/acme/connections/acme-idp/values?done=values"),
            "{}",
            saved.body
        );
        let now = stored(&app, "acme-idp").await;
        assert_ne!(now.secrets, before);
        for path in ["values", "values/edit", "activity"] {
            let page = olga
                .get(&format!("/console/acme/connections/acme-idp/{path}"))
                .await;
            assert!(!page.body.contains(secret), "{path}: {}", page.body);
        }
        let page = olga.get("/console/acme/connections/acme-idp/values").await;
        assert!(page.body.contains("provost-2") && page.body.contains("client_secret_post"));
        // Another provider never gets the secret that was made for this one.
        fields[0] = ("issuer", "https://login.elsewhere.example");
        fields[4] = ("client_secret", "");
        let refused = act(&mut olga, edit, &fields).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(refused.body.contains("Client secret"), "{}", refused.body);
        assert_eq!(stored(&app, "acme-idp").await, now);
    })
    .await;
}

#[tokio::test]
async fn c03_c04_what_a_directory_may_do_is_switched_on_its_tab() {
    on_each_engine(|app| async move {
        world(&app).await;
        let mut olga = sign_in(&app, "olga@acme.example").await;
        let tab = "/console/acme/connections/acme-idp/scim";
        let fields = [
            ("rights", "1"),
            ("operation", "create"),
            ("operation", "update"),
            ("operation", "nonsense"),
            ("version", "2.0"),
            ("reading", "strict"),
        ];
        let saved = act(&mut olga, tab, &fields).await;
        assert_eq!(
            saved.location(),
            Some(format!("{tab}?done=saved")),
            "{}",
            saved.body
        );
        let config = ScimConfig::of(&stored(&app, "acme-idp").await.protocol_config).unwrap();
        assert_eq!(config.operations, [ScimOperation::Create, ScimOperation::Update]);
        assert_eq!(config.versions, [ScimVersion::V2]);
        assert!(!config.look_up);
        let page = olga.get(tab).await;
        assert!(page.body.contains("value=\"strict\" checked"), "{}", page.body);
        assert!(!page.body.contains("value=\"delete\" checked"), "{}", page.body);
        let none = act(&mut olga, tab, &[("rights", "1"), ("operation", "read")]).await;
        assert!(none.body.contains("At least one version"), "{}", none.body);
        let kept = ScimConfig::of(&stored(&app, "acme-idp").await.protocol_config).unwrap();
        assert_eq!(kept, config);
    })
    .await;
}
