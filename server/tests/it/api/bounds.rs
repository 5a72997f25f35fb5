//! Tenant bounds, generated over every endpoint of the table: no key, a revoked one, an expired one, one without the
//! scope, one of another organization. A new endpoint is tested by being there.

use axum::http::{Method, StatusCode};
use jiff::SignedDuration;
use provost::api::{Endpoint, Verb, endpoints};
use provost::flow::api_keys::{self, Scope};
use serde_json::json;

use super::{ANN, CONNECTION, Client, OTHER, ann, code, furnish, key};
use crate::app::{Page, TestApp, on_each_engine};
use crate::directory::{DOMAIN, ORGANIZATION};

/// Every path with identifiers of what belongs to the first organization.
async fn filled(app: &TestApp, endpoint: &Endpoint) -> String {
    let account = ann(app).await;
    let mut everything = Client::new(app, None).await;
    let traces = everything.get("/api/v1/traces").await.json();
    let reference = traces["items"][0]["reference"].as_str().unwrap().to_owned();
    let path = endpoint
        .path
        .replace("{mail}", &crate::mail::a_mail(app).await)
        .replace("{invitation}", &crate::mail::an_invitation(app).await)
        .replace("{conversion}", &crate::mail::a_conversion(app).await)
        .replace("{webhook}", &crate::webhooks::a_webhook(app).await)
        .replace("{delivery}", "whd_any")
        .replace("{organization}", ORGANIZATION)
        .replace("{connection}", CONNECTION)
        .replace("{account}", &account)
        .replace("{field}", "family_name")
        .replace("{role}", "member")
        .replace("{workspace}", "main")
        .replace("{license}", "standard")
        .replace("{reference}", &reference)
        .replace("{domain}", DOMAIN)
        .replace("{link}", "sul_any")
        .replace("{session}", "ses_any")
        .replace("{group}", "grp_any")
        .replace("{import}", "imp_any")
        .replace("{key}", "key_any")
        .replace("{token}", "tok_any")
        .replace("{application}", "app-any")
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
        Verb::Patch => Method::PATCH,
        Verb::Delete => Method::DELETE,
    };
    if endpoint.body.is_some() {
        // Good for every endpoint with a body: a trial of empty claims, and policies that say nothing.
        let body = match endpoint.name {
            "testPolicies" => json!({ "claims": {} }),
            "createScimToken" => json!({ "label": "any" }),
            "createWebhook" => json!({ "url": "https://app.example/hooks" }),
            "takeIdentity" => json!({ "from": "acc_any" }),
            "changeMemberships" => json!({ "accounts": ["acc_any"], "action": "pin" }),
            "changeLocalGroupMembers" => json!({ "accounts": ["acc_any"], "action": "add" }),
            _ if path.ends_with("/test") => json!({ "claims": {} }),
            _ if path.ends_with("/invitations") => {
                json!({ "people": [{ "email": "new@home-lab.example" }], "send": false })
            }
            _ if path.contains("/conversions") => {
                json!({ "connection": CONNECTION, "kinds": ["user"], "notify": false })
            }
            _ => json!({}),
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
                    .replace("mail_", "mail_x")
                    .replace("inv_", "inv_x")
                    .replace("cnv_", "cnv_x")
                    .replace("whk_", "whk_x");
                let missing = send(&mut other, endpoint, &nowhere).await;
                // A connection that does not exist may be made.
                if endpoint.name != "putConnection" {
                    assert_eq!(missing.json()["detail"], page.json()["detail"], "{what}");
                }
            } else {
                // What is made or concerns the instance is refused in its own way; what is read is read within bounds.
                let is_read = endpoint.verb == Verb::Get && page.status != StatusCode::FORBIDDEN;
                assert!(!page.status.is_server_error(), "{what}: {}", page.body);
                if is_read {
                    assert_eq!(page.status, StatusCode::OK, "{what}: {}", page.body);
                } else if page.status == StatusCode::FORBIDDEN {
                    assert_eq!(code(&page), "instance_key_needed", "{what}");
                }
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
            if ["grp_any", "imp_any", "whd_any"]
                .iter()
                .any(|nothing| path.contains(nothing))
            {
                assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}: {}", page.body);
                continue;
            }
            if page.status == StatusCode::FORBIDDEN {
                assert_eq!(code(&page), "instance_key_needed", "{path}");
                continue;
            }
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
