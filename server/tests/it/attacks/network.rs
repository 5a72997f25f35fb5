//! Through us into the operator's network, and clients that only hold connections.

use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use provost::cli::serve::Server;
use provost::jobs::metadata;
use provost_kernel::connection::Protocol;
use provost_store::SecretMap;

use crate::app::TestApp;
use crate::directory::{self, reference, trace};
use crate::oidc_idp::OidcIdp;
use crate::saml_idp;

/// A port inside the operator's network that counts who calls.
async fn inside() -> (String, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counter.fetch_add(1, Ordering::SeqCst);
        }
    });
    (format!("127.0.0.1:{port}"), calls)
}

/// Ways to write an address inside.
fn spellings(host: &str) -> Vec<String> {
    let port = host.rsplit_once(':').unwrap().1;
    let hosts = [
        host.to_owned(),
        format!("localhost:{port}"),
        format!("2130706433:{port}"),
        format!("0x7f.1:{port}"),
        format!("[::1]:{port}"),
        format!("[::ffff:127.0.0.1]:{port}"),
        format!("0.0.0.0:{port}"),
        format!("127.1:{port}"),
    ];
    hosts
        .iter()
        .flat_map(|host| [format!("https://{host}"), format!("http://{host}")])
        .collect()
}

#[tokio::test]
async fn no_setting_of_a_connection_reaches_into_the_network() {
    let app = TestApp::start_with(&[("allow_private_addresses", "false")]).await;
    directory::organization(&app.app).await;
    let (host, calls) = inside().await;
    let idp = OidcIdp::start(app.app.world.now()).await;
    for (number, url) in spellings(&host).into_iter().enumerate() {
        let oidc = format!("oidc{number}");
        idp.connect(&app.app, &oidc, |config| config.issuer.clone_from(&url))
            .await;
        let page = app.browser().get(&format!("/sso/{oidc}/login")).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{url}: {}", page.body);
        let verdict = trace(&app.app, &reference(&page)).await.verdict;
        let wanted = ["outbound_not_public", "outbound_refused", "endpoint_insecure"];
        assert!(wanted.contains(&verdict.as_str()), "{url}: {verdict}");
        // The page tells the person nothing about the network.
        assert!(
            !page.body.contains("127.0.0.1:") && !page.body.contains("localhost"),
            "{}",
            page.body
        );
        let token = format!("/sso/{oidc}/oidc/backchannel-logout");
        let page = app.browser().post(&token, &[("logout_token", "a.b.c")]).await;
        assert!(
            matches!(page.status.as_u16(), 400 | 502),
            "{url}: {}",
            page.status
        );
        let saml = format!("saml{number}");
        saml_idp::connect(&app.app, &saml, |config| config.metadata_url = Some(url.clone())).await;
        assert!(
            metadata::refresh_on_demand(&app.app, &saml.as_str().into())
                .await
                .is_err(),
            "{url}"
        );
    }
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_discovery_document_leads_nowhere_inside() {
    // The provider itself may be called; it names addresses that may not.
    let app = TestApp::start().await;
    directory::organization(&app.app).await;
    let idp = OidcIdp::start(app.app.world.now()).await;
    idp.connect(&app.app, "entra", |_| {}).await;
    for name in [
        "token_endpoint",
        "jwks_uri",
        "userinfo_endpoint",
        "authorization_endpoint",
    ] {
        for url in [
            "http://169.254.169.254/latest/",
            "ftp://10.0.0.1/",
            "file:///etc/passwd",
            "https://user:pw@10.0.0.1/",
        ] {
            let idp = OidcIdp::start(app.app.world.now()).await;
            idp.provider().discovery.insert(name.to_owned(), url.into());
            idp.connect(&app.app, "evil", |_| {}).await;
            let page = app.browser().get("/sso/evil/login").await;
            assert_eq!(
                page.status,
                StatusCode::FORBIDDEN,
                "{name} {url}: {:?}",
                page.location()
            );
        }
    }
}

#[tokio::test]
async fn a_stored_connection_without_certificates_admits_nobody() {
    let app = TestApp::start().await;
    directory::organization(&app.app).await;
    saml_idp::connect(&app.app, "bare", |config| config.signing_certificates.clear()).await;
    let person = saml_idp::Person::new("ann-1", "ann@home-lab.example");
    let page = saml_idp::sign_in(&app.app, &mut app.browser(), "bare", &person).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert_eq!(
        trace(&app.app, &reference(&page)).await.verdict,
        "saml_no_trusted_key"
    );
    // Nor does one whose stored settings cannot be read fall back to anything.
    let connection = directory::connection("odd", Protocol::Saml);
    let now = app.app.world.now();
    app.app
        .store
        .write(move |tx| {
            Box::pin(async move {
                let config = serde_json::json!({ "protocol": "saml" });
                tx.put_connection(&connection, &config, &SecretMap::default(), "live", now)
                    .await
            })
        })
        .await
        .unwrap();
    assert_eq!(
        app.browser().get("/sso/odd/login").await.status,
        StatusCode::INTERNAL_SERVER_ERROR
    );
}

#[tokio::test]
async fn a_client_that_never_ends_its_request_is_let_go() {
    let app = TestApp::start().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server::from_listener(listener).unwrap();
    let address = server.address;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(server.run(app.app.clone(), async move {
        let _ = stopped.await;
    }));
    let waited = tokio::task::spawn_blocking(move || {
        let began = tokio::time::Instant::now();
        let mut silent = std::net::TcpStream::connect(address).unwrap();
        let mut slow = std::net::TcpStream::connect(address).unwrap();
        slow.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ")
            .unwrap();
        let mut text = Vec::new();
        for stream in [&mut silent, &mut slow] {
            stream.set_read_timeout(Some(Duration::from_secs(25))).unwrap();
            match stream.read_to_end(&mut text) {
                Ok(_) => {}
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}"),
            }
        }
        began.elapsed()
    })
    .await
    .unwrap();
    assert!(waited < Duration::from_secs(24), "{waited:?}");
    let _ = stop.send(());
    running.await.unwrap().unwrap();
}
