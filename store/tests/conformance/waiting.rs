//! What the OpenID provider keeps besides codes and tokens: waiting requests, and apps to be told of ended sessions.

use provost_store::{StoreError, WaitingRequest};
use serde_json::json;

use crate::races::{code, refresh};
use crate::support::*;

fn request(id: &str) -> WaitingRequest {
    WaitingRequest {
        id: id.to_owned(),
        client_id: "sample-app".to_owned(),
        parameters: "client_id=sample-app&state=a%26b".to_owned(),
        asked_at: at(100),
        expires_at: at(1900),
        returns: 0,
    }
}

conformance! {
    async fn a_request_waits_until_it_is_taken_or_too_old(store, _) {
        store
            .write(|tx| {
                Box::pin(async move {
                    tx.put_waiting_request(&request("w1"));
                    assert_eq!(tx.waiting_request("w1", at(1899)).await?, Some(request("w1")));
                    assert_eq!(tx.waiting_request("w1", at(1900)).await?, None);
                    assert_eq!(tx.waiting_request("w2", at(100)).await?, None);
                    tx.count_return("w1").await?;
                    tx.count_return("w1").await?;
                    assert_eq!(tx.waiting_request("w1", at(100)).await?.unwrap().returns, 2);
                    tx.forget_waiting_request("w1");
                    assert_eq!(tx.waiting_request("w1", at(100)).await?, None);
                    Ok::<_, StoreError>(())
                })
            })
            .await
            .unwrap();
    }

    async fn apps_of_a_revoked_session_are_found_until_they_are_told(store, _) {
        signed_in(&store).await;
        store
            .write(|tx| {
                Box::pin(async move {
                    tx.add_session_client(&"s1".into(), "b", at(101));
                    tx.add_session_client(&"s1".into(), "a", at(102));
                    tx.add_session_client(&"s1".into(), "a", at(103));
                    assert_eq!(tx.untold_clients(at(0), 10).await?, [], "it still lives");
                    tx.revoke_session(&"s1".into(), "signed_out", at(200)).await?;
                    let found = tx.untold_clients(at(0), 10).await?;
                    let clients: Vec<&str> = found.iter().map(|one| one.client_id.as_str()).collect();
                    assert_eq!(clients, ["a", "b"]);
                    assert!(found.iter().all(|one| one.session.as_str() == "s1"));
                    assert_eq!(tx.untold_clients(at(0), 1).await?.len(), 1);
                    assert_eq!(tx.untold_clients(at(200), 10).await?, [], "ended before that");
                    assert!(tx.mark_client_told(&"s1".into(), "a", at(201)).await?);
                    assert!(!tx.mark_client_told(&"s1".into(), "a", at(202)).await?, "by one node only");
                    assert_eq!(tx.untold_clients(at(0), 10).await?.len(), 1);
                    Ok::<_, StoreError>(())
                })
            })
            .await
            .unwrap();
    }

    async fn a_family_is_revoked_by_its_code_or_by_its_tokens(store, _) {
        signed_in(&store).await;
        store
            .write(|tx| {
                Box::pin(async move {
                    let mut lone = code("c1");
                    lone.family = "lone".to_owned();
                    tx.put_code(&lone, at(100))?;
                    tx.insert_refresh_token(&refresh("r1"), at(100)).await?;
                    for family in ["lone", "f1", "unknown"] {
                        tx.lock_token_family(family).await?;
                        assert!(!tx.is_family_revoked(family).await?, "{family}");
                    }
                    tx.set_refresh_token_data("r1", &json!({ "repeated": true })).await?;
                    assert_eq!(tx.refresh_token("r1").await?.unwrap().data, json!({ "repeated": true }));
                    tx.revoke_token_family("lone", at(110)).await?;
                    tx.revoke_token_family("f1", at(110)).await?;
                    assert!(tx.is_family_revoked("lone").await? && tx.is_family_revoked("f1").await?);
                    Ok::<_, StoreError>(())
                })
            })
            .await
            .unwrap();
    }
}
