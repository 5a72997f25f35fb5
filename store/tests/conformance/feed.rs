//! The event feed and the audit log.

use provost_kernel::directory::{Membership, Origin, Status};
use provost_kernel::id::OrganizationId;
use provost_kernel::plan::{Change, ProfilePatch};
use provost_store::{AuditFilter, AuditOrder, AuditRow, NewEvent, Store, StoreError};
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

/// A chain from its beginning, which was verified.
async fn chain(store: &Store, organization: Option<&str>) -> Vec<AuditRow> {
    let organization = organization.map(OrganizationId::new);
    let rows = store
        .snapshot(move |reader| {
            Box::pin(async move {
                let filter = AuditFilter {
                    organization,
                    ..AuditFilter::default()
                };
                let rows = reader.audit_where(&filter, AuditOrder::After(0), 500).await?;
                let count = reader.verify_audit(filter.organization.as_ref()).await?;
                assert_eq!(usize::try_from(count).unwrap(), rows.len());
                Ok::<_, StoreError>(rows)
            })
        })
        .await
        .unwrap();
    assert!(
        rows.iter().zip(1..).all(|(row, place)| row.sequence == place),
        "no gaps"
    );
    rows
}

fn kinds(rows: &[AuditRow]) -> Vec<&str> {
    rows.iter().map(|row| row.event.kind.as_str()).collect()
}

/// Ada, who becomes a member of these organizations; the first owns the connection through which she comes.
async fn ada(store: &Store, organizations: &[&str]) {
    seed(store).await;
    let joins = organizations.iter().map(|organization| Change::AddMembership {
        account: "ada".into(),
        membership: Membership {
            organization: (*organization).into(),
            roles: Vec::new(),
            workspaces: Vec::new(),
            ..membership(None)
        },
    });
    let changes = std::iter::once(create(account("ada"))).chain(joins).collect();
    apply(store, decision("t1", "ada", changes)).await.unwrap();
}

/// A change of her profile: her name, which everybody sees, and what only the directory says.
fn renamed() -> Change {
    let patch = |name: &str, external: &str| ProfilePatch {
        given_name: Some(Some(name.to_owned())),
        external_id: Some(Some(external.to_owned())),
        attributes: Some(json!({ "cost_center": external }).as_object().cloned().unwrap()),
        ..ProfilePatch::default()
    };
    Change::UpdateProfile {
        account: "ada".into(),
        version: 1,
        set: patch("Augusta", "payroll-2"),
        before: patch("Ada", "payroll-1"),
    }
}

