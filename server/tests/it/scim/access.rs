//! Who may ask: tokens, their ends, other headers, other connections, and what each gets to hear.

use std::time::Duration;

use jiff::SignedDuration;
use provost::flow::scim::tokens;
use provost_store::StoreError;
use serde_json::json;

use super::lab::{self, Directory};
use crate::app::on_each_engine;

/// Addresses of every kind.
const ADDRESSES: &[(&str, &str)] = &[
    ("GET", ""),
    ("GET", "/"),
    ("GET", "/Users"),
    ("POST", "/Users"),
    ("GET", "/Users/acc_1"),
    ("PUT", "/Users/acc_1"),
    ("PATCH", "/Users/acc_1"),
    ("DELETE", "/Users/acc_1"),
    ("GET", "/Groups"),
    ("POST", "/Groups"),
    ("GET", "/Groups/grp_1"),
    ("PUT", "/Groups/grp_1"),
    ("PATCH", "/Groups/grp_1"),
    ("DELETE", "/Groups/grp_1"),
    ("POST", "/.search"),
    ("POST", "/Users/.search"),
    ("POST", "/Bulk"),
    ("GET", "/Me"),
    ("GET", "/ServiceProviderConfig"),
    ("GET", "/ResourceTypes"),
    ("GET", "/Schemas"),
    ("GET", "/nothing/at/all"),
    ("BREW", "/Users"),
];

#[tokio::test]
async fn r73_whoever_is_not_known_gets_one_answer_everywhere() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let (revoked, dead) = lab::made(&test.app, "okta", "old", false).await;
        tokens::revoke(&test.app, revoked).await.unwrap();
        let acme = lab::token(&test.app, "acme").await;
        let entra = lab::token(&test.app, "entra").await;
        let (_, client_secret) = lab::made(&test.app, "okta", "client", true).await;
        let callers = [
            Directory::stranger(&test, "okta"),
            Directory::stranger(&test, "okta").and("authorization", "Basic dXNlcjpwYXNz"),
            Directory::stranger(&test, "okta").and("authorization", "Bearer "),
            Directory::stranger(&test, "okta").and("x-directory-key", &acme),
            Directory::with(&test, "okta", "pvt_wrong"),
            Directory::with(&test, "okta", &dead),
            Directory::with(&test, "okta", &acme),
            Directory::with(&test, "okta", &entra),
            Directory::with(&test, "okta", &client_secret),
            Directory::with(&test, "okta", &"x".repeat(100_000)),
            Directory::with(&test, "no-such-connection", &acme),
            Directory::stranger(&test, "no-such-connection"),
        ];
        let mut seen = None;
        for caller in callers {
            for (method, path) in ADDRESSES {
                // The pace of unknown callers is another test's matter.
                test.app.world.advance(SignedDuration::from_secs(5));
                let answer = caller.raw(method, path, Some("application/json"), "{}").await;
                assert_eq!(
                    answer.header("www-authenticate"),
                    Some("Bearer realm=\"provost\"")
                );
                assert_eq!(answer.header("content-type"), Some("application/scim+json"));
                let answer = answer.refused(401, None);
                let first = seen.get_or_insert_with(|| answer.text.clone());
                assert_eq!(*first, answer.text, "{method} {path}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn addresses_without_a_connection_or_a_version_are_scim_errors_too() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let okta = Directory::of(&test, "okta").await;
        for path in ["/scim", "/scim/", "/scim//"] {
            okta.raw("GET", path, None, "").await.refused(401, None);
        }
        for path in [
            "/scim/okta",
            "/scim/okta/v3/Users",
            "/scim/okta/v2/Devices",
            "/scim/okta/V2/Users",
        ] {
            okta.raw("GET", path, None, "").await.refused(404, None);
        }
        // 1.1 has its own shape.
        let answer = okta
            .raw("GET", "/scim/okta/v1/Devices", None, "")
            .await
            .expect(404);
        assert_eq!(answer.body["Errors"][0]["code"], json!("404"));
        assert_eq!(answer.header("content-type"), Some("application/json"));
    })
    .await;
}

