//! `/api/v1/connections/{connection}/policy`: trying policies on people without effect.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{ANN, CONNECTION, Client, ann, ann_signs_in, code, furnish};
use crate::app::on_each_engine;
use crate::directory::{ORGANIZATION, account_count};

const TEST: &str = "/api/v1/connections/okta/policy/test";
/// As an admin copies it from the tools of a browser; nobody signed it.
const ASSERTION: &str = r#"<a:Assertion xmlns:a="urn:oasis:names:tc:SAML:2.0:assertion" ID="_a" Version="2.0" IssueInstant="2001-01-01T00:00:00Z"><a:Issuer>https://stranger.example</a:Issuer><a:Subject><a:NameID>ann-1</a:NameID></a:Subject><a:AttributeStatement><a:Attribute Name="email"><a:AttributeValue>ann@home-lab.example</a:AttributeValue></a:Attribute><a:Attribute Name="groups"><a:AttributeValue>admin</a:AttributeValue></a:Attribute></a:AttributeStatement></a:Assertion>"#;

fn roles(answer: &Value) -> Vec<String> {
    answer["trace"]["steps"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|step| step["stage"] == "role")
        .map(|step| step["text"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn r186_a_past_sign_in_a_person_and_pasted_claims_are_tried_without_effect() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        let reference = client.get("/api/v1/traces").await.json()["items"][0]["reference"].clone();
        let events = client.get("/api/v1/events?limit=200").await.json();
        let edited = json!({ "policy": { "role": { "fixed": "Member" } } });
        for subject in [
            json!({ "trace": reference }),
            json!({ "account": ann(&app).await }),
            json!({ "claims": { "email": [ANN], "groups": ["admin"] }, "subject": "ann-1" }),
            json!({ "claims": { "email": ANN, "groups": "admin", "nameidentifier": "ann-1" } }),
            json!({ "saml": ASSERTION }),
        ] {
            let page = client.post(TEST, &subject).await;
            assert_eq!(page.status, StatusCode::OK, "{subject}: {}", page.body);
            let answer = page.json();
            assert_eq!(answer["policy"], "saved", "{subject}");
            assert_eq!(answer["verdict"], "admitted", "{subject}: {answer}");
            assert_eq!(answer["changes"], json!([]), "{subject}");
            let mut with_policy = subject.clone();
            with_policy["policies"] = edited.clone();
            let answer = client.post(TEST, &with_policy).await.json();
            assert_eq!(answer["policy"], "edited");
            assert_eq!(answer["changes"][0]["change"], "update_membership", "{answer}");
            assert!(
                roles(&answer).iter().any(|text| text.contains("Member")),
                "{answer}"
            );
        }
        // Nothing happened: no event, no trace, no account, the same role.
        assert_eq!(client.get("/api/v1/events?limit=200").await.json(), events);
        assert_eq!(
            client.get("/api/v1/traces").await.json()["items"]
                .as_array()
                .unwrap()
                .len(),
            1
        );
        assert_eq!(account_count(&app.app).await, 1);
        let account = client
            .get(&format!("/api/v1/accounts/{}", ann(&app).await))
            .await
            .json();
        assert_eq!(account["memberships"][0]["roles"][0]["id"], "admin", "{account}");
    })
    .await;
}

#[tokio::test]
async fn r186_a_stranger_is_tried_too_and_the_trace_says_what_was_meant() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        let body = json!({
            "claims": { "email": "new@home-lab.example", "groups": [ORGANIZATION] }, "subject": "new-1",
            "policies": { "policy": { "organization": "contains(groups, '{{orgId}}')", "role": { "expression": "'admin'" } } },
        });
        let answer = client.post(TEST, &body).await.json();
        assert_eq!(answer["verdict"], "no_organization", "{answer}");
        let story = answer["trace"]["sentence"].as_str().unwrap();
        for part in [
            "organization home-lab: rule `contains(groups, '{{orgId}}')` true, because groups has \"home-lab\"",
            "did you mean \"Admin\"?",
        ] {
            assert!(story.contains(part), "{part} in {story}");
        }
    })
    .await;
}

#[tokio::test]
async fn bad_requests_of_the_tester_are_told_apart() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        for (body, status, expected) in [
            (json!({}), 422, "invalid_subject"),
            (json!({ "trace": "A", "account": "B" }), 422, "invalid_subject"),
            (json!({ "claims": {}, "saml": ASSERTION }), 422, "invalid_subject"),
            (json!({ "saml": "<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><a>&e;</a>" }), 422, "invalid_subject"),
            (json!({ "saml": "{}" }), 422, "invalid_subject"),
            (json!({ "trace": "AAAA-BBBB-CCCC" }), 404, "not_found"),
            (json!({ "account": "acc_nobody" }), 404, "not_found"),
            (json!({ "clams": {} }), 400, "invalid_body"),
            (json!({ "claims": {}, "policies": { "policy": { "organization": "contians(groups, 'a')" } } }), 422, "invalid_policy"),
        ] {
            let page = client.post(TEST, &body).await;
            assert_eq!(page.status.as_u16(), status, "{body}: {}", page.body);
            assert_eq!(code(&page), expected, "{body}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_last_claims_are_replaced_and_never_appended() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        ann_signs_in(&app, &["staff"]).await;
        let account = ann(&app).await;
        let (last, count) = app
            .app
            .store
            .read(|reader| {
                Box::pin(async move {
                    let last = reader
                        .last_claims(&CONNECTION.into(), &account.as_str().into())
                        .await?;
                    Ok::<_, provost_store::StoreError>((
                        last,
                        reader.count_last_claims(&CONNECTION.into()).await?,
                    ))
                })
            })
            .await
            .unwrap();
        assert_eq!(last.unwrap().claims["claims"]["groups"], json!(["staff"]));
        assert_eq!(count, 1);
    })
    .await;
}