conformance! {
    async fn r189_what_happens_to_a_person_stands_in_the_log_of_her_organization_too(store, _) {
        ada(&store, &["home-lab"]).await;
        let mut second = decision("t2", "ada", vec![Change::Link { account: "ada".into(), link: link("S-1") }, renamed()]);
        second.plan.session = Some(open_session("s1", "ada"));
        apply(&store, second).await.unwrap();
        let own = chain(&store, Some("home-lab")).await;
        let expected = ["user.created", "membership.created", "user.linked", "user.updated", "session.created"];
        assert_eq!(kinds(&own), expected);
        let instance = chain(&store, None).await;
        assert_eq!(kinds(&instance), ["user.created", "user.linked", "user.updated", "session.created"]);
        // The same row but for the chain: who, through what, before, after, why.
        let mut updated = own[3].event.clone();
        assert_eq!(updated.organization, Some(org()));
        updated.organization = None;
        assert_eq!(updated, instance[2].event);
        assert_eq!(updated.data["after"]["external_id"], "payroll-2");
        assert_eq!(chain(&store, Some("other")).await, [], "it concerns nobody else");
        // Whoever reads the feed hears of it once.
        let feed = store.read(|reader| Box::pin(reader.events(0, 100))).await.unwrap();
        assert_eq!(feed.len(), expected.len());
        // The list of what happened shows sign-ins as attempts already.
        let rows = store
            .read(|reader| {
                Box::pin(async move {
                    let filter = AuditFilter { organization: Some(org()), without_attempts: true, ..AuditFilter::default() };
                    reader.audit_where(&filter, AuditOrder::Before(None), 100).await
                })
            })
            .await
            .unwrap();
        assert_eq!(kinds(&rows), ["user.updated", "user.linked", "membership.created", "user.created"]);
    }

    async fn r189_another_organization_of_the_same_person_reads_no_facts_of_the_first(store, _) {
        ada(&store, &["home-lab", "other"]).await;
        let deactivated = Change::SetStatus {
            account: "ada".into(),
            version: 2,
            from: Status::Active,
            to: Status::Deactivated,
            origin: Origin::Scim,
        };
        let mut second = decision(
            "t2",
            "ada",
            vec![Change::Link { account: "ada".into(), link: link("S-secret") }, renamed()],
        );
        second.plan.session = Some(open_session("s1", "ada"));
        apply(&store, second).await.unwrap();
        apply(&store, decision("t3", "ada", vec![deactivated])).await.unwrap();
        let first = chain(&store, Some("home-lab")).await;
        assert_eq!(
            kinds(&first),
            ["user.created", "membership.created", "user.linked", "user.updated", "session.created", "user.deactivated"]
        );
        let other = chain(&store, Some("other")).await;
        assert_eq!(kinds(&other), ["membership.created", "user.updated", "user.deactivated"]);
        for row in &other[1..] {
            assert_eq!((&row.event.connection, &row.event.trace), (&None, &None));
        }
        assert_eq!(other[1].event.data, json!({ "before": { "given_name": "Ada" }, "after": { "given_name": "Augusta" } }));
        assert_eq!(other[2].event.data, json!({ "from": "active", "to": "deactivated" }));
        let text = format!("{:?}", &other[1..]);
        for foreign in [okta().as_str(), "payroll", "S-secret", "t2", "t3"] {
            assert!(!text.contains(foreign), "{foreign} in {text}");
        }
        // The feed and the webhooks of the other organization, likewise; and whole to the first.
        let feed_of = |own: OrganizationId| {
            let store = store.clone();
            async move {
                store
                    .read(|reader| {
                        Box::pin(async move {
                            let (events, _) = reader.events_of(&own, 0, 100, 100).await?;
                            for event in &events {
                                assert_eq!(reader.event_at(event.sequence, Some(&own)).await?.as_ref(), Some(event));
                            }
                            Ok::<_, StoreError>(events)
                        })
                    })
                    .await
                    .unwrap()
            }
        };
        let other: Vec<_> = feed_of("other".into()).await.into_iter().filter(|event| event.organization.is_none()).collect();
        let told: Vec<_> = other.iter().map(|event| event.kind.as_str()).collect();
        assert_eq!(told, ["user.created", "user.linked", "user.updated", "session.created", "user.deactivated"]);
        let text = format!("{other:?}");
        for foreign in [okta().as_str(), "payroll", "S-secret", "t2", "t3"] {
            assert!(!text.contains(foreign), "{foreign} in {text}");
        }
        let whole = feed_of(org()).await;
        assert!(whole.iter().any(|event| event.data.to_string().contains("payroll")), "{whole:?}");
        assert!(whole.iter().any(|event| event.connection == Some(okta())));
    }

    async fn r189_an_admins_doing_is_told_whole_to_her_own_organization_alone(store, _) {
        ada(&store, &["home-lab", "other"]).await;
        let by = |actor: &str| NewEvent { actor: actor.to_owned(), ..event("user.suspended", None) };
        let (own, operator) = (by("admin:bob@other"), by("operator:olga"));
        let herself = NewEvent { connection: None, ..by("person") };
        store
            .write(move |tx| {
                Box::pin(async move {
                    for event in [own, operator, herself] {
                        tx.record(event);
                    }
                    Ok::<_, StoreError>(())
                })
            })
            .await
            .unwrap();
        let actors = |rows: Vec<AuditRow>| {
            let rows = rows.into_iter().filter(|row| row.event.kind == "user.suspended");
            rows.map(|row| row.event.actor).collect::<Vec<_>>()
        };
        assert_eq!(actors(chain(&store, Some("other")).await), ["admin:bob@other", "operator", "person"]);
        // The second came through the connection of the first organization.
        assert_eq!(actors(chain(&store, Some("home-lab")).await), ["admin", "operator:olga", "person"]);
    }

    async fn r189_who_leaves_and_what_ends_with_it_is_read_by_the_organization_that_was_left(store, _) {
        ada(&store, &["home-lab"]).await;
        let left = Change::RemoveMembership {
            account: "ada".into(),
            organization: org(),
            version: 1,
            before: Box::new(membership(None)),
        };
        let ended = Change::RevokeSessions { account: "ada".into(), reason: "left".to_owned() };
        apply(&store, decision("t2", "ada", vec![left, ended])).await.unwrap();
        let own = chain(&store, Some("home-lab")).await;
        assert_eq!(kinds(&own), ["user.created", "membership.created", "membership.removed", "session.revoked"]);
        // Afterwards it is nobody's business there.
        apply(&store, decision("t3", "ada", vec![renamed()])).await.unwrap();
        assert_eq!(chain(&store, Some("home-lab")).await.len(), 4);
        assert_eq!(kinds(&chain(&store, None).await).last(), Some(&"user.updated"));
    }

    async fn r189_what_a_directory_does_with_its_groups_is_read_by_the_owner_of_the_connection(store, _) {
        seed(&store).await;
        let nobody = |connection: Option<provost_kernel::id::ConnectionId>| NewEvent {
            account: None,
            connection,
            ..event("group.created", None)
        };
        let (owned, unknown, none) = (nobody(Some(okta())), nobody(Some("gone".into())), nobody(None));
        store
            .write(move |tx| {
                Box::pin(async move {
                    for event in [owned, unknown, none] {
                        tx.record(event);
                    }
                    Ok::<_, StoreError>(())
                })
            })
            .await
            .unwrap();
        assert_eq!(kinds(&chain(&store, Some("home-lab")).await), ["group.created"]);
        assert_eq!(chain(&store, Some("other")).await, [], "a connection that is shared is somebody else's");
        assert_eq!(chain(&store, None).await.len(), 3);
    }

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

    /// PostgreSQL makes the hashes of a chain itself, over the same text as this program.
    async fn any_text_is_chained_as_it_was_written(store, _) {
        let odd = |kind: &str| NewEvent {
            actor: "account:\u{1f980} \"quoted\" \\ back".to_owned(),
            connection: None,
            trace: None,
            data: json!({"nul": "a\u{0}b", "line": "\n\t\r", "escape": "\\u0041", "deep": [[{"\u{e4}": 1e300}]], "big": i64::MAX}),
            ..event(kind, Some("a"))
        };
        let noted = [odd("x"), NewEvent { account: None, ..odd("") }, odd("z")];
        let written = noted.clone();
        store
            .write(move |tx| {
                Box::pin(async move {
                    for event in written {
                        tx.record(event);
                    }
                    Ok::<_, StoreError>(())
                })
            })
            .await
            .unwrap();
        let rows = chain(&store, Some("a")).await;
        assert_eq!(rows.into_iter().map(|row| row.event).collect::<Vec<_>>(), noted);
        let events = store.read(|reader| Box::pin(reader.events(0, 10))).await.unwrap();
        assert_eq!(events.iter().map(|event| event.data.clone()).collect::<Vec<_>>(), noted.map(|event| event.data));
        assert_eq!(events[2].id, "evt_0000000000000003");
    }

    /// What is only looked up begins no transaction, and what is queued after that is all of it, so that no row is locked while
    /// an answer travels.
    async fn a_job_that_looks_and_then_queues_is_never_between_two_rounds(store, database) {
        seed(&store).await;
        let count = || store.rounds();
        let before = count();
        let looks = store.write(|tx| Box::pin(async move { tx.last_event().await }));
        looks.await.unwrap();
        let of_looking = count() - before;
        let before = count();
        let whole = store.write(|tx| {
            Box::pin(async move {
                tx.last_event().await?;
                let changes = vec![create(account("ada")), Change::AddMembership { account: "ada".into(), membership: membership(None) }];
                tx.apply(&decision("t1", "ada", changes), &provost_kernel::provision::Actor::Person, at(5)).await
            })
        });
        whole.await.unwrap();
        if database.is_postgres() {
            assert_eq!((of_looking, count() - before), (1, 2));
        }
        let again = store.write(|tx| {
            Box::pin(async move {
                let changes = vec![create(account("ada"))];
                tx.apply(&decision("t2", "ada", changes), &provost_kernel::provision::Actor::Person, at(5)).await
            })
        });
        assert_eq!(again.await.unwrap_err().code(), "conflict", "found by the one statement");
        assert_eq!(chain(&store, None).await.len(), 1, "and nothing of it is kept");
        assert_eq!(chain(&store, Some("home-lab")).await.len(), 2);
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