#[tokio::test]
async fn r161_tokens_overlap_expire_and_end_at_once() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let old = Directory::of(&test, "okta").await;
        let wanted = |label: &str, days| tokens::Wanted {
            connection: "okta".to_owned(),
            label: label.to_owned(),
            days,
            is_client: false,
        };
        let new = tokens::create(&test.app, wanted("next", Some(30))).await.unwrap();
        let secret = secrecy::ExposeSecret::expose_secret(&new.secret).to_owned();
        assert!(
            secret.starts_with("pvt_") && secret.len() >= 47,
            "a prefix and 256 bits"
        );
        let next = Directory::with(&test, "okta", &secret);
        old.get("/ServiceProviderConfig").await.expect(200);
        next.get("/ServiceProviderConfig").await.expect(200);
        // A raw value, in any case of the scheme or without it.
        for value in [format!("bearer {secret}"), secret.clone()] {
            next.and("authorization", &value)
                .get("/Schemas")
                .await
                .expect(200);
        }
        assert!(
            tokens::create(&test.app, wanted("next", None)).await.is_err(),
            "labels are unique among live tokens"
        );
        test.app.world.advance(SignedDuration::from_hours(30 * 24 + 1));
        next.get("/ServiceProviderConfig").await.refused(401, None);
        old.get("/ServiceProviderConfig").await.expect(200);
        let listed = tokens::list(&test.app, Some("okta".to_owned())).await.unwrap();
        let first = listed.iter().find(|token| token.label == "directory").unwrap();
        tokens::revoke(&test.app, first.id.clone()).await.unwrap();
        old.get("/ServiceProviderConfig").await.refused(401, None);
        assert!(tokens::revoke(&test.app, first.id.clone()).await.is_err());
    })
    .await;
}

#[tokio::test]
async fn r161_the_last_use_is_noted_at_most_once_a_minute() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let okta = Directory::of(&test, "okta").await;
        let last_used = || async {
            let listed = tokens::list(&test.app, Some("okta".to_owned())).await.unwrap();
            listed[0].last_used_at
        };
        assert_eq!(last_used().await, None);
        okta.get("/Schemas").await.expect(200);
        let mut first = None;
        for _ in 0..500 {
            first = last_used().await;
            if first.is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let first = first.expect("noted in the background");
        test.app.world.advance(SignedDuration::from_secs(30));
        okta.get("/Schemas").await.expect(200);
        settle(&test.app).await;
        assert_eq!(last_used().await, Some(first));
        test.app.world.advance(SignedDuration::from_secs(31));
        okta.get("/Schemas").await.expect(200);
        for _ in 0..500 {
            if last_used().await > Some(first) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the second use was never noted");
    })
    .await;
}

/// Lets everything that is queued behind the requests come to its end.
async fn settle(app: &provost::app::App) {
    for _ in 0..5 {
        tokio::task::yield_now().await;
        let done: Result<(), StoreError> = app.store.write(|_| Box::pin(async { Ok(()) })).await;
        done.unwrap();
    }
}

#[tokio::test]
async fn a_connection_may_name_another_header() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let token = lab::token(&test.app, "acme").await;
        let stranger = Directory::stranger(&test, "acme");
        stranger
            .and("x-directory-key", &token)
            .get("/Schemas")
            .await
            .expect(200);
        stranger
            .and("x-directory-key", &format!("Bearer {token}"))
            .get("/Schemas")
            .await
            .expect(200);
        stranger
            .and("x-other-key", &token)
            .get("/Schemas")
            .await
            .refused(401, None);
        // A wrong Authorization header is not excused by a right one elsewhere.
        stranger
            .and("x-directory-key", &token)
            .and("authorization", "Bearer wrong")
            .get("/Schemas")
            .await
            .refused(401, None);
    })
    .await;
}

