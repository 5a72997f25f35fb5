//! Bad input and foreign identifiers: the right refusal, and nothing written.

use serde_json::json;

use super::lab::{self, Directory, person};
use crate::app::{TestApp, on_each_engine};
use crate::directory::account_count;

async fn last_event(test: &TestApp) -> i64 {
    let last: Result<i64, provost_store::StoreError> =
        test.app.store.read(|reader| Box::pin(reader.last_event())).await;
    last.unwrap()
}

#[tokio::test]
async fn malformed_filters_and_pages_are_400_with_their_kind() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let okta = Directory::of(&test, "okta").await;
        okta.hire("ida").await;
        let many_terms = (0..10_000)
            .map(|n| format!("userName eq \"{n}\""))
            .collect::<Vec<_>>();
        let search = json!({ "filter": many_terms.join(" or ") });
        okta.post("/Users/.search", search)
            .await
            .refused(400, Some("invalidFilter"));
        let deep = format!("{}userName%20pr{}", "(".repeat(1000), ")".repeat(1000));
        for filter in [
            "userName",
            "userName%20eq",
            "userName%20xx%20%22a%22",
            "%22a%22%20eq%20userName",
            "nonsense%20eq%20%22a%22",
            "active%20gt%20true",
            "emails%5Btype%20eq%20%22work%22",
            "userName%20eq%20%22a%22%20and",
            "(userName%20pr",
            &deep,
        ] {
            let answer = okta.get(&format!("/Users?filter={filter}")).await;
            answer.refused(400, Some("invalidFilter"));
        }
        for query in [
            "startIndex=x",
            "count=x",
            "sortOrder=up",
            "attributes=a&excludedAttributes=b",
            "sortBy=((",
        ] {
            let answer = okta.get(&format!("/Users?{query}")).await;
            answer.refused(400, Some("invalidValue"));
        }
        // A NUL fits no database text, and so finds nothing.
        okta.get("/Users?filter=userName%20eq%20%22a%5Cu0000b%22")
            .await
            .expect(200);
        okta.get("/Users/%00").await.refused(404, None);
        okta.get(&format!("/Users/{}", "x".repeat(5000)))
            .await
            .refused(404, None);
    })
    .await;
}

#[tokio::test]
async fn malformed_writes_are_400_with_their_kind_and_write_nothing() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let okta = Directory::of(&test, "okta").await;
        let path = format!("/Users/{}", okta.hire("ida").await);
        let before = last_event(&test).await;
        for (operations, kind) in [
            (
                json!([{ "op": "jump", "path": "title", "value": "x" }]),
                "invalidSyntax",
            ),
            (json!([{ "op": "remove" }]), "noTarget"),
            (
                json!([{ "op": "replace", "path": "emails[", "value": "x" }]),
                "invalidPath",
            ),
            (json!([{ "op": "remove", "path": "userName" }]), "mutability"),
            (
                json!([{ "op": "replace", "path": "name", "value": 7 }]),
                "invalidValue",
            ),
            (
                json!([{ "op": "replace", "path": "active", "value": "perhaps" }]),
                "invalidValue",
            ),
            (
                json!([
                    { "op": "replace", "path": "title", "value": "kept back" },
                    { "op": "replace", "path": "emails[", "value": "x" },
                ]),
                "invalidPath",
            ),
        ] {
            let answer = okta.patch(&path, operations.clone()).await;
            assert_eq!(
                answer.body["scimType"],
                json!(kind),
                "{operations}: {}",
                answer.text
            );
            answer.refused(400, Some(kind));
        }
        let mut with_nul = person("nul");
        with_nul["title"] = json!("a\u{0}b");
        for body in [
            json!({}),
            json!({ "userName": "" }),
            json!({ "userName": 7 }),
            json!({ "userName": "a", "emails": 7 }),
            json!({ "userName": "a", "name": "x" }),
            json!({ "userName": "a", "active": "perhaps" }),
            with_nul,
        ] {
            let answer = okta.post("/Users", body.clone()).await;
            assert_eq!(answer.status.as_u16(), 400, "{body}: {}", answer.text);
        }
        assert_eq!(okta.get(&path).await.body.get("title"), None);
        assert_eq!(
            (account_count(&test.app).await, last_event(&test).await),
            (1, before)
        );
    })
    .await;
}

