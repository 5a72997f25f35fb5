//! The event feed and the audit log.

use provost_kernel::plan::Change;
use provost_store::{NewEvent, StoreError};
use serde_json::json;

use crate::support::*;

fn event(kind: &str, organization: Option<&str>) -> NewEvent {
    NewEvent {
        at: at(5),
        kind: kind.to_owned(),
        actor: "system".to_owned(),
        account: Some("ada".into()),
        organization: organization.map(Into::into),
        connection: Some(okta()),
        trace: Some("t1".into()),
        data: json!({"b": 1, "a": [1.5, "x"], "ä": null}),
    }
}

conformance! {
    async fn events_come_in_order_with_stable_ids_and_follow_a_cursor(store, _) {
        seed(&store).await;
        let changes = vec![
            create(account("ada")),
            Change::Link { account: "ada".into(), link: link("S-1") },
            Change::AddMembership { account: "ada".into(), membership: membership(None) },
        ];
        let mut first = decision("t1", "ada", changes);
        first.plan.session = Some(open_session("s1", "ada"));
        apply(&store, first).await.unwrap();
        let read = |after, limit| {
            let store = store.clone();
            async move { store.read(|reader| Box::pin(async move { reader.events(after, limit).await })).await.unwrap() }
        };
        let events = read(0, 100).await;
        let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
        assert_eq!(kinds, ["user.created", "user.linked", "membership.created", "session.created"]);
        assert_eq!(events.iter().map(|event| event.sequence).collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert_eq!(events[2].organization, Some(org()));
        assert_eq!(events[0].trace, Some("t1".into()));
        assert_eq!(read(2, 1).await, [events[2].clone()]);
        assert_eq!(read(4, 10).await, []);
        assert_eq!(store.read(|reader| Box::pin(async move { reader.last_event().await })).await.unwrap(), 4);
        assert!(!serde_json::to_string(&events[3].data).unwrap().contains("digest"), "no session digest in the feed");
    }

    async fn a_transaction_may_write_more_than_one_statement_can_hold(store, _) {
        store
            .write(|tx| {
                Box::pin(async move {
                    (0..9_000).for_each(|number| tx.record(event(&format!("x.{number}"), Some("a"))));
                    Ok::<_, StoreError>(())
                })
            })
            .await
            .unwrap();
        let events = store.read(|reader| Box::pin(reader.events(8_998, 10))).await.unwrap();
        let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
        assert_eq!(kinds, ["x.8998", "x.8999"]);
    }

    async fn each_organization_has_an_audit_chain_of_its_own(store, _) {
        store
            .write(|tx| {
                Box::pin(async move {
                    for number in 0..70 {
                        tx.record(event(&format!("x.{number}"), [None, Some("a"), Some("b")][number % 3]));
                    }
                    Ok::<_, StoreError>(())
                })
            })
            .await
            .unwrap();
        store.write(|tx| Box::pin(async move { tx.record(event("last", Some("a"))); Ok::<_, StoreError>(()) })).await.unwrap();
        let (a, instance) = store
            .read(|reader| {
                Box::pin(async move {
                    let a = reader.audit(Some(&"a".into()), None, 100).await?;
                    assert_eq!(reader.verify_audit(Some(&"a".into())).await?, 24);
                    assert_eq!(reader.verify_audit(Some(&"b".into())).await?, 23);
                    assert_eq!(reader.verify_audit(Some(&"nobody".into())).await?, 0);
                    Ok::<_, StoreError>((a, reader.audit(None, Some(3), 100).await?))
                })
            })
            .await
            .unwrap();
        assert_eq!(a.len(), 24);
        assert_eq!((a[0].sequence, a[0].event.clone()), (24, event("last", Some("a"))));
        assert_eq!(a[0].previous_hash, a[1].hash);
        assert_eq!(instance.iter().map(|row| row.sequence).collect::<Vec<_>>(), [2, 1]);
    }

    async fn a_failed_job_leaves_no_event_and_no_gap(store, _) {
        for fails in [false, true, false] {
            let outcome = store
                .write(move |tx| {
                    Box::pin(async move {
                        tx.record(event("x", None));
                        if fails { Err(StoreError::Refused("x")) } else { Ok(()) }
                    })
                })
                .await;
            assert_eq!(outcome.is_err(), fails);
        }
        let events = store.read(|reader| Box::pin(async move { reader.events(0, 10).await })).await.unwrap();
        assert_eq!(events.iter().map(|event| event.sequence).collect::<Vec<_>>(), [1, 2]);
    }

    async fn tampering_with_the_audit_log_is_detected(store, database) {
        let write = || {
            store.write(|tx| {
                Box::pin(async move {
                    for _ in 0..5 {
                        tx.record(event("x", Some("a")));
                    }
                    Ok::<_, StoreError>(())
                })
            })
        };
        let verify = || store.read(|reader| Box::pin(async move { reader.verify_audit(Some(&"a".into())).await }));
        write().await.unwrap();
        assert_eq!(verify().await.unwrap(), 5);
        for (tamper, undo) in [
            ("UPDATE audit SET kind = 'y' WHERE sequence = 3", "UPDATE audit SET kind = 'x' WHERE sequence = 3"),
            ("UPDATE audit SET sequence = 30 WHERE sequence = 3", "UPDATE audit SET sequence = 3 WHERE sequence = 30"),
            ("UPDATE audit SET organization = 'z' WHERE sequence = 5", "UPDATE audit SET organization = 'a' WHERE sequence = 5"),
            ("UPDATE audit SET data = '{}' WHERE sequence = 1", ""),
        ] {
            database.execute(tamper).await;
            assert_eq!(verify().await.unwrap_err().code(), "corrupt", "{tamper}");
            if !undo.is_empty() {
                database.execute(undo).await;
                assert_eq!(verify().await.unwrap(), 5);
            }
        }
    }
}
