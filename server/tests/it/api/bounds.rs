//! Tenant bounds, generated over every endpoint of the table: no key, a revoked one, an expired one, one without the
//! scope, one of another organization. A new endpoint is tested by being there.

use axum::http::{Method, StatusCode};
use jiff::SignedDuration;
use provost::api::{Endpoint, Verb, endpoints};
use provost::flow::api_keys::{self, Scope};
use serde_json::json;

use super::{ANN, CONNECTION, Client, OTHER, ann, code, furnish, key};
use crate::app::{Page, TestApp, on_each_engine};
use crate::directory::ORGANIZATION;

/// Every path with identifiers of what belongs to the first organization.
async fn filled(app: &TestApp, endpoint: &Endpoint) -> String {
    let account = ann(app).await;
    let mut everything = Client::new(app, None).await;
    let traces = everything.get("/api/v1/traces").await.json();
    let reference = traces["items"][0]["reference"].as_str().unwrap().to_owned();
    let path = endpoint
        .path
        .replace("{mail}", &crate::mail::a_mail(app).await)
        .replace("{organization}", ORGANIZATION)
        .replace("{connection}", CONNECTION)
        .replace("{account}", &account)
        .replace("{field}", "family_name")
        .replace("{reference}", &reference)
        .replace("{change}", &super::saving::a_held_change(app).await);
    assert!(
        !path.contains('{'),
        "{path} has a parameter that this test does not know"
    );
    path
}

async fn send(client: &mut Client, endpoint: &Endpoint, path: &str) -> Page {
    let method = match endpoint.verb {
        Verb::Get => Method::GET,
        Verb::Post => Method::POST,
        Verb::Put => Method::PUT,
        Verb::Delete => Method::DELETE,
    };
    if endpoint.body.is_some() {
        // Good for every endpoint with a body: a trial of empty claims, and policies that say nothing.
        let body = if path.ends_with("/test") {
            json!({ "claims": {} })
        } else {
            json!({})
        };
        client.send_json(method, path, &body).await
    } else {
        client.send(method, path).await
    }
}

#[tokio::test]
async fn asvs_8_4_1_no_endpoint_answers_without_a_key_that_may() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let revoked = key(&app, None, Scope::ALL).await;
        let keys = api_keys::list(&app.app).await.unwrap();
        assert!(api_keys::revoke(&app.app, &keys[0].id).await.unwrap());
        for endpoint in endpoints() {
            let path = filled(&app, endpoint).await;
            let what = format!("{} {path}", endpoint.verb.word());
            let strangers = [
                Client::stranger(&app),
                Client::with(&app, &revoked),
                Client::with(&app, "pvk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
                Client::with(&app, "scim-token-0123456789abcdef"),
            ];
            for mut stranger in strangers {
                let page = send(&mut stranger, endpoint, &path).await;
                assert_eq!(page.status, StatusCode::UNAUTHORIZED, "{what}: {}", page.body);
                assert_eq!(code(&page), "invalid_api_key", "{what}");
                assert!(page.header("www-authenticate").is_some(), "{what}");
            }
            let others: Vec<Scope> = Scope::ALL
                .iter()
                .copied()
                .filter(|scope| *scope != endpoint.scope)
                .collect();
            let mut without = Client::with(&app, &key(&app, None, &others).await);
            let page = send(&mut without, endpoint, &path).await;
            assert_eq!(page.status, StatusCode::FORBIDDEN, "{what}: {}", page.body);
            assert_eq!(code(&page), "missing_scope", "{what}");
        }
    })
    .await;
}

