//! `/api/v1/traces`: why somebody got in, by reference number.

use axum::http::{StatusCode, header};
use jiff::SignedDuration;

use super::{ANN, CONNECTION, Client, ann_signs_in, code, furnish};
use crate::app::on_each_engine;
use crate::directory::ORGANIZATION;
use crate::saml_idp::{Person, sign_in};

#[tokio::test]
async fn r185_each_attempt_is_found_by_its_number_as_json_and_as_text() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        let list = client.get("/api/v1/traces").await.json();
        let reference = list["items"][0]["reference"].as_str().unwrap();
        let path = format!("/api/v1/traces/{}", reference.to_lowercase());
        let trace = client.get(&path).await.json();
        assert_eq!(trace["verdict"], "admitted");
        assert_eq!(trace["connection"], CONNECTION);
        assert_eq!(trace["claims"]["claims"]["groups"], serde_json::json!(["admin"]));
        let texts: Vec<&str> = trace["steps"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|step| step["text"].as_str())
            .collect();
        assert!(texts.iter().any(|text| text.contains("Admin")), "{texts:?}");
        let mut reader = Client::new(&app, Some(ORGANIZATION))
            .await
            .header(header::ACCEPT, "text/plain");
        let text = reader.get(&path).await;
        assert_eq!(text.header("content-type"), Some("text/plain; charset=utf-8"));
        for line in texts {
            assert!(text.body.contains(line), "{line} in {}", text.body);
        }
    })
    .await;
}

#[tokio::test]
async fn traces_are_listed_newest_first_and_page_by_page() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        for _ in 0..4 {
            app.app.world.advance(SignedDuration::from_secs(1));
            ann_signs_in(&app, &["admin"]).await;
        }
        let mut client = Client::new(&app, None).await;
        let whole = client.get("/api/v1/traces").await.json();
        let whole = whole["items"].as_array().unwrap();
        assert_eq!(whole.len(), 5);
        let mut piecewise = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = client
                .get(&format!("/api/v1/traces?limit=2&connection={CONNECTION}{cursor}"))
                .await
                .json();
            piecewise.extend(page["items"].as_array().unwrap().clone());
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(&piecewise, whole);
        let page = client.get("/api/v1/traces?connection=nowhere").await;
        assert_eq!(code(&page), "not_found");
    })
    .await;
}

#[tokio::test]
async fn secrets_that_a_provider_sends_are_kept_nowhere() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let ann = Person::new("ann-1", ANN)
            .with("groups", &["admin"])
            .with("userPassword", &["hunter2-hunter2"])
            .with("note", &["eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"]);
        sign_in(&app.app, &mut app.browser(), CONNECTION, &ann).await;
        let mut client = Client::new(&app, None).await;
        let page = client.get("/api/v1/traces?limit=1").await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.body.contains("userPassword"), "{}", page.body);
        for secret in ["hunter2", "eyJhbGciOiJub25lIn0"] {
            assert!(!page.body.contains(secret), "{secret} in {}", page.body);
        }
        let account = super::ann(&app).await;
        let last = app
            .app
            .store
            .read(|reader| {
                Box::pin(async move {
                    reader
                        .last_claims(&CONNECTION.into(), &account.as_str().into())
                        .await
                })
            })
            .await
            .unwrap()
            .unwrap();
        assert!(!last.claims.to_string().contains("hunter2"), "{}", last.claims);
    })
    .await;
}
