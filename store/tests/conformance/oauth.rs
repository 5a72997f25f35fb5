//! What our OpenID provider keeps: codes, refresh tokens, signing keys, applications.

use std::collections::BTreeSet;

use provost_store::{ApplicationRecord, CodeUse, KeyState, Rotation, SigningKey, StoreError, TokenRecord};
use serde_json::json;
use zeroize::Zeroizing;

use crate::races::{at_once_on, code, refresh};
use crate::support::*;

conformance! {
    async fn a_code_is_used_once_and_only_in_time(store, _) {
        signed_in(&store).await;
        store
            .write(|tx| {
                Box::pin(async move {
                    tx.put_code(&code("c1"), at(100))?;
                    tx.put_code(&code("c2"), at(100))?;
                    let used = tx.consume_code("c1", at(110)).await?;
                    assert!(matches!(used, CodeUse::Fresh(found, Some(_)) if found == code("c1")));
                    assert_eq!(tx.consume_code("c1", at(110)).await?, CodeUse::Reused(code("c1")));
                    assert_eq!(tx.consume_code("c2", at(160)).await?, CodeUse::Invalid);
                    assert_eq!(tx.consume_code("c3", at(110)).await?, CodeUse::Invalid);
                    Ok::<_, StoreError>(())
                })
            })
            .await
            .unwrap();
    }

    async fn refresh_tokens_rotate_within_the_family_and_a_reuse_can_end_it(store, _) {
        signed_in(&store).await;
        store
            .write(|tx| {
                Box::pin(async move {
                    tx.insert_refresh_token(&refresh("r1"), at(100)).await?;
                    let other = tx.rotate_refresh_token("r1", "other-app", "x", at(2000), at(110)).await?;
                    assert_eq!(other, Rotation::Invalid, "bound to its client");
                    let rotated = tx.rotate_refresh_token("r1", "sample-app", "r2", at(9000), at(110)).await?;
                    assert_eq!(rotated, Rotation::Rotated(refresh("r1")));
                    let next = tx.refresh_token("r2").await?.unwrap();
                    assert_eq!((next.generation, next.family.as_str()), (2, "f1"));
                    assert_eq!(next.expires_at, at(5000), "never beyond the family");
                    let reused = tx.rotate_refresh_token("r1", "sample-app", "r3", at(9000), at(120)).await?;
                    let Rotation::Reused(old) = reused else { panic!("{reused:?}") };
                    assert_eq!(old.replaced_by.as_deref(), Some("r2"));
                    assert_eq!(tx.revoke_token_family(&old.family, at(120)).await?, 2);
                    let after = tx.rotate_refresh_token("r2", "sample-app", "r3", at(9000), at(130)).await?;
                    assert_eq!(after, Rotation::Invalid);
                    assert_eq!(tx.refresh_token("r3").await?, None);
                    let mut expired = refresh("e1");
                    expired.family = "f2".to_owned();
                    tx.insert_refresh_token(&expired, at(100)).await?;
                    let late = tx.rotate_refresh_token("e1", "sample-app", "e2", at(9000), at(1000)).await?;
                    assert_eq!(late, Rotation::Invalid);
                    assert_eq!(tx.revoke_tokens_of_session(&"s1".into(), at(140)).await?, 1);
                    Ok::<_, StoreError>(())
                })
            })
            .await
            .unwrap();
    }

    async fn nothing_is_issued_for_a_revoked_session(store, _) {
        signed_in(&store).await;
        store.write(|tx| Box::pin(async move { tx.revoke_session(&"s1".into(), "logout", at(100)).await })).await.unwrap();
        let put = store.write(|tx| Box::pin(async move { tx.put_code(&code("c1"), at(101)) })).await;
        assert_eq!(put.unwrap_err().to_string(), "the write conflicts with session_revoked");
        let put = store.write(|tx| Box::pin(async move { tx.insert_refresh_token(&refresh("r1"), at(101)).await })).await;
        assert_eq!(put.unwrap_err().to_string(), "the write conflicts with session_revoked");
    }

    async fn signing_keys_move_through_their_states(store, _) {
        let key = |kid: &str| SigningKey {
            kid: kid.to_owned(),
            algorithm: "ES256".to_owned(),
            private_key: Zeroizing::new(vec![1, 2, 3]),
            public_jwk: json!({"kty": "EC", "kid": kid}),
            state: KeyState::Next,
            not_before: at(0),
            not_after: None,
        };
        let keys = store
            .write(move |tx| {
                Box::pin(async move {
                    tx.insert_signing_key(&key("k1"), at(1)).await?;
                    tx.insert_signing_key(&key("k2"), at(2)).await?;
                    assert!(tx.set_signing_key_state("k1", KeyState::Retiring, Some(at(99))).await?);
                    assert!(!tx.set_signing_key_state("k9", KeyState::Current, None).await?);
                    let keys = tx.signing_keys().await?;
                    assert!(tx.delete_signing_key("k1").await?);
                    assert_eq!(tx.signing_keys().await?.len(), 1);
                    assert_eq!(tx.revision("signing_keys").await?, 5);
                    Ok::<_, StoreError>(keys)
                })
            })
            .await
            .unwrap();
        let first = SigningKey { state: KeyState::Retiring, not_after: Some(at(99)), ..key("k1") };
        assert_eq!(keys, [first, key("k2")]);
    }

    async fn an_application_is_read_back_and_unchanged_writes_count_nothing(store, _) {
        seed(&store).await;
        let application = ApplicationRecord {
            client_id: "sample-app".to_owned(),
            secret_digest: Some("d".to_owned()),
            config: json!({"redirect_uris": ["https://app/callback"]}),
            organizations: Some(vec!["other".into(), org()]),
            version: 0,
        };
        let all = ApplicationRecord { client_id: "z".to_owned(), organizations: None, ..application.clone() };
        let (stored, list) = store
            .write({
                let (application, all) = (application.clone(), all.clone());
                move |tx| {
                    Box::pin(async move {
                        assert_eq!(tx.put_application(&application, at(1)).await?, 1);
                        assert_eq!(tx.put_application(&application, at(2)).await?, 1);
                        assert_eq!(tx.put_application(&all, at(2)).await?, 1);
                        let changed = ApplicationRecord { secret_digest: None, ..application };
                        assert_eq!(tx.put_application(&changed, at(3)).await?, 2);
                        let list = tx.applications().await?;
                        assert!(tx.delete_application("z").await?);
                        Ok::<_, StoreError>((tx.application("sample-app").await?.unwrap(), list))
                    })
                }
            })
            .await
            .unwrap();
        let organizations = Some(vec![org(), "other".into()]);
        assert_eq!(stored, ApplicationRecord { secret_digest: None, organizations, version: 2, ..application });
        assert_eq!(list, [stored, ApplicationRecord { version: 1, ..all }]);
    }

    async fn an_application_that_many_change_at_once_keeps_every_change(store, _) {
        seed(&store).await;
        let first = ApplicationRecord {
            client_id: "sample-app".to_owned(),
            secret_digest: None,
            config: json!({ "redirect_uris": [] }),
            organizations: None,
            version: 0,
        };
        store.write(|tx| Box::pin(async move { tx.put_application(&first, at(1)).await })).await.unwrap();
        let versions = at_once_on(&store, 8, |store, number| async move {
            let changed = store.write(move |tx| {
                Box::pin(async move {
                    let mut present = tx.application_to_change("sample-app").await?.unwrap();
                    let uris = present.config["redirect_uris"].as_array_mut().unwrap();
                    uris.push(json!(format!("https://app/{number}")));
                    tx.put_application(&present, at(2)).await
                })
            });
            changed.await.unwrap()
        })
        .await;
        let last = store.read(|reader| Box::pin(async move { reader.application("sample-app").await })).await;
        assert_eq!(last.unwrap().unwrap().config["redirect_uris"].as_array().unwrap().len(), 8);
        let versions: BTreeSet<i64> = versions.into_iter().collect();
        assert_eq!(versions, (2..=9).collect());
    }

    async fn what_is_made_with_a_client_at_the_moment_it_is_revoked_is_revoked_too(store, _) {
        seed(&store).await;
        for round in 0..10 {
            let client = format!("client{round}");
            store.write({
                let client = client.clone();
                move |tx| Box::pin(async move { tx.insert_token(&made_with("oauth", &client, &client), &client).await })
            }).await.unwrap();
            let id = client.clone();
            at_once_on(&store, 2, move |store, number| {
                let id = id.clone();
                async move {
                    let raced = store
                        .write(move |tx| {
                            Box::pin(async move {
                                if number == 0 {
                                    let present = tx.token_to_use(&id).await?.unwrap();
                                    if present.revoked_at.is_none() {
                                        let child = format!("{id}-child");
                                        tx.insert_token(&made_with("access", &child, &id), &child).await?;
                                    }
                                } else {
                                    tx.revoke_token(&id, at(2)).await?;
                                    tx.revoke_tokens_labeled("access", &id, at(2)).await?;
                                }
                                Ok::<_, StoreError>(())
                            })
                        })
                        .await;
                    raced.unwrap();
                }
            })
            .await;
            let child = store
                .read(move |reader| {
                    Box::pin(async move { reader.token_by_digest(&format!("{client}-child"), at(3)).await })
                })
                .await;
            assert_eq!(child.unwrap(), None, "round {round}");
        }
    }
}

fn made_with(kind: &str, id: &str, label: &str) -> TokenRecord {
    TokenRecord {
        id: id.to_owned(),
        kind: kind.to_owned(),
        label: label.to_owned(),
        connection: None,
        organization: None,
        scopes: Vec::new(),
        created_at: at(1),
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
        made_by: None,
    }
}