#[tokio::test]
async fn asvs_8_4_1_a_key_of_one_organization_never_sees_another() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let mut other = Client::new(&app, Some(OTHER)).await;
        let account = ann(&app).await;
        for endpoint in endpoints() {
            let path = filled(&app, endpoint).await;
            let what = format!("{} {path}", endpoint.verb.word());
            let page = send(&mut other, endpoint, &path).await;
            if endpoint.path.contains('{') {
                assert_eq!(page.status, StatusCode::NOT_FOUND, "{what}: {}", page.body);
                assert_eq!(code(&page), "not_found", "{what}");
                // What does not exist is answered with the same words.
                let nowhere = path
                    .replace(ORGANIZATION, "nowhere")
                    .replace(CONNECTION, "nowhere")
                    .replace(&account, "acc_nobody")
                    .replace("pch_", "pch_x")
                    .replace("mail_", "mail_x");
                let missing = send(&mut other, endpoint, &nowhere).await;
                assert_eq!(missing.json()["detail"], page.json()["detail"], "{what}");
            } else {
                assert_eq!(page.status, StatusCode::OK, "{what}: {}", page.body);
                for secret in [ORGANIZATION, CONNECTION, ANN, account.as_str()] {
                    assert!(
                        !page.body.contains(secret),
                        "{what} tells of {secret}: {}",
                        page.body
                    );
                }
            }
        }
        // The same paths do answer with the organization's own key, so the refusals above are about the bounds.
        let mut own = Client::new(&app, Some(ORGANIZATION)).await;
        let mut answered = 0;
        for endpoint in endpoints().filter(|endpoint| endpoint.verb == Verb::Get) {
            let path = filled(&app, endpoint).await;
            let page = send(&mut own, endpoint, &path).await;
            assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.body);
            answered += 1;
        }
        assert!(answered >= 10, "{answered}");
    })
    .await;
}

#[tokio::test]
async fn keys_end_and_tell_of_their_last_use() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let secret = key(&app, None, Scope::ALL).await;
        let mut client = Client::with(&app, &secret);
        assert_eq!(client.get("/api/v1/organizations").await.status, StatusCode::OK);
        let keys = api_keys::list(&app.app).await.unwrap();
        assert!(keys[0].last_used_at.is_some(), "{keys:?}");
        // The database knows the key by its digest only.
        assert!(!format!("{keys:?}").contains(&secret));
        app.app.world.advance(SignedDuration::from_hours(25));
        let page = client.get("/api/v1/organizations").await;
        assert_eq!(code(&page), "invalid_api_key");
    })
    .await;
}

#[tokio::test]
async fn lists_are_cut_into_pages_and_cursors_are_theirs_alone() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let mut client = Client::new(&app, None).await;
        let first = client.get("/api/v1/organizations?limit=1").await.json();
        assert_eq!(first["items"][0]["id"], ORGANIZATION);
        let next = first["next"].as_str().unwrap();
        let second = client
            .get(&format!("/api/v1/organizations?limit=1&cursor={next}"))
            .await
            .json();
        assert_eq!(second["items"][0]["id"], OTHER);
        for (query, expected) in [
            ("limit=0", "invalid_query"),
            ("limit=201", "invalid_query"),
            ("limit=many", "invalid_query"),
            ("offset=3", "invalid_query"),
            ("cursor=nonsense", "invalid_cursor"),
        ] {
            let page = client.get(&format!("/api/v1/organizations?{query}")).await;
            assert_eq!(page.status, StatusCode::BAD_REQUEST, "{query}");
            assert_eq!(code(&page), expected, "{query}");
        }
    })
    .await;
}

#[tokio::test]
async fn r191_a_key_that_asks_too_often_is_told_when_to_come_back() {
    let app = TestApp::start().await;
    furnish(&app).await;
    let secret = key(&app, None, Scope::ALL).await;
    let mut client = Client::with(&app, &secret);
    for _ in 0..1200 {
        let page = client.get("/api/v1/organizations/nowhere").await;
        if page.status == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
    }
    // A window may have ended in between; one more window's worth surely does it.
    let mut page = client.get("/api/v1/organizations/nowhere").await;
    for _ in 0..1200 {
        if page.status == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
        page = client.get("/api/v1/organizations/nowhere").await;
    }
    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(code(&page), "too_many_requests");
    assert!(page.header("retry-after").is_some());
    // Another key is not held up by it.
    let mut another = Client::new(&app, None).await;
    assert_eq!(another.get("/api/v1/organizations").await.status, StatusCode::OK);
}