#[tokio::test]
async fn r07_r15_mode_and_versions_are_refused_in_words() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let jit = Directory::of(&test, "jit").await;
        let answer = jit.get("/Users").await.refused(403, None);
        assert!(
            answer.text.contains("'jit'") && answer.text.contains("'scim'"),
            "{}",
            answer.text
        );
        let entra = Directory::of(&test, "entra").await;
        let answer = entra.get("/Users").await.refused(400, Some("invalidVers"));
        assert!(answer.text.contains("2.0"), "{}", answer.text);
        let mut entra = entra;
        entra.base = "/scim/entra/v1".to_owned();
        entra.get("/ServiceProviderConfigs").await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn methods_that_an_address_does_not_take_are_405_with_allow() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let okta = Directory::of(&test, "okta").await;
        for (method, path, allow) in [
            ("POST", "/ServiceProviderConfig", "GET"),
            ("PUT", "/Schemas", "GET"),
            ("DELETE", "/ResourceTypes/User", "GET"),
            ("DELETE", "/Users", "GET, POST"),
            ("POST", "/Users/acc_1", "GET, PUT, PATCH, DELETE"),
            ("GET", "/Bulk", "POST"),
            ("BREW", "/Groups", "GET, POST"),
        ] {
            let answer = okta.raw(method, path, Some("application/json"), "{}").await;
            assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
            answer.refused(405, None);
        }
        for method in ["GET", "PATCH", "DELETE"] {
            okta.raw(method, "/Me", None, "").await.refused(501, None);
        }
    })
    .await;
}

#[tokio::test]
async fn bodies_are_judged_by_size_kind_and_depth_before_anything_else() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let okta = Directory::of(&test, "okta").await;
        let json = Some("application/scim+json");
        let large = format!("{{\"userName\":\"{}\"}}", "x".repeat(5 * 1024 * 1024));
        okta.raw("POST", "/Users", json, large).await.refused(413, None);
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
        for body in ["", "nonsense", "[]", "null", "{\"userName\":", deep.as_str()] {
            okta.raw("POST", "/Users", json, body.to_owned())
                .await
                .refused(400, Some("invalidSyntax"));
        }
        for kind in [
            "text/plain",
            "application/xml",
            "application/x-www-form-urlencoded",
        ] {
            okta.raw("POST", "/Users", Some(kind), "{}")
                .await
                .refused(415, None);
        }
        assert_eq!(crate::directory::account_count(&test.app).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_hurrying_directory_is_told_when_to_come_back_and_others_are_not_concerned() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let (okta, acme) = (
            Directory::of(&test, "okta").await,
            Directory::of(&test, "acme").await,
        );
        let second = test.second_node().await;
        let mut elsewhere = okta.clone();
        elsewhere.use_router(provost::router::router(second));
        let mut done = 0;
        let refused = loop {
            // Two nodes share the budget.
            let node = if done % 2 == 0 { &okta } else { &elsewhere };
            let answer = node.get("/ServiceProviderConfig").await;
            if answer.status.as_u16() == 429 {
                break answer.refused(429, None);
            }
            answer.expect(200);
            done += 1;
            assert!(done < 2400, "never refused");
        };
        // The clock may have passed a window's end on the way; then less was refused, never more.
        assert!(done >= 900, "only {done} were let through");
        let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=10).contains(&seconds));
        acme.get("/ServiceProviderConfig").await.expect(200);
        test.app.world.advance(SignedDuration::from_secs(10));
        okta.get("/ServiceProviderConfig").await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn slashes_flags_and_media_types_of_real_clients_are_understood() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let okta = Directory::of(&test, "okta").await;
        for path in [
            "/scim/okta/v2/Schemas/",
            "/scim/okta/v2//Schemas",
            "/scim//okta/v2/Schemas",
            "/scim/okta/v2/Schemas?aadOptscim062020",
        ] {
            okta.raw("GET", path, None, "").await.expect(200);
        }
        for (accept, kind) in [
            ("application/scim+json", "application/scim+json"),
            ("application/json", "application/json"),
            ("application/json, application/scim+json", "application/scim+json"),
            ("*/*", "application/scim+json"),
        ] {
            let answer = okta.and("accept", accept).get("/Schemas").await.expect(200);
            assert_eq!(answer.header("content-type"), Some(kind), "{accept}");
        }
    })
    .await;
}