#[tokio::test]
async fn no_identifier_of_another_connection_opens_anything() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let (okta, acme) = (Directory::of(&test, "okta").await, Directory::of(&test, "acme").await);
        let mut entra = Directory::of(&test, "entra").await;
        entra.base = "/scim/entra/v1".to_owned();
        let user = okta.hire("ida").await;
        let group = okta
            .post("/Groups", json!({ "displayName": "G", "members": [{ "value": user }] }))
            .await
            .expect(201)
            .id();
        let before = last_event(&test).await;
        // Another customer's directory, and another directory of the same customer.
        for other in [&acme, &entra] {
            let mut texts = Vec::new();
            for (real, made_up) in [
                (format!("/Users/{user}"), "/Users/acc_00000000000000000000000000000000"),
                (format!("/Groups/{group}"), "/Groups/grp_00000000000000000000000000000000"),
            ] {
                for path in [real.as_str(), made_up] {
                    let is_user = path.starts_with("/Users");
                    let body = if is_user {
                        json!({ "userName": "ida", "displayName": "x", "emails": [{ "value": "ida@acme.example" }] })
                    } else {
                        json!({ "displayName": "x" })
                    };
                    for answer in [
                        other.get(path).await,
                        other.put(path, body).await,
                        other
                            .patch(path, json!([{ "op": "replace", "path": "displayName", "value": "x" }]))
                            .await,
                        other.delete(path).await,
                    ] {
                        assert_eq!(answer.status.as_u16(), 404, "{path}: {}", answer.text);
                        texts.push((is_user, answer.text));
                    }
                }
            }
            // What exists elsewhere and what does not exist are answered alike.
            let (users, groups): (Vec<_>, Vec<_>) = texts.into_iter().partition(|(is_user, _)| *is_user);
            for kind in [users, groups] {
                assert!(kind.windows(2).all(|pair| pair[0].1 == pair[1].1), "{kind:?}");
            }
            for path in [
                "/Users".to_owned(),
                "/Groups".to_owned(),
                format!("/Users?filter=id%20eq%20%22{user}%22"),
                "/Users?filter=userName%20co%20%22ida%22".to_owned(),
                format!("/Groups?filter=members%20eq%20%22{user}%22"),
                format!("/Users?filter=groups.value%20eq%20%22{group}%22"),
            ] {
                let listed = other.get(&path).await.expect(200);
                assert_eq!(listed.body["totalResults"], 0, "{path}: {}", listed.text);
            }
        }
        assert_eq!(last_event(&test).await, before);
        assert_eq!(okta.get(&format!("/Users/{user}")).await.expect(200).id(), user);
        assert_eq!(okta.get(&format!("/Groups/{group}")).await.body["members"][0]["value"], json!(user));
    })
    .await;
}

#[tokio::test]
async fn no_part_of_a_token_reaches_the_database_or_an_answer() {
    let test = TestApp::start().await;
    lab::fill(&test.app).await;
    let token = lab::token(&test.app, "okta").await;
    let (_, client_secret) = lab::made(&test.app, "okta", "client", true).await;
    let okta = Directory::with(&test, "okta", &token);
    okta.get(&format!("/Users?access_token={token}"))
        .await
        .expect(200);
    let mut body = person("ida");
    body["password"] = json!("hunter-2-hunter-2");
    body["apiToken"] = json!("attribute-secret-77");
    okta.post("/Users", body).await.expect(201);
    let wrong = Directory::with(&test, "okta", "pvt_wrong-wrong-wrong-wrong");
    let answer = wrong.get("/Users").await.refused(401, None);
    assert!(!answer.text.contains("wrong-wrong"));
    provost::flow::scim::log::flush(&test.app).await;
    let logged: Result<Vec<provost_store::ScimRequest>, provost_store::StoreError> = test
        .app
        .store
        .read(|reader| {
            Box::pin(async move {
                reader
                    .scim_requests(&provost_store::ScimRequestFilter::default(), 10)
                    .await
            })
        })
        .await;
    let logged = logged.unwrap();
    assert_eq!(logged.len(), 3);
    test.app.store.close().await;
    let mut read = 0;
    for entry in std::fs::read_dir(test.folder()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        read += bytes.len();
        for secret in [
            token.as_str(),
            client_secret.as_str(),
            "hunter-2-hunter-2",
            "pvt_wrong-wrong",
        ] {
            let found = bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is in the database");
        }
    }
    assert!(read > 10_000);
    // The attribute is the customer's data and is kept; its value is not in the log.
    let whole = format!("{logged:?}");
    assert!(
        whole.contains("apiToken") && !whole.contains("attribute-secret-77"),
        "{whole}"
    );
}

#[tokio::test]
async fn headers_cannot_be_injected_through_identifiers() {
    let test = TestApp::start().await;
    lab::fill(&test.app).await;
    let okta = Directory::of(&test, "okta").await;
    let answer = okta
        .get("/Users/a%0d%0aSet-Cookie:%20x=y")
        .await
        .refused(404, None);
    assert_eq!(answer.header("set-cookie"), None);
    let mut body = person("ida");
    body["externalId"] = json!("x\r\nSet-Cookie: a=b");
    let answer = okta.post("/Users", body).await;
    assert_eq!(answer.header("set-cookie"), None);
    assert!(answer.status.as_u16() == 201 || answer.status.as_u16() == 400);
}
