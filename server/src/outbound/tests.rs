use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// A listener on loopback that counts connections and answers each with the same bytes.
async fn listener(answer: impl Into<Vec<u8>>) -> (u16, Arc<AtomicUsize>) {
    let answer: Vec<u8> = answer.into();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let hits = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&hits);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                let _ = stream.read(&mut buffer).await;
                let _ = stream.write_all(&answer).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    (port, hits)
}

fn fixed(body: &str, extra: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n{extra}\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn no_way_leads_to_loopback_unless_allowed() {
    let (port, hits) = listener(fixed("secret", "")).await;
    let outbound = Outbound::new(false, None).unwrap();
    let hosts = [
        "127.0.0.1",
        "localhost",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "localhost.",
        "LOCALHOST",
    ];
    for host in hosts {
        for scheme in ["http", "https"] {
            let url = format!("{scheme}://{host}:{port}/metadata");
            let fields = [("a".to_owned(), "b".to_owned())];
            let outcomes = [
                outbound.get(&url, HeaderMap::new()).await,
                outbound.post_form(&url, HeaderMap::new(), &fields).await,
                outbound
                    .post_json(&url, HeaderMap::new(), &serde_json::json!({}))
                    .await,
            ];
            for outcome in outcomes {
                let code = outcome.expect_err(&url).code();
                assert!(
                    matches!(
                        code,
                        "outbound_refused" | "outbound_not_public" | "outbound_not_resolved"
                    ),
                    "{url}: {code}"
                );
            }
        }
    }
    assert_eq!(hits.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn special_addresses_are_refused_before_any_connection() {
    let outbound = Outbound::new(false, None).unwrap();
    for host in [
        "169.254.169.254",
        "10.0.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "[fe80::1]",
        "[fd00::1]",
        "[2002:7f00:1::]",
    ] {
        let error = outbound
            .get(&format!("https://{host}/latest/meta-data"), HeaderMap::new())
            .await
            .unwrap_err();
        assert_eq!(error.code(), "outbound_not_public", "{host}");
    }
}

#[tokio::test]
async fn other_schemes_and_credentials_are_refused() {
    let outbound = Outbound::new(true, None).unwrap();
    for url in [
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "gopher://127.0.0.1/",
        "http://example.com/",
        "http://10.0.0.1/",
        "https://user:secret@127.0.0.1/",
        "https://user@127.0.0.1/",
        "//127.0.0.1/",
        "",
        "https://",
        "not a url",
    ] {
        let error = outbound.get(url, HeaderMap::new()).await.unwrap_err();
        assert_eq!(error.code(), "outbound_refused", "{url}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn loopback_answers_when_allowed() {
    let (port, hits) = listener(fixed(
        "hello",
        "content-type: Application/JSON; charset=utf-8\r\n",
    ))
    .await;
    let outbound = Outbound::new(true, None).unwrap();
    let answer = outbound
        .get(&format!("http://127.0.0.1:{port}/"), HeaderMap::new())
        .await
        .unwrap();
    assert!(answer.is_success());
    assert_eq!(answer.body, b"hello");
    assert_eq!(answer.content_type().as_deref(), Some("application/json"));
    assert!(
        outbound
            .get(&format!("http://localhost:{port}/"), HeaderMap::new())
            .await
            .is_ok()
    );
    assert_eq!(hits.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn redirects_are_answers_and_not_followed() {
    let (target, target_hits) = listener(fixed("inner", "")).await;
    let redirect = format!(
        "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:{target}/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    let (port, _) = listener(redirect).await;
    let outbound = Outbound::new(true, None).unwrap();
    let answer = outbound
        .get(&format!("http://127.0.0.1:{port}/"), HeaderMap::new())
        .await
        .unwrap();
    assert_eq!(answer.status, 302);
    assert!(!answer.is_success());
    assert_eq!(target_hits.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn large_answers_are_cut_off() {
    let outbound = Outbound::new(true, None).unwrap();
    let (port, _) = listener(fixed(&"x".repeat(BODY_LIMIT + 1), "")).await;
    let error = outbound
        .get(&format!("http://127.0.0.1:{port}/"), HeaderMap::new())
        .await
        .unwrap_err();
    assert_eq!(error.code(), "outbound_too_large");
    let (port, _) = listener(fixed(&"x".repeat(BODY_LIMIT), "")).await;
    assert_eq!(
        outbound
            .get(&format!("http://127.0.0.1:{port}/"), HeaderMap::new())
            .await
            .unwrap()
            .body
            .len(),
        BODY_LIMIT
    );
}

#[tokio::test]
async fn a_silent_host_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let outbound = Outbound::new(true, None).unwrap();
    let error = outbound
        .get(&format!("http://127.0.0.1:{port}/"), HeaderMap::new())
        .await
        .unwrap_err();
    assert_eq!(error.code(), "outbound_timed_out");
    drop(listener);
}

#[tokio::test]
async fn errors_do_not_repeat_the_query() {
    let outbound = Outbound::new(true, None).unwrap();
    let closed = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let error = outbound
        .get(
            &format!("http://127.0.0.1:{closed}/token?code=hunter2"),
            HeaderMap::new(),
        )
        .await
        .unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
    let refused = outbound
        .get("ftp://x:hunter2@127.0.0.1/a?code=hunter2", HeaderMap::new())
        .await
        .unwrap_err();
    assert!(!refused.to_string().contains("hunter2"), "{refused}");
}
