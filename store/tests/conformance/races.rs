//! What must hold when many do the same at once.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use provost_kernel::denial::Denial;
use provost_kernel::directory::{Origin, Status};
use provost_kernel::facts::Need;
use provost_kernel::id::AccountId;
use provost_kernel::incoming::{Fresh, OneTimeProof};
use provost_kernel::plan::{Change, Verdict};
use provost_kernel::provision::{self, Action, Actor, GrantEdit, Request};
use provost_store::{AuthorizationCode, CodeUse, NewJob, RefreshToken, Rotation, Store, StoreError};
use serde_json::json;
use tokio::sync::Barrier;

use crate::support::*;

/// Runs `count` jobs at once and returns their outcomes.
pub(crate) async fn at_once<T: Send + 'static, Fut: Future<Output = T> + Send>(
    count: usize,
    job: impl Fn(usize) -> Fut + Send + Sync + 'static,
) -> Vec<T> {
    let (job, barrier) = (Arc::new(job), Arc::new(Barrier::new(count)));
    let tasks: Vec<_> = (0..count)
        .map(|number| {
            let (job, barrier) = (Arc::clone(&job), Arc::clone(&barrier));
            tokio::spawn(async move {
                barrier.wait().await;
                job(number).await
            })
        })
        .collect();
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(task.await.unwrap());
    }
    outcomes
}

/// As [`at_once`], for jobs on one store.
pub(crate) async fn at_once_on<T: Send + 'static, Fut: Future<Output = T> + Send>(
    store: &Store,
    count: usize,
    job: impl Fn(Store, usize) -> Fut + Send + Sync + 'static,
) -> Vec<T> {
    let store = store.clone();
    at_once(count, move |number| job(store.clone(), number)).await
}

pub(crate) fn code(digest: &str) -> AuthorizationCode {
    AuthorizationCode {
        digest: digest.to_owned(),
        client_id: "sample-app".to_owned(),
        session: "s1".into(),
        account: "ada".into(),
        redirect_uri: "https://app/callback".to_owned(),
        data: json!({"nonce": "n"}),
        family: "f1".to_owned(),
        expires_at: at(160),
    }
}

pub(crate) fn refresh(digest: &str) -> RefreshToken {
    RefreshToken {
        digest: digest.to_owned(),
        family: "f1".to_owned(),
        generation: 1,
        client_id: "sample-app".to_owned(),
        account: "ada".into(),
        session: "s1".into(),
        scope: "openid".to_owned(),
        data: json!({}),
        expires_at: at(1000),
        absolute_expires_at: at(5000),
        used_at: None,
        replaced_by: None,
        revoked_at: None,
    }
}

/// Decides what an operator wants and writes it, with a pause in between in which others may write; again if they did.
async fn ask(store: &Store, action: Action, id: &str, pause: Duration) -> Verdict {
    let request = Request {
        actor: Actor::Operator { account: None },
        action,
    };
    for round in 0..50 {
        let (request, id) = (request.clone(), format!("{id}-{round}"));
        let outcome = store
            .write(move |tx| {
                Box::pin(async move {
                    let facts = tx.facts(&provision::need(&request)).await?;
                    let fresh = Fresh {
                        account: id.as_str().into(),
                        session: id.as_str().into(),
                        session_digest: id.clone(),
                        trace: id.as_str().into(),
                    };
                    let decision = provision::decide(&request, &facts, None, &fresh, at(100));
                    tokio::time::sleep(pause).await;
                    tx.apply(&decision, &request.actor, at(100)).await?;
                    Ok::<_, StoreError>(decision.verdict)
                })
            })
            .await;
        match outcome {
            Ok(verdict) => return verdict,
            Err(error) => assert!(error.is_retryable(), "{error}"),
        }
    }
    panic!("always somebody in between");
}

/// The ways in which an organization loses an owner.
fn losses(account: &str) -> [Action; 3] {
    let account = AccountId::from(account);
    [
        Action::EditMembership {
            account: account.clone(),
            organization: org(),
            edits: vec![GrantEdit::RevokeRole { role: "owner".into() }],
        },
        Action::RemoveMembership {
            account: account.clone(),
            organization: org(),
        },
        Action::SetStatus {
            account,
            to: Status::Suspended,
        },
    ]
}

