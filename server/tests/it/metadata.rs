//! Metadata that is read again: certificates follow, settings never fall, forged or foreign descriptions change nothing.

use std::path::Path;

use provost::app::App;
use provost::declarative::{self, Mode};
use provost::jobs::metadata::{Outcome, refresh_on_demand};
use provost_kernel::id::{ConnectionId, OrganizationId};
use provost_store::{ConnectionRecord, StoreError};

use crate::app::{TestApp, on_each_engine};
use crate::documents::{self, idp_metadata};

async fn connection(app: &App) -> ConnectionRecord {
    let id = ConnectionId::new("home-okta");
    let record: Result<_, StoreError> = app
        .store
        .read(|reader| Box::pin(async move { reader.connection(&id).await }))
        .await;
    record.unwrap().unwrap()
}

async fn with_metadata_url(app: &TestApp, extra: &str) -> documents::Host {
    let host = documents::serve(idp_metadata("https://idp.example/saml")).await;
    let text = documents::CONTRACT.replace(
        "metadata_file: idp.xml",
        &format!("metadata_url: \"{}\"{extra}", host.url),
    );
    let document = declarative::read(&text).unwrap();
    declarative::apply(&app.app, document, Path::new("/nowhere"), Mode::Write)
        .await
        .unwrap();
    host
}

async fn refresh(app: &TestApp) -> Result<Outcome, String> {
    let id = ConnectionId::new("home-okta");
    // Past the limit of one reading a minute.
    app.app.world.advance(jiff::SignedDuration::from_secs(61));
    refresh_on_demand(&app.app, &id)
        .await
        .map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_rolled_certificate_is_taken_over_and_audited() {
    on_each_engine(|app| async move {
        let host = with_metadata_url(&app, ", sign_requests: true").await;
        let before = connection(&app.app).await;
        assert_eq!(refresh(&app).await, Ok(Outcome::Unchanged));
        host.set(idp_metadata("https://idp.example/saml"));
        assert_eq!(refresh(&app).await, Ok(Outcome::Changed));
        let after = connection(&app.app).await;
        assert_ne!(
            after.protocol_config["signing_certificates"],
            before.protocol_config["signing_certificates"]
        );
        assert_eq!(after.protocol_config["sign_requests"], true, "no setting falls");
        assert_eq!(after.protocol_config["scim"], before.protocol_config["scim"]);
        assert_eq!(after.secrets, before.secrets);
        let organization = OrganizationId::new("home-lab");
        let rows: Result<_, StoreError> = app
            .app
            .store
            .read(|reader| Box::pin(async move { reader.audit(Some(&organization), None, 100).await }))
            .await;
        let rows = rows.unwrap();
        let row = rows
            .iter()
            .find(|row| row.event.kind == "connection.metadata_refreshed")
            .expect("an audit row");
        assert_eq!(row.event.data["certificates_added"].as_array().unwrap().len(), 1);
        assert_eq!(
            row.event.data["certificates_removed"].as_array().unwrap().len(),
            1
        );
    })
    .await;
}

#[tokio::test]
async fn what_is_not_this_identity_provider_changes_nothing() {
    let app = TestApp::start().await;
    let host = with_metadata_url(&app, "").await;
    let before = connection(&app.app).await;
    let good = idp_metadata("https://idp.example/saml");
    let certificate = good.find("<md:KeyDescriptor").unwrap()
        ..good.find("</md:KeyDescriptor>").unwrap() + "</md:KeyDescriptor>".len();
    let mut without_certificate = good.clone();
    without_certificate.replace_range(certificate, "");
    let ended = good.replace("entityID=", "validUntil=\"2020-01-01T00:00:00Z\" entityID=");
    for document in [
        idp_metadata("https://other.example/saml"),
        without_certificate,
        ended,
        "<!DOCTYPE x><x/>".to_owned(),
        "not xml".to_owned(),
        String::new(),
        "x".repeat(300 * 1024),
    ] {
        host.set(document.clone());
        let start: String = document.chars().take(60).collect();
        assert!(refresh(&app).await.is_err(), "{start}");
        assert_eq!(connection(&app.app).await, before, "{start}");
    }
    host.stop();
    assert!(refresh(&app).await.is_err());
    assert_eq!(connection(&app.app).await, before);
}

#[tokio::test]
async fn failed_signatures_cause_one_reading_a_minute_on_all_nodes_together() {
    on_each_engine(|app| async move {
        let host = with_metadata_url(&app, "").await;
        let second = app.second_node().await;
        // To the beginning of a window, so that the test does not straddle two.
        let now = app.app.world.now().as_second();
        app.app
            .world
            .advance(jiff::SignedDuration::from_secs(60 - now.rem_euclid(60) + 1));
        let start = host.hits();
        let id = ConnectionId::new("home-okta");
        for _ in 0..10 {
            for node in [&app.app, &second] {
                refresh_on_demand(node, &id).await.unwrap();
            }
        }
        assert_eq!(host.hits() - start, 1);
        assert_eq!(refresh(&app).await, Ok(Outcome::Unchanged));
        assert_eq!(host.hits() - start, 2);
    })
    .await;
}

#[tokio::test]
async fn connections_without_a_metadata_address_are_left_alone() {
    let app = TestApp::start().await;
    let folder = documents::folder();
    let document = declarative::read(documents::CONTRACT).unwrap();
    declarative::apply(&app.app, document, &folder.0, Mode::Write)
        .await
        .unwrap();
    for id in ["home-okta", "home-google", "nowhere"] {
        assert_eq!(
            refresh_on_demand(&app.app, &ConnectionId::new(id)).await.unwrap(),
            Outcome::Skipped
        );
    }
}
