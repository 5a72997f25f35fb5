//! Organizations, connections, tokens, invitations, traces, jobs and housekeeping.

use jiff::SignedDuration;
use provost_kernel::connection::{Connection, Scope};
use provost_kernel::directory::{AccountKind, License};
use provost_kernel::email::Email;
use provost_kernel::plan::Change;
use provost_store::{
    DomainRecord, Invitation, InvitationFilter, InvitationState, NewJob, Retention, SecretMap, Store,
    StoreError, TokenRecord, TraceFilter,
};
use serde_json::json;

use crate::races::code;
use crate::support::*;

fn domain(organization: &str, verified: bool) -> DomainRecord {
    DomainRecord {
        organization: organization.into(),
        name: "shared.example".to_owned(),
        token: Some("dns".to_owned()),
        verified_at: verified.then(|| at(1)),
        settings: json!({"auto": true}),
    }
}

fn job(id: &str, key: Option<&str>) -> NewJob {
    NewJob {
        id: id.to_owned(),
        kind: "mail".to_owned(),
        idempotency_key: key.map(str::to_owned),
        payload: json!({"to": "x"}),
        run_at: at(10),
    }
}

fn token(id: &str) -> TokenRecord {
    TokenRecord {
        id: id.to_owned(),
        kind: "scim".to_owned(),
        label: "okta".to_owned(),
        connection: Some(okta()),
        organization: None,
        made_by: None,
        scopes: vec!["read".to_owned()],
        created_at: at(0),
        expires_at: Some(at(1000)),
        last_used_at: None,
        revoked_at: None,
    }
}

/// Many invitations that were sent and are too late, and a few of each other state; the later the number, the later the end.
async fn invitations_of_each_state(store: &Store) {
    seed(store).await;
    let invitation = |number: i64, expires_at| Invitation {
        id: format!("i{number:04}"),
        organization: org(),
        email: Email::parse(&format!("p{number}@home-lab.example")).unwrap(),
        account: None,
        data: json!({}),
        created_by: None,
        created_at: at(0),
        expires_at,
        sent_at: Some(at(0)),
        skipped_at: None,
        opened_at: None,
        accepted_at: None,
        revoked_at: None,
        account_status: None,
    };
    store
        .write(move |tx| {
            Box::pin(async move {
                for number in 0..600 {
                    tx.insert_invitation(&invitation(number, at(number)), &format!("d{number}"))
                        .await?;
                }
                for number in 600..606 {
                    let skipped_at = (number >= 604).then(|| at(1));
                    let one = Invitation {
                        skipped_at,
                        ..invitation(number, at(10_000 + number))
                    };
                    tx.insert_invitation(&one, &format!("d{number}")).await?;
                }
                tx.open_invitation("i0601", at(1)).await?;
                // Opened, and then too late.
                tx.open_invitation("i0001", at(0)).await?;
                assert!(tx.accept_invitation("d602", at(2)).await?.is_some());
                assert!(tx.revoke_invitation("i0603", at(2)).await?);
                Ok::<_, StoreError>(())
            })
        })
        .await
        .unwrap();
}