conformance! {
    /// R-148, whichever way each of the two goes.
    async fn r148_two_owners_who_are_let_go_at_once_leave_one(store, _) {
        seed(&store).await;
        for id in ["ann", "bob"] {
            apply(&store, decision(id, id, vec![create(standard(id))])).await.unwrap();
        }
        for round in 0..9 {
            for id in ["ann", "bob"] {
                let account = AccountId::from(id);
                let active = Action::SetStatus { account: account.clone(), to: Status::Active };
                let owner = Action::EditMembership {
                    account,
                    organization: org(),
                    edits: vec![GrantEdit::GrantRole { role: "owner".into() }],
                };
                for (name, action) in [("active", active), ("owner", owner)] {
                    let verdict = ask(&store, action, &format!("{name}-{round}-{id}"), Duration::ZERO).await;
                    assert!(matches!(verdict, Verdict::Admitted(_)), "{verdict:?}");
                }
            }
            let [ann, bob] = [losses("ann")[round / 3].clone(), losses("bob")[round % 3].clone()];
            let (racing, both) = (store.clone(), [ann, bob]);
            let verdicts = at_once(2, move |number| {
                let (store, action) = (racing.clone(), both[number].clone());
                async move { ask(&store, action, &format!("lose-{round}-{number}"), Duration::from_millis(30)).await }
            })
            .await;
            let refused = verdicts.iter().filter(|verdict| **verdict == Verdict::Refused(Denial::LastOwner));
            assert_eq!(refused.count(), 1, "round {round}: {verdicts:?}");
        }
    }

    async fn the_last_seat_goes_to_exactly_one_of_32(store, _) {
        seed(&store).await;
        let first = Change::AddMembership { account: "x".into(), membership: membership(Some(seat("standard", true))) };
        apply(&store, decision("x", "x", vec![create(account("x")), first])).await.unwrap();
        let racing = store.clone();
        let outcomes = at_once(32, move |number| {
            let store = racing.clone();
            async move {
                let id = format!("p{number}");
                let join = Change::AddMembership {
                    account: id.as_str().into(),
                    membership: membership(Some(seat("standard", true))),
                };
                apply(&store, decision(&id, &id, vec![create(account(&id)), join])).await
            }
        })
        .await;
        let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(won, 1);
        for error in outcomes.into_iter().filter_map(Result::err) {
            assert_eq!(error.to_string(), "the write conflicts with license_seats");
        }
        let pools = store.read(|reader| Box::pin(async move { reader.licenses(&org()).await })).await.unwrap();
        assert_eq!(pools[0].1, 2);
        let members = store.read(|reader| Box::pin(async move { reader.members(&org(), None, 99).await })).await.unwrap();
        assert_eq!(members.len(), 2, "the losers left no membership behind");
    }

    async fn a_proof_is_spent_by_exactly_one_of_50(store, _) {
        seed(&store).await;
        apply(&store, decision("t", "ada", vec![create(account("ada"))])).await.unwrap();
        let racing = store.clone();
        let outcomes = at_once(50, move |number| {
            let store = racing.clone();
            async move {
                let mut decision = decision(&format!("t{number}"), "ada", Vec::new());
                decision.plan.session = Some(open_session(&format!("s{number}"), "ada"));
                decision.plan.spend =
                    Some(OneTimeProof { issuer: "https://idp".to_owned(), id: "_a1".to_owned(), until: at(900) });
                apply(&store, decision).await
            }
        })
        .await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        assert!(outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).all(|error| error.code() == "proof_spent"));
        let sessions = store
            .read(|reader| Box::pin(async move { reader.sessions_of_account(&"ada".into(), at(200)).await }))
            .await
            .unwrap();
        assert_eq!(sessions.len(), 1);
        // The same id from another issuer or through another connection is another proof.
        for (connection, issuer) in [(okta(), "https://other"), ("second".into(), "https://idp")] {
            let mut decision = decision(&format!("{connection}{issuer}"), "ada", Vec::new());
            decision.trace.connection = Some(connection);
            decision.plan.spend = Some(OneTimeProof { issuer: issuer.to_owned(), id: "_a1".to_owned(), until: at(900) });
            apply(&store, decision).await.unwrap();
        }
    }

    async fn a_code_is_fresh_for_exactly_one_of_50(store, _) {
        signed_in(&store).await;
        store.write(|tx| Box::pin(async move { tx.put_code(&code("c1"), at(100)) })).await.unwrap();
        let racing = store.clone();
        let outcomes = at_once(50, move |_| {
            let store = racing.clone();
            async move {
                store.write(|tx| Box::pin(async move { tx.consume_code("c1", at(110)).await })).await.unwrap()
            }
        })
        .await;
        assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome, CodeUse::Fresh(..))).count(), 1);
        assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome, CodeUse::Reused(_))).count(), 49);
    }

    async fn a_refresh_token_is_exchanged_by_exactly_one_of_20(store, _) {
        signed_in(&store).await;
        let insert = store.write(|tx| Box::pin(async move { tx.insert_refresh_token(&refresh("r0"), at(100)).await }));
        insert.await.unwrap();
        let racing = store.clone();
        let outcomes = at_once(20, move |number| {
            let store = racing.clone();
            async move {
                let next = format!("next{number}");
                store
                    .write(move |tx| {
                        Box::pin(async move { tx.rotate_refresh_token("r0", "sample-app", &next, at(2000), at(110)).await })
                    })
                    .await
                    .unwrap()
            }
        })
        .await;
        assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome, Rotation::Rotated(_))).count(), 1);
        assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome, Rotation::Reused(_))).count(), 19);
    }

    async fn the_feed_has_no_gaps_and_a_reader_misses_nothing_while_many_write(store, _) {
        seed(&store).await;
        let following = store.clone();
        let reader = tokio::spawn(async move {
            let mut seen = Vec::new();
            while seen.len() < 200 {
                let after = seen.last().copied().unwrap_or(0);
                let page = following.read(|reader| Box::pin(async move { reader.events(after, 7).await })).await.unwrap();
                seen.extend(page.into_iter().map(|event| event.sequence));
                tokio::task::yield_now().await;
            }
            seen
        });
        let racing = store.clone();
        at_once(20, move |writer| {
            let store = racing.clone();
            async move {
                for number in 0..5 {
                    let id = format!("w{writer}-{number}");
                    let alert = Change::Alert { account: id.as_str().into(), code: "x".to_owned(), text: id.clone() };
                    let decision = decision(&id, &id, vec![create(account(&id)), alert]);
                    store
                        .write(move |tx| {
                            Box::pin(async move {
                                apply_in(tx, &decision).await?;
                                tokio::task::yield_now().await;
                                Ok::<_, StoreError>(())
                            })
                        })
                        .await
                        .unwrap();
                }
            }
        })
        .await;
        let seen = tokio::time::timeout(Duration::from_secs(30), reader).await.unwrap().unwrap();
        assert_eq!(seen, (1..=200).collect::<Vec<i64>>());
        let verified = store.read(|reader| Box::pin(async move { reader.verify_audit(None).await })).await.unwrap();
        assert_eq!(verified, 200);
    }

    async fn a_job_is_claimed_by_one_worker(store, _) {
        store
            .write(|tx| {
                Box::pin(async move {
                    for number in 0..40 {
                        let job = NewJob {
                            id: format!("j{number:02}"),
                            kind: "mail".to_owned(),
                            idempotency_key: None,
                            payload: json!({}),
                            run_at: at(0),
                        };
                        assert!(tx.enqueue(&job, at(0)).await?);
                    }
                    Ok::<_, StoreError>(())
                })
            })
            .await
            .unwrap();
        let racing = store.clone();
        let claimed = at_once(8, move |worker| {
            let store = racing.clone();
            async move {
                let mut mine = Vec::new();
                loop {
                    let name = format!("worker{worker}");
                    let lease = SignedDuration::from_secs(60);
                    let batch = store
                        .write(move |tx| Box::pin(async move { tx.claim_jobs(&["mail"], 3, lease, &name, at(1)).await }))
                        .await
                        .unwrap();
                    if batch.is_empty() {
                        return mine;
                    }
                    mine.extend(batch.into_iter().map(|job| job.job.id));
                }
            }
        })
        .await;
        let mut all: Vec<String> = claimed.into_iter().flatten().collect();
        all.sort();
        assert_eq!(all, (0..40).map(|number| format!("j{number:02}")).collect::<Vec<_>>());
    }

    async fn r168_a_sign_in_that_races_with_a_deactivation_leaves_no_session(store, _) {
        seed(&store).await;
        for round in 0..30 {
            let id = format!("p{round}");
            apply(&store, decision(&id, &id, vec![create(account(&id))])).await.unwrap();
            let (racing, person) = (store.clone(), id.clone());
            at_once(6, move |number| {
                let (store, id) = (racing.clone(), person.clone());
                async move {
                    let trace = format!("{id}-{number}");
                    if number == 0 {
                        deactivate(&store, &id, &trace).await;
                    } else {
                        let mut decision = decision(&trace, &id, Vec::new());
                        decision.plan.session = Some(open_session(&trace, &id));
                        let outcome = apply(&store, decision).await;
                        assert!(outcome.is_ok() || outcome.unwrap_err().is_retryable());
                    }
                }
            })
            .await;
            let left = store
                .read(|reader| Box::pin(async move { reader.sessions_of_account(&id.as_str().into(), at(101)).await }))
                .await
                .unwrap();
            assert_eq!(left, Vec::new());
        }
    }

    async fn r167_no_token_survives_a_revocation_that_comes_while_it_is_made(store, _) {
        signed_in(&store).await;
        store.write(|tx| Box::pin(async move { tx.put_code(&code("c1"), at(100)) })).await.unwrap();
        let made = Arc::new(tokio::sync::Notify::new());
        let (making, signal) = (store.clone(), Arc::clone(&made));
        let maker = tokio::spawn(async move {
            making
                .write(move |tx| {
                    Box::pin(async move {
                        assert!(matches!(tx.consume_code("c1", at(110)).await?, CodeUse::Fresh(..)));
                        tx.insert_refresh_token(&refresh("r1"), at(110)).await?;
                        signal.notify_one();
                        tokio::time::sleep(Duration::from_millis(700)).await;
                        Ok::<_, StoreError>(())
                    })
                })
                .await
        });
        made.notified().await;
        let revoked = store.write(|tx| Box::pin(async move { tx.revoke_session(&"s1".into(), "logout", at(111)).await }));
        assert!(revoked.await.unwrap());
        maker.await.unwrap().unwrap();
        let token = store.read(|reader| Box::pin(async move { reader.refresh_token("r1").await })).await.unwrap();
        assert_eq!(token.unwrap().revoked_at, Some(at(111)));
    }

    async fn rate_limits_hold_across_parallel_hits(store, _) {
        let racing = store.clone();
        let hits = at_once(30, move |_| {
            let store = racing.clone();
            async move {
                store.write(|tx| Box::pin(async move { tx.hit("login:1.2.3.4", 60, 10, at(5)).await })).await.unwrap()
            }
        })
        .await;
        assert_eq!(hits.iter().filter(|hit| hit.allowed).count(), 10);
        assert!(hits.iter().all(|hit| (1..=60).contains(&hit.retry_after_seconds)));
        let later = store.write(|tx| Box::pin(async move { tx.hit("login:1.2.3.4", 60, 10, at(70)).await })).await.unwrap();
        assert_eq!((later.allowed, later.remaining), (true, 9));
    }
}

async fn deactivate(store: &Store, id: &str, trace: &str) {
    let account = id.to_owned();
    let need = Need {
        accounts: vec![account.as_str().into()],
        ..Need::default()
    };
    let found = store
        .read(|reader| Box::pin(async move { reader.facts(&need).await }))
        .await
        .unwrap();
    let change = Change::SetStatus {
        account: account.as_str().into(),
        version: found.accounts[0].account.version,
        from: Status::Active,
        to: Status::Deactivated,
        origin: Origin::Scim,
    };
    apply(store, decision(trace, id, vec![change])).await.unwrap();
}
