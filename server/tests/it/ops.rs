//! `/healthz`, `/readyz`, `/metrics`, assets, unknown addresses, headers.

use axum::body::Body;
use axum::http::{Method, StatusCode};

use crate::app::{TestApp, on_each_engine};

#[tokio::test]
async fn healthz_answers() {
    let app = TestApp::start().await;
    let page = app.browser().get("/healthz").await;
    assert_eq!((page.status, page.body.as_str()), (StatusCode::OK, "ok\n"));
}

#[tokio::test]
async fn readyz_follows_the_database() {
    on_each_engine(|app| async move {
        let page = app.browser().get("/readyz").await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        app.app.store.close().await;
        let page = app.browser().get("/readyz").await;
        assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(page.json()["database"], false);
    })
    .await;
}

#[tokio::test]
async fn metrics_count_requests_by_route() {
    let app = TestApp::start().await;
    let mut browser = app.browser();
    browser.get("/healthz").await;
    browser.get("/nowhere/with?secret=hunter2").await;
    let page = browser.get("/metrics").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains("provost_http_requests_total"), "{}", page.body);
    assert!(page.body.contains("route=\"/healthz\""));
    assert!(page.body.contains("route=\"unmatched\""));
    assert!(page.body.contains("provost_http_request_seconds_bucket"));
    assert!(!page.body.contains("hunter2") && !page.body.contains("nowhere"));
    for gauge in [
        "provost_jobs_waiting",
        "provost_jobs_lag_seconds",
        "provost_events_last",
        "provost_database_connections",
    ] {
        assert!(
            page.body.lines().any(|line| line.starts_with(gauge)),
            "{gauge} in {}",
            page.body
        );
    }
}

#[tokio::test]
async fn metrics_need_the_token_where_one_is_set() {
    let app = TestApp::start_with(&[("metrics_token", "0123456789abcdef")]).await;
    let mut browser = app.browser();
    assert_eq!(browser.get("/metrics").await.status, StatusCode::NOT_FOUND);
    browser
        .headers
        .insert("authorization", "Bearer 0123456789abcdeX".parse().unwrap());
    assert_eq!(browser.get("/metrics").await.status, StatusCode::NOT_FOUND);
    browser
        .headers
        .insert("authorization", "Bearer 0123456789abcdef".parse().unwrap());
    assert_eq!(browser.get("/metrics").await.status, StatusCode::OK);
}

#[tokio::test]
async fn metrics_are_not_shown_through_a_proxy_without_a_token() {
    let behind = TestApp::start_with(&[("public_url", "https://sso.example.com")]).await;
    assert_eq!(
        behind.browser().get("/metrics").await.status,
        StatusCode::NOT_FOUND
    );
    let app = TestApp::start().await;
    let mut browser = app.browser();
    assert_eq!(browser.get("/metrics").await.status, StatusCode::OK);
    browser
        .headers
        .insert("x-forwarded-for", "203.0.113.9".parse().unwrap());
    assert_eq!(browser.get("/metrics").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn metrics_are_not_public_without_a_token() {
    let public = [("listen", "0.0.0.0:1"), ("public_url", "https://sso.example.com")];
    let app = TestApp::start_with(&public).await;
    assert_eq!(app.browser().get("/metrics").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn unknown_addresses_answer_in_the_callers_language() {
    let app = TestApp::start().await;
    let mut browser = app.browser();
    let page = browser.get("/nowhere").await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    assert!(page.header("content-type").unwrap().starts_with("text/html"));
    let reference = page.header("x-request-id").unwrap().to_owned();
    assert!(page.body.contains(&reference), "the page shows the reference");
    browser
        .headers
        .insert("accept", "application/json".parse().unwrap());
    let page = browser.get("/nowhere").await;
    assert_eq!(page.header("content-type"), Some("application/problem+json"));
    assert_eq!(page.json()["code"], "not_found");
    assert_eq!(page.json()["status"], 404);
    assert_eq!(page.json()["request_id"], page.header("x-request-id").unwrap());
}

#[tokio::test]
async fn a_wrong_method_is_405_and_names_the_right_ones() {
    let app = TestApp::start().await;
    let page = app
        .browser()
        .send(Method::DELETE, "/healthz", None, Body::empty())
        .await;
    assert_eq!(page.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(page.header("allow").unwrap().contains("GET"));
    assert_eq!(page.json()["code"], "method_not_allowed");
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let https = [("public_url", "https://sso.example.com")];
    for (flags, has_hsts) in [(&[][..], false), (&https[..], true)] {
        let app = TestApp::start_with(flags).await;
        for path in ["/healthz", "/nowhere", "/assets/provost.css"] {
            let page = app.browser().get(path).await;
            let policy = page.header("content-security-policy").unwrap();
            assert!(
                policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
                "{policy}"
            );
            assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
            assert_eq!(page.header("referrer-policy"), Some("same-origin"));
            assert_eq!(
                page.header("strict-transport-security").is_some(),
                has_hsts,
                "{path}"
            );
            assert!(page.header("cache-control").is_some());
        }
    }
}