conformance! {
    async fn what_an_organization_hands_out_is_replaced_as_a_whole_unless_in_use(store, _) {
        seed(&store).await;
        let join = Change::AddMembership { account: "ada".into(), membership: membership(Some(seat("standard", false))) };
        apply(&store, decision("t", "ada", vec![create(account("ada")), join])).await.unwrap();
        let outcome = |roles: Vec<provost_kernel::directory::Role>| {
            let store = store.clone();
            async move {
                store.write(move |tx| Box::pin(async move { tx.set_roles(&org(), &roles).await })).await
            }
        };
        let mut reversed = roles();
        reversed.reverse();
        outcome(reversed.clone()).await.unwrap();
        assert_eq!(store.read(|reader| Box::pin(async move { reader.roles(&org()).await })).await.unwrap(), reversed);
        outcome(vec![roles()[0].clone()]).await.unwrap();
        let error = outcome(vec![roles()[1].clone()]).await.unwrap_err();
        assert_eq!(error.to_string(), "the write conflicts with role_in_use");
        assert_eq!(store.read(|reader| Box::pin(async move { reader.roles(&org()).await })).await.unwrap(), [roles()[0].clone()]);
        let error = store.write(|tx| Box::pin(async move { tx.set_workspaces(&org(), &[]).await })).await.unwrap_err();
        assert_eq!(error.to_string(), "the write conflicts with workspace_in_use");
        let error = store.write(|tx| Box::pin(async move { tx.set_licenses(&org(), &[]).await })).await.unwrap_err();
        assert_eq!(error.to_string(), "the write conflicts with license_in_use");
        let fewer = [License { id: "standard".into(), seats: Some(0), kind: None }];
        store.write(move |tx| Box::pin(async move { tx.set_licenses(&org(), &fewer).await })).await.unwrap();
        for (kind, fits) in [(AccountKind::Reader, false), (AccountKind::User, true)] {
            let only = [License { id: "standard".into(), seats: Some(0), kind: Some(kind) }];
            let outcome = store.write(move |tx| Box::pin(async move { tx.set_licenses(&org(), &only).await })).await;
            let said = outcome.map_err(|error| error.to_string());
            assert_eq!(said, if fits { Ok(()) } else { Err("the write conflicts with license_of_other_kind".to_owned()) });
        }
        let error = store.write(|tx| Box::pin(async move { tx.delete_organization(&org()).await })).await.unwrap_err();
        assert_eq!(error.to_string(), "the write conflicts with organization_in_use");
        let gone = store.write(|tx| Box::pin(async move { tx.delete_organization(&"other".into()).await })).await;
        assert!(gone.unwrap());
    }

    async fn a_domain_is_verified_by_one_organization_at_a_time(store, _) {
        seed(&store).await;
        let put = |record: DomainRecord| {
            let store = store.clone();
            async move { store.write(move |tx| Box::pin(async move { tx.put_domain(&record, at(1)).await })).await }
        };
        put(domain("home-lab", false)).await.unwrap();
        put(domain("other", true)).await.unwrap();
        let error = put(domain("home-lab", true)).await.unwrap_err();
        assert_eq!(error.to_string(), "the write conflicts with domains_verified");
        let found = store.read(|reader| Box::pin(async move { reader.verified_domain("Shared.Example").await })).await;
        assert_eq!(found.unwrap(), Some(domain("other", true)));
        let forget = store.write(|tx| Box::pin(async move { tx.delete_domain(&"other".into(), "shared.example").await }));
        assert!(forget.await.unwrap());
        put(domain("home-lab", true)).await.unwrap();
        let list = store.read(|reader| Box::pin(async move { reader.domains(&org()).await })).await.unwrap();
        assert_eq!(list.len(), 2);
    }

    async fn connections_are_found_by_domain_only_within_their_reach(store, _) {
        seed(&store).await;
        let ids = |domain: &'static str| {
            let store = store.clone();
            async move {
                let found = store.read(|reader| Box::pin(async move { reader.connections_for_domain(domain).await })).await;
                found.unwrap().into_iter().map(|summary| summary.id.to_string()).collect::<Vec<_>>()
            }
        };
        assert_eq!(ids("HOME-lab.example").await, ["home-okta", "second"]);
        assert_eq!(ids("sub.home-lab.example").await, Vec::<String>::new());
        store
            .write(|tx| {
                Box::pin(async move {
                    // A stranger's connection that claims the domain, and one that is switched off.
                    let scope = Scope::Organization { organization: "other".into(), shared_with: Vec::new() };
                    let thief = Connection { scope, ..connection(&"thief".into()) };
                    tx.put_connection(&thief, &json!({}), &SecretMap::default(), "active", at(1)).await?;
                    let off = Connection { enabled: false, ..connection(&"second".into()) };
                    tx.put_connection(&off, &json!({}), &SecretMap::default(), "active", at(1)).await
                })
            })
            .await
            .unwrap();
        assert_eq!(ids("home-lab.example").await, ["home-okta"]);
        let other = store
            .read(|reader| Box::pin(async move { reader.connections_for_organization(&"other".into()).await }))
            .await
            .unwrap();
        let mut other: Vec<_> = other.into_iter().map(|summary| summary.id.to_string()).collect();
        other.sort();
        assert_eq!(other, ["home-okta", "second", "thief"], "its own and those shared with it");
    }

    async fn a_connection_counts_versions_and_tells_caches(store, _) {
        seed(&store).await;
        let put = |connection: Connection, secret: &'static str| {
            let store = store.clone();
            async move {
                store
                    .write(move |tx| {
                        Box::pin(async move {
                            let mut secrets = SecretMap::default();
                            secrets.set("client_secret", secret);
                            let config = json!({"issuer": "https://idp"});
                            let version = tx.put_connection(&connection, &config, &secrets, "active", at(9)).await?;
                            Ok::<_, StoreError>((version, tx.revision("connections").await?))
                        })
                    })
                    .await
                    .unwrap()
            }
        };
        let (version, revision) = put(connection(&okta()), "swordfish-in-clear-text").await;
        assert_eq!(version, 1, "nothing changed");
        assert_eq!(put(connection(&okta()), "another").await, (2, revision + 1));
        let (record, pages) = store
            .read(|reader| {
                Box::pin(async move {
                    let pages = (reader.connections(None, 1).await?, reader.connections(Some(&okta()), 9).await?);
                    Ok::<_, StoreError>((reader.connection(&okta()).await?.unwrap(), pages))
                })
            })
            .await
            .unwrap();
        assert_eq!(record.connection, Connection { version: 2, ..connection(&okta()) });
        assert_eq!((record.secrets.get("client_secret"), record.status.as_str()), (Some("another"), "active"));
        assert_eq!((record.created_at, record.updated_at), (at(0), at(9)));
        assert_eq!((pages.0[0].connection.id.as_str(), pages.1[0].connection.id.as_str()), ("home-okta", "second"));
        apply(&store, decision("t", "ada", vec![create(account("ada"))])).await.unwrap();
        let error = store.write(|tx| Box::pin(async move { tx.delete_connection(&okta()).await })).await.unwrap_err();
        assert_eq!(error.to_string(), "the write conflicts with connection_in_use");
        assert!(store.write(|tx| Box::pin(async move { tx.delete_connection(&"second".into()).await })).await.unwrap());
    }

    async fn a_token_opens_until_it_expires_or_is_revoked(store, _) {
        seed(&store).await;
        store
            .write(|tx| {
                Box::pin(async move {
                    tx.insert_token(&token("t1"), "digest-1").await?;
                    assert_eq!(tx.token_by_digest("digest-1", at(999)).await?, Some(token("t1")));
                    assert_eq!(tx.token_by_digest("digest-1", at(1000)).await?, None);
                    assert_eq!(tx.token_by_digest("digest-2", at(1)).await?, None);
                    assert!(tx.touch_token("t1", at(100)).await?);
                    assert!(!tx.touch_token("t1", at(130)).await?);
                    assert!(tx.has_token("digest-1").await?);
                    assert!(tx.revoke_token("t1", at(200)).await?);
                    assert!(!tx.revoke_token("t1", at(200)).await?);
                    assert_eq!(tx.token_by_digest("digest-1", at(201)).await?, None);
                    let listed = tx.tokens("scim", Some(&okta())).await?;
                    let expected = TokenRecord { last_used_at: Some(at(100)), revoked_at: Some(at(200)), ..token("t1") };
                    assert_eq!(listed, [expected]);
                    assert_eq!(tx.tokens("scim", None).await?.len(), 1);
                    assert_eq!(tx.tokens("api", None).await?.len(), 0);
                    Ok::<_, StoreError>(())
                })
            })
            .await
            .unwrap();
        let again = store.write(|tx| Box::pin(async move { tx.insert_token(&token("t2"), "digest-1").await })).await;
        assert_eq!(again.unwrap_err().to_string(), "the write conflicts with tokens_digest");
    }

    async fn an_invitation_is_accepted_once(store, _) {
        seed(&store).await;
        let invitation = Invitation {
            id: "i1".to_owned(),
            organization: org(),
            email: Email::parse("Ada@home-lab.example").unwrap(),
            account: None,
            data: json!({"roles": ["member"]}),
            created_by: Some("bob".into()),
            created_at: at(0),
            expires_at: at(100),
            sent_at: Some(at(0)),
            skipped_at: None,
            opened_at: None,
            accepted_at: None,
            revoked_at: None,
            account_status: None,
        };
        store
            .write(move |tx| {
                Box::pin(async move {
                    tx.insert_invitation(&invitation, "d1").await?;
                    tx.insert_invitation(&Invitation { id: "i2".to_owned(), ..invitation.clone() }, "d2").await?;
                    assert_eq!(tx.accept_invitation("d1", at(100)).await?, None, "expired");
                    assert_eq!(tx.invitation_by_digest("d1").await?, Some(invitation.clone()));
                    let accepted = Invitation { accepted_at: Some(at(50)), ..invitation.clone() };
                    assert_eq!(tx.accept_invitation("d1", at(50)).await?, Some(accepted));
                    assert_eq!(tx.accept_invitation("d1", at(51)).await?, None);
                    assert!(tx.revoke_invitation("i2", at(52)).await?);
                    assert_eq!(tx.accept_invitation("d2", at(53)).await?, None);
                    let of = |organization| InvitationFilter { organization: Some(organization), ..Default::default() };
                    assert_eq!(tx.invitations(&of(org()), None, 10).await?.len(), 2);
                    assert_eq!(tx.invitations(&of(org()), Some("i2"), 10).await?.len(), 1);
                    assert_eq!(tx.invitations(&of("other".into()), None, 10).await?.len(), 0);
                    Ok::<_, StoreError>(())
                })
            })
            .await
            .unwrap();
    }

    async fn invitations_of_a_state_are_found_by_its_index_page_by_page(store, _) {
        invitations_of_each_state(&store).await;
        let of = |state| InvitationFilter {
            organization: Some(org()),
            state: Some((state, at(5_000))),
            ..InvitationFilter::default()
        };
        let page_of = |filter: InvitationFilter, before: Option<&'static str>, limit| {
            let store = store.clone();
            async move {
                let read = store.read(|reader| Box::pin(async move { reader.invitations(&filter, before, limit).await }));
                read.await.unwrap().into_iter().map(|one| (one.state(at(5_000)), one.id)).collect::<Vec<_>>()
            }
        };
        for (state, expected, index) in [
            (InvitationState::Sent, vec!["i0600"], "invitations_sent"),
            (InvitationState::Opened, vec!["i0601"], "invitations_opened"),
            (InvitationState::Skipped, vec!["i0605", "i0604"], "invitations_skipped"),
            (InvitationState::Accepted, vec!["i0602"], "invitations_accepted"),
            (InvitationState::Revoked, vec!["i0603"], "invitations_revoked"),
        ] {
            let found = page_of(of(state), None, 10).await;
            let expected: Vec<_> = expected.into_iter().map(|id| (state, id.to_owned())).collect();
            assert_eq!(found, expected);
            // PostgreSQL reads a table of this size whole where it knows nothing better; SQLite says what it will do at any size.
            let filter = of(state);
            let plan = store.read(|reader| Box::pin(async move { reader.explain_invitations(&filter, None, 10).await }));
            let plan = plan.await.unwrap().join("\n");
            assert!(plan.contains(index) || plan.contains("Seq Scan"), "{state:?}\n{plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{state:?}\n{plan}");
        }
        // The last to end come first, and each page goes on where the one before ended.
        let mut seen = Vec::new();
        let mut before: Option<&'static str> = None;
        loop {
            let page = page_of(of(InvitationState::Expired), before, 250).await;
            let Some((_, last)) = page.last() else { break };
            before = Some(last.clone().leak());
            seen.extend(page.into_iter().map(|(state, id)| {
                assert_eq!(state, InvitationState::Expired);
                id
            }));
        }
        let expected: Vec<_> = (0..600).rev().map(|number| format!("i{number:04}")).collect();
        assert_eq!(seen, expected);
        assert!(page_of(of(InvitationState::Expired), Some("gone"), 10).await.is_empty());
        let others = InvitationFilter { organization: Some("other".into()), ..of(InvitationState::Expired) };
        assert!(page_of(others, None, 10).await.is_empty());
    }

    async fn traces_are_listed_newest_first_by_connection_and_account(store, _) {
        seed(&store).await;
        for number in 0..5 {
            let mut refused = decision(&format!("t{number}"), if number % 2 == 0 { "even" } else { "odd" }, Vec::new());
            refused.verdict = provost_kernel::plan::Verdict::Refused(provost_kernel::denial::Denial::NoSeat);
            refused.trace.at = at(number);
            apply(&store, refused).await.unwrap();
        }
        store.write(|tx| Box::pin(async move { tx.set_trace_claims(&"t4".into(), &json!({"groups": ["g"]})).await })).await.unwrap();
        let list = |filter: TraceFilter, limit| {
            let store = store.clone();
            async move {
                let found = store.read(move |reader| Box::pin(async move { reader.traces(&filter, limit).await })).await;
                found.unwrap().into_iter().map(|record| record.trace.id.to_string()).collect::<Vec<_>>()
            }
        };
        let by_connection = TraceFilter { connection: Some(okta()), ..TraceFilter::default() };
        assert_eq!(list(by_connection.clone(), 2).await, ["t4", "t3"]);
        let next = TraceFilter { before: Some((at(3), "t3".into())), ..by_connection };
        assert_eq!(list(next, 2).await, ["t2", "t1"]);
        let odd = TraceFilter { account: Some("odd".into()), ..TraceFilter::default() };
        assert_eq!(list(odd, 9).await, ["t3", "t1"]);
        let between = TraceFilter { since: Some(at(1)), until: Some(at(3)), ..TraceFilter::default() };
        assert_eq!(list(between, 9).await, ["t2", "t1"], "the end is left out");
        assert_eq!(list(TraceFilter::default(), 9).await.len(), 5);
        let one = store.read(|reader| Box::pin(async move { reader.trace(&"t4".into()).await })).await.unwrap().unwrap();
        assert_eq!((one.verdict.as_str(), one.claims), ("no_seat", Some(json!({"groups": ["g"]}))));
    }

    async fn a_job_is_retried_given_up_or_done_and_a_lost_lease_counts_nothing(store, _) {
        let lease = SignedDuration::from_secs(30);
        store
            .write(move |tx| {
                Box::pin(async move {
                    assert!(tx.enqueue(&job("j1", Some("k")), at(0)).await?);
                    assert!(!tx.enqueue(&job("j2", Some("k")), at(0)).await?, "same key");
                    assert!(tx.claim_jobs(&["mail"], 5, lease, "a", at(9)).await?.is_empty(), "not due");
                    assert!(tx.claim_jobs(&["other"], 5, lease, "a", at(10)).await?.is_empty());
                    let claimed = tx.claim_jobs(&["mail", "other"], 5, lease, "a", at(10)).await?;
                    assert_eq!((claimed[0].job.clone(), claimed[0].attempts), (job("j1", Some("k")), 1));
                    assert!(tx.claim_jobs(&["mail"], 5, lease, "b", at(39)).await?.is_empty(), "leased");
                    assert_eq!(tx.claim_jobs(&["mail"], 5, lease, "b", at(40)).await?[0].attempts, 2);
                    assert!(!tx.complete_job("j1", "a", at(41)).await?, "a lost its lease");
                    assert!(tx.fail_job("j1", "b", "500", Some(at(60)), at(41)).await?);
                    assert!(tx.claim_jobs(&["mail"], 5, lease, "b", at(59)).await?.is_empty());
                    assert_eq!(tx.claim_jobs(&["mail"], 5, lease, "b", at(60)).await?.len(), 1);
                    assert!(tx.fail_job("j1", "b", "gone", None, at(61)).await?);
                    assert!(tx.claim_jobs(&["mail"], 5, lease, "b", at(9000)).await?.is_empty());
                    let dead = tx.dead_jobs(5).await?;
                    assert_eq!((dead[0].last_error.as_deref(), dead[0].dead_at), (Some("gone"), Some(at(61))));
                    assert!(tx.enqueue(&job("j3", None), at(0)).await?);
                    tx.claim_jobs(&["mail"], 5, lease, "a", at(70)).await?;
                    assert!(tx.complete_job("j3", "a", at(71)).await?);
                    assert!(tx.claim_jobs(&["mail"], 5, lease, "a", at(9000)).await?.is_empty());
                    assert_eq!(tx.job("j3").await?.unwrap().attempts, 1);
                    Ok::<_, StoreError>(())
                })
            })
            .await
            .unwrap();
    }

    async fn housekeeping_removes_what_expired_in_batches_and_nothing_else(store, _) {
        seed(&store).await;
        let mut first = decision("t1", "ada", vec![create(account("ada"))]);
        first.plan.session = Some(open_session("s1", "ada"));
        apply(&store, first).await.unwrap();
        store
            .write(|tx| {
                Box::pin(async move {
                    for number in 0..5 {
                        tx.put_code(&code(&format!("c{number}")), at(100))?;
                    }
                    let retention = Retention { traces_before: at(100), ended_before: at(160), jobs_before: at(0) };
                    assert_eq!(tx.purge(&retention, 2, at(20_000)).await?, 0, "nothing is past its time yet");
                    let retention = Retention { traces_before: at(101), ended_before: at(161), jobs_before: at(0) };
                    assert_eq!(tx.purge(&retention, 2, at(20_000)).await?, 3);
                    assert_eq!(tx.purge(&retention, 2, at(20_000)).await?, 2);
                    assert_eq!(tx.purge(&retention, 2, at(20_000)).await?, 1);
                    assert_eq!(tx.purge(&retention, 2, at(20_000)).await?, 0);
                    assert!(tx.session(&"s1".into()).await?.is_some());
                    assert!(tx.account(&"ada".into()).await?.is_some());
                    Ok::<_, StoreError>(())
                })
            })
            .await
            .unwrap();
    }

    async fn organizations_and_accounts_are_paged_for_export(store, _) {
        seed(&store).await;
        apply(&store, decision("t", "ada", vec![create(account("ada")), create(standard("bob"))])).await.unwrap();
        store
            .read(|reader| {
                Box::pin(async move {
                    let first = reader.organizations(None, 1).await?;
                    assert_eq!(first[0].organization.id, org());
                    let rest = reader.organizations(Some(&first[0].organization.id), 9).await?;
                    assert_eq!(rest.len(), 1);
                    let accounts = reader.accounts(None, 9).await?;
                    assert_eq!(accounts.len(), 2);
                    assert_eq!(reader.accounts(Some(&"ada".into()), 9).await?[0].account, standard("bob"));
                    let bob = Email::parse("BOB@home-lab.example").unwrap();
                    assert_eq!(reader.standard_account(&bob).await?, Some(standard("bob")));
                    let ada = Email::parse("ada@home-lab.example").unwrap();
                    assert_eq!(reader.standard_account(&ada).await?, None, "an SSO account has no password");
                    assert_eq!(reader.accounts_by_email(&ada).await?.len(), 1);
                    assert_eq!(reader.memberships(&"ada".into()).await?, []);
                    Ok::<_, StoreError>(())
                })
            })
            .await
            .unwrap();
    }

    async fn runs_over_many_people_go_on_where_they_stopped_and_forget_whom_they_were_about(store, _) {
        seed(&store).await;
        let run = provost_store::BulkRun {
            id: "blk_1".to_owned(),
            organization: org(),
            actor: provost_kernel::provision::Actor::Operator { account: None },
            action: "pin".to_owned(),
            total: 2,
            progress: provost_store::BulkProgress::default(),
            created_at: at(10),
            finished_at: None,
        };
        let progress = provost_store::BulkProgress {
            done: 1,
            changed: 0,
            refused: vec![provost_store::BulkRefused { account: "ada".into(), code: "not_permitted".to_owned(), trace: "t".to_owned() }],
        };
        store
            .write(move |tx| {
                Box::pin(async move {
                    tx.insert_bulk_run(&run, &["ada".into(), "bob".into()]).await?;
                    assert_eq!(tx.bulk_run("blk_1").await?, Some(run.clone()));
                    tx.note_bulk_run("blk_1", &progress, None).await?;
                    assert_eq!(tx.bulk_accounts("blk_1").await?, ["ada".into(), "bob".into()]);
                    tx.note_bulk_run("blk_1", &progress, Some(at(20))).await?;
                    assert!(tx.bulk_accounts("blk_1").await?.is_empty());
                    let known = tx.bulk_run("blk_1").await?.unwrap();
                    assert_eq!((known.progress, known.finished_at), (progress, Some(at(20))));
                    assert_eq!(tx.bulk_run("blk_2").await?, None);
                    Ok::<_, StoreError>(())
                })
            })
            .await
            .unwrap();
    }

    async fn views_are_kept_by_name_for_one_person_in_one_organization(store, _) {
        seed(&store).await;
        apply(&store, decision("t", "ada", vec![create(account("ada")), create(standard("bob"))])).await.unwrap();
        store
            .write(move |tx| {
                Box::pin(async move {
                    tx.put_view(&"ada".into(), &org(), "Readers", "kind=reader").await?;
                    tx.put_view(&"ada".into(), &org(), "Readers", "kind=reader&q=a").await?;
                    tx.put_view(&"bob".into(), &org(), "Mine", "q=b").await?;
                    let own = tx.views(&"ada".into(), &org()).await?;
                    assert_eq!(own, [("Readers".to_owned(), "kind=reader&q=a".to_owned())]);
                    tx.delete_view(&"bob".into(), &org(), "Readers").await?;
                    assert_eq!(tx.views(&"ada".into(), &org()).await?.len(), 1);
                    tx.delete_view(&"ada".into(), &org(), "Readers").await?;
                    assert!(tx.views(&"ada".into(), &org()).await?.is_empty());
                    Ok::<_, StoreError>(())
                })
            })
            .await
            .unwrap();
    }
}
